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
    /// Nobody any more; or somebody whose time is up, and who learns what became of it.
    Abandoned,
}

impl Session {
    /// Who waits for the head of the pipeline. A look-up of types stands there for the request that needs it.
    #[must_use]
    pub fn head(&self) -> Head {
        match self.written.front() {
            Some(head) if head.pending.is_hurried => Head::Abandoned,
            Some(head) => head.pending.id.map_or(Head::Abandoned, Head::Caller),
            None if self.waiting.is_empty() => Head::Nothing,
            None => Head::Unwritten,
        }
    }

    /// Whether the server has still to get past requests whose callers have left, or are in a hurry.
    #[must_use]
    pub fn has_abandoned(&self) -> bool {
        self.abandoned > 0 || self.hurried > 0
    }

    /// The caller of a request has given up waiting. It is neither cancelled nor dropped, as a COMMIT must not be, and
    /// still ends with an event; but a server that is silent for long is given up.
    pub fn hurry(&mut self, request: RequestId) {
        let pending = if let Some(number) = self.waiting.find(request) {
            self.waiting.get_mut(number)
        } else if let Some(number) = self.written.find(request) {
            self.written.get_mut(number).map(|written| &mut written.pending)
        } else {
            None
        };
        if let Some(pending) = pending
            && !std::mem::replace(&mut pending.is_hurried, true)
        {
            self.hurried += 1;
        }
    }
}
