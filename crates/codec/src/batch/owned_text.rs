//! A single value from the text format, for tests.

use super::{OwnedRow, RowError};
use crate::decode::{BlockSpace, Destination, RowStop, TextSpace, decode_text};
use crate::types::{NoTypes, TypeCode};

/// Decodes one value without parts from PostgreSQL's text format. No column comes in it, but parts of types do that
/// have no binary format as a whole; this is their door for tests.
///
/// # Errors
/// When it is no value of that family.
pub fn own_memory_text(code: TypeCode, text: &[u8]) -> Result<OwnedRow, RowError> {
    // Enough for all families: what is not UTF-8 becomes three times as long, and each comma of a vector announces four
    // bytes, before it is seen that there is no number behind it.
    let (byte_count, block_cells) = (4 * text.len() + 64, text.len() + 2);
    let mut row = OwnedRow {
        cells: vec![0; 1 + block_cells],
        marks: vec![0; 1 + block_cells],
        bytes: vec![0; byte_count],
        extras: Vec::new(),
        is_ascii: true,
    };
    let mut destination = Destination::new(
        BlockSpace { cells: &mut row.cells[1..], marks: &mut row.marks[1..], first_cell: 1 },
        TextSpace {
            bytes: &mut row.bytes,
            start: 0,
            limit: byte_count,
            is_limit_final: false,
            position: 0,
            is_utf16: false,
            is_wide: true,
        },
        &mut row.extras,
        &NoTypes,
    );
    match decode_text(&mut destination, code, text) {
        Ok(decoded) => {
            row.is_ascii = destination.taken().is_ascii;
            row.cells[0] = decoded.word;
            row.marks[0] = decoded.mark;
            Ok(row)
        }
        Err(RowStop::Malformed(error)) => Err(error),
        Err(RowStop::Full | RowStop::SegmentFull) => Err(RowError::too_large()),
    }
}
