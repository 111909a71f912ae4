//! A TLS session without I/O: ciphertext in, plaintext out, and the other way round.

use std::io::{self, Read};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};

use super::failure::TlsFailure;

/// Plaintext of one record (RFC 8446, 5.1).
const MAX_FRAGMENT: usize = 1 << 14;
/// Ciphertext is read this far behind the start of a buffer, so that the plaintext of its first record fits before it.
/// What follows fits too, since plaintext is shorter than its ciphertext.
const GAP: usize = MAX_FRAGMENT;
/// A whole record, of either version, fits with room to spare.
const OWN_BUFFER: usize = GAP + 3 * MAX_FRAGMENT;
/// How much is encrypted at once: four records.
const MAX_WRITE: usize = 4 * MAX_FRAGMENT;
/// What a record is longer than its plaintext, at most, in both versions.
const RECORD_OVERHEAD: usize = 64;
/// Memory for output that an idle session keeps.
const KEPT_OUTPUT: usize = 4 << 10;

/// A TLS session of the client's side.
///
/// Errors of TLS are [`io::Error`]s that tell their own text; what the server said before one is read first.
pub struct TlsSession {
    connection: UnbufferedClientConnection,
    /// The start of a record, or after a handshake whatever came.
    incoming: Vec<u8>,
    /// `incoming` may hold whole records.
    is_incoming_fresh: bool,
    /// Decrypted for a buffer that was too small; `taken` bytes of it are gone.
    plaintext: Vec<u8>,
    taken: usize,
    /// Records to be written; `sent` bytes of it are.
    outgoing: Vec<u8>,
    sent: usize,
    /// The last read left nothing in the socket.
    is_source_drained: bool,
    /// The server has said goodbye (close_notify).
    is_ended: bool,
    /// So have we.
    is_closed: bool,
    failure: Option<TlsFailure>,
}

impl std::fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSession").field("version", &self.connection.protocol_version()).finish_non_exhaustive()
    }
}

impl TlsSession {
    pub(super) fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, TlsFailure> {
        Ok(Self {
            connection: UnbufferedClientConnection::new(config, name)?,
            incoming: Vec::new(),
            is_incoming_fresh: false,
            plaintext: Vec::new(),
            taken: 0,
            outgoing: Vec::new(),
            sent: 0,
            is_source_drained: false,
            is_ended: false,
            is_closed: false,
            failure: None,
        })
    }

