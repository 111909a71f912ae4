//! Why a request, or a session, failed.

use std::fmt;

use super::reader::Reader;
use super::violation::ProtocolViolation;

/// Who is to blame; JavaScript makes error classes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The server said no.
    Server,
    /// The connection is gone.
    Connection,
    /// The server broke the protocol.
    Protocol,
    /// The API was misused.
    Interface,
    /// Something this driver does not do.
    Unsupported,
    /// The caller canceled.
    Canceled,
    /// The driver broke its own rules.
    Internal,
    /// What was known of the database's types was out of date.
    OutdatedSchema,
}

/// A failure as data.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Who is to blame.
    pub kind: FailureKind,
    /// One sentence or more in English, or the server's message.
    pub message: String,
    /// It certainly did not take effect.
    pub is_safe_to_retry: bool,
    /// The SQLSTATE, from the server or, for connections, the one that fits.
    pub sqlstate: Option<String>,
    /// The server's words, if it had any.
    pub server: Option<Box<ServerMessage>>,
    /// The system's name of the cause, such as `ECONNRESET`.
    pub cause_code: Option<&'static str>,
    /// Of a batch, the row of parameters that the server refused, counted from 0.
    pub row: Option<u64>,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, sqlstate: Option<&str>, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            is_safe_to_retry: false,
            sqlstate: sqlstate.map(str::to_owned),
            server: None,
            cause_code: None,
            row: None,
        }
    }

    pub(super) fn of_server(message: ServerMessage) -> Self {
        let text = message.field(b'M').unwrap_or("the server sent an error without a message");
        let mut failure = Self::new(FailureKind::Server, message.field(b'C'), text);
        failure.server = Some(Box::new(message));
        failure
    }

    pub(super) fn interface(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Interface, None, message).unsent()
    }

    pub(super) fn closed() -> Self {
        Self::new(FailureKind::Connection, Some("08003"), "the connection is closed").unsent()
    }

    /// It certainly did not take effect.
    pub(super) fn unsent(mut self) -> Self {
        self.is_safe_to_retry = true;
        self
    }

    /// Adds the driver's own words to the server's.
    pub(super) fn explained(mut self, words: &str) -> Self {
        self.message.push_str(words);
        self
    }
}

/// An ErrorResponse or NoticeResponse: fields by their codes (PostgreSQL manual, "Error and Notice Message Fields").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerMessage {
    fields: Vec<(u8, String)>,
}

impl ServerMessage {
    pub(super) fn read(body: &[u8]) -> Result<Self, ProtocolViolation> {
        let mut reader = Reader::new(body);
        let mut fields = Vec::new();
        loop {
            match reader.u8()? {
                0 => {
                    reader.end()?;
                    return Ok(Self { fields });
                }
                code => fields.push((code, reader.text()?)),
            }
        }
    }

    /// A notice of the driver's own.
    pub(super) fn of_driver(message: &str, hint: &str) -> Self {
        let fields = [(b'S', "NOTICE"), (b'V', "NOTICE"), (b'C', "00000"), (b'M', message), (b'H', hint)];
        Self { fields: fields.map(|(code, text)| (code, text.to_owned())).into() }
    }

    /// All fields, in the server's order.
    #[must_use]
    pub fn fields(&self) -> &[(u8, String)] {
        &self.fields
    }

    /// The field with this code, such as `b'C'` for the SQLSTATE.
    #[must_use]
    pub fn field(&self, code: u8) -> Option<&str> {
        self.fields.iter().find(|(known, _)| *known == code).map(|(_, text)| text.as_str())
    }

    /// Whether the session ends with it. `V` is the severity in English, `S` (older servers) may be translated.
    pub(super) fn is_fatal(&self) -> bool {
        matches!(self.field(b'V').or_else(|| self.field(b'S')), Some("FATAL" | "PANIC"))
    }

    pub(super) fn has_sqlstate(&self, sqlstate: &str) -> bool {
        self.field(b'C') == Some(sqlstate)
    }
}

impl fmt::Display for ServerMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = |code| self.field(code).unwrap_or("");
        write!(formatter, "{}: {} ({})", field(b'S'), field(b'M'), field(b'C'))
    }
}
