//! One environment's state: everything that the addon knows on one event loop.
//!
//! A worker thread has its own. It is reached through raw pointers from libuv and Node-API callbacks; the rule
//! that makes this sound is that JavaScript runs only in `delivery.rs`, where no borrow is alive.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Instant;

use napi_sys as sys;
use oxpg_client::session::{Query, Request, RequestId, Work};
use oxpg_codec::boundary::record_word as word;

use crate::background::{Background, Job};
use crate::connection::Connection;
use crate::failure::FailureData;
use crate::mailbox::{Extra, Kind, Mailbox};
use crate::openings::Opening;
use crate::outbox::Outbox;
use crate::pools::PoolDriver;
use crate::reactor::Reactor;
use crate::requests::{FIRST_INTERNAL, Requests};
use crate::sink::{Deliveries, Errand};
use crate::slab::Slab;

/// Bytes that all connections together may parse in one turn of the loop (architecture: a turn has a budget).
pub(crate) const ALL_TURN_BYTES: usize = 4 << 20;
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
    pub(crate) background: Option<Background>,
    /// Connections with output to write at the end of this tick or turn.
    pub(crate) dirty: Vec<u32>,
    /// Connections with bytes to parse that epoll does not know of.
    pub(crate) unparsed: VecDeque<u32>,
    /// When connections that owe an answer are looked at, see [`Connection::guarded_head`].
    pub(crate) guards: BTreeSet<(u64, u32)>,
    /// The connection whose engine runs, so that a panic can be laid at its door.
    pub(crate) driving: Option<u32>,
    read_buffer: Vec<u8>,
    pub(crate) turn_bytes: usize,
    /// When this turn's first bytes were read; waiting for them is not part of the turn.
    pub(crate) turn_started_ms: Option<u64>,
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
        self.mailbox.push_extra(Kind::Failed, slot, word::FAILED_FAILURE, failure, |_| {});
        // Without socket traffic no turn would come by itself.
        self.reactor.spin(true);
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
}
