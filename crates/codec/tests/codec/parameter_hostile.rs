//! Cells for types with parts: those that fit are encoded to the last one, all others end in an error, never a panic.

use crate::parameter_types::{array, composite, multirange_of, of_type, range_of, scalar};
use crate::support::{Cell, Outbox, encode_as, parameter};
use oxpg_codec::types::{Kind, Type, TypeCode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::rc::Rc;

/// Scalars whose values `fitting` makes.
const LEAVES: [TypeCode; 14] = [
    TypeCode::UNKNOWN,
    TypeCode::BOOL,
    TypeCode::INT4,
    TypeCode::OID,
    TypeCode::FLOAT4,
    TypeCode::NUMERIC,
    TypeCode::TEXT,
    TypeCode::BYTEA,
    TypeCode::TIMESTAMPTZ,
    TypeCode::INTERVAL,
    TypeCode::POLYGON,
    TypeCode::HSTORE,
    TypeCode::XID8,
    TypeCode::HALFVEC,
];

fn tree() -> impl Strategy<Value = Rc<Type>> {
    // Types are not Send: they are made from a plan.
    plan().prop_map(|plan| plan.build())
}

#[derive(Clone, Debug)]
enum Plan {
    Leaf(TypeCode),
    Array(Box<Plan>),
    Composite(Vec<Plan>),
    Range(Box<Plan>),
    Multirange(Box<Plan>),
}

impl Plan {
    fn build(&self) -> Rc<Type> {
        match self {
            Self::Leaf(code) => scalar(90_301, "leaf", *code),
            // The element type of an array is no array.
            Self::Array(element) if matches!(**element, Self::Array(_)) => element.build(),
            Self::Array(element) => array(90_302, &element.build()),
            Self::Composite(fields) => {
                let fields: Vec<_> = fields.iter().map(Self::build).collect();
                composite(90_303, "c", &fields.iter().map(|field| ("f", field)).collect::<Vec<_>>())
            }
            Self::Range(subtype) => range_of(90_304, "r", &subtype.build()),
            Self::Multirange(subtype) => multirange_of(90_305, "m", &range_of(90_304, "r", &subtype.build())),
        }
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    select(&LEAVES[..]).prop_map(Plan::Leaf).prop_recursive(4, 12, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|element| Plan::Array(Box::new(element))),
            vec(inner.clone(), 0..4).prop_map(Plan::Composite),
            inner.clone().prop_map(|subtype| Plan::Range(Box::new(subtype))),
            inner.prop_map(|subtype| Plan::Multirange(Box::new(subtype))),
        ]
    })
}

/// A value that fits the type, made with numbers of which there are always more.
fn fitting(tree: &Type, next: &mut impl FnMut() -> u8) -> Cell {
    let small = next() % 3;
    if next().is_multiple_of(8) {
        return Cell::Null;
    }
    match &tree.kind {
        Kind::Array { element, .. } => {
            let elements: Vec<_> = (0..small).map(|_| fitting(element, next)).collect();
            Cell::Array(vec![(1, 1), (u32::from(small), i32::from(next()))], elements)
        }
        Kind::Composite { fields } => Cell::Composite(fields.iter().map(|field| fitting(&field.tree, next)).collect()),
        Kind::Range { .. } => fitting_range(tree, next),
        Kind::Multirange { range } => Cell::Multirange((0..small).map(|_| fitting_range(range, next)).collect()),
        Kind::Scalar => match tree.code {
            TypeCode::BOOL => Cell::Bool(small == 0),
            TypeCode::INT4 | TypeCode::OID | TypeCode::XID8 => Cell::I32(i32::from(small)),
            TypeCode::FLOAT4 => Cell::F64(0.1 * f64::from(small)),
            TypeCode::NUMERIC if small > 0 => Cell::I64(i64::MAX),
            TypeCode::NUMERIC => Cell::Text("1.5".to_owned()),
            TypeCode::BYTEA => Cell::Bytes(vec![small; usize::from(small)]),
            TypeCode::TIMESTAMPTZ if small > 0 => Cell::Millis(1e12),
            TypeCode::TIMESTAMPTZ => Cell::Text("now".to_owned()),
            TypeCode::INTERVAL => Cell::Interval { months: 1, days: -1, micros: i64::from(small) },
            TypeCode::POLYGON => Cell::Doubles(true, vec![0.5; 2 * (1 + usize::from(small))]),
            TypeCode::HSTORE => {
                Cell::Hstore((0..small).map(|key| (Cell::Text(format!("{key}\"")), Cell::Null)).collect())
            }
            TypeCode::HALFVEC => Cell::Bytes(vec![small; 4 * usize::from(small)]),
            _ => Cell::Text("a \"b\" \\ (,)".to_owned()),
        },
    }
}

