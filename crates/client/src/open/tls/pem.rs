//! PEM files (RFC 7468), with the headers that encrypted keys of OpenSSL's own kind have (RFC 1421).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::der::{self, Reader};

/// One `-----BEGIN …-----` with what it holds.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) label: String,
    /// Such as `DEK-Info`.
    pub(super) headers: Vec<(String, String)>,
    pub(super) der: Vec<u8>,
}

impl Section {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The sections of a file, in order; what is between them is prose. `None` if one is malformed or has no end.
pub(super) fn sections(text: &[u8]) -> Option<Vec<Section>> {
    let text = String::from_utf8_lossy(text);
    // Editors of Windows put a byte order mark in front.
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines().map(str::trim);
    let mut sections = Vec::new();
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut headers = Vec::new();
        let mut digits = String::new();
        loop {
            match lines.next()? {
                line if line == end => break,
                line => match line.split_once(':') {
                    Some((name, value)) if digits.is_empty() => {
                        headers.push((name.trim().to_owned(), value.trim().to_owned()));
                    }
                    Some(_) => return None,
                    None => digits.push_str(line),
                },
            }
        }
        let der = STANDARD.decode(digits).ok()?;
        sections.push(Section { label: label.to_owned(), headers, der });
    }
    Some(sections)
}

/// The sections with one of these labels.
pub(super) fn labelled(text: &[u8], labels: &[&str]) -> Option<Vec<Vec<u8>>> {
    let sections = sections(text)?;
    Some(sections.into_iter().filter(|section| labels.contains(&&*section.label)).map(|section| section.der).collect())
}

/// The certificates of a file. Those that OpenSSL marks as not trusted for servers are left out.
pub(super) fn certificates(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut ders = Vec::new();
    for section in sections(text)? {
        match &*section.label {
            "CERTIFICATE" | "X509 CERTIFICATE" => ders.push(section.der),
            "TRUSTED CERTIFICATE" => ders.extend(trusted_for_servers(&section.der)?),
            _ => {}
        }
    }
    Some(ders)
}

/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1, and anyExtendedKeyUsage, 2.5.29.37.0.
const FOR_SERVERS: [&[u8]; 2] = [&[0x2b, 6, 1, 5, 5, 7, 3, 1], &[0x55, 0x1d, 37, 0]];

/// The certificate of OpenSSL's own form (`openssl x509 -trustout`), behind which stands for what it is trusted and for what
/// not (X509_CERT_AUX), if it is for servers. The outer `None` is for what is malformed.
#[allow(clippy::option_option, reason = "a certificate, none that is meant, or nothing that can be read")]
fn trusted_for_servers(der: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut parts = Reader::new(der);
    let certificate = parts.expect(der::SEQUENCE)?.bytes.to_vec();
    if parts.is_empty() {
        return Some(Some(certificate));
    }
    let mut more = Reader::new(parts.expect(der::SEQUENCE)?.contents);
    let trusted = more.optional(der::SEQUENCE);
    let rejected = more.optional(0xa0);
    let names_servers = |list: der::Element<'_>| {
        let mut usages = Reader::new(list.contents);
        std::iter::from_fn(|| usages.expect(der::OBJECT_IDENTIFIER)).any(|usage| FOR_SERVERS.contains(&usage.contents))
    };
    Some((!rejected.is_some_and(names_servers) && trusted.is_none_or(names_servers)).then_some(certificate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_labels_headers_and_bytes() {
        let text =
            b"prose\n-----BEGIN A B-----\r\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,1\n\nAQID\nBA==\n-----END A B-----\n\
            more\n-----BEGIN C-----\n-----END C-----";
        let found = sections(text).unwrap();
        assert_eq!((&*found[0].label, &*found[0].der), ("A B", &[1, 2, 3, 4][..]));
        assert_eq!((found[0].header("DEK-Info"), found[0].header("Other")), (Some("X,1"), None));
        assert_eq!((&*found[1].label, found[1].der.len(), found.len()), ("C", 0, 2));
    }

    #[test]
    fn what_is_cut_short_or_no_base64_is_refused() {
        assert!(sections(b"-----BEGIN A-----\nAQID\n").is_none());
        assert!(sections(b"-----BEGIN A-----\nAQ*D\n-----END A-----\n").is_none());
        assert!(sections(b"-----BEGIN A-----\nAQID\na: b\n-----END A-----\n").is_none());
        assert!(sections(b"nothing").unwrap().is_empty());
    }
}
