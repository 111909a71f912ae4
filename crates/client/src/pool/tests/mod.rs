//! The policy's behaviour, one room per subject, and random worlds for what must always hold.

mod closing;
mod draining;
mod guards;
mod learning;
mod leases;
mod lifetimes;
mod opening;
mod renewing;
mod sharing;
mod simulation;
mod step;
mod world;
mod worlds;

use std::time::Duration;

use super::{Action, Arrival, AttemptId, ConnectionId, Pool, PoolOptions, Statement, Ticket, Want};

/// A statement that takes 50 µs, which every pool of these tests knows.
const QUICK: Statement = 1;
/// One that takes half a second.
const SLOW: Statement = 2;
/// One of which nothing is known.
const UNKNOWN: Statement = 3;

/// Milliseconds of the test's clock.
fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn us(microseconds: u64) -> Duration {
    Duration::from_micros(microseconds)
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
    for _ in 0..30 {
        pool.connections.services.observe(QUICK, us(50), 1);
        pool.connections.services.observe(SLOW, ms(500), 1);
    }
    let mut id = 0;
    loop {
        let attempts = attempts(&actions(&mut pool));
        if attempts.is_empty() {
            break;
        }
        for attempt in attempts {
            id += 1;
            pool.opened(ms(0), attempt, id, Duration::ZERO);
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

/// Starts a quick query where the pool chooses, after a look at all connections.
fn start_shared(pool: &mut Pool, now: Duration) -> ConnectionId {
    start(pool, now, QUICK).0
}

/// Starts a shared query where the pool chooses, after a look at all connections.
fn start(pool: &mut Pool, now: Duration, statement: Statement) -> (ConnectionId, Ticket) {
    pool.looked(now);
    let connection = pool.choose_shared(now, statement).expect("a connection to share");
    let ticket = start_on(pool, connection, now, statement);
    assert_eq!(actions(pool), []);
    (connection, ticket)
}

/// Starts a quick query where the pool chooses; the driver writes it when it has heard all callers.
fn start_unwritten(pool: &mut Pool, now: Duration) -> ConnectionId {
    let connection = pool.choose_shared(now, QUICK).expect("a connection to share");
    pool.query_started(connection, now, QUICK).expect("a connection that is shared");
    assert_eq!(actions(pool), []);
    connection
}

/// Starts a shared query on a connection, and writes it.
fn start_on(pool: &mut Pool, connection: ConnectionId, now: Duration, statement: Statement) -> Ticket {
    let ticket = pool.query_started(connection, now, statement).expect("a connection that is shared");
    pool.written(connection, now);
    ticket
}

/// The answer of the query that is first on a connection arrives now. Tickets of one connection begin at 1.
fn finish(pool: &mut Pool, connection: ConnectionId, now: Duration, ticket: Ticket) {
    pool.looked(now);
    pool.query_finished(connection, now, ticket, Arrival { at: now, is_exact: true, is_prepared_first: false });
}
