//! A client's way into a real server, for the sessions of the pooler: it keeps the socket, and nothing between.

use std::io;
use std::net::SocketAddr;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::messages::{CANCEL_REQUEST, Message, message, startup_message};
use crate::{malformed, scram};

const PROTOCOL_3_0: i32 = 0x0003_0000;

/// Who logs in where.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The server.
    pub address: SocketAddr,
    /// The role.
    pub user: String,
    /// Its password, for servers that ask for one in clear text or by SCRAM-SHA-256.
    pub password: String,
    /// The database.
    pub database: String,
}

/// A session outside a transaction.
pub struct Session {
    /// Where it is spoken to.
    pub stream: TcpStream,
    /// What the server said of itself: the bodies of its ParameterStatus messages.
    pub parameters: Vec<Vec<u8>>,
    /// What a cancel request names it by: the body of its BackendKeyData.
    pub key: Vec<u8>,
}

impl Login {
    /// Asks the server to interrupt what the session with this key does, and waits for the end of the connection: the
    /// interrupt has been sent then.
    ///
    /// # Errors
    /// When the server is not there.
    pub async fn cancel(&self, key: &[u8]) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(&startup_message(CANCEL_REQUEST, key)).await?;
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    }

    /// Logs in.
    ///
    /// # Errors
    /// When the server is not there, refuses, or asks for another kind of authentication.
    pub async fn open(&self) -> io::Result<Session> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let settings = [("user", &self.user), ("database", &self.database)];
        let body: String =
            settings.iter().map(|(name, value)| format!("{name}\0{value}\0")).chain(["\0".into()]).collect();
        stream.write_all(&startup_message(PROTOCOL_3_0, body.as_bytes())).await?;
        let (mut parameters, mut key) = (Vec::new(), Vec::new());
        loop {
            let got = Message::read(&mut stream).await?;
            let body = got.body();
            match got.tag {
                b'R' => match body.first_chunk().copied().map(u32::from_be_bytes) {
                    Some(0) => {}
                    Some(3) => stream.write_all(&message(b'p', format!("{}\0", self.password).as_bytes())).await?,
                    Some(10) => scram::authenticate(&mut stream, &self.password).await?,
                    other => return Err(malformed(format!("authentication {other:?} is not spoken here"))),
                },
                b'S' => parameters.push(body.to_vec()),
                b'E' => return Err(malformed(format!("the server refuses: {}", String::from_utf8_lossy(body)))),
                b'K' => key = body.to_vec(),
                b'Z' => return Ok(Session { stream, parameters, key }),
                // Notices.
                _ => {}
            }
        }
    }
}
