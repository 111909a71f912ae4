//! Signatures of certificates, revocation lists and handshakes.

use rustls::DigitallySignedStruct;
use rustls::Error;
use rustls::PeerMisbehaved;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, alg_id};

use super::certificate::{Certificate, PublicKey, Signed};

/// id-RSASSA-PSS, 1.2.840.113549.1.1.10: a key for such signatures alone.
const PSS_KEY: [u8; 11] = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];

/// Handshakes that are signed by such keys: rsa_pss_pss_sha256, rsa_pss_pss_sha384 and rsa_pss_pss_sha512 (RFC 8446, 4.2.3),
/// beside the schemes that rustls has for the same signature by any RSA key.
const PSS_SCHEMES: [(u16, SignatureScheme); 3] = [
    (0x0809, SignatureScheme::RSA_PSS_SHA256),
    (0x080a, SignatureScheme::RSA_PSS_SHA384),
    (0x080b, SignatureScheme::RSA_PSS_SHA512),
];

/// The schemes of handshakes that can be verified.
pub(super) fn schemes() -> Vec<SignatureScheme> {
    let mut schemes = algorithms().supported_schemes();
    schemes.extend(PSS_SCHEMES.map(|(number, _)| SignatureScheme::from(number)));
    schemes
}

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
        if *algorithm.signature_alg_id() != *signed.algorithm || !is_for(*algorithm, key, signed.algorithm) {
            continue;
        }
        match algorithm.verify_signature(key.bits, signed.message, signed.signature) {
            Ok(()) => return Ok(()),
            Err(_) => result = Err(SignatureFault::Wrong),
        }
    }
    result
}

/// Whether an algorithm is one for keys of this kind. What may be signed by a key for RSASSA-PSS is such a signature; it is
/// verified as by any RSA key.
fn is_for(algorithm: &dyn SignatureVerificationAlgorithm, key: &PublicKey<'_>, signature: &[u8]) -> bool {
    let expected = algorithm.public_key_alg_id();
    if !key.algorithm.starts_with(&PSS_KEY) {
        return *expected == *key.algorithm;
    }
    *expected == *alg_id::RSA_ENCRYPTION && signature.starts_with(&PSS_KEY)
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
    let of_pss_key = PSS_SCHEMES.iter().find(|(number, _)| *number == u16::from(scheme));
    let is_pss_key = certificate.key.algorithm.starts_with(&PSS_KEY);
    if is_pss_key != of_pss_key.is_some() {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let scheme = of_pss_key.map_or(scheme, |(_, same)| *same);
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
        if (is_pss_key || *algorithm.public_key_alg_id() == *certificate.key.algorithm)
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
