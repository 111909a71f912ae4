//! Values of each family from the bytes that PostgreSQL's `*send` functions give.

use crate::support::{Value, decode, float, hex, text};
use oxpg_codec::types::TypeCode;

fn check(code: TypeCode, table: &[(&str, Value)]) {
    for (bytes, expected) in table {
        assert_eq!(decode(code, &hex(bytes)).as_ref(), Ok(expected), "{code:?} {bytes}");
    }
}

#[test]
fn booleans_and_integers() {
    check(TypeCode::BOOL, &[("00", Value::Int(0)), ("01", Value::Int(1))]);
    check(TypeCode::INT2, &[("7fff", Value::Int(32_767)), ("8000", Value::Int(-32_768)), ("ffff", Value::Int(-1))]);
    check(TypeCode::INT4, &[("0000002a", Value::Int(42)), ("80000000", Value::Int(-2_147_483_648))]);
    check(TypeCode::INT8, &[("ffffffffffffffff", Value::Int(-1)), ("0020000000000001", Value::Int((1 << 53) + 1))]);
    check(TypeCode::OID, &[("ffffffff", Value::Int(4_294_967_295))]);
}

#[test]
fn floats() {
    check(
        TypeCode::FLOAT8,
        &[
            ("3ff8000000000000", float(1.5)),
            ("7ff0000000000000", float(f64::INFINITY)),
            ("8000000000000000", float(-0.0)),
        ],
    );
    check(
        TypeCode::FLOAT4,
        &[
            ("40266666", float(2.6)),
            ("3dcccccd", float(0.1)),
            ("7f7fffff", float(3.402_823_5e38)),
            ("00000001", float(1e-45)),
            ("ff800000", float(f64::NEG_INFINITY)),
        ],
    );
}

#[test]
fn numerics() {
    check(
        TypeCode::NUMERIC,
        &[
            ("0000 0000 0000 0000", text("0")),
            ("0000 0000 0000 0002", text("0.00")),
            ("0003 0001 0000 0003 0001 0929 1a7c", text("12345.678")),
            ("0001 ffff 4000 0001 1388", text("-0.5")),
            ("0001 ffff 0000 0004 0001", text("0.0001")),
            ("0001 fffe 0000 0005 03e8", text("0.00001")),
            ("0001 0001 0000 0000 0001", text("10000")),
            ("0002 0000 0000 0003 0001 03e8", text("1.100")),
            ("0001 0002 0000 0000 0064", text("10000000000")),
            ("0000 0000 c000 0000", text("NaN")),
            ("0000 0000 d000 0020", text("Infinity")),
            ("0000 0000 f000 0020", text("-Infinity")),
        ],
    );
}

#[test]
fn numerics_with_all_the_digits_there_are() {
    // 1e131071, the largest power of ten: an extra, by its length.
    let Ok(Value::Text(largest)) = decode(TypeCode::NUMERIC, &hex("0001 7fff 0000 0000 03e8")) else { panic!() };
    assert_eq!(largest.len(), 131_072);
    assert!(largest.starts_with('1') && largest[1..].bytes().all(|byte| byte == b'0'));
    let Ok(Value::Text(smallest)) = decode(TypeCode::NUMERIC, &hex("0001 f000 0000 3fff 000a")) else { panic!() };
    assert_eq!(smallest.len(), 2 + 16_383);
    assert!(smallest.ends_with("001"));
}

#[test]
fn texts() {
    for code in [TypeCode::TEXT, TypeCode::UNKNOWN, TypeCode::JSON] {
        check(code, &[("", text("")), ("c3a4 f09f9880", text("ä😀")), ("5b312c20325d", text("[1, 2]"))]);
    }
    check(TypeCode::JSONB, &[("01 7b7d", text("{}")), ("01 22 c3a4 22", text("\"ä\""))]);
    check(TypeCode::CHAR, &[("61", text("a")), ("00", text("")), ("ff", text("\\377")), ("80", text("\\200"))]);
}

#[test]
fn text_that_is_not_utf8_has_replacement_characters() {
    check(TypeCode::TEXT, &[("61 ff 62", text("a\u{fffd}b")), ("e282", text("\u{fffd}"))]);
}

#[test]
fn byte_strings() {
    check(TypeCode::BYTEA, &[("", Value::Bytes(vec![])), ("00ff61", Value::Bytes(vec![0, 255, 97]))]);
}

#[test]
fn uuids() {
    let bytes = "a0eebc999c0b4ef8bb6d6bb9bd380a11";
    check(TypeCode::UUID, &[(bytes, text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"))]);
}

#[test]
fn dates() {
    check(
        TypeCode::DATE,
        &[
            ("00000000", text("2000-01-01")),
            ("ffffffff", text("1999-12-31")),
            ("00002279", text("2024-02-29")),
            ("fff4dbf9", text("0001-01-01")),
            ("fff4dbf8", text("0001-12-31 BC")),
            ("fff49d7b", text("0044-03-15 BC")),
            ("002c95d4", text("10000-01-01")),
            ("7fda970c", text("5874897-12-31")),
            ("ffda97a7", text("4714-11-24 BC")),
            ("7fffffff", text("infinity")),
            ("80000000", text("-infinity")),
        ],
    );
}

#[test]
fn times() {
    check(
        TypeCode::TIME,
        &[
            ("0000000000000000", text("00:00:00")),
            ("000000141dd76000", text("24:00:00")),
            ("000000141dd75fff", text("23:59:59.999999")),
            ("0000000a8be1bd20", text("12:34:56.5")),
            ("000000000000000a", text("00:00:00.00001")),
        ],
    );
}

#[test]
fn timestamps_count_from_1970() {
    for code in [TypeCode::TIMESTAMP, TypeCode::TIMESTAMPTZ] {
        check(
            code,
            &[
                ("0000000000000000", Value::Int(946_684_800_000_000)),
                ("fffca2fec4c82000", Value::Int(0)),
                ("fffca2fec4c82001", Value::Int(1)),
                ("7fffffffffffffff", Value::Int(i64::MAX)),
                ("8000000000000000", Value::Int(i64::MIN)),
            ],
        );
    }
}

#[test]
fn timestamps_that_are_beyond_int64_when_counted_from_1970_come_in_from_its_other_end() {
    check(
        TypeCode::TIMESTAMP,
        &[
            ("7ffca2fec4c81ffe", Value::Int(i64::MAX - 1)),
            ("7ffca2fec4c81fff", Value::Int(i64::MIN + 1)),
            ("7ffca2fec4c82000", Value::Int(i64::MIN + 2)),
            // 294276-12-31 23:59:59.999999, the last of all.
            ("7fffff5bb3b29fff", Value::Int(-9_222_426_057_709_551_615)),
        ],
    );
}

#[test]
fn void_is_null() {
    check(TypeCode::VOID, &[("", Value::Null)]);
}
