//! `interval` in all of PostgreSQL's styles: what `EncodeInterval` in datetime.c prints.

use super::scanner::Scanner;
use super::{Cell, Destination, Stop};
use crate::decode::interval::block;

/// Decodes an interval, whatever `IntervalStyle` is.
pub(in crate::decode) fn interval(destination: &mut Destination<'_>, text: &[u8]) -> Result<Cell, Stop> {
    match text {
        b"infinity" => return block(destination, i32::MAX, i32::MAX, i64::MAX),
        b"-infinity" => return block(destination, i32::MIN, i32::MIN, i64::MIN),
        _ => {}
    }
    let mut scanner = Scanner::new(text);
    let sums = if scanner.passes(b"P") { iso(&mut scanner) } else { words(&mut scanner) };
    let sums = sums.filter(|_| scanner.is_empty()).ok_or(Stop::invalid("a malformed interval"))?;
    let fields = (i32::try_from(sums.months), i32::try_from(sums.days), i64::try_from(sums.micros));
    let (Ok(months), Ok(days), Ok(micros)) = fields else { return Err(Stop::invalid("an interval out of range")) };
    block(destination, months, days, micros)
}

/// The fields as they add up. They are wider than an interval's: no part of a text can make them overflow.
#[derive(Default)]
struct Sums {
    months: i128,
    days: i128,
    micros: i128,
}

impl Sums {
    fn add(&mut self, unit: Unit, number: Number) -> Option<()> {
        // Only seconds have a fraction.
        if number.millionths != 0 && unit != Unit::Second {
            return None;
        }
        let whole = i128::from(number.whole);
        let (field, value) = match unit {
            Unit::Year => (&mut self.months, whole * 12),
            Unit::Month => (&mut self.months, whole),
            Unit::Day => (&mut self.days, whole),
            Unit::Hour => (&mut self.micros, whole * 3_600_000_000),
            Unit::Minute => (&mut self.micros, whole * 60_000_000),
            Unit::Second => (&mut self.micros, whole * 1_000_000 + i128::from(number.millionths)),
        };
        *field += if number.is_negative { -value } else { value };
        Some(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A number by its sign and magnitude: `-0.5` is negative as well.
#[derive(Clone, Copy)]
struct Number {
    is_negative: bool,
    whole: i64,
    millionths: i64,
}

/// A number with its sign; `is_negative` is that of numbers without one.
fn number(scanner: &mut Scanner<'_>, is_negative: bool) -> Option<Number> {
    let is_negative = if scanner.passes(b"-") { true } else { !scanner.passes(b"+") && is_negative };
    let (_, whole) = scanner.number()?;
    Some(Number { is_negative, whole, millionths: scanner.millionths()? })
}

/// `iso_8601`: `P1Y2M3DT4H5M6.7S`, each number with its own sign, behind the P.
fn iso(scanner: &mut Scanner<'_>) -> Option<Sums> {
    let mut sums = Sums::default();
    let mut is_time = false;
    while !scanner.is_empty() {
        is_time |= scanner.passes(b"T");
        let number = number(scanner, false)?;
        let unit = match (scanner.take_while(|byte| byte.is_ascii_alphabetic() && byte != b'T'), is_time) {
            (b"Y", false) => Unit::Year,
            (b"M", false) => Unit::Month,
            (b"D", false) => Unit::Day,
            (b"H", true) => Unit::Hour,
            (b"M", true) => Unit::Minute,
            (b"S", true) => Unit::Second,
            _ => return None,
        };
        sums.add(unit, number)?;
    }
    Some(sums)
}

/// The other styles: `postgres`, `1 year -2 mons +04:05:06`; `postgres_verbose`, `@ 1 year -2 mons 4 hours ago`;
/// `sql_standard`, `+1-2 -3 +4:05:06`, or where all signs are the same `-3 4:05:06`.
fn words(scanner: &mut Scanner<'_>) -> Option<Sums> {
    let mut sums = Sums::default();
    let is_verbose = scanner.passes(b"@ ");
    // In sql_standard, numbers without a sign have that of the number in front of them.
    let mut is_negative = false;
    loop {
        let number = number(scanner, is_negative)?;
        if scanner.passes(b":") {
            sums.add(Unit::Hour, number)?;
            time(scanner, number.is_negative, &mut sums)?;
        } else if scanner.passes(b"-") {
            let (_, months) = scanner.number()?;
            sums.add(Unit::Year, number)?;
            sums.add(Unit::Month, Number { whole: months, ..number })?;
            is_negative = number.is_negative;
        } else if let Some(unit) = unit(scanner) {
            sums.add(unit, number)?;
        } else if scanner.is_empty() {
            // All of it is zero: `0`, `@ 0`.
            return (number.whole == 0).then_some(sums);
        } else {
            sums.add(Unit::Day, number)?;
            is_negative = number.is_negative;
        }
        if is_verbose && scanner.passes(b" ago") {
            sums = Sums { months: -sums.months, days: -sums.days, micros: -sums.micros };
        }
        if !scanner.passes(b" ") {
            return Some(sums);
        }
    }
}

/// `MM:SS[.ffffff]` behind the hours.
fn time(scanner: &mut Scanner<'_>, is_negative: bool, sums: &mut Sums) -> Option<()> {
    let minute = scanner.pair()?;
    let second = scanner.passes(b":").then(|| scanner.pair())??;
    let millionths = scanner.millionths()?;
    sums.add(Unit::Minute, Number { is_negative, whole: minute, millionths: 0 })?;
    sums.add(Unit::Second, Number { is_negative, whole: second, millionths })
}

/// A space and the word of a unit, if they come next.
fn unit(scanner: &mut Scanner<'_>) -> Option<Unit> {
    let mut ahead = scanner.clone();
    if !ahead.passes(b" ") {
        return None;
    }
    let word = ahead.take_while(|byte| byte.is_ascii_alphabetic());
    let unit = match word {
        b"year" | b"years" => Unit::Year,
        b"mon" | b"mons" => Unit::Month,
        b"day" | b"days" => Unit::Day,
        b"hour" | b"hours" => Unit::Hour,
        b"min" | b"mins" => Unit::Minute,
        b"sec" | b"secs" => Unit::Second,
        _ => return None,
    };
    *scanner = ahead;
    Some(unit)
}
