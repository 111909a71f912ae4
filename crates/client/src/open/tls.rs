//! `sslmode`: which sessions must be encrypted.
//!
//! Encryption itself is not built yet. A mode that demands it is refused, so that nobody who asked for it talks in
//! the clear; a mode that leaves it open gets a session without.

use super::error::ConfigError;
use super::hosts::{Host, HostAddress};
use super::sources::Given;

/// libpq's `sslmode` (manual, "SSL Mode Descriptions").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    pub(super) fn parse(given: &Given) -> Result<Self, ConfigError> {
        Ok(match given.text.as_str() {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return Err(given.expected("disable, allow, prefer, require, verify-ca or verify-full")),
        })
    }

    fn is_encryption_demanded(self) -> bool {
        matches!(self, Self::Require | Self::VerifyCa | Self::VerifyFull)
    }
}

/// Refuses what cannot be had. As in libpq, the mode means nothing to Unix-domain sockets.
pub(super) fn check(mode: SslMode, origin: &str, hosts: &[Host]) -> Result<(), ConfigError> {
    let is_tcp = |host: &Host| matches!(host.address, HostAddress::Tcp { .. });
    if mode.is_encryption_demanded() && hosts.iter().any(is_tcp) {
        return Err(ConfigError::unsupported(format!(
            "{origin}: TLS is not supported yet, so a session that must be encrypted cannot be opened; \
             expected disable, allow or prefer"
        )));
    }
    Ok(())
}
