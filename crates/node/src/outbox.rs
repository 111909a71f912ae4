//! The outbox: commands and parameter cells that JavaScript wrote, read at a flush.

use oxpg_codec::boundary::{HEADER_WORDS, command_word as word};

/// JavaScript's memory for one environment's commands.
pub(crate) struct Outbox {
    commands: *const u8,
    command_bytes: usize,
    bytes: *const u8,
    byte_count: usize,
}

/// One command: its header and the cells behind it.
#[derive(Clone, Copy)]
pub(crate) struct Command<'a> {
    pub(crate) opcode: u32,
    pub(crate) slot: u32,
    pub(crate) target: u32,
    pub(crate) query: u32,
    pub(crate) max_rows: u32,
    pub(crate) timeout_ms: u32,
    pub(crate) description: u32,
    /// The number of parameters.
    pub(crate) count: u32,
    pub(crate) flags: u32,
    pub(crate) form: u32,
    pub(crate) cells: &'a [u8],
}

/// What a flush finds in the outbox, copied out so that no borrow of JavaScript's memory outlives the call.
pub(crate) struct Letters<'a> {
    pub(crate) commands: Commands<'a>,
    pub(crate) text: &'a [u8],
}

impl Outbox {
    pub(crate) const fn empty() -> Self {
        Self { commands: std::ptr::null(), command_bytes: 0, bytes: std::ptr::null(), byte_count: 0 }
    }

    /// Takes new memory, when JavaScript has made or grown it.
    ///
    /// # Safety
    /// Both must point to that many bytes that JavaScript keeps alive and does not detach until it sets others.
    pub(crate) unsafe fn set(&mut self, commands: (*const u8, usize), bytes: (*const u8, usize)) {
        (self.commands, self.command_bytes) = commands;
        (self.bytes, self.byte_count) = bytes;
    }

    /// The first `length` bytes of commands, with the text that their cells refer to.
    ///
    /// # Safety
    /// JavaScript must not run while the result lives.
    pub(crate) unsafe fn letters<'a>(&self, length: usize) -> Letters<'a> {
        if self.commands.is_null() || self.bytes.is_null() || length > self.command_bytes {
            return Letters { commands: Commands { rest: &[] }, text: &[] };
        }
        // SAFETY: `set`'s and the caller's promises.
        unsafe {
            Letters {
                commands: Commands { rest: std::slice::from_raw_parts(self.commands, length) },
                text: std::slice::from_raw_parts(self.bytes, self.byte_count),
            }
        }
    }
}

/// Cuts the outbox into commands.
pub(crate) struct Commands<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Commands<'a> {
    type Item = Command<'a>;

    fn next(&mut self) -> Option<Command<'a>> {
        let (header, _) = self.rest.split_at_checked(HEADER_WORDS * 4)?;
        let mut words = [0_u32; HEADER_WORDS];
        for (word, bytes) in words.iter_mut().zip(header.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let length = (words[word::OPCODE] >> 8) as usize * 8;
        let command = self.rest.get(..length)?;
        self.rest = &self.rest[length..];
        Some(Command {
            opcode: words[word::OPCODE] & 0xff,
            slot: words[word::SLOT],
            target: words[word::TARGET],
            query: words[word::QUERY],
            max_rows: words[word::MAX_ROWS],
            timeout_ms: words[word::TIMEOUT],
            description: words[word::DESCRIPTION],
            count: words[word::PARAMETERS],
            flags: words[word::FLAGS],
            form: words[word::FORM],
            cells: command.get(HEADER_WORDS * 4..)?,
        })
    }
}
