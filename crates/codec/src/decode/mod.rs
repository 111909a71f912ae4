//! Values from PostgreSQL's formats into cells, one file per family.

mod array;
mod bit;
mod compound;
mod datetime;
mod destination;
mod families;
mod float;
mod geometric;
mod hstore;
mod identifiers;
mod interval;
mod network;
mod numeric;
mod printed;
mod stack_text;
mod text;
mod text_parts;
mod uuid;
mod vector;

pub(crate) use array::array_cells;
pub(crate) use destination::{BlockSpace, Cell, Destination, MOST_BYTES, TextSpace};

use std::fmt;

use families::value;

use crate::batch::{RowError, RowTypes};
use crate::types::{TypeCode, type_name};

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The value has not the length of its type.
    Length { expected: usize, actual: usize },
    /// The row ends inside the value.
    Truncated,
    /// The value breaks a rule of its type.
    Invalid(&'static str),
    /// A composite value has another number of attributes than its type had when it was looked up.
    AttributeCount { expected: usize, actual: usize },
    /// An attribute of a composite value has another type than when the composite type was looked up.
    AttributeType { index: usize, expected: u32, actual: u32 },
    /// A value in an anonymous record has a type that is not known.
    UnknownType(u32),
    /// A value in an anonymous record has a type that crosses as text only, and comes in the binary format.
    NoBinaryCodec(u32),
    /// No format serves all parts of the type, or there are too many levels of them.
    Unsupported(&'static str),
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, actual } => write!(formatter, "{actual} bytes where {expected} were expected"),
            Self::Truncated => write!(formatter, "the message ends inside the value"),
            Self::Invalid(what) | Self::Unsupported(what) => write!(formatter, "{what}"),
            Self::AttributeCount { expected, actual } => {
                write!(formatter, "{actual} attributes where the type had {expected} when it was looked up")
            }
            Self::AttributeType { index, expected, actual } => write!(
                formatter,
                "attribute {} has the type with OID {actual}, and had the one with OID {expected} when the composite \
                 type was looked up",
                index + 1
            ),
            Self::UnknownType(oid) => write!(formatter, "a value of the type with OID {oid}, which is not known"),
            Self::NoBinaryCodec(oid) => {
                match type_name(*oid) {
                    Some(name) => write!(formatter, "a value of type {name}")?,
                    None => write!(formatter, "a value of the type with OID {oid}")?,
                }
                write!(
                    formatter,
                    ", a type without a binary codec, in an anonymous record: cast it to text, or select the record's \
                     values as columns"
                )
            }
        }
    }
}

/// Why a value was not decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// The memory has no room for it.
    Full,
    /// The segment may have no more text, a new one may.
    SegmentFull,
    Malformed(Problem),
}

impl Stop {
    fn invalid(what: &'static str) -> Self {
        Self::Malformed(Problem::Invalid(what))
    }

    #[cold]
    fn in_column(self, index: usize, types: RowTypes<'_>) -> RowStop {
        match self {
            Self::Full => RowStop::Full,
            Self::SegmentFull => RowStop::SegmentFull,
            Self::Malformed(problem) => RowStop::Malformed(RowError::in_column(index, types, problem)),
        }
    }
}

/// Why a row was not decoded.
pub(crate) enum RowStop {
    Full,
    SegmentFull,
    Malformed(RowError),
}

/// The fields of a DataRow message's body, whose number must be that of the described columns.
pub(crate) fn fields(data_row: &[u8], column_count: usize) -> Result<&[u8], RowError> {
    let Some((count, fields)) = data_row.split_first_chunk::<2>() else {
        return Err(RowError::column_count(column_count, None));
    };
    let count = u16::from_be_bytes(*count);
    if usize::from(count) != column_count {
        return Err(RowError::column_count(column_count, Some(count)));
    }
    Ok(fields)
}

