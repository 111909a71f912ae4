//! Parameter cells, as JavaScript writes them, into the parameters of a Bind message.

mod array;
mod bit;
mod cell;
mod datetime;
mod error;
mod geometric;
mod hstore;
mod interval;
mod iso;
mod limits;
mod literal;
mod numeric;
mod parts;
mod range;
mod scalar;
mod target;
mod text;
mod uuid;
mod vector;

pub use error::EncodeError;

use cell::{Cells, Value};
use error::Refusal;
use limits::Limits;
use scalar::Format;
use target::Target;

use crate::failpoint;
use crate::types::ParameterType;

/// Encodes one execution's parameters: appends to `out` a Bind message's part from the number of parameter format
/// codes through the last value, and gives the number of bytes of `cells` that it has read. The cells are drawn in
/// `docs/internals/boundary.md`; `text` are the outbox's bytes, `extras` its long values.
///
/// # Errors
/// When a value does not fit its parameter's type, or the message would be longer than 1 GiB; `out` is as it was.
pub fn encode_parameters(
    types: &[ParameterType],
    cells: &[u8],
    text: &[u8],
    extras: &[Vec<u8>],
    out: &mut Vec<u8>,
) -> Result<usize, EncodeError> {
    failpoint::pass("codec.encode");
    let start = out.len();
    let mut cells = Cells::new(cells, text, extras);
    let result = encode(types, &mut cells, out);
    if result.is_err() {
        out.truncate(start);
    }
    result.map(|()| cells.consumed())
}

fn encode(types: &[ParameterType], cells: &mut Cells<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let limits = Limits::of_message(out.len());
    let count = u16::try_from(types.len()).map_err(|_| {
        let message = format!("{} parameters, where a statement takes at most 65535", types.len());
        Refusal::new(message).of(types.len())
    })?;
    out.extend_from_slice(&count.to_be_bytes());
    let formats = out.len();
    // Each is filled in when its value's encoder has chosen the format.
    out.resize(formats + 2 * types.len(), 0);
    out.extend_from_slice(&count.to_be_bytes());
    for (index, parameter) in types.iter().enumerate() {
        let format = value(parameter, cells, out, limits).map_err(|refusal| refusal.of(index + 1))?;
        if let Some(code) = out.get_mut(formats + 2 * index + 1) {
            *code = format.code();
        }
    }
    Ok(())
}

/// Encodes one parameter with its length.
fn value(
    parameter: &ParameterType,
    cells: &mut Cells<'_>,
    out: &mut Vec<u8>,
    limits: Limits,
) -> Result<Format, Refusal> {
    let cell = cells.next()?;
    if matches!(cell, Value::Null) {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(Format::Text);
    }
    // Checked first, so that nothing of that size is copied.
    limits.check(out, cell.length())?;
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let format = if cell.has_parts() {
        parts::encode(parameter, &cell, cells, out, limits)?
    } else {
        scalar::encode(parameter.code, &cell, out).map_err(|refusal| refusal.of_type(Target::from(parameter)))?
    };
    limits.check(out, 0)?;
    write_length(out, length_at)?;
    Ok(format)
}

/// Writes, at `length_at`, the length of what stands behind it.
fn write_length(out: &mut [u8], length_at: usize) -> Result<(), Refusal> {
    let length = out.len() - length_at - 4;
    let length = i32::try_from(length).map_err(|_| Refusal::too_long())?;
    if let Some(place) = out.get_mut(length_at..length_at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}
