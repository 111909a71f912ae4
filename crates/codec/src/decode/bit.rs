//! `bit` and `varbit`, printed as digits 0 and 1.

use super::{Cell, Destination, Problem, Stop};

/// Decodes a bit string: `varbit_send` in PostgreSQL's varbit.c.
pub(super) fn bit(destination: &mut Destination<'_>, bytes: &[u8]) -> Result<Cell, Stop> {
    let (count, bits) = bytes.split_first_chunk::<4>().ok_or(Stop::Malformed(Problem::Truncated))?;
    let count = usize::try_from(i32::from_be_bytes(*count)).map_err(|_| Stop::invalid("a negative number of bits"))?;
    if bits.len() != count.div_ceil(8) {
        return Err(Stop::Malformed(Problem::Length { expected: 4 + count.div_ceil(8), actual: bytes.len() }));
    }
    destination.text_with(count, |text| {
        for (digits, byte) in text.chunks_mut(8).zip(bits) {
            for (place, digit) in digits.iter_mut().enumerate() {
                *digit = b'0' + (byte >> (7 - place) & 1);
            }
        }
    })
}
