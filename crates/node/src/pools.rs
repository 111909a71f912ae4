//! Pools on the loop: a pool's policy is asked for connections, and told what happened to them.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use oxpg_client::pool::{Guards, Pool, PoolOptions, Statement, Ticket, Want};
use oxpg_client::session::{Catalog, Route, Work};
use oxpg_codec::batch::ResultText;
use oxpg_codec::boundary::POOL_BIT;
use serde_json::Value;

use crate::background::Configuration;
use crate::cancels::CancelGate;
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::requests::Place;
use crate::sink::Part;
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
}

impl Pools {
    pub(crate) fn new() -> Self {
        Self { drivers: Slab::new(), guards: Guards::default(), touched: None }
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
        self.drivers.remove(pool)
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

/// The statement of a call that may share a connection (rule 8).
fn shared_statement(work: &Work) -> Option<Statement> {
    match work {
        Work::Query { query, .. } if query.is_shareable => Some(query.fingerprint),
        _ => None,
    }
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

    /// A call on the pool itself.
    pub(crate) fn dispatch_to_pool(&mut self, target: u32, slot: u32, work: Work, now_ms: u64) {
        let pool = target & !POOL_BIT;
        self.look_at_idle(pool, now_ms);
        let statement = shared_statement(&work);
        let looked_at = self.looks.looked_at();
        let Some(driver) = self.pools.get_mut(pool) else {
            return self.fail(slot, FailureData::pool_closed());
        };
        driver.policy.looked(looked_at);
        if let Some(statement) = statement
            && let Some(connection) = driver.policy.choose_shared(at(now_ms), statement)
        {
            // Nothing else follows from it that the policy would do at once.
            return self.submit_shared(pool, connection, (slot, work), at(now_ms));
        }
        if let Some(state) = self.calls.requests.get_mut(slot) {
            state.place = Place::Pool(pool);
            state.waiting_work = Some(work);
        }
        let want = statement.map_or(Want::Lease, Want::Share);
        driver.policy.request(at(now_ms), slot, want, None);
        self.run_actions(pool);
    }

    /// `pool.acquire()`.
    pub(crate) fn acquire(&mut self, target: u32, slot: u32, timeout_ms: u32, now_ms: u64) {
        let pool = target & !POOL_BIT;
        self.begin(slot, Place::Pool(pool), 0, now_ms);
        self.look_at_idle(pool, now_ms);
        let Some(driver) = self.pools.get_mut(pool) else {
            return self.fail(slot, FailureData::pool_closed());
        };
        // No limit is seven weeks: without a deadline it would be the pool's own.
        let limit_ms = if timeout_ms == 0 { u32::MAX } else { timeout_ms };
        let deadline = at(now_ms.saturating_add(u64::from(limit_ms)));
        driver.policy.request(at(now_ms), slot, Want::Lease, Some(deadline));
        self.run_actions(pool);
    }

    /// `release()` of a connection that JavaScript holds. Its request, if it has one, ends when the session is clean or
    /// gone.
    pub(crate) fn release(&mut self, connection: u32, slot: u32) {
        let now_ms = self.now_ms();
        if slot != 0 {
            self.begin(slot, Place::Closing(connection), 0, now_ms);
        }
        let Some(held) = self.connections.get_mut(connection).filter(|held| held.is_leased) else {
            if slot != 0 {
                self.finish_close(slot);
            }
            return;
        };
        held.is_leased = false;
        held.release_waiter = (slot != 0).then_some(slot);
        let (pool, queries) = (held.pool, held.lease_queries);
        // What the user said of his lease does not hold for the next user.
        self.set_referenced(connection, false);
        if let Some(driver) = self.pools.get_mut(pool) {
            driver.policy.count_queries(connection, queries);
            // The policy refuses only what is not leased, and that was checked above.
            let _ = driver.policy.release(at(now_ms), connection, true);
            self.run_actions(pool);
        }
    }

    /// A call on the pool that did not run on the connection that was chosen for it.
    pub(crate) fn move_query(&mut self, pool: u32, slot: u32, work: Work) {
        let now_ms = self.now_ms();
        let Some(state) = self.calls.requests.get_mut(slot) else { return };
        state.holds_lease = false;
        state.ticket = None;
        state.text = ResultText::default();
        self.dispatch_to_pool(pool, slot, work, now_ms);
    }

    /// A call on a pool goes to a connection that others use as well.
    /// When it is sent, the policy learns by [`Environment::pool_written`].
    pub(crate) fn submit_shared(&mut self, pool: u32, connection: u32, (slot, work): (u32, Work), now: Duration) {
        let Some(driver) = self.pools.get_mut(pool) else { return };
        let ticket = driver.policy.query_started(connection, now, shared_statement(&work).unwrap_or_default());
        if let Some(state) = self.calls.requests.get_mut(slot) {
            state.place = Place::Connection(connection);
            state.pool = pool;
            state.ticket = ticket;
        }
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.shared_queries += 1;
        }
        self.submit(connection, slot, work);
    }

    /// What was to be written on a connection has been.
    pub(crate) fn pool_written(&mut self, connection: u32, now: Duration) {
        let Some(pool) = self.connections.get(connection).map(|held| held.pool) else { return };
        if let Some(driver) = self.pools.get_mut(pool) {
            driver.policy.written(connection, now);
        }
    }

    /// The caller of a shared query has left. It may run on for a while, and the pool counts it until the session is past
    /// it.
    pub(crate) fn abandon_shared(&mut self, pool: u32, connection: u32, ticket: Option<Ticket>) {
        if let Some(held) = self.connections.get_mut(connection) {
            held.abandoned_queries += 1;
        }
        if let (Some(driver), Some(ticket)) = (self.pools.get_mut(pool), ticket) {
            driver.policy.query_abandoned(connection, ticket);
        }
        self.count_abandoned(connection);
    }

    pub(crate) fn give_up_waiting(&mut self, pool: u32, slot: u32) {
        let now_ms = self.now_ms();
        let Some(driver) = self.pools.get_mut(pool) else { return };
        if driver.ready.is_some_and(|(ready, _)| ready == slot) {
            // Nobody will ever have this pool.
            driver.ready = None;
            driver.policy.terminate(at(now_ms));
        } else {
            driver.policy.give_up(slot);
        }
        self.run_actions(pool);
    }

    /// A call of a pool is over; `run_actions` follows.
    pub(crate) fn pool_query_over(&mut self, pool: u32, connection: u32, part: Part) {
        let now = self.now_of_look();
        if part != Part::Lease {
            self.count_shared_out(connection);
        }
        let arrival = self.looks.arrival();
        let Some(driver) = self.pools.get_mut(pool) else { return };
        match part {
            Part::Lease => {
                let _ = driver.policy.release(now, connection, true);
            }
            Part::Share { ticket: Some(ticket), is_answered: true } => {
                driver.policy.query_finished(connection, now, ticket, arrival);
            }
            Part::Share { ticket: Some(ticket), is_answered: false } => {
                driver.policy.query_returned(connection, now, ticket);
            }
            Part::Share { ticket: None, .. } => {}
        }
    }

    fn count_shared_out(&mut self, connection: u32) {
        if let Some(held) = self.connections.get_mut(connection) {
            held.shared_queries = held.shared_queries.saturating_sub(1);
        }
    }

    /// Tells the pool of abandoned queries that a session is past by now.
    pub(crate) fn count_abandoned(&mut self, connection: u32) {
        let Some(held) = self.connections.get_mut(connection) else { return };
        if held.abandoned_queries > 0 {
            let (pool, past) = (held.pool, held.take_past_queries());
            let now = self.now();
            for _ in 0..past {
                self.count_shared_out(connection);
                if let Some(driver) = self.pools.get_mut(pool) {
                    driver.policy.abandoned_is_over(connection, now);
                }
                self.run_actions(pool);
            }
        }
    }

    pub(crate) fn pool_internal_over(&mut self, connection: u32, request: u32, is_clean: bool) {
        let now_ms = self.now_ms();
        let Some(held) = self.connections.get_mut(connection) else { return };
        if held.reset.take_if(|reset| *reset == request).is_none() {
            return;
        }
        let (pool, release_waiter) = (held.pool, held.release_waiter.take());
        if let Some(slot) = release_waiter {
            self.finish_close(slot);
        }
        let Some(driver) = self.pools.get_mut(pool) else { return };
        driver.policy.reset_done(at(now_ms), connection, is_clean);
        self.run_actions(pool);
    }

    /// A session only reads. A pool whose sessions are to write wants another in its place: a failover, or a full disk,
    /// can leave a session behind that was well when it was opened.
    pub(crate) fn pool_read_only(&mut self, connection: u32) {
        let Some(pool) = self.connections.get(connection).map(|held| held.pool) else { return };
        let Some(driver) = self.pools.get_mut(pool) else { return };
        if matches!(&driver.config, Configuration::Parsed(config) if config.is_for_writing()) {
            driver.policy.unfit(connection);
            self.run_actions(pool);
        }
    }

    /// A connection of the pool is gone.
    pub(crate) fn pool_lost(&mut self, pool: u32, connection: u32) {
        let now_ms = self.now_ms();
        if let Some(driver) = self.pools.get_mut(pool) {
            driver.policy.lost(at(now_ms), connection);
            self.run_actions(pool);
        }
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

    pub(crate) fn close(&mut self, target: u32, slot: u32, timeout_ms: u32, now_ms: u64) {
        if target & POOL_BIT == 0 {
            self.begin(slot, Place::Closing(target), timeout_ms, now_ms);
            match self.connections.get_mut(target) {
                Some(connection) => {
                    connection.close_waiters.push(slot);
                    self.drive(target, |connection, sink| connection.session.begin_close(sink));
                }
                None => self.finish_close(slot),
            }
            return;
        }
        let pool = target & !POOL_BIT;
        self.begin(slot, Place::Closing(target), timeout_ms, now_ms);
        match self.pools.get_mut(pool) {
            Some(driver) => {
                driver.close_waiters.push(slot);
                driver.parting.get_or_insert_with(|| self.partings.begin());
                driver.policy.close(at(now_ms));
                self.run_actions(pool);
            }
            None => self.finish_close(slot),
        }
    }

    /// The caller of a graceful close no longer waits for it: everything ends at once.
    pub(crate) fn hurry_close(&mut self, target: u32, slot: u32) {
        self.partings.forget_waiter(slot);
        if target & POOL_BIT == 0 {
            if let Some(connection) = self.connections.get_mut(target) {
                connection.close_waiters.retain(|waiter| *waiter != slot);
            }
        } else if let Some(driver) = self.pools.get_mut(target & !POOL_BIT) {
            driver.close_waiters.retain(|waiter| *waiter != slot);
        }
        self.terminate_target(target);
    }

    pub(crate) fn terminate_target(&mut self, target: u32) {
        let now_ms = self.now_ms();
        if target & POOL_BIT == 0 {
            self.terminate(target);
        } else if let Some(driver) = self.pools.get_mut(target & !POOL_BIT) {
            driver.policy.terminate(at(now_ms));
            self.run_actions(target & !POOL_BIT);
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

    pub(crate) fn pool_stats(&self, target: u32) -> Option<oxpg_client::pool::Stats> {
        self.pools.get(target & !POOL_BIT).map(|driver| driver.policy.stats())
    }
}
