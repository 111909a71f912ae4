//! Connections that one user has alone.

use super::*;
use crate::pool::{CloseReason, NotLeased, Rejection};

#[test]
fn the_connection_used_last_is_leased_first() {
    let mut pool = full_pool(3);
    let connection = take_lease(&mut pool, ms(1), 100);
    assert_eq!(connection, 3);
    let other = take_lease(&mut pool, ms(2), 101);
    pool.release(ms(3), connection, false).unwrap();
    pool.release(ms(4), other, false).unwrap();
    assert_eq!(take_lease(&mut pool, ms(5), 102), other);
}

#[test]
fn waiters_are_served_in_the_order_of_asking() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 9);
    for waiter in [5, 3, 8] {
        pool.request(ms(1), waiter, Want::Lease, None);
    }
    assert_eq!(actions(&mut pool), []);
    for waiter in [5, 3, 8] {
        pool.release(ms(2), connection, false).unwrap();
        assert_eq!(actions(&mut pool), [lease(waiter, connection)]);
    }
}

#[test]
fn a_dirty_connection_is_reset_before_the_next_user() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(1), 2, Want::Lease, None);
    pool.release(ms(2), connection, true).unwrap();
    assert_eq!(actions(&mut pool), [Action::Reset { connection }]);
    assert_eq!((pool.stats().in_use, pool.stats().idle), (1, 0));
    assert_eq!(pool.choose_shared(ms(2), QUICK), None);
    pool.reset_done(ms(3), connection, true);
    assert_eq!(actions(&mut pool), [lease(2, connection)]);
}

#[test]
fn no_connection_is_opened_for_a_waiter_whose_connection_is_being_reset() {
    let mut pool = pool_with(options(1, 5));
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.release(ms(1), connection, true).unwrap();
    assert_eq!(actions(&mut pool), [Action::Reset { connection }]);
    pool.request(ms(1), 2, Want::Lease, None);
    assert_eq!(actions(&mut pool), []);
    pool.request(ms(1), 3, Want::Lease, None);
    assert_eq!(attempts(&actions(&mut pool)).len(), 1);
}

#[test]
fn a_connection_that_cannot_be_reset_is_closed_and_replaced() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(1), 2, Want::Lease, None);
    pool.release(ms(2), connection, true).unwrap();
    actions(&mut pool);
    pool.reset_done(ms(3), connection, false);
    let next = actions(&mut pool);
    assert_eq!(next[0], Action::Close { connection, reason: CloseReason::ResetFailed });
    let attempt = attempts(&next)[0];
    pool.opened(ms(4), attempt, 7, Duration::ZERO);
    assert_eq!(actions(&mut pool), [lease(2, 7)]);
}

#[test]
fn a_second_release_is_refused_and_harmless() {
    let mut pool = full_pool(2);
    let connection = take_lease(&mut pool, ms(0), 1);
    assert_eq!(pool.release(ms(1), connection, false), Ok(()));
    assert_eq!(pool.release(ms(1), connection, false), Err(NotLeased));
    assert_eq!(pool.release(ms(1), 99, true), Err(NotLeased));
    assert_eq!((actions(&mut pool), pool.stats().idle), (vec![], 2));
}

#[test]
fn a_lost_lease_is_replaced_and_its_release_is_refused() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(1), 2, Want::Lease, None);
    pool.lost(ms(2), connection);
    let attempt = attempts(&actions(&mut pool))[0];
    assert_eq!(pool.release(ms(3), connection, true), Err(NotLeased));
    pool.opened(ms(4), attempt, connection, Duration::ZERO);
    assert_eq!(actions(&mut pool), [lease(2, connection)]);
}

#[test]
fn a_waiter_is_rejected_exactly_at_its_deadline_with_figures() {
    let mut pool = full_pool(2);
    take_lease(&mut pool, ms(0), 1);
    take_lease(&mut pool, ms(0), 2);
    pool.request(ms(10), 3, Want::Lease, Some(ms(110)));
    pool.request(ms(10), 4, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), []);
    assert_eq!(pool.next_deadline(), Some(ms(110)));
    pool.tick(ms(109));
    assert_eq!(actions(&mut pool), []);
    pool.tick(ms(110));
    let reason = Rejection::Timeout { waited: ms(100), size: 2, in_use: 2, waiting: 2 };
    assert_eq!(actions(&mut pool), [Action::Reject { waiter: 3, reason }]);
    assert_eq!(pool.next_deadline(), Some(ms(30_010)));
    assert_eq!(pool.stats().timed_out, 1);
}

