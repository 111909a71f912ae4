//! Geometric types: points and numbers in brackets, as geo_ops.c prints them.

use super::scanner::Scanner;
use super::{Cell, Destination, Stop};
use crate::decode::geometric::block;
use crate::types::TypeCode;

/// Decodes a value of one of the geometric types.
pub(in crate::decode) fn geometric(
    destination: &mut Destination<'_>,
    code: TypeCode,
    text: &[u8],
) -> Result<Cell, Stop> {
    let malformed = Stop::invalid("a malformed geometric value");
    let is_closed = code == TypeCode::POLYGON || (code == TypeCode::PATH && text.starts_with(b"("));
    let (open, close): (&[u8], &[u8]) = match code {
        TypeCode::LINE => (b"{", b"}"),
        TypeCode::LSEG => (b"[", b"]"),
        TypeCode::CIRCLE => (b"<", b">"),
        TypeCode::POLYGON => (b"(", b")"),
        TypeCode::PATH if is_closed => (b"(", b")"),
        TypeCode::PATH => (b"[", b"]"),
        _ => (b"", b""),
    };
    // All doubles have commas between them, whatever brackets there are as well.
    let count = 1 + text.iter().filter(|byte| **byte == b',').count();
    let is_count_right = match code {
        TypeCode::POINT => count == 2,
        TypeCode::LINE | TypeCode::CIRCLE => count == 3,
        TypeCode::LSEG | TypeCode::BOX => count == 4,
        _ => count.is_multiple_of(2),
    };
    let mut scanner = Scanner::new(text);
    if !is_count_right || !scanner.passes(open) {
        return Err(malformed);
    }
    let (value, cells) = block(destination, count, is_closed)?;
    for (index, cell) in cells.iter_mut().enumerate() {
        let is_separated = index == 0 || scanner.passes(b",");
        // A line's coefficients and a circle's radius are no points.
        let is_of_point = code != TypeCode::LINE && (code != TypeCode::CIRCLE || index < 2);
        let is_opened = !is_of_point || index % 2 == 1 || scanner.passes(b"(");
        let double =
            super::parse_float::<f64>(scanner.take_while(|byte| !matches!(byte, b',' | b')' | b']' | b'>' | b'}')))?;
        let is_shut = !is_of_point || index % 2 == 0 || scanner.passes(b")");
        if !is_separated || !is_opened || !is_shut {
            return Err(malformed);
        }
        *cell = double.to_bits();
    }
    if scanner.passes(close) && scanner.is_empty() { Ok(value) } else { Err(malformed) }
}
