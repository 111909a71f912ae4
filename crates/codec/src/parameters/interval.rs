//! `interval`: months, days and microseconds.

use super::cell::Interval;
use super::text::append_ascii;

/// `interval_recv` in PostgreSQL's timestamp.c.
pub(super) fn append(value: Interval, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.micros.to_be_bytes());
    out.extend_from_slice(&value.days.to_be_bytes());
    out.extend_from_slice(&value.months.to_be_bytes());
}

/// Appends `+1 mons -2 days +00:00:03.5`. Each part has its sign: with IntervalStyle `sql_standard` a leading minus
/// would otherwise hold for all of them.
pub(super) fn append_text(value: Interval, out: &mut Vec<u8>) {
    const INFINITY: Interval = Interval { months: i32::MAX, days: i32::MAX, micros: i64::MAX };
    const NEGATIVE_INFINITY: Interval = Interval { months: i32::MIN, days: i32::MIN, micros: i64::MIN };
    match value {
        INFINITY => return out.extend_from_slice(b"infinity"),
        NEGATIVE_INFINITY => return out.extend_from_slice(b"-infinity"),
        _ => {}
    }
    let Interval { months, days, micros } = value;
    append_ascii(out, format_args!("{months:+} mons {days:+} days "));
    if micros == i64::MIN {
        // Times are read without their sign first, which this one does not survive: PostgreSQL does not read what it
        // prints for it.
        return append_ascii(out, format_args!("{micros} us"));
    }
    let (seconds, fraction) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let sign = if micros < 0 { '-' } else { '+' };
    append_ascii(out, format_args!("{sign}{hours:02}:{minutes:02}:{seconds:02}"));
    if fraction != 0 {
        append_ascii(out, format_args!(".{fraction:06}"));
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}
