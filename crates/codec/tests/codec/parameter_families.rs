//! Parameters of the families beyond numbers, text and instants, to the bytes that their receive functions read.

use crate::parameter_types::{array, binary, encode, literal, refused, scalar};
use crate::support::{Cell, hex, list, string};
use oxpg_codec::types::TypeCode;

fn floats(values: &[f32]) -> Cell {
    Cell::Bytes(values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

#[test]
fn intervals() {
    let interval = scalar(1186, "interval", TypeCode::INTERVAL);
    let cell = |months, days, micros| Cell::Interval { months, days, micros };
    binary(&interval, cell(1, -2, 3_500_000), "0000000000356 7e0 fffffffe 00000001");
    binary(&interval, cell(i32::MAX, i32::MAX, i64::MAX), "7fffffffffffffff 7fffffff 7fffffff");
    binary(&interval, cell(i32::MIN, i32::MIN, i64::MIN), "8000000000000000 80000000 80000000");
    literal(&interval, string("P1M"), "P1M");
    refused(&interval, Cell::I64(1), "an integer does not fit type interval");
    refused(&scalar(23, "int4", TypeCode::INT4), cell(1, 1, 1), "an interval does not fit type int4");
    let expected = "00000001 00000000 000004a2 00000001 00000001 00000010 0000000000000001 00000003 00000002";
    binary(&array(1187, &interval), list(vec![cell(2, 3, 1)]), expected);
}

#[test]
fn geometry() {
    let doubles = |values: &[f64]| Cell::Doubles(false, values.to_vec());
    let (one, two) = ("3ff0000000000000", "4000000000000000");
    let of = |code| scalar(90_201, "shape", code);
    binary(&of(TypeCode::POINT), doubles(&[1.0, 2.0]), &format!("{one}{two}"));
    binary(&of(TypeCode::LINE), doubles(&[1.0, 2.0, 1.0]), &format!("{one}{two}{one}"));
    binary(&of(TypeCode::LSEG), doubles(&[1.0, 2.0, 2.0, 1.0]), &format!("{one}{two}{two}{one}"));
    binary(&of(TypeCode::BOX), doubles(&[1.0, 2.0, 2.0, 1.0]), &format!("{one}{two}{two}{one}"));
    binary(&of(TypeCode::CIRCLE), doubles(&[1.0, 2.0, 1.0]), &format!("{one}{two}{one}"));
    binary(&of(TypeCode::PATH), doubles(&[1.0, 2.0]), &format!("00 00000001 {one}{two}"));
    binary(&of(TypeCode::PATH), Cell::Doubles(true, vec![1.0, 2.0]), &format!("01 00000001 {one}{two}"));
    binary(
        &of(TypeCode::POLYGON),
        Cell::Doubles(true, vec![1.0, 2.0, 2.0, 1.0]),
        &format!("00000002 {one}{two}{two}{one}"),
    );
    literal(&of(TypeCode::POINT), string("(1,2)"), "(1,2)");
}

#[test]
fn geometry_with_another_number_of_numbers_is_refused() {
    let refused = |code, count: usize, expected: &str| {
        refused(&scalar(90_202, "shape", code), Cell::Doubles(false, vec![1.0; count]), expected);
    };
    refused(TypeCode::POINT, 3, "3 numbers for type shape, which has 2");
    refused(TypeCode::LINE, 4, "4 numbers for type shape, which has 3");
    refused(TypeCode::LSEG, 2, "2 numbers for type shape, which has 4");
    refused(TypeCode::BOX, 0, "0 numbers for type shape, which has 4");
    refused(TypeCode::CIRCLE, 2, "2 numbers for type shape, which has 3");
    refused(TypeCode::PATH, 3, "3 numbers for type shape, which has two for each point");
    refused(TypeCode::POLYGON, 0, "no points for type shape, which has at least one");
    refused(TypeCode::TEXT, 2, "a geometric value does not fit type shape");
}

#[test]
fn hstores() {
    let hstore = scalar(90_203, "hstore", TypeCode::HSTORE);
    binary(&hstore, Cell::Hstore(vec![]), "00000000");
    let pairs = || Cell::Hstore(vec![(string("a"), string("")), (Cell::TextExtra("bc".to_owned()), Cell::Null)]);
    binary(&hstore, pairs(), "00000002 00000001 61 00000000 00000002 6263 ffffffff");
    literal(&array(90_204, &hstore), list(vec![pairs(), string("x")]), r#"{"\"a\"=>\"\",\"bc\"=>NULL","x"}"#);
    literal(&hstore, string("a=>1"), "a=>1");
    refused(
        &hstore,
        Cell::Hstore(vec![(string("a"), Cell::Null), (string("a"), string("1"))]),
        "pair 2: a key that was there before",
    );
    refused(&hstore, Cell::Hstore(vec![(Cell::Null, Cell::Null)]), "pair 1: null as a key, which is text");
    refused(&hstore, Cell::Hstore(vec![(string("a"), Cell::I32(1))]), "pair 1: an integer as a value, which is text");
}

#[test]
fn vectors() {
    let vector = scalar(90_205, "vector", TypeCode::VECTOR);
    binary(&vector, floats(&[1.0, -2.5]), "0002 0000 3f800000 c0200000");
    binary(&vector, floats(&[]), "0000 0000");
    literal(&vector, string("[1,2]"), "[1,2]");
    assert_eq!(encode(&vector, &floats(&vec![0.5; 16_000])).unwrap().1.unwrap().len(), 4 + 4 * 16_000);
    refused(&vector, floats(&vec![0.5; 16_001]), "16001 elements for type vector, which has at most 16000");
    refused(&vector, Cell::Bytes(vec![0; 6]), "6 bytes for type vector, which has 4 for each element");
}

#[test]
fn halfvecs_are_rounded_to_the_nearest_and_then_to_even() {
    let halfvec = scalar(90_206, "halfvec", TypeCode::HALFVEC);
    for (value, expected) in [
        (0.0, 0x0000),
        (-0.0, 0x8000),
        (1.0, 0x3c00),
        (-2.5, 0xc100),
        // Between 1 and the number behind it, 1 + 2^-10.
        (1.0 + 0.000_488_281_25, 0x3c00),
        (1.0 + 0.000_488_4, 0x3c01),
        (1.0 + 3.0 * 0.000_488_281_25, 0x3c02),
        (65_504.0, 0x7bff),
        (65_519.996, 0x7bff),
        // Subnormal numbers, 2^-24 the smallest; the carry into the normal ones.
        (6.103_515_6e-5, 0x0400),
        (6.101_6e-5, 0x0400),
        (5.960_464_5e-8, 0x0001),
        (-2.980_232_2e-8, 0x8000),
        (2.980_233e-8, 0x0001),
        (8.940_697e-8, 0x0002),
        (1e-40, 0x0000),
        (f32::INFINITY, 0x7c00),
        (f32::NEG_INFINITY, 0xfc00),
        (f32::NAN, 0x7e00),
    ] {
        binary(&halfvec, floats(&[value]), &format!("0001 0000 {expected:04x}"));
    }
    let error = encode(&halfvec, &floats(&[1.0, 65_520.0])).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.element), ("65520 is out of range for type halfvec", Some(2)));
    refused(&halfvec, floats(&vec![0.5; 16_001]), "16001 elements for type halfvec, which has at most 16000");
}

#[test]
fn every_half_survives() {
    let halfvec = scalar(90_206, "halfvec", TypeCode::HALFVEC);
    for bits in (0..0x7c00_u16).flat_map(|bits| [bits, bits | 0x8000]) {
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 0x3ff));
        let magnitude = match exponent {
            0 => fraction * 2.0_f32.powi(-24),
            _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
        };
        let value = if bits & 0x8000 == 0 { magnitude } else { -magnitude };
        binary(&halfvec, floats(&[value]), &format!("0001 0000 {bits:04x}"));
    }
}

