//! Anonymous records, whose values bring their types along.

use crate::support::{
    Mailbox, Value, ValueType, array_bytes, as_text, composite, data_row, decode, decode_with, domain_over, hex,
    record_bytes, scalar, text,
};
use oxpg_codec::batch::{ExtraValue, RowFault, RowTypes};
use oxpg_codec::types::{NoTypes, Type, TypeCode, TypeRef, TypeSource};
use std::rc::Rc;

const INT4: u32 = 23;
const TEXT: u32 = 25;
const RECORD: u32 = 2249;

/// Knows these types, and the built-in ones.
struct Types(Vec<Rc<Type>>);

impl TypeSource for Types {
    fn type_of(&self, type_oid: u32) -> Option<TypeRef> {
        match self.0.iter().find(|tree| tree.oid == type_oid) {
            Some(tree) => Some(TypeRef { code: tree.code, tree: Some(Rc::clone(tree)) }),
            None => NoTypes.type_of(type_oid),
        }
    }
}

fn code(code: TypeCode) -> ValueType {
    ValueType::Code(code)
}

fn record_type() -> Rc<Type> {
    scalar(RECORD, TypeCode::RECORD)
}

#[test]
fn values_have_their_types_in_front() {
    // row(7, 'ab', NULL::int4)
    let bytes = hex("00000003 00000017 00000004 00000007 00000019 00000002 6162 00000017 ffffffff");
    let expected = vec![
        (code(TypeCode::INT4), Value::Int(7)),
        (code(TypeCode::TEXT), text("ab")),
        (code(TypeCode::INT4), Value::Null),
    ];
    assert_eq!(decode(TypeCode::RECORD, &bytes), Ok(Value::Record(expected)));
    assert_eq!(decode(TypeCode::RECORD, &hex("00000000")), Ok(Value::Record(vec![])));
}

#[test]
fn the_block_is_the_one_of_the_contract() {
    let mut mailbox = Mailbox::of_size(10, 10);
    let row = data_row(&[Some(&record_bytes(&[(INT4, Some(&[0, 0, 0, 9])), (TEXT, None)]))]);
    mailbox.push_types(RowTypes::plain(&[TypeCode::RECORD]), &row).unwrap();
    assert_eq!(mailbox.cells[0], 5);
    assert_eq!(mailbox.cells[5..], [2, u64::from(TypeCode::INT4.0), u64::from(TypeCode::TEXT.0), 9, 0]);
    assert_eq!(mailbox.marks[5..], [0, 0, 0, 0, 1]);
}

#[test]
fn records_hold_arrays_and_records() {
    let inner = record_bytes(&[(TEXT, Some(b"x"))]);
    let numbers = array_bytes(INT4, &[Some(&[0, 0, 0, 1]), None]);
    let records = array_bytes(RECORD, &[Some(&inner)]);
    let bytes = record_bytes(&[(RECORD, Some(&inner)), (1007, Some(&numbers)), (2287, Some(&records))]);
    let inner = Value::Record(vec![(code(TypeCode::TEXT), text("x"))]);
    let expected = vec![
        (code(TypeCode::RECORD), inner.clone()),
        (
            code(TypeCode(TypeCode::INT4.0 | TypeCode::ARRAY)),
            Value::Array(vec![(2, 1)], false, vec![Value::Int(1), Value::Null]),
        ),
        (code(TypeCode(TypeCode::RECORD.0 | TypeCode::ARRAY)), Value::Array(vec![(1, 1)], false, vec![inner])),
    ];
    assert_eq!(decode(TypeCode::RECORD, &bytes), Ok(Value::Record(expected)));
}

#[test]
fn described_types_are_extras_and_their_values_are_decoded_by_them() {
    let point = composite(20_000, "point3d", &[&scalar(INT4, TypeCode::INT4)]);
    let email = domain_over(20_001, &scalar(TEXT, TypeCode::TEXT));
    let types = Types(vec![point, email]);
    let bytes = record_bytes(&[
        (20_000, Some(&record_bytes(&[(INT4, Some(&[0, 0, 0, 3]))]))),
        (20_001, Some(b"a@b")),
        (20_000, None),
    ]);
    let point = || ValueType::Described("point3d".to_owned());
    let expected = vec![
        (point(), Value::Composite(vec![Value::Int(3)])),
        (ValueType::Described("a domain".to_owned()), text("a@b")),
        (point(), Value::Null),
    ];
    assert_eq!(decode_with(&record_type(), &types, &bytes), Ok(Value::Record(expected)));
}

