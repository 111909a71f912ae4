//! A session, a model server, and the wire between them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use oxpg_client::session::{
    Bind, Catalog, Context, Description, EndCause, Event, Failure, FailureKind, Member, PoolerSearch, Query,
    QueryProtocol, Request, RequestId, ResultForm, ResultFormats, ResultOptions, Route, RowTaken, Session,
    SessionOptions, SessionStart, Sink, Work,
};

use oxpg_codec::types::TypeSource;

use crate::server::Server;

/// Remembers everything in order.
#[derive(Default)]
pub(crate) struct Recorder {
    /// Events in a form that can be compared and read.
    pub(crate) lines: Vec<String>,
    /// Requests whose statement was parsed for them.
    pub(crate) prepared: Vec<RequestId>,
    pub(crate) rows: HashMap<RequestId, Vec<(u32, u32)>>,
    /// The formats in which a request's rows came.
    pub(crate) formats: HashMap<RequestId, ResultFormats>,
    pub(crate) settled: HashMap<RequestId, Settled>,
    /// The texts of scripts that were given back.
    pub(crate) scripts_back: HashMap<RequestId, String>,
    pub(crate) asked: Vec<(RequestId, Rc<Description>)>,
    pub(crate) drained: Vec<RequestId>,
    pub(crate) cancels_wanted: usize,
    /// Cancels whose connections are not over.
    pub(crate) open_cancels: VecDeque<u32>,
    pub(crate) closed: Option<Option<Failure>>,
    /// Row number `n` of all finds the sink full once.
    pub(crate) full_at: Vec<usize>,
    pub(crate) row_count: usize,
    /// This request's rows cannot be decoded.
    pub(crate) malformed: Option<RequestId>,
    /// This request's rows have a type that is not as it was; with whether it is so whenever it is looked up.
    pub(crate) outdated: Option<(RequestId, bool)>,
    /// So many of them can be read all the same (they hold NULL there).
    pub(crate) readable_rows: usize,
    /// By this description they cannot be read.
    outdated_description: Option<u32>,
    /// Rows have values of these types.
    pub(crate) unknown_types: Range<u32>,
    described: HashMap<RequestId, u32>,
    /// The rows of a group by its parts, in the order of their arrival.
    pub(crate) parts: HashMap<RequestId, Vec<(u32, u32)>>,
    /// The part that was described last.
    part: HashMap<RequestId, u32>,
    /// The parts that were asked for their parameters.
    pub(crate) asked_parts: HashMap<RequestId, VecDeque<u32>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Settled {
    Completed {
        command: u8,
        rows: u64,
        text: Option<String>,
        is_suspended: bool,
    },
    Failed(Failure),
    /// Given back: its work may be done elsewhere.
    Returned {
        has_bind: bool,
        is_fresh: bool,
        failure: Failure,
    },
    Aborted,
}

impl Recorder {
    fn settle(&mut self, request: RequestId, settled: Settled) {
        let before = self.settled.insert(request, settled);
        assert!(before.is_none(), "request {request} settled twice");
    }

