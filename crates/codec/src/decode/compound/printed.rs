//! Binary values as PostgreSQL would print them, for codecs of the format text: the values of anonymous records come in
//! binary only.

use std::fmt::Write;

use super::{Cell, Destination, Problem, Stop};
use crate::decode::{fixed, value};
use crate::types::{Type, TypeCode};

/// The longest of these numbers has 20 characters.
#[derive(Default)]
struct Number {
    text: [u8; 24],
    length: usize,
}

impl Write for Number {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let place = self.text.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Decodes a value into its text. What PostgreSQL prints of the other families depends on settings of the session.
#[inline(never)]
pub(super) fn printed(destination: &mut Destination<'_>, tree: &Type, bytes: &[u8]) -> Result<Cell, Stop> {
    match tree.own_code {
        TypeCode::TEXT
        | TypeCode::CHAR
        | TypeCode::NUMERIC
        | TypeCode::JSON
        | TypeCode::JSONB
        | TypeCode::UUID
        | TypeCode::TIME
        | TypeCode::TIMETZ
        | TypeCode::INET
        | TypeCode::MACADDR
        | TypeCode::BIT
        | TypeCode::LSN
        | TypeCode::TID
        | TypeCode::SNAPSHOT
        | TypeCode::VERSIONED => value(destination, tree.own_code, bytes),
        TypeCode::BOOL => fixed(bytes).and_then(|[byte]| destination.text_value(if byte == 0 { b"f" } else { b"t" })),
        TypeCode::INT2 => number(destination, i16::from_be_bytes(fixed(bytes)?)),
        TypeCode::INT4 => number(destination, i32::from_be_bytes(fixed(bytes)?)),
        TypeCode::INT8 => number(destination, i64::from_be_bytes(fixed(bytes)?)),
        TypeCode::OID => number(destination, u32::from_be_bytes(fixed(bytes)?)),
        TypeCode::XID8 => number(destination, u64::from_be_bytes(fixed(bytes)?)),
        _ => Err(Stop::Malformed(Problem::NoBinaryCodec(tree.oid))),
    }
}

fn number(destination: &mut Destination<'_>, number: impl std::fmt::Display) -> Result<Cell, Stop> {
    let mut text = Number::default();
    // Every number fits.
    let _ = write!(text, "{number}");
    destination.text_value(text.text.get(..text.length).unwrap_or_default())
}
