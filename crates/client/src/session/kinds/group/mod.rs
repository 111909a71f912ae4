//! Statements under one Sync: the application's, behind what the driver has put in front of them. Also what opens a
//! transaction, alone or in front of one statement.
//!
//! | of its statements | is written |
//! |---|---|
//! | the connection knows all | front, Bind and Execute of each, Sync |
//! | some are cold | context, Parse and Describe of each of those, Sync; then as above |
//! | some have no names | front, Parse and Describe of the cold, Flush; then, in the same Sync group, Parse (but of a single one), Bind and Execute of each, Sync |
//!
//! So nothing is executed before the parameters of all are known to fit. An opening is in front of whatever is written
//! first: once that was answered, what is opened is open.

mod answers;
mod part;
mod writing;

use std::rc::Rc;

use part::{Part, Progress};

use super::request_kind::{Answer, AtReady, Begun, Leaving, Loss, RequestKind};
use crate::session::catalog::Catalog;
use crate::session::changes::Changes;
use crate::session::course::{Course, Phase, Turn};
use crate::session::event::Sink;
use crate::session::failure::Failure;
use crate::session::front::{Front, Opening};
use crate::session::query::{Description, Query};
use crate::session::reader::Frame;
use crate::session::request::{Context, Member, Work};
use crate::session::rows::Rows;
use crate::session::standing::Standing;
use crate::session::tag::{Command, CommandTag};
use crate::session::violation::ProtocolViolation;

/// A group, waiting or written.
#[derive(Debug)]
pub(in crate::session) struct GroupTask {
    front: Front,
    parts: Vec<Part>,
    stage: Stage,
    /// The part whose answers come.
    at: usize,
    /// A Flush keeps its Sync group open, in the unnamed mode (rule 5).
    is_flushed: bool,
    /// COPY data comes that nobody wants.
    is_copying_out: bool,
    /// The names of statements that the server has skipped.
    skipped: Vec<Rc<str>>,
}

/// Which answers come next, apart from those to the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// None: it is not written
    Waiting,
    /// Those to Parse and Describe
    Preparing,
    /// ReadyForQuery after them
    Prepared,
    /// None: the caller's parameters are due, or wait for a cancel to be over
    AwaitingBinds,
    /// Those of its parts in turn
    Running,
    /// ReadyForQuery alone
    Over,
}

impl GroupTask {
    pub(super) fn new(context: Option<Box<Context>>, members: Vec<Member>, catalog: &Rc<Catalog>) -> Self {
        Self {
            front: Front::new(context),
            parts: members.into_iter().map(|member| Part::new(member, catalog)).collect(),
            stage: Stage::Waiting,
            at: 0,
            is_flushed: false,
            is_copying_out: false,
            skipped: Vec::new(),
        }
    }

    /// What opens a transaction, alone.
    pub(super) fn opening(text: Box<str>, context: Option<Box<Context>>, catalog: &Rc<Catalog>) -> Self {
        let mut group = Self::new(None, Vec::new(), catalog);
        group.front.open(vec![Opening { id: None, text, context }]);
        group
    }

    /// It is such a one, and not written.
    pub(in crate::session) fn is_opening(&self) -> bool {
        self.parts.is_empty()
    }

    /// Other openings go out in front of it, or none.
    pub(in crate::session) fn open(&mut self, openings: Vec<Opening>) {
        self.front.open(openings);
    }

    /// Why it cannot be done on the simple protocol.
    pub(super) fn simple_refusal(&self) -> Option<&'static str> {
        let is_plain = self.parts.is_empty() && !self.front.has_context();
        (!is_plain).then_some("there are no parameters, and no statements that share a Sync,")
    }

    fn is_single(&self) -> bool {
        self.parts.len() == 1
    }

    fn part(&self) -> Option<&Part> {
        self.parts.get(self.at.min(self.parts.len().saturating_sub(1)))
    }

    /// Its parameters are not written.
    fn is_cold(&self) -> bool {
        matches!(self.stage, Stage::Preparing | Stage::Prepared | Stage::AwaitingBinds)
    }

    /// The part whose rows are waiting or of no use, or else the one whose answers come.
    fn part_of_rows(&self) -> usize {
        let is_special = |part: &Part| part.rows.are_parked() || part.rows.has_failed();
        self.parts.iter().position(is_special).unwrap_or_else(|| self.at.min(self.parts.len().saturating_sub(1)))
    }
}

impl RequestKind for GroupTask {
    fn query(&self) -> Option<&Rc<Query>> {
        self.part().map(|part| &part.query)
    }

