//! Reading parameter cells: `docs/internals/boundary.md` draws them.

use super::error::Refusal;
use crate::boundary::{PARAMETER_CELL_BYTES as CELL, cell_tag};

/// One cell, with the bytes that it refers to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// int2 and int4, or the bits of an oid.
    I32(i32),
    I64(i64),
    F64(f64),
    /// UTF-8.
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// One cell per dimension and one per element follow.
    Array {
        dimension_count: usize,
        element_count: usize,
    },
    /// Milliseconds since 1970, or an infinity.
    Millis(f64),
    /// The values of so many attributes follow.
    Composite {
        count: usize,
    },
    /// PostgreSQL's flags; two bounds follow.
    Range {
        flags: u8,
    },
    /// So many ranges follow.
    Multirange {
        count: usize,
    },
    Interval(Interval),
    Doubles(Doubles<'a>),
    /// A key and a value for each of so many pairs follow.
    Hstore {
        count: usize,
    },
}

/// An interval; all three at their ends are an infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) months: i32,
    pub(super) days: i32,
    pub(super) micros: i64,
}

/// The numbers of a geometric value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubles<'a> {
    pub(super) is_closed: bool,
    cells: &'a [[u8; CELL]],
}

impl Doubles<'_> {
    pub(super) fn count(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = f64> {
        self.cells.iter().map(|[_, _, _, _, _, _, _, _, payload @ ..]| f64::from_le_bytes(*payload))
    }
}

impl Value<'_> {
    /// The number of bytes outside the cell.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// Whether it can only be encoded with the cells behind it.
    #[inline]
    pub(super) fn has_parts(&self) -> bool {
        matches!(
            self,
            Self::Array { .. }
                | Self::Composite { .. }
                | Self::Range { .. }
                | Self::Multirange { .. }
                | Self::Hstore { .. }
        )
    }

    /// The value's kind, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::I32(_) | Self::I64(_) => "an integer",
            Self::F64(_) => "a number",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "a byte string",
            Self::Array { .. } => "an array",
            Self::Millis(_) => "a date",
            Self::Composite { .. } => "a composite value",
            Self::Range { .. } => "a range",
            Self::Multirange { .. } => "a multirange",
            Self::Interval(_) => "an interval",
            Self::Doubles(_) => "a geometric value",
            Self::Hstore { .. } => "a value of keys and values",
        }
    }
}

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dimension {
    pub(super) length: usize,
    pub(super) lower_bound: i32,
}

/// The cells that are still to be read; a copy reads the same ones again.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    cells: &'a [u8],
    position: usize,
    text: &'a [u8],
    extras: &'a [Vec<u8>],
}

impl<'a> Cells<'a> {
    pub(super) fn new(cells: &'a [u8], text: &'a [u8], extras: &'a [Vec<u8>]) -> Self {
        Self { cells, position: 0, text, extras }
    }

    /// The number of bytes read.
    pub(super) fn consumed(&self) -> usize {
        self.position
    }

    /// Tag, auxiliary number and payload of the next cell.
    #[inline]
    fn raw(&mut self) -> Result<(i32, i32, [u8; 8]), Refusal> {
        let cell = self.cells.get(self.position..).and_then(<[u8]>::first_chunk::<CELL>);
        let [a, b, c, d, e, f, g, h, payload @ ..] = *cell.ok_or_else(Refusal::malformed)?;
        self.position += CELL;
        Ok((i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes([e, f, g, h]), payload))
    }

