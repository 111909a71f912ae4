//! pgvector's `vector` and `halfvec`, as float4 elements in little-endian.

use super::{Cell, Destination, Problem, Stop};

/// Bytes of an element as JavaScript sees it.
pub(super) const ELEMENT: usize = 4;

/// Decodes a vector: `vector_send` in pgvector's vector.c.
pub(super) fn vector(destination: &mut Destination<'_>, bytes: &[u8]) -> Result<Cell, Stop> {
    let elements = elements::<4>(bytes)?;
    destination.bytea_with(elements.len() * ELEMENT, |place| {
        for (place, element) in place.as_chunks_mut::<ELEMENT>().0.iter_mut().zip(elements) {
            *place = u32::from_be_bytes(*element).to_le_bytes();
        }
        Ok(())
    })
}

/// Decodes a halfvec: `halfvec_send` in pgvector's halfvec.c.
pub(super) fn halfvec(destination: &mut Destination<'_>, bytes: &[u8]) -> Result<Cell, Stop> {
    let elements = elements::<2>(bytes)?;
    destination.bytea_with(elements.len() * ELEMENT, |place| {
        for (place, element) in place.as_chunks_mut::<ELEMENT>().0.iter_mut().zip(elements) {
            *place = widen(u16::from_be_bytes(*element)).to_le_bytes();
        }
        Ok(())
    })
}

/// The elements behind their number and two bytes that say nothing.
fn elements<const WIDTH: usize>(bytes: &[u8]) -> Result<&[[u8; WIDTH]], Stop> {
    let ([a, b, _, _], elements) = bytes.split_first_chunk::<4>().ok_or(Stop::Malformed(Problem::Truncated))?;
    let count = usize::from(u16::from_be_bytes([*a, *b]));
    if elements.len() != count * WIDTH {
        return Err(Stop::Malformed(Problem::Length { expected: 4 + count * WIDTH, actual: bytes.len() }));
    }
    Ok(elements.as_chunks::<WIDTH>().0)
}

/// The float4 that has the value of an IEEE 754 half: all of them have one.
fn widen(half: u16) -> f32 {
    /// 2⁻²⁴, the smallest half.
    const SMALLEST: f32 = f32::from_bits((127 - 24) << 23);
    let sign = u32::from(half & 0x8000) << 16;
    let (exponent, fraction) = (u32::from(half >> 10 & 0x1f), half & 0x3ff);
    let magnitude = match exponent {
        0 => (f32::from(fraction) * SMALLEST).to_bits(),
        // Infinity and NaN.
        0x1f => 0xff << 23 | u32::from(fraction) << 13,
        _ => (exponent + 127 - 15) << 23 | u32::from(fraction) << 13,
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::widen;

    #[test]
    fn halves_keep_their_value() {
        for (half, expected) in [
            (0x0000, 0.0_f32),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65_504.0),
            (0x0400, 6.103_515_6e-5),
            (0x03ff, 6.097_555e-5),
            (0x0001, 5.960_464_5e-8),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(widen(half), expected, "{half:#x}");
        }
        assert_eq!(widen(0x8000).to_bits(), (-0.0_f32).to_bits());
        assert!(widen(0x7e00).is_nan());
    }

    #[test]
    fn halves_ascend() {
        assert!((0..0x7c00_u16).all(|half| widen(half) < widen(half + 1)));
        assert!((0..0x7c00_u16).all(|half| widen(half | 0x8000) == -widen(half)));
    }
}
