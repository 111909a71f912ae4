//! What the answers to Parse and Describe lead to.

use std::rc::Rc;

use oxpg_codec::types::ParameterType;

use super::event::{Event, ProtocolViolation, Sink};
use super::failure::{Failure, FailureKind};
use super::looking_up::Unresolved;
use super::query::{Column, Query};
use super::reader;
use super::request::Task;
use super::written::{Outcome, Stage, WrittenRequest};
use super::{Session, writing};

impl Session {
    pub(super) fn parse_complete(&mut self) -> Result<(), ProtocolViolation> {
        self.expect(b'1', Stage::Parsing)?.stage = Stage::ParametersDue;
        Ok(())
    }

    pub(super) fn parameter_description(&mut self, body: &[u8]) -> Result<(), ProtocolViolation> {
        let head = self.expect(b't', Stage::ParametersDue)?;
        head.stage = Stage::ColumnsDue;
        match reader::parameter_description(body)? {
            Some(parameters) => head.parameters = parameters,
            // The text was known to have fewer.
            None if head.is_whole => return Err(ProtocolViolation::new("a statement's parameters became too many")),
            None => head.outcome = Some(Outcome::Failed(Box::new(too_many_parameters()))),
        }
        Ok(())
    }

    /// RowDescription, or NoData without columns.
    pub(super) fn columns_described(
        &mut self,
        tag: u8,
        mut columns: Vec<Column>,
        sink: &mut impl Sink,
    ) -> Result<(), ProtocolViolation> {
        let catalog = Rc::clone(&self.catalog);
        let head = self.expect(tag, Stage::ColumnsDue)?;
        if head.outcome.is_some() {
            self.drop_described();
            return Ok(());
        }
        let mut parameters = std::mem::take(&mut head.parameters);
        let Some(query) = head.pending.query().map(Rc::clone) else { return Ok(()) };
        if let Some(sent) = head.description.clone().filter(|sent| sent.is_answered_by(&parameters, &columns)) {
            // One write: Bind went by just this. What is known of its types may have been dropped meanwhile, for a type of
            // somebody else's that has changed; whether these have, the rows tell.
            head.stage = Stage::Binding;
            if let Some(name) = head.statement.clone() {
                self.statements.ready(&name, &sent);
            }
            self.ask_waiting(&query, sink);
            return Ok(());
        }
        let resolution = catalog.resolve(&mut parameters, &mut columns);
        let is_renewal = std::mem::take(&mut head.pending.is_renewal_wanted) && resolution.is_ok();
        let missing = match resolution {
            Ok(()) if is_renewal => changeable(&parameters),
            Ok(()) => Vec::new(),
            Err(missing) => missing,
        };
        if !missing.is_empty() {
            let statement = Unresolved { parameters, columns, missing, is_renewal };
            self.types_missing(&query, statement);
            return Ok(());
        }
        let description = query.learn(parameters, columns, &catalog);
        let sent = head.description.replace(Rc::clone(&description));
        if let Some(sent) = sent {
            // One write: Bind went by what the environment knew.
            head.stage = Stage::Binding;
            head.is_outdated = !description.takes_parameters_of(&sent) || !description.has_formats_of(&sent);
            if head.is_outdated {
                head.row_failure = Some(Box::new(outdated()));
            } else if !head.pending.knows(&description) {
                writing::tell(&mut head.pending, &description, sink);
            }
        } else {
            head.stage = if head.is_synced { Stage::Prepared } else { Stage::AwaitingBind };
        }
        let is_flushed = head.stage == Stage::AwaitingBind;
        if let Some(name) = head.statement.clone() {
            self.statements.ready(&name, &description);
        }
        if is_flushed {
            self.choose_parameters(sink);
        }
        self.ask_waiting(&query, sink);
        Ok(())
    }

    /// The head is described, with types that have to be looked up: what it is will be known to its query, and the
    /// statement is parsed again with its Bind.
    fn types_missing(&mut self, query: &Query, statement: Unresolved) {
        let Some(head) = self.written.front_mut() else { return };
        if let Some(name) = head.statement.take() {
            self.statements.discard(&name);
        }
        if head.description.is_some() {
            // One write: Bind went by what the environment knew.
            query.forget_description();
            head.stage = Stage::Binding;
            head.is_outdated = true;
            head.row_failure = Some(Box::new(outdated()));
            return;
        }
        head.stage = Stage::Prepared;
        head.unresolved = Some(Box::new(statement));
        if !head.is_synced {
            self.sync_head();
        }
    }

    /// The head's statement was parsed and can never be bound.
    fn drop_described(&mut self) {
        let Some(head) = self.written.front_mut() else { return };
        head.stage = Stage::Over;
        if let Some(name) = head.statement.take() {
            self.statements.discard(&name);
        }
        if !head.is_synced {
            self.sync_head();
        }
    }

    /// The head is described: its parameters are at hand and fit, or its caller is asked for them.
    pub(super) fn choose_parameters(&mut self, sink: &mut impl Sink) {
        let Some(head) = self.written.front_mut() else { return };
        let Some(description) = head.description.clone() else { return };
        head.stage = Stage::AwaitingBind;
        if head.pending.id.is_none() {
            return self.release_head();
        }
        let fits = |head: &WrittenRequest| {
            head.pending.bind.as_ref().is_some_and(|bind| description.takes_parameters_of(&bind.description))
        };
        if !fits(head) {
            writing::ask(&mut head.pending, description, sink);
        } else if !head.pending.knows(&description) {
            writing::tell(&mut head.pending, &description, sink);
        }
    }

    /// Others wait with the same text: all are asked at once, not one after the other.
    fn ask_waiting(&mut self, query: &Rc<Query>, sink: &mut impl Sink) {
        let Some(description) = query.description() else { return };
        for pending in &mut self.waiting {
            let is_same = matches!(&pending.task, Task::Query { query: known, .. } if Rc::ptr_eq(known, query));
            if is_same && pending.bind.is_none() && !pending.is_asked && !pending.is_cold_wanted {
                writing::ask(pending, Rc::clone(&description), sink);
            }
        }
    }

    /// A batch whose statement is known may take its rows.
    pub(super) fn begin_gathering(&mut self, sink: &mut impl Sink) {
        let Some(head) = self.written.front_mut() else { return };
        let (Some(description), Some(request)) = (head.description.clone(), head.pending.id) else { return };
        head.stage = Stage::Batch;
        head.is_synced = false;
        head.pending.told = Some(Rc::clone(&description));
        sink.event(Event::Described { request, description, needs_bind: true });
        self.catch_up_batch(sink);
    }
}

/// The types of parameters that can be other than when they were looked up.
fn changeable(parameters: &[ParameterType]) -> Vec<u32> {
    let trees = parameters.iter().filter_map(|parameter| parameter.tree.as_ref());
    trees.filter(|tree| tree.has_attributes()).map(|tree| tree.oid).collect()
}

fn too_many_parameters() -> Failure {
    Failure::interface("a statement takes at most 65535 parameters")
}

/// What the environment knew of the statement was wrong for this connection.
fn outdated() -> Failure {
    Failure::new(
        FailureKind::OutdatedSchema,
        None,
        "the statement's types on this connection differ from what was known of it, so its result cannot be read; \
         it may have taken effect",
    )
}
