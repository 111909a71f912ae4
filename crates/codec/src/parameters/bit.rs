//! `bit` and `varbit` from text.

use super::error::Refusal;
use super::parts::append_count;

/// `bit_recv` in PostgreSQL's varbit.c: the number of bits, and the bits from the highest of the first byte on.
pub(super) fn append(text: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let digits = digits(text)?;
    append_count(digits.len(), out)?;
    out.extend(
        digits.chunks(8).map(|digits| {
            digits.iter().enumerate().fold(0_u8, |byte, (place, digit)| byte | (digit & 1) << (7 - place))
        }),
    );
    Ok(())
}

/// The text, when it has only the digits 0 and 1.
pub(super) fn digits(text: &[u8]) -> Result<&[u8], Refusal> {
    if text.iter().all(|byte| matches!(byte, b'0' | b'1')) {
        Ok(text)
    } else {
        Err(Refusal::invalid("bit", text, "digits 0 and 1"))
    }
}
