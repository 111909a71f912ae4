//! Arrays and the layout of their blocks.

use crate::support::{Mailbox, Value, data_row, decode, hex, text};
use oxpg_codec::batch::{Pushed, ResultText};
use oxpg_codec::types::TypeCode;

const INT4_ARRAY: TypeCode = TypeCode(TypeCode::INT4.0 | TypeCode::ARRAY);
const TEXT_ARRAY: TypeCode = TypeCode(TypeCode::TEXT.0 | TypeCode::ARRAY);

#[test]
fn one_dimension() {
    // '{1,NULL,3}'::int4[]
    let bytes = hex("00000001 00000001 00000017 00000003 00000001 00000004 00000001 ffffffff 00000004 00000003");
    let expected = Value::Array(vec![(3, 1)], false, vec![Value::Int(1), Value::Null, Value::Int(3)]);
    assert_eq!(decode(INT4_ARRAY, &bytes), Ok(expected));
}

#[test]
fn no_elements() {
    assert_eq!(decode(TEXT_ARRAY, &hex("00000000 00000000 00000019")), Ok(Value::Array(vec![], false, vec![])));
}

#[test]
fn two_dimensions_with_other_lower_bounds() {
    // '[0:1][-1:0]={{a,ä},{"",b}}'::text[]
    let bytes = hex("00000002 00000000 00000019 00000002 00000000 00000002 ffffffff
         00000001 61 00000002 c3a4 00000000 00000001 62"
        .replace('\n', " ")
        .as_str());
    let elements = vec![text("a"), text("ä"), text(""), text("b")];
    assert_eq!(decode(TEXT_ARRAY, &bytes), Ok(Value::Array(vec![(2, 0), (2, -1)], true, elements)));
}

#[test]
fn blocks_lie_at_the_end_of_the_cells_and_rows_at_the_start() {
    let bytes = hex("00000001 00000000 00000017 00000002 00000001 00000004 00000007 00000004 00000008");
    let mut mailbox = Mailbox::of_size(20, 0);
    let mut result = ResultText::default();
    for row in 0..2 {
        mailbox.push(&mut result, 1, &[INT4_ARRAY], &data_row(&[Some(&bytes)]), 0).unwrap();
        let block = 20 - 4 * (row + 1);
        assert_eq!(mailbox.cells[row], block as u64);
        assert_eq!(mailbox.cells[block..block + 4], [1, 2 | 1 << 32, 7, 8]);
        assert_eq!(mailbox.marks[block..block + 4], [0; 4]);
    }
    // 2 cells of rows, 8 of blocks; another row would need 5, then 5, and there are 10.
    for _ in 0..2 {
        assert_eq!(
            mailbox.push(&mut result, 1, &[INT4_ARRAY], &data_row(&[Some(&bytes)]), 0).unwrap(),
            Pushed::Appended
        );
    }
    assert_eq!(mailbox.push(&mut result, 1, &[INT4_ARRAY], &data_row(&[Some(&bytes)]), 0).unwrap(), Pushed::Full);
}

#[test]
fn malformed_arrays_are_refused() {
    for (bytes, expected) in [
        ("00000001 00000000", "the message ends inside the value"),
        ("00000007 00000000 00000017", "more than 6 array dimensions"),
        ("ffffffff 00000000 00000017", "more than 6 array dimensions"),
        ("00000001 00000000 00000017 7fffffff 00000001", "the message ends inside the value"),
        ("00000001 00000000 00000017 ffffffff 00000001", "array dimensions out of range"),
        ("00000001 00000000 00000017 00000001 00000001 00000003 000000", "3 bytes where 4 were expected"),
        ("00000001 00000000 00000017 00000001 00000001 fffffffe", "a negative length"),
        ("00000000 00000000 00000017 00", "bytes behind the last element"),
    ] {
        let error = decode(INT4_ARRAY, &hex(bytes)).unwrap_err();
        assert_eq!(error.to_string(), format!("malformed row: column 1 (int4[]): {expected}"), "{bytes}");
    }
}

#[test]
fn huge_dimensions_do_not_overflow() {
    let mut bytes = hex("00000006 00000000 00000017");
    bytes.extend(hex("7fffffff 00000001").repeat(6));
    assert!(decode(INT4_ARRAY, &bytes).is_err());
}
