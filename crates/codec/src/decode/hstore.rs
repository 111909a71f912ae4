//! hstore's `hstore`: a block of keys and values.

use super::{Cell, Destination, Problem, Stop, fixed_front, prefixed};

/// Decodes an hstore: `hstore_send` in contrib/hstore/hstore_io.c.
pub(super) fn hstore(destination: &mut Destination<'_>, bytes: &[u8]) -> Result<Cell, Stop> {
    let (count, mut rest) = fixed_front(bytes)?;
    let count = usize::try_from(i32::from_be_bytes(count)).map_err(|_| Stop::invalid("a negative number of pairs"))?;
    // Each pair has at least its two lengths, so the bytes bound what is taken for them.
    if count > rest.len() / 8 {
        return Err(Stop::Malformed(Problem::Truncated));
    }
    let (hstore, cells, marks) = block(destination, count)?;
    for (index, (cell, mark)) in cells.iter_mut().zip(marks).enumerate() {
        let (text, behind) = prefixed(rest)?;
        rest = behind;
        let decoded = match text {
            Some(text) => destination.text_value(text)?,
            None if index % 2 == 0 => return Err(Stop::invalid("an hstore key that is NULL")),
            None => Cell::NULL,
        };
        *cell = decoded.word;
        *mark = decoded.mark;
    }
    if rest.is_empty() { Ok(hstore) } else { Err(Stop::invalid("bytes behind the last pair")) }
}

/// A block for so many pairs, and the cells and marks of their keys and values.
pub(super) fn block<'a>(
    destination: &mut Destination<'a>,
    pair_count: usize,
) -> Result<(Cell, &'a mut [u64], &'a mut [u8]), Stop> {
    let (index, cells, marks) = destination.block(1 + 2 * pair_count)?;
    let (head, cells) = cells.split_at_mut(1);
    let (head_mark, marks) = marks.split_at_mut(1);
    head[0] = pair_count as u64;
    head_mark.fill(0);
    Ok((Cell::value(index as u64), cells, marks))
}
