//! Who holds the connections of a pool, for the errors of those who wait in vain.

use std::fmt;

use crate::connection::Connection;
use crate::environment::Environment;

/// What the connections of a pool are used for at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PoolUses {
    /// Open connections.
    size: usize,
    /// JavaScript holds them.
    leased: usize,
    /// A call on the pool has one alone.
    alone: usize,
    /// Calls on the pool share them.
    shared: usize,
    /// So many calls.
    sharing: usize,
    /// Their sessions are being reset.
    resetting: usize,
    /// The pool could lend them.
    ready: usize,
    /// It leaves those to quick queries for a moment (decision 0008).
    are_left: bool,
    /// Being opened.
    opening: usize,
    /// Calls that wait for one.
    waiting: usize,
}

impl PoolUses {
    fn count(&mut self, connection: &Connection) {
        self.size += 1;
        if connection.is_leased {
            self.leased += 1;
        } else if connection.reset.is_some() {
            self.resetting += 1;
        } else if connection.shared_queries > 0 {
            self.shared += 1;
            self.sharing += connection.shared_queries;
        } else if !connection.session.is_idle() {
            self.alone += 1;
        }
    }

    /// The same with one that waited until now.
    pub(crate) const fn and_one_who_waited(mut self) -> Self {
        self.waiting += 1;
        self
    }

    const fn in_use(&self) -> usize {
        self.size.saturating_sub(self.ready)
    }

    /// What nobody works with, and the pool has not got back: a call has just left it, say.
    const fn returning(&self) -> usize {
        self.in_use().saturating_sub(self.leased + self.alone + self.shared + self.resetting)
    }
}

/// `10 open, 9 in use (6 leased, 2 by a call alone, 1 shared by 3 calls), 1 left to quick queries for a moment, 5 waiting`
impl fmt::Display for PoolUses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} open, {} in use", self.size, self.in_use())?;
        let parts = [
            (self.leased, format!("{} leased", self.leased)),
            (self.alone, format!("{} by a call alone", self.alone)),
            (self.shared, format!("{} shared by {} calls", self.shared, self.sharing)),
            (self.resetting, format!("{} being reset", self.resetting)),
            (self.returning(), format!("{} coming back", self.returning())),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
        if !parts.is_empty() {
            write!(formatter, " ({})", parts.join(", "))?;
        }
        if self.ready > 0 {
            let why = if self.are_left { "left to quick queries for a moment" } else { "free too late" };
            write!(formatter, ", {} {why}", self.ready)?;
        }
        if self.opening > 0 {
            write!(formatter, ", {} being opened", self.opening)?;
        }
        write!(formatter, ", {} waiting", self.waiting)
    }
}

impl Environment {
    /// Looks at the connections of a pool.
    pub(crate) fn pool_uses(&self, pool: u32) -> PoolUses {
        let mut uses = PoolUses::default();
        let Some(driver) = self.pools.get(pool) else { return uses };
        let stats = driver.policy.stats();
        (uses.ready, uses.opening, uses.waiting) = (stats.idle, stats.opening, stats.waiting);
        uses.are_left = driver.policy.leaves_to_quick();
        for connection in self.connections.of_pool(pool) {
            uses.count(connection);
        }
        uses
    }
}

#[cfg(test)]
mod tests {
    use super::PoolUses;

    #[test]
    fn uses_read_as_a_sentence() {
        let late = PoolUses { size: 1, ready: 1, waiting: 1, ..PoolUses::default() };
        assert_eq!(late.to_string(), "1 open, 0 in use, 1 free too late, 1 waiting");
        let left = PoolUses { are_left: true, ..late };
        assert_eq!(left.to_string(), "1 open, 0 in use, 1 left to quick queries for a moment, 1 waiting");
        let returning = PoolUses { size: 3, leased: 1, resetting: 1, waiting: 1, ..PoolUses::default() };
        assert_eq!(returning.to_string(), "3 open, 3 in use (1 leased, 1 being reset, 1 coming back), 1 waiting");
        let busy = PoolUses {
            size: 10,
            leased: 6,
            alone: 2,
            shared: 1,
            sharing: 3,
            resetting: 1,
            opening: 2,
            waiting: 5,
            ..PoolUses::default()
        };
        assert_eq!(
            busy.to_string(),
            "10 open, 10 in use (6 leased, 2 by a call alone, 1 shared by 3 calls, 1 being reset), 2 being opened, 5 waiting"
        );
    }
}
