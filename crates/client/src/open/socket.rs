//! Sockets while they are opened, and as they are handed over.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::error::OpenError;
#[cfg(unix)]
use super::peer;
use super::tls::{TlsSession, TlsSetup, TlsStream};

/// An authenticated session's socket: non-blocking, and a TCP socket with TCP_NODELAY and keepalive.
#[derive(Debug)]
pub enum Socket {
    /// Over TCP.
    Tcp(std::net::TcpStream),
    /// Over a Unix-domain socket.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Socket {
    /// Has its drop tell the other side at once, by a reset. The end of a stream comes behind all that is under way, and never
    /// comes where that is not read. Where it cannot be had, it is closed as usual.
    pub fn reset_when_dropped(&self) {
        if let Self::Tcp(stream) = self {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// The address of the server that a session really is connected to, for cancel requests, and how it is encrypted.
#[derive(Clone, Debug)]
pub struct CancelTarget {
    pub(super) endpoint: Endpoint,
    /// `None`: it is not.
    pub(super) tls: Option<TlsSetup>,
}

/// Where exactly to connect to: a name has been looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix {
        path: PathBuf,
        /// The system's user whom the server must run as.
        required_peer: Option<String>,
    },
}

/// TCP keepalive, in libpq's terms (`keepalives`, `keepalives_idle`, `keepalives_interval`, `keepalives_count`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keepalive {
    pub(super) is_on: bool,
    /// Silence before the first probe; `None` leaves it to the system.
    pub(super) idle: Option<Duration>,
    /// Between probes; `None` leaves it to the system.
    pub(super) interval: Option<Duration>,
    /// Probes without an answer before the connection counts as lost; `None` leaves it to the system.
    pub(super) count: Option<u32>,
    /// How long sent bytes may stay without acknowledgement (`tcp_user_timeout`); `None` leaves it to the system.
    pub(super) user_timeout: Option<Duration>,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { is_on: true, idle: None, interval: None, count: None, user_timeout: None }
    }
}

/// A socket on the background runtime.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(tokio::net::TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Stream {
    pub(super) async fn connect(endpoint: &Endpoint, keepalive: &Keepalive) -> Result<Self, OpenError> {
        match endpoint {
            Endpoint::Tcp(address) => {
                Self::over_tcp(address, keepalive).await.map(Self::Tcp).map_err(|error| OpenError::io(&error))
            }
            #[cfg(unix)]
            Endpoint::Unix { path, required_peer } => {
                let stream = tokio::net::UnixStream::connect(path).await.map_err(|error| OpenError::io(&error))?;
                if let Some(required) = required_peer {
                    peer::check(&stream, required)?;
                }
                Ok(Self::Unix(stream))
            }
        }
    }

    async fn over_tcp(address: &SocketAddr, keepalive: &Keepalive) -> io::Result<tokio::net::TcpStream> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        if keepalive.is_on {
            set_keepalive(&stream, keepalive).map_err(|error| refused("keepalives", &error))?;
        }
        set_user_timeout(&stream, keepalive).map_err(|error| refused("tcpUserTimeoutMs", &error))?;
        Ok(stream)
    }

    /// Takes a session's socket to the runtime again.
    pub(super) fn of_socket(socket: Socket) -> io::Result<Self> {
        Ok(match socket {
            Socket::Tcp(stream) => Self::Tcp(tokio::net::TcpStream::from_std(stream)?),
            #[cfg(unix)]
            Socket::Unix(stream) => Self::Unix(tokio::net::UnixStream::from_std(stream)?),
        })
    }

    /// Closes it without waiting for anything: whatever the other side still writes to it fails at once.
    pub(super) fn reset(self) {
        if let Self::Tcp(stream) = &self {
            // Where that fails it is closed as usual.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Takes the socket off the runtime. It stays non-blocking.
    pub(super) fn into_socket(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(stream) => Socket::Tcp(stream.into_std()?),
            #[cfg(unix)]
            Self::Unix(stream) => Socket::Unix(stream.into_std()?),
        })
    }
}

/// A connection to a server, encrypted or not.
pub(super) enum Link {
    Plain(Stream),
    Tls(TlsStream<Stream>),
}

impl Link {
    /// What authentication can be bound to.
    pub(super) fn channel_binding(&self) -> Option<Vec<u8>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.channel_binding(),
        }
    }

    /// Takes it off the runtime.
    pub(super) fn into_parts(self) -> io::Result<(Socket, Option<Box<TlsSession>>)> {
        match self {
            Self::Plain(stream) => Ok((stream.into_socket()?, None)),
            Self::Tls(stream) => {
                let (stream, session) = stream.into_parts();
                Ok((stream.into_socket()?, Some(session)))
            }
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

fn set_keepalive(stream: &tokio::net::TcpStream, wanted: &Keepalive) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_keepalive(true)?;
    if wanted.idle.is_none() && wanted.interval.is_none() && wanted.count.is_none() {
        return Ok(());
    }
    let mut keepalive = TcpKeepalive::new();
    if let Some(idle) = wanted.idle {
        keepalive = keepalive.with_time(idle);
    }
    if let Some(interval) = wanted.interval {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(count) = wanted.count {
        keepalive = keepalive.with_retries(count);
    }
    socket.set_tcp_keepalive(&keepalive)
}

/// Where there is no such limit it is ignored, as in libpq.
fn set_user_timeout(stream: &tokio::net::TcpStream, wanted: &Keepalive) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if wanted.user_timeout.is_some() {
        SockRef::from(stream).set_tcp_user_timeout(wanted.user_timeout)?;
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream, wanted);
    Ok(())
}

/// The system does not take a setting of the socket.
fn refused(option: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the system refuses the value of {option}: {error}"))
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
