//! The client's private key: PKCS #8, PKCS #1 and SEC 1, in PEM or DER, encrypted or not.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use des::TdesEde3;
use md5::{Digest, Md5};
use pkcs8::{EncryptedPrivateKeyInfoRef, pkcs5};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

use super::failure::TlsFailure;
use super::pem::{self, Section};
use super::pkcs12_key;

/// The key of a file. `origin` names the file or option.
pub(super) fn read(bytes: &[u8], password: Option<&str>, origin: &str) -> Result<PrivateKeyDer<'static>, TlsFailure> {
    if !bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        return PrivateKeyDer::try_from(bytes.to_vec()).map_err(|_| none(origin));
    }
    let sections = pem::sections(bytes).ok_or_else(|| TlsFailure::local(format!("{origin} is malformed")))?;
    let section =
        sections.into_iter().find(|section| section.label.ends_with("PRIVATE KEY")).ok_or_else(|| none(origin))?;
    let is_encrypted = section.label == "ENCRYPTED PRIVATE KEY" || section.header("DEK-Info").is_some();
    if is_encrypted && password.is_none() {
        let text = format!("{origin} is encrypted: expected its password (sslpassword, or ssl: {{ passphrase }})");
        return Err(TlsFailure::local(text));
    }
    let password = password.unwrap_or_default().as_bytes();
    match &*section.label {
        "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(section.der).into()),
        "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(open_traditional(section, password, origin)?).into()),
        "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(open_traditional(section, password, origin)?).into()),
        "ENCRYPTED PRIVATE KEY" => {
            if let Some(encrypted) = pkcs12_key::Encrypted::read(&section.der) {
                let opened = std::str::from_utf8(password).ok().and_then(|password| encrypted.decrypt(password));
                let opened = opened.filter(|der| der.first() == Some(&0x30)).ok_or_else(|| wrong_password(origin))?;
                return Ok(PrivatePkcs8KeyDer::from(opened).into());
            }
            let unsupported = || {
                let text = "is encrypted in a way that is not supported; expected PBES2 with AES or 3DES, or \
                            pbeWithSHAAnd3-KeyTripleDES-CBC";
                TlsFailure::unsupported(format!("{origin} {text}"))
            };
            let encrypted = EncryptedPrivateKeyInfoRef::try_from(&*section.der).map_err(|_| unsupported())?;
            let opened = encrypted.decrypt(password).map_err(|error| match error {
                pkcs8::Error::EncryptedPrivateKey(
                    pkcs5::Error::NoPbes1CryptSupport | pkcs5::Error::UnsupportedAlgorithm { .. },
                ) => unsupported(),
                _ => wrong_password(origin),
            })?;
            Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()).into())
        }
        other => Err(TlsFailure::unsupported(format!(
            "{origin} holds a {other}, which is not supported; expected one in PKCS #8, PKCS #1 or SEC 1"
        ))),
    }
}

fn none(origin: &str) -> TlsFailure {
    TlsFailure::local(format!("{origin} holds no private key"))
}

fn wrong_password(origin: &str) -> TlsFailure {
    TlsFailure::local(format!("{origin} cannot be decrypted: is its password right?"))
}

/// OpenSSL's own encryption, by headers (RFC 1421) and a key from MD5.
fn open_traditional(section: Section, password: &[u8], origin: &str) -> Result<Vec<u8>, TlsFailure> {
    let Some(info) = section.header("DEK-Info") else { return Ok(section.der) };
    let unsupported = || {
        TlsFailure::unsupported(format!(
            "{origin} is encrypted in a way that is not supported: {info}; expected AES-128-CBC, AES-192-CBC, AES-256-CBC or \
             DES-EDE3-CBC, or PKCS #8"
        ))
    };
    let (cipher, iv) = info.split_once(',').ok_or_else(unsupported)?;
    let iv = hex(iv).filter(|iv| iv.len() >= 8).ok_or_else(unsupported)?;
    let key = |length: usize| key_from(password, &iv[..8], length);
    let opened = match cipher {
        "AES-128-CBC" => decrypt::<Decryptor<Aes128>>(&key(16), &iv, &section.der),
        "AES-192-CBC" => decrypt::<Decryptor<Aes192>>(&key(24), &iv, &section.der),
        "AES-256-CBC" => decrypt::<Decryptor<Aes256>>(&key(32), &iv, &section.der),
        "DES-EDE3-CBC" => decrypt::<Decryptor<TdesEde3>>(&key(24), &iv, &section.der),
        _ => return Err(unsupported()),
    };
    // A wrong password mostly shows by the padding, and otherwise by what is no DER.
    opened.filter(|der| der.first() == Some(&0x30)).ok_or_else(|| wrong_password(origin))
}

fn decrypt<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    C::new_from_slices(key, iv).ok()?.decrypt_padded_vec::<Pkcs7>(bytes).ok()
}

/// OpenSSL's EVP_BytesToKey with MD5 and one round.
fn key_from(password: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let mut key: Vec<u8> = Vec::new();
    let mut block: Vec<u8> = Vec::new();
    while key.len() < length {
        let mut hash = Md5::new();
        hash.update(&block);
        hash.update(password);
        hash.update(salt);
        block = hash.finalize().to_vec();
        key.extend_from_slice(&block);
    }
    key.truncate(length);
    key
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.trim().as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?)).collect()
}
