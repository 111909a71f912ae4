//! Ends: of calls whose callers leave, of connections, and of the environment; and the errands that engines leave.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use oxpg_client::open::Socket;
use oxpg_client::pool::CloseReason;
use oxpg_client::session::{EndCause, RequestId};
use oxpg_codec::boundary::{RECORD_WORDS, close_reason, record_word as word};

use crate::attached;
use crate::background::Job;
use crate::cancels::{CancelGate, CancelRequest, Interrupt};
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::mailbox::{Extra, Kind};
use crate::reactor::Reactor;
use crate::requests::Place;
use crate::sink::{Errand, Part};

/// Errands for which memory is kept when all are done.
const KEPT_ERRANDS: usize = 1 << 12;

/// What is left of a connection that was taken down.
struct TakenOut {
    pool: u32,
    /// Why its pool has closed it, if that did.
    reason: Option<CloseReason>,
    /// The requests that wait for its close.
    waiters: Vec<RequestId>,
    socket: Socket,
    /// What its server is still at, where it was ended by force.
    interrupt: Option<Interrupt>,
}

/// As JavaScript has it.
const fn number_of(reason: CloseReason) -> i32 {
    match reason {
        CloseReason::Inactive => close_reason::INACTIVE,
        CloseReason::MaxLifetime => close_reason::MAX_LIFETIME,
        CloseReason::MaxQueries => close_reason::MAX_QUERIES,
        CloseReason::Expired => close_reason::EXPIRED,
        CloseReason::Unfit => close_reason::UNFIT,
        CloseReason::ResetFailed => close_reason::RESET_FAILED,
        CloseReason::PoolClosed => close_reason::POOL_CLOSED,
        CloseReason::PoolTerminated => close_reason::POOL_TERMINATED,
    }
}

impl Environment {
    /// The caller of a request no longer waits for it. True when the slot is still to be ended by the caller.
    pub(crate) fn leave(&mut self, slot: RequestId) -> bool {
        let Some(state) = self.calls.requests.get(slot) else { return false };
        let (place, pool, part) = (state.place, state.pool, state.part(false));
        if state.allowance.is_paused() {
            self.reactor.hold();
        }
        match place {
            Place::Nowhere => return false,
            Place::Opening(opening) => self.give_up_opening(opening),
            Place::Pool(pool) => self.give_up_waiting(pool, slot),
            Place::Closing(target) => self.hurry_close(target, slot),
            Place::Connection(connection) => {
                self.drive(connection, |connection, sink| connection.session.abandon(slot, sink));
                // If its rows were held back, nobody holds them back any more.
                self.resume(connection);
                if pool != 0 {
                    match part {
                        Part::Lease => self.calls.errands.push_back(Errand::QueryOver { pool, connection, part }),
                        Part::Share { ticket, .. } => self.abandon_shared(pool, connection, ticket),
                    }
                }
                self.guard(connection);
            }
        }
        true
    }

    /// Does what the engines asked for. Errands may bring further errands.
    pub(crate) fn run_errands(&mut self) {
        while let Some(errand) = self.calls.errands.pop_front() {
            match errand {
                Errand::QueryOver { pool, connection, part } => {
                    self.pool_query_over(pool, connection, part);
                    // The policy is asked once about all that ended together, and not before it knows who goes elsewhere: a
                    // pool that is being closed would be at its end.
                    let goes_on = |next: &Errand| match next {
                        Errand::QueryOver { pool: of, .. } | Errand::Move { pool: of, .. } => *of == pool,
                        _ => false,
                    };
                    if !self.calls.errands.front().is_some_and(goes_on) {
                        self.run_actions(pool);
                    }
                }
                Errand::InternalOver { connection, request, is_clean } => {
                    self.pool_internal_over(connection, request, is_clean);
                }
                Errand::Move { pool, request, work } => self.move_query(pool, request, *work),
                Errand::Cancel { connection, number } => self.send_cancel(connection, number),
                Errand::ReadOnly { connection } => self.pool_read_only(connection),
                Errand::Paused => self.reactor.release(1),
                Errand::Resumed => self.reactor.hold(),
                Errand::Exceeded { request } => self.exceed(request),
                Errand::Closed { connection, failure } => self.forget_connection(connection, failure),
            }
        }
        if self.calls.errands.capacity() > KEPT_ERRANDS {
            self.calls.errands = VecDeque::new();
        }
    }

    fn send_cancel(&mut self, id: u32, number: u32) {
        let Some(connection) = self.connections.get(id) else { return };
        let target = connection.cancel_target.clone();
        let request = CancelRequest::of(&connection.session, target, self.cancel_gate(connection.pool));
        if self.submit_job(Job::Cancel { connection: id, number, request }).is_err() {
            self.cancel_finished(id, number);
        }
    }

    fn cancel_gate(&self, pool: u32) -> Option<CancelGate> {
        self.pools.get(pool).map(|driver| driver.cancels.clone())
    }

    /// The cancel connection is over: the engine may write again.
    pub(crate) fn cancel_finished(&mut self, id: u32, number: u32) {
        self.drive(id, |connection, sink| connection.session.cancel_finished(number, sink));
    }

