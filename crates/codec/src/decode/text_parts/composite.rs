//! Composites and records as `record_out` in PostgreSQL's rowtypes.c writes them: `(1,"a ""b""",)`.

use super::part;
use super::token::{self, Quote, Token};
use crate::decode::{Cell, Destination, Problem, Stop};
use crate::types::{Field, TypeCode};

/// Decodes a composite value.
pub(super) fn composite(destination: &mut Destination<'_>, fields: &[Field], text: &[u8]) -> Result<Cell, Stop> {
    let count = attribute_count(text)?;
    // Without attributes there is the same text as with one that is NULL.
    let is_without = fields.is_empty() && text == b"()";
    if count != fields.len() && !is_without {
        return Err(Stop::Malformed(Problem::AttributeCount { expected: fields.len(), actual: count }));
    }
    let (index, cells, marks) = destination.block(fields.len())?;
    for ((field, token), (cell, mark)) in fields.iter().zip(Attributes::of(text)?).zip(cells.iter_mut().zip(marks)) {
        let decode = |destination: &mut Destination<'_>, text: &[u8]| part(destination, &field.tree, text);
        token::decode(token?, destination, decode)?.put(cell, mark);
    }
    Ok(Cell::value(index as u64))
}

/// Decodes an anonymous record. Its text does not say what its values are: they are texts of no known type.
pub(super) fn record(destination: &mut Destination<'_>, text: &[u8]) -> Result<Cell, Stop> {
    let count = attribute_count(text)?;
    let (index, cells, marks) = destination.block(1 + 2 * count)?;
    let ([head, cells @ ..], [head_mark, marks @ ..]) = (cells, marks) else {
        return Err(Stop::Full);
    };
    Cell::value(count as u64).put(head, head_mark);
    let (types, cells) = cells.split_at_mut(count);
    let (type_marks, marks) = marks.split_at_mut(count);
    types.fill(u64::from(TypeCode::UNKNOWN.0));
    type_marks.fill(0);
    for ((cell, mark), token) in cells.iter_mut().zip(marks).zip(Attributes::of(text)?) {
        token::decode(token?, destination, |destination, text| destination.text_value(text))?.put(cell, mark);
    }
    Ok(Cell::value(index as u64))
}

fn attribute_count(text: &[u8]) -> Result<usize, Stop> {
    Attributes::of(text)?.try_fold(0, |count, token| token.map(|_| count + 1))
}

/// The attributes in turn; one that is NULL has no token.
struct Attributes<'a> {
    /// From the next attribute on; nothing behind the last one.
    rest: Option<&'a [u8]>,
}

impl<'a> Attributes<'a> {
    fn of(text: &'a [u8]) -> Result<Self, Stop> {
        match text {
            [b'(', rest @ ..] => Ok(Self { rest: Some(rest) }),
            _ => Err(Stop::invalid("a composite value without parentheses")),
        }
    }

    fn read(&mut self, text: &'a [u8]) -> Result<Option<Token<'a>>, Stop> {
        let (token, behind) = match text {
            [b',' | b')', ..] => (None, text),
            [b'"', behind @ ..] => {
                let (token, behind) = Token::quoted(behind, Quote::Doubled)?;
                (Some(token), behind)
            }
            _ => {
                let (token, behind) = Token::bare(text, |byte| matches!(byte, b',' | b')'), |byte| byte == b'(')?;
                (Some(token), behind)
            }
        };
        self.rest = match behind {
            [b',', rest @ ..] => Some(rest),
            b")" => None,
            [] => return Err(Stop::Malformed(Problem::Truncated)),
            _ => return Err(Stop::invalid("text behind an attribute")),
        };
        Ok(token)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Option<Token<'a>>, Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        Some(self.read(text))
    }
}
