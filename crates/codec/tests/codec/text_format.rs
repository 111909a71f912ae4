//! Values from the text format: the same cells as from the binary one.

use crate::support::{Value, data_row, decode, decode_text, doubles, float, hex, own_values, text, vector};
use oxpg_codec::batch::{RowTypes, own_memory_row};
use oxpg_codec::types::TypeCode;

fn check(code: TypeCode, table: &[(&str, Value)]) {
    for (printed, expected) in table {
        assert_eq!(decode_text(code, printed).as_ref(), Ok(expected), "{code:?} {printed}");
        let row = data_row(&[Some(printed.as_bytes())]);
        let codes = [code];
        let types = RowTypes { are_printed: true, ..RowTypes::plain(&codes) };
        let row = own_memory_row(types, &row).unwrap();
        assert_eq!(own_values(&row, &codes).first(), Some(expected), "as a column: {code:?} {printed}");
    }
}

fn check_refused(code: TypeCode, texts: &[&str], expected: &str) {
    for printed in texts {
        match decode_text(code, printed) {
            Err(error) => assert!(error.to_string().ends_with(expected), "{code:?} {printed}: {error}"),
            Ok(value) => panic!("{code:?} {printed}: {value:?}"),
        }
    }
}

/// What PostgreSQL 18 sends and prints for the same value.
#[test]
fn both_formats_give_the_same() {
    for (code, bytes, printed) in [
        (TypeCode::BOOL, "01", "t"),
        (TypeCode::BOOL, "00", "f"),
        (TypeCode::INT2, "8000", "-32768"),
        (TypeCode::INT4, "80000000", "-2147483648"),
        (TypeCode::INT8, "8000000000000000", "-9223372036854775808"),
        (TypeCode::OID, "ffffffff", "4294967295"),
        (TypeCode::XID8, "ffffffffffffffff", "18446744073709551615"),
        (TypeCode::FLOAT4, "7f7fffff", "3.4028235e+38"),
        (TypeCode::FLOAT4, "00000001", "1e-45"),
        (TypeCode::FLOAT4, "4048f5c3", "3.14"),
        (TypeCode::FLOAT8, "8000000000000000", "-0"),
        (TypeCode::FLOAT8, "430c6bf526340000", "1e+15"),
        (TypeCode::FLOAT8, "7ff8000000000000", "NaN"),
        (TypeCode::FLOAT8, "fff0000000000000", "-Infinity"),
        (TypeCode::NUMERIC, "0003 0001 0000 0003 0001 0929 1a7c", "12345.678"),
        (TypeCode::TEXT, "c3a4", "ä"),
        (TypeCode::CHAR, "61", "a"),
        (TypeCode::CHAR, "ff", "\\377"),
        (TypeCode::CHAR, "00", ""),
        (TypeCode::BYTEA, "00ff5c41276162", "\\x00ff5c41276162"),
        (TypeCode::BYTEA, "00ff5c41276162", "\\000\\377\\\\A'ab"),
        (TypeCode::BYTEA, "", "\\x"),
        (TypeCode::BYTEA, "", ""),
        (TypeCode::JSONB, "01 7b7d", "{}"),
        (TypeCode::UUID, "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        (TypeCode::DATE, "002c95d4", "10000-01-01"),
        (TypeCode::DATE, "fff49d7b", "0044-03-15 BC"),
        (TypeCode::DATE, "80000000", "-infinity"),
        (TypeCode::TIME, "000000141dd75fff", "23:59:59.999999"),
        (TypeCode::TIMETZ, "0000000a8be62608 ffffb299", "12:34:56.789+05:30:15"),
        (TypeCode::TIMESTAMPTZ, "0002b57ea5468008", "2024-02-29 12:34:56.789+05:30"),
        (TypeCode::TIMESTAMPTZ, "fd0f7cc1411fa000", "4714-11-24 00:00:00+00 BC"),
        (TypeCode::TIMESTAMPTZ, "7ffca2fec4c81ffe", "294247-01-10 04:00:54.775806+00"),
        (TypeCode::TIMESTAMPTZ, "7ffca2fec4c81fff", "294247-01-10 04:00:54.775807+00"),
        (TypeCode::TIMESTAMP, "7fffff5bb3b29fff", "294276-12-31 23:59:59.999999"),
        (TypeCode::TIMESTAMPTZ, "0002b57ea5468008", "2024-02-22 08:04:56.789-167"),
        (TypeCode::TIMESTAMP, "7fffffffffffffff", "infinity"),
        (TypeCode::TIMESTAMP, "8000000000000000", "-infinity"),
        (TypeCode::TIMESTAMP, "ff1fe2eba7c50000", "0001-12-31 00:00:00 BC"),
        (TypeCode::INET, "03600010 00000000000000000000ffff01020304", "::ffff:1.2.3.4/96"),
        (TypeCode::MACADDR, "08002b010203", "08:00:2b:01:02:03"),
        (TypeCode::BIT, "00000003 a0", "101"),
        (TypeCode::POINT, "8000000000000000 7ff8000000000000", "(-0,NaN)"),
        (TypeCode::POINT, "7ff0000000000000 fe37e43c8800759c", "(Infinity,-1e+300)"),
        (TypeCode::LINE, "3ff0000000000000 4000000000000000 4008000000000000", "{1,2,3}"),
        (TypeCode::LSEG, "3ff0000000000000 4000000000000000 4008000000000000 4010000000000000", "[(1,2),(3,4)]"),
        (TypeCode::BOX, "4008000000000000 4010000000000000 3ff0000000000000 4000000000000000", "(3,4),(1,2)"),
        (TypeCode::PATH, "00 00000001 3ff0000000000000 4000000000000000", "[(1,2)]"),
        (
            TypeCode::PATH,
            "01 00000002 3ff0000000000000 4000000000000000 4008000000000000 4010000000000000",
            "((1,2),(3,4))",
        ),
        (TypeCode::POLYGON, "00000001 3ff0000000000000 4000000000000000", "((1,2))"),
        (TypeCode::CIRCLE, "3ff8000000000000 c000000000000000 0000000000000000", "<(1.5,-2),0>"),
        (TypeCode::LSN, "00000016 b374d848", "16/B374D848"),
        (TypeCode::TID, "ffffffff ffff", "(4294967295,65535)"),
        (TypeCode::SNAPSHOT, "00000000 000000000000000a 0000000000000014", "10:20:"),
        (TypeCode::VERSIONED, "01 24 2e 22 61 22", "$.\"a\""),
        (TypeCode::HSTORE, "00000000", ""),
        (
            TypeCode::HSTORE,
            "00000003 00000000 00000000 00000001 62 ffffffff 00000007 71 22 75 6f 5c 74 65 00000006 c3a4 2c 20 3d 3e",
            "\"\"=>\"\", \"b\"=>NULL, \"q\\\"uo\\\\te\"=>\"ä, =>\"",
        ),
        (TypeCode::VECTOR, "0003 0000 3f800000 c0200000 00000001", "[1,-2.5,1e-45]"),
        (TypeCode::HALFVEC, "0002 0000 3555 7bff", "[0.33325195,65504]"),
        (TypeCode::EWKB, "0101000000000000000000f03f0000000000000040", "0101000000000000000000F03F0000000000000040"),
        (TypeCode::VOID, "", ""),
    ] {
        assert_eq!(decode_text(code, printed), decode(code, &hex(bytes)), "{code:?} {printed}");
        assert!(decode_text(code, printed).is_ok(), "{code:?} {printed}");
    }
}

/// The same interval in `postgres`, `postgres_verbose`, `iso_8601` and `sql_standard`, as PostgreSQL 18 prints it.
#[test]
fn intervals_in_all_styles() {
    const DAY: i64 = 86_400_000_000;
    for (expected, texts) in [
        (Value::Interval(0, 0, 0), ["00:00:00", "@ 0", "PT0S", "0"]),
        (Value::Interval(12, 0, 0), ["1 year", "@ 1 year", "P1Y", "1-0"]),
        (
            Value::Interval(14, 3, 14_706_789_000),
            [
                "1 year 2 mons 3 days 04:05:06.789",
                "@ 1 year 2 mons 3 days 4 hours 5 mins 6.789 secs",
                "P1Y2M3DT4H5M6.789S",
                "+1-2 +3 +4:05:06.789",
            ],
        ),
        (
            Value::Interval(-14, -3, -14_706_789_000),
            [
                "-1 years -2 mons -3 days -04:05:06.789",
                "@ 1 year 2 mons 3 days 4 hours 5 mins 6.789 secs ago",
                "P-1Y-2M-3DT-4H-5M-6.789S",
                "-1-2 -3 -4:05:06.789",
            ],
        ),
        (
            Value::Interval(-10, -3, 14_706_000_000),
            [
                "-10 mons -3 days +04:05:06",
                "@ 10 mons 3 days -4 hours -5 mins -6 secs ago",
                "P-10M-3DT4H5M6S",
                "-0-10 -3 +4:05:06",
            ],
        ),
        (Value::Interval(12, -3, 0), ["1 year -3 days", "@ 1 year -3 days", "P1Y-3D", "+1-0 -3 +0:00:00"]),
        (Value::Interval(-1, 0, 0), ["-1 mons", "@ 1 mon ago", "P-1M", "-0-1"]),
        (Value::Interval(0, 0, -500_000), ["-00:00:00.5", "@ 0.5 secs ago", "PT-0.5S", "-0:00:00.5"]),
        (Value::Interval(0, 0, 1), ["00:00:00.000001", "@ 0.000001 secs", "PT0.000001S", "0:00:00.000001"]),
        (
            Value::Interval(0, -3, -14_706_000_000),
            ["-3 days -04:05:06", "@ 3 days 4 hours 5 mins 6 secs ago", "P-3DT-4H-5M-6S", "-3 4:05:06"],
        ),
        (
            Value::Interval(0, 3, -306_000_000),
            ["3 days -00:05:06", "@ 3 days -5 mins -6 secs", "P3DT-5M-6S", "+0-0 +3 -0:05:06"],
        ),
        (Value::Interval(0, 1, 0), ["1 day", "@ 1 day", "P1D", "1 0:00:00"]),
        (
            Value::Interval(0, -1, -500_000),
            ["-1 days -00:00:00.5", "@ 1 day 0.5 secs ago", "P-1DT-0.5S", "-1 0:00:00.5"],
        ),
        (
            Value::Interval(11, 0, 100 * DAY / 24),
            ["11 mons 100:00:00", "@ 11 mons 100 hours", "P11MT100H", "+0-11 +0 +100:00:00"],
        ),
        (
            Value::Interval(i32::MIN, 0, 0),
            ["-178956970 years -8 mons", "@ 178956970 years 8 mons ago", "P-178956970Y-8M", "-178956970-8"],
        ),
        (
            Value::Interval(0, i32::MIN, 0),
            ["-2147483648 days", "@ 2147483648 days ago", "P-2147483648D", "-2147483648 0:00:00"],
        ),
        (
            Value::Interval(i32::MAX, i32::MAX, -9_223_372_036_854_775_807),
            [
                "178956970 years 7 mons 2147483647 days -2562047788:00:54.775807",
                "@ 178956970 years 7 mons 2147483647 days -2562047788 hours -54.775807 secs",
                "P178956970Y7M2147483647DT-2562047788H-54.775807S",
                "+178956970-7 +2147483647 -2562047788:00:54.775807",
            ],
        ),
        (Value::Interval(i32::MAX, i32::MAX, i64::MAX), ["infinity"; 4]),
        (Value::Interval(i32::MIN, i32::MIN, i64::MIN), ["-infinity"; 4]),
    ] {
        for printed in texts {
            assert_eq!(decode_text(TypeCode::INTERVAL, printed), Ok(expected.clone()), "{printed}");
        }
    }
}

#[test]
fn what_is_no_interval_is_refused() {
    check_refused(
        TypeCode::INTERVAL,
        &[
            "",
            " ",
            "1",
            "@",
            "@ 1",
            "@ ",
            "P1",
            "P1X",
            "P1H",
            "PT1D",
            "PT1.5H",
            "P1Y ",
            "1 year ",
            "1 year ago",
            "1 week",
            "1.5 days",
            "--1 days",
            "04:05",
            "04:05:6",
            "1 year  2 mons",
            "00:00:00.1234567",
            "1-",
            "Infinity",
            "1 dayx",
        ],
        "a malformed interval",
    );
    check_refused(
        TypeCode::INTERVAL,
        &[
            "2147483648 days",
            "-2147483649 days",
            "178956970 years 8 mons",
            "2562047788:00:54.775808",
            "P999999999999999999Y",
        ],
        "an interval out of range",
    );
}

#[test]
fn timestamps_and_dates_in_other_styles_are_refused() {
    let others = ["02/29/2024", "29.02.2024", "02-29-2024", "Thu Feb 29 12:34:56 2024", "", "now", "0000-01-01"];
    for code in [TypeCode::DATE, TypeCode::TIMESTAMP, TypeCode::TIMESTAMPTZ] {
        check_refused(code, &others, "not in the ISO style: set DateStyle to ISO");
    }
}

#[test]
fn what_is_no_timestamp_is_refused() {
    check_refused(
        TypeCode::TIMESTAMP,
        &[
            "2024-02-29",
            "2023-02-29 00:00:00",
            "2024-13-01 00:00:00",
            "2024-01-00 00:00:00",
            "2024-01-01 24:00:00",
            "2024-01-01 00:60:00",
            "2024-01-01 00:00:60",
            "2024-01-01 00:00:00+00",
            "2024-01-01 00:00:00 AD",
            "2024-01-01 00:00:00.1234567",
            "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00 BC ",
        ],
        "a malformed timestamp",
    );
    check_refused(
        TypeCode::TIMESTAMPTZ,
        &["2024-01-01 00:00:00", "2024-01-01 00:00:00+1", "2024-01-01 00:00:00+01:60", "2024-01-01 00:00:00 BC+01"],
        "a malformed timestamp",
    );
    check_refused(
        TypeCode::TIMESTAMP,
        &["300000-01-01 00:00:00", "999999-01-01 00:00:00", "300000-01-01 00:00:00 BC"],
        "a timestamp out of range",
    );
}

#[test]
fn other_malformed_texts_are_refused() {
    check_refused(TypeCode::BOOL, &["", "true", "T"], "a bool other than t and f");
    for (code, texts) in [
        (TypeCode::INT2, ["32768", "", "1.0"]),
        (TypeCode::INT4, ["2147483648", "x", "0x1"]),
        (TypeCode::INT8, ["9223372036854775808", "-", " 1"]),
        (TypeCode::OID, ["4294967296", "-1", ""]),
        (TypeCode::XID8, ["18446744073709551616", "-1", ""]),
    ] {
        check_refused(code, &texts, "an integer that is none or out of range");
    }
    check_refused(TypeCode::FLOAT8, &["", "1e", "one"], "a floating-point number that is none");
    check_refused(TypeCode::BYTEA, &["\\x0", "\\xgg"], "broken hexadecimal digits");
    check_refused(TypeCode::EWKB, &["0", "\\x00"], "broken hexadecimal digits");
    check_refused(TypeCode::BYTEA, &["\\", "\\4", "\\400", "a\\12"], "a broken escape in a bytea");
    for (code, texts) in [
        (TypeCode::POINT, ["", "(1,2", "1,2", "(1,2,3)"]),
        (TypeCode::LINE, ["{1,2}", "(1,2,3)", "{1,2,3", "{1,2,3}x"]),
        (TypeCode::LSEG, ["[(1,2)]", "[(1,2),(3,4)", "((1,2),(3,4))", "[(1,2)(3,4)]"]),
        (TypeCode::BOX, ["(1,2)", "(1,2),(3,4", "((1,2),(3,4))", "(1,2);(3,4)"]),
        (TypeCode::PATH, ["", "(1,2)", "[(1,2))", "[(1,2),3]"]),
        (TypeCode::POLYGON, ["", "[(1,2)]", "((1,2)", "((1,2),3)"]),
        (TypeCode::CIRCLE, ["<1,2,3>", "<(1,2),3", "(1,2),3", "<(1,2)>"]),
    ] {
        for printed in texts {
            assert!(decode_text(code, printed).is_err(), "{code:?} {printed}");
        }
    }
    check_refused(
        TypeCode::HSTORE,
        &[
            "a",
            "\"a\"",
            "\"a\"=>",
            "\"a\"=>\"",
            "\"a\"=>null",
            "NULL=>\"a\"",
            "\"a\"=>\"b\",",
            "\"a\"=>\"b\" ",
            "\"a\\",
            "\"a\\\"",
        ],
        "a malformed hstore",
    );
    check_refused(TypeCode::VECTOR, &["", "[", "1,2", "[1,2"], "a malformed vector");
    // Commas alone announce far more elements than such a text can hold.
    let commas = format!("[{}]", ",".repeat(100));
    assert!(decode_text(TypeCode::VECTOR, &commas).unwrap_err().to_string().contains("column 1 (vector)"));
    check_refused(TypeCode::VECTOR, &["[]", "[1,]", "[1,x]"], "a floating-point number that is none");
    check_refused(TypeCode(77), &["x"], "no such type code");
}

#[test]
fn binary_codecs_have_no_text() {
    check_refused(TypeCode::RAW, &["", "x"], "a codec in the binary format inside a type that has only a text format");
}

#[test]
fn long_values_are_extras() {
    let long = "x".repeat(20_000);
    assert_eq!(decode_text(TypeCode::TEXT, &long), Ok(text(&long)));
    assert_eq!(decode_text(TypeCode::BYTEA, &long), Ok(Value::Bytes(long.clone().into_bytes())));
    assert_eq!(decode_text(TypeCode::EWKB, &"0f".repeat(20_000)), Ok(Value::Bytes(vec![15; 20_000])));
    let elements = format!("[{}]", ["0.1"; 16_000].join(","));
    assert_eq!(decode_text(TypeCode::VECTOR, &elements), Ok(vector(&[0.1; 16_000])));
}

#[test]
fn floats_of_any_spelling() {
    check(TypeCode::FLOAT4, &[("0.1", float(0.1)), ("Infinity", float(f64::INFINITY)), ("1.5e-10", float(1.5e-10))]);
    check(TypeCode::POINT, &[("(1e-05,-1.25e+100)", doubles(&[1e-5, -1.25e100]))]);
}
