//! The startup of a session on a connected stream, by tokio-postgres behind the gate.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::auth::{Credentials, Policy, Security};
use super::config::Config;
use super::error::{OpenError, OpenErrorKind};
use super::gate::{Exchange, Gate, Startup};
use super::messages::quoted;
use super::passwords::Passwords;

/// Whether TLS is there is settled before tokio-postgres comes into play: it is told that TLS begins at once, and this
/// begins none. It learns what authentication can be bound to.
struct Settled {
    binding: Option<Vec<u8>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsConnect<S> for Settled {
    type Stream = Bound<S>;
    type Error = Infallible;
    type Future = Ready<Result<Bound<S>, Infallible>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(Bound { stream, binding: self.binding }))
    }
}

/// A stream with what authentication can be bound to.
struct Bound<S> {
    stream: S,
    binding: Option<Vec<u8>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Bound<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.binding.clone().map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bound<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bound<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Starts a session. Afterwards `stream` has been read exactly as far as `Startup::leftover` goes. Also gives the shortest time
/// in which the server has answered.
pub(super) async fn start<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    config: &Config,
    credentials: Credentials<'_>,
    security: Security,
) -> Result<(Startup, Option<Duration>), OpenError> {
    let mut wire = tokio_postgres::Config::new();
    wire.user(&config.user).dbname(&config.database);
    wire.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    let settled = Settled { binding: security.binding.clone() };
    if let Some(password) = credentials.password {
        wire.password(password.reveal());
    }
    let policy = Policy { require_auth: &config.require_auth, credentials, security };
    let mut exchange = Exchange::new(policy, &config.settings, config.versions);
    // Client and Connection hold only the gate; with them it is gone, and the stream is ours alone.
    let result = wire.connect_raw(Gate { stream, exchange: &mut exchange }, settled).await.map(drop);
    if let Some(failure) = exchange.take_failure() {
        return Err(failure);
    }
    let answer_time = exchange.answer_time.shortest();
    match result {
        Ok(()) => exchange.finish().map(|startup| (startup, answer_time)).ok_or_else(|| {
            OpenError::new(OpenErrorKind::Internal, "the startup ended before the server was ready for a query")
        }),
        Err(error) => Err(OpenError::protocol(match error.source() {
            Some(source) => format!("the startup failed: {error}: {}", quoted(&source.to_string())),
            None => format!("the startup failed: {error}"),
        })),
    }
}

/// [`start`] on any stream, with the first host's password: for tests and fuzzing.
#[doc(hidden)]
pub async fn open_on_stream<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    config: &Config,
) -> Result<Startup, OpenError> {
    let passwords = Passwords::of(config);
    let password = config.hosts.first().and_then(|host| passwords.for_host(config, &host.address));
    let credentials = Credentials {
        password: password.as_ref(),
        passfile_remark: passwords.remark(),
        oauth_token: config.oauth_token.as_ref(),
    };
    start(stream, config, credentials, Security::of_plain(&config.tls)).await.map(|(startup, _)| startup)
}
