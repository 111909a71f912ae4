//! Ranges as `range_out` in PostgreSQL's rangetypes.c writes them, `empty`, `[1,5)`, `(,"a b"]`, and multiranges as
//! `multirange_out` does, `{[1,2),[5,6)}`.

use super::part;
use super::token::{Quote, Token};
use crate::decode::compound::{EMPTY, LOWER_INCLUSIVE, NO_LOWER, NO_UPPER, UPPER_INCLUSIVE, range_block};
use crate::decode::{Cell, Destination, Problem, Stop};
use crate::types::Type;

/// A range's flags, and the bounds that it has.
struct Parts<'a> {
    flags: u8,
    bounds: [Option<Token<'a>>; 2],
}

/// Decodes a range.
pub(super) fn range(destination: &mut Destination<'_>, subtype: &Type, text: &[u8]) -> Result<Cell, Stop> {
    let (Parts { flags, bounds }, behind) =
        if text == b"empty" { (Parts { flags: EMPTY, bounds: [None; 2] }, &[][..]) } else { read_range(text)? };
    if !behind.is_empty() {
        return Err(Stop::invalid("text behind a range"));
    }
    range_block(destination, flags, bounds, |destination, token| {
        token.decode(destination, |destination, text| part(destination, subtype, text))
    })
}

/// Decodes a multirange, none of whose ranges is empty.
pub(super) fn multirange(destination: &mut Destination<'_>, range: &Type, text: &[u8]) -> Result<Cell, Stop> {
    let count = Ranges::of(text)?.try_fold(0, |count, range| range.map(|_| count + 1))?;
    let (index, cells, marks) = destination.block(1 + count)?;
    Cell::value(count as u64).put(&mut cells[0], &mut marks[0]);
    for ((cell, mark), text) in cells[1..].iter_mut().zip(&mut marks[1..]).zip(Ranges::of(text)?) {
        part(destination, range, text?)?.put(cell, mark);
    }
    Ok(Cell::value(index as u64))
}

/// A range that is not empty, and what is behind it. Bounds that there are not are exclusive, as in the binary format.
fn read_range(text: &[u8]) -> Result<(Parts<'_>, &[u8]), Stop> {
    let (mut flags, text) = match text {
        [b'[', behind @ ..] => (LOWER_INCLUSIVE, behind),
        [b'(', behind @ ..] => (0, behind),
        _ => return Err(Stop::invalid("a range without brackets")),
    };
    let (lower, behind) = read_bound(text)?;
    let [b',', behind @ ..] = behind else {
        return Err(Stop::invalid("a range without a comma between its bounds"));
    };
    let (upper, behind) = read_bound(behind)?;
    let behind = match behind {
        [b']', behind @ ..] => {
            flags |= UPPER_INCLUSIVE;
            behind
        }
        [b')', behind @ ..] => behind,
        _ => return Err(Stop::invalid("a range without brackets")),
    };
    if lower.is_none() {
        flags = flags & !LOWER_INCLUSIVE | NO_LOWER;
    }
    if upper.is_none() {
        flags = flags & !UPPER_INCLUSIVE | NO_UPPER;
    }
    Ok((Parts { flags, bounds: [lower, upper] }, behind))
}

/// A bound, nothing for one that there is not, and what is behind it.
fn read_bound(text: &[u8]) -> Result<(Option<Token<'_>>, &[u8]), Stop> {
    let (token, behind) = match text {
        [] => return Err(Stop::Malformed(Problem::Truncated)),
        [b',' | b')' | b']', ..] => return Ok((None, text)),
        [b'"', behind @ ..] => Token::quoted(behind, Quote::Doubled)?,
        _ => Token::bare(text, |byte| matches!(byte, b',' | b')' | b']'), |byte| matches!(byte, b'(' | b'['))?,
    };
    Ok((Some(token), behind))
}

/// The texts of a multirange's ranges in turn.
struct Ranges<'a> {
    /// From the next range on; nothing behind the last one.
    rest: Option<&'a [u8]>,
}

impl<'a> Ranges<'a> {
    fn of(text: &'a [u8]) -> Result<Self, Stop> {
        match text {
            b"{}" => Ok(Self { rest: None }),
            [b'{', rest @ ..] => Ok(Self { rest: Some(rest) }),
            _ => Err(Stop::invalid("a multirange without braces")),
        }
    }

    fn read(&mut self, text: &'a [u8]) -> Result<&'a [u8], Stop> {
        let (_, behind) = read_range(text)?;
        self.rest = match behind {
            [b',', rest @ ..] => Some(rest),
            b"}" => None,
            [] => return Err(Stop::Malformed(Problem::Truncated)),
            _ => return Err(Stop::invalid("text behind a range")),
        };
        Ok(&text[..text.len() - behind.len()])
    }
}

impl<'a> Iterator for Ranges<'a> {
    type Item = Result<&'a [u8], Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        Some(self.read(text))
    }
}
