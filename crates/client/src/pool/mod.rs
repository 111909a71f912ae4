//! The pool policy, sans-I/O: who gets which connection and when one is opened, reset or closed.
//!
//! The policy knows no socket, thread or clock. Its driver tells it what happened, always with the time as a
//! [`Duration`](std::time::Duration) since some fixed start, and then carries out every [`Action`] that
//! [`Pool::next_action`] gives, until there is none. [`Pool::next_deadline`] says when [`Pool::tick`] is due.
//!
//! Beside the policy stand its [`Guards`], which give up connections that do not answer any more.
//!
//! Rules 8 and 9 of the engine are kept here: what may share a connection shares one, idle ones first, then new ones, then
//! the one that will answer first, if that is soon; otherwise it waits for whichever is ready. All else has a connection
//! alone, in the order of asking. What is known of the times of statements is in `service.rs`, and what is in front of a
//! query in `in_flight.rs`; `docs/decisions/0008-late-binding.md` has the reasons.

mod action;
mod connection;
mod connections;
mod decide;
mod growth;
mod guards;
mod in_flight;
mod load_heap;
mod options;
mod policy;
mod random;
mod recency;
mod service;
mod shares;
#[cfg(test)]
mod tests;
mod waiters;

pub use action::{
    Action, AttemptId, CloseReason, ConnectionId, NotLeased, OpenFailure, Rejection, Stats, WaiterId, Want,
};
pub use guards::{Guards, LEFTOVER_LIMIT, Look, Owed};
pub use in_flight::{Arrival, Ticket};
pub use options::PoolOptions;
pub use policy::Pool;
pub use service::Statement;
