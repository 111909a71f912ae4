//! Numbered things that JavaScript and Rust name to each other.

/// Bits of an id that are the index; the rest counts how often the index was used again, so that an id kept
/// too long finds nothing instead of somebody else.
const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const GENERATIONS: u32 = 1 << (31 - INDEX_BITS);

/// Values by id. Ids are never 0 and stay below 2³¹, so they are small integers in V8.
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    /// Takes an id without a value yet; [`Self::fill`] or [`Self::remove`] follows.
    pub(crate) fn reserve(&mut self) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { generation: 1, value: None });
            u32::try_from(self.entries.len() - 1).unwrap_or(INDEX_MASK) & INDEX_MASK
        });
        let generation = self.entries.get(index as usize).map_or(1, |entry| entry.generation);
        index | generation << INDEX_BITS
    }

    pub(crate) fn fill(&mut self, id: u32, value: T) {
        if let Some(entry) = self.entry(id) {
            entry.value = Some(value);
        }
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let id = self.reserve();
        self.fill(id, value);
        id
    }

    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        let entry = self.entries.get((id & INDEX_MASK) as usize)?;
        if entry.generation == id >> INDEX_BITS { entry.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.entry(id)?.value.as_mut()
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<T> {
        let entry = self.entry(id)?;
        entry.generation += 1;
        let is_used_up = entry.generation >= GENERATIONS;
        let value = entry.value.take();
        // An index that has had all its generations rests for good: a few bytes, and no id ever names two things.
        if !is_used_up {
            self.free.push(id & INDEX_MASK);
        }
        value
    }

    pub(crate) fn ids(&self) -> Vec<u32> {
        let ids = self.entries.iter().zip(0_u32..);
        ids.filter(|(entry, _)| entry.value.is_some())
            .map(|(entry, index)| index | entry.generation << INDEX_BITS)
            .collect()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| entry.value.as_ref())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }

    fn entry(&mut self, id: u32) -> Option<&mut Entry<T>> {
        let entry = self.entries.get_mut((id & INDEX_MASK) as usize)?;
        (entry.generation == id >> INDEX_BITS).then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::{GENERATIONS, Slab};

    #[test]
    fn an_id_finds_its_value_and_nothing_after_it_was_removed() {
        let mut slab = Slab::new();
        let (one, two) = (slab.insert('a'), slab.insert('b'));
        assert_ne!(one, two);
        assert_eq!((slab.get(one), slab.get(two)), (Some(&'a'), Some(&'b')));
        assert_eq!(slab.remove(one), Some('a'));
        assert_eq!(slab.get(one), None);
        assert_eq!(slab.remove(one), None);
        let three = slab.insert('c');
        assert_ne!(three, one, "the index is used again, the id is not");
        assert_eq!((slab.get(one), slab.get(three)), (None, Some(&'c')));
        slab.fill(one, 'd');
        assert_eq!(slab.get(three), Some(&'c'), "an old id fills nothing");
        assert_eq!(slab.ids(), [three, two]);
    }

    #[test]
    fn a_reserved_id_has_no_value_yet() {
        let mut slab = Slab::new();
        let id = slab.reserve();
        assert!(slab.is_empty() && slab.get(id).is_none());
        slab.fill(id, 1);
        assert_eq!(slab.get(id), Some(&1));
        assert!(!slab.is_empty());
    }

    #[test]
    fn ids_are_small_integers_and_never_come_again() {
        let mut slab = Slab::new();
        let mut last = 0;
        for round in 0..3 * GENERATIONS {
            let id = slab.insert(round);
            assert!(id != 0 && id < 1 << 31, "{id}");
            assert_ne!(id, last);
            last = id;
            assert_eq!(slab.remove(id), Some(round));
        }
        // Each index rests after all its generations.
        assert!(slab.entries.len() > 3);
    }
}
