//! Geometric types: a block of doubles, in the order of the `*_send` functions in PostgreSQL's geo_ops.c.

use super::{Cell, Destination, Problem, Stop};
use crate::types::TypeCode;

/// Decodes a value of one of the geometric types.
pub(super) fn geometric(destination: &mut Destination<'_>, code: TypeCode, bytes: &[u8]) -> Result<Cell, Stop> {
    let (is_closed, doubles) = match (code, bytes) {
        (TypeCode::PATH, []) => return Err(Stop::Malformed(Problem::Truncated)),
        (TypeCode::PATH, [closed, points @ ..]) => (*closed != 0, of_points(points)?),
        (TypeCode::POLYGON, points) => (true, of_points(points)?),
        (TypeCode::POINT, _) => (false, of_count(bytes, 2)?),
        (TypeCode::LINE | TypeCode::CIRCLE, _) => (false, of_count(bytes, 3)?),
        _ => (false, of_count(bytes, 4)?),
    };
    let (value, cells) = block(destination, doubles.len(), is_closed)?;
    for (cell, double) in cells.iter_mut().zip(doubles) {
        *cell = u64::from_be_bytes(*double);
    }
    Ok(value)
}

/// A block for so many doubles, and their cells.
pub(super) fn block<'a>(
    destination: &mut Destination<'a>,
    count: usize,
    is_closed: bool,
) -> Result<(Cell, &'a mut [u64]), Stop> {
    let (index, cells, marks) = destination.block(1 + count)?;
    let (head, doubles) = cells.split_at_mut(1);
    head[0] = count as u64 | u64::from(is_closed) << 32;
    marks.fill(0);
    Ok((Cell::value(index as u64), doubles))
}

/// So many doubles, and nothing else.
fn of_count(bytes: &[u8], count: usize) -> Result<&[[u8; 8]], Stop> {
    match bytes.as_chunks::<8>() {
        (doubles, []) if doubles.len() == count => Ok(doubles),
        _ => Err(Stop::Malformed(Problem::Length { expected: count.saturating_mul(8), actual: bytes.len() })),
    }
}

/// The doubles of points behind their number.
fn of_points(bytes: &[u8]) -> Result<&[[u8; 8]], Stop> {
    let (count, points) = bytes.split_first_chunk::<4>().ok_or(Stop::Malformed(Problem::Truncated))?;
    let count =
        usize::try_from(i32::from_be_bytes(*count)).map_err(|_| Stop::invalid("a negative number of points"))?;
    of_count(points, count.saturating_mul(2))
}
