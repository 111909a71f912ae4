//! Types: which decoder and encoder a column or parameter uses, and what the types with parts are made of.

mod built_in;
mod families;
mod tree;

pub(crate) use families::Family;
pub use tree::{Field, Kind, NoTypes, Type, TypeRef, TypeSource};

use std::rc::Rc;

use built_in::{BUILT_IN, BuiltIn};

/// `int2vector` and `oidvector`: arrays in the binary format, though their subscripts start at 0.
const VECTORS: [(u32, TypeCode, u32); 2] =
    [(22, TypeCode(TypeCode::INT2.0 | TypeCode::ARRAY), 21), (30, TypeCode(TypeCode::OID.0 | TypeCode::ARRAY), 26)];

/// What stands between the numbers of `int2vector` and `oidvector` in the text format.
pub const DELIMITER_OF_VECTORS: u8 = b' ';

/// How values of one type cross the boundary; one byte per column and parameter.
///
/// The low seven bits name a family (a constant below), bit 7 marks an array of it.
/// The numbers are those of `src/types/type-code.ts`: both come from `crates/codegen/data/types.tsv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeCode(pub u8);

impl TypeCode {
    /// Whether values come and go in PostgreSQL's binary format (format code 1).
    #[must_use]
    pub fn is_binary(self) -> bool {
        self != Self::UNKNOWN && self != Self::COMPOUND_TEXT
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

    /// Whether decoding and encoding need the [`Type`]: the code alone does not say what the parts are.
    #[must_use]
    pub fn is_compound(self) -> bool {
        self == Self::COMPOUND || self == Self::COMPOUND_TEXT
    }

    /// The code of a built-in type that needs no [`Type`]; [`TypeCode::UNKNOWN`] for every other type.
    #[must_use]
    pub fn of(type_oid: u32) -> Self {
        if let Some((_, code, _)) = VECTORS.iter().find(|(oid, ..)| *oid == type_oid) {
            return *code;
        }
        match find(type_oid) {
            Some((built_in, _)) if built_in.code.is_compound() => Self::UNKNOWN,
            Some((built_in, false)) => built_in.code,
            Some((BuiltIn { code: Self::UNKNOWN, .. }, true)) | None => Self::UNKNOWN,
            Some((built_in, true)) => Self(built_in.code.0 | Self::ARRAY),
        }
    }

    /// The family's name for messages: `int4`, `text[]`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HSTORE => return "hstore",
            Self::VECTOR => return "vector",
            Self::HALFVEC => return "halfvec",
            Self::EWKB => return "geometry",
            Self::RAW => return "a type with a binary codec of the application's",
            _ => {}
        }
        let element = self.element();
        let known = BUILT_IN.iter().find(|built_in| built_in.code == element);
        match known {
            Some(built_in) if element != Self::UNKNOWN && !element.is_compound() => {
                if self.is_array() {
                    built_in.array_name
                } else {
                    built_in.name
                }
            }
            _ if element.is_compound() => "a type with parts",
            _ => "a type without a binary codec",
        }
    }
}

/// A parameter of a statement: its type, and how values for it cross.
#[derive(Clone, Debug)]
pub struct ParameterType {
    /// The type's OID, as ParameterDescription gives it.
    pub type_oid: u32,
    /// How its values cross.
    pub code: TypeCode,
    /// The type, unless it is a built-in one without parts.
    pub tree: Option<Rc<Type>>,
}

impl ParameterType {
    /// A parameter of a built-in type without parts.
    #[must_use]
    pub fn built_in(type_oid: u32) -> Self {
        Self { type_oid, code: TypeCode::of(type_oid), tree: None }
    }
}

impl PartialEq for ParameterType {
    /// Types that were looked up at different times are different: what they are made of may have changed.
    fn eq(&self, other: &Self) -> bool {
        let id = |parameter: &Self| parameter.tree.as_ref().map(|tree| tree.id);
        self.type_oid == other.type_oid && self.code == other.code && id(self) == id(other)
    }
}

impl Eq for ParameterType {}

/// A built-in type as PostgreSQL's catalog has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltInType {
    /// Its name, `int4`; of an array type `int4[]`.
    pub name: &'static str,
    /// The family: of an array type that of its elements.
    pub code: TypeCode,
    /// The OID of the elements of an array type, 0 for others.
    pub element_oid: u32,
    /// What stands between the elements of an array type in the text format.
    pub delimiter: u8,
}

/// What is known of an OID without asking a server.
#[must_use]
pub fn built_in(type_oid: u32) -> Option<BuiltInType> {
    let (found, is_array) = find(type_oid)?;
    Some(BuiltInType {
        name: if is_array { found.array_name } else { found.name },
        code: found.code,
        element_oid: array_element_oid(type_oid).unwrap_or(0),
        delimiter: match found.code {
            _ if first_subscript(type_oid) == 0 => DELIMITER_OF_VECTORS,
            TypeCode::BOX => b';',
            _ => b',',
        },
    })
}

/// Range types, their subtypes and their multirange types: `src/include/catalog/pg_range.dat`.
const RANGES: [(u32, u32, u32); 6] = [
    (3904, 23, 4451),
    (3906, 1700, 4532),
    (3908, 1114, 4533),
    (3910, 1184, 4534),
    (3912, 1082, 4535),
    (3926, 20, 4536),
];

/// The subtype of a built-in range type, or the range type of a built-in multirange type (then with `true`).
#[must_use]
pub fn built_in_range(type_oid: u32) -> Option<(u32, bool)> {
    RANGES.iter().find_map(|(range, subtype, multirange)| {
        (*range == type_oid).then_some((*subtype, false)).or((*multirange == type_oid).then_some((*range, true)))
    })
}

/// The name of a built-in type as PostgreSQL's catalog has it, `int4`, or `int4[]` for an array type.
#[must_use]
pub fn type_name(type_oid: u32) -> Option<&'static str> {
    built_in(type_oid).map(|found| found.name)
}

/// The OID of a built-in type by its name in `pg_type`: `int4`, `_int4`, or `int4[]` for the array type.
#[must_use]
pub fn oid_of_name(name: &str) -> Option<u32> {
    let (element, is_array) = match (name.strip_suffix("[]"), name.strip_prefix('_')) {
        (Some(element), _) | (None, Some(element)) => (element, true),
        (None, None) => (name, false),
    };
    let found = BUILT_IN.iter().find(|built_in| built_in.name == element)?;
    Some(if is_array { found.array_oid } else { found.oid }).filter(|oid| *oid != 0)
}

/// The element type of a built-in array type.
#[must_use]
pub fn array_element_oid(array_oid: u32) -> Option<u32> {
    if let Some((_, _, element_oid)) = VECTORS.iter().find(|(oid, ..)| *oid == array_oid) {
        return Some(*element_oid);
    }
    find(array_oid).filter(|(_, is_array)| *is_array).map(|(built_in, _)| built_in.oid)
}

/// Where the subscripts of a type's arrays start unless they say otherwise.
pub(crate) fn first_subscript(array_oid: u32) -> i32 {
    i32::from(VECTORS.iter().all(|(oid, ..)| *oid != array_oid))
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