/// Decodes one row's fields into its cells and marks.
pub(crate) fn decode_row(
    destination: &mut Destination<'_>,
    places: (&mut [u64], &mut [u8]),
    types: RowTypes<'_>,
    fields: &[u8],
) -> Result<(), RowStop> {
    if types.are_printed {
        decode_printed_row(destination, places, types, fields)
    } else {
        decode_fields(destination, places, types, fields, |destination, index, code, bytes| {
            if code.is_compound() {
                compound::column(destination, types.trees.get(index), bytes)
            } else {
                value(destination, code, bytes)
            }
        })
    }
}

/// The same of a row in the text format.
#[inline(never)]
fn decode_printed_row(
    destination: &mut Destination<'_>,
    places: (&mut [u64], &mut [u8]),
    types: RowTypes<'_>,
    fields: &[u8],
) -> Result<(), RowStop> {
    decode_fields(destination, places, types, fields, |destination, index, code, text| {
        text_parts::column(destination, types.trees.get(index), code, text)
    })
}

/// Decodes the values with `decode`, which is given the column's index and code.
#[inline(always)]
fn decode_fields(
    destination: &mut Destination<'_>,
    (cells, marks): (&mut [u64], &mut [u8]),
    types: RowTypes<'_>,
    mut fields: &[u8],
    decode: impl Fn(&mut Destination<'_>, usize, TypeCode, &[u8]) -> Result<Cell, Stop>,
) -> Result<(), RowStop> {
    for (index, ((cell, mark), &code)) in cells.iter_mut().zip(marks).zip(types.codes).enumerate() {
        let truncated = || Stop::Malformed(Problem::Truncated).in_column(index, types);
        let (length, behind) = fields.split_first_chunk::<4>().ok_or_else(truncated)?;
        let length = i32::from_be_bytes(*length);
        let decoded = if let Ok(length) = usize::try_from(length) {
            let (bytes, behind) = behind.split_at_checked(length).ok_or_else(truncated)?;
            fields = behind;
            decode(destination, index, code, bytes).map_err(|stop| stop.in_column(index, types))?
        } else if length == -1 {
            fields = behind;
            Cell::NULL
        } else {
            return Err(Stop::invalid("a negative length").in_column(index, types));
        };
        decoded.put(cell, mark);
    }
    if fields.is_empty() { Ok(()) } else { Err(RowStop::Malformed(RowError::bytes_behind(fields.len()))) }
}

/// Decodes one value without parts from the text format.
pub(crate) fn decode_text(destination: &mut Destination<'_>, code: TypeCode, text: &[u8]) -> Result<Cell, RowStop> {
    families::value_of_text(destination, code, text).map_err(|stop| stop.in_column(0, RowTypes::plain(&[code])))
}

/// The bytes of a type whose length is fixed.
#[inline(always)]
fn fixed<const LENGTH: usize>(bytes: &[u8]) -> Result<[u8; LENGTH], Stop> {
    <[u8; LENGTH]>::try_from(bytes)
        .map_err(|_| Stop::Malformed(Problem::Length { expected: LENGTH, actual: bytes.len() }))
}

/// The first bytes of a value with parts, and what is behind them.
#[inline(always)]
fn fixed_front<const LENGTH: usize>(bytes: &[u8]) -> Result<([u8; LENGTH], &[u8]), Stop> {
    let (front, behind) = bytes.split_first_chunk().ok_or(Stop::Malformed(Problem::Truncated))?;
    Ok((*front, behind))
}

/// A part with its int32 length in front, which is -1 for NULL, and what is behind it.
#[inline(always)]
fn prefixed(bytes: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Stop> {
    let (length, behind) = fixed_front(bytes)?;
    let length = i32::from_be_bytes(length);
    if let Ok(length) = usize::try_from(length) {
        let (value, behind) = behind.split_at_checked(length).ok_or(Stop::Malformed(Problem::Truncated))?;
        Ok((Some(value), behind))
    } else if length == -1 {
        Ok((None, behind))
    } else {
        Err(Stop::invalid("a negative length"))
    }
}
