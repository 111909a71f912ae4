//! `date` and the timestamps in the ISO date style, as `EncodeDateTime` in PostgreSQL's datetime.c prints them.

use super::scanner::Scanner;
use super::{Cell, Destination, Stop};
use crate::calendar::{DAYS_OF_EPOCH, MICROS_OF_DAY, days_of};
use crate::decode::Problem;
use crate::decode::datetime;

/// Of other styles the text alone does not say which number is the day.
const OTHER_STYLE: Stop = Stop::Malformed(Problem::Unsupported(
    "a date inside a value in the text format, and not in the ISO style: set DateStyle to ISO",
));

/// Decodes a date, which the ISO style prints as its cell has it.
pub(in crate::decode) fn date(destination: &mut Destination<'_>, text: &[u8]) -> Result<Cell, Stop> {
    let mut scanner = Scanner::new(text.strip_suffix(b" BC").unwrap_or(text));
    let is_iso = year_month_day(&mut scanner).is_some() && scanner.is_empty();
    if is_iso || matches!(text, b"infinity" | b"-infinity") { destination.text_value(text) } else { Err(OTHER_STYLE) }
}

/// Decodes a timestamp, or a timestamptz, which `has_zone`.
pub(in crate::decode) fn timestamp(text: &[u8], has_zone: bool) -> Result<Cell, Stop> {
    match text {
        b"infinity" => return Ok(datetime::timestamp(i64::MAX)),
        b"-infinity" => return Ok(datetime::timestamp(i64::MIN)),
        _ => {}
    }
    let mut scanner = Scanner::new(text);
    let (year, month, day) = year_month_day(&mut scanner).ok_or(OTHER_STYLE)?;
    let malformed = Stop::invalid("a malformed timestamp");
    let time = time_of_day(&mut scanner).ok_or(malformed)?;
    let zone = if has_zone { zone(&mut scanner).ok_or(malformed)? } else { 0 };
    // The year before 1 is 1 BC.
    let year = if scanner.passes(b" BC") { 1 - year } else { year };
    if !scanner.is_empty() {
        return Err(malformed);
    }
    let days = days_of(year, month, day).ok_or(malformed)? - DAYS_OF_EPOCH;
    // A day at the end may be out of range while the time brings it back.
    let micros = i128::from(days) * i128::from(MICROS_OF_DAY) + i128::from(time) - i128::from(zone) * 1_000_000;
    match i64::try_from(micros) {
        // The ends would be infinities.
        Ok(i64::MIN | i64::MAX) | Err(_) => Err(Stop::invalid("a timestamp out of range")),
        Ok(micros) => Ok(datetime::timestamp(micros)),
    }
}

/// `YYYY-MM-DD`, with more digits for later years, before its era.
fn year_month_day(scanner: &mut Scanner<'_>) -> Option<(i64, u64, u64)> {
    let (digits, year) = scanner.number()?;
    if digits.len() < 4 || year == 0 || !scanner.passes(b"-") {
        return None;
    }
    let month = scanner.pair()?;
    let day = scanner.passes(b"-").then(|| scanner.pair())??;
    Some((year, month.unsigned_abs(), day.unsigned_abs()))
}

/// ` HH:MM:SS[.ffffff]` as microseconds.
fn time_of_day(scanner: &mut Scanner<'_>) -> Option<i64> {
    let hour = scanner.passes(b" ").then(|| scanner.pair())??;
    let minute = scanner.passes(b":").then(|| scanner.pair())??;
    let second = scanner.passes(b":").then(|| scanner.pair())??;
    let micros = scanner.millionths()?;
    (hour < 24 && minute < 60 && second < 60).then_some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// `+HH[:MM[:SS]]` as seconds to the east of UTC. Zones of the POSIX form can be up to 167 hours away.
fn zone(scanner: &mut Scanner<'_>) -> Option<i64> {
    let is_west = scanner.passes(b"-");
    if !is_west && !scanner.passes(b"+") {
        return None;
    }
    let (digits, hours) = scanner.number()?;
    let minutes = if scanner.passes(b":") { scanner.pair()? } else { 0 };
    let seconds = if scanner.passes(b":") { scanner.pair()? } else { 0 };
    if !(2..=3).contains(&digits.len()) || minutes > 59 || seconds > 59 {
        return None;
    }
    let distance = (hours * 60 + minutes) * 60 + seconds;
    Some(if is_west { -distance } else { distance })
}
