//! The configuration of sessions.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::auth::RequireAuth;
use super::connect::bounded;
use super::error::{ConfigError, OpenError};
use super::file_work;
use super::hosts::{Host, Lists, Password};
use super::oauth;
use super::passwords::PasswordSource;
use super::protocol::Versions;
use super::service::{self, Service};
use super::session_options;
use super::socket::Keepalive;
use super::sources::{self, Given, Layer, Setting};
use super::ssl_option;
use super::target::TargetSessionAttrs;
use super::tls::TlsOptions;
use crate::session::SessionOptions;

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// PostgreSQL closes the connection without a word when a startup message is larger (MAX_STARTUP_PACKET_LENGTH).
const MAX_STARTUP_MESSAGE_BYTES: usize = 10_000;

/// How to open sessions: where, as whom, and with which server settings. Its `Debug` shows no password.
#[derive(Debug)]
pub struct Config {
    /// At least one, in the order in which they are tried.
    pub(super) hosts: Vec<Host>,
    /// The hosts, and the addresses of each, are tried in random order.
    pub(super) is_balanced: bool,
    pub(super) target: TargetSessionAttrs,
    pub(super) user: String,
    pub(super) database: String,
    /// For everything, from the first name look-up to the first ReadyForQuery. `None`: no limit.
    pub(super) connect_timeout: Option<Duration>,
    /// What the startup message carries besides user, database and client_encoding, `options` and
    /// `application_name` included.
    pub(super) settings: Vec<(String, String)>,
    pub(super) require_auth: RequireAuth,
    pub(super) versions: Versions,
    pub(super) keepalive: Keepalive,
    /// The system's user whom a server at a Unix-domain socket must run as.
    pub(super) required_peer: Option<String>,
    pub(super) password: PasswordSource,
    /// For servers that ask for one in place of a password.
    pub(super) oauth_token: Option<Password>,
    pub(super) tls: TlsOptions,
    pub(super) session: SessionOptions,
}

impl Config {
    /// Whom sessions are opened as.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database that sessions are opened in.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// From the JSON text that the JavaScript face makes:
    /// `{"dsn": string | null, "options": {…}, "environment": {"PGHOST": "…", …}}`.
    ///
    /// Options win over the DSN, the DSN wins over a section of the service file, that wins over the environment. A DSN
    /// is a `postgres://` or `postgresql://` URI or libpq's `key=value` pairs. The environment is libpq's variables, HOME
    /// (or APPDATA) for the password file and the service file, and USER, LOGNAME or USERNAME for the default user. The
    /// default database has the user's name; the default host is a Unix-domain socket in one of the usual directories if
    /// there is one, else localhost. The service file is read now, if a section of it is named; the password file when
    /// a session is opened, if no password is given.
    ///
    /// # Errors
    /// A value is wrong or asks for something that is not supported. The message names the option, what was expected
    /// and, unless it could be part of a password, what came.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        Said::from_json(text)?.resolve()
    }

    /// [`Config::from_json`] inside a runtime: a service file is read elsewhere than on its thread, in the time that
    /// `timeout` says, or else `connectTimeoutMs` as far as it is known without the file.
    ///
    /// # Errors
    /// Those of [`Config::from_json`], and that the time was not enough.
    pub async fn read(text: &str, timeout: Option<Duration>) -> Result<Self, OpenError> {
        let mut said = Said::without_files(text)?;
        let Some(service) = said.get("service") else { return Ok(said.resolve()?) };
        // Whichever files it may be in: it stands for them.
        let files = vec![PathBuf::from(&said.get("servicefile").unwrap_or(service).text)];
        let timeout = timeout.or(said.connect_timeout()?);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let reading = file_work::run(files, move || {
            said.add_service()?;
            said.resolve()
        });
        Ok(bounded(reading, deadline, "to read the service file").await??)
    }

    /// How the sessions work once they are open.
    #[must_use]
    pub fn session_options(&self) -> SessionOptions {
        self.session
    }

    /// For everything from the first name look-up to the first ReadyForQuery; `None` for no limit.
    #[must_use]
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// Whether servers would be verified by Node's root certificates, which are loaded only for this.
    #[must_use]
    pub fn are_node_roots_wanted(&self) -> bool {
        self.tls.are_node_roots_wanted()
    }

    /// Whether sessions are for writing, so that one that cannot write any more is of no use.
    #[must_use]
    pub fn is_for_writing(&self) -> bool {
        self.target.is_for_writing()
    }
}

