//! The configuration of sessions.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::auth::RequireAuth;
use super::error::ConfigError;
use super::hosts::{self, Host, Password};
use super::passwords::PasswordSource;
use super::session_options;
use super::socket::Keepalive;
use super::sources::{self, Given, Layer};
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
    pub(super) user: String,
    pub(super) database: String,
    /// For everything, from the first name look-up to the first ReadyForQuery. `None`: no limit.
    pub(super) connect_timeout: Option<Duration>,
    /// What the startup message carries besides user, database and client_encoding, `options` and
    /// `application_name` included.
    pub(super) settings: Vec<(String, String)>,
    pub(super) require_auth: RequireAuth,
    pub(super) keepalive: Keepalive,
    pub(super) password: PasswordSource,
    pub(super) tls: TlsOptions,
    pub(super) session: SessionOptions,
}

impl Config {
    /// From the JSON text that the JavaScript face makes:
    /// `{"dsn": string | null, "options": {…}, "environment": {"PGHOST": "…", …}}`.
    ///
    /// Options win over the DSN, the DSN wins over the environment. A DSN is a `postgres://` or `postgresql://` URI or
    /// libpq's `key=value` pairs. The environment is libpq's variables, HOME (or APPDATA) for the password file, and
    /// USER, LOGNAME or USERNAME for the default user. The default database has the user's name; the default host is
    /// a Unix-domain socket in one of the usual directories if there is one, else localhost. The password file is
    /// read when a session is opened, if no password is given.
    ///
    /// # Errors
    /// A value is wrong or asks for something that is not supported. The message names the option, what was expected
    /// and, unless it could be part of a password, what came.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
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
        let environment = part("environment")?;
        let options = part("options")?;
        let layers = [sources::from_options(options)?, dsn, sources::from_environment(environment)?];
        resolve(&layers, environment, session_options::from_options(options)?)
    }

    /// How the sessions work once they are open.
    #[must_use]
    pub fn session_options(&self) -> SessionOptions {
        self.session
    }

    /// Whether servers would be verified by Node's root certificates, which are loaded only for this.
    #[must_use]
    pub fn are_node_roots_wanted(&self) -> bool {
        self.tls.are_node_roots_wanted()
    }

    /// For everything from the first name look-up to the first ReadyForQuery; `None` for no limit.
    #[must_use]
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }
}

fn resolve(
    layers: &[Layer; 3],
    environment: &Map<String, Value>,
    session: SessionOptions,
) -> Result<Config, ConfigError> {
    let get = |keyword: &str| layers.iter().find_map(|layer| layer.get(keyword));
    refuse_unsupported(get)?;

    let user = match get("user") {
        Some(user) => user.text.clone(),
        None => system_user(environment)?.ok_or_else(|| {
            ConfigError::new(
                "option user: expected a user name, got none, \
                 and the environment has no PGUSER, USER, LOGNAME or USERNAME",
            )
        })?,
    };
    let database = get("dbname").map_or_else(|| user.clone(), |given| given.text.clone());

    let hosts = hosts::from_lists(get("host"), get("port"))?;
    let tls = TlsOptions::resolve(get, user_folder(environment)?)?;

    let password = match get("password") {
        Some(password) => PasswordSource::Given(Password::new(password.text.clone())),
        None => passfile_path(get("passfile"), environment)?.map_or(PasswordSource::Nowhere, PasswordSource::File),
    };

    let mut settings = merge_settings(layers);
    if let Some(fallback) = get("fallback_application_name")
        && !settings.iter().any(|(name, _)| name.eq_ignore_ascii_case("application_name"))
    {
        settings.push(("application_name".to_owned(), fallback.text.clone()));
    }
    check_size(&user, &database, &settings)?;
    let require_auth = get("require_auth");
    Ok(Config {
        hosts,
        user,
        database,
        connect_timeout: connect_timeout(layers)?,
        settings,
        require_auth: require_auth
            .map_or_else(|| Ok(RequireAuth::default()), |given| RequireAuth::parse(&given.text, &given.origin))?,
        keepalive: keepalive(get)?,
        password,
        tls,
        session,
    })
}

/// Options whose other values would need what is not built.
fn refuse_unsupported<'a>(get: impl Fn(&str) -> Option<&'a Given>) -> Result<(), ConfigError> {
    // Keyword, values that ask for nothing, values that exist.
    let rules: [(&str, &[&str], &[&str]); 3] = [
        ("target_session_attrs", &["any"], &["any", "read-write", "read-only", "primary", "standby", "prefer-standby"]),
        ("load_balance_hosts", &["disable"], &["disable", "random"]),
        ("gssencmode", &["disable", "prefer"], &["disable", "prefer", "require"]),
    ];
    for (keyword, harmless, known) in rules {
        let Some(given) = get(keyword).filter(|given| !harmless.contains(&given.text.as_str())) else { continue };
        if !known.contains(&given.text.as_str()) {
            return Err(given.expected(&format!("one of {}", known.join(", "))));
        }
        return Err(ConfigError::unsupported(format!(
            "{}: {} is not supported yet; expected {}",
            given.origin,
            given.text,
            harmless.join(" or ")
        )));
    }
    for keyword in ["service", "servicefile", "hostaddr"] {
        if let Some(given) = get(keyword) {
            return Err(ConfigError::unsupported(format!("{} is not supported", given.origin)));
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

/// Milliseconds of the options, or libpq's seconds; 0 (and in libpq's, a negative number) means no limit.
fn connect_timeout(layers: &[Layer; 3]) -> Result<Option<Duration>, ConfigError> {
    for layer in layers {
        if let Some(given) = layer.get("connect_timeout_ms") {
            let milliseconds: f64 =
                given.text.parse().map_err(|_| given.expected("a number of milliseconds, 0 for no limit"))?;
            // What does not fit a Duration is no limit either.
            return Ok(Duration::try_from_secs_f64(milliseconds / 1000.0).ok().filter(|timeout| !timeout.is_zero()));
        }
        if let Some(given) = layer.get("connect_timeout") {
            let seconds: i32 = given.text.trim().parse().map_err(|_| given.expected("a whole number of seconds"))?;
            return Ok(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs));
        }
    }
    Ok(Some(DEFAULT_CONNECT_TIMEOUT))
}

fn keepalive<'a>(get: impl Fn(&str) -> Option<&'a Given>) -> Result<Keepalive, ConfigError> {
    let number = |keyword: &str| -> Result<Option<u32>, ConfigError> {
        let Some(given) = get(keyword) else { return Ok(None) };
        let number: u32 =
            given.text.trim().parse().map_err(|_| given.expected("a whole number, 0 for the system's default"))?;
        Ok(Some(number).filter(|number| *number > 0))
    };
    let is_off = get("keepalives").is_some_and(|given| given.text.trim() == "0");
    let seconds = |number: Option<u32>| number.map(|seconds| Duration::from_secs(seconds.into()));
    Ok(Keepalive {
        is_on: !is_off,
        idle: seconds(number("keepalives_idle")?),
        interval: seconds(number("keepalives_interval")?),
        count: number("keepalives_count")?,
    })
}

/// The strongest value of each setting. Their names have no case, as in PostgreSQL.
fn merge_settings(layers: &[Layer; 3]) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (name, value) in layers.iter().rev().flat_map(|layer| &layer.settings) {
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
