//! Values from PostgreSQL's text format: parts of types that have no binary format as a whole.

use super::{Cell, Destination, Stop};
use crate::types::TypeCode;

/// Decodes a value without parts from its text.
pub(super) fn scalar(destination: &mut Destination<'_>, _code: TypeCode, text: &[u8]) -> Result<Cell, Stop> {
    destination.text_value(text)
}
