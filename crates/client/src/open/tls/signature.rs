//! Signatures of certificates, revocation lists and handshakes.

use rustls::DigitallySignedStruct;
use rustls::Error;
use rustls::PeerMisbehaved;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;

use super::certificate::{Certificate, PublicKey, Signed};

/// What can be verified.
pub(super) fn algorithms() -> WebPkiSupportedAlgorithms {
    default_provider().signature_verification_algorithms
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureFault {
    Wrong,
    /// Of an algorithm, or by a key, that cannot be verified.
    Unsupported,
}

/// Whether a certificate or revocation list is signed by this key.
pub(super) fn check(signed: &Signed<'_>, key: &PublicKey<'_>) -> Result<(), SignatureFault> {
    let mut result = Err(SignatureFault::Unsupported);
    for algorithm in algorithms().all {
        if *algorithm.signature_alg_id() != *signed.algorithm || *algorithm.public_key_alg_id() != *key.algorithm {
            continue;
        }
        match algorithm.verify_signature(key.bits, signed.message, signed.signature) {
            Ok(()) => return Ok(()),
            Err(_) => result = Err(SignatureFault::Wrong),
        }
    }
    result
}

/// Whether a handshake is signed by a certificate's key: rustls' own functions know certificates of version 3 only.
///
/// TLS 1.3 pins a curve to each scheme, and knows no RSA PKCS #1 in handshakes; TLS 1.2 takes what fits the key.
pub(super) fn check_handshake(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    is_tls13: bool,
) -> Result<HandshakeSignatureValid, Error> {
    let certificate =
        Certificate::read(certificate).ok_or(Error::InvalidCertificate(rustls::CertificateError::BadEncoding))?;
    let supported = algorithms();
    let scheme = signature.scheme;
    let (_, candidates) = supported
        .mapping
        .iter()
        .find(|(known, _)| *known == scheme)
        .ok_or(Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme))?;
    if is_tls13 && !is_for_tls13(scheme) {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let candidates = if is_tls13 { &candidates[..1] } else { candidates };
    for algorithm in candidates {
        if *algorithm.public_key_alg_id() == *certificate.key.algorithm
            && algorithm.verify_signature(certificate.key.bits, message, signature.signature()).is_ok()
        {
            return Ok(HandshakeSignatureValid::assertion());
        }
    }
    Err(Error::InvalidCertificate(rustls::CertificateError::BadSignature))
}

fn is_for_tls13(scheme: rustls::SignatureScheme) -> bool {
    use rustls::SignatureScheme as Scheme;
    matches!(
        scheme,
        Scheme::ECDSA_NISTP256_SHA256
            | Scheme::ECDSA_NISTP384_SHA384
            | Scheme::ECDSA_NISTP521_SHA512
            | Scheme::RSA_PSS_SHA256
            | Scheme::RSA_PSS_SHA384
            | Scheme::RSA_PSS_SHA512
            | Scheme::ED25519
            | Scheme::ED448
    )
}
