//! Data source names: connection URIs and key/value strings (manual, "Connection Strings").
//!
//! Only the syntax is known here; the result is a list of keywords with their texts, a later one of the same keyword
//! overriding an earlier one. No message repeats a part of the DSN, since a mistake in it can make a password look like
//! anything else.

use super::error::ConfigError;

/// Keywords and values of a DSN, the last of a keyword counting. What is around it, such as the line break of a file that it was read from, is no part
/// of it.
pub fn parse(dsn: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let dsn = dsn.trim_matches(is_space);
    match dsn.strip_prefix("postgresql://").or_else(|| dsn.strip_prefix("postgres://")) {
        Some(rest) => parse_uri(rest),
        None if dsn
            .split_once("://")
            .is_some_and(|(scheme, _)| !scheme.contains('=') && !scheme.contains(is_space)) =>
        {
            Err(ConfigError::new(
                "dsn: expected postgres://… or postgresql://… or key=value pairs, got another URL scheme",
            ))
        }
        None => parse_pairs(dsn),
    }
}

/// Whether a value is a URL of its own: `DATABASE_URL=postgres://…` is a line of a file, and no DSN.
fn is_url(value: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| value.starts_with(scheme))
}

/// C's `isspace`, by which libpq goes.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// `[user[:password]@][host[:port]][,…][/database][?keyword=value[&…]]`
fn parse_uri(rest: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // The last @: a raw @ belongs to the password, not to a host that errors would show.
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    // A login with a password is where a raw @ and / may be a part of that; a database may well have an @ otherwise.
    if path.contains('@') && (login.is_empty() || login.contains(':')) {
        return Err(ConfigError::new(
            "dsn: expected the @ of user:password@host before the first /; \
             a / in the user or the password is %2F, an @ in the database is %40",
        ));
    }
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (hosts, ports) = parse_hosts(hosts)?;
    let parts = [
        ("user", decode(user, "user", false)?),
        ("password", decode(password, "password", false)?),
        ("dbname", decode(path, "database", false)?),
        ("host", hosts),
        ("port", ports),
    ];
    let given = parts.into_iter().filter(|(_, value)| !value.is_empty());
    let mut pairs: Vec<(String, String)> = given.map(|(keyword, value)| (keyword.to_owned(), value)).collect();
    // The query wins over the URI's own places.
    pairs.extend(query.map(parse_query).transpose()?.unwrap_or_default());
    Ok(pairs)
}

/// Hosts and ports as the comma-separated lists that the keywords `host` and `port` take. A comma that was
/// percent-encoded separates hosts as well.
fn parse_hosts(list: &str) -> Result<(String, String), ConfigError> {
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for item in list.split(',') {
        let (host, port) = match item.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']').ok_or_else(|| {
                    ConfigError::new("dsn: expected ] at the end of an IPv6 address that starts with [")
                })?;
                if address.is_empty() {
                    return Err(ConfigError::new("dsn: expected an IPv6 address between [ and ], got none"));
                }
                match rest.strip_prefix(':') {
                    Some(port) => (address, port),
                    None if rest.is_empty() => (address, ""),
                    None => return Err(ConfigError::new("dsn: expected : or the end of the host after ]")),
                }
            }
            None => item.split_once(':').unwrap_or((item, "")),
        };
        hosts.push(decode(host, "host", false)?);
        ports.push(decode(port, "port", false)?);
    }
    Ok((joined(&hosts), joined(&ports)))
}

/// A list of which nothing is given is none.
fn joined(items: &[String]) -> String {
    if items.iter().all(String::is_empty) { String::new() } else { items.join(",") }
}

/// `keyword=value&…`, form-encoded: `+` is a space, as `URLSearchParams` writes it.
fn parse_query(query: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let items = query.split('&').filter(|item| !item.is_empty());
    items
        .map(|item| {
            let (keyword, value) = item.split_once('=').ok_or_else(|| {
                ConfigError::new("dsn: expected keyword=value in the query, got a parameter without =")
            })?;
            let keyword = decode(keyword, "a query parameter's name", true)?;
            let value = decode(value, "the value of a query parameter", true)?;
            Ok((keyword, value))
        })
        .collect()
}

fn decode(text: &str, place: &str, is_form: bool) -> Result<String, ConfigError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let digits = rest
                    .split_first_chunk()
                    .and_then(|(&[high, low], tail)| Some((hex_digit(high)? * 16 + hex_digit(low)?, tail)));
                let (decoded, tail) = digits.ok_or_else(|| {
                    ConfigError::new(format!(
                        "dsn: expected two hexadecimal digits after a % in {place}; a % itself is %25"
                    ))
                })?;
                bytes.push(decoded);
                rest = tail;
            }
            b'+' if is_form => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| ConfigError::new(format!("dsn: the percent-encoded bytes in {place} are not UTF-8")))
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// `keyword = value …`; a value with spaces is in single quotes, `\'` and `\\` stand for themselves.
fn parse_pairs(dsn: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let mut pairs = Vec::new();
    let mut rest = dsn.trim_start_matches(is_space);
    while !rest.is_empty() {
        let position = dsn.len() - rest.len() + 1;
        let missing = || ConfigError::new(format!("dsn: expected keyword=value at byte {position}, found no ="));
        let (keyword, value) = rest.split_once('=').ok_or_else(missing)?;
        let keyword = keyword.trim_end_matches(is_space);
        if keyword.is_empty() || keyword.contains(is_space) {
            return Err(missing());
        }
        let (value, tail) = parse_value(value.trim_start_matches(is_space))?;
        if is_url(&value) {
            return Err(ConfigError::new(
                "dsn: expected postgres://… by itself, got it as the value of a keyword: is there a NAME= in front?",
            ));
        }
        pairs.push((keyword.to_owned(), value));
        rest = tail.trim_start_matches(is_space);
    }
    Ok(pairs)
}

fn parse_value(text: &str) -> Result<(String, &str), ConfigError> {
    let quoted = text.strip_prefix('\'');
    let text = quoted.unwrap_or(text);
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\'' if quoted.is_some() => return Ok((value, &text[index + 1..])),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            space if quoted.is_none() && is_space(space) => return Ok((value, &text[index..])),
            other => value.push(other),
        }
    }
    match quoted {
        Some(_) => Err(ConfigError::new("dsn: expected ' at the end of a quoted value")),
        None => Ok((value, "")),
    }
}
