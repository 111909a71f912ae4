//! Numbers as PostgreSQL prints them.

use std::fmt::Write;

use super::{Cell, Destination, Stop};

/// The longest of these numbers has 20 characters.
#[derive(Default)]
struct Number {
    text: [u8; 24],
    length: usize,
}

impl Write for Number {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let place = self.text.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A number in decimal.
pub(super) fn number(destination: &mut Destination<'_>, number: impl std::fmt::Display) -> Result<Cell, Stop> {
    let mut text = Number::default();
    // Every number fits.
    let _ = write!(text, "{number}");
    destination.text_value(text.text.get(..text.length).unwrap_or_default())
}
