//! Types with parts of any making, from any bytes in the binary format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpg_fuzz::{check, type_of};

fuzz_target!(|input: ([u8; 12], &[u8])| {
    let (choices, bytes) = input;
    let tree = type_of(&choices, false);
    check(tree.code, &tree, bytes);
});
