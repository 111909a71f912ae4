//! Where a row's values go: lent memory, and how much of it is taken.

use std::borrow::Cow;
use std::rc::Rc;

use super::{Problem, Stop};
use crate::batch::ExtraValue;
use crate::boundary::mark;
use crate::types::{Type, TypeSource};

/// A longer value is an extra.
const LONG_VALUE: usize = 16 * 1024;
/// V8's longest string (`String::kMaxLength` on 64-bit systems), in UTF-16 units.
const LONGEST_STRING: usize = (1 << 29) - 24;
/// Levels of values inside values: decoding goes into them by recursion.
const MOST_LEVELS: usize = 64;
/// How far back a type that is an extra already is looked for.
const TYPES_LOOKED_AT: usize = 32;
const LONG_STRING: &str = "a text longer than a JavaScript string can be (2²⁹ − 24 characters)";
/// Offsets into the bytes are 32 bits wide.
pub(crate) const MOST_BYTES: usize = u32::MAX as usize;

/// A decoded value: a cell and its mark.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) word: u64,
    pub(crate) mark: u8,
}

impl Cell {
    pub(crate) const NULL: Self = Self { word: 0, mark: mark::NULL };

    #[inline(always)]
    pub(crate) fn value(word: u64) -> Self {
        Self { word, mark: mark::VALUE }
    }

    #[inline(always)]
    fn range(start: usize, end: usize) -> Self {
        Self::value(start as u64 | (end as u64) << 32)
    }

    #[inline(always)]
    pub(crate) fn put(self, cell: &mut u64, mark: &mut u8) {
        *cell = self.word;
        *mark = self.mark;
    }
}

/// Free cells, from whose end blocks are taken.
pub(crate) struct BlockSpace<'a> {
    pub(crate) cells: &'a mut [u64],
    pub(crate) marks: &'a mut [u8],
    /// The index of the first of them in the whole memory.
    pub(crate) first_cell: usize,
}

/// Bytes, from whose start text is taken, and bytea from the end.
pub(crate) struct TextSpace<'a> {
    /// From the memory's start up to its bytea.
    pub(crate) bytes: &'a mut [u8],
    /// Where the row's text starts.
    pub(crate) start: usize,
    /// Where the segment's text must end.
    pub(crate) limit: usize,
    /// Texts beyond the limit are extras; otherwise they stop the row.
    pub(crate) is_limit_final: bool,
    /// What the next text range starts with.
    pub(crate) position: usize,
    /// Ranges count UTF-16 units, not bytes.
    pub(crate) is_utf16: bool,
    /// Look at each text; otherwise all of them are taken for ASCII, and the caller checks that afterwards.
    pub(crate) is_wide: bool,
}

/// What a decoded row has taken.
pub(crate) struct Taken {
    pub(crate) free_cells: usize,
    pub(crate) text_end: usize,
    pub(crate) bytea_start: usize,
    pub(crate) position: usize,
    pub(crate) extra_bytes: usize,
    pub(crate) strings: usize,
    pub(crate) is_ascii: bool,
}

/// The memory that one row is decoded into.
pub(crate) struct Destination<'a> {
    blocks: BlockSpace<'a>,
    text: TextSpace<'a>,
    text_end: usize,
    /// How far text may go.
    text_room: usize,
    bytea_start: usize,
    extras: &'a mut Vec<ExtraValue>,
    extra_bytes: usize,
    strings: usize,
    is_ascii: bool,
    /// Knows the types of values in anonymous records.
    source: &'a dyn TypeSource,
    /// How many values with parts the next value is in.
    level: usize,
    is_short_of_cells: bool,
}

impl<'a> Destination<'a> {
    pub(crate) fn new(
        blocks: BlockSpace<'a>,
        text: TextSpace<'a>,
        extras: &'a mut Vec<ExtraValue>,
        source: &'a dyn TypeSource,
    ) -> Self {
        let bytea_start = text.bytes.len();
        Self {
            text_end: text.start,
            text_room: if text.is_wide { 0 } else { bytea_start.min(text.limit) },
            bytea_start,
            blocks,
            text,
            extras,
            extra_bytes: 0,
            strings: 0,
            is_ascii: true,
            source,
            level: 0,
            is_short_of_cells: false,
        }
    }

