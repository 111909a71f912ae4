//! One environment's state: everything that the addon knows on one event loop.
//!
//! A worker thread has its own. It is reached through raw pointers from libuv and Node-API callbacks; the rule
//! that makes this sound is that JavaScript runs only in `delivery.rs`, where no borrow is alive.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Instant;

use napi_sys as sys;
use oxpg_client::session::{EndCause, Query, Request, RequestId, Work};

use crate::background::{Background, Job};
use crate::connection::{Connection, Reading, TURN_BYTES};
use crate::failure::FailureData;
use crate::mailbox::{Extra, Kind, Mailbox};
use crate::openings::Opening;
use crate::outbox::Outbox;
use crate::pools::PoolDriver;
use crate::reactor::Reactor;
use crate::requests::{FIRST_INTERNAL, Place, Requests};
use crate::sink::{Deliveries, Errand};
use crate::slab::Slab;

/// Bytes that all connections together may parse in one turn of the loop (architecture: a turn has a budget).
const ALL_TURN_BYTES: usize = 4 << 20;
/// Milliseconds after which a turn ends even if its bytes are not spent.
const TURN_MS: u64 = 8;
/// How long a pool's connection may take to answer a cancel request, or what an abandoned call left it with.
const CANCEL_LIMIT_MS: u64 = 2_000;
/// The shared read buffer: about what one loop turn finds in a busy socket.
const READ_BUFFER: usize = 256 << 10;

/// One environment. Created by `exports::attach`, freed by the last close callback after its clean-up hook.
pub(crate) struct Environment {
    pub(crate) env: sys::napi_env,
    pub(crate) deliver: sys::napi_ref,
    pub(crate) async_context: sys::napi_async_context,
    pub(crate) cleanup_hook: sys::napi_async_cleanup_hook_handle,
    pub(crate) reactor: Reactor,
    pub(crate) mailbox: Mailbox,
    pub(crate) outbox: Outbox,
    pub(crate) requests: Requests,
    pub(crate) connections: Slab<Connection>,
    pub(crate) pools: Slab<PoolDriver>,
    pub(crate) queries: Slab<Rc<Query>>,
    pub(crate) openings: Slab<Opening>,
    pub(crate) errands: VecDeque<Errand>,
    pub(crate) is_closing: bool,
    background: Option<Background>,
    /// Connections with output to write at the end of this tick or turn.
    dirty: Vec<u32>,
    /// Connections with bytes to parse that epoll does not know of.
    unparsed: VecDeque<u32>,
    /// When connections that owe an answer are looked at, see [`Connection::must_move_by`].
    guards: BTreeSet<(u64, u32)>,
    /// The connection whose engine runs, so that a panic can be laid at its door.
    pub(crate) driving: Option<u32>,
    read_buffer: Vec<u8>,
    turn_bytes: usize,
    /// When this turn's first bytes were read; waiting for them is not part of the turn.
    turn_started_ms: Option<u64>,
    next_internal: u32,
    started: Instant,
}

/// What `exports::attach` brings along.
pub(crate) struct Origin {
    pub(crate) env: sys::napi_env,
    pub(crate) deliver: sys::napi_ref,
    pub(crate) async_context: sys::napi_async_context,
    pub(crate) reactor: Reactor,
    pub(crate) mailbox: Mailbox,
    pub(crate) outbox: Outbox,
}

impl Environment {
    pub(crate) fn new(origin: Origin) -> Self {
        Self {
            env: origin.env,
            deliver: origin.deliver,
            async_context: origin.async_context,
            cleanup_hook: std::ptr::null_mut(),
            reactor: origin.reactor,
            mailbox: origin.mailbox,
            outbox: origin.outbox,
            requests: Requests::new(),
            connections: Slab::new(),
            pools: Slab::new(),
            queries: Slab::new(),
            openings: Slab::new(),
            errands: VecDeque::new(),
            is_closing: false,
            background: None,
            dirty: Vec::new(),
            unparsed: VecDeque::new(),
            guards: BTreeSet::new(),
            driving: None,
            read_buffer: vec![0; READ_BUFFER],
            turn_bytes: ALL_TURN_BYTES,
            turn_started_ms: None,
            next_internal: FIRST_INTERNAL,
            started: Instant::now(),
        }
    }

