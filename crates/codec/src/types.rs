//! Built-in types by OID: which decoder and encoder a column or parameter uses.

mod built_in;
mod families;

use built_in::{BUILT_IN, BuiltIn};

/// How values of one type cross the boundary; one byte per column and parameter.
///
/// The low seven bits name a family (a constant below), bit 7 marks an array of it.
/// The numbers are those of `src/types/type-code.ts`: both come from `crates/codegen/data/families.tsv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeCode(pub u8);

impl TypeCode {
    /// Whether values come and go in PostgreSQL's binary format (format code 1).
    #[must_use]
    pub fn is_binary(self) -> bool {
        self != Self::UNKNOWN
    }

    /// Whether this is an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        self.0 & Self::ARRAY != 0
    }

    /// The family of an array's elements, or the type itself.
    #[must_use]
    pub fn element(self) -> Self {
        Self(self.0 & !Self::ARRAY)
    }

    /// The code of a type; [`TypeCode::UNKNOWN`] for a type (or an array of one) that has no binary codec here.
    #[must_use]
    pub fn of(type_oid: u32) -> Self {
        match find(type_oid) {
            Some((built_in, false)) => built_in.code,
            Some((BuiltIn { code: Self::UNKNOWN, .. }, true)) | None => Self::UNKNOWN,
            Some((built_in, true)) => Self(built_in.code.0 | Self::ARRAY),
        }
    }

    /// The family's name for messages: `int4`, `text[]`.
    pub(crate) fn name(self) -> &'static str {
        let known = BUILT_IN.iter().find(|built_in| built_in.code == self.element());
        match known {
            Some(built_in) if self.element() != Self::UNKNOWN => {
                if self.is_array() {
                    built_in.array_name
                } else {
                    built_in.name
                }
            }
            _ => "a type without a binary codec",
        }
    }
}

/// A parameter of a statement: its type, and how values for it cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterType {
    /// The type's OID, as ParameterDescription gives it.
    pub type_oid: u32,
    /// How its values cross.
    pub code: TypeCode,
}

/// The name of a built-in type as PostgreSQL's catalog has it, `int4`, or `int4[]` for an array type.
#[must_use]
pub fn type_name(type_oid: u32) -> Option<&'static str> {
    find(type_oid).map(|(built_in, is_array)| if is_array { built_in.array_name } else { built_in.name })
}

/// The element type of a built-in array type.
#[must_use]
pub fn array_element_oid(array_oid: u32) -> Option<u32> {
    find(array_oid).filter(|(_, is_array)| *is_array).map(|(built_in, _)| built_in.oid)
}

/// The built-in type with that OID, or the one whose array type has it (then with `true`).
fn find(type_oid: u32) -> Option<(&'static BuiltIn, bool)> {
    if type_oid == 0 {
        return None;
    }
    BUILT_IN.iter().find_map(|built_in| {
        let is_array = built_in.array_oid == type_oid;
        (is_array || built_in.oid == type_oid).then_some((built_in, is_array))
    })
}
