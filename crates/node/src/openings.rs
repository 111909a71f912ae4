//! Sessions being opened, and what becomes of them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use oxpg_client::open::{Config, DefaultRoots, Opened, Particulars, statement_prefix};
use oxpg_client::pool::OpenFailure;
use oxpg_client::session::{Catalog, Session, SessionOptions, SessionStart};
use oxpg_codec::boundary::record_word as word;
use oxpg_codec::failpoint;
use tokio::sync::oneshot;

use crate::background::{Background, Configuration, Job, Outcome};
use crate::connection::{Connection, Origin, Parts};
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::mailbox::{Extra, Kind, SessionFacts};
use crate::reactor::Reactor;
use crate::requests::Place;
use crate::slab::Slab;
use crate::wire::Channel;

/// Who waits for a session that is being opened.
#[derive(Clone, Copy)]
pub(crate) enum Opening {
    /// `connect()`: a request of JavaScript's.
    Request { slot: u32 },
    /// A pool, by its policy's number of the attempt.
    Pool { pool: u32, attempt: u32 },
    /// Nobody any more: the session is closed as soon as it is open.
    Abandoned,
}

/// One session that is being opened.
struct Attempt {
    opening: Opening,
    /// The background thread works on it until this is gone; nothing is ever sent. `None` while its password is asked for.
    wanted: Option<oneshot::Sender<Infallible>>,
    /// When the background thread was told of it, by the environment's clock.
    since_ms: u64,
}

/// The sessions that one environment has being opened.
pub(crate) struct Openings {
    attempts: Slab<Attempt>,
    background: Option<Background>,
    /// Node's root certificates, once a configuration has wanted them.
    pub(crate) default_roots: Option<Arc<DefaultRoots>>,
}

impl Openings {
    pub(crate) const fn new() -> Self {
        Self { attempts: Slab::new(), background: None, default_roots: None }
    }

    pub(crate) fn insert(&mut self, opening: Opening) -> u32 {
        self.attempts.insert(Attempt { opening, wanted: None, since_ms: 0 })
    }

    pub(crate) fn remove(&mut self, opening: u32) -> Option<Opening> {
        self.take(opening).map(|(opening, _)| opening)
    }

    /// Who waited for one that has ended, and since when it was under way.
    fn take(&mut self, opening: u32) -> Option<(Opening, u64)> {
        self.attempts.remove(opening).map(|attempt| (attempt.opening, attempt.since_ms))
    }

    /// Who waits for one.
    pub(crate) fn of(&self, opening: u32) -> Option<Opening> {
        self.attempts.get(opening).map(|attempt| attempt.opening)
    }

    /// A pool wants none of its attempts any more.
    pub(crate) fn give_up_pool(&mut self, pool: u32) {
        for id in self.attempts.ids() {
            if self
                .attempts
                .get(id)
                .is_some_and(|attempt| matches!(attempt.opening, Opening::Pool { pool: of, .. } if of == pool))
            {
                self.give_up(id);
            }
        }
    }

    /// Who waits for one whose password is asked for.
    fn asking(&self, opening: u32) -> Option<Opening> {
        self.attempts.get(opening).filter(|attempt| attempt.wanted.is_none()).map(|attempt| attempt.opening)
    }

    /// Whoever waited for it has left: the background thread stops at once, and says so.
    fn give_up(&mut self, opening: u32) {
        let Some(attempt) = self.attempts.get_mut(opening) else { return };
        attempt.opening = Opening::Abandoned;
        if attempt.wanted.take().is_none() {
            self.attempts.remove(opening);
        }
    }

    /// A pool no longer wants what an attempt of its own would bring.
    pub(crate) fn give_up_attempt(&mut self, pool: u32, attempt: u32) {
        let is_it = |opening: &Opening| matches!(*opening, Opening::Pool { pool: of, attempt: number } if of == pool && number == attempt);
        let found = self
            .attempts
            .ids()
            .into_iter()
            .find(|id| self.attempts.get(*id).is_some_and(|attempt| is_it(&attempt.opening)));
        if let Some(opening) = found {
            self.give_up(opening);
        }
    }

    /// Whether somebody waits for one.
    pub(crate) fn are_wanted(&self) -> bool {
        self.attempts.values().any(|attempt| !matches!(attempt.opening, Opening::Abandoned))
    }

    /// Gives the background thread something to do; it is started at first use.
    pub(crate) fn submit(&mut self, job: Job, reactor: &impl Reactor) -> Result<(), Box<FailureData>> {
        if self.background.is_none() {
            let background =
                Background::join(reactor.waker()).map_err(|error| Box::new(FailureData::not_started(&error)))?;
            self.background = Some(background);
        }
        match &self.background {
            Some(background) if background.submit(job) => Ok(()),
            _ => Err(Box::new(FailureData::internal("the background thread is gone"))),
        }
    }

    pub(crate) fn take_outcomes(&self) -> VecDeque<Outcome> {
        self.background.as_ref().map(Background::take_outcomes).unwrap_or_default()
    }

    /// Abandons what the background thread does for this environment.
    pub(crate) fn stop(&mut self) {
        self.background = None;
    }
}

