//! What callers ask of a session.

use std::rc::Rc;

use super::misplaced::Misplaced;
use super::query::{Bind, Query};
use super::result_options::{ResultForm, ResultOptions};

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

/// What a request does. Each has its module in `kinds/`.
#[derive(Debug)]
pub enum Work {
    /// One statement on the extended protocol.
    Query {
        /// The statement.
        query: Rc<Query>,
        /// Its parameters, when the caller knows the parameters' types; otherwise `Described` asks for them.
        bind: Option<Bind>,
        /// How its result comes.
        result: ResultOptions,
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
    /// What opens a transaction or a savepoint. It goes out with the first statement behind it, in the same Sync group, and is
    /// not written before. Where it fails, nothing that is behind it runs, until [`go_on`](super::Session::go_on).
    Opening {
        /// Statements of the driver's own, separated by `; `.
        text: Box<str>,
        /// What is executed right behind it.
        context: Option<Box<Context>>,
    },
    /// Statements under one Sync: if one fails, those behind it do not run, and outside a transaction nothing of them takes
    /// effect.
    Group {
        /// What is executed in front of them, in the same Sync group.
        context: Option<Box<Context>>,
        /// At least one.
        members: Vec<Member>,
    },
    /// One statement with many rows of parameters, atomically.
    Batch {
        /// The statement.
        query: Rc<Query>,
        /// How the rows that the executions return come. There is no limit to them: a portal of a batch is not
        /// suspended.
        form: ResultForm,
    },
    /// More of a portal that a query of this session has opened (see [`PortalUse`](super::PortalUse)).
    Portal {
        /// The number that the query gave it.
        number: u32,
        /// What is done with it.
        step: PortalStep,
        /// The description that the caller goes by; `Described` tells where another one is true.
        told: u32,
    },
}

impl Work {
    /// Whether nothing of it can be left in the session, as far as can be seen, once no transaction is open.
    #[must_use]
    pub fn is_traceless(&self) -> bool {
        match self {
            Self::Query { query, .. } | Self::Batch { query, .. } => query.traits.is_traceless,
            Self::Group { members, .. } => members.iter().all(|member| member.query.traits.is_traceless),
            // The driver's own statements are prepared for whoever comes.
            Self::Prepare { .. } | Self::Opening { .. } | Self::Portal { .. } => true,
            Self::Script { text, is_control } => *is_control && ends_or_divides(text),
        }
    }
}

/// Whether one of the driver's own commands is of a transaction's.
fn ends_or_divides(command: &str) -> bool {
    let first = command.split(' ').next().unwrap_or_default();
    matches!(first, "" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "PREPARE")
}

/// A step of an open portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalStep {
    /// Its next rows.
    Fetch {
        /// At most so many; 0 means all.
        max_rows: u32,
    },
    /// Past its next rows. The tag, `MOVE n`, says how many there were.
    Move {
        /// So many.
        count: u32,
    },
}

/// A statement of a group.
#[derive(Debug)]
pub struct Member {
    /// The statement.
    pub query: Rc<Query>,
    /// As of [`Work::Query`].
    pub bind: Option<Bind>,
    /// How its result comes.
    pub result: ResultOptions,
    /// As of [`Work::Query`].
    pub is_fresh: bool,
}

/// A statement of the driver's own that what is behind it depends on, such as one that makes settings. Its result is dropped.
#[derive(Debug)]
pub struct Context {
    /// The statement. All its parameters and columns are of type text, or given as it.
    pub query: Rc<Query>,
    /// As of [`Bind`], in the text format.
    pub parameters: Vec<u8>,
}

impl Work {
    /// What it is, if nothing would come of it through a pool; the driver's own texts are in their place.
    #[must_use]
    pub fn misplaced(&self) -> Option<Misplaced> {
        match self {
            Self::Query { query, .. } | Self::Prepare { query } | Self::Batch { query, .. } => query.misplaced,
            Self::Group { members, .. } => members.iter().find_map(|member| member.query.misplaced),
            Self::Script { text, is_control: false } => Misplaced::of(text),
            Self::Script { .. } | Self::Portal { .. } | Self::Opening { .. } => None,
        }
    }
}
