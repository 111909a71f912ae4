//! Bytes that were read and not parsed.

/// Memory of a buffer that is kept when it is empty.
const KEPT_CAPACITY: usize = 1 << 20;

/// The start of a message whose rest has not come yet, or bytes that wait for room in the mailbox.
pub(super) struct Unparsed {
    memory: Vec<u8>,
    start: usize,
}

impl Unparsed {
    pub(super) const fn new(memory: Vec<u8>) -> Self {
        Self { memory, start: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..]
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start >= self.memory.len()
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    pub(super) fn clear(&mut self) {
        self.memory.clear();
        self.start = 0;
    }

    /// The first `count` bytes are parsed. Memory that they took is given back now and then, not at each call.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.memory.len() {
            self.start = 0;
            if self.memory.capacity() > KEPT_CAPACITY {
                self.memory = Vec::new();
            } else {
                self.memory.clear();
            }
        } else if self.start > self.memory.len() / 2 {
            self.memory.drain(..self.start);
            self.start = 0;
        }
    }

    #[cfg(test)]
    pub(super) const fn capacity(&self) -> usize {
        self.memory.capacity()
    }
}
