//! One session on the loop: its engine, its wire, and what its pool and its callers know of it.

use std::rc::Rc;

use oxpg_client::open::{CancelTarget, Socket};
use oxpg_client::pool::CloseReason;
use oxpg_client::session::{Catalog, RequestId, Session};

use crate::cancels::{CancelGate, CancelRequest, Interrupt};
use crate::reactor::HostReactor;
use crate::wire::{Channel, Wire};

/// A session with its wire. It is among the environment's connections as long as it is open.
pub(crate) struct Connection {
    pub(crate) session: Session,
    pub(crate) wire: Wire<Channel, HostReactor>,
    pub(crate) cancel_target: CancelTarget,
    /// The pool that it belongs to, 0 for none.
    pub(crate) pool: u32,
    /// Leased from its pool: JavaScript holds it.
    pub(crate) is_leased: bool,
    /// Queued for the flush at the end of this tick.
    pub(crate) is_flush_queued: bool,
    /// Queued for more parsing: bytes are here of which the loop does not know.
    pub(crate) is_parse_queued: bool,
    /// Requests of a graceful close that wait for the end.
    pub(crate) close_waiters: Vec<u32>,
    /// The request of a release that waits until the session is clean.
    pub(crate) release_waiter: Option<u32>,
    /// Requests that give way to what is sent behind them; some may be over.
    pub(crate) yielding: Vec<u32>,
    /// Requests of JavaScript's since its last lease began.
    pub(crate) lease_queries: u64,
    /// None of them can have left anything in the session.
    pub(crate) is_lease_traceless: bool,
    /// Calls on the pool that run here, as far as its policy knows.
    pub(crate) shared_queries: usize,
    /// Those of them whose callers have left.
    pub(crate) abandoned_queries: usize,
    /// Its pool's reset, while that is in flight.
    pub(crate) reset: Option<RequestId>,
    /// It was ended by force while its server was at work for it.
    pub(crate) is_interrupted: bool,
    /// Why its pool closes it.
    pub(crate) close_reason: Option<CloseReason>,
    /// The user called `ref()`.
    pub(crate) is_referenced: bool,
    /// The engine's head sequence when it was last looked at.
    pub(crate) last_head: u64,
    /// When it was last read, or used, after it had been idle for a while.
    pub(crate) looked_at_ms: u64,
    /// What it knew of types before it got codecs of its own, and goes back to.
    pub(crate) catalogs_below: Vec<Rc<Catalog>>,
    /// What the server said at the startup, until JavaScript hears of the session: each by its fields' codes.
    pub(crate) startup_notices: Vec<Vec<(u8, String)>>,
    /// Where it has come from, until JavaScript hears of it.
    pub(crate) origin: Origin,
}

/// Where a session has come from.
#[derive(Default)]
pub(crate) struct Origin {
    /// The host and port as they were named.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) database: String,
    /// How long opening it took.
    pub(crate) opening_ms: u64,
}

/// What goes into a new [`Connection`].
pub(crate) struct Parts {
    pub(crate) session: Session,
    pub(crate) cancel_target: CancelTarget,
    pub(crate) channel: Channel,
    pub(crate) leftover: Vec<u8>,
    pub(crate) pool: u32,
    pub(crate) startup_notices: Vec<Vec<(u8, String)>>,
    pub(crate) origin: Origin,
}

impl Connection {
    /// Starts watching the socket for connection `id`.
    pub(crate) fn adopt(parts: Parts, id: u32, reactor: &mut HostReactor) -> Result<Self, String> {
        let wire = Wire::connect(parts.channel, parts.leftover, id, reactor)?;
        Ok(Self {
            session: parts.session,
            wire,
            cancel_target: parts.cancel_target,
            pool: parts.pool,
            is_leased: false,
            is_flush_queued: false,
            is_parse_queued: false,
            close_waiters: Vec::new(),
            release_waiter: None,
            yielding: Vec::new(),
            lease_queries: 0,
            is_lease_traceless: false,
            shared_queries: 0,
            abandoned_queries: 0,
            reset: None,
            is_interrupted: false,
            close_reason: None,
            is_referenced: false,
            last_head: 0,
            looked_at_ms: 0,
            catalogs_below: Vec::new(),
            startup_notices: parts.startup_notices,
            origin: parts.origin,
        })
    }

    /// Whether nothing of its last lease can be left in the session, as far as can be seen.
    pub(crate) fn is_without_traces(&self) -> bool {
        self.is_lease_traceless && self.session.is_idle() && self.session.transaction_status() == b'I'
    }

    /// How many of the abandoned queries the session is past.
    pub(crate) fn take_past_queries(&mut self) -> usize {
        let past = self.shared_queries.saturating_sub(self.session.in_flight()).min(self.abandoned_queries);
        self.abandoned_queries -= past;
        past
    }

    /// The session is over, whatever is still on its way to the server.
    pub(crate) fn cut_short(&mut self) {
        self.wire.cut_short(&self.session);
    }

    /// Says goodbye if the socket takes it at once, and stops watching. The socket closes with the drop.
    pub(crate) fn take_down(self, reactor: &HostReactor) -> Socket {
        self.wire.disconnect(&self.session, reactor).into_socket()
    }

    /// The same of one whose server is to be interrupted before anything is said.
    pub(crate) fn withdraw(self, gate: Option<CancelGate>, reactor: &HostReactor) -> (Socket, Interrupt) {
        let Self { session, wire, cancel_target, .. } = self;
        let (channel, last_words) = wire.withdraw(&session, reactor);
        let request = CancelRequest::of(&session, cancel_target, gate);
        (channel.into_socket(), Interrupt { request, last_words })
    }

    /// Says goodbye without waiting.
    pub(crate) fn farewell(&mut self) {
        self.wire.farewell(&self.session);
    }
}
