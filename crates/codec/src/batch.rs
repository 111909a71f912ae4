//! Rows of several results, decoded into the memory that JavaScript reads.
//!
//! `docs/internals/boundary.md` draws the layout. Row cells and text grow from the start of their memory, array
//! blocks and bytea from its end; the batch is full when they would meet.

mod owned_row;
mod owned_text;
mod row_error;

pub use owned_row::{OwnedRow, own_memory_row};
pub use owned_text::own_memory_text;
pub use row_error::{RowError, RowFault};

use std::fmt;
use std::rc::Rc;

use crate::decode::{BlockSpace, Destination, MOST_BYTES, RowStop, TextSpace, decode_row, fields};
use crate::failpoint;
use crate::types::{NoTypes, Type, TypeCode, TypeSource};

/// The most text of one segment in bytes: kept values keep the segment's string alive.
const SEGMENT_TEXT: usize = 64 * 1024;
/// Strings of one result past which it goes on in shared segments.
const DIRECT_STRINGS: usize = 32;
/// Bytes of extras past which a batch waits for its delivery.
const EXTRA_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a DataRow message in front of its body.
const MESSAGE_HEADER: usize = 5;

/// The mailbox's memory, lent for one call. It must be the same memory, with the same contents, from one
/// [`Batch::reset`] to the next.
#[derive(Debug)]
pub struct Memory<'a> {
    /// Row cells upwards, array blocks downwards.
    pub cells: &'a mut [u64],
    /// One mark per cell, see [`crate::boundary::mark`].
    pub marks: &'a mut [u8],
    /// Text upwards, bytea downwards. At most 4 GiB of it are used.
    pub bytes: &'a mut [u8],
}

/// The types of a result's columns.
#[derive(Clone, Copy)]
pub struct RowTypes<'a> {
    /// Of each column.
    pub codes: &'a [TypeCode],
    /// The types of columns whose code is a compound one, by column. Shorter when those at the end have none.
    pub trees: &'a [Option<Rc<Type>>],
    /// Knows the types of values in anonymous records.
    pub source: &'a dyn TypeSource,
    /// All values are as PostgreSQL prints them, those too whose code is for the binary format.
    pub are_printed: bool,
}

impl<'a> RowTypes<'a> {
    /// Columns of built-in types without parts.
    #[must_use]
    pub fn plain(codes: &'a [TypeCode]) -> Self {
        Self { codes, trees: &[], source: &NoTypes, are_printed: false }
    }
}

impl fmt::Debug for RowTypes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.codes).finish()
    }
}

/// How the text ranges of a segment are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextMode {
    /// Offsets of bytes in the memory's `bytes`.
    #[default]
    Direct,
    /// Offsets in the string made of the segment's text, in UTF-16 units.
    Shared,
}

/// A run of consecutive rows of one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Number of rows, at least 1.
    pub rows: u32,
    /// The cell of the first row's first column; the rows follow each other.
    pub first_cell: u32,
    /// How its text ranges are meant.
    pub mode: TextMode,
    /// Whether all its text is ASCII.
    pub is_ascii: bool,
    /// Where its text starts in `bytes`.
    pub text_start: usize,
    /// Where its text ends in `bytes`.
    pub text_end: usize,
    /// The request whose result it belongs to.
    pub request: u32,
}

/// Something that no cell holds, handed over by itself.
#[derive(Clone, Debug)]
pub enum ExtraValue {
    /// Text, always valid UTF-8.
    Text(Vec<u8>),
    /// A bytea value.
    Bytes(Vec<u8>),
    /// The type of a value in an anonymous record.
    Type(Rc<Type>),
}

impl PartialEq for ExtraValue {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(text), Self::Text(other)) => text == other,
            (Self::Bytes(bytes), Self::Bytes(other)) => bytes == other,
            (Self::Type(tree), Self::Type(other)) => tree.id == other.id,
            _ => false,
        }
    }
}

impl Eq for ExtraValue {}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the segment that was open.
    Appended,
    /// It is the first row of a new segment, with this index.
    Opened(usize),
    /// There is no room: nothing has changed.
    Full,
}

/// What is known of one result's text so far; it decides how the result goes on.
#[derive(Clone, Debug, Default)]
pub struct ResultText {
    rows: usize,
    strings: usize,
    mode: TextMode,
    /// Some text was not ASCII: further rows are measured in UTF-16 from the start.
    is_wide: bool,
}

impl ResultText {
    /// Goes over to shared segments once the result has had, or will soon have, many strings. A first row is
    /// always direct: behind it may be other results.
    fn look_ahead(&mut self, row_bytes: usize, remaining: usize) {
        if self.mode == TextMode::Shared || self.strings == 0 {
            return;
        }
        let rows_at_hand = remaining / (row_bytes + MESSAGE_HEADER) + 1;
        let strings_at_hand = rows_at_hand.saturating_mul(self.strings) / self.rows.max(1);
        if self.strings.saturating_add(strings_at_hand) >= DIRECT_STRINGS {
            self.mode = TextMode::Shared;
        }
    }
}

