//! Many rows of parameters for one statement, atomically: many Binds and Executes under one Sync.
//!
//! The first chunk is held back until it is known whether it is the only one. A batch that is longer starts with a
//! savepoint when it runs inside a transaction; outside, the Sync group is a transaction of its own. So it can be
//! taken back at any time before its Sync.
//!
//! A source may take its time between the description that its first rows were encoded by and the first Bind. If
//! something shows meanwhile that types may have changed, and in the unnamed mode always, the statement is parsed and
//! described again in the Sync group of its Binds: only if it is what it was are the rows bound.

use std::rc::Rc;

use oxpg_codec::types::ParameterType;

use super::request_kind::{Answer, AtReady, Begun, Leaving, Loss, RequestKind};
use crate::session::batch_progress::{BatchProgress, Group};
use crate::session::catalog::Catalog;
use crate::session::column::Column;
use crate::session::course::{Course, Outcome, Phase, Turn};
use crate::session::event::{Event, Sink};
use crate::session::failure::{Failure, FailureKind, ServerMessage};
use crate::session::output::{LONGEST, Output, too_long};
use crate::session::preparation::{Conclusion, Described, Preparation};
use crate::session::query::{Bind, Description, Query};
use crate::session::reader::Frame;
use crate::session::request::Work;
use crate::session::result_options::{ResultForm, ResultFormats};
use crate::session::rows::Rows;
use crate::session::standing::Standing;
use crate::session::statements::Lookup;
use crate::session::violation::ProtocolViolation;

