//! Values with parts in PostgreSQL's text format (manual, "Array Input and Output Syntax", "Composite Type Input and
//! Output Syntax", "Range Input/Output").

use super::array::Shape;
use super::cell::{Cells, Dimension, Value};
use super::error::Refusal;
use super::hstore;
use super::limits::Limits;
use super::range::{Bound, Flags};
use super::scalar;
use super::target::{Elements, Target};
use super::text::{self, append_ascii};
use crate::types::TypeCode;

/// Appends a value that is not NULL as text that the type's input function reads.
pub(super) fn append(
    target: Target<'_>,
    value: &Value<'_>,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<(), Refusal> {
    let appended = if value.has_parts() {
        append_parts(target, value, cells, out, limits)
    } else {
        limits.check(out, text::longest(value)).and_then(|()| scalar::append_text(target.code, value, out))
    };
    appended.map_err(|refusal| refusal.of_type(target))
}

fn append_parts(
    target: Target<'_>,
    value: &Value<'_>,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<(), Refusal> {
    let limits = limits.within()?;
    match *value {
        Value::Array { dimension_count, element_count } => {
            let elements = target.elements()?;
            let shape = Shape::read(cells, dimension_count, element_count)?;
            array(elements, &shape, cells, out, limits)
        }
        Value::Composite { count } => composite(target, count, cells, out, limits),
        Value::Range { flags } => range(target, flags, cells, out, limits),
        Value::Multirange { count } => multirange(target, count, cells, out, limits),
        Value::Hstore { count } if target.code == TypeCode::HSTORE => hstore::append_text(count, cells, out, limits),
        _ => Err(Refusal::mismatch(target.code, value.kind())),
    }
}

