//! One statement on the extended protocol.
//!
//! | the connection | the caller has | is written |
//! |---|---|---|
//! | knows the statement (*warm*) | parameters for it | Bind, Execute, Sync |
//! | does not (*cold*) | perhaps parameters, by what others were told | Parse, Describe, Sync; then Bind, Execute, Sync |
//! | has no named statements (*cold*) | the same | Parse, Describe, Flush; then Bind, Execute, Sync in the same Sync group (rule 5) |
//!
//! A cold statement is bound by what its own session says of it: parameters for other types are asked for again.

mod binding;

use std::rc::Rc;

use super::request_kind::{Answer, AtReady, Begun, Leaving, Loss, RequestKind};
use crate::session::catalog::Catalog;
use crate::session::copy;
use crate::session::course::{Course, Phase, Turn};
use crate::session::event::Sink;
use crate::session::failure::Failure;
use crate::session::output::{LONGEST, too_long};
use crate::session::portals::Portals;
use crate::session::preparation::{Conclusion, Described, Preparation};
use crate::session::query::{Bind, Description, Query};
use crate::session::reader::{Frame, command_tag, nothing};
use crate::session::request::{Member, Work};
use crate::session::result_options::ResultOptions;
use crate::session::rows::Rows;
use crate::session::standing::Standing;
use crate::session::statements::Lookup;
use crate::session::tag::{Command, CommandTag};
use crate::session::violation::ProtocolViolation;

/// A query, waiting or written.
#[derive(Debug)]
pub(in crate::session) struct QueryTask {
    query: Rc<Query>,
    result: ResultOptions,
    /// The parameters; kept after they were written (if they are not too large), to send them again.
    bind: Option<Bind>,
    /// The description that the caller goes by.
    told: Option<Rc<Description>>,
    /// `Described { needs_bind: true }` is out, and `bind` has not come.
    is_asked: bool,
    /// Ask the server about the statement even if the environment knows it.
    is_cold_wanted: bool,
    /// What the environment knew did not take the parameters: ask the server about their types as well.
    is_renewal_wanted: bool,
    run: Run,
}

/// How far a query that was written is.
#[derive(Debug)]
struct Run {
    stage: Stage,
    preparation: Preparation,
    rows: Rows,
    /// A Flush keeps its Sync group open, in the unnamed mode (rule 5).
    is_flushed: bool,
    /// COPY data comes that nobody wants.
    is_copying_out: bool,
    /// The connection knew the statement before.
    is_warm: bool,
}

/// Which answer comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// None: it is not written
    Waiting,
    /// Those to Parse and Describe
    Preparing,
    /// ReadyForQuery after Parse and Describe alone
    Prepared,
    /// None: the caller's parameters are due, or wait for a cancel to be over
    AwaitingBind,
    /// BindComplete
    Binding,
    /// DataRow, or the end of the portal's rows
    Rows,
    /// ReadyForQuery alone
    Over,
}

impl Run {
    fn new(result: ResultOptions) -> Self {
        Self {
            stage: Stage::Waiting,
            preparation: Preparation::default(),
            rows: Rows::new(result.form, result.formats),
            is_flushed: false,
            is_copying_out: false,
            is_warm: false,
        }
    }
}

impl QueryTask {
    /// A bind that goes by the types and codecs of another catalog than the session's is dropped.
    pub(super) fn new(
        query: Rc<Query>,
        bind: Option<Bind>,
        result: ResultOptions,
        is_fresh: bool,
        catalog: &Rc<Catalog>,
    ) -> Self {
        let bind = bind.filter(|bind| !is_fresh && bind.description.is_of(catalog));
        Self {
            query,
            result,
            told: bind.as_ref().map(|bind| Rc::clone(&bind.description)),
            bind,
            is_asked: false,
            is_cold_wanted: is_fresh,
            is_renewal_wanted: is_fresh,
            run: Run::new(result),
        }
    }

    /// As a statement of a group. It was not written, and is not [asked](Self::is_asked) for its parameters.
    pub(in crate::session) fn into_member(self) -> Member {
        let Self { query, bind, result, is_cold_wanted: is_fresh, .. } = self;
        Member { query, bind, result, is_fresh }
    }

