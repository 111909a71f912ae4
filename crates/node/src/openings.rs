//! Sessions being opened, and what becomes of them.

use std::rc::Rc;
use std::sync::Arc;

use oxpg_client::open::Opened;
use oxpg_client::session::{Session, SessionOptions, SessionStart};
use oxpg_codec::boundary::record_word as word;

use crate::background::{Configuration, Job, Outcome};
use crate::connection::{Connection, Parts};
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::mailbox::{Extra, Kind, SessionFacts};
use crate::requests::Place;

/// Who waits for a session that is being opened.
#[derive(Clone, Copy)]
pub(crate) enum Opening {
    /// `connect()`: a request of JavaScript's.
    Request { slot: u32, statement_cache_size: usize },
    /// A pool, by its policy's number of the attempt.
    Pool { pool: u32, attempt: u32 },
    /// Nobody any more: the session is closed as soon as it is open.
    Abandoned,
}

impl Environment {
    /// `connect()`.
    pub(crate) fn open(&mut self, slot: u32, config: &str, statement_cache_size: usize) {
        let opening = self.openings.insert(Opening::Request { slot, statement_cache_size });
        let now_ms = self.now_ms();
        self.begin(slot, Place::Opening(opening), 0, now_ms);
        let job = Job::Open { opening, config: Configuration::Text(Arc::from(config)) };
        if let Err(text) = self.submit_job(job) {
            self.openings.remove(opening);
            self.fail(slot, FailureData::internal(&text));
        }
    }

    pub(crate) fn give_up_opening(&mut self, opening: u32) {
        if let Some(opening) = self.openings.get_mut(opening) {
            *opening = Opening::Abandoned;
        }
    }

    pub(crate) fn on_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::CancelFinished { connection } => self.cancel_finished(connection),
            Outcome::Opened { opening, result } => match (self.openings.remove(opening), *result) {
                (Some(Opening::Request { slot, statement_cache_size }), Ok((opened, _))) => {
                    self.opened_for_request(slot, statement_cache_size, opened);
                }
                (Some(Opening::Request { slot, .. }), Err(error)) => self.fail(slot, FailureData::from(error)),
                (Some(Opening::Pool { pool, attempt }), result) => self.opened_for_pool(pool, attempt, result),
                // Dropping an opened socket closes it; the server sees the end of file of an idle session.
                (Some(Opening::Abandoned) | None, _) => {}
            },
        }
    }

    fn opened_for_request(&mut self, slot: u32, cache_size: usize, opened: Opened) {
        match self.adopt(opened, cache_size, 0) {
            Ok(id) => {
                self.requests.end(slot);
                let Some(facts) = self.connections.get(id).map(|held| SessionFacts::of(&held.session)) else { return };
                self.mailbox.push_extra(
                    Kind::Opened,
                    slot,
                    word::OPENED_FACTS,
                    Extra::Opened(Box::new(facts)),
                    |words| {
                        words[word::OPENED_CONNECTION] = id.cast_signed();
                    },
                );
            }
            Err(text) => self.fail(slot, FailureData::internal(&text)),
        }
    }

    /// Makes a connection of an opened session, on this loop.
    pub(crate) fn adopt(&mut self, opened: Opened, statement_cache_size: usize, pool: u32) -> Result<u32, String> {
        let start = SessionStart {
            parameters: opened.parameters,
            backend_pid: opened.backend_pid,
            secret_key: opened.secret_key,
            transaction_status: opened.transaction_status,
        };
        let options = SessionOptions { statement_cache_size, returns_requests: pool != 0, ..SessionOptions::default() };
        let catalog = self.pools.get(pool).filter(|_| pool != 0).map(|driver| Rc::clone(&driver.catalog));
        let session = Session::new(options, start, catalog.unwrap_or_default());
        let parts =
            Parts { session, cancel_target: opened.peer, socket: opened.socket, leftover: opened.leftover, pool };
        let id = self.connections.reserve();
        match Connection::adopt(parts, id, &mut self.reactor) {
            Ok(connection) => {
                let has_leftover = connection.has_leftover();
                self.connections.fill(id, connection);
                if has_leftover {
                    self.note_unparsed(id);
                }
                Ok(id)
            }
            Err(text) => {
                self.connections.remove(id);
                Err(text)
            }
        }
    }
}
