//! When connections are opened, and what happens when they cannot be.

use super::*;
use crate::pool::{OpenFailure, Rejection};

#[test]
fn min_size_is_opened_at_the_start_and_kept() {
    let mut pool = Pool::new(options(3, 5), 1, ms(0));
    let opening = attempts(&actions(&mut pool));
    assert_eq!(opening.len(), 3);
    assert_eq!((pool.stats().opening, pool.stats().size), (3, 0));
    for (attempt, connection) in opening.into_iter().zip(1..) {
        pool.opened(ms(1), attempt, connection, Duration::ZERO);
    }
    assert_eq!(actions(&mut pool), []);
    pool.lost(ms(2), 2);
    assert_eq!(attempts(&actions(&mut pool)).len(), 1);
}

#[test]
fn no_more_connections_are_opened_than_waiters_need() {
    let mut pool = pool_with(options(1, 10));
    take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Lease, None);
    pool.request(ms(0), 3, Want::Lease, None);
    assert_eq!(attempts(&actions(&mut pool)).len(), 2);
    pool.tick(ms(10));
    assert_eq!(actions(&mut pool), []);
    pool.give_up(2);
    pool.request(ms(11), 4, Want::Lease, None);
    assert_eq!(actions(&mut pool), []);
}

#[test]
fn max_size_holds_with_those_being_opened() {
    let mut pool = pool_with(options(1, 4));
    for waiter in 0..50 {
        pool.request(ms(0), waiter, Want::Lease, None);
    }
    assert_eq!(attempts(&actions(&mut pool)).len(), 3);
}

#[test]
fn a_connection_that_comes_back_first_serves_the_waiter_and_the_new_one_stays_for_the_next() {
    let mut pool = pool_with(options(1, 2));
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Lease, None);
    let attempt = attempts(&actions(&mut pool))[0];
    pool.release(ms(1), connection, false).unwrap();
    assert_eq!(actions(&mut pool), [lease(2, connection)]);
    pool.opened(ms(2), attempt, 9, Duration::ZERO);
    assert_eq!(actions(&mut pool), []);
    assert_eq!(take_lease(&mut pool, ms(3), 3), 9);
}

#[test]
fn sizes_are_brought_within_reason() {
    let pool = Pool::new(options(5, 0), 1, ms(0));
    assert_eq!((pool.stats().min_size, pool.stats().max_size), (1, 1));
}

#[test]
fn failed_attempts_are_repeated_with_growing_pauses_one_at_a_time() {
    let mut pool = Pool::new(options(1, 10), 7, ms(0));
    let mut attempt = attempts(&actions(&mut pool))[0];
    let mut now = ms(0);
    for expected in [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000] {
        pool.open_failed(now, attempt, OpenFailure::Transient);
        assert_eq!(actions(&mut pool), []);
        let due = pool.next_deadline().unwrap();
        assert!((ms(expected) / 2..=ms(expected)).contains(&(due - now)), "{:?} for {expected}", due - now);
        pool.tick(due - Duration::from_nanos(1));
        assert_eq!(actions(&mut pool), []);
        pool.tick(due);
        let next = attempts(&actions(&mut pool));
        assert_eq!(next.len(), 1);
        (now, attempt) = (due, next[0]);
    }
    pool.opened(now, attempt, 1, Duration::ZERO);
    assert_eq!((actions(&mut pool), pool.stats().idle), (vec![], 1));
    // Success forgets the failures.
    pool.lost(now, 1);
    attempt = attempts(&actions(&mut pool))[0];
    pool.open_failed(now, attempt, OpenFailure::Transient);
    assert!(pool.next_deadline().unwrap() - now <= ms(50));
}

#[test]
fn pauses_differ_between_pools() {
    let pause = |seed| {
        let mut pool = Pool::new(options(1, 1), seed, ms(0));
        let attempt = attempts(&actions(&mut pool))[0];
        pool.open_failed(ms(0), attempt, OpenFailure::Transient);
        pool.next_deadline().unwrap()
    };
    let pauses: std::collections::BTreeSet<Duration> = (0..50).map(pause).collect();
    assert!(pauses.len() > 40);
}

#[test]
fn waiters_stay_through_transient_failures_until_their_deadline() {
    let mut pool = Pool::new(options(0, 1), 1, ms(0));
    pool.request(ms(0), 1, Want::Lease, Some(ms(60)));
    pool.request(ms(0), 2, Want::Lease, Some(ms(10_000)));
    let attempt = attempts(&actions(&mut pool))[0];
    pool.open_failed(ms(1), attempt, OpenFailure::Transient);
    assert_eq!(actions(&mut pool), []);
    pool.tick(ms(60));
    let next = actions(&mut pool);
    assert!(matches!(next[0], Action::Reject { waiter: 1, reason: Rejection::Timeout { size: 0, .. } }));
    let attempt = attempts(&next)[0];
    pool.opened(ms(61), attempt, 1, Duration::ZERO);
    assert_eq!(actions(&mut pool), [lease(2, 1)]);
}

