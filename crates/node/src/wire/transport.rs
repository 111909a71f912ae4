//! The authenticated socket, read and written on the event loop: `read(2)` and `write(2)`, never blocking.

use std::io::{self, Read, Write};
#[cfg(unix)]
use std::os::fd::{AsRawFd, RawFd};

use oxpg_client::open::Socket;

/// What a read or write came to.
pub(crate) enum Progress {
    /// So many bytes moved.
    Moved(usize),
    /// The kernel has nothing for us, or no room; wait for the loop.
    Blocked,
    /// The other side has closed its half.
    Ended,
    /// The socket failed.
    Failed(io::Error),
}

fn progress(result: io::Result<usize>, wanted: usize) -> Progress {
    match result {
        Ok(0) if wanted > 0 => Progress::Ended,
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

pub(crate) fn read(socket: &mut Socket, buffer: &mut [u8]) -> Progress {
    let result = retry(|| match socket {
        Socket::Tcp(stream) => stream.read(buffer),
        #[cfg(unix)]
        Socket::Unix(stream) => stream.read(buffer),
    });
    progress(result, buffer.len())
}

pub(crate) fn write(socket: &mut Socket, bytes: &[u8]) -> Progress {
    let result = retry(|| match socket {
        Socket::Tcp(stream) => stream.write(bytes),
        #[cfg(unix)]
        Socket::Unix(stream) => stream.write(bytes),
    });
    match progress(result, bytes.len()) {
        // write(2) of more than nothing never returns 0 on a socket.
        Progress::Ended => Progress::Blocked,
        other => other,
    }
}

#[cfg(unix)]
pub(crate) fn descriptor(socket: &Socket) -> RawFd {
    match socket {
        Socket::Tcp(stream) => stream.as_raw_fd(),
        Socket::Unix(stream) => stream.as_raw_fd(),
    }
}

/// The system's name of an error, such as `ECONNRESET`, as Node spells it.
pub(crate) fn error_code(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionReset => "ECONNRESET",
        io::ErrorKind::BrokenPipe => "EPIPE",
        io::ErrorKind::ConnectionAborted => "ECONNABORTED",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        io::ErrorKind::HostUnreachable => "EHOSTUNREACH",
        io::ErrorKind::NetworkUnreachable => "ENETUNREACH",
        io::ErrorKind::NotConnected => "ENOTCONN",
        _ => "EIO",
    }
}
