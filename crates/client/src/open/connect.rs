//! Opening a session: the hosts in order, one deadline for everything.

use std::fmt;
use std::future::Future;
use std::io::Write;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::{Attempt, Failure, Started, is_cannot_connect_now};
use super::config::Config;
use super::error::{OpenError, OpenErrorKind};
use super::file_work;
use super::hosts::{Host, HostAddress, Password};
use super::oauth;
use super::passwords::Passwords;
use super::probe::{self, TERMINATE};
use super::progress::Progress;
use super::shuffle::shuffle;
use super::socket::{CancelTarget, Endpoint, Socket};
use super::target::TargetSessionAttrs;
use super::tls::{DefaultRoots, TlsSession};

/// An authenticated session, at its first ReadyForQuery. Dropping it closes the socket.
#[derive(Debug)]
pub struct Opened {
    /// The socket; nothing has been read from it past `leftover`.
    pub socket: Socket,
    /// What encrypts and decrypts what goes over the socket; `None` if nothing does.
    pub tls: Option<Box<TlsSession>>,
    /// How far the server is at most: how long the system took to connect the socket, about one round trip to whoever listens
    /// there, or the shortest time in which the server has answered during the startup, if that is longer.
    pub connecting: Duration,
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
    /// The host as it was named: a name, an address, or the folder of a Unix-domain socket.
    pub host: String,
    /// The port as it was named, of a Unix-domain socket as well.
    pub port: u16,
}

impl Opened {
    /// Nobody wants it: says goodbye, as far as the socket has room for that.
    pub fn leave(self) {
        let Self { mut socket, tls, .. } = self;
        let words = match tls {
            None => TERMINATE.to_vec(),
            // One that fails has nothing to say.
            Some(mut session) => {
                let _ = session.write(TERMINATE).and_then(|_| session.close());
                session.output().to_vec()
            }
        };
        let _ = match &mut socket {
            Socket::Tcp(stream) => stream.write_all(&words),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.write_all(&words),
        };
    }
}

