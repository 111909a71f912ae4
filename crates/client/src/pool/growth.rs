//! When connections may be opened, and how many at once.
//!
//! A server that comes back after a restart must not meet every client's whole pool at once: after a failure one
//! attempt at a time goes out, with exponential backoff and jitter, and each success lets one more run beside it,
//! so the number doubles with each round, as in TCP's slow start.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::AttemptId;
use super::random::Random;

/// Attempts that may run at once before anything has failed: a default pool may fill at one go.
const FIRST_WINDOW: usize = 10;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// An attempt younger than this is expected to succeed soon, so that it is worth waiting for.
const OPEN_PATIENCE: Duration = Duration::from_millis(250);

pub(super) struct Growth {
    attempts: BTreeMap<AttemptId, Attempt>,
    last_attempt: AttemptId,
    /// Attempts under way that began in this round. Older ones may hang until they time out, and must not keep a
    /// server that is back from being found.
    current: usize,
    window: usize,
    /// Failures in a row, counting attempts that ran side by side as one.
    failures: u32,
    /// Goes up with each failure that counts; tells attempts that began before it.
    round: u64,
    retry_at: Option<Duration>,
    /// Attempts that nobody wants any more, and that the driver has not been told to stop.
    unwanted: Vec<AttemptId>,
}

struct Attempt {
    started: Duration,
    round: u64,
    is_expired: bool,
}

/// What a connection is to the pool that an attempt has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    Wanted,
    /// It may be from before what the application said has changed.
    Expired,
    /// No such attempt was under way.
    Unwanted,
}

impl Growth {
    pub(super) const fn new() -> Self {
        Self {
            attempts: BTreeMap::new(),
            last_attempt: 0,
            current: 0,
            window: FIRST_WINDOW,
            failures: 0,
            round: 0,
            retry_at: None,
            unwanted: Vec::new(),
        }
    }

    /// Attempts under way.
    pub(super) fn len(&self) -> usize {
        self.attempts.len()
    }

    /// Whether the backoff and the window let another attempt start.
    pub(super) fn may_start(&self, now: Duration) -> bool {
        self.current < self.window && self.retry_at.is_none_or(|retry_at| retry_at <= now)
    }

    /// When the backoff ends, if it alone holds the next attempt back.
    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.retry_at.filter(|_| self.current < self.window)
    }

    /// Until when an attempt under way is expected to bring a connection; `None` when none is, or the last failed.
    pub(super) fn expected_until(&self) -> Option<Duration> {
        let (_, newest) = self.attempts.last_key_value().filter(|_| self.failures == 0)?;
        Some(newest.started.saturating_add(OPEN_PATIENCE))
    }

    pub(super) fn start(&mut self, now: Duration) -> AttemptId {
        self.last_attempt = self.last_attempt.wrapping_add(1);
        self.attempts.insert(self.last_attempt, Attempt { started: now, round: self.round, is_expired: false });
        self.current += 1;
        self.last_attempt
    }

    pub(super) fn succeed(&mut self, attempt: AttemptId) -> Brought {
        let Some(ended) = self.end(attempt) else { return Brought::Unwanted };
        self.failures = 0;
        self.retry_at = None;
        self.window = self.window.saturating_add(1);
        if ended.is_expired { Brought::Expired } else { Brought::Wanted }
    }

    /// What the attempts under way bring is as old as what is open now.
    pub(super) fn expire(&mut self) {
        self.attempts.values_mut().for_each(|attempt| attempt.is_expired = true);
    }

    /// False when no such attempt is under way.
    pub(super) fn fail(&mut self, now: Duration, attempt: AttemptId, random: &mut Random) -> bool {
        let Some(failed) = self.end(attempt) else { return false };
        if failed.round == self.round || self.failures == 0 {
            let doubled = FIRST_BACKOFF.saturating_mul(1 << self.failures.min(16));
            self.failures = self.failures.saturating_add(1);
            self.retry_at = Some(now.saturating_add(random.upper_half(doubled.min(LONGEST_BACKOFF))));
            self.round += 1;
            self.current = 0;
            self.window = 1;
        }
        true
    }

    /// A connection was lost: perhaps all will be, and are to be opened again, no more at once than at the start.
    pub(super) fn lost(&mut self) {
        self.window = self.window.min(FIRST_WINDOW);
    }

    /// Attempts under way are nobody's any more.
    pub(super) fn abandon(&mut self) {
        self.unwanted.extend(std::mem::take(&mut self.attempts).into_keys());
        self.current = 0;
    }

    /// An attempt that is to be stopped.
    pub(super) fn next_unwanted(&mut self) -> Option<AttemptId> {
        self.unwanted.pop()
    }

    /// Whether the last attempts failed and the next one has to wait, with none under way.
    pub(super) fn is_backing_off(&self, now: Duration) -> bool {
        self.attempts.is_empty() && self.retry_at.is_some_and(|retry_at| retry_at > now)
    }

    fn end(&mut self, attempt: AttemptId) -> Option<Attempt> {
        let ended = self.attempts.remove(&attempt)?;
        if ended.round == self.round {
            self.current -= 1;
        }
        Some(ended)
    }
}
