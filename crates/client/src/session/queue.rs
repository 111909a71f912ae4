//! A queue of requests. One is found by its id, and taken out of the middle, without a walk through all of them: a
//! burst of calls that wait for the same statement, or leave together, costs each of them the same as a few.

use std::collections::VecDeque;

use super::request::RequestId;
use crate::id_map::IdMap;

/// A queue this long is walked through; a longer one has an index from the first search on.
const SHORT: usize = 32;
/// Entries for which memory is kept while the queue is empty.
const KEPT_CAPACITY: usize = 1 << 10;
/// The first entry's number. Half of the range is left for those that are put in front of it.
const FIRST: u64 = 1 << 63;

/// What is in a queue.
pub(super) trait Named {
    /// Its id, unless its caller has left.
    fn id(&self) -> Option<RequestId>;
}

/// Entries in order. Each has a number, its neighbours' is one more and one less.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// `None` where one was taken out of the middle. The first and the last are there.
    entries: VecDeque<Option<T>>,
    first: u64,
    count: usize,
    /// Numbers by ids, from the first search in a long queue until it is empty. What it says is looked up and compared:
    /// an id can be free, and used again, without a word to the queue.
    numbers: Option<IdMap<u64>>,
}

impl<T: Named> Queue<T> {
    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), first: FIRST, count: 0, numbers: None }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().flatten()
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.entries.front()?.as_ref()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut T> {
        self.entries.front_mut()?.as_mut()
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.entries.back()?.as_ref()
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        self.entries.back_mut()?.as_mut()
    }

    /// Whether this number is the first entry's.
    pub(super) const fn is_front(&self, number: u64) -> bool {
        number == self.first
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let place = self.place(number)?;
        self.entries.get_mut(place)?.as_mut()
    }

    pub(super) fn push_back(&mut self, entry: T) {
        if let (Some(numbers), Some(id)) = (&mut self.numbers, entry.id()) {
            numbers.insert(id, self.first + self.entries.len() as u64);
        }
        self.entries.push_back(Some(entry));
        self.count += 1;
    }

    pub(super) fn push_front(&mut self, entry: T) {
        self.first -= 1;
        if let (Some(numbers), Some(id)) = (&mut self.numbers, entry.id()) {
            numbers.insert(id, self.first);
        }
        self.entries.push_front(Some(entry));
        self.count += 1;
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        self.remove(self.first)
    }

    /// Takes one out, wherever it is.
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.place(number)?;
        let entry = if place == 0 {
            // What is in front is there, as a rule it is that, and it is moved once.
            let entry = self.entries.pop_front()??;
            self.first += 1;
            entry
        } else {
            self.entries.get_mut(place)?.take()?
        };
        self.count -= 1;
        if self.count == 0 {
            self.empty();
            return Some(entry);
        }
        if let (Some(numbers), Some(id)) = (&mut self.numbers, entry.id())
            && numbers.get(&id) == Some(&number)
        {
            numbers.remove(&id);
        }
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.first += 1;
        }
        while let Some(None) = self.entries.back() {
            self.entries.pop_back();
        }
        Some(entry)
    }

    /// The number of the entry with this id.
    pub(super) fn find(&mut self, id: RequestId) -> Option<u64> {
        let is_it = |entry: &Option<T>| entry.as_ref().is_some_and(|entry| entry.id() == Some(id));
        if self.numbers.is_none() && self.entries.len() <= SHORT {
            let place = self.entries.iter().position(is_it)?;
            return Some(self.first + place as u64);
        }
        let number = *self.index().get(&id)?;
        let entry = self.entries.get(self.place(number)?)?;
        is_it(entry).then_some(number)
    }

    fn index(&mut self) -> &IdMap<u64> {
        let Self { entries, first, numbers, .. } = self;
        numbers.get_or_insert_with(|| {
            let ids = entries.iter().map(|entry| entry.as_ref()?.id());
            (*first..).zip(ids).filter_map(|(number, id)| Some((id?, number))).collect()
        })
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    /// The last entry is gone: what a burst has taken is given back.
    fn empty(&mut self) {
        self.numbers = None;
        if self.entries.capacity() > KEPT_CAPACITY {
            self.entries = VecDeque::new();
        } else {
            self.entries.clear();
        }
    }
}

