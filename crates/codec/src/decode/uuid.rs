//! `uuid`: 16 bytes, printed with hyphens in lower case.

use super::{Cell, Destination, Stop};

const LENGTH: usize = 36;

/// Decodes a uuid.
pub(super) fn uuid(destination: &mut Destination<'_>, bytes: [u8; 16]) -> Result<Cell, Stop> {
    destination.text_with(LENGTH, |text| {
        uuid::Uuid::from_bytes(bytes).hyphenated().encode_lower(text);
    })
}
