//! Parse and Describe of a statement, and what they bring to light: common to queries, batches and `prepare`.

use std::rc::Rc;

use oxpg_codec::types::ParameterType;

use super::catalog::Catalog;
use super::column::Column;
use super::course::{Phase, Turn};
use super::failure::Failure;
use super::query::{Description, Query};
use super::reader::{self, Frame, nothing};
use super::shared::Shared;
use super::violation::ProtocolViolation;

/// What a server said of a statement whose types are not all known.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) parameters: Vec<ParameterType>,
    pub(super) columns: Vec<Column>,
    pub(super) missing: Vec<u32>,
    /// What is missing is the certainty that the types are still what they were.
    pub(super) is_renewal: bool,
}

/// Which answer to Parse and Describe comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Due {
    /// Nothing is under way.
    #[default]
    Nothing,
    ParseComplete,
    ParameterDescription,
    /// RowDescription or NoData
    Columns,
}

/// The statement that a request goes by, from its Parse on.
#[derive(Debug, Default)]
pub(super) struct Preparation {
    due: Due,
    /// Its name on the server; `None` is the unnamed statement.
    pub(super) name: Option<Rc<str>>,
    /// What this session's server said of it.
    pub(super) description: Option<Rc<Description>>,
    /// From ParameterDescription until RowDescription.
    parameters: Vec<ParameterType>,
    /// It is described, with types that have to be looked up.
    unresolved: Option<Box<Unresolved>>,
}

/// What an answer to Parse and Describe came to.
pub(super) enum Described {
    /// More is due.
    NotYet,
    /// All is here.
    As { parameters: Vec<ParameterType>, columns: Vec<Column> },
}

/// What a statement that was described is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conclusion {
    /// Its description is known.
    Known,
    /// Types have to be looked up first, after its ReadyForQuery: see [`Preparation::take_unresolved`].
    Unresolved,
    /// It can never be bound, and has failed: only ReadyForQuery is due.
    Useless,
}

impl Preparation {
    /// A statement that the connection has already.
    pub(super) fn ready(name: Rc<str>, description: Rc<Description>) -> Self {
        Self { name: Some(name), description: Some(description), ..Self::default() }
    }

    /// Writes Parse and Describe.
    pub(super) fn write<S>(query: &Rc<Query>, turn: &mut Turn<'_, S>) -> Self {
        let mut preparation = Self::named(query, turn.shared);
        turn.course.write_closes(turn.shared, preparation.name.as_ref());
        preparation.send(query, turn.shared);
        preparation
    }

    /// One that is about to be sent: under a name, if its statement gets one.
    pub(super) fn named(query: &Rc<Query>, shared: &mut Shared) -> Self {
        let statements = &mut shared.statements;
        let name = statements.is_for(query).then(|| statements.begin(query));
        Self { name, ..Self::default() }
    }

    /// Writes Parse and Describe alone. The types of the parameters are for the server to say: with types of ours it would
    /// cast what does not fit its tables any more, silently.
    pub(super) fn send(&mut self, query: &Query, shared: &mut Shared) {
        self.due = Due::ParseComplete;
        shared.output.parse_and_describe(self.name.as_deref().unwrap_or(""), &query.text);
    }

    /// Closes a statement that is to be parsed again under its name.
    pub(super) fn close<S>(&self, turn: &mut Turn<'_, S>) {
        if let Some(name) = &self.name {
            turn.shared.output.close_statement(name);
            turn.course.closes += 1;
        }
    }

    /// Writes both once more for what was described before: what is bound to it in the same Sync group goes by the
    /// types of that Parse.
    pub(super) fn write_again<S>(&mut self, query: &Query, turn: &mut Turn<'_, S>) {
        if let Some(name) = &self.name {
            turn.shared.statements.begin_again(name);
        }
        self.due = Due::ParseComplete;
        turn.shared.output.parse_and_describe(self.name.as_deref().unwrap_or(""), &query.text);
    }

    /// The answer to both was what it was before.
    pub(super) fn confirm_again<S>(&self, turn: &mut Turn<'_, S>) {
        if let Some(name) = &self.name {
            turn.shared.statements.confirm(name);
        }
    }

    /// An answer to Parse or Describe is due.
    pub(super) fn is_under_way(&self) -> bool {
        self.due != Due::Nothing
    }

    /// The phase of a request that is at its preparation.
    pub(super) fn phase(&self) -> Phase {
        match self.due {
            Due::ParseComplete => Phase::Parsing,
            Due::ParameterDescription | Due::Columns => Phase::Describing,
            Due::Nothing => Phase::Prepared,
        }
    }

