//! The servers to try, in order.

use std::fmt;
use std::path::PathBuf;

use super::error::ConfigError;
use super::sources::Given;

pub(super) const DEFAULT_PORT: u16 = 5432;

/// Where distributions and PostgreSQL's own builds put the server's socket, in asyncpg's order.
#[cfg(unix)]
const SOCKET_DIRECTORIES: [&str; 4] = ["/run/postgresql", "/var/run/postgresql", "/tmp", "/private/tmp"];

/// A server to try.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) address: HostAddress,
    /// Nobody named it: it is tried only if it is there.
    pub(super) is_guess: bool,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostAddress {
    /// A name or an IP address.
    Tcp { name: String, port: u16 },
    /// A socket in the file system, in a directory by its port.
    #[cfg(unix)]
    Unix { directory: PathBuf, path: PathBuf, port: u16 },
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { name, port } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp { name, port } => write!(f, "{name}:{port}"),
            #[cfg(unix)]
            Self::Unix { path, .. } => write!(f, "{}", path.display()),
        }
    }
}

/// A secret that shows itself only when asked to.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(String);

impl Password {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Pairs hosts with ports: as many ports as hosts, or one for all. Without hosts, the usual sockets and localhost.
pub(super) fn from_lists(hosts: Option<&Given>, ports: Option<&Given>) -> Result<Vec<Host>, ConfigError> {
    let ports = ports.map_or_else(|| Ok(vec![DEFAULT_PORT]), parse_ports)?;
    let Some(hosts) = hosts else {
        let [port] = *ports else {
            return Err(ConfigError::new(format!("expected one port when no host is given, got {}", ports.len())));
        };
        return Ok(default_hosts(port));
    };
    let names: Vec<&str> = hosts.text.split(',').map(str::trim).collect();
    if ports.len() != 1 && ports.len() != names.len() {
        return Err(ConfigError::new(format!(
            "expected one port, or one for each of the {} hosts, got {}",
            names.len(),
            ports.len()
        )));
    }
    let ports = ports.iter().copied().cycle();
    names.into_iter().zip(ports).map(|(name, port)| named_host(name, port, &hosts.origin)).collect()
}

fn parse_ports(list: &Given) -> Result<Vec<u16>, ConfigError> {
    let parse = |item: &str| match item.trim() {
        "" => Ok(DEFAULT_PORT),
        text => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| list.expected("a port from 1 to 65535")),
    };
    list.text.split(',').map(parse).collect()
}

fn named_host(name: &str, port: u16, origin: &str) -> Result<Host, ConfigError> {
    if name.is_empty() {
        return Err(ConfigError::new(format!("{origin}: expected a host, got an empty name in the list")));
    }
    let is_path = name.starts_with('/');
    #[cfg(unix)]
    if is_path {
        return Ok(Host { address: socket_in(name, port), is_guess: false });
    }
    if is_path {
        return Err(ConfigError::unsupported(format!(
            "{origin}: Unix-domain sockets are not supported on this system"
        )));
    }
    if name.starts_with('@') {
        return Err(ConfigError::unsupported(format!("{origin}: abstract Unix-domain sockets are not supported")));
    }
    Ok(Host { address: HostAddress::Tcp { name: name.to_owned(), port }, is_guess: false })
}

/// A directory, as in libpq; or the socket itself, as asyncpg also takes it.
#[cfg(unix)]
fn socket_in(name: &str, port: u16) -> HostAddress {
    let given = PathBuf::from(name);
    let is_socket = given.file_name().is_some_and(|file| file.to_string_lossy().starts_with(".s.PGSQL."));
    if is_socket {
        let directory = given.parent().map(PathBuf::from).unwrap_or_default();
        HostAddress::Unix { directory, path: given, port }
    } else {
        HostAddress::Unix { path: given.join(format!(".s.PGSQL.{port}")), directory: given, port }
    }
}

fn default_hosts(port: u16) -> Vec<Host> {
    let mut hosts = Vec::new();
    #[cfg(unix)]
    for directory in SOCKET_DIRECTORIES {
        hosts.push(Host { address: socket_in(directory, port), is_guess: true });
    }
    let localhost = HostAddress::Tcp { name: "localhost".to_owned(), port };
    hosts.push(Host { address: localhost, is_guess: false });
    hosts
}
