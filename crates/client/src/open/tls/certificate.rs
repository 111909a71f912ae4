//! X.509 certificates and revocation lists (RFC 5280), read without judging them.

use super::der::{self, Element, Reader};

/// Of RFC 5280, 4.2.1.3: bit n of the extension is bit n here.
pub(super) const DIGITAL_SIGNATURE: u16 = 1;
pub(super) const KEY_ENCIPHERMENT: u16 = 1 << 2;
pub(super) const KEY_AGREEMENT: u16 = 1 << 4;
pub(super) const KEY_CERT_SIGN: u16 = 1 << 5;
pub(super) const CRL_SIGN: u16 = 1 << 6;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];

/// Critical extensions that change nothing for us, and that OpenSSL takes too: distribution points of revocation lists,
/// policies, their mappings, constraints and inhibitions.
const HARMLESS: [&[u8]; 5] =
    [&[0x55, 0x1d, 31], &[0x55, 0x1d, 32], &[0x55, 0x1d, 33], &[0x55, 0x1d, 36], &[0x55, 0x1d, 54]];

/// Which parts of a signed structure its signature covers, and with which algorithm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub(super) message: &'a [u8],
    /// The contents of the AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn read(der: &'a [u8]) -> Option<(Self, Reader<'a>)> {
        let mut outer = Reader::new(der);
        let mut parts = Reader::new(outer.expect(der::SEQUENCE)?.contents);
        let message = parts.expect(der::SEQUENCE)?;
        let algorithm = parts.expect(der::SEQUENCE)?.contents;
        let signature = der::whole_bits(parts.expect(der::BIT_STRING)?.contents)?;
        if !outer.is_empty() || !parts.is_empty() {
            return None;
        }
        Some((Self { message: message.bytes, algorithm, signature }, Reader::new(message.contents)))
    }
}

/// A public key.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicKey<'a> {
    /// The contents of the AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) bits: &'a [u8],
}

/// A certificate. Names are the bytes of their elements, and compared as such.
#[derive(Clone, Debug)]
pub(super) struct Certificate<'a> {
    pub(super) der: &'a [u8],
    pub(super) signed: Signed<'a>,
    /// 1 or 3; 2 is like 1.
    pub(super) version: u8,
    pub(super) serial: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// Seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) key: PublicKey<'a>,
    /// `cA` of basicConstraints; `None` without the extension.
    pub(super) is_ca: Option<bool>,
    pub(super) path_length: Option<u32>,
    pub(super) key_usage: Option<u16>,
    /// Whether the extended key usages include the authentication of servers; `None` without the extension.
    pub(super) is_for_servers: Option<bool>,
    pub(super) has_name_constraints: bool,
    /// It has a critical extension of which nothing is known here.
    pub(super) has_unknown_critical: bool,
    pub(super) dns_names: Vec<&'a [u8]>,
    pub(super) ip_addresses: Vec<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    /// `None` if it is malformed.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (signed, mut body) = Signed::read(der)?;
        let version = match body.optional(0xa0) {
            None => 1,
            Some(version) => match Reader::new(version.contents).expect(der::INTEGER)?.contents {
                [number @ 0..=2] => number + 1,
                _ => return None,
            },
        };
        let serial = body.expect(der::INTEGER)?.contents;
        body.expect(der::SEQUENCE)?;
        let issuer = body.expect(der::SEQUENCE)?.bytes;
        let mut validity = Reader::new(body.expect(der::SEQUENCE)?.contents);
        let (not_before, not_after) = (der::seconds(validity.next()?)?, der::seconds(validity.next()?)?);
        let subject = body.expect(der::SEQUENCE)?.bytes;
        let mut key = Reader::new(body.expect(der::SEQUENCE)?.contents);
        let key = PublicKey {
            algorithm: key.expect(der::SEQUENCE)?.contents,
            bits: der::whole_bits(key.expect(der::BIT_STRING)?.contents)?,
        };
        let mut certificate = Self {
            der,
            signed,
            version,
            serial,
            issuer,
            subject,
            not_before,
            not_after,
            key,
            is_ca: None,
            path_length: None,
            key_usage: None,
            is_for_servers: None,
            has_name_constraints: false,
            has_unknown_critical: false,
            dns_names: Vec::new(),
            ip_addresses: Vec::new(),
        };
        // issuerUniqueID and subjectUniqueID
        body.optional(0x81);
        body.optional(0x82);
        if let Some(extensions) = body.optional(0xa3) {
            let mut list = Reader::new(Reader::new(extensions.contents).expect(der::SEQUENCE)?.contents);
            while !list.is_empty() {
                certificate.read_extension(list.expect(der::SEQUENCE)?)?;
            }
        }
        body.is_empty().then_some(certificate)
    }

    fn read_extension(&mut self, extension: Element<'a>) -> Option<()> {
        let mut parts = Reader::new(extension.contents);
        let name = parts.expect(der::OBJECT_IDENTIFIER)?.contents;
        let is_critical = parts.optional(der::BOOLEAN).is_some_and(|flag| flag.contents != [0]);
        let mut value = Reader::new(parts.expect(der::OCTET_STRING)?.contents);
        match name {
            BASIC_CONSTRAINTS => {
                let mut fields = Reader::new(value.expect(der::SEQUENCE)?.contents);
                self.is_ca = Some(fields.optional(der::BOOLEAN).is_some_and(|flag| flag.contents != [0]));
                self.path_length = match fields.optional(der::INTEGER) {
                    None => None,
                    Some(length) => Some(der::unsigned(length.contents)?),
                };
            }
            KEY_USAGE => {
                let (_, bits) = value.expect(der::BIT_STRING)?.contents.split_first()?;
                let bytes = bits.iter().take(2).enumerate();
                self.key_usage =
                    Some(bytes.fold(0, |usage, (index, byte)| usage | (u16::from(byte.reverse_bits()) << (8 * index))));
            }
            EXTENDED_KEY_USAGE => {
                let mut usages = Reader::new(value.expect(der::SEQUENCE)?.contents);
                let mut is_for_servers = false;
                while !usages.is_empty() {
                    is_for_servers |= usages.expect(der::OBJECT_IDENTIFIER)?.contents == SERVER_AUTH;
                }
                self.is_for_servers = Some(is_for_servers);
            }
            SUBJECT_ALT_NAME => {
                let mut names = Reader::new(value.expect(der::SEQUENCE)?.contents);
                while !names.is_empty() {
                    let name = names.next()?;
                    match name.tag {
                        0x82 => self.dns_names.push(name.contents),
                        0x87 => self.ip_addresses.push(name.contents),
                        _ => {}
                    }
                }
            }
            NAME_CONSTRAINTS => self.has_name_constraints = true,
            _ => self.has_unknown_critical |= is_critical && !HARMLESS.contains(&name),
        }
        Some(())
    }

    /// Its subject is its issuer. Whether it is also signed by itself says only the signature.
    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// The first common name of its subject.
    pub(super) fn common_name(&self) -> Option<&'a [u8]> {
        common_name(self.subject)
    }

    /// What people call the one that issued it.
    pub(super) fn issuer_name(&self) -> String {
        String::from_utf8_lossy(common_name(self.issuer).unwrap_or_default()).into_owned()
    }

    /// What people call it.
    pub(super) fn display_name(&self) -> String {
        let name = self.common_name().or_else(|| self.dns_names.first().copied()).unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    }
}

