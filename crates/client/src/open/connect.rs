//! Opening a session: the hosts in order, one deadline for everything.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::auth::Security;
use super::config::Config;
use super::error::{OpenError, OpenErrorKind};
use super::hosts::{Host, HostAddress};
use super::passwords::Passwords;
use super::socket::{CancelTarget, Endpoint, Link, Socket, Stream};
use super::startup;
use super::tls::{
    Answer, BeginError, DefaultRoots, Encryption, FailureStage, Negotiation, SslMode, TlsSession, TlsSetup, ask,
};

/// An authenticated session, at its first ReadyForQuery. Dropping it closes the socket.
#[derive(Debug)]
pub struct Opened {
    /// The socket; nothing has been read from it past `leftover`.
    pub socket: Socket,
    /// What encrypts and decrypts what goes over the socket; `None` if nothing does.
    pub tls: Option<Box<TlsSession>>,
    /// What the server reported by ParameterStatus: the latest value of each name.
    pub parameters: Vec<(String, String)>,
    /// The backend's process ID; 0 if the server told none.
    pub backend_pid: i32,
    /// The secret key for cancel requests, 4 to 256 bytes; empty if the server told none.
    pub secret_key: Vec<u8>,
    /// `I`, `T` or `E`, of the first ReadyForQuery.
    pub transaction_status: u8,
    /// Bytes that the session engine must be given before what it reads from the socket.
    pub leftover: Vec<u8>,
    /// The notices of the startup, each by its fields' codes (manual, "Error and Notice Message Fields").
    pub notices: Vec<Vec<(u8, String)>>,
    /// Where cancel requests go.
    pub peer: CancelTarget,
}

/// What is known for one session only.
#[derive(Debug, Default)]
pub struct Particulars {
    /// The password that the application gave for this session; otherwise it is the configuration's.
    pub password: Option<Secret>,
    /// What is left of `connectTimeoutMs`; otherwise all of it is.
    pub timeout: Option<Duration>,
    /// Node's root certificates, for configurations that want them.
    pub default_roots: Option<Arc<DefaultRoots>>,
}

/// A secret on its way; it does not show itself.
#[derive(Clone)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// [`open_with`] what the configuration says.
///
/// # Errors
/// Those of [`open_with`].
pub async fn open(config: Arc<Config>) -> Result<Opened, OpenError> {
    open_with(config, Particulars::default()).await
}

/// Opens a session on the first host that gives one.
///
/// As in libpq, the next address or host is tried when one is not reached, breaks off, does not answer in its share
/// of the time, or cannot take connections now (57P03); any other refusal is final. The time (`connectTimeoutMs`) is
/// shared evenly by what is still to be tried. Dropping the future leaves no connection behind.
///
/// Must run inside a tokio runtime with I/O and time.
///
/// # Errors
/// The last host's error; its message tells what happened at the others.
pub async fn open_with(config: Arc<Config>, particulars: Particulars) -> Result<Opened, OpenError> {
    let timeout = particulars.timeout.or(config.connect_timeout);
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let passwords = match particulars.password {
        Some(Secret(text)) => Passwords::given(text)?,
        None => Passwords::of(&config),
    };
    let mut attempts =
        Attempts { config: &config, passwords, default_roots: particulars.default_roots, failures: Vec::new() };
    let hosts: Vec<&Host> = config.hosts.iter().filter(|host| is_worth_trying(host)).collect();
    for (index, host) in hosts.iter().enumerate() {
        let share = share_of(deadline, hosts.len() - index);
        if let Some(opened) = attempts.try_host(host, share).await? {
            return Ok(opened);
        }
    }
    Err(combined(attempts.failures))
}

/// A socket that nobody named is tried only if it is there.
fn is_worth_trying(host: &Host) -> bool {
    match &host.address {
        HostAddress::Tcp { .. } => true,
        #[cfg(unix)]
        HostAddress::Unix { path, .. } => !host.is_guess || path.exists(),
    }
}

/// The deadline of the next of `count` attempts that have the time until `deadline` together.
fn share_of(deadline: Option<Instant>, count: usize) -> Option<Instant> {
    let now = Instant::now();
    let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    deadline.map(|deadline| now + deadline.saturating_duration_since(now) / count)
}

/// The attempts of one opening.
struct Attempts<'a> {
    config: &'a Config,
    passwords: Passwords,
    default_roots: Option<Arc<DefaultRoots>>,
    failures: Vec<OpenError>,
}

