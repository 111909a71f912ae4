//! The shape of an array.

use super::cell::{Cells, Dimension};
use super::error::Refusal;

/// PostgreSQL's MAXDIM.
const MOST_DIMENSIONS: usize = 6;

/// Dimensions, and the number of elements in them.
#[derive(Debug)]
pub(super) struct Shape {
    space: [Dimension; MOST_DIMENSIONS],
    dimension_count: usize,
    pub(super) element_count: usize,
}

impl Shape {
    /// Reads the dimensions' cells.
    pub(super) fn read(cells: &mut Cells<'_>, dimension_count: usize, element_count: usize) -> Result<Self, Refusal> {
        if dimension_count > MOST_DIMENSIONS {
            let message = format!("an array of {dimension_count} dimensions, where PostgreSQL has at most 6");
            return Err(Refusal::new(message));
        }
        let mut space = [Dimension { length: 0, lower_bound: 1 }; MOST_DIMENSIONS];
        let mut product = usize::from(dimension_count > 0);
        for dimension in space.iter_mut().take(dimension_count) {
            *dimension = cells.dimension()?;
            product = product.checked_mul(dimension.length).ok_or_else(Refusal::malformed)?;
        }
        if product != element_count {
            return Err(Refusal::malformed());
        }
        // An array without elements has no dimensions.
        let dimension_count = if element_count == 0 { 0 } else { dimension_count };
        Ok(Self { space, dimension_count, element_count })
    }

    pub(super) fn dimensions(&self) -> &[Dimension] {
        self.space.get(..self.dimension_count).unwrap_or_default()
    }
}
