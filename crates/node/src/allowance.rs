//! How many bytes the rows of a request may have: a stream's, until its consumer wants more; any result's, at most.

use crate::environment::Environment;
use crate::failure::FailureData;
use crate::outbox::Command;
use crate::reactor::Reactor;
use crate::requests::Place;

/// What happens where the bytes are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It never does.
    Nothing,
    /// The connection is not read until there are more.
    Pauses,
    /// The same, unless something waits behind the request.
    Yields,
    /// The request fails.
    Fails,
}

/// Whether a row may be given to JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    Yes,
    /// Not yet. `is_news`: nobody was told.
    NotYet {
        is_news: bool,
    },
    /// Nor are those that follow. `is_news`: nobody was told.
    Never {
        is_news: bool,
    },
}

/// The bytes that a request's rows may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// So many are left. All that one row costs where nobody asked is that they are counted.
    left: u64,
    given: u64,
    used: u64,
    then: Then,
    /// Somebody was told that they are used up.
    is_told: bool,
    /// Something waits behind the request: it is not held up any more.
    has_yielded: bool,
}

impl Allowance {
    pub(crate) const UNLIMITED: Self = Self::of(u64::MAX, Then::Nothing);

    const fn of(bytes: u64, then: Then) -> Self {
        Self { left: bytes, given: bytes, used: 0, then, is_told: false, has_yielded: false }
    }

    /// Bytes of the rows so far.
    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    /// Nothing is read for it, and nothing keeps the process alive for it, until there are more.
    pub(crate) fn is_paused(&self) -> bool {
        matches!(self.then, Then::Pauses | Then::Yields) && self.is_told
    }

    /// So many bytes more, unless the request is not to be held up.
    fn renew(&mut self, bytes: u64, then: Then) {
        if !self.has_yielded {
            *self = Self { used: self.used, ..Self::of(bytes, then) };
        }
    }

    /// Something is sent behind the request, which is not held up from here on if it [yields](Then::Yields). True when it was.
    pub(crate) fn give_way(&mut self) -> bool {
        if self.then != Then::Yields {
            return false;
        }
        let was_paused = self.is_paused();
        *self = Self { used: self.used, has_yielded: true, ..Self::UNLIMITED };
        was_paused
    }

    /// What they were limited to, if they had more.
    pub(crate) fn exceeded(&self) -> Option<u64> {
        (self.then == Then::Fails && self.is_told).then_some(self.given)
    }

    /// A row of so many bytes was given to JavaScript.
    pub(crate) const fn use_up(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes as u64);
        self.used += bytes as u64;
    }

    /// Whether the next row may be given to JavaScript.
    pub(crate) fn allows(&mut self, bytes: usize) -> Allowed {
        if self.left >= bytes as u64 { Allowed::Yes } else { self.judge() }
    }

    /// Whether so many bytes of rows that wait in Rust may still be given to JavaScript, all together. Those of a stream may: they
    /// only come later.
    pub(crate) fn allows_later(&mut self, bytes: usize) -> Allowed {
        if self.then == Then::Fails { self.allows(bytes) } else { Allowed::Yes }
    }

    #[cold]
    fn judge(&mut self) -> Allowed {
        match self.then {
            // A row may have more than all that is left, or it would never come.
            Then::Pauses | Then::Yields if self.left > 0 => Allowed::Yes,
            Then::Pauses | Then::Yields => Allowed::NotYet { is_news: !std::mem::replace(&mut self.is_told, true) },
            Then::Fails => {
                self.left = 0;
                Allowed::Never { is_news: !std::mem::replace(&mut self.is_told, true) }
            }
            Then::Nothing => Allowed::Yes,
        }
    }
}

/// The number of bytes in a command.
fn bytes_of(command: &Command<'_>) -> u64 {
    u64::from(command.query) | u64::from(command.target) << 32
}

impl Environment {
    /// ALLOW: the consumer of a stream wants more.
    pub(crate) fn allow(&mut self, command: &Command<'_>) {
        let Some(state) = self.calls.requests.get_mut(command.slot) else { return };
        let was_paused = state.allowance.is_paused();
        let then = if command.form == 0 { Then::Pauses } else { Then::Yields };
        state.allowance.renew(bytes_of(command), then);
        let place = state.place;
        if let (Then::Yields, Place::Connection(connection)) = (then, place) {
            self.connections.note_yielding(connection, command.slot);
        }
        if was_paused {
            self.reactor.hold();
            if let Place::Connection(connection) = place {
                self.resume(connection);
            }
        }
    }

