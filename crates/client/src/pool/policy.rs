//! The pool as its driver sees it: what may be told and asked. What follows from it is in `decide.rs`.

use std::collections::VecDeque;
use std::time::Duration;

use oxpg_codec::failpoint;

use super::action::{AttemptId, CloseReason, ConnectionId, NotLeased, OpenFailure, Stats, WaiterId, Want};
use super::connections::Connections;
use super::growth::{Brought, Growth};
use super::in_flight::{Arrival, Ticket};
use super::options::PoolOptions;
use super::random::Random;
use super::service::Statement;
use super::waiters::{Turn, Waiters};

/// A pool's policy.
///
/// After any call, and before the next one, the driver carries out what [`next_action`](Self::next_action) gives
/// until it is `None`. Times are durations since a start of the driver's choosing; one that is earlier than a former
/// one counts as the former one.
pub struct Pool {
    pub(super) options: PoolOptions,
    pub(super) random: Random,
    pub(super) now: Duration,
    /// When the driver last looked at the connections: what has not been answered by then was still running.
    pub(super) looked_at: Duration,
    /// When a query last started behind which others may go.
    pub(super) quick_at: Option<Duration>,
    /// The same of one behind which none may go.
    pub(super) slow_at: Option<Duration>,
    /// The waiter that leaves the last connection to quick queries, and until when.
    pub(super) held: Option<(WaiterId, Duration)>,
    pub(super) phase: Phase,
    /// Those who came after the end was asked for.
    pub(super) turned_away: VecDeque<WaiterId>,
    /// Nobody is served any more: connections close when nobody uses them.
    pub(super) is_leaving: bool,
    /// `Action::Closed` has been given.
    pub(super) is_over: bool,
    pub(super) connections: Connections,
    pub(super) waiters: Waiters,
    pub(super) growth: Growth,
    /// When a connection was last told to drain.
    pub(super) drained_at: Duration,
    /// Waiters up to this turn get no connection: theirs could not be opened.
    pub(super) failed_until: Turn,
    /// The last attempt found no server, or was refused for good.
    pub(super) is_refused: bool,
    pub(super) counters: Counters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Closing,
    Terminated,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) granted: u64,
    pub(super) timed_out: u64,
}

impl Pool {
    /// A pool that wants `min_size` connections at once. `seed` is for jitter only: pools that start together should
    /// have different ones. Impossible sizes are brought into their limits.
    pub fn new(options: PoolOptions, seed: u64, now: Duration) -> Self {
        let options = options.sound();
        Self {
            random: Random::new(seed),
            now,
            looked_at: now,
            quick_at: None,
            slow_at: None,
            held: None,
            phase: Phase::Open,
            turned_away: VecDeque::new(),
            is_leaving: false,
            is_over: false,
            connections: Connections::new(options.max_queries),
            waiters: Waiters::default(),
            growth: Growth::new(),
            drained_at: Duration::ZERO,
            failed_until: 0,
            is_refused: false,
            counters: Counters::default(),
            options,
        }
    }

    /// Another in its place, which has its options, its counters and the phase that it was in: what a panic has broken off
    /// cannot be trusted. Connections, waiters and attempts of the former one are none of its own.
    #[must_use]
    pub fn renewed(&mut self, now: Duration) -> Self {
        let mut renewed = Self::new(self.options.clone(), self.random.next(), now.max(self.now));
        renewed.counters = std::mem::take(&mut self.counters);
        renewed.counters.closed += self.connections.len() as u64;
        match self.phase {
            Phase::Open => {}
            Phase::Closing => renewed.close(now),
            Phase::Terminated => renewed.terminate(now),
        }
        renewed
    }

    /// Somebody needs a connection; answered by exactly one `Grant` or `Reject`, unless [`give_up`](Self::give_up)
    /// comes first. Without a `deadline` it is `acquire_timeout` from now. An id that waits already is not queued
    /// again.
    pub fn request(&mut self, now: Duration, waiter: WaiterId, want: Want, deadline: Option<Duration>) {
        failpoint::pass("pool.request");
        self.observe(now);
        if self.phase != Phase::Open {
            if !self.waiters.is_waiting(waiter) && !self.turned_away.contains(&waiter) {
                self.turned_away.push_back(waiter);
            }
            return;
        }
        self.queue(waiter, want, deadline);
    }

    /// The same for one that was served before, by a connection that has not done what it was given: who was there before the
    /// end was asked for still is.
    pub fn request_again(&mut self, now: Duration, waiter: WaiterId, want: Want) {
        if self.phase != Phase::Closing {
            return self.request(now, waiter, want, None);
        }
        self.observe(now);
        // What is opened for it is to be closed as well.
        self.is_leaving = false;
        self.queue(waiter, want, None);
    }

