//! What can go wrong before a session exists, as data.

use std::error::Error;
use std::fmt;
use std::io;

use super::tls::{self, FailureStage};

/// Which class of trouble an [`OpenError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenErrorKind {
    /// The server refused the session with an ErrorResponse; SQLSTATE and fields are the server's.
    Server,
    /// The server was not reached, or went away, or a policy of ours refused it.
    Connection,
    /// The peer does not speak the protocol, or failed to prove that it knows the password.
    Protocol,
    /// An option, the DSN or an environment variable is wrong.
    Configuration,
    /// Something that this driver does not do (yet).
    Unsupported,
    /// The deadline (`connectTimeoutMs`) passed.
    Timeout,
    /// A server was reached, and is not what `targetSessionAttrs` asks for.
    Target,
    /// A fault of ours.
    Internal,
}

/// Why a session could not be opened. Never contains a password.
#[derive(Clone, Debug)]
pub struct OpenError {
    /// The class of trouble.
    pub kind: OpenErrorKind,
    /// For people; with several hosts it tells what happened at each of them.
    pub message: String,
    /// The server's SQLSTATE, or the one that describes the trouble (08006 for a broken connection).
    pub sqlstate: Option<String>,
    /// The server's fields by their codes (manual, "Error and Notice Message Fields"); empty unless `kind` is
    /// [`OpenErrorKind::Server`].
    pub fields: Vec<(u8, String)>,
    /// The operating system's name of the cause, as Node spells it: `ECONNREFUSED`, `ENOENT`, `ENOTFOUND` …
    pub cause_code: Option<String>,
    /// Opening again cannot do anything twice. True of every failure to open.
    pub is_safe_to_retry: bool,
    /// The system says that there is no server, of all hosts and at once: nobody listens (`ECONNREFUSED`, `ENOENT`), or
    /// there is no such name or no way to it.
    pub is_unreachable: bool,
    /// Where an attempt failed: it decides on another one with or without TLS.
    pub(super) stage: FailureStage,
    /// With several hosts or addresses, what each of them came to, in the order of the attempts; otherwise empty.
    pub attempts: Box<[OpenError]>,
}

impl OpenError {
    pub(super) fn new(kind: OpenErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            sqlstate: None,
            fields: Vec::new(),
            cause_code: None,
            is_safe_to_retry: true,
            is_unreachable: false,
            stage: FailureStage::Other,
            attempts: Box::default(),
        }
    }

    /// The driver itself is at fault, and nothing reached the server.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(OpenErrorKind::Internal, message)
    }

    /// The connection failed: SQLSTATE 08006, connection_failure.
    pub(super) fn connection(message: impl Into<String>) -> Self {
        Self { sqlstate: Some("08006".into()), ..Self::new(OpenErrorKind::Connection, message) }
    }

    /// The operating system refused, or TLS failed.
    #[must_use]
    pub fn io(error: &io::Error) -> Self {
        if let Some(failure) = tls::of_io(error) {
            return failure.into_open_error();
        }
        Self::with_cause(error.to_string(), cause_code(error))
    }

    /// A connection failed with an error of the operating system's.
    pub(super) fn with_cause(message: impl Into<String>, code: Option<&'static str>) -> Self {
        Self {
            cause_code: code.map(str::to_owned),
            is_unreachable: code.is_some_and(|code| NOBODY_THERE.contains(&code)),
            ..Self::connection(message)
        }
    }

    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::new(OpenErrorKind::Protocol, message)
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(OpenErrorKind::Unsupported, message)
    }

    /// Whether trying again later may help, with nothing changed on our side.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let sqlstate = self.sqlstate.as_deref().unwrap_or_default();
        match self.kind {
            // A failover may be under way.
            OpenErrorKind::Timeout | OpenErrorKind::Target => true,
            // 08001, sqlclient_unable_to_establish_sqlconnection: TLS that does not come about, as things are configured.
            OpenErrorKind::Connection => sqlstate.starts_with("08") && sqlstate != "08001",
            // Insufficient resources (too many connections …), operator intervention (shutting down, starting up).
            OpenErrorKind::Server => {
                sqlstate.starts_with("53")
                    || sqlstate.starts_with("57P")
                    || (sqlstate == "08P01" && POOLER_IS_BUSY.iter().any(|start| self.message.starts_with(start)))
            }
            OpenErrorKind::Protocol
            | OpenErrorKind::Configuration
            | OpenErrorKind::Unsupported
            | OpenErrorKind::Internal => false,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for OpenError {}

impl From<ConfigError> for OpenError {
    fn from(error: ConfigError) -> Self {
        let kind = if error.is_unsupported { OpenErrorKind::Unsupported } else { OpenErrorKind::Configuration };
        Self::new(kind, error.message)
    }
}

/// A configuration that cannot be used. It names the option, what was expected and, unless that could be part of a
/// password, what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
    is_unsupported: bool,
}

impl ConfigError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_unsupported: false }
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_unsupported: true }
    }

    /// Whether the configuration means something, but nothing that this driver does (yet).
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.is_unsupported
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConfigError {}

/// How PgBouncer's messages begin that speak of the moment; it has but 08P01 for them. `src/errors/transient.ts` has them too.
const POOLER_IS_BUSY: [&str; 5] = [
    "no more connections allowed",
    "pgbouncer cannot connect to server",
    "query_wait_timeout",
    "server conn crashed",
    "server login has been failing",
];

/// Names of errors that say that there is no server, or no way to it.
const NOBODY_THERE: [&str; 6] = ["ECONNREFUSED", "ENOENT", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN"];

/// The operating system's name of an error, as Node spells it.
pub(super) fn cause_code(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => "ECONNREFUSED",
        io::ErrorKind::ConnectionReset => "ECONNRESET",
        io::ErrorKind::ConnectionAborted => "ECONNABORTED",
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        io::ErrorKind::HostUnreachable => "EHOSTUNREACH",
        io::ErrorKind::NetworkUnreachable => "ENETUNREACH",
        io::ErrorKind::NetworkDown => "ENETDOWN",
        io::ErrorKind::AddrInUse => "EADDRINUSE",
        io::ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        io::ErrorKind::BrokenPipe => "EPIPE",
        io::ErrorKind::NotConnected => "ENOTCONN",
        // A Unix-domain socket whose server takes no connections at the moment.
        io::ErrorKind::WouldBlock => "EAGAIN",
        // libuv passes a resource-exhausted descriptor table on as EMFILE; std has no kind of its own for it.
        _ if cfg!(unix) && error.raw_os_error() == Some(24) => "EMFILE",
        _ => return None,
    })
}
