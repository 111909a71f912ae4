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
#[expect(clippy::cast_precision_loss, reason = "a small constant")]
const BUDGET: f32 = BUDGET_US as f32;
/// No service time counts for more: one lock that was waited for must not outlast the whole day.
const LONGEST_US: u32 = 1_000_000;
/// About so many executions a surprise is remembered for.
const SURPRISES: f32 = 255.0;
/// The least and the most that one query counts as where connections are compared; a thousand of the latter are not too many
/// for 31 bits.
const LEAST_LOAD_US: u32 = 64;
const MOST_LOAD_US: u32 = 1 << 20;
/// A text stays at its step until it takes less than such a part of that: one between two steps does not go to and fro.
const WITHIN_STEP: u32 = 4;
/// How fast the noise is believed to be less, and more, in parts: it is that of the texts with the least of it.
const QUIETER: f32 = 8.0;
const NOISIER: f32 = 256.0;
/// More is not what a machine does to all statements, but what statements do.
const MOST_NOISE_US: f32 = 5_000.0;
/// Texts of which something is remembered, in each of two generations.
const TEXTS: usize = 2_048;

/// The fingerprint of a statement's text, see [`Query`](crate::session::Query).
pub type Statement = u64;

/// What is expected of one execution, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Estimate {
    /// On average.
    pub(super) mean_us: u32,
    /// The mean deviation from it.
    pub(super) deviation_us: u32,
    /// How much longer than that one waits behind it on average, because of surprises.
    pub(super) surprise_us: u32,
    /// About what the quickest of the last executions took.
    pub(super) least_us: u32,
    /// What one waits behind it on average, in steps: what connections are compared by. A text's estimate goes up and down
    /// with what the machine does otherwise, and connections with as many queries of it have as much to do.
    pub(super) load_us: u32,
}

impl Estimate {
    /// Of a text that was never executed.
    pub(super) const UNKNOWN: Self =
        Self { mean_us: 0, deviation_us: 0, surprise_us: 0, least_us: 0, load_us: LEAST_LOAD_US };

    /// How long one waits behind it on average.
    pub(super) const fn wait_us(self) -> u32 {
        self.mean_us.saturating_add(self.surprise_us)
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
    /// The step of what one waits behind it, see [`Estimate::load_us`].
    load_us: u32,
    /// There was one execution only: it was parsed and planned in it, so that the next one knows better.
    is_first: bool,
}

impl Service {
    fn first(service_us: f32) -> Self {
        let (mean_us, deviation_us) = (service_us, service_us / 2.0);
        let load_us = step_of(service_us);
        Self { mean_us, deviation_us, surprise_us: 0.0, least_us: service_us, load_us, is_first: true }
    }

    /// So many executions took so long each, as far as is known: a single measurement. A stall of the machine while ten were
    /// under way is not ten times as true.
    fn observe(&mut self, service_us: f32, count: f32) {
        let surprise_us = if service_us > BUDGET { service_us * service_us / BUDGET } else { 0.0 };
        if self.is_first && service_us < self.mean_us {
            *self = Self { is_first: false, ..Self::first(service_us) };
            return;
        }
        self.is_first = false;
        self.least_us = service_us.min(self.least_us.max(1.0) * 1.1);
        // What is far beyond that is a surprise: one stall is not to make all that follow slow.
        let usual_us = service_us.min(self.mean_us + 4.0 * self.deviation_us + BUDGET);
        self.deviation_us += ((usual_us - self.mean_us).abs() - self.deviation_us) / 4.0;
        self.mean_us += (usual_us - self.mean_us) / 8.0;
        self.surprise_us += (surprise_us - self.surprise_us) * (count / (count + SURPRISES));
        let step_us = step_of(self.mean_us + self.surprise_us);
        if step_us > self.load_us || step_us < self.load_us / WITHIN_STEP {
            self.load_us = step_us;
        }
    }

    /// By how much it takes longer than its quickest, as a rule; of a text that is slow each time that says nothing.
    fn noise_us(&self) -> Option<f32> {
        let noise_us = self.mean_us + 4.0 * self.deviation_us + self.surprise_us - self.least_us;
        (self.least_us < BUDGET).then(|| noise_us.clamp(0.0, MOST_NOISE_US))
    }

