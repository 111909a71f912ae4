//! Deadlines: one timer serves them all (rule 18), and none is judged before what has come is read.
//!
//! A loop that was held up, by JavaScript or because the process was frozen, learns of a deadline that has passed before it
//! learns of the answer that had come in time: timers go before sockets. So what somebody waits for whose time is over is
//! read first. And whatever happens meanwhile happens *before* that deadline, by the clock as others see it: else a pool
//! that hears of a connection which became free would first reject whoever waited for it.

use std::collections::BTreeSet;

use oxpg_client::session::RequestId;
use oxpg_codec::failpoint;

use crate::environment::Environment;
use crate::failure::FailureData;
use crate::reactor::Reactor;
use crate::requests::Place;

/// A timer that is this late was held up, and all sockets with it.
const LATE_MS: u64 = 20;

/// A moment before a deadline; those of pools are due a millisecond after it.
const fn before(due_ms: u64) -> u64 {
    due_ms.saturating_sub(2)
}

impl Environment {
    /// The earliest deadline of requests and pools.
    fn next_deadline_ms(&self) -> Option<u64> {
        let requests = self.calls.requests.next_deadline_ms();
        let pools = self.pools.next_deadline_ms();
        requests.into_iter().chain(pools).min()
    }

    /// Arms the timer for the earliest deadline.
    pub(crate) fn rearm(&mut self) {
        if let Some(deadline_ms) = self.next_deadline_ms() {
            let now_ms = self.clock.now_ms();
            self.reactor.arm(deadline_ms, now_ms);
        }
    }

    pub(crate) fn on_timer(&mut self) {
        self.reactor.disarmed();
        let now_ms = self.now_ms();
        self.expire_in_pools(now_ms);
        self.read_overdue(now_ms);
        // What has passed since then has not been read for.
        self.judged_ms = Some(now_ms);
        failpoint::pass("node.timer");
        while let Some(slot) = self.calls.requests.pop_expired(now_ms) {
            self.expire(slot, now_ms);
        }
        self.look_at_guarded(now_ms);
        self.tick_pools();
        self.run_errands();
        self.judged_ms = None;
        self.settle();
    }

    /// Ends the calls that were given to no connection in time. What others leave free, and what is read, would else go to calls
    /// whose time is over as well: they would have been sent for nothing, and could not be told that they were not.
    fn expire_in_pools(&mut self, now_ms: u64) {
        for slot in self.calls.requests.overdue_in_pools(now_ms) {
            if self.calls.requests.take_expired(slot, now_ms) {
                self.expire(slot, now_ms);
            }
        }
    }

    /// Has something done before a deadline that has passed, and was not judged yet, is judged.
    pub(crate) fn before_deadlines(&mut self, work: impl FnOnce(&mut Self)) {
        let armed_at_ms = self.reactor.armed_at_ms();
        let is_overdue = self.judged_ms.is_none() && armed_at_ms <= self.clock.now_ms();
        if is_overdue {
            self.judged_ms = Some(before(armed_at_ms));
        }
        work(self);
        if is_overdue {
            self.judged_ms = None;
        }
    }

    /// Deadlines have passed, or are about to be judged: reads what may be waited for.
    pub(crate) fn read_overdue(&mut self, now_ms: u64) {
        let Some(deadline_ms) = self.next_deadline_ms().filter(|deadline_ms| *deadline_ms <= now_ms) else { return };
        let is_late = deadline_ms.saturating_add(LATE_MS) < now_ms;
        let ids = if is_late { self.connections.ids() } else { self.awaited(now_ms) };
        self.judged_ms = Some(before(deadline_ms));
        self.take_outcomes();
        for id in ids {
            self.on_socket(id, true, false);
        }
        self.judged_ms = None;
    }

    /// The connections that those wait for whose time is over.
    fn awaited(&self, now_ms: u64) -> Vec<u32> {
        let mut ids = BTreeSet::new();
        let mut pools = self.pools.overdue(now_ms);
        for place in self.calls.requests.overdue_places(now_ms) {
            match place {
                Place::Connection(connection) => {
                    ids.insert(connection);
                }
                Place::Pool(pool) => {
                    pools.insert(pool);
                }
                Place::Nowhere | Place::Opening(_) | Place::Closing(_) => {}
            }
        }
        if !pools.is_empty() {
            let is_of_one = |id: &u32| self.connections.get(*id).is_some_and(|held| pools.contains(&held.pool));
            ids.extend(self.connections.ids().into_iter().filter(is_of_one));
        }
        ids.into_iter().collect()
    }

    /// The time of a request is over, and what had come for it was read as far as there was room.
    fn expire(&mut self, slot: RequestId, now_ms: u64) {
        let Some((place, timeout_ms)) = self.calls.requests.get(slot).map(|state| (state.place, state.timeout_ms))
        else {
            return;
        };
        if let Place::Connection(connection) = place
            && self.is_unread(connection)
            && self.calls.requests.put_off(slot, now_ms)
        {
            return;
        }
        let failure = match place {
            Place::Pool(pool) => self.waited_in_vain(pool, slot, timeout_ms),
            _ => FailureData::timeout(timeout_ms),
        };
        if self.leave_or_recover(slot) {
            self.fail(slot, failure);
        }
    }

    /// A call's own time is over before its pool has given it a connection.
    fn waited_in_vain(&mut self, pool: u32, slot: RequestId, timeout_ms: u32) -> FailureData {
        let uses = self.pool_uses(pool);
        let Some(driver) = self.pools.get_mut(pool) else { return FailureData::timeout(timeout_ms) };
        driver.policy.time_out(slot);
        FailureData::waited_in_vain(timeout_ms.into(), &uses, driver.last_open_error.clone())
    }

    /// There was no room for all that has come on a connection: its turn comes.
    fn is_unread(&self, connection: u32) -> bool {
        self.connections.is_parse_queued(connection) || self.connections.budget.is_out_of_bytes()
    }

    /// EXPIRE: the same by a clock of the caller's, such as that of `AbortSignal.timeout`.
    pub(crate) fn expire_by_caller(&mut self, slot: RequestId) {
        let Some(state) = self.calls.requests.get(slot) else { return };
        let (place, has_work) = (state.place, state.waiting_work.is_some());
        let now_ms = self.now_ms();
        let ids = match place {
            Place::Connection(connection) => vec![connection],
            // It has no answer, and what is read could only have it sent in vain.
            Place::Pool(_) if has_work => Vec::new(),
            Place::Pool(pool) => {
                let is_of_it = |id: &u32| self.connections.get(*id).is_some_and(|held| held.pool == pool);
                self.connections.ids().into_iter().filter(is_of_it).collect()
            }
            Place::Nowhere | Place::Opening(_) | Place::Closing(_) => Vec::new(),
        };
        self.before_deadlines(Self::take_outcomes);
        for id in ids {
            // Once for all that end together.
            let connection = self.connections.get_mut(id).filter(|connection| connection.looked_at_ms != now_ms);
            if let Some(connection) = connection {
                connection.looked_at_ms = now_ms;
                self.on_socket(id, true, false);
            }
        }
        self.expire(slot, now_ms);
    }
}
