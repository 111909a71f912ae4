//! The other side of the boundary: reads cells as JavaScript does, writes parameter cells, makes DataRow bodies.

mod trees;

pub(crate) use trees::*;

use oxpg_codec::batch::{
    Batch, ExtraValue, Memory, OwnedRow, Pushed, ResultText, RowError, RowTypes, Segment, TextMode, own_memory_text,
};
use oxpg_codec::parameters::{EncodeError, encode_parameters};
use oxpg_codec::types::{ParameterType, TypeCode};

/// A value as JavaScript would see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    /// By its bits, so that NaN equals itself.
    Float(u64),
    Text(String),
    Bytes(Vec<u8>),
    /// Length and lower bound of each dimension, whether a lower bound is not 1, and the elements.
    Array(Vec<(u32, i32)>, bool, Vec<Value>),
    Composite(Vec<Value>),
    /// PostgreSQL's flags and the bounds.
    Range(u32, Box<[Value; 2]>),
    Multirange(Vec<Value>),
    /// The type of each value, and the value.
    Record(Vec<(ValueType, Value)>),
    /// Months, days, microseconds.
    Interval(i32, i32, i64),
    /// Whether a path or polygon is closed, and the bits of the doubles.
    Doubles(bool, Vec<u64>),
    /// Keys and values.
    Pairs(Vec<(Value, Value)>),
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn float(value: f64) -> Value {
    Value::Float(value.to_bits())
}

/// Doubles of a geometric type that is not closed.
pub(crate) fn doubles(values: &[f64]) -> Value {
    Value::Doubles(false, values.iter().map(|value| value.to_bits()).collect())
}

/// Elements of a vector.
pub(crate) fn vector(elements: &[f32]) -> Value {
    Value::Bytes(elements.iter().flat_map(|element| element.to_le_bytes()).collect())
}

/// A DataRow message's body.
pub(crate) fn data_row(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut row = u16::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
    for field in fields {
        match field {
            Some(bytes) => {
                row.extend_from_slice(&i32::try_from(bytes.len()).unwrap().to_be_bytes());
                row.extend_from_slice(bytes);
            }
            None => row.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }
    row
}

/// Bytes from their hexadecimal digits; spaces are for the eye.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// How text ranges are read.
enum Strings {
    Direct { is_ascii: bool },
    Shared(Vec<u16>),
}

struct Reader<'a> {
    cells: &'a [u64],
    marks: &'a [u8],
    bytes: &'a [u8],
    extras: &'a [ExtraValue],
    strings: Strings,
}

