//! Frontend messages on their way to the server.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, BytesMut};
use oxpg_codec::boundary::PARAMETERS_BYTES;
use oxpg_codec::types::TypeCode;
use postgres_protocol::message::frontend;

use super::failure::Failure;

/// An output buffer that grew beyond this is given back once it is empty.
const KEPT_CAPACITY: usize = 1 << 20;

/// Longest text or parameters of one message. PostgreSQL takes no message of 1 GiB (its MaxAllocSize, 0x3fff_ffff) or
/// more and ends the session; what stands around them (parameter types, result formats) is below 512 KiB.
pub(super) const LONGEST: usize = PARAMETERS_BYTES;
const _: () = assert!(LONGEST == 0x3fff_ffff - (512 << 10));

/// A format code (PostgreSQL manual, "Formats and Format Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Format {
    Text = 0,
    Binary = 1,
}

impl Format {
    /// The format in which values with this code cross.
    pub(super) fn of(code: TypeCode) -> Self {
        if code.is_binary() { Self::Binary } else { Self::Text }
    }
}

/// Bytes for the server, in order.
///
/// The writers of postgres-protocol fail on NUL bytes and on messages of 2³¹ bytes only; texts and parameters are
/// checked when they are submitted, so a failure here is a bug of ours.
#[derive(Debug, Default)]
pub(super) struct Output {
    buffer: BytesMut,
    /// Bytes that the socket has taken, since the session began; with those that were dropped on the way.
    sent: u64,
    /// What was dropped in the middle of the buffer: where it begins, and where it ends.
    dropped: BTreeMap<u64, u64>,
    /// Ranges that were joined or skipped so far.
    #[cfg(test)]
    steps: usize,
}

impl Output {
    /// What the socket is to take next; not more than up to what was dropped.
    pub(super) fn unsent(&self) -> &[u8] {
        match self.dropped.first_key_value() {
            Some((start, _)) => &self.buffer[..self.offset(*start).unwrap_or(0)],
            None => &self.buffer,
        }
    }

    /// Position of the next byte in all that was ever written.
    pub(super) fn end(&self) -> u64 {
        self.sent + u64::try_from(self.buffer.len()).unwrap_or(u64::MAX)
    }

