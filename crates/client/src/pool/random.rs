//! A small generator for jitter (splitmix64, Steele, Lea and Flood 2014); nothing secret depends on it.

use std::time::Duration;

pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Evenly distributed in [0, 1).
    pub(super) fn fraction(&mut self) -> f64 {
        let high = u32::try_from(self.next() >> 32).unwrap_or(0);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }

    /// Evenly distributed between half of `duration` and all of it.
    pub(super) fn upper_half(&mut self, duration: Duration) -> Duration {
        scaled(duration, 0.5 + 0.5 * self.fraction())
    }

    /// Evenly distributed within `jitter` (a fraction) around `duration`.
    pub(super) fn around(&mut self, duration: Duration, jitter: f64) -> Duration {
        scaled(duration, 1.0 + jitter * (2.0 * self.fraction() - 1.0))
    }
}

/// `mul_f64` panics where this saturates.
fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_bounds_and_spreads() {
        let mut random = Random::new(1);
        let hour = Duration::from_secs(3600);
        let (low, high) = (hour.mul_f64(0.975), hour.mul_f64(1.025));
        let ages: Vec<Duration> = (0..1000).map(|_| random.around(hour, 0.025)).collect();
        assert!(ages.iter().all(|age| (low..=high).contains(age)));
        assert!(ages.iter().filter(|age| **age < hour).count() > 400);
        assert!(ages.iter().filter(|age| **age > hour).count() > 400);
        assert!((0..1000).map(|_| random.upper_half(hour)).all(|delay| (hour / 2..=hour).contains(&delay)));
    }

    #[test]
    fn a_duration_without_end_stays_without_end() {
        assert!(Random::new(7).around(Duration::MAX, 1.0) >= Duration::ZERO);
        assert_eq!(Random::new(7).around(Duration::MAX, 0.0), Duration::MAX);
    }
}