    /// Knows the types of values in anonymous records.
    pub(super) fn source(&self) -> &'a dyn TypeSource {
        self.source
    }

    /// Goes into a value with parts. A row that stops need not come back.
    pub(super) fn descend(&mut self) -> Result<(), Stop> {
        if self.level == MOST_LEVELS {
            return Err(Stop::Malformed(Problem::Unsupported("parts inside parts, more than 64 levels of them")));
        }
        self.level += 1;
        Ok(())
    }

    /// Comes out of a value with parts.
    pub(super) fn ascend(&mut self) {
        self.level -= 1;
    }

    /// Whether the row stopped for want of cells, and not of bytes.
    pub(crate) fn is_short_of_cells(&self) -> bool {
        self.is_short_of_cells
    }

    /// The row's text.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text.bytes[self.text.start..self.text_end]
    }

    pub(crate) fn taken(&self) -> Taken {
        Taken {
            free_cells: self.blocks.cells.len(),
            text_end: self.text_end,
            bytea_start: self.bytea_start,
            position: self.text.position,
            extra_bytes: self.extra_bytes,
            strings: self.strings,
            is_ascii: self.is_ascii,
        }
    }

    /// Takes a text.
    #[inline(always)]
    pub(super) fn text_value(&mut self, value: &[u8]) -> Result<Cell, Stop> {
        let end = self.text_end + value.len();
        // No room at all, by `new`, where texts must be looked at.
        if value.len() > LONG_VALUE || end > self.text_room {
            return self.rare_text(value);
        }
        self.text.bytes[self.text_end..end].copy_from_slice(value);
        Ok(self.advance(end, value.len()))
    }

    #[inline(always)]
    fn advance(&mut self, text_end: usize, units: usize) -> Cell {
        let start = self.text.position;
        self.text_end = text_end;
        self.text.position += units;
        self.strings += 1;
        Cell::range(start, self.text.position)
    }

    /// A text that is long, does not fit, or must be looked at.
    #[inline(never)]
    fn rare_text(&mut self, value: &[u8]) -> Result<Cell, Stop> {
        let value = if !self.text.is_wide || value.is_ascii() { Cow::Borrowed(value) } else { valid_utf8(value) };
        if value.len() > LONGEST_STRING && utf16_length(&value) > LONGEST_STRING {
            return Err(Stop::Malformed(Problem::Unsupported(LONG_STRING)));
        }
        let end = self.text_end + value.len();
        if value.len() > LONG_VALUE || (end > self.text.limit && self.text.is_limit_final) {
            // Texts taken for ASCII are looked at afterwards, but not extras.
            return Ok(self.extra(ExtraValue::Text(valid_utf8(&value).into_owned())));
        }
        if end > self.text.limit {
            return Err(Stop::SegmentFull);
        }
        if end > self.bytea_start {
            return Err(Stop::Full);
        }
        self.text.bytes[self.text_end..end].copy_from_slice(&value);
        let is_ascii = value.is_ascii();
        self.is_ascii &= is_ascii;
        let units = if self.text.is_utf16 && !is_ascii { utf16_length(&value) } else { value.len() };
        Ok(self.advance(end, units))
    }

    /// Takes an ASCII text of a known length that `write` fills in.
    #[inline]
    pub(super) fn text_with(&mut self, length: usize, write: impl FnOnce(&mut [u8])) -> Result<Cell, Stop> {
        let end = self.text_end + length;
        if length > LONGEST_STRING {
            return Err(Stop::Malformed(Problem::Unsupported(LONG_STRING)));
        }
        if length > LONG_VALUE || (end > self.text.limit && self.text.is_limit_final) {
            let mut text = vec![0; length];
            write(&mut text);
            return Ok(self.extra(ExtraValue::Text(text)));
        }
        if end > self.text.limit {
            return Err(Stop::SegmentFull);
        }
        if end > self.bytea_start {
            return Err(Stop::Full);
        }
        write(&mut self.text.bytes[self.text_end..end]);
        Ok(self.advance(end, length))
    }

    /// Takes a bytea.
    pub(super) fn bytea_value(&mut self, value: &[u8]) -> Result<Cell, Stop> {
        if value.len() > LONG_VALUE {
            return Ok(self.extra(ExtraValue::Bytes(value.to_vec())));
        }
        let (cell, bytes) = self.bytea_space(value.len())?;
        bytes.copy_from_slice(value);
        Ok(cell)
    }

    /// Takes a bytea of a known length that `write` fills in.
    pub(super) fn bytea_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> Result<(), Stop>,
    ) -> Result<Cell, Stop> {
        if length > LONG_VALUE {
            let mut bytes = vec![0; length];
            write(&mut bytes)?;
            return Ok(self.extra(ExtraValue::Bytes(bytes)));
        }
        let (cell, bytes) = self.bytea_space(length)?;
        write(bytes)?;
        Ok(cell)
    }

    /// Space for a bytea that is not long.
    fn bytea_space(&mut self, length: usize) -> Result<(Cell, &mut [u8]), Stop> {
        if length == 0 {
            // Memory without other bytea may be cut behind its text.
            return Ok((Cell::range(0, 0), &mut []));
        }
        let end = self.bytea_start;
        let start = end.checked_sub(length).filter(|start| *start >= self.text_end).ok_or(Stop::Full)?;
        self.bytea_start = start;
        self.text_room = self.text_room.min(start);
        Ok((Cell::range(start, end), &mut self.text.bytes[start..end]))
    }

    /// Takes the type of a value in an anonymous record. The rows of a result have the same types again and again.
    pub(super) fn type_value(&mut self, tree: Rc<Type>) -> Cell {
        let is_it = |extra: &ExtraValue| matches!(extra, ExtraValue::Type(other) if Rc::ptr_eq(other, &tree));
        let first = self.extras.len().saturating_sub(TYPES_LOOKED_AT);
        match self.extras[first..].iter().rposition(is_it) {
            Some(place) => Cell { word: (first + place) as u64, mark: mark::EXTRA },
            None => self.extra(ExtraValue::Type(tree)),
        }
    }

    fn extra(&mut self, extra: ExtraValue) -> Cell {
        let index = self.extras.len();
        self.extra_bytes += match &extra {
            ExtraValue::Text(bytes) | ExtraValue::Bytes(bytes) => bytes.len(),
            ExtraValue::Type(_) => 0,
        };
        self.extras.push(extra);
        Cell { word: index as u64, mark: mark::EXTRA }
    }

    /// Takes cells for a block: its index, its cells and their marks, which still have to be set.
    pub(super) fn block(&mut self, cell_count: usize) -> Result<(usize, &'a mut [u64], &'a mut [u8]), Stop> {
        let Some(start) = self.blocks.cells.len().checked_sub(cell_count) else {
            self.is_short_of_cells = true;
            return Err(Stop::Full);
        };
        let (free_cells, cells) = std::mem::take(&mut self.blocks.cells).split_at_mut(start);
        let (free_marks, marks) = std::mem::take(&mut self.blocks.marks).split_at_mut(start);
        self.blocks.cells = free_cells;
        self.blocks.marks = free_marks;
        Ok((self.blocks.first_cell + start, cells, marks))
    }
}

/// Text as UTF-8, with U+FFFD in place of each bad sequence.
fn valid_utf8(text: &[u8]) -> Cow<'_, [u8]> {
    match String::from_utf8_lossy(text) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The length of valid UTF-8 in UTF-16 units: one per character, two for those of four bytes.
fn utf16_length(text: &[u8]) -> usize {
    text.iter().map(|byte| usize::from(byte & 0xc0 != 0x80) + usize::from(*byte >= 0xf0)).sum()
}
