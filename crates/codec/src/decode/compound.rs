//! Types with parts.

use std::rc::Rc;

use super::{Cell, Destination, Stop};
use crate::types::Type;

/// Decodes a column's value by its type.
#[inline(never)]
pub(super) fn column(
    _destination: &mut Destination<'_>,
    described: Option<&Option<Rc<Type>>>,
    _bytes: &[u8],
) -> Result<Cell, Stop> {
    let Some(Some(_described)) = described else {
        return Err(Stop::invalid("a type with parts that was not described"));
    };
    Err(Stop::invalid("not yet"))
}
