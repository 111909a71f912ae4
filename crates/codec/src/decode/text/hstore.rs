//! hstore's `hstore`: `"key"=>"value", "key"=>NULL`, as `hstore_out` in hstore_io.c prints it.

use std::borrow::Cow;

use super::scanner::Scanner;
use super::{Cell, Destination, Stop};
use crate::decode::hstore::block;

/// Decodes an hstore.
pub(in crate::decode) fn hstore(destination: &mut Destination<'_>, text: &[u8]) -> Result<Cell, Stop> {
    let mut pair_count = 0;
    for_each_pair(text, |_, _| {
        pair_count += 1;
        Ok(())
    })?;
    let (hstore, cells, marks) = block(destination, pair_count)?;
    let mut places = cells.iter_mut().zip(marks);
    let mut put = |value: Cell| {
        if let Some((cell, mark)) = places.next() {
            *cell = value.word;
            *mark = value.mark;
        }
    };
    for_each_pair(text, |key, value| {
        put(destination.text_value(&unescaped(key))?);
        put(match value {
            Some(value) => destination.text_value(&unescaped(value))?,
            None => Cell::NULL,
        });
        Ok(())
    })?;
    Ok(hstore)
}

/// Keys and values with their escapes.
fn for_each_pair<'a>(
    text: &'a [u8],
    mut each: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let malformed = Stop::invalid("a malformed hstore");
    let mut scanner = Scanner::new(text);
    if scanner.is_empty() {
        return Ok(());
    }
    loop {
        let key = quoted(&mut scanner).ok_or(malformed)?;
        if !scanner.passes(b"=>") {
            return Err(malformed);
        }
        let value = if scanner.passes(b"NULL") { None } else { Some(quoted(&mut scanner).ok_or(malformed)?) };
        each(key, value)?;
        if scanner.is_empty() {
            return Ok(());
        }
        if !scanner.passes(b", ") {
            return Err(malformed);
        }
    }
}

/// What stands between quotation marks, with its escapes.
fn quoted<'a>(scanner: &mut Scanner<'a>) -> Option<&'a [u8]> {
    if !scanner.passes(b"\"") {
        return None;
    }
    let quoted = scanner.take_escaped();
    scanner.passes(b"\"").then_some(quoted)
}

/// The text without the backslashes that escape other bytes.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut unescaped = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        unescaped.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    Cow::Owned(unescaped)
}
