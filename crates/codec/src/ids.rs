//! Ids of what JavaScript keeps by them.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts ids for one sort of things. A `static`, since what is made on one thread must not look like what was made on
/// another.
#[derive(Debug, Default)]
pub struct Ids(AtomicU32);

impl Ids {
    /// Ids from 1 on.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// An id that is not 0, which stands for none. The one after 2³² − 1 is 1 again.
    pub fn fresh(&self) -> u32 {
        loop {
            let id = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if id != 0 {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_never_zero() {
        let ids = Ids::new();
        assert_eq!((ids.fresh(), ids.fresh()), (1, 2));
        let last = Ids(AtomicU32::new(u32::MAX - 1));
        assert_eq!((last.fresh(), last.fresh()), (u32::MAX, 1));
    }
}
