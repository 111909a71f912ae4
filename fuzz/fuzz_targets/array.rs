//! Arrays of every family from any bytes: no panic, and the mailbox takes what memory of its own takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpg_codec::batch::{Batch, Memory, Pushed, ResultText, RowTypes, own_memory_row};
use oxpg_codec::types::TypeCode;

fuzz_target!(|input: (u8, &[u8])| {
    let (family, bytes) = input;
    let codes = [TypeCode(family % (TypeCode::RAW.0 + 1) | TypeCode::ARRAY)];
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    let row = [&[0, 1][..], &length.to_be_bytes(), bytes].concat();
    let (mut cells, mut marks, mut text) = ([0; 256], [0; 256], [0; 4096]);
    let mut memory = Memory { cells: &mut cells, marks: &mut marks, bytes: &mut text };
    let pushed = Batch::new().push_row(&mut memory, &mut ResultText::default(), 1, RowTypes::plain(&codes), &row, 0);
    let owned = own_memory_row(RowTypes::plain(&codes), &row);
    if let Ok(owned) = &owned {
        // The row's own cell, and no more than twice the bytes behind the number of columns.
        assert!(owned.cells.len() <= 1 + 2 * (row.len() - 2));
    }
    if pushed != Ok(Pushed::Full) {
        assert_eq!(pushed.is_ok(), owned.is_ok());
    }
});
