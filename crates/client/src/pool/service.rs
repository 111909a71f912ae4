//! What a pool knows of statements: how long the server takes for each text.
//!
//! As TCP does for round trips (RFC 6298): a smoothed mean and a smoothed deviation, and "mean + 4 deviations" is what
//! a statement takes at most, but for surprises. Those are remembered for longer, by the square of what they took: a
//! text of which one in fifty takes 200 ms must not be forgotten between two of these, while a hiccup of 3 ms is no
//! reason for anything.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

/// How long a statement's wait for others on one connection may be, as it is expected, beside what the distance to the
/// server costs anyway.
pub(super) const BUDGET_US: u32 = 2_000;
/// No service time counts for more: one lock that was waited for must not outlast the whole day.
const LONGEST_US: u32 = 1_000_000;
/// About so many executions a surprise is remembered for.
const SURPRISES: f32 = 255.0;
/// The least and the most that one query counts as where connections are compared; a thousand of the latter are not too many
/// for 31 bits.
pub(super) const LEAST_LOAD_US: u32 = 64;
const MOST_LOAD_US: u32 = 1 << 20;
/// Texts of which something is remembered, in each of two generations.
const TEXTS: usize = 2_048;

/// The fingerprint of a statement's text, see [`Query`](crate::session::Query).
pub type Statement = u64;

/// What is expected of one execution, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Estimate {
    /// On average.
    pub(super) mean_us: u32,
    /// The mean deviation from it.
    pub(super) deviation_us: u32,
    /// How much longer than that one waits behind it on average, because of surprises.
    pub(super) surprise_us: u32,
    /// About what the quickest of the last executions took.
    pub(super) least_us: u32,
}

impl Estimate {
    /// How long one waits behind it on average.
    pub(super) const fn wait_us(self) -> u32 {
        self.mean_us.saturating_add(self.surprise_us)
    }

    /// The same in steps: what connections are compared by. A text's estimate goes up and down with what the machine does
    /// otherwise, and connections with as many queries of it have as much to do.
    pub(super) const fn load_us(self) -> u32 {
        let wait_us = if self.wait_us() < LEAST_LOAD_US { LEAST_LOAD_US } else { self.wait_us() };
        if wait_us < MOST_LOAD_US { wait_us.next_power_of_two() } else { MOST_LOAD_US }
    }

    /// How long one waits behind it at most, but for surprises that are rare.
    pub(super) const fn most_us(self) -> u32 {
        self.wait_us().saturating_add(self.deviation_us.saturating_mul(4))
    }
}

/// The service times of one text.
#[derive(Clone, Copy, Debug)]
struct Service {
    mean_us: f32,
    deviation_us: f32,
    /// How much longer than on average one waits behind it because of surprises: the smoothed square of what they took,
    /// over the budget. Whoever comes while a surprise lasts meets it with a probability that grows with its length.
    surprise_us: f32,
    /// The shortest time; a longer one is believed when there are many.
    least_us: f32,
    /// There was one execution only: it was parsed and planned in it, so that the next one knows better.
    is_first: bool,
}

impl Service {
    fn first(service_us: f32) -> Self {
        let (mean_us, deviation_us) = (service_us, service_us / 2.0);
        Self { mean_us, deviation_us, surprise_us: 0.0, least_us: service_us, is_first: true }
    }

    /// So many executions took so long each, as far as is known: a single measurement. A stall of the machine while ten were
    /// under way is not ten times as true.
    fn observe(&mut self, service_us: f32, count: f32) {
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        let budget_us = BUDGET_US as f32;
        let surprise_us = if service_us > budget_us { service_us * service_us / budget_us } else { 0.0 };
        if self.is_first && service_us < self.mean_us {
            *self = Self { is_first: false, ..Self::first(service_us) };
            return;
        }
        self.is_first = false;
        self.least_us = service_us.min(self.least_us.max(1.0) * 1.1);
        self.deviation_us += ((service_us - self.mean_us).abs() - self.deviation_us) / 4.0;
        self.mean_us += (service_us - self.mean_us) / 8.0;
        self.surprise_us += (surprise_us - self.surprise_us) * (count / (count + SURPRISES));
    }

    fn estimate(&self) -> Estimate {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
        let whole = |us: f32| us as u32;
        Estimate {
            mean_us: whole(self.mean_us),
            deviation_us: whole(self.deviation_us),
            surprise_us: whole(self.surprise_us),
            least_us: whole(self.least_us),
        }
    }
}

/// What is known of the texts that were executed lately.
#[derive(Default)]
pub(super) struct Services {
    /// Those that were used since the last change of generations.
    recent: Texts,
    /// Those that were used in the generation before it. A text that is used goes over to the recent ones, the others are
    /// forgotten with the next change, so that texts which come once each do not pile up.
    former: Texts,
}

type Texts = HashMap<Statement, Service, BuildHasherDefault<FingerprintHasher>>;

