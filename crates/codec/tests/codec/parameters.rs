//! Parameters that are no arrays, to the bytes that PostgreSQL's `*recv` functions read.

use crate::support::{Cell, Outbox, encode, hex, parameter, string};

const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const CHAR: u32 = 18;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const OID: u32 = 26;
const JSON: u32 = 114;
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const MONEY: u32 = 790;
const DATE: u32 = 1082;
const TIME: u32 = 1083;
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;
const NUMERIC: u32 = 1700;
const UUID: u32 = 2950;
const JSONB: u32 = 3802;

/// 2024-02-29 12:34:56.789 UTC.
const LEAP_DAY_MILLIS: f64 = 1_709_210_096_789.0;

fn binary(type_oid: u32, cell: Cell, expected: &str) {
    assert_eq!(encode(type_oid, &cell), Ok((1, Some(hex(expected)))), "{type_oid} {cell:?}");
}

fn textual(type_oid: u32, cell: Cell, expected: &str) {
    assert_eq!(encode(type_oid, &cell), Ok((0, Some(expected.as_bytes().to_vec()))), "{type_oid} {cell:?}");
}

fn refused(type_oid: u32, cell: Cell, expected: &str) {
    let error = encode(type_oid, &cell).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.parameter, error.element), (expected, 1, None), "{cell:?}");
}

#[test]
fn numbers_in_their_types_own_form() {
    binary(BOOL, Cell::Bool(true), "01");
    binary(INT2, Cell::I32(-2), "fffe");
    binary(INT4, Cell::I32(-2), "fffffffe");
    binary(INT8, Cell::I32(-2), "fffffffffffffffe");
    binary(INT4, Cell::I64(7), "00000007");
    binary(INT8, Cell::I64(i64::MIN), "8000000000000000");
    binary(OID, Cell::I32(-1), "ffffffff");
    binary(OID, Cell::I64(4_294_967_295), "ffffffff");
    binary(FLOAT8, Cell::F64(1.5), "3ff8000000000000");
    binary(FLOAT8, Cell::I32(2), "4000000000000000");
    binary(FLOAT4, Cell::F64(2.6), "40266666");
    binary(FLOAT4, Cell::F64(f64::NEG_INFINITY), "ff800000");
}

#[test]
fn numbers_out_of_range_are_refused() {
    refused(INT2, Cell::I32(40_000), "40000 is out of range for type int2");
    refused(INT4, Cell::I64(1 << 40), "1099511627776 is out of range for type int4");
    refused(OID, Cell::I64(-1), "-1 is out of range for type oid");
    refused(FLOAT4, Cell::F64(1e39), "1000000000000000000000000000000000000000 is out of range for type float4");
}

#[test]
fn kinds_that_a_type_does_not_take_are_refused() {
    refused(INT4, Cell::Bool(true), "a boolean does not fit type int4");
    refused(BOOL, Cell::I32(1), "an integer does not fit type bool");
    refused(TEXT, Cell::Millis(0.0), "a date does not fit type text");
    refused(INT4, Cell::Bytes(vec![0; 4]), "a byte string does not fit type int4");
    refused(INT4, Cell::Array(vec![], vec![]), "an array does not fit type int4");
    refused(1007, Cell::I32(1), "an integer does not fit type int4[]");
    refused(2278, string("x"), "a string does not fit type void");
}

#[test]
fn nulls() {
    for type_oid in [INT4, TEXT, MONEY, 1007] {
        assert_eq!(encode(type_oid, &Cell::Null).unwrap().1, None);
    }
}

#[test]
fn texts_and_bytes() {
    binary(TEXT, string("grün"), "6772c3bc6e");
    binary(TEXT, Cell::TextExtra("long".to_owned()), "6c6f6e67");
    binary(JSON, string("[]"), "5b5d");
    binary(JSONB, string("[]"), "01 5b5d");
    binary(BYTEA, Cell::Bytes(vec![0, 255]), "00ff");
    binary(BYTEA, Cell::BytesExtra(vec![]), "");
    textual(BYTEA, string("\\x00ff"), "\\x00ff");
    textual(CHAR, string("a"), "a");
    binary(MONEY, Cell::Bytes(vec![1]), "01");
}

