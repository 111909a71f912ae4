//! The gate between tokio-postgres and a socket.
//!
//! It cuts what the server sends into whole messages and hands tokio-postgres only those that authentication needs,
//! one at a time, and nothing past the first ReadyForQuery. The others it records. Every rule about what a server
//! may send before a session exists is enforced here, before tokio-postgres sees a byte of it. In the other
//! direction it puts the version of the protocol and the server settings into the startup message.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer_time::AnswerTime;
use super::auth::{Policy, Step};
use super::error::{OpenError, OpenErrorKind};
use super::hosts::Password;
use super::messages;
use super::oauth;
use super::protocol::Versions;
use super::tls::FailureStage;

/// All that a server may send before it has authenticated us. Real servers send less than 1 KiB.
const MAX_BYTES_BEFORE_AUTHENTICATION: usize = 64 << 10;
/// All that a server may send until it is ready for a query.
const MAX_STARTUP_BYTES: usize = 1 << 20;
/// NoticeResponses of a startup. A login trigger may raise some.
const MAX_NOTICES: usize = 100;
/// ParameterStatus reports of a startup. PostgreSQL 18 sends 15.
const MAX_PARAMETER_REPORTS: usize = 500;
/// BackendKeyData: process ID and a key of 4 to 256 bytes (protocol 3.2).
const KEY_DATA_BYTES: std::ops::RangeInclusive<usize> = 8..=260;
const READ_BYTES: usize = 8 << 10;
/// A shorter password would be found in words that have nothing to do with it.
const SHORTEST_HIDDEN: usize = 4;
/// What an Authentication… message begins with.
const AUTHENTICATION_CODE_BYTES: usize = 4;

/// What a startup came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// Reported parameters, the latest value of each name.
    pub parameters: Vec<(String, String)>,
    /// The backend's process ID; 0 if none was told.
    pub backend_pid: i32,
    /// The key for cancel requests; empty if none was told.
    pub secret_key: Vec<u8>,
    /// `I`, `T` or `E`.
    pub transaction_status: u8,
    /// What came behind ReadyForQuery.
    pub leftover: Vec<u8>,
    /// Notices by their fields' codes.
    pub notices: Vec<Vec<(u8, String)>>,
}

impl Startup {
    /// Records a reported parameter.
    pub(super) fn report(&mut self, name: String, value: String) {
        match self.parameters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.parameters.push((name, value)),
        }
    }

    /// Records a notice by its fields.
    pub(super) fn add_notice(&mut self, fields: Vec<(u8, String)>) -> Result<(), OpenError> {
        if self.notices.len() == MAX_NOTICES {
            return Err(OpenError::protocol(format!(
                "the server sent more than {MAX_NOTICES} notices during the startup"
            )));
        }
        self.notices.push(fields);
        Ok(())
    }
}

