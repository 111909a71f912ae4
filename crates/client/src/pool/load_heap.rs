//! The busy connections that may be shared, least in flight first.

/// A binary heap that knows where each slot is, so that a changed load moves it in O(log n), and the common step by
/// one hardly at all. Allocates only when it sees more slots than ever before.
#[derive(Default)]
pub(super) struct LoadHeap {
    entries: Vec<Entry>,
    /// Where each slot is in `entries`.
    places: Vec<Option<usize>>,
}

#[derive(Clone, Copy)]
struct Entry {
    load: u32,
    slot: usize,
}

impl LoadHeap {
    /// The slot with the least load, and that load.
    pub(super) fn least(&self) -> Option<(usize, u32)> {
        self.entries.first().map(|entry| (entry.slot, entry.load))
    }

    /// The load of a slot that is in.
    pub(super) fn get(&self, slot: usize) -> Option<u32> {
        let place = (*self.places.get(slot)?)?;
        self.entries.get(place).map(|entry| entry.load)
    }

    /// Puts a slot in, or changes its load; gives the former one.
    pub(super) fn set(&mut self, slot: usize, load: u32) -> Option<u32> {
        if self.places.len() <= slot {
            self.places.resize(slot + 1, None);
        }
        let (place, former) = match self.places[slot] {
            Some(place) => (place, Some(std::mem::replace(&mut self.entries[place].load, load))),
            None => {
                self.entries.push(Entry { load, slot });
                (self.entries.len() - 1, None)
            }
        };
        self.places[slot] = Some(place);
        self.settle(place);
        former
    }

    /// Takes a slot out, if it is in; gives its load.
    pub(super) fn remove(&mut self, slot: usize) -> Option<u32> {
        let place = self.places.get_mut(slot)?.take()?;
        let former = self.entries.swap_remove(place).load;
        if place < self.entries.len() {
            self.places[self.entries[place].slot] = Some(place);
            self.settle(place);
        }
        Some(former)
    }

    /// Restores the order around an entry that may be out of it.
    fn settle(&mut self, mut place: usize) {
        while place > 0 && self.entries[place].load < self.entries[(place - 1) / 2].load {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        loop {
            let children = 2 * place + 1..(2 * place + 3).min(self.entries.len());
            let Some(lighter) = children.min_by_key(|child| self.entries[*child].load) else { return };
            if self.entries[lighter].load >= self.entries[place].load {
                return;
            }
            self.swap(place, lighter);
            place = lighter;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.entries.swap(one, other);
        self.places[self.entries[one].slot] = Some(one);
        self.places[self.entries[other].slot] = Some(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn the_least_load_is_always_in_front(steps in prop::collection::vec((0_usize..20, prop::option::of(0_u32..9)), 1..200)) {
            let mut heap = LoadHeap::default();
            let mut model = BTreeMap::new();
            for (slot, load) in steps {
                match load {
                    Some(load) => {
                        prop_assert_eq!(heap.set(slot, load), model.insert(slot, load));
                    }
                    None => prop_assert_eq!(heap.remove(slot), model.remove(&slot)),
                }
                prop_assert_eq!(heap.get(slot), model.get(&slot).copied());
                let least = heap.least();
                prop_assert_eq!(least.map(|(_, load)| load), model.values().min().copied());
                prop_assert!(least.is_none_or(|(slot, load)| model[&slot] == load));
            }
        }
    }
}
