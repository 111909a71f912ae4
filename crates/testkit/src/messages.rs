//! Messages of the protocol (manual, "Message Formats"): those of a server built, those of either side cut out of a
//! stream.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::malformed;

/// The code of a CancelRequest.
pub const CANCEL_REQUEST: i32 = 80_877_102;
/// The code of an SSLRequest.
pub const SSL_REQUEST: i32 = 80_877_103;
/// The code of a GSSENCRequest.
pub const GSS_REQUEST: i32 = 80_877_104;
/// The longest message that is read; whatever claims more is taken for garbage.
const LONGEST: usize = 1 << 30;

/// A message with a tag.
#[must_use]
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    message_of_length(tag, i32::try_from(body.len() + 4).unwrap_or(i32::MAX), body)
}

/// A message whose length word says something of its own.
#[must_use]
pub fn message_of_length(tag: u8, length: i32, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// A message of the startup, which has no tag.
#[must_use]
pub fn startup_message(code: i32, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 8).unwrap_or(i32::MAX);
    [&length.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
}

/// An Authentication… message.
#[must_use]
pub fn authentication(code: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes()[..], rest].concat())
}

/// AuthenticationSASL with these mechanisms.
#[must_use]
pub fn sasl(mechanisms: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = mechanisms.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).chain([0]).collect();
    authentication(10, &list)
}

/// ParameterStatus.
#[must_use]
pub fn parameter(name: &str, value: &str) -> Vec<u8> {
    message(b'S', format!("{name}\0{value}\0").as_bytes())
}

/// BackendKeyData.
#[must_use]
pub fn key_data(pid: i32, key: &[u8]) -> Vec<u8> {
    message(b'K', &[&pid.to_be_bytes()[..], key].concat())
}

/// ReadyForQuery.
#[must_use]
pub fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

/// CommandComplete.
#[must_use]
pub fn complete(command_tag: &str) -> Vec<u8> {
    message(b'C', format!("{command_tag}\0").as_bytes())
}

/// ParameterDescription.
#[must_use]
pub fn parameter_description(oids: &[u32]) -> Vec<u8> {
    let mut body = i16::try_from(oids.len()).unwrap_or(-1).to_be_bytes().to_vec();
    oids.iter().for_each(|oid| body.extend_from_slice(&oid.to_be_bytes()));
    message(b't', &body)
}

/// RowDescription of columns of no table: name and type's OID, in the format `format` (0 text, 1 binary).
#[must_use]
pub fn row_description(columns: &[(&str, u32)], format: i16) -> Vec<u8> {
    let mut body = i16::try_from(columns.len()).unwrap_or(-1).to_be_bytes().to_vec();
    for (name, oid) in columns {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[0; 7]);
        body.extend_from_slice(&oid.to_be_bytes());
        body.extend_from_slice(&(-1_i16).to_be_bytes());
        body.extend_from_slice(&(-1_i32).to_be_bytes());
        body.extend_from_slice(&format.to_be_bytes());
    }
    message(b'T', &body)
}

/// DataRow.
#[must_use]
pub fn data_row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = i16::try_from(values.len()).unwrap_or(-1).to_be_bytes().to_vec();
    for value in values {
        let length = value.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(value.unwrap_or_default());
    }
    message(b'D', &body)
}

/// An ErrorResponse ('E') or NoticeResponse ('N').
#[must_use]
pub fn report(tag: u8, fields: &[(u8, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (code, text) in fields {
        body.push(*code);
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    message(tag, &body)
}

/// A FATAL ErrorResponse.
#[must_use]
pub fn error(sqlstate: &str, text: &str) -> Vec<u8> {
    report(b'E', &[(b'S', "FATAL"), (b'V', "FATAL"), (b'C', sqlstate), (b'M', text), (b'R', "auth_failed")])
}

/// What a server sends from AuthenticationOk on: version 18.1, process 4711 with the key 1, 2, 3, 4, no transaction.
#[must_use]
pub fn welcome() -> Vec<u8> {
    [
        authentication(0, &[]),
        parameter("server_version", "18.1"),
        parameter("TimeZone", "UTC"),
        key_data(4711, &[1, 2, 3, 4]),
        ready(b'I'),
    ]
    .concat()
}

/// A message as it came: its tag, and its bytes with tag and length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// 0 for a message of the startup.
    pub tag: u8,
    /// Everything, tag and length included.
    pub bytes: Vec<u8>,
}

impl Message {
    /// What follows the length word.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[if self.tag == 0 { 4 } else { 5 }..]
    }

    /// The code of a message of the startup: the protocol version or the kind of request.
    #[must_use]
    pub fn startup_code(&self) -> Option<i32> {
        let code = self.body().first_chunk().copied().map(i32::from_be_bytes);
        code.filter(|_| self.tag == 0)
    }

    /// Reads one with a tag.
    ///
    /// # Errors
    /// As the stream's; the end of it is `UnexpectedEof`, and a length that cannot be is `InvalidData`.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let tag = stream.read_u8().await?;
        let mut bytes = vec![tag];
        read_rest(stream, &mut bytes).await?;
        Ok(Self { tag, bytes })
    }

    /// Reads one without a tag, as every session's first.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_startup(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut bytes = Vec::new();
        read_rest(stream, &mut bytes).await?;
        Ok(Self { tag: 0, bytes })
    }
}

async fn read_rest(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> io::Result<()> {
    let length = stream.read_i32().await?;
    let body = usize::try_from(length).ok().and_then(|length| length.checked_sub(4)).filter(|body| *body <= LONGEST);
    let body = body.ok_or_else(|| malformed(format!("a message of length {length}")))?;
    bytes.extend_from_slice(&length.to_be_bytes());
    let start = bytes.len();
    bytes.resize(start + body, 0);
    stream.read_exact(&mut bytes[start..]).await.map(drop)
}

/// How many bytes the first message of `bytes` has; `None` while it is not all there.
///
/// # Errors
/// A length that cannot be.
pub fn length_of_first(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(length) = bytes.get(1..5).and_then(|word| word.first_chunk().copied()).map(i32::from_be_bytes) else {
        return Ok(None);
    };
    let total = usize::try_from(length).ok().filter(|length| (4..=LONGEST).contains(length));
    let total = total.ok_or_else(|| malformed(format!("a message of length {length}")))? + 1;
    Ok((bytes.len() >= total).then_some(total))
}
