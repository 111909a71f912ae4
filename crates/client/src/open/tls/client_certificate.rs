//! The client's certificate, and whether the server asked for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::der::{self, Reader};
use super::failure::TlsFailure;

/// Puts a certificate and its key together.
pub(super) fn certified(
    chain: Vec<Vec<u8>>,
    key: &PrivateKeyDer<'_>,
    certificate_origin: &str,
    key_origin: &str,
) -> Result<Arc<CertifiedKey>, TlsFailure> {
    let chain: Vec<CertificateDer<'static>> = chain.into_iter().map(CertificateDer::from).collect();
    if chain.is_empty() {
        return Err(TlsFailure::local(format!("{certificate_origin} holds no certificate")));
    }
    let key = any_supported_type(key).map_err(|_| {
        let text = format!(
            "{key_origin} holds a key that is not supported; expected RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519"
        );
        if is_plausible(key.secret_der()) { TlsFailure::unsupported(text) } else { TlsFailure::local(text) }
    })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(TlsFailure::local(format!("{key_origin} is not the key of the certificate in {certificate_origin}")))
        }
        // Certificates of version 1 cannot be compared; the server will.
        _ => Ok(Arc::new(certified)),
    }
}

/// Whether bytes are a private key of whatever kind: each is a sequence that begins with its version.
fn is_plausible(der: &[u8]) -> bool {
    let mut outer = Reader::new(der);
    let version = outer.expect(der::SEQUENCE).and_then(|fields| Reader::new(fields.contents).expect(der::INTEGER));
    outer.is_empty() && version.is_some()
}

/// Gives the certificate to any server that asks for one, whichever authorities it names, as libpq does.
#[derive(Debug)]
pub(super) struct ClientCertificate {
    pub(super) certified: Option<Arc<CertifiedKey>>,
    pub(super) is_asked_for: AtomicBool,
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.is_asked_for.store(true, Ordering::Relaxed);
        self.certified.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
