//! Errors of TLS, with the codes that Node has for them.

use std::error::Error;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::super::error::{OpenError, OpenErrorKind};
use super::fault::Fault;
use super::mode::FailureStage;

/// Why TLS does not come about, or ends.
#[derive(Clone, Debug)]
pub(in crate::open) struct TlsFailure {
    /// As Node spells it; `None` for what is ours.
    code: Option<&'static str>,
    message: String,
    /// libpq would have its session with TLS: to go on without, as `prefer` does otherwise, would be ours alone.
    is_final: bool,
}

impl TlsFailure {
    /// Something of ours: a file that cannot be read, a key without its password …
    pub(super) fn local(message: impl Into<String>) -> Self {
        Self { code: None, message: message.into(), is_final: false }
    }

    /// Something that libpq can use, or can do without, and that is an error here: a kind of key, a malformed revocation
    /// list …
    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self { is_final: true, ..Self::local(message) }
    }

    /// The same, of what libpq would do without.
    pub(super) fn made_final(self) -> Self {
        Self { is_final: true, ..self }
    }

    pub(super) fn internal(message: &str) -> Self {
        Self::local(format!("an internal error of TLS: {message}"))
    }

    pub(super) fn to_io(&self) -> io::Error {
        io::Error::other(self.clone())
    }

    /// Neither another host nor another time helps, so that it is final: 08001,
    /// sqlclient_unable_to_establish_sqlconnection.
    pub(in crate::open) fn into_open_error(self) -> OpenError {
        OpenError {
            sqlstate: Some("08001".to_owned()),
            cause_code: self.code.map(str::to_owned),
            ..OpenError::new(OpenErrorKind::Connection, self.message)
        }
    }

    /// What it means for another attempt, without TLS.
    pub(in crate::open) fn stage(&self) -> FailureStage {
        if self.is_final { FailureStage::Other } else { FailureStage::Handshake }
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TlsFailure {}

/// What went wrong in TLS, if an error of reading or writing stands for that.
pub(in crate::open) fn of_io(error: &io::Error) -> Option<TlsFailure> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<TlsFailure>()).cloned()
}

impl From<Fault> for TlsFailure {
    fn from(fault: Fault) -> Self {
        Self { code: Some(fault.code), ..Self::local(fault.message) }
    }
}

impl From<rustls::Error> for TlsFailure {
    fn from(error: rustls::Error) -> Self {
        let coded = |code, message: String| Self { code: Some(code), ..Self::local(message) };
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
                match other.0.downcast_ref::<Fault>().cloned() {
                    Some(fault) => fault.into(),
                    None => coded("CERT_UNTRUSTED", format!("the server's certificate: {}", other.0)),
                }
            }
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => coded(
                "CERT_SIGNATURE_FAILURE",
                "the handshake is not signed by the key of the server's certificate, or that key is not supported: \
                 expected RSA of 2048 bits or more, P-256, P-384 or Ed25519"
                    .to_owned(),
            ),
            rustls::Error::InvalidCertificate(error) => {
                coded("CERT_UNTRUSTED", format!("the server's certificate: {error}"))
            }
            rustls::Error::AlertReceived(alert) => {
                let (code, text) = describe(alert);
                coded(code, format!("the server ended the TLS handshake or session: {text}"))
            }
            rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => coded(
                "ERR_SSL_WRONG_VERSION_NUMBER",
                format!("the server sent what is not TLS, or not in its place ({error})"),
            ),
            rustls::Error::PeerIncompatible(_) => coded(
                "ERR_SSL_UNSUPPORTED_PROTOCOL",
                format!("the server has no version of TLS, cipher or group in common with us ({error}): {OFFERED}"),
            ),
            rustls::Error::DecryptError => coded(
                "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
                "a TLS record of the server's was damaged on its way".to_owned(),
            ),
            other => coded("EPROTO", format!("TLS failed: {other}")),
        }
    }
}

/// What a server must have one of.
const OFFERED: &str = "the server needs TLS 1.2 or 1.3, a group of X25519, P-256 and P-384 (ssl_groups, before PostgreSQL 18 \
                       ssl_ecdh_curve), and a key that is RSA of 2048 bits or more, P-256, P-384 or Ed25519";

/// Alerts (RFC 8446, section 6.2) by OpenSSL's names, and what they mean here.
fn describe(alert: AlertDescription) -> (&'static str, String) {
    let (code, text) = match alert {
        AlertDescription::HandshakeFailure => {
            let text = format!("it accepts none of what was offered, or wants a certificate of the client: {OFFERED}");
            return ("ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", text);
        }
        AlertDescription::CertificateRequired => {
            ("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "it wants a certificate of the client")
        }
        AlertDescription::UnknownCA => {
            ("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "it does not know who issued the client's certificate")
        }
        AlertDescription::BadCertificate => {
            ("ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "it does not accept the client's certificate")
        }
        AlertDescription::CertificateExpired => {
            ("ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", "the client's certificate has expired")
        }
        AlertDescription::CertificateRevoked => {
            ("ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED", "the client's certificate has been revoked")
        }
        AlertDescription::DecryptError => {
            ("ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR", "it could not verify the client's certificate")
        }
        AlertDescription::ProtocolVersion => {
            ("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "it does not speak the versions of TLS that are allowed")
        }
        AlertDescription::NoApplicationProtocol => {
            ("ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "it does not speak PostgreSQL's protocol")
        }
        AlertDescription::UnrecognisedName => {
            ("ERR_SSL_TLSV1_UNRECOGNIZED_NAME", "it does not know the name that it was called by (SNI)")
        }
        AlertDescription::AccessDenied => ("ERR_SSL_TLSV1_ALERT_ACCESS_DENIED", "it denies access"),
        other => return ("EPROTO", format!("alert {other:?}")),
    };
    (code, text.to_owned())
}
