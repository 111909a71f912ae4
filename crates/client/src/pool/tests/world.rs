//! A simulated driver and server: carries out what the pool decides and checks every decision.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::step::Step;
use super::*;
use crate::pool::{CloseReason, NotLeased, Rejection, WaiterId};

/// One connection as its server knows it.
#[derive(Default)]
struct Connection {
    opened_at: Duration,
    is_leased: bool,
    /// Queries that are not over: what they are known by, and whether their callers have left.
    in_flight: VecDeque<Sent>,
    is_reset_due: bool,
    is_resetting: bool,
}

impl Connection {
    fn is_idle(&self) -> bool {
        !self.is_leased && self.in_flight.is_empty() && !self.is_reset_due && !self.is_resetting
    }
}

struct Sent {
    ticket: Ticket,
    statement: Statement,
    is_abandoned: bool,
}

struct Waiting {
    want: Want,
    is_slow: bool,
    since: Duration,
    deadline: Option<Duration>,
    order: u64,
}

pub(super) struct World {
    pub(super) pool: Pool,
    options: PoolOptions,
    now: Duration,
    connections: BTreeMap<ConnectionId, Connection>,
    openings: Vec<AttemptId>,
    waiters: BTreeMap<WaiterId, Waiting>,
    /// Texts of which an execution was answered.
    answered: BTreeSet<Statement>,
    next_id: u32,
    opened: u64,
    gone: u64,
    granted: u64,
    timed_out: u64,
    is_deferred: bool,
    drops_next_share: bool,
    is_closing: bool,
    /// Of the last waiter who had come when the end was asked for.
    last_order: u64,
    is_terminated: bool,
    closed_count: u32,
}

impl World {
    pub(super) fn new(options: PoolOptions, seed: u64) -> Self {
        let mut world = Self {
            pool: Pool::new(options.clone(), seed, Duration::ZERO),
            options,
            now: Duration::ZERO,
            connections: BTreeMap::new(),
            openings: Vec::new(),
            waiters: BTreeMap::new(),
            answered: BTreeSet::new(),
            next_id: 0,
            opened: 0,
            gone: 0,
            granted: 0,
            timed_out: 0,
            is_deferred: false,
            drops_next_share: false,
            is_closing: false,
            last_order: u64::MAX,
            is_terminated: false,
            closed_count: 0,
        };
        world.settle();
        world
    }

