//! An address that answers nothing, as a host that is switched off.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// More than the kernel keeps of connections that nobody has accepted, with a backlog of 1.
const MOST_WAITING: usize = 16;

/// A port at 127.0.0.1 whose queue of connections is full: the kernel drops what asks for one more, so that connecting
/// neither succeeds nor fails. On Linux; elsewhere a full queue may refuse.
pub struct Deaf {
    listener: Socket,
    _waiting: Vec<Socket>,
}

impl Deaf {
    /// Takes a port and fills its queue.
    ///
    /// # Errors
    /// As the system's calls.
    pub fn start() -> io::Result<Self> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        listener.listen(1)?;
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        for _ in 0..MOST_WAITING {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            // Whether it is under way or waits already, it takes a place.
            let _ = socket.connect(&address);
            waiting.push(socket);
        }
        Ok(Self { listener, _waiting: waiting })
    }

    /// Where nobody answers, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listener.local_addr().ok().and_then(|address| address.as_socket()).map_or(0, |address| address.port())
    }
}