impl<T> IntoIterator for Queue<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::collections::vec_deque::IntoIter<Option<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    /// Counts how often it is looked at.
    #[derive(Debug)]
    struct Entry {
        id: Option<RequestId>,
        looks: Rc<Cell<usize>>,
    }

    impl Named for Entry {
        fn id(&self) -> Option<RequestId> {
            self.looks.set(self.looks.get() + 1);
            self.id
        }
    }

    fn queue_of(count: u32) -> (Queue<Entry>, Rc<Cell<usize>>) {
        let looks = Rc::new(Cell::new(0));
        let mut queue = Queue::new();
        for id in 0..count {
            queue.push_back(Entry { id: Some(id), looks: Rc::clone(&looks) });
        }
        (queue, looks)
    }

    fn ids(queue: &Queue<Entry>) -> Vec<RequestId> {
        queue.entries.iter().flatten().filter_map(|entry| entry.id).collect()
    }

    #[test]
    fn finding_and_removing_all_of_a_long_queue_looks_at_each_a_few_times() {
        const COUNT: u32 = 20_000;
        type Order = fn(u32) -> u32;
        let orders: [Order; 3] = [|step| step, |step| COUNT - 1 - step, |step| (step * 7_919) % COUNT];
        for order in orders {
            let (mut queue, looks) = queue_of(COUNT);
            for step in 0..COUNT {
                let id = order(step);
                let number = queue.find(id).unwrap();
                assert_eq!(queue.get_mut(number).unwrap().id, Some(id));
                assert_eq!(queue.remove(number).unwrap().id, Some(id));
            }
            assert!(queue.is_empty());
            assert!(looks.get() <= 4 * COUNT as usize, "{} looks", looks.get());
            assert!(queue.entries.capacity() <= KEPT_CAPACITY, "the burst's memory is given back");
        }
    }

    #[test]
    fn what_was_taken_out_of_the_middle_is_in_nobodys_way() {
        for count in [6, 200] {
            let (mut queue, _) = queue_of(count);
            for id in [1, 2, count - 2] {
                let number = queue.find(id).unwrap();
                queue.remove(number);
                assert_eq!(queue.find(id), None);
                assert!(queue.remove(number).is_none() && queue.get_mut(number).is_none());
            }
            assert_eq!(queue.len(), count as usize - 3);
            assert_eq!(queue.pop_front().unwrap().id, Some(0));
            assert_eq!(queue.front().unwrap().id, Some(3), "{:?}", ids(&queue));
            let last = queue.find(count - 1).unwrap();
            queue.remove(last);
            assert_eq!(queue.back().unwrap().id, Some(count - 3));
        }
    }

    #[test]
    fn an_id_that_is_used_again_is_found_where_it_is_now() {
        for count in [4, 200] {
            let (mut queue, looks) = queue_of(count);
            let old = queue.find(2).unwrap();
            queue.get_mut(old).unwrap().id = None;
            assert_eq!(queue.find(2), None);
            queue.push_back(Entry { id: Some(2), looks: Rc::clone(&looks) });
            let new = queue.find(2).unwrap();
            assert_ne!(old, new);
            queue.remove(old);
            assert_eq!(queue.find(2), Some(new));
            // In place of one that was taken from the front.
            queue.pop_front();
            queue.push_front(Entry { id: Some(999), looks: Rc::clone(&looks) });
            assert_eq!(queue.find(0), None);
            let front = queue.find(999).unwrap();
            assert_eq!(queue.remove(front).unwrap().id, Some(999));
        }
    }
}
