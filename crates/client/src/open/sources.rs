//! Where a configuration comes from: options over DSN over service file over environment.
//!
//! Each source becomes a [`Layer`] of texts under libpq's keywords, so that what follows need not know who said it.

use serde_json::{Map, Value};

use super::dsn;
use super::error::ConfigError;
use super::parameters::PARAMETERS;
use super::ssl_option;

/// What errors say in place of a DSN's text: a slip in it makes a piece of the password anything.
const NOT_SHOWN: &str = "something else (which is not shown: it may be a piece of a password, in which reserved characters \
                         must be percent-encoded)";

/// A value as it was given.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) text: String,
    /// Who said it, for errors: `option port`, `dsn: port`, `PGPORT` …
    pub(super) origin: String,
    /// Whether an error may repeat it.
    pub(super) is_shown: bool,
}

impl Given {
    pub(super) fn expected(&self, what: &str) -> ConfigError {
        ConfigError::new(format!("{}: expected {what}, got {}", self.origin, self.shown(&self.text)))
    }

    /// A part of it, for an error.
    pub(super) fn shown(&self, part: &str) -> String {
        if self.is_shown { format!("{part:?}") } else { NOT_SHOWN.to_owned() }
    }
}

/// What errors call a DSN.
const DSN: &str = "dsn";

/// A server setting as it was given.
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
    /// Who said it: `option serverSettings`, `PGTZ` …
    pub(super) origin: String,
}

/// What one source says.
#[derive(Default)]
pub(super) struct Layer {
    values: Vec<(&'static str, Given)>,
    /// Server settings, a later one of the same name overriding.
    pub(super) settings: Vec<Setting>,
}

impl Layer {
    pub(super) fn get(&self, keyword: &str) -> Option<&Given> {
        self.values
            .iter()
            .rev()
            .find(|(known, given)| *known == keyword && !given.text.is_empty())
            .map(|(_, given)| given)
    }

    pub(super) fn add(
        &mut self,
        keyword: &'static str,
        text: String,
        origin: String,
        is_shown: bool,
    ) -> Result<(), ConfigError> {
        check_nul(&text, &origin)?;
        let is_shown = is_shown && !matches!(keyword, "password" | "sslpassword" | "oauth_token");
        self.values.push((keyword, Given { text, origin, is_shown }));
        Ok(())
    }

    /// Unsays what it says of these keywords.
    pub(super) fn forget(&mut self, keywords: &[&str]) {
        self.values.retain(|(known, _)| !keywords.contains(known));
    }

    fn set(&mut self, name: &str, value: String, origin: &str) -> Result<(), ConfigError> {
        check_setting(name, &value, origin)?;
        // The client encoding is always ours, and a session that is not for replication is what there is.
        if !["client_encoding", "replication"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
            self.settings.push(Setting { name: name.to_owned(), value, origin: origin.to_owned() });
        }
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
        // Spellings of false, of which libpq knows these too.
        "replication" if ["false", "off", "no", "0"].contains(&&*value.to_ascii_lowercase()) => Ok(()),
        "replication" => Err(ConfigError::unsupported(format!("{origin}: replication connections are not supported"))),
        "client_encoding" if !matches!(value.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "unicode" | "auto") => {
            let got = if origin == DSN { NOT_SHOWN.to_owned() } else { format!("{value:?}") };
            Err(ConfigError::unsupported(format!("{origin}: expected the client_encoding UTF8, got {got}")))
        }
        lower if lower.starts_with("_pq_.") => {
            Err(ConfigError::unsupported(format!("{origin}: the protocol option {name:?} is not supported")))
        }
        _ => Ok(()),
    }
}

/// How a value is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A text.
    Text,
    /// A text, or an array of them.
    Texts,
    /// The same of hosts.
    Hosts,
    /// A port, or an array of them.
    Ports,
    /// A boolean.
    Flag,
    /// A whole number from 0.
    Number,
    Milliseconds,
    /// A boolean, an object or an `sslmode`.
    Ssl,
    /// A text that no error may show.
    Password,
    /// The value of the server setting that the keyword names.
    Setting,
    /// Server settings by name.
    Settings,
    /// It is for the session that is opened: see `session_options.rs`.
    Session,
}

