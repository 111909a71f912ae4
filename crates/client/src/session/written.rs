//! Requests on their way: written, not settled.

use std::rc::Rc;

use oxpg_codec::types::ParameterType;

use super::failure::Failure;
use super::looking_up::{ParkedRows, Unresolved};
use super::query::Description;
use super::request::{PendingRequest, Task};
use super::tag::CommandTag;

/// Which answer comes next. (CloseComplete messages may come before it; see [`WrittenRequest::closes`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// ParseComplete
    Parsing,
    /// ParameterDescription
    ParametersDue,
    /// RowDescription or NoData
    ColumnsDue,
    /// ReadyForQuery after Parse and Describe alone
    Prepared,
    /// None: the caller's parameters are due, or wait for a cancel to be over.
    AwaitingBind,
    /// BindComplete
    Binding,
    /// DataRow, or the end of the portal's rows
    Rows,
    /// Anything that a simple Query may answer
    Script,
    /// See `batch.rs`
    Batch,
    /// See `looking_up.rs`
    LookUp,
    /// ReadyForQuery alone
    Over,
}

/// How a written request ended, known before its ReadyForQuery.
#[derive(Debug)]
pub(super) enum Outcome {
    Complete { tag: CommandTag, is_suspended: bool },
    Failed(Box<Failure>),
    Aborted,
}

/// Why a request is to be sent once more at its ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Somebody else's cancel hit it (rule 11).
    Resend,
    /// Its plan was stale, its statement lost, or what the environment knows of it is out of date (rule 14).
    Heal,
    /// The same, where it cannot be healed here without overtaking others: its owner may take it elsewhere.
    Elsewhere,
    /// Somebody else's cancel hit it, and sending it again here would overtake others: its owner may take it elsewhere.
    ResendElsewhere,
}

/// A request with bytes in the output or on the server.
#[derive(Debug)]
pub(super) struct WrittenRequest {
    pub(super) pending: PendingRequest,
    pub(super) stage: Stage,
    /// The statement that is being parsed or run; `None` is the unnamed one.
    pub(super) statement: Option<Rc<str>>,
    pub(super) description: Option<Rc<Description>>,
    /// From ParameterDescription until RowDescription.
    pub(super) parameters: Vec<ParameterType>,
    /// It is described, with types that have to be looked up.
    pub(super) unresolved: Option<Box<Unresolved>>,
    /// Rows with values whose types have to be looked up, and all behind them.
    pub(super) parked: Option<Box<ParkedRows>>,
    /// Parse, Describe, Bind and Execute went in one write.
    pub(super) is_whole: bool,
    /// Its Sync (or simple Query) is written: ReadyForQuery will come.
    pub(super) is_synced: bool,
    /// A Flush keeps its Sync group open, in the unnamed mode (rule 5).
    pub(super) is_flushed: bool,
    /// CloseComplete messages that come before anything else.
    pub(super) closes: usize,
    pub(super) outcome: Option<Outcome>,
    /// A script's RowDescription came, and the end of its rows has not.
    pub(super) is_in_result: bool,
    /// COPY data comes that nobody wants.
    pub(super) is_copying_out: bool,
    /// Why its rows cannot be delivered.
    pub(super) row_failure: Option<Box<Failure>>,
    /// Rows were delivered.
    pub(super) has_rows: bool,
    /// Its columns came in other formats than were asked for.
    pub(super) is_outdated: bool,
    pub(super) retry: Option<Retry>,
    /// Its caller left and it should be cancelled when it is the head.
    pub(super) wants_cancel: bool,
    /// The cancel that is under way is for this one.
    pub(super) is_cancel_sent: bool,
    /// It may have run while a cancel for another one was under way.
    pub(super) is_exposed: bool,
    /// Where its bytes begin and end in all that was ever written.
    pub(super) start: u64,
    pub(super) end: u64,
}

impl WrittenRequest {
    pub(super) fn new(pending: PendingRequest, stage: Stage, start: u64) -> Self {
        Self {
            pending,
            stage,
            statement: None,
            description: None,
            parameters: Vec::new(),
            unresolved: None,
            parked: None,
            is_whole: false,
            is_synced: false,
            is_flushed: false,
            closes: 0,
            outcome: None,
            is_in_result: false,
            is_copying_out: false,
            row_failure: None,
            has_rows: false,
            is_outdated: false,
            retry: None,
            wants_cancel: false,
            is_cancel_sent: false,
            is_exposed: false,
            start,
            end: start,
        }
    }

    /// Nothing may be written behind it yet.
    pub(super) fn blocks_followers(&self) -> bool {
        if !self.is_synced || self.retry.is_some() {
            return true;
        }
        match &self.pending.task {
            Task::Script { is_control, .. } => !is_control,
            Task::Query { query, .. } => {
                let is_barrier = query.traits.is_copy || query.traits.forgets_statements;
                is_barrier || self.is_cold()
            }
            // A cold batch goes on after its Sync.
            Task::Batch { .. } => !matches!(self.stage, Stage::Batch | Stage::Over),
            // What waits for it goes first.
            Task::LookUp(_) => true,
            Task::Prepare { .. } => false,
        }
    }

    /// A query whose Bind is not written.
    fn is_cold(&self) -> bool {
        !self.is_whole
            && matches!(
                self.stage,
                Stage::Parsing | Stage::ParametersDue | Stage::ColumnsDue | Stage::Prepared | Stage::AwaitingBind
            )
    }

    /// The server may be at work for it, so that a cancel makes sense.
    pub(super) fn is_running(&self) -> bool {
        self.outcome.is_none() && !matches!(self.stage, Stage::AwaitingBind | Stage::Over)
    }

    /// Nothing of it was executed, whatever the server received.
    pub(super) fn is_certainly_unexecuted(&self) -> bool {
        match &self.pending.task {
            Task::Prepare { .. } => true,
            Task::Script { .. } => false,
            Task::LookUp(_) => !self.pending.is_executed(),
            Task::Query { .. } => self.is_cold(),
            Task::Batch { progress, .. } => !progress.is_open() && self.stage != Stage::Over,
        }
    }

    /// Outside a transaction, what was ended before its command tag was rolled back with its implicit transaction; or
    /// began one that is gone. Statements that commit by themselves, such as CALL, are not among them.
    pub(super) fn is_undone_by_termination(&self) -> bool {
        let is_undoable = match &self.pending.task {
            Task::Query { query, .. } => query.is_shareable || query.traits.is_begin,
            Task::Script { is_begin, .. } => *is_begin,
            Task::Prepare { .. } | Task::Batch { .. } | Task::LookUp(_) => false,
        };
        is_undoable && self.outcome.is_none() && !self.has_rows
    }

    /// An answer is due, so that an error makes sense.
    pub(super) fn has_answers_due(&self) -> bool {
        match &self.pending.task {
            Task::Batch { progress, .. } if self.stage == Stage::Batch => progress.is_open(),
            _ => self.stage != Stage::AwaitingBind,
        }
    }
}
