//! Who waits, in order of asking, and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::action::{WaiterId, Want};
use crate::id_map::IdMap;

/// The place in the order of asking.
pub(super) type Turn = u64;

/// The waiters: first in, first out among those who want the same, each found by id in O(log n).
#[derive(Default)]
pub(super) struct Waiters {
    by_id: IdMap<Waiter>,
    leases: BTreeMap<Turn, WaiterId>,
    shares: BTreeMap<Turn, WaiterId>,
    deadlines: BTreeSet<(Duration, Turn, WaiterId)>,
    last_turn: Turn,
}

/// One who waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) id: WaiterId,
    pub(super) turn: Turn,
    pub(super) want: Want,
    pub(super) since: Duration,
    deadline: Option<Duration>,
}

impl Waiters {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Queues a waiter; an id that waits already keeps its place, since it can get only one answer.
    pub(super) fn push(&mut self, id: WaiterId, want: Want, since: Duration, deadline: Option<Duration>) {
        if self.by_id.contains_key(&id) {
            return;
        }
        self.last_turn += 1;
        let turn = self.last_turn;
        self.by_id.insert(id, Waiter { id, turn, want, since, deadline });
        self.queue(want).insert(turn, id);
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, turn, id));
        }
    }

    /// Takes a waiter out; `None` when it does not wait.
    pub(super) fn remove(&mut self, id: WaiterId) -> Option<Waiter> {
        let waiter = self.by_id.remove(&id)?;
        self.queue(waiter.want).remove(&waiter.turn);
        if let Some(deadline) = waiter.deadline {
            self.deadlines.remove(&(deadline, waiter.turn, id));
        }
        Some(waiter)
    }

    /// The one who has waited longest.
    pub(super) fn first(&self) -> Option<Waiter> {
        let (lease, share) = (self.leases.first_key_value(), self.shares.first_key_value());
        let (_, id) = match (lease, share) {
            (Some(lease), Some(share)) => lease.min(share),
            (lease, share) => lease.or(share)?,
        };
        self.by_id.get(id).copied()
    }

    /// The one who has waited longest for a share.
    pub(super) fn first_share(&self) -> Option<WaiterId> {
        self.shares.first_key_value().map(|(_, id)| *id)
    }

    pub(super) fn has_lease(&self) -> bool {
        !self.leases.is_empty()
    }

    pub(super) fn has_share(&self) -> bool {
        !self.shares.is_empty()
    }

    /// The turn of the waiter at `index` in the order of asking, or of the last one before it.
    pub(super) fn turn_at(&self, index: usize) -> Option<Turn> {
        let (mut leases, mut shares) = (self.leases.keys().peekable(), self.shares.keys().peekable());
        let mut turn = None;
        for _ in 0..=index {
            let next = match (leases.peek(), shares.peek()) {
                (Some(lease), Some(share)) if lease < share => leases.next(),
                (_, Some(_)) => shares.next(),
                (_, None) => leases.next(),
            };
            turn = next.copied().or(turn);
        }
        turn
    }

    /// The waiter whose deadline comes first, and that deadline.
    pub(super) fn first_deadline(&self) -> Option<(Duration, WaiterId)> {
        self.deadlines.first().map(|(deadline, _, id)| (*deadline, *id))
    }

    fn queue(&mut self, want: Want) -> &mut BTreeMap<Turn, WaiterId> {
        match want {
            Want::Lease => &mut self.leases,
            Want::Share => &mut self.shares,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn the_order_of_asking_holds_across_both_wishes() {
        let mut waiters = Waiters::default();
        for (id, want) in [(5, Want::Share), (3, Want::Lease), (9, Want::Share), (1, Want::Lease)] {
            waiters.push(id, want, NOW, None);
        }
        assert_eq!(waiters.turn_at(0), Some(1));
        assert_eq!(waiters.turn_at(2), Some(3));
        assert_eq!(waiters.turn_at(50), Some(4));
        assert!(waiters.remove(9).is_some());
        assert!(waiters.remove(9).is_none());
        let mut order = Vec::new();
        while let Some(waiter) = waiters.first() {
            order.push(waiter.id);
            waiters.remove(waiter.id);
        }
        assert_eq!(order, [5, 3, 1]);
        assert_eq!(waiters.turn_at(0), None);
    }

    #[test]
    fn an_id_that_waits_already_keeps_its_place_and_deadline() {
        let mut waiters = Waiters::default();
        waiters.push(1, Want::Lease, NOW, Some(Duration::from_secs(1)));
        waiters.push(1, Want::Share, NOW, Some(Duration::from_secs(9)));
        assert_eq!((waiters.len(), waiters.has_share()), (1, false));
        assert_eq!(waiters.first_deadline(), Some((Duration::from_secs(1), 1)));
        waiters.remove(1);
        assert!(waiters.is_empty() && waiters.first_deadline().is_none());
    }
}
