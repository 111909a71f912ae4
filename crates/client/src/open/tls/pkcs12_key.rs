//! Private keys that are encrypted as PKCS #12 does it (RFC 7292, appendices B and C): `pbeWithSHAAnd3-KeyTripleDES-CBC` and
//! its sibling with two keys, which older versions of OpenSSL and Java write by default.

use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use des::TdesEde3;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::der::{self, Reader};

/// 1.2.840.113549.1.12.1, of which .3 is the one with three keys, and .4 the one with two.
const PBE: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];

/// Bytes of a block of SHA-1, and of its result.
const BLOCK: usize = 64;
const HASH: usize = 20;

/// A key in PKCS #8 that is encrypted so.
pub(super) struct Encrypted<'a> {
    key_count: usize,
    salt: &'a [u8],
    rounds: u32,
    bytes: &'a [u8],
}

impl<'a> Encrypted<'a> {
    /// `None` if it is encrypted in another way.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut info = Reader::new(Reader::new(der).expect(der::SEQUENCE)?.contents);
        let mut algorithm = Reader::new(info.expect(der::SEQUENCE)?.contents);
        let key_count = match algorithm.expect(der::OBJECT_IDENTIFIER)?.contents.strip_prefix(&PBE)? {
            [3] => 3,
            [4] => 2,
            _ => return None,
        };
        let mut parameters = Reader::new(algorithm.expect(der::SEQUENCE)?.contents);
        let salt = parameters.expect(der::OCTET_STRING)?.contents;
        let rounds = der::unsigned(parameters.expect(der::INTEGER)?.contents)?;
        Some(Self { key_count, salt, rounds, bytes: info.expect(der::OCTET_STRING)?.contents })
    }

    /// `None`: it is not this password.
    pub(super) fn decrypt(&self, password: &str) -> Option<Vec<u8>> {
        let mut key = self.derive(password, 1, 8 * self.key_count);
        key.extend_from_within(..24 - key.len());
        let iv = self.derive(password, 2, 8);
        Decryptor::<TdesEde3>::new_from_slices(&key, &iv).ok()?.decrypt_padded_vec::<Pkcs7>(self.bytes).ok()
    }

    /// Appendix B.2: `purpose` is 1 for keys and 2 for initial vectors.
    fn derive(&self, password: &str, purpose: u8, length: usize) -> Vec<u8> {
        let password: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        let mut input = [filled(self.salt), filled(&password)].concat();
        let mut result = Vec::new();
        while result.len() < length {
            let mut hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&[purpose; BLOCK][..], &input].concat());
            for _ in 1..self.rounds {
                hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, hash.as_ref());
            }
            result.extend_from_slice(hash.as_ref());
            for block in input.chunks_mut(BLOCK) {
                add_with_one(block, hash.as_ref());
            }
        }
        result.truncate(length);
        result
    }
}

/// Repeated until it is whole blocks.
fn filled(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().cycle().take(bytes.len().div_ceil(BLOCK) * BLOCK).collect()
}

/// Adds the hash, repeated to a block, and one, to a block; all are large numbers.
fn add_with_one(block: &mut [u8], hash: &[u8]) {
    let mut carry = 1u16;
    for (index, byte) in block.iter_mut().enumerate().rev() {
        let sum = u16::from(*byte) + u16::from(hash[index % HASH]) + carry;
        carry = sum >> 8;
        *byte = sum.to_be_bytes()[1];
    }
}
