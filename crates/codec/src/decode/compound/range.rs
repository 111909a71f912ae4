//! Ranges and multiranges.

use super::{Cell, Destination, Problem, Stop, part, part_count};
use crate::decode::prefixed;
use crate::types::Type;

/// The flags of rangetypes.h; the others there are never sent.
pub(in crate::decode) const EMPTY: u8 = 1;
pub(in crate::decode) const LOWER_INCLUSIVE: u8 = 2;
pub(in crate::decode) const UPPER_INCLUSIVE: u8 = 4;
pub(in crate::decode) const NO_LOWER: u8 = 8;
pub(in crate::decode) const NO_UPPER: u8 = 16;

const ALL_FLAGS: u8 = EMPTY | LOWER_INCLUSIVE | UPPER_INCLUSIVE | NO_LOWER | NO_UPPER;

/// Decodes a range: `range_send` in PostgreSQL's rangetypes.c.
pub(super) fn range(destination: &mut Destination<'_>, subtype: &Type, bytes: &[u8]) -> Result<Cell, Stop> {
    let (&flags, mut bounds) = bytes.split_first().ok_or(Stop::Malformed(Problem::Truncated))?;
    if flags & !ALL_FLAGS != 0 {
        return Err(Stop::invalid("unknown flags of a range"));
    }
    let mut next = |absent: u8| {
        if flags & absent != 0 {
            return Ok(None);
        }
        let (bound, behind) = present(bounds)?;
        bounds = behind;
        Ok(Some(bound))
    };
    let (lower, upper) = (next(EMPTY | NO_LOWER)?, next(EMPTY | NO_UPPER)?);
    if !bounds.is_empty() {
        return Err(Stop::invalid("bytes behind the bounds of a range"));
    }
    range_block(destination, flags, [lower, upper], |destination, bytes| part(destination, subtype, bytes))
}

/// Takes the block of a range, whose bounds `decode` decodes.
#[inline(always)]
pub(in crate::decode) fn range_block<B>(
    destination: &mut Destination<'_>,
    flags: u8,
    bounds: [Option<B>; 2],
    decode: impl Fn(&mut Destination<'_>, B) -> Result<Cell, Stop>,
) -> Result<Cell, Stop> {
    let (index, cells, marks) = destination.block(3)?;
    Cell::value(u64::from(flags)).put(&mut cells[0], &mut marks[0]);
    for ((bound, cell), mark) in bounds.into_iter().zip(&mut cells[1..]).zip(&mut marks[1..]) {
        let decoded = match bound {
            Some(bound) => decode(destination, bound)?,
            None => Cell::NULL,
        };
        decoded.put(cell, mark);
    }
    Ok(Cell::value(index as u64))
}

/// Decodes a multirange: `multirange_send` in PostgreSQL's multirangetypes.c.
pub(super) fn multirange(destination: &mut Destination<'_>, range: &Type, bytes: &[u8]) -> Result<Cell, Stop> {
    // Each range has at least its length.
    let (count, mut ranges) = part_count(bytes, 4)?;
    let (index, cells, marks) = destination.block(1 + count)?;
    Cell::value(count as u64).put(&mut cells[0], &mut marks[0]);
    for (cell, mark) in cells[1..].iter_mut().zip(&mut marks[1..]) {
        let (bytes, behind) = present(ranges)?;
        ranges = behind;
        part(destination, range, bytes)?.put(cell, mark);
    }
    if ranges.is_empty() { Ok(Cell::value(index as u64)) } else { Err(Stop::invalid("bytes behind the last range")) }
}

/// A bound or a range with its length in front, which is never NULL.
fn present(bytes: &[u8]) -> Result<(&[u8], &[u8]), Stop> {
    match prefixed(bytes)? {
        (Some(value), behind) => Ok((value, behind)),
        (None, _) => Err(Stop::invalid("NULL as a part of a range")),
    }
}
