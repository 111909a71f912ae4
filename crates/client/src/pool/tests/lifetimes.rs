//! Retirement: idle, old, worn or expired connections.

use super::*;
use crate::pool::CloseReason;

/// Lets a pool of 1 to 3 open its second and third connection; all three are idle afterwards, 1 for longest.
fn grown_pool() -> Pool {
    let mut pool = pool_with(options(1, 3));
    for waiter in 1..=3 {
        pool.request(ms(0), waiter, Want::Lease, None);
    }
    let opening = attempts(&actions(&mut pool));
    for (attempt, connection) in opening.into_iter().zip(2..) {
        pool.opened(ms(0), attempt, connection, Duration::ZERO);
    }
    actions(&mut pool);
    for (connection, at) in [(1, 1_000), (2, 2_000), (3, 3_000)] {
        pool.release(ms(at), connection, false).unwrap();
    }
    assert_eq!((actions(&mut pool), pool.stats().idle), (vec![], 3));
    pool
}

fn inactive(connection: ConnectionId) -> Action {
    Action::Close { connection, reason: CloseReason::Inactive }
}

#[test]
fn idle_connections_beyond_min_size_are_closed_after_their_time_oldest_first() {
    let mut pool = grown_pool();
    assert_eq!(pool.next_deadline(), Some(ms(301_000)));
    pool.tick(ms(300_999));
    assert_eq!(actions(&mut pool), []);
    pool.tick(ms(301_000));
    assert_eq!(actions(&mut pool), [inactive(1)]);
    assert_eq!(pool.next_deadline(), Some(ms(302_000)));
    pool.tick(ms(400_000));
    assert_eq!(actions(&mut pool), [inactive(2)]);
    // min_size stays, for ever.
    assert_eq!(pool.next_deadline(), None);
    assert_eq!((pool.stats().size, pool.stats().closed), (1, 2));
}

#[test]
fn a_light_load_keeps_one_connection_fresh_and_lets_the_others_go() {
    let mut pool = grown_pool();
    let mut closed = Vec::new();
    for second in 4..400 {
        let connection = take_lease_or_close(&mut pool, ms(second * 1_000), &mut closed);
        assert_eq!(connection, 3);
        pool.release(ms(second * 1_000), connection, false).unwrap();
        closed.extend(actions(&mut pool));
    }
    assert_eq!(closed, [inactive(1), inactive(2)]);
}

fn take_lease_or_close(pool: &mut Pool, now: Duration, closed: &mut Vec<Action>) -> ConnectionId {
    pool.request(now, 77, Want::Lease, None);
    let mut given = None;
    for action in actions(pool) {
        match action {
            Action::Grant { connection, .. } => given = Some(connection),
            other => closed.push(other),
        }
    }
    given.expect("an idle connection")
}

fn aging(min_size: usize) -> PoolOptions {
    let limits = options(min_size, min_size);
    PoolOptions { max_lifetime: Some(ms(1_000_000)), max_inactive_lifetime: None, ..limits }
}

