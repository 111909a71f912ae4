//! What carries bytes, and the plain socket, which is read and written with `read(2)` and `write(2)`, never blocking.

use std::ffi::c_int;
use std::io::{self, Read, Write};
#[cfg(unix)]
use std::os::fd::AsRawFd;

use oxpg_client::open::Socket;

/// A socket as the operating system numbers it.
pub(crate) type Descriptor = c_int;

/// What a read or write came to.
#[derive(Debug)]
pub(crate) enum Progress {
    /// So many bytes moved.
    Moved(usize),
    /// Nothing to read, or no room to write; wait for the loop.
    Blocked,
    /// The other side has closed its half.
    Ended,
    /// The transport failed.
    Failed(io::Error),
}

/// Carries bytes over a socket that the loop watches, and may keep some to itself, as TLS does.
pub(crate) trait Transport {
    /// Whether the last read, which gave `count` bytes where there was room for `room`, has emptied the transport and its
    /// socket. Then the loop tells when there is more, and the read that would say so is saved.
    fn is_emptied_by(&self, count: usize, room: usize) -> bool;

    /// What the loop is to watch.
    fn descriptor(&self) -> Descriptor;

    /// Reads into a buffer that is not empty. Nothing is left, inside the transport either, when it is blocked.
    fn read(&mut self, buffer: &mut [u8]) -> Progress;

    /// Takes some of the bytes, which are not none, and writes what the socket has room for. Never `Ended`.
    fn write(&mut self, bytes: &[u8]) -> Progress;

    /// Whether bytes that it took have still to be written to the socket.
    fn is_holding_output(&self) -> bool;

    /// Writes what it holds, as far as the socket has room.
    fn flush(&mut self) -> Progress;

    /// Whether the system still has some of what was written, because the other side has no room for it.
    fn has_unsent(&self) -> bool {
        false
    }

    /// Nothing more of what it was given is to be sent, and the other side is told of that by its drop.
    fn cut_short(&mut self);

    /// Says goodbye below what it carries, as far as the socket has room. Nothing is written any more.
    fn close(&mut self) {}

    /// The bytes that carry these, and a goodbye below them, for whoever writes them to the socket. Nothing is written any
    /// more by this.
    fn last_words(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.to_vec()
    }
}

impl Transport for Socket {
    fn is_emptied_by(&self, count: usize, room: usize) -> bool {
        // Level-triggered: what arrives after the read makes the socket readable again, an end of file as well.
        count < room
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Descriptor {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }

    #[cfg(not(unix))]
    fn descriptor(&self) -> Descriptor {
        // Never watched: `attach` fails where there is no reactor.
        -1
    }

    fn read(&mut self, buffer: &mut [u8]) -> Progress {
        let result = retry(|| match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        });
        match result {
            Ok(0) => Progress::Ended,
            result => progress(result),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Progress {
        progress(retry(|| match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
        }))
    }

    fn is_holding_output(&self) -> bool {
        false
    }

    fn flush(&mut self) -> Progress {
        Progress::Moved(0)
    }

    fn has_unsent(&self) -> bool {
        unsent_bytes(self.descriptor()) > 0
    }

    fn cut_short(&mut self) {
        self.reset_when_dropped();
    }
}

/// How much of what was written to a socket the system has not sent yet; nothing where it does not say, and for a Unix socket,
/// whose other side has it at once.
#[cfg(target_os = "linux")]
fn unsent_bytes(descriptor: Descriptor) -> c_int {
    /// linux/sockios.h; the crate libc lacks it.
    const SIOCOUTQNSD: u16 = 0x894B;
    let mut count = 0;
    // SAFETY: the descriptor is open, and the call writes one integer to where it is told.
    let code = unsafe { libc::ioctl(descriptor, SIOCOUTQNSD.into(), &raw mut count) };
    if code == 0 { count } else { 0 }
}

#[cfg(not(target_os = "linux"))]
fn unsent_bytes(_: Descriptor) -> c_int {
    0
}

fn progress(result: io::Result<usize>) -> Progress {
    match result {
        Ok(count) => Progress::Moved(count),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Blocked,
        Err(error) => Progress::Failed(error),
    }
}

/// Calls again while a signal interrupts.
fn retry(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The system's name of an error, such as `ECONNRESET`, as Node spells it.
pub(super) fn error_code(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionReset => "ECONNRESET",
        io::ErrorKind::BrokenPipe => "EPIPE",
        io::ErrorKind::ConnectionAborted => "ECONNABORTED",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        io::ErrorKind::HostUnreachable => "EHOSTUNREACH",
        io::ErrorKind::NetworkUnreachable => "ENETUNREACH",
        io::ErrorKind::NotConnected => "ENOTCONN",
        // Of TLS: the system's errors are never of this kind.
        io::ErrorKind::Other => "EPROTO",
        _ => "EIO",
    }
}
