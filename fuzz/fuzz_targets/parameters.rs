//! Parameters of any types, with or without parts, from any cells: no panic, and what is refused leaves no bytes.
#![no_main]

use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use oxpg_codec::parameters::encode_parameters;
use oxpg_codec::types::{Field, Kind, ParameterType, Type, TypeCode};

/// Quotes are doubled in quotes, so text grows with the levels.
const MOST_LEVELS: usize = 5;
/// Families, without those that parts give.
const FAMILIES: u8 = TypeCode::RECORD.0;

/// A type from a plan: a byte for what it is, then its parts.
fn tree(plan: &mut impl Iterator<Item = u8>, levels: usize) -> Rc<Type> {
    let byte = plan.next().unwrap_or(0);
    let oid = u32::from(byte) + 16;
    let kind = match byte % 8 {
        _ if levels == 0 => Kind::Scalar,
        0 | 1 => Kind::Array { element: tree(plan, levels - 1), delimiter: b',' },
        2 | 3 => {
            let mut field = || Field { name: "attribute".into(), tree: tree(plan, levels - 1) };
            Kind::Composite { fields: (0..byte / 8 % 4).map(|_| field()).collect() }
        }
        4 => range(plan, levels),
        5 => Kind::Multirange { range: Type::new(oid, "s", "range", range(plan, levels), TypeCode::UNKNOWN, 0) },
        _ => Kind::Scalar,
    };
    Type::new(oid, "s", "type", kind, TypeCode(plan.next().unwrap_or(0) % FAMILIES), 0)
}

fn range(plan: &mut impl Iterator<Item = u8>, levels: usize) -> Kind {
    Kind::Range { subtype: tree(plan, levels - 1) }
}

fuzz_target!(|input: (u16, u8, &[u8], &[u8], &[u8])| {
    let (type_oid, code, plan, text, cells) = input;
    let tree = tree(&mut plan.iter().copied(), MOST_LEVELS);
    let types = [
        ParameterType { type_oid: tree.oid, code: tree.code, tree: Some(tree) },
        ParameterType { type_oid: u32::from(type_oid), code: TypeCode(code), tree: None },
        ParameterType::built_in(u32::from(type_oid)),
    ];
    let mut out = b"before".to_vec();
    match encode_parameters(&types, cells, text, &[text.to_vec()], &mut out) {
        Ok(consumed) => {
            assert!(consumed <= cells.len());
            assert!(out.starts_with(b"before\0\x03"));
        }
        Err(error) => {
            assert!((1..=types.len()).contains(&error.parameter));
            assert_eq!(out, b"before");
        }
    }
});