impl Attempts<'_> {
    /// `None`: it failed in a way that lets the next host have a try.
    async fn try_host(&mut self, host: &Host, deadline: Option<Instant>) -> Result<Option<Opened>, OpenError> {
        let endpoints = match resolve(&host.address, deadline).await {
            Ok(endpoints) => endpoints,
            Err(error) => {
                self.failures.push(error);
                return Ok(None);
            }
        };
        for (index, endpoint) in endpoints.iter().enumerate() {
            let share = share_of(deadline, endpoints.len() - index);
            match self.try_endpoint(host, endpoint, share).await {
                Ok(opened) => return Ok(Some(opened)),
                Err(error) if !is_next_tried(&error) => {
                    self.failures.push(error);
                    return Err(combined(std::mem::take(&mut self.failures)));
                }
                Err(error) => self.failures.push(error),
            }
        }
        Ok(None)
    }

    /// Tries an address with and without TLS, as far as the mode allows for both.
    async fn try_endpoint(
        &self,
        host: &Host,
        endpoint: &Endpoint,
        deadline: Option<Instant>,
    ) -> Result<Opened, OpenError> {
        let mode = match endpoint {
            Endpoint::Tcp(_) => self.config.tls.mode,
            // As in libpq, the mode means nothing to them.
            #[cfg(unix)]
            Endpoint::Unix(_) => SslMode::Disable,
        };
        let first = mode.first_attempt();
        let error = match self.attempt(host, endpoint, first, deadline).await {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        match mode.second_attempt(first, error.stage).filter(|_| !is_cannot_connect_now(&error)) {
            None => Err(error),
            Some(second) => {
                let result = self.attempt(host, endpoint, second, deadline).await;
                result.map_err(|second| combined(more_telling_last(error, second)))
            }
        }
    }

    /// One connection.
    async fn attempt(
        &self,
        host: &Host,
        endpoint: &Endpoint,
        encryption: Encryption,
        deadline: Option<Instant>,
    ) -> Result<Opened, OpenError> {
        let place = place(&host.address, endpoint);
        let connecting =
            async { Stream::connect(endpoint, &self.config.keepalive).await.map_err(|error| OpenError::io(&error)) };
        let stream = bounded(connecting, deadline, "to connect")
            .await
            .map_err(|error| told_of(error, "could not connect to", &place))?;
        let starting = async {
            let (mut link, setup) = match encryption {
                Encryption::Plain => (Link::Plain(stream), None),
                Encryption::Tls => self.encrypt(stream, &host.address).await?,
            };
            let password = self.passwords.for_host(self.config, &host.address);
            let security = match &setup {
                None => Security::of_plain(&self.config.tls),
                Some(setup) => Security::of_tls(&self.config.tls, link.channel_binding(), setup.certificate_use()),
            };
            let remark = self.passwords.remark();
            let started = startup::start(&mut link, self.config, password.as_ref(), remark, security).await;
            let startup = started.map_err(|error| match (encryption, &setup) {
                // The server does not do TLS: asking again without changes nothing.
                (Encryption::Tls, None) => OpenError { stage: FailureStage::Other, ..error },
                _ => error,
            })?;
            Ok((startup, link, setup))
        };
        let (mut startup, link, setup) = bounded(starting, deadline, "to start the session")
            .await
            .map_err(|error| told_of(error, "could not open a session at", &place))?;
        let (socket, mut tls) = link.into_parts().map_err(|error| OpenError::io(&error))?;
        if let Some(session) = &mut tls {
            startup.leftover.extend(session.take_plaintext());
        }
        Ok(Opened {
            socket,
            tls,
            parameters: startup.parameters,
            backend_pid: startup.backend_pid,
            secret_key: startup.secret_key,
            transaction_status: startup.transaction_status,
            leftover: startup.leftover,
            notices: startup.notices,
            peer: CancelTarget { endpoint: endpoint.clone(), tls: setup },
        })
    }

    /// Has a connection encrypted, or leaves it as it is where the server does not do that and the mode allows for it.
    async fn encrypt(&self, mut stream: Stream, address: &HostAddress) -> Result<(Link, Option<TlsSetup>), OpenError> {
        let options = &self.config.tls;
        if options.negotiation == Negotiation::Request && ask(&mut stream).await? == Answer::No {
            if options.mode.is_encryption_demanded() {
                let text = format!("the server does not support TLS, which sslmode={} demands", options.mode.name());
                return Err(OpenError { sqlstate: Some("08001".to_owned()), ..OpenError::connection(text) });
            }
            return Ok((Link::Plain(stream), None));
        }
        let in_handshake = |error: BeginError| OpenError { stage: FailureStage::Handshake, ..error.into_open_error() };
        let setup = TlsSetup::new(options, self.default_roots.as_deref(), address)
            .map_err(|failure| in_handshake(failure.into()))?;
        let stream = setup.encrypt(stream).await.map_err(in_handshake)?;
        Ok((Link::Tls(stream), Some(setup)))
    }
}

