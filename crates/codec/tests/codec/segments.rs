//! Segments: text modes, limits, and what a full mailbox leaves behind.

use crate::support::{Mailbox, Value, data_row, text};
use oxpg_codec::batch::{ExtraValue, Pushed, ResultText, TextMode};
use oxpg_codec::types::TypeCode;

const TEXT: &[TypeCode] = &[TypeCode::TEXT];

fn text_row(text: &str) -> Vec<u8> {
    data_row(&[Some(text.as_bytes())])
}

fn modes(mailbox: &Mailbox) -> Vec<(TextMode, u32)> {
    mailbox.batch.segments().iter().map(|segment| (segment.mode, segment.rows)).collect()
}

#[test]
fn rows_of_one_result_share_a_segment() {
    let mut mailbox = Mailbox::new();
    let codes = [TypeCode::INT4, TypeCode::TEXT];
    let mut result = ResultText::default();
    for row in 0..3_i32 {
        let pushed = mailbox.push(&mut result, 7, &codes, &data_row(&[Some(&row.to_be_bytes()), Some(b"ab")]), 0);
        assert_eq!(pushed, Ok(if row == 0 { Pushed::Opened(0) } else { Pushed::Appended }));
    }
    let segment = mailbox.batch.segments()[0];
    assert_eq!((segment.rows, segment.first_cell, segment.request), (3, 0, 7));
    assert_eq!((segment.text_start, segment.text_end, segment.is_ascii), (0, 6, true));
    assert_eq!(mailbox.rows(&segment, &codes)[2], [Value::Int(2), text("ab")]);
    mailbox.batch.reset();
    assert!(mailbox.batch.is_empty() && mailbox.batch.segments().is_empty());
}

#[test]
fn another_result_and_end_segment_open_one() {
    let mut mailbox = Mailbox::new();
    let (mut first, mut second) = (ResultText::default(), ResultText::default());
    assert_eq!(mailbox.push(&mut first, 1, TEXT, &text_row("a"), 0), Ok(Pushed::Opened(0)));
    assert_eq!(mailbox.push(&mut second, 2, TEXT, &text_row("b"), 0), Ok(Pushed::Opened(1)));
    mailbox.batch.end_segment();
    assert_eq!(mailbox.push(&mut second, 2, TEXT, &text_row("c"), 0), Ok(Pushed::Opened(2)));
    assert_eq!(mailbox.push(&mut second, 2, TEXT, &text_row("d"), 0), Ok(Pushed::Appended));
    assert_eq!(mailbox.all_rows(TEXT).concat(), ["a", "b", "c", "d"].map(text));
}

#[test]
fn a_result_is_shared_after_32_strings() {
    let mut mailbox = Mailbox::new();
    let mut result = ResultText::default();
    for row in 0..40 {
        mailbox.push(&mut result, 1, TEXT, &text_row(&format!("row {row}")), 0).unwrap();
    }
    assert_eq!(modes(&mailbox), [(TextMode::Direct, 31), (TextMode::Shared, 9)]);
    let rows = mailbox.all_rows(TEXT);
    assert_eq!((&rows[30][0], &rows[31][0], &rows[39][0]), (&text("row 30"), &text("row 31"), &text("row 39")));
}

#[test]
fn many_rows_at_hand_are_shared_from_the_second_on() {
    let mut mailbox = Mailbox::new();
    let mut result = ResultText::default();
    for row in 0..3 {
        mailbox.push(&mut result, 1, TEXT, &text_row(&format!("row {row}")), 10_000).unwrap();
    }
    assert_eq!(modes(&mailbox), [(TextMode::Direct, 1), (TextMode::Shared, 2)]);
    assert_eq!(mailbox.all_rows(TEXT).concat(), [text("row 0"), text("row 1"), text("row 2")]);
}

#[test]
fn results_without_text_stay_in_one_segment() {
    let mut mailbox = Mailbox::new();
    let mut result = ResultText::default();
    for _ in 0..100 {
        mailbox.push(&mut result, 1, &[TypeCode::INT4], &data_row(&[Some(&[0; 4])]), 10_000).unwrap();
    }
    assert_eq!(modes(&mailbox), [(TextMode::Direct, 100)]);
}

