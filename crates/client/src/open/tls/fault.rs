//! What is wrong with a server's certificate, with the code that Node has for it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

/// Why a certificate is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// As `node:tls` spells it: `CERT_HAS_EXPIRED`, `DEPTH_ZERO_SELF_SIGNED_CERT` …
    pub(super) code: &'static str,
    /// Says what to change.
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn malformed(which: &str) -> Self {
        Self::new("CERT_UNTRUSTED", format!("{which} is malformed"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {}

impl From<Fault> for rustls::Error {
    fn from(fault: Fault) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
    }
}
