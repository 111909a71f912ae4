//! Rows in memory of their own.

use crate::support::{Mailbox, Value, data_row, own_values, text};
use oxpg_codec::batch::{ExtraValue, Pushed, ResultText, RowTypes, own_memory_row};
use oxpg_codec::types::TypeCode;

#[test]
fn holds_what_no_mailbox_can() {
    let count = 100_000_i32;
    let mut array = [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23][..], &count.to_be_bytes(), &[0, 0, 0, 1]].concat();
    for element in 0..count {
        array.extend_from_slice(&4_i32.to_be_bytes());
        array.extend_from_slice(&element.to_be_bytes());
    }
    let codes = [TypeCode(TypeCode::INT4.0 | TypeCode::ARRAY), TypeCode::TEXT, TypeCode::UUID, TypeCode::BYTEA];
    let row = data_row(&[Some(&array), Some("ü".as_bytes()), Some(&[0; 16]), Some(b"\xff")]);
    assert_eq!(Mailbox::new().push(&mut ResultText::default(), 1, &codes, &row, 0), Ok(Pushed::Full));
    let owned = own_memory_row(RowTypes::plain(&codes), &row).unwrap();
    assert!(!owned.is_ascii);
    assert_eq!(owned.cells.len(), 4 + 2 + 100_000);
    assert_eq!(owned.cells.len(), owned.marks.len());
    let values = own_values(&owned, &codes);
    let Value::Array(dimensions, false, elements) = &values[0] else { panic!() };
    assert_eq!(dimensions, &[(100_000, 1)]);
    assert_eq!(elements[99_999], Value::Int(99_999));
    assert_eq!(values[1..], [text("ü"), text("00000000-0000-0000-0000-000000000000"), Value::Bytes(vec![255])]);
}

#[test]
fn grows_for_values_that_become_longer() {
    let codes = [TypeCode::UUID; 50];
    let owned = own_memory_row(RowTypes::plain(&codes), &data_row(&[Some(&[0x11; 16][..]); 50])).unwrap();
    assert_eq!(own_values(&owned, &codes), vec![text("11111111-1111-1111-1111-111111111111"); 50]);
    assert_eq!(owned.bytes.len(), 50 * 36);
    assert!(owned.is_ascii);
}

#[test]
fn long_values_are_its_own_extras() {
    let long = "x".repeat(20_000);
    let owned = own_memory_row(RowTypes::plain(&[TypeCode::TEXT]), &data_row(&[Some(long.as_bytes())])).unwrap();
    assert_eq!(owned.extras, [ExtraValue::Text(long.clone().into_bytes())]);
    assert_eq!(own_values(&owned, &[TypeCode::TEXT]), [text(&long)]);
}

#[test]
fn malformed_rows_are_refused() {
    for (codes, row, expected) in [
        (&[TypeCode::BOOL][..], &[][..], "malformed row: no number of columns where 1 were described"),
        (&[TypeCode::BOOL], &[0, 2], "malformed row: 2 columns where 1 were described"),
        (&[TypeCode::BOOL], &[0, 1, 0, 0], "malformed row: column 1 (bool): the message ends inside the value"),
        (
            &[TypeCode::BOOL],
            &[0, 1, 0, 0, 0, 9, 1],
            "malformed row: column 1 (bool): the message ends inside the value",
        ),
        (&[TypeCode::BOOL], &[0, 1, 255, 255, 255, 254], "malformed row: column 1 (bool): a negative length"),
        (&[], &[0, 0, 1, 2], "malformed row: 2 bytes behind the last column"),
        (
            &[TypeCode(77)],
            &[0, 1, 0, 0, 0, 0],
            "malformed row: column 1 (a type without a binary codec): no such type code",
        ),
    ] {
        assert_eq!(own_memory_row(RowTypes::plain(codes), row).unwrap_err().to_string(), expected);
    }
}
