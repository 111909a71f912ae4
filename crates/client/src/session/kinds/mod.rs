//! The kinds of requests, one module each. A kind answers for all that is its own: when it can be written and how,
//! which message it takes next, what an error at this point means, whether others may be written behind it, and what is
//! certain of it when the connection is lost. What is common (order, Sync groups, closes, cancels, settling, retries) is
//! the engine's.
//!
//! A kind knows neither the engine nor another kind; what it needs of the session it is handed as a [`Turn`].

mod batch;
mod group;
mod identify;
mod look_up;
mod portal;
mod prepare;
mod query;
mod request_kind;
mod script;
mod simple;

use std::rc::Rc;

pub(super) use batch::{BatchTask, Step as BatchStep};
pub(super) use group::GroupTask;
pub(super) use identify::IdentifyTask;
pub(super) use look_up::LookUpTask;
pub(super) use portal::PortalTask;
pub(super) use prepare::PrepareTask;
pub(super) use query::QueryTask;
pub(super) use request_kind::{Answer, AtReady, Begun, Leaving, Loss, RequestKind};
pub(super) use script::ScriptTask;
pub(super) use simple::SimpleTask;

use super::catalog::Catalog;
use super::changes::Changes;
use super::course::{Course, Outcome, Phase, Turn};
use super::event::Sink;
use super::failure::{Failure, FailureKind, ServerMessage};
use super::front::Front;
use super::query::{Description, Query};
use super::reader::Frame;
use super::request::Work;
use super::rows::Rows;
use super::shared::Shared;
use super::standing::Standing;
use super::violation::ProtocolViolation;

/// A request's kind, with what the engine needs for it.
#[derive(Debug)]
pub(super) enum Task {
    Query(QueryTask),
    Simple(Box<SimpleTask>),
    Prepare(PrepareTask),
    Script(ScriptTask),
    Batch(Box<BatchTask>),
    Portal(Box<PortalTask>),
    Group(Box<GroupTask>),
    LookUp(Box<LookUpTask>),
    Identify(IdentifyTask),
}

impl Task {
    pub(super) fn of(work: Work, shared: &Shared) -> Self {
        match work {
            Work::Query { query, bind, result, .. } if shared.is_simple() => {
                Self::Simple(Box::new(SimpleTask::new(query, bind, result)))
            }
            Work::Query { query, bind, result, is_fresh } => {
                Self::Query(QueryTask::new(query, bind, result, is_fresh, &shared.catalog))
            }
            Work::Prepare { query } => Self::Prepare(PrepareTask::new(query)),
            Work::Script { text, is_control } => Self::Script(ScriptTask::new(text, is_control)),
            Work::Opening { text, context } => {
                Self::Group(Box::new(GroupTask::opening(text, context, &shared.catalog)))
            }
            Work::Group { context, members } => {
                Self::Group(Box::new(GroupTask::new(context, members, &shared.catalog)))
            }
            Work::Batch { query, form } => Self::Batch(Box::new(BatchTask::new(query, form))),
            Work::Portal { number, step, told } => Self::Portal(Box::new(PortalTask::new(number, step, told))),
        }
    }
}

impl Task {
    /// Why it cannot be done by the session's query protocol, if it cannot.
    pub(super) fn refusal_of(&self, shared: &Shared) -> Option<Failure> {
        let what = match self {
            Self::Simple(task) if task.is_of_portal() => "there are no cursors",
            Self::Simple(task) => return task.refusal_of(shared),
            Self::Portal(_) => "there are no cursors",
            Self::Prepare(_) => "there are no prepared statements",
            Self::Batch(_) => "there are no parameters",
            Self::Group(task) => task.simple_refusal()?,
            _ => return None,
        };
        let text = format!("{what} on the simple query protocol (statementMode 'simple')");
        shared.is_simple().then(|| Failure::new(FailureKind::Unsupported, None, text).unsent())
    }
}

