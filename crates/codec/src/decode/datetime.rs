//! `date`, `time` and the timestamps.

use super::stack_text::StackText;
use super::{Cell, Destination, Stop};
use crate::calendar::{self, DATE_TEXT, MICROS_OF_EPOCH, TIME_TEXT};

/// Seconds that no zone is away from UTC: PostgreSQL's TZDISP_LIMIT.
const ZONE_LIMIT: u64 = 16 * 3_600;

/// Rebases microseconds since 2000 to 1970. The int64 ends are the infinities and stay. The last of PostgreSQL's years
/// are beyond int64 then, and come in from its other end, where there are no timestamps, past -infinity.
#[inline(always)]
pub(super) fn timestamp(micros: i64) -> Cell {
    let rebased = match micros {
        i64::MIN | i64::MAX => micros,
        _ => match micros.checked_add(MICROS_OF_EPOCH) {
            Some(i64::MAX) | None => micros.wrapping_add(MICROS_OF_EPOCH + 2),
            Some(rebased) => rebased,
        },
    };
    Cell::value(rebased.cast_unsigned())
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
    let mut text = [0; TIME_TEXT];
    let length = write_time(&mut text, micros)?;
    destination.text_value(&text[..length])
}

/// Decodes a timetz: `timetz_send` in PostgreSQL's date.c. The zone counts seconds to the west of UTC, and is printed
/// to the east, as `EncodeTimezone` does.
pub(super) fn timetz(destination: &mut Destination<'_>, bytes: [u8; 12]) -> Result<Cell, Stop> {
    let [a, b, c, d, e, f, g, h, zone @ ..] = bytes;
    let mut time = [0; TIME_TEXT];
    let length = write_time(&mut time, i64::from_be_bytes([a, b, c, d, e, f, g, h]))?;
    let zone = i32::from_be_bytes(zone);
    let distance = u64::from(zone.unsigned_abs());
    if distance >= ZONE_LIMIT {
        return Err(Stop::invalid("a time zone out of range"));
    }
    let mut text = StackText::<{ TIME_TEXT + 9 }>::new();
    text.push_all(&time[..length]);
    text.push(if zone <= 0 { b'+' } else { b'-' });
    text.push_pair(distance / 3_600);
    if !distance.is_multiple_of(3_600) {
        text.push(b':');
        text.push_pair(distance / 60 % 60);
    }
    if !distance.is_multiple_of(60) {
        text.push(b':');
        text.push_pair(distance % 60);
    }
    destination.text_value(text.bytes())
}

/// Writes a time of the day: its length.
fn write_time(text: &mut [u8; TIME_TEXT], micros: i64) -> Result<usize, Stop> {
    let micros = u64::try_from(micros)
        .ok()
        .filter(|micros| *micros <= calendar::MICROS_OF_DAY)
        .ok_or(Stop::invalid("a time outside the day"))?;
    Ok(calendar::write_time(text, micros))
}
