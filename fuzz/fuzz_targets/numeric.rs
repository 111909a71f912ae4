//! Numerics from any text and any bytes: what was read is written, and read again the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpg_codec::batch::{ExtraValue, RowTypes, own_memory_row};
use oxpg_codec::parameters::encode_parameters;
use oxpg_codec::types::{ParameterType, TypeCode};

const NUMERIC_OID: u32 = 1700;
/// What stands in front of the value's length: the number of formats, the format, the number of values.
const BIND_HEADER: usize = 6;

/// The binary value with its length in front.
fn encode(text: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(text.len()).ok()?;
    let cell = [&5_i32.to_le_bytes()[..], &[0; 8], &length.to_le_bytes()].concat();
    let mut out = Vec::new();
    encode_parameters(&[ParameterType::built_in(NUMERIC_OID)], &cell, text, &[], &mut out).ok()?;
    Some(out.split_off(BIND_HEADER))
}

/// The text of a value that has its length in front.
fn decode(field: &[u8]) -> Option<Vec<u8>> {
    let mut owned = own_memory_row(RowTypes::plain(&[TypeCode::NUMERIC]), &[&[0, 1], field].concat()).ok()?;
    match owned.extras.pop() {
        Some(ExtraValue::Text(text) | ExtraValue::Bytes(text)) => Some(text),
        Some(ExtraValue::Type(_)) => panic!("a type in place of a numeric"),
        None => Some(owned.bytes),
    }
}

fuzz_target!(|input: &[u8]| {
    let length = i32::try_from(input.len()).unwrap_or(i32::MAX);
    let as_bytes = decode(&[&length.to_be_bytes(), input].concat());
    for text in [Some(input.to_vec()), as_bytes].into_iter().flatten() {
        let Some(field) = encode(&text) else { continue };
        let decoded = decode(&field).expect("what was encoded");
        assert_eq!(encode(&decoded), Some(field), "{}", String::from_utf8_lossy(&decoded));
    }
});