impl Services {
    /// What an execution of a text is expected to take; `None` for a text that is unknown.
    pub(super) fn estimate(&self, statement: Statement) -> Option<Estimate> {
        self.recent.get(&statement).or_else(|| self.former.get(&statement)).map(Service::estimate)
    }

    /// How long an execution of a text takes on average, if it is known to take long each time. One that does so now and
    /// then is not meant: most of its executions are quick.
    pub(super) fn slow_us(&self, statement: Statement) -> Option<u32> {
        self.estimate(statement).filter(|estimate| estimate.least_us > BUDGET_US).map(|estimate| estimate.mean_us)
    }

    /// So many executions, one at least, took so long each.
    pub(super) fn observe(&mut self, statement: Statement, service: Duration, count: u16) {
        let us = u32::try_from(service.as_micros()).unwrap_or(u32::MAX).min(LONGEST_US);
        #[expect(clippy::cast_precision_loss, reason = "24 bits are more than is known")]
        let service_us = us as f32;
        let count = f32::from(count);
        if let Some(known) = self.recent.get_mut(&statement) {
            return known.observe(service_us, count);
        }
        let known = match self.former.remove(&statement) {
            None => Service::first(service_us),
            Some(mut known) => {
                known.observe(service_us, count);
                known
            }
        };
        if self.recent.len() >= TEXTS {
            self.former = std::mem::take(&mut self.recent);
        }
        self.recent.insert(statement, known);
    }
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct FingerprintHasher(u64);

impl Hasher for FingerprintHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Statement = 7;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    fn after(services: impl IntoIterator<Item = u64>) -> Estimate {
        let mut known = Services::default();
        for service_us in services {
            known.observe(TEXT, us(service_us), 1);
        }
        known.estimate(TEXT).unwrap()
    }

    #[test]
    fn a_text_is_unknown_until_it_has_been_executed() {
        let mut known = Services::default();
        assert_eq!(known.estimate(TEXT), None);
        known.observe(TEXT, us(100), 1);
        assert_eq!(
            known.estimate(TEXT),
            Some(Estimate { mean_us: 100, deviation_us: 50, surprise_us: 0, least_us: 100 })
        );
        assert_eq!(known.estimate(TEXT + 1), None);
    }

    #[test]
    fn the_first_execution_is_forgotten_for_a_quicker_second() {
        assert_eq!(after([5_000, 100]), after([100]));
        assert!(after([100, 5_000]).most_us() > BUDGET_US);
    }

    #[test]
    fn a_text_that_always_takes_the_same_has_no_deviation() {
        let estimate = after([300; 100]);
        assert_eq!((estimate.mean_us, estimate.deviation_us), (300, 0));
    }

    #[test]
    fn one_in_fifty_that_takes_200_ms_is_never_forgotten() {
        let mut known = Services::default();
        for round in 0..20 {
            known.observe(TEXT, us(200_000), 1);
            for _ in 0..49 {
                known.observe(TEXT, us(100), 1);
                if round > 0 {
                    assert!(known.estimate(TEXT).unwrap().most_us() > BUDGET_US);
                }
            }
        }
    }

    #[test]
    fn one_hiccup_is_forgotten_in_a_while_and_small_ones_are_no_matter() {
        let hiccup = |service_us| after([200; 50].into_iter().chain([service_us]).chain([200; 1_500]));
        assert!(hiccup(200_000).most_us() < BUDGET_US);
        let often = (0..2_000).map(|number| if number % 200 == 0 { 3_000 } else { 100 });
        let estimate = after(often.chain([100; 20]));
        assert!(estimate.wait_us() < 200, "{estimate:?}");
    }

    #[test]
    fn what_waited_for_a_lock_for_hours_counts_as_a_second() {
        assert_eq!(after([100, 3_600_000_000]), after([100, 1_000_000]));
    }

    #[test]
    fn slow_is_what_is_slow_each_time() {
        let slow_us = |services: Vec<u64>| {
            let mut known = Services::default();
            services.into_iter().for_each(|service_us| known.observe(TEXT, us(service_us), 1));
            known.slow_us(TEXT)
        };
        assert_eq!(slow_us(vec![200_000, 200_000, 200_000]), Some(200_000));
        assert!(slow_us(vec![150_000, 250_000, 90_000, 400_000]).is_some());
        assert_eq!(slow_us(vec![100; 50]), None);
        assert_eq!(slow_us([vec![100; 50], vec![200_000; 10]].concat()), None);
        assert!(slow_us([vec![100; 50], vec![200_000; 100]].concat()).is_some());
    }

    #[test]
    fn texts_that_come_once_each_do_not_pile_up_and_push_out_none_that_is_used() {
        let mut known = Services::default();
        for text in 0..100_000 {
            known.observe(text + 10, us(100), 1);
            known.observe(TEXT, us(100), 1);
            assert!(known.recent.len() + known.former.len() <= 2 * TEXTS);
        }
        assert!(known.estimate(TEXT).is_some());
        assert_eq!(known.estimate(10), None);
    }
}
