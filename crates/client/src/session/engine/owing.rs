//! For whom the server works: how long it may take depends on that.

use crate::session::Session;
use crate::session::request::RequestId;

/// Who waits for the head of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Nothing is in flight.
    Nothing,
    /// Nothing is written, and what waits may not be yet: a cancel is under way.
    Unwritten,
    /// The caller of this request.
    Caller(RequestId),
    /// Nobody any more.
    Abandoned,
}

impl Session {
    /// Who waits for the head of the pipeline. A look-up of types stands there for the request that needs it.
    #[must_use]
    pub fn head(&self) -> Head {
        match self.written.front() {
            Some(head) => head.pending.id.map_or(Head::Abandoned, Head::Caller),
            None if self.waiting.is_empty() => Head::Nothing,
            None => Head::Unwritten,
        }
    }

    /// Whether the server has still to get past requests whose callers have left.
    #[must_use]
    pub fn has_abandoned(&self) -> bool {
        self.written.iter().any(|written| written.pending.id.is_none())
    }
}
