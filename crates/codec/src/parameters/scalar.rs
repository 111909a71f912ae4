//! One value without parts.

use super::cell::Value;
use super::error::Refusal;
use super::{bit, datetime, geometric, interval, iso, numeric, text, uuid, vector};
use crate::types::TypeCode;

/// The format code that a value was encoded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Binary,
}

impl Format {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

/// Appends a value's bytes, without their length. Text goes as it is, in text format, to the types whose syntax is
/// the server's business.
pub(super) fn encode(code: TypeCode, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Format, Refusal> {
    match (code, *value) {
        (TypeCode::TEXT | TypeCode::JSON, Value::Text(bytes) | Value::Bytes(bytes))
        | (TypeCode::BYTEA | TypeCode::CHAR | TypeCode::UNKNOWN, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
        (TypeCode::JSONB, Value::Text(bytes) | Value::Bytes(bytes)) => {
            out.push(1);
            out.extend_from_slice(bytes);
        }
        (TypeCode::UUID, Value::Text(text)) => out.extend_from_slice(&uuid::parse(text)?),
        (TypeCode::UUID, Value::Bytes(bytes)) => {
            if bytes.len() != 16 {
                return Err(Refusal::new(format!("{} bytes for type uuid, which has 16", bytes.len())));
            }
            out.extend_from_slice(bytes);
        }
        (TypeCode::NUMERIC, Value::Text(text)) => numeric::encode(text, out)?,
        (TypeCode::BOOL, Value::Bool(value)) => out.push(u8::from(value)),
        (TypeCode::OID, Value::I32(bits)) => out.extend_from_slice(&bits.to_be_bytes()),
        (TypeCode::INT2 | TypeCode::INT4 | TypeCode::INT8, Value::I32(value)) => {
            integer(code, i64::from(value), out)?;
        }
        (TypeCode::INT2 | TypeCode::INT4 | TypeCode::INT8 | TypeCode::OID, Value::I64(value)) => {
            integer(code, value, out)?;
        }
        (TypeCode::FLOAT8, Value::F64(value)) => out.extend_from_slice(&value.to_be_bytes()),
        (TypeCode::FLOAT8, Value::I32(value)) => out.extend_from_slice(&f64::from(value).to_be_bytes()),
        (TypeCode::FLOAT4, Value::F64(value)) => out.extend_from_slice(&float4(value)?.to_be_bytes()),
        (TypeCode::FLOAT4, Value::I32(value)) => out.extend_from_slice(&float4(f64::from(value))?.to_be_bytes()),
        (TypeCode::NUMERIC, Value::I32(_) | Value::I64(_) | Value::F64(_)) => {
            let mut text = Vec::new();
            append_text(code, value, &mut text)?;
            numeric::encode(&text, out)?;
        }
        (TypeCode::TIMESTAMP | TypeCode::TIMESTAMPTZ, Value::I64(micros)) => {
            out.extend_from_slice(&datetime::timestamp(code, micros)?.to_be_bytes());
        }
        (TypeCode::TIMESTAMP | TypeCode::TIMESTAMPTZ, Value::Millis(millis)) => {
            out.extend_from_slice(&datetime::timestamp(code, datetime::micros(code, millis)?)?.to_be_bytes());
        }
        (TypeCode::DATE, Value::I64(micros)) => out.extend_from_slice(&datetime::date(micros)?.to_be_bytes()),
        (TypeCode::DATE, Value::Millis(millis)) => {
            out.extend_from_slice(&datetime::date(datetime::micros(code, millis)?)?.to_be_bytes());
        }
        _ => return encode_rarer(code, value, out),
    }
    Ok(Format::Binary)
}

/// The same for the pairs that statements have less often: apart, so that the others stay a short way.
#[inline(never)]
fn encode_rarer(code: TypeCode, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Format, Refusal> {
    match (code, *value) {
        (TypeCode::INTERVAL, Value::Interval(value)) => interval::append(value, out),
        (_, Value::Doubles(doubles)) => geometric::append(code, &doubles, out)?,
        (TypeCode::XID8, Value::I64(bits)) => out.extend_from_slice(&bits.to_be_bytes()),
        (TypeCode::XID8, Value::I32(value)) => {
            let value = u32::try_from(value).map_err(|_| Refusal::out_of_range(code.name(), &value))?;
            out.extend_from_slice(&u64::from(value).to_be_bytes());
        }
        (TypeCode::BIT, Value::Text(text)) => bit::append(text, out)?,
        (TypeCode::VERSIONED, Value::Text(text)) => {
            out.push(1);
            out.extend_from_slice(text);
        }
        (TypeCode::VECTOR | TypeCode::HALFVEC, Value::Bytes(bytes)) => vector::append(code, bytes, out)?,
        (TypeCode::EWKB | TypeCode::RAW, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
        (TypeCode::DATE | TypeCode::TIME | TypeCode::TIMESTAMP | TypeCode::TIMESTAMPTZ, Value::Text(text)) => {
            if !iso::append(code, text, out) {
                out.extend_from_slice(text);
                return Ok(Format::Text);
            }
        }
        _ => {
            append_text(code, value, out)?;
            return Ok(Format::Text);
        }
    }
    Ok(Format::Binary)
}

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
        Value::Text(text) if code == TypeCode::BIT => out.extend_from_slice(bit::digits(text)?),
        Value::Text(text) if code != TypeCode::VOID => out.extend_from_slice(text),
        Value::Bool(value) if takes_any || code == TypeCode::BOOL => {
            out.extend_from_slice(if value { b"true" } else { b"false" });
        }
        Value::I32(bits) if code == TypeCode::OID => text::append_ascii(out, bits.cast_unsigned()),
        Value::I32(value) if takes_numbers => text::append_ascii(out, value),
        // `oidin` would take a negative number as well.
        Value::I64(value) if code == TypeCode::OID => {
            text::append_ascii(out, u32::try_from(value).map_err(|_| Refusal::out_of_range(code.name(), &value))?);
        }
        Value::I64(value) if takes_numbers => text::append_ascii(out, value),
        Value::I64(bits) if code == TypeCode::XID8 => text::append_ascii(out, bits.cast_unsigned()),
        Value::I32(value) if code == TypeCode::XID8 => {
            text::append_ascii(out, u32::try_from(value).map_err(|_| Refusal::out_of_range(code.name(), &value))?);
        }
        Value::I64(micros) if takes_instants => text::instant(code, micros, out)?,
        Value::F64(value) if code == TypeCode::FLOAT4 => text::append_float4(float4(value)?, out),
        Value::F64(value) if takes_numbers => text::append_float8(value, out),
        Value::Millis(millis) if takes_any || takes_instants => {
            text::instant(code, datetime::micros(code, millis)?, out)?
        }
        Value::Interval(value) if code == TypeCode::INTERVAL => interval::append_text(value, out),
        Value::Doubles(doubles) => geometric::append_text(code, &doubles, out)?,
        Value::Bytes(bytes) => append_bytes_as_text(code, bytes, out)?,
        _ => return Err(Refusal::mismatch(code, value.kind())),
    }
    Ok(())
}

fn append_bytes_as_text(code: TypeCode, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    match code {
        TypeCode::BYTEA => {
            out.extend_from_slice(b"\\x");
            text::append_hexadecimal(bytes, out);
        }
        // `geometry_in` and `geography_in` of PostGIS read hexadecimal EWKB, `uuid_in` digits without hyphens.
        TypeCode::EWKB | TypeCode::UUID => text::append_hexadecimal(bytes, out),
        TypeCode::TEXT | TypeCode::CHAR | TypeCode::JSON | TypeCode::JSONB => out.extend_from_slice(bytes),
        TypeCode::VECTOR | TypeCode::HALFVEC => vector::append_text(code, bytes, out)?,
        TypeCode::RAW => return Err(Refusal::only_binary(code)),
        _ => return Err(Refusal::mismatch(code, "a byte string")),
    }
    Ok(())
}

fn integer(code: TypeCode, value: i64, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let out_of_range = || Refusal::out_of_range(code.name(), &value);
    match code {
        TypeCode::INT2 => {
            out.extend_from_slice(&i16::try_from(value).map_err(|_| out_of_range())?.to_be_bytes());
        }
        TypeCode::INT4 => {
            out.extend_from_slice(&i32::try_from(value).map_err(|_| out_of_range())?.to_be_bytes());
        }
        TypeCode::OID => {
            out.extend_from_slice(&u32::try_from(value).map_err(|_| out_of_range())?.to_be_bytes());
        }
        _ => out.extend_from_slice(&value.to_be_bytes()),
    }
    Ok(())
}

/// The nearest float4.
pub(super) fn float4(value: f64) -> Result<f32, Refusal> {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to float4 is the point")]
    let rounded = value as f32;
    if rounded.is_infinite() && value.is_finite() {
        return Err(Refusal::out_of_range(TypeCode::FLOAT4.name(), &value));
    }
    Ok(rounded)
}
