//! What callers ask of a session.

use std::rc::Rc;

use super::batch::BatchProgress;
use super::keyword;
use super::looking_up::LookUp;
use super::query::{Bind, Description, Query};

/// The caller's name of a request; free again once the request has settled, was abandoned or refused.
pub type RequestId = u32;

/// A piece of work for a session.
#[derive(Debug)]
pub struct Request {
    /// The caller's name of it in calls and events.
    pub id: RequestId,
    /// What to do.
    pub work: Work,
}

/// What a request does.
#[derive(Debug)]
pub enum Work {
    /// One statement on the extended protocol.
    Query {
        /// The statement.
        query: Rc<Query>,
        /// Its parameters, when the caller knows the parameters' types; otherwise `Described` asks for them.
        bind: Option<Bind>,
        /// At most so many rows; 0 means all.
        max_rows: u32,
        /// What the environment knows of the text may be out of date for this connection: its server is asked anew,
        /// and `Described` asks for the parameters, whatever comes out. A `bind` is dropped.
        is_fresh: bool,
    },
    /// Parse and describe only.
    Prepare {
        /// The statement.
        query: Rc<Query>,
    },
    /// A text of any number of statements on the simple protocol. Its rows are dropped.
    Script {
        /// The text.
        text: Box<str>,
        /// The driver's own text, which certainly hides no COPY and so is no barrier (rule 6).
        is_control: bool,
    },
    /// One statement with many rows of parameters, atomically.
    Batch {
        /// The statement.
        query: Rc<Query>,
        /// Deliver the rows that the executions return.
        wants_rows: bool,
    },
}

/// What a request does, with what the engine needs for it.
#[derive(Debug)]
pub(super) enum Task {
    Query { query: Rc<Query>, max_rows: u32 },
    Prepare { query: Rc<Query> },
    Script { text: Box<str>, is_control: bool, is_begin: bool, is_commit: bool },
    Batch { query: Rc<Query>, progress: Box<BatchProgress> },
    LookUp(Box<LookUp>),
}

/// A request that is not settled, written or not.
#[derive(Debug)]
pub(super) struct PendingRequest {
    /// `None` once its caller has left: it may still run, but nobody is told.
    pub(super) id: Option<RequestId>,
    pub(super) task: Task,
    /// The parameters; kept after they were written (if they are not too large), to send them again.
    pub(super) bind: Option<Bind>,
    /// The description that the caller goes by.
    pub(super) told: Option<Rc<Description>>,
    /// `Described { needs_bind: true }` is out, and `bind` has not come.
    pub(super) is_asked: bool,
    /// Ask the server about the statement even if the environment knows it.
    pub(super) is_cold_wanted: bool,
    /// What the environment knew did not take the parameters: ask the server about their types as well.
    pub(super) is_renewal_wanted: bool,
    /// It was sent again after somebody else's cancel hit it (rule 11).
    pub(super) was_resent: bool,
    /// It was sent again after its plan was stale or its statement lost (rule 14).
    pub(super) was_healed: bool,
    /// How often its types were looked up.
    pub(super) look_ups: u8,
}

impl PendingRequest {
    pub(super) fn new(request: Request) -> Self {
        let (mut given, mut is_cold_wanted) = (None, false);
        let task = match request.work {
            Work::Query { query, bind, max_rows, is_fresh } => {
                given = bind.filter(|_| !is_fresh);
                is_cold_wanted = is_fresh;
                Task::Query { query, max_rows }
            }
            Work::Prepare { query } => Task::Prepare { query },
            Work::Script { text, is_control } => {
                let is_begin = keyword::classify(&text).is_begin;
                let is_commit = keyword::may_commit(&text);
                Task::Script { text, is_control, is_begin, is_commit }
            }
            Work::Batch { query, wants_rows } => {
                Task::Batch { query, progress: Box::new(BatchProgress::new(wants_rows)) }
            }
        };
        Self {
            told: given.as_ref().map(|bind| Rc::clone(&bind.description)),
            bind: given,
            is_cold_wanted,
            is_renewal_wanted: is_cold_wanted,
            ..Self::of(Some(request.id), task)
        }
    }

    /// A look-up, under the id of the request that waits for it.
    pub(super) fn look_up(id: Option<RequestId>, look_up: LookUp) -> Self {
        Self::of(id, Task::LookUp(Box::new(look_up)))
    }

    fn of(id: Option<RequestId>, task: Task) -> Self {
        Self {
            id,
            task,
            bind: None,
            told: None,
            is_asked: false,
            is_cold_wanted: false,
            is_renewal_wanted: false,
            was_resent: false,
            was_healed: false,
            look_ups: 0,
        }
    }

    /// The work to do elsewhere. A batch has sent some of its rows, and who was asked for parameters answers here, so
    /// neither can move.
    pub(super) fn into_work(self) -> Option<Work> {
        match self.task {
            _ if self.is_asked => None,
            Task::Query { query, max_rows } => {
                Some(Work::Query { query, bind: self.bind, max_rows, is_fresh: self.is_cold_wanted })
            }
            Task::Prepare { query } => Some(Work::Prepare { query }),
            Task::Script { text, is_control, .. } => Some(Work::Script { text, is_control }),
            Task::LookUp(look_up) => look_up.into_pending()?.into_work(),
            Task::Batch { .. } => None,
        }
    }

    pub(super) fn query(&self) -> Option<&Rc<Query>> {
        match &self.task {
            Task::Query { query, .. } | Task::Prepare { query } | Task::Batch { query, .. } => Some(query),
            Task::Script { .. } | Task::LookUp(_) => None,
        }
    }

    /// Whether it, or what waits for it, was executed.
    pub(super) fn is_executed(&self) -> bool {
        matches!(&self.task, Task::LookUp(look_up) if look_up.is_executed())
    }

    /// Whether it ends a transaction for good, so that a lost answer leaves the outcome unknown (rule 13).
    pub(super) fn is_commit(&self) -> bool {
        match &self.task {
            Task::Query { query, .. } | Task::Batch { query, .. } => query.traits.is_commit,
            Task::Script { is_commit, .. } => *is_commit,
            Task::Prepare { .. } | Task::LookUp(_) => false,
        }
    }

    /// Whether `description` is what the caller already goes by.
    pub(super) fn knows(&self, description: &Description) -> bool {
        self.told.as_ref().is_some_and(|told| told.id == description.id)
    }
}
