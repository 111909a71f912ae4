//! Types with parts in the binary format.

use crate::support::{
    Mailbox, Value, array_bytes, array_of, composite, data_row, decode_tree, domain_over, hex, multirange_of, prefixed,
    range, range_bytes, range_of, record_bytes, scalar, text,
};
use oxpg_codec::batch::{Pushed, RowFault, RowTypes, own_memory_row};
use oxpg_codec::types::{NoTypes, Type, TypeCode};
use std::rc::Rc;

const INT4: u32 = 23;
const TEXT: u32 = 25;

fn int4() -> Rc<Type> {
    scalar(INT4, TypeCode::INT4)
}

fn varlena() -> Rc<Type> {
    scalar(TEXT, TypeCode::TEXT)
}

fn int4_bytes(value: i32) -> [u8; 4] {
    value.to_be_bytes()
}

/// The message without the name of the column.
fn refusal(tree: &Rc<Type>, bytes: &[u8]) -> String {
    let message = decode_tree(tree, bytes).unwrap_err().to_string();
    message.split_once("): ").unwrap().1.to_owned()
}

#[test]
fn composites_have_a_cell_per_attribute() {
    // row(7, 'ab', NULL)::t
    let bytes = hex("00000003 00000017 00000004 00000007 00000019 00000002 6162 00000017 ffffffff");
    let tree = composite(20_000, "t", &[&int4(), &varlena(), &int4()]);
    assert_eq!(tree.code, TypeCode::COMPOUND);
    let expected = Value::Composite(vec![Value::Int(7), text("ab"), Value::Null]);
    assert_eq!(decode_tree(&tree, &bytes), Ok(expected));
}

#[test]
fn composites_without_attributes_take_no_cells() {
    let tree = composite(20_000, "nothing", &[]);
    let (codes, trees) = ([TypeCode::COMPOUND], [Some(Rc::clone(&tree))]);
    let types = RowTypes { codes: &codes, trees: &trees, source: &NoTypes, are_printed: false };
    let mut mailbox = Mailbox::of_size(1, 0);
    assert_eq!(mailbox.push_types(types, &data_row(&[Some(&[0; 4])])), Ok(Pushed::Opened(0)));
    assert_eq!(mailbox.first_value(&tree), Value::Composite(vec![]));
}

#[test]
fn ranges_have_flags_and_two_bounds() {
    let tree = range_of(3904, &int4());
    let (one, five) = (int4_bytes(1), int4_bytes(5));
    for (bytes, expected) in [
        // '[1,5)', 'empty', '(,5]', '[1,)', '(,)'
        (hex("02 00000004 00000001 00000004 00000005"), range(2, Value::Int(1), Value::Int(5))),
        (hex("01"), range(1, Value::Null, Value::Null)),
        (range_bytes(4 | 8, &[&five]), range(4 | 8, Value::Null, Value::Int(5))),
        (range_bytes(2 | 16, &[&one]), range(2 | 16, Value::Int(1), Value::Null)),
        (hex("18"), range(8 | 16, Value::Null, Value::Null)),
    ] {
        assert_eq!(decode_tree(&tree, &bytes), Ok(expected));
    }
}

#[test]
fn multiranges_have_a_cell_per_range() {
    let tree = multirange_of(4451, &range_of(3904, &int4()));
    assert_eq!(decode_tree(&tree, &hex("00000000")), Ok(Value::Multirange(vec![])));
    // '{[1,2),[5,)}'
    let ranges = [range_bytes(2, &[&int4_bytes(1), &int4_bytes(2)]), range_bytes(2 | 16, &[&int4_bytes(5)])];
    let bytes = [hex("00000002"), prefixed(&[Some(&ranges[0]), Some(&ranges[1])])].concat();
    let expected = vec![range(2, Value::Int(1), Value::Int(2)), range(2 | 16, Value::Int(5), Value::Null)];
    assert_eq!(decode_tree(&tree, &bytes), Ok(Value::Multirange(expected)));
}

