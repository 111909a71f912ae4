//! What all requests of a session share: its output, its statements, what is known of the database's types.

use std::rc::Rc;

use super::catalog::Catalog;
use super::changes::Changes;
use super::event::{Event, Sink};
use super::names::Names;
use super::output::Output;
use super::portals::Portals;
use super::route::{PoolerSearch, Route, pooler_notice};
use super::server_kind::ServerKind;
use super::statements::Statements;
use super::tag::{Command, CommandTag, Forgotten};
use super::violation::ProtocolViolation;

/// Settings that a server may report in a session. PostgreSQL 18 has 15 of them.
const MOST_PARAMETERS: usize = 500;

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
    /// How it finds out that a transaction pooler is between. By default it does not.
    pub pooler_search: PoolerSearch,
    /// Which of PostgreSQL's two query protocols statements go by.
    pub query_protocol: QueryProtocol,
}

/// Ways to send a statement (PostgreSQL manual, "Message Flow").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryProtocol {
    /// Parse, Bind and Execute: with parameters, and results in binary.
    #[default]
    Extended,
    /// Query alone, for what lies between and knows nothing else: without parameters, and results as text. There is nothing
    /// to prepare, and no batch.
    Simple,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            statement_cache_size: 100,
            batch_output_bytes: 256 << 10,
            resend_bytes: 64 << 10,
            returns_requests: false,
            pooler_search: PoolerSearch::Off,
            query_protocol: QueryProtocol::Extended,
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
    /// The names of its prepared statements begin with it. It must be no other session's: behind a transaction pooler
    /// sessions share servers.
    pub statement_prefix: String,
    /// The way to the server.
    pub route: Rc<Route>,
}

/// The session without its queues.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: SessionOptions,
    pub(super) start: SessionStart,
    /// As of the last ReadyForQuery.
    pub(super) transaction_status: u8,
    pub(super) output: Output,
    pub(super) statements: Statements,
    pub(super) portals: Portals,
    pub(super) catalog: Rc<Catalog>,
    /// What the server takes our bytes for, if that is not UTF-8.
    pub(super) foreign_encoding: Option<Box<str>>,
    pub(super) server_kind: ServerKind,
    /// The server is this session's alone.
    pub(super) is_servers_own: bool,
    is_asked: bool,
    /// What the open transaction has changed: its end may take it back, or make it true for others.
    changed: Changes,
    /// The session's names do not mean what they did when it began.
    is_away: bool,
    /// The head has ended a transaction.
    has_ended_transaction: bool,
    /// A PREPARE was executed, and not all statements were deallocated since.
    pub(super) has_prepared: bool,
}

impl Shared {
    pub(super) fn new(options: SessionOptions, start: SessionStart, catalog: Rc<Catalog>) -> Self {
        let route = Rc::clone(&start.route);
        Self {
            options,
            transaction_status: start.transaction_status,
            output: Output::default(),
            statements: Statements::new(
                options.statement_cache_size,
                &start.statement_prefix,
                route,
                Rc::clone(catalog.schema()),
                Names::new(&start.parameters),
            ),
            portals: Portals::new(&start.statement_prefix),
            server_kind: ServerKind::of(&start.parameters),
            start,
            catalog,
            foreign_encoding: None,
            is_servers_own: options.pooler_search == PoolerSearch::Off,
            is_asked: false,
            changed: Changes::NONE,
            is_away: false,
            has_ended_transaction: false,
            has_prepared: false,
        }
    }

