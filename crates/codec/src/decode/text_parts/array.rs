//! Arrays as `array_out` in PostgreSQL's arrayfuncs.c writes them: `{1,"a b",NULL}`, `{{1,2},{3,4}}`,
//! `[0:1][2:3]={…}`.

use super::token::{self, Quote, Token};
use crate::decode::array::{MOST_DIMENSIONS, write_head};
use crate::decode::{Cell, Destination, Problem, Stop};

const RAGGED: Stop = Stop::Malformed(Problem::Invalid("nested arrays of different lengths"));

/// The dimensions of an array, which only its whole text says.
#[derive(Default)]
struct Shape {
    dimension_count: usize,
    lengths: [usize; MOST_DIMENSIONS],
    element_count: usize,
}

/// Decodes an array whose elements `decode` decodes.
pub(super) fn array(
    destination: &mut Destination<'_>,
    delimiter: u8,
    text: &[u8],
    decode: impl Fn(&mut Destination<'_>, &[u8]) -> Result<Cell, Stop>,
) -> Result<Cell, Stop> {
    let (bounds, braces) = read_bounds(text)?;
    let shape = Shape::of(braces, delimiter)?;
    let mut dimensions = [(0, 1); MOST_DIMENSIONS];
    for (dimension, length) in dimensions.iter_mut().zip(shape.lengths) {
        dimension.0 = i32::try_from(length).map_err(|_| Stop::invalid("array dimensions out of range"))?;
    }
    if let Some(Bounds { dimension_count, ranges }) = bounds {
        let lengths = dimensions.map(|(length, _)| i64::from(length));
        if dimension_count != shape.dimension_count || ranges.map(Bounds::length) != lengths {
            return Err(Stop::invalid("array bounds that are not those of the elements"));
        }
        for (dimension, (lower_bound, _)) in dimensions.iter_mut().zip(ranges) {
            dimension.1 = lower_bound;
        }
    }
    let dimensions = dimensions.into_iter().take(shape.dimension_count);
    let (index, cells, marks) = destination.block(1 + shape.dimension_count + shape.element_count)?;
    let (cells, marks) = write_head(cells, marks, dimensions);
    let mut rest = braces;
    for (cell, mark) in cells.iter_mut().zip(marks) {
        // The braces are in order: the shape was found.
        while let [b'{', behind @ ..] = rest {
            rest = behind;
        }
        let (element, behind) = read_element(rest, delimiter)?;
        token::decode(element, destination, &decode)?.put(cell, mark);
        rest = behind;
        while let [byte, behind @ ..] = rest
            && (*byte == b'}' || *byte == delimiter)
        {
            rest = behind;
        }
    }
    Ok(Cell::value(index as u64))
}

/// Decodes an `int2vector` or `oidvector`: numbers between spaces, whose subscripts start at 0 (`int2vectorout` in
/// int.c, `oidvectorout` in oid.c).
pub(super) fn vector(
    destination: &mut Destination<'_>,
    text: &[u8],
    decode: impl Fn(&mut Destination<'_>, &[u8]) -> Result<Cell, Stop>,
) -> Result<Cell, Stop> {
    let numbers = || text.split(|byte| *byte == b' ').filter(|_| !text.is_empty());
    let count = numbers().count();
    let length = i32::try_from(count).map_err(|_| Stop::invalid("array dimensions out of range"))?;
    let (index, cells, marks) = destination.block(2 + count)?;
    let (cells, marks) = write_head(cells, marks, [(length, 0)].into_iter());
    for ((cell, mark), number) in cells.iter_mut().zip(marks).zip(numbers()) {
        decode(destination, number)?.put(cell, mark);
    }
    Ok(Cell::value(index as u64))
}

impl Shape {
    /// Reads an array's braces, which must be even, and all that is between them.
    fn of(text: &[u8], delimiter: u8) -> Result<Self, Stop> {
        if text == b"{}" {
            return Ok(Self::default());
        }
        let mut shape = Self::default();
        // Of the arrays that are open: how many values they have so far.
        let mut counts = [0_usize; MOST_DIMENSIONS];
        let mut is_length_known = [false; MOST_DIMENSIONS];
        let mut depth = 0;
        let mut rest = text;
        loop {
            if let [b'{', behind @ ..] = rest {
                let count = counts.get_mut(depth).ok_or(Stop::invalid("more than 6 array dimensions"))?;
                *count = 0;
                depth += 1;
                rest = behind;
                continue;
            }
            if shape.element_count == 0 {
                shape.dimension_count = depth;
            }
            if depth == 0 || depth != shape.dimension_count {
                return Err(RAGGED);
            }
            rest = read_element(rest, delimiter)?.1;
            shape.element_count += 1;
            counts[depth - 1] += 1;
            while let [b'}', behind @ ..] = rest {
                rest = behind;
                depth -= 1;
                if is_length_known[depth] && shape.lengths[depth] != counts[depth] {
                    return Err(RAGGED);
                }
                is_length_known[depth] = true;
                shape.lengths[depth] = counts[depth];
                if depth == 0 {
                    return if rest.is_empty() { Ok(shape) } else { Err(Stop::invalid("text behind an array")) };
                }
                counts[depth - 1] += 1;
            }
            match rest {
                [byte, behind @ ..] if *byte == delimiter => rest = behind,
                [] => return Err(Stop::Malformed(Problem::Truncated)),
                _ => return Err(Stop::invalid("array elements without a delimiter between them")),
            }
        }
    }
}

/// An element, nothing for NULL, and what is behind it.
fn read_element(text: &[u8], delimiter: u8) -> Result<(Option<Token<'_>>, &[u8]), Stop> {
    if let [b'"', behind @ ..] = text {
        let (token, behind) = Token::quoted(behind, Quote::Escaped)?;
        return Ok((Some(token), behind));
    }
    let (token, behind) = Token::bare(text, |byte| byte == delimiter || byte == b'}', |byte| byte == b'{')?;
    Ok((Some(token).filter(|token| !token.is_null_word()), behind))
}

/// The bounds that stand in front of an array when a lower one is not 1.
struct Bounds {
    dimension_count: usize,
    /// Lower and upper bound of each dimension, `(1, 0)` of those that there are not.
    ranges: [(i32, i32); MOST_DIMENSIONS],
}

impl Bounds {
    fn length((lower, upper): (i32, i32)) -> i64 {
        i64::from(upper) - i64::from(lower) + 1
    }
}

fn read_bounds(text: &[u8]) -> Result<(Option<Bounds>, &[u8]), Stop> {
    let malformed = || Stop::invalid("malformed array bounds");
    let mut bounds = Bounds { dimension_count: 0, ranges: [(1, 0); MOST_DIMENSIONS] };
    let mut rest = text;
    while let [b'[', behind @ ..] = rest {
        let range =
            bounds.ranges.get_mut(bounds.dimension_count).ok_or(Stop::invalid("more than 6 array dimensions"))?;
        let (lower, behind) = read_number(behind, b':').ok_or_else(malformed)?;
        let (upper, behind) = read_number(behind, b']').ok_or_else(malformed)?;
        *range = (lower, upper);
        bounds.dimension_count += 1;
        rest = behind;
    }
    match rest {
        _ if bounds.dimension_count == 0 => Ok((None, text)),
        [b'=', braces @ ..] => Ok((Some(bounds), braces)),
        _ => Err(malformed()),
    }
}

/// A number, and what is behind the byte that ends it.
fn read_number(text: &[u8], end: u8) -> Option<(i32, &[u8])> {
    let length = text.iter().position(|byte| *byte == end)?;
    let (number, behind) = text.split_at(length);
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, behind.get(1..)?))
}