/// The failures of two attempts at one address, the one to be reported last: what a server says of a password tells more
/// than 28000, that nothing in its pg_hba.conf fits the other attempt.
fn more_telling_last(first: OpenError, second: OpenError) -> Vec<OpenError> {
    let is_vague = |error: &OpenError| error.sqlstate.as_deref() == Some("28000");
    let is_first_better = first.kind == OpenErrorKind::Server && !is_vague(&first) && is_vague(&second);
    if is_first_better { vec![second, first] } else { vec![first, second] }
}

/// The last failure, which tells of the others.
fn combined(mut failures: Vec<OpenError>) -> OpenError {
    let Some(mut last) = failures.pop() else {
        return OpenError::new(OpenErrorKind::Internal, "there was no host to try");
    };
    if !failures.is_empty() {
        last.is_unreachable &= failures.iter().all(|failure| failure.is_unreachable);
        let others: Vec<String> = failures.into_iter().map(|error| error.message).collect();
        last.message = format!("{} (before that: {})", last.message, others.join("; "));
    }
    last
}

fn is_next_tried(error: &OpenError) -> bool {
    match error.kind {
        OpenErrorKind::Connection => error.is_transient(),
        OpenErrorKind::Timeout => true,
        OpenErrorKind::Server => is_cannot_connect_now(error),
        _ => false,
    }
}

/// cannot_connect_now: the server starts up, shuts down or recovers.
fn is_cannot_connect_now(error: &OpenError) -> bool {
    error.sqlstate.as_deref() == Some("57P03")
}

async fn resolve(address: &HostAddress, deadline: Option<Instant>) -> Result<Vec<Endpoint>, OpenError> {
    match address {
        HostAddress::Tcp { name, port } => {
            let looking_up = async {
                let addresses = tokio::net::lookup_host((name.as_str(), *port))
                    .await
                    .map_err(|error| OpenError::with_cause(error.to_string(), Some("ENOTFOUND")))?;
                let mut endpoints: Vec<Endpoint> = Vec::new();
                for endpoint in addresses.map(Endpoint::Tcp) {
                    if !endpoints.contains(&endpoint) {
                        endpoints.push(endpoint);
                    }
                }
                Ok(endpoints)
            };
            bounded(looking_up, deadline, "to look the name up")
                .await
                .map_err(|error| told_of(error, "could not find", &address.to_string()))
        }
        #[cfg(unix)]
        HostAddress::Unix { path, .. } => Ok(vec![Endpoint::Unix(path.clone())]),
    }
}

async fn bounded<T>(
    work: impl Future<Output = Result<T, OpenError>>,
    deadline: Option<Instant>,
    what: &str,
) -> Result<T, OpenError> {
    let Some(deadline) = deadline else { return work.await };
    let started = Instant::now();
    match tokio::time::timeout_at(deadline, work).await {
        Ok(result) => result,
        Err(_) => {
            let allowed: Duration = deadline.saturating_duration_since(started);
            Err(OpenError::new(
                OpenErrorKind::Timeout,
                format!("{} ms of connectTimeoutMs were not enough {what}", allowed.as_millis()),
            ))
        }
    }
}

/// Says in the message where it happened. A server's own words stay as they are.
fn told_of(mut error: OpenError, what: &str, place: &str) -> OpenError {
    if error.kind != OpenErrorKind::Server {
        error.message = format!("{what} {place}: {}", error.message);
    }
    error
}

/// A host with the address that its name stands for.
fn place(address: &HostAddress, endpoint: &Endpoint) -> String {
    match (address, endpoint) {
        (HostAddress::Tcp { name, .. }, Endpoint::Tcp(socket)) if *name != socket.ip().to_string() => {
            format!("{address} ({})", socket.ip())
        }
        _ => address.to_string(),
    }
}