/// What becomes of a keyword in a DSN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dsn {
    /// It is a server setting, like every keyword that is not known.
    AsSetting,
    Read,
    /// It would change what a session is, or how safe: ignoring it would be wrong.
    Refused,
    /// It means nothing to a session in the clear by a password.
    Ignored,
}

/// Something that can be said of a connection. An empty text stands for nothing.
pub(super) struct Parameter {
    /// Its name in JavaScript.
    option: &'static str,
    pub(super) form: Form,
    /// libpq's keyword (manual, "Parameter Key Words"), or the server setting.
    pub(super) keyword: &'static str,
    dsn: Dsn,
    /// The environment variable (manual, "Environment Variables").
    variable: &'static str,
}

impl Parameter {
    pub(super) const fn new(
        option: &'static str,
        form: Form,
        keyword: &'static str,
        dsn: Dsn,
        variable: &'static str,
    ) -> Self {
        Self { option, form, keyword, dsn, variable }
    }
}

/// The options object.
pub(super) fn from_options(options: &Map<String, Value>) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (name, value) in options {
        let origin = format!("option {name}");
        if value.is_null() {
            continue;
        }
        let Some(parameter) = PARAMETERS.iter().find(|known| known.option == name && !name.is_empty()) else {
            return Err(ConfigError::new(format!(
                "option {name}: expected the name of an option, and there is none like it"
            )));
        };
        match parameter.form {
            Form::Session => {}
            Form::Settings => set_all(&mut layer, value, &origin)?,
            Form::Setting => {
                let text = value.as_str().ok_or_else(|| unexpected(&origin, "a string", value))?;
                layer.set(parameter.keyword, text.to_owned(), &origin)?;
            }
            Form::Ssl => ssl_option::add(&mut layer, value, &origin)?,
            form => layer.add(parameter.keyword, option_text(form, value, &origin)?, origin, true)?,
        }
    }
    let names = layer.settings.iter().filter(|setting| setting.name.eq_ignore_ascii_case("application_name"));
    if names.count() > 1 {
        return Err(ConfigError::new("option applicationName: serverSettings.application_name is given as well"));
    }
    Ok(layer)
}

/// Server settings by name.
fn set_all(layer: &mut Layer, value: &Value, origin: &str) -> Result<(), ConfigError> {
    let settings = value.as_object().ok_or_else(|| unexpected(origin, "an object", value))?;
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
        layer.set(setting, text, origin)?;
    }
    Ok(())
}

/// An option's value as the text that libpq's keyword would have.
fn option_text(form: Form, value: &Value, origin: &str) -> Result<String, ConfigError> {
    let number = |value: &Value| value.as_u64().map(|number| number.to_string());
    match form {
        Form::Hosts => list(value, "a string or an array of strings", origin, |item| {
            let is_one = |host: &&str| !value.is_array() || !(host.is_empty() || host.contains(','));
            item.as_str().filter(is_one).map(str::to_owned)
        }),
        Form::Ports => list(value, "a port from 1 to 65535, or an array of them", origin, |item| {
            number(item).or_else(|| item.as_str().map(str::to_owned))
        }),
        Form::Flag => match value {
            Value::Bool(flag) => Ok(if *flag { "1" } else { "0" }.to_owned()),
            other => Err(unexpected(origin, "a boolean", other)),
        },
        Form::Number => number(value).ok_or_else(|| unexpected(origin, "a whole number from 0", value)),
        Form::Texts => list(value, "a string or an array of strings", origin, |item| item.as_str().map(str::to_owned)),
        Form::Milliseconds => match value.as_f64() {
            Some(milliseconds) if milliseconds >= 0.0 => Ok(milliseconds.to_string()),
            _ => Err(unexpected(origin, "a number of milliseconds, 0 for no limit", value)),
        },
        // A value of the wrong type must not show either: it is still a password.
        Form::Password => value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| ConfigError::new(format!("{origin}: expected a string, got {}", type_name(value)))),
        Form::Text | Form::Setting | Form::Settings | Form::Session | Form::Ssl => {
            value.as_str().map(str::to_owned).ok_or_else(|| unexpected(origin, "a string", value))
        }
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

/// A DSN.
pub(super) fn from_dsn(text: &str) -> Result<Layer, ConfigError> {
    check_nul(text, "dsn")?;
    from_pairs(dsn::parse(text)?, DSN)
}

/// What `place`, a DSN or a service file, says by keywords. One that libpq does not know is a server setting, as in
/// asyncpg.
pub(super) fn from_pairs(pairs: Vec<(String, String)>, place: &str) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (keyword, value) in pairs {
        let origin = format!("{place}: {keyword}");
        let keyword = match keyword.as_str() {
            "database" => "dbname",
            "ssl" => "sslmode",
            other => other,
        };
        let known = PARAMETERS.iter().find(|known| known.keyword == keyword && !keyword.is_empty());
        match known.map_or(Dsn::AsSetting, |known| known.dsn) {
            Dsn::AsSetting => {
                check_spelling(keyword, &origin)?;
                layer.set(keyword, value, place)?;
            }
            Dsn::Ignored => {}
            Dsn::Refused => return Err(ConfigError::unsupported(format!("{origin} is not supported"))),
            Dsn::Read => {
                let known = known.map_or("", |known| known.keyword);
                let (known, value) = match (known, value.as_str()) {
                    ("sslmode", "true" | "1") => ("sslmode", "require".to_owned()),
                    ("sslmode", "false" | "0") => ("sslmode", "disable".to_owned()),
                    ("requiressl", _) => ("sslmode", old_ssl_mode(&value).to_owned()),
                    _ => (known, value),
                };
                layer.add(known, value, origin, place != DSN && known != "port")?;
            }
        }
    }
    Ok(layer)
}

