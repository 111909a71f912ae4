//! Calls that wait until a statement is known, to be asked for their parameters: all at once, not one after the other.

use std::rc::Rc;

use crate::id_map::IdMap;
use crate::session::Session;
use crate::session::event::Sink;
use crate::session::kinds::{QueryTask, RequestKind, Task};
use crate::session::query::Query;
use crate::session::request::RequestId;

/// The calls of each query that were not asked for their parameters when they came. They may have left, or have been
/// asked in their turn.
#[derive(Debug, Default)]
pub(in crate::session) struct Unasked {
    by_query: IdMap<Vec<RequestId>>,
}

impl Unasked {
    pub(in crate::session) fn note(&mut self, task: &QueryTask, request: RequestId) {
        if let Some(query) = task.query() {
            self.by_query.entry(query.id).or_default().push(request);
        }
    }

    /// Nobody waits.
    pub(in crate::session) fn clear(&mut self) {
        if !self.by_query.is_empty() {
            self.by_query = IdMap::default();
        }
    }
}

impl Session {
    /// A statement is known now: those that wait with the same text are asked.
    pub(in crate::session) fn ask_waiting(&mut self, query: &Rc<Query>, sink: &mut impl Sink) {
        let Some(description) = query.description() else { return };
        let Some(requests) = self.unasked.by_query.remove(&query.id) else { return };
        for request in requests {
            if let Some(number) = self.waiting.find(request)
                && let Some(pending) = self.waiting.get_mut(number)
                && let Task::Query(waiting) = &mut pending.task
            {
                waiting.ask_if_of(pending.id, query, &description, sink);
            }
        }
    }
}