/// The one place that tells the kinds apart.
macro_rules! of_its_kind {
    ($task:expr, $kind:ident => $answer:expr) => {
        match $task {
            Task::Query($kind) => $answer,
            Task::Simple($kind) => $answer,
            Task::Prepare($kind) => $answer,
            Task::Script($kind) => $answer,
            Task::Batch($kind) => $answer,
            Task::Portal($kind) => $answer,
            Task::Group($kind) => $answer,
            Task::LookUp($kind) => $answer,
            Task::Identify($kind) => $answer,
        }
    };
}

impl RequestKind for Task {
    fn query(&self) -> Option<&Rc<Query>> {
        of_its_kind!(self, kind => kind.query())
    }

    fn refusal(&self) -> Option<Failure> {
        of_its_kind!(self, kind => kind.refusal())
    }

    fn begin<S: Sink>(&mut self, is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        of_its_kind!(self, kind => kind.begin(is_first, turn))
    }

    fn phase(&self) -> Phase {
        of_its_kind!(self, kind => kind.phase())
    }

    fn is_barrier(&self) -> bool {
        of_its_kind!(self, kind => kind.is_barrier())
    }

    fn is_of_parts(&self) -> bool {
        of_its_kind!(self, kind => kind.is_of_parts())
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        of_its_kind!(self, kind => kind.answer(frame, turn))
    }

    fn data_row<S: Sink>(
        &mut self,
        body: &[u8],
        remaining: usize,
        turn: &mut Turn<'_, S>,
    ) -> Result<bool, ProtocolViolation> {
        of_its_kind!(self, kind => kind.data_row(body, remaining, turn))
    }

    fn has_answers_due(&self) -> bool {
        of_its_kind!(self, kind => kind.has_answers_due())
    }

    fn fail(&mut self) {
        of_its_kind!(self, kind => kind.fail());
    }

    fn standing(&self) -> Standing<'_> {
        of_its_kind!(self, kind => kind.standing())
    }

    fn is_answered(&self, course: &Course, has_left: bool) -> bool {
        of_its_kind!(self, kind => kind.is_answered(course, has_left))
    }

    fn ready<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> AtReady {
        of_its_kind!(self, kind => kind.ready(turn))
    }

    fn outcome(&mut self) -> Option<Outcome> {
        of_its_kind!(self, kind => kind.outcome())
    }

    fn leave<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving {
        of_its_kind!(self, kind => kind.leave(turn))
    }

    fn loss(&self, course: &Course) -> Loss {
        of_its_kind!(self, kind => kind.loss(course))
    }

    fn earns(&self, notice: &ServerMessage) -> bool {
        of_its_kind!(self, kind => kind.earns(notice))
    }

    fn changes(&self) -> Changes {
        of_its_kind!(self, kind => kind.changes())
    }

    fn may_end_transaction(&self) -> bool {
        of_its_kind!(self, kind => kind.may_end_transaction())
    }

    fn statement(&self) -> Option<&Rc<str>> {
        of_its_kind!(self, kind => kind.statement())
    }

    fn rows(&mut self) -> Option<(&mut Rows, Option<&Rc<Description>>)> {
        of_its_kind!(self, kind => kind.rows())
    }

    fn portal(&self) -> Option<u32> {
        of_its_kind!(self, kind => kind.portal())
    }

    fn part_of_row(&self) -> u32 {
        of_its_kind!(self, kind => kind.part_of_row())
    }

    fn names_part(&self) -> bool {
        of_its_kind!(self, kind => kind.names_part())
    }

    fn front(&mut self) -> Option<&mut Front> {
        of_its_kind!(self, kind => kind.front())
    }

    fn renew(&mut self, catalog: &Rc<Catalog>) -> Option<Rc<Description>> {
        of_its_kind!(self, kind => kind.renew(catalog))
    }

    fn restart(&mut self, is_asked_anew: bool) {
        of_its_kind!(self, kind => kind.restart(is_asked_anew));
    }

    fn resume(&mut self, is_resolved: bool) {
        of_its_kind!(self, kind => kind.resume(is_resolved));
    }

    fn into_work(self) -> Option<Work> {
        of_its_kind!(self, kind => kind.into_work())
    }
}
