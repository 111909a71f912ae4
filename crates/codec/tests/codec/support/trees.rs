//! Values of types with parts: their trees, their bytes, and how JavaScript reads their cells.

use super::{Mailbox, Reader, Strings, Value, data_row};
use oxpg_codec::batch::{ExtraValue, Memory, Pushed, ResultText, RowError, RowTypes, TextMode, own_memory_row};
use oxpg_codec::types::{Field, Kind, NoTypes, Type, TypeCode, TypeSource};
use std::rc::Rc;

/// The type that a record gives to one of its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ValueType {
    Code(TypeCode),
    Described(String),
}

pub(crate) fn scalar(oid: u32, code: TypeCode) -> Rc<Type> {
    Type::new(oid, "pg_catalog", &format!("type {oid}"), Kind::Scalar, code, 0)
}

pub(crate) fn array_of(oid: u32, element: &Rc<Type>) -> Rc<Type> {
    let kind = Kind::Array { element: Rc::clone(element), delimiter: b',' };
    Type::new(oid, "public", &format!("{}[]", element.name), kind, TypeCode::UNKNOWN, 0)
}

pub(crate) fn composite(oid: u32, name: &str, attributes: &[&Rc<Type>]) -> Rc<Type> {
    let fields = attributes.iter().map(|tree| Field { name: "a".into(), tree: Rc::clone(tree) });
    Type::new(oid, "public", name, Kind::Composite { fields: fields.collect() }, TypeCode::UNKNOWN, 0)
}

pub(crate) fn range_of(oid: u32, subtype: &Rc<Type>) -> Rc<Type> {
    Type::new(oid, "public", "a range", Kind::Range { subtype: Rc::clone(subtype) }, TypeCode::UNKNOWN, 0)
}

pub(crate) fn multirange_of(oid: u32, range: &Rc<Type>) -> Rc<Type> {
    Type::new(oid, "public", "a multirange", Kind::Multirange { range: Rc::clone(range) }, TypeCode::UNKNOWN, 0)
}

pub(crate) fn domain_over(oid: u32, base: &Rc<Type>) -> Rc<Type> {
    Type::new(oid, "public", "a domain", base.kind.clone(), base.code, 0)
}

/// The same type as if one of its parts had no binary codec.
pub(crate) fn as_text(tree: &Rc<Type>) -> Rc<Type> {
    Rc::new(Type {
        id: tree.id,
        oid: tree.oid,
        schema: tree.schema.clone(),
        name: tree.name.clone(),
        code: TypeCode::COMPOUND_TEXT,
        kind: tree.kind.clone(),
        codec: 0,
        own_code: TypeCode::COMPOUND_TEXT,
    })
}

/// Values with their lengths in front.
pub(crate) fn prefixed(values: &[Option<&[u8]>]) -> Vec<u8> {
    // The number of a row's fields has 16 bits.
    values.chunks(1_000).flat_map(|values| data_row(values).split_off(2)).collect()
}

/// A composite value or a record: OIDs and values.
pub(crate) fn record_bytes(values: &[(u32, Option<&[u8]>)]) -> Vec<u8> {
    let mut bytes = (values.len() as u32).to_be_bytes().to_vec();
    for (type_oid, value) in values {
        bytes.extend_from_slice(&type_oid.to_be_bytes());
        bytes.extend(prefixed(&[*value]));
    }
    bytes
}

/// An array value of one dimension.
pub(crate) fn array_bytes(element_oid: u32, elements: &[Option<&[u8]>]) -> Vec<u8> {
    let mut bytes = [1, 0, element_oid, elements.len() as u32, 1].map(u32::to_be_bytes).concat();
    bytes.extend(prefixed(elements));
    bytes
}

pub(crate) fn range_bytes(flags: u8, bounds: &[&[u8]]) -> Vec<u8> {
    let bounds: Vec<_> = bounds.iter().map(|bound| Some(*bound)).collect();
    [vec![flags], prefixed(&bounds)].concat()
}

pub(crate) fn range(flags: u32, lower: Value, upper: Value) -> Value {
    Value::Range(flags, Box::new([lower, upper]))
}

/// Decodes one value of a column with that type, in the mailbox and in memory of its own.
pub(crate) fn decode_tree(tree: &Rc<Type>, bytes: &[u8]) -> Result<Value, RowError> {
    decode_with(tree, &NoTypes, bytes)
}

pub(crate) fn decode_with(tree: &Rc<Type>, source: &dyn TypeSource, bytes: &[u8]) -> Result<Value, RowError> {
    decode_column(tree, source, bytes, false)
}

