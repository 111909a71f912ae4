//! `uuid` from text.

use super::error::Refusal;

/// Parses what PostgreSQL's `uuid_in` takes: 32 hexadecimal digits, a hyphen allowed behind every group of four, and
/// braces around it all.
pub(super) fn parse(text: &[u8]) -> Result<[u8; 16], Refusal> {
    let inner = text.strip_prefix(b"{").map_or(Some(text), |rest| rest.strip_suffix(b"}"));
    inner
        .and_then(digits)
        .ok_or_else(|| Refusal::invalid("uuid", text, "32 hexadecimal digits, with or without hyphens"))
}

fn digits(mut text: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        if index > 0 && index % 2 == 0 {
            text = text.strip_prefix(b"-").unwrap_or(text);
        }
        let ([high, low], rest) = text.split_first_chunk::<2>()?;
        *byte = hexadecimal(*high)? << 4 | hexadecimal(*low)?;
        text = rest;
    }
    text.is_empty().then_some(bytes)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
