//! Identifiers of the server's inner life: places in the write-ahead log and in tables, snapshots.

use super::stack_text::{StackText, UPPER_HEX, decimal};
use super::{Cell, Destination, Problem, Stop};

/// Decodes a `pg_lsn`: two halves in hexadecimal, as `pg_lsn_out` prints them.
pub(super) fn lsn(destination: &mut Destination<'_>, [a, b, c, d, e, f, g, h]: [u8; 8]) -> Result<Cell, Stop> {
    let mut text = StackText::<17>::new();
    text.push_hex(u32::from_be_bytes([a, b, c, d]), UPPER_HEX);
    text.push(b'/');
    text.push_hex(u32::from_be_bytes([e, f, g, h]), UPPER_HEX);
    destination.text_value(text.bytes())
}

/// Decodes a `tid`: block and offset.
pub(super) fn tid(destination: &mut Destination<'_>, [a, b, c, d, e, f]: [u8; 6]) -> Result<Cell, Stop> {
    let mut text = StackText::<18>::new();
    text.push(b'(');
    text.push_decimal(u64::from(u32::from_be_bytes([a, b, c, d])));
    text.push(b',');
    text.push_decimal(u64::from(u16::from_be_bytes([e, f])));
    text.push(b')');
    destination.text_value(text.bytes())
}

/// Decodes a `pg_snapshot` or `txid_snapshot`: `pg_snapshot_send` in PostgreSQL's xid8funcs.c.
pub(super) fn snapshot(destination: &mut Destination<'_>, bytes: &[u8]) -> Result<Cell, Stop> {
    let (count, ids) = bytes.split_first_chunk::<4>().ok_or(Stop::Malformed(Problem::Truncated))?;
    let count =
        usize::try_from(i32::from_be_bytes(*count)).map_err(|_| Stop::invalid("a negative number of transactions"))?;
    if ids.len() / 8 != count.saturating_add(2) || !ids.len().is_multiple_of(8) {
        let expected = count.saturating_add(2).saturating_mul(8).saturating_add(4);
        return Err(Stop::Malformed(Problem::Length { expected, actual: bytes.len() }));
    }
    let mut text = Vec::new();
    for (index, id) in ids.as_chunks::<8>().0.iter().enumerate() {
        // xmin:xmax: and then the transactions in progress, with commas between them.
        match index {
            0 => {}
            1 | 2 => text.push(b':'),
            _ => text.push(b','),
        }
        text.extend_from_slice(decimal(&mut [0; 20], u64::from_be_bytes(*id)));
    }
    if count == 0 {
        text.push(b':');
    }
    destination.text_value(&text)
}