#[test]
fn attempts_that_fail_side_by_side_double_the_pause_once() {
    let mut pool = Pool::new(options(10, 10), 3, ms(0));
    for attempt in attempts(&actions(&mut pool)) {
        pool.open_failed(ms(1), attempt, OpenFailure::Transient);
    }
    assert!(pool.next_deadline().unwrap() <= ms(51));
}

#[test]
fn after_a_restart_attempts_are_few_at_first_and_double_with_success() {
    let mut pool = full_pool(100);
    for connection in 1..=100 {
        pool.lost(ms(0), connection);
    }
    for waiter in 0..10_000 {
        pool.request(ms(0), waiter, Want::Share(QUICK), None);
    }
    let mut opening = attempts(&actions(&mut pool));
    for attempt in opening.drain(..) {
        pool.open_failed(ms(1), attempt, OpenFailure::Transient);
    }
    let mut sizes = Vec::new();
    let mut connection = 1_000;
    let mut now = pool.next_deadline().unwrap();
    pool.tick(now);
    loop {
        opening.extend(attempts(&drive(&mut pool, now)));
        if opening.is_empty() {
            break;
        }
        sizes.push(opening.len());
        now += ms(5);
        for attempt in std::mem::take(&mut opening) {
            connection += 1;
            pool.opened(now, attempt, connection, Duration::ZERO);
        }
    }
    assert_eq!(sizes[..4], [1, 2, 4, 8]);
    assert_eq!(pool.stats().size, 100);
    // Each connection has taken what it answers soon.
    assert!((1_000..9_000).contains(&pool.stats().waiting));
}

/// Carries out shared grants as a driver does; gives all actions.
fn drive(pool: &mut Pool, now: Duration) -> Vec<Action> {
    let mut done = Vec::new();
    while let Some(action) = pool.next_action() {
        if let Action::Grant { connection, is_lease: false, .. } = action {
            start_on(pool, connection, now, QUICK);
        }
        done.push(action);
    }
    done
}

#[test]
fn a_server_that_is_down_for_a_minute_sees_a_bounded_number_of_attempts() {
    let mut pool = full_pool(50);
    for connection in 1..=50 {
        pool.lost(ms(0), connection);
    }
    for waiter in 0..10_000 {
        pool.request(ms(0), waiter, Want::Lease, Some(ms(90_000)));
    }
    let (mut now, mut count) = (ms(0), 0);
    while now < ms(60_000) {
        for attempt in attempts(&actions(&mut pool)) {
            count += 1;
            pool.open_failed(now, attempt, OpenFailure::Transient);
        }
        now = pool.next_deadline().unwrap();
        pool.tick(now);
    }
    assert!((30..70).contains(&count), "{count} attempts");
    let attempt = attempts(&actions(&mut pool))[0];
    pool.opened(now, attempt, 100, Duration::ZERO);
    assert_eq!(actions(&mut pool)[0], lease(0, 100));
}

#[test]
fn an_attempt_that_hangs_does_not_keep_others_from_finding_the_server_again() {
    let mut pool = Pool::new(options(2, 2), 3, ms(0));
    let opening = attempts(&actions(&mut pool));
    pool.open_failed(ms(1), opening[0], OpenFailure::Transient);
    actions(&mut pool);
    let due = pool.next_deadline().unwrap();
    pool.tick(due);
    assert_eq!(attempts(&actions(&mut pool)).len(), 1);
}

#[test]
fn a_permanent_failure_rejects_the_waiters_it_would_have_served() {
    let mut pool = Pool::new(options(0, 4), 1, ms(0));
    for waiter in 0..10 {
        pool.request(ms(0), waiter, Want::Lease, None);
    }
    let opening = attempts(&actions(&mut pool));
    assert_eq!(opening.len(), 4);
    let rejected = |range: std::ops::Range<u32>| -> Vec<Action> {
        range.map(|waiter| Action::Reject { waiter, reason: Rejection::OpenFailed }).collect()
    };
    pool.open_failed(ms(1), opening[0], OpenFailure::Final);
    assert_eq!(actions(&mut pool), rejected(0..3));
    pool.opened(ms(1), opening[1], 1, Duration::ZERO);
    let next = actions(&mut pool);
    assert_eq!((&next[0], attempts(&next).len()), (&lease(3, 1), 1));
    pool.open_failed(ms(1), opening[2], OpenFailure::Final);
    assert_eq!(actions(&mut pool), rejected(4..6));
    pool.open_failed(ms(1), opening[3], OpenFailure::Final);
    assert_eq!(actions(&mut pool), rejected(6..8));
    assert_eq!(pool.stats().waiting, 2);
}

#[test]
fn after_a_failure_that_says_nothing_of_the_next_attempt_newcomers_wait_for_that() {
    let mut pool = Pool::new(options(0, 1), 1, ms(0));
    pool.request(ms(0), 1, Want::Lease, None);
    let attempt = attempts(&actions(&mut pool))[0];
    pool.open_failed(ms(1), attempt, OpenFailure::Final);
    assert_eq!(actions(&mut pool), [Action::Reject { waiter: 1, reason: Rejection::OpenFailed }]);
    pool.request(ms(2), 2, Want::Lease, None);
    assert_eq!(actions(&mut pool), []);
    pool.tick(ms(60));
    let attempt = attempts(&actions(&mut pool))[0];
    pool.opened(ms(61), attempt, 1, ms(1));
    assert_eq!(actions(&mut pool), [lease(2, 1)]);
}

