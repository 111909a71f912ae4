//! Bytes that mean harm: an error, never a panic, and no more memory than they justify.

use crate::support::{Mailbox, data_row, own_values};
use oxpg_codec::batch::{Pushed, ResultText, RowTypes, own_memory_row, own_memory_text};
use oxpg_codec::parameters::encode_parameters;
use oxpg_codec::types::{ParameterType, TypeCode};
use proptest::collection::vec;
use proptest::prelude::*;

fn code() -> impl Strategy<Value = TypeCode> {
    // Those whose values need more than the code are tested with their types.
    let of_no_parts =
        (0..=TypeCode::RAW.0).filter(|family| !(TypeCode::RECORD.0..=TypeCode::COMPOUND_TEXT.0).contains(family));
    (proptest::sample::select(of_no_parts.collect::<Vec<_>>()), any::<bool>()).prop_map(|(family, is_array)| {
        // Arrays of unknown types and of void do not exist.
        let is_array = is_array && family != 0 && family != TypeCode::VOID.0;
        TypeCode(if is_array { family | TypeCode::ARRAY } else { family })
    })
}

fn fixed(length: usize) -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), length).boxed()
}

/// The bytes of some value of a family or of an array.
pub(crate) fn bytes_of(code: TypeCode) -> BoxedStrategy<Vec<u8>> {
    if code.is_array() {
        return (vec(1_u8..4, 0..3), any::<u8>())
            .prop_flat_map(move |(lengths, lower_bound)| {
                let count =
                    if lengths.is_empty() { 0 } else { lengths.iter().map(|length| usize::from(*length)).product() };
                vec(proptest::option::of(bytes_of(code.element())), count).prop_map(move |elements| {
                    let mut bytes = (lengths.len() as u32).to_be_bytes().to_vec();
                    bytes.extend_from_slice(&[0; 8]);
                    for length in &lengths {
                        bytes.extend_from_slice(&[0, 0, 0, *length, 0, 0, 0, lower_bound]);
                    }
                    let elements: Vec<Option<&[u8]>> = elements.iter().map(Option::as_deref).collect();
                    bytes.extend_from_slice(&data_row(&elements)[2..]);
                    bytes
                })
            })
            .boxed();
    }
    match code {
        TypeCode::BOOL | TypeCode::CHAR => fixed(1),
        TypeCode::INT2 => fixed(2),
        TypeCode::INT4 | TypeCode::OID | TypeCode::FLOAT4 | TypeCode::DATE => fixed(4),
        TypeCode::INT8 | TypeCode::FLOAT8 => fixed(8),
        TypeCode::TIMESTAMP | TypeCode::TIMESTAMPTZ => (-200_000_000_000_000_000_i64..200_000_000_000_000_000)
            .prop_map(|micros| micros.to_be_bytes().to_vec())
            .boxed(),
        TypeCode::TIME => (0..=86_400_000_000_i64).prop_map(|micros| micros.to_be_bytes().to_vec()).boxed(),
        TypeCode::UUID => fixed(16),
        TypeCode::NUMERIC => (vec(0_u16..10_000, 0..5), -9_i16..9, any::<bool>(), 0_u16..30)
            .prop_map(|(digits, weight, is_negative, scale)| {
                let mut bytes = (digits.len() as u16).to_be_bytes().to_vec();
                bytes.extend_from_slice(&weight.to_be_bytes());
                bytes.extend_from_slice(&(if is_negative { 0x4000_u16 } else { 0 }).to_be_bytes());
                bytes.extend_from_slice(&scale.to_be_bytes());
                bytes.extend(digits.iter().flat_map(|digit| digit.to_be_bytes()));
                bytes
            })
            .boxed(),
        TypeCode::INTERVAL | TypeCode::LSEG | TypeCode::BOX => fixed(if code == TypeCode::INTERVAL { 16 } else { 32 }),
        TypeCode::TIMETZ => (0..=86_400_000_000_i64, -57_599..57_600_i32)
            .prop_map(|(micros, zone)| [&micros.to_be_bytes()[..], &zone.to_be_bytes()].concat())
            .boxed(),
        TypeCode::INET => prop_oneof![
            (0_u8..=32, 0_u8..=1, any::<[u8; 4]>()).prop_map(|(bits, is_cidr, address)| [
                &[2, bits, is_cidr, 4][..],
                &address
            ]
            .concat()),
            (0_u8..=128, 0_u8..=1, any::<[u8; 16]>()).prop_map(|(bits, is_cidr, address)| [
                &[3, bits, is_cidr, 16][..],
                &address
            ]
            .concat()),
        ]
        .boxed(),
        TypeCode::MACADDR => prop_oneof![vec(any::<u8>(), 6), vec(any::<u8>(), 8)].boxed(),
        TypeCode::BIT => vec(any::<u8>(), 0..20)
            .prop_map(|bits| [&(bits.len() as u32 * 8).to_be_bytes()[..], &bits].concat())
            .boxed(),
        TypeCode::POINT => fixed(16),
        TypeCode::LINE | TypeCode::CIRCLE => fixed(24),
        TypeCode::PATH | TypeCode::POLYGON => (any::<bool>(), vec(any::<[u8; 16]>(), 0..5))
            .prop_map(move |(is_closed, points)| {
                let head = if code == TypeCode::PATH { vec![u8::from(is_closed)] } else { Vec::new() };
                [head, (points.len() as u32).to_be_bytes().to_vec(), points.concat()].concat()
            })
            .boxed(),
        TypeCode::LSN | TypeCode::XID8 => fixed(8),
        TypeCode::TID => fixed(6),
        TypeCode::SNAPSHOT => vec(any::<u64>(), 2..6)
            .prop_map(|ids| {
                let mut bytes = (ids.len() as u32 - 2).to_be_bytes().to_vec();
                bytes.extend(ids.iter().flat_map(|id| id.to_be_bytes()));
                bytes
            })
            .boxed(),
        TypeCode::HSTORE => vec((".{0,9}", proptest::option::of(".{0,9}")), 0..4)
            .prop_map(|pairs| {
                let fields: Vec<Option<&[u8]>> = pairs
                    .iter()
                    .flat_map(|(key, value)| [Some(key.as_bytes()), value.as_ref().map(String::as_bytes)])
                    .collect();
                [&(pairs.len() as u32).to_be_bytes()[..], &data_row(&fields)[2..]].concat()
            })
            .boxed(),
        TypeCode::VECTOR | TypeCode::HALFVEC => {
            let width = if code == TypeCode::VECTOR { 4 } else { 2 };
            vec(vec(any::<u8>(), width), 0..9)
                .prop_map(|elements| [&[0, elements.len() as u8, 0, 0], elements.concat().as_slice()].concat())
                .boxed()
        }
        TypeCode::EWKB | TypeCode::RAW => vec(any::<u8>(), 0..60).boxed(),
        TypeCode::JSONB | TypeCode::VERSIONED => ".{0,40}".prop_map(|text| [&[1], text.as_bytes()].concat()).boxed(),
        TypeCode::VOID => Just(Vec::new()).boxed(),
        TypeCode::BYTEA => vec(any::<u8>(), 0..60).boxed(),
        _ => prop_oneof![
            8 => "[ -~]{0,40}".prop_map(String::into_bytes),
            4 => ".{0,40}".prop_map(String::into_bytes),
            1 => vec(any::<u8>(), 0..40),
            1 => (16_000_usize..17_000).prop_map(|length| vec![b'x'; length]),
        ]
        .boxed(),
    }
}

