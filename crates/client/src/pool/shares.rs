//! Which of the connections that run shared queries the next one goes to.

use std::time::Duration;

use super::load_heap::LoadHeap;

/// The least load of a connection behind whose queries nothing may go.
const NO_ROOM: u32 = 1 << 31;

/// A query goes out with others of its turn where what is in front of it is more than the least by one part in so many of that
/// at most, and by no more than the way to the server: where that is far, packets are what costs, a call of the system here and
/// a wake-up there for each.
const NEAR_LOAD: u32 = 4;
/// Where the server is nearer than that, each packet is answered before the next is ready.
const FAR_US: u32 = 512;

/// The slots of connections that run shared queries and are neither retired nor draining.
#[derive(Default)]
pub(super) struct Shares {
    /// By what is expected to be in front of another query, in microseconds; [`NO_ROOM`] more where none may go there.
    by_load: LoadHeap,
    /// Of those, the ones with something that has not been written yet, where that matters.
    going_out: LoadHeap,
    /// How many have room.
    with_room: usize,
    /// The shortest answer of the connection that was answered last: all of them go the same way as a rule.
    shortest: Option<Duration>,
    /// How much more load than the least is near it because of the distance; 0 where the server is near itself.
    near_us: u32,
}

impl Shares {
    /// The slot with the least load, whether or not it has room.
    pub(super) fn least(&self) -> Option<usize> {
        self.by_load.least().map(|(slot, _)| slot)
    }

    /// The slot with the least load, or nearly so, if it has room.
    pub(super) fn readiest(&self) -> Option<usize> {
        let (least, load) = self.by_load.least().filter(|(_, load)| *load < NO_ROOM)?;
        let most = load.saturating_add(self.near_us.min(load / NEAR_LOAD)).min(NO_ROOM - 1);
        let near = self.going_out.least().filter(|(_, load)| *load <= most);
        Some(near.map_or(least, |(slot, _)| slot))
    }

    /// Whether a slot is one of them.
    pub(super) fn contains(&self, slot: usize) -> bool {
        self.by_load.get(slot).is_some()
    }

    /// Whether it is one of those with room.
    pub(super) fn has_room(&self, slot: usize) -> bool {
        self.by_load.get(slot).is_some_and(|load| load < NO_ROOM)
    }

    /// How many have room.
    pub(super) const fn with_room(&self) -> usize {
        self.with_room
    }

    /// What is in front of another query has changed: so much, and whether it has room, and something that is still to be
    /// written.
    pub(super) fn set(&mut self, slot: usize, load_us: u32, has_room: bool, has_unwritten: bool) {
        let load = load_us.min(NO_ROOM - 1);
        let load = if has_room { load } else { load + NO_ROOM };
        if self.near_us > 0 && has_unwritten {
            self.going_out.set(slot, load);
        } else {
            self.going_out.remove(slot);
        }
        let former = self.by_load.set(slot, load);
        self.with_room += usize::from(has_room);
        self.with_room -= usize::from(former.is_some_and(|former| former < NO_ROOM));
    }

    pub(super) fn remove(&mut self, slot: usize) {
        self.going_out.remove(slot);
        if self.by_load.remove(slot).is_some_and(|former| former < NO_ROOM) {
            self.with_room -= 1;
        }
    }

    /// All that was started on this connection has been written.
    pub(super) fn written(&mut self, slot: usize) {
        self.going_out.remove(slot);
    }

    /// The shortest answer of any connection's idle server, if there was one.
    pub(super) const fn shortest(&self) -> Option<Duration> {
        self.shortest
    }

    /// A connection's shortest answer took so long.
    pub(super) fn observe_distance(&mut self, shortest: Duration) {
        if self.shortest != Some(shortest) {
            self.shortest = Some(shortest);
            let distance_us = u32::try_from(shortest.as_micros()).unwrap_or(u32::MAX);
            self.near_us = if distance_us < FAR_US { 0 } else { distance_us };
        }
    }
}