    /// The last reported value of a server setting.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.start.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Notes a setting that the server reports.
    pub(super) fn note_parameter(&mut self, name: &str, value: &str) -> Result<(), ProtocolViolation> {
        if name == "client_encoding" {
            self.foreign_encoding = (!is_utf8(value)).then(|| value.into());
        }
        let parameters = &mut self.start.parameters;
        let is_full = parameters.len() >= MOST_PARAMETERS;
        match parameters.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None if is_full => {
                return Err(ProtocolViolation::new(format!("the server reports more than {MOST_PARAMETERS} settings")));
            }
            None => parameters.push((name.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    /// Whether the server is to be asked who it is; true once.
    pub(super) fn take_question(&mut self) -> bool {
        let is_wanted = self.options.pooler_search == PoolerSearch::ByIdentity
            && self.options.statement_cache_size > 0
            && !self.is_simple()
            && self.server_kind == ServerKind::PostgreSql
            && !self.start.route.is_pooled();
        is_wanted && !std::mem::replace(&mut self.is_asked, true)
    }

    /// Statements go by the simple protocol.
    pub(super) fn is_simple(&self) -> bool {
        self.options.query_protocol == QueryProtocol::Simple
    }

    /// A pooler is between: names are of no use from here on, on all sessions that go the same way.
    pub(super) fn note_pooler(&self, sink: &mut impl Sink) {
        if self.start.route.note_pooler() {
            sink.event(Event::Notice(pooler_notice()));
        }
    }

    /// A text that may change so much was executed, as of its ReadyForQuery. A change inside a transaction is noted
    /// once more at the end of it.
    pub(super) fn note_changes(&mut self, changes: Changes) {
        if changes.is_any() {
            self.change(changes);
            self.changed = self.changed.and(changes);
        }
        if self.transaction_status == b'I' && self.changed.is_any() {
            let changed = std::mem::replace(&mut self.changed, Changes::NONE);
            self.change(changed);
        }
    }

    fn change(&mut self, changes: Changes) {
        if changes.schema {
            self.catalog.schema().note_change();
        }
        let names = &mut self.statements.names;
        if changes.names || (changes.path && !names.is_path_reported()) {
            names.change();
            self.is_away = true;
        }
    }

    /// Something was changed in the open transaction.
    pub(super) fn has_changed(&self) -> bool {
        self.changed.is_any()
    }

    /// The same, and it is not the session's own.
    pub(super) fn has_changed_schema(&self) -> bool {
        self.changed.schema
    }

    /// The session is lost, with what it was about to change for others.
    pub(super) fn note_lost(&mut self, changes: Changes) {
        if changes.schema || self.changed.schema {
            self.catalog.schema().note_change();
        }
    }

    /// A statement of a text that may end a transaction has ended.
    pub(super) fn note_end(&mut self, tag: &CommandTag) {
        self.has_ended_transaction |= matches!(tag.command, Command::Commit | Command::Rollback);
    }

    /// The transaction status at the end of a request; in lower case where it has ended a transaction, and it is another
    /// one that is open.
    pub(super) fn take_status(&mut self) -> u8 {
        let has_ended = std::mem::replace(&mut self.has_ended_transaction, false);
        if has_ended && self.transaction_status != b'I' {
            self.transaction_status.to_ascii_lowercase()
        } else {
            self.transaction_status
        }
    }

    /// What a command leaves of what is known: of the cache (rule 4), and of the meaning of names.
    pub(super) fn note_tag(&mut self, tag: &CommandTag) {
        let is_back = tag.resets_session() && std::mem::take(&mut self.is_away);
        if is_back {
            self.statements.names.change();
        }
        if tag.command == Command::Rollback && self.changed.is_any() {
            self.change(self.changed);
        }
        self.has_prepared |= tag.prepares();
        match tag.forgets_statements() {
            Some(Forgotten::All) => {
                self.has_prepared = false;
                self.statements.forget_all(false);
            }
            // One of ours may be gone; closing the others keeps the server from hoarding them.
            Some(Forgotten::One) => self.statements.forget_all(true),
            None => {}
        }
    }
}

/// PostgreSQL reports `UTF8`; it takes other spellings too, and servers that are not PostgreSQL report those.
fn is_utf8(encoding: &str) -> bool {
    ["UTF8", "UTF-8", "unicode"].iter().any(|name| encoding.eq_ignore_ascii_case(name))
}
