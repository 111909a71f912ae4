//! The named statements of one connection.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use super::id_hasher::IdHasher;
use super::query::{Description, Query};
use super::route::Route;

/// The cache, least recently used first to go, with the names that are still to be closed.
#[derive(Debug, Default)]
pub(super) struct Statements {
    by_query: HashMap<u32, Statement, BuildHasherDefault<IdHasher>>,
    capacity: usize,
    uses: u64,
    /// What names begin with; no other session's do.
    prefix: Box<str>,
    names_given: u64,
    /// Behind a pooler names are of no use.
    route: Rc<Route>,
    /// Names that the server still knows and we do not want any more.
    unwanted: Vec<Rc<str>>,
}

#[derive(Debug)]
struct Statement {
    /// Ids are used again when a query is forgotten; the text that we mean is this one.
    query: Rc<Query>,
    name: Rc<str>,
    /// `None` while Parse and Describe are under way.
    description: Option<Rc<Description>>,
    last_use: u64,
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
    pub(super) fn new(capacity: usize, prefix: &str, route: Rc<Route>) -> Self {
        Self { capacity, prefix: prefix.into(), route, ..Self::default() }
    }

    /// Whether statements of this query get names.
    pub(super) fn is_for(&self, query: &Query) -> bool {
        self.capacity > 0 && query.is_cacheable && !self.route.is_pooled()
    }

    pub(super) fn look_up(&mut self, query: &Rc<Query>) -> Lookup {
        if self.route.is_pooled() {
            // Closing them would reach whichever server comes next.
            self.by_query.clear();
            self.unwanted.clear();
            return Lookup::Absent;
        }
        self.uses += 1;
        let is_stale =
            |statement: &Statement| statement.description.as_ref().is_some_and(|description| !description.is_current());
        if self.by_query.get(&query.id).is_some_and(is_stale) {
            // Its types may have changed: it is parsed and described anew.
            self.forget(query.id);
        }
        match self.by_query.get_mut(&query.id) {
            Some(statement) if Rc::ptr_eq(&statement.query, query) => {
                statement.last_use = self.uses;
                match &statement.description {
                    None => Lookup::Pending,
                    Some(description) => {
                        Lookup::Ready { name: Rc::clone(&statement.name), description: Rc::clone(description) }
                    }
                }
            }
            _ => Lookup::Absent,
        }
    }

    /// Gives a name to a statement that is about to be parsed, and makes room for it.
    pub(super) fn begin(&mut self, query: &Rc<Query>) -> Rc<str> {
        self.forget(query.id);
        while self.by_query.len() >= self.capacity {
            let ready = self.by_query.iter().filter(|(_, statement)| statement.description.is_some());
            let Some(oldest) = ready.min_by_key(|(_, statement)| statement.last_use).map(|(id, _)| *id) else { break };
            self.forget(oldest);
        }
        self.names_given += 1;
        self.uses += 1;
        let name: Rc<str> = format!("{}_{}", self.prefix, self.names_given).into();
        let statement =
            Statement { query: Rc::clone(query), name: Rc::clone(&name), description: None, last_use: self.uses };
        self.by_query.insert(query.id, statement);
        name
    }

    /// Parse and Describe went well. A statement that was forgotten meanwhile stays so.
    pub(super) fn ready(&mut self, name: &Rc<str>, description: &Rc<Description>) {
        if let Some(statement) = self.by_query.values_mut().find(|statement| Rc::ptr_eq(&statement.name, name)) {
            statement.description = Some(Rc::clone(description));
        }
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

    fn forget(&mut self, id: u32) {
        if let Some(statement) = self.by_query.remove(&id) {
            self.unwanted.push(statement.name);
        }
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
        if self.unwanted.is_empty() {
            return Vec::new();
        }
        let is_used = |name: &Rc<str>| used.is_some_and(|used| Rc::ptr_eq(used, name));
        let (kept, closed) = std::mem::take(&mut self.unwanted).into_iter().partition(is_used);
        self.unwanted = kept;
        closed
    }
}
