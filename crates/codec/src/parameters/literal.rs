//! Values in PostgreSQL's text format.

use super::cell::{Dimension, Value};
use super::datetime;
use super::error::Refusal;
use crate::calendar::{self, MICROS_OF_DAY};
use crate::types::TypeCode;

/// `box` is the one built-in type whose arrays are not delimited by commas.
pub(super) const BOX_ARRAY: u32 = 1020;

/// Appends a value as text that the type's input function reads.
pub(super) fn append_text(code: TypeCode, value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let takes_any = code == TypeCode::UNKNOWN;
    let takes_numbers = takes_any
        || matches!(
            code,
            TypeCode::INT2
                | TypeCode::INT4
                | TypeCode::INT8
                | TypeCode::OID
                | TypeCode::FLOAT4
                | TypeCode::FLOAT8
                | TypeCode::NUMERIC
        );
    let takes_instants = matches!(code, TypeCode::DATE | TypeCode::TIMESTAMP | TypeCode::TIMESTAMPTZ);
    match *value {
        Value::Text(text) if code != TypeCode::VOID => out.extend_from_slice(text),
        Value::Bool(value) if takes_any || code == TypeCode::BOOL => {
            out.extend_from_slice(if value { b"true" } else { b"false" });
        }
        Value::I32(bits) if code == TypeCode::OID => append(out, bits.cast_unsigned()),
        Value::I32(value) if takes_numbers => append(out, value),
        Value::I64(value) if takes_numbers => append(out, value),
        Value::I64(micros) if takes_instants => instant(code, micros, out)?,
        Value::F64(value) if takes_numbers => float(value, out),
        Value::Millis(millis) if takes_any || takes_instants => instant(code, datetime::micros(code, millis)?, out)?,
        Value::Bytes(bytes) if code == TypeCode::BYTEA => {
            out.extend_from_slice(b"\\x");
            for byte in bytes {
                append(out, format_args!("{byte:02x}"));
            }
        }
        Value::Bytes(bytes) if matches!(code, TypeCode::TEXT | TypeCode::CHAR | TypeCode::JSON | TypeCode::JSONB) => {
            out.extend_from_slice(bytes);
        }
        _ => return Err(Refusal::mismatch(code, value.kind())),
    }
    Ok(())
}

/// Appends what prints as ASCII.
fn append(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write;
    // Writing to a Vec does not fail.
    let _ = write!(out, "{value}");
}

/// The shortest decimal that reads back as the same number.
fn float(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else if value == 0.0 || (1e-7..1e21).contains(&value.abs()) {
        append(out, value);
    } else {
        append(out, format_args!("{value:e}"));
    }
}

/// A point in time, in microseconds since 1970, as text in UTC.
fn instant(code: TypeCode, micros: i64, out: &mut Vec<u8>) -> Result<(), Refusal> {
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

/// Appends an array literal: `{"a",NULL}`, with `[lower:upper]=` in front where a lower bound is not 1.
/// `element` gives the text of the elements one after the other, or `false` for a NULL.
pub(super) fn append_array(
    dimensions: &[Dimension],
    delimiter: u8,
    out: &mut Vec<u8>,
    mut element: impl FnMut(&mut Vec<u8>) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    if dimensions.is_empty() {
        out.extend_from_slice(b"{}");
        return Ok(());
    }
    if dimensions.iter().any(|dimension| dimension.lower_bound != 1) {
        for Dimension { length, lower_bound } in dimensions {
            let upper = i64::from(*lower_bound) + i64::try_from(*length).unwrap_or(i64::MAX / 2) - 1;
            append(out, format_args!("[{lower_bound}:{upper}]"));
        }
        out.push(b'=');
    }
    let element_count = dimensions.iter().map(|dimension| dimension.length).product::<usize>();
    let mut text = Vec::new();
    for index in 0..element_count {
        // Braces open and close where an index of a dimension starts and ends.
        let mut size = 1;
        let depth = dimensions.iter().rev().take_while(|dimension| {
            size *= dimension.length;
            index % size == 0
        });
        let opening = depth.count();
        if index > 0 {
            out.resize(out.len() + opening, b'}');
            out.push(delimiter);
        }
        out.resize(out.len() + opening, b'{');
        text.clear();
        if element(&mut text)? {
            quote(&text, out);
        } else {
            out.extend_from_slice(b"NULL");
        }
    }
    out.resize(out.len() + dimensions.len(), b'}');
    Ok(())
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
