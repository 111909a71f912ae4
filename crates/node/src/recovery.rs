//! After a panic: what it came from cannot be trusted any more and goes, whoever waited for that is told, and everything
//! else goes on.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use oxpg_client::pool::OpenFailure;
use oxpg_client::session::EndCause;
use oxpg_codec::boundary::record_word as word;
use oxpg_codec::failpoint;

use crate::background::Outcome;
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::mailbox::{Kind, Record};
use crate::openings::Opening;
use crate::pools::at;
use crate::reactor::Reactor;
use crate::requests::Place;

/// What callers hear of it.
const MESSAGE: &str = "an internal error of the driver";
/// How often a pool that has begun anew is asked what it wants.
const MOST_TRIES: usize = 8;

impl Environment {
    /// A panic has unwound to here. The connection whose engine ran is ended; if none ran, the pool that was last asked
    /// begins anew.
    pub(crate) fn recover(&mut self) {
        self.judged_ms = None;
        let pool = self.pools.touched.take();
        match (self.connections.driving.take(), pool) {
            (Some(id), _) => self.end_panicked(id),
            (None, Some(pool)) => self.renew_pool(pool),
            (None, None) => {}
        }
        self.connections.requeue_dirty();
        self.reactor.spin(true);
    }

    /// Ends a connection that a panic came from. That may panic again; and where it brings the end of others, as those that a
    /// pool closes for the same reason, with one of these, which goes then as well: nobody else would know of it any more.
    fn end_panicked(&mut self, id: u32) {
        let mut due = VecDeque::from([id]);
        while let Some(id) = due.pop_front() {
            let ends: [fn(&mut Self, u32); 2] =
                [|environment, id| environment.end_connection(id, EndCause::Panicked), Self::abandon_connection];
            for end in ends {
                if catch_unwind(AssertUnwindSafe(|| end(self, id))).is_ok() {
                    break;
                }
                due.extend(self.connections.driving.take().filter(|other| *other != id));
            }
            // One that was just being handed over, say, is not the engine's.
            self.fail_all_at(Place::Connection(id));
        }
    }

    /// Goes on with what a panic has cut short. False when that has panicked; its connection is ended then.
    fn go_on(&mut self, work: impl FnOnce(&mut Self)) -> bool {
        let is_well = catch_unwind(AssertUnwindSafe(|| work(self))).is_ok();
        if !is_well && let Some(id) = self.connections.driving.take() {
            self.end_panicked(id);
        }
        is_well
    }

    fn fail_all_at(&mut self, place: Place) {
        for slot in self.calls.requests.slots_at(place) {
            self.fail(slot, FailureData::internal(MESSAGE));
        }
    }

    /// The pool's policy has panicked: another takes its place. Its connections are ended, its attempts given up, and
    /// whoever waits is told.
    fn renew_pool(&mut self, pool: u32) {
        let now_ms = self.now_ms();
        let Some(driver) = self.pools.get_mut(pool) else { return };
        driver.policy = driver.policy.renewed(at(now_ms));
        let ready = driver.ready.map(|(slot, _)| slot);
        self.openings.give_up_pool(pool);
        for slot in self.calls.requests.slots_at(Place::Pool(pool)).into_iter().filter(|slot| Some(*slot) != ready) {
            self.fail(slot, FailureData::internal(MESSAGE));
        }
        for id in self.connections.ids() {
            if self.connections.get(id).is_some_and(|connection| connection.pool == pool) {
                self.end_panicked(id);
            }
        }
        // A call that was to go elsewhere when its connection ended, where the policy panicked again before it knew of it.
        for slot in self.calls.requests.slots_at(Place::Pool(pool)).into_iter().filter(|slot| Some(*slot) != ready) {
            if self.pools.get(pool).is_none_or(|driver| !driver.policy.has_waiter(slot)) {
                self.fail(slot, FailureData::internal(MESSAGE));
            }
        }
        // What is told to a policy that panics at once is told again.
        if !(0..MOST_TRIES).any(|_| self.go_on(|environment| environment.run_actions(pool))) {
            // It does so whatever it is asked: there is no such pool any more.
            self.fail_all_at(Place::Pool(pool));
            self.go_on(|environment| environment.pool_closed(pool));
        }
    }

