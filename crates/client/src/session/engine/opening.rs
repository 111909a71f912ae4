//! What opens a transaction or a savepoint. It waits for what comes next, to go out in the same Sync group: if it fails, what
//! is behind it does not run, and it costs no round trip.

use crate::session::Session;
use crate::session::course::Outcome;
use crate::session::event::{Event, Sink};
use crate::session::failure::Failure;
use crate::session::front::{Opened, Opening};
use crate::session::kinds::{RequestKind, Task};
use crate::session::pending::Pending;
use crate::session::request::{RequestId, Work};
use crate::session::tag::{Command, CommandTag};

impl Session {
    /// Writes the opening that is the first of those that wait: with the request behind it, or alone where that cannot
    /// share its Sync group. False when it has to wait.
    pub(in crate::session) fn write_opening(&mut self, sink: &mut impl Sink) -> bool {
        let openings = self.take_openings();
        let joins = match self.waiting.front() {
            None if !self.is_closing => {
                self.put_back(openings);
                return false;
            }
            Some(Pending { task: Task::Query(query), .. }) if query.is_asked() => {
                self.put_back(openings);
                return false;
            }
            Some(Pending { task: Task::Query(query), .. }) => {
                query.query().is_some_and(|query| !query.traits.ends_transaction && !query.traits.is_begin)
            }
            Some(Pending { task: Task::Group(_), .. }) => true,
            _ => false,
        };
        let next = if joins { self.waiting.pop_front() } else { None };
        let Some(next) = next else {
            self.put_back(openings);
            return self.write_first(sink);
        };
        let mut next = self.grouped(next);
        if let Task::Group(group) = &mut next.task {
            group.open(openings);
        }
        self.waiting.push_front(next);
        let is_written = self.write_first(sink);
        if !is_written {
            let openings = self.waiting.front_mut().and_then(|next| next.task.front()).map(|front| front.take_opened());
            self.put_back(openings.map_or_else(Vec::new, |opened| opened.openings));
        }
        is_written
    }

    /// Those that are the first to wait.
    fn take_openings(&mut self) -> Vec<Opening> {
        let mut openings = Vec::new();
        while let Some(Pending { task: Task::Group(group), .. }) = self.waiting.front()
            && group.is_opening()
            && let Some(Pending { id, mut task, .. }) = self.waiting.pop_front()
        {
            let opened = task.front().map_or_else(Vec::new, |front| front.take_opened().openings);
            openings.extend(opened.into_iter().map(|opening| Opening { id, ..opening }));
        }
        openings
    }

    fn put_back(&mut self, openings: Vec<Opening>) {
        for Opening { id, text, context } in openings.into_iter().rev() {
            let task = Task::of(Work::Opening { text, context }, &self.shared);
            self.waiting.push_front(Pending::new(id, task));
        }
    }

    /// A query, as a group of one.
    fn grouped(&self, pending: Pending) -> Pending {
        let task = match pending.task {
            Task::Query(query) => {
                let members = vec![query.into_member()];
                Task::of(Work::Group { context: None, members }, &self.shared)
            }
            other => other,
        };
        Pending { task, ..pending }
    }

    /// ReadyForQuery has come: tells how the openings in front of the head ended. Gives why one of them failed.
    pub(in crate::session) fn settle_openings(&mut self, sink: &mut impl Sink) -> Option<Failure> {
        let head = self.written.front_mut()?;
        let front = head.pending.task.front().filter(|front| front.has_openings())?;
        let Opened { openings, count } = front.take_opened();
        let failure = match &head.course.outcome {
            Some(Outcome::Failed(failure)) if count < openings.len() => Some(failure.as_ref().clone().unsent()),
            _ => None,
        };
        if failure.is_some() {
            head.course.retry = None;
        }
        let is_failed = |number| if number < count { None } else { failure.clone() };
        for (number, request) in openings.iter().enumerate().filter_map(|(number, opening)| Some((number, opening.id?)))
        {
            sink.event(match is_failed(number) {
                Some(failure) => Event::Failed { request, failure, transaction_status: self.shared.transaction_status },
                None => Event::Completed {
                    request,
                    tag: CommandTag::of(Command::Begin, 0),
                    is_suspended: false,
                    // What is behind it may have changed that since.
                    transaction_status: b'T',
                },
            });
        }
        failure
    }

    /// An opening has failed: what was to run in it, or in what its caller still takes for open, does not.
    pub(in crate::session) fn refuse_followers(&mut self, failure: Failure, sink: &mut impl Sink) {
        if self.is_over {
            return;
        }
        let mut kept = Vec::new();
        while let Some(pending) = self.waiting.pop_front() {
            // The request of rows that wait for their types was before it.
            if pending.is_executed() {
                kept.push(pending);
            } else {
                self.uncount_hurry(Some(&pending));
                self.fail_unwritten(&pending, failure.clone(), sink);
            }
        }
        for pending in kept {
            self.waiting.push_back(pending);
        }
        self.refused = Some(failure);
    }

    /// The owner knows that an opening has failed: what is submitted from here on was not meant to run in it.
    pub fn go_on(&mut self) {
        self.refused = None;
    }

    /// The caller of an opening that is written has left.
    pub(in crate::session) fn leave_opening(&mut self, request: RequestId) {
        // Nothing is written behind it.
        if let Some(front) = self.written.back_mut().and_then(|last| last.pending.task.front()) {
            front.leave(request);
        }
    }
}