#[test]
fn arrays_of_composites_of_ranges_of_domains() {
    let positive = domain_over(30_000, &int4());
    let span = range_of(30_001, &positive);
    let stay = composite(30_002, "stay", &[&varlena(), &span]);
    let tree = array_of(30_003, &stay);
    let span_bytes = range_bytes(2, &[&int4_bytes(1), &int4_bytes(9)]);
    let first = record_bytes(&[(TEXT, Some(b"room")), (30_001, Some(&span_bytes))]);
    let second = record_bytes(&[(TEXT, None), (30_001, None)]);
    let mut bytes = hex("00000002 00000001 00007532 00000003 00000001 00000001 00000000");
    bytes.extend(prefixed(&[Some(&first), None, Some(&second)]));
    let elements = vec![
        Value::Composite(vec![text("room"), range(2, Value::Int(1), Value::Int(9))]),
        Value::Null,
        Value::Composite(vec![Value::Null, Value::Null]),
    ];
    assert_eq!(decode_tree(&tree, &bytes), Ok(Value::Array(vec![(3, 1), (1, 0)], true, elements)));
}

#[test]
fn composites_hold_arrays_of_composites_and_plain_arrays() {
    let line = composite(20_001, "line", &[&int4()]);
    let lines = array_of(20_002, &line);
    let numbers = array_of(1007, &int4());
    assert_eq!(numbers.code, TypeCode(TypeCode::INT4.0 | TypeCode::ARRAY));
    let tree = domain_over(20_004, &composite(20_003, "order", &[&lines, &numbers]));
    let line_bytes = record_bytes(&[(INT4, Some(&int4_bytes(i32::MIN)))]);
    let bytes = record_bytes(&[
        (20_002, Some(&array_bytes(20_001, &[Some(&line_bytes), None]))),
        (1007, Some(&array_bytes(INT4, &[Some(&int4_bytes(i32::MAX))]))),
    ]);
    let lines = vec![Value::Composite(vec![Value::Int(i64::from(i32::MIN))]), Value::Null];
    let expected = Value::Composite(vec![
        Value::Array(vec![(2, 1)], false, lines),
        Value::Array(vec![(1, 1)], false, vec![Value::Int(i64::from(i32::MAX))]),
    ]);
    assert_eq!(decode_tree(&tree, &bytes), Ok(expected));
}

#[test]
fn long_texts_in_composites_are_extras() {
    let long = "ü".repeat(20_000);
    let bytes = record_bytes(&[(TEXT, Some(long.as_bytes())), (TEXT, Some(b"x"))]);
    let tree = composite(20_000, "t", &[&varlena(), &varlena()]);
    assert_eq!(decode_tree(&tree, &bytes), Ok(Value::Composite(vec![text(&long), text("x")])));
}

#[test]
fn composites_that_changed_are_outdated_and_named() {
    let tree = composite(20_000, "address", &[&int4(), &varlena()]);
    let (codes, trees) = ([TypeCode::INT4, TypeCode::COMPOUND], [None, Some(tree)]);
    let types = RowTypes { codes: &codes, trees: &trees, source: &NoTypes, are_printed: false };
    for (bytes, expected) in [
        (record_bytes(&[(INT4, None)]), "column 2 (address): 1 attributes where the type had 2 when it was looked up"),
        (
            record_bytes(&[(INT4, None), (1043, Some(b"x"))]),
            "column 2 (address): attribute 2 has the type with OID 1043, and had the one with OID 25 when the \
             composite type was looked up",
        ),
    ] {
        let error = own_memory_row(types, &data_row(&[None, Some(&bytes)])).unwrap_err();
        assert_eq!(error.fault(), RowFault::OutdatedType);
        assert_eq!(error.to_string(), expected);
    }
    let error = own_memory_row(types, &data_row(&[Some(b"xx"), None])).unwrap_err();
    assert_eq!(error.fault(), RowFault::Malformed);
    assert_eq!(error.to_string(), "malformed row: column 1 (int4): 2 bytes where 4 were expected");
}

#[test]
fn parts_without_a_binary_codec_are_not_decoded_from_binary() {
    let inner = scalar(790, TypeCode::UNKNOWN);
    let text_tree = composite(20_000, "price", &[&inner]);
    assert_eq!(text_tree.code, TypeCode::COMPOUND_TEXT);
    let binary = Type {
        id: 1,
        oid: 1,
        schema: "".into(),
        name: "price".into(),
        code: TypeCode::COMPOUND,
        kind: text_tree.kind.clone(),
        codec: 0,
        own_code: TypeCode::COMPOUND,
    };
    let error = decode_tree(&Rc::new(binary), &record_bytes(&[(790, Some(&[0; 8]))])).unwrap_err();
    assert_eq!(error.fault(), RowFault::Unsupported);
}

