//! One client of a pooler.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Backend, Mode, Served, Shared};
use crate::messages::{
    CANCEL_REQUEST, GSS_REQUEST, Message, SSL_REQUEST, authentication, error, length_of_first, message, ready,
};

/// The first of the process ids that clients are told; no process has such a one (Linux, PID_MAX_LIMIT: 2²²). There are as many
/// as can be connections, those of cancel requests among them.
const FIRST_PROCESS: i32 = 1 << 24;

const NO_TRANSACTIONS: &str = "transaction blocks not allowed in statement pooling mode";

struct Client {
    stream: TcpStream,
    /// What it has sent and no server has been given.
    input: Vec<u8>,
    /// The server that it had last.
    last: Option<u64>,
    /// The key that it was told.
    key: Vec<u8>,
    served: Served,
}

/// Serves a client until it has gone.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let process = FIRST_PROCESS + shared.clients.fetch_add(1, Ordering::Relaxed);
    let key = [process.to_be_bytes(), (!process).to_be_bytes()].concat();
    let mut client = Client { stream, input: Vec::new(), last: None, key, served: Served::default() };
    // Whatever goes wrong on the way ends its connection.
    if client.greet(&shared).await.is_ok_and(|is_greeted| is_greeted) {
        shared.served().insert(client.key.clone(), Arc::clone(&client.served));
        while client.transaction(&shared).await.is_ok_and(|goes_on| goes_on) {}
        shared.served().remove(&client.key);
    }
}

impl Client {
    /// The startup: no encryption, AuthenticationOk, the server's settings, a process of its own invention.
    async fn greet(&mut self, shared: &Shared) -> io::Result<bool> {
        self.stream.set_nodelay(true)?;
        loop {
            let first = Message::read_startup(&mut self.stream).await?;
            match first.startup_code() {
                Some(SSL_REQUEST | GSS_REQUEST) => self.stream.write_all(b"N").await?,
                Some(CANCEL_REQUEST) => {
                    shared.cancel(&first.body()[4..]).await?;
                    return Ok(false);
                }
                _ => break,
            }
        }
        let settings = shared.greeting.iter().flat_map(|body| message(b'S', body));
        let greeting: Vec<u8> = authentication(0, &[]).into_iter().chain(settings).collect();
        self.stream.write_all(&[greeting, message(b'K', &self.key), ready(b'I')].concat()).await?;
        Ok(true)
    }

    /// Waits for something to do, for a server, and has it until it is outside a transaction. False when the client is
    /// done.
    async fn transaction(&mut self, shared: &Shared) -> io::Result<bool> {
        while length_of_first(&self.input)?.is_none() {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(false);
            }
        }
        if self.input[0] == b'X' {
            return Ok(false);
        }
        let Some(mut backend) = shared.take().await else { return Ok(false) };
        if self.last.replace(backend.id) != Some(backend.id) {
            shared.changes.fetch_add(1, Ordering::Relaxed);
        }
        *self.served.lock().await = Some(backend.session.key.clone());
        let end = self.with(&mut backend, shared.mode).await;
        *self.served.lock().await = None;
        match end {
            Ok(()) => shared.recycle(backend).await?,
            Err(error) => {
                // In the middle of something: nobody else may have it.
                drop(backend);
                shared.replace().await;
                return Err(error);
            }
        }
        Ok(true)
    }

    async fn with(&mut self, backend: &mut Backend, mode: Mode) -> io::Result<()> {
        let server = &mut backend.session.stream;
        let mut answer = Vec::new();
        let mut is_ready_due = false;
        loop {
            if !is_ready_due {
                let (end, is_group) = end_of_group(&self.input)?;
                server.write_all(&self.input[..end]).await?;
                self.input.drain(..end);
                is_ready_due = is_group;
            }
            tokio::select! {
                count = self.stream.read_buf(&mut self.input) => if count? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                },
                count = server.read_buf(&mut answer) => if count? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                },
            }
            while let Some(length) = length_of_first(&answer)? {
                let is_ready = answer[0] == b'Z';
                let status = if is_ready { answer.get(5).copied() } else { None };
                if mode == Mode::Statement && status.is_some_and(|status| status != b'I') {
                    self.stream.write_all(&error("08P01", NO_TRANSACTIONS)).await?;
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                self.stream.write_all(&answer[..length]).await?;
                answer.drain(..length);
                if status == Some(b'I') {
                    return Ok(());
                }
                is_ready_due &= !is_ready;
            }
        }
    }
}

/// Where the first Sync group or simple query ends, or the last whole message; what is behind a group waits for
/// ReadyForQuery.
fn end_of_group(input: &[u8]) -> io::Result<(usize, bool)> {
    let mut end = 0;
    while let Some(length) = length_of_first(&input[end..])? {
        let is_group = matches!(input[end], b'S' | b'Q');
        end += length;
        if is_group {
            return Ok((end, true));
        }
    }
    Ok((end, false))
}