/// Appends an array literal: `{"a",NULL}`, with `[lower:upper]=` in front where a lower bound is not 1.
pub(super) fn array(
    elements: Elements<'_>,
    shape: &Shape,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<(), Refusal> {
    if elements.is_vector {
        return vector(elements, shape, cells, out, limits);
    }
    let dimensions = shape.dimensions();
    if dimensions.is_empty() {
        out.extend_from_slice(b"{}");
        return Ok(());
    }
    if dimensions.iter().any(|dimension| dimension.lower_bound != 1) {
        for Dimension { length, lower_bound } in dimensions {
            let upper = i64::from(*lower_bound) + i64::try_from(*length).unwrap_or(i64::MAX / 2) - 1;
            append_ascii(out, format_args!("[{lower_bound}:{upper}]"));
        }
        out.push(b'=');
    }
    let mut text = Vec::new();
    for index in 0..shape.element_count {
        // Braces open and close where an index of a dimension starts and ends.
        let mut size = 1;
        let depth = dimensions.iter().rev().take_while(|dimension| {
            size *= dimension.length;
            index % size == 0
        });
        let opening = depth.count();
        if index > 0 {
            out.resize(out.len() + opening, b'}');
            out.push(elements.delimiter);
        }
        out.resize(out.len() + opening, b'{');
        let value = cells.next()?;
        if value == Value::Null {
            out.extend_from_slice(b"NULL");
            continue;
        }
        text.clear();
        append(elements.target, &value, cells, &mut text, limits.of_own_buffer())
            .and_then(|()| Quotes::ARRAY.append(&text, out, limits))
            .map_err(|refusal| refusal.in_element(index))?;
    }
    out.resize(out.len() + dimensions.len(), b'}');
    Ok(())
}

/// `int2vectorin` and `oidvectorin` take numbers with spaces between them.
fn vector(
    elements: Elements<'_>,
    shape: &Shape,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<(), Refusal> {
    if shape.dimensions().len() > 1 {
        return Err(Refusal::new("an array of several dimensions for a type that has one".to_owned()));
    }
    for index in 0..shape.element_count {
        if index > 0 {
            out.push(b' ');
        }
        let value = cells.next()?;
        append(elements.target, &value, cells, out, limits).map_err(|refusal| refusal.in_element(index))?;
    }
    Ok(())
}

/// Appends `(a,"b c",)`: nothing stands for NULL.
fn composite(
    target: Target<'_>,
    count: usize,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<(), Refusal> {
    out.push(b'(');
    let mut text = Vec::new();
    for (index, attribute) in target.attributes(count)?.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let value = cells.next()?;
        if value == Value::Null {
            continue;
        }
        text.clear();
        append(Target::from(&*attribute.tree), &value, cells, &mut text, limits.of_own_buffer())
            .and_then(|()| Quotes::COMPOSITE.append(&text, out, limits))
            .map_err(|refusal| refusal.in_attribute(&attribute.name))?;
    }
    out.push(b')');
    Ok(())
}

/// Appends `[a,"b c")`, or `empty`.
fn range(
    target: Target<'_>,
    flags: u8,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<(), Refusal> {
    let subtype = target.subtype()?;
    let mut flags = Flags::new(flags);
    let mut text = Vec::new();
    for bound in [Bound::Lower, Bound::Upper] {
        let value = flags.bound(bound, cells)?;
        if bound == Bound::Upper && !flags.is_empty() {
            out.push(b',');
        }
        if bound == Bound::Lower && !flags.is_empty() {
            out.push(if flags.is_inclusive(bound) { b'[' } else { b'(' });
        }
        if let Some(value) = value {
            text.clear();
            append(subtype, &value, cells, &mut text, limits.of_own_buffer())
                .and_then(|()| Quotes::RANGE.append(&text, out, limits))
                .map_err(|refusal| bound.blame(refusal))?;
        }
    }
    if flags.is_empty() {
        out.extend_from_slice(b"empty");
    } else {
        out.push(if flags.is_inclusive(Bound::Upper) { b']' } else { b')' });
    }
    Ok(())
}

/// Appends `{[a,b),[c,d)}`.
fn multirange(
    target: Target<'_>,
    count: usize,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<(), Refusal> {
    let range = target.range()?;
    out.push(b'{');
    for index in 0..count {
        if index > 0 {
            out.push(b',');
        }
        let value = cells.next()?;
        let appended = match value {
            Value::Range { .. } | Value::Text(_) | Value::Bytes(_) => append(range, &value, cells, out, limits),
            _ => Err(Refusal::mismatch(range.code, value.kind()).of_type(range)),
        };
        appended.map_err(|refusal| refusal.in_range(index))?;
    }
    out.push(b'}');
    Ok(())
}

/// How a syntax quotes.
#[derive(Clone, Copy)]
pub(super) struct Quotes {
    /// Whether there are always quotes.
    always: bool,
    /// Text with one of these needs quotes, as does text with white space or without anything.
    special: &'static [u8],
    /// What stands in front of a double quote in quotes.
    escape: u8,
}

impl Quotes {
    const ARRAY: Self = Self { always: true, special: b"", escape: b'\\' };
    const COMPOSITE: Self = Self { always: false, special: b"(),\"\\", escape: b'"' };
    const RANGE: Self = Self { always: false, special: b"()[],\"\\", escape: b'"' };
    pub(super) const HSTORE: Self = Self::ARRAY;

    /// Appends text, in quotes where it needs them.
    pub(super) fn append(self, text: &[u8], out: &mut Vec<u8>, limits: Limits) -> Result<(), Refusal> {
        let is_special = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b || self.special.contains(byte);
        if !self.always && !text.is_empty() && !text.iter().any(is_special) {
            limits.check(out, text.len())?;
            out.extend_from_slice(text);
            return Ok(());
        }
        let escaped = text.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        let length = text.len() + escaped + 2;
        limits.check(out, length)?;
        out.reserve(length);
        out.push(b'"');
        for byte in text {
            match byte {
                b'"' => out.push(self.escape),
                b'\\' => out.push(b'\\'),
                _ => {}
            }
            out.push(*byte);
        }
        out.push(b'"');
        Ok(())
    }
}
