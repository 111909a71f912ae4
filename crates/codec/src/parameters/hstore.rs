//! hstore's `hstore`: keys and values, which are text.

use std::collections::HashSet;

use super::cell::{Cells, Value};
use super::error::Refusal;
use super::limits::Limits;
use super::literal::Quotes;
use super::parts::append_count;
use super::scalar::Format;
use super::write_length;

/// `hstore_recv` in contrib/hstore/hstore_io.c.
pub(super) fn append(
    count: usize,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    append_count(count, out)?;
    for_each_pair(count, cells, |_, key, value| {
        append_string(key, out, limits)?;
        match value {
            Some(value) => append_string(value, out, limits),
            None => {
                out.extend_from_slice(&(-1_i32).to_be_bytes());
                Ok(())
            }
        }
    })?;
    Ok(Format::Binary)
}

fn append_string(string: &[u8], out: &mut Vec<u8>, limits: Limits) -> Result<(), Refusal> {
    limits.check(out, string.len())?;
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(string);
    write_length(out, length_at)
}

/// Appends `"key"=>"value","other"=>NULL`.
pub(super) fn append_text(
    count: usize,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<(), Refusal> {
    for_each_pair(count, cells, |index, key, value| {
        if index > 0 {
            out.push(b',');
        }
        Quotes::HSTORE.append(key, out, limits)?;
        out.extend_from_slice(b"=>");
        match value {
            Some(value) => Quotes::HSTORE.append(value, out, limits),
            None => {
                out.extend_from_slice(b"NULL");
                Ok(())
            }
        }
    })
}

/// Reads the pairs. PostgreSQL would drop all but one of several with the same key.
fn for_each_pair<'a>(
    count: usize,
    cells: &mut Cells<'a>,
    mut append: impl FnMut(usize, &'a [u8], Option<&'a [u8]>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut keys = HashSet::with_capacity(count);
    for index in 0..count {
        let pair = match (cells.next()?, cells.next()?) {
            (Value::Text(key), _) if !keys.insert(key) => Err(Refusal::new("a key that was there before".to_owned())),
            (Value::Text(key), Value::Text(value)) => append(index, key, Some(value)),
            (Value::Text(key), Value::Null) => append(index, key, None),
            (Value::Text(_), value) => Err(Refusal::new(format!("{} as a value, which is text", value.kind()))),
            (key, _) => Err(Refusal::new(format!("{} as a key, which is text", key.kind()))),
        };
        pair.map_err(|refusal| refusal.in_pair(index))?;
    }
    Ok(())
}
