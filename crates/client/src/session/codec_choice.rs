//! The application's choices of how values of types come and go.

use std::collections::HashMap;

use oxpg_codec::types::TypeCode;

/// How the application wants the values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecChoice {
    /// In the text format, for the application's codec with this id.
    Text(u32),
    /// In the binary format, for the application's codec with this id.
    Binary(u32),
    /// As the parts of it that JavaScript would make a value of, for the application's codec with this id.
    Tuple(u32),
    /// As if it were a type of this family.
    Family(TypeCode),
}

impl CodecChoice {
    pub(super) fn id(self) -> u32 {
        match self {
            Self::Text(id) | Self::Binary(id) | Self::Tuple(id) => id,
            Self::Family(_) => 0,
        }
    }

    /// The code of a scalar whose own code is `own`.
    pub(super) fn code(self, own: TypeCode) -> TypeCode {
        match self {
            Self::Text(_) => TypeCode::UNKNOWN,
            Self::Binary(_) => TypeCode::RAW,
            Self::Tuple(_) => own,
            Self::Family(code) => code,
        }
    }
}

/// By schema and name of the type.
pub(super) type Choices = HashMap<(Box<str>, Box<str>), CodecChoice>;
