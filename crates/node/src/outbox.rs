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

#[cfg(test)]
mod tests {
    use super::{Commands, HEADER_WORDS, Outbox};

    /// A command of so many 8-byte units, with `cells` zeroed bytes behind its header.
    fn command(opcode: u32, units: u32, cells: usize) -> Vec<u8> {
        let words = [opcode | units << 8, 1, 2, 3, 4, 5, 6, 7];
        let header = words.iter().flat_map(|word| word.to_le_bytes());
        header.chain(std::iter::repeat_n(0, cells)).collect()
    }

    #[test]
    fn the_outbox_is_cut_into_its_commands() {
        let bytes = [command(1, 4, 0), command(2, 6, 16), command(3, 4, 0)].concat();
        let commands: Vec<_> = Commands { rest: &bytes }.collect();
        assert_eq!(commands.iter().map(|command| command.opcode).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(commands.iter().map(|command| command.cells.len()).collect::<Vec<_>>(), [0, 16, 0]);
        let first = commands[0];
        assert_eq!((first.slot, first.target, first.query, first.rest), (1, 2, 3, [4, 5, 6, 7]));
    }

    #[test]
    fn commands_cut_short_end_the_outbox() {
        let whole = [command(1, 4, 0), command(2, 6, 16)].concat();
        let first = HEADER_WORDS * 4;
        for length in 0..whole.len() {
            let found = Commands { rest: &whole[..length] }.count();
            assert_eq!(found, usize::from(length >= first), "{length} bytes");
        }
    }

    #[test]
    fn a_command_that_claims_less_than_its_header_ends_the_outbox() {
        for units in 0..4 {
            let bytes = [command(1, units, 0), command(2, 4, 0)].concat();
            assert_eq!(Commands { rest: &bytes }.count(), 0, "{units} units");
        }
    }

    #[test]
    fn an_outbox_without_memory_or_with_less_than_is_asked_for_has_no_commands() {
        let memory = [command(1, 4, 0), command(2, 4, 0)].concat();
        let mut outbox = Outbox::empty();
        // SAFETY: nothing else runs, and `memory` outlives the letters.
        unsafe {
            assert_eq!(outbox.letters(32).commands.count(), 0);
            outbox.set((memory.as_ptr(), memory.len()), (memory.as_ptr(), 0));
            assert_eq!(outbox.letters(memory.len() + 1).commands.count(), 0);
            assert_eq!(outbox.letters(memory.len()).commands.count(), 2);
            assert_eq!(outbox.letters(32).commands.count(), 1);
        }
    }
}
