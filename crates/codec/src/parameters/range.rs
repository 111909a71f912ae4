//! What a range's flags say of its bounds: `RANGE_EMPTY` and the others in PostgreSQL's rangetypes.h.

use super::cell::{Cells, Value};
use super::error::Refusal;

pub(super) const EMPTY: u8 = 1;
const LOWER_INCLUSIVE: u8 = 2;
const UPPER_INCLUSIVE: u8 = 4;
const NO_LOWER: u8 = 8;
const NO_UPPER: u8 = 16;

/// One of a range's two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Lower,
    Upper,
}

impl Bound {
    /// Says that the bound is to blame.
    pub(super) fn blame(self, refusal: Refusal) -> Refusal {
        match self {
            Self::Lower => refusal.in_lower_bound(),
            Self::Upper => refusal.in_upper_bound(),
        }
    }

    fn flags(self) -> (u8, u8) {
        match self {
            Self::Lower => (LOWER_INCLUSIVE, NO_LOWER),
            Self::Upper => (UPPER_INCLUSIVE, NO_UPPER),
        }
    }
}

/// Flags of which none contradicts another, once both bounds have been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) fn new(flags: u8) -> Self {
        if flags & EMPTY != 0 { Self(EMPTY) } else { Self(flags & 0x1f) }
    }

    pub(super) fn byte(self) -> u8 {
        self.0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == EMPTY
    }

    pub(super) fn is_inclusive(self, bound: Bound) -> bool {
        self.0 & bound.flags().0 != 0
    }

    /// Reads a bound's first cell; passes over the bound and gives nothing where the range has none on that side.
    pub(super) fn bound<'a>(&mut self, bound: Bound, cells: &mut Cells<'a>) -> Result<Option<Value<'a>>, Refusal> {
        let (inclusive, none) = bound.flags();
        let mut first = *cells;
        let value = first.next()?;
        if !self.is_empty() && self.0 & none == 0 && value != Value::Null {
            *cells = first;
            return Ok(Some(value));
        }
        cells.skip()?;
        if !self.is_empty() {
            self.0 = self.0 & !inclusive | none;
        }
        Ok(None)
    }
}
