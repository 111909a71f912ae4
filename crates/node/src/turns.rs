//! A turn of the loop: sockets are read and written, the timer is set, and work that is left keeps the loop awake.

use oxpg_client::pool::Owed;
use oxpg_client::session::EndCause;

use crate::environment::Environment;
use crate::failure::FailureData;
use crate::pools::at;
use crate::reactor::Reactor;
use crate::requests::Place;
use crate::wire::Reading;

impl Environment {
    /// A socket has something for us, or takes something from us.
    pub(crate) fn on_socket(&mut self, id: u32, is_readable: bool, is_writable: bool) {
        let Self { connections, clock, .. } = self;
        // One that is queued for parsing has its turn in `parse_waiting`, after the others.
        if is_readable && !connections.is_parse_queued(id) && !connections.budget.is_out_of_bytes() {
            connections.budget.start(|| clock.now_ms());
            self.read_connection(id);
        }
        if is_writable {
            self.flush_connection(id);
        }
        self.run_errands();
    }

    /// The reactor stopped watching a socket that has an error; what was sent before the error is still to be read.
    pub(crate) fn on_socket_failed(&mut self, id: u32) {
        let Some(connection) = self.connections.get(id) else { return };
        connection.wire.watch_again(&self.reactor);
        self.note_unparsed(id);
    }

    fn flush_connection(&mut self, id: u32) {
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
        for id in dirty.drain(..) {
            self.flush_connection(id);
        }
        self.connections.return_dirty(dirty);
        self.run_errands();
    }

    /// Arms the timer for the earliest deadline of requests and pools.
    pub(crate) fn rearm(&mut self) {
        let requests = self.calls.requests.next_deadline_ms();
        let pools = self.pools.next_deadline_ms();
        if let Some(deadline_ms) = requests.into_iter().chain(pools).min() {
            let now_ms = self.now_ms();
            self.reactor.arm(deadline_ms, now_ms);
        }
    }

    pub(crate) fn on_timer(&mut self) {
        self.reactor.disarmed();
        let now_ms = self.now_ms();
        while let Some(slot) = self.calls.requests.pop_expired(now_ms) {
            let Some((place, timeout_ms)) = self.calls.requests.get(slot).map(|state| (state.place, state.timeout_ms))
            else {
                continue;
            };
            let failure = match place {
                Place::Pool(pool) => {
                    let open_error = self.pools.get(pool).and_then(|driver| driver.last_open_error.clone());
                    FailureData::timeout_unsent(timeout_ms, open_error)
                }
                _ => FailureData::timeout(timeout_ms),
            };
            if self.leave(slot) {
                self.fail(slot, failure);
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
        if self.pools.guards.look(now, id, connection.session.head_sequence(), owed) {
            let text = "the server did not answer in time".into();
            self.end_connection(id, EndCause::Reset { code: "ETIMEDOUT", text });
        }
    }

    fn look_at_guarded(&mut self, now_ms: u64) {
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
        for outcome in self.openings.take_outcomes() {
            self.on_outcome(outcome);
        }
        self.settle();
    }
}