impl Reader<'_> {
    fn read(&self, code: TypeCode, index: usize) -> Value {
        let cell = self.cells[index];
        let (low, high) = (cell as u32, (cell >> 32) as u32);
        match self.marks[index] {
            0 => {}
            1 => return Value::Null,
            2 => {
                return match &self.extras[cell as usize] {
                    ExtraValue::Text(text) => Value::Text(String::from_utf8(text.clone()).expect("extras are UTF-8")),
                    ExtraValue::Bytes(bytes) => Value::Bytes(bytes.clone()),
                    ExtraValue::Type(tree) => panic!("the type {} in place of a value", tree.name),
                };
            }
            mark => panic!("mark {mark}"),
        }
        match code {
            TypeCode::BOOL | TypeCode::INT2 | TypeCode::INT4 => Value::Int(i64::from(low as i32)),
            TypeCode::OID => Value::Int(i64::from(low)),
            TypeCode::INT8 | TypeCode::XID8 | TypeCode::TIMESTAMP | TypeCode::TIMESTAMPTZ => Value::Int(cell as i64),
            TypeCode::FLOAT4 | TypeCode::FLOAT8 => Value::Float(cell),
            TypeCode::RECORD => self.record(cell as usize),
            TypeCode::BYTEA | TypeCode::EWKB | TypeCode::RAW | TypeCode::VECTOR | TypeCode::HALFVEC => {
                Value::Bytes(self.bytes[low as usize..high as usize].to_vec())
            }
            TypeCode::INTERVAL => self.interval(cell as usize),
            TypeCode(code) if (TypeCode::POINT.0..=TypeCode::CIRCLE.0).contains(&code) => self.doubles(cell as usize),
            TypeCode::HSTORE => self.pairs(cell as usize),
            code if code.is_array() => self.array(cell as usize, |element| self.read(code.element(), element)),
            _ => Value::Text(self.text(low as usize, high as usize)),
        }
    }

    fn text(&self, start: usize, end: usize) -> String {
        match &self.strings {
            Strings::Direct { is_ascii: true } => self.bytes[start..end].iter().map(|byte| *byte as char).collect(),
            Strings::Direct { is_ascii: false } => String::from_utf8_lossy(&self.bytes[start..end]).into_owned(),
            Strings::Shared(units) => String::from_utf16(&units[start..end]).expect("whole characters"),
        }
    }

    /// A cell that is no value by itself.
    fn head(&self, index: usize) -> (u32, u32) {
        assert_eq!(self.marks[index], 0, "mark of a block's head");
        (self.cells[index] as u32, (self.cells[index] >> 32) as u32)
    }

    fn interval(&self, block: usize) -> Value {
        let (months, days) = self.head(block);
        let (low, high) = self.head(block + 1);
        Value::Interval(months as i32, days as i32, (u64::from(high) << 32 | u64::from(low)) as i64)
    }

    fn doubles(&self, block: usize) -> Value {
        let (count, is_closed) = self.head(block);
        assert!(is_closed < 2, "flag of a path");
        let cells = block + 1..block + 1 + count as usize;
        assert!(self.marks[cells.clone()].iter().all(|mark| *mark == 0), "marks of doubles");
        Value::Doubles(is_closed == 1, self.cells[cells].to_vec())
    }

    fn pairs(&self, block: usize) -> Value {
        let (count, zero) = self.head(block);
        assert_eq!(zero, 0, "behind the number of pairs");
        let keys = (0..count as usize).map(|pair| block + 1 + 2 * pair);
        Value::Pairs(keys.map(|key| (self.read(TypeCode::TEXT, key), self.read(TypeCode::TEXT, key + 1))).collect())
    }

    fn array(&self, block: usize, read: impl Fn(usize) -> Value) -> Value {
        let (dimension_count, flag) = (self.cells[block] as u32 as usize, self.cells[block] >> 32);
        let first = block + 1 + dimension_count;
        assert!(self.marks[block..first].iter().all(|mark| *mark == 0), "marks of an array's head");
        let dimensions: Vec<(u32, i32)> =
            self.cells[block + 1..first].iter().map(|cell| (*cell as u32, (*cell >> 32) as i32)).collect();
        let count =
            if dimension_count == 0 { 0 } else { dimensions.iter().map(|(length, _)| *length as usize).product() };
        let elements = (first..first + count).map(read).collect();
        Value::Array(dimensions, flag == 1, elements)
    }
}

/// Memory like an environment's, and what it holds.
pub(crate) struct Mailbox {
    pub(crate) cells: Vec<u64>,
    pub(crate) marks: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) batch: Batch,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self::of_size(65_536, 512 * 1024)
    }

    /// The memory is dirty, as it is after other rows.
    pub(crate) fn of_size(cells: usize, bytes: usize) -> Self {
        Self {
            cells: vec![0xdead_beef_dead_beef; cells],
            marks: vec![0x77; cells],
            bytes: vec![0xee; bytes],
            batch: Batch::new(),
        }
    }

    pub(crate) fn push(
        &mut self,
        result: &mut ResultText,
        request: u32,
        codes: &[TypeCode],
        row: &[u8],
        remaining: usize,
    ) -> Result<Pushed, RowError> {
        let mut memory = Memory { cells: &mut self.cells, marks: &mut self.marks, bytes: &mut self.bytes };
        self.batch.push_row(&mut memory, result, request, RowTypes::plain(codes), row, remaining)
    }

    /// The rows of one segment.
    pub(crate) fn rows(&self, segment: &Segment, codes: &[TypeCode]) -> Vec<Vec<Value>> {
        let segment_text = &self.bytes[segment.text_start..segment.text_end];
        assert_eq!(segment.is_ascii, segment_text.is_ascii(), "is_ascii");
        let strings = match segment.mode {
            TextMode::Direct => Strings::Direct { is_ascii: segment.is_ascii },
            TextMode::Shared => {
                Strings::Shared(std::str::from_utf8(segment_text).expect("UTF-8").encode_utf16().collect())
            }
        };
        let reader =
            Reader { cells: &self.cells, marks: &self.marks, bytes: &self.bytes, extras: self.batch.extras(), strings };
        (0..segment.rows as usize)
            .map(|row| {
                let first = segment.first_cell as usize + row * codes.len();
                codes.iter().enumerate().map(|(column, code)| reader.read(*code, first + column)).collect()
            })
            .collect()
    }

    /// All rows, all of whose segments have these columns.
    pub(crate) fn all_rows(&self, codes: &[TypeCode]) -> Vec<Vec<Value>> {
        self.batch.segments().iter().flat_map(|segment| self.rows(segment, codes)).collect()
    }
}

