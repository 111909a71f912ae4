//! Why a row could not be decoded.

use std::fmt;

use super::RowTypes;
use crate::decode::Problem;

/// A row whose bytes do not fit its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    ColumnCount { expected: usize, actual: Option<u16> },
    BytesBehind(usize),
    Column { column: usize, type_name: Box<str>, problem: Problem },
    TooLarge,
}

/// What to do about a row that was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFault {
    /// The bytes break the protocol.
    Malformed,
    /// A type is not what it was when it was looked up.
    OutdatedType,
    /// An anonymous record has a value of the type with this OID, which has to be looked up.
    UnknownType(u32),
    /// The value is right, and cannot be decoded: no format serves all its parts, or it has too many levels of them.
    Unsupported,
}

impl RowError {
    /// What to do about it.
    #[must_use]
    pub fn fault(&self) -> RowFault {
        match &self.0 {
            Kind::Column { problem: Problem::UnknownType(type_oid), .. } => RowFault::UnknownType(*type_oid),
            Kind::Column { problem: Problem::AttributeCount { .. } | Problem::AttributeType { .. }, .. } => {
                RowFault::OutdatedType
            }
            Kind::Column { problem: Problem::Unsupported(_) | Problem::NoBinaryCodec(_), .. } => RowFault::Unsupported,
            _ => RowFault::Malformed,
        }
    }

    pub(crate) fn column_count(expected: usize, actual: Option<u16>) -> Self {
        Self(Kind::ColumnCount { expected, actual })
    }

    pub(crate) fn bytes_behind(count: usize) -> Self {
        Self(Kind::BytesBehind(count))
    }

    /// `index` counts from 0.
    pub(crate) fn in_column(index: usize, types: RowTypes<'_>, problem: Problem) -> Self {
        let type_name = match (types.trees.get(index), types.codes.get(index)) {
            (Some(Some(tree)), _) => tree.name.clone(),
            (_, Some(code)) => code.name().into(),
            _ => Box::default(),
        };
        Self(Kind::Column { column: index + 1, type_name, problem })
    }

    pub(crate) fn too_large() -> Self {
        Self(Kind::TooLarge)
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::ColumnCount { expected, actual: Some(actual) } => {
                write!(formatter, "malformed row: {actual} columns where {expected} were described")
            }
            Kind::ColumnCount { expected, actual: None } => {
                write!(formatter, "malformed row: no number of columns where {expected} were described")
            }
            Kind::BytesBehind(count) => write!(formatter, "malformed row: {count} bytes behind the last column"),
            Kind::Column { column, type_name, problem } => {
                // The other faults are not the server's.
                let prefix = if self.fault() == RowFault::Malformed { "malformed row: " } else { "" };
                write!(formatter, "{prefix}column {column} ({type_name}): {problem}")
            }
            Kind::TooLarge => write!(formatter, "the row's values take more than 4 GiB"),
        }
    }
}

impl std::error::Error for RowError {}
