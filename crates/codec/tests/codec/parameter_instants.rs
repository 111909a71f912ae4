//! Dates and times as text: binary in the plain form, else left to the server.

use crate::support::{Cell, encode, hex, string};
use oxpg_codec::types::TypeCode;
use proptest::prelude::*;

const DATE: u32 = 1082;
const TIME: u32 = 1083;
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;

fn binary(type_oid: u32, text: &str, expected: &str) {
    assert_eq!(encode(type_oid, &string(text)), Ok((1, Some(hex(expected)))), "{text}");
}

fn left_to_the_server(type_oid: u32, texts: &[&str]) {
    for text in texts {
        assert_eq!(encode(type_oid, &string(text)), Ok((0, Some(text.as_bytes().to_vec()))), "{text}");
    }
}

#[test]
fn dates() {
    binary(DATE, "2000-01-01", "00000000");
    binary(DATE, "1999-12-31", "ffffffff");
    binary(DATE, "2024-02-29", "00002279");
    binary(DATE, "2000-03-01", "0000003c");
    binary(DATE, "0001-01-01", "fff4dbf9");
    binary(DATE, "10000-01-01", "002c95d4");
    binary(DATE, "5874897-12-31", "7fda970c");
}

#[test]
fn other_dates_are_left_to_the_server() {
    left_to_the_server(
        DATE,
        &[
            "",
            "today",
            "infinity",
            "2024-1-1",
            "24-01-01",
            "2023-02-29",
            "1900-02-29",
            "2024-00-10",
            "2024-13-01",
            "2024-01-00",
            "2024-04-31",
            "2024-01-01 ",
            " 2024-01-01",
            "2024-01-01 BC",
            "0000-01-01",
            "02024-01-01",
            "5874898-01-01",
            "20240101",
            "2024/01/01",
            "2024-01-011",
            "-2024-01-01",
            "99999999-01-01",
            "2024-01-01 00:00",
        ],
    );
}

#[test]
fn times() {
    binary(TIME, "00:00", "0000000000000000");
    binary(TIME, "23:59:59.999999", "000000141dd75fff");
    binary(TIME, "24:00:00", "000000141dd76000");
    binary(TIME, "00:00:00.5", "000000000007a120");
    left_to_the_server(
        TIME,
        &[
            "",
            "1:00",
            "24:00:00.1",
            "24:01",
            "12:60",
            "12:00:60",
            "12:00:00.",
            "12:00:00.1234567",
            "12:00Z",
            "12:00 PM",
            "noon",
        ],
    );
}

#[test]
fn timestamps() {
    for text in ["2000-01-01 00:00", "2000-01-01T00:00:00", "2000-01-01 00:00:00.000"] {
        binary(TIMESTAMP, text, "0000000000000000");
    }
    binary(TIMESTAMP, "1999-12-31T23:59:59.999999", "ffffffffffffffff");
    binary(TIMESTAMP, "294276-12-31 23:59:59.999999", "7fffff5bb3b29fff");
    left_to_the_server(
        TIMESTAMP,
        &[
            "2000-01-01",
            "2000-01-01 00",
            "2000-01-01  00:00",
            "2000-01-01t00:00",
            "2000-01-01 24:00",
            "now",
            "2000-01-01 00:00Z",
            "2000-01-01 00:00+00",
            "294277-01-01 00:00",
            "2000-02-30 00:00",
            "2000-01-01 00:00 BC",
            "infinity",
        ],
    );
}

#[test]
fn timestamps_with_a_zone() {
    for text in [
        "2000-01-01 00:00Z",
        "2000-01-01T00:00:00.0Z",
        "2000-01-01 00:00+00",
        "2000-01-01 02:00+02",
        "1999-12-31 18:30:00-05:30",
        "1999-12-31 18:30-0530",
        "2000-01-01 15:59+15:59",
    ] {
        binary(TIMESTAMPTZ, text, "0000000000000000");
    }
    left_to_the_server(
        TIMESTAMPTZ,
        &[
            "2000-01-01 00:00",
            "2000-01-01 00:00:00",
            "2000-01-01 00:00 Z",
            "2000-01-01 00:00z",
            "2000-01-01 00:00 UTC",
            "2000-01-01 00:00+1",
            "2000-01-01 00:00+16",
            "2000-01-01 00:00+01:60",
            "2000-01-01 00:00+01:",
            "2000-01-01 00:00+01:00:00",
            "2000-01-01 00:00+",
            "294276-12-31 23:59:59-01",
            "2000-01-01 00:00Zulu",
        ],
    );
}

#[test]
fn arrays_of_plain_text_are_binary() {
    let cell = Cell::Array(vec![(1, 1)], vec![string("2000-01-01")]);
    let expected = hex("00000001 00000000 0000043a 00000001 00000001 00000004 00000000");
    assert_eq!(encode(1182, &cell), Ok((1, Some(expected))));
}

proptest! {
    /// What PostgreSQL would print for a value is that value.
    #[test]
    fn text_is_the_instant_that_it_was_printed_from(micros in -62_135_596_800_000_000_i64..9_000_000_000_000_000_000) {
        for (type_oid, code, zone) in [(TIMESTAMP, TypeCode::TIMESTAMP, ""), (TIMESTAMPTZ, TypeCode::TIMESTAMPTZ, "+00")] {
            prop_assert_eq!(TypeCode::of(type_oid), code);
            let direct = encode(type_oid, &Cell::I64(micros)).unwrap();
            let (_, literal) =
                encode(type_oid + 1, &Cell::Array(vec![(2, 1)], vec![Cell::I64(micros), string("x")])).unwrap();
            let literal = String::from_utf8(literal.unwrap()).unwrap();
            let text = literal.trim_start_matches("{\"").split('"').next().unwrap();
            prop_assert!(text.ends_with(zone));
            prop_assert_eq!(encode(type_oid, &string(text)).unwrap(), direct, "{}", text);
        }
    }
}