#[test]
fn a_server_that_refuses_is_told_of_at_once_where_there_is_nothing_else() {
    let mut pool = Pool::new(options(1, 1), 1, ms(0));
    for waiter in 0..5 {
        pool.request(ms(0), waiter, Want::Share(QUICK), None);
    }
    let attempt = attempts(&actions(&mut pool))[0];
    pool.open_failed(ms(1), attempt, OpenFailure::Refused);
    assert_eq!(actions(&mut pool).len(), 5);
    // A waiter that comes before the next attempt is told the same at once; the next attempt is made for `min_size`.
    pool.request(ms(2), 6, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), [Action::Reject { waiter: 6, reason: Rejection::OpenFailed }]);
    pool.tick(ms(60));
    let attempt = attempts(&actions(&mut pool))[0];
    pool.request(ms(61), 7, Want::Lease, None);
    assert_eq!(actions(&mut pool), []);
    pool.opened(ms(62), attempt, 1, ms(1));
    assert_eq!(actions(&mut pool), [lease(7, 1)]);
}

#[test]
fn while_opening_fails_shared_queries_use_what_is_there() {
    let mut pool = pool_with(options(1, 2));
    start_shared(&mut pool, ms(0));
    pool.request(ms(0), 1, Want::Share(QUICK), None);
    let next = actions(&mut pool);
    start_on(&mut pool, 1, ms(0), QUICK);
    pool.open_failed(ms(1), attempts(&next)[0], OpenFailure::Transient);
    for _ in 0..20 {
        assert_eq!(start_shared(&mut pool, ms(1)), 1);
    }
}

#[test]
fn answers_for_unknown_attempts_are_harmless() {
    let mut pool = full_pool(1);
    pool.open_failed(ms(0), 999, OpenFailure::Final);
    pool.opened(ms(0), 999, 1, Duration::ZERO);
    assert_eq!((actions(&mut pool), pool.stats().size), (vec![], 1));
}

#[test]
fn with_no_server_and_nothing_open_everybody_is_told_at_once() {
    let rejected = |waiter| Action::Reject { waiter, reason: Rejection::OpenFailed };
    let mut pool = Pool::new(options(0, 2), 1, ms(0));
    for waiter in 0..5 {
        pool.request(ms(0), waiter, if waiter % 2 == 0 { Want::Lease } else { Want::Share(QUICK) }, None);
    }
    let opening = attempts(&actions(&mut pool));
    pool.open_failed(ms(1), opening[0], OpenFailure::Unreachable);
    // The other attempt may find another server.
    assert_eq!(actions(&mut pool), []);
    pool.open_failed(ms(1), opening[1], OpenFailure::Unreachable);
    assert_eq!(actions(&mut pool), (0..5).map(rejected).collect::<Vec<_>>());
    // So are those who come before the next attempt.
    pool.request(ms(2), 6, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), [rejected(6)]);
    assert_eq!(pool.stats().timed_out, 0);
    // Whoever comes after the pause has an attempt made for him, and its answer.
    pool.tick(ms(60));
    assert_eq!(actions(&mut pool), []);
    pool.request(ms(60), 7, Want::Share(QUICK), None);
    let attempt = attempts(&actions(&mut pool))[0];
    pool.request(ms(61), 8, Want::Lease, None);
    assert_eq!(actions(&mut pool), []);
    pool.opened(ms(62), attempt, 1, Duration::ZERO);
    assert_eq!(actions(&mut pool)[0], share(7, 1));
}

#[test]
fn with_no_server_waiters_stay_as_long_as_something_is_open() {
    let mut pool = pool_with(options(1, 2));
    let leased = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Lease, None);
    let attempt = attempts(&actions(&mut pool))[0];
    pool.open_failed(ms(1), attempt, OpenFailure::Unreachable);
    assert_eq!(actions(&mut pool), []);
    pool.lost(ms(2), leased);
    assert_eq!(actions(&mut pool), [Action::Reject { waiter: 2, reason: Rejection::OpenFailed }]);
}

#[test]
fn a_server_that_is_starting_up_is_waited_for() {
    let mut pool = Pool::new(options(0, 1), 1, ms(0));
    pool.request(ms(0), 1, Want::Share(QUICK), None);
    let attempt = attempts(&actions(&mut pool))[0];
    pool.open_failed(ms(1), attempt, OpenFailure::Unreachable);
    assert_eq!(actions(&mut pool), [Action::Reject { waiter: 1, reason: Rejection::OpenFailed }]);
    pool.tick(ms(60));
    pool.request(ms(60), 2, Want::Share(QUICK), None);
    let attempt = attempts(&actions(&mut pool))[0];
    pool.open_failed(ms(61), attempt, OpenFailure::Transient);
    pool.request(ms(62), 3, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), []);
}
