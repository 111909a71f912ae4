//! Password files (manual, "The Password File").

use std::fs::Metadata;
use std::path::Path;

use super::hosts::{HostAddress, Password};
use super::regular_file::{self, Contents};

/// What a password file came to.
pub(super) enum Passfile {
    /// There is none.
    Absent,
    /// It must not or cannot be used; says why.
    Ignored(String),
    /// Its text.
    Read(String),
}

/// Reads a password file. As in libpq, one that others may read is ignored.
pub(super) fn read(path: &Path) -> Passfile {
    match regular_file::read(path, objection) {
        Contents::Absent => Passfile::Absent,
        Contents::Unusable(why) => {
            Passfile::Ignored(format!("the password file {} was ignored: {why}", path.display()))
        }
        Contents::Text(text) => Passfile::Read(text),
    }
}

#[cfg(unix)]
fn objection(metadata: &Metadata) -> Option<&'static str> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    (mode & 0o077 != 0).then_some("group or others have access to it; expected permissions u=rw (0600) or less")
}

/// The folder is protected.
#[cfg(not(unix))]
fn objection(_: &Metadata) -> Option<&'static str> {
    None
}

/// The password of the first line that matches; as in libpq, an empty one is none, and ends the search.
pub(super) fn find(text: &str, address: &HostAddress, database: &str, user: &str) -> Option<Password> {
    let found = text.lines().find_map(|line| {
        if line.starts_with('#') {
            return None;
        }
        let (host, rest) = field(line)?;
        let (port, rest) = field(rest)?;
        let (line_database, rest) = field(rest)?;
        let (line_user, rest) = field(rest)?;
        let is_match = matches_host(&host, address)
            && matches_port(&port, address)
            && matches(&line_database, database)
            && matches(&line_user, user);
        // As in libpq, the password too ends at a colon.
        let password = field(rest).map_or_else(|| unescape(rest), |(password, _)| password.text);
        is_match.then_some(password)
    });
    found.filter(|password| !password.is_empty()).map(Password::new)
}

/// A field of a line: its text with escapes, and whether it was a bare `*`.
struct Field {
    text: String,
    is_any: bool,
}

/// The field up to the next colon that has no backslash in front, and what follows.
fn field(line: &str) -> Option<(Field, &str)> {
    let mut is_escaped = false;
    let end = line.find(|character| {
        let is_end = character == ':' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    })?;
    let raw = &line[..end];
    Some((Field { text: unescape(raw), is_any: raw == "*" }, &line[end + 1..]))
}

/// Without the backslashes that protect a character.
fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            result.extend(characters.next());
        } else {
            result.push(character);
        }
    }
    result
}

fn matches(field: &Field, text: &str) -> bool {
    field.is_any || field.text == text
}

fn matches_host(field: &Field, address: &HostAddress) -> bool {
    match address {
        HostAddress::Tcp { name, .. } => matches(field, name),
        // A socket counts as localhost; libpq says so of its default directory, asyncpg of all.
        #[cfg(unix)]
        HostAddress::Unix { directory, .. } => {
            matches(field, "localhost") || directory.as_os_str() == field.text.as_str()
        }
    }
}

fn matches_port(field: &Field, address: &HostAddress) -> bool {
    let port = match address {
        HostAddress::Tcp { port, .. } => port,
        #[cfg(unix)]
        HostAddress::Unix { port, .. } => port,
    };
    matches(field, &port.to_string())
}