    /// Milliseconds since the environment began; the clock of all deadlines.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The way to the background thread, started at first use.
    pub(crate) fn submit_job(&mut self, job: Job) -> Result<(), String> {
        if self.background.is_none() {
            let background = Background::start(self.reactor.waker()).map_err(|error| error.to_string())?;
            self.background = Some(background);
        }
        match &self.background {
            Some(background) if background.submit(job) => Ok(()),
            _ => Err("the background thread is gone".into()),
        }
    }

    /// Runs a connection's engine with a sink, then notes what it left to do. `None` when it is gone.
    pub(crate) fn drive<R>(
        &mut self,
        id: u32,
        action: impl FnOnce(&mut Connection, &mut Deliveries<'_>, &Reactor, &mut [u8]) -> R,
    ) -> Option<R> {
        let connection = self.connections.get_mut(id)?;
        self.driving = Some(id);
        let mut sink = Deliveries {
            connection: id,
            mailbox: &mut self.mailbox,
            requests: &mut self.requests,
            errands: &mut self.errands,
        };
        let result = action(connection, &mut sink, &self.reactor, &mut self.read_buffer);
        self.driving = None;
        if !connection.is_dirty && !connection.is_blocked() && !connection.session.output().is_empty() {
            connection.is_dirty = true;
            self.dirty.push(id);
        }
        Some(result)
    }

    /// Hands a request to a connection's engine.
    pub(crate) fn submit(&mut self, connection: u32, slot: RequestId, work: Work) {
        let request = Request { id: slot, work };
        if self.drive(connection, |connection, sink, _, _| connection.session.submit(request, sink)).is_none() {
            self.fail(slot, FailureData::connection_closed());
        }
    }

    /// A request of the node layer's own.
    pub(crate) fn submit_internal(&mut self, connection: u32, work: Work) -> RequestId {
        self.next_internal = self.next_internal.checked_add(1).unwrap_or(FIRST_INTERNAL);
        let id = self.next_internal;
        self.submit(connection, id, work);
        id
    }

    /// Ends a request with a failure; its slot is free afterwards.
    pub(crate) fn fail(&mut self, slot: RequestId, failure: FailureData) {
        if slot >= FIRST_INTERNAL {
            return;
        }
        self.requests.end(slot);
        let failure = Extra::Failure(Box::new(failure));
        self.mailbox.push_extra(Kind::Failed, slot, 2, failure, |_| {});
        // Without socket traffic no turn would come by itself.
        self.reactor.spin(true);
    }

    /// A socket has something for us, or takes something from us.
    pub(crate) fn on_socket(&mut self, id: u32, is_readable: bool, is_writable: bool) {
        // One that is queued for parsing has its turn in `parse_waiting`, after the others.
        let is_queued = self.connections.get(id).is_some_and(|connection| connection.is_unparsed);
        if is_readable && !is_queued && self.turn_bytes > 0 {
            if self.turn_started_ms.is_none() {
                self.turn_started_ms = Some(self.now_ms());
            }
            self.read_connection(id);
        }
        if is_writable {
            self.flush_connection(id);
        }
        self.run_errands();
    }

    /// libuv stopped watching a socket that has an error; what was sent before the error is still to be read.
    pub(crate) fn on_poll_stopped(&mut self, id: u32) {
        let Some(connection) = self.connections.get(id) else { return };
        connection.watch_again(&self.reactor);
        if !connection.is_unparsed {
            self.note_unparsed(id);
        }
    }

    fn flush_connection(&mut self, id: u32) {
        let is_well = self.drive(id, |connection, sink, reactor, _| connection.flush(reactor, sink));
        if is_well == Some(false) && !self.connections.get(id).is_some_and(|connection| connection.is_unparsed) {
            self.note_unparsed(id);
        }
    }

    fn read_connection(&mut self, id: u32) {
        let allowance = self.turn_bytes.min(TURN_BYTES);
        let mut budget = allowance;
        let was_unparsed = self.connections.get(id).is_some_and(|connection| connection.is_unparsed);
        let reading = self.drive(id, |connection, sink, _, buffer| connection.read(buffer, &mut budget, sink));
        self.turn_bytes -= allowance - budget;
        match reading {
            Some(Reading::Over(cause)) => self.end_connection(id, cause),
            Some(Reading::Open) => {
                let is_unparsed = self.connections.get(id).is_some_and(|connection| connection.is_unparsed);
                if is_unparsed && !was_unparsed {
                    self.unparsed.push_back(id);
                }
                self.note_head(id);
                self.count_abandoned(id);
            }
            None => {}
        }
    }

    /// Parses what waited for room in the mailbox; true when there is something to deliver and time to go on.
    pub(crate) fn parse_waiting(&mut self) -> bool {
        if self.is_closing || self.unparsed.is_empty() {
            return false;
        }
        let now_ms = self.now_ms();
        let started_ms = *self.turn_started_ms.get_or_insert(now_ms);
        let is_spent = self.turn_bytes == 0 || now_ms.saturating_sub(started_ms) >= TURN_MS;
        if is_spent {
            return false;
        }
        // The first of the last round found the mailbox empty; this time another one does.
        self.unparsed.rotate_left(1);
        for _ in 0..self.unparsed.len() {
            let Some(id) = self.unparsed.pop_front() else { break };
            if let Some(connection) = self.connections.get_mut(id) {
                connection.is_unparsed = false;
                self.read_connection(id);
            }
        }
        self.run_errands();
        self.mailbox.has_news()
    }

    /// The turn is over: write, set the timer, and keep the loop awake if work is left.
    pub(crate) fn end_turn(&mut self) {
        if self.is_closing {
            return;
        }
        self.mailbox.recover();
        self.run_errands();
        self.flush_dirty();
        self.reactor.spin(!self.unparsed.is_empty() || self.mailbox.has_news());
        self.rearm();
        self.turn_bytes = ALL_TURN_BYTES;
        self.turn_started_ms = None;
    }

    /// Writes every connection's output once.
    pub(crate) fn flush_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            self.flush_connection(id);
        }
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
        self.run_errands();
    }

    /// Arms the timer for the earliest deadline of requests and pools.
    pub(crate) fn rearm(&mut self) {
        let requests = self.requests.next_deadline_ms();
        let pools = self.pools.values().filter_map(PoolDriver::next_deadline_ms).min();
        let guards = self.guards.first().map(|(due_ms, _)| *due_ms);
        if let Some(deadline_ms) = requests.into_iter().chain(pools).chain(guards).min() {
            let now_ms = self.now_ms();
            self.reactor.arm(deadline_ms, now_ms);
        }
    }

    pub(crate) fn on_timer(&mut self) {
        self.reactor.disarmed();
        let now_ms = self.now_ms();
        while let Some(slot) = self.requests.pop_expired(now_ms) {
            let timeout_ms = self.requests.get(slot).map_or(0, |state| state.timeout_ms);
            if self.leave(slot) {
                self.fail(slot, FailureData::timeout(timeout_ms));
            }
        }
        self.end_stuck(now_ms);
        self.tick_pools();
        self.settle();
    }

    /// Gives a pool's connection some time to answer what is at its head.
    pub(crate) fn guard(&mut self, id: u32, limit_ms: u64) {
        let now_ms = self.now_ms();
        if let Some(connection) = self.connections.get_mut(id)
            && connection.must_move_by.is_none()
        {
            connection.expect_progress(now_ms, limit_ms);
            self.guards.insert((now_ms.saturating_add(limit_ms), id));
        }
    }

    fn end_stuck(&mut self, now_ms: u64) {
        while let Some((due_ms, id)) = self.guards.first().copied()
            && due_ms <= now_ms
        {
            self.guards.remove(&(due_ms, id));
            if self.connections.get_mut(id).is_some_and(|connection| connection.is_stuck(now_ms)) {
                let text = "the server answered neither a reset nor a cancel request".into();
                self.end_connection(id, EndCause::Reset { code: "ETIMEDOUT", text });
            }
        }
    }

    /// After work that no turn's end follows by itself: carries out the errands, writes, and sets the timer.
    pub(crate) fn settle(&mut self) {
        self.run_errands();
        self.flush_dirty();
        self.rearm();
        if self.mailbox.has_news() {
            // Without socket traffic no turn would come by itself.
            self.reactor.spin(true);
        }
    }

    /// Bytes of a session are here that epoll does not know of: the next turn parses them.
    pub(crate) fn note_unparsed(&mut self, id: u32) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.is_unparsed = true;
            self.unparsed.push_back(id);
            self.reactor.spin(true);
        }
    }

    /// `ref()` and `unref()`: whether the connection keeps the process alive while it is idle.
    pub(crate) fn set_referenced(&mut self, id: u32, is_referenced: bool) {
        if let Some(connection) = self.connections.get_mut(id)
            && connection.is_referenced != is_referenced
        {
            connection.is_referenced = is_referenced;
            if is_referenced {
                self.reactor.hold();
            } else {
                self.reactor.release(1);
            }
        }
    }

    /// The caller of a request no longer waits for it. True when the slot is still to be ended by the caller.
    pub(crate) fn leave(&mut self, slot: RequestId) -> bool {
        let Some(state) = self.requests.get(slot) else { return false };
        let (place, pool, was_leased) = (state.place, state.pool, state.holds_lease);
        match place {
            Place::Nowhere => return false,
            Place::Opening(opening) => self.give_up_opening(opening),
            Place::Pool(pool) => self.give_up_waiting(pool, slot),
            Place::Closing(target) => self.hurry_close(target, slot),
            Place::Connection(connection) => {
                self.drive(connection, |connection, sink, _, _| connection.session.abandon(slot, sink));
                if pool != 0 && was_leased {
                    self.errands.push_back(Errand::QueryOver { pool, connection, was_leased });
                } else if pool != 0 {
                    // It may run on for a while, and the pool counts it until the session is past it.
                    if let Some(connection) = self.connections.get_mut(connection) {
                        connection.abandoned_queries += 1;
                    }
                    self.count_abandoned(connection);
                }
                if pool != 0 {
                    self.guard(connection, CANCEL_LIMIT_MS);
                }
            }
        }
        true
    }

    pub(crate) fn on_wake(&mut self) {
        let outcomes = self.background.as_ref().map(Background::take_outcomes).unwrap_or_default();
        for outcome in outcomes {
            self.on_outcome(outcome);
        }
        self.settle();
    }

    /// Does what the engines asked for. Errands may bring further errands.
    pub(crate) fn run_errands(&mut self) {
        while let Some(errand) = self.next_errand() {
            match errand {
                Errand::QueryOver { pool, connection, was_leased } => {
                    self.pool_query_over(pool, connection, was_leased);
                }
                Errand::InternalOver { connection, request, is_clean } => {
                    self.pool_internal_over(connection, request, is_clean);
                }
                Errand::Move { pool, request, work } => self.move_query(pool, request, *work),
                Errand::Cancel { connection } => self.send_cancel(connection),
                Errand::Closed { connection, failure } => self.forget_connection(connection, failure),
            }
        }
    }

    fn next_errand(&mut self) -> Option<Errand> {
        // A session that ended settles its requests first. Its pool must not take it for idle in between.
        let closed = self.errands.iter().position(|errand| matches!(errand, Errand::Closed { .. }));
        self.errands.remove(closed.unwrap_or(0))
    }

    fn send_cancel(&mut self, id: u32) {
        let Some(connection) = self.connections.get(id) else { return };
        let job = Job::Cancel {
            connection: id,
            target: connection.cancel_target.clone(),
            backend_pid: connection.session.backend_pid(),
            secret_key: connection.session.secret_key().to_vec(),
        };
        if self.submit_job(job).is_err() {
            self.cancel_finished(id);
        }
    }

    /// The cancel connection is over: the engine may write again.
    pub(crate) fn cancel_finished(&mut self, id: u32) {
        self.drive(id, |connection, sink, _, _| connection.session.cancel_finished(sink));
    }

    /// The socket or the protocol is at its end: every request of the connection is settled.
    pub(crate) fn end_connection(&mut self, id: u32, cause: EndCause) {
        self.drive(id, |connection, sink, _, _| connection.session.end(cause, sink));
        self.run_errands();
    }

    /// Takes a connection down whose session has told everything.
    fn forget_connection(&mut self, id: u32, failure: Option<Box<FailureData>>) {
        let Some(connection) = self.connections.remove(id) else { return };
        if connection.is_referenced {
            self.reactor.release(1);
        }
        let pool = connection.pool;
        let waiters = connection.take_down(&self.reactor);
        for slot in waiters {
            self.requests.end(slot);
            crate::facts::push_done_text(&mut self.mailbox, slot, "CLOSE");
        }
        match failure {
            Some(failure) => self.mailbox.push_extra(Kind::Closed, id, 2, Extra::Failure(failure), |_| {}),
            None => self.mailbox.push(Kind::Closed, id, |_| {}),
        }
        self.reactor.spin(true);
        if pool != 0 {
            self.pool_lost(pool, id);
        }
    }

    /// Ends a connection or pool at once.
    pub(crate) fn terminate(&mut self, id: u32) {
        if self.connections.get(id).is_some() {
            self.end_connection(id, EndCause::Terminated);
        }
    }

    /// A panic unwound out of this connection's work: it cannot be trusted any more.
    pub(crate) fn fail_after_panic(&mut self, id: u32) {
        self.end_connection(id, EndCause::Panicked);
        self.reactor.spin(true);
    }

    /// The panicked session panicked again at its end: it goes without a word, and its requests are failed here.
    pub(crate) fn abandon_connection(&mut self, id: u32) {
        let Some(connection) = self.connections.remove(id) else { return };
        if connection.is_referenced {
            self.reactor.release(1);
        }
        let pool = connection.pool;
        let waiters = connection.take_down(&self.reactor);
        for slot in waiters.into_iter().chain(self.requests.slots_at(Place::Connection(id))) {
            self.fail(slot, FailureData::internal("an internal error of the driver ended the connection"));
        }
        self.mailbox.push(Kind::Closed, id, |_| {});
        if pool != 0 {
            self.pool_lost(pool, id);
        }
    }

    /// Stops everything; called by the clean-up hook. The close callbacks free the environment.
    pub(crate) fn shut_down(&mut self) {
        if self.is_closing {
            return;
        }
        self.is_closing = true;
        self.background = None;
        for id in self.connections.ids() {
            if let Some(connection) = self.connections.remove(id) {
                let reactor = &self.reactor;
                // The loop's handles close even if an engine's end panics.
                let _ = catch_unwind(AssertUnwindSafe(|| connection.take_down(reactor)));
            }
        }
        self.reactor.close();
        // SAFETY: Node-API still takes calls in the clean-up hook that runs this; both were made by `attach`.
        unsafe {
            sys::napi_delete_reference(self.env, self.deliver);
            sys::napi_async_destroy(self.env, self.async_context);
        }
    }

    /// `process.exit` runs no clean-up hook: say goodbye to idle servers, and let the background thread be.
    pub(crate) fn say_goodbye(&mut self) {
        self.background = None;
        for id in self.connections.ids() {
            if let Some(connection) = self.connections.get_mut(id)
                && connection.session.is_idle()
            {
                connection.farewell();
            }
        }
    }

    /// For rule 9: tells the pool when another request became the head of a connection's pipeline.
    fn note_head(&mut self, id: u32) {
        let Some(connection) = self.connections.get_mut(id).filter(|connection| connection.pool != 0) else { return };
        let pool = connection.pool;
        let sequence = connection.session.head_sequence();
        if connection.last_head != sequence {
            connection.last_head = sequence;
            let now_ms = self.now_ms();
            self.pool_head_changed(pool, id, now_ms);
        }
    }
}
