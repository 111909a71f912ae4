//! What a configuration says of TLS. Files are not read before a server wants TLS, and again for each session: what
//! cannot be read is an error of the session then, as in libpq.

use std::path::PathBuf;

use rustls::ProtocolVersion;

use super::super::error::ConfigError;
use super::super::hosts::Password;
use super::super::sources::Given;
use super::mode::{CertificateMode, ChannelBinding, Negotiation, SslMode, word};

/// What TLS is to be.
#[derive(Debug)]
pub(in crate::open) struct TlsOptions {
    pub(in crate::open) mode: SslMode,
    pub(in crate::open) negotiation: Negotiation,
    pub(in crate::open) channel_binding: ChannelBinding,
    pub(in crate::open) certificate_mode: CertificateMode,
    pub(super) roots: Roots,
    /// The client's certificate with those that lead to its authority.
    pub(super) certificate: Source,
    pub(super) key: Source,
    pub(super) key_password: Option<Password>,
    pub(super) revocation: Revocation,
    pub(super) versions: Versions,
    /// The name that the server is told (SNI).
    pub(super) is_name_sent: bool,
    /// What the server is called instead of its host, by SNI and in its certificate.
    pub(in crate::open) server_name: Option<String>,
    pub(super) key_log: Option<PathBuf>,
}

/// Where something in PEM comes from.
#[derive(Debug)]
pub(super) enum Source {
    Nowhere,
    /// It was named.
    File(PathBuf),
    /// In the user's folder, if it is there.
    DefaultFile(PathBuf),
    Text(Password),
}

/// What a server's certificate must lead to.
#[derive(Debug)]
pub(super) enum Roots {
    /// A file; if it is not there, nothing is verified, unless the mode demands it.
    File(PathBuf),
    /// The same in the user's folder; if it is not there and the mode demands it, Node's roots serve.
    DefaultFile(PathBuf),
    Text(String),
    /// The operating system's.
    System,
    /// Node's; where the mode does not demand verification, nothing is verified.
    Node,
    /// Nothing is verified.
    Unverified,
}

/// Where revocation lists come from. They count only where roots do.
#[derive(Debug)]
pub(super) enum Revocation {
    /// A file and a folder. As libpq documents it, a file that is not there is none.
    Files(Option<PathBuf>, Option<PathBuf>),
    Text(String),
}

/// Versions of TLS, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) is_12_allowed: bool,
    pub(super) is_13_allowed: bool,
}

/// Names of the files in the user's folder (manual, "SSL Support").
const ROOTS_FILE: &str = "root.crt";
const REVOCATION_FILE: &str = "root.crl";
const CERTIFICATE_FILE: &str = "postgresql.crt";
const KEY_FILE: &str = "postgresql.key";

