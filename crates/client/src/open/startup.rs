//! The startup of a session on a connected stream, by tokio-postgres behind the gate.

use std::error::Error;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;

use super::auth::Policy;
use super::config::Config;
use super::error::{OpenError, OpenErrorKind};
use super::gate::{Exchange, Gate, Startup};
use super::hosts::Password;
use super::messages::quoted;
use super::passwords::Passwords;

/// Starts a session. Afterwards `stream` has been read exactly as far as `Startup::leftover` goes.
pub(super) async fn start<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    config: &Config,
    password: Option<&Password>,
    passfile_remark: Option<&str>,
) -> Result<Startup, OpenError> {
    let mut wire = tokio_postgres::Config::new();
    wire.user(&config.user).dbname(&config.database).ssl_mode(SslMode::Disable);
    if let Some(password) = password {
        wire.password(password.reveal());
    }
    let policy = Policy { require_auth: &config.require_auth, has_password: password.is_some(), passfile_remark };
    let mut exchange = Exchange::new(policy, &config.settings, config.versions);
    // Client and Connection hold only the gate; with them it is gone, and the stream is ours alone.
    let result = wire.connect_raw(Gate { stream, exchange: &mut exchange }, NoTls).await.map(drop);
    if let Some(failure) = exchange.take_failure() {
        return Err(failure);
    }
    match result {
        Ok(()) => exchange.finish().ok_or_else(|| {
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
    start(stream, config, password.as_ref(), passwords.remark()).await
}
