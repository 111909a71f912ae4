//! The type that a value is encoded for.

use super::error::Refusal;
use crate::types::{
    DELIMITER_OF_VECTORS, Field, Kind, ParameterType, Type, TypeCode, array_element_oid, first_subscript,
};

/// A type: a parameter's, or that of a part of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'t> {
    /// As the server has declared it: perhaps a domain's. 0 when it is not known.
    pub(super) oid: u32,
    pub(super) code: TypeCode,
    /// `None` for a built-in type without parts.
    pub(super) tree: Option<&'t Type>,
}

/// The elements of an array type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'t> {
    /// Without an OID they can only be sent as text.
    pub(super) target: Target<'t>,
    /// What stands between them in the text format.
    pub(super) delimiter: u8,
    /// `int2vector` and `oidvector` have subscripts from 0 and a text format of their own.
    pub(super) is_vector: bool,
}

/// `box` is the one built-in type whose arrays are not delimited by commas.
const BOX_ARRAY: u32 = 1020;

impl<'t> From<&'t ParameterType> for Target<'t> {
    fn from(parameter: &'t ParameterType) -> Self {
        Self { oid: parameter.type_oid, code: parameter.code, tree: parameter.tree.as_deref() }
    }
}

impl<'t> From<&'t Type> for Target<'t> {
    fn from(tree: &'t Type) -> Self {
        Self { oid: tree.oid, code: tree.code, tree: Some(tree) }
    }
}

impl<'t> Target<'t> {
    fn kind(&self) -> &'t Kind {
        self.tree.map_or(&Kind::Scalar, |tree| &tree.kind)
    }

    /// The name for messages.
    pub(super) fn name(&self) -> &'t str {
        self.tree.map_or(self.code.name(), |tree| &tree.name)
    }

    /// The elements, when this is an array type.
    pub(super) fn elements(&self) -> Result<Elements<'t>, Refusal> {
        match self.kind() {
            Kind::Array { element, delimiter } => {
                let is_vector = *delimiter == DELIMITER_OF_VECTORS;
                Ok(Elements { target: Target::from(&**element), delimiter: *delimiter, is_vector })
            }
            _ if self.code.is_array() => {
                let is_vector = first_subscript(self.oid) == 0;
                Ok(self.elements_without_tree(array_element_oid(self.oid).unwrap_or(0), is_vector))
            }
            _ => Err(Refusal::mismatch(self.code, "an array")),
        }
    }

    /// The elements of a parameter of a type of which nothing is known: it may be an array.
    pub(super) fn unknown_elements(&self) -> Option<Elements<'t>> {
        let is_unknown = self.code == TypeCode::UNKNOWN && self.tree.is_none();
        is_unknown.then(|| self.elements_without_tree(0, false))
    }

    fn elements_without_tree(&self, oid: u32, is_vector: bool) -> Elements<'t> {
        let delimiter = if self.oid == BOX_ARRAY { b';' } else { b',' };
        Elements { target: Target { oid, code: self.code.element(), tree: None }, delimiter, is_vector }
    }

    /// The attributes, when this is a composite type with so many of them.
    pub(super) fn attributes(&self, count: usize) -> Result<&'t [Field], Refusal> {
        let Kind::Composite { fields } = self.kind() else {
            return Err(Refusal::mismatch(self.code, "a composite value"));
        };
        if fields.len() == count {
            return Ok(fields);
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        Err(Refusal::count(
            &format_args!("{count} value{}", plural(count)),
            self.name(),
            &format_args!("{} attribute{}", fields.len(), plural(fields.len())),
        ))
    }

    /// The type of the bounds, when this is a range type.
    pub(super) fn subtype(&self) -> Result<Target<'t>, Refusal> {
        match self.kind() {
            Kind::Range { subtype } => Ok(Target::from(&**subtype)),
            _ => Err(Refusal::mismatch(self.code, "a range")),
        }
    }

    /// The type of the ranges, when this is a multirange type.
    pub(super) fn range(&self) -> Result<Target<'t>, Refusal> {
        match self.kind() {
            Kind::Multirange { range } => Ok(Target::from(&**range)),
            _ => Err(Refusal::mismatch(self.code, "a multirange")),
        }
    }
}