    pub(super) fn step(&mut self, step: &Step) {
        let is_deferred = std::mem::replace(&mut self.is_deferred, matches!(step, Step::Defer));
        match *step {
            Step::Request { is_lease, timeout_ms } => {
                let want = if is_lease { Want::Lease } else { Want::Share(self.next_statement()) };
                self.request(want, timeout_ms.map(|timeout_ms| self.now + ms(timeout_ms)));
            }
            Step::Shared => self.shared_query(),
            Step::Burst(count) => {
                for _ in 0..count {
                    self.shared_query();
                    if !is_deferred {
                        self.settle();
                    }
                }
            }
            Step::FinishQuery(which) => {
                if let Some(id) = self.pick(which, |connection| !connection.in_flight.is_empty()) {
                    self.finish_head(id);
                }
            }
            Step::ReturnQuery(which) => {
                if let Some(id) = self.pick(which, |connection| !connection.in_flight.is_empty()) {
                    let in_flight = &mut self.connection(id).in_flight;
                    let index = which % in_flight.len();
                    if let Some(sent) = in_flight.get(index).filter(|sent| !sent.is_abandoned) {
                        let ticket = sent.ticket;
                        in_flight.remove(index);
                        self.pool.query_returned(id, self.now, ticket);
                    }
                }
            }
            Step::AbandonQuery(which) => {
                if let Some(id) = self.pick(which, |connection| !connection.in_flight.is_empty()) {
                    let in_flight = &mut self.connection(id).in_flight;
                    let index = which % in_flight.len();
                    in_flight[index].is_abandoned = true;
                    let ticket = in_flight[index].ticket;
                    self.pool.query_abandoned(id, ticket);
                }
            }
            Step::Look => self.pool.looked(self.now),
            Step::Written(which) => {
                if let Some(id) = self.pick(which, |_| true) {
                    self.pool.written(id, self.now);
                }
            }
            Step::Release { which, is_dirty } => {
                if let Some(id) = self.pick(which, |connection| connection.is_leased) {
                    self.release(id, is_dirty);
                }
            }
            Step::ReleaseWrongly(id) => {
                if self.connections.get(&id).is_none_or(|connection| !connection.is_leased) {
                    assert_eq!(self.pool.release(self.now, id, true), Err(NotLeased));
                }
            }
            Step::ResetDone { which, is_ok } => {
                if let Some(id) = self.pick(which, |connection| connection.is_resetting) {
                    self.connection(id).is_resetting = false;
                    self.pool.reset_done(self.now, id, is_ok);
                }
            }
            Step::OpenSucceeds(which) => {
                if !self.openings.is_empty() {
                    let attempt = self.openings.remove(which % self.openings.len());
                    self.next_id += 1;
                    self.opened += 1;
                    let fresh = Connection { opened_at: self.now, ..Connection::default() };
                    self.connections.insert(self.next_id, fresh);
                    self.pool.opened(self.now, attempt, self.next_id, ms(u64::from(self.next_id % 3)));
                }
            }
            Step::OpenFails { which, failure } => {
                if !self.openings.is_empty() {
                    let attempt = self.openings.remove(which % self.openings.len());
                    self.pool.open_failed(self.now, attempt, failure);
                }
            }
            Step::Lost(which) => {
                if let Some(id) = self.pick(which, |_| true) {
                    self.connections.remove(&id);
                    self.gone += 1;
                    self.pool.lost(self.now, id);
                }
            }
            Step::GiveUp(which) => {
                if !self.waiters.is_empty() {
                    let id = *self.waiters.keys().nth(which % self.waiters.len()).unwrap();
                    self.waiters.remove(&id);
                    self.pool.give_up(id);
                }
            }
            Step::Wait(milliseconds) => {
                self.now += ms(milliseconds);
                self.pool.tick(self.now);
            }
            Step::WaitForDeadline => {
                if let Some(deadline) = self.pool.next_deadline() {
                    self.now = self.now.max(deadline);
                    self.pool.tick(self.now);
                }
            }
            Step::ExpireAll => self.pool.expire_all(),
            Step::Defer => {}
            Step::DropNextShare => self.drops_next_share = true,
            Step::Close => {
                self.closing();
                self.pool.close(self.now);
            }
            Step::Terminate => {
                self.closing();
                self.is_terminated |= self.closed_count == 0;
                self.pool.terminate(self.now);
            }
        }
        if !is_deferred && !self.is_deferred {
            self.settle();
        }
    }

    fn closing(&mut self) {
        if !std::mem::replace(&mut self.is_closing, true) {
            self.last_order = u64::from(self.next_id);
        }
    }

    /// Lets everything come to its end without new requests: queries finish, leases are given back, the server
    /// answers. Afterwards nobody waits, and if the pool is open all of its slots can be leased.
    pub(super) fn calm_down(&mut self) {
        self.is_deferred = false;
        self.settle();
        for _ in 0..10_000 {
            if self.waiters.is_empty()
                && self.openings.is_empty()
                && self.connections.values().all(Connection::is_idle)
                && (self.is_closing || self.connections.len() >= self.options.min_size)
            {
                break;
            }
            self.step(&Step::Wait(1));
            let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
            for id in ids {
                self.step(&Step::OpenSucceeds(0));
                let Some(connection) = self.connections.get(&id) else { continue };
                if !connection.in_flight.is_empty() {
                    self.finish_head(id);
                } else if connection.is_leased {
                    self.release(id, false);
                } else if connection.is_resetting {
                    self.connection(id).is_resetting = false;
                    self.pool.reset_done(self.now, id, true);
                }
                self.settle();
            }
            self.step(&Step::OpenSucceeds(0));
            if self.openings.is_empty() && self.connections.is_empty() && !self.is_ending() {
                self.step(&Step::WaitForDeadline);
            }
        }
        assert!(self.waiters.is_empty(), "waiters without an answer");
        assert_eq!(self.pool.stats().in_use, 0);
        if !self.is_closing {
            self.lease_every_slot();
        }
    }