/// The state of one startup; outlives the gate itself, which tokio-postgres owns.
pub(super) struct Exchange<'a> {
    policy: Policy<'a>,
    settings: &'a [(String, String)],
    versions: Versions,
    /// The startup message until it is complete; `None` afterwards.
    startup_message: Option<Vec<u8>>,
    /// What goes out before anything else.
    outgoing: Vec<u8>,
    /// There is an answer of the gate's own among it, which nobody else sends off.
    is_answering: bool,
    incoming: Vec<u8>,
    /// Where in `incoming` the next message starts.
    start: usize,
    /// How much of `incoming`, from `start` on, may be handed over.
    released: usize,
    /// Bytes of the messages so far.
    spent: usize,
    parameter_reports: usize,
    step: Step,
    is_negotiated: bool,
    /// The server asked for the password itself.
    is_password_told: bool,
    /// Which tokens the server takes, as it said when it refused ours.
    token_refusal: Option<String>,
    is_ready: bool,
    failure: Option<OpenError>,
    /// Writing has failed. What the server said before it went away is still worth reading.
    write_failure: Option<OpenError>,
    pub(super) answer_time: AnswerTime,
    startup: Startup,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(policy: Policy<'a>, settings: &'a [(String, String)], versions: Versions) -> Self {
        Self {
            policy,
            settings,
            versions,
            startup_message: Some(Vec::new()),
            outgoing: Vec::new(),
            is_answering: false,
            incoming: Vec::new(),
            start: 0,
            released: 0,
            spent: 0,
            parameter_reports: 0,
            step: Step::Start,
            is_negotiated: false,
            is_password_told: false,
            token_refusal: None,
            is_ready: false,
            failure: None,
            write_failure: None,
            answer_time: AnswerTime::default(),
            startup: Startup::default(),
        }
    }

    /// Why the startup failed, as far as the gate knows: it knows better than tokio-postgres.
    pub(super) fn take_failure(&mut self) -> Option<OpenError> {
        self.failure.take()
    }

    /// What the startup came to; `None` if the server never was ready.
    pub(super) fn finish(mut self) -> Option<Startup> {
        if !self.is_ready || self.released > 0 {
            return None;
        }
        self.startup.leftover.extend_from_slice(&self.incoming[self.start..]);
        Some(self.startup)
    }

    /// The server sends no more.
    fn fail_reading(&mut self, error: OpenError) -> io::Error {
        let cause = self.write_failure.take().unwrap_or(error);
        self.fail(cause)
    }

    fn fail(&mut self, error: OpenError) -> io::Error {
        self.failure.get_or_insert(error);
        io::Error::other("the startup was refused")
    }

    /// The fields of a report. A server that was told a password may repeat it, and reports end up in logs.
    fn fields(&self, body: &[u8]) -> Result<Vec<(u8, String)>, OpenError> {
        let mut fields = messages::fields(body)?;
        let password = self.policy.credentials.password.map(Password::reveal);
        if let Some(password) = password.filter(|password| self.is_password_told && password.len() >= SHORTEST_HIDDEN) {
            for (_, text) in &mut fields {
                if text.contains(password) {
                    *text = text.replace(password, "[hidden]");
                }
            }
        }
        Ok(fields)
    }

    /// The gate itself says something to the server.
    fn answer(&mut self, message: Vec<u8>) {
        self.outgoing.extend(message);
        self.is_answering = true;
    }

    /// Records messages up to one that may be handed over. False: more bytes are needed.
    fn advance(&mut self) -> Result<bool, OpenError> {
        while self.released == 0 && !self.is_ready && !self.is_answering {
            let bytes = &self.incoming[self.start..];
            let Some((tag, total)) = messages::header(bytes) else { return Ok(false) };
            let limit = if self.step == Step::Done { MAX_STARTUP_BYTES } else { MAX_BYTES_BEFORE_AUTHENTICATION };
            let total = match total {
                Ok(total) if total <= limit - self.spent.min(limit) => total,
                Ok(_) if self.spent == 0 && is_unframed_error(bytes) => return Err(unframed_error(bytes)),
                Ok(total) => {
                    return Err(OpenError::protocol(format!(
                        "the server sent more than {limit} bytes during the startup \
                         ({} so far, and a message of {total})",
                        self.spent
                    )));
                }
                Err(length) => {
                    return Err(OpenError::protocol(format!(
                        "the server sent a message with the length {length} during the startup; expected at least 4"
                    )));
                }
            };
            if bytes.len() < total {
                return Ok(false);
            }
            self.spent += total;
            if self.take_message(tag, self.start, total)? {
                self.released = total;
            } else {
                self.start += total;
            }
        }
        Ok(true)
    }

    /// Records the message at `start`, or says (true) that it is for tokio-postgres.
    fn take_message(&mut self, tag: u8, start: usize, total: usize) -> Result<bool, OpenError> {
        let message = &self.incoming[start..start + total];
        let body = &message[messages::HEADER_BYTES..];
        let is_authenticated = self.step == Step::Done;
        match tag {
            messages::AUTHENTICATION if !is_authenticated => {
                let step = self.policy.next(self.step, body)?;
                self.is_password_told |= step == Step::PasswordAsked && body.len() == AUTHENTICATION_CODE_BYTES;
                self.step = step;
                // tokio-postgres does not know this mechanism: it sees no more of it than that it went well.
                match step {
                    Step::TokenSent => {
                        let response = self.policy.credentials.oauth_token.map(oauth::initial_response);
                        self.answer(response.unwrap_or_default());
                    }
                    Step::TokenRefused => {
                        let refusal = self
                            .incoming
                            .get(start + messages::HEADER_BYTES + AUTHENTICATION_CODE_BYTES..start + total);
                        self.token_refusal = refusal.and_then(oauth::wanted);
                        self.answer(oauth::dummy_response());
                    }
                    _ => return Ok(true),
                }
            }
            messages::ERROR_RESPONSE => {
                let stage = if is_authenticated { FailureStage::Other } else { FailureStage::Refusal };
                let mut fields = self.fields(body)?;
                if let Some(wanted) =
                    self.token_refusal.take().filter(|_| !fields.iter().any(|(code, _)| *code == b'H'))
                {
                    fields.push((b'H', wanted));
                }
                return Err(OpenError { stage, ..server_error(fields) });
            }
            messages::NOTICE_RESPONSE => {
                let fields = self.fields(body)?;
                self.startup.add_notice(fields)?;
            }
            messages::PARAMETER_STATUS if is_authenticated => {
                self.parameter_reports += 1;
                if self.parameter_reports > MAX_PARAMETER_REPORTS {
                    return Err(OpenError::protocol(format!(
                        "the server reported more than {MAX_PARAMETER_REPORTS} parameters during the startup"
                    )));
                }
                let (name, value) = messages::parameter(body)?;
                self.startup.report(name, value);
            }
            messages::BACKEND_KEY_DATA if is_authenticated => {
                let Some((pid, key)) = body.split_first_chunk().filter(|_| KEY_DATA_BYTES.contains(&body.len())) else {
                    return Err(OpenError::protocol(format!(
                        "the server sent a BackendKeyData message of {} bytes; expected 8 to 260",
                        body.len()
                    )));
                };
                self.startup.backend_pid = i32::from_be_bytes(*pid);
                self.startup.secret_key = key.to_vec();
            }
            // A login trigger may LISTEN. The session engine takes it from here, in front of everything else.
            messages::NOTIFICATION_RESPONSE if is_authenticated => {
                if !messages::is_notification(body) {
                    return Err(OpenError::protocol(
                        "the server sent a malformed NotificationResponse message during the startup",
                    ));
                }
                self.startup.leftover.extend_from_slice(message);
            }
            messages::READY_FOR_QUERY if is_authenticated => {
                let [status @ (b'I' | b'T' | b'E')] = *body else {
                    return Err(OpenError::protocol("the server sent a malformed ReadyForQuery message"));
                };
                self.startup.transaction_status = status;
                self.is_ready = true;
                return Ok(true);
            }
            messages::NEGOTIATE_PROTOCOL_VERSION if self.step == Step::Start && !self.is_negotiated => {
                self.versions.negotiate(body)?;
                self.is_negotiated = true;
            }
            other => {
                return Err(OpenError::protocol(format!(
                    "the server sent the message '{}' during the startup, where it has no place; \
                     is it a PostgreSQL server?",
                    other.escape_ascii()
                )));
            }
        }
        Ok(false)
    }

    fn hand_over(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.released.min(buffer.remaining());
        buffer.put_slice(&self.incoming[self.start..self.start + count]);
        self.start += count;
        self.released -= count;
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.answer_time.received();
        self.incoming.drain(..self.start);
        self.start = 0;
        self.incoming.extend_from_slice(bytes);
    }
}

