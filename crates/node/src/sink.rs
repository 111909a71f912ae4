//! What the engine tells, turned into records for JavaScript and errands for the environment.

use std::collections::VecDeque;
use std::rc::Rc;

use oxpg_client::pool::Ticket;
use oxpg_client::session::{CommandTag, Description, Event, Request, RequestId, ResultFormats, RowTaken, Sink, Work};
use oxpg_codec::batch::RowFault;
use oxpg_codec::boundary::{record_word as word, transaction_status as status};

use crate::allowance::Allowed;
use crate::failure::FailureData;
use crate::mailbox::{Extra, Kind, Mailbox, RowFit};
use crate::requests::{FIRST_INTERNAL, RequestState, Requests};

/// How often a call on a pool may move to another connection before it fails.
const MOST_MOVES: u8 = 5;

/// SQLSTATE read_only_sql_transaction.
const READ_ONLY_TRANSACTION: &str = "25006";

/// SQLSTATE no_active_sql_transaction.
const NO_TRANSACTION: &str = "25P01";

/// Something to do once the engine has returned: it may concern other connections, or the pool.
pub(crate) enum Errand {
    /// A query counted by a pool's policy is over.
    QueryOver { pool: u32, connection: u32, part: Part },
    /// A request of the node layer's own is over; `is_clean` when it ended well and outside a transaction.
    InternalOver { connection: u32, request: u32, is_clean: bool },
    /// A call on the pool did not run on its connection and goes to another.
    Move { pool: u32, request: RequestId, work: Box<Work> },
    /// Open a cancel connection for this one.
    Cancel { connection: u32, number: u32 },
    /// A statement was refused because the session only reads.
    ReadOnly { connection: u32 },
    /// A stream's connection is not read any more, until its consumer goes on: meanwhile it keeps no process alive.
    Paused,
    /// A stream that had paused is over without its consumer.
    Resumed,
    /// A result has more bytes than its caller wants.
    Exceeded { request: RequestId },
    /// The session is over; take the connection down.
    Closed { connection: u32, failure: Option<Box<FailureData>> },
}

/// What a call on a pool has of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it, until the call is over.
    Lease,
    /// A place among others. `is_answered`: the server has executed it, or said why not. `is_prepared_first`: its statement was
    /// parsed there before.
    Share { ticket: Option<Ticket>, is_answered: bool, is_prepared_first: bool },
}

/// The sink of one connection while its engine runs.
pub(crate) struct Deliveries<'a> {
    pub(crate) connection: u32,
    /// Its pool's reset is in flight.
    pub(crate) is_resetting: bool,
    /// The consumer of the rows wants no more for now.
    pub(crate) is_paused: bool,
    pub(crate) mailbox: &'a mut Mailbox,
    pub(crate) requests: &'a mut Requests,
    pub(crate) errands: &'a mut VecDeque<Errand>,
}

impl Deliveries<'_> {
    /// Frees a request's slot and tells its pool.
    fn over(&mut self, request: RequestId, is_clean: bool, is_answered: bool) {
        let connection = self.connection;
        if request >= FIRST_INTERNAL {
            self.errands.push_back(Errand::InternalOver { connection, request, is_clean });
            return;
        }
        if let Some(state) = self.requests.get(request) {
            self.errands.extend(state.query_over(connection, is_answered));
            if state.allowance.is_paused() {
                self.errands.push_back(Errand::Resumed);
            }
        }
        self.requests.end(request);
    }

    /// What a call on a pool itself left to a session that it does not keep: the pool's reset undoes it, and the caller
    /// is told.
    fn lost_with_the_lease(&self, request: RequestId, tag: &CommandTag, transaction_status: u8) -> Option<FailureData> {
        let is_listen = tag.text.as_deref() == Some("LISTEN");
        if transaction_status == status::IDLE && !is_listen {
            return None;
        }
        self.requests.get(request).filter(|state| state.holds_lease)?;
        Some(if is_listen { FailureData::listen_through_pool() } else { FailureData::transaction_left_open() })
    }

    /// A row that its request's allowance is not enough for.
    fn refuse_row(&mut self, request: RequestId, allowed: Allowed) -> RowTaken {
        match allowed {
            Allowed::NotYet { is_news } => {
                self.is_paused = true;
                self.errands.extend(is_news.then_some(Errand::Paused));
                RowTaken::Full
            }
            Allowed::Never { is_news } => {
                self.errands.extend(is_news.then_some(Errand::Exceeded { request }));
                RowTaken::Taken
            }
            Allowed::Yes => RowTaken::Taken,
        }
    }

    /// Tells JavaScript that a request has failed.
    fn failed(&mut self, request: RequestId, failure: Box<FailureData>, transaction_status: u8) {
        self.mailbox.push_extra(Kind::Failed, request, word::FAILED_FAILURE, Extra::Failure(failure), |words| {
            words[word::TRANSACTION_STATUS] = i32::from(transaction_status);
        });
    }
}

