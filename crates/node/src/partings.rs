//! Graceful closes that wait until the server has ended their sessions.

use oxpg_client::open::Socket;
use oxpg_client::session::RequestId;

use crate::background::Job;
use crate::cancels::Interrupt;
use crate::environment::Environment;
use crate::slab::Slab;

/// The sessions of one graceful close that the server has not ended yet.
#[derive(Default)]
struct Parting {
    remaining: usize,
    /// What waits for the end of all; nobody before nothing more is closed for it.
    waiters: Vec<RequestId>,
}

/// The graceful closes of one environment.
pub(crate) struct Partings {
    open: Slab<Parting>,
}

impl Partings {
    pub(crate) const fn new() -> Self {
        Self { open: Slab::new() }
    }

    /// A close begins.
    pub(crate) fn begin(&mut self) -> u32 {
        self.open.insert(Parting::default())
    }

    /// One of its sessions has ended; gives the requests that waited if it was the last.
    fn end_one(&mut self, parting: u32) -> Vec<RequestId> {
        if let Some(held) = self.open.get_mut(parting) {
            held.remaining = held.remaining.saturating_sub(1);
        }
        self.take_if_over(parting)
    }

    /// Nothing more is closed for it, and these wait for its end; gives them back if that has come.
    fn seal(&mut self, parting: u32, waiters: Vec<RequestId>) -> Vec<RequestId> {
        if waiters.is_empty() {
            self.open.remove(parting);
            return waiters;
        }
        match self.open.get_mut(parting) {
            Some(held) => held.waiters = waiters,
            None => return waiters,
        }
        self.take_if_over(parting)
    }

    fn take_if_over(&mut self, parting: u32) -> Vec<RequestId> {
        let is_over = self.open.get(parting).is_some_and(|held| held.remaining == 0 && !held.waiters.is_empty());
        if is_over { self.open.remove(parting).map(|held| held.waiters).unwrap_or_default() } else { Vec::new() }
    }

    /// The caller of a close has left.
    pub(crate) fn forget_waiter(&mut self, slot: RequestId) {
        for parting in self.open.ids() {
            if let Some(held) = self.open.get_mut(parting)
                && held.waiters.contains(&slot)
            {
                held.waiters.retain(|waiter| *waiter != slot);
                if held.waiters.is_empty() {
                    self.open.remove(parting);
                }
            }
        }
    }
}

impl Environment {
    /// A session is over here. A close goes on until the server has ended it as well; one that is not waited for by a close
    /// is interrupted in the background, if there is something to interrupt.
    pub(crate) fn part(&mut self, parting: Option<u32>, socket: Socket, interrupt: Option<Interrupt>) {
        if let Some(held) = parting.and_then(|parting| self.partings.open.get_mut(parting)) {
            held.remaining += 1;
        } else if interrupt.is_none() {
            return;
        }
        if self.submit_job(Job::Part { parting, socket, interrupt }).is_err() {
            self.parted(parting);
        }
    }

    /// The server has ended a session, or had its time.
    pub(crate) fn parted(&mut self, parting: Option<u32>) {
        for slot in parting.map(|parting| self.partings.end_one(parting)).unwrap_or_default() {
            self.finish_close(slot);
        }
    }

    /// All sessions of a close have said goodbye.
    pub(crate) fn seal_parting(&mut self, parting: u32, waiters: Vec<RequestId>) {
        for slot in self.partings.seal(parting, waiters) {
            self.finish_close(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Partings;

    #[test]
    fn a_close_ends_with_the_last_of_its_sessions() {
        let mut partings = Partings::new();
        let close = partings.begin();
        partings.open.get_mut(close).unwrap().remaining = 2;
        assert!(partings.end_one(close).is_empty());
        assert!(partings.seal(close, vec![7, 8]).is_empty());
        assert_eq!(partings.end_one(close), [7, 8]);
        assert!(partings.end_one(close).is_empty());
    }

    #[test]
    fn a_close_without_sessions_ends_at_once() {
        let mut partings = Partings::new();
        let close = partings.begin();
        assert_eq!(partings.seal(close, vec![7]), [7]);
        assert_eq!(partings.seal(close, vec![8]), [8], "one that is over keeps nobody");
        let left = partings.begin();
        assert!(partings.seal(left, Vec::new()).is_empty());
        assert!(partings.open.is_empty(), "nobody waits for it");
    }

    #[test]
    fn a_caller_who_has_left_is_not_answered() {
        let mut partings = Partings::new();
        let close = partings.begin();
        partings.open.get_mut(close).unwrap().remaining = 1;
        partings.seal(close, vec![7, 8]);
        partings.forget_waiter(7);
        assert_eq!(partings.end_one(close), [8]);
    }
}
