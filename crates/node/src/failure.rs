//! Errors as data: what went wrong, for JavaScript to make a class of.

use std::io;

use napi_sys as sys;
use oxpg_client::open::{ConfigError, OpenError, OpenErrorKind};
use oxpg_client::pool::Rejection;
use oxpg_client::session::{Failure, FailureKind, Misplaced, ServerMessage};
use oxpg_codec::parameters::EncodeError;

use crate::napi_value as value;
use crate::pool_uses::PoolUses;

/// A failure on its way to JavaScript; `src/errors/failure.ts` knows the same shape.
#[derive(Clone, Debug)]
pub(crate) struct FailureData {
    /// `server`, `connection`, `protocol`, `interface`, `timeout`, `target`, `canceled`, `data`, `unsupported`,
    /// `configuration`, `internal` or `outdated`.
    pub(crate) kind: &'static str,
    pub(crate) sqlstate: Option<String>,
    pub(crate) message: String,
    /// An ErrorResponse's fields by their names in JavaScript.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// It certainly did not take effect.
    pub(crate) is_safe_to_retry: bool,
    /// The system's name of the cause, such as `ECONNREFUSED`.
    pub(crate) cause_code: Option<String>,
    /// The failure behind this one.
    pub(crate) cause: Option<Box<Self>>,
    /// With several hosts or addresses, what each of them came to.
    pub(crate) attempts: Vec<Self>,
    /// 1-based, of a parameter that does not fit.
    pub(crate) parameter: Option<usize>,
    /// 1-based, inside an array parameter.
    pub(crate) element: Option<usize>,
    /// 0-based, of a row of a batch.
    pub(crate) row: Option<u32>,
    /// It waited for a connection of a pool, and JavaScript may know who had them.
    pub(crate) waited_for_pool: bool,
}