    fn estimate(&self) -> Estimate {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
        let whole = |us: f32| us as u32;
        Estimate {
            mean_us: whole(self.mean_us),
            deviation_us: whole(self.deviation_us),
            surprise_us: whole(self.surprise_us),
            least_us: whole(self.least_us),
            load_us: self.load_us,
        }
    }
}

/// The power of two that is not less.
fn step_of(wait_us: f32) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
    let wait_us = wait_us as u32;
    wait_us.clamp(LEAST_LOAD_US, MOST_LOAD_US).next_power_of_two()
}

/// What is known of the texts that were executed lately.
#[derive(Default)]
pub(super) struct Services {
    /// Those that were used since the last change of generations.
    recent: Texts,
    /// Those that were used in the generation before it. A text that is used goes over to the recent ones, the others are
    /// forgotten with the next change, so that texts which come once each do not pile up.
    former: Texts,
    /// By how much the texts that vary least take longer than their quickest, in microseconds. That is not the statements but
    /// the machine, the server's or this one: where it has more to do than processors, or the way between.
    noise_us: f32,
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

    /// How much longer than its budget one may wait, in microseconds, since all are held up from time to time: a connection alone
    /// would be held up as well, and costs a round trip for each query.
    pub(super) fn allowance_us(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is small and positive")]
        let noise_us = self.noise_us as u32;
        noise_us * 4
    }

    fn note_noise(&mut self, noise_us: Option<f32>) {
        let Some(noise_us) = noise_us else { return };
        let parts = if noise_us < self.noise_us { QUIETER } else { NOISIER };
        self.noise_us += (noise_us - self.noise_us) / parts;
    }

    /// So many executions, one at least, took so long each.
    pub(super) fn observe(&mut self, statement: Statement, service: Duration, count: u16) {
        let us = u32::try_from(service.as_micros()).unwrap_or(u32::MAX).min(LONGEST_US);
        #[expect(clippy::cast_precision_loss, reason = "24 bits are more than is known")]
        let service_us = us as f32;
        let count = f32::from(count);
        if let Some(known) = self.recent.get_mut(&statement) {
            known.observe(service_us, count);
            let noise_us = known.noise_us();
            self.note_noise(noise_us);
            return;
        }
        let known = match self.former.remove(&statement) {
            None => Service::first(service_us),
            Some(mut known) => {
                known.observe(service_us, count);
                self.note_noise(known.noise_us());
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
            Some(Estimate { mean_us: 100, deviation_us: 50, surprise_us: 0, least_us: 100, load_us: 128 })
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
    fn one_stall_does_not_make_what_follows_slow() {
        let estimate = after([100; 50].into_iter().chain([20_000]).chain([100; 5]));
        assert!(estimate.mean_us < 300, "{estimate:?}");
        // Where it is slow from now on, that is soon known.
        assert!(after([100; 50].into_iter().chain([20_000; 12])).mean_us > 10_000);
    }

    #[test]
    fn what_goes_to_and_fro_between_two_steps_stays_at_one() {
        let mut known = Services::default();
        let mut steps = Vec::new();
        for round in 0..200 {
            known.observe(TEXT, us(if round / 20 % 2 == 0 { 100 } else { 200 }), 1);
            steps.push(known.estimate(TEXT).unwrap().load_us);
        }
        steps.dedup();
        assert_eq!(steps, [128, 256]);
        assert!(after([1_000; 20].into_iter().chain([10; 50])).load_us <= 128);
    }

    /// Texts that are held up one time in ten, the first of them so long; the allowance then.
    fn allowance_us(stalls_us: &[u64]) -> u32 {
        let mut known = Services::default();
        for round in 0..5_000 {
            for (text, stall_us) in (0..).zip(stalls_us) {
                known.observe(text, us(if (round + text) % 10 == 0 { 100 + stall_us } else { 100 }), 1);
            }
        }
        known.allowance_us()
    }

    #[test]
    fn where_all_texts_are_held_up_there_is_more_patience() {
        assert!(allowance_us(&[0]) < 50);
        assert!(allowance_us(&[8_000]) > 8_000);
        assert!(allowance_us(&[8_000, 9_000, 7_000]) > 8_000);
        assert!(allowance_us(&[400_000]) <= 20_000);
        // It is only some of them: then it is not the machine.
        assert!(allowance_us(&[8_000, 0, 9_000]) < 2_000);
        // A text that is slow each time says nothing of it.
        let mut known = Services::default();
        for round in 0..5_000 {
            known.observe(TEXT, ms_of(5 + round % 7 * 20), 1);
        }
        assert_eq!(known.allowance_us(), 0);
    }

    fn ms_of(ms: u64) -> Duration {
        us(1_000 * ms)
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
