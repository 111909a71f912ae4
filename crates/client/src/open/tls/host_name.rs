//! Whether a certificate is one of the host that was connected to, by libpq's rules (manual, "Client Verification of
//! Server Certificates").

use std::net::{Ipv4Addr, Ipv6Addr};

use super::certificate::Certificate;
use super::fault::Fault;

/// Compares the host with the certificate's names.
///
/// A host name is looked for among the dNSNames, an address among the iPAddresses; the common name counts only where
/// there is none of the host's kind.
pub(super) fn check(certificate: &Certificate<'_>, host: &str) -> Result<(), Fault> {
    let v4: Option<Ipv4Addr> = host.parse().ok();
    let v6: Option<Ipv6Addr> = host.parse().ok();
    let is_address = v4.is_some() || v6.is_some();
    let matches_address = |bytes: &&[u8]| {
        v4.is_some_and(|address| address.octets() == **bytes) || v6.is_some_and(|address| address.octets() == **bytes)
    };
    if certificate.dns_names.iter().any(|name| is_match(name, host))
        || certificate.ip_addresses.iter().any(matches_address)
    {
        return Ok(());
    }
    let is_named = !if is_address { &certificate.ip_addresses } else { &certificate.dns_names }.is_empty();
    let common_name = certificate.common_name().filter(|_| !is_named);
    if common_name.is_some_and(|name| is_match(name, host)) {
        return Ok(());
    }
    let names: Vec<String> = (certificate.dns_names.iter().map(|name| String::from_utf8_lossy(name).into_owned()))
        .chain(certificate.ip_addresses.iter().map(|bytes| address_text(bytes)))
        .chain(common_name.map(|name| String::from_utf8_lossy(name).into_owned()))
        .collect();
    let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
    Err(Fault::new(
        "ERR_TLS_CERT_ALTNAME_INVALID",
        format!(
            "the server's certificate is for {names}, not for {host}: connect by a name that it has, or use verify-ca"
        ),
    ))
}

/// A name, whose leftmost label may be `*` (RFC 6125, 6.4.3, with `*` for one whole label only).
fn is_match(name: &[u8], host: &str) -> bool {
    // A NUL never equals anything of a host's (CVE-2009-4034).
    if name.eq_ignore_ascii_case(host.as_bytes()) {
        return true;
    }
    let Some(suffix) = name.strip_prefix(b"*").filter(|suffix| suffix.len() > 1 && suffix[0] == b'.') else {
        return false;
    };
    host.find('.').is_some_and(|dot| dot > 0 && host.as_bytes()[dot..].eq_ignore_ascii_case(suffix))
}

fn address_text(bytes: &[u8]) -> String {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).to_string()))
        .unwrap_or_else(|_| "a malformed address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_whole_leftmost_label() {
        for (name, host, expected) in [
            ("db.example.com", "DB.example.COM", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "a.db.example.com", false),
            ("d*.example.com", "db.example.com", false),
            ("*", "db", false),
            ("*.", "db.", false),
            ("db.*.com", "db.example.com", false),
            ("db.example.com\0.evil", "db.example.com", false),
        ] {
            assert_eq!(is_match(name.as_bytes(), host), expected, "{name} {host}");
        }
    }
}
