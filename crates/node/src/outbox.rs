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

#[cfg(test)]
mod tests {
    use super::{Commands, HEADER_WORDS, Outbox};

    /// A command of so many 8-byte units, with `cells` zeroed bytes behind its header.
    fn command(opcode: u32, units: u32, cells: usize) -> Vec<u8> {
        let words = [opcode | units << 8, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        let header = words.iter().flat_map(|word| word.to_le_bytes());
        header.chain(std::iter::repeat_n(0, cells)).collect()
    }

    #[test]
    fn the_outbox_is_cut_into_its_commands() {
        let bytes = [command(1, 5, 0), command(2, 7, 16), command(3, 5, 0)].concat();
        let commands: Vec<_> = Commands { rest: &bytes }.collect();
        assert_eq!(commands.iter().map(|command| command.opcode).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(commands.iter().map(|command| command.cells.len()).collect::<Vec<_>>(), [0, 16, 0]);
        let first = commands[0];
        assert_eq!((first.slot, first.target, first.query, first.max_rows, first.timeout_ms), (1, 2, 3, 4, 5));
        assert_eq!((first.description, first.count, first.flags, first.form), (6, 7, 8, 9));
    }

    #[test]
    fn commands_cut_short_end_the_outbox() {
        let whole = [command(1, 5, 0), command(2, 7, 16)].concat();
        let first = HEADER_WORDS * 4;
        for length in 0..whole.len() {
            let found = Commands { rest: &whole[..length] }.count();
            assert_eq!(found, usize::from(length >= first), "{length} bytes");
        }
    }

    #[test]
    fn a_command_that_claims_less_than_its_header_ends_the_outbox() {
        for units in 0..5 {
            let bytes = [command(1, units, 0), command(2, 5, 0)].concat();
            assert_eq!(Commands { rest: &bytes }.count(), 0, "{units} units");
        }
    }

    #[test]
    fn an_outbox_without_memory_or_with_less_than_is_asked_for_has_no_commands() {
        let memory = [command(1, 5, 0), command(2, 5, 0)].concat();
        let mut outbox = Outbox::empty();
        // SAFETY: nothing else runs, and `memory` outlives the letters.
        unsafe {
            assert_eq!(outbox.letters(32).commands.count(), 0);
            outbox.set((memory.as_ptr(), memory.len()), (memory.as_ptr(), 0));
            assert_eq!(outbox.letters(memory.len() + 1).commands.count(), 0);
            assert_eq!(outbox.letters(memory.len()).commands.count(), 2);
            assert_eq!(outbox.letters(HEADER_WORDS * 4).commands.count(), 1);
        }
    }
}
