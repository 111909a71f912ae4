//! What is encoded and decoded again is the same.

use crate::support::{Cell, Value, decode, encode, float};
use oxpg_codec::types::TypeCode;
use proptest::prelude::*;

/// Encodes in binary, then decodes.
fn round_trip(type_oid: u32, cell: &Cell) -> Value {
    let (format, bytes) = encode(type_oid, cell).unwrap();
    assert_eq!(format, 1, "binary");
    bytes.map_or(Value::Null, |bytes| decode(TypeCode::of(type_oid), &bytes).unwrap())
}

/// A decimal as PostgreSQL prints it.
fn decimal() -> impl Strategy<Value = String> {
    ("-?", "0|[1-9][0-9]{0,30}", proptest::option::of("[0-9]{1,30}")).prop_map(|(sign, whole, fraction)| {
        let text = fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}"));
        // There is no negative zero.
        if text.bytes().any(|byte| matches!(byte, b'1'..=b'9')) { format!("{sign}{text}") } else { text }
    })
}

fn element() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(".{0,12}")
}

proptest! {
    #[test]
    fn integers(value: i64) {
        prop_assert_eq!(round_trip(20, &Cell::I64(value)), Value::Int(value));
        let value = value as i32;
        prop_assert_eq!(round_trip(23, &Cell::I32(value)), Value::Int(i64::from(value)));
        prop_assert_eq!(round_trip(26, &Cell::I32(value)), Value::Int(i64::from(value as u32)));
        let value = value as i16;
        prop_assert_eq!(round_trip(21, &Cell::I32(i32::from(value))), Value::Int(i64::from(value)));
    }

    #[test]
    fn floats(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assert_eq!(round_trip(701, &Cell::F64(value)), Value::Float(bits));
        // What a float4 column gave goes back to the same float4.
        let single = f32::from_bits(bits as u32);
        prop_assume!(!single.is_nan());
        let decoded = decode(TypeCode::FLOAT4, &single.to_be_bytes()).unwrap();
        let Value::Float(bits) = decoded else { panic!() };
        prop_assert_eq!(encode(700, &Cell::F64(f64::from_bits(bits))), Ok((1, Some(single.to_be_bytes().to_vec()))));
    }

    #[test]
    fn numerics(text in decimal()) {
        prop_assert_eq!(round_trip(1700, &Cell::Text(text.clone())), Value::Text(text));
    }

    #[test]
    fn numerics_with_exponents_are_the_same_number(digits in 1_u64.., point in -40_i64..40) {
        let text = format!("{digits}e{point}");
        let Value::Text(decoded) = round_trip(1700, &Cell::Text(text.clone())) else { panic!() };
        prop_assert_eq!(decoded.parse::<f64>().unwrap(), text.parse::<f64>().unwrap());
        prop_assert_eq!(round_trip(1700, &Cell::Text(decoded.clone())), Value::Text(decoded));
    }

    #[test]
    fn numbers_as_numerics(value in proptest::num::f64::NORMAL) {
        let Value::Text(decoded) = round_trip(1700, &Cell::F64(value)) else { panic!() };
        prop_assert_eq!(decoded.parse::<f64>().unwrap(), value);
    }

    #[test]
    fn texts(text: String) {
        for type_oid in [25, 1043, 114, 3802] {
            prop_assert_eq!(round_trip(type_oid, &Cell::Text(text.clone())), Value::Text(text.clone()));
        }
        let bytes = text.into_bytes();
        prop_assert_eq!(round_trip(17, &Cell::Bytes(bytes.clone())), Value::Bytes(bytes));
    }

    #[test]
    fn uuids(bytes: [u8; 16]) {
        let expected = uuid::Uuid::from_bytes(bytes).to_string();
        prop_assert_eq!(round_trip(2950, &Cell::Bytes(bytes.to_vec())), Value::Text(expected.clone()));
        prop_assert_eq!(round_trip(2950, &Cell::Text(expected.clone())), Value::Text(expected));
    }

    #[test]
    fn timestamps(micros in -210_866_803_200_000_000_i64..8_640_000_000_000_000_000) {
        for type_oid in [1114, 1184] {
            prop_assert_eq!(round_trip(type_oid, &Cell::I64(micros)), Value::Int(micros));
            let millis = micros / 1_000;
            prop_assert_eq!(round_trip(type_oid, &Cell::Millis(millis as f64)), Value::Int(millis * 1_000));
        }
    }

    #[test]
    fn a_dates_text_is_its_day(days in -2_000_000_i64..100_000_000) {
        let Value::Text(text) = round_trip(1082, &Cell::Millis(days as f64 * 86_400_000.0)) else { panic!() };
        prop_assert_eq!(days_of(&text), days);
    }

    #[test]
    fn arrays(elements in proptest::collection::vec(element(), 1..30), lower_bound: i32) {
        let cells = elements.iter().map(|element| element.clone().map_or(Cell::Null, Cell::Text)).collect();
        let values = elements.into_iter().map(|element| element.map_or(Value::Null, Value::Text)).collect::<Vec<_>>();
        let dimensions = vec![(values.len() as u32, lower_bound), (1, 1)];
        prop_assert_eq!(
            round_trip(1009, &Cell::Array(dimensions.clone(), cells)),
            Value::Array(dimensions, lower_bound != 1, values)
        );
    }

    #[test]
    fn arrays_of_numbers(values: [f64; 6]) {
        let cells = values.iter().map(|value| Cell::F64(*value)).collect();
        let expected = values.iter().map(|value| float(*value)).collect();
        let dimensions = vec![(2, 1), (3, 1)];
        prop_assert_eq!(round_trip(1022, &Cell::Array(dimensions.clone(), cells)), Value::Array(dimensions, false, expected));
    }
}

/// Days since 1970 of a date as PostgreSQL prints it, counted naively.
fn days_of(text: &str) -> i64 {
    let (date, is_before_christ) = text.strip_suffix(" BC").map_or((text, false), |date| (date, true));
    let parts: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    let [year, month, day] = parts[..] else { panic!("{text}") };
    let year = if is_before_christ { 1 - year } else { year };
    let is_leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let in_year: i64 = lengths[..usize::try_from(month).unwrap() - 1].iter().sum();
    before * 365 + leap_days + in_year + day - 1 - 719_162
}