    /// The socket or the protocol is at its end: every request of the connection is settled.
    pub(crate) fn end_connection(&mut self, id: u32, cause: EndCause) {
        let is_forced = matches!(cause, EndCause::Terminated);
        if let Some(connection) = self.connections.get_mut(id).filter(|_| is_forced) {
            connection.is_interrupted = connection.session.is_executing();
        }
        self.drive(id, |connection, sink| connection.session.end(cause, sink));
        self.run_errands();
    }

    /// A graceful close is over.
    pub(crate) fn finish_close(&mut self, slot: RequestId) {
        // After a panic its caller may have been told already.
        if self.calls.requests.get(slot).is_none() {
            return;
        }
        self.calls.requests.end(slot);
        crate::facts::push_closed(&mut self.mailbox, slot);
        self.reactor.spin(true);
    }

    /// Takes a connection down.
    fn take_out(&mut self, id: u32) -> Option<TakenOut> {
        let mut connection = self.connections.remove(id)?;
        self.pools.guards.forget(id);
        if connection.is_referenced {
            self.reactor.release(1);
        }
        if let Some(slot) = connection.release_waiter {
            self.finish_close(slot);
        }
        let waiters = std::mem::take(&mut connection.close_waiters);
        let (pool, reason) = (connection.pool, connection.close_reason);
        let (socket, interrupt) = if connection.is_interrupted {
            let (socket, interrupt) = connection.withdraw(self.cancel_gate(pool), &self.reactor);
            (socket, Some(interrupt))
        } else {
            connection.cut_short();
            (connection.take_down(&self.reactor), None)
        };
        Some(TakenOut { pool, reason, waiters, socket, interrupt })
    }

    /// Tells JavaScript and the pool that a connection is gone.
    fn tell_closed(&mut self, id: u32, pool: u32, reason: Option<CloseReason>, failure: Option<Box<FailureData>>) {
        let fill = |words: &mut [i32; RECORD_WORDS]| {
            words[word::CLOSED_REASON] = reason.map_or(-1, number_of);
        };
        match failure {
            Some(failure) => {
                self.mailbox.push_extra(Kind::Closed, id, word::EVENT_EXTRA, Extra::Failure(failure), fill)
            }
            None => self.mailbox.push(Kind::Closed, id, fill),
        }
        self.reactor.spin(true);
        if pool != 0 {
            self.pool_lost(pool, id);
        }
    }

    /// The session has told everything.
    fn forget_connection(&mut self, id: u32, failure: Option<Box<FailureData>>) {
        let Some(TakenOut { pool, reason, waiters, socket, interrupt }) = self.take_out(id) else { return };
        // A graceful close is over when the server has ended the session too.
        if waiters.is_empty() {
            let parting = self.pools.get(pool).and_then(|driver| driver.parting);
            self.part(parting, socket, interrupt);
        } else {
            let parting = self.partings.begin();
            self.part(Some(parting), socket, interrupt);
            self.seal_parting(parting, waiters);
        }
        self.tell_closed(id, pool, reason, failure);
    }

    /// Ends a connection or pool at once.
    pub(crate) fn terminate(&mut self, id: u32) {
        if self.connections.get(id).is_some() {
            self.end_connection(id, EndCause::Terminated);
        }
    }

    /// The connection goes without a word, and its requests are failed here.
    pub(crate) fn abandon_connection(&mut self, id: u32) {
        let Some(TakenOut { pool, reason, waiters, .. }) = self.take_out(id) else { return };
        for slot in waiters.into_iter().chain(self.calls.requests.slots_at(Place::Connection(id))) {
            self.fail(slot, FailureData::internal("an internal error of the driver ended the connection"));
        }
        self.tell_closed(id, pool, reason, None);
    }

    /// Stops everything; called by the clean-up hook, or when nothing uses the environment any more. The close callbacks
    /// free it.
    pub(crate) fn shut_down(&mut self) {
        if self.is_closing {
            return;
        }
        self.is_closing = true;
        attached::remove(self.host.attachment);
        self.openings.stop();
        for id in self.connections.ids() {
            if let Some(connection) = self.connections.remove(id) {
                let reactor = &self.reactor;
                // The loop's handles close even if an engine's end panics.
                let _ = catch_unwind(AssertUnwindSafe(|| connection.take_down(reactor)));
            }
        }
        self.reactor.close();
        self.host.release();
    }

    /// `process.exit` runs no clean-up hook: say goodbye to servers that do nothing for anybody, the reset of a pool's
    /// session included, and let the background thread be.
    pub(crate) fn say_goodbye(&mut self) {
        self.openings.stop();
        for id in self.connections.ids() {
            if self.connections.get(id).is_some_and(|connection| connection.reset.is_some()) {
                // The turn in which it began may not be over.
                self.flush_connection(id);
            }
            if let Some(connection) = self.connections.get_mut(id)
                && (connection.session.is_idle() || connection.reset.is_some())
            {
                connection.farewell();
            }
        }
    }
}
