//! What all requests of a session share: its output, its statements, what is known of the database's types.

use std::rc::Rc;

use super::catalog::Catalog;
use super::event::{Event, Sink};
use super::output::Output;
use super::route::{PoolerSearch, Route, pooler_notice};
use super::statements::Statements;
use super::tag::{CommandTag, Forgotten};

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
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            statement_cache_size: 100,
            batch_output_bytes: 256 << 10,
            resend_bytes: 64 << 10,
            returns_requests: false,
            pooler_search: PoolerSearch::Off,
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
    pub(super) catalog: Rc<Catalog>,
    /// What the server takes our bytes for, if that is not UTF-8.
    pub(super) foreign_encoding: Option<Box<str>>,
    /// The server is this session's alone.
    pub(super) is_servers_own: bool,
    is_asked: bool,
}

impl Shared {
    pub(super) fn new(options: SessionOptions, start: SessionStart, catalog: Rc<Catalog>) -> Self {
        let route = Rc::clone(&start.route);
        Self {
            options,
            transaction_status: start.transaction_status,
            output: Output::default(),
            statements: Statements::new(options.statement_cache_size, &start.statement_prefix, route),
            start,
            catalog,
            foreign_encoding: None,
            is_servers_own: options.pooler_search == PoolerSearch::Off,
            is_asked: false,
        }
    }

    /// The last reported value of a server setting.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.start.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Notes a setting that the server reports.
    pub(super) fn note_parameter(&mut self, name: &str, value: &str) {
        if name == "client_encoding" {
            self.foreign_encoding = (!is_utf8(value)).then(|| value.into());
        }
        let parameters = &mut self.start.parameters;
        match parameters.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => parameters.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Whether the server is to be asked who it is; true once.
    pub(super) fn take_question(&mut self) -> bool {
        let is_wanted = self.options.pooler_search == PoolerSearch::ByIdentity
            && self.options.statement_cache_size > 0
            && !self.start.route.is_pooled();
        is_wanted && !std::mem::replace(&mut self.is_asked, true)
    }

    /// A pooler is between: names are of no use from here on, on all sessions that go the same way.
    pub(super) fn note_pooler(&self, sink: &mut impl Sink) {
        if self.start.route.note_pooler() {
            sink.event(Event::Notice(pooler_notice()));
        }
    }

    /// Rule 4: what DISCARD ALL and DEALLOCATE leave of the cache.
    pub(super) fn note_forgotten(&mut self, tag: &CommandTag) {
        match tag.forgets_statements() {
            Some(Forgotten::All) => self.statements.forget_all(false),
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