/// Decodes one value of a column with that type that comes as PostgreSQL prints it.
pub(crate) fn decode_printed(tree: &Rc<Type>, text: &str) -> Result<Value, RowError> {
    decode_column(tree, &NoTypes, text.as_bytes(), true)
}

fn decode_column(tree: &Rc<Type>, source: &dyn TypeSource, bytes: &[u8], are_printed: bool) -> Result<Value, RowError> {
    let (codes, trees) = ([tree.code], [Some(Rc::clone(tree))]);
    let types = RowTypes { codes: &codes, trees: &trees, source, are_printed };
    let row = data_row(&[Some(bytes)]);
    let owned = own_memory_row(types, &row);
    let mut mailbox = Mailbox::of_size(2_000, 100_000);
    match mailbox.push_types(types, &row) {
        Ok(Pushed::Full) => owned.map(|owned| own_value(&owned, tree)),
        Ok(_) => {
            let value = mailbox.first_value(tree);
            assert_eq!(own_value(&owned.unwrap(), tree), value, "in memory of its own");
            Ok(value)
        }
        Err(error) => {
            assert_eq!(owned, Err(error.clone()), "in memory of its own");
            Err(error)
        }
    }
}

fn own_value(row: &oxpg_codec::batch::OwnedRow, tree: &Type) -> Value {
    assert_eq!(row.cells.len(), row.marks.len());
    let reader = Reader {
        cells: &row.cells,
        marks: &row.marks,
        bytes: &row.bytes,
        extras: &row.extras,
        strings: Strings::Direct { is_ascii: row.is_ascii },
    };
    reader.read_tree(tree, 0)
}

impl Mailbox {
    pub(crate) fn push_types(&mut self, types: RowTypes<'_>, row: &[u8]) -> Result<Pushed, RowError> {
        let mut memory = Memory { cells: &mut self.cells, marks: &mut self.marks, bytes: &mut self.bytes };
        self.batch.push_row(&mut memory, &mut ResultText::default(), 1, types, row, 0)
    }

    /// The first value of the last segment.
    pub(crate) fn first_value(&self, tree: &Type) -> Value {
        let segment = self.batch.segments().last().expect("a segment");
        assert_eq!(segment.mode, TextMode::Direct);
        let reader = Reader {
            cells: &self.cells,
            marks: &self.marks,
            bytes: &self.bytes,
            extras: self.batch.extras(),
            strings: Strings::Direct { is_ascii: segment.is_ascii },
        };
        reader.read_tree(tree, segment.first_cell as usize)
    }
}

impl Reader<'_> {
    fn read_tree(&self, tree: &Type, index: usize) -> Value {
        if self.marks[index] != 0 || !tree.code.is_compound() {
            return self.read(tree.code, index);
        }
        let block = self.cells[index] as usize;
        match &tree.kind {
            Kind::Array { element, .. } => self.array(block, |cell| self.read_tree(element, cell)),
            Kind::Composite { fields } => {
                let cells = fields.iter().zip(block..);
                Value::Composite(cells.map(|(field, cell)| self.read_tree(&field.tree, cell)).collect())
            }
            Kind::Range { subtype } => {
                let bound = |place: usize| self.read_tree(subtype, block + place);
                range(self.number(block), bound(1), bound(2))
            }
            Kind::Multirange { range } => {
                let cells = block + 1..=block + self.number(block) as usize;
                Value::Multirange(cells.map(|cell| self.read_tree(range, cell)).collect())
            }
            Kind::Scalar => panic!("a type with parts without parts"),
        }
    }

    /// The number in a block's first cell.
    fn number(&self, block: usize) -> u32 {
        assert_eq!(self.marks[block], 0);
        u32::try_from(self.cells[block]).expect("a number alone in its cell")
    }

    pub(super) fn record(&self, block: usize) -> Value {
        let count = self.number(block) as usize;
        let value = |place: usize| {
            let (tree, value) = (block + 1 + place, block + 1 + count + place);
            match self.marks[tree] {
                0 => {
                    let code = TypeCode(u8::try_from(self.cells[tree]).expect("a type code"));
                    (ValueType::Code(code), self.read(code, value))
                }
                2 => match &self.extras[self.cells[tree] as usize] {
                    ExtraValue::Type(tree) => {
                        (ValueType::Described(tree.name.to_string()), self.read_tree(tree, value))
                    }
                    other => panic!("{other:?} in place of a type"),
                },
                mark => panic!("mark {mark} of a type"),
            }
        };
        Value::Record((0..count).map(value).collect())
    }
}
