//! Plays a script on a connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::recorded::{Record, Recorded};
use super::script::{Column, Expected, How, Step, data_row, row_description};
use super::{Received, Server, Stream};
use crate::messages::{
    CANCEL_REQUEST, GSS_REQUEST, Message, SSL_REQUEST, authentication, complete, parameter_description, ready, sasl,
};
use crate::scram::{MECHANISM, Scram, client_first, client_first_over_tls, server_final};
use crate::tls::Identity;
use crate::{malformed, messages};

/// How long a script that repeats without end goes on at a time before it looks at anything else.
const BREATH: u64 = 64;

/// A connection and how far its script has come.
pub(super) struct Player<'a> {
    server: Server<Recorded<Box<dyn Stream>>>,
    /// What is said, without the encryption.
    said: Record,
    is_encrypted: bool,
    /// The socket below, for how it is closed.
    socket: socket2::Socket,
    /// How often the script was told to go on.
    goes: watch::Receiver<u64>,
    told: &'a (dyn Fn(Received) + Sync),
}

impl<'a> Player<'a> {
    pub(super) fn new(
        stream: TcpStream,
        [said, wire]: &[Record; 2],
        goes: watch::Receiver<u64>,
        told: &'a (dyn Fn(Received) + Sync),
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let socket = socket2::SockRef::from(&stream).try_clone()?;
        let stream: Box<dyn Stream> = Box::new(wire.of(stream));
        Ok(Self {
            server: Server { stream: said.of(stream) },
            said: said.clone(),
            is_encrypted: false,
            socket,
            goes,
            told,
        })
    }

