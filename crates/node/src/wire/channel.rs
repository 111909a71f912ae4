//! What carries a session's bytes: a socket, with TLS on it or without.

use std::io::{self, Read};

use oxpg_client::open::{Socket, TlsSession};

use super::transport::{Descriptor, Progress, Transport};

/// A connection's socket and what encrypts it.
pub(crate) struct Channel {
    socket: Socket,
    tls: Option<Box<TlsSession>>,
}

impl Channel {
    pub(crate) fn new(socket: Socket, tls: Option<Box<TlsSession>>) -> Self {
        Self { socket, tls }
    }

    /// The socket alone, when nothing more is to be said or understood.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }
}

/// The socket as TLS reads it.
struct Ciphertext<'a>(&'a mut Socket);

impl Read for Ciphertext<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Progress::Moved(count) => Ok(count),
            Progress::Blocked => Err(io::ErrorKind::WouldBlock.into()),
            Progress::Ended => Ok(0),
            Progress::Failed(error) => Err(error),
        }
    }
}

/// Writes ciphertext as far as the socket has room. `Moved` says that nothing is left.
fn write_out(session: &mut TlsSession, socket: &mut Socket) -> Progress {
    while !session.output().is_empty() {
        match socket.write(session.output()) {
            Progress::Moved(count) => session.advance_output(count),
            other => return other,
        }
    }
    Progress::Moved(0)
}

impl Transport for Channel {
    fn is_emptied_by(&self, count: usize, room: usize) -> bool {
        match &self.tls {
            None => self.socket.is_emptied_by(count, room),
            Some(session) => session.is_drained(),
        }
    }

    fn descriptor(&self) -> Descriptor {
        self.socket.descriptor()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Progress {
        let Some(session) = &mut self.tls else { return self.socket.read(buffer) };
        match session.read(&mut Ciphertext(&mut self.socket), buffer) {
            Ok(0) => Progress::Ended,
            Ok(count) => Progress::Moved(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Blocked,
            Err(error) => Progress::Failed(error),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Progress {
        let Some(session) = &mut self.tls else { return self.socket.write(bytes) };
        // No more is encrypted than the socket takes.
        match write_out(session, &mut self.socket) {
            Progress::Moved(_) => {}
            other => return other,
        }
        match session.write(bytes).map(|count| (count, write_out(session, &mut self.socket))) {
            Ok((_, Progress::Failed(error))) | Err(error) => Progress::Failed(error),
            Ok((count, _)) => Progress::Moved(count),
        }
    }

    fn is_holding_output(&self) -> bool {
        self.tls.as_ref().is_some_and(|session| !session.output().is_empty())
    }

    fn flush(&mut self) -> Progress {
        match &mut self.tls {
            None => self.socket.flush(),
            Some(session) => write_out(session, &mut self.socket),
        }
    }

    fn has_unsent(&self) -> bool {
        self.socket.has_unsent()
    }

    fn cut_short(&mut self) {
        self.socket.cut_short();
    }

    fn last_words(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(session) = &mut self.tls else { return bytes.to_vec() };
        // A session that fails has nothing to say.
        let _ = session.write(bytes).and_then(|_| session.close());
        session.output().to_vec()
    }

    fn close(&mut self) {
        if let Some(session) = &mut self.tls
            && session.close().is_ok()
        {
            let _ = write_out(session, &mut self.socket);
        }
    }
}