#[test]
fn a_connection_that_comes_at_the_deadline_is_too_late() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Lease, Some(ms(50)));
    pool.request(ms(0), 3, Want::Lease, Some(ms(51)));
    pool.release(ms(50), connection, false).unwrap();
    let next = actions(&mut pool);
    assert!(matches!(next[0], Action::Reject { waiter: 2, reason: Rejection::Timeout { .. } }));
    assert_eq!(next[1..], [lease(3, connection)]);
}

#[test]
fn without_acquire_timeout_a_waiter_waits_for_ever() {
    let limits = PoolOptions { acquire_timeout: None, max_inactive_lifetime: None, ..options(1, 1) };
    let mut pool = pool_with(limits);
    take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Lease, None);
    assert_eq!((actions(&mut pool), pool.next_deadline()), (vec![], None));
}

#[test]
fn a_waiter_that_gives_up_gets_no_answer_and_takes_no_slot() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Lease, None);
    pool.request(ms(0), 3, Want::Lease, None);
    actions(&mut pool);
    // At hand-over: the connection is free, and the driver has not asked yet who gets it.
    pool.release(ms(1), connection, false).unwrap();
    pool.give_up(2);
    assert_eq!(actions(&mut pool), [lease(3, connection)]);
    pool.release(ms(2), connection, false).unwrap();
    pool.give_up(3);
    assert_eq!((actions(&mut pool), pool.stats().idle), (vec![], 1));
}

#[test]
fn a_connection_lost_at_hand_over_is_not_handed_over() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Lease, None);
    pool.release(ms(1), connection, false).unwrap();
    pool.lost(ms(1), connection);
    let next = actions(&mut pool);
    assert_eq!(attempts(&next).len(), next.len());
    pool.opened(ms(2), attempts(&next)[0], 5, Duration::ZERO);
    assert_eq!(actions(&mut pool), [lease(2, 5)]);
}

#[test]
fn a_waiter_is_queued_once_however_often_it_asks() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Lease, None);
    pool.request(ms(0), 2, Want::Lease, None);
    assert_eq!(pool.stats().waiting, 1);
    pool.release(ms(1), connection, false).unwrap();
    assert_eq!(actions(&mut pool), [lease(2, connection)]);
    pool.release(ms(2), connection, false).unwrap();
    assert_eq!(actions(&mut pool), []);
}

#[test]
fn time_never_runs_backwards() {
    let mut pool = full_pool(1);
    take_lease(&mut pool, ms(100), 1);
    pool.request(ms(50), 2, Want::Lease, Some(ms(120)));
    pool.tick(ms(60));
    assert_eq!(actions(&mut pool), []);
    pool.tick(ms(130));
    let reason = Rejection::Timeout { waited: ms(30), size: 1, in_use: 1, waiting: 1 };
    assert_eq!(actions(&mut pool), [Action::Reject { waiter: 2, reason }]);
}

#[test]
fn ten_thousand_waiters_on_five_hundred_connections_are_served_in_order() {
    let mut pool = full_pool(500);
    let mut held: std::collections::VecDeque<ConnectionId> =
        (0..500).map(|waiter| take_lease(&mut pool, ms(0), waiter)).collect();
    for waiter in 1000..11_000 {
        pool.request(ms(1), waiter, Want::Lease, None);
        assert_eq!(pool.next_action(), None);
    }
    for waiter in 1000..11_000 {
        let connection = held.pop_front().unwrap();
        pool.release(ms(2), connection, false).unwrap();
        assert_eq!(actions(&mut pool), [lease(waiter, connection)]);
        held.push_back(connection);
    }
    assert_eq!((pool.stats().waiting, pool.stats().in_use, pool.stats().granted), (0, 500, 10_500));
}

#[test]
fn a_reset_that_takes_long_is_not_waited_for_where_another_connection_can_be_opened() {
    let mut pool = pool_with(options(1, 2));
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.release(ms(1), connection, true).unwrap();
    pool.request(ms(1), 2, Want::Lease, None);
    assert_eq!(actions(&mut pool), [Action::Reset { connection }]);
    let due = pool.next_deadline().unwrap();
    assert_eq!(due, ms(21));
    pool.tick(due);
    let attempt = attempts(&actions(&mut pool))[0];
    pool.opened(ms(25), attempt, 9, ms(1));
    assert_eq!(actions(&mut pool), [lease(2, 9)]);
}