/// The values of a row in memory of its own.
pub(crate) fn own_values(row: &OwnedRow, codes: &[TypeCode]) -> Vec<Value> {
    let reader = Reader {
        cells: &row.cells,
        marks: &row.marks,
        bytes: &row.bytes,
        extras: &row.extras,
        strings: Strings::Direct { is_ascii: row.is_ascii },
    };
    codes.iter().enumerate().map(|(column, code)| reader.read(*code, column)).collect()
}

/// Decodes one value by itself.
pub(crate) fn decode(code: TypeCode, bytes: &[u8]) -> Result<Value, RowError> {
    let mut mailbox = Mailbox::new();
    mailbox.push(&mut ResultText::default(), 1, &[code], &data_row(&[Some(bytes)]), 0)?;
    Ok(mailbox.all_rows(&[code]).remove(0).remove(0))
}

/// Decodes one value by itself from the text format.
pub(crate) fn decode_text(code: TypeCode, text: &str) -> Result<Value, RowError> {
    let owned = own_memory_text(code, text.as_bytes())?;
    Ok(own_values(&owned, &[code]).remove(0))
}

/// A parameter cell in the making; text and bytes go to the outbox's bytes, or into the extras.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    I32(i32),
    I64(i64),
    F64(f64),
    Text(String),
    Bytes(Vec<u8>),
    TextExtra(String),
    BytesExtra(Vec<u8>),
    Millis(f64),
    /// Length and lower bound of each dimension, and the elements.
    Array(Vec<(u32, i32)>, Vec<Cell>),
    Composite(Vec<Cell>),
    /// PostgreSQL's flags, and the bounds.
    Range(i32, Box<[Cell; 2]>),
    Multirange(Vec<Cell>),
    Interval {
        months: i32,
        days: i32,
        micros: i64,
    },
    /// Whether it is closed, and the numbers.
    Doubles(bool, Vec<f64>),
    Hstore(Vec<(Cell, Cell)>),
}

/// A range cell.
pub(crate) fn range_cell(flags: i32, lower: Cell, upper: Cell) -> Cell {
    Cell::Range(flags, Box::new([lower, upper]))
}

/// An array cell of one dimension.
pub(crate) fn list(elements: Vec<Cell>) -> Cell {
    Cell::Array(vec![(elements.len() as u32, 1)], elements)
}

pub(crate) fn string(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) cells: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) extras: Vec<Vec<u8>>,
}

