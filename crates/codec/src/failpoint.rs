//! Places where a test makes the driver panic. Without the feature `failpoints`, which no release has, nothing of them is
//! compiled.

/// Each place, so that tests can take all of them. What stands before the dot is the layer.
pub const PLACES: &[&str] = &[
    "codec.encode",
    "codec.decode",
    "session.submit",
    "session.receive",
    "session.abandon",
    "session.end",
    "pool.request",
    "pool.release",
    "pool.decide",
    "pool.tick",
    "open.session",
    "open.cancel",
    "open.parting",
    "node.function",
    "node.command",
    "node.read",
    "node.write",
    "node.deliver",
    "node.timer",
    "node.wake",
    "node.farewell",
];

/// Panics if a test has asked for a panic at this place, one of [`PLACES`].
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn pass(_place: &'static str) {}

#[cfg(feature = "failpoints")]
pub use armed::{arm, hits, pass};

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, PoisonError};

    /// What is to happen at one place: so many passes go well, then so many panic.
    #[derive(Default)]
    struct Failpoint {
        skip: u32,
        times: u32,
        hits: u32,
    }

    impl Failpoint {
        fn is_hit(&mut self) -> bool {
            if self.times == 0 {
                return false;
            }
            if self.skip > 0 {
                self.skip -= 1;
                return false;
            }
            self.times -= 1;
            self.hits += 1;
            true
        }
    }

    static FAILPOINTS: LazyLock<Mutex<HashMap<String, Failpoint>>> = LazyLock::new(Mutex::default);

    /// Lets `skip` passes of a place go well, and the `times` after them panic.
    pub fn arm(place: &str, skip: u32, times: u32) {
        let mut all = FAILPOINTS.lock().unwrap_or_else(PoisonError::into_inner);
        let failpoint = all.entry(place.to_owned()).or_default();
        (failpoint.skip, failpoint.times) = (skip, times);
    }

    /// How often a place has panicked.
    pub fn hits(place: &str) -> u32 {
        FAILPOINTS.lock().unwrap_or_else(PoisonError::into_inner).get(place).map_or(0, |failpoint| failpoint.hits)
    }

    /// Panics if a test has asked for a panic at this place, one of [`PLACES`](super::PLACES).
    ///
    /// # Panics
    /// As a test wishes.
    #[expect(clippy::panic, reason = "that is what it is for")]
    pub fn pass(place: &'static str) {
        let is_hit = {
            let mut all = FAILPOINTS.lock().unwrap_or_else(PoisonError::into_inner);
            all.get_mut(place).is_some_and(Failpoint::is_hit)
        };
        if is_hit {
            panic!("the failpoint {place}");
        }
    }
}

#[cfg(all(test, feature = "failpoints"))]
mod tests {
    use super::{arm, hits, pass};

    #[test]
    fn a_place_panics_as_often_as_it_was_asked_to_and_others_do_not() {
        let panics = |place: &'static str| std::panic::catch_unwind(|| pass(place)).is_err();
        arm("pool.tick", 2, 2);
        let passes: Vec<bool> = (0..6).map(|_| panics("pool.tick")).collect();
        assert_eq!(passes, [false, false, true, true, false, false]);
        assert!(!panics("pool.decide"));
        assert_eq!((hits("pool.tick"), hits("pool.decide")), (2, 0));
    }
}