/// A result: its codes, and rows that fit them.
fn result() -> impl Strategy<Value = (Vec<TypeCode>, Vec<Vec<u8>>)> {
    vec(code(), 0..5).prop_flat_map(|codes| {
        let fields: Vec<_> = codes.iter().map(|code| proptest::option::of(bytes_of(*code))).collect();
        let rows = vec(fields, 1..60).prop_map(|rows| {
            rows.iter().map(|row| data_row(&row.iter().map(Option::as_deref).collect::<Vec<_>>())).collect()
        });
        (Just(codes), rows)
    })
}

proptest! {
    #[test]
    fn texts_of_any_family_never_panic(
        code in code(),
        text in prop_oneof!["[-+@PTYMDHS0-9:. a-z]{0,30}", "[-(){}<>\\[\\],0-9.e]{0,30}", "[\"=>, NUL\\\\a]{0,30}", ".{0,30}"],
    ) {
        if let Ok(owned) = own_memory_text(code, text.as_bytes()) {
            let _ = own_values(&owned, &[code]);
        }
    }

    #[test]
    fn rows_in_the_mailbox_equal_rows_in_memory_of_their_own((codes, rows) in result(), remaining in 0_usize..20_000) {
        let mut mailbox = Mailbox::of_size(2_000, 100_000);
        let mut result = ResultText::default();
        let (mut read, mut expected) = (Vec::new(), Vec::new());
        for row in &rows {
            let owned = own_memory_row(RowTypes::plain(&codes), row).unwrap();
            expected.push(own_values(&owned, &codes));
            if mailbox.push(&mut result, 1, &codes, row, remaining).unwrap() == Pushed::Full {
                read.append(&mut mailbox.all_rows(&codes));
                mailbox.batch.reset();
                prop_assert_ne!(mailbox.push(&mut result, 1, &codes, row, remaining).unwrap(), Pushed::Full);
            }
        }
        read.append(&mut mailbox.all_rows(&codes));
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn random_rows_never_panic(codes in vec(any::<u8>().prop_map(TypeCode), 0..6), mut row in vec(any::<u8>(), 0..200)) {
        let _ = own_memory_row(RowTypes::plain(&codes), &row);
        // Past the first check.
        row.splice(0..0, (codes.len() as u16).to_be_bytes());
        let mut mailbox = Mailbox::of_size(100, 300);
        let pushed = mailbox.push(&mut ResultText::default(), 1, &codes, &row, 0);
        let owned = own_memory_row(RowTypes::plain(&codes), &row);
        prop_assert_eq!(pushed.is_err(), owned.is_err());
        let _ = own_memory_row(RowTypes { are_printed: true, ..RowTypes::plain(&codes) }, &row);
    }

    #[test]
    fn broken_values_never_panic(
        (code, mut bytes) in code().prop_flat_map(|code| (Just(code), bytes_of(code))),
        place: proptest::sample::Index,
        byte: u8,
        length: proptest::sample::Index,
    ) {
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(length.index(bytes.len() * 2));
        }
        let row = data_row(&[Some(&bytes)]);
        let pushed = Mailbox::of_size(64, 300).push(&mut ResultText::default(), 1, &[code], &row, 0);
        let owned = own_memory_row(RowTypes::plain(&[code]), &row);
        if pushed != Ok(Pushed::Full) {
            prop_assert_eq!(pushed.is_err(), owned.is_err());
        }
        if let Ok(owned) = owned {
            let _ = own_values(&owned, &[code]);
        }
    }

    #[test]
    fn random_cells_never_panic(
        codes in vec((any::<u8>().prop_map(TypeCode), any::<u32>()), 0..4),
        cells in vec((0_i32..18, -2_i32..8, 0_u32..20, 0_u32..20), 0..20),
        text in vec(any::<u8>(), 0..40),
    ) {
        let types: Vec<_> = codes.iter().map(|(code, type_oid)| ParameterType { type_oid: *type_oid, code: *code, tree: None }).collect();
        let cells: Vec<u8> = cells
            .iter()
            .flat_map(|(tag, auxiliary, first, second)| {
                [tag.to_le_bytes(), auxiliary.to_le_bytes(), first.to_le_bytes(), second.to_le_bytes()].concat()
            })
            .collect();
        let mut out = vec![1, 2, 3];
        match encode_parameters(&types, &cells, &text, std::slice::from_ref(&text), &mut out) {
            Ok(consumed) => prop_assert!(consumed <= cells.len()),
            Err(error) => {
                prop_assert!(error.parameter >= 1 && error.parameter <= types.len());
                prop_assert_eq!(out, [1, 2, 3]);
            }
        }
    }
}
