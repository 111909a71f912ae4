//! `tls-server-end-point`: the hash of the server's certificate that SCRAM-SHA-256-PLUS binds to (RFC 5929, section 4).

use ring::digest::{SHA256, SHA384, SHA512, digest};
use sha2::Digest;

use super::certificate::Certificate;
use super::der::{self, Reader};

/// sha1WithRSAEncryption to sha512WithRSAEncryption are 1.2.840.113549.1.1.5 and .11 to .13; .4 is MD5, .10 RSASSA-PSS, .14
/// SHA-224.
const PKCS1: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
/// ecdsa-with-SHA1 is 1.2.840.10045.4.1; those with SHA-2 are below 1.2.840.10045.4.3.
const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4];
/// SHA-256, SHA-384, SHA-512 and SHA-224 are 2.16.840.1.101.3.4.2.1 to .4.
const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];

/// The hash by the algorithm of the certificate's signature, where MD5 and SHA-1 become SHA-256. `None` where the
/// algorithm has no hash of its own, such as Ed25519: then nothing can be bound, and PostgreSQL cannot either.
pub(super) fn of(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match hash_of(Certificate::read(certificate)?.signed.algorithm)? {
        Hash::Sha224 => sha2::Sha224::digest(certificate).to_vec(),
        Hash::Sha256 => digest(&SHA256, certificate).as_ref().to_vec(),
        Hash::Sha384 => digest(&SHA384, certificate).as_ref().to_vec(),
        Hash::Sha512 => digest(&SHA512, certificate).as_ref().to_vec(),
    })
}

/// A hash that a signature is made with.
enum Hash {
    /// ring does not have it.
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

fn hash_of(signature_algorithm: &[u8]) -> Option<Hash> {
    let mut parts = Reader::new(signature_algorithm);
    let name = parts.expect(der::OBJECT_IDENTIFIER)?.contents;
    if let Some(rest) = name.strip_prefix(&PKCS1) {
        return match rest {
            [4 | 5 | 11] => Some(Hash::Sha256),
            [12] => Some(Hash::Sha384),
            [13] => Some(Hash::Sha512),
            [14] => Some(Hash::Sha224),
            [10] => pss_hash(parts),
            _ => None,
        };
    }
    match name.strip_prefix(&ECDSA)? {
        [3, 1] => Some(Hash::Sha224),
        [1] | [3, 2] => Some(Hash::Sha256),
        [3, 3] => Some(Hash::Sha384),
        [3, 4] => Some(Hash::Sha512),
        _ => None,
    }
}

/// RSASSA-PSS-params: `[0] hashAlgorithm`, SHA-1 by default.
fn pss_hash(mut parameters: Reader<'_>) -> Option<Hash> {
    let mut fields = Reader::new(parameters.expect(der::SEQUENCE)?.contents);
    let Some(hash) = fields.optional(0xa0) else { return Some(Hash::Sha256) };
    let mut hash = Reader::new(Reader::new(hash.contents).expect(der::SEQUENCE)?.contents);
    match hash.expect(der::OBJECT_IDENTIFIER)?.contents.strip_prefix(&SHA2) {
        Some([1]) => Some(Hash::Sha256),
        Some([2]) => Some(Hash::Sha384),
        Some([3]) => Some(Hash::Sha512),
        Some([4]) => Some(Hash::Sha224),
        Some(_) => None,
        // SHA-1
        None => Some(Hash::Sha256),
    }
}
