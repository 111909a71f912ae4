//! Days and microseconds as PostgreSQL prints them in its ISO date style.

/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
pub(crate) const DAYS_OF_EPOCH: i64 = 10_957;
/// Microseconds from 1970-01-01 to 2000-01-01.
pub(crate) const MICROS_OF_EPOCH: i64 = DAYS_OF_EPOCH * 86_400_000_000;
/// Microseconds of a day.
pub(crate) const MICROS_OF_DAY: u64 = 86_400_000_000;
/// The longest date with its era.
pub(crate) const DATE_TEXT: usize = 32;
/// The longest time.
pub(crate) const TIME_TEXT: usize = 15;
/// The longest timestamp with its era.
pub(crate) const TIMESTAMP_TEXT: usize = DATE_TEXT + 1 + TIME_TEXT;

/// Writes the date that is so many days after 1970-01-01, without its era: the length, and whether it is before
/// year 1. Years are counted as PostgreSQL does: the year before 1 is 1 BC.
pub(crate) fn write_date(text: &mut [u8], days: i64) -> (usize, bool) {
    let (year, month, day) = civil(days);
    let is_before_christ = year < 1;
    let year = if is_before_christ { 1 - year } else { year }.unsigned_abs();
    let mut length = 0;
    if year > 9_999 {
        let mut digits = 5;
        while digits < 19 && year >= 10_u64.pow(digits) {
            digits += 1;
        }
        for place in (4..digits).rev() {
            text[length] = digit(year / 10_u64.pow(place));
            length += 1;
        }
    }
    write_pair(&mut text[length..], year / 100);
    write_pair(&mut text[length + 2..], year);
    text[length + 4] = b'-';
    write_pair(&mut text[length + 5..], month);
    text[length + 7] = b'-';
    write_pair(&mut text[length + 8..], day);
    (length + 10, is_before_christ)
}

/// Adds the era of years before 1 behind `length` bytes.
pub(crate) fn write_era(text: &mut [u8], length: usize) -> usize {
    text[length..length + 3].copy_from_slice(b" BC");
    length + 3
}

/// Writes `HH:MM:SS[.ffffff]` without trailing zeros.
pub(crate) fn write_time(text: &mut [u8], micros: u64) -> usize {
    let seconds = micros / 1_000_000;
    write_pair(text, seconds / 3_600);
    text[2] = b':';
    write_pair(&mut text[3..], seconds / 60 % 60);
    text[5] = b':';
    write_pair(&mut text[6..], seconds % 60);
    let mut fraction = micros % 1_000_000;
    if fraction == 0 {
        return 8;
    }
    text[8] = b'.';
    let mut length = 15;
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        length -= 1;
    }
    for place in (9..length).rev() {
        text[place] = digit(fraction);
        fraction /= 10;
    }
    length
}

/// Writes the timestamp that is so many microseconds after 1970-01-01, in UTC, with its era and, before it, `zone`.
pub(crate) fn write_timestamp(text: &mut Vec<u8>, micros: i64, zone: &[u8]) {
    let day_micros = MICROS_OF_DAY.cast_signed();
    let mut buffer = [0; TIMESTAMP_TEXT];
    let (date_length, is_before_christ) = write_date(&mut buffer, micros.div_euclid(day_micros));
    buffer[date_length] = b' ';
    let time_start = date_length + 1;
    let length = time_start + write_time(&mut buffer[time_start..], micros.rem_euclid(day_micros).unsigned_abs());
    text.extend_from_slice(&buffer[..length]);
    text.extend_from_slice(zone);
    if is_before_christ {
        text.extend_from_slice(b" BC");
    }
}

/// Year, month and day in the proleptic Gregorian calendar, with a year 0. Eras of 400 years start in March, so that
/// the leap day is a year's last.
fn civil(days: i64) -> (i64, u64, u64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097).unsigned_abs();
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era.cast_signed() + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a date in the proleptic Gregorian calendar with a year 0; nothing for a day that its month
/// does not have, and for years far outside PostgreSQL's range.
pub(crate) fn days_of(year: i64, month: u64, day: u64) -> Option<i64> {
    if !(-1_000_000_000..=1_000_000_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year_from_march, month_from_march) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, year_of_era) = (year_from_march.div_euclid(400), year_from_march.rem_euclid(400));
    let day_of_year = ((153 * month_from_march + 2) / 5 + day - 1).cast_signed();
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    (civil(days) == (year, month, day)).then_some(days)
}

/// The last two decimal digits.
fn write_pair(text: &mut [u8], number: u64) {
    text[0] = digit(number / 10);
    text[1] = digit(number);
}

/// The last decimal digit.
pub(crate) fn digit(number: u64) -> u8 {
    // Never more than 9.
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}
