//! What a pool may be told.

use std::time::Duration;

/// Limits of a pool. [`PoolOptions::default`] has asyncpg's values where asyncpg has the option.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolOptions {
    /// Connections that are opened at the start and kept; 1. At most `max_size` are.
    pub min_size: usize,
    /// Connections that may exist at once, those being opened included; 10. At least 1.
    pub max_size: usize,
    /// Queries after which a connection is replaced when it is next free; 50 000, 0 for no limit. A lease counts as
    /// one query, and each query that is made while it lasts as one more.
    pub max_queries: u64,
    /// How long a connection beyond `min_size` may lie idle before it is closed; 300 s, `None` for ever.
    pub max_inactive_lifetime: Option<Duration>,
    /// Age at which a connection is replaced when it is next free; `None`, for no limit.
    pub max_lifetime: Option<Duration>,
    /// By which fraction, either way, each connection's `max_lifetime` differs at random, so that connections
    /// opened together do not end together; 0.025. Held within 0 and 1.
    pub lifetime_jitter: f64,
    /// How long a waiter without a deadline of its own waits; 30 s, `None` for ever.
    pub acquire_timeout: Option<Duration>,
    /// Whether [`Want::Share`](super::Want::Share) may be served by a connection that others use as well; true.
    pub share_connections: bool,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            min_size: 1,
            max_size: 10,
            max_queries: 50_000,
            max_inactive_lifetime: Some(Duration::from_secs(300)),
            max_lifetime: None,
            lifetime_jitter: 0.025,
            acquire_timeout: Some(Duration::from_secs(30)),
            share_connections: true,
        }
    }
}

impl PoolOptions {
    /// The same with sizes that a pool can have: `max_size` at least 1, `min_size` at most `max_size`.
    pub(super) fn sound(mut self) -> Self {
        self.max_size = self.max_size.max(1);
        self.min_size = self.min_size.min(self.max_size);
        self.lifetime_jitter = if self.lifetime_jitter.is_nan() { 0.0 } else { self.lifetime_jitter.clamp(0.0, 1.0) };
        self
    }
}