    /// Something is about to be sent on a connection, or waits for its end: what yields is not held up any more.
    pub(crate) fn let_pass(&mut self, connection: u32) {
        for slot in self.connections.take_yielding(connection) {
            let Some(state) = self.calls.requests.get_mut(slot) else { continue };
            if state.place == Place::Connection(connection) && state.allowance.give_way() {
                self.reactor.hold();
                self.resume(connection);
            }
        }
    }

    /// LIMIT: its caller wants no more than that.
    pub(crate) fn limit(&mut self, command: &Command<'_>) {
        if let Some(state) = self.calls.requests.get_mut(command.slot) {
            state.allowance = Allowance::of(bytes_of(command), Then::Fails);
        }
    }

    /// A result has more bytes than its caller wants: what is left of it is cancelled.
    pub(crate) fn exceed(&mut self, slot: u32) {
        // It may have ended in the same turn.
        let Some(limit) = self.calls.requests.get(slot).and_then(|state| state.allowance.exceeded()) else { return };
        if self.leave(slot) {
            self.fail(slot, FailureData::result_too_large(limit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Allowed, Then};

    fn take(allowance: &mut Allowance, bytes: usize) -> Allowed {
        let allowed = allowance.allows(bytes);
        if allowed == Allowed::Yes {
            allowance.use_up(bytes);
        }
        allowed
    }

    #[test]
    fn without_one_rows_are_counted_and_never_refused() {
        let mut allowance = Allowance::UNLIMITED;
        for bytes in [0, 10, 1 << 30] {
            assert_eq!(take(&mut allowance, bytes), Allowed::Yes);
        }
        assert_eq!(allowance.used(), 10 + (1 << 30));
        assert!(!allowance.is_paused());
    }

    #[test]
    fn a_stream_pauses_once_its_bytes_are_used_up_however_large_its_rows_are() {
        let mut allowance = Allowance::of(10, Then::Pauses);
        assert_eq!([4, 4, 4].map(|bytes| take(&mut allowance, bytes)), [Allowed::Yes; 3]);
        assert!(!allowance.is_paused());
        assert_eq!(take(&mut allowance, 4), Allowed::NotYet { is_news: true });
        assert_eq!(take(&mut allowance, 4), Allowed::NotYet { is_news: false });
        assert!(allowance.is_paused());
    }

    #[test]
    fn a_stream_that_yields_is_not_held_up_any_more_once_something_waits_behind_it() {
        let mut allowance = Allowance::of(10, Then::Yields);
        assert_eq!(take(&mut allowance, 10), Allowed::Yes);
        assert_eq!(take(&mut allowance, 1), Allowed::NotYet { is_news: true });
        allowance.renew(10, Then::Yields);
        assert_eq!(take(&mut allowance, 20), Allowed::Yes);
        assert_eq!(take(&mut allowance, 1), Allowed::NotYet { is_news: true });
        assert!(allowance.is_paused() && allowance.give_way() && !allowance.is_paused());
        allowance.renew(10, Then::Yields);
        assert_eq!([20, 20].map(|bytes| take(&mut allowance, bytes)), [Allowed::Yes; 2]);
        assert_eq!((allowance.used(), allowance.give_way()), (70, false));
        let mut allowance = Allowance::of(10, Then::Pauses);
        assert!(!allowance.give_way());
        assert_eq!([10, 1].map(|bytes| take(&mut allowance, bytes))[1], Allowed::NotYet { is_news: true });
    }

    #[test]
    fn a_limit_is_for_all_rows_together_and_nothing_comes_after_it() {
        let mut allowance = Allowance::of(10, Then::Fails);
        assert_eq!([6, 4].map(|bytes| take(&mut allowance, bytes)), [Allowed::Yes; 2]);
        assert_eq!(take(&mut allowance, 1), Allowed::Never { is_news: true });
        assert_eq!(take(&mut allowance, 1), Allowed::Never { is_news: false });
        assert_eq!((allowance.is_paused(), allowance.exceeded()), (false, Some(10)));
        let mut allowance = Allowance::of(10, Then::Fails);
        assert_eq!([4, 8].map(|bytes| allowance.allows_later(bytes)), [Allowed::Yes; 2]);
        assert_eq!(allowance.allows_later(12), Allowed::Never { is_news: true });
        assert_eq!(Allowance::of(10, Then::Pauses).allows_later(12), Allowed::Yes);
        let mut allowance = Allowance::of(10, Then::Fails);
        assert_eq!(allowance.exceeded(), None);
        assert_eq!(take(&mut allowance, 11), Allowed::Never { is_news: true });
        assert_eq!(take(&mut allowance, 2), Allowed::Never { is_news: false });
    }
}
