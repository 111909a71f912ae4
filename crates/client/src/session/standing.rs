//! Where a request stands when the server refuses it: what decides on the meaning of the error.

use super::course::Phase;
use super::query::Description;

/// Where a request stands when an error comes: its kind's own facts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub(super) phase: Phase,
    /// It is one statement, which the server has rolled back if there was no transaction around it.
    pub(super) is_single: bool,
    /// Nothing of it was executed, since the error came in this phase.
    pub(super) is_unexecuted: bool,
    /// It may be sent again after somebody else's cancel has hit it.
    pub(super) may_repeat: bool,
    /// It may run on another connection.
    pub(super) may_move: bool,
    /// It may be sent again after what was known of its statement was wrong.
    pub(super) may_heal: bool,
    /// Its statement has a name on the server.
    pub(super) is_named: bool,
    /// It was parsed and described for an earlier request, perhaps long ago.
    pub(super) is_warm: bool,
    /// It is refused already, and only waits for a COPY's end.
    pub(super) is_copying_out: bool,
    /// Of a batch, the row of parameters that it is at, counted from 0; of a group, the statement.
    pub(super) row: Option<u64>,
    /// What its parameters went by.
    pub(super) description: Option<&'a Description>,
}

impl Standing<'_> {
    /// That of a request in this phase that was executed, is not single, and can neither be repeated, moved nor healed.
    pub(super) fn at(phase: Phase) -> Self {
        Self {
            phase,
            is_single: false,
            is_unexecuted: false,
            may_repeat: false,
            may_move: false,
            may_heal: false,
            is_named: false,
            is_warm: false,
            is_copying_out: false,
            row: None,
            description: None,
        }
    }
}

/// What the engine knows of a request that the server refuses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// Nothing is written behind it, its caller waits, and no transaction is open: sending again overtakes nobody, and
    /// is in no transaction that has just failed.
    pub(super) is_alone: bool,
    /// No transaction is open, as of the last ReadyForQuery.
    pub(super) is_outside_transaction: bool,
    /// Its owner takes requests back.
    pub(super) is_returnable: bool,
    /// It may have run while a cancel for another one was under way.
    pub(super) is_exposed: bool,
    /// It was sent again once after somebody else's cancel.
    pub(super) was_resent: bool,
    /// It was sent again once after what was known of it was wrong.
    pub(super) was_healed: bool,
}
