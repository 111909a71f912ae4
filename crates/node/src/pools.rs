//! The pools of one loop, each with its policy: opening them, their options and their deadlines.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use oxpg_client::pool::{Guards, Pool, PoolOptions, Stats};
use oxpg_client::session::{Catalog, Route};
use oxpg_codec::boundary::POOL_BIT;
use serde_json::Value;

use crate::background::Configuration;
use crate::cancels::CancelGate;
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::requests::Place;
use crate::slab::Slab;

/// A pool's policy with what it needs on this loop.
pub(crate) struct PoolDriver {
    pub(crate) policy: Pool,
    pub(crate) config: Configuration,
    /// JavaScript has the password or the token: it is asked with each new session.
    pub(crate) asks_credentials: bool,
    /// `createPool()` waits until so many connections have been opened.
    pub(crate) ready: Option<(u32, usize)>,
    /// `close()` waits for the policy's end.
    pub(crate) close_waiters: Vec<u32>,
    /// While it is closed gracefully: where its sessions' ends are counted.
    pub(crate) parting: Option<u32>,
    pub(crate) last_open_error: Option<FailureData>,
    /// What is known of the types of its database.
    pub(crate) catalog: Rc<Catalog>,
    /// What is known of the way to its servers.
    pub(crate) route: Rc<Route>,
    /// When its idle connections were last looked at.
    pub(crate) looked_at_ms: u64,
    /// What its cancel requests go through.
    pub(crate) cancels: CancelGate,
}

impl PoolDriver {
    fn next_deadline_ms(&self) -> Option<u64> {
        self.policy.next_deadline().map(due_ms)
    }
}

/// The pools of one environment.
pub(crate) struct Pools {
    drivers: Slab<PoolDriver>,
    /// Gives up connections, of pools and others, that owe an answer and do not move.
    pub(crate) guards: Guards,
    /// The one that was last asked, so that a panic can be laid at its door.
    pub(crate) touched: Option<u32>,
    /// The last figures of pools that were closed, until JavaScript has them.
    ended: BTreeMap<u32, Stats>,
}

impl Pools {
    pub(crate) fn new() -> Self {
        Self { drivers: Slab::new(), guards: Guards::default(), touched: None, ended: BTreeMap::new() }
    }

    pub(crate) fn get(&self, pool: u32) -> Option<&PoolDriver> {
        self.drivers.get(pool)
    }

    pub(crate) fn get_mut(&mut self, pool: u32) -> Option<&mut PoolDriver> {
        self.touched = Some(pool);
        self.drivers.get_mut(pool)
    }

    pub(crate) fn insert(&mut self, driver: PoolDriver) -> u32 {
        self.drivers.insert(driver)
    }

    pub(crate) fn remove(&mut self, pool: u32) -> Option<PoolDriver> {
        let driver = self.drivers.remove(pool)?;
        // Whoever has closed it asks for them once. One that was only terminated has been asked before.
        if driver.parting.is_some() {
            self.ended.insert(pool, driver.policy.stats());
        }
        Some(driver)
    }

    pub(crate) fn ids(&self) -> Vec<u32> {
        self.drivers.ids()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.drivers.is_empty()
    }

    /// Those whose policy wants to look, and for which somebody waits.
    pub(crate) fn overdue(&self, now_ms: u64) -> BTreeSet<u32> {
        let is_overdue = |driver: &PoolDriver| {
            driver.next_deadline_ms().is_some_and(|due_ms| due_ms <= now_ms) && driver.policy.stats().waiting > 0
        };
        let ids = self.drivers.ids().into_iter();
        ids.filter(|id| self.drivers.get(*id).is_some_and(is_overdue)).collect()
    }

    /// When the first policy, or a guard, wants to look.
    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        let policies = self.drivers.values().filter_map(PoolDriver::next_deadline_ms).min();
        let guards = self.guards.next_due().map(due_ms);
        policies.into_iter().chain(guards).min()
    }
}

/// Options as `src/create-pool.ts` has checked them; what is missing has the policy's default, and 0 means "no
/// limit" where the policy takes an `Option`.
fn options_from_json(given: &Value) -> PoolOptions {
    let number = |name: &str| given.get(name).and_then(Value::as_u64);
    let size = |name: &str| number(name).and_then(|number| usize::try_from(number).ok());
    let limit = |name: &str, default: Option<Duration>| match number(name) {
        None => default,
        Some(0) => None,
        Some(milliseconds) => Some(Duration::from_millis(milliseconds)),
    };
    let default = PoolOptions::default();
    PoolOptions {
        min_size: size("minSize").unwrap_or(default.min_size),
        max_size: size("maxSize").unwrap_or(default.max_size),
        max_queries: number("maxQueries").unwrap_or(default.max_queries),
        max_inactive_lifetime: limit("maxInactiveConnectionLifetimeMs", default.max_inactive_lifetime),
        max_lifetime: limit("maxLifetimeMs", default.max_lifetime),
        acquire_timeout: limit("acquireTimeoutMs", default.acquire_timeout),
        share_connections: given.get("shareConnections").and_then(Value::as_bool).unwrap_or(default.share_connections),
        ..default
    }
}

/// The pool policies' clock is the environment's.
pub(crate) fn at(now_ms: u64) -> Duration {
    Duration::from_millis(now_ms)
}

/// The first millisecond of the environment's clock at which something is due.
pub(crate) fn due_ms(due: Duration) -> u64 {
    u64::try_from(due.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

impl Environment {
    /// `createPool()`: resolves once `min_size` connections are open.
    pub(crate) fn open_pool(&mut self, slot: u32, config: &str, options_json: &str) -> u32 {
        let now_ms = self.now_ms();
        // Pools that start alike, in workers or processes, must not open and close in step.
        let seed = u64::from(std::process::id()) << 32 ^ std::ptr::from_ref(self).addr() as u64 ^ now_ms;
        let given: Value = serde_json::from_str(options_json).unwrap_or_default();
        let policy = Pool::new(options_from_json(&given), seed, at(now_ms));
        let wanted = policy.stats().min_size;
        let driver = PoolDriver {
            policy,
            config: Configuration::Text(Arc::from(config)),
            asks_credentials: given.get("asksCredentials").and_then(Value::as_bool).unwrap_or_default(),
            ready: Some((slot, wanted)),
            close_waiters: Vec::new(),
            parting: None,
            last_open_error: None,
            catalog: Catalog::of(&self.schema),
            route: Route::new(),
            looked_at_ms: now_ms,
            cancels: CancelGate::new(),
        };
        let pool = self.pools.insert(driver);
        self.begin(slot, Place::Pool(pool), 0, now_ms);
        self.pool_ready(pool);
        self.run_actions(pool);
        pool | POOL_BIT
    }

    pub(crate) fn tick_pools(&mut self) {
        let now_ms = self.now_ms();
        for pool in self.pools.ids() {
            if let Some(driver) = self.pools.get_mut(pool) {
                driver.policy.tick(at(now_ms));
                self.run_actions(pool);
            }
        }
    }

    /// Nothing of the pool is older than now: connections in use close when they come back.
    pub(crate) fn expire_pool(&mut self, target: u32) {
        let pool = target & !POOL_BIT;
        if let Some(driver) = self.pools.get_mut(pool) {
            driver.policy.expire_all();
            self.run_actions(pool);
        }
    }

    pub(crate) fn pool_stats(&mut self, target: u32) -> Option<Stats> {
        let pool = target & !POOL_BIT;
        match self.pools.get(pool) {
            Some(driver) => Some(driver.policy.stats()),
            None => self.pools.ended.remove(&pool),
        }
    }
}
