//! What the engine tells its caller, and how the caller takes it.

use std::rc::Rc;

use super::failure::{Failure, ServerMessage};
use super::query::Description;
use super::request::{Request, RequestId};
use super::result_options::ResultFormats;
use super::tag::CommandTag;
use super::violation::ProtocolViolation;

/// Takes rows and events. The engine is not entered again from inside.
pub trait Sink {
    /// A row of a request, in the formats that it had asked for: `data_row` is the body of a DataRow message,
    /// `remaining` the number of received bytes behind it.
    fn row(
        &mut self,
        request: RequestId,
        description: &Rc<Description>,
        formats: ResultFormats,
        data_row: &[u8],
        remaining: usize,
    ) -> RowTaken;

    /// Rows of a request, `bytes` of them in all, are kept until types have been looked up, to be offered again then.
    fn keeps(&mut self, _request: RequestId, _bytes: usize) {}

    /// Anything else.
    fn event(&mut self, event: Event);

    /// The session has to parse a query's statement first, and its caller may want to know: that is a round trip of its own,
    /// and no part of what the statement takes.
    fn prepares(&mut self, _request: RequestId) {}

    /// Asked after [`receive`](super::Session::receive) was stopped: whether the consumer of the rows wants no more for
    /// now. Then the row is to be offered again when the consumer says so, and not as soon as there may be room.
    fn is_paused(&self) -> bool {
        false
    }
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowTaken {
    /// It was taken.
    Taken,
    /// There is no room: the engine stops before this row and offers it again.
    Full,
    /// It cannot be decoded: its request fails with this text, the others go on (rule 12).
    Malformed(String),
    /// The same, because a type has changed since it was looked up.
    OutdatedType(String),
    /// The same, because no format serves all of its types.
    Unsupported(String),
    /// The type with this OID has to be looked up first: the engine keeps the row, and offers it again.
    UnknownType(u32),
}

/// Something happened. Each request ends with exactly one of `Completed`, `Failed`, `Returned` and `Aborted`, unless its caller
/// abandoned it or refused to bind.
#[derive(Debug)]
pub enum Event {
    /// The statement's parameters and columns, where the caller may not know them: before the first row, and once more
    /// before a row whose types were looked up anew. Rows that were taken before it keep what they were read by.
    Described {
        /// The request.
        request: RequestId,
        /// Which of its statements it is, counted from 0. The rows that follow are those of this one.
        part: u32,
        /// What is true from now on for this request: of the parameters that are asked for, and of the rows that follow.
        description: Rc<Description>,
        /// The engine waits for [`bind`](super::Session::bind), [`refuse_bind`](super::Session::refuse_bind) or
        /// (a batch) [`batch_row`](super::Session::batch_row) and so on.
        needs_bind: bool,
    },
    /// A request ended well.
    Completed {
        /// The request.
        request: RequestId,
        /// Its command tag; of a script the last one, of a batch with the sum of the rows.
        tag: CommandTag,
        /// The portal has more rows than `max_rows`.
        is_suspended: bool,
        /// `I`, `T` or `E`, as of its ReadyForQuery; `t` or `e` when it has ended a transaction, and another one is open.
        transaction_status: u8,
    },
    /// A request failed.
    Failed {
        /// The request.
        request: RequestId,
        /// Why.
        failure: Failure,
        /// `I`, `T` or `E`, as of its ReadyForQuery, or the last one known; `t` or `e` as above.
        transaction_status: u8,
    },
    /// A request certainly did not run, and the session cannot run it: its owner may submit it to another one, or
    /// fail it. Only with [`returns_requests`](super::SessionOptions::returns_requests).
    Returned {
        /// The request, as it was submitted; without its bind when the parameters have to be encoded anew.
        request: Request,
        /// Why it cannot run here.
        failure: Failure,
        /// `I`, `T` or `E`.
        transaction_status: u8,
    },
    /// A batch was taken back: it certainly had no effect.
    Aborted {
        /// The request.
        request: RequestId,
        /// `I`, `T` or `E`.
        transaction_status: u8,
    },
    /// More rows of a batch may come.
    Drained {
        /// The request.
        request: RequestId,
    },
    /// A NoticeResponse.
    Notice(ServerMessage),
    /// A NotificationResponse.
    Notification {
        /// Process id of the notifying session.
        pid: i32,
        /// The channel.
        channel: String,
        /// The payload, often empty.
        payload: String,
    },
    /// A setting that the server reports has changed.
    ParameterStatus {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Send a CancelRequest, and call [`cancel_finished`](super::Session::cancel_finished) at its end of file.
    CancelWanted {
        /// Which of the session's cancels it is.
        number: u32,
    },
    /// The session is over and every request is settled. The last event.
    Closed {
        /// Why, unless its owner wanted it.
        failure: Option<Failure>,
    },
}

/// How far [`receive`](super::Session::receive) came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes that need not be offered again.
    pub consumed: usize,
    /// The sink was full: offer the rest again when it has room (or when its consumer goes on, see
    /// [`Sink::is_paused`]), before anything is read.
    pub is_stopped: bool,
}

/// Why a session ends.
#[derive(Clone, Debug)]
pub enum EndCause {
    /// The server closed the connection without a word.
    EndOfStream,
    /// The connection broke.
    Reset {
        /// The system's name of the error, such as `ECONNRESET`.
        code: &'static str,
        /// The system's text.
        text: String,
    },
    /// [`receive`](super::Session::receive) failed.
    Violation(ProtocolViolation),
    /// Its owner wants it gone at once.
    Terminated,
    /// The driver's own code panicked in its behalf.
    Panicked,
}
