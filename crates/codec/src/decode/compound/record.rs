//! Anonymous records: a block with the type of each value, then the values.

use super::{Cell, Destination, Problem, Stop, part, part_count, scalar};
use crate::decode::{fixed_front, prefixed};
use crate::types::{TypeCode, TypeRef};

/// Decodes a record whose values bring their types along: `record_send` in PostgreSQL's rowtypes.c.
#[inline(never)]
pub(in crate::decode) fn record(destination: &mut Destination<'_>, bytes: &[u8]) -> Result<Cell, Stop> {
    destination.descend()?;
    // Each value has at least its type's OID and its length.
    let (count, mut values) = part_count(bytes, 8)?;
    let (index, cells, marks) = destination.block(1 + 2 * count)?;
    let ([head, cells @ ..], [head_mark, marks @ ..]) = (cells, marks) else {
        return Err(Stop::Full);
    };
    Cell::value(count as u64).put(head, head_mark);
    let (type_cells, cells) = cells.split_at_mut(count);
    let (type_marks, marks) = marks.split_at_mut(count);
    for (type_cell, (cell, mark)) in type_cells.iter_mut().zip(type_marks).zip(cells.iter_mut().zip(marks)) {
        let (type_oid, behind) = fixed_front::<4>(values)?;
        let (bytes, behind) = prefixed(behind)?;
        values = behind;
        let (tree, decoded) = value(destination, u32::from_be_bytes(type_oid), bytes)?;
        tree.put(type_cell.0, type_cell.1);
        decoded.put(cell, mark);
    }
    if !values.is_empty() {
        return Err(Stop::invalid("bytes behind the last value of a record"));
    }
    destination.ascend();
    Ok(Cell::value(index as u64))
}

/// The cell of a value's type, and the value's.
fn value(destination: &mut Destination<'_>, type_oid: u32, bytes: Option<&[u8]>) -> Result<(Cell, Cell), Stop> {
    let unknown = Stop::Malformed(Problem::UnknownType(type_oid));
    let of_code = |code: TypeCode| Cell::value(u64::from(code.0));
    match (destination.source().type_of(type_oid), bytes) {
        (Some(TypeRef { tree: Some(tree), .. }), Some(bytes)) => {
            let decoded = part(destination, &tree, bytes)?;
            Ok((destination.type_value(tree), decoded))
        }
        (Some(TypeRef { tree: Some(tree), .. }), None) => Ok((destination.type_value(tree), Cell::NULL)),
        (Some(TypeRef { code, tree: None }), Some(_)) if code.is_compound() => Err(unknown),
        (Some(TypeRef { code, tree: None }), Some(bytes)) => {
            Ok((of_code(code), scalar(destination, (code, type_oid), bytes)?))
        }
        (Some(TypeRef { code, tree: None }), None) if !code.is_compound() => Ok((of_code(code), Cell::NULL)),
        (_, None) => Ok((of_code(TypeCode::UNKNOWN), Cell::NULL)),
        (None, Some(_)) => Err(unknown),
    }
}
