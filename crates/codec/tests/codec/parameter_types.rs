//! Types as a server's catalog would describe them, for the tests of parameters.

use std::rc::Rc;

use crate::support::{Cell, encode_as};
use oxpg_codec::parameters::EncodeError;
use oxpg_codec::types::{Field, Kind, ParameterType, Type, TypeCode};

/// A base type, enum, or domain over one.
pub(crate) fn scalar(oid: u32, name: &str, code: TypeCode) -> Rc<Type> {
    Type::new(oid, "public", name, Kind::Scalar, code, 0)
}

pub(crate) fn int4() -> Rc<Type> {
    scalar(23, "int4", TypeCode::INT4)
}

pub(crate) fn text() -> Rc<Type> {
    scalar(25, "text", TypeCode::TEXT)
}

pub(crate) fn money() -> Rc<Type> {
    scalar(790, "money", TypeCode::UNKNOWN)
}

pub(crate) fn timestamptz() -> Rc<Type> {
    scalar(1184, "timestamptz", TypeCode::TIMESTAMPTZ)
}

pub(crate) fn array(oid: u32, element: &Rc<Type>) -> Rc<Type> {
    delimited_array(oid, element, b',')
}

pub(crate) fn delimited_array(oid: u32, element: &Rc<Type>, delimiter: u8) -> Rc<Type> {
    let kind = Kind::Array { element: Rc::clone(element), delimiter };
    Type::new(oid, "public", &format!("{}[]", element.name), kind, TypeCode::UNKNOWN, 0)
}

pub(crate) fn composite(oid: u32, name: &str, fields: &[(&str, &Rc<Type>)]) -> Rc<Type> {
    let fields = fields.iter().map(|(name, tree)| Field { name: (*name).into(), tree: Rc::clone(tree) }).collect();
    Type::new(oid, "public", name, Kind::Composite { fields }, TypeCode::UNKNOWN, 0)
}

pub(crate) fn range_of(oid: u32, name: &str, subtype: &Rc<Type>) -> Rc<Type> {
    Type::new(oid, "public", name, Kind::Range { subtype: Rc::clone(subtype) }, TypeCode::UNKNOWN, 0)
}

pub(crate) fn multirange_of(oid: u32, name: &str, range: &Rc<Type>) -> Rc<Type> {
    Type::new(oid, "public", name, Kind::Multirange { range: Rc::clone(range) }, TypeCode::UNKNOWN, 0)
}

pub(crate) fn of_type(tree: &Rc<Type>) -> ParameterType {
    ParameterType { type_oid: tree.oid, code: tree.code, tree: Some(Rc::clone(tree)) }
}

/// Encodes one value of a described type by itself: its format code and its bytes.
pub(crate) fn encode(tree: &Rc<Type>, cell: &Cell) -> Result<(u8, Option<Vec<u8>>), EncodeError> {
    encode_as(of_type(tree), cell)
}

/// Asserts the bytes of a value that goes in binary.
pub(crate) fn binary(tree: &Rc<Type>, cell: Cell, expected: &str) {
    let expected = crate::support::hex(expected);
    assert_eq!(encode(tree, &cell), Ok((1, Some(expected))), "{} {cell:?}", tree.name);
}

/// Asserts the text of a value that goes as text.
pub(crate) fn literal(tree: &Rc<Type>, cell: Cell, expected: &str) {
    let (format, bytes) = encode(tree, &cell).unwrap();
    let bytes = String::from_utf8(bytes.unwrap()).unwrap();
    assert_eq!((format, bytes.as_str()), (0, expected), "{} {cell:?}", tree.name);
}

/// Asserts the message of a value that is refused.
pub(crate) fn refused(tree: &Rc<Type>, cell: Cell, expected: &str) {
    let error = encode(tree, &cell).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.element), (expected, None), "{} {cell:?}", tree.name);
}
