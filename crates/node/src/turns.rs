//! A turn of the loop: sockets are read and written, and work that is left keeps the loop awake.

use oxpg_client::pool::{Look, Owed};
use oxpg_client::session::EndCause;

use crate::connections::Connections;
use crate::environment::Environment;
use crate::pools::at;
use crate::reactor::Reactor;
use crate::wire::Reading;

/// How long ago the loop may have looked at its sockets, or we at a connection, when that is used again. A loop that turns
/// freely looks more often; one that is held up, or was frozen, may not know of the end of a session.
const STALE_MS: u64 = 5;

impl Environment {
    /// A socket has something for us, or takes something from us.
    pub(crate) fn on_socket(&mut self, id: u32, is_readable: bool, is_writable: bool) {
        self.before_deadlines(|environment| environment.serve_socket(id, is_readable, is_writable));
    }

    fn serve_socket(&mut self, id: u32, is_readable: bool, is_writable: bool) {
        if is_readable {
            let Self { connections, clock, looks, .. } = self;
            if connections.may_be_read(id) {
                looks.find(|| clock.now());
            }
            self.read_now(id);
        }
        if is_writable {
            self.flush_connection(id);
        }
        self.run_errands();
    }

    /// Reads a socket, whether or not the loop has told of it.
    fn read_now(&mut self, id: u32) {
        let Self { connections, clock, .. } = self;
        if connections.may_be_read(id) {
            connections.budget.start(|| clock.now_ms());
            self.read_connection(id);
        }
    }

    /// The reactor stopped watching a socket that has an error; what was sent before the error is still to be read.
    pub(crate) fn on_socket_failed(&mut self, id: u32) {
        let Some(connection) = self.connections.get(id) else { return };
        connection.wire.watch_again(&self.reactor);
        self.note_unparsed(id);
    }

    pub(crate) fn flush_connection(&mut self, id: u32) {
        let (connections, around) = self.split();
        if !connections.flush(id, around) {
            self.note_unparsed(id);
        }
    }

    fn read_connection(&mut self, id: u32) {
        let (connections, around) = self.split();
        match connections.read(id, around) {
            Some(Reading::Over(cause)) => self.end_connection(id, cause),
            Some(Reading::Drained | Reading::Unfinished | Reading::Paused) => {
                self.note_head(id);
                self.count_abandoned(id);
            }
            None => {}
        }
    }

    /// The loop is about to wait for its sockets.
    pub(crate) fn before_io(&mut self) {
        self.looks.begin(self.clock.now());
    }

    /// Whether the loop has not looked at its sockets for a while.
    fn is_look_late(&self, now_ms: u64) -> bool {
        let looked_at_ms = u64::try_from(self.looks.looked_at().as_millis()).unwrap_or(u64::MAX);
        now_ms.saturating_sub(looked_at_ms) > STALE_MS
    }

    /// Looks at a connection that nobody has used for a while, before it is used again: its server may have ended the
    /// session, and the loop may not have told of it.
    pub(crate) fn look_first(&mut self, id: u32, now_ms: u64) {
        if self.is_look_late(now_ms) {
            self.look(id, now_ms);
        }
    }

    fn look(&mut self, id: u32, now_ms: u64) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if now_ms.saturating_sub(connection.looked_at_ms) > STALE_MS && connection.session.is_idle() {
            connection.looked_at_ms = now_ms;
            self.before_deadlines(|environment| {
                environment.read_now(id);
                environment.run_errands();
            });
        }
    }

    /// The same for those that a pool may choose.
    pub(crate) fn look_at_idle(&mut self, pool: u32, now_ms: u64) {
        if !self.is_look_late(now_ms) {
            return;
        }
        let Some(driver) = self.pools.get_mut(pool) else { return };
        if now_ms.saturating_sub(driver.looked_at_ms) <= STALE_MS {
            return;
        }
        driver.looked_at_ms = now_ms;
        for id in self.connections.ids() {
            if self.connections.get(id).is_some_and(|connection| connection.pool == pool) {
                self.look(id, now_ms);
            }
        }
    }

    /// Parses what waited for room in the mailbox; true when there is something to deliver and time to go on.
    pub(crate) fn parse_waiting(&mut self) -> bool {
        if self.is_closing || !self.connections.has_unparsed() {
            return false;
        }
        let now_ms = self.now_ms();
        if self.connections.budget.is_spent(now_ms) {
            return false;
        }
        for _ in 0..self.connections.begin_round() {
            let Some(id) = self.connections.next_unparsed() else { break };
            self.read_connection(id);
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
        self.reactor.spin(self.connections.has_unparsed() || self.mailbox.has_news());
        self.rearm();
        self.connections.budget.renew();
    }

    /// Writes every connection's output once.
    pub(crate) fn flush_dirty(&mut self) {
        let mut dirty = self.connections.take_dirty();
        let now = self.clock.now();
        for id in dirty.drain(..) {
            self.flush_connection(id);
            self.pool_written(id, now);
        }
        self.connections.return_dirty(dirty);
        self.run_errands();
    }

    /// Looks at a connection on which something has a limit: one that does not move is pressed, and given up in the end.
    pub(crate) fn guard(&mut self, id: u32) {
        // Not as of an earlier moment: its head stands still from now on.
        let now = at(self.clock.now_ms());
        let Some(connection) = self.connections.get(id) else { return };
        let owed = Owed::of(&connection.session, connection.pool != 0, connection.reset);
        match self.pools.guards.look(now, id, connection.session.head_sequence(), owed) {
            Look::Waits => {}
            Look::Presses => {
                self.drive(id, |connection, sink| connection.session.press(sink));
            }
            Look::GivesUp if self.has_said_more(id) => self.guard(id),
            Look::GivesUp => {
                let text = "the server did not answer in time".into();
                self.end_connection(id, EndCause::Reset { code: "ETIMEDOUT", text });
            }
        }
    }

    /// Reads a connection before it is given up: the loop may have been held up for longer than its limit. True when its
    /// pipeline has moved, or something of it is still to be parsed.
    fn has_said_more(&mut self, id: u32) -> bool {
        if self.connections.is_parse_queued(id) || self.connections.budget.is_out_of_bytes() {
            return true;
        }
        let head = |connections: &Connections| connections.get(id).map(|connection| connection.session.head_sequence());
        let before = head(&self.connections);
        self.on_socket(id, true, false);
        head(&self.connections) != before
    }

    pub(crate) fn look_at_guarded(&mut self, now_ms: u64) {
        while let Some(id) = self.pools.guards.pop_due(at(now_ms)) {
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
        if self.connections.queue_parsing(id) {
            self.reactor.spin(true);
        }
    }

    /// The consumer of a connection's rows goes on, or has left: what it did not want is parsed in the next turn.
    pub(crate) fn resume(&mut self, id: u32) {
        if self.connections.resume(id, &self.reactor) {
            self.reactor.spin(true);
        }
    }

    /// Another request may have become the head of a connection's pipeline: one that was abandoned has its time from here
    /// on.
    fn note_head(&mut self, id: u32) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let sequence = connection.session.head_sequence();
        if connection.last_head == sequence {
            return;
        }
        connection.last_head = sequence;
        let session = &connection.session;
        if session.has_abandoned() || session.is_held_by_cancel() {
            self.guard(id);
        }
    }

    pub(crate) fn on_wake(&mut self) {
        self.before_deadlines(Self::take_outcomes);
        self.settle();
    }

    /// Takes what the background thread has done.
    pub(crate) fn take_outcomes(&mut self) {
        for outcome in self.openings.take_outcomes() {
            self.take_outcome(outcome);
        }
    }
}