impl FailureData {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            sqlstate: None,
            message: message.into(),
            fields: Vec::new(),
            is_safe_to_retry: false,
            cause_code: None,
            cause: None,
            attempts: Vec::new(),
            parameter: None,
            element: None,
            row: None,
            waited_for_pool: false,
        }
    }

    /// Nothing was sent.
    fn unsent(mut self) -> Self {
        self.is_safe_to_retry = true;
        self
    }

    pub(crate) fn internal(text: &str) -> Self {
        Self::new("internal", text).unsent()
    }

    /// The system refuses what the background thread takes, such as descriptors: it may not a moment later.
    pub(crate) fn not_started(error: &io::Error) -> Self {
        OpenError::io(error).into()
    }

    pub(crate) fn timeout(timeout_ms: u32) -> Self {
        Self::new("timeout", format!("the call did not finish within {timeout_ms} ms"))
    }

    /// Nobody gave it a connection of its pool in time, that of the pool or its own; `open_error` is why the last one could
    /// not be opened.
    pub(crate) fn waited_in_vain(waited_ms: u128, uses: &PoolUses, open_error: Option<Self>) -> Self {
        let text = format!("no connection of the pool was free within {waited_ms} ms: {uses}");
        let mut failure = Self::new("timeout", text).unsent();
        failure.waited_for_pool = true;
        failure.because_of(open_error)
    }

    /// A call on a pool began a transaction and did not end it.
    pub(crate) fn transaction_left_open() -> Self {
        let text = "the query left a transaction open on a connection that is nobody's any more, and it is rolled back: \
                    call transaction() or begin() of the pool, or acquire() for a session of your own";
        Self::new("interface", text)
    }

    /// A script through a pool ended with a LISTEN, and its connection is reset.
    pub(crate) fn listen_through_pool() -> Self {
        Self::new("unsupported", LISTEN_THROUGH_POOL)
    }

    /// A call on a pool whose text does nothing there; it is not sent.
    pub(crate) fn misplaced(misplaced: Misplaced) -> Self {
        let (kind, text) = match misplaced {
            Misplaced::Begin => (
                "interface",
                "a transaction cannot be begun by a query through a pool, whose next query may run on any connection: \
                 call transaction() or begin() of the pool, or acquire() for a session of your own",
            ),
            Misplaced::Transaction => (
                "interface",
                "there is no transaction on a pool that a query could end or set a savepoint in, since its queries may \
                 run on any connection: transaction() and begin() of the pool give one that has commit(), rollback() and \
                 savepoints, acquire() a session of your own",
            ),
            Misplaced::Listen => ("unsupported", LISTEN_THROUGH_POOL),
        };
        Self::new(kind, text).unsent()
    }

    /// A pool's function for the password or the token gave none.
    pub(crate) fn no_credentials(why: &str, is_late: bool) -> Self {
        let mut failure = Self::new(if is_late { "timeout" } else { "connection" }, why).unsent();
        failure.sqlstate = (!is_late).then(|| "08001".into());
        failure
    }

    /// The last attempt at opening a connection failed with this.
    fn because_of(mut self, open_error: Option<Self>) -> Self {
        if let Some(error) = open_error {
            self.message = format!("{}; the last attempt to open one failed: {}", self.message, error.message);
            self.cause = Some(Box::new(error));
        }
        self
    }

    /// A batch that its caller took back: the engine made certain that it had no effect.
    pub(crate) fn taken_back() -> Self {
        Self::canceled().unsent()
    }

    pub(crate) fn canceled() -> Self {
        Self::new("canceled", "the call was canceled by its caller")
    }

    /// A result has more bytes than its caller wants.
    pub(crate) fn result_too_large(limit: u64) -> Self {
        let text = format!(
            "the rows of the result have more than {limit} bytes (maxResultBytes), and what is left of it is not read: stream() \
             takes results of any size"
        );
        Self::new("interface", text)
    }

    pub(crate) fn connection_closed() -> Self {
        let mut failure = Self::new("connection", "the connection is closed").unsent();
        failure.sqlstate = Some("08003".into());
        failure
    }

    pub(crate) fn pool_closed() -> Self {
        Self::new("interface", "the pool is closed").unsent()
    }

    pub(crate) fn parameter_count(expected: usize, given: usize) -> Self {
        Self::new("interface", format!("the query takes {expected} parameters, {given} were given")).unsent()
    }

    pub(crate) fn data(error: &EncodeError) -> Self {
        let mut failure = Self::new("data", error.to_string()).unsent();
        failure.sqlstate = Some("22000".into());
        failure.parameter = Some(error.parameter);
        failure.element = error.element;
        failure
    }

    /// `to_js` gives an object with only the fields that are there.
    pub(crate) fn to_js(&self, env: sys::napi_env) -> sys::napi_value {
        let object = value::object(env);
        let texts = [
            ("kind", Some(self.kind)),
            ("message", Some(self.message.as_str())),
            ("sqlstate", self.sqlstate.as_deref()),
            ("causeCode", self.cause_code.as_deref()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                value::set(env, object, name, value::text(env, text.as_bytes()));
            }
        }
        value::set(env, object, "safeToRetry", value::boolean(env, self.is_safe_to_retry));
        if !self.fields.is_empty() {
            value::set(env, object, "fields", crate::facts::named_texts(env, &self.fields));
        }
        let row = self.row.map(|row| row as usize);
        for (name, number) in [("parameter", self.parameter), ("element", self.element), ("row", row)] {
            if let Some(number) = number.and_then(|number| u32::try_from(number).ok()) {
                value::set(env, object, name, value::number(env, f64::from(number)));
            }
        }
        if self.waited_for_pool {
            value::set(env, object, "waitedForPool", value::boolean(env, true));
        }
        if let Some(cause) = &self.cause {
            value::set(env, object, "cause", cause.to_js(env));
        }
        if !self.attempts.is_empty() {
            let attempts = value::array(env, self.attempts.iter().map(|attempt| attempt.to_js(env)));
            value::set(env, object, "attempts", attempts);
        }
        object
    }
}

