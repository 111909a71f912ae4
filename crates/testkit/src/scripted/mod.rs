//! Servers that follow a script: written in Rust with [`Server`], or in [`Step`]s that tests in JavaScript send.

mod listener;
mod player;
mod recorded;
mod script;

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub use listener::{Received, Report, ScriptedServer};
pub use recorded::{Record, Recorded};
pub use script::{Column, Expected, How, Part, Step};

use crate::malformed;
use crate::messages::{Message, SSL_REQUEST};

/// What a server can speak over: a socket, TLS over one, a pipe.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The server's end of a connection.
pub struct Server<S> {
    /// What it speaks over.
    pub stream: S,
}

/// Those without `try_` are for tests: they panic when the client does not do what is expected.
#[expect(clippy::unwrap_used, clippy::panic, reason = "assertions of tests")]
impl<S: AsyncRead + AsyncWrite + Unpin> Server<S> {
    /// The parameters of a startup message of version 3.0. A request for TLS before it is denied. Panics at another
    /// message or version.
    pub async fn startup(&mut self) -> Vec<(String, String)> {
        self.startup_in_version([0, 3, 0, 0]).await
    }

    /// The same of this version.
    pub async fn startup_in_version(&mut self, version: [u8; 4]) -> Vec<(String, String)> {
        let mut message = Message::read_startup(&mut self.stream).await.unwrap();
        if message.startup_code() == Some(SSL_REQUEST) {
            self.stream.write_all(b"N").await.unwrap();
            message = Message::read_startup(&mut self.stream).await.unwrap();
        }
        assert_eq!(message.body()[..4], version, "protocol version");
        startup_parameters(&message.body()[4..]).unwrap()
    }

    /// A 'p' message's body. Panics at another message.
    pub async fn password_message(&mut self) -> Vec<u8> {
        self.try_message(b'p').await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// A 'Q' message's text. Panics at another message.
    pub async fn query(&mut self) -> String {
        let body = self.try_message(b'Q').await.unwrap_or_else(|error| panic!("{error}"));
        String::from_utf8(body[..body.len() - 1].to_vec()).unwrap()
    }

    /// The body of the next message.
    ///
    /// # Errors
    /// When it has another tag, or does not come.
    pub async fn try_message(&mut self, tag: u8) -> io::Result<Vec<u8>> {
        let message = Message::read(&mut self.stream).await?;
        if message.tag == tag {
            return Ok(message.body().to_vec());
        }
        Err(malformed(format!("expected a message {:?}, got {:?}", char::from(tag), char::from(message.tag))))
    }

    /// Sends bytes. That the client has had enough is no error.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Everything that the client still sends until it closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes).await;
        bytes
    }
}

/// The names and values of a startup message, behind its version.
///
/// # Errors
/// When they do not end as they must, or are not UTF-8.
pub fn startup_parameters(bytes: &[u8]) -> io::Result<Vec<(String, String)>> {
    let texts = bytes.split(|byte| *byte == 0).map(|text| String::from_utf8(text.to_vec()));
    let texts: Vec<String> = texts.collect::<Result<_, _>>().map_err(|_| malformed("not UTF-8"))?;
    match texts.as_slice() {
        [pairs @ .., last, end] if last.is_empty() && end.is_empty() && pairs.len() % 2 == 0 => {
            Ok(pairs.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        }
        _ => Err(malformed("a startup message that does not end as it must")),
    }
}
