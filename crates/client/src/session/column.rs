//! Result columns.

use std::rc::Rc;

use oxpg_codec::types::{Type, TypeCode};

/// A result column, as a RowDescription message tells it.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name; not necessarily unique.
    pub name: String,
    /// OID of its type.
    pub type_oid: u32,
    /// OID of the table it comes from, 0 when it is no plain table column.
    pub table_oid: u32,
    /// Its number in that table, 0 when it is no plain table column.
    pub attribute_number: i16,
    /// `pg_attribute.atttypmod`; −1 means none.
    pub type_modifier: i32,
    /// How its values cross to JavaScript.
    pub code: TypeCode,
    /// The type, unless it is a built-in one without parts.
    pub tree: Option<Rc<Type>>,
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        let facts = |column: &Self| {
            let tree = column.tree.as_ref().map(|tree| tree.id);
            (column.type_oid, column.table_oid, column.attribute_number, column.type_modifier, column.code, tree)
        };
        self.name == other.name && facts(self) == facts(other)
    }
}

impl Eq for Column {}
