//! What JavaScript has asked for: requests in flight, the queries that they name, and errands that engines left.

use std::collections::VecDeque;
use std::rc::Rc;

use oxpg_client::session::{Query, RequestId};
use oxpg_codec::boundary::record_word as word;

use crate::failure::FailureData;
use crate::mailbox::{Extra, Kind, Mailbox};
use crate::requests::{FIRST_INTERNAL, Place, Requests};
use crate::sink::Errand;
use crate::slab::Slab;

/// The calls of one environment.
pub(crate) struct Calls {
    pub(crate) requests: Requests,
    pub(crate) queries: Slab<Rc<Query>>,
    /// What is to be done once the engine that asked for it has returned.
    pub(crate) errands: VecDeque<Errand>,
    last_internal: RequestId,
}

impl Calls {
    pub(crate) const fn new() -> Self {
        Self {
            requests: Requests::new(),
            queries: Slab::new(),
            errands: VecDeque::new(),
            last_internal: FIRST_INTERNAL,
        }
    }

    /// An id for a request of the node layer's own.
    pub(crate) fn next_internal(&mut self) -> RequestId {
        self.last_internal = self.last_internal.checked_add(1).unwrap_or(FIRST_INTERNAL);
        self.last_internal
    }

    /// Takes a slot into use, with a deadline if it has a timeout.
    pub(crate) fn begin(&mut self, slot: RequestId, place: Place, timeout_ms: u32, now_ms: u64) {
        self.requests.begin(slot, place);
        self.requests.set_timeout(slot, timeout_ms, now_ms);
    }

    /// Ends a request with a failure; its slot is free afterwards. False for one that JavaScript does not know.
    pub(crate) fn fail(&mut self, slot: RequestId, failure: FailureData, mailbox: &mut Mailbox) -> bool {
        if slot >= FIRST_INTERNAL {
            return false;
        }
        self.requests.end(slot);
        mailbox.push_extra(Kind::Failed, slot, word::FAILED_FAILURE, Extra::Failure(Box::new(failure)), |_| {});
        true
    }
}
