//! The named statements of one connection.

use std::rc::Rc;

use super::names::Names;
use super::query::{Description, Query};
use super::route::Route;
use super::schema::{Moment, Schema};
use crate::id_map::IdMap;

/// The cache, least recently used first to go, with the names that are still to be closed.
#[derive(Debug, Default)]
pub(super) struct Statements {
    by_query: IdMap<Statement>,
    capacity: usize,
    uses: u64,
    /// What names begin with; no other session's do.
    prefix: Box<str>,
    names_given: u64,
    /// Behind a pooler names are of no use.
    route: Rc<Route>,
    /// Names that the server still knows and we do not want any more.
    unwanted: Vec<Rc<str>>,
    schema: Rc<Schema>,
    pub(super) names: Names,
}

#[derive(Debug)]
struct Statement {
    /// Ids are used again when a query is forgotten; the text that we mean is this one.
    query: Rc<Query>,
    name: Rc<str>,
    /// `None` while Parse and Describe are under way.
    description: Option<Rc<Description>>,
    last_use: u64,
    parsed_at: Moment,
    /// Something speaks against what is known of it.
    is_doubtful: bool,
    /// What was said of the same text before, if nothing has explained a change since.
    before: Option<Rc<Description>>,
}

impl Statement {
    fn is_trusted(&self, now: Moment) -> bool {
        !self.is_doubtful && now.trusts(self.parsed_at)
    }
}

/// What the connection knows of a query.
#[derive(Clone, Debug)]
pub(super) enum Lookup {
    Absent,
    /// Parse is under way: it may still fail.
    Pending,
    Ready {
        name: Rc<str>,
        description: Rc<Description>,
    },
}

impl Statements {
    pub(super) fn new(capacity: usize, prefix: &str, route: Rc<Route>, schema: Rc<Schema>, names: Names) -> Self {
        Self { capacity, prefix: prefix.into(), route, schema, names, ..Self::default() }
    }

    pub(super) fn set_schema(&mut self, schema: Rc<Schema>) {
        self.schema = schema;
    }

    /// Whether statements of this query get names.
    pub(super) fn is_for(&self, query: &Query) -> bool {
        self.capacity > 0 && query.may_be_named() && !self.route.is_pooled() && !self.is_unsettled(query)
    }

    /// A schema is being changed: what is said of the query's statement is true within the same message group only. Texts
    /// that change or end something have no parameters of tables' types.
    fn is_unsettled(&self, query: &Query) -> bool {
        query.is_shareable && self.schema.is_changing()
    }

    pub(super) fn look_up(&mut self, query: &Rc<Query>) -> Lookup {
        if self.route.is_pooled() {
            // Closing them would reach whichever server comes next.
            self.by_query.clear();
            self.unwanted.clear();
            return Lookup::Absent;
        }
        if self.is_unsettled(query) {
            return Lookup::Absent;
        }
        self.uses += 1;
        let now = self.schema.moment(self.names.current());
        match self.by_query.get_mut(&query.id) {
            Some(statement) if Rc::ptr_eq(&statement.query, query) => {
                statement.last_use = self.uses;
                match &statement.description {
                    None => Lookup::Pending,
                    Some(description) if description.is_current() && statement.is_trusted(now) => {
                        Lookup::Ready { name: Rc::clone(&statement.name), description: Rc::clone(description) }
                    }
                    // Its types may have changed: it is parsed and described anew.
                    Some(_) => Lookup::Absent,
                }
            }
            _ => Lookup::Absent,
        }
    }

    /// Whether what is known of a statement by its name can be bound.
    pub(super) fn is_certain(&self, name: &Rc<str>) -> bool {
        if self.schema.is_changing() {
            return false;
        }
        let now = self.schema.moment(self.names.current());
        let known = self.by_query.values().find(|statement| Rc::ptr_eq(&statement.name, name));
        known.is_some_and(|statement| statement.is_trusted(now))
    }

    /// Something speaks against what is known of a statement: its next use parses and describes it anew.
    pub(super) fn doubt(&mut self, name: &Rc<str>) {
        if let Some(statement) = self.named(name) {
            statement.is_doubtful = true;
        }
    }

    /// It is parsed and described again under its name, and is doubtful until that is [confirmed](Self::confirm).
    pub(super) fn begin_again(&mut self, name: &Rc<str>) {
        let now = self.schema.moment(self.names.current());
        if let Some(statement) = self.named(name) {
            statement.parsed_at = now;
            statement.is_doubtful = true;
        }
    }

    /// It is what it was.
    pub(super) fn confirm(&mut self, name: &Rc<str>) {
        if let Some(statement) = self.named(name) {
            statement.is_doubtful = false;
        }
    }

