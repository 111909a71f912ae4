//! How much is read and parsed in one turn of the loop, before the loop and JavaScript have theirs.

/// Bytes that one connection may read in one turn.
const CONNECTION_BYTES: usize = 1 << 20;
/// Bytes that all connections together may read in one turn.
const TURN_BYTES: usize = 4 << 20;
/// Milliseconds after which a turn ends even if its bytes are not spent.
const TURN_MS: u64 = 8;

/// The budget of the turn that runs.
pub(crate) struct Budget {
    bytes: usize,
    /// When this turn's first bytes were read; waiting for them is not part of the turn.
    started_ms: Option<u64>,
}

impl Budget {
    pub(crate) const fn new() -> Self {
        Self { bytes: TURN_BYTES, started_ms: None }
    }

    /// No bytes are left.
    pub(crate) const fn is_out_of_bytes(&self) -> bool {
        self.bytes == 0
    }

    /// Reading begins, unless it has begun; `now_ms` is asked for only then.
    pub(crate) fn start(&mut self, now_ms: impl FnOnce() -> u64) {
        if self.started_ms.is_none() {
            self.started_ms = Some(now_ms());
        }
    }

    /// Neither bytes nor time are left; the turn begins now if it has not begun.
    pub(crate) fn is_spent(&mut self, now_ms: u64) -> bool {
        let started_ms = *self.started_ms.get_or_insert(now_ms);
        self.bytes == 0 || now_ms.saturating_sub(started_ms) >= TURN_MS
    }

    /// Has a connection read with what it may have of the bytes: `read` takes off what it used.
    pub(crate) fn lend<R>(&mut self, read: impl FnOnce(&mut usize) -> R) -> R {
        let allowance = self.bytes.min(CONNECTION_BYTES);
        let mut rest = allowance;
        let result = read(&mut rest);
        self.bytes -= allowance - rest;
        result
    }

    /// The next turn has all of it again.
    pub(crate) const fn renew(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, CONNECTION_BYTES, TURN_BYTES, TURN_MS};

    #[test]
    fn a_connection_has_its_share_and_all_of_them_the_whole() {
        let mut budget = Budget::new();
        for connection in 0..TURN_BYTES / CONNECTION_BYTES {
            assert!(!budget.is_out_of_bytes(), "spent before connection {connection}");
            budget.lend(|rest| assert_eq!(std::mem::take(rest), CONNECTION_BYTES));
        }
        assert!(budget.is_out_of_bytes());
        budget.lend(|rest| assert_eq!(*rest, 0));
        budget.renew();
        budget.lend(|rest| assert_eq!(*rest, CONNECTION_BYTES));
    }

    #[test]
    fn what_a_connection_leaves_is_there_for_others() {
        let mut budget = Budget::new();
        budget.lend(|rest| *rest -= 10);
        budget.lend(|rest| *rest -= 1);
        assert_eq!(budget.bytes, TURN_BYTES - 11);
    }

    #[test]
    fn time_counts_from_the_first_bytes() {
        let mut budget = Budget::new();
        budget.start(|| 100);
        budget.start(|| unreachable!("it has begun"));
        assert!(!budget.is_spent(100 + TURN_MS - 1));
        assert!(budget.is_spent(100 + TURN_MS));
        budget.renew();
        assert!(!budget.is_spent(100 + TURN_MS), "a turn without bytes begins when it is asked");
        assert!(budget.is_spent(100 + 2 * TURN_MS));
    }
}
