//! The session engine: requests in, frontend messages out; backend messages in, rows and events out.
//!
//! It knows no socket, thread, clock or JavaScript. It pipelines: requests that are *written* wait for their answers
//! in one queue, requests that are not written yet wait in another. Each written request ends with its own
//! ReadyForQuery; what the server says belongs to the head of the first queue. Some requests block those behind them
//! (a statement that the server does not know yet, a COPY, a batch that still grows).
//!
//! What a request does is its *kind's* affair, one module each in `kinds/`; what is common to all is in `engine/`, and
//! nothing that a kind needs knows the engine: `engine → pending → kinds → course, preparation, rows → shared`.
//!
//! The rules are numbered as in the design ("engine rules"): 1–6 order, cold statements and barriers, 8 sharing,
//! 10–11 cancelling, 12–14 failure and healing, 17 flow.

mod batch_progress;
mod catalog;
mod changes;
mod codec_choice;
mod column;
mod copy;
mod course;
mod engine;
mod error_table;
mod event;
mod failure;
mod front;
mod introspection;
pub mod keyword;
mod kinds;
mod message_name;
mod misplaced;
mod names;
mod output;
mod pending;
mod portals;
mod preparation;
mod query;
mod queue;
mod reader;
mod request;
mod result_options;
mod route;
mod rows;
mod scanner;
mod schema;
mod server_kind;
mod shared;
mod standing;
mod statements;
mod tag;
mod traces;
mod verdict;
mod violation;

use std::rc::Rc;

pub use catalog::Catalog;
pub use codec_choice::CodecChoice;
pub use column::Column;
pub use engine::Head;
pub use event::{EndCause, Event, Received, RowTaken, Sink};
pub use failure::{Failure, FailureKind, ServerMessage};
pub use keyword::Sharing;
pub use misplaced::Misplaced;
pub use query::{Bind, Description, Query};
pub use request::{Context, Member, PortalStep, Request, RequestId, Work};
pub use result_options::{PortalUse, ResultForm, ResultFormats, ResultOptions};
pub use route::{PoolerSearch, Route};
pub use schema::Schema;
pub use server_kind::ServerKind;
pub use shared::{QueryProtocol, SessionOptions, SessionStart};
pub use tag::{Command, CommandTag};
pub use violation::ProtocolViolation;

use engine::{Cancels, Unasked};
use pending::{Pending, Written};
use queue::Queue;
use shared::Shared;

/// The engine of one session.
#[derive(Debug)]
pub struct Session {
    shared: Shared,
    written: Queue<Written>,
    waiting: Queue<Pending>,
    unasked: Unasked,
    /// A request whose rows waited for their types, and are offered to the sink.
    backlog: Option<Box<Written>>,
    cancels: Cancels,
    /// How many of the written requests have been left by their callers.
    abandoned: usize,
    /// How many of all requests are in a hurry.
    hurried: usize,
    head_sequence: u64,
    /// An opening has failed for this reason, and its owner has not heard of it.
    refused: Option<Failure>,
    is_closing: bool,
    is_over: bool,
}

impl Session {
    /// Takes over a session that is ready for queries. `catalog` is what is known of its database's types.
    #[must_use]
    pub fn new(options: SessionOptions, start: SessionStart, catalog: Rc<Catalog>) -> Self {
        Self {
            shared: Shared::new(options, start, catalog),
            written: Queue::new(),
            waiting: Queue::new(),
            unasked: Unasked::default(),
            backlog: None,
            cancels: Cancels::default(),
            abandoned: 0,
            hurried: 0,
            head_sequence: 0,
            refused: None,
            is_closing: false,
            is_over: false,
        }
    }

    /// Bytes for the socket.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.shared.output.unsent()
    }

    /// The socket took `count` bytes of the output. Call [`pump`](Self::pump) afterwards.
    pub fn advance_output(&mut self, count: usize) {
        self.shared.output.advance(count);
    }

    /// The environment forgets a query: its statement is closed with the next write.
    pub fn close_statement(&mut self, query: &Rc<Query>) {
        self.shared.statements.forget_query(query);
    }

    /// Forgets all statements, closing them with the next write.
    pub fn drop_caches(&mut self) {
        self.shared.statements.forget_all(true);
    }

    /// Nobody wants the portal with this number any more: it is closed with the next write. One that has ended by itself
    /// is left alone.
    pub fn close_portal(&mut self, number: u32) {
        self.shared.portals.discard(number);
    }

    /// What is known of the database's types.
    #[must_use]
    pub fn catalog(&self) -> &Rc<Catalog> {
        &self.shared.catalog
    }

    /// Goes by another catalog from here on.
    pub fn set_catalog(&mut self, catalog: Rc<Catalog>) {
        self.shared.statements.set_schema(Rc::clone(catalog.schema()));
        self.shared.catalog = catalog;
        self.shared.statements.forget_all(true);
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
        self.in_flight() == 0 && !self.cancels.is_under_way()
    }

    /// `I` idle, `T` in a transaction, `E` in a failed one; as of the last ReadyForQuery.
    #[must_use]
    pub fn transaction_status(&self) -> u8 {
        self.shared.transaction_status
    }

    /// The application may have statements of its own here that it prepared by PREPARE.
    #[must_use]
    pub fn has_prepared(&self) -> bool {
        self.shared.has_prepared
    }

    /// The server process's id.
    #[must_use]
    pub fn backend_pid(&self) -> i32 {
        self.shared.start.backend_pid
    }

    /// The key of cancel requests.
    #[must_use]
    pub fn secret_key(&self) -> &[u8] {
        &self.shared.start.secret_key
    }

    /// What the server said it is when the session began.
    #[must_use]
    pub fn server_kind(&self) -> ServerKind {
        self.shared.server_kind
    }

    /// The settings that the server reports, with their last values.
    #[must_use]
    pub fn parameters(&self) -> &[(String, String)] {
        &self.shared.start.parameters
    }

    /// The last reported value of a server setting.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.shared.parameter(name)
    }
}