impl Sink for Deliveries<'_> {
    fn row(
        &mut self,
        request: RequestId,
        description: &Rc<Description>,
        formats: ResultFormats,
        data_row: &[u8],
        remaining: usize,
    ) -> RowTaken {
        if request >= FIRST_INTERNAL {
            return RowTaken::Taken;
        }
        let Some(state) = self.requests.get_mut(request) else { return RowTaken::Taken };
        let allowed = state.allowance.allows(data_row.len());
        if allowed != Allowed::Yes {
            return self.refuse_row(request, allowed);
        }
        match self.mailbox.push_row(request, &mut state.text, description.row_types(formats), data_row, remaining) {
            Ok(RowFit::Taken) => {
                state.allowance.use_up(data_row.len());
                RowTaken::Taken
            }
            Ok(RowFit::Full) => RowTaken::Full,
            Err(error) => match error.fault() {
                RowFault::Malformed => RowTaken::Malformed(error.to_string()),
                RowFault::OutdatedType => RowTaken::OutdatedType(error.to_string()),
                RowFault::Unsupported => RowTaken::Unsupported(error.to_string()),
                RowFault::UnknownType(type_oid) => RowTaken::UnknownType(type_oid),
            },
        }
    }

    fn keeps(&mut self, request: RequestId, bytes: usize) {
        let Some(state) = self.requests.get_mut(request) else { return };
        let allowed = state.allowance.allows_later(bytes);
        if allowed != Allowed::Yes {
            self.refuse_row(request, allowed);
        }
    }

    fn prepares(&mut self, request: RequestId) {
        if let Some(state) = self.requests.get_mut(request) {
            state.is_prepared_first = true;
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Described { request, part, description, needs_bind } => {
                let Some(state) = self.requests.get_mut(request) else { return };
                state.description = Some(Rc::clone(&description));
                if needs_bind {
                    state.asked.push(Rc::clone(&description));
                }
                self.mailbox.push_extra(
                    Kind::Described,
                    request,
                    word::DESCRIBED_DESCRIPTION,
                    Extra::Description(description),
                    |words| {
                        words[word::DESCRIBED_PART] = part.cast_signed();
                        words[word::DESCRIBED_NEEDS_BIND] = i32::from(needs_bind);
                    },
                );
            }
            Event::Completed { request, mut tag, is_suspended, transaction_status } => {
                if request < FIRST_INTERNAL {
                    let allowance = self.requests.get(request).map(|state| state.allowance);
                    if let Some(allowance) = allowance.filter(|_| is_suspended) {
                        tag.rows = allowance.used();
                    }
                    let too_large = allowance.and_then(|allowance| allowance.exceeded());
                    let failure = too_large.map(FailureData::result_too_large);
                    match failure.or_else(|| self.lost_with_the_lease(request, &tag, transaction_status)) {
                        Some(failure) => self.failed(request, Box::new(failure), transaction_status),
                        None => crate::facts::push_done(self.mailbox, request, tag, is_suspended, transaction_status),
                    }
                }
                self.over(request, transaction_status == status::IDLE, true);
            }
            Event::Failed { request, failure, transaction_status } => {
                if failure.sqlstate.as_deref() == Some(READ_ONLY_TRANSACTION) {
                    // Before the pool hears that the request is over, and lends the connection again.
                    self.errands.push_back(Errand::ReadOnly { connection: self.connection });
                }
                let is_answered = failure.sqlstate.is_some();
                if request < FIRST_INTERNAL {
                    self.failed(request, Box::new(FailureData::from(failure)), transaction_status);
                }
                self.over(request, false, is_answered);
            }
            Event::Returned { request: Request { id: request, work }, failure, transaction_status } => {
                let may_move = |state: &RequestState| state.pool != 0 && state.moves < MOST_MOVES;
                if let Some(state) = self.requests.get_mut(request).filter(|state| may_move(state)) {
                    state.moves += 1;
                    self.errands.extend(state.query_over(self.connection, false));
                    self.errands.push_back(Errand::Move { pool: state.pool, request, work: Box::new(work) });
                } else {
                    self.event(Event::Failed { request, failure, transaction_status });
                }
            }
            Event::Aborted { request, transaction_status } => {
                let refusal = self.requests.get_mut(request).and_then(|state| state.refusal.take());
                let failure = refusal.unwrap_or_else(|| Box::new(FailureData::taken_back()));
                self.failed(request, failure, transaction_status);
                self.over(request, false, false);
            }
            Event::Drained { request } => self.mailbox.push(Kind::Drained, request, |_| {}),
            // A reset rolls back where a transaction may be open: that there was none is nobody's affair.
            Event::Notice(message) if self.is_resetting && message.field(b'C') == Some(NO_TRANSACTION) => {}
            Event::Notice(message) => {
                let fields = crate::failure::fields_of(&message);
                self.mailbox.push_extra(
                    Kind::Notice,
                    self.connection,
                    word::EVENT_EXTRA,
                    Extra::Notice(fields),
                    |_| {},
                );
            }
            Event::Notification { pid, channel, payload } => {
                let extra = Extra::Notification { pid, channel, payload };
                self.mailbox.push_extra(Kind::Notification, self.connection, word::EVENT_EXTRA, extra, |_| {});
            }
            Event::ParameterStatus { name, value } => {
                let extra = Extra::Parameter(name, value);
                self.mailbox.push_extra(Kind::Parameter, self.connection, word::EVENT_EXTRA, extra, |_| {});
            }
            Event::CancelWanted { number } => {
                self.errands.push_back(Errand::Cancel { connection: self.connection, number });
            }
            Event::Closed { failure } => {
                let failure = failure.map(|failure| Box::new(FailureData::from(failure)));
                // Before the errands of the requests that ended with it: the pool must not take it for idle in between.
                self.errands.push_front(Errand::Closed { connection: self.connection, failure });
            }
        }
    }

    fn is_paused(&self) -> bool {
        self.is_paused
    }
}
