//! Looking types up before what needs them goes on.
//!
//! A statement whose types are not known waits while one query asks for all of them and their parts; then it is taken
//! up again from the front of the queue. Rows with values of unknown types (anonymous records bring theirs along) are
//! kept until their request is over, and delivered after the look-up. Either way nothing fails, and nobody overtakes.

use std::collections::{HashMap, VecDeque};

use oxpg_codec::types::ParameterType;

use super::Session;
use super::event::{ProtocolViolation, RowTaken, Sink};
use super::failure::{Failure, FailureKind};
use super::introspection::{self, CatalogType, WITHOUT_JIT};
use super::query::Column;
use super::receiving::{command_tag, nothing, unexpected};
use super::request::{PendingRequest, RequestId, Task};
use super::tag::CommandTag;
use super::written::{Outcome, Stage, WrittenRequest};

/// A statement whose types go on changing while they are looked up is given up after so many rounds.
const MOST_ROUNDS: u8 = 8;

/// What a savepoint around a look-up inside a transaction is called; it takes the setting for JIT back.
const SAVEPOINT: &str = "SAVEPOINT oxpg_look_up";
const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT oxpg_look_up";
const RELEASE: &str = "RELEASE SAVEPOINT oxpg_look_up";

/// A look-up in the queues, in place of the request that waits for it and under its id.
#[derive(Debug)]
pub(super) struct LookUp {
    type_oids: Vec<u32>,
    /// They are known, and may be out of date.
    is_renewal: bool,
    then: Then,
    found: HashMap<u32, CatalogType>,
    /// The statement of the Sync group that gives the rows, counted from 0, and how many there are.
    query_at: u8,
    statement_count: u8,
    completed: u8,
}

/// What waits for a look-up.
#[derive(Debug)]
enum Then {
    /// A statement that is to be bound.
    Bind { pending: Box<PendingRequest>, statement: Unresolved },
    /// Rows that are to be delivered; their request is over.
    Deliver(Box<WrittenRequest>),
}

/// What a server said of a statement whose types are not all known.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) parameters: Vec<ParameterType>,
    pub(super) columns: Vec<Column>,
    pub(super) missing: Vec<u32>,
    /// What is missing is the certainty that the types are still what they were.
    pub(super) is_renewal: bool,
}

/// Rows that wait for the types of their values.
#[derive(Debug, Default)]
pub(super) struct ParkedRows {
    rows: VecDeque<Box<[u8]>>,
    /// Bytes of the rows.
    size: usize,
    type_oids: Vec<u32>,
    /// Types that were looked up for them.
    asked: Vec<u32>,
    /// How often one of those was not known all the same.
    repetitions: u8,
}

/// A request that is over but for its rows.
#[derive(Debug)]
pub(super) struct Backlog(WrittenRequest);

impl Backlog {
    /// The request's id, unless its caller has left.
    pub(super) fn into_id(self) -> Option<RequestId> {
        self.0.pending.id
    }
}

impl LookUp {
    /// The batch that waits for it, if one does.
    pub(super) fn pending(&mut self) -> Option<&mut PendingRequest> {
        match &mut self.then {
            Then::Bind { pending, .. } => Some(pending),
            Then::Deliver(_) => None,
        }
    }

    /// Whether what waits for it was executed.
    pub(super) fn is_executed(&self) -> bool {
        matches!(self.then, Then::Deliver(_))
    }

    /// What waits for it, if that can go elsewhere.
    pub(super) fn into_pending(self) -> Option<PendingRequest> {
        match self.then {
            Then::Bind { pending, .. } => Some(*pending),
            Then::Deliver(_) => None,
        }
    }
}

impl WrittenRequest {
    /// Keeps a row. With an OID, that of a type which has to be looked up for it.
    pub(super) fn park(&mut self, row: &[u8], type_oid: Option<u32>) {
        let parked = self.parked.get_or_insert_default();
        parked.rows.push_back(row.into());
        parked.size += row.len();
        if let Some(type_oid) = type_oid {
            parked.type_oids.push(type_oid);
        }
    }
}

