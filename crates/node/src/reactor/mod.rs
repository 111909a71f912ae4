//! The reactor: the event loop that carries the traffic.
//!
//! A seam. The turn (`callbacks.rs`, `turns.rs`), the wires and the environment know the loop only by [`Reactor`], so
//! that one can be written for a host without libuv. Which one an addon is built with is [`HostReactor`]; all calls are
//! dispatched statically. A reactor calls the functions of `callbacks.rs`, on the environment's thread.

pub(crate) mod uv;

use std::sync::Arc;

use crate::wire::Descriptor;

/// The reactor of the host that this addon is built for: Node's own loop.
pub(crate) type HostReactor = uv::UvReactor;

/// What a watched descriptor waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Nothing for now; it stays watched.
    Nothing,
    Read,
    Write,
    ReadWrite,
}

impl Interest {
    pub(crate) const fn of(is_read: bool, is_write: bool) -> Self {
        match (is_read, is_write) {
            (false, false) => Self::Nothing,
            (true, false) => Self::Read,
            (false, true) => Self::Write,
            (true, true) => Self::ReadWrite,
        }
    }

    pub(crate) const fn is_read(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    pub(crate) const fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

/// One environment's part of an event loop.
///
/// None of it keeps the process alive, except while it is held ([`Reactor::hold`]).
pub(crate) trait Reactor {
    /// A descriptor that is being watched, from [`Reactor::watch`] to [`Reactor::unwatch`].
    type Watch: Copy;

    /// Watches a socket of a connection for reading; what happens reaches `callbacks::on_ready` with the same number.
    fn watch(&mut self, descriptor: Descriptor, connection: u32) -> Result<Self::Watch, String>;

    /// Changes what a watched socket waits for.
    fn set_interest(&self, watch: Self::Watch, interest: Interest);

    /// Stops watching; the caller closes the descriptor afterwards.
    fn unwatch(&self, watch: Self::Watch);

    /// Something is pending: the loop must not end. Calls nest.
    fn hold(&mut self);

    /// The opposite of so many [`Reactor::hold`]s.
    fn release(&mut self, count: usize);

    /// Nothing holds the loop.
    fn is_free(&self) -> bool;

    /// Keeps the loop from blocking while work is left that no descriptor tells of, or not.
    fn spin(&mut self, wanted: bool);

    /// Arms the one timer for `deadline_ms` if that is earlier than what it is armed for. It ends in
    /// `callbacks::on_timer`.
    fn arm(&mut self, deadline_ms: u64, now_ms: u64);

    /// What the timer is armed for, `u64::MAX` when it is not.
    fn armed_at_ms(&self) -> u64;

    /// The timer fired.
    fn disarmed(&mut self);

    /// Wakes the loop from any thread; each wake-up ends in `callbacks::on_wake`, and several may end in one.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Closes the reactor. When all of it has closed, unwatched descriptors too, it calls `callbacks::on_all_closed`.
    fn close(&mut self);
}

/// Wakes the loop from another thread, as long as the loop is there.
pub(crate) trait Wake: Send + Sync {
    fn wake(&self);
}
