//! Bounds-checked reading of backend messages.

use oxpg_codec::types::{ParameterType, TypeCode};

use super::column::Column;
use super::message_name::name;
use super::tag::CommandTag;
use super::violation::ProtocolViolation;

/// The longest message of each kind, its length and what follows it, whatever a length says: one that is longer is
/// neither waited for nor kept.
const fn longest(tag: u8) -> usize {
    match tag {
        // A row's values, a COPY's data: PostgreSQL makes no message of 1 GiB (its MaxAllocSize).
        b'D' | b'd' => 0x3fff_ffff,
        // A text that an application may have made.
        b'E' | b'N' => 64 << 20,
        // 65 535 columns with names of 200 bytes (PostgreSQL's have 63); the types of four million parameters.
        b'T' | b't' => 16 << 20,
        // PostgreSQL's channels have 63 bytes, and the payloads 7 999.
        b'A' => 4 << 20,
        // What is small by nature. (libpq has the same limit.)
        _ => 30_000,
    }
}

/// A whole message of the server's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
    /// Bytes that it takes with its header.
    pub(super) total: usize,
}

/// The first message of `bytes`, if it is there as a whole.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, ProtocolViolation> {
    let &[tag, a, b, c, d, ..] = bytes else { return Ok(None) };
    let length = i32::from_be_bytes([a, b, c, d]);
    let Some(size) = usize::try_from(length).ok().filter(|size| (4..=longest(tag)).contains(size)) else {
        return Err(ProtocolViolation::new(format!("{} has the impossible length {length}", name(tag))));
    };
    let total = size + 1;
    Ok(bytes.get(5..total).map(|body| Frame { tag, body, total }))
}

/// Reads a message's body from the front.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ProtocolViolation> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, ProtocolViolation> {
        self.take().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ProtocolViolation> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ProtocolViolation> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, ProtocolViolation> {
        self.take().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, ProtocolViolation> {
        self.take().map(i32::from_be_bytes)
    }

    /// So many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], ProtocolViolation> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A text up to its NUL byte. What is not UTF-8 becomes U+FFFD.
    pub(super) fn text(&mut self) -> Result<String, ProtocolViolation> {
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or_else(cut_short)?;
        let text = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), ProtocolViolation> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(ProtocolViolation::new("a message is longer than what it holds"))
        }
    }

    /// Whether `count` things of at least `size` bytes can still follow, so that memory may be reserved for them.
    fn has_room_for(&self, count: u16, size: usize) -> Result<(), ProtocolViolation> {
        if usize::from(count) * size <= self.rest.len() { Ok(()) } else { Err(cut_short()) }
    }
}

fn cut_short() -> ProtocolViolation {
    ProtocolViolation::new("a message is shorter than what it must hold")
}

/// A message without a body.
pub(super) fn nothing(body: &[u8]) -> Result<(), ProtocolViolation> {
    Reader::new(body).end()
}

/// Reads a CommandComplete.
pub(super) fn command_tag(body: &[u8]) -> Result<CommandTag, ProtocolViolation> {
    let mut reader = Reader::new(body);
    let text = reader.text()?;
    reader.end()?;
    Ok(CommandTag::parse(&text))
}

/// Reads a ParameterDescription. `None` when it has more parameters than a Bind can: PostgreSQL takes such statements,
/// describes them all, and writes their number modulo 2¹⁶.
pub(super) fn parameter_description(body: &[u8]) -> Result<Option<Vec<ParameterType>>, ProtocolViolation> {
    let mut reader = Reader::new(body);
    let count = reader.u16()?;
    let described = reader.rest.len() / 4;
    let is_wrapped = described & 0xffff == usize::from(count) && reader.rest.len().is_multiple_of(4);
    if is_wrapped && described > usize::from(u16::MAX) {
        return Ok(None);
    }
    reader.has_room_for(count, 4)?;
    let mut parameters = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        parameters.push(ParameterType::built_in(reader.u32()?));
    }
    reader.end()?;
    Ok(Some(parameters))
}

/// Reads a RowDescription of a statement, whose formats are chosen in Bind.
pub(super) fn row_description(body: &[u8]) -> Result<Vec<Column>, ProtocolViolation> {
    columns(body, |_| {})
}

/// Reads a RowDescription of a result on the simple protocol, and whether any of its columns comes in the binary format:
/// those of a BINARY cursor do.
pub(super) fn result_description(body: &[u8]) -> Result<(Vec<Column>, bool), ProtocolViolation> {
    let mut is_binary = false;
    let columns = columns(body, |format_code| is_binary |= format_code != 0)?;
    Ok((columns, is_binary))
}

fn columns(body: &[u8], mut take_format: impl FnMut(i16)) -> Result<Vec<Column>, ProtocolViolation> {
    let mut reader = Reader::new(body);
    let count = reader.u16()?;
    reader.has_room_for(count, 19)?;
    let mut columns = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let name = reader.text()?;
        let table_oid = reader.u32()?;
        let attribute_number = reader.i16()?;
        let type_oid = reader.u32()?;
        let _type_size = reader.i16()?;
        let type_modifier = reader.i32()?;
        take_format(reader.i16()?);
        let code = TypeCode::of(type_oid);
        columns.push(Column { name, type_oid, table_oid, attribute_number, type_modifier, code, tree: None });
    }
    reader.end()?;
    Ok(columns)
}
