//! Guards: a connection that owes an answer, and whose head has not moved within its limit, is given up.
//!
//! A caller that waits has his own timeout. What nobody waits for has a limit here: a request whose caller has left, a
//! reset, and the calls that a lease left in flight, which its reset waits for. Without one, a server that is not there
//! any more would keep a slot of the pool, or a connection of nobody's pool, for good.
//!
//! A guard lasts as long as such a request is anywhere in the pipeline, and looks at the head every two seconds: one that
//! moved has its whole limit again, however often a guard was asked for meanwhile. So a connection is never given up
//! before its head has stood still for the limit, and two seconds after that at the latest.
//!
//! An abandoned head that stands still is pressed on the way there: its cancel may have been held back for the sake of
//! those behind it, have come too early, or have been lost.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::action::ConnectionId;
use crate::session::{Head, RequestId, Session};

/// What the head of a pipeline is, as far as it has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// A request whose caller has left: the server is to answer, or to be interrupted.
    Abandoned,
    /// The same on a connection that is no pool's, and cannot be replaced by another.
    AbandonedAlone,
    /// The pool's reset.
    Reset,
    /// What the reset waits for: a call that was still in flight when its connection was released, or the end of a cancel.
    Leftover,
    /// A call whose caller waits, in front of one that has a limit.
    Ahead,
    /// The end of a cancel connection: the request was interrupted.
    CancelEnd,
}

impl Owed {
    /// What a connection owes at this moment; `reset` is its pool's reset, if one is in flight there. `None` when nothing
    /// in its pipeline has a limit.
    #[must_use]
    pub fn of(session: &Session, is_pooled: bool, reset: Option<RequestId>) -> Option<Self> {
        if session.is_held_by_cancel() {
            return Some(Self::CancelEnd);
        }
        match session.head() {
            Head::Nothing => None,
            Head::Abandoned if is_pooled => Some(Self::Abandoned),
            Head::Abandoned => Some(Self::AbandonedAlone),
            Head::Caller(request) if reset == Some(request) => Some(Self::Reset),
            Head::Caller(_) | Head::Unwritten if reset.is_some() => Some(Self::Leftover),
            Head::Caller(_) | Head::Unwritten => session.has_abandoned().then_some(Self::Ahead),
        }
    }

    /// How long the head may stand still; `None` for ever.
    #[must_use]
    pub const fn limit(self) -> Option<Duration> {
        match self {
            Self::Abandoned | Self::Reset => Some(ANSWER_LIMIT),
            Self::AbandonedAlone => Some(ALONE_LIMIT),
            Self::Leftover => Some(LEFTOVER_LIMIT),
            Self::Ahead | Self::CancelEnd => None,
        }
    }

    /// Whether [`Session::press`] helps.
    const fn can_be_pressed(self) -> bool {
        matches!(self, Self::Abandoned | Self::AbandonedAlone | Self::CancelEnd)
    }
}

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Waits,
    /// It has stood still for a while, see [`Session::press`].
    Presses,
    /// Its head has stood still for its limit.
    GivesUp,
}

/// How long a server may take to answer a reset, or to get past a request that it was asked to interrupt.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// The same of a connection that is no pool's: its session may be worth more than a short wait.
const ALONE_LIMIT: Duration = Duration::from_secs(5);
/// The longest time between two looks at a guarded connection.
const LOOK_INTERVAL: Duration = ANSWER_LIMIT;
/// How long an abandoned head may go on before it is pressed, and then pressed again.
const PRESS_AFTER: Duration = Duration::from_millis(50);
const PRESS_INTERVAL: Duration = Duration::from_millis(500);

/// How long calls may run on that were still in flight when their connection was released.
pub const LEFTOVER_LIMIT: Duration = Duration::from_secs(60);

/// The guards of all connections of one environment.
#[derive(Debug, Default)]
pub struct Guards {
    by_connection: HashMap<ConnectionId, Guard>,
    due: BTreeSet<(Duration, ConnectionId)>,
}

#[derive(Clone, Copy, Debug)]
struct Guard {
    head: u64,
    owed: Owed,
    /// Since when that head has been known to owe this.
    since: Duration,
    /// When it is to be pressed, if that helps.
    press_at: Duration,
    /// When it is looked at again.
    due: Duration,
}

impl Guards {
    /// Looks at a connection: when something on it begins to have a limit, and whenever [`Self::pop_due`] names it.
    ///
    /// `head` changes with the head of the pipeline. `owed` is what the head is, `None` when nothing in the pipeline has
    /// a limit.
    #[must_use]
    pub fn look(&mut self, now: Duration, connection: ConnectionId, head: u64, owed: Option<Owed>) -> Look {
        let before = self.by_connection.get(&connection).copied();
        self.forget(connection);
        let Some(owed) = owed else { return Look::Waits };
        let same = before.filter(|guard| guard.head == head && guard.owed == owed);
        let since = same.map_or(now, |guard| guard.since);
        let mut press_at = same.map_or_else(|| now.saturating_add(PRESS_AFTER), |guard| guard.press_at);
        let given_up_at = owed.limit().map(|limit| since.saturating_add(limit));
        if given_up_at.is_some_and(|given_up_at| given_up_at <= now) {
            return Look::GivesUp;
        }
        let presses = owed.can_be_pressed() && press_at <= now;
        if presses {
            press_at = now.saturating_add(PRESS_INTERVAL);
        }
        let mut due = now.saturating_add(LOOK_INTERVAL);
        if owed.can_be_pressed() {
            due = due.min(press_at);
        }
        due = given_up_at.map_or(due, |given_up_at| given_up_at.min(due));
        self.by_connection.insert(connection, Guard { head, owed, since, press_at, due });
        self.due.insert((due, connection));
        if presses { Look::Presses } else { Look::Waits }
    }

    /// A connection is gone.
    pub fn forget(&mut self, connection: ConnectionId) {
        if let Some(guard) = self.by_connection.remove(&connection) {
            self.due.remove(&(guard.due, connection));
        }
    }

    /// When the next connection is to be looked at.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A connection to look at now.
    pub fn pop_due(&mut self, now: Duration) -> Option<ConnectionId> {
        let (due, connection) = *self.due.first()?;
        if due > now {
            return None;
        }
        self.due.pop_first();
        Some(connection)
    }
}