fn fitting_range(tree: &Type, next: &mut impl FnMut() -> u8) -> Cell {
    let Kind::Range { subtype } = &tree.kind else { panic!("{}", tree.name) };
    Cell::Range(i32::from(next() % 32), Box::new([fitting(subtype, next), fitting(subtype, next)]))
}

fn cell_of(tree: &Type, numbers: &[u8]) -> Cell {
    let mut numbers = numbers.iter().copied().cycle();
    fitting(tree, &mut || numbers.next().unwrap())
}

proptest! {
    #[test]
    fn values_that_fit_are_encoded_whole(tree in tree(), numbers in vec(any::<u8>(), 40)) {
        let cell = cell_of(&tree, &numbers);
        let encoded = encode_as(of_type(&tree), &cell);
        prop_assert!(encoded.is_ok(), "{:?}", encoded);
        if tree.code == TypeCode::COMPOUND_TEXT {
            prop_assert_eq!(encoded.unwrap().0, 0);
        }
    }

    #[test]
    fn broken_cells_never_panic(
        tree in tree(),
        numbers in vec(any::<u8>(), 40),
        place: Index,
        byte: u8,
        end in proptest::option::of(any::<Index>()),
    ) {
        let mut outbox = Outbox::default();
        outbox.write(&cell_of(&tree, &numbers));
        let place = place.index(outbox.cells.len());
        outbox.cells[place] = byte;
        if let Some(end) = end {
            outbox.cells.truncate(end.index(outbox.cells.len()));
        }
        let mut out = vec![1, 2, 3];
        match outbox.encode(&[of_type(&tree)], &mut out) {
            Ok(consumed) => prop_assert!(consumed <= outbox.cells.len()),
            Err(error) => {
                prop_assert_eq!(error.parameter, 1);
                prop_assert_eq!(out, [1, 2, 3]);
            }
        }
    }

    #[test]
    fn more_parts_than_cells_are_refused(tree in tree(), cells in 0_u32..6, more in 0_u32..i32::MAX as u32) {
        let of_payload = |count: u32| (count, u64::from(count).to_le_bytes());
        // Array, composite, multirange, doubles, hstore, with the cells that each part has at least.
        for (tag, each, is_payload) in [(7, 1, true), (11, 1, false), (13, 1, false), (15, 1, true), (16, 2, false)] {
            let count = (cells / each + 1).saturating_add(more).min(i32::MAX as u32);
            let mut outbox = Outbox::default();
            match of_payload(count) {
                (_, payload) if is_payload => outbox.raw(tag, 1, payload),
                (count, _) => outbox.raw(tag, count as i32, [0; 8]),
            }
            for _ in 0..cells {
                outbox.write(&Cell::Null);
            }
            let mut out = Vec::new();
            let error = outbox.encode(&[of_type(&tree)], &mut out).unwrap_err();
            prop_assert_eq!(error.to_string(), "malformed parameter cells");
            prop_assert_eq!(out.capacity(), out.capacity().min(64));
        }
    }
}

#[test]
fn a_range_without_both_bounds_and_an_interval_without_its_days_are_refused() {
    for (tag, behind) in [(12, vec![]), (12, vec![Cell::Null]), (14, vec![]), (14, vec![Cell::Null])] {
        let mut outbox = Outbox::default();
        outbox.raw(tag, 0, [0; 8]);
        for cell in &behind {
            outbox.write(cell);
        }
        let error = outbox.encode(&[parameter(1186)], &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "malformed parameter cells", "{tag} {behind:?}");
    }
}

#[test]
fn negative_counts_are_refused() {
    for tag in [7, 11, 13, 16] {
        let mut outbox = Outbox::default();
        outbox.raw(tag, -1, [0; 8]);
        let error = outbox.encode(&[parameter(1186)], &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "malformed parameter cells", "{tag}");
    }
}
