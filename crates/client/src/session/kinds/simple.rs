//! One statement on the simple protocol, whose rows are wanted: for what lies between and knows no other.
//!
//! It has no parameters. What the columns are is told with the result, so types that are not known are looked up when the
//! statement has been executed, and its rows wait for them.

use std::rc::Rc;

use super::request_kind::{Answer, Begun, Leaving, Loss, RequestKind};
use crate::session::catalog::Catalog;
use crate::session::changes::Changes;
use crate::session::column::Column;
use crate::session::copy;
use crate::session::course::{Course, Phase, Stage, Turn};
use crate::session::event::{Event, Sink};
use crate::session::failure::{Failure, FailureKind};
use crate::session::keyword::is_several;
use crate::session::query::{Bind, Description, Query};
use crate::session::reader::{self, Frame, command_tag, nothing};
use crate::session::request::Work;
use crate::session::result_options::{ResultForm, ResultFormats, ResultOptions};
use crate::session::rows::{Rows, changing};
use crate::session::shared::Shared;
use crate::session::standing::Standing;
use crate::session::tag::{Command, CommandTag};
use crate::session::violation::ProtocolViolation;

const PARAMETERS: &str = "the simple query protocol has no parameters";
const SEVERAL: &str = "the text has several statements, of which only execute() without parameters takes more than one";
const BINARY: &str = "the result of a BINARY cursor cannot be read on the simple query protocol";

/// A query, waiting or written.
#[derive(Debug)]
pub(in crate::session) struct SimpleTask {
    query: Rc<Query>,
    result: ResultOptions,
    has_parameters: bool,
    /// The description that the caller goes by.
    told: Option<Rc<Description>>,
    run: Run,
}

/// How far a query that was written is.
#[derive(Debug)]
struct Run {
    stage: Stage,
    rows: Rows,
    /// Rows that came, of which the first `max_rows` are delivered.
    row_count: u64,
    description: Option<Rc<Description>>,
    /// Types of its columns have to be looked up.
    is_unresolved: bool,
    /// A RowDescription or a COPY came, and the end of it has not.
    is_in_result: bool,
    /// COPY data comes that nobody wants.
    is_copying_out: bool,
}

impl Run {
    fn new(result: ResultOptions) -> Self {
        Self {
            stage: Stage::Waiting,
            rows: Rows::new(result.form, result.formats),
            row_count: 0,
            description: None,
            is_unresolved: false,
            is_in_result: false,
            is_copying_out: false,
        }
    }
}

impl SimpleTask {
    pub(super) fn new(query: Rc<Query>, bind: Option<Bind>, result: ResultOptions) -> Self {
        let formats = match result.formats {
            ResultFormats::Text => ResultFormats::Text,
            ResultFormats::ByType | ResultFormats::Printed => ResultFormats::Printed,
        };
        let result = ResultOptions { formats, ..result };
        let told = bind.map(|bind| bind.description);
        let has_parameters = told.as_ref().is_some_and(|told| !told.parameters.is_empty());
        Self { query, result, has_parameters, told, run: Run::new(result) }
    }

    /// A portal of its own is wanted.
    pub(super) fn is_of_portal(&self) -> bool {
        self.result.portal.number().is_some()
    }

    /// The server would execute all that is in the text, so it has to be told what belongs to a string by the server's own
    /// setting.
    pub(super) fn refusal_of(&self, shared: &Shared) -> Option<Failure> {
        let are_strings_plain = shared.parameter("standard_conforming_strings") != Some("off");
        is_several(&self.query.text, are_strings_plain).then(|| Failure::interface(SEVERAL))
    }

    /// The columns of the result are known, if not their types.
    fn describe<S: Sink>(&mut self, mut columns: Vec<Column>, turn: &mut Turn<'_, S>) {
        let catalog = Rc::clone(&turn.shared.catalog);
        // If what was looked up is too old, this forgets it.
        catalog.generation();
        let missing = catalog.resolve(&mut [], &mut columns).err().unwrap_or_default();
        self.run.is_unresolved = !missing.is_empty();
        let description = if self.run.is_unresolved {
            Description::new(Vec::new(), columns, catalog)
        } else {
            self.query.learn(Vec::new(), columns, &catalog)
        };
        self.run.description = Some(Rc::clone(&description));
        if self.run.is_unresolved && self.result.form == ResultForm::Rows {
            // Even where there is no row: the caller is told what its columns are.
            self.run.rows.await_types(missing);
        } else {
            self.tell(&description, turn);
        }
    }

    /// Tells the caller how the rows will look, unless he knows.
    fn tell<S: Sink>(&mut self, description: &Rc<Description>, turn: &mut Turn<'_, S>) {
        if self.told.as_ref().is_some_and(|told| told.id == description.id) {
            return;
        }
        self.told = Some(Rc::clone(description));
        if let Some(request) = turn.id {
            turn.sink.event(Event::Described {
                request,
                part: 0,
                description: Rc::clone(description),
                needs_bind: false,
            });
        }
    }

    /// Another result than the first has begun: nobody could tell whose rows are whose.
    fn refuse_more<S>(&mut self, turn: &mut Turn<'_, S>) {
        if turn.course.outcome.is_some() {
            let failure =
                Failure { is_safe_to_retry: false, ..Failure::interface(format!("{SEVERAL}; all were executed")) };
            turn.course.fail(failure);
        }
    }

