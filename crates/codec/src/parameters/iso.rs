//! Dates and times from the plain forms of ISO 8601, which mean the same with every DateStyle and TimeZone. All other
//! text is left to the server: its syntax is wide (manual, "Date/Time Input Interpretation"), and so are its answers.

use crate::calendar::{DAYS_OF_EPOCH, MICROS_OF_DAY};
use crate::types::TypeCode;

/// The last years of `date` and of the timestamps.
const LAST_YEAR_OF_DATES: i64 = 5_874_897;
const LAST_YEAR_OF_TIMESTAMPS: i64 = 294_276;
/// Midnight behind the last day of timestamps, in microseconds since 2000: `END_TIMESTAMP` in datatype/timestamp.h.
const END_OF_TIMESTAMPS: i64 = 9_223_371_331_200_000_000;
/// Hours of a time zone displacement: `MAX_TZDISP_HOUR` in datatype/timestamp.h.
const MOST_ZONE_HOURS: i64 = 15;
const MICROS_OF_SECOND: i64 = 1_000_000;

/// Appends the binary form of a date, time or timestamp; nothing, and `false`, for text that is not in plain form.
pub(super) fn append(code: TypeCode, text: &[u8], out: &mut Vec<u8>) -> bool {
    match code {
        TypeCode::DATE => date(text).map(|days| out.extend_from_slice(&days.to_be_bytes())),
        TypeCode::TIME => time(text).map(|micros| out.extend_from_slice(&micros.to_be_bytes())),
        _ => timestamp(code, text).map(|micros| out.extend_from_slice(&micros.to_be_bytes())),
    }
    .is_some()
}

/// Days since 2000 of `YYYY-MM-DD`.
fn date(text: &[u8]) -> Option<i32> {
    let mut rest = Rest(text);
    let days = rest.days(LAST_YEAR_OF_DATES)?;
    if rest.0.is_empty() { i32::try_from(days).ok() } else { None }
}

/// Microseconds of `HH:MM[:SS[.ffffff]]`; 24:00 is the day's end.
fn time(text: &[u8]) -> Option<i64> {
    let mut rest = Rest(text);
    let micros = rest.micros()?;
    (rest.0.is_empty() && micros <= MICROS_OF_DAY.cast_signed()).then_some(micros)
}

/// Microseconds since 2000 of `YYYY-MM-DD HH:MM[:SS[.ffffff]]`, or with a T for the space: with a zone for
/// timestamptz, for which the session's would count otherwise, and without one for timestamp, which ignores it.
fn timestamp(code: TypeCode, text: &[u8]) -> Option<i64> {
    let mut rest = Rest(text);
    let days = rest.days(LAST_YEAR_OF_TIMESTAMPS)?;
    if !rest.skip(b' ') && !rest.skip(b'T') {
        return None;
    }
    let micros = rest.micros().filter(|micros| *micros < MICROS_OF_DAY.cast_signed())?;
    let zone = if code == TypeCode::TIMESTAMPTZ { rest.zone_seconds()? } else { 0 };
    let micros = days.checked_mul(MICROS_OF_DAY.cast_signed())?.checked_add(micros - zone * MICROS_OF_SECOND)?;
    (rest.0.is_empty() && micros < END_OF_TIMESTAMPS).then_some(micros)
}

/// What is left of a text.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Days since 2000 of a date with at least four digits of the year.
    fn days(&mut self, last_year: i64) -> Option<i64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(4..=7).contains(&digits) || (digits > 4 && self.0.starts_with(b"0")) {
            return None;
        }
        let year = self.number(digits).filter(|year| (1..=last_year).contains(year))?;
        let month = self.behind(b'-')?;
        let day = self.behind(b'-')?;
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=length).contains(&day).then(|| days_since_1970(year, month, day) - DAYS_OF_EPOCH)
    }

    /// Microseconds of a time of at most 24 hours 59 minutes.
    fn micros(&mut self) -> Option<i64> {
        let hours = self.number(2).filter(|hours| *hours <= 24)?;
        let minutes = self.behind(b':').filter(|minutes| *minutes < 60)?;
        let mut micros = (hours * 60 + minutes) * 60 * MICROS_OF_SECOND;
        if self.0.starts_with(b":") {
            micros += self.behind(b':').filter(|seconds| *seconds < 60)? * MICROS_OF_SECOND;
            if self.skip(b'.') {
                let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
                // More digits would have to be rounded.
                let place = u32::try_from(digits).ok().filter(|digits| (1..=6).contains(digits))?;
                micros += self.number(digits)? * 10_i64.pow(6 - place);
            }
        }
        Some(micros)
    }

    /// Seconds east of Greenwich of `Z`, `+HH`, `+HHMM` or `+HH:MM`.
    fn zone_seconds(&mut self) -> Option<i64> {
        if self.skip(b'Z') {
            return Some(0);
        }
        let sign = if self.skip(b'+') {
            1
        } else if self.skip(b'-') {
            -1
        } else {
            return None;
        };
        let hours = self.number(2).filter(|hours| *hours <= MOST_ZONE_HOURS)?;
        let has_minutes = self.skip(b':') || !self.0.is_empty();
        let minutes = if has_minutes { self.number(2).filter(|minutes| *minutes < 60)? } else { 0 };
        Some(sign * (hours * 60 + minutes) * 60)
    }

    /// Two digits behind a separator.
    fn behind(&mut self, separator: u8) -> Option<i64> {
        if self.skip(separator) { self.number(2) } else { None }
    }

    /// So many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number
            .iter()
            .try_fold(0_i64, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
    }

    fn skip(&mut self, byte: u8) -> bool {
        let [first, rest @ ..] = self.0 else { return false };
        let is_there = *first == byte;
        if is_there {
            self.0 = rest;
        }
        is_there
    }
}

/// Days of a date in the proleptic Gregorian calendar. Years that start in March have the leap day at their end.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month_from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_of_years = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    days_of_years + (153 * month_from_march + 2) / 5 + day - 1 - 719_468
}
