//! Short texts, put together on the stack.

use std::fmt::{self, Write};

use crate::calendar::digit;

/// A text of at most `ROOM` bytes. What does not fit is left out: callers choose the room by their longest text.
pub(super) struct StackText<const ROOM: usize> {
    bytes: [u8; ROOM],
    length: usize,
}

impl<const ROOM: usize> StackText<ROOM> {
    pub(super) fn new() -> Self {
        Self { bytes: [0; ROOM], length: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    pub(super) fn push_all(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(*byte);
        }
    }

    pub(super) fn push_decimal(&mut self, number: u64) {
        let mut digits = [0; 20];
        self.push_all(decimal(&mut digits, number));
    }

    /// The last two decimal digits.
    pub(super) fn push_pair(&mut self, number: u64) {
        self.push(digit(number / 10));
        self.push(digit(number));
    }

    /// Hexadecimal digits from the table, without leading zeros.
    pub(super) fn push_hex(&mut self, number: u32, digits: &[u8; 16]) {
        for place in (0..8).rev() {
            if place == 0 || number >> (4 * place) != 0 {
                self.push(hex_digit(number >> (4 * place), digits));
            }
        }
    }

    /// Two hexadecimal digits.
    pub(super) fn push_hex_pair(&mut self, byte: u8) {
        self.push(hex_digit(u32::from(byte >> 4), LOWER_HEX));
        self.push(hex_digit(u32::from(byte), LOWER_HEX));
    }
}

impl<const ROOM: usize> Write for StackText<ROOM> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > ROOM - self.length {
            return Err(fmt::Error);
        }
        self.push_all(text.as_bytes());
        Ok(())
    }
}

pub(super) const LOWER_HEX: &[u8; 16] = b"0123456789abcdef";
pub(super) const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The last hexadecimal digit.
fn hex_digit(number: u32, digits: &[u8; 16]) -> u8 {
    // Never more than 15.
    usize::try_from(number & 15).map_or(0, |index| digits[index])
}

/// A number's decimal digits, for which 20 are enough.
pub(super) fn decimal(digits: &mut [u8; 20], mut number: u64) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = digit(number);
        number /= 10;
        if number == 0 || start == 0 {
            return &digits[start..];
        }
    }
}
