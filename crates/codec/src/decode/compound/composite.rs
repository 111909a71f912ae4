//! Composite types: a block with a cell per attribute.

use super::{Cell, Destination, Problem, Stop, part};
use crate::decode::{fixed_front, prefixed};
use crate::types::Field;

/// Decodes a composite value: `record_send` in PostgreSQL's rowtypes.c, which leaves dropped attributes out.
pub(super) fn composite(destination: &mut Destination<'_>, fields: &[Field], bytes: &[u8]) -> Result<Cell, Stop> {
    let (count, mut attributes) = fixed_front::<4>(bytes)?;
    let count =
        usize::try_from(i32::from_be_bytes(count)).map_err(|_| Stop::invalid("a negative number of attributes"))?;
    if count != fields.len() {
        return Err(Stop::Malformed(Problem::AttributeCount { expected: fields.len(), actual: count }));
    }
    // Each attribute has at least its OID and its length.
    if count > attributes.len() / 8 {
        return Err(Stop::Malformed(Problem::Truncated));
    }
    let (index, cells, marks) = destination.block(count)?;
    for (place, ((field, cell), mark)) in fields.iter().zip(cells).zip(marks).enumerate() {
        let (type_oid, behind) = fixed_front::<4>(attributes)?;
        let (expected, actual) = (field.tree.oid, u32::from_be_bytes(type_oid));
        if actual != expected {
            return Err(Stop::Malformed(Problem::AttributeType { index: place, expected, actual }));
        }
        let (attribute, behind) = prefixed(behind)?;
        attributes = behind;
        let decoded = match attribute {
            Some(bytes) => part(destination, &field.tree, bytes)?,
            None => Cell::NULL,
        };
        decoded.put(cell, mark);
    }
    if attributes.is_empty() {
        Ok(Cell::value(index as u64))
    } else {
        Err(Stop::invalid("bytes behind the last attribute"))
    }
}
