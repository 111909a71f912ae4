//! The option `ssl`: a boolean, one of libpq's modes, or an object in the manner of `node:tls`.

use serde_json::{Map, Value};

use super::error::ConfigError;
use super::sources::{Layer, unexpected};

/// Fields of the object that are texts, and the keywords that stand for them. Those of files and secrets show in no error.
const TEXTS: [(&str, &str, bool); 8] = [
    ("mode", "sslmode", true),
    ("cert", "ssl_cert", false),
    ("key", "ssl_key", false),
    ("passphrase", "sslpassword", false),
    ("servername", "ssl_servername", true),
    ("minVersion", "ssl_min_protocol_version", true),
    ("maxVersion", "ssl_max_protocol_version", true),
    ("rejectUnauthorized", "", true),
];

/// Fields that are texts, or arrays of them that are joined.
const LISTS: [(&str, &str); 2] = [("ca", "ssl_ca"), ("crl", "ssl_crl")];

/// What an object says instead of weaker sources, also by not saying it: whom to trust, what to show and which versions. How
/// TLS begins, what authentication is bound to, SNI and the key log are options of their own.
pub(super) const REPLACED: [&str; 11] = [
    "sslmode",
    "requiressl",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcrl",
    "sslcrldir",
    "sslcertmode",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
];

/// Adds what the option says, under libpq's keywords and some of ours.
pub(super) fn add(layer: &mut Layer, value: &Value, origin: &str) -> Result<(), ConfigError> {
    let mut say = |keyword, text: &str| layer.add(keyword, text.to_owned(), origin.to_owned(), true);
    match value {
        Value::Bool(false) => say("sslmode", "disable"),
        Value::Bool(true) => say("sslmode", "verify-full").and_then(|()| say("ssl_style", "true")),
        Value::String(mode) => say("sslmode", mode),
        Value::Object(fields) => add_object(layer, fields, origin),
        other => Err(unexpected(origin, "a boolean, an object or one of libpq's sslmodes", other)),
    }
}

fn add_object(layer: &mut Layer, fields: &Map<String, Value>, origin: &str) -> Result<(), ConfigError> {
    let mut is_unauthorized_accepted = false;
    let mut mode = None;
    for (name, value) in fields {
        let origin = format!("{origin}.{name}");
        if value.is_null() {
            continue;
        }
        if name == "rejectUnauthorized" {
            let flag = value.as_bool().ok_or_else(|| unexpected(&origin, "a boolean", value))?;
            is_unauthorized_accepted = !flag;
        } else if let Some((_, keyword)) = LISTS.iter().find(|(known, _)| known == name) {
            layer.add(keyword, joined(value, &origin)?, origin, false)?;
        } else if let Some((_, keyword, is_shown)) = TEXTS.iter().find(|(known, ..)| known == name) {
            // Whatever it is, it may be a secret.
            let text = value.as_str().ok_or_else(|| ConfigError::new(format!("{origin}: expected a string")))?;
            if *keyword == "sslmode" {
                mode = Some(text.to_owned());
            }
            layer.add(keyword, text.to_owned(), origin, *is_shown)?;
        } else {
            let names: Vec<&str> =
                LISTS.iter().map(|(name, _)| *name).chain(TEXTS.iter().map(|(name, ..)| *name)).collect();
            return Err(ConfigError::new(format!(
                "{origin}: there is no such option of TLS here; expected some of {}",
                names.join(", ")
            )));
        }
    }
    for (one, other) in [("cert", "key"), ("key", "cert")] {
        let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
        if has(one) && !has(other) {
            return Err(ConfigError::new(format!("{origin}.{other}: expected one with {origin}.{one}, got none")));
        }
    }
    if is_unauthorized_accepted && mode.as_ref().is_some_and(|mode| mode.starts_with("verify")) {
        return Err(ConfigError::new(format!(
            "{origin}.rejectUnauthorized: expected true with a mode that verifies, got false"
        )));
    }
    if mode.is_none() {
        let mode = if is_unauthorized_accepted { "require" } else { "verify-full" };
        layer.add("sslmode", mode.to_owned(), origin.to_owned(), true)?;
    }
    layer.add("ssl_style", "object".to_owned(), origin.to_owned(), true)
}

fn joined(value: &Value, origin: &str) -> Result<String, ConfigError> {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    let texts = texts.filter(|texts| !texts.is_empty());
    texts
        .map(|texts| texts.join("\n"))
        .ok_or_else(|| ConfigError::new(format!("{origin}: expected a string in PEM, or an array of them")))
}
