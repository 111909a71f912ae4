//! The idle connections, most recently used first.

/// A doubly linked list over slot numbers: O(1) at both ends and in the middle.
///
/// Taking from the recent end lets the others grow old, so that reaping finds them.
#[derive(Default)]
pub(super) struct Recency {
    links: Vec<Links>,
    newest: Option<usize>,
    oldest: Option<usize>,
    len: usize,
}

#[derive(Clone, Copy, Default)]
struct Links {
    newer: Option<usize>,
    older: Option<usize>,
    is_in: bool,
}

impl Recency {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn newest(&self) -> Option<usize> {
        self.newest
    }

    pub(super) const fn oldest(&self) -> Option<usize> {
        self.oldest
    }

    /// Puts a slot at the recent end; it must not be in.
    pub(super) fn push(&mut self, slot: usize) {
        if self.links.len() <= slot {
            self.links.resize(slot + 1, Links::default());
        }
        self.links[slot] = Links { newer: None, older: self.newest, is_in: true };
        match self.newest {
            Some(newest) => self.links[newest].newer = Some(slot),
            None => self.oldest = Some(slot),
        }
        self.newest = Some(slot);
        self.len += 1;
    }

    /// Takes a slot out, if it is in.
    pub(super) fn remove(&mut self, slot: usize) {
        let Some(links) = self.links.get(slot).copied().filter(|links| links.is_in) else { return };
        match links.newer {
            Some(newer) => self.links[newer].older = links.older,
            None => self.newest = links.older,
        }
        match links.older {
            Some(older) => self.links[older].newer = links.newer,
            None => self.oldest = links.newer,
        }
        self.links[slot] = Links::default();
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_and_the_middle() {
        let mut list = Recency::default();
        for slot in [4, 2, 7] {
            list.push(slot);
        }
        assert_eq!((list.newest(), list.oldest(), list.len()), (Some(7), Some(4), 3));
        list.remove(2);
        list.remove(2);
        list.remove(99);
        assert_eq!((list.newest(), list.oldest(), list.len()), (Some(7), Some(4), 2));
        list.remove(7);
        assert_eq!((list.newest(), list.oldest()), (Some(4), Some(4)));
        list.remove(4);
        assert_eq!((list.newest(), list.oldest(), list.len()), (None, None, 0));
    }
}
