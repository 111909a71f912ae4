//! Where a configuration comes from: options over DSN over environment.
//!
//! Each source becomes a [`Layer`] of texts under libpq's keywords, so that what follows need not know who said it.

use serde_json::{Map, Value};

use super::dsn;
use super::error::ConfigError;

/// A value as it was given.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) text: String,
    /// Who said it, for errors: `option port`, `PGPORT` …
    pub(super) origin: String,
    /// Whether an error may repeat it.
    pub(super) is_shown: bool,
}

impl Given {
    pub(super) fn expected(&self, what: &str) -> ConfigError {
        if self.is_shown {
            ConfigError::new(format!("{}: expected {what}, got {:?}", self.origin, self.text))
        } else {
            // A slip in a URL makes a piece of the password a port.
            ConfigError::new(format!(
                "{}: expected {what}; reserved characters in a URL's user or password must be percent-encoded",
                self.origin
            ))
        }
    }
}

/// What one source says.
#[derive(Default)]
pub(super) struct Layer {
    values: Vec<(&'static str, Given)>,
    /// Server settings, a later one of the same name overriding.
    pub(super) settings: Vec<(String, String)>,
}

impl Layer {
    pub(super) fn get(&self, keyword: &str) -> Option<&Given> {
        self.values
            .iter()
            .rev()
            .find(|(known, given)| *known == keyword && !given.text.is_empty())
            .map(|(_, given)| given)
    }

    fn add(&mut self, keyword: &'static str, text: String, origin: String, is_shown: bool) -> Result<(), ConfigError> {
        check_nul(&text, &origin)?;
        let is_shown = is_shown && keyword != "password";
        self.values.push((keyword, Given { text, origin, is_shown }));
        Ok(())
    }

    fn set(&mut self, name: &str, value: String, origin: &str) -> Result<(), ConfigError> {
        check_setting(name, &value, origin)?;
        if name.eq_ignore_ascii_case("client_encoding") {
            // Ours is sent anyway, and is the same.
            return Ok(());
        }
        self.settings.push((name.to_owned(), value));
        Ok(())
    }
}

fn check_nul(text: &str, origin: &str) -> Result<(), ConfigError> {
    if text.contains('\0') {
        return Err(ConfigError::new(format!("{origin}: expected a text without NUL bytes, got one with a NUL byte")));
    }
    Ok(())
}

fn check_setting(name: &str, value: &str, origin: &str) -> Result<(), ConfigError> {
    check_nul(name, origin)?;
    check_nul(value, &format!("{origin}: the server setting {name}"))?;
    match name.to_ascii_lowercase().as_str() {
        "" => Err(ConfigError::new(format!("{origin}: expected the name of a server setting, got an empty one"))),
        "user" | "database" | "password" => Err(ConfigError::new(format!(
            "{origin}: {name} is not a server setting; expected the option {}",
            name.to_ascii_lowercase()
        ))),
        "replication" => Err(ConfigError::unsupported(format!("{origin}: replication connections are not supported"))),
        "client_encoding" if !matches!(value.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "unicode" | "auto") => {
            Err(ConfigError::unsupported(format!("{origin}: expected the client_encoding UTF8, got {value:?}")))
        }
        lower if lower.starts_with("_pq_.") => {
            Err(ConfigError::unsupported(format!("{origin}: the protocol option {name:?} is not supported")))
        }
        _ => Ok(()),
    }
}

/// Options by their JavaScript names.
const OPTIONS: [(&str, &str); 15] = [
    ("host", "host"),
    ("port", "port"),
    ("user", "user"),
    ("password", "password"),
    ("database", "dbname"),
    ("passfile", "passfile"),
    ("connectTimeoutMs", "connect_timeout_ms"),
    ("ssl", "sslmode"),
    ("sslNegotiation", "sslnegotiation"),
    ("requireAuth", "require_auth"),
    ("channelBinding", "channel_binding"),
    ("targetSessionAttrs", "target_session_attrs"),
    ("loadBalanceHosts", "load_balance_hosts"),
    ("service", "service"),
    ("servicefile", "service"),
];

/// The options object.
pub(super) fn from_options(options: &Map<String, Value>) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (name, value) in options {
        let origin = format!("option {name}");
        match (name.as_str(), value) {
            // The session's own: see `session_options.rs`.
            ("statementCacheSize", _) | (_, Value::Null) => {}
            ("serverSettings", value) => {
                let settings = value.as_object().ok_or_else(|| unexpected(&origin, "an object", value))?;
                for (setting, value) in settings {
                    let text = match value {
                        Value::Null => continue,
                        Value::String(text) => text.clone(),
                        Value::Number(number) => number.to_string(),
                        Value::Bool(flag) => flag.to_string(),
                        other => {
                            let origin = format!("{origin}: {setting}");
                            return Err(unexpected(&origin, "a string, a number or a boolean", other));
                        }
                    };
                    layer.set(setting, text, &origin)?;
                }
            }
            ("applicationName", value) => {
                let text = value.as_str().ok_or_else(|| unexpected(&origin, "a string", value))?;
                layer.set("application_name", text.to_owned(), &origin)?;
            }
            (name, value) => {
                let keyword = OPTIONS.iter().find(|(known, _)| *known == name).map(|(_, keyword)| *keyword);
                let keyword = keyword.ok_or_else(|| {
                    ConfigError::new(format!(
                        "option {name}: expected the name of an option, and there is none like it"
                    ))
                })?;
                layer.add(keyword, option_text(keyword, value, &origin)?, origin, true)?;
            }
        }
    }
    let names = layer.settings.iter().filter(|(name, _)| name.eq_ignore_ascii_case("application_name"));
    if names.count() > 1 {
        return Err(ConfigError::new("option applicationName: serverSettings.application_name is given as well"));
    }
    Ok(layer)
}