    /// Takes an answer to Parse or Describe.
    ///
    /// A statement that has more parameters than a Bind can take is noted as a failure, and described all the same.
    pub(super) fn answer<S>(
        &mut self,
        frame: Frame<'_>,
        turn: &mut Turn<'_, S>,
    ) -> Result<Described, ProtocolViolation> {
        let columns = match (frame.tag, self.due) {
            (b'1', Due::ParseComplete) => {
                nothing(frame.body)?;
                self.due = Due::ParameterDescription;
                return Ok(Described::NotYet);
            }
            (b't', Due::ParameterDescription) => {
                self.due = Due::Columns;
                match reader::parameter_description(frame.body)? {
                    Some(parameters) => self.parameters = parameters,
                    None => turn.course.fail(Failure::interface("a statement takes at most 65535 parameters")),
                }
                return Ok(Described::NotYet);
            }
            (b'T', Due::Columns) => reader::row_description(frame.body)?,
            (b'n', Due::Columns) => {
                nothing(frame.body)?;
                Vec::new()
            }
            _ => return Err(ProtocolViolation::unexpected(frame.tag)),
        };
        self.due = Due::Nothing;
        Ok(Described::As { parameters: std::mem::take(&mut self.parameters), columns })
    }

    /// Takes an answer to Parse or Describe that went alone, and concludes when all answers are here; `None` when more is
    /// due.
    pub(super) fn advance<S>(
        &mut self,
        frame: Frame<'_>,
        query: &Query,
        turn: &mut Turn<'_, S>,
    ) -> Result<Option<Conclusion>, ProtocolViolation> {
        Ok(match self.answer(frame, turn)? {
            Described::NotYet => None,
            Described::As { parameters, columns } => Some(self.conclude(query, (parameters, columns), false, turn)),
        })
    }

    /// Parse and Describe went alone, and are answered. `is_renewal`: the types are to be asked for anew as well.
    pub(super) fn conclude<S>(
        &mut self,
        query: &Query,
        (parameters, columns): (Vec<ParameterType>, Vec<Column>),
        is_renewal: bool,
        turn: &mut Turn<'_, S>,
    ) -> Conclusion {
        if turn.course.outcome.is_some() {
            self.give_up(turn);
            if !turn.course.is_synced {
                turn.course.sync(&mut turn.shared.output);
            }
            return Conclusion::Useless;
        }
        match resolve(query, parameters, columns, is_renewal, &turn.shared.catalog) {
            Ok(description) => {
                self.confirm(&description, turn);
                self.description = Some(description);
                Conclusion::Known
            }
            Err(unresolved) => {
                // It will be parsed again, with its Bind.
                self.give_up(turn);
                self.unresolved = Some(Box::new(unresolved));
                if !turn.course.is_synced {
                    turn.course.sync(&mut turn.shared.output);
                }
                Conclusion::Unresolved
            }
        }
    }

    /// Parse and Describe are answered, of a statement that is bound whatever they said: it is known from here on, unless its
    /// types would have to be looked up.
    pub(super) fn note<S>(
        &mut self,
        query: &Query,
        parameters: Vec<ParameterType>,
        columns: Vec<Column>,
        turn: &mut Turn<'_, S>,
    ) {
        match resolve(query, parameters, columns, false, &turn.shared.catalog) {
            Ok(description) => self.confirm(&description, turn),
            Err(_) => self.give_up(turn),
        }
    }

    /// The connection knows the statement by its name from here on.
    fn confirm<S>(&self, description: &Rc<Description>, turn: &mut Turn<'_, S>) {
        if let Some(name) = &self.name {
            turn.shared.statements.ready(name, description);
        }
    }

    /// The statement was parsed, and is of no use.
    pub(super) fn give_up<S>(&mut self, turn: &mut Turn<'_, S>) {
        if let Some(name) = self.name.take() {
            turn.shared.statements.discard(&name);
        }
    }

    /// What is known of the types has been renewed: the same statement, described by it.
    pub(super) fn renew(&mut self, query: &Query, catalog: &Rc<Catalog>) -> Option<Rc<Description>> {
        let known = self.description.as_ref().filter(|known| !known.is_current())?;
        let (parameters, columns) = (known.parameters.clone(), known.columns.clone());
        let renewed = resolve(query, parameters, columns, false, catalog).ok()?;
        self.description = Some(Rc::clone(&renewed));
        Some(renewed)
    }

    pub(super) fn take_unresolved(&mut self) -> Option<Unresolved> {
        self.unresolved.take().map(|unresolved| *unresolved)
    }
}

/// Notes with the query what a server said of it, if all types are known.
fn resolve(
    query: &Query,
    mut parameters: Vec<ParameterType>,
    mut columns: Vec<Column>,
    is_renewal: bool,
    catalog: &Rc<Catalog>,
) -> Result<Rc<Description>, Unresolved> {
    let (missing, is_renewal) = match catalog.resolve(&mut parameters, &mut columns) {
        Ok(()) if is_renewal => (changeable(&parameters), true),
        Ok(()) => (Vec::new(), false),
        Err(missing) => (missing, false),
    };
    if missing.is_empty() {
        Ok(query.learn(parameters, columns, catalog))
    } else {
        Err(Unresolved { parameters, columns, missing, is_renewal })
    }
}

/// The types of parameters that can be other than when they were looked up.
fn changeable(parameters: &[ParameterType]) -> Vec<u32> {
    let trees = parameters.iter().filter_map(|parameter| parameter.tree.as_ref());
    trees.filter(|tree| tree.has_attributes()).map(|tree| tree.oid).collect()
}
