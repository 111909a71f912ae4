//! pgvector's `vector` and `halfvec`, from float4 elements in little-endian order.

use super::error::Refusal;
use super::text::{append_ascii, append_float4};
use crate::types::TypeCode;

/// `VECTOR_MAX_DIM` in vector.h, and `HALFVEC_MAX_DIM` in halfvec.h.
const MOST_ELEMENTS: usize = 16_000;

/// `vector_recv` in vector.c: an int16 count, 0, and float4 elements. `halfvec_recv` in halfvec.c: the same with
/// elements in half precision.
pub(super) fn append(code: TypeCode, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let elements = elements(code, bytes)?;
    let count = u16::try_from(elements.len()).map_err(|_| Refusal::malformed())?;
    out.reserve(4 + bytes.len());
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&[0; 2]);
    for (index, element) in elements.iter().map(|bytes| f32::from_le_bytes(*bytes)).enumerate() {
        if code == TypeCode::VECTOR {
            out.extend_from_slice(&element.to_be_bytes());
        } else {
            let half = half(element).ok_or_else(|| Refusal::out_of_range(code.name(), &element).in_element(index))?;
            out.extend_from_slice(&half.to_be_bytes());
        }
    }
    Ok(())
}

/// Appends `[1,2.5]`.
pub(super) fn append_text(code: TypeCode, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for (index, element) in elements(code, bytes)?.iter().enumerate() {
        append_ascii(out, if index == 0 { '[' } else { ',' });
        append_float4(f32::from_le_bytes(*element), out);
    }
    if bytes.is_empty() {
        out.push(b'[');
    }
    out.push(b']');
    Ok(())
}

fn elements(code: TypeCode, bytes: &[u8]) -> Result<&[[u8; 4]], Refusal> {
    let (elements, []) = bytes.as_chunks::<4>() else {
        return Err(Refusal::count(&format_args!("{} bytes", bytes.len()), code.name(), &"4 for each element"));
    };
    if elements.len() > MOST_ELEMENTS {
        let count = format_args!("{} elements", elements.len());
        return Err(Refusal::count(&count, code.name(), &format_args!("at most {MOST_ELEMENTS}")));
    }
    Ok(elements)
}

/// The nearest number in half precision (IEEE 754 binary16), of two equally near ones the even one; `None` when only
/// an infinity is near, as for `Float4ToHalf` in pgvector's halfutils.h.
fn half(value: f32) -> Option<u16> {
    /// Bits of the fraction that float4 has and half precision has not.
    const DROPPED: u32 = 13;
    const INFINITY: u32 = 0x7c00;
    let bits = value.to_bits();
    let sign = bits >> 16 & 0x8000;
    let fraction = bits & 0x007f_ffff;
    let magnitude = match bits >> 23 & 0xff {
        255 if fraction == 0 => INFINITY,
        255 => INFINITY | 0x200,
        // 2^-14 and above. The carry of the rounding goes into the exponent, as it should.
        exponent @ 113.. => match round((exponent - 112) << 23 | fraction, DROPPED) {
            INFINITY.. => return None,
            rounded => rounded,
        },
        // Subnormal: multiples of 2^-24.
        exponent @ 102..=112 => round(fraction | 0x0080_0000, DROPPED + 113 - exponent),
        _ => 0,
    };
    u16::try_from(sign | magnitude).ok()
}

/// Drops so many of the low bits.
fn round(bits: u32, dropped: u32) -> u32 {
    let kept = bits >> dropped;
    let rest = bits & ((1 << dropped) - 1);
    let middle = 1 << (dropped - 1);
    kept + u32::from(rest > middle || (rest == middle && kept & 1 == 1))
}