/// An option's value as the text that libpq's keyword would have.
fn option_text(keyword: &str, value: &Value, origin: &str) -> Result<String, ConfigError> {
    let number = |value: &Value| value.as_u64().map(|number| number.to_string());
    match keyword {
        "host" => list(value, "a string or an array of strings", origin, |item| {
            item.as_str().filter(|host| !value.is_array() || !host.contains(',')).map(str::to_owned)
        }),
        "port" => list(value, "a port from 1 to 65535, or an array of them", origin, |item| {
            number(item).or_else(|| item.as_str().map(str::to_owned))
        }),
        "require_auth" => {
            list(value, "a string or an array of strings", origin, |item| item.as_str().map(str::to_owned))
        }
        "connect_timeout_ms" => match value.as_f64() {
            Some(milliseconds) if milliseconds >= 0.0 => Ok(milliseconds.to_string()),
            _ => Err(unexpected(origin, "a number of milliseconds, 0 for no limit", value)),
        },
        "sslmode" => match value {
            Value::Bool(false) => Ok("disable".to_owned()),
            // With any TLS configuration, encryption is wanted.
            Value::Bool(true) | Value::Object(_) => Ok("verify-full".to_owned()),
            Value::String(mode) => Ok(mode.clone()),
            other => Err(unexpected(origin, "a boolean, an object or one of libpq's sslmodes", other)),
        },
        // A value of the wrong type must not show either: it is still a password.
        "password" => value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| ConfigError::new(format!("{origin}: expected a string, got {}", type_name(value)))),
        _ => value.as_str().map(str::to_owned).ok_or_else(|| unexpected(origin, "a string", value)),
    }
}

/// One item or an array of items, as a comma-separated list.
fn list(
    value: &Value,
    expected: &str,
    origin: &str,
    text: impl Fn(&Value) -> Option<String>,
) -> Result<String, ConfigError> {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    if items.is_empty() {
        return Err(ConfigError::new(format!("{origin}: expected {expected}, got an empty array")));
    }
    let texts: Option<Vec<String>> = items.iter().map(text).collect();
    Ok(texts.ok_or_else(|| unexpected(origin, expected, value))?.join(","))
}

