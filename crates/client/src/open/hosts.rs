//! The servers to try, in order.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use super::error::ConfigError;
use super::sources::Given;

pub(super) const DEFAULT_PORT: u16 = 5432;

/// Where distributions and PostgreSQL's own builds put the server's socket, in asyncpg's order.
#[cfg(unix)]
const SOCKET_DIRECTORIES: [&str; 4] = ["/run/postgresql", "/var/run/postgresql", "/tmp", "/private/tmp"];

/// A server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) address: HostAddress,
    /// An IP address, an IPv6 one perhaps with a zone, that is taken in place of looking the name up.
    pub(super) hostaddr: Option<String>,
    /// Nobody named it: it is tried only if it is there.
    pub(super) is_guess: bool,
    /// There is but an address: its text stands for a name that nobody gave, and that verifies nobody.
    pub(super) is_nameless: bool,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostAddress {
    /// A name or an IP address.
    Tcp { name: String, port: u16 },
    /// A socket in the file system, in a directory by its port; or, if the path begins with @, in Linux' abstract
    /// namespace.
    #[cfg(unix)]
    Unix { directory: PathBuf, path: PathBuf, port: u16 },
}

impl HostAddress {
    /// A name, an address, or the folder of a socket.
    pub(super) fn host(&self) -> Cow<'_, str> {
        match self {
            Self::Tcp { name, .. } => Cow::Borrowed(name),
            #[cfg(unix)]
            Self::Unix { directory, .. } => directory.to_string_lossy(),
        }
    }

    pub(super) const fn port(&self) -> u16 {
        match self {
            Self::Tcp { port, .. } => *port,
            #[cfg(unix)]
            Self::Unix { port, .. } => *port,
        }
    }
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

/// What is said of the servers: lists of names, of addresses and of ports.
pub(super) struct Lists<'a> {
    pub(super) hosts: Option<&'a Given>,
    pub(super) addresses: Option<&'a Given>,
    pub(super) ports: Option<&'a Given>,
}

impl Lists<'_> {
    /// Pairs names, addresses and ports: as many addresses as names, and as many ports, or one for all. Where neither a
    /// name nor an address is given, there are the usual sockets and localhost.
    pub(super) fn pair(&self) -> Result<Vec<Host>, ConfigError> {
        let items = |list: Option<&Given>| -> Vec<String> {
            list.map(|list| list.text.split(',').map(|item| item.trim().to_owned()).collect()).unwrap_or_default()
        };
        let (names, addresses) = (items(self.hosts), items(self.addresses));
        if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
            let origin = self.addresses.map_or("hostaddr", |given| &given.origin);
            return Err(ConfigError::new(format!(
                "{origin}: expected an address for each of the {} hosts, got {}",
                names.len(),
                addresses.len()
            )));
        }
        let count = names.len().max(addresses.len());
        let ports = self.ports.map_or_else(|| Ok(vec![DEFAULT_PORT]), parse_ports)?;
        if ports.len() != 1 && ports.len() != count {
            return Err(ConfigError::new(match count {
                0 => format!("expected one port when no host is given, got {}", ports.len()),
                _ => format!("expected one port, or one for each of the {count} hosts, got {}", ports.len()),
            }));
        }
        let mut hosts = Vec::new();
        let ports = ports.iter().copied().cycle();
        for (index, port) in (0..count.max(1)).zip(ports) {
            let item = |list: &[String]| list.get(index).filter(|item| !item.is_empty()).cloned();
            match (item(&names), item(&addresses)) {
                (name, Some(address)) => hosts.push(self.addressed_host(name, address, port)?),
                (Some(name), None) => hosts.push(self.named_host(&name, port)?),
                (None, None) => hosts.extend(default_hosts(port)),
            }
        }
        Ok(hosts)
    }

    /// A host whose address is known; without a name, the address is its name.
    fn addressed_host(&self, name: Option<String>, address: String, port: u16) -> Result<Host, ConfigError> {
        if !is_address(&address)
            && let Some(given) = self.addresses
        {
            return Err(given.expected("IP addresses, one for each host"));
        }
        let is_nameless = name.is_none();
        let name = name.unwrap_or_else(|| address.clone());
        let hostaddr = Some(address);
        Ok(Host { address: HostAddress::Tcp { name, port }, hostaddr, is_guess: false, is_nameless })
    }

    fn named_host(&self, name: &str, port: u16) -> Result<Host, ConfigError> {
        let address = if name.starts_with(['/', '@']) {
            let origin = self.hosts.map_or("host", |given| &given.origin);
            socket_in(name, port).ok_or_else(|| {
                ConfigError::unsupported(format!("{origin}: this system has no such Unix-domain sockets"))
            })?
        } else {
            HostAddress::Tcp { name: name.to_owned(), port }
        };
        Ok(Host { address, hostaddr: None, is_guess: false, is_nameless: false })
    }
}

/// Whether it is an IP address; of IPv6, perhaps with a zone, whose name only the system knows.
fn is_address(text: &str) -> bool {
    match text.split_once('%') {
        Some((address, zone)) => address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty(),
        None => text.parse::<IpAddr>().is_ok(),
    }
}

fn parse_ports(list: &Given) -> Result<Vec<u16>, ConfigError> {
    let parse = |item: &str| match item.trim() {
        "" => Ok(DEFAULT_PORT),
        text => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| list.expected("a port from 1 to 65535")),
    };
    list.text.split(',').map(parse).collect()
}

/// A directory, as in libpq; or the socket itself, as asyncpg also takes it. `None`: the system has none of the kind.
#[cfg(unix)]
fn socket_in(name: &str, port: u16) -> Option<HostAddress> {
    if name.starts_with('@') && cfg!(not(any(target_os = "linux", target_os = "android"))) {
        return None;
    }
    let given = PathBuf::from(name);
    let is_socket = given.file_name().is_some_and(|file| file.to_string_lossy().starts_with(".s.PGSQL."));
    Some(if is_socket {
        let directory = given.parent().map(PathBuf::from).unwrap_or_default();
        HostAddress::Unix { directory, path: given, port }
    } else {
        HostAddress::Unix { path: given.join(format!(".s.PGSQL.{port}")), directory: given, port }
    })
}

#[cfg(not(unix))]
fn socket_in(_: &str, _: u16) -> Option<HostAddress> {
    None
}

fn default_hosts(port: u16) -> Vec<Host> {
    let mut hosts = Vec::new();
    #[cfg(unix)]
    for directory in SOCKET_DIRECTORIES {
        let address = socket_in(directory, port);
        hosts.extend(address.map(|address| Host { address, hostaddr: None, is_guess: true, is_nameless: false }));
    }
    let localhost = HostAddress::Tcp { name: "localhost".to_owned(), port };
    hosts.push(Host { address: localhost, hostaddr: None, is_guess: false, is_nameless: false });
    hosts
}