/// Refuses what is all but a keyword or an option: taken for a server setting it would be a policy that is dropped without
/// a word, since a server that is not who it should be takes any setting.
fn check_spelling(keyword: &str, origin: &str) -> Result<(), ConfigError> {
    let plain = |name: &str| -> String {
        name.chars().filter(|character| character.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase()
    };
    let said = plain(keyword);
    let is_meant = |known: &&Parameter| !said.is_empty() && [known.keyword, known.option].map(plain).contains(&said);
    if let Some(Parameter { option, form, keyword: known, dsn, .. }) = PARAMETERS.iter().find(is_meant) {
        if *form == Form::Setting && keyword.eq_ignore_ascii_case(known) {
            return Ok(());
        }
        let advice = match (form, dsn) {
            (Form::Setting, _) | (_, Dsn::Read | Dsn::Ignored) => format!("expected the keyword {known}"),
            (_, Dsn::Refused) if option.is_empty() => format!("{known} is not supported"),
            _ => format!("a DSN has no such keyword; expected the option {option}"),
        };
        return Err(ConfigError::new(format!("{origin}: {advice}")));
    }
    // No setting of a session's begins like this, but for those of extensions, which have a dot.
    let is_policy = POLICIES.iter().any(|start| said.starts_with(start)) && !keyword.contains('.');
    if is_policy {
        return Err(ConfigError::new(format!("{origin}: libpq has no such keyword, and PostgreSQL no such setting")));
    }
    Ok(())
}

/// How keywords begin that say what is demanded of a server.
const POLICIES: [&str; 9] = ["auth", "channel", "gss", "krb", "oauth", "require", "scram", "ssl", "tls"];

/// What `requiressl`, from before `sslmode`, stands for.
fn old_ssl_mode(value: &str) -> &'static str {
    if value.starts_with('1') { "require" } else { "prefer" }
}

/// The environment. Variables that are empty count as not set.
pub(super) fn from_environment(environment: &Map<String, Value>) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for Parameter { form, keyword, dsn, variable, .. } in PARAMETERS {
        let Some(text) = variable_text(environment, variable)? else { continue };
        match (form, keyword) {
            _ if dsn == Dsn::Refused => return Err(ConfigError::unsupported(format!("{variable} is not supported"))),
            (Form::Setting, _) => layer.set(keyword, text, variable)?,
            (_, "requiressl") if layer.get("sslmode").is_some() || !text.starts_with('1') => {}
            (_, "requiressl") => layer.add("sslmode", old_ssl_mode(&text).to_owned(), variable.to_owned(), true)?,
            _ => layer.add(keyword, text, variable.to_owned(), true)?,
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
