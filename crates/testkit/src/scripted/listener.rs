//! A port where each connection is played a script.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::player::Player;
use super::recorded::Record;
use super::script::Step;
use crate::messages::Message;

/// A message that a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// Its tag; empty for messages of the startup and for bytes.
    pub tag: String,
    /// What follows the length word, in base64; all of bytes that were read by their number.
    pub body: String,
}

impl Received {
    pub(super) fn message(message: &Message) -> Self {
        let tag = if message.tag == 0 { String::new() } else { char::from(message.tag).to_string() };
        Self { tag, body: STANDARD.encode(message.body()) }
    }

    pub(super) fn bytes(bytes: &[u8]) -> Self {
        Self { tag: String::new(), body: STANDARD.encode(bytes) }
    }
}

/// What a scripted server tells of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum Report {
    /// A client came.
    Connected {
        /// Counted from 1.
        connection: u64,
    },
    /// A message that the script expected, or not.
    Received {
        /// Of this connection.
        connection: u64,
        /// The message.
        #[serde(flatten)]
        message: Received,
    },
    /// The script is over and the connection closed.
    Ended {
        /// This connection.
        connection: u64,
        /// Why it did not come to its end.
        error: Option<String>,
        /// All that the script read of what the client said, in base64: before encryption and inside of it; the first
        /// mebibyte.
        said: String,
        /// The same as it came over the wire: of what is encrypted, its records.
        wire: String,
        /// How many bytes the client was sent, or the buffers between took, without encryption.
        sent: u64,
    },
}

/// A server on a port of its own at 127.0.0.1. It ends when it is dropped, and its connections with it.
pub struct ScriptedServer {
    port: u16,
    goes: watch::Sender<u64>,
    listening: JoinHandle<()>,
}

impl ScriptedServer {
    /// Starts one: the first connection is played the first script, the next the next, and all others the last.
    ///
    /// # Errors
    /// When there is no script, or no port to listen on.
    pub async fn start(scripts: Vec<Vec<Step>>) -> io::Result<(Self, mpsc::UnboundedReceiver<Report>)> {
        let Some(last) = scripts.last().cloned() else { return Err(crate::malformed("no script")) };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (reports, receiver) = mpsc::unbounded_channel();
        let goes = watch::Sender::new(0);
        let subscribed = goes.clone();
        let listening = tokio::spawn(async move {
            let mut scripts = scripts.into_iter();
            // Ends its tasks when it is dropped.
            let mut connections = JoinSet::new();
            for connection in 1.. {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let script = scripts.next().unwrap_or_else(|| last.clone());
                connections.spawn(play(connection, stream, script, subscribed.subscribe(), reports.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok((Self { port, goes, listening }, receiver))
    }

    /// Where clients connect to, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All scripts that hold go on.
    pub fn go_on(&self) {
        self.goes.send_modify(|count| *count += 1);
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn play(
    connection: u64,
    stream: TcpStream,
    script: Vec<Step>,
    goes: watch::Receiver<u64>,
    reports: mpsc::UnboundedSender<Report>,
) {
    // Nobody listens: nobody needs to know.
    let tell = |report| drop(reports.send(report));
    tell(Report::Connected { connection });
    let told = |message| tell(Report::Received { connection, message });
    let records = [Record::default(), Record::default()];
    let result = match Player::new(stream, &records, goes, &told) {
        Ok(mut player) => player.play(&script).await,
        Err(error) => Err(error),
    };
    let [said, wire] = records;
    tell(Report::Ended {
        connection,
        error: result.err().map(|error| error.to_string()),
        said: STANDARD.encode(said.read()),
        wire: STANDARD.encode(wire.read()),
        sent: said.written(),
    });
}