/// All that is said of a connection, and by whom.
pub(super) struct Said {
    /// The strongest first.
    pub(super) layers: Vec<Layer>,
    /// What the section of the service file is called, if one is among the layers.
    pub(super) service: Option<String>,
    environment: Map<String, Value>,
    session: SessionOptions,
}

impl Said {
    /// See [`Config::from_json`].
    pub(super) fn from_json(text: &str) -> Result<Self, ConfigError> {
        let mut said = Self::without_files(text)?;
        said.add_service()?;
        Ok(said)
    }

    /// All but what a service file says.
    fn without_files(text: &str) -> Result<Self, ConfigError> {
        let json: Value = serde_json::from_str(text)
            .map_err(|_| ConfigError::new("the configuration: expected a JSON object, got malformed JSON"))?;
        let empty = Map::new();
        let part = |name: &str| match json.get(name) {
            None | Some(Value::Null) => Ok(&empty),
            Some(Value::Object(map)) => Ok(map),
            Some(_) => Err(ConfigError::new(format!("{name}: expected an object"))),
        };
        let dsn = match json.get("dsn") {
            None | Some(Value::Null) => Layer::default(),
            Some(Value::String(dsn)) => sources::from_dsn(dsn)?,
            Some(_) => return Err(ConfigError::new("dsn: expected a string")),
        };
        let (options, environment) = (part("options")?, part("environment")?);
        let layers = vec![sources::from_options(options)?, dsn, sources::from_environment(environment)?];
        let session = session_options::from_options(options)?;
        let mut said = Self { layers, service: None, environment: environment.clone(), session };
        said.heed_ssl_object();
        Ok(said)
    }

    /// Reads the section of the service file, if one is named; it is stronger than the environment only.
    fn add_service(&mut self) -> Result<(), ConfigError> {
        let Some(service) = self.get("service") else { return Ok(()) };
        let Service { layer, origin } = service::read(service, self.get("servicefile"), &self.environment)?;
        self.layers.insert(self.layers.len() - 1, layer);
        self.service = Some(origin);
        self.heed_ssl_object();
        Ok(())
    }

    /// Beside an object as the option `ssl`, the TLS of the weaker sources does not count.
    fn heed_ssl_object(&mut self) {
        let is_object = |layer: &Layer| layer.get("ssl_style").is_some_and(|style| style.text == "object");
        if let Some(index) = self.layers.iter().position(is_object) {
            for layer in &mut self.layers[index + 1..] {
                layer.forget(&ssl_option::REPLACED);
            }
        }
    }

    /// The value that counts.
    pub(super) fn get(&self, keyword: &str) -> Option<&Given> {
        self.layers.iter().find_map(|layer| layer.get(keyword))
    }

