//! Many rows of parameters for one statement, atomically: many Binds and Executes under one Sync.
//!
//! The first chunk is held back until it is known whether it is the only one. A batch that is longer starts with a
//! savepoint when it runs inside a transaction; outside, the Sync group is a transaction of its own. So it can be
//! taken back at any time before its Sync.
//!
//! A source may take its time between the description that its first rows were encoded by and the first Bind. If
//! something shows meanwhile that types may have changed, and in the unnamed mode always, the statement is parsed and
//! described again in the Sync group of its Binds: only if it is what it was are the rows bound.

mod feeding;

use std::rc::Rc;

use super::request_kind::{Answer, AtReady, Begun, Leaving, Loss, RequestKind};
use crate::session::batch_progress::BatchProgress;
use crate::session::catalog::Catalog;
use crate::session::course::{Course, Outcome, Phase, Turn};
use crate::session::event::Sink;
use crate::session::failure::{Failure, ServerMessage};
use crate::session::output::Output;
use crate::session::preparation::{Conclusion, Described, Preparation};
use crate::session::query::{Description, Query};
use crate::session::reader::Frame;
use crate::session::request::Work;
use crate::session::result_options::{ResultForm, ResultFormats};
use crate::session::rows::Rows;
use crate::session::standing::Standing;
use crate::session::statements::Lookup;
use crate::session::violation::ProtocolViolation;

/// With it a ROLLBACK outside a transaction block earns a warning.
const NO_ACTIVE_TRANSACTION: &str = "25P01";

/// A batch, waiting or written.
#[derive(Debug)]
pub(in crate::session) struct BatchTask {
    query: Rc<Query>,
    stage: Stage,
    preparation: Preparation,
    rows: Rows,
    /// The first rows, until they are written.
    held: Output,
    held_rows: u64,
    /// Its Sync group has begun: answers will come.
    is_open: bool,
    has_savepoint: bool,
    /// The connection knew the statement before.
    is_warm: bool,
    is_drain_wanted: bool,
    is_end_wanted: bool,
    is_rolling_back: bool,
    progress: BatchProgress,
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
    /// Those of its Sync group, see `batch_progress.rs`
    Running,
    /// ReadyForQuery after an error
    Over,
}

/// What a step of a batch leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Step {
    /// It goes on.
    GoesOn,
    /// It is over without the server having heard of it.
    IsOver,
}

impl BatchTask {
    pub(super) fn new(query: Rc<Query>, form: ResultForm) -> Self {
        Self {
            query,
            stage: Stage::Waiting,
            preparation: Preparation::default(),
            rows: Rows::new(form, ResultFormats::ByType),
            held: Output::default(),
            held_rows: 0,
            is_open: false,
            has_savepoint: false,
            is_warm: false,
            is_drain_wanted: false,
            is_end_wanted: false,
            is_rolling_back: false,
            progress: BatchProgress::default(),
        }
    }

    /// It takes rows.
    pub(in crate::session) fn is_gathering(&self, course: &Course) -> bool {
        self.stage == Stage::Running && !course.is_synced
    }

    /// Its rows are not asked for yet.
    pub(in crate::session) fn is_early(&self) -> bool {
        !matches!(self.stage, Stage::Running | Stage::Over)
    }
}

impl RequestKind for BatchTask {
    fn query(&self) -> Option<&Rc<Query>> {
        Some(&self.query)
    }

    fn refusal(&self) -> Option<Failure> {
        let copy = "COPY cannot run with many parameter rows: use the copy methods";
        self.query.refusal().or_else(|| self.query.traits.is_copy.then(|| Failure::interface(copy)))
    }

