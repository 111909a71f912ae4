//! Values from PostgreSQL's text format: parts of types that have no binary format as a whole. The cells are those of
//! the binary format.

mod bytea;
mod datetime;
mod geometric;
mod hstore;
mod interval;
mod scanner;
mod vector;

use std::str::FromStr;

use super::{Cell, Destination, Problem, Stop, char};
use crate::types::TypeCode;

/// Decodes a value without parts from its text.
pub(super) fn scalar(destination: &mut Destination<'_>, code: TypeCode, text: &[u8]) -> Result<Cell, Stop> {
    match code {
        TypeCode::TEXT
        | TypeCode::UNKNOWN
        | TypeCode::JSON
        | TypeCode::JSONB
        | TypeCode::NUMERIC
        | TypeCode::UUID
        | TypeCode::TIME
        | TypeCode::TIMETZ
        | TypeCode::INET
        | TypeCode::MACADDR
        | TypeCode::BIT
        | TypeCode::LSN
        | TypeCode::TID
        | TypeCode::SNAPSHOT
        | TypeCode::VERSIONED => destination.text_value(text),
        TypeCode::BOOL => match text {
            b"t" => Ok(Cell::value(1)),
            b"f" => Ok(Cell::value(0)),
            _ => Err(Stop::invalid("a bool other than t and f")),
        },
        TypeCode::INT2 => {
            parse::<i16>(text, NO_INTEGER).map(|value| Cell::value(u64::from(i32::from(value).cast_unsigned())))
        }
        TypeCode::INT4 => parse::<i32>(text, NO_INTEGER).map(|value| Cell::value(u64::from(value.cast_unsigned()))),
        TypeCode::INT8 => parse::<i64>(text, NO_INTEGER).map(|value| Cell::value(value.cast_unsigned())),
        TypeCode::OID => parse::<u32>(text, NO_INTEGER).map(|value| Cell::value(u64::from(value))),
        TypeCode::XID8 => parse::<u64>(text, NO_INTEGER).map(Cell::value),
        // A float4's text is already the shortest decimal.
        TypeCode::FLOAT4 | TypeCode::FLOAT8 => parse::<f64>(text, NO_FLOAT).map(|value| Cell::value(value.to_bits())),
        TypeCode::CHAR => match *text {
            // What is not ASCII comes as it is from servers before PostgreSQL 16.
            [byte] => char(destination, [byte]),
            _ => destination.text_value(text),
        },
        TypeCode::BYTEA => bytea::bytea(destination, text),
        TypeCode::EWKB => bytea::hex(destination, text),
        TypeCode::DATE => datetime::date(destination, text),
        TypeCode::TIMESTAMP => datetime::timestamp(text, false),
        TypeCode::TIMESTAMPTZ => datetime::timestamp(text, true),
        TypeCode::INTERVAL => interval::interval(destination, text),
        TypeCode::POINT
        | TypeCode::LINE
        | TypeCode::LSEG
        | TypeCode::BOX
        | TypeCode::PATH
        | TypeCode::POLYGON
        | TypeCode::CIRCLE => geometric::geometric(destination, code, text),
        TypeCode::HSTORE => hstore::hstore(destination, text),
        TypeCode::VECTOR | TypeCode::HALFVEC => vector::vector(destination, text),
        TypeCode::VOID => Ok(Cell::NULL),
        TypeCode::RAW => Err(Stop::Malformed(Problem::Unsupported(
            "a codec in the binary format inside a type that has only a text format",
        ))),
        TypeCode::RECORD => {
            Err(Stop::Malformed(Problem::Unsupported("an anonymous record inside a type that has only a text format")))
        }
        _ => Err(Stop::invalid("no such type code")),
    }
}

const NO_INTEGER: &str = "an integer that is none or out of range";
const NO_FLOAT: &str = "a floating-point number that is none";

fn parse<T: FromStr>(text: &[u8], problem: &'static str) -> Result<T, Stop> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Stop::invalid(problem))
}
