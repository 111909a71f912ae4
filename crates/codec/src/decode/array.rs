//! Arrays: a block of cells for the dimensions and the elements.

use super::{Cell, Destination, Problem, Stop, fixed, float, prefixed, value};
use crate::types::TypeCode;

/// PostgreSQL's MAXDIM.
pub(super) const MOST_DIMENSIONS: usize = 6;

/// What stands in front of an array's elements: `array_send` in PostgreSQL's arrayfuncs.c.
struct Header<'a> {
    /// Length and lower bound of each dimension, 8 bytes each.
    dimensions: &'a [[u8; 8]],
    element_count: usize,
    elements: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Stop> {
        // Number of dimensions, whether there are NULLs, the elements' type.
        let (fixed, behind) = bytes.split_first_chunk::<12>().ok_or(Stop::Malformed(Problem::Truncated))?;
        let [count @ .., _, _, _, _, _, _, _, _] = *fixed;
        let count = usize::try_from(i32::from_be_bytes(count))
            .ok()
            .filter(|count| *count <= MOST_DIMENSIONS)
            .ok_or(Stop::invalid("more than 6 array dimensions"))?;
        let (dimensions, elements) = behind.split_at_checked(count * 8).ok_or(Stop::Malformed(Problem::Truncated))?;
        let dimensions = dimensions.as_chunks::<8>().0;
        let mut element_count = usize::from(count > 0);
        for dimension in dimensions {
            let (length, _) = split(*dimension);
            element_count = usize::try_from(length)
                .ok()
                .and_then(|length| element_count.checked_mul(length))
                .ok_or(Stop::invalid("array dimensions out of range"))?;
        }
        // Each element has at least its length, so the bytes bound what is allocated for them.
        if element_count > elements.len() / 4 {
            return Err(Stop::Malformed(Problem::Truncated));
        }
        Ok(Self { dimensions, element_count, elements })
    }

    fn cell_count(&self) -> usize {
        1 + self.dimensions.len() + self.element_count
    }
}

/// Length and lower bound.
fn split([a, b, c, d, e, f, g, h]: [u8; 8]) -> (i32, i32) {
    (i32::from_be_bytes([a, b, c, d]), i32::from_be_bytes([e, f, g, h]))
}

/// The number of cells that an array's block takes.
pub(crate) fn array_cells(bytes: &[u8]) -> Option<usize> {
    Header::read(bytes).ok().map(|header| header.cell_count())
}

/// Decodes an array whose elements are of the family `code`. The loop is chosen once for all elements.
#[inline(never)]
pub(super) fn array(destination: &mut Destination<'_>, code: TypeCode, bytes: &[u8]) -> Result<Cell, Stop> {
    match code {
        TypeCode::INT4 | TypeCode::OID => {
            array_of_words(destination, bytes, |bytes| u64::from(u32::from_be_bytes(bytes)))
        }
        TypeCode::INT8 | TypeCode::FLOAT8 | TypeCode::XID8 => array_of_words(destination, bytes, u64::from_be_bytes),
        TypeCode::FLOAT4 => {
            array_of_words(destination, bytes, |bytes| float::widen(f32::from_be_bytes(bytes)).to_bits())
        }
        TypeCode::INT2 => {
            array_of_words(destination, bytes, |bytes| u64::from(i32::from(i16::from_be_bytes(bytes)).cast_unsigned()))
        }
        TypeCode::BOOL => array_of_words(destination, bytes, |[byte]| u64::from(byte != 0)),
        TypeCode::TEXT => array_of(destination, bytes, |destination, bytes| destination.text_value(bytes)),
        code => array_of(destination, bytes, |destination, bytes| value(destination, code, bytes)),
    }
}

/// Decodes an array with a decoder of its elements.
#[inline(always)]
pub(super) fn array_of(
    destination: &mut Destination<'_>,
    bytes: &[u8],
    decode: impl Fn(&mut Destination<'_>, &[u8]) -> Result<Cell, Stop>,
) -> Result<Cell, Stop> {
    let Start { array, cells, marks, mut elements } = start(destination, bytes)?;
    for (cell, mark) in cells.iter_mut().zip(marks) {
        let (element, behind) = prefixed(elements)?;
        elements = behind;
        let decoded = match element {
            Some(bytes) => decode(destination, bytes)?,
            None => Cell::NULL,
        };
        decoded.put(cell, mark);
    }
    end(array, elements)
}

/// Decodes an array whose elements all have the same length unless they are NULL, and of which any bytes are a value.
#[inline(always)]
fn array_of_words<const LENGTH: usize>(
    destination: &mut Destination<'_>,
    bytes: &[u8],
    word: impl Fn([u8; LENGTH]) -> u64,
) -> Result<Cell, Stop> {
    let Start { array, cells, marks, mut elements } = start(destination, bytes)?;
    marks.fill(0);
    for (cell, mark) in cells.iter_mut().zip(marks) {
        if let Some((length, behind)) = elements.split_first_chunk::<4>()
            && usize::try_from(u32::from_be_bytes(*length)) == Ok(LENGTH)
            && let Some((bytes, behind)) = behind.split_first_chunk::<LENGTH>()
        {
            elements = behind;
            *cell = word(*bytes);
            continue;
        }
        let (element, behind) = prefixed(elements)?;
        elements = behind;
        match element {
            Some(bytes) => *cell = word(fixed(bytes)?),
            None => *mark = Cell::NULL.mark,
        }
    }
    end(array, elements)
}

/// An array whose elements are to come.
struct Start<'row, 'memory> {
    array: Cell,
    /// One cell and one mark for each element.
    cells: &'memory mut [u64],
    marks: &'memory mut [u8],
    elements: &'row [u8],
}

#[inline(never)]
fn start<'row, 'memory>(
    destination: &mut Destination<'memory>,
    bytes: &'row [u8],
) -> Result<Start<'row, 'memory>, Stop> {
    let header = Header::read(bytes)?;
    let (index, cells, marks) = destination.block(header.cell_count())?;
    let (cells, marks) = write_head(cells, marks, header.dimensions.iter().copied().map(split));
    Ok(Start { array: Cell::value(index as u64), cells, marks, elements: header.elements })
}

fn end(array: Cell, behind: &[u8]) -> Result<Cell, Stop> {
    if behind.is_empty() { Ok(array) } else { Err(Stop::invalid("bytes behind the last element")) }
}

/// Fills the head of an array's block by the length and lower bound of each dimension; what is left is for the elements.
#[inline(always)]
pub(super) fn write_head<'a>(
    cells: &'a mut [u64],
    marks: &'a mut [u8],
    dimensions: impl ExactSizeIterator<Item = (i32, i32)>,
) -> (&'a mut [u64], &'a mut [u8]) {
    let dimension_count = dimensions.len();
    let (head, element_cells) = cells.split_at_mut(1 + dimension_count);
    let (head_marks, element_marks) = marks.split_at_mut(1 + dimension_count);
    head_marks.fill(0);
    let mut has_other_bounds = false;
    for (cell, (length, lower_bound)) in head[1..].iter_mut().zip(dimensions) {
        has_other_bounds |= lower_bound != 1;
        *cell = u64::from(length.cast_unsigned()) | u64::from(lower_bound.cast_unsigned()) << 32;
    }
    head[0] = dimension_count as u64 | u64::from(has_other_bounds) << 32;
    (element_cells, element_marks)
}
