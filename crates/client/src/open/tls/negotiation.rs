//! The request for TLS (manual, "SSL Session Encryption").

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::error::OpenError;
use super::failure::TlsFailure;

/// Length and code of an SSLRequest.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::open) enum Answer {
    Yes,
    No,
}

/// Why TLS did not begin.
#[derive(Debug)]
pub(in crate::open) enum BeginError {
    /// TLS itself failed.
    Tls(TlsFailure),
    /// The connection broke off, or the server is not one.
    Open(OpenError),
}

impl From<TlsFailure> for BeginError {
    fn from(failure: TlsFailure) -> Self {
        Self::Tls(failure)
    }
}

impl From<OpenError> for BeginError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl BeginError {
    pub(in crate::open) fn into_open_error(self) -> OpenError {
        match self {
            Self::Tls(failure) => failure.into_open_error(),
            Self::Open(error) => error,
        }
    }
}

/// Asks a server for TLS.
pub(in crate::open) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Result<Answer, OpenError> {
    let broken = |error: &std::io::Error| OpenError::io(error);
    stream.write_all(&SSL_REQUEST).await.map_err(|error| broken(&error))?;
    stream.flush().await.map_err(|error| broken(&error))?;
    // Room for more than the answer, so that more is noticed.
    let mut bytes = [0; 64];
    let count = stream.read(&mut bytes).await.map_err(|error| broken(&error))?;
    let answer = match bytes[..count] {
        [] => return Err(OpenError::connection("the server closed the connection when it was asked for TLS")),
        [b'S', ..] => Answer::Yes,
        [b'N', ..] => Answer::No,
        // Nobody vouches for its text (CVE-2024-10977).
        [b'E', ..] => return Err(OpenError::connection("the server answered the request for TLS with an error")),
        [other, ..] => {
            return Err(OpenError::protocol(format!(
                "the server answered the request for TLS with '{}'; is it a PostgreSQL server?",
                other.escape_ascii()
            )));
        }
    };
    if count > 1 {
        // Whoever put them there was not asked, and may not be the server (CVE-2021-23222).
        return Err(OpenError::protocol("the server sent unencrypted bytes behind its answer to the request for TLS"));
    }
    Ok(answer)
}
