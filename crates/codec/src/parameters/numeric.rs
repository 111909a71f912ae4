//! `numeric` from text.

use super::error::Refusal;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;
/// The largest display scale, NUMERIC_DSCALE_MAX.
const LARGEST_SCALE: i64 = 0x3fff;
/// Digits in front of the point, by the largest weight.
const MOST_WHOLE_DIGITS: i64 = 131_072;

/// Appends the binary form of a decimal number, exactly.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let number = Decimal::parse(text)
        .ok_or_else(|| Refusal::invalid("numeric", text, "a decimal number, NaN, Infinity or -Infinity"))?;
    let decimal = match number {
        Number::Special(sign) => {
            for part in [0, 0, sign, 0] {
                out.extend_from_slice(&part.to_be_bytes());
            }
            return Ok(());
        }
        Number::Decimal(decimal) => decimal,
    };
    decimal.append(out).ok_or_else(|| {
        Refusal::invalid("numeric", text, "at most 131072 digits in front of the decimal point and 16383 behind it")
    })
}

enum Number<'a> {
    /// A sign word that stands alone.
    Special(u16),
    Decimal(Decimal<'a>),
}

/// Digits in front of and behind the point, times ten to the power of `exponent`.
struct Decimal<'a> {
    is_negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a [u8]) -> Option<Number<'a>> {
        let text = text.trim_ascii();
        let (is_negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if text.eq_ignore_ascii_case(b"nan") {
            return Some(Number::Special(NAN));
        }
        if unsigned.eq_ignore_ascii_case(b"infinity") || unsigned.eq_ignore_ascii_case(b"inf") {
            return Some(Number::Special(if is_negative { NEGATIVE_INFINITY } else { INFINITY }));
        }
        let (whole, behind) = digits(unsigned);
        let (fraction, behind) = match behind {
            [b'.', behind @ ..] => digits(behind),
            _ => (&[][..], behind),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match behind {
            [] => 0,
            [b'e' | b'E', exponent @ ..] => exponent_of(exponent)?,
            _ => return None,
        };
        Some(Number::Decimal(Self { is_negative, whole, fraction, exponent }))
    }

    /// Appends the number; nothing when it is out of range.
    fn append(&self, out: &mut Vec<u8>) -> Option<()> {
        let scale = (i64::try_from(self.fraction.len()).ok()? - self.exponent).max(0);
        if scale > LARGEST_SCALE {
            return None;
        }
        let scale = u16::try_from(scale).ok()?;
        let Some(first) = self.decimals().position(|digit| digit != b'0') else {
            for part in [0, 0, 0, scale] {
                out.extend_from_slice(&part.to_be_bytes());
            }
            return Some(());
        };
        let last = self.whole.len() + self.fraction.len() - self.decimals().rev().position(|digit| digit != b'0')?;
        // The power of ten of the first significant digit, and of 10 000 of its group.
        let power = i64::try_from(self.whole.len()).ok()? - 1 - i64::try_from(first).ok()? + self.exponent;
        if power >= MOST_WHOLE_DIGITS {
            return None;
        }
        let weight = power.div_euclid(4);
        let sign = if self.is_negative { NEGATIVE } else { 0 };
        let start = out.len();
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&i16::try_from(weight).ok()?.to_be_bytes());
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&scale.to_be_bytes());
        // Groups of four; the first one lacks the digits in front of the first significant one.
        let mut missing = 1 + power.rem_euclid(4);
        let mut group = 0_u16;
        let mut count = 0_u16;
        for digit in self.decimals().take(last).skip(first) {
            group = group * 10 + u16::from(digit - b'0');
            missing -= 1;
            if missing == 0 {
                out.extend_from_slice(&group.to_be_bytes());
                count = count.checked_add(1)?;
                (group, missing) = (0, 4);
            }
        }
        if missing < 4 {
            for _ in 0..missing {
                group *= 10;
            }
            out.extend_from_slice(&group.to_be_bytes());
            count = count.checked_add(1)?;
        }
        out.get_mut(start..start + 2)?.copy_from_slice(&count.to_be_bytes());
        Some(())
    }

    fn decimals(&self) -> impl DoubleEndedIterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied()
    }
}

/// The leading decimal digits, and what is behind them.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

fn exponent_of(text: &[u8]) -> Option<i64> {
    let (is_negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (digits, behind) = digits(unsigned);
    if digits.is_empty() || !behind.is_empty() {
        return None;
    }
    // Far beyond every numeric; more digits change nothing.
    let magnitude = digits.iter().fold(0_i64, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(1_000_000_000));
    Some(if is_negative { -magnitude } else { magnitude })
}
