//! PEM files (RFC 7468), with the headers that encrypted keys of OpenSSL's own kind have (RFC 1421).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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
    let mut lines = text.lines().map(str::trim);
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

/// The certificates of a file.
pub(super) fn certificates(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    labelled(text, &["CERTIFICATE", "X509 CERTIFICATE"])
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
