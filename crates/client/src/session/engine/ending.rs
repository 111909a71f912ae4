//! Settling requests, one by one or all at once.

use oxpg_codec::failpoint;

use super::looking_up::rows_without_types;
use crate::session::Session;
use crate::session::changes::Changes;
use crate::session::course::Outcome;
use crate::session::event::{EndCause, Event, Sink};
use crate::session::failure::{Failure, FailureKind, ServerMessage};
use crate::session::kinds::{RequestKind, Task};
use crate::session::pending::{Pending, Written};
use crate::session::queue::Queue;
use crate::session::request::Request;
use crate::session::tag::{Command, CommandTag};

/// `idle_session_timeout`, `idle_in_transaction_session_timeout`
const IDLE_TIMEOUTS: [&str; 2] = ["57P05", "25P03"];

/// What is known of the written requests of a session that has ended.
enum Lost {
    /// Nothing: any of them may have run.
    Uncertain,
    /// This is what the server said about the head; those behind it certainly did not run.
    Told(Failure),
    /// None of them ran.
    Unheard,
}

impl Session {
    /// The head is over: takes it off the pipeline, and tells how it ended.
    pub(in crate::session) fn settle_head(&mut self, sink: &mut impl Sink) {
        if let Some(head) = self.pop_head() {
            self.settle(head, sink);
        }
    }

    /// Tells how a request ended, as of the ReadyForQuery that has just come; or sends it again.
    pub(in crate::session) fn settle(&mut self, mut head: Written, sink: &mut impl Sink) {
        let transaction_status = self.shared.transaction_status;
        if let Some(retry) = head.course.retry
            && transaction_status == b'I'
            && head.pending.id.is_some()
        {
            return self.try_again(head, retry, sink);
        }
        let Some(request) = head.pending.id else { return };
        let transaction_status = self.shared.take_status();
        let rows = head.pending.task.rows();
        let (has_parked, have_rows_failed) =
            rows.map_or((false, false), |(rows, _)| (rows.are_parked(), rows.has_failed()));
        if !head.course.has_failed() && !have_rows_failed {
            if let Task::LookUp(_) = head.pending.task {
                return self.after_look_up(head.pending, sink);
            }
            if has_parked {
                return self.look_up_rows(head);
            }
        }
        if head.pending.is_executed()
            && let Some(Outcome::Failed(failure)) = &mut head.course.outcome
        {
            rows_without_types(failure);
        }
        let outcome = head.course.outcome.take().or_else(|| head.pending.task.outcome());
        let part = head.pending.task.names_part().then(|| u64::from(head.pending.task.part_of_row()));
        let mut row_failure = head.pending.task.rows().and_then(|(rows, _)| rows.take_failure());
        if let Some(failure) = &mut row_failure {
            failure.row = part;
        }
        let event = match (outcome, row_failure) {
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
        failpoint::pass("session.end");
        let is_wanted = matches!(cause, EndCause::Terminated);
        let failure = failure_of(cause);
        let told = (!is_wanted).then(|| failure.clone());
        self.end_all(&failure, &Lost::Uncertain, told, sink);
    }

    /// Rule 13: what is behind the head did not run. The head itself did not take effect if the server was shut down
    /// or the session terminated (57P01 to 57P03) before its command tag; and neither did it run if the session had
    /// been idle for too long, before the head was there.
    pub(in crate::session) fn end_by_fatal(&mut self, message: ServerMessage, sink: &mut impl Sink) {
        let is_termination = ["57P01", "57P02", "57P03"].iter().any(|sqlstate| message.has_sqlstate(sqlstate));
        let is_undone = is_termination
            && self.shared.transaction_status == b'I'
            && self.written.front().is_some_and(|head| head.pending.task.loss(&head.course).is_undone);
        let was_idle = IDLE_TIMEOUTS.iter().any(|sqlstate| message.has_sqlstate(sqlstate))
            && self.written.front_mut().is_none_or(Written::is_unanswered);
        let said = message.field(b'M').unwrap_or("the server ended the session").to_owned();
        let server = Failure::of_server(message);
        let text = format!("the server ended the session: {said}");
        let mut behind = Failure::new(FailureKind::Connection, Some("08006"), text).unsent();
        behind.server.clone_from(&server.server);
        let head = if was_idle {
            Lost::Unheard
        } else {
            Lost::Told(Failure { is_safe_to_retry: is_undone, ..server.clone() })
        };
        self.end_all(&behind, &head, Some(server), sink);
    }

    /// The head has changed `client_encoding`: from here on the server would take UTF-8 for something else, and store it
    /// as that. (A function that sets it for itself has set it back by ReadyForQuery.)
    pub(in crate::session) fn end_by_encoding(&mut self, encoding: &str, sink: &mut impl Sink) {
        let changed = format!("client_encoding became {encoding}, and this driver speaks UTF8 only");
        let text = format!("{changed}: the connection is closed");
        let failure = Failure::new(FailureKind::Connection, Some("08003"), text);
        if let Some(Written { pending: Pending { id: Some(request), .. }, .. }) = self.pop_head() {
            let text = format!("{changed}: the statement took effect, and the connection is closed");
            let failure = Failure::new(FailureKind::Unsupported, Some("0A000"), text);
            let transaction_status = self.shared.transaction_status;
            sink.event(Event::Failed { request, failure, transaction_status });
        }
        self.end_all(&failure, &Lost::Uncertain, Some(failure.clone()), sink);
    }

    fn end_all(&mut self, failure: &Failure, head: &Lost, told: Option<Failure>, sink: &mut impl Sink) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        self.head_sequence += 1;
        self.cancels.forget();
        self.abandoned = 0;
        self.hurried = 0;
        let changes = self.written.iter().fold(Changes::NONE, |all, written| all.and(written.pending.task.changes()));
        self.shared.note_lost(changes);
        let sent = self.shared.output.sent();
        for (index, written) in std::mem::replace(&mut self.written, Queue::new()).into_iter().enumerate() {
            let (failure, is_untouched) = match head {
                Lost::Uncertain => (failure, written.course.start >= sent),
                Lost::Told(failure) if index == 0 => (failure, written.course.start >= sent),
                Lost::Told(_) | Lost::Unheard => (failure, true),
            };
            self.settle_lost(written, failure, is_untouched, sink);
        }
        if let Some(request) = self.backlog.take().and_then(|backlog| backlog.pending.id) {
            let transaction_status = self.shared.transaction_status;
            let mut failure = failure.clone();
            rows_without_types(&mut failure);
            sink.event(Event::Failed { request, failure, transaction_status });
        }
        for pending in std::mem::replace(&mut self.waiting, Queue::new()) {
            self.give_back(pending, failure.clone().unsent(), sink);
        }
        sink.event(Event::Closed { failure: told });
    }