    fn complete<S: Sink>(&mut self, tag: CommandTag, turn: &mut Turn<'_, S>) {
        turn.shared.note_tag(&tag);
        if self.query.traits.ends_transaction {
            turn.shared.note_end(&tag);
        }
        self.refuse_more(turn);
        if self.run.description.is_none() {
            self.describe(Vec::new(), turn);
        }
        let is_suspended = self.result.max_rows > 0 && self.run.row_count > u64::from(self.result.max_rows);
        turn.course.complete(tag, is_suspended);
        self.run.is_in_result = false;
        self.run.is_copying_out = false;
    }
}

impl RequestKind for SimpleTask {
    fn query(&self) -> Option<&Rc<Query>> {
        Some(&self.query)
    }

    fn refusal(&self) -> Option<Failure> {
        let unsupported = || Failure::new(FailureKind::Unsupported, None, PARAMETERS).unsent();
        self.query.refusal().or_else(|| self.has_parameters.then(unsupported))
    }

    fn begin<S: Sink>(&mut self, _is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        turn.shared.output.query(&self.query.text);
        self.run.stage = Stage::Running;
        turn.course.is_synced = true;
        turn.course.end = turn.shared.output.end();
        Begun::Written
    }

    fn phase(&self) -> Phase {
        self.run.stage.phase()
    }

    /// What is no single SELECT or the like may hide a COPY (rule 6), or change what those behind it mean.
    fn is_barrier(&self) -> bool {
        let traits = &self.query.traits;
        !traits.is_shareable || traits.may_change_encoding || traits.changes.is_any()
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        match (frame.tag, self.run.stage) {
            (b'd', _) if self.run.is_copying_out => {}
            (b'c', _) if self.run.is_copying_out => nothing(frame.body)?,
            (b'T', Stage::Running) => {
                let (columns, is_binary) = reader::result_description(frame.body)?;
                self.refuse_more(turn);
                if is_binary {
                    turn.course.fail(Failure::new(FailureKind::Unsupported, None, BINARY));
                }
                if !turn.course.has_failed() {
                    self.describe(columns, turn);
                }
                self.run.is_in_result = true;
            }
            (b'C', Stage::Running) => self.complete(command_tag(frame.body)?, turn),
            (b'I', Stage::Running) => {
                nothing(frame.body)?;
                self.complete(CommandTag::of(Command::Empty, 0), turn);
            }
            (b'G', Stage::Running) => {
                copy::refuse_in(turn, false);
                self.run.is_in_result = true;
                self.run.is_copying_out = false;
            }
            (b'H', Stage::Running) => {
                copy::refuse_out(turn, false);
                self.run.is_in_result = true;
                self.run.is_copying_out = true;
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
        let Self { result, run, .. } = self;
        if run.stage != Stage::Running || !run.is_in_result || run.is_copying_out {
            return Err(ProtocolViolation::unexpected(b'D'));
        }
        let is_wanted = result.max_rows == 0 || run.row_count < u64::from(result.max_rows);
        let is_taken =
            turn.course.has_failed() || !is_wanted || run.rows.take(run.description.as_ref(), body, remaining, turn);
        run.row_count += u64::from(is_taken);
        Ok(is_taken)
    }

    fn fail(&mut self) {
        self.run.stage = Stage::Over;
    }

    fn standing(&self) -> Standing<'_> {
        let is_shareable = self.query.is_shareable;
        Standing {
            is_single: is_shareable,
            may_repeat: is_shareable && self.run.row_count == 0,
            may_move: is_shareable,
            is_copying_out: self.run.is_copying_out,
            ..Standing::at(self.phase())
        }
    }

    fn is_answered(&self, course: &Course, has_left: bool) -> bool {
        match self.run.stage {
            Stage::Waiting => false,
            Stage::Running => course.outcome.is_some() && !self.run.is_in_result,
            Stage::Over => course.outcome.is_some() || has_left,
        }
    }

    fn leave<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving {
        let is_untouched = self.run.stage == Stage::Running && turn.course.outcome.is_none();
        Leaving::IsCancelled { is_plain: is_untouched && turn.course.closes == 0 }
    }

    fn loss(&self, course: &Course) -> Loss {
        let is_undoable = self.query.is_shareable || self.query.traits.is_begin;
        Loss {
            is_unexecuted: false,
            is_undone: is_undoable && course.outcome.is_none() && self.run.row_count == 0,
            is_commit: self.query.traits.is_commit,
            is_committed: self.query.traits.is_commit && !self.run.is_in_result && course.is_committed(),
        }
    }

    fn changes(&self) -> Changes {
        self.query.traits.changes
    }

    fn rows(&mut self) -> Option<(&mut Rows, Option<&Rc<Description>>)> {
        Some((&mut self.run.rows, self.run.description.as_ref()))
    }

    fn renew(&mut self, catalog: &Rc<Catalog>) -> Option<Rc<Description>> {
        let run = &mut self.run;
        // If only values of anonymous types were looked up, the caller has rows by what he was told.
        let is_outdated = |known: &Description| run.rows.are_renewed() && !known.is_current();
        let known = run.description.as_ref().filter(|known| run.is_unresolved || is_outdated(known))?;
        let mut columns = known.columns.clone();
        if catalog.resolve(&mut [], &mut columns).is_err() {
            run.rows.fail(changing());
            return None;
        }
        run.is_unresolved = false;
        let renewed = self.query.learn(Vec::new(), columns, catalog);
        run.description = Some(Rc::clone(&renewed));
        self.told = Some(Rc::clone(&renewed));
        Some(renewed)
    }

    fn restart(&mut self, _is_asked_anew: bool) {
        self.run = Run::new(self.result);
    }

    fn into_work(self) -> Option<Work> {
        Some(Work::Query { query: self.query, bind: None, result: self.result, is_fresh: false })
    }
}