    /// An answer to Parse or Describe.
    fn prepare<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        let preparation = &mut self.run.preparation;
        let Described::As { parameters, columns } = preparation.answer(frame, turn)? else {
            return Ok(Answer::Noted);
        };
        let is_renewal = std::mem::take(&mut self.is_renewal_wanted);
        let conclusion = preparation.conclude(&self.query, (parameters, columns), is_renewal, turn);
        match conclusion {
            Conclusion::Useless => self.run.stage = Stage::Over,
            Conclusion::Known if !turn.course.is_synced => self.choose_parameters(turn),
            Conclusion::Known | Conclusion::Unresolved => self.run.stage = Stage::Prepared,
        }
        Ok(Answer::of(conclusion))
    }

    fn complete<S: Sink>(&mut self, tag: CommandTag, is_suspended: bool, turn: &mut Turn<'_, S>) {
        turn.shared.note_tag(&tag);
        if self.query.traits.ends_transaction {
            turn.shared.note_end(&tag);
        }
        turn.shared.portals.note_end(self.result, is_suspended);
        turn.course.complete(tag, is_suspended);
        self.run.is_copying_out = false;
        self.run.stage = Stage::Over;
    }

    /// It is bound, to a portal that stays if it is one of its own.
    fn note_bound<S>(&mut self, turn: &mut Turn<'_, S>) {
        self.run.stage = Stage::Rows;
        let description = self.run.preparation.description.as_ref();
        if turn.shared.portals.note_bound(self.result, &self.query, description) {
            turn.course.complete(CommandTag::of(Command::Select, 0), true);
            self.run.stage = Stage::Over;
        }
    }

    /// Its Bind is not written.
    fn is_cold(&self) -> bool {
        matches!(self.run.stage, Stage::Preparing | Stage::Prepared | Stage::AwaitingBind)
    }
}

impl RequestKind for QueryTask {
    fn query(&self) -> Option<&Rc<Query>> {
        Some(&self.query)
    }

    fn refusal(&self) -> Option<Failure> {
        let is_too_long = self.bind.as_ref().is_some_and(|bind| bind.parameters.len() > LONGEST);
        let refusal = self.query.refusal().or_else(|| is_too_long.then(too_long));
        refusal.or_else(|| Portals::refusal_of(&self.query, self.result))
    }

    fn begin<S: Sink>(&mut self, is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        if self.is_asked {
            return Begun::Waits;
        }
        let shared = &mut *turn.shared;
        let known = if self.is_cold_wanted { Lookup::Absent } else { shared.statements.look_up(&self.query) };
        match known {
            Lookup::Pending => return Begun::Waits,
            Lookup::Ready { name, description } if self.has_bind_for(&description) => {
                self.write_warm(name, description, turn);
            }
            Lookup::Ready { description, .. } => {
                self.ask(turn.id, description, turn.sink);
                return Begun::Waits;
            }
            // Its Sync group stays open until its parameters are here. PgBouncer takes the ReadyForQuery of the group before
            // it for the end of the transaction, and gives the server with the open group to another client.
            Lookup::Absent if !is_first && !turn.shared.statements.is_for(&self.query) => return Begun::Waits,
            Lookup::Absent => self.write_cold(turn),
        }
        Begun::Written
    }

    fn phase(&self) -> Phase {
        match self.run.stage {
            Stage::Waiting | Stage::AwaitingBind => Phase::AwaitingBind,
            Stage::Preparing => self.run.preparation.phase(),
            Stage::Prepared => Phase::Prepared,
            Stage::Binding => Phase::Binding,
            Stage::Rows => Phase::Executing,
            Stage::Over => Phase::Over,
        }
    }