    /// Goes on with the handshake as far as what was received goes; true when it is over. The output is to be written
    /// either way, also when it fails: it tells the server why.
    pub(super) fn handshake(&mut self) -> Result<bool, TlsFailure> {
        let mut incoming = std::mem::take(&mut self.incoming);
        let mut position = 0;
        let result = loop {
            let status = self.connection.process_tls_records(&mut incoming[position..]);
            let UnbufferedStatus { discard, state } = status;
            let state = match state {
                Ok(state) => state,
                Err(error) => break Err(error.into()),
            };
            let is_done = match state {
                ConnectionState::EncodeTlsData(mut data) => {
                    append(&mut self.outgoing, |room| encoded(data.encode(room)))?;
                    None
                }
                // It is in our hands; when it is sent does not matter to rustls.
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    None
                }
                ConnectionState::BlockedHandshake => Some(false),
                ConnectionState::WriteTraffic(_) => Some(true),
                // Plaintext waits inside until it is asked for; a server that ends TLS at once is seen by reading.
                ConnectionState::ReadTraffic(_) => Some(true),
                _ => break Err(TlsFailure::internal("the handshake went where it cannot go")),
            };
            position += discard;
            if let Some(is_done) = is_done {
                break Ok(is_done);
            }
        };
        incoming.drain(..position.min(incoming.len()));
        self.incoming = incoming;
        self.is_incoming_fresh = !self.incoming.is_empty();
        if result.is_err() {
            self.collect_alert();
        }
        result
    }

    /// Ciphertext of the handshake.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.incoming.extend_from_slice(bytes);
    }

    /// The server's certificate.
    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        self.connection.peer_certificates().and_then(<[_]>::first).map(|certificate| &**certificate)
    }

    /// The protocol that was agreed on inside TLS.
    pub(super) fn application_protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// What is decrypted and has not been read.
    pub(in crate::open) fn take_plaintext(&mut self) -> Vec<u8> {
        let mut plaintext = std::mem::take(&mut self.plaintext);
        plaintext.drain(..std::mem::take(&mut self.taken));
        plaintext
    }

    /// Reads ciphertext and gives plaintext, which may be of many records; 0 at the end of either. The buffer may hold
    /// ciphertext behind the plaintext.
    ///
    /// # Errors
    /// Those of the source, `WouldBlock` among them, after which everything that came is read; and those of TLS.
    pub fn read(&mut self, source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        self.decrypt_fresh();
        loop {
            let waiting = &self.plaintext[self.taken..];
            if !waiting.is_empty() {
                let count = waiting.len().min(buffer.len());
                buffer[..count].copy_from_slice(&waiting[..count]);
                self.taken += count;
                if self.taken == self.plaintext.len() {
                    self.plaintext = Vec::new();
                    self.taken = 0;
                }
                return Ok(count);
            }
            if let Some(failure) = &self.failure {
                return Err(failure.to_io());
            }
            if self.is_ended {
                return Ok(0);
            }
            if buffer.len() < OWN_BUFFER {
                let mut own = vec![0; OWN_BUFFER];
                let Some(count) = self.read_records(source, &mut own)? else { return Ok(0) };
                own.truncate(count);
                self.plaintext = own;
            } else {
                match self.read_records(source, buffer)? {
                    None => return Ok(0),
                    Some(0) => {}
                    Some(count) => return Ok(count),
                }
            }
        }
    }

    /// Whether what the source had was read to its end, and decrypted: then only more ciphertext brings more.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.is_source_drained && self.taken == self.plaintext.len() && self.failure.is_none() && !self.is_ended
    }

    /// Decrypts what came with the end of the handshake.
    fn decrypt_fresh(&mut self) {
        if !std::mem::replace(&mut self.is_incoming_fresh, false) {
            return;
        }
        let mut own = vec![0; GAP + self.incoming.len()];
        own[GAP..].copy_from_slice(&self.incoming);
        let end = own.len();
        let count = self.decrypt(&mut own, end);
        own.truncate(count);
        self.plaintext.extend(own);
    }

    /// Reads once; `None` at the end of the source. Without a whole record it gives nothing.
    fn read_records(&mut self, source: &mut impl Read, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let start = GAP + self.incoming.len();
        buffer[GAP..start].copy_from_slice(&self.incoming);
        self.is_source_drained = false;
        let count = source.read(&mut buffer[start..])?;
        if count == 0 {
            return Ok(None);
        }
        self.is_source_drained = start + count < buffer.len();
        Ok(Some(self.decrypt(buffer, start + count)))
    }

    /// Decrypts the records in `buffer`, from [`GAP`] to `end`, to its start; gives how much that is. What is left is
    /// kept, and so is a failure.
    fn decrypt(&mut self, buffer: &mut [u8], end: usize) -> usize {
        let Self { connection, outgoing, is_ended, .. } = self;
        let (mut count, mut position) = (0, GAP);
        let result = loop {
            let (plain, records) = buffer.split_at_mut(position);
            let UnbufferedStatus { mut discard, state } =
                connection.process_tls_records(&mut records[..end - position]);
            let is_over = match state {
                Err(error) => break Err(error.into()),
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Err(error) => return self.fail(error.into(), count),
                            Ok(record) => {
                                discard += record.discard;
                                let target = plain.get_mut(count..count + record.payload.len());
                                let Some(target) = target else {
                                    return self.fail(TlsFailure::internal("a record is too large"), count);
                                };
                                target.copy_from_slice(record.payload);
                                count += record.payload.len();
                            }
                        }
                    }
                    false
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    if let Err(failure) = append(outgoing, |room| encoded(data.encode(room))) {
                        return self.fail(failure, count);
                    }
                    false
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    *is_ended = true;
                    false
                }
                Ok(_) => true,
            };
            position += discard;
            if is_over {
                break Ok(());
            }
        };
        self.incoming.clear();
        match result {
            Ok(()) => {
                self.incoming.extend_from_slice(&buffer[position..end]);
                if self.incoming.is_empty() {
                    self.incoming = Vec::new();
                }
                count
            }
            Err(failure) => self.fail(failure, count),
        }
    }

    fn fail(&mut self, failure: TlsFailure, count: usize) -> usize {
        self.failure.get_or_insert(failure);
        self.collect_alert();
        count
    }

    /// Encrypts some of the bytes, and gives how many; they are then part of the output.
    ///
    /// # Errors
    /// The session has failed.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = &bytes[..bytes.len().min(MAX_WRITE)];
        self.with_traffic(|traffic, outgoing| {
            let size = chunk.len() + RECORD_OVERHEAD * (1 + chunk.len() / MAX_FRAGMENT);
            append_at_least(outgoing, size, |room| encrypted(traffic.encrypt(chunk, room)))
        })?;
        Ok(chunk.len())
    }

    /// Says goodbye (close_notify): the output tells it.
    ///
    /// # Errors
    /// The session has failed.
    pub fn close(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_closed, true) {
            return Ok(());
        }
        self.with_traffic(|traffic, outgoing| append(outgoing, |room| encrypted(traffic.queue_close_notify(room))))
    }

    /// Runs where data may be sent, which is always but in a handshake.
    fn with_traffic(
        &mut self,
        action: impl FnOnce(
            &mut rustls::unbuffered::WriteTraffic<'_, rustls::client::ClientConnectionData>,
            &mut Vec<u8>,
        ) -> Result<(), TlsFailure>,
    ) -> io::Result<()> {
        self.decrypt_fresh();
        if let Some(failure) = &self.failure {
            return Err(failure.to_io());
        }
        let Self { connection, incoming, outgoing, .. } = self;
        let mut position = 0;
        let result = loop {
            // rustls remembers what it has seen of a message that is not complete, so that it must see it again.
            let UnbufferedStatus { discard, state } = connection.process_tls_records(&mut incoming[position..]);
            position += discard;
            match state {
                Err(error) => break Err(error.into()),
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    if let Err(failure) = append(outgoing, |room| encoded(data.encode(room))) {
                        break Err(failure);
                    }
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::WriteTraffic(mut traffic)) => break action(&mut traffic, outgoing),
                Ok(_) => break Err(TlsFailure::internal("the session cannot be written to")),
            }
        };
        self.incoming.drain(..position);
        result.map_err(|failure| {
            let error = failure.to_io();
            self.fail(failure, 0);
            error
        })
    }

    /// After a failure: the alert that tells the server of it.
    fn collect_alert(&mut self) {
        // As long as there is output, nothing is read.
        while self.connection.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(mut data)) = self.connection.process_tls_records(&mut []).state
            else {
                return;
            };
            if append(&mut self.outgoing, |room| encoded(data.encode(room))).is_err() {
                return;
            }
        }
    }

    /// Ciphertext to be written.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.outgoing[self.sent..]
    }

    /// So much of the output has been written.
    pub fn advance_output(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.outgoing.len() {
            self.sent = 0;
            self.outgoing.clear();
            if self.outgoing.capacity() > KEPT_OUTPUT {
                self.outgoing = Vec::new();
            }
        }
    }
}

