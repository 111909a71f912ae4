//! What each family's values are decoded by: from the binary format, from the text format, and from the binary format
//! into text. The compiler names each match that lacks a new family.

use super::printed::number;
use super::{
    Cell, Destination, Problem, Stop, array, bit, compound, datetime, fixed, float, geometric, hstore, identifiers,
    interval, network, numeric, text, uuid, vector,
};
use crate::types::{Family, Type, TypeCode};

const NO_SUCH_CODE: &str = "no such type code";
const NO_INTEGER: &str = "an integer that is none or out of range";

/// A pattern: the families whose values cross as the text that PostgreSQL prints, whatever the format they came in.
macro_rules! text_itself {
    () => {
        Family::Text
            | Family::Json
            | Family::Jsonb
            | Family::Numeric
            | Family::Uuid
            | Family::Time
            | Family::Timetz
            | Family::Inet
            | Family::Macaddr
            | Family::Bit
            | Family::Lsn
            | Family::Tid
            | Family::Snapshot
            | Family::Versioned
    };
}

/// Decodes one value that is not NULL.
#[inline(always)]
pub(super) fn value(destination: &mut Destination<'_>, code: TypeCode, bytes: &[u8]) -> Result<Cell, Stop> {
    match code {
        TypeCode::INT4 | TypeCode::OID => Ok(Cell::value(u64::from(u32::from_be_bytes(fixed(bytes)?)))),
        TypeCode::TEXT | TypeCode::UNKNOWN | TypeCode::JSON => destination.text_value(bytes),
        TypeCode::INT8 => Ok(Cell::value(u64::from_be_bytes(fixed(bytes)?))),
        TypeCode::FLOAT8 => Ok(Cell::value(u64::from_be_bytes(fixed(bytes)?))),
        TypeCode::BOOL => fixed(bytes).map(|[byte]| Cell::value(u64::from(byte != 0))),
        TypeCode::INT2 => {
            let value = i32::from(i16::from_be_bytes(fixed(bytes)?));
            Ok(Cell::value(u64::from(value.cast_unsigned())))
        }
        TypeCode::TIMESTAMP | TypeCode::TIMESTAMPTZ => Ok(datetime::timestamp(i64::from_be_bytes(fixed(bytes)?))),
        TypeCode::UUID => uuid::uuid(destination, fixed(bytes)?),
        TypeCode::FLOAT4 => Ok(Cell::value(float::widen(f32::from_be_bytes(fixed(bytes)?)).to_bits())),
        TypeCode::NUMERIC => numeric::numeric(destination, bytes),
        TypeCode::DATE => datetime::date(destination, i32::from_be_bytes(fixed(bytes)?)),
        TypeCode::TIME => datetime::time(destination, i64::from_be_bytes(fixed(bytes)?)),
        TypeCode::JSONB => versioned(destination, bytes, "a jsonb version other than 1"),
        TypeCode::CHAR => char(destination, fixed(bytes)?),
        TypeCode::BYTEA => destination.bytea_value(bytes),
        TypeCode::VOID => Ok(Cell::NULL),
        TypeCode::RECORD => compound::record(destination, bytes),
        code if code.is_array() => array::array(destination, code.element(), bytes),
        _ => rare_value(destination, code, bytes),
    }
}

/// A value of a family that few columns have.
#[inline(never)]
fn rare_value(destination: &mut Destination<'_>, code: TypeCode, bytes: &[u8]) -> Result<Cell, Stop> {
    let Some(family) = code.family() else { return Err(Stop::invalid(NO_SUCH_CODE)) };
    match family {
        Family::Interval => interval::interval(destination, fixed(bytes)?),
        Family::Timetz => datetime::timetz(destination, fixed(bytes)?),
        Family::Inet => network::inet(destination, bytes),
        Family::Macaddr => network::macaddr(destination, bytes),
        Family::Bit => bit::bit(destination, bytes),
        Family::Point | Family::Line | Family::Lseg | Family::Box | Family::Path | Family::Polygon | Family::Circle => {
            geometric::geometric(destination, code, bytes)
        }
        Family::Lsn => identifiers::lsn(destination, fixed(bytes)?),
        Family::Tid => identifiers::tid(destination, fixed(bytes)?),
        Family::Snapshot => identifiers::snapshot(destination, bytes),
        Family::Versioned => versioned(destination, bytes, "a version other than 1"),
        Family::Xid8 => Ok(Cell::value(u64::from_be_bytes(fixed(bytes)?))),
        Family::Hstore => hstore::hstore(destination, bytes),
        Family::Vector => vector::vector(destination, bytes),
        Family::Halfvec => vector::halfvec(destination, bytes),
        Family::Ewkb | Family::Raw => destination.bytea_value(bytes),
        // Those of `value`, and those whose types say what their parts are.
        Family::Int4
        | Family::Oid
        | Family::Text
        | Family::Unknown
        | Family::Json
        | Family::Int8
        | Family::Float8
        | Family::Bool
        | Family::Int2
        | Family::Timestamp
        | Family::Timestamptz
        | Family::Uuid
        | Family::Float4
        | Family::Numeric
        | Family::Date
        | Family::Time
        | Family::Jsonb
        | Family::Char
        | Family::Bytea
        | Family::Void
        | Family::Record
        | Family::Compound
        | Family::CompoundText => Err(Stop::invalid(NO_SUCH_CODE)),
    }
}