    /// A written request whose session is gone.
    fn settle_lost(&self, written: Written, failure: &Failure, is_untouched: bool, sink: &mut impl Sink) {
        let Written { mut pending, course } = written;
        let transaction_status = self.shared.transaction_status;
        for request in pending.task.front().into_iter().flat_map(|front| front.take_opened().openings) {
            if let Some(request) = request.id {
                sink.event(Event::Failed { request, failure: failure.clone().unsent(), transaction_status });
            }
        }
        let Some(request) = pending.id else { return };
        let loss = pending.task.loss(&course);
        let failure = match course.outcome {
            Some(Outcome::Failed(failure)) => *failure,
            _ if loss.is_committed => {
                let tag = CommandTag::of(Command::Commit, 0);
                return sink.event(Event::Completed { request, tag, is_suspended: false, transaction_status: b'I' });
            }
            _ if is_untouched || loss.is_unexecuted => {
                return self.give_back(pending, failure.clone().unsent(), sink);
            }
            _ if loss.is_commit => {
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
    pub(in crate::session) fn give_back(&self, pending: Pending, mut failure: Failure, sink: &mut impl Sink) {
        let Some(id) = pending.id else { return };
        if pending.is_executed() {
            // Only the look-up for its rows did not run.
            rows_without_types(&mut failure);
        }
        let transaction_status = self.shared.transaction_status;
        let work = if self.shared.options.returns_requests { pending.into_work() } else { None };
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

    pub(in crate::session) fn close_if_idle(&mut self, sink: &mut impl Sink) {
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