const LISTEN_THROUGH_POOL: &str = "LISTEN has no effect through a pool: it ends with the call, when the connection is \
    reset; listen() of the pool has a connection of its own";

/// JavaScript's names of the fields of ErrorResponse and NoticeResponse (manual, "Error and Notice Message Fields").
const FIELD_NAMES: &[(u8, &str)] = &[
    (b'V', "severity"),
    (b'C', "sqlstate"),
    (b'M', "message"),
    (b'D', "detail"),
    (b'H', "hint"),
    (b'P', "position"),
    (b'p', "internalPosition"),
    (b'q', "internalQuery"),
    (b'W', "where"),
    (b's', "schemaName"),
    (b't', "tableName"),
    (b'c', "columnName"),
    (b'd', "dataTypeName"),
    (b'n', "constraintName"),
    (b'F', "file"),
    (b'L', "line"),
    (b'R', "routine"),
];

/// Fields by their names in JavaScript.
pub(crate) fn named(fields: &[(u8, String)]) -> Vec<(&'static str, String)> {
    let name = |code: u8| FIELD_NAMES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
    fields.iter().filter_map(|(code, text)| Some((name(*code)?, text.clone()))).collect()
}

/// A server message's fields by their names in JavaScript.
pub(crate) fn fields_of(message: &ServerMessage) -> Vec<(&'static str, String)> {
    named(message.fields())
}

impl From<Failure> for FailureData {
    fn from(failure: Failure) -> Self {
        let kind = match failure.kind {
            FailureKind::Server => "server",
            FailureKind::Connection => "connection",
            FailureKind::Protocol => "protocol",
            FailureKind::Interface => "interface",
            FailureKind::Unsupported => "unsupported",
            FailureKind::Canceled => "canceled",
            FailureKind::Internal => "internal",
            FailureKind::OutdatedSchema => "outdated",
        };
        let mut data = Self::new(kind, failure.message);
        data.sqlstate = failure.sqlstate;
        data.is_safe_to_retry = failure.is_safe_to_retry;
        data.cause_code = failure.cause_code.map(str::to_owned);
        data.row = failure.row.and_then(|row| u32::try_from(row).ok());
        data.fields = failure.server.as_deref().map(fields_of).unwrap_or_default();
        data
    }
}

impl From<OpenError> for FailureData {
    fn from(error: OpenError) -> Self {
        let kind = match error.kind {
            OpenErrorKind::Server => "server",
            OpenErrorKind::Connection => "connection",
            OpenErrorKind::Protocol => "protocol",
            OpenErrorKind::Configuration => "configuration",
            OpenErrorKind::Unsupported => "unsupported",
            OpenErrorKind::Timeout => "timeout",
            OpenErrorKind::Target => "target",
            OpenErrorKind::Internal => "internal",
        };
        let mut data = Self::new(kind, error.message);
        data.sqlstate = error.sqlstate;
        data.is_safe_to_retry = error.is_safe_to_retry;
        data.cause_code = error.cause_code;
        data.fields = named(&error.fields);
        data.attempts = error.attempts.into_vec().into_iter().map(Self::from).collect();
        data
    }
}

impl From<ConfigError> for FailureData {
    fn from(error: ConfigError) -> Self {
        OpenError::from(error).into()
    }
}

impl FailureData {
    /// A pool gives up on a waiter; `open_error` is why its last connection could not be opened.
    pub(crate) fn rejected(reason: &Rejection, uses: impl FnOnce() -> PoolUses, open_error: Option<Self>) -> Self {
        match reason {
            Rejection::Timeout { waited, .. } => {
                Self::waited_in_vain(waited.as_millis(), &uses().and_one_who_waited(), open_error)
            }
            Rejection::Closed => Self::new("interface", "the pool is closing").unsent(),
            Rejection::Terminated => Self::new("interface", "the pool was terminated").unsent(),
            Rejection::OpenFailed => {
                open_error.unwrap_or_else(|| Self::new("connection", "no connection could be opened").unsent()).unsent()
            }
        }
    }
}
