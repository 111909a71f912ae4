//! Opening a session: the hosts in order, one deadline for everything.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::config::Config;
use super::error::{OpenError, OpenErrorKind};
use super::hosts::{Host, HostAddress};
use super::passwords::Passwords;
use super::socket::{CancelTarget, Endpoint, Socket, Stream};
use super::startup;

/// An authenticated session, at its first ReadyForQuery. Dropping it closes the socket.
#[derive(Debug)]
pub struct Opened {
    /// The socket; nothing has been read from it past `leftover`.
    pub socket: Socket,
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
    let mut attempts = Attempts { config: &config, passwords, failures: Vec::new() };
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

    async fn try_endpoint(
        &self,
        host: &Host,
        endpoint: &Endpoint,
        deadline: Option<Instant>,
    ) -> Result<Opened, OpenError> {
        let place = place(&host.address, endpoint);
        let connecting =
            async { Stream::connect(endpoint, &self.config.keepalive).await.map_err(|error| OpenError::io(&error)) };
        let mut stream = bounded(connecting, deadline, "to connect")
            .await
            .map_err(|error| told_of(error, "could not connect to", &place))?;
        let password = self.passwords.for_host(self.config, &host.address);
        let starting = startup::start(&mut stream, self.config, password.as_ref(), self.passwords.remark());
        let startup = bounded(starting, deadline, "to start the session")
            .await
            .map_err(|error| told_of(error, "could not open a session at", &place))?;
        Ok(Opened {
            socket: stream.into_socket().map_err(|error| OpenError::io(&error))?,
            parameters: startup.parameters,
            backend_pid: startup.backend_pid,
            secret_key: startup.secret_key,
            transaction_status: startup.transaction_status,
            leftover: startup.leftover,
            notices: startup.notices,
            peer: CancelTarget { endpoint: endpoint.clone() },
        })
    }
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
        // cannot_connect_now: the server starts up, shuts down or recovers.
        OpenErrorKind::Server => error.sqlstate.as_deref() == Some("57P03"),
        _ => false,
    }
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