/// The rows that wait in the mailbox's memory for the next delivery.
#[derive(Debug, Default)]
pub struct Batch {
    segments: Vec<Segment>,
    extras: Vec<ExtraValue>,
    is_open: bool,
    row_cells: usize,
    block_cells: usize,
    text_bytes: usize,
    bytea_bytes: usize,
    extra_bytes: usize,
    /// Length of the open segment's text, counted as its mode does.
    segment_units: usize,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            segments: Vec::new(),
            extras: Vec::new(),
            is_open: false,
            row_cells: 0,
            block_cells: 0,
            text_bytes: 0,
            bytea_bytes: 0,
            extra_bytes: 0,
            segment_units: 0,
        }
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Forgets everything: all the memory is free again.
    pub fn reset(&mut self) {
        self.segments.clear();
        self.extras.clear();
        self.is_open = false;
        self.row_cells = 0;
        self.block_cells = 0;
        self.text_bytes = 0;
        self.bytea_bytes = 0;
        self.extra_bytes = 0;
    }

    /// The next row opens a new segment, even when it belongs to the same result.
    pub fn end_segment(&mut self) {
        self.is_open = false;
    }

    /// The segments, in order of their rows.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The values that did not go into the cells; a cell with mark 2 holds an index into them.
    #[must_use]
    pub fn extras(&self) -> &[ExtraValue] {
        &self.extras
    }

    /// Decodes a row. `data_row` is the body of a DataRow message, from its number of fields on, and `remaining` is
    /// the number of bytes that wait behind this message: a hint whether many rows are at hand.
    ///
    /// # Errors
    /// When the row's bytes do not fit the types; nothing has changed then.
    pub fn push_row(
        &mut self,
        memory: &mut Memory<'_>,
        text: &mut ResultText,
        request: u32,
        types: RowTypes<'_>,
        data_row: &[u8],
        remaining: usize,
    ) -> Result<Pushed, RowError> {
        failpoint::pass("codec.decode");
        let fields = fields(data_row, types.codes.len())?;
        // A row without columns takes a cell as well, so that no number of them is free.
        let row_end = self.row_cells + types.codes.len().max(1);
        let cells_end = memory.cells.len().min(memory.marks.len()).saturating_sub(self.block_cells);
        if row_end > cells_end || self.extra_bytes >= EXTRA_BYTES {
            return Ok(Pushed::Full);
        }
        text.look_ahead(data_row.len(), remaining);
        let mut segment = match self.segments.last() {
            Some(last) if self.is_open && last.request == request && last.mode == text.mode => *last,
            _ => self.new_segment(request, text.mode),
        };
        let extras_before = self.extras.len();
        loop {
            let (row_cells, free_cells) = memory.cells[..cells_end].split_at_mut(row_end);
            let (row_marks, free_marks) = memory.marks[..cells_end].split_at_mut(row_end);
            let row = (&mut row_cells[self.row_cells..], &mut row_marks[self.row_cells..]);
            let free_cell_count = free_cells.len();
            let bytes_end = memory.bytes.len().min(MOST_BYTES).saturating_sub(self.bytea_bytes);
            let mut destination = Destination::new(
                BlockSpace { cells: free_cells, marks: free_marks, first_cell: row_end },
                TextSpace {
                    bytes: &mut memory.bytes[..bytes_end],
                    start: self.text_bytes,
                    limit: segment.text_start + SEGMENT_TEXT,
                    // Where the limit stops a segment's first row, a new segment would not help.
                    is_limit_final: segment.rows == 0,
                    position: match segment.mode {
                        TextMode::Direct => self.text_bytes,
                        TextMode::Shared if segment.rows == 0 => 0,
                        TextMode::Shared => self.segment_units,
                    },
                    is_utf16: segment.mode == TextMode::Shared,
                    is_wide: text.is_wide,
                },
                &mut self.extras,
                types.source,
            );
            match decode_row(&mut destination, row, types, fields) {
                Ok(()) if !text.is_wide && !destination.text().is_ascii() => text.is_wide = true,
                Ok(()) => {
                    let taken = destination.taken();
                    self.row_cells = row_end;
                    self.block_cells += free_cell_count - taken.free_cells;
                    self.text_bytes = taken.text_end;
                    self.bytea_bytes += bytes_end - taken.bytea_start;
                    self.extra_bytes += taken.extra_bytes;
                    self.segment_units = taken.position;
                    text.rows += 1;
                    text.strings += taken.strings;
                    segment.rows += 1;
                    segment.text_end = taken.text_end;
                    segment.is_ascii &= taken.is_ascii;
                    return Ok(self.keep(segment));
                }
                Err(RowStop::SegmentFull) => segment = self.new_segment(request, text.mode),
                Err(RowStop::Full) => {
                    self.extras.truncate(extras_before);
                    return Ok(Pushed::Full);
                }
                Err(RowStop::Malformed(error)) => {
                    self.extras.truncate(extras_before);
                    return Err(error);
                }
            }
            self.extras.truncate(extras_before);
        }
    }

    fn new_segment(&self, request: u32, mode: TextMode) -> Segment {
        Segment {
            rows: 0,
            first_cell: u32::try_from(self.row_cells).unwrap_or(u32::MAX),
            mode,
            is_ascii: true,
            text_start: self.text_bytes,
            text_end: self.text_bytes,
            request,
        }
    }

    fn keep(&mut self, segment: Segment) -> Pushed {
        match self.segments.last_mut() {
            Some(last) if segment.rows > 1 => {
                *last = segment;
                Pushed::Appended
            }
            _ => {
                self.segments.push(segment);
                self.is_open = true;
                Pushed::Opened(self.segments.len() - 1)
            }
        }
    }
}
