//! Values with parts in PostgreSQL's binary format, and in its text format where a part has no other.

use super::array::Shape;
use super::cell::{Cells, Value};
use super::error::Refusal;
use super::hstore;
use super::limits::Limits;
use super::literal;
use super::range::{Bound, EMPTY, Flags};
use super::scalar::{self, Format};
use super::target::{Elements, Target};
use super::write_length;
use crate::types::{ParameterType, TypeCode};

/// Appends a parameter with parts, whose first cell has been read, without its length.
#[inline(never)]
pub(super) fn encode(
    parameter: &ParameterType,
    value: &Value<'_>,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    let target = Target::from(parameter);
    if target.code.is_binary() {
        let (start, first) = (out.len(), *cells);
        if append(target, value, cells, out, limits)? == Format::Binary {
            return Ok(Format::Binary);
        }
        out.truncate(start);
        *cells = first;
    }
    match (*value, target.unknown_elements()) {
        (Value::Array { dimension_count, element_count }, Some(elements)) => {
            let shape = Shape::read(cells, dimension_count, element_count)?;
            literal::array(elements, &shape, cells, out, limits)?;
        }
        _ => literal::append(target, value, cells, out, limits)?,
    }
    Ok(Format::Text)
}

/// Appends a value that is not NULL in binary. When a part of it has no binary form, `Format::Text`, with `out` and
/// `cells` anywhere.
pub(super) fn append(
    target: Target<'_>,
    value: &Value<'_>,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    if !value.has_parts() {
        return scalar::encode(target.code, value, out).map_err(|refusal| refusal.of_type(target));
    }
    append_parts(target, value, cells, out, limits).map_err(|refusal| refusal.of_type(target))
}

fn append_parts(
    target: Target<'_>,
    value: &Value<'_>,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    let limits = limits.within()?;
    match *value {
        Value::Array { dimension_count, element_count } => {
            let elements = target.elements()?;
            let shape = Shape::read(cells, dimension_count, element_count)?;
            array(elements, &shape, cells, out, limits)
        }
        Value::Composite { count } => composite(target, count, cells, out, limits),
        Value::Range { flags } => range(target, flags, cells, out, limits),
        Value::Multirange { count } => multirange(target, count, cells, out, limits),
        Value::Hstore { count } if target.code == TypeCode::HSTORE => hstore::append(count, cells, out, limits),
        _ => Err(Refusal::mismatch(target.code, value.kind())),
    }
}

/// Appends a part with its length, −1 for NULL.
#[inline]
fn part(
    target: Target<'_>,
    value: &Value<'_>,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    if matches!(value, Value::Null) {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(Format::Binary);
    }
    limits.check(out, value.length())?;
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let format = append(target, value, cells, out, limits)?;
    if format == Format::Binary {
        write_length(out, length_at)?;
    }
    Ok(format)
}

/// `array_recv` in PostgreSQL's arrayfuncs.c.
fn array(
    elements: Elements<'_>,
    shape: &Shape,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    // `int2vectorrecv` and `oidvectorrecv` take one dimension and no other number, though values may be empty.
    if elements.target.oid == 0 || (elements.is_vector && shape.dimensions().len() != 1) {
        return Ok(Format::Text);
    }
    out.reserve(20 + shape.element_count * 12);
    append_count(shape.dimensions().len(), out)?;
    // Whether there are NULLs: the server finds out by itself.
    append_count(0, out)?;
    out.extend_from_slice(&elements.target.oid.to_be_bytes());
    for dimension in shape.dimensions() {
        append_count(dimension.length, out)?;
        let lower_bound = if elements.is_vector { 0 } else { dimension.lower_bound };
        out.extend_from_slice(&lower_bound.to_be_bytes());
    }
    for index in 0..shape.element_count {
        let value = cells.next()?;
        let format = part(elements.target, &value, cells, out, limits).map_err(|refusal| refusal.in_element(index))?;
        if format == Format::Text {
            return Ok(Format::Text);
        }
    }
    Ok(Format::Binary)
}

/// `record_recv` in rowtypes.c: each attribute with the type that it was declared with.
fn composite(
    target: Target<'_>,
    count: usize,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    let attributes = target.attributes(count)?;
    append_count(count, out)?;
    for attribute in attributes {
        out.extend_from_slice(&attribute.tree.oid.to_be_bytes());
        let value = cells.next()?;
        let format = part(Target::from(&*attribute.tree), &value, cells, out, limits)
            .map_err(|refusal| refusal.in_attribute(&attribute.name))?;
        if format == Format::Text {
            return Ok(Format::Text);
        }
    }
    Ok(Format::Binary)
}

/// `range_recv` in rangetypes.c: the flags, and the bounds that there are.
fn range(
    target: Target<'_>,
    flags: u8,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    let subtype = target.subtype()?;
    let mut flags = Flags::new(flags);
    let flags_at = out.len();
    out.push(EMPTY);
    for bound in [Bound::Lower, Bound::Upper] {
        let Some(value) = flags.bound(bound, cells)? else { continue };
        let format = part(subtype, &value, cells, out, limits).map_err(|refusal| bound.blame(refusal))?;
        if format == Format::Text {
            return Ok(Format::Text);
        }
    }
    if let Some(place) = out.get_mut(flags_at) {
        *place = flags.byte();
    }
    Ok(Format::Binary)
}

/// `multirange_recv` in multirangetypes.c.
fn multirange(
    target: Target<'_>,
    count: usize,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    let range = target.range()?;
    append_count(count, out)?;
    for index in 0..count {
        let value = cells.next()?;
        let format = match value {
            Value::Range { .. } | Value::Text(_) | Value::Bytes(_) => part(range, &value, cells, out, limits),
            _ => Err(Refusal::mismatch(range.code, value.kind()).of_type(range)),
        };
        if format.map_err(|refusal| refusal.in_range(index))? == Format::Text {
            return Ok(Format::Text);
        }
    }
    Ok(Format::Binary)
}

/// Appends an int32 count.
pub(super) fn append_count(count: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let count = i32::try_from(count).map_err(|_| Refusal::malformed())?;
    out.extend_from_slice(&count.to_be_bytes());
    Ok(())
}