    /// Bytes that the socket has taken.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn advance(&mut self, count: usize) {
        self.skip(count.min(self.unsent().len()));
        self.skip_dropped();
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_CAPACITY {
            self.buffer = BytesMut::new();
        }
    }

    /// Takes back what was written from `start` to `end`; false when the socket has some of it.
    pub(super) fn drop_range(&mut self, start: u64, end: u64) -> bool {
        let Some(offset) = self.offset(start) else { return false };
        if end < self.end() {
            self.dropped.insert(start, end);
            self.skip_dropped();
            return true;
        }
        self.buffer.truncate(offset);
        // What was dropped right in front of it is not followed by anything any more.
        while let Some((&last, &end)) = self.dropped.last_key_value()
            && end == self.end()
        {
            #[cfg(test)]
            {
                self.steps += 1;
            }
            self.dropped.remove(&last);
            self.buffer.truncate(self.offset(last).unwrap_or(0));
        }
        true
    }

    /// Where in the buffer this position is; `None` when the socket has it.
    fn offset(&self, position: u64) -> Option<usize> {
        usize::try_from(position.checked_sub(self.sent)?).ok()
    }

    fn skip(&mut self, count: usize) {
        self.buffer.advance(count);
        self.sent += u64::try_from(count).unwrap_or(u64::MAX);
    }

    fn skip_dropped(&mut self) {
        while let Some(end) = self.dropped.remove(&self.sent) {
            #[cfg(test)]
            {
                self.steps += 1;
            }
            self.skip(self.offset(end).unwrap_or(0));
        }
    }

    pub(super) fn append(&mut self, messages: &mut Output) {
        self.buffer.put_slice(&messages.buffer);
        messages.buffer.clear();
    }

    /// Parse, then Describe of the statement; `name` is empty for the unnamed one.
    pub(super) fn parse_and_describe(&mut self, name: &str, text: &str) {
        self.parse(name, text);
        checked(frontend::describe(b'S', name, &mut self.buffer));
    }

    /// Parse alone.
    pub(super) fn parse(&mut self, name: &str, text: &str) {
        checked(frontend::parse(name, text, [], &mut self.buffer));
    }

    /// Bind of the unnamed portal, then Execute; see [`bind`](Self::bind).
    pub(super) fn bind_and_execute(&mut self, name: &str, parameters: &[u8], formats: &[Format], max_rows: u32) {
        self.bind("", name, parameters, formats);
        self.execute("", max_rows);
    }

    /// Bind of a portal to a statement. `parameters` is ready-made from the number of format codes on; `formats` are those
    /// of the result's columns: none means text for all, a single one is for all.
    pub(super) fn bind(&mut self, portal: &str, name: &str, parameters: &[u8], formats: &[Format]) {
        let size = 4 + portal.len() + 1 + name.len() + 1 + parameters.len() + 2 + 2 * formats.len();
        self.buffer.reserve(size + 32);
        self.buffer.put_u8(b'B');
        self.buffer.put_i32(i32::try_from(size).unwrap_or(i32::MAX));
        self.buffer.put_slice(portal.as_bytes());
        self.buffer.put_u8(0);
        self.buffer.put_slice(name.as_bytes());
        self.buffer.put_u8(0);
        self.buffer.put_slice(parameters);
        // A RowDescription has at most 65 535 columns: its count is an int16.
        self.buffer.put_u16(u16::try_from(formats.len()).unwrap_or(u16::MAX));
        for format in formats {
            self.buffer.put_u16(*format as u16);
        }
    }

    pub(super) fn execute(&mut self, portal: &str, max_rows: u32) {
        checked(frontend::execute(portal, i32::try_from(max_rows).unwrap_or(i32::MAX), &mut self.buffer));
    }

    /// A statement without parameters or result, by the unnamed statement and portal.
    pub(super) fn statement(&mut self, text: &str) {
        const NO_PARAMETERS: [u8; 4] = [0; 4];
        self.parse("", text);
        self.bind_and_execute("", &NO_PARAMETERS, &[], 0);
    }

    pub(super) fn close_statement(&mut self, name: &str) {
        checked(frontend::close(b'S', name, &mut self.buffer));
    }

    pub(super) fn close_portal(&mut self, name: &str) {
        checked(frontend::close(b'P', name, &mut self.buffer));
    }

    pub(super) fn query(&mut self, text: &str) {
        checked(frontend::query(text, &mut self.buffer));
    }

    pub(super) fn copy_fail(&mut self, reason: &str) {
        checked(frontend::copy_fail(reason, &mut self.buffer));
    }

    pub(super) fn sync(&mut self) {
        frontend::sync(&mut self.buffer);
    }

    pub(super) fn flush(&mut self) {
        frontend::flush(&mut self.buffer);
    }
}

/// Why a text cannot be sent, if it cannot.
pub(super) fn refusal(text: &str, has_nul: bool) -> Option<Failure> {
    if has_nul {
        return Some(Failure::interface("the query text contains a NUL byte, which PostgreSQL cannot take"));
    }
    (text.len() > LONGEST).then(too_long)
}

pub(super) fn too_long() -> Failure {
    let text = format!(
        "the query text or its parameters are longer than PostgreSQL takes in one message (1 GiB; here at most \
         {LONGEST} bytes)"
    );
    Failure::interface(text)
}

fn checked(result: std::io::Result<()>) {
    debug_assert!(result.is_ok(), "texts and lengths are checked at submit: {result:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_all_of_a_long_output_takes_each_of_its_parts_once() {
        const COUNT: u64 = 40_000;
        let part = b"twelve bytes";
        let length = part.len() as u64;
        let orders: [fn(u64) -> u64; 3] = [|step| step, |step| COUNT - 1 - step, |step| (step * 7_919) % COUNT];
        for order in orders {
            let mut output = Output::default();
            for _ in 0..COUNT {
                output.buffer.put_slice(part);
            }
            for step in 0..COUNT {
                let start = order(step) * length;
                assert!(output.drop_range(start, start + length));
            }
            assert!(output.unsent().is_empty() && output.dropped.is_empty());
            assert!(output.steps as u64 <= COUNT, "{} steps", output.steps);
        }
    }
}
