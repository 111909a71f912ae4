//! Carrying out what an ErrorResponse leads to (rules 11 to 14); `verdict.rs` says what it means.

use super::cancelling::QUERY_CANCELED;
use crate::session::Session;
use crate::session::course::{Outcome, Phase, Retry};
use crate::session::event::Sink;
use crate::session::failure::{Failure, FailureKind, ServerMessage};
use crate::session::kinds::RequestKind;
use crate::session::pending::{Pending, Written};
use crate::session::route::POOLER_FOUND;
use crate::session::standing::Circumstances;
use crate::session::verdict::{Verdict, judge};
use crate::session::violation::ProtocolViolation;

impl Session {
    pub(in crate::session) fn error_response(
        &mut self,
        message: ServerMessage,
        sink: &mut impl Sink,
    ) -> Result<(), ProtocolViolation> {
        if message.is_fatal() {
            self.end_by_fatal(message, sink);
            return Ok(());
        }
        let Some(head) = self.written.front().filter(|head| head.pending.task.has_answers_due()) else {
            return Err(ProtocolViolation::unexpected(b'E'));
        };
        let standing = head.pending.task.standing();
        let row = standing.row;
        let verdict = judge(&standing, self.circumstances(head), &message);
        self.forget_what_is_wrong(&verdict);
        let is_pooler_found = verdict.shows_pooler && !self.shared.is_servers_own;
        if is_pooler_found {
            self.shared.note_pooler(sink);
        }
        if message.has_sqlstate(QUERY_CANCELED) {
            self.note_hit();
        }
        let Some(head) = self.written.front_mut() else { return Ok(()) };
        let words = is_pooler_found.then_some(POOLER_FOUND).or(verdict.words);
        head.course.fail(Failure { row, ..failure(message, &verdict, words) });
        head.course.retry = verdict.retry;
        head.course.closes = 0;
        head.pending.task.fail();
        if !head.course.is_synced {
            // The server skips everything until a Sync.
            head.course.sync(&mut self.shared.output);
        }
        Ok(())
    }

    fn circumstances(&self, head: &Written) -> Circumstances {
        let is_outside_transaction = self.shared.transaction_status == b'I';
        Circumstances {
            is_alone: self.written.len() == 1 && is_outside_transaction && head.pending.id.is_some(),
            is_outside_transaction,
            is_returnable: self.shared.options.returns_requests,
            is_exposed: self.cancels.may_have_hit(&head.course),
            was_resent: head.pending.was_resent,
            was_healed: head.pending.was_healed,
        }
    }

    /// Drops what the error that the head has got shows to be wrong.
    fn forget_what_is_wrong(&mut self, verdict: &Verdict) {
        let Some(head) = self.written.front() else { return };
        let task = &head.pending.task;
        if verdict.is_stale
            && let Some(query) = task.query()
        {
            query.forget_description();
        }
        if let Some(name) = task.statement() {
            let statements = &mut self.shared.statements;
            match task.phase() {
                Phase::Parsing => statements.failed(name),
                Phase::Describing => statements.discard(name),
                _ if verdict.is_outdated => statements.discard(name),
                _ => {}
            }
        }
        if verdict.is_cache_lost {
            self.shared.statements.forget_all(true);
        }
        if verdict.is_catalog_stale {
            self.shared.catalog.invalidate();
        }
        if verdict.shows_change {
            self.shared.catalog.schema().note_change();
        }
    }

    /// The head is written anew, in its turn: nothing of it was executed.
    pub(in crate::session) fn restart_head(&mut self) {
        if let Some(Written { mut pending, .. }) = self.pop_head() {
            pending.task.restart(false);
            self.requeue(pending);
        }
    }

    /// Gives a request back to the front of the waiting ones, or to its owner.
    pub(in crate::session) fn try_again(&mut self, head: Written, retry: Retry, sink: &mut impl Sink) {
        let Written { mut pending, course } = head;
        pending.task.restart(matches!(retry, Retry::Heal | Retry::Elsewhere));
        match retry {
            Retry::Elsewhere | Retry::ResendElsewhere => {
                let Some(Outcome::Failed(failure)) = course.outcome else { return };
                return self.give_back(pending, *failure, sink);
            }
            Retry::Resend => pending.was_resent = true,
            Retry::Heal => pending.was_healed = true,
        }
        self.requeue(pending);
    }

    /// It was taken off the pipeline, and is written anew before all others.
    fn requeue(&mut self, pending: Pending) {
        self.hurried += usize::from(pending.is_hurried);
        self.put_first(pending);
    }
}

/// The failure that its caller learns of.
fn failure(message: ServerMessage, verdict: &Verdict, words: Option<&str>) -> Failure {
    let mut failure = Failure::of_server(message);
    failure.is_safe_to_retry = verdict.is_safe_to_retry;
    if let Some(words) = words {
        failure = failure.explained(words);
    }
    if verdict.is_outdated_schema {
        failure.kind = FailureKind::OutdatedSchema;
    }
    failure
}
