//! `date`, `time` and the timestamps.

use super::{Cell, Destination, Stop};
use crate::calendar::{self, DATE_TEXT, MICROS_OF_EPOCH, TIME_TEXT};

/// Rebases microseconds since 2000 to 1970. The int64 ends are the infinities and stay.
#[inline(always)]
pub(super) fn timestamp(micros: i64) -> Result<Cell, Stop> {
    if micros == i64::MIN || micros == i64::MAX {
        return Ok(Cell::value(micros.cast_unsigned()));
    }
    match micros.checked_add(MICROS_OF_EPOCH) {
        Some(i64::MAX) | None => Err(Stop::invalid("a timestamp out of range")),
        Some(micros) => Ok(Cell::value(micros.cast_unsigned())),
    }
}

/// Decodes a date, days since 2000-01-01.
pub(super) fn date(destination: &mut Destination<'_>, days: i32) -> Result<Cell, Stop> {
    match days {
        i32::MIN => return destination.text_value(b"-infinity"),
        i32::MAX => return destination.text_value(b"infinity"),
        _ => {}
    }
    let mut text = [0; DATE_TEXT];
    let (length, is_before_christ) = calendar::write_date(&mut text, calendar::DAYS_OF_EPOCH + i64::from(days));
    let length = if is_before_christ { calendar::write_era(&mut text, length) } else { length };
    destination.text_value(&text[..length])
}

/// Decodes a time, microseconds since midnight; 24:00:00 exists.
pub(super) fn time(destination: &mut Destination<'_>, micros: i64) -> Result<Cell, Stop> {
    let micros = u64::try_from(micros)
        .ok()
        .filter(|micros| *micros <= calendar::MICROS_OF_DAY)
        .ok_or(Stop::invalid("a time outside the day"))?;
    let mut text = [0; TIME_TEXT];
    let length = calendar::write_time(&mut text, micros);
    destination.text_value(&text[..length])
}
