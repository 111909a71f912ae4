//! Built-in types by OID: which decoder and encoder a column or parameter uses.

mod built_in;

use built_in::{BUILT_IN, BuiltIn};

/// How values of one type cross the boundary; one byte per column and parameter.
///
/// The low seven bits name a family (constants below), bit 7 marks an array of it.
/// The numbers are shared with `src/native/type-code.ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeCode(pub u8);

impl TypeCode {
    /// A type this crate has no binary codec for: it crosses as PostgreSQL's text, format code 0.
    pub const UNKNOWN: Self = Self(0);
    /// `bool`
    pub const BOOL: Self = Self(1);
    /// `int2`
    pub const INT2: Self = Self(2);
    /// `int4`
    pub const INT4: Self = Self(3);
    /// `int8`
    pub const INT8: Self = Self(4);
    /// `oid`, `xid`, `cid`: unsigned 32-bit identifiers
    pub const OID: Self = Self(5);
    /// `float4`
    pub const FLOAT4: Self = Self(6);
    /// `float8`
    pub const FLOAT8: Self = Self(7);
    /// `numeric`
    pub const NUMERIC: Self = Self(8);
    /// `text`, `varchar`, `bpchar`, `name`, `xml`, `unknown`: binary form is the text itself
    pub const TEXT: Self = Self(9);
    /// `"char"`: one byte
    pub const CHAR: Self = Self(10);
    /// `bytea`
    pub const BYTEA: Self = Self(11);
    /// `json`
    pub const JSON: Self = Self(12);
    /// `jsonb`
    pub const JSONB: Self = Self(13);
    /// `uuid`
    pub const UUID: Self = Self(14);
    /// `date`
    pub const DATE: Self = Self(15);
    /// `time`
    pub const TIME: Self = Self(16);
    /// `timestamp`
    pub const TIMESTAMP: Self = Self(17);
    /// `timestamptz`
    pub const TIMESTAMPTZ: Self = Self(18);
    /// `void`: always null in JavaScript
    pub const VOID: Self = Self(19);
    /// Bit 7: an array whose elements have the family in the low bits.
    pub const ARRAY: u8 = 0x80;

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
