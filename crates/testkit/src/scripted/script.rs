//! Scripts of servers, as lines of JSON have them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::messages;
use crate::tls::Identity;

/// One step of a server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Step {
    /// Reads a message, which must be of this kind, and tells of it. Requests for encryption before a startup message are
    /// refused on the way, unless they are what is expected.
    Expect(Expected),
    /// Reads so many bytes, whatever they are.
    Read(usize),
    /// Sends these, in one piece.
    Send(Vec<Part>),
    /// Does nothing for so many milliseconds.
    WaitMs(u64),
    /// Does nothing until it is told to go on.
    Hold,
    /// Does nothing until the client closes, and reads nothing.
    Ignore,
    /// Reads what comes until the client closes.
    Drain,
    /// The steps again and again: so often, or until the client is gone.
    Repeat {
        /// How often; without end where it is missing.
        times: Option<u64>,
        /// What.
        steps: Vec<Step>,
    },
    /// Reads a request for TLS, agrees, and shakes hands: all that follows is encrypted.
    Tls(Identity),
    /// Asks for SCRAM-SHA-256 and answers the client's first message with these words, in which `{nonce}` is the
    /// client's nonce.
    ScramFirst(String),
    /// SCRAM-SHA-256 up to the client's proof.
    Scram {
        /// The user's password.
        password: String,
        /// How often it is hashed; 4096 where it is missing.
        iterations: Option<u32>,
        /// Whether the server signs as it should: a server that does not know the password cannot.
        #[serde(default = "yes")]
        is_signed: bool,
    },
    /// Answers everything as an honest server would that has one result for each query, until the client ends.
    Answer {
        /// The result's columns.
        columns: Vec<Column>,
        /// Its rows, as text; what is asked for in the binary format must look the same in both.
        rows: Vec<Vec<Option<String>>>,
    },
    /// Closes the connection.
    Close(How),
}

impl Step {
    /// All that it sends, in itself and in the steps that it repeats.
    pub fn parts(&self) -> Box<dyn Iterator<Item = &Part> + '_> {
        match self {
            Self::Send(parts) => Box::new(parts.iter()),
            Self::Repeat { steps, .. } => Box::new(steps.iter().flat_map(Self::parts)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

fn yes() -> bool {
    true
}

/// A kind of message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expected {
    /// The startup message.
    Startup,
    /// SSLRequest.
    Ssl,
    /// GSSENCRequest.
    Gss,
    /// CancelRequest.
    Cancel,
    /// A message with this tag.
    Tag(char),
    /// Any message with a tag.
    Any,
}

/// How a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum How {
    /// By the end of the stream.
    Fin,
    /// By a reset.
    Rst,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type's OID.
    pub oid: u32,
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Part {
    /// Bytes in base64.
    Bytes(String),
    /// A message of any kind.
    Message {
        /// Its tag.
        tag: char,
        /// Its body in base64.
        #[serde(default)]
        body: String,
        /// What its length word says; the truth where it is missing.
        length: Option<i32>,
    },
    /// Authentication…
    Authentication {
        /// Which.
        code: u32,
        /// What follows, in base64.
        #[serde(default)]
        rest: String,
    },
    /// ParameterStatus.
    Parameter(String, String),
    /// BackendKeyData.
    KeyData {
        /// The process.
        pid: i32,
        /// The key in base64.
        key: String,
    },
    /// ReadyForQuery with this status.
    Ready(char),
    /// CommandComplete with this tag.
    Complete(String),
    /// ErrorResponse with these fields, by their letters.
    Error(BTreeMap<char, String>),
    /// NoticeResponse.
    Notice(BTreeMap<char, String>),
    /// RowDescription, in the text format.
    RowDescription(Vec<Column>),
    /// DataRow.
    DataRow(Vec<Option<String>>),
    /// ParameterDescription.
    ParameterDescription(Vec<u32>),
    /// All that a server sends from AuthenticationOk to ReadyForQuery.
    Welcome,
}

impl Part {
    /// Its bytes.
    ///
    /// # Errors
    /// What is no base64, or no tag of one byte.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let decode = |text: &String| STANDARD.decode(text).map_err(|error| format!("{text:?} is no base64: {error}"));
        Ok(match self {
            Self::Bytes(bytes) => decode(bytes)?,
            Self::Message { tag, body, length } => {
                let (tag, body) = (byte(*tag)?, decode(body)?);
                match length {
                    Some(length) => messages::message_of_length(tag, *length, &body),
                    None => messages::message(tag, &body),
                }
            }
            Self::Authentication { code, rest } => messages::authentication(*code, &decode(rest)?),
            Self::Parameter(name, value) => messages::parameter(name, value),
            Self::KeyData { pid, key } => messages::key_data(*pid, &decode(key)?),
            Self::Ready(status) => messages::ready(byte(*status)?),
            Self::Complete(tag) => messages::complete(tag),
            Self::Error(fields) => report(b'E', fields)?,
            Self::Notice(fields) => report(b'N', fields)?,
            Self::RowDescription(columns) => row_description(columns, 0),
            Self::DataRow(values) => data_row(values),
            Self::ParameterDescription(oids) => messages::parameter_description(oids),
            Self::Welcome => messages::welcome(),
        })
    }
}

fn byte(letter: char) -> Result<u8, String> {
    u8::try_from(letter).map_err(|_| format!("{letter:?} is no byte"))
}

fn report(tag: u8, fields: &BTreeMap<char, String>) -> Result<Vec<u8>, String> {
    let fields = fields.iter().map(|(letter, text)| Ok((byte(*letter)?, text.as_str())));
    Ok(messages::report(tag, &fields.collect::<Result<Vec<_>, String>>()?))
}

pub(super) fn row_description(columns: &[Column], format: i16) -> Vec<u8> {
    let columns: Vec<_> = columns.iter().map(|column| (column.name.as_str(), column.oid)).collect();
    messages::row_description(&columns, format)
}

pub(super) fn data_row(values: &[Option<String>]) -> Vec<u8> {
    messages::data_row(&values.iter().map(|value| value.as_deref().map(str::as_bytes)).collect::<Vec<_>>())
}