    fn refusal(&self) -> Option<Failure> {
        let copy = || Failure::interface("COPY cannot share a Sync with other statements: use the copy methods");
        let has_copy = !self.is_single() && self.parts.iter().any(|part| part.query.traits.is_copy);
        let refused = self.parts.iter().find_map(Part::refusal);
        refused.or_else(|| self.front.refusal()).or_else(|| has_copy.then(copy))
    }

    fn begin<S: Sink>(&mut self, is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        self.write_first(is_first, turn)
    }

    fn phase(&self) -> Phase {
        if let Some(phase) = self.front.phase() {
            return phase;
        }
        match self.stage {
            Stage::Waiting | Stage::AwaitingBinds => Phase::AwaitingBind,
            Stage::Preparing => {
                let due = self.parts.iter().find(|part| part.preparation.is_under_way());
                due.map_or(Phase::Prepared, |part| part.preparation.phase())
            }
            Stage::Prepared => Phase::Prepared,
            Stage::Running => match self.part().map(|part| part.progress) {
                Some(Progress::Parsing) => Phase::Parsing,
                Some(Progress::Binding) => Phase::Binding,
                Some(Progress::Rows) | None => Phase::Executing,
            },
            Stage::Over => Phase::Over,
        }
    }

    /// What is behind an opening is not to run without it.
    fn is_barrier(&self) -> bool {
        let may_change = |part: &Part| {
            let traits = &part.query.traits;
            let may_change = traits.may_change_encoding || traits.changes.is_any();
            traits.is_copy || traits.forgets_statements || may_change
        };
        self.front.has_openings() || self.is_cold() || self.parts.iter().any(may_change)
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        if self.front.is_under_way() {
            self.front.answer(frame, turn)?;
            if self.parts.is_empty() && !self.front.is_under_way() {
                let tag = self.front.take_tag().unwrap_or(CommandTag::of(Command::Empty, 0));
                turn.course.complete(tag, false);
                self.stage = Stage::Over;
            }
            return Ok(Answer::Noted);
        }
        match self.stage {
            Stage::Preparing => self.prepare(frame, turn),
            Stage::Running => self.run(frame, turn).map(|()| Answer::Noted),
            _ if self.is_copying_out && matches!(frame.tag, b'd' | b'c') => Ok(Answer::Noted),
            _ => Err(ProtocolViolation::unexpected(frame.tag)),
        }
    }

    fn data_row<S: Sink>(
        &mut self,
        body: &[u8],
        remaining: usize,
        turn: &mut Turn<'_, S>,
    ) -> Result<bool, ProtocolViolation> {
        if self.front.is_in_rows() {
            return Ok(true);
        }
        let part = self.parts.get_mut(self.at).filter(|_| self.stage == Stage::Running && !self.front.is_under_way());
        match part {
            Some(part) if part.progress == Progress::Rows => {
                Ok(part.rows.take(part.preparation.description.as_ref(), body, remaining, turn))
            }
            _ => Err(ProtocolViolation::unexpected(b'D')),
        }
    }

    fn has_answers_due(&self) -> bool {
        self.front.is_under_way() || !matches!(self.stage, Stage::Waiting | Stage::AwaitingBinds)
    }

    fn fail(&mut self) {
        let was_in_front = self.front.is_under_way();
        self.front.fail(&mut self.skipped);
        let under_way = self.parts.iter_mut().filter(|part| part.preparation.is_under_way());
        // The first of them was refused itself, and the engine has seen to its name.
        for part in under_way.skip(usize::from(!was_in_front)) {
            self.skipped.extend(part.preparation.name.take());
        }
        self.stage = Stage::Over;
    }

