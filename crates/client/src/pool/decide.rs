//! What follows from what the pool knows. Nothing is decided ahead: an action is found when the driver asks for it,
//! so no answer can be on its way to a waiter that gave up or from a connection that was lost.

use std::time::Duration;

use oxpg_codec::failpoint;

use super::action::{Action, CloseReason, ConnectionId, Rejection, Want};
use super::policy::{Phase, Pool};
use super::service::Statement;
use super::waiters::Waiter;

/// While a new connection is on its way, a busy one is shared only up to so many queries.
const FEW_IN_FLIGHT: usize = 4;
/// How long whoever waits expects a session that is being reset to be clean at once, before another one is opened.
const RESET_PATIENCE: Duration = Duration::from_millis(20);
/// How long a lease waits for one connection to run dry before a second one is kept free for it.
const DRAIN_PATIENCE: Duration = Duration::from_millis(50);
/// While the last quick query is not longer ago, more are expected.
const QUICK_LATELY: Duration = Duration::from_millis(50);
/// One part in so many of its own time a slow query leaves the last connection to quick ones, and at most so long.
const HOLD_SHARE: u32 = 32;
const LONGEST_HOLD: Duration = Duration::from_millis(10);
/// How long it does so at most for the sake of being apart from the last one that has begun.
const LONGEST_APART: Duration = Duration::from_millis(25);

impl Pool {
    /// What the driver must do next; `None` when nothing is left until something happens.
    pub fn next_action(&mut self) -> Option<Action> {
        failpoint::pass("pool.decide");
        if self.phase == Phase::Open {
            self.connections.retire_expired(self.now);
        }
        if let Some(chore) = self.next_chore() {
            return Some(chore);
        }
        if let Some(waiter) = self.turned_away.pop_front() {
            return Some(Action::Reject { waiter, reason: self.reason_of_the_end() });
        }
        if !self.is_serving() {
            return self.next_of_the_end();
        }
        self.next_rejection()
            .or_else(|| self.next_grant_of_idle())
            .or_else(|| self.next_open())
            .or_else(|| self.next_grant_of_busy())
            .or_else(|| self.next_reaped())
    }

