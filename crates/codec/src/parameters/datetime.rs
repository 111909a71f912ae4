//! Dates and timestamps from microseconds or milliseconds since 1970.

use super::error::Refusal;
use crate::calendar::{DAYS_OF_EPOCH, MICROS_OF_DAY, MICROS_OF_EPOCH};
use crate::types::TypeCode;

/// The last millisecond of JavaScript's Date, on both sides of 1970.
const LAST_MILLI: f64 = 8.64e15;

/// Microseconds of milliseconds; the infinities are the int64 ends.
pub(super) fn micros(code: TypeCode, millis: f64) -> Result<i64, Refusal> {
    if millis == f64::INFINITY {
        return Ok(i64::MAX);
    }
    if millis == f64::NEG_INFINITY {
        return Ok(i64::MIN);
    }
    // NaN is not in it.
    if !(-LAST_MILLI..=LAST_MILLI).contains(&millis) {
        return Err(Refusal::out_of_range(code.name(), &format_args!("a date of {millis} ms")));
    }
    #[expect(clippy::cast_possible_truncation, reason = "in range, and Dates are whole milliseconds")]
    let millis = millis.floor() as i64;
    Ok(millis * 1_000)
}

/// A timestamp's int64: microseconds since 2000, the infinities at its ends.
pub(super) fn timestamp(code: TypeCode, micros: i64) -> Result<i64, Refusal> {
    if micros == i64::MIN || micros == i64::MAX {
        return Ok(micros);
    }
    match micros.checked_sub(MICROS_OF_EPOCH) {
        Some(i64::MIN) | None => Err(Refusal::out_of_range(code.name(), &format_args!("{micros} µs since 1970"))),
        Some(micros) => Ok(micros),
    }
}

/// A date's int32: the UTC day, counted from 2000, the infinities at its ends.
pub(super) fn date(micros: i64) -> Result<i32, Refusal> {
    match micros {
        i64::MAX => Ok(i32::MAX),
        i64::MIN => Ok(i32::MIN),
        _ => {
            let days = micros.div_euclid(MICROS_OF_DAY.cast_signed()) - DAYS_OF_EPOCH;
            i32::try_from(days).map_err(|_| Refusal::out_of_range("date", &format_args!("{micros} µs since 1970")))
        }
    }
}