    fn queue(&mut self, waiter: WaiterId, want: Want, deadline: Option<Duration>) {
        let deadline = deadline.or_else(|| self.now.checked_add(self.options.acquire_timeout?));
        let want = if self.options.share_connections { want } else { Want::Lease };
        let is_slow = matches!(want, Want::Share(statement) if self.connections.services.slow_us(statement).is_some());
        self.waiters.push(waiter, want, is_slow, self.now, deadline);
    }

    /// The driver has told of all answers that were there at this time. It is the measure of what runs: a loop that
    /// JavaScript holds up does not make the server's statements slow.
    pub fn looked(&mut self, looked_at: Duration) {
        self.looked_at = self.looked_at.max(looked_at);
    }

    /// The connection for one more shared query, if one is at hand: then `query_started` follows. Otherwise the
    /// query waits: `request` with [`Want::Share`]. Allocates nothing, and takes O(log n) of the connections.
    pub fn choose_shared(&mut self, now: Duration, statement: Statement) -> Option<ConnectionId> {
        self.observe(now);
        if self.phase != Phase::Open
            || !self.options.share_connections
            || self.waiters.has_quick_share()
            || self.is_held_back(statement)
            || self.connections.next_lifetime().is_some_and(|expires_at| expires_at <= self.now)
        {
            return None;
        }
        if let Some(idle) = self.connections.newest_idle() {
            return Some(idle).filter(|_| self.waiters.is_empty());
        }
        // A new connection is preferred to a busy one: the request has to wait so that one is opened for it.
        if self.growth.len() == 0 && self.may_open() {
            return None;
        }
        self.shareable()
    }

    /// A shared query of this text was handed to this connection; it is named by the ticket from now on. `None` on a
    /// leased one, where this only counts for `max_queries`.
    pub fn query_started(&mut self, connection: ConnectionId, now: Duration, statement: Statement) -> Option<Ticket> {
        self.observe(now);
        let (ticket, is_quick) = self.connections.start_query(connection, statement, self.now)?;
        let at = if is_quick { &mut self.quick_at } else { &mut self.slow_at };
        *at = Some(self.now);
        self.counters.granted += 1;
        Some(ticket)
    }

    /// All that was started on this connection has been written.
    pub fn written(&mut self, connection: ConnectionId, now: Duration) {
        self.observe(now);
        self.connections.written(connection, self.now);
    }

    /// So many queries were made on a leased connection, beside the one that the lease counts as.
    pub fn count_queries(&mut self, connection: ConnectionId, count: u64) {
        self.connections.count_queries(connection, count);
    }

    /// A shared query was answered, well or with an error.
    pub fn query_finished(&mut self, connection: ConnectionId, now: Duration, ticket: Ticket, arrival: Arrival) {
        self.observe(now);
        self.connections.answered(connection, ticket, arrival, self.now);
    }

    /// A shared query has left its connection without an answer: it did not run there.
    pub fn query_returned(&mut self, connection: ConnectionId, now: Duration, ticket: Ticket) {
        self.observe(now);
        self.connections.forgot(connection, ticket, self.now);
    }

    /// The caller of a shared query has left, and the server may still be at it: until
    /// [`abandoned_is_over`](Self::abandoned_is_over) says otherwise, nothing goes behind it.
    pub fn query_abandoned(&mut self, connection: ConnectionId, ticket: Ticket) {
        self.connections.abandoned(connection, ticket);
    }

    /// The server is past one of the abandoned queries of this connection.
    pub fn abandoned_is_over(&mut self, connection: ConnectionId, now: Duration) {
        self.observe(now);
        self.connections.abandoned_is_over(connection, self.now);
    }

    /// Whether somebody waits, or is about to be told that there is nothing to wait for.
    pub fn has_waiter(&self, waiter: WaiterId) -> bool {
        self.waiters.is_waiting(waiter) || self.turned_away.contains(&waiter)
    }

    /// A waiter no longer waits; it gets no answer. No effect if it has had one.
    pub fn give_up(&mut self, waiter: WaiterId) {
        self.waiters.remove(waiter);
        self.turned_away.retain(|other| *other != waiter);
    }

    /// The same of one whose time is over by a clock of the driver's own.
    pub fn time_out(&mut self, waiter: WaiterId) {
        self.counters.timed_out += u64::from(self.waiters.remove(waiter).is_some());
        self.turned_away.retain(|other| *other != waiter);
    }

