//! What goes in and out of the policy: wishes, actions, reasons and figures.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::service::Statement;

/// A connection, by the driver's number. Numbers may be used again once the policy has been told of the loss.
pub type ConnectionId = u32;
/// Somebody who waits for a connection, by the driver's number; free again after its answer.
pub type WaiterId = u32;
/// One attempt at opening a connection, by the policy's number.
pub type AttemptId = u32;

/// What a waiter needs a connection for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// One statement that may run between those of others, by its text's fingerprint.
    Share(Statement),
    /// The connection alone, until it is released.
    Lease,
}

/// What the driver must do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a connection; answered by `opened` or `open_failed`.
    Open {
        /// To be named in the answer.
        attempt: AttemptId,
    },
    /// Stop an attempt at opening: nobody wants what it would bring. It needs no answer.
    Abandon {
        /// The one to stop.
        attempt: AttemptId,
    },
    /// A waiter gets a connection.
    ///
    /// `is_lease`: until `release`. Otherwise for one query: the driver calls `query_started` before it asks for the
    /// next action.
    Grant {
        /// Who waited.
        waiter: WaiterId,
        /// What it gets.
        connection: ConnectionId,
        /// Whether it has the connection alone.
        is_lease: bool,
    },
    /// Clean the session that a lease left behind; answered by `reset_done`.
    Reset {
        /// It serves nobody until the answer.
        connection: ConnectionId,
    },
    /// Close a connection. The policy has forgotten it already; a `lost` that follows is harmless.
    Close {
        /// Unknown to the policy from now on.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// A waiter gets no connection.
    Reject {
        /// Who waited.
        waiter: WaiterId,
        /// Why not.
        reason: Rejection,
    },
    /// The pool is at its end: `close` or `terminate` is done. Comes exactly once.
    Closed,
}

/// Why the policy closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Idle for `max_inactive_lifetime`, beyond `min_size`.
    Inactive,
    /// Older than `max_lifetime`.
    MaxLifetime,
    /// It has served `max_queries` queries.
    MaxQueries,
    /// It is older than a call of `expire_all`.
    Expired,
    /// It is of no use to the pool any more.
    Unfit,
    /// What a lease left behind could not be cleaned.
    ResetFailed,
    /// The pool closes, gracefully.
    PoolClosed,
    /// The pool was terminated.
    PoolTerminated,
}

/// Why a waiter gets no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Its deadline has passed.
    Timeout {
        /// Since its request.
        waited: Duration,
        /// Open connections.
        size: usize,
        /// Those of them that are not idle.
        in_use: usize,
        /// Waiters, this one included.
        waiting: usize,
    },
    /// The pool closes or is closed.
    Closed,
    /// The pool was terminated.
    Terminated,
    /// The connection that would have served it could not be opened, and trying again would not help; or there is no
    /// server, or it refuses for good, and nothing is open.
    OpenFailed,
}

/// What a failed attempt at opening a connection says of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFailure {
    /// Trying again later may help.
    Transient,
    /// The same, but there is no server at this time: the system said so at once.
    Unreachable,
    /// Trying again would not help those whom the attempt was for.
    Final,
    /// Nor anybody else: the server says no (a wrong password, no such database), or it cannot be asked like that.
    Refused,
}

/// `release` of a connection that is not leased: released twice, lost in between, or never granted alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLeased;

impl fmt::Display for NotLeased {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection is not leased from this pool")
    }
}

impl Error for NotLeased {}

/// Figures of a pool at one moment, and counters since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Open connections; those being opened are not counted.
    pub size: usize,
    /// Open connections that nobody uses.
    pub idle: usize,
    /// Leased, running shared queries, being reset or about to be closed: `size - idle`.
    pub in_use: usize,
    /// Waiters.
    pub waiting: usize,
    /// Attempts at opening that are under way.
    pub opening: usize,
    /// Connections opened so far.
    pub opened: u64,
    /// Connections closed or lost so far.
    pub closed: u64,
    /// Leases granted and shared queries started so far.
    pub granted: u64,
    /// Waiters so far that got no connection in their time, whether the pool or the driver kept it.
    pub timed_out: u64,
    /// The option.
    pub min_size: usize,
    /// The option.
    pub max_size: usize,
}