#[test]
fn bits() {
    let bit = scalar(1562, "varbit", TypeCode::BIT);
    binary(&bit, string(""), "00000000");
    binary(&bit, string("1"), "00000001 80");
    binary(&bit, string("0101010111"), "0000000a 55c0");
    for text in ["2", "0b1", "x1F", " 1"] {
        refused(&bit, string(text), &format!("invalid input for type varbit: \"{text}\" (expected digits 0 and 1)"));
    }
}

#[test]
fn bytes_as_they_come() {
    for code in [TypeCode::EWKB, TypeCode::RAW] {
        let tree = scalar(90_207, "own", code);
        binary(&tree, Cell::Bytes(vec![1, 2]), "0102");
        literal(&tree, string("POINT(1 2)"), "POINT(1 2)");
        let expected = "00000001 00000000 0001605f 00000001 00000001 00000001 ff";
        binary(&array(90_208, &tree), list(vec![Cell::BytesExtra(vec![255])]), expected);
    }
}

#[test]
fn versioned_text_and_large_identifiers() {
    binary(&scalar(4072, "jsonpath", TypeCode::VERSIONED), string("$.a"), "01 242e61");
    let xid8 = scalar(5069, "xid8", TypeCode::XID8);
    binary(&xid8, Cell::I64(-1), "ffffffffffffffff");
    binary(&xid8, Cell::I32(7), "0000000000000007");
    refused(&xid8, Cell::I32(-7), "-7 is out of range for type xid8");
    literal(&xid8, string("18446744073709551615"), "18446744073709551615");
}

#[test]
fn text_of_other_families_is_the_servers_business() {
    for code in [
        TypeCode::INET,
        TypeCode::MACADDR,
        TypeCode::TIMETZ,
        TypeCode::LSN,
        TypeCode::TID,
        TypeCode::SNAPSHOT,
        TypeCode::INTERVAL,
        TypeCode::CIRCLE,
        TypeCode::RECORD,
    ] {
        literal(&scalar(90_209, "some", code), string("what ever"), "what ever");
        literal(&array(90_210, &scalar(90_209, "some", code)), list(vec![string("a"), Cell::Null]), r#"{"a",NULL}"#);
    }
}

#[test]
fn built_in_arrays_need_no_description() {
    let cell = list(vec![Cell::Doubles(false, vec![1.0, 2.0])]);
    let expected = hex("00000001 00000000 00000258 00000001 00000001 00000010 3ff0000000000000 4000000000000000");
    assert_eq!(crate::support::encode(1017, &cell), Ok((1, Some(expected))));
}
