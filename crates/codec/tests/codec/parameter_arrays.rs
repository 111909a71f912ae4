//! Arrays as parameters, binary and as literals.

use crate::support::{Cell, encode, hex, list, string};

const BYTEA_ARRAY: u32 = 1001;
const CHAR_ARRAY: u32 = 1002;
const INT4_ARRAY: u32 = 1007;
const TEXT_ARRAY: u32 = 1009;
const BOX_ARRAY: u32 = 1020;
const MONEY_ARRAY: u32 = 791;
const TIMESTAMPTZ_ARRAY: u32 = 1185;
const UUID_ARRAY: u32 = 2951;

fn literal(type_oid: u32, cell: Cell, expected: &str) {
    let (format, bytes) = encode(type_oid, &cell).unwrap();
    assert_eq!((format, String::from_utf8(bytes.unwrap()).unwrap().as_str()), (0, expected), "{cell:?}");
}

#[test]
fn binary_arrays() {
    let expected = hex("00000001 00000000 00000017 00000003 00000001 00000004 00000001 ffffffff 00000004 00000003");
    assert_eq!(encode(INT4_ARRAY, &list(vec![Cell::I32(1), Cell::Null, Cell::I32(3)])), Ok((1, Some(expected))));
    let expected = hex("00000002 00000000 00000019 00000001 00000000 00000002 ffffffff 00000001 61 00000000");
    let cell = Cell::Array(vec![(1, 0), (2, -1)], vec![string("a"), Cell::TextExtra(String::new())]);
    assert_eq!(encode(TEXT_ARRAY, &cell), Ok((1, Some(expected))));
}

#[test]
fn empty_arrays_have_no_dimensions() {
    let expected = Ok((1, Some(hex("00000000 00000000 00000017"))));
    assert_eq!(encode(INT4_ARRAY, &Cell::Array(vec![], vec![])), expected);
    assert_eq!(encode(INT4_ARRAY, &Cell::Array(vec![(2, 1), (0, 1)], vec![])), expected);
    literal(MONEY_ARRAY, Cell::Array(vec![], vec![]), "{}");
}

#[test]
fn an_element_in_text_makes_a_literal_of_the_whole() {
    literal(
        TIMESTAMPTZ_ARRAY,
        list(vec![
            Cell::Millis(1_709_210_096_789.0),
            Cell::I64(1),
            Cell::I64(-62_135_596_800_000_001),
            Cell::Millis(f64::INFINITY),
            Cell::Null,
            string("yesterday"),
        ]),
        r#"{"2024-02-29 12:34:56.789+00","1970-01-01 00:00:00.000001+00","0001-12-31 23:59:59.999999+00 BC","infinity",NULL,"yesterday"}"#,
    );
    literal(1182, list(vec![Cell::Millis(-1.0), string("today")]), r#"{"1969-12-31","today"}"#);
    literal(INT4_ARRAY, list(vec![Cell::I32(-1), string("2")]), r#"{"-1","2"}"#);
    literal(BYTEA_ARRAY, list(vec![Cell::Bytes(vec![0, 255]), string("a")]), r#"{"\\x00ff","a"}"#);
    literal(CHAR_ARRAY, list(vec![string("a")]), r#"{"a"}"#);
}

#[test]
fn arrays_of_types_without_a_codec_are_literals() {
    let elements = vec![string("a\"b\\c"), Cell::I32(1), Cell::Bool(true), Cell::F64(0.5)];
    literal(MONEY_ARRAY, list(elements.clone()), r#"{"a\"b\\c","1","true","0.5"}"#);
    literal(MONEY_ARRAY, Cell::Array(vec![(2, 1), (2, 1)], elements.clone()), r#"{{"a\"b\\c","1"},{"true","0.5"}}"#);
    literal(MONEY_ARRAY, Cell::Array(vec![(2, 0), (2, 1)], elements), r#"[0:1][1:2]={{"a\"b\\c","1"},{"true","0.5"}}"#);
    literal(
        MONEY_ARRAY,
        Cell::Array(vec![(2, 1), (1, 1), (2, 1)], (1..5).map(Cell::I32).collect()),
        r#"{{{"1","2"}},{{"3","4"}}}"#,
    );
    literal(BOX_ARRAY, list(vec![string("(1,1),(0,0)"), Cell::Null]), r#"{"(1,1),(0,0)";NULL}"#);
}

/// `int2vectorrecv` and `oidvectorrecv` in int.c and oid.c take nothing else.
#[test]
fn the_subscripts_of_vectors_start_at_0() {
    let expected = hex("00000001 00000000 00000015 00000002 00000000 00000002 0001 00000002 fffe");
    assert_eq!(encode(22, &list(vec![Cell::I32(1), Cell::I32(-2)])), Ok((1, Some(expected))));
    let expected = hex("00000001 00000000 0000001a 00000001 00000000 00000004 ffffffff");
    assert_eq!(encode(30, &Cell::Array(vec![(1, 0)], vec![Cell::I32(-1)])), Ok((1, Some(expected))));
    literal(22, list(vec![Cell::I32(1), string("2")]), "1 2");
    literal(30, Cell::Array(vec![], vec![]), "");
    let error = encode(22, &Cell::Array(vec![(1, 1), (1, 1)], vec![Cell::I32(1)])).unwrap_err();
    assert_eq!(error.to_string(), "an array of several dimensions for a type that has one");
    let error = encode(22, &list(vec![string("1"), Cell::Null])).unwrap_err();
    assert_eq!((error.element, error.to_string().as_str()), (Some(2), "null does not fit type int2"));
}

#[test]
fn numbers_that_are_out_of_range_are_so_in_literals() {
    let error = encode(1028, &list(vec![string("1"), Cell::I64(-1)])).unwrap_err();
    assert_eq!((error.element, error.to_string().as_str()), (Some(2), "-1 is out of range for type oid"));
    literal(1021, list(vec![string("1"), Cell::F64(f64::from(2.6_f32))]), r#"{"1","2.6"}"#);
}

#[test]
fn errors_name_the_element() {
    let error = encode(UUID_ARRAY, &list(vec![Cell::Null, string("nonsense")])).unwrap_err();
    assert_eq!((error.parameter, error.element), (1, Some(2)));
    let error = encode(TIMESTAMPTZ_ARRAY, &list(vec![string("now"), Cell::Bool(true)])).unwrap_err();
    assert_eq!((error.element, error.to_string().as_str()), (Some(2), "a boolean does not fit type timestamptz"));
    let error = encode(INT4_ARRAY, &list(vec![list(vec![])])).unwrap_err();
    assert_eq!((error.element, error.to_string().as_str()), (Some(1), "an array does not fit type int4"));
}

#[test]
fn shapes_that_postgresql_has_not_are_refused() {
    let error = encode(INT4_ARRAY, &Cell::Array(vec![(1, 1); 7], vec![Cell::I32(1)])).unwrap_err();
    assert_eq!(error.to_string(), "an array of 7 dimensions, where PostgreSQL has at most 6");
    let error = encode(INT4_ARRAY, &Cell::Array(vec![(3, 1)], vec![Cell::I32(1)])).unwrap_err();
    assert_eq!(error.to_string(), "malformed parameter cells");
}