#[test]
fn lifetimes_are_spread_by_the_jitter() {
    let mut pool = pool_with(aging(100));
    let mut ends = Vec::new();
    while let Some(due) = pool.next_deadline().filter(|due| *due < ms(1_100_000)) {
        pool.tick(due);
        for action in actions(&mut pool) {
            match action {
                Action::Close { reason, .. } => {
                    assert_eq!(reason, CloseReason::MaxLifetime);
                    ends.push(due);
                }
                Action::Open { attempt } => pool.opened(due, attempt, 1_000 + attempt, Duration::ZERO),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(ends.len(), 100);
    assert!(ends.iter().all(|end| (ms(975_000)..=ms(1_025_000)).contains(end)));
    assert!(ends.windows(10).all(|ten| ten[9] - ten[0] > ms(500)), "no bursts");
    assert_eq!(pool.stats().size, 100);
}

#[test]
fn an_old_connection_is_closed_when_it_comes_back_never_in_mid_use() {
    let mut pool = pool_with(aging(1));
    take_lease(&mut pool, ms(0), 1);
    pool.tick(ms(2_000_000));
    assert_eq!((actions(&mut pool), pool.next_deadline()), (vec![], None));
    pool.release(ms(2_000_001), 1, true).unwrap();
    let next = actions(&mut pool);
    assert_eq!(next[0], Action::Close { connection: 1, reason: CloseReason::MaxLifetime });
    assert_eq!(attempts(&next).len(), 1);
}

#[test]
fn an_old_idle_connection_is_never_chosen_even_before_the_tick() {
    let mut pool = pool_with(aging(1));
    assert_eq!(pool.choose_shared(ms(2_000_000), QUICK), None);
    pool.request(ms(2_000_000), 1, Want::Share(QUICK), None);
    let next = actions(&mut pool);
    assert_eq!(next[0], Action::Close { connection: 1, reason: CloseReason::MaxLifetime });
    pool.opened(ms(2_000_001), attempts(&next)[0], 2, Duration::ZERO);
    assert_eq!(actions(&mut pool), [share(1, 2)]);
}

#[test]
fn a_lease_counts_as_one_query_and_the_queries_reported_during_it_count_too() {
    let limits = PoolOptions { max_queries: 4, max_inactive_lifetime: None, ..options(1, 1) };
    let mut pool = pool_with(limits);
    take_lease(&mut pool, ms(0), 1);
    assert_eq!(pool.query_started(1, ms(0), QUICK), None);
    pool.release(ms(0), 1, false).unwrap();
    take_lease(&mut pool, ms(1), 2);
    pool.release(ms(1), 1, true).unwrap();
    assert_eq!(actions(&mut pool), [Action::Reset { connection: 1 }]);
    pool.reset_done(ms(1), 1, true);
    take_lease(&mut pool, ms(2), 3);
    // Worn out: closing cleans as well as a reset would.
    pool.release(ms(2), 1, true).unwrap();
    assert_eq!(actions(&mut pool)[0], Action::Close { connection: 1, reason: CloseReason::MaxQueries });
}

#[test]
fn queries_of_a_lease_that_are_counted_together_wear_the_connection_out() {
    let limits = PoolOptions { max_queries: 10, max_inactive_lifetime: None, ..options(1, 1) };
    let mut pool = pool_with(limits);
    take_lease(&mut pool, ms(0), 1);
    pool.count_queries(1, 8);
    pool.count_queries(99, 1);
    pool.release(ms(0), 1, true).unwrap();
    assert_eq!(actions(&mut pool), [Action::Reset { connection: 1 }]);
    pool.reset_done(ms(0), 1, true);
    take_lease(&mut pool, ms(1), 2);
    pool.release(ms(1), 1, true).unwrap();
    assert_eq!(actions(&mut pool)[0], Action::Close { connection: 1, reason: CloseReason::MaxQueries });
}

#[test]
fn expire_all_replaces_what_is_being_opened_when_it_is_there() {
    let mut pool = Pool::new(options(1, 2), 1, ms(0));
    let attempt = attempts(&actions(&mut pool))[0];
    pool.expire_all();
    assert_eq!(actions(&mut pool), []);
    pool.opened(ms(1), attempt, 1, ms(1));
    assert_eq!(pool.next_action(), Some(Action::Close { connection: 1, reason: CloseReason::Expired }));
    let attempt = attempts(&actions(&mut pool))[0];
    pool.opened(ms(2), attempt, 2, ms(1));
    assert_eq!((actions(&mut pool), pool.stats().size), (vec![], 1));
}

#[test]
fn expire_all_replaces_idle_connections_now_and_others_when_they_are_free() {
    let mut pool = full_pool(4);
    let leased = take_lease(&mut pool, ms(0), 1);
    let dirty = take_lease(&mut pool, ms(0), 2);
    let shared = start_shared(&mut pool, ms(0));
    pool.release(ms(0), dirty, true).unwrap();
    actions(&mut pool);
    pool.expire_all();
    let expired = |connection| Action::Close { connection, reason: CloseReason::Expired };
    let next = actions(&mut pool);
    assert_eq!((&next[0], attempts(&next).len()), (&expired(1), 1));
    assert_eq!(pool.choose_shared(ms(1), QUICK), None);
    finish(&mut pool, shared, ms(2), 1);
    assert_eq!(actions(&mut pool)[0], expired(shared));
    pool.reset_done(ms(3), dirty, true);
    assert_eq!(actions(&mut pool)[0], expired(dirty));
    pool.release(ms(4), leased, true).unwrap();
    assert_eq!(actions(&mut pool)[0], expired(leased));
    // What is opened afterwards is not expired.
    pool.opened(ms(5), attempts(&next)[0], 50, Duration::ZERO);
    assert_eq!(take_lease(&mut pool, ms(5), 3), 50);
}

#[test]
fn a_connection_that_is_unfit_is_replaced_when_nobody_uses_it() {
    let mut pool = full_pool(2);
    let leased = take_lease(&mut pool, ms(0), 1);
    pool.unfit(leased);
    pool.unfit(99);
    assert_eq!(actions(&mut pool), []);
    pool.release(ms(1), leased, true).unwrap();
    assert_eq!(actions(&mut pool)[0], Action::Close { connection: leased, reason: CloseReason::Unfit });
    assert_ne!(take_lease(&mut pool, ms(2), 2), leased, "the other one serves on");
}

#[test]
fn a_session_that_expires_before_its_reset_is_closed_instead() {
    let mut pool = full_pool(1);
    take_lease(&mut pool, ms(0), 1);
    pool.release(ms(1), 1, true).unwrap();
    pool.expire_all();
    let next = actions(&mut pool);
    assert_eq!(next[0], Action::Close { connection: 1, reason: CloseReason::Expired });
    assert_eq!(attempts(&next).len(), next.len() - 1);
}