/// What tokio-postgres takes for its socket.
pub(super) struct Gate<'e, 'a, S> {
    pub(super) stream: &'e mut S,
    pub(super) exchange: &'e mut Exchange<'a>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gate<'_, '_, S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.exchange.is_answering {
                ready!(this.poll_sent(cx));
                this.exchange.is_answering = false;
            }
            let Self { stream, exchange } = &mut *this;
            if exchange.released > 0 || buffer.remaining() == 0 {
                exchange.hand_over(buffer);
                return Poll::Ready(Ok(()));
            }
            if exchange.is_ready {
                // Whatever comes now is the session engine's. Nobody waits for this.
                return Poll::Pending;
            }
            match exchange.advance() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => return Poll::Ready(Err(exchange.fail(error))),
            }
            let mut bytes = [0; READ_BYTES];
            let mut chunk = ReadBuf::new(&mut bytes);
            if let Err(error) = ready!(Pin::new(&mut **stream).poll_read(cx, &mut chunk)) {
                return Poll::Ready(Err(exchange.fail_reading(OpenError::io(&error))));
            }
            if chunk.filled().is_empty() {
                let error = OpenError::connection("the server closed the connection during the startup");
                return Poll::Ready(Err(exchange.fail_reading(error)));
            }
            exchange.receive(chunk.filled());
        }
    }
}