    /// The end was asked for, and nobody waits any more.
    fn is_ending(&self) -> bool {
        self.is_closing && self.waiters.is_empty()
    }

    /// Ends the pool and sees that it does so once.
    pub(super) fn end(&mut self) {
        self.step(&Step::Close);
        self.calm_down();
        self.step(&Step::Close);
        self.step(&Step::Terminate);
        self.request(Want::Lease, None);
        self.settle();
        assert!(self.waiters.is_empty() && self.connections.is_empty());
        assert_eq!(self.closed_count, 1);
    }

    fn lease_every_slot(&mut self) {
        if self.connections.is_empty() {
            // Where no server was found, nobody waits before the next attempt.
            self.step(&Step::Wait(2_000));
        }
        let deadline = self.now + ms(100_000);
        for _ in 0..self.options.max_size {
            self.request(Want::Lease, Some(deadline));
            self.settle();
        }
        for _ in 0..10_000 {
            if self.waiters.is_empty() {
                break;
            }
            if self.openings.is_empty() {
                self.step(&Step::WaitForDeadline);
            }
            self.step(&Step::OpenSucceeds(0));
        }
        let leased = self.connections.values().filter(|connection| connection.is_leased).count();
        assert_eq!(leased, self.options.max_size, "a slot was lost");
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.release(id, false);
            self.settle();
        }
    }

    fn request(&mut self, want: Want, deadline: Option<Duration>) {
        self.next_id += 1;
        let (id, order) = (self.next_id, u64::from(self.next_id));
        let effective = deadline.or_else(|| self.options.acquire_timeout.map(|timeout| self.now + timeout));
        let is_slow = matches!(want, Want::Share(statement) if self.is_slow(statement));
        self.waiters.insert(id, Waiting { want, is_slow, since: self.now, deadline: effective, order });
        self.pool.request(self.now, id, want, deadline);
    }

    fn shared_query(&mut self) {
        let statement = self.next_statement();
        let is_slow = self.is_slow(statement);
        match self.pool.choose_shared(self.now, statement) {
            Some(id) => {
                assert!(self.options.share_connections && !self.is_closing);
                let may_be_overtaken = |waiting: &Waiting| waiting.want == Want::Lease || waiting.is_slow && !is_slow;
                assert!(self.waiters.values().all(may_be_overtaken), "overtakes a share");
                self.start_query(id, statement);
            }
            None => self.request(Want::Share(statement), None),
        }
    }

    fn next_statement(&mut self) -> Statement {
        self.next_id += 1;
        u64::from(self.next_id % 5)
    }

    fn is_slow(&self, statement: Statement) -> bool {
        self.options.share_connections && self.pool.connections.services.slow_us(statement).is_some()
    }

    fn start_query(&mut self, id: ConnectionId, statement: Statement) {
        let ticket = self.pool.query_started(id, self.now, statement).expect("a connection that is shared");
        let known = &self.answered;
        let connection = self.connections.get_mut(&id).expect("a connection that is open");
        assert!(!connection.is_leased && !connection.is_reset_due && !connection.is_resetting, "not to be shared");
        for ahead in &connection.in_flight {
            assert!(!ahead.is_abandoned, "behind a query whose caller has left");
            assert!(known.contains(&ahead.statement), "behind a text that is unknown");
        }
        connection.in_flight.push_back(Sent { ticket, statement, is_abandoned: false });
        self.granted += 1;
    }

    /// The server answers the first query of a connection.
    fn finish_head(&mut self, id: ConnectionId) {
        let Some(sent) = self.connection(id).in_flight.pop_front() else { return };
        if sent.is_abandoned {
            self.pool.abandoned_is_over(id, self.now);
        } else {
            self.answered.insert(sent.statement);
            let (is_exact, is_prepared_first) = (sent.ticket % 2 == 0, sent.ticket % 3 == 0);
            let arrival = Arrival { at: self.now, is_exact, is_prepared_first };
            self.pool.query_finished(id, self.now, sent.ticket, arrival);
        }
    }

    fn release(&mut self, id: ConnectionId, is_dirty: bool) {
        let connection = self.connection(id);
        connection.is_leased = false;
        connection.is_reset_due = is_dirty;
        // Terminated, and the driver has not been told to close it yet.
        let expected = if self.is_terminated { Err(NotLeased) } else { Ok(()) };
        assert_eq!(self.pool.release(self.now, id, is_dirty), expected);
    }

    fn settle(&mut self) {
        while let Some(action) = self.pool.next_action() {
            self.carry_out(action);
        }
        self.check();
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Open { attempt } => {
                assert!(!self.is_ending() && !self.is_terminated);
                self.openings.push(attempt);
                assert!(self.connections.len() + self.openings.len() <= self.options.max_size, "too many");
                let min_size = if self.is_closing { 0 } else { self.options.min_size };
                let missing = min_size.saturating_sub(self.connections.len());
                assert!(self.openings.len() <= missing.max(self.waiters.len()), "more than anybody needs");
            }
            Action::Abandon { attempt } => {
                assert!(self.is_closing);
                self.openings.retain(|opening| *opening != attempt);
            }
            Action::Grant { waiter, connection, is_lease } => self.grant(waiter, connection, is_lease),
            Action::Reset { connection } => {
                let connection = self.connection(connection);
                assert!(std::mem::take(&mut connection.is_reset_due));
                connection.is_resetting = true;
            }
            Action::Close { connection, reason } => {
                let closed = self.connections.remove(&connection).expect("a connection that is open");
                match reason {
                    CloseReason::PoolTerminated => assert!(self.is_terminated),
                    CloseReason::MaxLifetime => {
                        let lifetime = self.options.max_lifetime.unwrap();
                        assert!(self.now - closed.opened_at >= lifetime.mul_f64(0.974), "too young to close");
                    }
                    CloseReason::Inactive => assert!(self.connections.len() >= self.options.min_size),
                    CloseReason::PoolClosed => assert!(self.is_closing),
                    CloseReason::MaxQueries | CloseReason::Expired | CloseReason::Unfit | CloseReason::ResetFailed => {}
                }
                if reason != CloseReason::PoolTerminated {
                    assert!(!closed.is_leased && closed.in_flight.is_empty() && !closed.is_resetting, "in mid-query");
                }
                self.gone += 1;
            }
            Action::Reject { waiter, reason } => {
                let waiting = self.waiters.remove(&waiter).expect("one who waits");
                match reason {
                    Rejection::Timeout { waited, .. } => {
                        assert!(waiting.deadline.is_some_and(|deadline| deadline <= self.now), "too early");
                        assert_eq!(waited, self.now - waiting.since);
                        self.timed_out += 1;
                    }
                    Rejection::Closed => assert!(waiting.order > self.last_order && !self.is_terminated),
                    Rejection::Terminated => assert!(self.is_terminated),
                    Rejection::OpenFailed => assert!(
                        self.waiters.values().all(|other| other.order > waiting.order),
                        "the first are the ones it would have served"
                    ),
                }
            }
            Action::Closed => {
                assert!(self.is_closing && self.connections.is_empty() && self.waiters.is_empty());
                assert!(self.openings.is_empty(), "an attempt that nobody stops");
                self.closed_count += 1;
                assert_eq!(self.closed_count, 1);
            }
        }
    }

    fn grant(&mut self, waiter: WaiterId, id: ConnectionId, is_lease: bool) {
        let waiting = self.waiters.remove(&waiter).expect("one who waits");
        assert!(waiting.order <= self.last_order && !self.is_terminated);
        assert!(waiting.deadline.is_none_or(|deadline| deadline > self.now), "too late");
        assert_eq!(is_lease, waiting.want == Want::Lease || !self.options.share_connections);
        let was_idle = self.connection(id).is_idle();
        assert!(was_idle || !is_lease, "leased while in use");
        // A lease waits until a connection is idle; a slow share may leave the last connection to quick ones.
        let mut earlier = self.waiters.values().filter(|other| other.order < waiting.order);
        let is_left_by_slow =
            !waiting.is_slow && !is_lease && earlier.clone().next().is_some_and(|first| first.is_slow);
        let may_be_overtaken = |other: &Waiting| {
            is_left_by_slow || !was_idle && other.want == Want::Lease || other.is_slow && !waiting.is_slow && !is_lease
        };
        assert!(earlier.all(may_be_overtaken), "overtakes somebody");
        if is_lease {
            self.connection(id).is_leased = true;
            self.granted += 1;
        } else if !std::mem::take(&mut self.drops_next_share) {
            let Want::Share(statement) = waiting.want else { panic!("a share for one who wants a lease") };
            self.start_query(id, statement);
        }
    }

    /// What holds whenever nothing is left to do.
    fn check(&self) {
        let stats = self.pool.stats();
        let idle = self.connections.values().filter(|connection| connection.is_idle()).count();
        let size = self.connections.len();
        assert_eq!((stats.size, stats.idle, stats.in_use), (size, idle, size - idle));
        assert_eq!(stats.waiting, self.waiters.len());
        assert_eq!((stats.opened, stats.closed), (self.opened, self.gone));
        assert_eq!((stats.granted, stats.timed_out), (self.granted, self.timed_out));
        assert!(self.waiters.values().all(|waiting| waiting.deadline.is_none_or(|deadline| deadline > self.now)));
        assert!(self.waiters.values().all(|waiting| waiting.order <= self.last_order));
        if self.is_ending() {
            assert_eq!(idle, 0);
            assert_eq!(self.closed_count == 1, size == 0);
            return;
        }
        assert_eq!(stats.opening, self.openings.len());
        let is_held = self.waiters.values().min_by_key(|waiting| waiting.order).is_some_and(|first| first.is_slow);
        assert!(idle == 0 || self.waiters.is_empty() || idle == 1 && is_held, "waits although a connection is idle");
        let deadline = self.pool.next_deadline();
        assert!(deadline.is_none_or(|deadline| deadline > self.now), "a deadline that is past");
        let first = self.waiters.values().filter_map(|waiting| waiting.deadline).min();
        assert!(first.is_none_or(|first| deadline.is_some_and(|deadline| deadline <= first)));
        // Whoever waits has something to wait for.
        let is_short = size + self.openings.len() < self.options.max_size && !self.waiters.is_empty();
        let is_awaited = !self.openings.is_empty() || size > idle || deadline.is_some();
        let is_enough = self.is_closing || size >= self.options.min_size;
        assert!(is_awaited || (!is_short && is_enough), "nothing will ever happen");
    }

    fn pick(&self, which: usize, filter: impl Fn(&Connection) -> bool) -> Option<ConnectionId> {
        let fitting: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, connection)| filter(connection)).map(|(id, _)| *id).collect();
        (!fitting.is_empty()).then(|| fitting[which % fitting.len()])
    }

    fn connection(&mut self, id: ConnectionId) -> &mut Connection {
        self.connections.get_mut(&id).expect("a connection that is open")
    }
}