    fn standing(&self) -> Standing<'_> {
        let phase = self.phase();
        let is_in_front = self.front.is_under_way();
        let part = self.part();
        let has_openings = self.front.has_openings();
        let is_at_first = self.at == 0 || self.is_cold();
        let is_unexecuted = is_in_front
            || (is_at_first && matches!(phase, Phase::Parsing | Phase::Describing | Phase::Prepared | Phase::Binding));
        let are_shareable = self.parts.iter().all(|part| part.query.is_shareable);
        let are_bound = self.parts.iter().all(|part| part.bind.is_some());
        let has_rows = self.parts.iter().any(|part| part.rows.has_any());
        Standing {
            phase,
            // Outside a transaction all of it is rolled back as one.
            is_single: self.is_single() || are_shareable,
            is_unexecuted,
            // It would run without what it was to run in.
            may_repeat: !has_openings && (is_unexecuted || (are_shareable && are_bound && !has_rows)),
            may_move: are_shareable,
            may_heal: !has_openings && !has_rows && (self.is_single() || are_shareable),
            is_named: if is_in_front {
                self.front.statement().is_some()
            } else {
                part.is_some_and(|part| part.preparation.name.is_some())
            },
            is_warm: !is_in_front && part.is_some_and(|part| part.is_warm),
            is_copying_out: self.is_copying_out,
            row: (!is_in_front && self.at < self.parts.len())
                .then(|| u64::try_from(self.due_part()).unwrap_or(u64::MAX)),
            description: part.and_then(|part| part.preparation.description.as_deref()).filter(|_| !is_in_front),
        }
    }

    fn is_answered(&self, course: &Course, has_left: bool) -> bool {
        match self.stage {
            Stage::Prepared => true,
            Stage::Over => course.outcome.is_some() || has_left,
            _ => false,
        }
    }

    fn ready<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> AtReady {
        for name in self.skipped.drain(..) {
            turn.shared.statements.failed(&name);
        }
        if self.stage != Stage::Prepared || turn.id.is_none() {
            return AtReady::Settles;
        }
        self.after_preparation(turn)
    }

    fn leave<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving {
        if self.stage == Stage::AwaitingBinds {
            return self.release(turn);
        }
        let is_untouched = self.stage == Stage::Running && self.at == 0 && turn.course.outcome.is_none();
        let is_bind_next = self.part().is_some_and(|part| part.progress == Progress::Binding);
        let is_plain =
            is_untouched && is_bind_next && self.front.is_plain() && !self.is_flushed && turn.course.closes == 0;
        Leaving::IsCancelled { is_plain }
    }

    fn loss(&self, course: &Course) -> Loss {
        let are_undoable = self.parts.iter().all(|part| part.query.is_shareable || part.query.traits.is_begin);
        let has_rows = self.parts.iter().any(|part| part.rows.has_any());
        let is_commit = self.parts.iter().any(|part| part.query.traits.is_commit);
        Loss {
            is_unexecuted: self.is_cold() || self.parts.is_empty(),
            // What was opened is gone as well.
            is_undone: (are_undoable || self.front.has_openings()) && course.outcome.is_none() && !has_rows,
            is_commit,
            is_committed: is_commit && course.is_committed(),
        }
    }

    fn changes(&self) -> Changes {
        self.parts.iter().fold(self.front.changes(), |all, part| all.and(part.query.traits.changes))
    }

    fn may_end_transaction(&self) -> bool {
        self.parts.iter().any(|part| !part.query.is_shareable)
    }

    fn statement(&self) -> Option<&Rc<str>> {
        if self.front.is_under_way() {
            return self.front.statement();
        }
        self.parts.get(self.due_part()).and_then(|part| part.preparation.name.as_ref())
    }

    fn rows(&mut self) -> Option<(&mut Rows, Option<&Rc<Description>>)> {
        let at = self.part_of_rows();
        let part = self.parts.get_mut(at)?;
        Some((&mut part.rows, part.preparation.description.as_ref()))
    }

    fn portal(&self) -> Option<u32> {
        self.part().and_then(|part| part.result.portal.number())
    }

    fn part_of_row(&self) -> u32 {
        u32::try_from(self.part_of_rows()).unwrap_or(u32::MAX)
    }

    fn names_part(&self) -> bool {
        !self.parts.is_empty()
    }

    fn front(&mut self) -> Option<&mut Front> {
        Some(&mut self.front)
    }

    fn renew(&mut self, catalog: &Rc<Catalog>) -> Option<Rc<Description>> {
        let (is_single, at) = (self.is_single(), self.part_of_rows());
        let part = self.parts.get_mut(at)?;
        let renewed = part.preparation.renew(&part.query, catalog);
        // Of one among several the caller is always told whose the rows are.
        renewed.or_else(|| part.preparation.description.clone().filter(|_| !is_single))
    }

    fn restart(&mut self, is_asked_anew: bool) {
        let at = self.due_part();
        for part in &mut self.parts {
            part.restart();
        }
        if let Some(part) = self.parts.get_mut(at) {
            part.is_cold_wanted |= is_asked_anew;
        }
        self.stage = Stage::Waiting;
        self.at = 0;
        self.is_flushed = false;
        self.is_copying_out = false;
    }

    fn resume(&mut self, is_resolved: bool) {
        let at = self.due_part();
        self.restart(false);
        if let Some(part) = self.parts.get_mut(at) {
            part.bind = None;
            if is_resolved {
                part.is_cold_wanted = false;
            }
        }
    }

    fn into_work(self) -> Option<Work> {
        let Self { front, parts, .. } = self;
        let is_movable = !parts.is_empty() && !front.has_openings() && !parts.iter().any(|part| part.is_asked);
        is_movable.then(|| Work::Group {
            context: front.into_context(),
            members: parts.into_iter().map(Part::into_member).collect(),
        })
    }
}
