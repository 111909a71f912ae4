//! Values of every family from any bytes: no panic, and the mailbox takes what memory of its own takes, the same way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpg_codec::batch::{Batch, ExtraValue, Memory, OwnedRow, Pushed, ResultText, RowTypes, own_memory_row};
use oxpg_codec::types::TypeCode;

const CELLS: usize = 4096;
const BYTES: usize = 64 * 1024;

/// Whether the first cell is a text range.
fn is_text(code: TypeCode) -> bool {
    matches!(
        code,
        TypeCode::TEXT
            | TypeCode::UNKNOWN
            | TypeCode::JSON
            | TypeCode::JSONB
            | TypeCode::NUMERIC
            | TypeCode::UUID
            | TypeCode::DATE
            | TypeCode::TIME
            | TypeCode::TIMETZ
            | TypeCode::INET
            | TypeCode::MACADDR
            | TypeCode::BIT
            | TypeCode::LSN
            | TypeCode::TID
            | TypeCode::SNAPSHOT
            | TypeCode::VERSIONED
            | TypeCode::CHAR
    )
}

fn text_of(cell: u64, mark: u8, bytes: &[u8], extras: &[ExtraValue]) -> String {
    match mark {
        0 => String::from_utf8_lossy(&bytes[cell as u32 as usize..(cell >> 32) as usize]).into_owned(),
        _ => match &extras[cell as usize] {
            ExtraValue::Text(text) => String::from_utf8(text.clone()).expect("UTF-8"),
            ExtraValue::Bytes(_) | ExtraValue::Type(_) => panic!("no text"),
        },
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (family, value) = input;
    let codes = [TypeCode(family % (TypeCode::RAW.0 + 1))];
    let Ok(length) = i32::try_from(value.len()) else { return };
    let row = [&[0, 1][..], &length.to_be_bytes(), value].concat();
    // Dirty, as it is after other rows.
    let (mut cells, mut marks, mut bytes) = (vec![u64::MAX; CELLS], vec![0x77; CELLS], vec![0xee; BYTES]);
    let mut memory = Memory { cells: &mut cells, marks: &mut marks, bytes: &mut bytes };
    let mut batch = Batch::new();
    let pushed = batch.push_row(&mut memory, &mut ResultText::default(), 1, RowTypes::plain(&codes), &row, 0);
    let owned = own_memory_row(RowTypes::plain(&codes), &row);
    let fits = pushed != Ok(Pushed::Full);
    if fits {
        assert_eq!(pushed.is_ok(), owned.is_ok());
    }
    let Ok(OwnedRow { cells: own_cells, marks: own_marks, bytes: own_bytes, extras, .. }) = owned else { return };
    assert_eq!(own_cells.len(), own_marks.len());
    if fits {
        assert_eq!(marks[0], own_marks[0]);
        assert_eq!(batch.extras(), extras);
        if is_text(codes[0]) {
            let own_text = text_of(own_cells[0], own_marks[0], &own_bytes, &extras);
            assert_eq!(text_of(cells[0], marks[0], &bytes, batch.extras()), own_text);
        }
    }
});
