//! A turn of the loop: sockets are read and written, the timer is set, and work that is left keeps the loop awake.

use oxpg_client::pool::Owed;
use oxpg_client::session::EndCause;

use crate::background::Background;
use crate::connection::{Reading, TURN_BYTES};
use crate::environment::{ALL_TURN_BYTES, Environment};
use crate::failure::FailureData;
use crate::pools::{PoolDriver, at, due_ms};

/// Milliseconds after which a turn ends even if its bytes are not spent.
const TURN_MS: u64 = 8;

impl Environment {
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
        self.note_unparsed(id);
    }

    pub(crate) fn flush_connection(&mut self, id: u32) {
        let is_well = self.drive(id, |connection, sink, reactor, _| connection.flush(reactor, sink));
        if is_well == Some(false) {
            self.note_unparsed(id);
        }
    }

    pub(crate) fn read_connection(&mut self, id: u32) {
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
        let guards = self.guards.next_due().map(due_ms);
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
        self.look_at_guarded(now_ms);
        self.tick_pools();
        self.settle();
    }

    /// Looks at a pool's connection on which something has a limit, and gives it up if it does not move.
    pub(crate) fn guard(&mut self, id: u32) {
        let now = at(self.now_ms());
        let Some(connection) = self.connections.get(id) else { return };
        let owed = Owed::of(&connection.session, connection.reset);
        if self.guards.look(now, id, connection.session.head_sequence(), owed) {
            let text = "the server did not answer in time".into();
            self.end_connection(id, EndCause::Reset { code: "ETIMEDOUT", text });
        }
    }

    fn look_at_guarded(&mut self, now_ms: u64) {
        while let Some(id) = self.guards.pop_due(at(now_ms)) {
            self.guard(id);
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
        if let Some(connection) = self.connections.get_mut(id).filter(|connection| !connection.is_unparsed) {
            connection.is_unparsed = true;
            self.unparsed.push_back(id);
            self.reactor.spin(true);
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

    pub(crate) fn on_wake(&mut self) {
        let outcomes = self.background.as_ref().map(Background::take_outcomes).unwrap_or_default();
        for outcome in outcomes {
            self.on_outcome(outcome);
        }
        self.settle();
    }
}
