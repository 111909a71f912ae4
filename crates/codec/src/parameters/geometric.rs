//! Geometric types: doubles in the order in which PostgreSQL's geo_ops.c sends them.

use super::cell::Doubles;
use super::error::Refusal;
use super::parts::append_count;
use super::text::append_float8;
use crate::types::TypeCode;

/// Appends the binary form.
pub(super) fn append(code: TypeCode, doubles: &Doubles<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check(code, doubles)?;
    // `path_recv` and `poly_recv`.
    if code == TypeCode::PATH {
        out.push(u8::from(doubles.is_closed));
    }
    if matches!(code, TypeCode::PATH | TypeCode::POLYGON) {
        append_count(doubles.count() / 2, out)?;
    }
    out.reserve(doubles.count() * 8);
    for double in doubles.iter() {
        out.extend_from_slice(&double.to_be_bytes());
    }
    Ok(())
}

/// Appends the text form.
pub(super) fn append_text(code: TypeCode, doubles: &Doubles<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check(code, doubles)?;
    let (opening, closing): (&[u8], &[u8]) = match code {
        TypeCode::POINT | TypeCode::BOX => (b"", b""),
        TypeCode::LINE => (b"{", b"}"),
        TypeCode::CIRCLE => (b"<", b">"),
        TypeCode::PATH | TypeCode::POLYGON if doubles.is_closed || code == TypeCode::POLYGON => (b"(", b")"),
        _ => (b"[", b"]"),
    };
    out.extend_from_slice(opening);
    // The numbers in front of it are those of points.
    let points_end = match code {
        TypeCode::LINE => 0,
        TypeCode::CIRCLE => 2,
        _ => doubles.count(),
    };
    for (index, double) in doubles.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if index < points_end && index % 2 == 0 {
            out.push(b'(');
        }
        append_float8(double, out);
        if index < points_end && index % 2 == 1 {
            out.push(b')');
        }
    }
    out.extend_from_slice(closing);
    Ok(())
}

fn check(code: TypeCode, doubles: &Doubles<'_>) -> Result<(), Refusal> {
    let count = doubles.count();
    let expected = match code {
        TypeCode::POINT => 2,
        TypeCode::LINE | TypeCode::CIRCLE => 3,
        TypeCode::LSEG | TypeCode::BOX => 4,
        TypeCode::PATH | TypeCode::POLYGON if count == 0 => {
            return Err(Refusal::count(&"no points", code.name(), &"at least one"));
        }
        TypeCode::PATH | TypeCode::POLYGON if count % 2 == 1 => {
            return Err(Refusal::count(&format_args!("{count} numbers"), code.name(), &"two for each point"));
        }
        TypeCode::PATH | TypeCode::POLYGON => return Ok(()),
        _ => return Err(Refusal::mismatch(code, "a geometric value")),
    };
    if count == expected {
        return Ok(());
    }
    Err(Refusal::count(&format_args!("{count} numbers"), code.name(), &expected))
}
