//! What a configuration comes to, and where each part of it comes from, for people to read; without passwords.

use serde_json::{Map, Value, json};

use super::config::{Config, Said};
use super::error::ConfigError;
use super::hosts::{Host, HostAddress};
use super::parameters::PARAMETERS;
use super::passwords::{PasswordSource, Passwords};
use super::sources::{Form, Given, Layer};

/// Where a value comes from that nobody gave.
const DEFAULT: &str = "default";

/// Keywords that have a place of their own in the result.
const PLACED: [&str; 8] =
    ["host", "hostaddr", "port", "user", "password", "dbname", "connect_timeout", "connect_timeout_ms"];

/// Keywords whose values are nobody's to see.
const SECRET: [&str; 4] = ["sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"];

/// The result of `parseDsn` in JSON, of a configuration as [`Config::from_json`] takes it:
/// `{ hosts, user, database, hasPassword, connectTimeoutMs, serverSettings, keywords, sources, remarks }`; see
/// `src/parse-dsn.ts`. The service file and the password file are read.
///
/// # Errors
/// Those of [`Config::from_json`].
pub fn explain(text: &str) -> Result<String, ConfigError> {
    let said = Said::from_json(text)?;
    let config = said.resolve()?;
    let passwords = Passwords::of(&config);
    let mut sources = Map::new();
    let mut source = |name: &str, text: String| sources.insert(name.to_owned(), Value::String(text));
    for (name, keyword) in
        [("host", "host"), ("hostaddr", "hostaddr"), ("port", "port"), ("user", "user"), ("database", "dbname")]
    {
        if let Some(given) = said.get(keyword) {
            source(name, said.source_of(given));
        } else if keyword != "hostaddr" {
            source(name, DEFAULT.to_owned());
        }
    }
    let password = password_source(&said, &config, &passwords);
    if let Some(text) = &password {
        source("password", text.clone());
    }
    source("connectTimeoutMs", said.timeout_source());

    let mut keywords = Map::new();
    for parameter in PARAMETERS {
        let keyword = parameter.keyword;
        let Some(given) = said.get(keyword).filter(|_| !PLACED.contains(&keyword)) else { continue };
        let is_secret = parameter.form == Form::Password || SECRET.contains(&keyword);
        source(keyword, said.source_of(given));
        keywords.insert(keyword.to_owned(), if is_secret { Value::Null } else { Value::from(given.text.as_str()) });
    }
    let mut settings = Map::new();
    for (name, value) in &config.settings {
        source(&format!("serverSettings.{name}"), said.setting_source(name));
        settings.insert(name.clone(), Value::from(value.as_str()));
    }
    let timeout_ms = config.connect_timeout.map_or(0.0, |timeout| timeout.as_secs_f64() * 1000.0);
    let whole = json!({
        "hosts": config.hosts.iter().map(host).collect::<Vec<_>>(),
        "user": config.user,
        "database": config.database,
        "hasPassword": password.is_some(),
        "connectTimeoutMs": timeout_ms,
        "serverSettings": settings,
        "keywords": keywords,
        "sources": sources,
        "remarks": passwords.remark().into_iter().collect::<Vec<_>>(),
    });
    Ok(whole.to_string())
}

fn host(host: &Host) -> Value {
    let mut shown = match &host.address {
        HostAddress::Tcp { name, port } => json!({ "host": name, "port": port }),
        #[cfg(unix)]
        HostAddress::Unix { directory, path, port } => {
            json!({ "host": directory.to_string_lossy(), "port": port, "path": path.to_string_lossy() })
        }
    };
    if let (Value::Object(shown), Some(address)) = (&mut shown, &host.hostaddr) {
        shown.insert("hostaddr".to_owned(), Value::from(address.as_str()));
    }
    shown
}

/// `None`: there is no password. A password file counts if it has a line for one of the hosts.
fn password_source(said: &Said, config: &Config, passwords: &Passwords) -> Option<String> {
    if let Some(given) = said.get("password") {
        return Some(said.source_of(given));
    }
    let PasswordSource::File(path) = &config.password else { return None };
    let is_known = config.hosts.iter().any(|host| passwords.for_host(config, &host.address).is_some());
    is_known.then(|| format!("password file {}", path.display()))
}

impl Said {
    /// `option host`, `dsn`, `service shop of /home/ann/.pg_service.conf`, `PGHOST`.
    fn source_of(&self, given: &Given) -> String {
        self.plain_source(&given.origin)
    }

    fn setting_source(&self, name: &str) -> String {
        let settings = |layer: &Layer| {
            let found = layer.settings.iter().rev().find(|setting| setting.name.eq_ignore_ascii_case(name));
            found.map(|setting| self.plain_source(&setting.origin))
        };
        let fallback = || self.get("fallback_application_name").map(|given| self.source_of(given));
        self.layers.iter().find_map(settings).or_else(fallback).unwrap_or_else(|| DEFAULT.to_owned())
    }

    fn timeout_source(&self) -> String {
        let given =
            self.layers.iter().find_map(|layer| layer.get("connect_timeout_ms").or(layer.get("connect_timeout")));
        given.map_or_else(|| DEFAULT.to_owned(), |given| self.source_of(given))
    }

    /// An origin says which keyword it was, which the result says by itself.
    fn plain_source(&self, origin: &str) -> String {
        match &self.service {
            Some(service) if origin.starts_with("service file ") => service.clone(),
            _ => origin.split_once(": ").map_or(origin, |(place, _)| place).to_owned(),
        }
    }
}
