//! A row in memory of its own, for rows that no mailbox holds.

use super::{Aside, RowError, RowTypes};
use crate::decode::{
    BlockSpace, Destination, MOST_BYTES, RowStop, TextSpace, array_cells, decode_row, decode_text, fields,
};
use crate::types::{NoTypes, TypeCode, TypeSource};

/// Blocks are named by 32-bit indexes, and the row's own cells are few.
const MOST_BLOCK_CELLS: usize = 1 << 31;

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
    pub asides: Vec<Aside>,
    /// Whether all text in `bytes` is ASCII.
    pub is_ascii: bool,
}

/// Decodes a row, as [`push_row`](super::Batch::push_row) does, into memory of its own.
///
/// # Errors
/// When the row's bytes do not fit the types, or its values take more than 4 GiB.
pub fn own_memory_row(types: RowTypes<'_>, data_row: &[u8]) -> Result<OwnedRow, RowError> {
    let fields = fields(data_row, types.codes.len())?;
    // Exact for arrays; the parts of other types are counted by trying.
    let block_cells = block_cells(types.codes, fields);
    own_memory(types.codes.len(), block_cells, data_row.len(), types.source, |destination, row| {
        decode_row(destination, row, types, fields)
    })
}

/// Decodes one value from PostgreSQL's text format, in which no column comes, but parts of types do that have no
/// binary format as a whole. By itself, that is for tests.
///
/// # Errors
/// When it is no value of that family.
pub fn own_memory_text(code: TypeCode, text: &[u8]) -> Result<OwnedRow, RowError> {
    own_memory(1, 0, text.len(), &NoTypes, |destination, row| decode_text(destination, row, code, text))
}

/// Decodes into memory that grows until it is enough.
fn own_memory(
    row_cells: usize,
    mut block_cells: usize,
    mut byte_count: usize,
    source: &dyn TypeSource,
    decode: impl Fn(&mut Destination<'_>, (&mut [u64], &mut [u8])) -> Result<(), RowStop>,
) -> Result<OwnedRow, RowError> {
    loop {
        let mut row = OwnedRow {
            cells: vec![0; row_cells + block_cells],
            marks: vec![0; row_cells + block_cells],
            bytes: vec![0; byte_count],
            asides: Vec::new(),
            is_ascii: true,
        };
        let (cells, free_cells) = row.cells.split_at_mut(row_cells);
        let (marks, free_marks) = row.marks.split_at_mut(row_cells);
        let mut destination = Destination::new(
            BlockSpace { cells: free_cells, marks: free_marks, first_cell: row_cells },
            TextSpace {
                bytes: &mut row.bytes,
                start: 0,
                limit: MOST_BYTES,
                is_limit_final: false,
                position: 0,
                is_utf16: false,
                is_wide: true,
            },
            &mut row.asides,
            source,
        );
        match decode(&mut destination, (cells, marks)) {
            Ok(()) => {
                let taken = destination.taken();
                row.is_ascii = taken.is_ascii;
                if taken.bytea_start == byte_count {
                    row.bytes.truncate(taken.text_end);
                }
                return Ok(row);
            }
            Err(RowStop::Malformed(error)) => return Err(error),
            // Few values have parts that were not counted, or become longer than they came; there are further tries.
            Err(RowStop::Full) if destination.lacks_cells() && block_cells < MOST_BLOCK_CELLS => {
                block_cells = block_cells.saturating_mul(2).saturating_add(row_cells + 16).min(MOST_BLOCK_CELLS);
            }
            Err(RowStop::Full | RowStop::SegmentFull) if !destination.lacks_cells() && byte_count < MOST_BYTES => {
                byte_count = byte_count.saturating_mul(2).saturating_add(64).min(MOST_BYTES);
            }
            Err(RowStop::Full | RowStop::SegmentFull) => return Err(RowError::too_large()),
        }
    }
}

/// The number of cells that the row's arrays take. What is malformed counts as nothing: decoding will say so.
fn block_cells(codes: &[TypeCode], mut fields: &[u8]) -> usize {
    let mut count = 0;
    for code in codes {
        let Some((length, behind)) = fields.split_first_chunk::<4>() else { break };
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        let Some((value, behind)) = behind.split_at_checked(length) else { break };
        if code.is_array() {
            count += array_cells(value).unwrap_or(0);
        }
        fields = behind;
    }
    count
}
