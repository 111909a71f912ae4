//! One address of one opening: with TLS and without, as far as the mode allows for both.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::auth::{Credentials, Security};
use super::config::Config;
use super::connect::{Opened, bounded};
use super::error::{OpenError, OpenErrorKind};
use super::file_work;
use super::gate::Startup;
use super::hosts::{Host, HostAddress, Password};
use super::passwords::Passwords;
use super::progress::{InStartup, Progress};
use super::socket::{CancelTarget, Endpoint, Link, Stream};
use super::startup;
use super::tls::{
    Answer, BeginError, DefaultRoots, Encryption, FailureStage, Negotiation, SslMode, TlsFailure, TlsSetup, ask,
};

/// What an attempt came to.
pub(super) struct Failure {
    pub(super) error: OpenError,
    /// What failed, and where, as far as the message does not say: a server's own words stay as they are.
    place: Option<String>,
}

impl Failure {
    pub(super) fn new(mut error: OpenError, what: &str, place: &str) -> Box<Self> {
        let place = format!("{what} {place}");
        if error.kind == OpenErrorKind::Server {
            return Box::new(Self { error, place: Some(place) });
        }
        error.message = format!("{place}: {}", error.message);
        Box::new(Self { error, place: None })
    }

    /// The error by itself, among others.
    pub(super) fn placed(&self) -> OpenError {
        let mut error = self.error.clone();
        if let Some(place) = &self.place {
            error.message = format!("{place}: {}", error.message);
        }
        error
    }

    /// The failures of both attempts at one address as one: what a server says of a password tells more than 28000, that
    /// nothing in its pg_hba.conf fits the other attempt.
    fn of_both(first: Box<Self>, second: Box<Self>) -> Box<Self> {
        let is_vague = |failure: &Self| failure.error.sqlstate.as_deref() == Some("28000");
        let is_first_better = first.error.kind == OpenErrorKind::Server && !is_vague(&first) && is_vague(&second);
        let (mut main, other) = if is_first_better { (first, second) } else { (second, first) };
        main.error.is_unreachable &= other.error.is_unreachable;
        main.error.message = format!("{} (before that: {})", main.error.message, other.error.message);
        main
    }
}

/// What one address is tried with.
pub(super) struct Attempt<'a> {
    pub(super) config: &'a Arc<Config>,
    pub(super) passwords: &'a Passwords,
    pub(super) oauth_token: Option<&'a Password>,
    pub(super) default_roots: Option<&'a Arc<DefaultRoots>>,
    pub(super) progress: &'a Progress,
    pub(super) host: &'a Host,
    pub(super) endpoint: &'a Endpoint,
    /// What errors call it.
    pub(super) place: &'a str,
    pub(super) deadline: Option<Instant>,
}

/// A session that has been started.
pub(super) struct Started {
    pub(super) link: Link,
    pub(super) startup: Startup,
    connecting: Duration,
    tls: Option<TlsSetup>,
    in_startup: InStartup,
}

impl Started {
    /// Takes it off the runtime.
    pub(super) fn into_opened(self, address: &HostAddress, endpoint: &Endpoint) -> Result<Opened, OpenError> {
        let Self { link, mut startup, connecting, tls: setup, in_startup: _in_startup } = self;
        let (socket, mut tls) = link.into_parts().map_err(|error| OpenError::io(&error))?;
        if let Some(session) = &mut tls {
            startup.leftover.extend(session.take_plaintext());
        }
        Ok(Opened {
            connecting,
            socket,
            tls,
            parameters: startup.parameters,
            backend_pid: startup.backend_pid,
            secret_key: startup.secret_key,
            transaction_status: startup.transaction_status,
            leftover: startup.leftover,
            notices: startup.notices,
            peer: CancelTarget { endpoint: endpoint.clone(), tls: setup },
            host: address.host().into_owned(),
            port: address.port(),
        })
    }
}