#[test]
fn shared_ranges_count_utf16_units() {
    let mut mailbox = Mailbox::new();
    let mut result = ResultText::default();
    let values = ["plain", "grün", "😀!", "日本", "", "end"];
    for value in values.iter().cycle().take(60) {
        mailbox.push(&mut result, 1, TEXT, &text_row(value), 100_000).unwrap();
    }
    let segment = mailbox.batch.segments()[1];
    assert!(!segment.is_ascii && segment.mode == TextMode::Shared);
    let expected: Vec<Value> = values.iter().cycle().take(60).map(|value| text(value)).collect();
    assert_eq!(mailbox.all_rows(TEXT).concat(), expected);
}

#[test]
fn bad_utf8_in_a_shared_segment_does_not_shift_its_neighbours() {
    let mut mailbox = Mailbox::new();
    let mut result = ResultText::default();
    for _ in 0..3 {
        mailbox
            .push(&mut result, 1, &[TypeCode::TEXT; 2], &data_row(&[Some(b"\xff\xfe"), Some(b"next")]), 100_000)
            .unwrap();
    }
    for row in mailbox.all_rows(&[TypeCode::TEXT; 2]) {
        assert_eq!(row, [text("\u{fffd}\u{fffd}"), text("next")]);
    }
}

#[test]
fn a_segments_text_is_at_most_64_kib() {
    for value in ["x".repeat(10_000), "ü".repeat(5_000)] {
        let mut mailbox = Mailbox::new();
        let mut result = ResultText::default();
        for row in 0..30 {
            mailbox.push(&mut result, 1, TEXT, &text_row(&format!("{row}{value}")), 1_000_000).unwrap();
        }
        assert!(mailbox.batch.segments().len() > 4);
        for segment in mailbox.batch.segments() {
            assert!(segment.text_end - segment.text_start <= 64 * 1024);
        }
        for (row, values) in mailbox.all_rows(TEXT).iter().enumerate() {
            assert_eq!(values[0], text(&format!("{row}{value}")));
        }
        assert!(mailbox.batch.extras().is_empty());
    }
}

#[test]
fn texts_of_one_row_beyond_64_kib_are_extras() {
    let mut mailbox = Mailbox::new();
    let value = "x".repeat(15_000);
    let codes = [TypeCode::TEXT; 6];
    let row = data_row(&[Some(value.as_bytes()); 6]);
    assert_eq!(mailbox.push(&mut ResultText::default(), 1, &codes, &row, 0), Ok(Pushed::Opened(0)));
    assert_eq!(mailbox.batch.extras().len(), 2);
    assert_eq!(mailbox.all_rows(&codes)[0], vec![text(&value); 6]);
}

#[test]
fn long_values_are_extras() {
    let mut mailbox = Mailbox::new();
    let codes = [TypeCode::TEXT, TypeCode::BYTEA, TypeCode::TEXT];
    let (long, bytes) = ("ü".repeat(8_193), vec![1; 16_385]);
    let row = data_row(&[Some(long.as_bytes()), Some(&bytes), Some(b"short")]);
    mailbox.push(&mut ResultText::default(), 1, &codes, &row, 0).unwrap();
    assert_eq!(mailbox.batch.extras(), [ExtraValue::Text(long.clone().into_bytes()), ExtraValue::Bytes(bytes.clone())]);
    assert_eq!(mailbox.all_rows(&codes)[0], [text(&long), Value::Bytes(bytes), text("short")]);
    let at_the_limit = "y".repeat(16_384);
    mailbox.push(&mut ResultText::default(), 2, TEXT, &text_row(&at_the_limit), 0).unwrap();
    assert_eq!(mailbox.batch.extras().len(), 2);
}

#[test]
fn bytes_grow_downwards_from_the_end() {
    let mut mailbox = Mailbox::of_size(64, 100);
    let codes = [TypeCode::BYTEA, TypeCode::TEXT];
    let row = data_row(&[Some(b"\x01\x02\x03"), Some(b"text")]);
    mailbox.push(&mut ResultText::default(), 1, &codes, &row, 0).unwrap();
    assert_eq!(mailbox.cells[0], 97 | 100 << 32);
    assert_eq!(mailbox.bytes[97..], [1, 2, 3]);
    assert_eq!(mailbox.bytes[..4], *b"text");
}

