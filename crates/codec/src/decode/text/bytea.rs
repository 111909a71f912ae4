//! `bytea` in its two output formats, and other bytes in hexadecimal.

use super::{Cell, Destination, Stop};

const BROKEN_HEX: &str = "broken hexadecimal digits";
const BROKEN_ESCAPE: &str = "a broken escape in a bytea";

/// Decodes a bytea, whether `bytea_output` is `hex` or `escape`.
pub(in crate::decode) fn bytea(destination: &mut Destination<'_>, text: &[u8]) -> Result<Cell, Stop> {
    if let Some(digits) = text.strip_prefix(b"\\x") {
        return hex(destination, digits);
    }
    let mut length = 0;
    for_each_escaped(text, |_| length += 1)?;
    destination.bytea_with(length, |bytes| {
        let mut places = bytes.iter_mut();
        for_each_escaped(text, |byte| {
            if let Some(place) = places.next() {
                *place = byte;
            }
        })
    })
}

/// The bytes of the escape format: `\\` is a backslash, `\` with three octal digits any byte.
fn for_each_escaped(mut text: &[u8], mut each: impl FnMut(u8)) -> Result<(), Stop> {
    loop {
        text = match text {
            [] => return Ok(()),
            [b'\\', b'\\', behind @ ..] => {
                each(b'\\');
                behind
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..] => {
                each((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                behind
            }
            [b'\\', ..] => return Err(Stop::invalid(BROKEN_ESCAPE)),
            [byte, behind @ ..] => {
                each(*byte);
                behind
            }
        };
    }
}

/// Decodes bytes from their hexadecimal digits.
pub(in crate::decode) fn hex(destination: &mut Destination<'_>, digits: &[u8]) -> Result<Cell, Stop> {
    let (pairs, []) = digits.as_chunks::<2>() else { return Err(Stop::invalid(BROKEN_HEX)) };
    destination.bytea_with(pairs.len(), |bytes| {
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
        }
        Ok(())
    })
}

fn hex_digit(digit: u8) -> Result<u8, Stop> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(Stop::invalid(BROKEN_HEX)),
    }
}
