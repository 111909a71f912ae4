//! Settling requests, one by one or all at once.

use super::Session;
use super::event::{EndCause, Event, Sink};
use super::failure::{Failure, FailureKind, ServerMessage};
use super::request::{PendingRequest, Request, Task};
use super::tag::{Command, CommandTag};
use super::written::{Outcome, WrittenRequest};

impl Session {
    /// Tells how a request ended, as of the ReadyForQuery that has just come; or sends it again.
    pub(super) fn settle(&mut self, mut head: WrittenRequest, sink: &mut impl Sink) {
        let transaction_status = self.transaction_status;
        if let Some(retry) = head.retry
            && transaction_status == b'I'
            && head.pending.id.is_some()
        {
            return self.try_again(head, retry, sink);
        }
        let Some(request) = head.pending.id else { return };
        let has_failed = matches!(head.outcome, Some(Outcome::Failed(_))) || head.row_failure.is_some();
        match (&head.pending.task, &head.parked) {
            (Task::LookUp(_), _) if !has_failed => return self.after_look_up(head.pending, sink),
            (_, Some(_)) if !has_failed => return self.look_up_rows(head),
            _ => {}
        }
        if head.pending.is_executed()
            && let Some(Outcome::Failed(failure)) = &mut head.outcome
        {
            super::looking_up::rows_without_types(failure);
        }
        let outcome = head.outcome.take().or_else(|| head.batch_outcome());
        let event = match (outcome, head.row_failure.take()) {
            (Some(Outcome::Failed(failure)), _) | (_, Some(failure)) => {
                Event::Failed { request, failure: *failure, transaction_status }
            }
            (Some(Outcome::Complete { tag, is_suspended }), None) => {
                Event::Completed { request, tag, is_suspended, transaction_status }
            }
            (Some(Outcome::Aborted), None) => Event::Aborted { request, transaction_status },
            (None, None) => {
                let failure = Failure::new(FailureKind::Internal, None, "a request ended without an outcome");
                Event::Failed { request, failure, transaction_status }
            }
        };
        sink.event(event);
    }

    /// The session is over: settles every request, then tells `Closed`. Later calls do nothing.
    pub fn end(&mut self, cause: EndCause, sink: &mut impl Sink) {
        let is_wanted = matches!(cause, EndCause::Terminated);
        let failure = failure_of(cause);
        let told = (!is_wanted).then(|| failure.clone());
        self.end_all(&failure, None, told, sink);
    }

    /// Rule 13: what is behind the head did not run. The head itself did not take effect if the server was shut down
    /// or the session terminated (57P01 to 57P03) before its command tag.
    pub(super) fn end_by_fatal(&mut self, message: ServerMessage, sink: &mut impl Sink) {
        let is_termination = ["57P01", "57P02", "57P03"].iter().any(|sqlstate| message.has_sqlstate(sqlstate));
        let is_undone = is_termination
            && self.transaction_status == b'I'
            && self.written.front().is_some_and(WrittenRequest::is_undone_by_termination);
        let said = message.field(b'M').unwrap_or("the server ended the session").to_owned();
        let server = Failure::of_server(message);
        let text = format!("the server ended the session: {said}");
        let mut behind = Failure::new(FailureKind::Connection, Some("08006"), text).unsent();
        behind.server.clone_from(&server.server);
        let head = Failure { is_safe_to_retry: is_undone, ..server.clone() };
        self.end_all(&behind, Some(&head), Some(server), sink);
    }

    /// Rule 10: too many requests in a row were abandoned.
    pub(super) fn close_after_cancels(&mut self, sink: &mut impl Sink) {
        let text = "the connection was closed, because several calls in a row on it were given up";
        let failure = Failure::new(FailureKind::Connection, Some("08003"), text);
        self.end_all(&failure, None, Some(failure.clone()), sink);
    }