    fn named(&mut self, name: &Rc<str>) -> Option<&mut Statement> {
        self.by_query.values_mut().find(|statement| Rc::ptr_eq(&statement.name, name))
    }

    /// Gives a name to a statement that is about to be parsed, and makes room for it.
    pub(super) fn begin(&mut self, query: &Rc<Query>) -> Rc<str> {
        let now = self.schema.moment(self.names.current());
        let before = self.forget(query.id).filter(|old| Rc::ptr_eq(&old.query, query));
        let before = before.filter(|old| now.explains_nothing_since(old.parsed_at));
        while let Some(surplus) = self.surplus() {
            self.forget(surplus);
        }
        self.names_given += 1;
        self.uses += 1;
        let name: Rc<str> = format!("{}_{}", self.prefix, self.names_given).into();
        let statement = Statement {
            query: Rc::clone(query),
            name: Rc::clone(&name),
            description: None,
            last_use: self.uses,
            parsed_at: now,
            is_doubtful: false,
            before: before.and_then(|old| old.description),
        };
        self.by_query.insert(query.id, statement);
        name
    }

    /// The statement that has to go before another one comes. Those that the application holds do not count.
    fn surplus(&self) -> Option<u32> {
        if self.by_query.len() < self.capacity {
            return None;
        }
        let not_held = || self.by_query.iter().filter(|(_, statement)| !statement.query.is_held());
        if not_held().count() < self.capacity {
            return None;
        }
        let ready = not_held().filter(|(_, statement)| statement.description.is_some());
        ready.min_by_key(|(_, statement)| statement.last_use).map(|(id, _)| *id)
    }

    /// Parse and Describe went well. A statement that was forgotten meanwhile stays so. If it is not what it was
    /// before, others are probably not either.
    pub(super) fn ready(&mut self, name: &Rc<str>, description: &Rc<Description>) {
        let Self { by_query, schema, names, .. } = self;
        let Some(statement) = by_query.values_mut().find(|statement| Rc::ptr_eq(&statement.name, name)) else { return };
        let before = statement.before.take();
        if before.is_some_and(|before| !before.is_answered_by(&description.parameters, &description.columns)) {
            schema.note_change();
            statement.parsed_at = schema.moment(names.current());
        }
        statement.description = Some(Rc::clone(description));
    }

    /// Parse failed: the name does not exist.
    pub(super) fn failed(&mut self, name: &Rc<str>) {
        self.by_query.retain(|_, statement| !Rc::ptr_eq(&statement.name, name));
        self.unwanted.retain(|unwanted| !Rc::ptr_eq(unwanted, name));
    }

    /// The name exists but is of no use.
    pub(super) fn discard(&mut self, name: &Rc<str>) {
        self.by_query.retain(|_, statement| !Rc::ptr_eq(&statement.name, name));
        if !self.unwanted.iter().any(|unwanted| Rc::ptr_eq(unwanted, name)) {
            self.unwanted.push(Rc::clone(name));
        }
    }

    fn forget(&mut self, id: u32) -> Option<Statement> {
        let statement = self.by_query.remove(&id)?;
        self.unwanted.push(Rc::clone(&statement.name));
        Some(statement)
    }

    /// The environment forgets the query.
    pub(super) fn forget_query(&mut self, query: &Rc<Query>) {
        if self.by_query.get(&query.id).is_some_and(|statement| Rc::ptr_eq(&statement.query, query)) {
            self.forget(query.id);
        }
    }

    /// Empties the cache; what is being parsed stays. The names are closed, unless the server has none of them.
    pub(super) fn forget_all(&mut self, do_names_exist: bool) {
        let ids: Vec<u32> =
            self.by_query.iter().filter(|(_, known)| known.description.is_some()).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(statement) = self.by_query.remove(&id)
                && do_names_exist
            {
                self.unwanted.push(statement.name);
            }
        }
    }

    /// Names to close with the next write, except the one that it uses.
    pub(super) fn take_unwanted(&mut self, used: Option<&Rc<str>>) -> Vec<Rc<str>> {
        self.take_unwanted_but(|name| used.is_some_and(|used| Rc::ptr_eq(used, name)))
    }

    /// The same, except those that it uses.
    pub(super) fn take_unwanted_but(&mut self, is_used: impl Fn(&Rc<str>) -> bool) -> Vec<Rc<str>> {
        if self.unwanted.is_empty() {
            return Vec::new();
        }
        let (kept, closed) = std::mem::take(&mut self.unwanted).into_iter().partition(|name| is_used(name));
        self.unwanted = kept;
        closed
    }
}