#[test]
fn types_are_extras_once_per_batch() {
    let types = Types((0..10).map(|oid| domain_over(20_000 + oid, &scalar(INT4, TypeCode::INT4))).collect());
    let values: Vec<_> = (0..30).map(|place| (20_000 + place % 10, Some(&[0, 0, 0, 1][..]))).collect();
    let row = data_row(&[Some(&record_bytes(&values))]);
    let mut mailbox = Mailbox::new();
    for _ in 0..5 {
        mailbox
            .push_types(RowTypes { codes: &[TypeCode::RECORD], trees: &[], source: &types, are_printed: false }, &row)
            .unwrap();
    }
    assert_eq!(mailbox.batch.extras().len(), 10);
    assert!(mailbox.batch.extras().iter().all(|extra| matches!(extra, ExtraValue::Type(_))));
}

#[test]
fn types_of_rows_that_did_not_fit_are_forgotten() {
    let types = Types(vec![domain_over(20_000, &scalar(TEXT, TypeCode::TEXT))]);
    let row = data_row(&[Some(&record_bytes(&[(20_000, Some(b"x")), (20_000, Some(b"too long"))]))]);
    let types = RowTypes { codes: &[TypeCode::RECORD], trees: &[], source: &types, are_printed: false };
    let mut mailbox = Mailbox::of_size(100, 4);
    assert_eq!(mailbox.push_types(types, &row), Ok(oxpg_codec::batch::Pushed::Full));
    assert_eq!(mailbox.batch.extras(), []);
}

#[test]
fn unknown_types_are_named_unless_the_value_is_null() {
    let bytes = record_bytes(&[(70_000, None), (INT4, None)]);
    let expected = vec![(code(TypeCode::UNKNOWN), Value::Null), (code(TypeCode::INT4), Value::Null)];
    assert_eq!(decode(TypeCode::RECORD, &bytes), Ok(Value::Record(expected)));
    let error = decode(TypeCode::RECORD, &record_bytes(&[(70_000, Some(b""))])).unwrap_err();
    assert_eq!(error.fault(), RowFault::UnknownType(70_000));
    assert_eq!(error.to_string(), "column 1 (record): a value of the type with OID 70000, which is not known");
}

#[test]
fn values_without_a_binary_codec_are_unsupported() {
    let money = scalar(790, TypeCode::UNKNOWN);
    let types = Types(vec![composite(20_000, "price", &[&money]), money]);
    let price = record_bytes(&[(790, Some(&[0; 8]))]);
    for (type_oid, bytes) in [(790, &[0; 8][..]), (20_000, &price)] {
        let error = decode_with(&record_type(), &types, &record_bytes(&[(type_oid, Some(bytes))])).unwrap_err();
        assert_eq!(error.fault(), RowFault::Unsupported);
        assert!(decode_with(&record_type(), &types, &record_bytes(&[(type_oid, None)])).is_ok());
    }
}

#[test]
fn composites_inside_records_are_checked_like_others() {
    let types = Types(vec![composite(20_000, "t", &[&scalar(INT4, TypeCode::INT4)])]);
    let error = decode_with(&record_type(), &types, &record_bytes(&[(20_000, Some(&[0; 4]))])).unwrap_err();
    assert_eq!(error.fault(), RowFault::OutdatedType);
}

