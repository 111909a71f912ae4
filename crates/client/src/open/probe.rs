//! One question to a server whose session has just been started, before anybody else has the socket.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::OpenError;
use super::gate::{self, Startup};
use super::messages;

/// All that a server may send in answer.
const MAX_ANSWER_BYTES: usize = 64 << 10;
const READ_BYTES: usize = 1 << 10;

const QUERY: u8 = b'Q';
const ROW_DESCRIPTION: u8 = b'T';
const DATA_ROW: u8 = b'D';
const COMMAND_COMPLETE: u8 = b'C';

/// The message that ends a session (manual, "Message Formats").
pub(super) const TERMINATE: &[u8] = b"X\0\0\0\x04";

/// Says goodbye to a server of no use.
pub(super) async fn terminate<S: AsyncWrite + Unpin>(stream: &mut S) -> Result<(), OpenError> {
    stream.write_all(TERMINATE).await.map_err(|error| OpenError::io(&error))?;
    stream.flush().await.map_err(|error| OpenError::io(&error))
}

/// The one value of the one row of a query. Afterwards `stream` has been read exactly as far as `startup.leftover` goes;
/// reports and notices that came on the way are in `startup`.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    startup: &mut Startup,
    query: &str,
) -> Result<String, OpenError> {
    let io = |error| OpenError::io(&error);
    stream.write_all(&message(query)?).await.map_err(io)?;
    stream.flush().await.map_err(io)?;
    let mut answer = Answer { value: None, failure: None, kept: Vec::new() };
    let mut bytes = std::mem::take(&mut startup.leftover);
    let mut start = 0;
    let is_ready = |tag| tag == messages::READY_FOR_QUERY;
    loop {
        while let Some((tag, length)) = messages::header(&bytes[start..]) {
            let end = length.ok().and_then(|length| start.checked_add(length)).filter(|end| *end <= MAX_ANSWER_BYTES);
            let end = end.ok_or_else(|| {
                OpenError::protocol(format!("the server sent more than {MAX_ANSWER_BYTES} bytes in answer to {query}"))
            })?;
            let Some(message) = bytes.get(start..end) else { break };
            answer.take(tag, message, startup)?;
            start = end;
            if is_ready(tag) {
                answer.kept.extend_from_slice(&bytes[start..]);
                startup.leftover = answer.kept;
                return match (answer.failure, answer.value) {
                    (Some(failure), _) => Err(failure),
                    (None, Some(value)) => Ok(value),
                    (None, None) => Err(OpenError::protocol(format!("the server gave no row in answer to {query}"))),
                };
            }
        }
        let mut chunk = [0; READ_BYTES];
        let count = stream.read(&mut chunk).await.map_err(io)?;
        if count == 0 {
            let silence = || OpenError::connection(format!("the server closed the connection in answer to {query}"));
            return Err(answer.failure.unwrap_or_else(silence));
        }
        bytes.extend_from_slice(&chunk[..count]);
    }
}

fn message(query: &str) -> Result<Vec<u8>, OpenError> {
    let length = i32::try_from(query.len() + 5).map_err(|_| OpenError::internal("the question is too long"))?;
    Ok([&[QUERY][..], &length.to_be_bytes(), query.as_bytes(), &[0]].concat())
}

/// What has come so far.
struct Answer {
    value: Option<String>,
    failure: Option<OpenError>,
    /// Messages that are the session engine's to read.
    kept: Vec<u8>,
}

impl Answer {
    fn take(&mut self, tag: u8, message: &[u8], startup: &mut Startup) -> Result<(), OpenError> {
        let body = &message[messages::HEADER_BYTES..];
        match tag {
            DATA_ROW => self.value = Some(first_value(body).ok_or_else(malformed)?),
            messages::ERROR_RESPONSE => self.failure = Some(gate::server_error(messages::fields(body)?)),
            messages::NOTICE_RESPONSE => startup.add_notice(messages::fields(body)?)?,
            messages::PARAMETER_STATUS => {
                let (name, value) = messages::parameter(body)?;
                startup.report(name, value);
            }
            messages::NOTIFICATION_RESPONSE => self.kept.extend_from_slice(message),
            messages::READY_FOR_QUERY => startup.transaction_status = *body.first().ok_or_else(malformed)?,
            ROW_DESCRIPTION | COMMAND_COMPLETE => {}
            _ => return Err(malformed()),
        }
        Ok(())
    }
}

/// The text of a DataRow's first column; empty for NULL.
fn first_value(body: &[u8]) -> Option<String> {
    let rest = body.get(2..)?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
    Some(String::from_utf8_lossy(rest.get(..length)?).into_owned())
}

fn malformed() -> OpenError {
    OpenError::protocol("the server sent a malformed answer to the question whether it will do")
}
