//! `numeric`: digits of base 10 000, printed as `numeric_out` does.

use super::{Cell, Destination, Problem, Stop};
use crate::calendar::digit;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;
/// The largest display scale, NUMERIC_DSCALE_MASK.
const LARGEST_SCALE: u16 = 0x3fff;

/// Decodes a numeric: `numeric_send` in PostgreSQL's numeric.c.
pub(super) fn numeric(destination: &mut Destination<'_>, bytes: &[u8]) -> Result<Cell, Stop> {
    let (header, digits) = bytes.split_first_chunk::<8>().ok_or(Stop::Malformed(Problem::Truncated))?;
    let [a, b, c, d, e, f, g, h] = *header;
    let digit_count = usize::from(u16::from_be_bytes([a, b]));
    let weight = i16::from_be_bytes([c, d]);
    let sign = u16::from_be_bytes([e, f]);
    let scale = u16::from_be_bytes([g, h]);
    if digits.len() != digit_count * 2 {
        return Err(Stop::Malformed(Problem::Length { expected: 8 + digit_count * 2, actual: bytes.len() }));
    }
    match sign {
        0 | NEGATIVE => {}
        NAN => return destination.text_value(b"NaN"),
        INFINITY => return destination.text_value(b"Infinity"),
        NEGATIVE_INFINITY => return destination.text_value(b"-Infinity"),
        _ => return Err(Stop::invalid("an unknown numeric sign")),
    }
    if scale > LARGEST_SCALE {
        return Err(Stop::invalid("a numeric scale out of range"));
    }
    let number = Number {
        digits: digits.as_chunks::<2>().0,
        weight: i32::from(weight),
        is_negative: sign == NEGATIVE,
        scale: usize::from(scale),
    };
    if number.digits.iter().any(|digit| u16::from_be_bytes(*digit) > 9_999) {
        return Err(Stop::invalid("a numeric digit above 9999"));
    }
    destination.text_with(number.text_length(), |text| number.write(text))
}

struct Number<'a> {
    digits: &'a [[u8; 2]],
    /// The power of 10 000 of the first digit.
    weight: i32,
    is_negative: bool,
    /// Decimal digits behind the point.
    scale: usize,
}

impl Number<'_> {
    /// The digit of a power of 10 000.
    fn digit(&self, power: i32) -> u64 {
        let index = usize::try_from(self.weight - power).ok();
        index.and_then(|index| self.digits.get(index)).map_or(0, |digit| u64::from(u16::from_be_bytes(*digit)))
    }

    fn text_length(&self) -> usize {
        let whole = if self.weight < 0 {
            1
        } else {
            decimal_length(self.digit(self.weight)) + 4 * usize::try_from(self.weight).unwrap_or(0)
        };
        usize::from(self.is_negative) + whole + if self.scale > 0 { 1 + self.scale } else { 0 }
    }

    /// Fills `text`, which has the length that `text_length` gives.
    fn write(&self, mut text: &mut [u8]) {
        if self.is_negative {
            text = put(text, b"-");
        }
        if self.weight < 0 {
            text = put(text, b"0");
        } else {
            let group = group(self.digit(self.weight));
            text = put(text, &group[4 - decimal_length(self.digit(self.weight))..]);
            for power in (0..self.weight).rev() {
                text = put(text, &self::group(self.digit(power)));
            }
        }
        if self.scale > 0 {
            text = put(text, b".");
            let mut power = -1;
            while !text.is_empty() {
                let group = self::group(self.digit(power));
                let length = text.len().min(4);
                text = put(text, &group[..length]);
                power -= 1;
            }
        }
    }
}

fn put<'a>(text: &'a mut [u8], part: &[u8]) -> &'a mut [u8] {
    let (front, behind) = text.split_at_mut(part.len());
    front.copy_from_slice(part);
    behind
}

fn group(number: u64) -> [u8; 4] {
    [digit(number / 1_000), digit(number / 100), digit(number / 10), digit(number)]
}

/// The number of decimal digits of a base-10 000 digit.
fn decimal_length(number: u64) -> usize {
    match number {
        0..10 => 1,
        10..100 => 2,
        100..1_000 => 3,
        _ => 4,
    }
}