#[test]
fn full_leaves_no_trace() {
    // Each row fits by its first column and not by its last.
    let array = [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1][..], &[255; 8]].concat();
    let int4_array = TypeCode(TypeCode::INT4.0 | TypeCode::ARRAY);
    let long = [b'x'; 20_000];
    let big = [0; 91];
    let rows: [(&[TypeCode], Vec<u8>); 4] = [
        (&[TypeCode::TEXT, TypeCode::BYTEA], data_row(&[Some(b"text"), Some(&big)])),
        (&[TypeCode::TEXT, TypeCode::TEXT, TypeCode::TEXT], data_row(&[Some(&long), Some(b"text"), Some(&big)])),
        (&[int4_array, int4_array, int4_array], data_row(&[Some(&array[..]); 3])),
        (&[TypeCode::BOOL; 40], data_row(&[Some(&[1][..]); 40])),
    ];
    for (codes, row) in rows {
        let mut mailbox = Mailbox::of_size(15, 100);
        let mut result = ResultText::default();
        let first = [TypeCode::TEXT, int4_array, TypeCode::BYTEA];
        mailbox.push(&mut result, 1, &first, &data_row(&[Some(b"first"), Some(&array), Some(b"\x01")]), 0).unwrap();
        let before = (mailbox.batch.segments().to_vec(), mailbox.all_rows(&first));
        assert_eq!(mailbox.push(&mut ResultText::default(), 2, codes, &row, 0), Ok(Pushed::Full), "{codes:?}");
        assert_eq!(mailbox.batch.extras(), []);
        assert_eq!((mailbox.batch.segments().to_vec(), mailbox.all_rows(&first)), before);
        // What is left is as much as before: a row that just fits still does.
        let left = [b'y'; 94];
        assert_eq!(
            mailbox.push(&mut result, 1, &first, &data_row(&[Some(&left), Some(&array), None]), 0),
            Ok(Pushed::Appended)
        );
        assert_eq!(mailbox.all_rows(&first)[0], before.1[0]);
    }
}

#[test]
fn a_malformed_row_leaves_no_trace() {
    let mut mailbox = Mailbox::new();
    let codes = [TypeCode::TEXT, TypeCode::INT4];
    let mut result = ResultText::default();
    mailbox.push(&mut result, 1, &codes, &data_row(&[Some(b"a"), None]), 0).unwrap();
    let long = vec![b'x'; 20_000];
    let error = mailbox.push(&mut result, 1, &codes, &data_row(&[Some(&long), Some(b"abc")]), 0).unwrap_err();
    assert_eq!(error.to_string(), "malformed row: column 2 (int4): 3 bytes where 4 were expected");
    assert!(mailbox.batch.extras().is_empty());
    assert_eq!(mailbox.push(&mut result, 1, &codes, &data_row(&[Some(b"b"), None]), 0), Ok(Pushed::Appended));
    assert_eq!(mailbox.all_rows(&codes), [[text("a"), Value::Null], [text("b"), Value::Null]]);
}

#[test]
fn many_extras_wait_for_the_delivery() {
    let mut mailbox = Mailbox::new();
    let mut result = ResultText::default();
    let row = text_row(&"x".repeat(1024 * 1024));
    for _ in 0..4 {
        assert_ne!(mailbox.push(&mut result, 1, TEXT, &row, 0), Ok(Pushed::Full));
    }
    assert_eq!(mailbox.push(&mut result, 1, TEXT, &row, 0), Ok(Pushed::Full));
    mailbox.batch.reset();
    assert_eq!(mailbox.push(&mut result, 1, TEXT, &row, 0), Ok(Pushed::Opened(0)));
}

#[test]
fn rows_without_columns_fill_the_mailbox_too() {
    let mut mailbox = Mailbox::of_size(10, 10);
    let mut result = ResultText::default();
    for row in 0..10 {
        let pushed = mailbox.push(&mut result, 1, &[], &[0, 0], 0);
        assert_eq!(pushed, Ok(if row == 0 { Pushed::Opened(0) } else { Pushed::Appended }));
    }
    assert_eq!(mailbox.push(&mut result, 1, &[], &[0, 0], 0), Ok(Pushed::Full));
    assert_eq!(mailbox.batch.segments()[0].rows, 10);
}
