//! One value inside the text of a value with parts: bare, or in double quotes.

use std::borrow::Cow;

use crate::decode::{Cell, Destination, Problem, Stop};

/// A value's text as it stands between what separates values.
#[derive(Clone, Copy)]
pub(super) struct Token<'a> {
    /// Without its quotes.
    text: &'a [u8],
    has_escapes: bool,
}

/// How a quote is written between quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    /// `\"`: `array_out`.
    Escaped,
    /// `""`: `record_out` and `range_out`, where a backslash escapes as well.
    Doubled,
}

impl<'a> Token<'a> {
    /// Reads a value in quotes, the first of which has been read: the value, and what is behind its last quote.
    pub(super) fn quoted(text: &'a [u8], quote: Quote) -> Result<(Self, &'a [u8]), Stop> {
        let mut has_escapes = false;
        let mut place = 0;
        loop {
            let behind = text.get(place..).unwrap_or_default();
            let found = behind.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            let Some((value, [special, behind @ ..])) = found.and_then(|found| text.split_at_checked(place + found))
            else {
                return Err(Stop::Malformed(Problem::Truncated));
            };
            let is_end = *special == b'"' && !(quote == Quote::Doubled && behind.first() == Some(&b'"'));
            if is_end {
                return Ok((Self { text: value, has_escapes }, behind));
            }
            has_escapes = true;
            place = value.len() + 2;
        }
    }

    /// Reads a bare value up to a byte that `ends` it. It is not empty, and has nothing that would need quotes.
    pub(super) fn bare(
        text: &'a [u8],
        ends: impl Fn(u8) -> bool,
        needs_quotes: impl Fn(u8) -> bool,
    ) -> Result<(Self, &'a [u8]), Stop> {
        let end = text.iter().position(|byte| ends(*byte)).ok_or(Stop::Malformed(Problem::Truncated))?;
        let (value, behind) = text.split_at(end);
        if value.is_empty() || value.iter().any(|byte| matches!(byte, b'"' | b'\\') || needs_quotes(*byte)) {
            return Err(Stop::invalid("a value that should be in quotes"));
        }
        Ok((Self { text: value, has_escapes: false }, behind))
    }

    pub(super) fn is_null_word(&self) -> bool {
        self.text.eq_ignore_ascii_case(b"NULL")
    }

    /// The value's own text; a copy only where it has escapes.
    fn value(self) -> Cow<'a, [u8]> {
        if !self.has_escapes {
            return Cow::Borrowed(self.text);
        }
        let mut value = Vec::with_capacity(self.text.len());
        let mut bytes = self.text.iter();
        while let Some(byte) = bytes.next() {
            // Quotes inside are doubled, so both stand in front of the byte that is meant.
            let is_escape = matches!(byte, b'"' | b'\\');
            value.extend(if is_escape { bytes.next() } else { Some(byte) });
        }
        Cow::Owned(value)
    }

    /// Decodes it with the decoder of its type.
    pub(super) fn decode(
        self,
        destination: &mut Destination<'_>,
        decode: impl Fn(&mut Destination<'_>, &[u8]) -> Result<Cell, Stop>,
    ) -> Result<Cell, Stop> {
        decode(destination, &self.value())
    }
}

/// Decodes a value that is NULL where it has no token.
pub(super) fn decode(
    token: Option<Token<'_>>,
    destination: &mut Destination<'_>,
    decode: impl Fn(&mut Destination<'_>, &[u8]) -> Result<Cell, Stop>,
) -> Result<Cell, Stop> {
    token.map_or(Ok(Cell::NULL), |token| token.decode(destination, decode))
}
