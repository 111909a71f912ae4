//! The outbox: commands and parameter cells that JavaScript wrote, read at a flush.

/// Words before a command's cells.
pub(crate) const HEADER_WORDS: usize = 8;

/// JavaScript's memory for one environment's commands.
pub(crate) struct Outbox {
    commands: *const u8,
    command_bytes: usize,
    bytes: *const u8,
    byte_count: usize,
}

/// Opcodes, shared with `src/native/outbox.ts`.
pub(crate) mod opcode {
    pub(crate) const QUERY: u32 = 1;
    pub(crate) const BIND: u32 = 2;
    pub(crate) const SCRIPT: u32 = 3;
    pub(crate) const PREPARE: u32 = 4;
    pub(crate) const BATCH: u32 = 5;
    pub(crate) const BATCH_ROW: u32 = 6;
    pub(crate) const BATCH_CHUNK: u32 = 7;
    pub(crate) const BATCH_END: u32 = 8;
    pub(crate) const BATCH_ABORT: u32 = 9;
    pub(crate) const ABANDON: u32 = 10;
    pub(crate) const ACQUIRE: u32 = 11;
    pub(crate) const RELEASE: u32 = 12;
    pub(crate) const CLOSE: u32 = 13;
    pub(crate) const TERMINATE: u32 = 14;
    pub(crate) const REFUSE: u32 = 15;
    pub(crate) const RESET: u32 = 16;
    pub(crate) const SETTLE: u32 = 17;
}

/// One command: its header and the cells behind it.
#[derive(Clone, Copy)]
pub(crate) struct Command<'a> {
    pub(crate) opcode: u32,
    pub(crate) slot: u32,
    pub(crate) target: u32,
    pub(crate) query: u32,
    /// Words 4 to 7.
    pub(crate) rest: [u32; 4],
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
        let length = (words[0] >> 8) as usize * 8;
        let command = self.rest.get(..length)?;
        self.rest = &self.rest[length..];
        Some(Command {
            opcode: words[0] & 0xff,
            slot: words[1],
            target: words[2],
            query: words[3],
            rest: [words[4], words[5], words[6], words[7]],
            cells: command.get(HEADER_WORDS * 4..)?,
        })
    }
}