#[test]
fn columns_that_were_not_described_are_refused() {
    for code in [TypeCode::COMPOUND, TypeCode::COMPOUND_TEXT] {
        let error = own_memory_row(RowTypes::plain(&[code]), &data_row(&[Some(b"()")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "malformed row: column 1 (a type with parts): a type with parts that was not described"
        );
    }
}

#[test]
fn malformed_composites_are_refused() {
    let tree = composite(20_000, "t", &[&int4()]);
    for (bytes, expected) in [
        ("000000", "the message ends inside the value"),
        ("ffffffff", "a negative number of attributes"),
        ("00000001 00000017", "the message ends inside the value"),
        ("00000001 00000017 00000004 0000", "the message ends inside the value"),
        ("00000001 00000017 fffffffe", "a negative length"),
        ("00000001 00000017 00000003 000000", "3 bytes where 4 were expected"),
        ("00000001 00000017 ffffffff 00", "bytes behind the last attribute"),
    ] {
        assert_eq!(refusal(&tree, &hex(bytes)), expected, "{bytes}");
    }
}

#[test]
fn malformed_ranges_and_multiranges_are_refused() {
    let tree = range_of(3904, &int4());
    for (bytes, expected) in [
        ("", "the message ends inside the value"),
        ("20", "unknown flags of a range"),
        ("00 00000004 00000001", "the message ends inside the value"),
        ("12 ffffffff", "NULL as a part of a range"),
        ("12 fffffffe", "a negative length"),
        ("01 00", "bytes behind the bounds of a range"),
    ] {
        assert_eq!(refusal(&tree, &hex(bytes)), expected, "{bytes}");
    }
    let tree = multirange_of(4451, &tree);
    for (bytes, expected) in [
        ("00", "the message ends inside the value"),
        ("ffffffff", "a negative number of parts"),
        ("7fffffff", "the message ends inside the value"),
        ("00000001 ffffffff", "NULL as a part of a range"),
        ("00000001 00000001 18 00", "bytes behind the last range"),
    ] {
        assert_eq!(refusal(&tree, &hex(bytes)), expected, "{bytes}");
    }
}

#[test]
fn counts_beyond_the_bytes_take_no_memory() {
    let attributes: Vec<_> = (0..100_000).map(|_| int4()).collect();
    let tree = composite(20_000, "wide", &attributes.iter().collect::<Vec<_>>());
    assert_eq!(refusal(&tree, &100_000_i32.to_be_bytes()), "the message ends inside the value");
    let tree = array_of(20_001, &range_of(3904, &int4()));
    let bytes = hex("00000001 00000000 00000f40 7fffffff 00000001");
    assert_eq!(refusal(&tree, &bytes), "the message ends inside the value");
}

#[test]
fn more_than_64_levels_are_refused() {
    let mut tree = int4();
    let mut bytes = int4_bytes(1).to_vec();
    for level in 1..=65 {
        bytes = record_bytes(&[(tree.oid, Some(&bytes))]);
        tree = composite(20_000 + level, "nest", &[&tree]);
        let decoded = decode_tree(&tree, &bytes);
        match decoded {
            Ok(_) => assert!(level <= 64),
            Err(error) => {
                assert_eq!(level, 65);
                assert_eq!(error.fault(), RowFault::Unsupported);
                assert_eq!(error.to_string(), "column 1 (nest): parts inside parts, more than 64 levels of them");
            }
        }
    }
}

#[test]
fn rows_that_no_mailbox_holds_have_memory_of_their_own() {
    // The densest of all: three cells of a range and its own for five bytes.
    let count = 100_000;
    let tree = array_of(20_001, &range_of(3904, &int4()));
    let bytes = array_bytes(3904, &vec![Some(&[1_u8][..]); count]);
    let (codes, trees) = ([tree.code], [Some(Rc::clone(&tree))]);
    let types = RowTypes { codes: &codes, trees: &trees, source: &NoTypes, are_printed: false };
    let row = data_row(&[Some(&bytes)]);
    assert_eq!(Mailbox::new().push_types(types, &row), Ok(Pushed::Full));
    let owned = own_memory_row(types, &row).unwrap();
    assert!(owned.cells.len() <= 1 + 2 * row.len());
    assert!(owned.bytes.len() <= row.len());
    let Ok(Value::Array(_, false, elements)) = decode_tree(&tree, &bytes) else { panic!() };
    assert_eq!(elements, vec![range(1, Value::Null, Value::Null); count]);
}