    /// Whether the script goes on after these.
    pub(super) async fn play(&mut self, steps: &[Step]) -> io::Result<bool> {
        for step in steps {
            if !Box::pin(self.step(step)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn step(&mut self, step: &Step) -> io::Result<bool> {
        match step {
            Step::Expect(expected) => self.expect(expected).await?,
            Step::Read(count) => {
                let mut bytes = vec![0; *count];
                self.server.stream.read_exact(&mut bytes).await?;
                (self.told)(Received::bytes(&bytes));
            }
            Step::Send(parts) => {
                let parts: Result<Vec<_>, _> = parts.iter().map(super::Part::to_bytes).collect();
                self.server.stream.write_all(&parts.map_err(malformed)?.concat()).await?;
            }
            Step::WaitMs(milliseconds) => sleep(Duration::from_millis(*milliseconds)).await,
            Step::Hold => {
                let _ = self.goes.changed().await;
            }
            Step::Ignore => self.ignore().await?,
            Step::Drain => {
                tokio::io::copy(&mut self.server.stream, &mut tokio::io::sink()).await?;
            }
            Step::Repeat { times, steps } => return self.repeat(*times, steps).await,
            Step::Tls(identity) => self.encrypt(identity).await?,
            Step::ScramFirst(words) => {
                self.server.stream.write_all(&sasl(&[MECHANISM])).await?;
                let first = self.server.try_message(b'p').await?;
                let (_, nonce) = if self.is_encrypted { client_first_over_tls(&first)? } else { client_first(&first)? };
                let words = words.replace("{nonce}", &nonce);
                self.server.stream.write_all(&authentication(11, words.as_bytes())).await?;
            }
            Step::Scram { password, iterations, is_signed } => {
                let scram = Scram { iterations: iterations.unwrap_or(4096), ..Scram::default() };
                let mut signature = match self.is_encrypted {
                    true => scram.exchange_over_tls(&mut self.server, password).await?,
                    false => scram.exchange(&mut self.server, password).await?,
                };
                if !is_signed {
                    signature[0] ^= 1;
                }
                self.server.stream.write_all(&server_final(&signature)).await?;
            }
            Step::Answer { columns, rows } => self.answer(columns, rows).await?,
            Step::Close(how) => {
                if *how == How::Rst {
                    self.socket.set_linger(Some(Duration::ZERO))?;
                } else {
                    self.server.stream.shutdown().await?;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn encrypt(&mut self, identity: &Identity) -> io::Result<()> {
        self.expect(&Expected::Ssl).await?;
        self.server.stream.write_all(b"S").await?;
        let nothing: Box<dyn Stream> = Box::new(tokio::io::empty());
        let stream = std::mem::replace(&mut self.server.stream, self.said.of(nothing)).into_inner();
        let encrypted: Box<dyn Stream> = Box::new(identity.acceptor()?.accept(stream).await?);
        self.server.stream = self.said.of(encrypted);
        self.is_encrypted = true;
        Ok(())
    }

    async fn repeat(&mut self, times: Option<u64>, steps: &[Step]) -> io::Result<bool> {
        let mut round = 0;
        while times.is_none_or(|times| round < times) {
            if !self.play(steps).await? {
                return Ok(false);
            }
            round += 1;
            if round % BREATH == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(true)
    }

    /// Waits for the client's end without reading: what it sends fills the buffers between.
    async fn ignore(&mut self) -> io::Result<()> {
        loop {
            sleep(Duration::from_millis(20)).await;
            match self.socket.take_error()? {
                None if self.has_peer_closed()? => return Ok(()),
                None => {}
                Some(error) => return Err(error),
            }
        }
    }

    /// The end of the stream, when nothing lies before it.
    fn has_peer_closed(&self) -> io::Result<bool> {
        match self.socket.peek(&mut [std::mem::MaybeUninit::uninit(); 1]) {
            Ok(count) => Ok(count == 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn expect(&mut self, expected: &Expected) -> io::Result<()> {
        let code = match expected {
            Expected::Startup => None,
            Expected::Ssl => Some(SSL_REQUEST),
            Expected::Gss => Some(GSS_REQUEST),
            Expected::Cancel => Some(CANCEL_REQUEST),
            Expected::Tag(_) | Expected::Any => return self.expect_tagged(expected).await,
        };
        loop {
            let message = Message::read_startup(&mut self.server.stream).await?;
            let got = message.startup_code();
            let is_encryption = [SSL_REQUEST, GSS_REQUEST].map(Some).contains(&got);
            if is_encryption && got != code {
                self.server.stream.write_all(b"N").await?;
                continue;
            }
            let is_expected = match code {
                Some(_) => got == code,
                None => got != Some(CANCEL_REQUEST),
            };
            (self.told)(Received::message(&message));
            return if is_expected { Ok(()) } else { Err(malformed(format!("expected {expected:?}, got {got:?}"))) };
        }
    }

    async fn expect_tagged(&mut self, expected: &Expected) -> io::Result<()> {
        let message = Message::read(&mut self.server.stream).await?;
        let tag = char::from(message.tag);
        (self.told)(Received::message(&message));
        match expected {
            Expected::Tag(wanted) if *wanted != tag => Err(malformed(format!("expected {wanted:?}, got {tag:?}"))),
            _ => Ok(()),
        }
    }

    /// An honest server with one answer.
    async fn answer(&mut self, columns: &[Column], rows: &[Vec<Option<String>>]) -> io::Result<()> {
        let mut result: Vec<u8> = rows.iter().flat_map(|row| data_row(row)).collect();
        result.extend(complete(&format!("SELECT {}", rows.len())));
        loop {
            let message = match Message::read(&mut self.server.stream).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                message => message?,
            };
            let bytes = match message.tag {
                b'P' => messages::message(b'1', &[]),
                b'B' => messages::message(b'2', &[]),
                b'C' => messages::message(b'3', &[]),
                b'D' if message.body().first() == Some(&b'P') => row_description(columns, 1),
                b'D' => [parameter_description(&[]), row_description(columns, 0)].concat(),
                b'E' => result.clone(),
                b'S' => ready(b'I'),
                b'Q' => [row_description(columns, 0), result.clone(), ready(b'I')].concat(),
                b'X' => return Ok(()),
                _ => vec![],
            };
            (self.told)(Received::message(&message));
            self.server.stream.write_all(&bytes).await?;
        }
    }
}