impl Session {
    /// The head, which was described and is taken off, waits for its types.
    pub(super) fn look_up_statement(&mut self, head: WrittenRequest, statement: Unresolved, sink: &mut impl Sink) {
        let mut pending = head.pending;
        pending.look_ups += 1;
        if pending.look_ups > MOST_ROUNDS {
            let failure = changing().unsent();
            return self.fail_unwritten(&pending, failure, sink);
        }
        let (id, type_oids, is_renewal) = (pending.id, statement.missing.clone(), statement.is_renewal);
        self.put_first(id, type_oids, is_renewal, Then::Bind { pending: Box::new(pending), statement });
    }

    /// The rows of a request that is over wait for their types.
    pub(super) fn look_up_rows(&mut self, mut written: WrittenRequest) {
        let type_oids = written.parked.as_mut().map_or_else(Vec::new, |parked| {
            let type_oids = std::mem::take(&mut parked.type_oids);
            parked.asked.extend_from_slice(&type_oids);
            type_oids
        });
        self.put_first(written.pending.id, type_oids, false, Then::Deliver(Box::new(written)));
    }

    fn put_first(&mut self, id: Option<RequestId>, type_oids: Vec<u32>, is_renewal: bool, then: Then) {
        let found = HashMap::new();
        let look_up = LookUp { type_oids, is_renewal, then, found, query_at: 1, statement_count: 2, completed: 0 };
        self.waiting.push_front(PendingRequest::look_up(id, look_up));
    }

    /// Writes the look-up that is first in the queue, or goes on where none is needed any more.
    pub(super) fn write_look_up(&mut self, mut pending: PendingRequest, sink: &mut impl Sink) {
        let Task::LookUp(look_up) = &mut pending.task else { return };
        if pending.id.is_none() {
            return;
        }
        if !look_up.is_renewal {
            look_up.type_oids = self.catalog.missing(&look_up.type_oids);
        }
        if look_up.type_oids.is_empty() {
            return self.after_look_up(pending, sink);
        }
        let is_in_transaction = self.transaction_status != b'I';
        look_up.found.clear();
        look_up.completed = 0;
        (look_up.query_at, look_up.statement_count) = if is_in_transaction { (2, 5) } else { (1, 2) };
        let query = introspection::look_up_query(&look_up.type_oids, self.parameter("server_version"));
        let mut written = WrittenRequest::new(pending, Stage::LookUp, self.output.end());
        self.write_closes(&mut written, None);
        if is_in_transaction {
            self.output.statement(SAVEPOINT);
        }
        self.output.statement(WITHOUT_JIT);
        self.output.statement(&query);
        if is_in_transaction {
            self.output.statement(ROLLBACK_TO);
            self.output.statement(RELEASE);
        }
        self.output.sync();
        written.is_synced = true;
        written.end = self.output.end();
        self.push_written(written);
    }

    /// A row of the look-up's statements.
    pub(super) fn look_up_row(&mut self, body: &[u8]) -> Result<(), ProtocolViolation> {
        match self.head_look_up() {
            Some(look_up) if look_up.completed == look_up.query_at => introspection::read_row(body, &mut look_up.found),
            Some(_) => Ok(()),
            None => Err(unexpected(b'D')),
        }
    }

    /// What the look-up's statements answer besides rows.
    pub(super) fn look_up_answer(&mut self, tag: u8, body: &[u8]) -> Result<(), ProtocolViolation> {
        match tag {
            b'1' | b'2' => nothing(body),
            b'C' => {
                command_tag(body)?;
                let Some(look_up) = self.head_look_up() else { return Err(unexpected(tag)) };
                look_up.completed += 1;
                if look_up.completed < look_up.statement_count {
                    return Ok(());
                }
                if let Some(head) = self.written.front_mut() {
                    head.stage = Stage::Over;
                    head.outcome = Some(Outcome::Complete { tag: CommandTag::other("LOOK UP"), is_suspended: false });
                }
                Ok(())
            }
            _ => Err(unexpected(tag)),
        }
    }