    /// The next value.
    pub(super) fn next(&mut self) -> Result<Value<'a>, Refusal> {
        let (tag, auxiliary, payload) = self.raw()?;
        let [first, second] = halves(payload);
        Ok(match tag {
            cell_tag::NULL => Value::Null,
            cell_tag::BOOL => Value::Bool(first != 0),
            cell_tag::I32 => Value::I32(first.cast_signed()),
            cell_tag::I64 => Value::I64(i64::from_le_bytes(payload)),
            cell_tag::F64 => Value::F64(f64::from_le_bytes(payload)),
            cell_tag::TEXT => Value::Text(self.range(first, second)?),
            cell_tag::BYTES => Value::Bytes(self.range(first, second)?),
            cell_tag::ARRAY => {
                let element_count = index(first);
                // Each element has a cell, so the cells bound what is allocated for them.
                if element_count > self.left() {
                    return Err(Refusal::malformed());
                }
                let dimension_count = usize::try_from(auxiliary).map_err(|_| Refusal::malformed())?;
                Value::Array { dimension_count, element_count }
            }
            cell_tag::TEXT_EXTRA => Value::Text(self.extra(first)?),
            cell_tag::BYTES_EXTRA => Value::Bytes(self.extra(first)?),
            cell_tag::MILLIS => Value::Millis(f64::from_le_bytes(payload)),
            _ => return self.value_of_several_cells(tag, auxiliary, payload),
        })
    }

    #[inline(never)]
    fn value_of_several_cells(&mut self, tag: i32, auxiliary: i32, payload: [u8; 8]) -> Result<Value<'a>, Refusal> {
        Ok(match tag {
            cell_tag::COMPOSITE => Value::Composite { count: self.count(auxiliary, 1)? },
            cell_tag::RANGE => {
                self.count(1, 2)?;
                let [flags, ..] = auxiliary.to_le_bytes();
                Value::Range { flags }
            }
            // A range that a codec made text or bytes of is one cell.
            cell_tag::MULTIRANGE => Value::Multirange { count: self.count(auxiliary, 1)? },
            cell_tag::INTERVAL => {
                let (cell_tag::I32, _, days) = self.raw()? else { return Err(Refusal::malformed()) };
                Value::Interval(Interval {
                    months: auxiliary,
                    days: halves(days)[0].cast_signed(),
                    micros: i64::from_le_bytes(payload),
                })
            }
            cell_tag::DOUBLES => {
                let cells = self.cells.get(self.position..).unwrap_or_default().as_chunks::<CELL>().0;
                let cells = cells.get(..index(halves(payload)[0])).ok_or_else(Refusal::malformed)?;
                self.position += cells.len() * CELL;
                // Each an F64.
                if !cells.iter().all(|cell| cell.starts_with(&cell_tag::F64.to_le_bytes())) {
                    return Err(Refusal::malformed());
                }
                Value::Doubles(Doubles { is_closed: auxiliary != 0, cells })
            }
            cell_tag::HSTORE => Value::Hstore { count: self.count(auxiliary, 2)? },
            _ => return Err(Refusal::malformed()),
        })
    }

    /// The number of cells that are left.
    fn left(&self) -> usize {
        (self.cells.len() - self.position) / CELL
    }

    /// A number of parts, for each of which so many cells are there at least: they bound what is allocated for them.
    fn count(&self, auxiliary: i32, cells_of_each: usize) -> Result<usize, Refusal> {
        usize::try_from(auxiliary)
            .ok()
            .filter(|count| *count <= self.left() / cells_of_each)
            .ok_or_else(Refusal::malformed)
    }

    /// Passes over a value and what belongs to it.
    pub(super) fn skip(&mut self) -> Result<(), Refusal> {
        let mut left = 1_usize;
        while left > 0 {
            let parts = match self.next()? {
                Value::Array { dimension_count, element_count } => {
                    for _ in 0..dimension_count {
                        self.raw()?;
                    }
                    element_count
                }
                Value::Composite { count } | Value::Multirange { count } => count,
                Value::Range { .. } => 2,
                Value::Hstore { count } => 2 * count,
                _ => 0,
            };
            left = (left - 1).saturating_add(parts);
        }
        Ok(())
    }

    /// The next cell as an array's dimension.
    pub(super) fn dimension(&mut self) -> Result<Dimension, Refusal> {
        let (_, lower_bound, payload) = self.raw()?;
        Ok(Dimension { length: index(halves(payload)[0]), lower_bound })
    }

    fn range(&self, start: u32, length: u32) -> Result<&'a [u8], Refusal> {
        let start = index(start);
        self.text.get(start..start + index(length)).ok_or_else(Refusal::malformed)
    }

    fn extra(&self, extra: u32) -> Result<&'a [u8], Refusal> {
        self.extras.get(index(extra)).map(Vec::as_slice).ok_or_else(Refusal::malformed)
    }
}

fn halves([a, b, c, d, e, f, g, h]: [u8; 8]) -> [u32; 2] {
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

fn index(number: u32) -> usize {
    number as usize
}