const SAVEPOINT: &str = "SAVEPOINT oxpg_batch";
const RELEASE: &str = "RELEASE SAVEPOINT oxpg_batch";
const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT oxpg_batch";
const ROLLBACK: &str = "ROLLBACK";

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

    /// Its statement is known, and it is the head: its rows may come. Those that came before are caught up with.
    pub(in crate::session) fn gather<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Step {
        let (Some(description), Some(request)) = (self.preparation.description.clone(), turn.id) else {
            return Step::GoesOn;
        };
        self.stage = Stage::Running;
        turn.course.is_synced = false;
        turn.sink.event(Event::Described { request, description, needs_bind: true });
        if self.is_end_wanted {
            return self.end(turn);
        }
        self.tell_drained(turn);
        Step::GoesOn
    }

    /// A row. False when it cannot be taken: the batch has failed then, and is to be [taken back](Self::take_back).
    pub(in crate::session) fn row<S: Sink>(&mut self, bind: &Bind, turn: &mut Turn<'_, S>) -> bool {
        let Preparation { name, description: Some(description), .. } = &self.preparation else { return true };
        let refusal = if bind.parameters.len() > LONGEST {
            Some(too_long())
        } else if description.takes_parameters_of(&bind.description) {
            None
        } else {
            Some(Failure::new(FailureKind::Internal, None, "a batch's row does not fit its statement"))
        };
        if let Some(failure) = refusal {
            self.rows.fail(failure);
            return false;
        }
        let formats = description.formats(ResultFormats::ByType);
        let name = name.as_deref().unwrap_or("");
        if self.is_open && !self.preparation.is_under_way() {
            turn.shared.output.bind_and_execute(name, &bind.parameters, formats, 0);
            self.progress.expect(Group::Row, 1);
            turn.course.end = turn.shared.output.end();
        } else {
            self.held.bind_and_execute(name, &bind.parameters, formats, 0);
            self.held_rows += 1;
        }
        true
    }

    /// The end of a chunk: what was given so far is sent.
    pub(in crate::session) fn chunk<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.is_drain_wanted = true;
        if !self.is_open && self.held_rows > 0 {
            self.open(false, turn);
        }
        if self.is_open && !self.preparation.is_under_way() {
            // Errors come early, and the server's answers do not pile up.
            turn.shared.output.flush();
            turn.course.end = turn.shared.output.end();
        }
        self.tell_drained(turn);
    }

    /// The same before its rows are asked for.
    pub(in crate::session) fn want_drained(&mut self) {
        self.is_drain_wanted = true;
    }

    /// No more rows come; before they are asked for.
    pub(in crate::session) fn want_end(&mut self) {
        self.is_end_wanted = true;
    }

    /// Tells that more rows may come, if that was asked for and the output has room.
    pub(in crate::session) fn tell_drained<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        let has_room = turn.shared.output.unsent().len() < turn.shared.options.batch_output_bytes;
        if has_room
            && !self.preparation.is_under_way()
            && self.is_gathering(turn.course)
            && let Some(request) = turn.id
            && std::mem::take(&mut self.is_drain_wanted)
        {
            turn.sink.event(Event::Drained { request });
        }
    }

    /// Begins its Sync group, with what was held back if the statement is certain to be what it was.
    fn open<S: Sink>(&mut self, is_all: bool, turn: &mut Turn<'_, S>) {
        turn.course.start = turn.shared.output.end();
        turn.course.write_closes(turn.shared, self.preparation.name.as_ref());
        let is_certain = self.preparation.name.as_ref().is_some_and(|name| turn.shared.statements.is_certain(name));
        if !is_certain {
            self.preparation.close(turn);
        }
        let output = &mut turn.shared.output;
        self.is_open = true;
        if !is_all && turn.shared.transaction_status == b'T' {
            self.has_savepoint = true;
            output.statement(SAVEPOINT);
            self.progress.expect(Group::Statement, 1);
        }
        if is_certain {
            self.write_held(&mut turn.shared.output);
        } else {
            self.preparation.write_again(&self.query, turn);
            turn.shared.output.flush();
            self.progress.expect(Group::Parse, 1);
        }
        turn.course.end = turn.shared.output.end();
    }

    fn write_held(&mut self, output: &mut Output) {
        output.append(&mut self.held);
        self.progress.expect(Group::Row, std::mem::take(&mut self.held_rows));
        self.held = Output::default();
    }

    /// The statement is described once more, in the Sync group of its rows: they are written if it is what they were
    /// encoded for.
    fn go_on<S: Sink>(&mut self, parameters: &[ParameterType], columns: &[Column], turn: &mut Turn<'_, S>) {
        self.progress.parsed();
        if self.is_rolling_back {
            return;
        }
        let known = self.preparation.description.as_ref();
        if known.is_some_and(|known| known.is_answered_by(parameters, columns)) {
            self.preparation.confirm_again(turn);
            self.write_held(&mut turn.shared.output);
            if self.is_end_wanted {
                return self.close(turn);
            }
            turn.shared.output.flush();
            turn.course.end = turn.shared.output.end();
            return self.tell_drained(turn);
        }
        self.query.forget_description();
        self.preparation.give_up(turn);
        let text = "the statement's types have changed since the first rows were encoded for them; nothing was \
                    executed, and the same call works";
        self.rows.fail(Failure::new(FailureKind::OutdatedSchema, None, text).unsent());
        self.take_back(turn);
    }

    /// No more rows come.
    pub(in crate::session) fn end<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Step {
        if !self.is_open {
            if self.held_rows == 0 {
                return Step::IsOver;
            }
            self.open(true, turn);
        }
        if self.preparation.is_under_way() {
            self.is_end_wanted = true;
        } else {
            self.close(turn);
        }
        Step::GoesOn
    }

    /// Ends its Sync group.
    fn close<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        if self.has_savepoint {
            turn.shared.output.statement(RELEASE);
            self.progress.expect(Group::Statement, 1);
        }
        self.sync(turn);
    }

    /// What is known of its statement is to be asked for anew the next time.
    pub(in crate::session) fn doubt<S: Sink>(&self, turn: &mut Turn<'_, S>) {
        if let Some(name) = &self.preparation.name {
            turn.shared.statements.doubt(name);
        }
    }

    /// Makes what was written of it undone.
    pub(in crate::session) fn take_back<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Step {
        self.is_rolling_back = true;
        if !self.is_open {
            return Step::IsOver;
        }
        if self.has_savepoint {
            turn.shared.output.statement(ROLLBACK_TO);
            turn.shared.output.statement(RELEASE);
            self.progress.expect(Group::Statement, 2);
        } else if turn.shared.transaction_status == b'I' {
            turn.shared.output.statement(ROLLBACK);
            self.progress.expect(Group::Statement, 1);
        }
        self.sync(turn);
        Step::GoesOn
    }

    fn sync<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        turn.course.sync(&mut turn.shared.output);
        self.forget_held();
    }

    fn forget_held(&mut self) {
        self.held = Output::default();
        self.is_drain_wanted = false;
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
