//! What the targets for types with parts share: a type chosen by the input, and a row of it taken in both memories.

use std::rc::Rc;

use oxpg_codec::batch::{Batch, Memory, Pushed, ResultText, RowTypes, own_memory_row};
use oxpg_codec::types::{Field, Kind, Type, TypeCode, TypeRef, TypeSource};

const MOST_LEVELS: usize = 5;
const FIRST_OID: u32 = 16_384;

/// A type made of what the bytes choose, of built-in families where they end. `is_text` makes it one whose values
/// come in the text format.
pub fn type_of(choices: &[u8], is_text: bool) -> Rc<Type> {
    let tree = part(&mut choices.iter().copied(), 0);
    let tree = if tree.code.is_compound() { tree } else { array_of(tree) };
    let code = if is_text { TypeCode::COMPOUND_TEXT } else { TypeCode::COMPOUND };
    Rc::new(Type {
        id: tree.id,
        oid: tree.oid,
        schema: tree.schema.clone(),
        name: tree.name.clone(),
        code,
        kind: tree.kind.clone(),
        codec: 0,
        own_code: code,
    })
}

fn part(choices: &mut impl Iterator<Item = u8>, level: usize) -> Rc<Type> {
    let choice = choices.next().unwrap_or(TypeCode::INT4.0);
    let mut next = || part(choices, level + 1);
    let kind = match choice % 8 {
        _ if level == MOST_LEVELS => Kind::Scalar,
        0 => Kind::Array { element: next(), delimiter: if choice & 8 == 0 { b',' } else { b';' } },
        1 | 2 => {
            Kind::Composite { fields: (0..choice / 8 % 4).map(|_| Field { name: "a".into(), tree: next() }).collect() }
        }
        3 => Kind::Range { subtype: next() },
        4 => Kind::Multirange { range: new(Kind::Range { subtype: next() }, TypeCode::UNKNOWN) },
        _ => Kind::Scalar,
    };
    // Families without parts, and records.
    new(kind, TypeCode(choices.next().unwrap_or(choice / 8) % (TypeCode::RECORD.0 + 1)))
}

fn array_of(element: Rc<Type>) -> Rc<Type> {
    new(Kind::Array { element, delimiter: b',' }, TypeCode::UNKNOWN)
}

fn new(kind: Kind, code: TypeCode) -> Rc<Type> {
    Type::new(FIRST_OID + u32::from(code.0), "public", "fuzzed", kind, code, 0)
}

/// Knows the built-in families by their codes as OIDs, and the described type by OID 200.
struct Source<'a>(&'a Rc<Type>);

impl TypeSource for Source<'_> {
    fn type_of(&self, type_oid: u32) -> Option<TypeRef> {
        match u8::try_from(type_oid).ok()? {
            200 => Some(TypeRef { code: self.0.code, tree: Some(Rc::clone(self.0)) }),
            code => Some(TypeRef { code: TypeCode(code), tree: None }).filter(|_| code != 255),
        }
    }
}

/// A row of one value: no panic, the mailbox takes what memory of its own takes, and that is in proportion.
pub fn check(code: TypeCode, tree: &Rc<Type>, bytes: &[u8]) {
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    let row = [&[0, 1][..], &length.to_be_bytes(), bytes].concat();
    let trees = [Some(Rc::clone(tree))];
    let types =
        RowTypes { codes: &[code], trees: if code.is_compound() { &trees } else { &[] }, source: &Source(tree) };
    let (mut cells, mut marks, mut text) = ([0; 256], [0; 256], [0; 4096]);
    let mut memory = Memory { cells: &mut cells, marks: &mut marks, bytes: &mut text };
    let pushed = Batch::new().push_row(&mut memory, &mut ResultText::default(), 1, types, &row, 0);
    let owned = own_memory_row(types, &row);
    if let Ok(owned) = &owned {
        assert!(owned.cells.len() <= 1 + 2 * row.len());
    }
    if pushed != Ok(Pushed::Full) {
        assert_eq!(pushed.err(), owned.err());
    }
}