impl<S: AsyncWrite + Unpin> Gate<'_, '_, S> {
    /// Writes, and takes a failure for success: reading tells how the startup ends.
    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<usize> {
        let Self { stream, exchange } = self;
        if exchange.write_failure.is_some() {
            return Poll::Ready(bytes.len());
        }
        let error = match ready!(Pin::new(&mut **stream).poll_write(cx, bytes)) {
            Ok(0) if !bytes.is_empty() => io::ErrorKind::WriteZero.into(),
            Ok(count) => {
                exchange.answer_time.sent();
                return Poll::Ready(count);
            }
            Err(error) => error,
        };
        exchange.write_failure = Some(OpenError::io(&error));
        Poll::Ready(bytes.len())
    }

    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.exchange.outgoing.is_empty() {
            let outgoing = std::mem::take(&mut self.exchange.outgoing);
            let sent = self.poll_send(cx, &outgoing);
            self.exchange.outgoing = outgoing;
            self.exchange.outgoing.drain(..ready!(sent));
        }
        Poll::Ready(())
    }

    /// All that goes out from here has left.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_outgoing(cx));
        if let Err(error) = ready!(Pin::new(&mut *self.stream).poll_flush(cx)) {
            self.exchange.write_failure.get_or_insert(OpenError::io(&error));
        }
        Poll::Ready(())
    }

    /// Takes a piece of the startup message; sends nothing before it is complete.
    fn take_startup_message(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(message) = &mut self.exchange.startup_message else { return Ok(()) };
        message.extend_from_slice(bytes);
        if messages::startup_length(message).is_none_or(|length| message.len() < length) {
            return Ok(());
        }
        let mut complete = std::mem::take(message);
        self.exchange.startup_message = None;
        let is_message = self.exchange.versions.write_into(&mut complete).is_some();
        let edited = messages::append_settings(complete, self.exchange.settings).filter(|_| is_message);
        self.exchange.outgoing = edited.ok_or_else(|| {
            self.exchange.fail(OpenError::new(OpenErrorKind::Internal, "the startup message is malformed"))
        })?;
        Ok(())
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<'_, '_, S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.exchange.startup_message.is_some() {
            return Poll::Ready(this.take_startup_message(bytes).map(|()| bytes.len()));
        }
        ready!(this.poll_outgoing(cx));
        this.poll_send(cx, bytes).map(Ok)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_sent(cx).map(Ok)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The socket is not tokio-postgres' to close.
        Poll::Ready(Ok(()))
    }
}

/// An ErrorResponse by its fields.
pub(super) fn server_error(fields: Vec<(u8, String)>) -> OpenError {
    let field = |code: u8| fields.iter().find(|(known, _)| *known == code).map(|(_, text)| text.clone());
    let message = field(b'M').unwrap_or_else(|| "the server refused the session without a message".to_owned());
    let sqlstate = field(b'C').filter(|code| code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    OpenError { sqlstate, fields, ..OpenError::new(OpenErrorKind::Server, message) }
}

/// A server that cannot even start a backend for us says so without a message's frame: `E`, a text, NUL.
fn is_unframed_error(bytes: &[u8]) -> bool {
    bytes.starts_with(&[messages::ERROR_RESPONSE])
        && bytes[1..messages::HEADER_BYTES].iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic())
}

fn unframed_error(bytes: &[u8]) -> OpenError {
    let text = &bytes[1..];
    let text = text.split(|&byte| byte == 0 || byte == b'\n').next().unwrap_or_default();
    OpenError::connection(format!(
        "the server refused the connection: {}",
        messages::quoted(&String::from_utf8_lossy(text))
    ))
}
