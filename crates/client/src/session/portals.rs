//! The portals of a session's own that stay after the statement which has opened them (PostgreSQL manual, "Extended
//! Query"): those of cursors.

use std::rc::Rc;

use super::failure::Failure;
use super::output::{Format, Output};
use super::query::{Description, Query};
use super::result_options::{PortalUse, ResultOptions};
use crate::id_map::IdMap;

/// The open portals of one session, by the numbers that callers give them, and the names that are still to be closed.
#[derive(Debug)]
pub(super) struct Portals {
    /// What names begin with; no other session's do.
    prefix: Box<str>,
    open: IdMap<Portal>,
    /// Portals that the server still has and nobody wants any more.
    unwanted: Vec<Box<str>>,
}

/// An open portal: what its rows are was settled when it was bound.
#[derive(Clone, Debug)]
pub(super) struct Portal {
    pub(super) query: Rc<Query>,
    pub(super) description: Rc<Description>,
}

impl Portals {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into(), open: IdMap::default(), unwanted: Vec::new() }
    }

    /// The name of a portal at the server.
    pub(super) fn name(&self, number: u32) -> Box<str> {
        format!("{}_cursor_{number}", self.prefix).into()
    }

    /// Why there is no portal of its own of a query with this result, if so.
    pub(super) fn refusal_of(query: &Query, result: ResultOptions) -> Option<Failure> {
        let is_copy_kept = query.traits.is_copy && result.portal.number().is_some();
        is_copy_kept.then(|| Failure::interface("a cursor cannot be opened on COPY"))
    }

    /// Writes Bind to what the result is to come from, and Execute unless it is only to be opened. Parameters and formats are
    /// those of [`Output::bind`].
    pub(super) fn write_run(
        &self,
        result: ResultOptions,
        statement: &str,
        parameters: &[u8],
        formats: &[Format],
        output: &mut Output,
    ) {
        let portal = result.portal.number().map_or_else(Box::default, |number| self.name(number));
        output.bind(&portal, statement, parameters, formats);
        if !matches!(result.portal, PortalUse::Opened { .. }) {
            output.execute(&portal, result.max_rows);
        }
    }

    /// A query with this result is bound, to a portal that stays if it is one of its own. True when that is all: nothing of it is
    /// executed yet.
    pub(super) fn note_bound(
        &mut self,
        result: ResultOptions,
        query: &Rc<Query>,
        description: Option<&Rc<Description>>,
    ) -> bool {
        if let (Some(number), Some(description)) = (result.portal.number(), description) {
            let (query, description) = (Rc::clone(query), Rc::clone(description));
            self.open.insert(number, Portal { query, description });
        }
        matches!(result.portal, PortalUse::Opened { .. })
    }

    /// A query with this result has given all rows that were asked for; with more of them its portal stays.
    pub(super) fn note_end(&mut self, result: ResultOptions, is_suspended: bool) {
        if let (Some(number), false) = (result.portal.number(), is_suspended) {
            self.discard(number);
        }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Portal> {
        self.open.get(&number)
    }

    /// The types of its rows were looked up anew.
    pub(super) fn describe(&mut self, number: u32, description: &Rc<Description>) {
        if let Some(portal) = self.open.get_mut(&number) {
            portal.description = Rc::clone(description);
        }
    }

    /// Nobody wants it any more: it is closed with the next write.
    pub(super) fn discard(&mut self, number: u32) {
        if self.open.remove(&number).is_some() {
            let name = self.name(number);
            self.unwanted.push(name);
        }
    }

    /// No transaction is open: there are none.
    pub(super) fn forget_all(&mut self) {
        if !self.open.is_empty() {
            self.open.clear();
        }
        self.unwanted.clear();
    }

    /// The names to close with the next write.
    pub(super) fn take_unwanted(&mut self) -> Vec<Box<str>> {
        std::mem::take(&mut self.unwanted)
    }
}