/// What an encoder wrote, or how much room it needs.
enum Written {
    Bytes(usize),
    Wanted(usize),
    Failed(TlsFailure),
}

fn encoded(result: Result<usize, EncodeError>) -> Written {
    match result {
        Ok(count) => Written::Bytes(count),
        Err(EncodeError::InsufficientSize(wanted)) => Written::Wanted(wanted.required_size),
        Err(error) => Written::Failed(TlsFailure::internal(&error.to_string())),
    }
}

fn encrypted(result: Result<usize, EncryptError>) -> Written {
    match result {
        Ok(count) => Written::Bytes(count),
        Err(EncryptError::InsufficientSize(wanted)) => Written::Wanted(wanted.required_size),
        Err(error) => Written::Failed(TlsFailure::internal(&error.to_string())),
    }
}

fn append(outgoing: &mut Vec<u8>, encode: impl FnMut(&mut [u8]) -> Written) -> Result<(), TlsFailure> {
    append_at_least(outgoing, RECORD_OVERHEAD, encode)
}

/// Has an encoder write at the end of the output, with as much room as it needs.
fn append_at_least(
    outgoing: &mut Vec<u8>,
    size: usize,
    mut encode: impl FnMut(&mut [u8]) -> Written,
) -> Result<(), TlsFailure> {
    let start = outgoing.len();
    let mut size = size;
    // It asks for more once.
    for _ in 0..3 {
        outgoing.resize(start + size, 0);
        match encode(&mut outgoing[start..]) {
            Written::Bytes(count) => {
                outgoing.truncate(start + count);
                return Ok(());
            }
            Written::Wanted(wanted) => size = wanted,
            Written::Failed(failure) => {
                outgoing.truncate(start);
                return Err(failure);
            }
        }
    }
    outgoing.truncate(start);
    Err(TlsFailure::internal("an encoder has no room"))
}
