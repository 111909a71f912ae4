//! What is between a session and its server.
//!
//! A transaction pooler (PgBouncer, Odyssey, pgcat and others) gives a server to a client for a transaction only:
//! prepared statements stay behind with the server, where the next client finds them, and the next server lacks them.
//! So behind one only the unnamed statement is used, parsed and bound in one Sync group.

use std::cell::Cell;
use std::rc::Rc;

use super::failure::ServerMessage;

/// How a session finds out that a pooler is between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolerSearch {
    /// It does not: its server is known to be its own.
    #[default]
    Off,
    /// By the first error that shows it: a statement that is missing (26000) or there already (42P05).
    ByErrors,
    /// Before its first request, in the same write: the server's process id is compared with that of the startup,
    /// which is the pooler's own invention. Without an answer by errors.
    ByIdentity,
}

/// The way to the server, shared by the sessions that go the same way: those of one pool.
#[derive(Debug, Default)]
pub struct Route {
    is_pooled: Cell<bool>,
}

impl Route {
    /// One on which nothing is known to be.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// A pooler is known to be on it.
    pub(super) fn is_pooled(&self) -> bool {
        self.is_pooled.get()
    }

    /// A pooler has been found. True the first time.
    pub(super) fn note_pooler(&self) -> bool {
        !self.is_pooled.replace(true)
    }
}

/// What an application may want to know once.
pub(super) fn pooler_notice() -> ServerMessage {
    ServerMessage::of_driver(
        "a transaction pooler is between the driver and the server: prepared statements are parsed anew for each call \
         from here on",
        "set statementMode to 'unnamed' to say so from the start, or statementCacheSize to a number of statements if the \
         pooler keeps named ones (PgBouncer from 1.21 on with max_prepared_statements)",
    )
}

/// What stands behind an error that showed it.
pub(super) const POOLER_FOUND: &str = " (a transaction pooler is between the driver and the server; named prepared \
                                       statements are not used from here on, so the same call works)";
