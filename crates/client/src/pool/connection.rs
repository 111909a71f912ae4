//! What the policy knows of one connection.

use std::time::Duration;

use super::action::{CloseReason, ConnectionId};
use super::in_flight::InFlight;

/// A connection, whatever it does.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) state: State,
    pub(super) in_flight: InFlight,
    pub(super) queries: u64,
    /// The head of the pipeline was found to have outlived its estimate.
    pub(super) is_head_late: bool,
    pub(super) idle_since: Duration,
    pub(super) expires_at: Option<Duration>,
    /// To be closed as soon as nobody uses it, and why.
    pub(super) retired: Option<CloseReason>,
    /// No further shared query: a lease waits for it.
    pub(super) is_draining: bool,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    /// For shared queries, of which at least one is in flight.
    Shared,
    /// For one user alone.
    Leased,
    /// The driver has not been told to reset it yet.
    ResetDue,
    Resetting,
    /// The driver has not been told to close it yet.
    Closing(CloseReason),
}

impl Connection {
    /// One that was opened just now.
    pub(super) fn new(id: ConnectionId, now: Duration, connecting: Duration, expires_at: Option<Duration>) -> Self {
        Self {
            id,
            state: State::Idle,
            in_flight: InFlight::new(connecting),
            queries: 0,
            is_head_late: false,
            idle_since: now,
            expires_at,
            retired: None,
            is_draining: false,
        }
    }
}