    /// What it all comes to.
    pub(super) fn resolve(&self) -> Result<Config, ConfigError> {
        let get = |keyword: &str| self.get(keyword);
        let lists = Lists { hosts: get("host"), addresses: get("hostaddr"), ports: get("port") };
        let hosts = lists.pair()?;
        refuse_unsupported(get)?;

        let user = match get("user") {
            Some(user) => user.text.clone(),
            None => system_user(&self.environment)?.ok_or_else(|| {
                ConfigError::new(
                    "option user: expected a user name, got none, \
                     and the environment has no PGUSER, USER, LOGNAME or USERNAME",
                )
            })?,
        };
        let database = get("dbname").map_or_else(|| user.clone(), |given| given.text.clone());

        let password = match get("password") {
            Some(password) => PasswordSource::Given(Password::new(password.text.clone())),
            None => {
                passfile_path(get("passfile"), &self.environment)?.map_or(PasswordSource::Nowhere, PasswordSource::File)
            }
        };

        let mut settings = merge_settings(&self.layers);
        if let Some(fallback) = get("fallback_application_name")
            && !settings.iter().any(|(name, _)| name.eq_ignore_ascii_case("application_name"))
        {
            settings.push(("application_name".to_owned(), fallback.text.clone()));
        }
        check_size(&user, &database, &settings)?;
        let require_auth = get("require_auth");
        Ok(Config {
            hosts,
            is_balanced: get("load_balance_hosts").map_or(Ok(false), is_random)?,
            target: get("target_session_attrs")
                .map_or_else(|| Ok(TargetSessionAttrs::Any), TargetSessionAttrs::parse)?,
            user,
            database,
            connect_timeout: self.connect_timeout()?,
            settings,
            require_auth: require_auth.map_or_else(|| Ok(RequireAuth::default()), RequireAuth::parse)?,
            versions: Versions::parse(get("min_protocol_version"), get("max_protocol_version"))?,
            keepalive: self.keepalive()?,
            required_peer: get("requirepeer").map(|given| given.text.clone()),
            password,
            oauth_token: get("oauth_token").map(|given| oauth::check_token(&given.text, &given.origin)).transpose()?,
            tls: TlsOptions::resolve(get, user_folder(&self.environment)?)?,
            session: self.session,
        })
    }

    /// 0 (and in libpq's, a negative number) means no limit.
    fn connect_timeout(&self) -> Result<Option<Duration>, ConfigError> {
        let given = self.duration("connect_timeout_ms", "connect_timeout")?;
        Ok(given.map_or(Some(DEFAULT_CONNECT_TIMEOUT), |timeout| Some(timeout).filter(|timeout| *timeout < FOREVER)))
    }

    /// Milliseconds of the options, or libpq's seconds: whichever is said by the stronger source. Zero and less come to
    /// [`FOREVER`].
    fn duration(&self, in_milliseconds: &str, in_seconds: &str) -> Result<Option<Duration>, ConfigError> {
        for layer in &self.layers {
            if let Some(given) = layer.get(in_milliseconds) {
                return milliseconds(given).map(Some);
            }
            if let Some(given) = layer.get(in_seconds) {
                let seconds: i32 =
                    given.text.trim().parse().map_err(|_| given.expected("a whole number of seconds"))?;
                let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
                return Ok(Some(seconds.map_or(FOREVER, Duration::from_secs)));
            }
        }
        Ok(None)
    }

    fn keepalive(&self) -> Result<Keepalive, ConfigError> {
        let whole = |keyword: &str| -> Result<Option<i32>, ConfigError> {
            let Some(given) = self.get(keyword) else { return Ok(None) };
            given.text.trim().parse().map(Some).map_err(|_| given.expected("a whole number"))
        };
        // The system counts in seconds.
        let seconds = |in_milliseconds: &str, in_seconds: &str| -> Result<Option<Duration>, ConfigError> {
            let given = self.duration(in_milliseconds, in_seconds)?.filter(|duration| *duration < FOREVER);
            Ok(given
                .map(|duration| Duration::from_millis(999).saturating_add(duration).as_secs())
                .map(Duration::from_secs))
        };
        let user_timeout = self.get("tcp_user_timeout").map(milliseconds).transpose()?;
        Ok(Keepalive {
            is_on: whole("keepalives")? != Some(0),
            idle: seconds("keepalives_idle_ms", "keepalives_idle")?,
            interval: seconds("keepalives_interval_ms", "keepalives_interval")?,
            count: whole("keepalives_count")?.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0),
            user_timeout: user_timeout.filter(|timeout| *timeout < FOREVER),
        })
    }
}

