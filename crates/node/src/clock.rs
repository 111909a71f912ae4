//! The clock of one environment: of all deadlines, and of what the server takes.

use std::time::{Duration, Instant};

use oxpg_client::pool::Arrival;

/// How long the loop has at least been waiting when it has slept: asking the system, and what other sockets told, took less.
const SLEPT: Duration = Duration::from_micros(100);

/// Time since the environment began.
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX)
    }
}

/// When the loop has looked at its sockets. An answer that it finds after it has slept has just arrived; one that was
/// there before it could look has come at some time since the last look, while JavaScript ran, say.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// When the loop last began to wait for sockets.
    began: Duration,
    /// The same of the turn before.
    began_before: Duration,
    /// When this turn's first socket was found ready.
    found: Option<Duration>,
    /// What the turn before knew at its end.
    looked_before: Duration,
    /// Not all sockets that are ready have been read.
    is_reading: bool,
}

impl Looks {
    /// The loop begins to wait for sockets.
    pub(crate) fn begin(&mut self, now: Duration) {
        self.is_reading = false;
        self.looked_before = self.found.take().unwrap_or(self.began);
        self.began_before = std::mem::replace(&mut self.began, now);
    }

    /// A socket is ready; `now` is asked for once a turn.
    pub(crate) fn find(&mut self, now: impl FnOnce() -> Duration) {
        self.found.get_or_insert_with(now);
        self.is_reading = true;
    }

    /// All that were ready have been read.
    pub(crate) fn end(&mut self) {
        self.is_reading = false;
    }

    /// What has not been told of by now was not there at this time.
    pub(crate) fn looked_at(&self) -> Duration {
        if self.is_reading { self.looked_before } else { self.found.unwrap_or(self.began) }
    }

    /// Since when this turn's sockets are being read, if they are.
    pub(crate) fn reading_since(&self) -> Option<Duration> {
        self.found.filter(|_| self.is_reading)
    }

    /// When the answers of this turn arrived, at the earliest.
    pub(crate) fn arrival(&self) -> Arrival {
        let found = self.found.unwrap_or(self.began);
        let is_exact = found.saturating_sub(self.began) >= SLEPT;
        Arrival { at: if is_exact { found } else { self.began_before }, is_exact, is_prepared_first: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn an_answer_for_which_the_loop_slept_has_just_arrived() {
        let mut looks = Looks::default();
        looks.begin(us(1_000));
        looks.find(|| us(1_400));
        looks.find(|| unreachable!("the others of the turn were there as well"));
        let arrival = Arrival { at: us(1_400), is_exact: true, is_prepared_first: false };
        assert_eq!((looks.arrival(), looks.looked_at()), (arrival, us(0)));
        assert_eq!(looks.reading_since(), Some(us(1_400)));
        looks.end();
        assert_eq!((looks.arrival(), looks.looked_at()), (arrival, us(1_400)));
        assert_eq!(looks.reading_since(), None);
    }

    #[test]
    fn one_that_was_there_already_may_have_come_since_the_last_look() {
        let mut looks = Looks::default();
        looks.begin(us(1_000));
        // JavaScript has run for long.
        looks.begin(us(90_000));
        looks.find(|| us(90_003));
        assert_eq!(looks.arrival(), Arrival { at: us(1_000), is_exact: false, is_prepared_first: false });
        looks.begin(us(91_000));
        assert_eq!((looks.looked_at(), looks.arrival().at), (us(91_000), us(90_000)));
    }
}
