//! What rustls asks of us about a server's certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::certificate::Certificate;
use super::chain::Trust;
use super::fault::Fault;
use super::{host_name, signature};

/// Judges servers' certificates as far as `sslmode` says. That a server has the key of the one that it sends is always
/// verified.
#[derive(Debug)]
pub(super) struct Verifier {
    /// `None`: any certificate will do.
    pub(super) trust: Option<Arc<Trust>>,
    /// The name that must be among those of the certificate; `None`: any will do.
    pub(super) host: Option<String>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let leaf = Certificate::read(end_entity).ok_or_else(|| Fault::malformed("the server's certificate"))?;
        if let Some(trust) = &self.trust {
            trust.check(&leaf, intermediates, now)?;
        }
        if let Some(host) = &self.host {
            host_name::check(&leaf, host)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signature::check_handshake(message, cert, dss, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signature::check_handshake(message, cert, dss, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        signature::schemes()
    }
}
