//! pgvector's `vector` and `halfvec`: `[1,2.5]`, the elements printed as float4.

use super::{Cell, Destination, Stop};
use crate::decode::vector::ELEMENT;

/// Decodes a vector or halfvec.
pub(in crate::decode) fn vector(destination: &mut Destination<'_>, text: &[u8]) -> Result<Cell, Stop> {
    let elements = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
    let elements = elements.ok_or(Stop::invalid("a malformed vector"))?;
    let count = 1 + elements.iter().filter(|byte| **byte == b',').count();
    destination.bytea_with(count * ELEMENT, |place| {
        for (place, element) in place.as_chunks_mut::<ELEMENT>().0.iter_mut().zip(elements.split(|byte| *byte == b','))
        {
            *place = super::parse_float::<f32>(element)?.to_le_bytes();
        }
        Ok(())
    })
}
