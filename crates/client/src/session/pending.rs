//! Requests in the session's queues.

use super::course::{Course, Phase, Turn};
use super::event::Sink;
use super::kinds::{LookUpTask, RequestKind, Task};
use super::preparation::Unresolved;
use super::queue::Named;
use super::request::{RequestId, Work};
use super::shared::Shared;

/// A request that is not settled, written or not.
#[derive(Debug)]
pub(super) struct Pending {
    /// `None` once its caller has left: it may still run, but nobody is told.
    pub(super) id: Option<RequestId>,
    pub(super) task: Task,
    /// What goes on after it: it is a look-up. Requests are moved from queue to queue, so what few have is elsewhere.
    pub(super) then: Option<Box<Then>>,
    /// It was sent again after somebody else's cancel hit it (rule 11).
    pub(super) was_resent: bool,
    /// It was sent again after its plan was stale or its statement lost (rule 14).
    pub(super) was_healed: bool,
    /// How often its types were looked up.
    pub(super) look_ups: u8,
    /// Its caller has given up waiting and it goes on, but not for ever.
    pub(super) is_hurried: bool,
}

/// What waits for a look-up, which has its place in the queues and its id.
#[derive(Debug)]
pub(super) enum Then {
    /// A statement that is to be bound.
    Bind { pending: Box<Pending>, unresolved: Unresolved },
    /// Rows that are to be delivered; their request is over.
    Deliver(Box<Written>),
}

impl Pending {
    pub(super) fn new(id: Option<RequestId>, task: Task) -> Self {
        Self { id, task, then: None, was_resent: false, was_healed: false, look_ups: 0, is_hurried: false }
    }

    /// A look-up of types, under the id of what waits for it.
    pub(super) fn look_up(id: Option<RequestId>, type_oids: Vec<u32>, is_renewal: bool, then: Then) -> Self {
        let is_for_rows = matches!(then, Then::Deliver(_));
        let look_up = LookUpTask::new(type_oids, is_renewal, is_for_rows);
        Self { then: Some(Box::new(then)), ..Self::new(id, Task::LookUp(Box::new(look_up))) }
    }

    /// The task with what it works with, if it is not written: of a course that begins at the output's end.
    pub(super) fn turn<'a, S: Sink>(
        &'a mut self,
        course: &'a mut Course,
        shared: &'a mut Shared,
        sink: &'a mut S,
    ) -> (&'a mut Task, Turn<'a, S>) {
        (&mut self.task, Turn { id: self.id, course, shared, sink })
    }

    /// Whether what waits for it was executed, so that only the look-up for its rows fails with it.
    pub(super) fn is_executed(&self) -> bool {
        matches!(&self.task, Task::LookUp(look_up) if look_up.is_for_rows())
    }

    /// The request that it is, or that waits for the look-up that it is.
    pub(super) fn innermost(&mut self) -> Option<&mut Self> {
        if self.then.is_none() {
            return Some(self);
        }
        match self.then.as_deref_mut() {
            Some(Then::Bind { pending, .. }) => pending.innermost(),
            Some(Then::Deliver(_)) | None => None,
        }
    }

    /// The work to do elsewhere, if it can go there.
    pub(super) fn into_work(self) -> Option<Work> {
        match self.then.map(|then| *then) {
            None => self.task.into_work(),
            Some(Then::Bind { pending, .. }) => pending.into_work(),
            Some(Then::Deliver(_)) => None,
        }
    }
}

impl Named for Pending {
    fn id(&self) -> Option<RequestId> {
        self.id
    }
}

/// A request with bytes in the output or on the server.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) pending: Pending,
    pub(super) course: Course,
}

impl Written {
    /// Its task with what it works with.
    pub(super) fn turn<'a, S: Sink>(
        &'a mut self,
        shared: &'a mut Shared,
        sink: &'a mut S,
    ) -> (&'a mut Task, Turn<'a, S>) {
        (&mut self.pending.task, Turn { id: self.pending.id, course: &mut self.course, shared, sink })
    }

    /// The server has not begun to answer what may have an effect.
    pub(super) fn is_unanswered(&mut self) -> bool {
        self.course.outcome.is_none() && !self.pending.task.rows().is_some_and(|(rows, _)| rows.has_any())
    }

    /// Nothing may be written behind it yet.
    pub(super) fn blocks_followers(&self) -> bool {
        !self.course.is_synced || self.course.retry.is_some() || self.pending.task.is_barrier()
    }

    /// The server may be at work for it, so that a cancel makes sense: it has been `sent` as a whole, or it is of
    /// parts, which the server begins with as they come.
    pub(super) fn is_running(&self, sent: u64) -> bool {
        let needed = if self.pending.task.is_of_parts() { self.course.start + 1 } else { self.course.end };
        sent >= needed
            && self.course.outcome.is_none()
            && !matches!(self.pending.task.phase(), Phase::AwaitingBind | Phase::Over)
    }
}

impl Named for Written {
    fn id(&self) -> Option<RequestId> {
        self.pending.id
    }
}
