//! Arrays: a block of cells for the dimensions and the elements.

use super::{Cell, Destination, Problem, Stop, fixed, float, value};
use crate::types::TypeCode;

/// PostgreSQL's MAXDIM.
const MOST_DIMENSIONS: usize = 6;

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

/// Decodes an array whose elements are of the family `code`.
#[inline(never)]
pub(super) fn array(destination: &mut Destination<'_>, code: TypeCode, bytes: &[u8]) -> Result<Cell, Stop> {
    let header = Header::read(bytes)?;
    let (index, cells, marks) = destination.block(header.cell_count())?;
    let has_other_bounds = header.dimensions.iter().any(|dimension| split(*dimension).1 != 1);
    cells[0] = header.dimensions.len() as u64 | u64::from(has_other_bounds) << 32;
    let (head, element_cells) = cells.split_at_mut(1 + header.dimensions.len());
    let (head_marks, element_marks) = marks.split_at_mut(head.len());
    head_marks.fill(0);
    for (cell, dimension) in head[1..].iter_mut().zip(header.dimensions) {
        let (length, lower_bound) = split(*dimension);
        *cell = u64::from(length.cast_unsigned()) | u64::from(lower_bound.cast_unsigned()) << 32;
    }
    let places = Places { cells: element_cells, marks: element_marks };
    decode_elements(destination, code, places, header.elements)?;
    Ok(Cell::value(index as u64))
}

/// Where the elements go: one cell and one mark for each.
struct Places<'a> {
    cells: &'a mut [u64],
    marks: &'a mut [u8],
}

/// Chooses the loop once for all elements.
fn decode_elements(
    destination: &mut Destination<'_>,
    code: TypeCode,
    places: Places<'_>,
    elements: &[u8],
) -> Result<(), Stop> {
    match code {
        TypeCode::INT4 | TypeCode::OID => places.fixed(elements, |bytes| u64::from(u32::from_be_bytes(bytes))),
        TypeCode::INT8 | TypeCode::FLOAT8 | TypeCode::XID8 => places.fixed(elements, u64::from_be_bytes),
        TypeCode::FLOAT4 => places.fixed(elements, |bytes| float::widen(f32::from_be_bytes(bytes)).to_bits()),
        TypeCode::INT2 => {
            places.fixed(elements, |bytes| u64::from(i32::from(i16::from_be_bytes(bytes)).cast_unsigned()))
        }
        TypeCode::BOOL => places.fixed(elements, |[byte]| u64::from(byte != 0)),
        TypeCode::TEXT => places.any(elements, |bytes| destination.text_value(bytes)),
        code => places.any(elements, |bytes| value(destination, code, bytes)),
    }
}

impl Places<'_> {
    /// Elements that all have the same length, unless they are NULL, and of which any bytes are a value.
    #[inline(always)]
    fn fixed<const LENGTH: usize>(self, mut elements: &[u8], word: impl Fn([u8; LENGTH]) -> u64) -> Result<(), Stop> {
        self.marks.fill(0);
        for (cell, mark) in self.cells.iter_mut().zip(self.marks) {
            if let Some((length, behind)) = elements.split_first_chunk::<4>()
                && usize::try_from(u32::from_be_bytes(*length)) == Ok(LENGTH)
                && let Some((bytes, behind)) = behind.split_first_chunk::<LENGTH>()
            {
                elements = behind;
                *cell = word(*bytes);
            } else {
                match take_element(&mut elements)? {
                    Some(bytes) => *cell = word(fixed(bytes)?),
                    None => (*cell, *mark) = (Cell::NULL.word, Cell::NULL.mark),
                }
            }
        }
        end(elements)
    }

    /// Elements of any length.
    #[inline(always)]
    fn any(self, mut elements: &[u8], mut decode: impl FnMut(&[u8]) -> Result<Cell, Stop>) -> Result<(), Stop> {
        for (cell, mark) in self.cells.iter_mut().zip(self.marks) {
            let decoded = match take_element(&mut elements)? {
                Some(bytes) => decode(bytes)?,
                None => Cell::NULL,
            };
            *cell = decoded.word;
            *mark = decoded.mark;
        }
        end(elements)
    }
}

/// The next element's bytes, or nothing for NULL.
#[inline]
fn take_element<'a>(elements: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Stop> {
    let (length, behind) = elements.split_first_chunk::<4>().ok_or(Stop::Malformed(Problem::Truncated))?;
    let length = i32::from_be_bytes(*length);
    if let Ok(length) = usize::try_from(length) {
        let (bytes, behind) = behind.split_at_checked(length).ok_or(Stop::Malformed(Problem::Truncated))?;
        *elements = behind;
        Ok(Some(bytes))
    } else if length == -1 {
        *elements = behind;
        Ok(None)
    } else {
        Err(Stop::invalid("an array element with a negative length"))
    }
}

fn end(elements: &[u8]) -> Result<(), Stop> {
    if elements.is_empty() { Ok(()) } else { Err(Stop::invalid("bytes behind the last element")) }
}
