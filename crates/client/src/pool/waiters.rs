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
    /// Those whose query is quick, or not known to be slow.
    shares: BTreeMap<Turn, WaiterId>,
    /// Those whose query is known to be slow.
    slow_shares: BTreeMap<Turn, WaiterId>,
    deadlines: BTreeSet<(Duration, Turn, WaiterId)>,
    last_turn: Turn,
}

/// One who waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) id: WaiterId,
    pub(super) turn: Turn,
    pub(super) want: Want,
    /// Its query was known to be slow when it asked.
    pub(super) is_slow: bool,
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
    pub(super) fn push(
        &mut self,
        id: WaiterId,
        want: Want,
        is_slow: bool,
        since: Duration,
        deadline: Option<Duration>,
    ) {
        if self.by_id.contains_key(&id) {
            return;
        }
        self.last_turn += 1;
        let turn = self.last_turn;
        let waiter = Waiter { id, turn, want, is_slow, since, deadline };
        self.by_id.insert(id, waiter);
        self.queue(&waiter).insert(turn, id);
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, turn, id));
        }
    }

    /// Takes a waiter out; `None` when it does not wait.
    pub(super) fn remove(&mut self, id: WaiterId) -> Option<Waiter> {
        let waiter = self.by_id.remove(&id)?;
        self.queue(&waiter).remove(&waiter.turn);
        if let Some(deadline) = waiter.deadline {
            self.deadlines.remove(&(deadline, waiter.turn, id));
        }
        Some(waiter)
    }

    /// The one who has waited longest.
    pub(super) fn first(&self) -> Option<Waiter> {
        let fronts = [&self.leases, &self.shares, &self.slow_shares].map(BTreeMap::first_key_value);
        self.earliest(fronts)
    }

    /// The one who has waited longest for a share.
    pub(super) fn first_share(&self) -> Option<Waiter> {
        self.earliest([&self.shares, &self.slow_shares].map(BTreeMap::first_key_value))
    }

    /// The one who has waited longest for a share, and whose query is not known to be slow.
    pub(super) fn first_quick_share(&self) -> Option<Waiter> {
        self.earliest([self.shares.first_key_value()])
    }

    fn earliest<const N: usize>(&self, fronts: [Option<(&Turn, &WaiterId)>; N]) -> Option<Waiter> {
        let (_, id) = fronts.into_iter().flatten().min()?;
        self.by_id.get(id).copied()
    }

    pub(super) fn is_waiting(&self, id: WaiterId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn has_lease(&self) -> bool {
        !self.leases.is_empty()
    }

    pub(super) fn has_share(&self) -> bool {
        self.has_quick_share() || !self.slow_shares.is_empty()
    }

    pub(super) fn has_quick_share(&self) -> bool {
        !self.shares.is_empty()
    }

    /// The turn of the waiter at `index` in the order of asking, or of the last one before it.
    pub(super) fn turn_at(&self, index: usize) -> Option<Turn> {
        let mut queues = [&self.leases, &self.shares, &self.slow_shares].map(|queue| queue.keys().copied().peekable());
        let mut turn = None;
        for _ in 0..=index {
            let fronts = queues.iter_mut().map(|queue| (queue.peek().copied(), queue));
            let next = fronts.filter(|(front, _)| front.is_some()).min_by_key(|(front, _)| *front);
            let Some((front, queue)) = next else { break };
            queue.next();
            turn = front;
        }
        turn
    }

    /// The waiter whose deadline comes first, and that deadline.
    pub(super) fn first_deadline(&self) -> Option<(Duration, WaiterId)> {
        self.deadlines.first().map(|(deadline, _, id)| (*deadline, *id))
    }

    fn queue(&mut self, waiter: &Waiter) -> &mut BTreeMap<Turn, WaiterId> {
        match (waiter.want, waiter.is_slow) {
            (Want::Lease, _) => &mut self.leases,
            (Want::Share(_), false) => &mut self.shares,
            (Want::Share(_), true) => &mut self.slow_shares,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    const SHARE: Want = Want::Share(0);

    #[test]
    fn the_order_of_asking_holds_across_all_wishes() {
        let mut waiters = Waiters::default();
        let asked =
            [(5, SHARE, false), (3, Want::Lease, false), (9, SHARE, true), (1, Want::Lease, false), (2, SHARE, false)];
        for (id, want, is_slow) in asked {
            waiters.push(id, want, is_slow, NOW, None);
        }
        assert_eq!(waiters.turn_at(0), Some(1));
        assert_eq!(waiters.turn_at(2), Some(3));
        assert_eq!(waiters.turn_at(50), Some(5));
        assert!(waiters.remove(5).is_some());
        assert!(waiters.remove(5).is_none());
        assert_eq!(waiters.first_share().map(|waiter| waiter.id), Some(9));
        assert_eq!(waiters.first_quick_share().map(|waiter| waiter.id), Some(2));
        let mut order = Vec::new();
        while let Some(waiter) = waiters.first() {
            order.push(waiter.id);
            waiters.remove(waiter.id);
        }
        assert_eq!(order, [3, 9, 1, 2]);
        assert_eq!(waiters.turn_at(0), None);
    }

    #[test]
    fn an_id_that_waits_already_keeps_its_place_and_deadline() {
        let mut waiters = Waiters::default();
        waiters.push(1, Want::Lease, false, NOW, Some(Duration::from_secs(1)));
        waiters.push(1, SHARE, false, NOW, Some(Duration::from_secs(9)));
        assert_eq!((waiters.len(), waiters.has_share()), (1, false));
        assert_eq!(waiters.first_deadline(), Some((Duration::from_secs(1), 1)));
        waiters.remove(1);
        assert!(waiters.is_empty() && waiters.first_deadline().is_none());
    }
}
