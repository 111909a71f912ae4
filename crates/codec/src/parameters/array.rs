//! Arrays: PostgreSQL's binary array, or a literal where an element has only text.

use super::cell::{Cells, Dimension, Value};
use super::error::Refusal;
use super::literal::{self, BOX_ARRAY};
use super::scalar::{self, Format};
use super::{LONGEST_MESSAGE, write_length};
use crate::types::{ParameterType, TypeCode, array_element_oid};

/// PostgreSQL's MAXDIM.
const MOST_DIMENSIONS: usize = 6;

/// Appends an array, whose cell has been read, without its length.
pub(super) fn encode(
    parameter: &ParameterType,
    cells: &mut Cells<'_>,
    dimension_count: usize,
    element_count: usize,
    out: &mut Vec<u8>,
) -> Result<Format, Refusal> {
    if !parameter.code.is_array() && parameter.code != TypeCode::UNKNOWN {
        return Err(Refusal::mismatch(parameter.code, "an array"));
    }
    if dimension_count > MOST_DIMENSIONS {
        return Err(Refusal::new(format!("an array of {dimension_count} dimensions, where PostgreSQL has at most 6")));
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
    let dimensions = if element_count == 0 { &[] } else { space.get(..dimension_count).unwrap_or(&[]) };
    let element_code = parameter.code.element();
    if let Some(element_oid) = array_element_oid(parameter.type_oid)
        && parameter.code.is_array()
    {
        let (start, first) = (out.len(), *cells);
        if binary(element_oid, element_code, dimensions, element_count, cells, out)? == Format::Binary {
            return Ok(Format::Binary);
        }
        out.truncate(start);
        *cells = first;
    }
    let delimiter = if parameter.type_oid == BOX_ARRAY { b';' } else { b',' };
    let mut index = 0;
    literal::append_array(dimensions, delimiter, out, |text| {
        let value = cells.next()?;
        if value == Value::Null {
            index += 1;
            return Ok(false);
        }
        literal::append_text(element_code, &value, text).map_err(|refusal| refusal.in_element(index))?;
        index += 1;
        Ok(true)
    })?;
    Ok(Format::Text)
}

/// `array_recv` in PostgreSQL's arrayfuncs.c. When an element has no binary form, `Format::Text`, with `out` and
/// `cells` anywhere.
fn binary(
    element_oid: u32,
    element_code: TypeCode,
    dimensions: &[Dimension],
    element_count: usize,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
) -> Result<Format, Refusal> {
    let start = out.len();
    out.reserve(20 + element_count * 12);
    out.extend_from_slice(&i32::try_from(dimensions.len()).unwrap_or(0).to_be_bytes());
    // Whether there are NULLs: the server finds out by itself.
    out.extend_from_slice(&0_i32.to_be_bytes());
    out.extend_from_slice(&element_oid.to_be_bytes());
    for Dimension { length, lower_bound } in dimensions {
        out.extend_from_slice(&i32::try_from(*length).map_err(|_| Refusal::malformed())?.to_be_bytes());
        out.extend_from_slice(&lower_bound.to_be_bytes());
    }
    for index in 0..element_count {
        let value = cells.next()?;
        if value == Value::Null {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            continue;
        }
        if out.len() - start + value.length() > LONGEST_MESSAGE {
            return Err(Refusal::too_long());
        }
        let length_at = out.len();
        out.extend_from_slice(&[0; 4]);
        match scalar::encode(element_code, &value, out).map_err(|refusal| refusal.in_element(index))? {
            Format::Text => return Ok(Format::Text),
            Format::Binary => write_length(out, length_at)?,
        }
    }
    Ok(Format::Binary)
}