fn common_name(name: &[u8]) -> Option<&[u8]> {
    let mut sets = Reader::new(Reader::new(name).expect(der::SEQUENCE)?.contents);
    while !sets.is_empty() {
        let mut set = Reader::new(sets.expect(der::SET)?.contents);
        while !set.is_empty() {
            let mut attribute = Reader::new(set.expect(der::SEQUENCE)?.contents);
            if attribute.expect(der::OBJECT_IDENTIFIER)?.contents == COMMON_NAME {
                return attribute.next().map(|text| text.contents);
            }
        }
    }
    None
}

/// A certificate revocation list (RFC 5280, section 5).
#[derive(Clone, Debug)]
pub(super) struct RevocationList<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) issuer: &'a [u8],
    /// Seconds since 1970.
    pub(super) this_update: i64,
    /// The same; `None` when it says nothing.
    pub(super) next_update: Option<i64>,
    serials: Reader<'a>,
    /// It has a critical extension, of which nothing is known here: it may be a part of a list.
    pub(super) has_unknown_critical: bool,
}

impl<'a> RevocationList<'a> {
    /// `None` if it is malformed.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (signed, mut body) = Signed::read(der)?;
        body.optional(der::INTEGER);
        body.expect(der::SEQUENCE)?;
        let issuer = body.expect(der::SEQUENCE)?.bytes;
        let this_update = der::seconds(body.next()?)?;
        let next_update = match body.optional(der::UTC_TIME).or_else(|| body.optional(der::GENERALIZED_TIME)) {
            None => None,
            Some(time) => Some(der::seconds(time)?),
        };
        let serials = Reader::new(body.optional(der::SEQUENCE).map(|list| list.contents).unwrap_or_default());
        let mut has_unknown_critical = false;
        if let Some(extensions) = body.optional(0xa0) {
            let mut list = Reader::new(Reader::new(extensions.contents).expect(der::SEQUENCE)?.contents);
            while !list.is_empty() {
                let mut extension = Reader::new(list.expect(der::SEQUENCE)?.contents);
                extension.expect(der::OBJECT_IDENTIFIER)?;
                has_unknown_critical |= extension.optional(der::BOOLEAN).is_some_and(|flag| flag.contents != [0]);
            }
        }
        // The entries are well formed.
        let mut entries = serials;
        while !entries.is_empty() {
            Reader::new(entries.expect(der::SEQUENCE)?.contents).expect(der::INTEGER)?;
        }
        body.is_empty().then_some(Self { signed, issuer, this_update, next_update, serials, has_unknown_critical })
    }

    pub(super) fn contains(&self, serial: &[u8]) -> bool {
        let mut entries = self.serials;
        while let Some(entry) = entries.next() {
            if Reader::new(entry.contents).expect(der::INTEGER).is_some_and(|number| number.contents == serial) {
                return true;
            }
        }
        false
    }
}
