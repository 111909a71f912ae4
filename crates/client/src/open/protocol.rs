//! Versions of the protocol (manual, "Frontend/Backend Protocol", and the parameters `min_protocol_version` and
//! `max_protocol_version`).

use std::fmt;

use super::error::{ConfigError, OpenError};
use super::messages;
use super::sources::Given;

/// A version 3.x by its x. There is no 3.1: poolers took it to ask for options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Minor(u16);

const MAJOR: u16 = 3;
const BASE: Minor = Minor(0);
/// PostgreSQL 18's, with keys for cancel requests of up to 256 bytes.
const LATEST: Minor = Minor(2);

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MAJOR}.{}", self.0)
    }
}

/// The versions that will do; the highest is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    lowest: Minor,
    highest: Minor,
}

impl Default for Versions {
    fn default() -> Self {
        Self { lowest: BASE, highest: BASE }
    }
}

impl Versions {
    pub(super) fn parse(lowest: Option<&Given>, highest: Option<&Given>) -> Result<Self, ConfigError> {
        let parse = |given: &Given| match given.text.as_str() {
            "3.0" => Ok(BASE),
            "3.2" | "latest" => Ok(LATEST),
            _ => Err(given.expected("3.0, 3.2 or latest")),
        };
        let at_least = lowest.map_or(Ok(BASE), parse)?;
        // As in libpq, who asks for a lowest one alone has asked for it.
        let versions = Self { lowest: at_least, highest: highest.map_or(Ok(at_least), parse)? };
        match lowest {
            Some(given) if versions.lowest > versions.highest => {
                Err(given.expected(&format!("a version that is not above maxProtocolVersion ({})", versions.highest)))
            }
            _ => Ok(versions),
        }
    }

    /// Asks for the highest version in a startup message. `None` if it is not one.
    pub(super) fn write_into(self, startup_message: &mut [u8]) -> Option<()> {
        let version = startup_message.get_mut(4..8)?;
        version.copy_from_slice(&[MAJOR.to_be_bytes(), self.highest.0.to_be_bytes()].concat());
        Some(())
    }

    /// Judges a server's NegotiateProtocolVersion message: its body is the version that the server speaks, and the
    /// options among those asked for that it does not know.
    pub(super) fn negotiate(self, body: &[u8]) -> Result<(), OpenError> {
        let (version, rest) = body.split_first_chunk().ok_or_else(malformed)?;
        let (count, names) = rest.split_first_chunk().ok_or_else(malformed)?;
        // The manual says "minor version"; servers send both parts.
        let (major, minor) = match *version {
            [0, 0, high, low] => (MAJOR, u16::from_be_bytes([high, low])),
            [major_high, major_low, high, low] => {
                (u16::from_be_bytes([major_high, major_low]), u16::from_be_bytes([high, low]))
            }
        };
        if i32::from_be_bytes(*count) != 0 {
            let name = messages::c_string(names).map(|(name, _)| messages::quoted(&name)).ok_or_else(malformed)?;
            return Err(OpenError::protocol(format!(
                "the server does not know the protocol option {name:?}, which it was not asked for"
            )));
        }
        if !names.is_empty() {
            return Err(malformed());
        }
        let offered = Minor(minor);
        if major != MAJOR || offered > self.highest || offered == Minor(1) {
            return Err(OpenError::protocol(format!(
                "the server answered with version {major}.{minor} of the protocol when it was asked for {}",
                self.highest
            )));
        }
        if offered == self.highest {
            return Err(OpenError::protocol("the server negotiates the version of the protocol, and changes nothing"));
        }
        if offered < self.lowest {
            return Err(OpenError::unsupported(format!(
                "the server speaks version {offered} of the protocol at most, and minProtocolVersion is {}",
                self.lowest
            )));
        }
        Ok(())
    }
}

fn malformed() -> OpenError {
    OpenError::protocol("the server sent a malformed NegotiateProtocolVersion message")
}
