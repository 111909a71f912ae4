//! A row in memory of its own, for rows that no mailbox holds.

use super::{ExtraValue, RowError, RowTypes};
use crate::decode::{BlockSpace, Destination, MOST_BYTES, RowStop, TextSpace, array_cells, decode_row, fields};
use crate::types::TypeCode;

/// One row in memory made for it: its cells at the start of `cells`, its array blocks at the end. Its text ranges are
/// direct: offsets into `bytes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRow {
    /// The row's cells, then the array blocks.
    pub cells: Vec<u64>,
    /// One mark per cell, as in the mailbox.
    pub marks: Vec<u8>,
    /// Text and bytea.
    pub bytes: Vec<u8>,
    /// Long values; a cell with mark 2 holds an index into them.
    pub extras: Vec<ExtraValue>,
    /// Whether all text in `bytes` is ASCII.
    pub is_ascii: bool,
}

/// Decodes a row, as [`push_row`](super::Batch::push_row) does, into memory of its own.
///
/// It tries with little memory first and with twice as much of what was short then. The cells end at
/// [`most_block_cells`], 18 bytes for each byte of the row; the bytes are less than twice what the values need, which
/// is what the row has but for the few types whose text is longer.
///
/// # Errors
/// When the row's bytes do not fit the types, or its values take more than 4 GiB.
pub fn own_memory_row(types: RowTypes<'_>, data_row: &[u8]) -> Result<OwnedRow, RowError> {
    let codes = types.codes;
    let fields = fields(data_row, codes.len())?;
    let most_block_cells = most_block_cells(fields);
    let mut block_cells = likely_block_cells(codes, fields).min(most_block_cells);
    let mut byte_count = data_row.len();
    loop {
        let mut row = OwnedRow {
            cells: vec![0; codes.len() + block_cells],
            marks: vec![0; codes.len() + block_cells],
            bytes: vec![0; byte_count],
            extras: Vec::new(),
            is_ascii: true,
        };
        let (row_cells, free_cells) = row.cells.split_at_mut(codes.len());
        let (row_marks, free_marks) = row.marks.split_at_mut(codes.len());
        let mut destination = Destination::new(
            BlockSpace { cells: free_cells, marks: free_marks, first_cell: codes.len() },
            TextSpace {
                bytes: &mut row.bytes,
                start: 0,
                limit: MOST_BYTES,
                is_limit_final: false,
                position: 0,
                is_utf16: false,
                is_wide: true,
            },
            &mut row.extras,
            types.source,
        );
        match decode_row(&mut destination, (row_cells, row_marks), types, fields) {
            Ok(()) => {
                let taken = destination.taken();
                row.is_ascii = taken.is_ascii;
                if taken.bytea_start == byte_count {
                    row.bytes.truncate(taken.text_end);
                }
                return Ok(row);
            }
            Err(RowStop::Malformed(error)) => return Err(error),
            Err(RowStop::Full | RowStop::SegmentFull) if destination.is_short_of_cells() => {
                if block_cells >= most_block_cells {
                    return Err(RowError::too_large());
                }
                block_cells = (block_cells * 2 + codes.len() + 16).min(most_block_cells);
            }
            Err(RowStop::Full | RowStop::SegmentFull) if byte_count < MOST_BYTES => {
                byte_count = byte_count.saturating_mul(2).saturating_add(64).min(MOST_BYTES);
            }
            Err(RowStop::Full | RowStop::SegmentFull) => return Err(RowError::too_large()),
        }
    }
}

/// The most cells that the row's blocks can take: no value of n bytes takes more than 2n + 2.
///
/// In the binary format it is n + 2: an empty range, 3 cells for its one byte, is the most, and any part has at least
/// its length, four bytes, for the cell that its value is in. In the text format `{1}` and `()` take 3 cells, each
/// further value a separator at least for its cell, and in a record two, one for its type.
/// Each field's length in front of it, four bytes, pays for the 2.
fn most_block_cells(fields: &[u8]) -> usize {
    fields.len().saturating_mul(2)
}

/// The number of cells that the row's arrays take, and a guess for other types with parts. What is malformed counts as
/// nothing: decoding will say so.
fn likely_block_cells(codes: &[TypeCode], mut fields: &[u8]) -> usize {
    let mut count = 0;
    for code in codes {
        let Some((length, behind)) = fields.split_first_chunk::<4>() else { break };
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        let Some((value, behind)) = behind.split_at_checked(length) else { break };
        if code.is_array() {
            count += array_cells(value).unwrap_or(0);
        } else if code.is_compound() || *code == TypeCode::RECORD {
            // An attribute's OID and length.
            count += 4 + value.len() / 8;
        }
        fields = behind;
    }
    count
}
