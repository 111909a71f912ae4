//! The connection service file (manual, "The Connection Service File"): a section of it stands for a set of keywords.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::ConfigError;
use super::regular_file::{self, Contents};
use super::sources::{self, Given, Layer, variable_text};

/// Where the packages of distributions look for the file when PGSYSCONFDIR is not set: Debian's, and those of
/// PostgreSQL's own repository for Red Hat.
#[cfg(unix)]
const SYSTEM_DIRECTORIES: &[&str] = &["/etc/postgresql-common", "/etc/sysconfig/pgsql"];
#[cfg(not(unix))]
const SYSTEM_DIRECTORIES: &[&str] = &[];

/// A section's settings, and what errors and `parseDsn` call it.
pub(super) struct Service {
    pub(super) layer: Layer,
    pub(super) origin: String,
}

/// Reads the section `service`. The file that was named, or the user's own, comes first; a section that is not there
/// may be in the system's.
pub(super) fn read(
    service: &Given,
    file: Option<&Given>,
    environment: &Map<String, Value>,
) -> Result<Service, ConfigError> {
    if let Some(file) = file {
        let path = Path::new(&file.text);
        let text = text_of(path)?.ok_or_else(|| {
            ConfigError::new(format!("{}: expected a service file, found none at {}", file.origin, path.display()))
        })?;
        if let Some(found) = section(&text, service, path)? {
            return Ok(found);
        }
    }
    let users = if file.is_none() { users_file(environment)? } else { None };
    for path in users.into_iter().chain(system_files(environment)?) {
        if let Some(text) = text_of(&path)?
            && let Some(found) = section(&text, service, &path)?
        {
            return Ok(found);
        }
    }
    Err(ConfigError::new(format!(
        "{}: expected a section of the service file, and found no {}",
        service.origin,
        service.shown(&service.text)
    )))
}

fn users_file(environment: &Map<String, Value>) -> Result<Option<PathBuf>, ConfigError> {
    let (variable, folder) = if cfg!(windows) { ("APPDATA", "postgresql") } else { ("HOME", "") };
    let home = variable_text(environment, variable)?;
    Ok(home.map(|home| PathBuf::from(home).join(folder).join(".pg_service.conf")))
}

fn system_files(environment: &Map<String, Value>) -> Result<Vec<PathBuf>, ConfigError> {
    let directories = match variable_text(environment, "PGSYSCONFDIR")? {
        Some(directory) => vec![directory],
        None => SYSTEM_DIRECTORIES.iter().map(|&directory| directory.to_owned()).collect(),
    };
    Ok(directories.into_iter().map(|directory| PathBuf::from(directory).join("pg_service.conf")).collect())
}

/// `None`: there is no such file.
fn text_of(path: &Path) -> Result<Option<String>, ConfigError> {
    match regular_file::read(path, |_| None) {
        Contents::Absent => Ok(None),
        Contents::Text(text) => Ok(Some(text)),
        Contents::Unusable(why) => {
            Err(ConfigError::new(format!("service file {}: cannot be read: {why}", path.display())))
        }
    }
}

/// The section of a file's text. As in libpq only the first of the name counts, and in it the first of each keyword.
fn section(text: &str, service: &Given, path: &Path) -> Result<Option<Service>, ConfigError> {
    let head = format!("[{}]", service.text);
    let mut pairs: Option<Vec<(String, String)>> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_matches(|character: char| character.is_ascii_whitespace() || character == '\x0b');
        let wrong = |what: &str| format!("service file {}, line {}: {what}", path.display(), index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('[') {
            if pairs.is_some() {
                break;
            }
            pairs = line.starts_with(&head).then(Vec::new);
            continue;
        }
        let Some(pairs) = &mut pairs else { continue };
        if line.starts_with("ldap") {
            return Err(ConfigError::unsupported(wrong("LDAP look-ups are not supported")));
        }
        // The line may hold a password, and is not shown.
        let (keyword, value) =
            line.split_once('=').ok_or_else(|| ConfigError::new(wrong("expected keyword=value, found no =")))?;
        if keyword.is_empty() || keyword.contains(char::is_whitespace) {
            return Err(ConfigError::new(wrong("expected keyword=value, without spaces around the =")));
        }
        if matches!(keyword, "service" | "servicefile") {
            return Err(ConfigError::new(wrong("a service cannot name another one")));
        }
        if !pairs.iter().any(|(known, _)| known == keyword) {
            pairs.push((keyword.to_owned(), value.to_owned()));
        }
    }
    let Some(pairs) = pairs else { return Ok(None) };
    let place = format!("service file {}", path.display());
    let layer = sources::from_pairs(pairs, &place)?;
    Ok(Some(Service { layer, origin: format!("service {} of {}", service.text, path.display()) }))
}