    /// An attempt brought a connection. One that nobody wants any more (the pool was closed) is closed again.
    /// `connecting` is how far the server is at most, by what opening the session took, names and TLS aside.
    pub fn opened(&mut self, now: Duration, attempt: AttemptId, connection: ConnectionId, connecting: Duration) {
        self.observe(now);
        let brought = self.growth.succeed(attempt);
        self.is_refused = false;
        if self.connections.knows(connection) {
            if brought == Brought::Unwanted {
                return;
            }
            // The driver uses a number again only after a loss.
            self.forget(connection);
        }
        let expires_at = self
            .options
            .max_lifetime
            .and_then(|lifetime| self.now.checked_add(self.random.around(lifetime, self.options.lifetime_jitter)));
        self.connections.add(connection, self.now, connecting, expires_at);
        self.counters.opened += 1;
        let reason = match brought {
            Brought::Wanted => return,
            Brought::Expired => CloseReason::Expired,
            Brought::Unwanted if self.phase == Phase::Terminated => CloseReason::PoolTerminated,
            Brought::Unwanted => CloseReason::PoolClosed,
        };
        self.connections.retire(connection, reason);
    }

    /// An attempt failed. If trying again may help, its waiters stay; otherwise the waiters that it would have served,
    /// its share of all, are rejected. Either way the next attempt comes after a backoff. Where there is no server, or it
    /// refuses for good, and nothing is open, nobody waits: all are rejected, and so are those who come before the next
    /// attempt.
    pub fn open_failed(&mut self, now: Duration, attempt: AttemptId, failure: OpenFailure) {
        self.observe(now);
        let sources = self.connections.len() + self.growth.len();
        if !self.growth.fail(self.now, attempt, &mut self.random) {
            return;
        }
        self.is_refused = matches!(failure, OpenFailure::Unreachable | OpenFailure::Refused);
        if matches!(failure, OpenFailure::Transient | OpenFailure::Unreachable) {
            return;
        }
        let share = self.waiters.len().div_ceil(sources.max(1));
        if let Some(turn) = share.checked_sub(1).and_then(|last| self.waiters.turn_at(last)) {
            self.failed_until = turn;
        }
    }

    /// A connection is gone, whoever had it. Harmless for one that the policy does not know.
    pub fn lost(&mut self, now: Duration, connection: ConnectionId) {
        self.observe(now);
        self.forget(connection);
    }

    /// Whether calls share connections, and so what they leave there.
    #[must_use]
    pub const fn shares_connections(&self) -> bool {
        self.options.share_connections
    }

    /// A lease ends. `is_dirty`: the session must be reset before anybody else sees it.
    ///
    /// # Errors
    /// [`NotLeased`], without effect, when the connection is not leased: released twice, or lost.
    pub fn release(&mut self, now: Duration, connection: ConnectionId, is_dirty: bool) -> Result<(), NotLeased> {
        failpoint::pass("pool.release");
        self.observe(now);
        self.connections.release(connection, self.now, is_dirty)
    }

    /// The answer to `Action::Reset`. A session that could not be reset is closed.
    pub fn reset_done(&mut self, now: Duration, connection: ConnectionId, is_ok: bool) {
        self.observe(now);
        self.connections.reset_done(connection, self.now, is_ok);
    }

    /// Replaces every connection that is open now: idle ones at once, others when nobody uses them any more. One that is being
    /// opened is replaced when it is there.
    pub fn expire_all(&mut self) {
        self.growth.expire();
        self.connections.retire_all(CloseReason::Expired);
    }

    /// A connection is of no use any more: its server only reads, say. It is replaced as soon as nobody uses it.
    pub fn unfit(&mut self, connection: ConnectionId) {
        self.connections.retire(connection, CloseReason::Unfit);
    }

    /// Ends the pool gracefully: who waits is served, who comes is rejected. When nobody waits any more connections are closed
    /// as soon as nobody uses them, and attempts at opening given up; then `Action::Closed`.
    pub fn close(&mut self, now: Duration) {
        self.observe(now);
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }

    /// Ends the pool at once: every connection is closed whatever it does; then `Action::Closed`.
    pub fn terminate(&mut self, now: Duration) {
        self.observe(now);
        if self.phase != Phase::Terminated && !self.is_over {
            self.phase = Phase::Terminated;
            self.is_leaving = true;
            self.growth.abandon();
            self.connections.close_all(CloseReason::PoolTerminated);
        }
    }

    /// Time has passed: [`next_deadline`](Self::next_deadline) is due. Early or late calls do no harm.
    pub fn tick(&mut self, now: Duration) {
        failpoint::pass("pool.tick");
        self.observe(now);
    }

    /// Figures of this moment.
    pub fn stats(&self) -> Stats {
        let (size, idle) = (self.connections.len(), self.connections.idle_len());
        Stats {
            size,
            idle,
            in_use: size - idle,
            waiting: self.waiters.len(),
            opening: self.growth.len(),
            opened: self.counters.opened,
            closed: self.counters.closed,
            granted: self.counters.granted,
            timed_out: self.counters.timed_out,
            min_size: self.options.min_size,
            max_size: self.options.max_size,
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        if self.connections.remove(connection) {
            self.counters.closed += 1;
            self.growth.lost();
        }
    }

    fn observe(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }
}
