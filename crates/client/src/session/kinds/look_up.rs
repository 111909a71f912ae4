//! Asking a server what types are made of, in one Sync group, for a request that waits.

use std::collections::HashMap;
use std::rc::Rc;

use super::request_kind::{Answer, AtReady, Begun, Leaving, Loss, RequestKind};
use crate::session::catalog::Catalog;
use crate::session::course::{Course, Outcome, Phase, Stage, Turn};
use crate::session::event::Sink;
use crate::session::failure::Failure;
use crate::session::introspection::{self, CatalogType, WITHOUT_JIT};
use crate::session::query::Query;
use crate::session::reader::{self, Frame, command_tag, nothing};
use crate::session::request::Work;
use crate::session::server_kind::ServerKind;
use crate::session::standing::Standing;
use crate::session::tag::CommandTag;
use crate::session::violation::ProtocolViolation;

/// What a savepoint around a look-up inside a transaction is called; it takes the setting for JIT back.
const SAVEPOINT: &str = "SAVEPOINT oxpg_look_up";
const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT oxpg_look_up";
const RELEASE: &str = "RELEASE SAVEPOINT oxpg_look_up";

/// A look-up, waiting or written, under the id of the request that waits for it.
#[derive(Debug)]
pub(in crate::session) struct LookUpTask {
    type_oids: Vec<u32>,
    /// They are known, and may be out of date.
    is_renewal: bool,
    /// What waits for it was executed: it is the types of its rows that are not known.
    is_for_rows: bool,
    found: HashMap<u32, CatalogType>,
    /// The statement of the Sync group that gives the rows, counted from 0, and how many there are.
    query_at: u8,
    statement_count: u8,
    completed: u8,
    stage: Stage,
}

impl LookUpTask {
    pub(in crate::session) fn new(type_oids: Vec<u32>, is_renewal: bool, is_for_rows: bool) -> Self {
        Self {
            type_oids,
            is_renewal,
            is_for_rows,
            found: HashMap::new(),
            query_at: 1,
            statement_count: 2,
            completed: 0,
            stage: Stage::Waiting,
        }
    }

    /// Whether what waits for it was executed.
    pub(in crate::session) fn is_for_rows(&self) -> bool {
        self.is_for_rows
    }

    /// Hands what was found to the catalog.
    pub(in crate::session) fn teach(&self, catalog: &Catalog) {
        if self.is_renewal && !catalog.is_as_found(&self.type_oids, &self.found) {
            catalog.invalidate();
        }
        catalog.learn(&self.type_oids, &self.found);
    }
}

fn looked_up() -> Outcome {
    Outcome::Complete { tag: CommandTag::other("LOOK UP"), is_suspended: false }
}

impl RequestKind for LookUpTask {
    fn query(&self) -> Option<&Rc<Query>> {
        None
    }

    fn refusal(&self) -> Option<Failure> {
        None
    }

    fn begin<S: Sink>(&mut self, is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        if !is_first {
            // Of rows: what is written behind them may end the transaction, or begin one.
            return Begun::Waits;
        }
        if !self.is_renewal {
            self.type_oids = turn.shared.catalog.missing(&self.type_oids);
        }
        let kind = turn.shared.server_kind;
        if turn.id.is_none() || self.type_oids.is_empty() || !kind.has_types() {
            return Begun::NotNeeded;
        }
        let is_in_transaction = turn.shared.transaction_status != b'I';
        let query = introspection::look_up_query(&self.type_oids, kind, turn.shared.parameter("server_version"));
        turn.course.write_closes(turn.shared, None);
        let all: &[&str] = &[SAVEPOINT, WITHOUT_JIT, &query, ROLLBACK_TO, RELEASE];
        let statements = match kind {
            ServerKind::PostgreSql if is_in_transaction => all,
            ServerKind::PostgreSql => &all[1..3],
            // What has no JIT compiler needs no savepoint, either.
            _ => &all[2..3],
        };
        self.query_at = statements.iter().take_while(|statement| **statement != query).fold(0, |count, _| count + 1);
        self.statement_count = statements.iter().fold(0, |count, _| count + 1);
        if turn.shared.is_simple() {
            // One transaction, too.
            turn.shared.output.query(&statements.join("; "));
            turn.course.is_synced = true;
            turn.course.end = turn.shared.output.end();
        } else {
            statements.iter().for_each(|statement| turn.shared.output.statement(statement));
            turn.course.sync(&mut turn.shared.output);
        }
        self.stage = Stage::Running;
        Begun::Written
    }

    fn phase(&self) -> Phase {
        self.stage.phase()
    }

    /// What waits for it goes first.
    fn is_barrier(&self) -> bool {
        true
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        match (frame.tag, self.stage) {
            (b'1' | b'2', Stage::Running) => nothing(frame.body)?,
            // The simple protocol's.
            (b'T', Stage::Running) => drop(reader::row_description(frame.body)?),
            (b'C', Stage::Running) => {
                command_tag(frame.body)?;
                self.completed += 1;
                if self.completed == self.statement_count {
                    self.stage = Stage::Over;
                    turn.course.outcome = Some(looked_up());
                }
            }
            (tag, _) => return Err(ProtocolViolation::unexpected(tag)),
        }
        Ok(Answer::Noted)
    }

    fn data_row<S: Sink>(
        &mut self,
        body: &[u8],
        _remaining: usize,
        _turn: &mut Turn<'_, S>,
    ) -> Result<bool, ProtocolViolation> {
        if self.stage != Stage::Running {
            return Err(ProtocolViolation::unexpected(b'D'));
        }
        if self.completed == self.query_at {
            introspection::read_row(body, &mut self.found)?;
        }
        Ok(true)
    }

    fn fail(&mut self) {
        self.stage = Stage::Over;
    }

    fn standing(&self) -> Standing<'_> {
        Standing { is_unexecuted: !self.is_for_rows, may_repeat: true, ..Standing::at(self.phase()) }
    }

    fn is_answered(&self, course: &Course, has_left: bool) -> bool {
        self.stage == Stage::Over && (course.outcome.is_some() || has_left)
    }

    /// A relative of PostgreSQL's may not know all of the query: what it was asked for is text then.
    fn ready<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> AtReady {
        let is_refused = |failure: &Failure| {
            failure.sqlstate.as_deref().is_some_and(|sqlstate| sqlstate.starts_with("42") || sqlstate.starts_with("0A"))
        };
        if turn.shared.server_kind != ServerKind::PostgreSql
            && turn.shared.transaction_status == b'I'
            && matches!(&turn.course.outcome, Some(Outcome::Failed(failure)) if is_refused(failure))
        {
            self.found.clear();
            turn.course.outcome = Some(looked_up());
        }
        AtReady::Settles
    }

    fn leave<S: Sink>(&mut self, _turn: &mut Turn<'_, S>) -> Leaving {
        Leaving::IsCancelled { is_plain: false }
    }

    fn loss(&self, _course: &Course) -> Loss {
        Loss { is_unexecuted: !self.is_for_rows, ..Loss::default() }
    }

    fn restart(&mut self, _is_asked_anew: bool) {
        self.found.clear();
        self.completed = 0;
        self.stage = Stage::Waiting;
    }

    /// What waits for it may go elsewhere; it is not here any more.
    fn into_work(self) -> Option<Work> {
        None
    }
}
