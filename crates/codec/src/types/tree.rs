//! Types that a server's catalog describes, and what they are made of.

use std::rc::Rc;

use super::TypeCode;
use crate::ids::Ids;

static IDS: Ids = Ids::new();

/// A type as `pg_type` has it. A domain has its own OID and name, and the code and kind of its base type.
#[derive(Debug)]
pub struct Type {
    /// JavaScript keeps readers by it (see [`Ids`]).
    pub id: u32,
    /// `pg_type.oid`
    pub oid: u32,
    /// The name of its schema.
    pub schema: Box<str>,
    /// Its name; with `[]` behind it for an array type.
    pub name: Box<str>,
    /// How its values cross.
    pub code: TypeCode,
    /// What it is made of.
    pub kind: Kind,
    /// The application's codec for it, 0 for none.
    pub codec: u32,
    /// How its values would cross without that codec.
    pub own_code: TypeCode,
}

/// What a type is made of.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing that needs a name: base types, enums.
    Scalar,
    /// An array.
    Array {
        /// The type of its elements.
        element: Rc<Type>,
        /// What stands between elements in the text format (`pg_type.typdelim`): a comma for nearly all types; and
        /// [`DELIMITER_OF_VECTORS`](super::DELIMITER_OF_VECTORS), by which a domain over a vector is known as one.
        delimiter: u8,
    },
    /// A composite type.
    Composite {
        /// Its attributes in order, without those that were dropped.
        fields: Rc<[Field]>,
    },
    /// A range type.
    Range {
        /// The type of its bounds.
        subtype: Rc<Type>,
    },
    /// A multirange type.
    Multirange {
        /// The type of its ranges.
        range: Rc<Type>,
    },
}

/// An attribute of a composite type.
#[derive(Clone, Debug)]
pub struct Field {
    /// `pg_attribute.attname`
    pub name: Box<str>,
    /// Its type, as it was declared: perhaps a domain.
    pub tree: Rc<Type>,
}

impl Type {
    /// A type with the code that follows from what it is made of. `own_code` is the code of a scalar.
    #[must_use]
    pub fn new(oid: u32, schema: &str, name: &str, kind: Kind, own_code: TypeCode, codec: u32) -> Rc<Self> {
        let code = code_of(&kind, own_code);
        let (schema, name) = (schema.into(), name.into());
        Rc::new(Self { id: IDS.fresh(), oid, schema, name, code, kind, codec, own_code: code })
    }

    /// A scalar type that crosses by `code` because the application has a codec for it, and by `own_code` otherwise.
    #[must_use]
    pub fn with_codec(
        oid: u32,
        schema: &str,
        name: &str,
        code: TypeCode,
        (codec, own_code): (u32, TypeCode),
    ) -> Rc<Self> {
        let (schema, name) = (schema.into(), name.into());
        Rc::new(Self { id: IDS.fresh(), oid, schema, name, code, kind: Kind::Scalar, codec, own_code })
    }
}

impl Type {
    /// Whether it is composite, or made of a composite type.
    #[must_use]
    pub fn has_attributes(&self) -> bool {
        match &self.kind {
            Kind::Scalar => false,
            Kind::Composite { .. } => true,
            Kind::Array { element: part, .. } | Kind::Range { subtype: part } | Kind::Multirange { range: part } => {
                part.has_attributes()
            }
        }
    }
}

/// The code of a type with these parts.
fn code_of(kind: &Kind, own_code: TypeCode) -> TypeCode {
    let of_parts = |is_binary: bool| if is_binary { TypeCode::COMPOUND } else { TypeCode::COMPOUND_TEXT };
    match kind {
        Kind::Scalar => own_code,
        Kind::Array { element, .. } => {
            let code = element.code;
            if code.is_binary() && !code.is_array() && !code.is_compound() {
                TypeCode(code.0 | TypeCode::ARRAY)
            } else {
                of_parts(code.is_binary())
            }
        }
        Kind::Composite { fields } => of_parts(fields.iter().all(|field| field.tree.code.is_binary())),
        Kind::Range { subtype } => of_parts(subtype.code.is_binary()),
        Kind::Multirange { range } => of_parts(range.code.is_binary()),
    }
}

/// A type of a value: the code alone where it says enough.
#[derive(Clone, Debug)]
pub struct TypeRef {
    /// How its values cross.
    pub code: TypeCode,
    /// The type, unless it is a built-in one without parts.
    pub tree: Option<Rc<Type>>,
}

/// Finds the types of values that bring their OIDs along: those in anonymous records.
pub trait TypeSource {
    /// The type with that OID; `None` when it has to be looked up on the server.
    fn type_of(&self, type_oid: u32) -> Option<TypeRef>;
}

/// Knows the built-in types without parts, and no others.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTypes;

impl TypeSource for NoTypes {
    fn type_of(&self, type_oid: u32) -> Option<TypeRef> {
        let code = TypeCode::of(type_oid);
        (code != TypeCode::UNKNOWN).then_some(TypeRef { code, tree: None })
    }
}