impl TlsOptions {
    /// `folder` is the user's folder of such files, `~/.postgresql`.
    pub(in crate::open) fn resolve<'a>(
        get: impl Fn(&str) -> Option<&'a Given>,
        folder: Option<PathBuf>,
    ) -> Result<Self, ConfigError> {
        // `true` and an object say what Node's users mean by them, and not what is in libpq's files.
        let style = get("ssl_style").map_or("", |given| given.text.as_str());
        let roots = get("sslrootcert");
        let is_system = style != "object" && roots.is_some_and(|given| given.text == "system");
        let given_mode = get("sslmode");
        let mode = match given_mode {
            Some(given) => SslMode::parse(given)?,
            None if is_system => SslMode::VerifyFull,
            None => SslMode::default(),
        };
        let origin = given_mode.map_or("sslmode", |given| given.origin.as_str());
        let negotiation =
            word(get("sslnegotiation"), &[("postgres", Negotiation::Request), ("direct", Negotiation::Direct)])?;
        if negotiation == Negotiation::Direct && !mode.is_encryption_demanded() {
            return Err(ConfigError::new(format!(
                "{origin}: expected require, verify-ca or verify-full with sslnegotiation=direct, got {}",
                mode.name()
            )));
        }
        if is_system && mode != SslMode::VerifyFull {
            return Err(ConfigError::new(format!(
                "{origin}: expected verify-full with sslrootcert=system, got {}",
                mode.name()
            )));
        }
        let in_folder = |file: &str| folder.as_ref().map(|folder| folder.join(file));
        let text = |keyword: &str| get(keyword).map(|given| given.text.clone());
        let roots = match (style, roots) {
            ("object", _) => match text("ssl_ca") {
                _ if !mode.is_verification_demanded() => Roots::Unverified,
                Some(pem) => Roots::Text(pem),
                None => Roots::Node,
            },
            (_, Some(_)) if is_system => Roots::System,
            (_, Some(given)) => Roots::File(PathBuf::from(&given.text)),
            ("true", None) => Roots::Node,
            (_, None) => in_folder(ROOTS_FILE).map_or(Roots::Node, Roots::DefaultFile),
        };
        let source = |text_keyword: &str, keyword: &str, file: &str| match (style, get(keyword)) {
            ("object", _) => {
                get(text_keyword).map_or(Source::Nowhere, |given| Source::Text(Password::new(given.text.clone())))
            }
            (_, Some(given)) => Source::File(PathBuf::from(&given.text)),
            (_, None) => in_folder(file).map_or(Source::Nowhere, Source::DefaultFile),
        };
        let revocation = match (style, text("sslcrl"), text("sslcrldir")) {
            ("object", ..) => text("ssl_crl").map_or(Revocation::Files(None, None), Revocation::Text),
            (_, None, None) => Revocation::Files(in_folder(REVOCATION_FILE), None),
            (_, file, folder) => Revocation::Files(file.map(PathBuf::from), folder.map(PathBuf::from)),
        };
        let modes = [
            ("disable", CertificateMode::Disable),
            ("allow", CertificateMode::Allow),
            ("require", CertificateMode::Require),
        ];
        let certificate_mode = word(get("sslcertmode"), &modes)?;
        if certificate_mode == CertificateMode::Require && mode == SslMode::Disable {
            return Err(ConfigError::new(format!("{origin}: expected TLS with sslcertmode=require, got disable")));
        }
        let bindings = [
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ];
        Ok(Self {
            mode,
            negotiation,
            channel_binding: word(get("channel_binding"), &bindings)?,
            certificate_mode,
            roots,
            certificate: source("ssl_cert", "sslcert", CERTIFICATE_FILE),
            key: source("ssl_key", "sslkey", KEY_FILE),
            key_password: text("sslpassword").map(Password::new),
            revocation,
            versions: versions(get("ssl_min_protocol_version"), get("ssl_max_protocol_version"))?,
            is_name_sent: word(get("sslsni"), &[("1", Flag(true)), ("0", Flag(false))])?.0,
            server_name: text("ssl_servername"),
            key_log: text("sslkeylogfile").map(PathBuf::from),
        })
    }

    /// The files that a session reads, as far as they are there.
    pub(in crate::open) fn files(&self) -> Vec<PathBuf> {
        let roots = match &self.roots {
            Roots::File(path) | Roots::DefaultFile(path) => Some(path),
            Roots::Text(_) | Roots::System | Roots::Node | Roots::Unverified => None,
        };
        let named = [&self.certificate, &self.key].into_iter().filter_map(|source| match source {
            Source::File(path) | Source::DefaultFile(path) => Some(path),
            Source::Nowhere | Source::Text(_) => None,
        });
        let (list, folder) = match &self.revocation {
            Revocation::Files(list, folder) => (list.as_ref(), folder.as_ref()),
            Revocation::Text(_) => (None, None),
        };
        roots.into_iter().chain(named).chain(list).chain(folder).cloned().collect()
    }

    /// Whether Node's roots would be used: they are asked for only then.
    pub(in crate::open) fn are_node_roots_wanted(&self) -> bool {
        self.mode.is_verification_demanded()
            && match &self.roots {
                Roots::Node => true,
                Roots::DefaultFile(path) => !path.exists(),
                Roots::File(_) | Roots::Text(_) | Roots::System | Roots::Unverified => false,
            }
    }
}

/// A flag that is set by default.
#[derive(Clone, Copy)]
struct Flag(bool);

impl Default for Flag {
    fn default() -> Self {
        Self(true)
    }
}

/// libpq's names of the versions, which have no case.
fn version(given: &Given) -> Result<u16, ConfigError> {
    Ok(match given.text.to_ascii_lowercase().as_str() {
        "tlsv1" => ProtocolVersion::TLSv1_0,
        "tlsv1.1" => ProtocolVersion::TLSv1_1,
        "tlsv1.2" => ProtocolVersion::TLSv1_2,
        "tlsv1.3" => ProtocolVersion::TLSv1_3,
        _ => return Err(given.expected("TLSv1.2 or TLSv1.3")),
    }
    .into())
}

fn versions(minimum: Option<&Given>, maximum: Option<&Given>) -> Result<Versions, ConfigError> {
    let (tls12, tls13) = (u16::from(ProtocolVersion::TLSv1_2), u16::from(ProtocolVersion::TLSv1_3));
    // What is older than 1.2 is not there, so that an older minimum is none.
    let least = minimum.map_or(Ok(tls12), version)?;
    let most = maximum.map_or(Ok(tls13), version)?;
    if let Some(given) = maximum.filter(|_| most < tls12) {
        return Err(ConfigError::unsupported(format!(
            "{}: {} is no longer safe, and not supported; expected TLSv1.2 or TLSv1.3",
            given.origin, given.text
        )));
    }
    if let (Some(minimum), Some(maximum)) = (minimum, maximum)
        && least > most
    {
        return Err(ConfigError::new(format!(
            "{}: expected at least the minimum, {}, got {}",
            maximum.origin, minimum.text, maximum.text
        )));
    }
    let is_allowed = |version: u16| (least..=most).contains(&version);
    Ok(Versions { is_12_allowed: is_allowed(tls12), is_13_allowed: is_allowed(tls13) })
}
