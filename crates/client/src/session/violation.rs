//! What a server must not do.

use std::fmt;

use super::message_name::name;

/// The server broke the protocol; the session cannot go on. Give it to [`end`](super::Session::end).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolViolation {
    /// What came and why it cannot be.
    pub message: String,
}

impl ProtocolViolation {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// A message that nothing had asked for.
    pub(super) fn unexpected(tag: u8) -> Self {
        Self::new(format!("the server sent {}, which nothing had asked for", name(tag)))
    }
}

impl fmt::Display for ProtocolViolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ProtocolViolation {}