/// What does not end.
const FOREVER: Duration = Duration::MAX;

/// Zero and less, and what does not fit a Duration, come to [`FOREVER`].
fn milliseconds(given: &Given) -> Result<Duration, ConfigError> {
    let milliseconds: f64 =
        given.text.trim().parse().map_err(|_| given.expected("a number of milliseconds, 0 for no limit"))?;
    let duration = Duration::try_from_secs_f64(milliseconds / 1000.0);
    Ok(duration.ok().filter(|duration| !duration.is_zero()).unwrap_or(FOREVER))
}

fn is_random(given: &Given) -> Result<bool, ConfigError> {
    match given.text.as_str() {
        "disable" => Ok(false),
        "random" => Ok(true),
        _ => Err(given.expected("disable or random")),
    }
}

/// Options whose other values would need what is not built.
fn refuse_unsupported<'a>(get: impl Fn(&str) -> Option<&'a Given>) -> Result<(), ConfigError> {
    if let Some(given) = get("gssencmode") {
        match given.text.as_str() {
            "disable" | "prefer" => {}
            "require" => {
                let text = "require is not supported; expected disable or prefer";
                return Err(ConfigError::unsupported(format!("{}: {text}", given.origin)));
            }
            _ => return Err(given.expected("one of disable, prefer, require")),
        }
    }
    Ok(())
}

fn system_user(environment: &Map<String, Value>) -> Result<Option<String>, ConfigError> {
    for name in ["USER", "LOGNAME", "USERNAME"] {
        if let Some(user) = sources::variable_text(environment, name)? {
            return Ok(Some(user));
        }
    }
    Ok(None)
}

/// The folder of the user's own certificates (manual, "SSL Client File Usage").
fn user_folder(environment: &Map<String, Value>) -> Result<Option<PathBuf>, ConfigError> {
    let (variable, folder) = if cfg!(windows) { ("APPDATA", "postgresql") } else { ("HOME", ".postgresql") };
    Ok(sources::variable_text(environment, variable)?.map(|home| PathBuf::from(home).join(folder)))
}

fn passfile_path(given: Option<&Given>, environment: &Map<String, Value>) -> Result<Option<PathBuf>, ConfigError> {
    if let Some(given) = given {
        return Ok(Some(PathBuf::from(&given.text)));
    }
    let (variable, rest) = if cfg!(windows) { ("APPDATA", "postgresql/pgpass.conf") } else { ("HOME", ".pgpass") };
    Ok(sources::variable_text(environment, variable)?.map(|home| PathBuf::from(home).join(rest)))
}

/// The strongest value of each setting. Their names have no case, as in PostgreSQL.
fn merge_settings(layers: &[Layer]) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for Setting { name, value, .. } in layers.iter().rev().flat_map(|layer| &layer.settings) {
        let entry = (name.clone(), value.clone());
        match places.get(&name.to_ascii_lowercase()) {
            Some(&place) => merged[place] = entry,
            None => {
                places.insert(name.to_ascii_lowercase(), merged.len());
                merged.push(entry);
            }
        }
    }
    merged
}

fn check_size(user: &str, database: &str, settings: &[(String, String)]) -> Result<(), ConfigError> {
    let texts: usize = settings.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    // Length, version, `user`, `database`, `client_encoding` and `UTF8`, the NULs of all, and the last one.
    let total = texts + user.len() + database.len() + 8 + 4 + 8 + 15 + 4 + 6 + 1;
    if total > MAX_STARTUP_MESSAGE_BYTES {
        return Err(ConfigError::new(format!(
            "user, database and serverSettings: expected at most {MAX_STARTUP_MESSAGE_BYTES} bytes in all, got {total}"
        )));
    }
    Ok(())
}
