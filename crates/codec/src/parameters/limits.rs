//! How much and how deep.

use super::error::Refusal;

/// The server refuses messages of 1 GiB and more, and closes the connection (`MaxAllocSize` in `memutils.h`); names
/// and result formats need some of it.
pub(super) const LONGEST_MESSAGE: usize = 0x3fff_ffff - 256 * 1024;

/// Values inside values go no deeper: each level takes some of the stack.
const MOST_LEVELS: usize = 64;

/// What a value may still take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The end of the longest buffer.
    end: usize,
    level: usize,
}

impl Limits {
    /// For a message that starts there in its buffer.
    pub(super) fn of_message(start: usize) -> Self {
        Self { end: start.saturating_add(LONGEST_MESSAGE), level: 0 }
    }

    /// For a part that is written to a buffer of its own.
    pub(super) fn of_own_buffer(self) -> Self {
        Self { end: LONGEST_MESSAGE, ..self }
    }

    /// For the parts of a value.
    pub(super) fn within(self) -> Result<Self, Refusal> {
        if self.level == MOST_LEVELS {
            return Err(Refusal::new(format!("a value with parts nested in more than {MOST_LEVELS} levels")));
        }
        Ok(Self { level: self.level + 1, ..self })
    }

    /// Checks so many more bytes, before anything of that size is copied.
    #[inline]
    pub(super) fn check(&self, out: &[u8], length: usize) -> Result<(), Refusal> {
        if out.len().saturating_add(length) > self.end { Err(Refusal::too_long()) } else { Ok(()) }
    }
}
