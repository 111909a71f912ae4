//! `interval`: months, days and microseconds.

use super::{Cell, Destination, Stop};

/// Decodes an interval: `interval_send` in PostgreSQL's timestamp.c. The ends of all three fields are its infinities.
pub(super) fn interval(destination: &mut Destination<'_>, bytes: [u8; 16]) -> Result<Cell, Stop> {
    let [a, b, c, d, e, f, g, h, day @ .., i, j, k, l] = bytes;
    let micros = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
    block(destination, i32::from_be_bytes([i, j, k, l]), i32::from_be_bytes(day), micros)
}

/// The block of an interval.
pub(super) fn block(destination: &mut Destination<'_>, months: i32, days: i32, micros: i64) -> Result<Cell, Stop> {
    let (index, cells, marks) = destination.block(2)?;
    cells[0] = u64::from(months.cast_unsigned()) | u64::from(days.cast_unsigned()) << 32;
    cells[1] = micros.cast_unsigned();
    marks.fill(0);
    Ok(Cell::value(index as u64))
}
