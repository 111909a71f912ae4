//! One value in PostgreSQL's text format.

use super::cell::Value;
use super::datetime;
use super::error::Refusal;
use crate::calendar::{self, MICROS_OF_DAY};
use crate::types::TypeCode;

/// No more bytes than this come of what a value has outside its cells, but for the numbers of a `vector`, of which
/// there are few.
pub(super) fn longest(value: &Value<'_>) -> usize {
    match value {
        // In hexadecimal, with `\x` in front.
        Value::Bytes(bytes) => bytes.len().saturating_mul(2).saturating_add(2),
        _ => value.length(),
    }
}

/// Two digits a byte.
pub(super) fn append_hexadecimal(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Appends what prints as ASCII.
pub(super) fn append_ascii(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write;
    // Writing to a Vec does not fail.
    let _ = write!(out, "{value}");
}

/// The shortest decimal that reads back as the same float8.
pub(super) fn append_float8(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() {
        append_special(value, out);
    } else if value == 0.0 || (1e-7..1e21).contains(&value.abs()) {
        append_ascii(out, value);
    } else {
        append_ascii(out, format_args!("{value:e}"));
    }
}

/// The shortest decimal that reads back as the same float4.
pub(super) fn append_float4(value: f32, out: &mut Vec<u8>) {
    if !value.is_finite() {
        append_special(f64::from(value), out);
    } else if value == 0.0 || (1e-7..1e21).contains(&value.abs()) {
        append_ascii(out, value);
    } else {
        append_ascii(out, format_args!("{value:e}"));
    }
}

/// NaN and the infinities.
fn append_special(value: f64, out: &mut Vec<u8>) {
    let text: &[u8] = match value {
        f64::INFINITY => b"Infinity",
        f64::NEG_INFINITY => b"-Infinity",
        _ => b"NaN",
    };
    out.extend_from_slice(text);
}

/// A point in time, in microseconds since 1970, as text in UTC.
pub(super) fn instant(code: TypeCode, micros: i64, out: &mut Vec<u8>) -> Result<(), Refusal> {
    match micros {
        i64::MAX => out.extend_from_slice(b"infinity"),
        i64::MIN => out.extend_from_slice(b"-infinity"),
        _ if code == TypeCode::DATE => {
            datetime::date(micros)?;
            let mut text = [0; calendar::DATE_TEXT];
            let days = micros.div_euclid(MICROS_OF_DAY.cast_signed());
            let (length, is_before_christ) = calendar::write_date(&mut text, days);
            let length = if is_before_christ { calendar::write_era(&mut text, length) } else { length };
            out.extend_from_slice(&text[..length]);
        }
        _ => {
            let zone: &[u8] = if code == TypeCode::TIMESTAMP { b"" } else { b"+00" };
            calendar::write_timestamp(out, micros, zone);
        }
    }
    Ok(())
}