    /// The caller's id is free: events of an earlier request with it are forgotten.
    pub(crate) fn forget(&mut self, request: RequestId) {
        self.settled.remove(&request);
        self.rows.remove(&request);
        self.asked.retain(|(asked, _)| *asked != request);
        self.drained.retain(|drained| *drained != request);
        self.described.remove(&request);
        self.part.remove(&request);
        self.parts.remove(&request);
        self.asked_parts.remove(&request);
    }
}

impl Sink for Recorder {
    fn row(
        &mut self,
        request: RequestId,
        description: &Rc<Description>,
        formats: ResultFormats,
        row: &[u8],
        _: usize,
    ) -> RowTaken {
        if self.full_at.first() == Some(&self.row_count) {
            self.full_at.remove(0);
            return RowTaken::Full;
        }
        assert!(!self.settled.contains_key(&request), "a row of {request} after its end");
        if let Some(described) = self.described.get(&request) {
            assert_eq!(*described, description.id, "rows of {request} follow the last description");
        }
        let is_unknown = |type_oid: &u32| description.catalog.type_of(*type_oid).is_none();
        if let Some(type_oid) = self.unknown_types.clone().find(is_unknown) {
            return RowTaken::UnknownType(type_oid);
        }
        self.row_count += 1;
        if self.malformed == Some(request) {
            return RowTaken::Malformed("column 1 cannot be decoded".into());
        }
        let is_readable = self.rows.get(&request).map_or(0, Vec::len) < self.readable_rows;
        if let Some((_, is_forever)) = self.outdated.filter(|(outdated, _)| *outdated == request && !is_readable) {
            let first = *self.outdated_description.get_or_insert(description.id);
            if is_forever || first == description.id {
                return RowTaken::OutdatedType("column 1 has changed".into());
            }
        }
        let value = |at: usize| u32::from_be_bytes(row[at..at + 4].try_into().unwrap());
        self.formats.insert(request, formats);
        let part = self.part.get(&request).copied().unwrap_or(0);
        self.parts.entry(request).or_default().push((part, value(6)));
        self.rows.entry(request).or_default().push((value(6), value(14)));
        self.lines.push(format!("row {request} {} {}", value(6), value(14)));
        RowTaken::Taken
    }

    fn prepares(&mut self, request: RequestId) {
        self.prepared.push(request);
    }

