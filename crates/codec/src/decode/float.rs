//! `float4`: as the shortest decimal that float4 keeps.

use std::fmt::Write;

use super::stack_text::StackText;

/// The double nearest to the shortest decimal that reads back as this float4: 3.14, not 3.140000104904175.
pub(super) fn widen(value: f32) -> f64 {
    let exact = f64::from(value);
    // Below 2²⁴ a float4's neighbours are at most 1 apart, so the first decimal that reads back is the shortest. The
    // products are exact, so that ties round to even, as PostgreSQL's own shortest text does.
    if exact.abs() < 16_777_216.0 {
        let mut scale = 1.0;
        for _ in 0..=12 {
            let decimal = (exact * scale).round_ties_even() / scale;
            if narrow(decimal) == value {
                return decimal;
            }
            scale *= 10.0;
        }
    } else if !exact.is_finite() {
        return exact;
    }
    let mut text = StackText::<64>::new();
    // LowerExp keeps the text short for every exponent; it always fits and always parses.
    let _ = write!(text, "{value:e}");
    std::str::from_utf8(text.bytes()).ok().and_then(|text| text.parse().ok()).unwrap_or(exact)
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to float4 is the point")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::{narrow, widen};
    use proptest::prelude::*;

    #[test]
    fn is_the_shortest_decimal() {
        for (value, expected) in [(2.6_f32, 2.6_f64), (0.1, 0.1), (16_777_216.0, 16_777_216.0), (1e-20, 1e-20)] {
            assert_eq!(widen(value), expected);
        }
        assert_eq!(widen(f32::MAX), 3.402_823_5e38);
        assert_eq!(widen(-0.0).to_bits(), (-0.0_f64).to_bits());
        assert_eq!(widen(f32::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(widen(f32::NAN).is_nan());
    }

    /// The significant digits of a number's shortest text.
    fn digit_count(text: &str) -> usize {
        text.split('e').next().unwrap().bytes().filter(u8::is_ascii_digit).count()
    }

    fn check(value: f32) -> Result<(), TestCaseError> {
        let (widened, shortest) = (widen(value), value.to_string().parse::<f64>().unwrap());
        prop_assert_eq!(narrow(widened).to_bits(), value.to_bits());
        prop_assert_eq!(digit_count(&format!("{widened:e}")), digit_count(&format!("{value:e}")));
        // Of two texts of that length the nearer one.
        prop_assert!((widened - f64::from(value)).abs() <= (shortest - f64::from(value)).abs());
        Ok(())
    }

    #[test]
    fn ties_round_to_even() {
        for (value, expected) in
            [(50_438.0_f32 + 0.8125, 50_438.812), (1.0 + 0.128_906_25, 1.128_906_2), (8_388_607.5, 8_388_607.5)]
        {
            assert_eq!(widen(value), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn is_as_short_as_the_shortest_text(bits: u32) {
            prop_assume!(f32::from_bits(bits).is_finite());
            check(f32::from_bits(bits))?;
        }

        #[test]
        fn is_as_short_as_the_shortest_text_of_everyday_values(value in -1e5_f32..1e5) {
            check(value)?;
        }
    }
}