    /// When `tick` is due, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Duration> {
        if !self.is_serving() {
            return None;
        }
        let waiter = self.waiters.first_deadline().map(|(deadline, _)| deadline);
        let retry = self.growth.retry_at().filter(|_| self.wanted() > 0);
        let expected = self.expected_until().filter(|_| !self.waiters.is_empty());
        let drain = self.drain_at().map(|drain_at| drain_at.max(self.now));
        let (held, reset) = (self.held_until(), self.reset_due());
        let lifetime = self.connections.next_lifetime().filter(|_| self.phase == Phase::Open);
        let due = [waiter, lifetime, self.reap_at(), retry, expected, drain, held, reset];
        due.into_iter().flatten().min()
    }

    /// Whether it still gives connections to somebody: to all, or to those who waited when the end was asked for.
    fn is_serving(&self) -> bool {
        match self.phase {
            Phase::Open => true,
            Phase::Closing => !self.waiters.is_empty(),
            Phase::Terminated => false,
        }
    }

    fn reason_of_the_end(&self) -> Rejection {
        if self.phase == Phase::Terminated { Rejection::Terminated } else { Rejection::Closed }
    }

    /// A connection that is busy with shared queries and fit for one more (rule 9).
    pub(super) fn shareable(&mut self) -> Option<ConnectionId> {
        let (id, in_flight) = self.connections.readiest(self.looked_at)?;
        (in_flight < FEW_IN_FLIGHT || self.expected_until().is_none()).then_some(id)
    }

    /// Whether a connection may be opened at this moment.
    pub(super) fn may_open(&self) -> bool {
        self.room() > 0 && self.growth.may_start(self.now)
    }

    fn room(&self) -> usize {
        self.options.max_size.saturating_sub(self.connections.len() + self.growth.len())
    }

    /// How many connections to open beyond those under way: for `min_size`, and one for each waiter that is not
    /// about to get one whose session is being cleaned.
    fn wanted(&self) -> usize {
        let min_size = if self.phase == Phase::Open { self.options.min_size } else { 0 };
        let missing = min_size.saturating_sub(self.connections.len());
        let demand = self.waiters.len().saturating_sub(self.coming_back());
        missing.max(demand).saturating_sub(self.growth.len()).min(self.room())
    }

    /// Connections that are about to come back. A reset that takes long, or waits for what the lease has left running, is
    /// not waited for.
    fn coming_back(&self) -> usize {
        let (resetting, since) = self.connections.resetting();
        if self.now.saturating_sub(since) < RESET_PATIENCE { resetting } else { 0 }
    }

    /// When whoever waits for what is being reset has another connection opened.
    fn reset_due(&self) -> Option<Duration> {
        let (resetting, since) = self.connections.resetting();
        let due = since.saturating_add(RESET_PATIENCE);
        let is_awaited = resetting > 0 && !self.waiters.is_empty() && self.room() > 0;
        (is_awaited && due > self.now).then_some(due)
    }

    /// Until when a new connection is worth waiting for.
    fn expected_until(&self) -> Option<Duration> {
        self.growth.expected_until().filter(|until| *until > self.now)
    }

    fn next_chore(&mut self) -> Option<Action> {
        let chore = self.connections.next_chore()?;
        if matches!(chore, Action::Close { .. }) {
            self.counters.closed += 1;
        }
        Some(chore)
    }

    fn next_of_the_end(&mut self) -> Option<Action> {
        if !std::mem::replace(&mut self.is_leaving, true) {
            self.growth.abandon();
            self.connections.retire_all(CloseReason::PoolClosed);
            if let Some(chore) = self.next_chore() {
                return Some(chore);
            }
        }
        if let Some(waiter) = self.waiters.first().and_then(|first| self.waiters.remove(first.id)) {
            return Some(Action::Reject { waiter: waiter.id, reason: self.reason_of_the_end() });
        }
        if let Some(attempt) = self.growth.next_unwanted() {
            return Some(Action::Abandon { attempt });
        }
        if self.is_over || !self.connections.is_empty() {
            return None;
        }
        self.is_over = true;
        Some(Action::Closed)
    }

    fn next_rejection(&mut self) -> Option<Action> {
        if let Some((deadline, waiter)) = self.waiters.first_deadline()
            && deadline <= self.now
        {
            let (size, waiting) = (self.connections.len(), self.waiters.len());
            let in_use = size - self.connections.idle_len();
            let waited = self.now.saturating_sub(self.waiters.remove(waiter)?.since);
            self.counters.timed_out += 1;
            return Some(Action::Reject { waiter, reason: Rejection::Timeout { waited, size, in_use, waiting } });
        }
        let is_hopeless = self.is_refused && self.connections.is_empty() && self.growth.is_backing_off(self.now);
        let waiter = self.waiters.first().filter(|first| is_hopeless || first.turn <= self.failed_until)?.id;
        self.waiters.remove(waiter);
        Some(Action::Reject { waiter, reason: Rejection::OpenFailed })
    }

    /// Whoever has waited longest gets what is idle.
    fn next_grant_of_idle(&mut self) -> Option<Action> {
        let first = self.waiters.first()?;
        let connection = self.connections.newest_idle()?;
        let first = if self.holds_back(first) { self.waiters.first_quick_share()? } else { first };
        self.waiters.remove(first.id);
        let is_lease = first.want == Want::Lease;
        if is_lease {
            self.connections.lease(connection);
            self.counters.granted += 1;
        }
        Some(Action::Grant { waiter: first.id, connection, is_lease })
    }

    fn next_open(&mut self) -> Option<Action> {
        if self.wanted() == 0 || !self.growth.may_start(self.now) {
            return None;
        }
        Some(Action::Open { attempt: self.growth.start(self.now) })
    }

    /// Nothing is idle: one connection is kept free of shared queries for the first who waits for a lease, the
    /// others serve those who wait for a share.
    fn next_grant_of_busy(&mut self) -> Option<Action> {
        if self.connections.draining() > 0 && !self.waiters.has_lease() {
            self.connections.stop_draining();
        } else if self.drain_at().is_some_and(|drain_at| drain_at <= self.now) {
            self.connections.drain_one();
            self.drained_at = self.now;
        }
        let first = self.waiters.first_share()?;
        let connection = self.shareable()?;
        let first = if self.holds_back(first) { self.waiters.first_quick_share()? } else { first };
        self.waiters.remove(first.id);
        Some(Action::Grant { waiter: first.id, connection, is_lease: false })
    }

    /// Whether a query that is known to be slow is about to take the last connection that quick ones can go to, and
    /// leaves it to them for a moment: when slow ones have all connections, and all at the same time, whoever is quick
    /// waits for nearly as long as they take. It is a small part of its own time, once, and only while quick ones come.
    fn holds_back(&mut self, waiter: Waiter) -> bool {
        let Want::Share(statement) = waiter.want else { return false };
        // What is known now counts, and not what was known when it asked.
        let Some(slow_us) = self.connections.services.slow_us(statement).filter(|_| self.is_last_for_quick()) else {
            return false;
        };
        let until = match self.held {
            Some((held, until)) if held == waiter.id => until,
            _ => self.now.saturating_add(hold_of(slow_us)).max(self.apart_from_last(slow_us)),
        };
        self.held = Some((waiter.id, until));
        self.now < until
    }

    /// When the next one of so slow a text may take the last connection, so that they do not end at the same time.
    fn apart_from_last(&self, slow_us: u32) -> Duration {
        let share =
            Duration::from_micros(u64::from(slow_us)) / u32::try_from(self.connections.len().max(1)).unwrap_or(1);
        self.slow_at.map_or(Duration::ZERO, |slow_at| slow_at.saturating_add(share.min(LONGEST_APART)))
    }

    /// The same for one that comes just now: it has to wait for its turn.
    pub(super) fn is_held_back(&self, statement: Statement) -> bool {
        (self.waiters.has_share() || self.is_last_for_quick()) && self.connections.services.slow_us(statement).is_some()
    }

    /// Whether there are quick queries, and one connection at most that they can go to.
    fn is_last_for_quick(&self) -> bool {
        let since = |at: Duration| self.now.saturating_sub(at);
        let is_quick_there = self.waiters.has_quick_share() || self.quick_at.is_some_and(|at| since(at) < QUICK_LATELY);
        is_quick_there && self.connections.ready() <= 1
    }

    /// Whether a connection that is ready is left to quick queries at this moment, and not for whoever waits.
    pub fn leaves_to_quick(&self) -> bool {
        self.held.is_some_and(|(_, until)| until > self.now) && self.connections.ready() > 0
    }

    /// When the waiter that is held back has been so for long enough.
    fn held_until(&self) -> Option<Duration> {
        let (waiter, until) = self.held?;
        (self.connections.ready() > 0 && self.waiters.is_waiting(waiter) && until > self.now).then_some(until)
    }

    /// When a connection is to be drained (again); `None` when no lease needs it or none is there.
    fn drain_at(&self) -> Option<Duration> {
        if !self.waiters.has_lease() || !self.connections.has_shared() || self.expected_until().is_some() {
            return None;
        }
        // A share that has waited longer goes first.
        self.waiters.first().filter(|first| first.want == Want::Lease)?;
        let is_first = self.connections.draining() == 0;
        Some(if is_first { self.now } else { self.drained_at.saturating_add(DRAIN_PATIENCE) })
    }

    /// When the connection that was not used for longest is to be closed, if more are open than must be.
    fn reap_at(&self) -> Option<Duration> {
        let lifetime = self.options.max_inactive_lifetime?;
        if self.phase != Phase::Open || self.connections.len() <= self.options.min_size {
            return None;
        }
        self.connections.oldest_idle().and_then(|(_, since)| since.checked_add(lifetime))
    }

    fn next_reaped(&mut self) -> Option<Action> {
        self.reap_at().filter(|reap_at| *reap_at <= self.now)?;
        let (oldest, _) = self.connections.oldest_idle()?;
        self.connections.retire(oldest, CloseReason::Inactive);
        self.next_chore()
    }
}

fn hold_of(slow_us: u32) -> Duration {
    Duration::from_micros(u64::from(slow_us / HOLD_SHARE)).min(LONGEST_HOLD)
}