    /// Begins to open something; its request is told of a panic.
    pub(crate) fn open_or_recover<R>(&mut self, slot: u32, open: impl FnOnce(&mut Self) -> R) -> Option<R> {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            failpoint::pass("node.function");
            open(self)
        }));
        if opened.is_err() {
            self.recover();
            self.fail_panicked(slot, true);
        }
        opened.ok()
    }

    /// What a request was begun by has panicked, or a later command of it; `is_begin` when it may not have come so far as
    /// to be known.
    pub(crate) fn fail_panicked(&mut self, slot: u32, is_begin: bool) {
        if self.calls.requests.get(slot).is_some() {
            if let Some(Place::Connection(id)) = self.calls.requests.get(slot).map(|state| state.place) {
                // Its engine may wait for what this would have told it.
                self.end_panicked(id);
            }
            if self.leave_or_recover(slot) {
                self.fail(slot, FailureData::internal(MESSAGE));
            }
        } else if is_begin {
            let now_ms = self.now_ms();
            self.begin(slot, Place::Opening(0), 0, now_ms);
            self.fail(slot, FailureData::internal(MESSAGE));
        }
    }

    /// A call is over for its caller. True when the slot is still to be ended; one whose leaving panics is told all the
    /// same.
    pub(crate) fn leave_or_recover(&mut self, slot: u32) -> bool {
        if catch_unwind(AssertUnwindSafe(|| self.leave(slot))).is_err() {
            self.recover();
        }
        self.calls.requests.get(slot).is_some()
    }

    /// Takes in what the background thread has for us; whoever waits for something that panics is told.
    pub(crate) fn take_outcome(&mut self, outcome: Outcome) {
        let (opening, parted, cancelled) = match &outcome {
            Outcome::Opened { opening, .. } => (self.openings.of(*opening), None, None),
            Outcome::Parted { parting } => (None, Some(*parting), None),
            Outcome::CancelFinished { connection, number } => (None, None, Some((*connection, *number))),
        };
        if catch_unwind(AssertUnwindSafe(|| self.on_outcome(outcome))).is_ok() {
            return;
        }
        self.recover();
        // Whoever waits for the end of a session or of a cancel is told of it: once more, if it was told.
        self.go_on(|environment| {
            if let Some(parting) = parted {
                environment.parted(parting);
            }
            if let Some((connection, number)) = cancelled {
                environment.cancel_finished(connection, number);
            }
        });
        match opening {
            Some(Opening::Request { slot }) if self.calls.requests.get(slot).is_some() => {
                self.fail(slot, FailureData::internal(MESSAGE));
            }
            Some(Opening::Pool { pool, attempt }) => {
                self.go_on(|environment| {
                    environment.open_failed(pool, attempt, OpenFailure::Transient, FailureData::internal(MESSAGE));
                    environment.run_actions(pool);
                });
            }
            Some(Opening::Request { .. } | Opening::Abandoned) | None => {}
        }
    }

    /// Records could not be handed over. Requests that have ended are told so, and those that have not end with their
    /// connections, for a part of their results is missing.
    pub(crate) fn lose(&mut self, records: &[Record]) {
        let kind_of = |record: &Record| record.words[word::KIND];
        let slot_of = |record: &Record| record.words[word::SLOT].cast_unsigned();
        let connection_of = |record: &Record| record.words[word::OPENED_CONNECTION].cast_unsigned();
        for record in records {
            let (kind, slot) = (kind_of(record), slot_of(record));
            let is = |one: Kind| kind == one as i32;
            if is(Kind::Done) || is(Kind::Failed) {
                self.fail(slot, FailureData::internal(MESSAGE));
            } else if is(Kind::Opened) || is(Kind::Granted) {
                // Nobody has heard of it.
                self.terminate_target(connection_of(record));
                self.fail(slot, FailureData::internal(MESSAGE));
            } else if is(Kind::Closed) {
                self.mailbox.push(Kind::Closed, slot, |_| {});
            } else if is(Kind::Credentials) {
                let opening = record.words[word::CREDENTIALS_OPENING].cast_unsigned();
                self.credentials_refused(opening, MESSAGE, false);
            } else if let Some(Place::Connection(id)) = self.calls.requests.get(slot).map(|state| state.place)
                && (is(Kind::Rows) || is(Kind::Described) || is(Kind::Drained))
            {
                self.end_panicked(id);
            }
        }
        self.settle();
    }
}
