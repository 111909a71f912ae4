//! Values of every family from any text: no panic, and no cells or bytes that the text does not justify.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpg_codec::batch::own_memory_text;
use oxpg_codec::types::TypeCode;

fuzz_target!(|input: (u8, &[u8])| {
    let (family, text) = input;
    let code = TypeCode(family % (TypeCode::RAW.0 + 1));
    match own_memory_text(code, text) {
        Ok(row) => assert!(row.marks[0] <= 2),
        // It is always the text's fault: the memory is enough.
        Err(error) => assert!(error.to_string().contains("column 1 ("), "{error}"),
    }
});
