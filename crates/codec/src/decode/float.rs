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
    of_text(value, None)
        .filter(|decimal| !is_tie(*decimal, value))
        // The shortest text is as far from a neighbour, and means this float4 only by rounding to even. PostgreSQL's
        // has more digits then.
        .or_else(|| {
            let mut nearest = (0..9).filter_map(|digits| of_text(value, Some(digits)));
            nearest.find(|decimal| narrow(*decimal) == value && !is_tie(*decimal, value))
        })
        .unwrap_or(exact)
}

/// The number that a text has: the shortest that reads back, or the nearest of so many digits behind the first.
fn of_text(value: f32, digits: Option<usize>) -> Option<f64> {
    // LowerExp keeps the text short for every exponent; it always fits and always parses.
    let mut text = StackText::<64>::new();
    match digits {
        None => write!(text, "{value:e}").ok()?,
        Some(digits) => write!(text, "{value:.digits$e}").ok()?,
    }
    std::str::from_utf8(text.bytes()).ok()?.parse().ok()
}

/// Whether a number is exactly between this float4 and one next to it.
fn is_tie(decimal: f64, value: f32) -> bool {
    [value.next_down(), value.next_up()].map(|next| f64::midpoint(next.into(), value.into())).contains(&decimal)
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to float4 is the point")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::{is_tie, narrow, widen};
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
        if is_tie(shortest, value) {
            prop_assert!(!is_tie(widened, value));
        } else {
            prop_assert_eq!(digit_count(&format!("{widened:e}")), digit_count(&format!("{value:e}")));
        }
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

    #[test]
    fn is_what_postgresql_prints_where_a_shorter_text_is_between_two_values() {
        for expected in [-49_020_232.0_f64, 91_711_856.0, -109_368_464.0, 1_020_973_570.0, 39_484_632.0, 1.104_216_1e9]
        {
            assert_eq!(widen(narrow(expected)), expected);
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