#[test]
fn values_whose_codec_takes_text_are_printed() {
    let with_codec = |oid: u32, own: TypeCode| Type::with_codec(oid, "s", "t", TypeCode::UNKNOWN, (7, own));
    for (own, bytes, printed) in [
        (TypeCode::TEXT, &b"ab"[..], "ab"),
        (TypeCode::NUMERIC, &[0, 1, 0, 0, 0, 0, 0, 1, 0, 7], "7.0"),
        (TypeCode::JSONB, b"\x01[1]", "[1]"),
        (TypeCode::BOOL, &[1], "t"),
        (TypeCode::BOOL, &[0], "f"),
        (TypeCode::INT2, &[0x80, 0], "-32768"),
        (TypeCode::INT4, &[0xff; 4], "-1"),
        (TypeCode::INT8, &[0x80, 0, 0, 0, 0, 0, 0, 0], "-9223372036854775808"),
        (TypeCode::OID, &[0xff; 4], "4294967295"),
        (TypeCode::XID8, &[0xff; 8], "18446744073709551615"),
    ] {
        let tree = with_codec(20_000, own);
        let types = Types(vec![Rc::clone(&tree)]);
        let decoded = decode_with(&record_type(), &types, &record_bytes(&[(20_000, Some(bytes))]));
        let expected = Value::Record(vec![(ValueType::Described("t".to_owned()), text(printed))]);
        assert_eq!(decoded, Ok(expected), "{own:?}");
    }
    for own in [TypeCode::FLOAT8, TypeCode::TIMESTAMPTZ, TypeCode::BYTEA, TypeCode::UNKNOWN] {
        let types = Types(vec![with_codec(20_000, own)]);
        let error = decode_with(&record_type(), &types, &record_bytes(&[(20_000, Some(&[0; 8]))])).unwrap_err();
        assert_eq!(error.fault(), RowFault::Unsupported, "{own:?}");
    }
    let short = Types(vec![with_codec(20_000, TypeCode::INT4)]);
    assert!(decode_with(&record_type(), &short, &record_bytes(&[(20_000, Some(&[0; 3]))])).is_err());
}

#[test]
fn parts_whose_codec_takes_text_are_printed() {
    let item = Type::with_codec(20_000, "s", "t", TypeCode::UNKNOWN, (7, TypeCode::INT4));
    let pair = composite(20_001, "pair", &[&item, &item]);
    assert_eq!(pair.code, TypeCode::COMPOUND_TEXT);
    let inner = record_bytes(&[(20_000, Some(&[0, 0, 0, 5])), (20_000, None)]);
    let types = Types(vec![item, Rc::clone(&pair)]);
    let decoded = decode_with(&record_type(), &types, &record_bytes(&[(20_001, Some(&inner))]));
    let expected = Value::Composite(vec![text("5"), Value::Null]);
    assert_eq!(decoded, Ok(Value::Record(vec![(ValueType::Described("pair".to_owned()), expected)])));
}

#[test]
fn records_inside_text_are_texts_of_no_known_type() {
    let tree = as_text(&composite(20_000, "t", &[&record_type()]));
    let expected = vec![
        (code(TypeCode::UNKNOWN), text("1")),
        (code(TypeCode::UNKNOWN), text("a \"b\"")),
        (code(TypeCode::UNKNOWN), Value::Null),
    ];
    let decoded = decode_with(&tree, &NoTypes, br#"("(1,""a """"b"""""",)")"#);
    assert_eq!(decoded, Ok(Value::Composite(vec![Value::Record(expected)])));
}

#[test]
fn malformed_records_are_refused() {
    for (bytes, expected) in [
        ("0000", "the message ends inside the value"),
        ("ffffffff", "a negative number of parts"),
        ("7fffffff", "the message ends inside the value"),
        ("00000001 00000017", "the message ends inside the value"),
        ("00000001 00000017 fffffffe", "a negative length"),
        ("00000001 00000017 00000003 000000", "3 bytes where 4 were expected"),
        ("00000001 00000017 ffffffff 00", "bytes behind the last value of a record"),
    ] {
        let message = decode(TypeCode::RECORD, &hex(bytes)).unwrap_err().to_string();
        assert_eq!(message, format!("malformed row: column 1 (record): {expected}"), "{bytes}");
    }
}

#[test]
fn records_in_records_are_refused_beyond_64_levels() {
    let mut bytes = record_bytes(&[]);
    for _ in 1..64 {
        bytes = record_bytes(&[(RECORD, Some(&bytes))]);
    }
    assert!(decode(TypeCode::RECORD, &bytes).is_ok());
    let error = decode(TypeCode::RECORD, &record_bytes(&[(RECORD, Some(&bytes))])).unwrap_err();
    assert_eq!(error.fault(), RowFault::Unsupported);
    // Through arrays as well, and however many.
    for _ in 0..200 {
        bytes = record_bytes(&[(2287, Some(&array_bytes(RECORD, &[Some(&bytes)])))]);
    }
    assert_eq!(decode(TypeCode::RECORD, &bytes).unwrap_err().fault(), RowFault::Unsupported);
}