    fn event(&mut self, event: Event) {
        let is_refusal = matches!(
            &event,
            Event::Failed { failure, .. } | Event::Returned { failure, .. } if failure.is_safe_to_retry
        );
        assert!(self.closed.is_none() || is_refusal, "an event after Closed: {event:?}");
        let line = match event {
            Event::Described { request, part, description, needs_bind } => {
                assert!(!self.settled.contains_key(&request));
                assert!(!needs_bind || !self.rows.contains_key(&request), "asked for parameters after the first row");
                self.described.insert(request, description.id);
                self.part.insert(request, part);
                let number = if part == 0 { String::new() } else { format!("/{part}") };
                let line = format!("described {request}{number} {} {needs_bind}", description.columns.len());
                if needs_bind {
                    self.asked_parts.entry(request).or_default().push_back(part);
                    self.asked.push((request, description));
                }
                line
            }
            Event::Completed { request, tag, is_suspended, transaction_status } => {
                let line = format!("completed {request} {tag:?} {is_suspended} {}", char::from(transaction_status));
                let settled =
                    Settled::Completed { command: tag.command as u8, rows: tag.rows, text: tag.text, is_suspended };
                self.settle(request, settled);
                line
            }
            Event::Failed { request, failure, transaction_status } => {
                let line = format!(
                    "failed {request} {:?} {:?} {} {}",
                    failure.kind,
                    failure.sqlstate,
                    failure.is_safe_to_retry,
                    char::from(transaction_status)
                );
                self.settle(request, Settled::Failed(failure));
                line
            }
            Event::Returned { request: Request { id, work }, failure, transaction_status } => {
                let has_bind = matches!(&work, Work::Query { bind: Some(_), .. });
                let is_fresh = matches!(&work, Work::Query { is_fresh: true, .. });
                if let Work::Script { text, .. } = &work {
                    self.scripts_back.insert(id, text.to_string());
                }
                let line = format!("returned {id} {}", char::from(transaction_status));
                self.settle(id, Settled::Returned { has_bind, is_fresh, failure });
                line
            }
            Event::Aborted { request, transaction_status } => {
                self.settle(request, Settled::Aborted);
                format!("aborted {request} {}", char::from(transaction_status))
            }
            Event::Drained { request } => {
                self.drained.push(request);
                format!("drained {request}")
            }
            Event::Notice(message) => format!("notice {message}"),
            Event::Notification { pid, channel, payload } => format!("notification {pid} {channel} {payload}"),
            Event::ParameterStatus { name, value } => format!("parameter {name} {value}"),
            Event::CancelWanted { number } => {
                self.cancels_wanted += 1;
                self.open_cancels.push_back(number);
                "cancel wanted".to_owned()
            }
            Event::Closed { failure } => {
                let line = format!("closed {:?}", failure.as_ref().map(|failure| failure.kind));
                self.closed = Some(failure);
                line
            }
        };
        self.lines.push(line);
    }
}

/// Parameters as the codec would encode them: the value, and the type that it was encoded for.
pub(crate) fn encoded(description: &Rc<Description>, value: i32) -> Bind {
    let parameters = if description.parameters.is_empty() {
        vec![0, 0, 0, 0]
    } else {
        let mut bytes = vec![0, 1, 0, 1, 0, 1, 0, 0, 0, 8];
        bytes.extend_from_slice(&value.to_be_bytes());
        bytes.extend_from_slice(&description.parameters[0].type_oid.to_be_bytes());
        bytes
    };
    Bind { description: Rc::clone(description), parameters }
}

/// The value of a part of a group.
pub(crate) fn group_value(id: RequestId, part: u32) -> i32 {
    (id * 1000 + part).cast_signed()
}

/// At most so many rows; 0 means all.
pub(crate) fn limited(max_rows: u32) -> ResultOptions {
    ResultOptions { max_rows, ..ResultOptions::default() }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) server: Server,
    pub(crate) sink: Recorder,
    /// Received and not consumed.
    pub(crate) unread: Vec<u8>,
    pub(crate) queries: HashMap<String, Rc<Query>>,
    pub(crate) values: HashMap<RequestId, i32>,
    /// Requests that are groups: the value of each part is a thousand times the request's number and its own.
    pub(crate) groups: HashSet<RequestId>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(SessionOptions::default())
    }

    /// As in a pool: what did not run comes back.
    pub(crate) fn returning() -> Self {
        Self::with(SessionOptions { returns_requests: true, ..SessionOptions::default() })
    }

    pub(crate) fn unnamed() -> Self {
        Self::with(SessionOptions { statement_cache_size: 0, ..SessionOptions::default() })
    }

    /// On the simple query protocol alone.
    pub(crate) fn simple() -> Self {
        Self::with(SessionOptions { query_protocol: QueryProtocol::Simple, ..SessionOptions::default() })
    }

    pub(crate) fn with(options: SessionOptions) -> Self {
        let start = SessionStart {
            parameters: vec![("server_version".into(), "18".into())],
            backend_pid: 7,
            secret_key: vec![1, 2, 3, 4],
            transaction_status: b'I',
            statement_prefix: "oxpg".into(),
            route: Route::new(),
        };
        Self::started(options, start)
    }

    /// Of a server that reports this setting beside others.
    pub(crate) fn announced((name, value): (&str, &str)) -> Self {
        let start = SessionStart {
            parameters: vec![("TimeZone".into(), "UTC".into()), (name.into(), value.into())],
            backend_pid: 7,
            secret_key: Vec::new(),
            transaction_status: b'I',
            statement_prefix: "oxpg".into(),
            route: Route::new(),
        };
        let pooler_search = PoolerSearch::ByIdentity;
        Self::started(SessionOptions { pooler_search, ..SessionOptions::default() }, start)
    }

    /// One whose session goes the same way to its server as another's.
    pub(crate) fn beside(other: &Rc<Route>, options: SessionOptions) -> Self {
        let start = SessionStart {
            parameters: Vec::new(),
            backend_pid: 7,
            secret_key: Vec::new(),
            transaction_status: b'I',
            statement_prefix: "oxpg_2".into(),
            route: Rc::clone(other),
        };
        Self::started(options, start)
    }

    fn started(options: SessionOptions, start: SessionStart) -> Self {
        Self {
            session: Session::new(options, start, Catalog::new()),
            server: Server::new(),
            sink: Recorder::default(),
            unread: Vec::new(),
            queries: HashMap::new(),
            values: HashMap::new(),
            groups: HashSet::new(),
        }
    }

    /// As connections of one pool do.
    pub(crate) fn share_knowledge_of(&mut self, other: &Self) {
        self.queries.clone_from(&other.queries);
        self.session.set_catalog(Rc::clone(other.session.catalog()));
    }

    pub(crate) fn text(&mut self, text: &str) -> Rc<Query> {
        let id = u32::try_from(self.queries.len()).unwrap() + 1;
        Rc::clone(self.queries.entry(text.to_owned()).or_insert_with(|| Query::new(id, text, true)))
    }

    /// As JavaScript does it: with parameters where the description is known.
    pub(crate) fn query(&mut self, id: RequestId, text: &str, value: i32) {
        self.query_of(id, text, value, 0);
    }

    pub(crate) fn query_of(&mut self, id: RequestId, text: &str, value: i32, max_rows: u32) {
        let query = self.text(text);
        let bind = query.description().map(|description| encoded(&description, value));
        self.values.insert(id, value);
        self.session.submit(
            Request { id, work: Work::Query { query, bind, result: limited(max_rows), is_fresh: false } },
            &mut self.sink,
        );
    }

    /// As after parameters that did not fit what was known of the text.
    pub(crate) fn fresh_query(&mut self, id: RequestId, text: &str, value: i32) {
        let query = self.text(text);
        let bind = query.description().map(|description| encoded(&description, value));
        self.values.insert(id, value);
        let work = Work::Query { query, bind, result: ResultOptions::default(), is_fresh: true };
        self.session.submit(Request { id, work }, &mut self.sink);
    }

    pub(crate) fn script(&mut self, id: RequestId, text: &str, is_control: bool) {
        let work = Work::Script { text: text.into(), is_control };
        self.session.submit(Request { id, work }, &mut self.sink);
    }

    pub(crate) fn prepare(&mut self, id: RequestId, text: &str) {
        let query = self.text(text);
        self.session.submit(Request { id, work: Work::Prepare { query } }, &mut self.sink);
    }

    pub(crate) fn batch(&mut self, id: RequestId, text: &str, wants_rows: bool) {
        let query = self.text(text);
        let form = if wants_rows { ResultForm::Rows } else { ResultForm::Count };
        self.session.submit(Request { id, work: Work::Batch { query, form } }, &mut self.sink);
    }

    pub(crate) fn row(&mut self, id: RequestId, value: i32) {
        let (_, description) = self.sink.asked.iter().rev().find(|(asked, _)| *asked == id).unwrap().clone();
        self.session.batch_row(id, encoded(&description, value), &mut self.sink);
    }

    /// Gives the parameters that were asked for (not those of batches, which the tests feed).
    pub(crate) fn answer(&mut self) -> bool {
        let asked: Vec<_> = std::mem::take(&mut self.sink.asked);
        let (queries, batches): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(id, _)| self.values.contains_key(id));
        self.sink.asked = batches;
        let is_any = !queries.is_empty();
        for (id, description) in queries {
            self.bind(id, &description);
        }
        is_any
    }

    pub(crate) fn bind(&mut self, id: RequestId, description: &Rc<Description>) {
        let part = self.sink.asked_parts.get_mut(&id).and_then(VecDeque::pop_front).unwrap_or(0);
        let value = if self.groups.contains(&id) { group_value(id, part) } else { self.values[&id] };
        self.session.bind(id, encoded(description, value), &mut self.sink);
    }

    /// Statements under one Sync, perhaps behind one of the driver's own.
    pub(crate) fn group(&mut self, id: RequestId, texts: &[&str], context: Option<&str>) {
        let context = context.map(|text| self.context(text));
        self.groups.insert(id);
        self.values.insert(id, 0);
        let members = (0..).zip(texts).map(|(part, text)| {
            let query = self.text(text);
            let bind = query.description().map(|description| encoded(&description, group_value(id, part)));
            Member { query, bind, result: ResultOptions::default(), is_fresh: false }
        });
        let members = members.collect();
        self.session.submit(Request { id, work: Work::Group { context, members } }, &mut self.sink);
    }

    /// What opens a transaction.
    pub(crate) fn open(&mut self, id: RequestId, text: &str, context: Option<&str>) {
        let context = context.map(|text| self.context(text));
        self.session.submit(Request { id, work: Work::Opening { text: text.into(), context } }, &mut self.sink);
    }

    fn context(&mut self, text: &str) -> Box<Context> {
        let parameters = if text.contains("$1") { vec![0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9] } else { Vec::new() };
        Box::new(Context { query: self.text(text), parameters })
    }

    pub(crate) fn flush(&mut self) {
        let count = self.session.output().len();
        self.flush_some(count);
    }

    pub(crate) fn flush_some(&mut self, count: usize) {
        let count = count.min(self.session.output().len());
        self.server.input.extend_from_slice(&self.session.output()[..count]);
        self.session.advance_output(count);
        self.session.pump(&mut self.sink);
    }

    pub(crate) fn read(&mut self) {
        self.read_some(usize::MAX);
    }

    /// Reads so many bytes of what the server has sent.
    pub(crate) fn read_some(&mut self, count: usize) {
        let count = count.min(self.server.output.len());
        self.unread.extend(self.server.output.drain(..count));
        loop {
            let received = self.session.receive(&self.unread, &mut self.sink).expect("no violation");
            self.unread.drain(..received.consumed);
            if !received.is_stopped {
                break;
            }
        }
        if self.server.is_dead && self.server.output.is_empty() {
            self.session.end(EndCause::EndOfStream, &mut self.sink);
        }
    }

    /// The oldest cancel connection is over.
    pub(crate) fn cancel_finished(&mut self) {
        let number = self.sink.open_cancels.pop_front().expect("a cancel is under way");
        self.session.cancel_finished(number, &mut self.sink);
    }

    /// Everything that can happen happens.
    pub(crate) fn settle_all(&mut self) {
        loop {
            let before = (self.server.log.len(), self.sink.lines.len(), self.session.output().len());
            self.flush();
            self.server.run();
            self.read();
            self.answer();
            if before == (self.server.log.len(), self.sink.lines.len(), self.session.output().len()) {
                return;
            }
        }
    }

    pub(crate) fn failure(&self, id: RequestId) -> &Failure {
        match self.sink.settled.get(&id) {
            Some(Settled::Failed(failure)) => failure,
            other => panic!("request {id} should have failed: {other:?}\n{:#?}", self.sink.lines),
        }
    }

    pub(crate) fn sqlstate(&self, id: RequestId) -> &str {
        self.failure(id).sqlstate.as_deref().unwrap_or("none")
    }

    pub(crate) fn kind(&self, id: RequestId) -> FailureKind {
        self.failure(id).kind
    }

    /// The row count of a request that went well.
    pub(crate) fn completed(&self, id: RequestId) -> u64 {
        match self.sink.settled.get(&id) {
            Some(Settled::Completed { rows, .. }) => *rows,
            other => panic!("request {id} should have gone well: {other:?}\n{:#?}", self.sink.lines),
        }
    }

    pub(crate) fn is_settled(&self, id: RequestId) -> bool {
        self.sink.settled.contains_key(&id)
    }

    /// Runs a text once, so that the connection knows it.
    pub(crate) fn warm(&mut self, text: &str) {
        self.query(u32::MAX, text, 0);
        self.settle_all();
        self.sink.forget(u32::MAX);
        self.server.committed.clear();
        self.server.executed.clear();
        self.server.log.clear();
        self.server.parses.clear();
        self.sink.lines.clear();
    }
}