impl Outbox {
    pub(crate) fn write(&mut self, cell: &Cell) {
        match cell {
            Cell::Null => self.raw(0, 0, [0; 8]),
            Cell::Bool(value) => self.raw(1, 0, u64::from(*value).to_le_bytes()),
            Cell::I32(value) => self.raw(2, 0, u64::from(*value as u32).to_le_bytes()),
            Cell::I64(value) => self.raw(3, 0, value.to_le_bytes()),
            Cell::F64(value) => self.raw(4, 0, value.to_le_bytes()),
            Cell::Text(text) => self.range(5, text.as_bytes()),
            Cell::Bytes(bytes) => self.range(6, bytes),
            Cell::TextExtra(text) => self.extra(8, text.as_bytes()),
            Cell::BytesExtra(bytes) => self.extra(9, bytes),
            Cell::Millis(value) => self.raw(10, 0, value.to_le_bytes()),
            Cell::Array(dimensions, elements) => {
                self.raw(7, dimensions.len() as i32, (elements.len() as u64).to_le_bytes());
                for (length, lower_bound) in dimensions {
                    self.raw(0, *lower_bound, u64::from(*length).to_le_bytes());
                }
                self.write_all(elements);
            }
            Cell::Composite(values) => {
                self.raw(11, values.len() as i32, [0; 8]);
                self.write_all(values);
            }
            Cell::Range(flags, bounds) => {
                self.raw(12, *flags, [0; 8]);
                self.write_all(&**bounds);
            }
            Cell::Multirange(ranges) => {
                self.raw(13, ranges.len() as i32, [0; 8]);
                self.write_all(ranges);
            }
            Cell::Interval { months, days, micros } => {
                self.raw(14, *months, micros.to_le_bytes());
                self.write(&Cell::I32(*days));
            }
            Cell::Doubles(is_closed, doubles) => {
                self.raw(15, i32::from(*is_closed), (doubles.len() as u64).to_le_bytes());
                self.write_all(doubles.iter().copied().map(Cell::F64).collect::<Vec<_>>().iter());
            }
            Cell::Hstore(pairs) => {
                self.raw(16, pairs.len() as i32, [0; 8]);
                self.write_all(pairs.iter().flat_map(|(key, value)| [key, value]));
            }
        }
    }

    fn write_all<'c>(&mut self, cells: impl IntoIterator<Item = &'c Cell>) {
        for cell in cells {
            self.write(cell);
        }
    }

    pub(crate) fn raw(&mut self, tag: i32, auxiliary: i32, payload: [u8; 8]) {
        self.cells.extend_from_slice(&tag.to_le_bytes());
        self.cells.extend_from_slice(&auxiliary.to_le_bytes());
        self.cells.extend_from_slice(&payload);
    }

    fn range(&mut self, tag: i32, bytes: &[u8]) {
        let range = self.bytes.len() as u64 | (bytes.len() as u64) << 32;
        self.bytes.extend_from_slice(bytes);
        self.raw(tag, 0, range.to_le_bytes());
    }

    fn extra(&mut self, tag: i32, bytes: &[u8]) {
        let index = self.extras.len() as u64;
        self.extras.push(bytes.to_vec());
        self.raw(tag, 0, index.to_le_bytes());
    }

    pub(crate) fn encode(&self, types: &[ParameterType], out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        encode_parameters(types, &self.cells, &self.bytes, &self.extras, out)
    }
}

/// The OID whose code this is, for the families and arrays that tests use.
pub(crate) fn parameter(type_oid: u32) -> ParameterType {
    ParameterType::built_in(type_oid)
}

/// Encodes one value by itself: its format code and its bytes, or nothing for NULL.
pub(crate) fn encode(type_oid: u32, cell: &Cell) -> Result<(u8, Option<Vec<u8>>), EncodeError> {
    encode_as(parameter(type_oid), cell)
}

/// The same for any type.
pub(crate) fn encode_as(parameter: ParameterType, cell: &Cell) -> Result<(u8, Option<Vec<u8>>), EncodeError> {
    let mut outbox = Outbox::default();
    outbox.write(cell);
    let mut out = Vec::new();
    let consumed = outbox.encode(&[parameter], &mut out)?;
    assert_eq!(consumed, outbox.cells.len(), "bytes of cells read");
    let [0, 1, 0, format, 0, 1, a, b, c, d, value @ ..] = out.as_slice() else { panic!("malformed: {out:?}") };
    let length = i32::from_be_bytes([*a, *b, *c, *d]);
    if length == -1 {
        assert!(value.is_empty());
        return Ok((*format, None));
    }
    assert_eq!(usize::try_from(length).unwrap(), value.len());
    Ok((*format, Some(value.to_vec())))
}