    fn is_barrier(&self) -> bool {
        let traits = &self.query.traits;
        let may_change = traits.may_change_encoding || traits.changes.is_any();
        traits.is_copy || traits.forgets_statements || may_change || self.is_cold()
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        match (frame.tag, self.run.stage) {
            (_, Stage::Preparing) => return self.prepare(frame, turn),
            (b'2', Stage::Binding) => {
                nothing(frame.body)?;
                self.note_bound(turn);
            }
            (b'C', Stage::Rows) => self.complete(command_tag(frame.body)?, false, turn),
            (b'I', Stage::Rows) => {
                nothing(frame.body)?;
                self.complete(CommandTag::of(Command::Empty, 0), false, turn);
            }
            (b's', Stage::Rows) if self.result.max_rows > 0 => {
                nothing(frame.body)?;
                self.complete(CommandTag::of(Command::Select, 0), true, turn);
            }
            (b'G', Stage::Rows) => {
                copy::refuse_in(turn, true);
                // The Sync behind Execute was swallowed by the COPY, so another one ends the group.
                turn.course.sync(&mut turn.shared.output);
                self.run.is_copying_out = false;
            }
            (b'H', Stage::Rows) => {
                copy::refuse_out(turn, true);
                self.run.is_copying_out = true;
            }
            (b'd', _) if self.run.is_copying_out => {}
            (b'c', _) if self.run.is_copying_out => nothing(frame.body)?,
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
        let Run { stage: Stage::Rows, rows, preparation, .. } = &mut self.run else {
            return Err(ProtocolViolation::unexpected(b'D'));
        };
        Ok(rows.take(preparation.description.as_ref(), body, remaining, turn))
    }

    fn fail(&mut self) {
        self.run.stage = Stage::Over;
    }

    fn standing(&self) -> Standing<'_> {
        let is_unexecuted = matches!(self.phase(), Phase::Parsing | Phase::Describing | Phase::Binding);
        let may_repeat = is_unexecuted || (self.query.is_shareable && self.bind.is_some());
        Standing {
            phase: self.phase(),
            is_single: true,
            is_unexecuted,
            may_repeat: may_repeat && !self.run.rows.has_any(),
            may_move: self.query.is_shareable,
            may_heal: true,
            is_named: self.run.preparation.name.is_some(),
            is_warm: self.run.is_warm,
            is_copying_out: self.run.is_copying_out,
            row: None,
            description: self.run.preparation.description.as_deref(),
        }
    }

    fn is_answered(&self, course: &Course, has_left: bool) -> bool {
        match self.run.stage {
            Stage::Prepared => true,
            Stage::Over => course.outcome.is_some() || has_left,
            _ => false,
        }
    }

    fn ready<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> AtReady {
        if self.run.stage != Stage::Prepared || turn.id.is_none() {
            return AtReady::Settles;
        }
        if let Some(unresolved) = self.run.preparation.take_unresolved() {
            return AtReady::LooksUp(unresolved);
        }
        if self.has_lost_its_name(turn.shared) {
            return AtReady::Restarts;
        }
        turn.course.is_synced = false;
        self.choose_parameters(turn);
        AtReady::Stays
    }

    fn leave<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving {
        if self.run.stage == Stage::AwaitingBind {
            return self.release(turn);
        }
        let is_bind_alone = self.run.stage == Stage::Binding && !self.run.is_flushed;
        Leaving::IsCancelled { is_plain: is_bind_alone && turn.course.closes == 0 }
    }

    fn loss(&self, course: &Course) -> Loss {
        let is_undoable = self.query.is_shareable || self.query.traits.is_begin;
        Loss {
            is_unexecuted: self.is_cold(),
            is_undone: is_undoable && course.outcome.is_none() && !self.run.rows.has_any(),
            is_commit: self.query.traits.is_commit,
            is_committed: self.query.traits.is_commit && course.is_committed(),
        }
    }

    fn statement(&self) -> Option<&Rc<str>> {
        self.run.preparation.name.as_ref()
    }

    fn rows(&mut self) -> Option<(&mut Rows, Option<&Rc<Description>>)> {
        Some((&mut self.run.rows, self.run.preparation.description.as_ref()))
    }

    fn portal(&self) -> Option<u32> {
        self.result.portal.number()
    }

    fn renew(&mut self, catalog: &Rc<Catalog>) -> Option<Rc<Description>> {
        self.run.preparation.renew(&self.query, catalog)
    }

    fn restart(&mut self, is_asked_anew: bool) {
        self.run = Run::new(self.result);
        self.is_asked = false;
        self.is_cold_wanted |= is_asked_anew;
    }

    fn resume(&mut self, is_resolved: bool) {
        self.restart(false);
        self.bind = None;
        if is_resolved {
            // It is fresh now.
            self.is_cold_wanted = false;
        }
    }

    /// Who was asked for parameters answers here, so it cannot move then. Parameters whose types may have changed are
    /// left out: the same is as old on other connections.
    fn into_work(self) -> Option<Work> {
        let Self { query, bind, result, is_cold_wanted: is_fresh, is_asked, .. } = self;
        (!is_asked).then_some(Work::Query { query, bind: bind.filter(|_| !is_fresh), result, is_fresh })
    }
}
