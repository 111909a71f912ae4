//! Types with parts, decoded by their trees: in the binary format by the files of this folder, in the text format by
//! `text_parts`.

mod composite;
mod range;
mod record;

pub(super) use range::{EMPTY, LOWER_INCLUSIVE, NO_LOWER, NO_UPPER, UPPER_INCLUSIVE, range_block};
pub(super) use record::record;

use std::rc::Rc;

use super::{Cell, Destination, Problem, Stop, array, families, fixed_front, text_parts, value};
use crate::types::{Kind, Type, TypeCode};

/// Decodes a column's value by its type.
#[inline(never)]
pub(super) fn column(
    destination: &mut Destination<'_>,
    tree: Option<&Option<Rc<Type>>>,
    bytes: &[u8],
) -> Result<Cell, Stop> {
    match tree {
        Some(Some(tree)) if tree.code.is_binary() => part(destination, tree, bytes),
        Some(Some(tree)) => text_parts::part(destination, tree, bytes),
        _ => Err(Stop::invalid("a type with parts that was not described")),
    }
}

/// Decodes a value of any type that is not NULL.
fn part(destination: &mut Destination<'_>, tree: &Type, bytes: &[u8]) -> Result<Cell, Stop> {
    match tree.code {
        // In anonymous records all is binary, also what would come in the text format otherwise.
        TypeCode::COMPOUND | TypeCode::COMPOUND_TEXT => parts(destination, tree, bytes),
        TypeCode::UNKNOWN if tree.codec != 0 => families::printed(destination, tree, bytes),
        code => scalar(destination, (code, tree.oid), bytes),
    }
}

/// Decodes a value whose code says enough.
#[inline(always)]
fn scalar(destination: &mut Destination<'_>, (code, type_oid): (TypeCode, u32), bytes: &[u8]) -> Result<Cell, Stop> {
    if code.is_binary() {
        value(destination, code, bytes)
    } else {
        Err(Stop::Malformed(Problem::NoBinaryCodec(type_oid)))
    }
}

#[inline(never)]
fn parts(destination: &mut Destination<'_>, tree: &Type, bytes: &[u8]) -> Result<Cell, Stop> {
    destination.descend()?;
    let cell = match &tree.kind {
        Kind::Composite { fields } => composite::composite(destination, fields, bytes)?,
        Kind::Array { element, .. } => {
            array::array_of(destination, bytes, |destination, bytes| part(destination, element, bytes))?
        }
        Kind::Range { subtype } => range::range(destination, subtype, bytes)?,
        Kind::Multirange { range } => range::multirange(destination, range, bytes)?,
        Kind::Scalar => return Err(Stop::invalid("a type with parts whose parts were not described")),
    };
    destination.ascend();
    Ok(cell)
}

/// The int32 number of parts in front of composites, records and multiranges, each of which takes at least `least` bytes.
#[inline(always)]
fn part_count(bytes: &[u8], least: usize) -> Result<(usize, &[u8]), Stop> {
    let (count, behind) = fixed_front(bytes)?;
    let count = usize::try_from(i32::from_be_bytes(count)).map_err(|_| Stop::invalid("a negative number of parts"))?;
    if count > behind.len() / least { Err(Stop::Malformed(Problem::Truncated)) } else { Ok((count, behind)) }
}