/// What is known for one session only.
#[derive(Debug, Default)]
pub struct Particulars {
    /// The password that the application gave for this session; otherwise it is the configuration's.
    pub password: Option<Secret>,
    /// The OAuth token that the application gave for this session; otherwise it is the configuration's.
    pub oauth_token: Option<Secret>,
    /// What is left of `connectTimeoutMs`; otherwise all of it is.
    pub timeout: Option<Duration>,
    /// Node's root certificates, for configurations that want them.
    pub default_roots: Option<Arc<DefaultRoots>>,
    /// Is told how far the opening is.
    pub progress: Progress,
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

/// [`open_with`] what a configuration's JSON says ([`Config::from_json`]), of which a service file may be a part: reading it
/// belongs to the time of the opening.
///
/// # Errors
/// Those of [`Config::read`] and of [`open_with`].
pub async fn open_text(text: &str, mut particulars: Particulars) -> Result<(Opened, Arc<Config>), OpenError> {
    let started = Instant::now();
    let config = Arc::new(Config::read(text, particulars.timeout).await?);
    let timeout = particulars.timeout.or(config.connect_timeout);
    // In whole milliseconds, as errors tell it.
    let taken = Duration::from_millis(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    particulars.timeout = timeout.map(|timeout| timeout.saturating_sub(taken));
    let opened = open_with(Arc::clone(&config), particulars).await?;
    Ok((opened, config))
}

/// Opens a session on the first host that gives one of the kind that is asked for.
///
/// As in libpq, the next address or host is tried when one is not reached, breaks off, does not answer in its share
/// of the time, cannot take connections now (57P03), or is not what `targetSessionAttrs` asks for; any other refusal is
/// final. Unlike in libpq that goes for every address of a name. The time (`connectTimeoutMs`) is shared evenly by what
/// is still to be tried. With `prefer-standby` the first session elsewhere is kept until all have been tried. Dropping
/// the future leaves no connection behind.
///
/// Must run inside a tokio runtime with I/O and time.
///
/// # Errors
/// The last host's error, or one of kind [`OpenErrorKind::Target`] if a server was reached and is of the wrong kind; its
/// message and its `attempts` tell what happened at the others.
pub async fn open_with(config: Arc<Config>, particulars: Particulars) -> Result<Opened, OpenError> {
    let timeout = particulars.timeout.or(config.connect_timeout);
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let passwords = match particulars.password {
        Some(Secret(text)) => Passwords::given(text)?,
        None => {
            let (files, config) = (config.password.file().cloned().into_iter().collect(), Arc::clone(&config));
            bounded(file_work::run(files, move || Passwords::of(&config)), deadline, "to read the password file")
                .await?
        }
    };
    let oauth_token = match particulars.oauth_token {
        Some(Secret(text)) => Some(oauth::check_token(&text, "option oauthToken")?),
        None => config.oauth_token.clone(),
    };
    let mut attempts = Attempts {
        config: &config,
        passwords,
        oauth_token,
        default_roots: particulars.default_roots,
        progress: particulars.progress,
        failures: Vec::new(),
        second_best: None,
    };
    let mut hosts: Vec<&Host> = config.hosts.iter().filter(|host| is_worth_trying(host)).collect();
    // Where nobody named a host, the guesses are one.
    if config.is_balanced && !hosts.iter().any(|host| host.is_guess) {
        shuffle(&mut hosts);
    }
    for (index, host) in hosts.iter().enumerate() {
        let share = share_of(deadline, hosts.len() - index);
        if let Some(opened) = attempts.try_host(host, share).await? {
            return Ok(opened);
        }
    }
    attempts.second_best.ok_or_else(|| combined(attempts.failures, config.target))
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
    config: &'a Arc<Config>,
    passwords: Passwords,
    oauth_token: Option<Password>,
    default_roots: Option<Arc<DefaultRoots>>,
    progress: Progress,
    failures: Vec<Failure>,
    /// A session that will do if there is no better one.
    second_best: Option<Opened>,
}

impl Attempts<'_> {
    /// `None`: it failed in a way that lets the next host have a try.
    async fn try_host(&mut self, host: &Host, deadline: Option<Instant>) -> Result<Option<Opened>, OpenError> {
        let mut endpoints = match resolve(self.config, host, deadline).await {
            Ok(endpoints) => endpoints,
            Err(failure) => {
                self.failures.push(*failure);
                return Ok(None);
            }
        };
        if self.config.is_balanced {
            shuffle(&mut endpoints);
        }
        for (index, endpoint) in endpoints.iter().enumerate() {
            let share = share_of(deadline, endpoints.len() - index);
            match self.try_endpoint(host, endpoint, share).await {
                Ok(opened) => return Ok(Some(opened)),
                Err(failure) => {
                    let is_final = !is_next_tried(&failure.error);
                    self.failures.push(*failure);
                    if is_final {
                        return Err(combined(std::mem::take(&mut self.failures), self.config.target));
                    }
                }
            }
        }
        Ok(None)
    }

    async fn try_endpoint(
        &mut self,
        host: &Host,
        endpoint: &Endpoint,
        deadline: Option<Instant>,
    ) -> Result<Opened, Box<Failure>> {
        let place = place(&host.address, endpoint);
        let Self { config, passwords, oauth_token, default_roots, progress, .. } = &*self;
        let default_roots = default_roots.as_ref();
        let oauth_token = oauth_token.as_ref();
        let attempt = Attempt {
            config,
            passwords,
            oauth_token,
            default_roots,
            progress,
            host,
            endpoint,
            place: &place,
            deadline,
        };
        let mut started = attempt.start().await?;
        let target = self.config.target;
        let asking = target.mismatch(&mut started.link, &mut started.startup);
        let unfit = |error| Failure::new(error, "could not use the session at", &place);
        let mismatch = bounded(asking, deadline, "to ask whether it will do").await.map_err(unfit)?;
        let is_kept = target == TargetSessionAttrs::PreferStandby && self.second_best.is_none();
        if mismatch.is_some() && !is_kept {
            // The server hears of it by the end of the connection at the latest.
            let _ = bounded(probe::terminate(&mut started.link), deadline, "to leave").await;
        }
        let opened = |started: Started| started.into_opened(&host.address, endpoint).map_err(unfit);
        let Some(mismatch) = mismatch else { return opened(started) };
        if is_kept {
            self.second_best = Some(opened(started)?);
        }
        let wanted = target.name();
        Err(unfit(OpenError::new(OpenErrorKind::Target, format!("{mismatch}, and targetSessionAttrs is {wanted}"))))
    }
}

/// The failure that says most, which tells of the others.
fn combined(failures: Vec<Failure>, target: TargetSessionAttrs) -> OpenError {
    let attempts: Vec<OpenError> = failures.iter().map(Failure::placed).collect();
    let Some(Failure { error: mut last, .. }) = failures.into_iter().last() else {
        return OpenError::new(OpenErrorKind::Internal, "there was no host to try");
    };
    let Some((_, others)) = attempts.split_last().filter(|(_, others)| !others.is_empty()) else { return last };
    let messages = |errors: &[OpenError]| -> String {
        errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")
    };
    if is_next_tried(&last) && attempts.iter().any(|error| error.kind == OpenErrorKind::Target) {
        let message =
            format!("no server is what targetSessionAttrs ({}) asks for: {}", target.name(), messages(&attempts));
        last = OpenError::new(OpenErrorKind::Target, message);
    } else {
        last.is_unreachable = attempts.iter().all(|error| error.is_unreachable);
        last.message = format!("{} (before that: {})", last.message, messages(others));
    }
    last.attempts = attempts.into();
    last
}

fn is_next_tried(error: &OpenError) -> bool {
    match error.kind {
        OpenErrorKind::Connection => error.is_transient(),
        OpenErrorKind::Timeout | OpenErrorKind::Target => true,
        OpenErrorKind::Server => is_cannot_connect_now(error),
        _ => false,
    }
}

async fn resolve(config: &Config, host: &Host, deadline: Option<Instant>) -> Result<Vec<Endpoint>, Box<Failure>> {
    match &host.address {
        HostAddress::Tcp { name, port } => {
            let name = host.hostaddr.as_ref().unwrap_or(name);
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
                .map_err(|error| Failure::new(error, "could not find", &host.address.to_string()))
        }
        #[cfg(unix)]
        HostAddress::Unix { path, .. } => {
            Ok(vec![Endpoint::Unix { path: socket_name(path), required_peer: config.required_peer.clone() }])
        }
    }
}

/// The name by which the system knows a socket: an abstract one, which libpq writes with @, begins with a NUL byte.
#[cfg(unix)]
fn socket_name(path: &Path) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_prefix('@')) {
        Some(name) => PathBuf::from(format!("\0{name}")),
        None => path.to_owned(),
    }
}

pub(super) async fn bounded<T>(
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

/// A host with the address that its name stands for.
fn place(address: &HostAddress, endpoint: &Endpoint) -> String {
    match (address, endpoint) {
        (HostAddress::Tcp { name, .. }, Endpoint::Tcp(socket)) if *name != socket.ip().to_string() => {
            format!("{address} ({})", socket.ip())
        }
        _ => address.to_string(),
    }
}