    /// It needs to know the transaction's status, and to be the head.
    fn begin<S: Sink>(&mut self, is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        if !is_first {
            return Begun::Waits;
        }
        match turn.shared.statements.look_up(&self.query) {
            Lookup::Pending => Begun::Waits,
            Lookup::Ready { name, description } => {
                self.preparation = Preparation::ready(name, description);
                self.is_warm = true;
                Begun::Gathers
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
            Stage::Running if self.progress.is_at_parse() => self.preparation.phase(),
            Stage::Running if self.progress.is_at_first_bind() => Phase::Binding,
            Stage::Running => Phase::Executing,
            Stage::Over => Phase::Over,
        }
    }

    /// A cold batch goes on after its Sync.
    fn is_barrier(&self) -> bool {
        self.is_early() || self.query.traits.may_change_encoding
    }

    fn is_of_parts(&self) -> bool {
        self.is_open
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        match self.stage {
            Stage::Running if self.progress.is_at_parse() => {
                if let Described::As { parameters, columns } = self.preparation.answer(frame, turn)? {
                    self.go_on(&parameters, &columns, turn);
                }
                return Ok(Answer::Noted);
            }
            Stage::Running => {
                if let Some(tag) = self.progress.answer(frame)? {
                    turn.shared.note_tag(&tag);
                }
                return Ok(Answer::Noted);
            }
            Stage::Preparing => {}
            Stage::Waiting | Stage::Prepared | Stage::Over => return Err(ProtocolViolation::unexpected(frame.tag)),
        }
        let Some(conclusion) = self.preparation.advance(frame, &self.query, turn)? else { return Ok(Answer::Noted) };
        self.stage = if conclusion == Conclusion::Useless { Stage::Over } else { Stage::Prepared };
        Ok(Answer::of(conclusion))
    }

    fn data_row<S: Sink>(
        &mut self,
        body: &[u8],
        remaining: usize,
        turn: &mut Turn<'_, S>,
    ) -> Result<bool, ProtocolViolation> {
        if self.stage != Stage::Running || !self.progress.is_in_rows() {
            return Err(ProtocolViolation::unexpected(b'D'));
        }
        Ok(self.rows.take(self.preparation.description.as_ref(), body, remaining, turn))
    }

    fn has_answers_due(&self) -> bool {
        self.stage != Stage::Running || self.is_open
    }

    fn fail(&mut self) {
        self.stage = Stage::Over;
        self.forget_held();
    }

    fn standing(&self) -> Standing<'_> {
        let is_early = self.stage != Stage::Running;
        let is_unexecuted = is_early || self.progress.is_at_parse() || self.progress.is_at_first_bind();
        Standing {
            is_unexecuted,
            may_repeat: is_early,
            is_named: self.preparation.name.is_some(),
            is_warm: self.is_warm,
            row: self.progress.row(),
            description: self.preparation.description.as_deref(),
            ..Standing::at(self.phase())
        }
    }

    fn is_answered(&self, course: &Course, has_left: bool) -> bool {
        match self.stage {
            Stage::Waiting | Stage::Preparing => false,
            Stage::Prepared => true,
            Stage::Running => self.progress.is_answered(),
            Stage::Over => course.outcome.is_some() || has_left,
        }
    }

    fn ready<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> AtReady {
        if self.stage != Stage::Prepared || turn.id.is_none() {
            return AtReady::Settles;
        }
        if let Some(unresolved) = self.preparation.take_unresolved() {
            return AtReady::LooksUp(unresolved);
        }
        if !turn.shared.statements.is_for(&self.query) {
            // It is parsed in the batch's own Sync group.
            self.preparation.name = None;
        }
        AtReady::Gathers
    }

    fn outcome(&mut self) -> Option<Outcome> {
        Some(if self.is_rolling_back {
            Outcome::Aborted
        } else {
            Outcome::Complete { tag: self.progress.tag(), is_suspended: false }
        })
    }

    fn leave<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving {
        if self.is_gathering(turn.course) { Leaving::TakesBack } else { Leaving::IsCancelled { is_plain: false } }
    }

    fn loss(&self, course: &Course) -> Loss {
        Loss {
            is_unexecuted: !self.is_open && self.stage != Stage::Over,
            is_commit: self.query.traits.is_commit,
            is_committed: self.query.traits.is_commit && course.is_committed(),
            ..Loss::default()
        }
    }

    /// Our ROLLBACK of an implicit transaction earns a warning that there is none.
    fn earns(&self, notice: &ServerMessage) -> bool {
        self.is_rolling_back && notice.has_sqlstate(NO_ACTIVE_TRANSACTION)
    }

    fn statement(&self) -> Option<&Rc<str>> {
        self.preparation.name.as_ref()
    }

    fn rows(&mut self) -> Option<(&mut Rows, Option<&Rc<Description>>)> {
        Some((&mut self.rows, self.preparation.description.as_ref()))
    }

    fn renew(&mut self, catalog: &Rc<Catalog>) -> Option<Rc<Description>> {
        self.preparation.renew(&self.query, catalog)
    }

    fn restart(&mut self, _is_asked_anew: bool) {
        self.stage = Stage::Waiting;
        self.preparation = Preparation::default();
    }

    /// It has sent some of its rows, and cannot move; or who was asked for rows answers here.
    fn into_work(self) -> Option<Work> {
        None
    }
}