    fn head_look_up(&mut self) -> Option<&mut LookUp> {
        match &mut self.written.front_mut()?.pending.task {
            Task::LookUp(look_up) => Some(look_up),
            _ => None,
        }
    }

    /// The types are known: what waited for them goes on.
    pub(super) fn after_look_up(&mut self, pending: PendingRequest, sink: &mut impl Sink) {
        let Task::LookUp(look_up) = pending.task else { return };
        let LookUp { type_oids, is_renewal, then, found, .. } = *look_up;
        if is_renewal && !self.catalog.is_as_found(&type_oids, &found) {
            self.catalog.invalidate();
        }
        self.catalog.learn(&type_oids, &found);
        match then {
            Then::Bind { pending: mut waiting, mut statement } => {
                waiting.id = pending.id;
                let resolution = self.catalog.resolve(&mut statement.parameters, &mut statement.columns);
                if let (Ok(()), Some(query)) = (resolution, waiting.query()) {
                    query.learn(statement.parameters, statement.columns, &self.catalog);
                    // It is fresh now.
                    waiting.is_cold_wanted = false;
                }
                waiting.is_asked = false;
                waiting.bind = None;
                self.waiting.push_front(*waiting);
            }
            Then::Deliver(mut written) => {
                written.pending.id = pending.id;
                self.backlog = Some(Box::new(Backlog(*written)));
                self.deliver_backlog(sink);
            }
        }
    }

    /// Whether rows wait here that no message will bring again.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        self.backlog.is_some()
    }

    /// Offers the rows that waited for their types. False when the sink is full.
    pub(super) fn deliver_backlog(&mut self, sink: &mut impl Sink) -> bool {
        let Some(mut backlog) = self.backlog.take() else { return true };
        let written = &mut backlog.0;
        let (Some(request), Some(description)) = (written.pending.id, written.description.clone()) else { return true };
        while let Some(parked) = written.parked.as_mut().filter(|_| written.row_failure.is_none()) {
            let Some(row) = parked.rows.front() else { break };
            let remaining = parked.size.saturating_sub(row.len());
            match sink.row(request, &description, row, remaining) {
                RowTaken::Taken => {
                    parked.size = remaining;
                    parked.rows.pop_front();
                }
                RowTaken::Full => {
                    self.backlog = Some(backlog);
                    return false;
                }
                RowTaken::UnknownType(type_oid) if parked.repetitions < MOST_ROUNDS => {
                    parked.repetitions += u8::from(parked.asked.contains(&type_oid));
                    parked.type_oids.push(type_oid);
                    self.look_up_rows(backlog.0);
                    return true;
                }
                refused => written.row_failure = self.row_failure(refused).map(Box::new),
            }
        }
        backlog.0.parked = None;
        self.settle(backlog.0, sink);
        true
    }

    /// Why a row was not taken.
    pub(super) fn row_failure(&self, refused: RowTaken) -> Option<Failure> {
        let (kind, text) = match refused {
            RowTaken::Taken | RowTaken::Full => return None,
            RowTaken::Malformed(text) => (FailureKind::Protocol, text),
            RowTaken::Unsupported(text) => (FailureKind::Unsupported, text),
            RowTaken::OutdatedType(text) => {
                self.catalog.invalidate();
                (
                    FailureKind::OutdatedSchema,
                    format!("{text}; what was known of it is dropped, so the next call works"),
                )
            }
            RowTaken::UnknownType(_) => return Some(changing()),
        };
        Some(Failure::new(kind, None, text))
    }
}

fn changing() -> Failure {
    let text = "the statement's types went on changing while they were looked up";
    Failure::new(FailureKind::OutdatedSchema, None, text)
}

/// What is said of a request that was executed, when the look-up for its rows has failed.
pub(super) fn rows_without_types(failure: &mut Failure) {
    if failure.kind == FailureKind::Server {
        // The statement itself went well.
        failure.kind = FailureKind::OutdatedSchema;
    }
    failure.is_safe_to_retry = false;
    let reason = std::mem::take(&mut failure.message);
    failure.message =
        format!("the types of the result's values could not be looked up, and the statement was executed: {reason}");
}