impl Attempt<'_> {
    pub(super) async fn start(&self) -> Result<Started, Box<Failure>> {
        let mode = match self.endpoint {
            Endpoint::Tcp(_) => self.config.tls.mode,
            // As in libpq, the mode means nothing to them.
            #[cfg(unix)]
            Endpoint::Unix { .. } => SslMode::Disable,
        };
        let first = mode.first_attempt();
        let failure = match self.start_with(first).await {
            Ok(started) => return Ok(started),
            Err(failure) => failure,
        };
        let is_worth_another = !is_cannot_connect_now(&failure.error);
        match mode.second_attempt(first, failure.error.stage).filter(|_| is_worth_another) {
            None => Err(failure),
            Some(second) => self.start_with(second).await.map_err(|second| Failure::of_both(failure, second)),
        }
    }

    /// One connection.
    async fn start_with(&self, encryption: Encryption) -> Result<Started, Box<Failure>> {
        let config = self.config;
        let began = Instant::now();
        let connecting = Stream::connect(self.endpoint, &config.keepalive);
        let stream = bounded(connecting, self.deadline, "to connect")
            .await
            .map_err(|error| Failure::new(error, "could not connect to", self.place))?;
        let connecting = began.elapsed();
        let in_startup = self.progress.begin();
        let starting = async {
            let (mut link, tls) = match encryption {
                Encryption::Plain => (Link::Plain(stream), None),
                Encryption::Tls => self.encrypt(stream).await?,
            };
            let password = self.passwords.for_host(config, &self.host.address);
            let security = match &tls {
                None => Security::of_plain(&config.tls),
                Some(setup) => Security::of_tls(&config.tls, link.channel_binding(), setup.certificate_use()),
            };
            let credentials = Credentials {
                password: password.as_ref(),
                passfile_remark: self.passwords.remark(),
                oauth_token: self.oauth_token,
            };
            let started = startup::start(&mut link, config, credentials, security).await;
            let (startup, answer_time) = started.map_err(|error| match (encryption, &tls) {
                // The server does not do TLS: asking again without changes nothing.
                (Encryption::Tls, None) => OpenError { stage: FailureStage::Other, ..error },
                _ => error,
            })?;
            let connecting = connecting.max(answer_time.unwrap_or_default());
            Ok(Started { link, startup, connecting, tls, in_startup })
        };
        bounded(starting, self.deadline, "to start the session")
            .await
            .map_err(|error| Failure::new(error, "could not open a session at", self.place))
    }

    /// Has a connection encrypted, or leaves it as it is where the server does not do that and the mode allows for it.
    async fn encrypt(&self, mut stream: Stream) -> Result<(Link, Option<TlsSetup>), OpenError> {
        let options = &self.config.tls;
        if options.mode == SslMode::VerifyFull && self.host.is_nameless && options.server_name.is_none() {
            // As in libpq: hostaddr is an address that was found out somehow, and who it belongs to is the question.
            let text =
                "hostaddr: expected a host as well, whose name sslmode=verify-full can look for in the certificate";
            return Err(OpenError::new(OpenErrorKind::Configuration, text));
        }
        if options.negotiation == Negotiation::Request && ask(&mut stream).await? == Answer::No {
            if options.mode.is_encryption_demanded() {
                let text = format!("the server does not support TLS, which sslmode={} demands", options.mode.name());
                return Err(OpenError { sqlstate: Some("08001".to_owned()), ..OpenError::connection(text) });
            }
            return Ok((Link::Plain(stream), None));
        }
        let in_handshake = |error: BeginError| OpenError { stage: FailureStage::Handshake, ..error.into_open_error() };
        let before_it = |failure: TlsFailure| OpenError { stage: failure.stage(), ..failure.into_open_error() };
        let setup = self.tls_setup().await?.map_err(before_it)?;
        let stream = setup.encrypt(stream).await;
        let writing = async {
            setup.write_keys().await;
            Ok(())
        };
        bounded(writing, self.deadline, "to write the key log").await?;
        Ok((Link::Tls(stream.map_err(in_handshake)?), Some(setup)))
    }

    /// What TLS takes, of the files as they are now.
    async fn tls_setup(&self) -> Result<Result<TlsSetup, TlsFailure>, OpenError> {
        let (config, roots) = (Arc::clone(self.config), self.default_roots.cloned());
        let address: HostAddress = self.host.address.clone();
        let reading =
            file_work::run(config.tls.files(), move || TlsSetup::new(&config.tls, roots.as_deref(), &address));
        bounded(reading, self.deadline, "to read the files and keys of TLS").await
    }
}

/// cannot_connect_now: the server starts up, shuts down or recovers.
pub(super) fn is_cannot_connect_now(error: &OpenError) -> bool {
    error.sqlstate.as_deref() == Some("57P03")
}