impl Environment {
    /// `connect()`.
    pub(crate) fn open(&mut self, slot: u32, config: &str) {
        let opening = self.openings.insert(Opening::Request { slot });
        let now_ms = self.now_ms();
        self.begin(slot, Place::Opening(opening), 0, now_ms);
        let config = Configuration::Text(Arc::from(config));
        if let Err(failure) = self.start_opening(opening, config, Particulars::default()) {
            self.fail(slot, *failure);
        }
    }

    /// Gives an opening to the background thread. If that fails, the opening is forgotten.
    pub(crate) fn start_opening(
        &mut self,
        opening: u32,
        config: Configuration,
        particulars: Particulars,
    ) -> Result<(), Box<FailureData>> {
        let (sender, wanted) = oneshot::channel();
        let since_ms = self.now_ms();
        if let Some(attempt) = self.openings.attempts.get_mut(opening) {
            attempt.wanted = Some(sender);
            attempt.since_ms = since_ms;
        }
        let particulars = Particulars { default_roots: self.openings.default_roots.clone(), ..particulars };
        let started = self.submit_job(Job::Open { opening, config, particulars, wanted });
        if started.is_err() {
            self.openings.remove(opening);
        }
        started
    }

    /// A pool's functions have given what a session is opened with.
    pub(crate) fn credentials_given(&mut self, opening: u32, particulars: Particulars) {
        let Some(Opening::Pool { pool, attempt }) = self.openings.asking(opening) else { return };
        let Some(config) = self.pools.get(pool).map(|driver| driver.config.clone()) else { return };
        if let Err(failure) = self.start_opening(opening, config, particulars) {
            self.open_failed(pool, attempt, OpenFailure::Transient, *failure);
            self.run_actions(pool);
        }
    }

    /// A pool's functions have not given what a session is opened with.
    pub(crate) fn credentials_refused(&mut self, opening: u32, why: &str, is_late: bool) {
        let Some(Opening::Pool { pool, attempt }) = self.openings.asking(opening) else { return };
        self.openings.remove(opening);
        let failure = if is_late { OpenFailure::Transient } else { OpenFailure::Final };
        self.open_failed(pool, attempt, failure, FailureData::no_credentials(why, is_late));
        self.run_actions(pool);
    }

    pub(crate) fn give_up_opening(&mut self, opening: u32) {
        self.openings.give_up(opening);
    }

    pub(crate) fn on_outcome(&mut self, outcome: Outcome) {
        failpoint::pass("node.wake");
        match outcome {
            Outcome::CancelFinished { connection, number } => self.cancel_finished(connection, number),
            Outcome::Parted { parting } => self.parted(parting),
            Outcome::Opened { opening, result } => {
                let (waiter, since_ms) = self.openings.take(opening).unwrap_or((Opening::Abandoned, 0));
                let opening_ms = self.now_ms().saturating_sub(since_ms);
                match (waiter, *result) {
                    (Opening::Request { slot }, Ok((opened, config))) => {
                        self.opened_for_request(slot, opened, &config, opening_ms);
                    }
                    (Opening::Request { slot }, Err(error)) => self.fail(slot, FailureData::from(error)),
                    (Opening::Pool { pool, attempt }, result) => {
                        self.opened_for_pool(pool, attempt, result, opening_ms);
                    }
                    // Whoever waited has left while the news was on its way.
                    (Opening::Abandoned, Ok((opened, _))) => opened.leave(),
                    (Opening::Abandoned, Err(_)) => {}
                }
            }
        }
    }

    fn opened_for_request(&mut self, slot: u32, opened: Opened, config: &Config, opening_ms: u64) {
        match self.adopt(opened, config, 0, opening_ms) {
            Ok(id) => {
                self.calls.requests.end(slot);
                let Some(facts) = self.connections.get_mut(id).map(SessionFacts::of) else { return };
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
    pub(crate) fn adopt(&mut self, opened: Opened, config: &Config, pool: u32, opening_ms: u64) -> Result<u32, String> {
        let start = SessionStart {
            parameters: opened.parameters,
            backend_pid: opened.backend_pid,
            secret_key: opened.secret_key,
            transaction_status: opened.transaction_status,
            statement_prefix: statement_prefix(),
            route: self.pools.get(pool).map(|driver| Rc::clone(&driver.route)).unwrap_or_default(),
        };
        let options = SessionOptions { returns_requests: pool != 0, ..config.session_options() };
        let catalog = self.pools.get(pool).filter(|_| pool != 0).map(|driver| Rc::clone(&driver.catalog));
        let session = Session::new(options, start, catalog.unwrap_or_else(|| Catalog::of(&self.schema)));
        let channel = Channel::new(opened.socket, opened.tls);
        let parts = Parts {
            session,
            cancel_target: opened.peer,
            channel,
            leftover: opened.leftover,
            pool,
            startup_notices: opened.notices,
            origin: Origin {
                host: opened.host,
                port: opened.port,
                user: config.user().to_owned(),
                database: config.database().to_owned(),
                opening_ms,
            },
        };
        let id = self.connections.reserve();
        match Connection::adopt(parts, id, &mut self.reactor) {
            Ok(connection) => {
                let has_leftover = connection.wire.has_unparsed();
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
