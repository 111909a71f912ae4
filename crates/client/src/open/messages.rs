//! The few messages of the startup, on bytes (manual, "Message Formats").

use std::fmt::Write;

use super::error::OpenError;

pub(super) const AUTHENTICATION: u8 = b'R';
pub(super) const BACKEND_KEY_DATA: u8 = b'K';
pub(super) const ERROR_RESPONSE: u8 = b'E';
pub(super) const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
pub(super) const NOTICE_RESPONSE: u8 = b'N';
pub(super) const NOTIFICATION_RESPONSE: u8 = b'A';
pub(super) const PARAMETER_STATUS: u8 = b'S';
pub(super) const READY_FOR_QUERY: u8 = b'Z';

/// Tag and length.
pub(super) const HEADER_BYTES: usize = 5;

/// PostgreSQL defines 18 fields; a message with more than this is not one of its.
const MAX_FIELDS: usize = 64;

/// Longest piece of a server's text that one of our own messages repeats.
const MAX_QUOTED_CHARS: usize = 200;

/// The header of the backend message at the start of `bytes`: its tag and its length, tag included. `None` while
/// the header is not complete.
pub(super) fn header(bytes: &[u8]) -> Option<(u8, Result<usize, i32>)> {
    let (&tag, rest) = bytes.split_first()?;
    let length = i32::from_be_bytes(*rest.first_chunk()?);
    let total = match usize::try_from(length) {
        Ok(count) if count >= 4 => Ok(count + 1),
        _ => Err(length),
    };
    Some((tag, total))
}

/// The fields of an ErrorResponse or NoticeResponse body, the first of each code.
pub(super) fn fields(mut body: &[u8]) -> Result<Vec<(u8, String)>, OpenError> {
    let mut fields: Vec<(u8, String)> = Vec::new();
    loop {
        match body.split_first() {
            Some((0, [])) => return Ok(fields),
            Some((&code, rest)) if code != 0 => {
                let (text, rest) = c_string(rest).ok_or_else(malformed_fields)?;
                if fields.len() == MAX_FIELDS {
                    return Err(malformed_fields());
                }
                if !fields.iter().any(|(known, _)| *known == code) {
                    fields.push((code, text));
                }
                body = rest;
            }
            _ => return Err(malformed_fields()),
        }
    }
}

fn malformed_fields() -> OpenError {
    OpenError::protocol("the server sent a malformed error or notice message during the startup")
}

/// Name and value of a ParameterStatus body.
pub(super) fn parameter(body: &[u8]) -> Result<(String, String), OpenError> {
    c_string(body)
        .and_then(|(name, rest)| c_string(rest).map(|(value, rest)| (name, value, rest)))
        .filter(|(.., rest)| rest.is_empty())
        .map(|(name, value, _)| (name, value))
        .ok_or_else(|| OpenError::protocol("the server sent a malformed ParameterStatus message during the startup"))
}

/// Whether a NotificationResponse's body has its process, channel and payload, and nothing else.
pub(super) fn is_notification(body: &[u8]) -> bool {
    let payload = body.get(4..).and_then(c_string).and_then(|(_channel, rest)| c_string(rest));
    payload.is_some_and(|(_payload, rest)| rest.is_empty())
}

/// A NUL-terminated text. Before a session has its client encoding, a server may use any.
pub(super) fn c_string(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some((String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end + 1..]))
}

/// The length that a frontend's startup message announces, as soon as it can be read.
pub(super) fn startup_length(message: &[u8]) -> Option<usize> {
    message.first_chunk().and_then(|length| usize::try_from(i32::from_be_bytes(*length)).ok())
}

/// Appends settings, verbatim, to a complete startup message. `None` if it is not one.
pub(super) fn append_settings(mut message: Vec<u8>, settings: &[(String, String)]) -> Option<Vec<u8>> {
    if message.pop() != Some(0) {
        return None;
    }
    for (name, value) in settings {
        for text in [name, value] {
            message.extend_from_slice(text.as_bytes());
            message.push(0);
        }
    }
    message.push(0);
    let length = i32::try_from(message.len()).ok()?;
    message.first_chunk_mut::<4>()?.copy_from_slice(&length.to_be_bytes());
    Some(message)
}

/// A server's text for one of our own messages: shortened, with nothing that could drive a terminal.
pub(super) fn quoted(text: &str) -> String {
    let mut result = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == MAX_QUOTED_CHARS {
            result.push('…');
            break;
        }
        if character.is_control() {
            let _ = write!(result, "{}", character.escape_default());
        } else {
            result.push(character);
        }
    }
    result
}
