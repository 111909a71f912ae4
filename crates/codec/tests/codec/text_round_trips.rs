//! What is printed as PostgreSQL prints it and decoded from the text format is the same.

use crate::support::{Value, decode, decode_text, text, vector};
use oxpg_codec::types::TypeCode;
use proptest::prelude::*;

/// A day's date as the ISO style prints it, counted year by year.
fn date_of(mut days: i64) -> (String, &'static str) {
    let is_leap = |year: i64| year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    // 400 years at once, then one by one.
    let mut year = 1970 + days.div_euclid(146_097) * 400;
    days = days.rem_euclid(146_097);
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (year, era) = if year < 1 { (1 - year, " BC") } else { (year, "") };
    (format!("{year:04}-{:02}-{:02}", month + 1, days + 1), era)
}

/// What PostgreSQL prints of a time, with all digits of a fraction.
fn time_of(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let time = format!("{:02}:{:02}:{:02}.{:06}", seconds / 3_600, seconds / 60 % 60, seconds % 60, micros % 1_000_000);
    time.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number and its unit, in the plural unless it is 1.
fn words(number: i64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

proptest! {
    #[test]
    fn timestamps_over_the_whole_range(
        micros in prop_oneof![-210_866_803_200_000_000..=9_223_372_036_854_775_806_i64, -1_000_000_000_000_000..1_000_000_000_000_000_i64],
        zone in -57_599..57_600_i64,
    ) {
        const DAY: i64 = 86_400_000_000;
        let (date, era) = date_of(micros.div_euclid(DAY));
        let time = time_of(micros.rem_euclid(DAY));
        prop_assert_eq!(decode_text(TypeCode::TIMESTAMP, &format!("{date} {time}{era}")), Ok(Value::Int(micros)));
        prop_assert_eq!(decode_text(TypeCode::TIMESTAMPTZ, &format!("{date} {time}+00{era}")), Ok(Value::Int(micros)));
        // The local time of a zone.
        let local = i128::from(micros) + i128::from(zone) * 1_000_000;
        let days = i64::try_from(local.div_euclid(i128::from(DAY))).unwrap();
        let (date, era) = date_of(days);
        let time = time_of(i64::try_from(local.rem_euclid(i128::from(DAY))).unwrap());
        let distance = zone.abs();
        let sign = if zone < 0 { '-' } else { '+' };
        let zone = format!("{sign}{:02}:{:02}:{:02}", distance / 3_600, distance / 60 % 60, distance % 60);
        prop_assert_eq!(decode_text(TypeCode::TIMESTAMPTZ, &format!("{date} {time}{zone}{era}")), Ok(Value::Int(micros)));
    }

    #[test]
    fn intervals_with_any_signs(months: i32, days: i32, micros: i64) {
        let expected = Ok(Value::Interval(months, days, micros));
        let (years, mons) = (i64::from(months / 12), i64::from(months % 12));
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        let sign = |is_negative: bool| if is_negative { "-" } else { "+" };
        let second = format!("{}{}.{:06}", if micros < 0 { "-" } else { "" }, (seconds % 60).abs(), fraction.abs());
        let time = format!("{}{}:{:02}:{:02}.{:06}", sign(micros < 0), hours.abs(), minutes.abs(), (seconds % 60).abs(), fraction.abs());
        let days_word = words(i64::from(days), "day");
        for printed in [
            format!("{} {} {days_word} {time}", words(years, "year"), words(mons, "mon")),
            format!("@ {} {} {days_word} {} {} {second} secs", words(years, "year"), words(mons, "mon"), words(hours, "hour"), words(minutes, "min")),
            format!("P{years}Y{mons}M{days}DT{hours}H{minutes}M{second}S"),
            format!("{}{}-{} {}{} {time}", sign(months < 0), years.abs(), mons.abs(), sign(days < 0), i64::from(days).abs()),
        ] {
            prop_assert_eq!(&decode_text(TypeCode::INTERVAL, &printed), &expected, "{}", printed);
        }
    }

    #[test]
    fn numbers_of_any_size(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(!value.is_nan());
        prop_assert_eq!(decode_text(TypeCode::FLOAT8, &format!("{value:e}")), Ok(Value::Float(bits)));
        let single = f32::from_bits(bits as u32);
        prop_assume!(!single.is_nan());
        // What PostgreSQL prints is the decimal that the binary decoder finds; Rust's own text can be another where two
        // decimals of that length are equally near.
        let expected = decode(TypeCode::FLOAT4, &single.to_be_bytes());
        let Ok(Value::Float(decimal)) = expected else { panic!("a float4 that is none: {single}") };
        prop_assert_eq!(decode_text(TypeCode::FLOAT4, &f64::from_bits(decimal).to_string()), expected);
        prop_assert_eq!(decode_text(TypeCode::VECTOR, &format!("[{single}]")), Ok(vector(&[single])));
        prop_assert_eq!(decode_text(TypeCode::INT8, &bits.cast_signed().to_string()), Ok(Value::Int(bits.cast_signed())));
    }

    #[test]
    fn bytes_in_both_output_formats(bytes: Vec<u8>) {
        let expected = Ok(Value::Bytes(bytes.clone()));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(&decode_text(TypeCode::BYTEA, &format!("\\x{hex}")), &expected);
        prop_assert_eq!(&decode_text(TypeCode::EWKB, &hex.to_uppercase()), &expected);
        let escaped: String = bytes
            .iter()
            .map(|byte| match byte {
                b'\\' => "\\\\".to_owned(),
                b' '..=b'~' => char::from(*byte).to_string(),
                byte => format!("\\{byte:03o}"),
            })
            .collect();
        prop_assert_eq!(&decode_text(TypeCode::BYTEA, &escaped), &expected);
    }

    #[test]
    fn hstores_of_any_texts(pairs in proptest::collection::vec((".{0,8}", proptest::option::of("[\"\\\\a, =>]{0,8}")), 0..5)) {
        let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let printed: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{}=>{}", quoted(key), value.as_ref().map_or("NULL".to_owned(), quoted)))
            .collect();
        let expected = pairs.iter().map(|(key, value)| (text(key), value.as_deref().map_or(Value::Null, text))).collect();
        prop_assert_eq!(decode_text(TypeCode::HSTORE, &printed.join(", ")), Ok(Value::Pairs(expected)));
    }
}
