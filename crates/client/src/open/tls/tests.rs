//! Certificates and keys of `__test__/support/certificates`, which OpenSSL made.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};

use super::certificate::Certificate;
use super::chain::Trust;
use super::{channel_binding, host_name, pem, private_key};

/// 2027-01-15.
const NOW: u64 = 1_800_000_000;

fn file(name: &str) -> Vec<u8> {
    let path = format!("{}/../../__test__/support/certificates/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn certificates(name: &str) -> Vec<Vec<u8>> {
    pem::certificates(&file(&format!("{name}.crt"))).unwrap()
}

fn trust(roots: &[&str], lists: &[&str]) -> Trust {
    Trust {
        roots: roots.iter().flat_map(|name| certificates(name)).collect(),
        lists: lists.iter().flat_map(|name| pem::labelled(&file(name), &["X509 CRL"]).unwrap()).collect(),
        is_revocation_checked: !lists.is_empty(),
    }
}

/// The code of what is wrong with a server's certificate, and its text.
fn judge(trust: &Trust, server: &str, seconds: u64) -> Result<(), (&'static str, String)> {
    let chain = certificates(server);
    let leaf = Certificate::read(&chain[0]).unwrap();
    let sent: Vec<CertificateDer<'_>> = chain[1..].iter().map(|der| CertificateDer::from(&der[..])).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    trust.check(&leaf, &sent, now).map_err(|fault| (fault.code, fault.message))
}

#[test]
fn what_leads_to_a_trusted_authority_is_accepted() {
    for (server, roots) in [
        ("server", &["ca"][..]),
        ("server", &["other-ca", "same-name-ca", "ca"]),
        ("server-sha384", &["ca"]),
        ("server-ed25519", &["ed25519-ca"]),
        ("server-chain", &["ca"]),
        ("server-cn-only", &["ca"]),
        ("server-v1", &["ca"]),
        ("server-pss", &["ca"]),
        ("server-deep", &["ca"]),
        ("server", &["ca-trusted"]),
        // A root may be one by its keyUsage alone.
        ("server-key-usage", &["key-usage-ca"]),
        // It is an authority, and its own: webpki accepts neither.
        ("server-self-signed", &["server-self-signed"]),
    ] {
        assert_eq!(judge(&trust(roots, &[]), server, NOW), Ok(()), "{server}");
    }
}

#[test]
fn what_is_wrong_has_nodes_code() {
    for (server, roots, code) in [
        ("server", &["other-ca"][..], "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
        ("server", &["same-name-ca"], "CERT_SIGNATURE_FAILURE"),
        ("server", &[], "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
        // A root that is not self-signed leads to none, as in OpenSSL.
        ("server-chain", &["intermediate"], "UNABLE_TO_GET_ISSUER_CERT"),
        ("server", &["ca-trusted-for-clients"], "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
        ("server", &["ca-rejected"], "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
        // Nothing below a root is an authority by its keyUsage alone.
        ("server-below-key-usage", &["ca"], "INVALID_CA"),
        ("server-chain", &["other-ca"], "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
        ("server-self-signed", &["ca"], "DEPTH_ZERO_SELF_SIGNED_CERT"),
        ("server-expired", &["ca"], "CERT_HAS_EXPIRED"),
        ("server-future", &["ca"], "CERT_NOT_YET_VALID"),
        ("server-client-only", &["ca"], "INVALID_PURPOSE"),
        ("server-below-leaf", &["ca"], "INVALID_CA"),
    ] {
        let (found, text) = judge(&trust(roots, &[]), server, NOW).unwrap_err();
        assert_eq!(found, code, "{server} {text}");
    }
    let chain = [certificates("server-chain"), certificates("ca")].concat();
    let leaf = Certificate::read(&chain[0]).unwrap();
    let sent: Vec<CertificateDer<'_>> = chain[1..].iter().map(|der| CertificateDer::from(&der[..])).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    assert_eq!(trust(&["other-ca"], &[]).check(&leaf, &sent, now).unwrap_err().code, "SELF_SIGNED_CERT_IN_CHAIN");
    // The root's own time counts too.
    assert_eq!(judge(&trust(&["ca"], &[]), "server", NOW + 200 * 365 * 86_400).unwrap_err().0, "CERT_HAS_EXPIRED");
}

#[test]
fn a_root_that_is_not_self_signed_is_known_but_leads_nowhere() {
    let (_, text) = judge(&trust(&["intermediate"], &[]), "server-chain", NOW).unwrap_err();
    assert!(text.contains("\"oxpg test intermediate CA\" is among those that are trusted"), "{text}");
    assert!(text.contains("the one of \"oxpg test CA\" that issued it is not there"), "{text}");
}

#[test]
fn roots_are_read_in_all_their_forms() {
    let plain = certificates("ca");
    assert_eq!(certificates("ca-trusted"), plain);
    assert!(certificates("ca-rejected").is_empty() && certificates("ca-trusted-for-clients").is_empty());
    let marked = ["\u{feff}".as_bytes(), &file("ca.crt")].concat();
    assert_eq!(pem::certificates(&marked).unwrap(), plain);
    let trusted = pem::sections(&file("ca-trusted.crt")).unwrap().remove(0).der;
    for end in 1..trusted.len() {
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &trusted[..end]);
        let text = format!("-----BEGIN TRUSTED CERTIFICATE-----\n{text}\n-----END TRUSTED CERTIFICATE-----\n");
        // What is cut after the certificate says nothing of trust.
        assert_eq!(pem::certificates(text.as_bytes()), (end == plain[0].len()).then(|| plain.clone()), "{end}");
    }
}

#[test]
fn lists_revoke() {
    let revoked = trust(&["ca"], &["revoked.crl"]);
    assert_eq!(judge(&revoked, "server-revoked", NOW).unwrap_err().0, "CERT_REVOKED");
    assert_eq!(judge(&revoked, "server", NOW), Ok(()));
    assert_eq!(judge(&trust(&["ca"], &["empty.crl"]), "server-revoked", NOW), Ok(()));
    // Each issuer of the chain needs a list.
    assert_eq!(judge(&revoked, "server-chain", NOW).unwrap_err().0, "UNABLE_TO_GET_CRL");
    // Of another authority of the same name.
    let stranger = trust(&["ed25519-ca"], &["revoked.crl"]);
    assert_eq!(judge(&stranger, "server-ed25519", NOW).unwrap_err().0, "UNABLE_TO_GET_CRL");
    // Before 2020 there were neither certificates nor lists.
    assert_eq!(judge(&revoked, "server", 1_500_000_000).unwrap_err().0, "CERT_NOT_YET_VALID");
}

#[test]
fn a_changed_certificate_is_no_longer_signed() {
    let trust = trust(&["ca"], &[]);
    let original = certificates("server")[0].clone();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    for index in (0..original.len()).step_by(7) {
        let mut changed = original.clone();
        changed[index] ^= 1;
        let is_accepted = Certificate::read(&changed).is_some_and(|leaf| trust.check(&leaf, &[], now).is_ok());
        assert!(!is_accepted, "byte {index}");
    }
}

#[test]
fn a_certificate_that_is_cut_short_is_malformed() {
    for name in ["server", "server-v1", "server-chain", "ca"] {
        let der = &certificates(name)[0];
        assert!(Certificate::read(der).is_some());
        for end in 0..der.len() {
            assert!(Certificate::read(&der[..end]).is_none(), "{name} {end}");
        }
    }
}

#[test]
fn names_are_compared_as_libpq_does() {
    for (server, host, is_accepted) in [
        ("server", "localhost", true),
        ("server", "LOCALHOST", true),
        ("server", "127.0.0.1", true),
        ("server", "127.0.0.2", false),
        ("server", "::1", false),
        ("server-other-name", "localhost", false),
        ("server-other-name", "db.example.com", true),
        ("server-other-name", "a.example.org", true),
        ("server-other-name", "example.org", false),
        // The common name counts without alternative names of the host's kind.
        ("server-cn-only", "localhost", true),
        ("server-cn-only", "127.0.0.1", false),
        ("server-v1", "localhost", true),
        ("server-v1", "other", false),
    ] {
        let chain = certificates(server);
        let leaf = Certificate::read(&chain[0]).unwrap();
        let result = host_name::check(&leaf, host);
        assert_eq!(result.is_ok(), is_accepted, "{server} {host}: {result:?}");
        if let Err(fault) = result {
            assert_eq!(fault.code, "ERR_TLS_CERT_ALTNAME_INVALID");
            assert!(fault.message.contains(host), "{fault}");
        }
    }
}

#[test]
fn keys_are_read_in_all_their_forms() {
    let read = |name: &str, password: Option<&str>| {
        private_key::read(&file(name), password, name).map_err(|failure| failure.to_string())
    };
    let client = read("client.key", None).unwrap();
    let rsa = read("client-rsa.key", None).unwrap();
    for (name, expected) in [
        ("client-sec1.key", &client),
        ("client-sec1-aes128.key", &client),
        ("client-pkcs8-encrypted.key", &client),
        ("client-pkcs8-scrypt.key", &client),
        ("client-pkcs8-3des.key", &client),
        ("client-pkcs8-2des.key", &client),
        ("client-rsa-pkcs1.key", &rsa),
        ("client-rsa-aes256.key", &rsa),
        ("client-rsa-des3.key", &rsa),
    ] {
        let key = read(name, Some("opensesame")).unwrap();
        let public = |key| {
            let key = rustls::crypto::ring::sign::any_supported_type(key).unwrap();
            key.public_key().unwrap().to_vec()
        };
        assert_eq!(public(&key), public(expected), "{name}");
        if name.contains("sec1.") || name.contains("pkcs1") {
            continue;
        }
        for (password, text) in [(None, "expected its password"), (Some("wrong"), "is its password right?")] {
            let error = read(name, password).unwrap_err();
            assert!(error.contains(text) && error.contains(name), "{error}");
        }
    }
    let der = pem::sections(&file("client.key")).unwrap().remove(0).der;
    assert!(private_key::read(&der, None, "der").is_ok());
    assert!(read("ca.crt", None).unwrap_err().contains("holds no private key"));
    assert!(private_key::read(b"", None, "empty").unwrap_err().to_string().contains("holds no private key"));
}

/// What libpq can use, or can do without, must not end in a session without TLS under `prefer`; what libpq fails for may.
#[test]
fn a_key_of_another_kind_is_final() {
    use super::client_certificate::certified;
    use super::mode::FailureStage;

    let chain = |name: &str| certificates(name);
    let key = private_key::read(&file("client-p521.key"), None, "client-p521.key").unwrap();
    let failure = certified(chain("client-p521"), &key, "a.crt", "client-p521.key").unwrap_err();
    assert_eq!(failure.stage(), FailureStage::Other, "{failure}");
    assert!(failure.to_string().contains("client-p521.key holds a key that is not supported; expected RSA of"));
    let other = private_key::read(&file("client-rsa.key"), None, "rsa").unwrap();
    assert_eq!(certified(chain("client"), &other, "a.crt", "rsa").unwrap_err().stage(), FailureStage::Handshake);
    let garbage = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let garbage = private_key::read(garbage, None, "garbage").unwrap();
    assert_eq!(certified(chain("client"), &garbage, "a.crt", "x").unwrap_err().stage(), FailureStage::Handshake);

    let stage = |text: &[u8]| private_key::read(text, Some("x"), "x").unwrap_err().stage();
    let camellia = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: CAMELLIA-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert_eq!(stage(camellia), FailureStage::Other);
    assert_eq!(stage(b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n"), FailureStage::Other);
    for name in ["client-pkcs8-encrypted.key", "client-pkcs8-3des.key", "client-rsa-aes256.key"] {
        assert_eq!(stage(&file(name)), FailureStage::Handshake, "{name}: a wrong password");
    }
}

#[test]
fn the_binding_is_hashed_as_the_signature() {
    for (name, length) in [("server", 32), ("server-v1", 32), ("server-sha224", 28), ("server-sha384", 48)] {
        assert_eq!(channel_binding::of(&certificates(name)[0]).unwrap().len(), length, "{name}");
    }
    assert_eq!(channel_binding::of(&certificates("server-ed25519")[0]), None);
}
