//! `sslmode`, and the other settings that are words.

use super::super::error::ConfigError;
use super::super::sources::Given;

/// libpq's `sslmode` (manual, "SSL Mode Descriptions").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::open) enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Whether an attempt asks for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::open) enum Encryption {
    Plain,
    Tls,
}

/// How an attempt at opening a session failed, as far as it decides on another one the other way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::open) enum FailureStage {
    /// The server wanted TLS, and it did not come about: our files, its certificate, or the handshake.
    Handshake,
    /// The server refused the session by an ErrorResponse before it authenticated us.
    Refusal,
    #[default]
    Other,
}

impl SslMode {
    pub(in crate::open) fn parse(given: &Given) -> Result<Self, ConfigError> {
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

    pub(in crate::open) fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// A session without TLS is none.
    pub(in crate::open) fn is_encryption_demanded(self) -> bool {
        matches!(self, Self::Require | Self::VerifyCa | Self::VerifyFull)
    }

    pub(super) fn is_verification_demanded(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyFull)
    }

    /// What is tried first.
    pub(in crate::open) fn first_attempt(self) -> Encryption {
        match self {
            Self::Disable | Self::Allow => Encryption::Plain,
            _ => Encryption::Tls,
        }
    }

    /// What is tried after an attempt failed, if anything is. As in libpq, each way is tried once.
    pub(in crate::open) fn second_attempt(self, first: Encryption, stage: FailureStage) -> Option<Encryption> {
        match (self, first, stage) {
            (Self::Prefer, Encryption::Tls, FailureStage::Handshake | FailureStage::Refusal) => Some(Encryption::Plain),
            (Self::Allow, Encryption::Plain, FailureStage::Refusal) => Some(Encryption::Tls),
            _ => None,
        }
    }
}

/// libpq's `sslnegotiation`: how TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::open) enum Negotiation {
    /// The server is asked first (SSLRequest).
    #[default]
    Request,
    /// At once, as everywhere else on the Internet; PostgreSQL 17 and later.
    Direct,
}

/// libpq's `sslcertmode`: whether the client's certificate is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::open) enum CertificateMode {
    Disable,
    #[default]
    Allow,
    /// The server must ask for it.
    Require,
}

/// libpq's `channel_binding`: whether authentication is bound to the TLS session (SCRAM-SHA-256-PLUS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::open) enum ChannelBinding {
    Disable,
    #[default]
    Prefer,
    Require,
}

/// Reads one of a setting's words; without any it is the default.
pub(in crate::open) fn word<T: Copy + Default>(given: Option<&Given>, words: &[(&str, T)]) -> Result<T, ConfigError> {
    let Some(given) = given else { return Ok(T::default()) };
    let found = words.iter().find(|(word, _)| *word == given.text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        given.expected(&format!("one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_tries_what_libpq_tries() {
        use Encryption::{Plain, Tls};
        use FailureStage::{Handshake, Other, Refusal};
        for (mode, first, second) in [
            (SslMode::Disable, Plain, [None, None, None]),
            (SslMode::Allow, Plain, [None, Some(Tls), None]),
            (SslMode::Prefer, Tls, [Some(Plain), Some(Plain), None]),
            (SslMode::Require, Tls, [None, None, None]),
            (SslMode::VerifyCa, Tls, [None, None, None]),
            (SslMode::VerifyFull, Tls, [None, None, None]),
        ] {
            assert_eq!(mode.first_attempt(), first);
            assert_eq!([Handshake, Refusal, Other].map(|stage| mode.second_attempt(first, stage)), second, "{mode:?}");
            let other = if first == Plain { Tls } else { Plain };
            assert_eq!([Handshake, Refusal, Other].map(|stage| mode.second_attempt(other, stage)), [None; 3]);
        }
    }
}
