//! Texts of any bytes in all text modes: each range gives its own text back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxpg_codec::batch::{Batch, ExtraValue, Memory, Pushed, ResultText, RowTypes, TextMode};
use oxpg_codec::types::TypeCode;

fuzz_target!(|input: (u16, Vec<&[u8]>)| {
    let (remaining, texts) = input;
    let (mut cells, mut marks, mut bytes) = (vec![0; 1024], vec![0; 1024], vec![0; 64 * 1024]);
    let mut batch = Batch::new();
    let mut result = ResultText::default();
    let mut taken = Vec::new();
    for text in texts {
        let Ok(length) = i32::try_from(text.len()) else { return };
        let row = [&[0, 1][..], &length.to_be_bytes(), text].concat();
        let mut memory = Memory { cells: &mut cells, marks: &mut marks, bytes: &mut bytes };
        let types = RowTypes::plain(&[TypeCode::TEXT]);
        match batch.push_row(&mut memory, &mut result, 1, types, &row, usize::from(remaining)) {
            Ok(Pushed::Full) => break,
            Ok(_) => taken.push(String::from_utf8_lossy(text).into_owned()),
            Err(error) => panic!("{error}"),
        }
    }
    let mut taken = taken.into_iter();
    for segment in batch.segments() {
        let text = &bytes[segment.text_start..segment.text_end];
        assert_eq!(segment.is_ascii, text.is_ascii());
        let units: Vec<u16> = String::from_utf8_lossy(text).encode_utf16().collect();
        for row in 0..segment.rows {
            let index = (segment.first_cell + row) as usize;
            let (start, end) = (cells[index] as u32 as usize, (cells[index] >> 32) as usize);
            let read = match (marks[index], segment.mode) {
                (2, _) => match &batch.extras()[cells[index] as usize] {
                    ExtraValue::Text(text) | ExtraValue::Bytes(text) => String::from_utf8(text.clone()).expect("UTF-8"),
                    ExtraValue::Type(_) => panic!("a type in place of a text"),
                },
                (_, TextMode::Direct) => String::from_utf8_lossy(&bytes[start..end]).into_owned(),
                (_, TextMode::Shared) => String::from_utf16(&units[start..end]).expect("whole characters"),
            };
            assert_eq!(Some(read), taken.next());
        }
    }
    assert_eq!(taken.next(), None);
});
