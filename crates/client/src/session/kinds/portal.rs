//! More of an open portal: its next rows, or a step past them.

use std::rc::Rc;

use super::request_kind::{Answer, Begun, Leaving, Loss, RequestKind};
use crate::session::catalog::Catalog;
use crate::session::course::{Course, Phase, Stage, Turn};
use crate::session::event::{Event, Sink};
use crate::session::failure::Failure;
use crate::session::portals::Portal;
use crate::session::preparation::Preparation;
use crate::session::query::{Description, Query};
use crate::session::reader::{Frame, command_tag, nothing};
use crate::session::request::{PortalStep, Work};
use crate::session::result_options::{ResultForm, ResultFormats};
use crate::session::rows::Rows;
use crate::session::standing::Standing;
use crate::session::tag::{Command, CommandTag};
use crate::session::violation::ProtocolViolation;

const GONE: &str = "the cursor is closed, or its transaction has ended: cursors live no longer than that";

/// A step on a portal, waiting or written.
#[derive(Debug)]
pub(in crate::session) struct PortalTask {
    number: u32,
    step: PortalStep,
    /// The description that the caller goes by.
    told: u32,
    stage: Stage,
    query: Option<Rc<Query>>,
    /// Of its description, what is known now.
    preparation: Preparation,
    rows: Rows,
}

impl PortalTask {
    pub(super) fn new(number: u32, step: PortalStep, told: u32) -> Self {
        Self {
            number,
            step,
            told,
            stage: Stage::Waiting,
            query: None,
            preparation: Preparation::default(),
            rows: Rows::new(ResultForm::Rows, ResultFormats::ByType),
        }
    }

    fn complete<S>(&mut self, tag: CommandTag, is_suspended: bool, turn: &mut Turn<'_, S>) {
        // One that was moved past its end is there all the same.
        if !is_suspended && self.is_fetch() {
            turn.shared.portals.discard(self.number);
        }
        turn.course.complete(tag, is_suspended);
        self.stage = Stage::Over;
    }

    fn is_fetch(&self) -> bool {
        matches!(self.step, PortalStep::Fetch { .. })
    }
}

impl RequestKind for PortalTask {
    fn query(&self) -> Option<&Rc<Query>> {
        None
    }

    fn refusal(&self) -> Option<Failure> {
        None
    }

    fn begin<S: Sink>(&mut self, _is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        let Some(Portal { query, description }) = turn.shared.portals.get(self.number).cloned() else {
            if let Some(request) = turn.id {
                let transaction_status = turn.shared.transaction_status;
                turn.sink.event(Event::Failed { request, failure: Failure::interface(GONE), transaction_status });
            }
            return Begun::Answered;
        };
        let name = turn.shared.portals.name(self.number);
        match self.step {
            PortalStep::Fetch { max_rows } => {
                if let Some(request) = turn.id.filter(|_| description.id != self.told) {
                    let description = Rc::clone(&description);
                    turn.sink.event(Event::Described { request, part: 0, description, needs_bind: false });
                }
                turn.course.write_closes(turn.shared, None);
                turn.shared.output.execute(&name, max_rows);
                turn.course.sync(&mut turn.shared.output);
            }
            // The protocol has no message for it.
            PortalStep::Move { count } => {
                turn.shared.output.query(&format!("MOVE FORWARD {count} FROM \"{name}\""));
                turn.course.is_synced = true;
                turn.course.end = turn.shared.output.end();
            }
        }
        self.query = Some(query);
        self.preparation.description = Some(description);
        self.stage = Stage::Running;
        Begun::Written
    }

    fn phase(&self) -> Phase {
        self.stage.phase()
    }

    fn is_barrier(&self) -> bool {
        false
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        match (frame.tag, self.stage) {
            (b's', Stage::Running) if self.is_fetch() => {
                nothing(frame.body)?;
                self.complete(CommandTag::of(Command::Select, 0), true, turn);
            }
            (b'C', Stage::Running) => {
                self.complete(command_tag(frame.body)?, false, turn);
            }
            (b'I', Stage::Running) if self.is_fetch() => {
                nothing(frame.body)?;
                self.complete(CommandTag::of(Command::Empty, 0), false, turn);
            }
            (tag, _) => return Err(ProtocolViolation::unexpected(tag)),
        }
        Ok(Answer::Noted)
    }

    fn data_row<S: Sink>(
        &mut self,
        body: &[u8],
        remaining: usize,
        turn: &mut Turn<'_, S>,
    ) -> Result<bool, ProtocolViolation> {
        if self.stage != Stage::Running || !self.is_fetch() {
            return Err(ProtocolViolation::unexpected(b'D'));
        }
        Ok(self.rows.take(self.preparation.description.as_ref(), body, remaining, turn))
    }

    fn fail(&mut self) {
        self.stage = Stage::Over;
    }

    fn standing(&self) -> Standing<'_> {
        Standing::at(self.phase())
    }

    fn is_answered(&self, course: &Course, has_left: bool) -> bool {
        self.stage == Stage::Over && (course.outcome.is_some() || has_left)
    }

    fn leave<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving {
        let is_untouched = self.stage == Stage::Running && turn.course.outcome.is_none();
        Leaving::IsCancelled { is_plain: is_untouched && turn.course.closes == 0 }
    }

    fn loss(&self, _course: &Course) -> Loss {
        Loss::default()
    }

    fn may_end_transaction(&self) -> bool {
        false
    }

    fn rows(&mut self) -> Option<(&mut Rows, Option<&Rc<Description>>)> {
        Some((&mut self.rows, self.preparation.description.as_ref()))
    }

    fn portal(&self) -> Option<u32> {
        Some(self.number)
    }

    fn renew(&mut self, catalog: &Rc<Catalog>) -> Option<Rc<Description>> {
        self.preparation.renew(self.query.as_ref()?, catalog)
    }

    /// It has its portal here.
    fn into_work(self) -> Option<Work> {
        None
    }
}
