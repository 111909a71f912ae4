//! What every written request has in common, whatever its kind.

use std::rc::Rc;

use super::failure::Failure;
use super::output::Output;
use super::request::RequestId;
use super::schema::ChangeUnderWay;
use super::shared::Shared;
use super::tag::{Command, CommandTag};

/// Which answer a request waits for, as far as others than its own kind have to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// ParseComplete
    Parsing,
    /// ParameterDescription, or RowDescription or NoData
    Describing,
    /// ReadyForQuery after Parse and Describe alone
    Prepared,
    /// None: the caller's parameters are due, or wait for a cancel to be over
    AwaitingBind,
    /// BindComplete, before anything was executed
    Binding,
    /// What an execution answers, or a simple Query
    Executing,
    /// ReadyForQuery alone
    Over,
}

/// How far a request is that is written all at once, and of whose answers its kind keeps the rest of the account. Kinds
/// that are written in parts have stages of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is not written.
    #[default]
    Waiting,
    /// Its answers come.
    Running,
    /// ReadyForQuery alone is due.
    Over,
}

impl Stage {
    pub(super) fn phase(self) -> Phase {
        match self {
            Self::Waiting => Phase::AwaitingBind,
            Self::Running => Phase::Executing,
            Self::Over => Phase::Over,
        }
    }
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

/// The course of a request with bytes in the output or on the server.
#[derive(Debug)]
pub(super) struct Course {
    /// Its Sync (or simple Query) is written: ReadyForQuery will come.
    pub(super) is_synced: bool,
    /// CloseComplete messages that come before anything else.
    pub(super) closes: usize,
    pub(super) outcome: Option<Outcome>,
    pub(super) retry: Option<Retry>,
    /// Its caller has left.
    pub(super) is_abandoned: bool,
    /// The same, and it should be cancelled when it is the head.
    pub(super) wants_cancel: bool,
    /// A cancel was sent for this one.
    pub(super) is_cancel_sent: bool,
    /// It has stood still, and is to be cancelled whatever is behind it, or once more.
    pub(super) is_pressed: bool,
    /// It changes a schema, or makes true for others what its transaction has changed.
    pub(super) change: Option<ChangeUnderWay>,
    /// Where its bytes begin and end in all that was ever written.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where what a cancel can hit begins: in the same Sync group there may be something in front of it.
    pub(super) run_start: u64,
}

impl Course {
    /// That of a request which is about to be written at `start`.
    pub(super) fn new(start: u64) -> Self {
        Self {
            is_synced: false,
            closes: 0,
            outcome: None,
            retry: None,
            is_abandoned: false,
            wants_cancel: false,
            is_cancel_sent: false,
            is_pressed: false,
            change: None,
            start,
            end: start,
            run_start: start,
        }
    }

    /// Ends its Sync group, so that ReadyForQuery will come.
    pub(super) fn sync(&mut self, output: &mut Output) {
        output.sync();
        self.is_synced = true;
        self.end = output.end();
    }

    /// Closes evicted statements and portals that are not wanted any more in front of the next messages; not the statement
    /// that they are about to use.
    pub(super) fn write_closes(&mut self, shared: &mut Shared, used: Option<&Rc<str>>) {
        for name in shared.statements.take_unwanted(used) {
            shared.output.close_statement(&name);
            self.closes += 1;
        }
        for name in shared.portals.take_unwanted() {
            shared.output.close_portal(&name);
            self.closes += 1;
        }
    }

    /// The same for messages that use any of these statements.
    pub(super) fn write_closes_but(&mut self, shared: &mut Shared, used: &[Rc<str>]) {
        for name in shared.statements.take_unwanted_but(|name| used.iter().any(|used| Rc::ptr_eq(used, name))) {
            shared.output.close_statement(&name);
            self.closes += 1;
        }
    }

    /// Notes a command's end. A failure that is known already stays.
    pub(super) fn complete(&mut self, tag: CommandTag, is_suspended: bool) {
        if !self.has_failed() {
            self.outcome = Some(Outcome::Complete { tag, is_suspended });
        }
    }

    /// Notes a failure; the first one stays.
    pub(super) fn fail(&mut self, failure: Failure) {
        if !self.has_failed() {
            self.outcome = Some(Outcome::Failed(Box::new(failure)));
        }
    }

    /// A COMMIT was told of as the last thing.
    pub(super) fn is_committed(&self) -> bool {
        let Some(Outcome::Complete { tag, .. }) = &self.outcome else { return false };
        tag.command == Command::Commit
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Failed(_)))
    }
}

/// A request's turn: what its kind works with while the engine serves it.
pub(super) struct Turn<'a, S> {
    /// The caller's name of the request; none once he has left.
    pub(super) id: Option<RequestId>,
    pub(super) course: &'a mut Course,
    pub(super) shared: &'a mut Shared,
    pub(super) sink: &'a mut S,
}
