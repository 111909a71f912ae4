//! One environment's state: everything that the addon knows on one event loop.
//!
//! A worker thread has its own. It is reached through raw pointers from the reactor's and Node-API's callbacks; the rule
//! that makes this sound is that JavaScript runs only in `delivery.rs`, where no borrow is alive.
//!
//! It is put together from parts that know nothing of each other, each with its own methods; what is here and in the
//! other `impl Environment` needs several of them.

use std::rc::Rc;
use std::time::Duration;

use oxpg_client::session::{Request, RequestId, Schema, Work};

use crate::background::Job;
use crate::calls::Calls;
use crate::clock::{Clock, Looks};
use crate::connection::Connection;
use crate::connections::{Connections, Surroundings};
use crate::failure::FailureData;
use crate::host::Host;
use crate::mailbox::Mailbox;
use crate::openings::Openings;
use crate::outbox::Outbox;
use crate::partings::Partings;
use crate::pools::Pools;
use crate::reactor::{HostReactor, Reactor};
use crate::requests::Place;
use crate::sink::Deliveries;

/// How long an environment is kept for the next opening when nothing uses it: a program that opens one connection after
/// the other has the same one, and one that loads the module again and again has few of them.
const LINGER_MS: u64 = 100;

/// One environment. Created by `exports::attach`, freed when its reactor has closed: it is closed when nothing uses the
/// environment any more ([`Environment::is_dispensable`]), or by its clean-up hook.
pub(crate) struct Environment {
    pub(crate) host: Host,
    pub(crate) reactor: HostReactor,
    pub(crate) clock: Clock,
    pub(crate) looks: Looks,
    /// What its connections tell each other of changes.
    pub(crate) schema: Rc<Schema>,
    pub(crate) mailbox: Mailbox,
    pub(crate) outbox: Outbox,
    pub(crate) calls: Calls,
    pub(crate) connections: Connections,
    pub(crate) pools: Pools,
    pub(crate) openings: Openings,
    pub(crate) partings: Partings,
    pub(crate) is_closing: bool,
    /// When nothing was left to do and nothing open, if that is so.
    unused_since_ms: Option<u64>,
    /// The moment as of which deadlines are judged while something is read; see `deadlines.rs`.
    pub(crate) judged_ms: Option<u64>,
}

impl Environment {
    pub(crate) fn new(host: Host, reactor: HostReactor, mailbox: Mailbox) -> Self {
        Self {
            host,
            reactor,
            clock: Clock::start(),
            looks: Looks::default(),
            schema: Schema::new(),
            mailbox,
            outbox: Outbox::empty(),
            calls: Calls::new(),
            connections: Connections::new(),
            pools: Pools::new(),
            openings: Openings::new(),
            partings: Partings::new(),
            is_closing: false,
            unused_since_ms: None,
            judged_ms: None,
        }
    }

    /// The time as of which deadlines are judged.
    pub(crate) fn now_ms(&self) -> u64 {
        self.judged_ms.unwrap_or_else(|| self.clock.now_ms())
    }

    /// The same, as pools have it.
    pub(crate) fn now(&self) -> Duration {
        self.judged_ms.map_or_else(|| self.clock.now(), Duration::from_millis)
    }

    /// The same while sockets are read, when it is that of the turn: thousands of answers need no clock of their own.
    pub(crate) fn now_of_look(&self) -> Duration {
        self.looks.reading_since().filter(|_| self.judged_ms.is_none()).unwrap_or_else(|| self.now())
    }

    /// Gives the background thread something to do.
    pub(crate) fn submit_job(&mut self, job: Job) -> Result<(), Box<FailureData>> {
        self.openings.submit(job, &self.reactor)
    }

    /// Whether nothing has been open, on its way, or owed to JavaScript for a while: then the next `connect` may as well
    /// have another environment.
    pub(crate) fn is_dispensable(&mut self) -> bool {
        if !self.is_unused() {
            self.unused_since_ms = None;
            return false;
        }
        let now_ms = self.now_ms();
        let free_at_ms = self.unused_since_ms.get_or_insert(now_ms).saturating_add(LINGER_MS);
        self.reactor.arm(free_at_ms, now_ms);
        free_at_ms <= now_ms
    }

    fn is_unused(&self) -> bool {
        !self.is_closing
            && self.reactor.is_free()
            && self.connections.is_empty()
            && self.pools.is_empty()
            && !self.mailbox.has_news()
            && !self.openings.are_wanted()
    }

    /// The connections, and what their engines work with.
    pub(crate) fn split(&mut self) -> (&mut Connections, Surroundings<'_>) {
        let around = Surroundings { mailbox: &mut self.mailbox, calls: &mut self.calls, reactor: &self.reactor };
        (&mut self.connections, around)
    }

    /// Runs a connection's engine with a sink, then notes what it left to do. `None` when it is gone.
    pub(crate) fn drive<R>(
        &mut self,
        id: u32,
        action: impl FnOnce(&mut Connection, &mut Deliveries<'_>) -> R,
    ) -> Option<R> {
        let (connections, around) = self.split();
        connections.drive(id, around, |connection, sink, _| action(connection, sink))
    }

    /// Takes a slot into use for a request; it keeps the process alive until it is settled.
    pub(crate) fn begin(&mut self, slot: RequestId, place: Place, timeout_ms: u32, now_ms: u64) {
        self.reactor.hold();
        self.calls.begin(slot, place, timeout_ms, now_ms);
    }

    /// Hands a request to a connection's engine.
    pub(crate) fn submit(&mut self, connection: u32, slot: RequestId, work: Work) {
        self.let_pass(connection);
        let is_traceless = work.is_traceless();
        let request = Request { id: slot, work };
        let submitted = self.drive(connection, |connection, sink| {
            connection.lease_queries += 1;
            connection.is_lease_traceless &= is_traceless;
            connection.session.submit(request, sink);
        });
        if submitted.is_none() {
            self.fail(slot, FailureData::connection_closed());
        }
    }

    /// A request of the node layer's own.
    pub(crate) fn submit_internal(&mut self, connection: u32, work: Work) -> RequestId {
        let id = self.calls.next_internal();
        self.submit(connection, id, work);
        id
    }

    /// Ends a request with a failure; its slot is free afterwards.
    pub(crate) fn fail(&mut self, slot: RequestId, failure: FailureData) {
        if self.calls.fail(slot, failure, &mut self.mailbox) {
            // Without socket traffic no turn would come by itself.
            self.reactor.spin(true);
        }
    }

    /// `ref()` and `unref()`: whether the connection keeps the process alive while it is idle.
    pub(crate) fn set_referenced(&mut self, id: u32, is_referenced: bool) {
        self.connections.set_referenced(id, is_referenced, &mut self.reactor);
    }
}
