//! Random order, for `load_balance_hosts`; nothing secret depends on it.

use std::hash::{BuildHasher, RandomState};

/// Puts `items` into an order of which each is as likely as any other (Fisher and Yates).
pub(super) fn shuffle<T>(items: &mut [T]) {
    let random = RandomState::new();
    for last in (1..items.len()).rev() {
        let bound = u64::try_from(last + 1).unwrap_or(u64::MAX);
        // The remainder favours low places by less than one in 2^50.
        let place = usize::try_from(random.hash_one(last) % bound).unwrap_or_default();
        items.swap(last, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn every_order_comes_about_as_often() {
        let mut seen: HashMap<[u8; 3], u32> = HashMap::new();
        for _ in 0..6000 {
            let mut items = [1, 2, 3];
            shuffle(&mut items);
            *seen.entry(items).or_default() += 1;
        }
        assert_eq!(seen.len(), 6);
        // Each is expected 1000 times, give or take 30; ten times that never happens.
        assert!(seen.values().all(|count| (700..1300).contains(count)), "{seen:?}");
        shuffle::<u8>(&mut []);
    }
}