    /// `head` is what the server said about the head alone; then those behind it certainly did not run.
    fn end_all(&mut self, failure: &Failure, head: Option<&Failure>, told: Option<Failure>, sink: &mut impl Sink) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        self.head_sequence += 1;
        self.cancel = None;
        let sent = self.output.sent();
        for (index, written) in std::mem::take(&mut self.written).into_iter().enumerate() {
            let is_untouched = written.start >= sent || (index > 0 && head.is_some());
            let failure = head.filter(|_| index == 0).unwrap_or(failure);
            self.settle_lost(written, failure, is_untouched, sink);
        }
        let backlog = self.backlog.take().and_then(|backlog| backlog.into_id());
        if let Some(request) = backlog {
            let transaction_status = self.transaction_status;
            let mut failure = failure.clone();
            super::looking_up::rows_without_types(&mut failure);
            sink.event(Event::Failed { request, failure, transaction_status });
        }
        for pending in std::mem::take(&mut self.waiting) {
            self.give_back(pending, failure.clone().unsent(), sink);
        }
        sink.event(Event::Closed { failure: told });
    }

    /// A written request whose session is gone.
    fn settle_lost(&self, mut written: WrittenRequest, failure: &Failure, is_untouched: bool, sink: &mut impl Sink) {
        let Some(request) = written.pending.id else { return };
        let transaction_status = self.transaction_status;
        let failure = match written.outcome.take() {
            Some(Outcome::Failed(failure)) => *failure,
            // The server tells of a COMMIT only after it is done.
            Some(Outcome::Complete { tag: CommandTag { command: Command::Commit, .. }, .. })
                if written.pending.is_commit() && !written.is_in_result =>
            {
                let tag = CommandTag::of(Command::Commit, 0);
                return sink.event(Event::Completed { request, tag, is_suspended: false, transaction_status: b'I' });
            }
            _ if is_untouched || written.is_certainly_unexecuted() => {
                return self.give_back(written.pending, failure.clone().unsent(), sink);
            }
            _ if written.pending.is_commit() => {
                let text = "the connection was lost while COMMIT was under way: whether the transaction took effect \
                            is not known";
                let unknown = Failure::new(FailureKind::Connection, Some("08007"), text);
                Failure { server: failure.server.clone(), cause_code: failure.cause_code, ..unknown }
            }
            _ => failure.clone(),
        };
        sink.event(Event::Failed { request, failure, transaction_status });
    }

    /// Rules 13 and 14: a request that certainly did not run goes back to its owner, if he takes it.
    pub(super) fn give_back(&self, pending: PendingRequest, mut failure: Failure, sink: &mut impl Sink) {
        let Some(id) = pending.id else { return };
        if pending.is_executed() {
            // Only the look-up for its rows did not run.
            super::looking_up::rows_without_types(&mut failure);
        }
        let transaction_status = self.transaction_status;
        let work = if self.options.returns_requests { pending.into_work() } else { None };
        sink.event(match work {
            Some(work) => Event::Returned { request: Request { id, work }, failure, transaction_status },
            None => Event::Failed { request: id, failure, transaction_status },
        });
    }

    /// Closes gracefully: takes no new requests, and tells `Closed` once everything is settled.
    pub fn begin_close(&mut self, sink: &mut impl Sink) {
        self.is_closing = true;
        self.pump(sink);
    }

    pub(super) fn close_if_idle(&mut self, sink: &mut impl Sink) {
        if self.is_closing && !self.is_over && self.in_flight() == 0 {
            self.is_over = true;
            sink.event(Event::Closed { failure: None });
        }
    }
}

fn failure_of(cause: EndCause) -> Failure {
    let connection = |sqlstate, text: &str| Failure::new(FailureKind::Connection, Some(sqlstate), text);
    match cause {
        EndCause::EndOfStream => connection("08006", "the server closed the connection unexpectedly"),
        EndCause::Reset { code, text } => {
            let failure = connection("08006", &format!("the connection to the server was lost: {text}"));
            Failure { cause_code: Some(code), ..failure }
        }
        EndCause::Violation(violation) => Failure::new(FailureKind::Protocol, Some("08P01"), violation.message),
        EndCause::Terminated => connection("08003", "the connection was terminated by its owner"),
        EndCause::Panicked => {
            Failure::new(FailureKind::Internal, None, "an internal error of the driver ended the connection")
        }
    }
}
