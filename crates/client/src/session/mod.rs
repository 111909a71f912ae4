//! The session engine: requests in, frontend messages out; backend messages in, rows and events out.
//!
//! It knows no socket, thread, clock or JavaScript. It pipelines: requests that are *written* wait for their answers
//! in one queue, requests that are not written yet wait in another. Each written request ends with its own
//! ReadyForQuery; what the server says belongs to the head of the first queue. Some requests block those behind them
//! (a statement that the server does not know yet, a COPY, a batch that still grows).
//!
//! The rules are numbered as in the design ("engine rules"): 1–6 order, cold statements and barriers, 8 sharing,
//! 10–11 cancelling, 12–14 failure and healing, 17 flow.

mod batch;
mod cancel;
mod catalog;
mod describing;
mod ending;
mod errors;
mod event;
mod failure;
mod introspection;
pub mod keyword;
mod looking_up;
mod output;
mod query;
mod reader;
mod receiving;
mod request;
mod scanner;
mod statements;
mod tag;
mod writing;
mod written;

use std::collections::VecDeque;
use std::rc::Rc;

pub use catalog::{Catalog, CodecChoice};
pub use event::{EndCause, Event, ProtocolViolation, Received, RowTaken, Sink};
pub use failure::{Failure, FailureKind, ServerMessage};
pub use query::{Bind, Column, Description, Query};
pub use request::{Request, RequestId, Work};
pub use tag::{Command, CommandTag};

use cancel::Cancel;
use looking_up::Backlog;
use output::Output;
use request::PendingRequest;
use statements::Statements;
use written::WrittenRequest;

/// What can be chosen for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Named statements kept on the server, 100 by default. 0 means that only the unnamed statement is used, for
    /// poolers that do not keep named ones.
    pub statement_cache_size: usize,
    /// Bytes that a batch may have in the output before its source has to wait, 256 KiB by default.
    pub batch_output_bytes: usize,
    /// Parameters up to so many bytes are kept until the answer is there, to send a request again that somebody
    /// else's cancel hit, 64 KiB by default.
    pub resend_bytes: usize,
    /// A request that certainly did not run, and cannot run here any more, is given back (`Returned`) instead of
    /// failed, so that its owner may take it elsewhere (rules 13 and 14). False by default.
    pub returns_requests: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            statement_cache_size: 100,
            batch_output_bytes: 256 << 10,
            resend_bytes: 64 << 10,
            returns_requests: false,
        }
    }
}

/// What the opening of a session brought to light.
#[derive(Clone, Debug)]
pub struct SessionStart {
    /// Settings that the server reported.
    pub parameters: Vec<(String, String)>,
    /// The server process's id, for cancel requests.
    pub backend_pid: i32,
    /// The key of cancel requests.
    pub secret_key: Vec<u8>,
    /// `I`, `T` or `E`.
    pub transaction_status: u8,
}

/// The engine of one session.
#[derive(Debug)]
pub struct Session {
    options: SessionOptions,
    start: SessionStart,
    /// As of the last ReadyForQuery.
    transaction_status: u8,
    output: Output,
    written: VecDeque<WrittenRequest>,
    waiting: VecDeque<PendingRequest>,
    /// A request whose rows waited for their types, and are offered to the sink.
    backlog: Option<Box<Backlog>>,
    statements: Statements,
    catalog: Rc<Catalog>,
    cancel: Option<Cancel>,
    /// Requests that were cancelled one directly after the other.
    cancels_in_row: u32,
    head_sequence: u64,
    is_closing: bool,
    is_over: bool,
}

impl Session {
    /// Takes over a session that is ready for queries. `catalog` is what is known of its database's types.
    #[must_use]
    pub fn new(options: SessionOptions, start: SessionStart, catalog: Rc<Catalog>) -> Self {
        Self {
            options,
            transaction_status: start.transaction_status,
            start,
            output: Output::default(),
            written: VecDeque::new(),
            waiting: VecDeque::new(),
            backlog: None,
            catalog,
            statements: Statements::new(options.statement_cache_size),
            cancel: None,
            cancels_in_row: 0,
            head_sequence: 0,
            is_closing: false,
            is_over: false,
        }
    }

    /// Bytes for the socket.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.unsent()
    }

    /// The socket took `count` bytes of the output. Call [`pump`](Self::pump) afterwards.
    pub fn advance_output(&mut self, count: usize) {
        self.output.advance(count);
    }

    /// The environment forgets a query: its statement is closed with the next write.
    pub fn close_statement(&mut self, query: &Rc<Query>) {
        self.statements.forget_query(query);
    }

    /// Forgets all statements, closing them with the next write.
    pub fn drop_caches(&mut self) {
        self.statements.forget_all(true);
    }

    /// What is known of the database's types.
    #[must_use]
    pub fn catalog(&self) -> &Rc<Catalog> {
        &self.catalog
    }

    /// Goes by another catalog from here on.
    pub fn set_catalog(&mut self, catalog: Rc<Catalog>) {
        self.catalog = catalog;
        self.statements.forget_all(true);
    }

    /// Requests that are not settled.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.written.len() + self.waiting.len() + usize::from(self.backlog.is_some())
    }

    /// Changes whenever another request became the head of the pipeline, or the pipeline emptied.
    #[must_use]
    pub fn head_sequence(&self) -> u64 {
        self.head_sequence
    }

    /// Nothing is in flight, and no cancel is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.in_flight() == 0 && self.cancel.is_none()
    }

    /// `I` idle, `T` in a transaction, `E` in a failed one; as of the last ReadyForQuery.
    #[must_use]
    pub fn transaction_status(&self) -> u8 {
        self.transaction_status
    }

    /// The server process's id.
    #[must_use]
    pub fn backend_pid(&self) -> i32 {
        self.start.backend_pid
    }

    /// The key of cancel requests.
    #[must_use]
    pub fn secret_key(&self) -> &[u8] {
        &self.start.secret_key
    }

    /// The settings that the server reports, with their last values.
    #[must_use]
    pub fn parameters(&self) -> &[(String, String)] {
        &self.start.parameters
    }

    /// The last reported value of a server setting.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.start.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The position in the waiting queue of a request that its caller has not left.
    fn find_waiting(&self, request: RequestId) -> Option<usize> {
        self.waiting.iter().position(|pending| pending.id == Some(request))
    }

    /// The same in the written queue.
    fn find_written(&self, request: RequestId) -> Option<usize> {
        self.written.iter().position(|written| written.pending.id == Some(request))
    }
}
