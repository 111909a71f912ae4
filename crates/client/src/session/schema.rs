//! Whether what was said of statements can still be true.
//!
//! A server keeps the parameter types of a prepared statement for as long as the statement lives. If a column has
//! another type afterwards, values of the old type are cast to it, and nothing in any answer says so. So a statement is
//! trusted until something shows that a schema has changed, and for a minute at most; its next use parses and describes
//! it anew. While a text is executed that changes a schema nothing is trusted from one message group to the next: the
//! change may become true between any two of them. A statement is parsed, and bound in the same group, in which the server
//! keeps the locks that parsing takes.

use std::cell::Cell;
use std::rc::Rc;

/// For so long a change that nothing shows can go unnoticed.
const TRUSTED_MS: u64 = 60_000;

/// What is known of changes by all sessions of an environment, whatever their servers; and the time.
#[derive(Debug, Default)]
pub struct Schema {
    version: Cell<u64>,
    now_ms: Cell<u64>,
    /// Texts that are being executed, and change it.
    under_way: Cell<usize>,
}

/// A text that changes a schema, from before it is written until its end is known.
#[derive(Debug)]
pub(super) struct ChangeUnderWay(Rc<Schema>);

impl Drop for ChangeUnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

/// When a server said what is known of a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    version: u64,
    ms: u64,
    /// What names meant there and then: see `names.rs`.
    names: (u32, u32),
}

impl Schema {
    /// One that knows of no change.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Milliseconds on any clock that does not go backwards.
    pub fn set_time(&self, now_ms: u64) {
        self.now_ms.set(now_ms);
    }

    /// Something shows that tables, types or functions are not what they were: no statement is certain to be.
    pub fn note_change(&self) {
        self.version.set(self.version.get() + 1);
    }

    /// A text that changes it is about to be written.
    pub(super) fn begin_change(self: &Rc<Self>) -> ChangeUnderWay {
        self.under_way.set(self.under_way.get() + 1);
        ChangeUnderWay(Rc::clone(self))
    }

    /// A text that changes it is being executed somewhere.
    pub(super) fn is_changing(&self) -> bool {
        self.under_way.get() > 0
    }

    /// Now, where names mean this.
    pub(super) fn moment(&self, names: (u32, u32)) -> Moment {
        Moment { version: self.version.get(), ms: self.now_ms.get(), names }
    }
}

impl Moment {
    /// Whether what was said at `earlier` is taken for true now.
    pub(super) fn trusts(self, earlier: Self) -> bool {
        self.version == earlier.version
            && self.names == earlier.names
            && self.ms.saturating_sub(earlier.ms) < TRUSTED_MS
    }

    /// Whether another answer than that of `earlier` shows a change that nothing has shown before.
    pub(super) fn explains_nothing_since(self, earlier: Self) -> bool {
        self.version == earlier.version && self.names == earlier.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_true_until_something_changes() {
        let schema = Schema::new();
        schema.set_time(1_000);
        let said = schema.moment((1, 0));
        schema.set_time(60_999);
        assert!(schema.moment((1, 0)).trusts(said));
        assert!(!schema.moment((1, 1)).trusts(said), "names mean something else");
        assert!(!schema.moment((2, 0)).trusts(said));
        schema.set_time(61_000);
        assert!(!schema.moment((1, 0)).trusts(said), "a minute is over");
        assert!(schema.moment((1, 0)).explains_nothing_since(said));
        let said = schema.moment((1, 0));
        schema.note_change();
        assert!(!schema.moment((1, 0)).trusts(said));
        assert!(!schema.moment((1, 0)).explains_nothing_since(said));
    }
}
