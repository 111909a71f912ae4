//! The policy's behaviour, one room per subject, and random worlds for what must always hold.

mod closing;
mod guards;
mod leases;
mod lifetimes;
mod opening;
mod sharing;
mod step;
mod world;
mod worlds;

use std::time::Duration;

use super::{Action, AttemptId, ConnectionId, Pool, PoolOptions, Want};

/// Milliseconds of the test's clock.
fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Everything the pool wants done now.
fn actions(pool: &mut Pool) -> Vec<Action> {
    std::iter::from_fn(|| pool.next_action()).collect()
}

fn options(min_size: usize, max_size: usize) -> PoolOptions {
    PoolOptions { min_size, max_size, ..PoolOptions::default() }
}

/// The attempts among some actions.
fn attempts(actions: &[Action]) -> Vec<AttemptId> {
    let attempt = |action: &Action| if let Action::Open { attempt } = action { Some(*attempt) } else { None };
    actions.iter().filter_map(attempt).collect()
}

fn lease(waiter: u32, connection: ConnectionId) -> Action {
    Action::Grant { waiter, connection, is_lease: true }
}

fn share(waiter: u32, connection: ConnectionId) -> Action {
    Action::Grant { waiter, connection, is_lease: false }
}

/// A pool at time 0 with connections 1 to `size`, all idle; it may not grow.
fn full_pool(size: usize) -> Pool {
    pool_with(PoolOptions { min_size: size, max_size: size, ..PoolOptions::default() })
}

/// A pool at time 0 with connections 1 to `min_size`, all idle.
fn pool_with(options: PoolOptions) -> Pool {
    let wanted = options.min_size;
    let mut pool = Pool::new(options, 42, ms(0));
    let mut id = 0;
    loop {
        let attempts = attempts(&actions(&mut pool));
        if attempts.is_empty() {
            break;
        }
        for attempt in attempts {
            id += 1;
            pool.opened(ms(0), attempt, id);
        }
    }
    assert_eq!((pool.stats().size, pool.stats().idle), (wanted, wanted));
    pool
}

/// Makes a connection somebody's alone.
fn take_lease(pool: &mut Pool, now: Duration, waiter: u32) -> ConnectionId {
    pool.request(now, waiter, Want::Lease, None);
    let granted = actions(pool);
    match granted.as_slice() {
        [Action::Grant { waiter: granted, connection, is_lease: true }] if *granted == waiter => *connection,
        other => panic!("expected a lease for {waiter}, got {other:?}"),
    }
}

/// Starts a shared query where the pool chooses.
fn start_shared(pool: &mut Pool, now: Duration) -> ConnectionId {
    let connection = pool.choose_shared(now).expect("a connection to share");
    pool.query_started(connection, now);
    assert_eq!(actions(pool), []);
    connection
}
