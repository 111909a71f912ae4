//! Parse and Describe alone.

use std::rc::Rc;

use super::request_kind::{Answer, AtReady, Begun, Leaving, Loss, RequestKind};
use crate::session::course::{Course, Outcome, Phase, Turn};
use crate::session::event::{Event, Sink};
use crate::session::failure::Failure;
use crate::session::preparation::{Conclusion, Preparation};
use crate::session::query::{Description, Query};
use crate::session::reader::Frame;
use crate::session::request::{RequestId, Work};
use crate::session::standing::Standing;
use crate::session::statements::Lookup;
use crate::session::tag::CommandTag;
use crate::session::violation::ProtocolViolation;

/// A preparation for its own sake, waiting or written.
#[derive(Debug)]
pub(in crate::session) struct PrepareTask {
    query: Rc<Query>,
    stage: Stage,
    preparation: Preparation,
}

/// Which answer comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// None: it is not written
    Waiting,
    /// Those to Parse and Describe
    Preparing,
    /// ReadyForQuery after them
    Prepared,
    /// ReadyForQuery after an error
    Over,
}

impl PrepareTask {
    pub(super) fn new(query: Rc<Query>) -> Self {
        Self { query, stage: Stage::Waiting, preparation: Preparation::default() }
    }
}

/// What the caller wanted to know.
fn tell(request: RequestId, description: Rc<Description>, sink: &mut impl Sink) -> CommandTag {
    sink.event(Event::Described { request, part: 0, description, needs_bind: false });
    CommandTag::other("PREPARE")
}

impl RequestKind for PrepareTask {
    fn query(&self) -> Option<&Rc<Query>> {
        Some(&self.query)
    }

    fn refusal(&self) -> Option<Failure> {
        self.query.refusal()
    }

    fn begin<S: Sink>(&mut self, _is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        match turn.shared.statements.look_up(&self.query) {
            Lookup::Pending => Begun::Waits,
            Lookup::Ready { description, .. } => {
                if let Some(request) = turn.id {
                    let tag = tell(request, description, turn.sink);
                    let transaction_status = turn.shared.transaction_status;
                    turn.sink.event(Event::Completed { request, tag, is_suspended: false, transaction_status });
                }
                Begun::Answered
            }
            Lookup::Absent => {
                self.preparation = Preparation::write(&self.query, turn);
                turn.course.sync(&mut turn.shared.output);
                self.stage = Stage::Preparing;
                Begun::Written
            }
        }
    }

    fn phase(&self) -> Phase {
        match self.stage {
            Stage::Waiting => Phase::AwaitingBind,
            Stage::Preparing => self.preparation.phase(),
            Stage::Prepared => Phase::Prepared,
            Stage::Over => Phase::Over,
        }
    }

    fn is_barrier(&self) -> bool {
        false
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        if self.stage != Stage::Preparing {
            return Err(ProtocolViolation::unexpected(frame.tag));
        }
        let Some(conclusion) = self.preparation.advance(frame, &self.query, turn)? else { return Ok(Answer::Noted) };
        self.stage = if conclusion == Conclusion::Useless { Stage::Over } else { Stage::Prepared };
        Ok(Answer::of(conclusion))
    }

    fn fail(&mut self) {
        self.stage = Stage::Over;
    }

    fn standing(&self) -> Standing<'_> {
        Standing {
            is_unexecuted: true,
            may_repeat: true,
            may_move: true,
            is_named: self.preparation.name.is_some(),
            ..Standing::at(self.phase())
        }
    }

    fn is_answered(&self, course: &Course, has_left: bool) -> bool {
        match self.stage {
            Stage::Prepared => true,
            Stage::Over => course.outcome.is_some() || has_left,
            Stage::Waiting | Stage::Preparing => false,
        }
    }

    fn ready<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> AtReady {
        if self.stage != Stage::Prepared {
            return AtReady::Settles;
        }
        if let Some(unresolved) = self.preparation.take_unresolved() {
            return AtReady::LooksUp(unresolved);
        }
        if let (Some(request), Some(description)) = (turn.id, self.preparation.description.clone()) {
            let tag = tell(request, description, turn.sink);
            turn.course.outcome = Some(Outcome::Complete { tag, is_suspended: false });
        }
        AtReady::Settles
    }

    fn leave<S: Sink>(&mut self, _turn: &mut Turn<'_, S>) -> Leaving {
        Leaving::IsCancelled { is_plain: false }
    }

    fn loss(&self, _course: &Course) -> Loss {
        Loss { is_unexecuted: true, ..Loss::default() }
    }

    fn statement(&self) -> Option<&Rc<str>> {
        self.preparation.name.as_ref()
    }

    fn restart(&mut self, _is_asked_anew: bool) {
        self.stage = Stage::Waiting;
        self.preparation = Preparation::default();
    }

    fn into_work(self) -> Option<Work> {
        Some(Work::Prepare { query: self.query })
    }
}
