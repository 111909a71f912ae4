//! Types with parts from PostgreSQL's text format, into the same cells as from the binary one. A type has this format
//! when one of its parts has no binary codec, and every value has it on the simple protocol.
//!
//! The text is taken as the server's output functions write it, which is stricter than what its input functions take.

mod array;
mod composite;
mod range;
mod token;

use std::rc::Rc;

use super::{Cell, Destination, Problem, Stop, families};
use crate::types::{DELIMITER_OF_VECTORS, Kind, Type, TypeCode};

/// What stands between the elements of arrays, by `pg_type.typdelim`.
const COMMA: u8 = b',';
/// `box` alone among the built-in types has another one.
const DELIMITER_OF_BOXES: u8 = b';';
const INT2_VECTOR: TypeCode = TypeCode(TypeCode::INT2.0 | TypeCode::ARRAY);
const OID_VECTOR: TypeCode = TypeCode(TypeCode::OID.0 | TypeCode::ARRAY);

/// Decodes a column's value by its type, or by its code where that says enough.
pub(super) fn column(
    destination: &mut Destination<'_>,
    tree: Option<&Option<Rc<Type>>>,
    code: TypeCode,
    text: &[u8],
) -> Result<Cell, Stop> {
    match tree {
        Some(Some(tree)) => part(destination, tree, text),
        _ if code.is_compound() => Err(Stop::invalid("a type with parts that was not described")),
        _ => leaf(destination, code, text),
    }
}

/// Decodes a value of any type that is not NULL.
pub(super) fn part(destination: &mut Destination<'_>, tree: &Type, text: &[u8]) -> Result<Cell, Stop> {
    match (tree.code, &tree.kind) {
        (code, _) if code.is_compound() => parts(destination, tree, text),
        (code, Kind::Array { delimiter, .. }) if code.is_array() => array_of_code(destination, code, *delimiter, text),
        (code, _) => leaf(destination, code, text),
    }
}

fn parts(destination: &mut Destination<'_>, tree: &Type, text: &[u8]) -> Result<Cell, Stop> {
    destination.descend()?;
    let cell = match &tree.kind {
        Kind::Composite { fields } => composite::composite(destination, fields, text)?,
        Kind::Array { element, delimiter } => {
            let decode = |destination: &mut Destination<'_>, text: &[u8]| part(destination, element, text);
            // A vector's numbers have a codec of the application's.
            if *delimiter == DELIMITER_OF_VECTORS {
                array::vector(destination, text, decode)?
            } else {
                array::array(destination, *delimiter, text, decode)?
            }
        }
        Kind::Range { subtype } => range::range(destination, subtype, text)?,
        Kind::Multirange { range } => range::multirange(destination, range, text)?,
        Kind::Scalar => return Err(Stop::invalid("a type with parts whose parts were not described")),
    };
    destination.ascend();
    Ok(cell)
}

/// Decodes a value whose code says enough.
fn leaf(destination: &mut Destination<'_>, code: TypeCode, text: &[u8]) -> Result<Cell, Stop> {
    match code {
        TypeCode::UNKNOWN => destination.text_value(text),
        TypeCode::RECORD => composite::record(destination, text),
        TypeCode::RAW => Err(Stop::Malformed(Problem::Unsupported(
            "a type with a binary codec of the application's where values come in the text format only",
        ))),
        code if code.is_array() => {
            let delimiter = if code.element() == TypeCode::BOX { DELIMITER_OF_BOXES } else { COMMA };
            array_of_code(destination, code, delimiter, text)
        }
        code => families::value_of_text(destination, code, text),
    }
}

fn array_of_code(destination: &mut Destination<'_>, code: TypeCode, delimiter: u8, text: &[u8]) -> Result<Cell, Stop> {
    let decode = |destination: &mut Destination<'_>, text: &[u8]| leaf(destination, code.element(), text);
    match text.first() {
        Some(b'{' | b'[') => array::array(destination, delimiter, text, decode),
        _ if code == INT2_VECTOR || code == OID_VECTOR => array::vector(destination, text, decode),
        _ => Err(Stop::invalid("an array without braces")),
    }
}
