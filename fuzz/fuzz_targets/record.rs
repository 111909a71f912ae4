//! Anonymous records from any bytes, with values of all families and of a type with parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpg_codec::types::TypeCode;
use oxpg_fuzz::{check, type_of};

fuzz_target!(|input: ([u8; 12], &[u8])| {
    let (choices, bytes) = input;
    check(TypeCode::RECORD, &type_of(&choices, false), bytes);
});