pub(super) fn unexpected(origin: &str, expected: &str, value: &Value) -> ConfigError {
    let got = match value {
        Value::Array(_) | Value::Object(_) => type_name(value).to_owned(),
        other => other.to_string(),
    };
    ConfigError::new(format!("{origin}: expected {expected}, got {got}"))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Keywords of a DSN that are read (manual, "Parameter Key Words"), besides aliases.
const KEYWORDS: [&str; 19] = [
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "passfile",
    "connect_timeout",
    "sslmode",
    "sslnegotiation",
    "require_auth",
    "channel_binding",
    "gssencmode",
    "target_session_attrs",
    "load_balance_hosts",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "fallback_application_name",
];

/// Keywords that would change what a session is, or how safe: ignoring them would be wrong.
const UNSUPPORTED_KEYWORDS: [&str; 16] = [
    "hostaddr",
    "service",
    "servicefile",
    "requirepeer",
    "tcp_user_timeout",
    "min_protocol_version",
    "scram_client_key",
    "scram_server_key",
    "oauth_issuer",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_scope",
    "sslcert",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
];

/// Keywords that mean nothing to a session in the clear by a password.
const IGNORED_KEYWORDS: [&str; 14] = [
    "sslkey",
    "sslpassword",
    "sslcompression",
    "sslsni",
    "sslcertmode",
    "sslkeylogfile",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "max_protocol_version",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "requiressl",
    "oauth_ca_file",
];

/// A DSN. A keyword that libpq does not know is a server setting, as in asyncpg.
pub(super) fn from_dsn(text: &str) -> Result<Layer, ConfigError> {
    check_nul(text, "dsn")?;
    let mut layer = Layer::default();
    for (keyword, value) in dsn::parse(text)? {
        let origin = format!("dsn: {keyword}");
        let keyword = match keyword.as_str() {
            "database" => "dbname",
            "ssl" => "sslmode",
            other => other,
        };
        let known = KEYWORDS.into_iter().find(|known| *known == keyword);
        if let Some(known) = known {
            let value = match (known, value.as_str()) {
                ("sslmode", "true" | "1") => "require".to_owned(),
                ("sslmode", "false" | "0") => "disable".to_owned(),
                _ => value,
            };
            layer.add(known, value, origin, known != "port")?;
        } else if UNSUPPORTED_KEYWORDS.contains(&keyword) {
            return Err(ConfigError::unsupported(format!("{origin} is not supported")));
        } else if !IGNORED_KEYWORDS.contains(&keyword) {
            layer.set(keyword, value, "dsn")?;
        }
    }
    Ok(layer)
}

/// Environment variables that are read (manual, "Environment Variables").
const VARIABLES: [(&str, &str); 16] = [
    ("PGHOST", "host"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGDATABASE", "dbname"),
    ("PGPASSFILE", "passfile"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGSERVICE", "service"),
    ("PGHOSTADDR", "hostaddr"),
];

const SETTING_VARIABLES: [(&str, &str); 3] =
    [("PGAPPNAME", "application_name"), ("PGOPTIONS", "options"), ("PGTZ", "TimeZone")];

/// The environment. Variables that are empty count as not set.
pub(super) fn from_environment(environment: &Map<String, Value>) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (variable, keyword) in VARIABLES {
        if let Some(text) = variable_text(environment, variable)? {
            layer.add(keyword, text, variable.to_owned(), true)?;
        }
    }
    for (variable, name) in SETTING_VARIABLES {
        if let Some(text) = variable_text(environment, variable)? {
            layer.set(name, text, variable)?;
        }
    }
    Ok(layer)
}

/// A variable that is set to something.
pub(super) fn variable_text(environment: &Map<String, Value>, name: &str) -> Result<Option<String>, ConfigError> {
    match environment.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => {
            check_nul(text, name)?;
            Ok(Some(text.clone()))
        }
        Some(other) => {
            Err(ConfigError::new(format!("environment variable {name}: expected a string, got {}", type_name(other))))
        }
    }
}