#[test]
fn text_for_other_types_goes_in_text_format() {
    for type_oid in [BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, MONEY, 1007] {
        textual(type_oid, string("whatever"), "whatever");
    }
    textual(MONEY, Cell::I32(5), "5");
    textual(MONEY, Cell::F64(1.25), "1.25");
    textual(MONEY, Cell::Bool(false), "false");
    textual(MONEY, Cell::Millis(LEAP_DAY_MILLIS), "2024-02-29 12:34:56.789+00");
    textual(FLOAT8, Cell::I64(9_007_199_254_740_993), "9007199254740993");
}

#[test]
fn uuids() {
    let expected = "a0eebc999c0b4ef8bb6d6bb9bd380a11";
    binary(UUID, string("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), expected);
    binary(UUID, string("A0EEBC999C0B4EF8BB6D6BB9BD380A11"), expected);
    binary(UUID, string("{a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11}"), expected);
    binary(UUID, Cell::Bytes(hex(expected)), expected);
    refused(UUID, Cell::Bytes(vec![0; 3]), "3 bytes for type uuid, which has 16");
    let expected = "(expected 32 hexadecimal digits, with or without hyphens)";
    for text in
        ["", "abc", "{a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99--9c0b4ef8bb6d6bb9bd380a1", "g0eebc999c0b4ef8bb6d"]
    {
        refused(UUID, string(text), &format!("invalid input for type uuid: \"{text}\" {expected}"));
    }
    let long = "ü".repeat(60);
    refused(UUID, string(&long), &format!("invalid input for type uuid: \"{}…\" {expected}", "ü".repeat(40)));
}

#[test]
fn numerics() {
    for (text, expected) in [
        ("0", "0000 0000 0000 0000"),
        ("-0.00", "0000 0000 0000 0002"),
        ("12345.678", "0003 0001 0000 0003 0001 0929 1a7c"),
        ("  +12345.678 ", "0003 0001 0000 0003 0001 0929 1a7c"),
        ("-.5", "0001 ffff 4000 0001 1388"),
        ("5.", "0001 0000 0000 0000 0005"),
        ("0.00001", "0001 fffe 0000 0005 03e8"),
        ("10000", "0001 0001 0000 0000 0001"),
        ("1.100", "0002 0000 0000 0003 0001 03e8"),
        ("1e10", "0001 0002 0000 0000 0064"),
        ("1.5E-3", "0001 ffff 0000 0004 000f"),
        ("123e-2", "0002 0000 0000 0002 0001 08fc"),
        ("nan", "0000 0000 c000 0000"),
        ("inf", "0000 0000 d000 0000"),
        ("-Infinity", "0000 0000 f000 0000"),
    ] {
        binary(NUMERIC, string(text), expected);
    }
    binary(NUMERIC, Cell::I32(-10_000), "0001 0001 4000 0000 0001");
    binary(NUMERIC, Cell::I64(10_000), "0001 0001 0000 0000 0001");
    binary(NUMERIC, Cell::F64(0.1), "0001 ffff 0000 0001 03e8");
    binary(NUMERIC, Cell::F64(1e-10), "0001 fffd 0000 000a 0064");
    binary(NUMERIC, Cell::F64(f64::NAN), "0000 0000 c000 0000");
}

#[test]
fn numerics_that_are_none_are_refused() {
    for text in ["", ".", "-", "1e", "1e+", "0x10", "1 2", "--1", "1.2.3", "-nan", "1_000"] {
        refused(
            NUMERIC,
            string(text),
            &format!(
                "invalid input for type numeric: \"{text}\" (expected a decimal number, NaN, Infinity or -Infinity)"
            ),
        );
    }
    for text in ["1e131072", "1e-16384", "1e999999999999999999999999"] {
        refused(
            NUMERIC,
            string(text),
            &format!(
                "invalid input for type numeric: \"{text}\" (expected at most 131072 digits in front of the decimal point and 16383 behind it)"
            ),
        );
    }
    assert!(encode(NUMERIC, &string("1e131071")).is_ok());
    assert!(encode(NUMERIC, &string("1e-16383")).is_ok());
}

#[test]
fn instants() {
    for type_oid in [TIMESTAMP, TIMESTAMPTZ] {
        binary(type_oid, Cell::I64(946_684_800_000_000), "0000000000000000");
        binary(type_oid, Cell::Millis(946_684_800_001.0), "00000000000003e8");
        binary(type_oid, Cell::Millis(0.0), "fffca2fec4c82000");
        binary(type_oid, Cell::I64(i64::MAX), "7fffffffffffffff");
        binary(type_oid, Cell::Millis(f64::INFINITY), "7fffffffffffffff");
        binary(type_oid, Cell::Millis(f64::NEG_INFINITY), "8000000000000000");
    }
    refused(
        TIMESTAMP,
        Cell::I64(i64::MIN + 1),
        "-9223372036854775807 µs since 1970 is out of range for type timestamp",
    );
    refused(TIMESTAMPTZ, Cell::Millis(f64::NAN), "a date of NaN ms is out of range for type timestamptz");
    refused(DATE, Cell::Millis(8.7e15), "a date of 8700000000000000 ms is out of range for type date");
}

#[test]
fn dates_are_the_utc_day() {
    binary(DATE, Cell::Millis(LEAP_DAY_MILLIS), "00002279");
    binary(DATE, Cell::Millis(-1.0), "ffffd532");
    binary(DATE, Cell::I64(946_684_799_999_999), "ffffffff");
    binary(DATE, Cell::Millis(f64::INFINITY), "7fffffff");
    binary(DATE, Cell::Millis(f64::NEG_INFINITY), "80000000");
}

#[test]
fn several_parameters_make_a_binds_part() {
    let mut outbox = Outbox::default();
    for cell in [Cell::I32(1), string("today"), Cell::Null, string("x")] {
        outbox.write(&cell);
    }
    let types = [INT4, DATE, TEXT, TEXT].map(parameter);
    let mut out = b"before".to_vec();
    assert_eq!(outbox.encode(&types, &mut out), Ok(64));
    let expected =
        [hex("0004 0001 0000 0000 0001 0004"), hex("00000004 00000001 00000005 746f646179 ffffffff 00000001 78")];
    assert_eq!(out[..6], *b"before");
    assert_eq!(out[6..], expected.concat());
}

#[test]
fn no_parameters() {
    let mut out = Vec::new();
    assert_eq!(Outbox::default().encode(&[], &mut out), Ok(0));
    assert_eq!(out, [0; 4]);
}

#[test]
fn an_error_names_its_parameter_and_leaves_no_bytes() {
    let mut outbox = Outbox::default();
    outbox.write(&Cell::I32(1));
    outbox.write(&string("nonsense"));
    let mut out = b"before".to_vec();
    let error = outbox.encode(&[INT4, UUID].map(parameter), &mut out).unwrap_err();
    assert_eq!(error.parameter, 2);
    assert_eq!(out, b"before");
}

#[test]
fn too_many_parameters_are_refused() {
    let error = Outbox::default().encode(&vec![parameter(INT4); 65_536], &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "65536 parameters, where a statement takes at most 65535");
}

#[test]
fn missing_cells_are_refused() {
    let mut outbox = Outbox::default();
    outbox.write(&Cell::I32(1));
    let error = outbox.encode(&[INT4, INT4].map(parameter), &mut Vec::new()).unwrap_err();
    assert_eq!((error.parameter, error.to_string().as_str()), (2, "malformed parameter cells"));
}