/// Decodes a value without parts from its text.
pub(super) fn value_of_text(destination: &mut Destination<'_>, code: TypeCode, text: &[u8]) -> Result<Cell, Stop> {
    let Some(family) = code.family() else { return Err(Stop::invalid(NO_SUCH_CODE)) };
    match family {
        text_itself!() | Family::Unknown => destination.text_value(text),
        Family::Bool => match text {
            b"t" => Ok(Cell::value(1)),
            b"f" => Ok(Cell::value(0)),
            _ => Err(Stop::invalid("a bool other than t and f")),
        },
        Family::Int2 => {
            text::parse::<i16>(text, NO_INTEGER).map(|value| Cell::value(u64::from(i32::from(value).cast_unsigned())))
        }
        Family::Int4 => text::parse::<i32>(text, NO_INTEGER).map(|value| Cell::value(u64::from(value.cast_unsigned()))),
        Family::Int8 => text::parse::<i64>(text, NO_INTEGER).map(|value| Cell::value(value.cast_unsigned())),
        Family::Oid => text::parse::<u32>(text, NO_INTEGER).map(|value| Cell::value(u64::from(value))),
        Family::Xid8 => text::parse::<u64>(text, NO_INTEGER).map(Cell::value),
        // A float4's text is already the shortest decimal.
        Family::Float4 | Family::Float8 => text::parse_float::<f64>(text).map(|value| Cell::value(value.to_bits())),
        Family::Char => match *text {
            // What is not ASCII comes as it is from servers before PostgreSQL 16.
            [byte] => char(destination, [byte]),
            _ => destination.text_value(text),
        },
        Family::Bytea => text::bytea::bytea(destination, text),
        Family::Ewkb => text::bytea::hex(destination, text),
        Family::Date => text::datetime::date(destination, text),
        Family::Timestamp => text::datetime::timestamp(text, false),
        Family::Timestamptz => text::datetime::timestamp(text, true),
        Family::Interval => text::interval::interval(destination, text),
        Family::Point | Family::Line | Family::Lseg | Family::Box | Family::Path | Family::Polygon | Family::Circle => {
            text::geometric::geometric(destination, code, text)
        }
        Family::Hstore => text::hstore::hstore(destination, text),
        Family::Vector | Family::Halfvec => text::vector::vector(destination, text),
        Family::Void => Ok(Cell::NULL),
        Family::Raw => Err(Stop::Malformed(Problem::Unsupported(
            "a codec in the binary format inside a type that has only a text format",
        ))),
        Family::Record => {
            Err(Stop::Malformed(Problem::Unsupported("an anonymous record inside a type that has only a text format")))
        }
        Family::Compound | Family::CompoundText => Err(Stop::invalid(NO_SUCH_CODE)),
    }
}

/// Decodes a binary value into the text that PostgreSQL would print, for codecs of the format text: the values of
/// anonymous records come in binary only. What PostgreSQL prints of the other families depends on settings of the session.
#[inline(never)]
pub(super) fn printed(destination: &mut Destination<'_>, tree: &Type, bytes: &[u8]) -> Result<Cell, Stop> {
    let unprinted = Err(Stop::Malformed(Problem::NoBinaryCodec(tree.oid)));
    let Some(family) = tree.own_code.family() else { return unprinted };
    match family {
        text_itself!() | Family::Char => value(destination, tree.own_code, bytes),
        Family::Bool => fixed(bytes).and_then(|[byte]| destination.text_value(if byte == 0 { b"f" } else { b"t" })),
        Family::Int2 => number(destination, i16::from_be_bytes(fixed(bytes)?)),
        Family::Int4 => number(destination, i32::from_be_bytes(fixed(bytes)?)),
        Family::Int8 => number(destination, i64::from_be_bytes(fixed(bytes)?)),
        Family::Oid => number(destination, u32::from_be_bytes(fixed(bytes)?)),
        Family::Xid8 => number(destination, u64::from_be_bytes(fixed(bytes)?)),
        Family::Unknown
        | Family::Float4
        | Family::Float8
        | Family::Bytea
        | Family::Date
        | Family::Timestamp
        | Family::Timestamptz
        | Family::Void
        | Family::Interval
        | Family::Point
        | Family::Line
        | Family::Lseg
        | Family::Box
        | Family::Path
        | Family::Polygon
        | Family::Circle
        | Family::Hstore
        | Family::Vector
        | Family::Halfvec
        | Family::Ewkb
        | Family::Record
        | Family::Compound
        | Family::CompoundText
        | Family::Raw => unprinted,
    }
}

/// `jsonb` and others: a version byte, which is 1, then the value's text.
fn versioned(destination: &mut Destination<'_>, bytes: &[u8], other_version: &'static str) -> Result<Cell, Stop> {
    match bytes {
        [1, text @ ..] => destination.text_value(text),
        _ => Err(Stop::invalid(other_version)),
    }
}

/// `"char"`: one byte, printed as `charout` does: nothing for 0, and in octal what is not ASCII.
fn char(destination: &mut Destination<'_>, [byte]: [u8; 1]) -> Result<Cell, Stop> {
    match byte {
        0 => destination.text_value(b""),
        1..=0x7f => destination.text_value(&[byte]),
        _ => destination.text_value(&[b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]),
    }
}
