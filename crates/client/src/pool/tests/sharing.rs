//! Connections that several queries use at once (rules 8 and 9).

use super::*;
use crate::pool::CloseReason;

#[test]
fn an_idle_connection_is_preferred() {
    let mut pool = full_pool(3);
    let mut chosen: Vec<ConnectionId> = (0..3).map(|_| start_shared(&mut pool, ms(0))).collect();
    chosen.sort_unstable();
    assert_eq!(chosen, [1, 2, 3]);
}

#[test]
fn a_hundred_queries_on_ten_connections_are_spread_evenly() {
    let mut pool = full_pool(10);
    let mut load = [0; 11];
    for _ in 0..100 {
        load[start_shared(&mut pool, ms(1)) as usize] += 1;
    }
    assert_eq!(load[1..], [10; 10]);
    // Whichever finishes most gets the next.
    for _ in 0..5 {
        pool.query_finished(7, ms(2));
    }
    for _ in 0..5 {
        assert_eq!(start_shared(&mut pool, ms(2)), 7);
    }
    assert_eq!(pool.stats().granted, 105);
}

#[test]
fn a_new_connection_is_preferred_to_a_busy_one_which_serves_until_it_is_there() {
    let mut pool = pool_with(options(1, 2));
    assert_eq!(start_shared(&mut pool, ms(0)), 1);
    // The pool may grow: the query asks, so that a connection is opened, and is served meanwhile.
    assert_eq!(pool.choose_shared(ms(0)), None);
    pool.request(ms(0), 50, Want::Share, None);
    let next = actions(&mut pool);
    assert_eq!((attempts(&next).len(), next.last()), (1, Some(&share(50, 1))));
    pool.query_started(1, ms(0));
    // No second attempt while one is under way and the first connection has little to do.
    assert_eq!(start_shared(&mut pool, ms(1)), 1);
    pool.opened(ms(2), attempts(&next)[0], 2);
    assert_eq!(actions(&mut pool), []);
    assert_eq!(start_shared(&mut pool, ms(2)), 2);
}

#[test]
fn while_a_connection_is_being_opened_a_busy_one_takes_only_a_few() {
    let mut pool = pool_with(options(1, 2));
    start_shared(&mut pool, ms(0));
    pool.request(ms(0), 50, Want::Share, None);
    let attempt = attempts(&actions(&mut pool))[0];
    pool.query_started(1, ms(0));
    start_shared(&mut pool, ms(0));
    start_shared(&mut pool, ms(0));
    assert_eq!(pool.choose_shared(ms(0)), None);
    pool.request(ms(0), 51, Want::Share, None);
    assert_eq!(actions(&mut pool), []);
    pool.opened(ms(1), attempt, 2);
    assert_eq!(actions(&mut pool), [share(51, 2)]);
    pool.query_started(2, ms(1));
}

#[test]
fn nothing_goes_behind_a_long_running_head_while_a_connection_is_being_opened() {
    let mut pool = pool_with(options(1, 2));
    start_shared(&mut pool, ms(0));
    pool.request(ms(20), 50, Want::Share, None);
    let attempt = attempts(&actions(&mut pool))[0];
    assert_eq!(pool.stats().waiting, 1);
    // A new head is as good as new.
    pool.head_changed(1, ms(21));
    assert_eq!(actions(&mut pool), [share(50, 1)]);
    pool.query_started(1, ms(21));
    pool.request(ms(40), 51, Want::Share, None);
    assert_eq!(actions(&mut pool), []);
    pool.opened(ms(41), attempt, 2);
    assert_eq!(actions(&mut pool), [share(51, 2)]);
}

#[test]
fn a_connection_that_takes_long_to_open_is_not_waited_for() {
    let mut pool = pool_with(options(1, 2));
    start_shared(&mut pool, ms(0));
    pool.request(ms(20), 50, Want::Share, None);
    assert_eq!(attempts(&actions(&mut pool)).len(), 1);
    let due = pool.next_deadline().unwrap();
    assert_eq!(due, ms(270));
    pool.tick(due);
    assert_eq!(actions(&mut pool), [share(50, 1)]);
}

#[test]
fn a_younger_head_is_preferred_to_a_shorter_queue() {
    let mut pool = full_pool(2);
    let slow = start_shared(&mut pool, ms(0));
    let quick = start_shared(&mut pool, ms(10));
    for _ in 0..5 {
        assert_eq!(start_shared(&mut pool, ms(10)), quick);
    }
    // Both are old now: the least in flight.
    assert_eq!(start_shared(&mut pool, ms(100)), slow);
    pool.head_changed(quick, ms(101));
    assert_eq!(start_shared(&mut pool, ms(101)), quick);
}

#[test]
fn a_share_waits_when_every_connection_is_leased() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    assert_eq!(pool.choose_shared(ms(0)), None);
    for waiter in [2, 3] {
        pool.request(ms(0), waiter, Want::Share, None);
    }
    assert_eq!(actions(&mut pool), []);
    pool.release(ms(1), connection, false).unwrap();
    assert_eq!(pool.next_action(), Some(share(2, connection)));
    pool.query_started(connection, ms(1));
    assert_eq!(pool.next_action(), Some(share(3, connection)));
    pool.query_started(connection, ms(1));
    assert_eq!(pool.stats().in_use, 1);
}

#[test]
fn a_newcomer_does_not_overtake_a_share_that_waits() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Share, None);
    pool.release(ms(1), connection, false).unwrap();
    assert_eq!(pool.choose_shared(ms(1)), None);
    assert_eq!(actions(&mut pool), [share(2, connection)]);
}

#[test]
fn a_lease_that_waits_gets_a_connection_in_spite_of_a_stream_of_shared_queries() {
    let mut pool = full_pool(2);
    for _ in 0..4 {
        start_shared(&mut pool, ms(0));
    }
    pool.request(ms(1), 9, Want::Lease, None);
    assert_eq!(actions(&mut pool), []);
    // One connection takes no more and runs dry; the other one carries on.
    let busy = start_shared(&mut pool, ms(1));
    let drained = 3 - busy;
    for _ in 0..20 {
        assert_eq!(start_shared(&mut pool, ms(1)), busy);
    }
    pool.query_finished(drained, ms(2));
    assert_eq!(actions(&mut pool), []);
    pool.query_finished(drained, ms(2));
    assert_eq!(actions(&mut pool), [lease(9, drained)]);
    assert_eq!(start_shared(&mut pool, ms(3)), busy);
}

#[test]
fn shares_and_leases_on_one_connection_take_turns_in_the_order_of_asking() {
    let mut pool = full_pool(1);
    start_shared(&mut pool, ms(0));
    pool.request(ms(0), 10, Want::Lease, None);
    assert_eq!(actions(&mut pool), []);
    pool.request(ms(0), 11, Want::Share, None);
    pool.request(ms(0), 12, Want::Share, None);
    pool.request(ms(0), 13, Want::Lease, None);
    pool.request(ms(0), 14, Want::Share, None);
    assert_eq!(actions(&mut pool), []);
    pool.query_finished(1, ms(1));
    assert_eq!(actions(&mut pool), [lease(10, 1)]);
    pool.release(ms(2), 1, false).unwrap();
    for waiter in [11, 12] {
        assert_eq!(pool.next_action(), Some(share(waiter, 1)));
        pool.query_started(1, ms(2));
    }
    // 14 asked after 13.
    assert_eq!(pool.next_action(), None);
    pool.query_finished(1, ms(3));
    pool.query_finished(1, ms(3));
    assert_eq!(actions(&mut pool), [lease(13, 1)]);
    pool.release(ms(4), 1, false).unwrap();
    assert_eq!(actions(&mut pool), [share(14, 1)]);
}

#[test]
fn a_draining_connection_serves_all_again_when_the_lease_gives_up() {
    let mut pool = full_pool(1);
    start_shared(&mut pool, ms(0));
    pool.request(ms(0), 10, Want::Lease, None);
    pool.request(ms(0), 11, Want::Share, None);
    assert_eq!(actions(&mut pool), []);
    pool.give_up(10);
    assert_eq!(actions(&mut pool), [share(11, 1)]);
    pool.query_started(1, ms(1));
    assert_eq!(start_shared(&mut pool, ms(1)), 1);
}

#[test]
fn a_second_connection_is_drained_when_the_first_is_stuck() {
    let mut pool = full_pool(3);
    for _ in 0..3 {
        start_shared(&mut pool, ms(0));
    }
    pool.request(ms(0), 10, Want::Lease, None);
    assert_eq!(actions(&mut pool), []);
    assert_eq!(pool.next_deadline(), Some(ms(50)));
    pool.tick(ms(50));
    assert_eq!(actions(&mut pool), []);
    let only = start_shared(&mut pool, ms(51));
    assert_eq!(start_shared(&mut pool, ms(51)), only);
    assert_eq!(pool.next_deadline(), Some(ms(100)));
}

#[test]
fn no_connection_is_drained_while_a_new_one_is_expected() {
    let mut pool = pool_with(options(1, 2));
    start_shared(&mut pool, ms(0));
    pool.request(ms(0), 10, Want::Lease, None);
    let attempt = attempts(&actions(&mut pool))[0];
    assert_eq!(start_shared(&mut pool, ms(1)), 1);
    pool.opened(ms(2), attempt, 2);
    assert_eq!(actions(&mut pool), [lease(10, 2)]);
}

#[test]
fn without_sharing_a_share_is_a_lease() {
    let mut pool = pool_with(PoolOptions { share_connections: false, ..options(1, 1) });
    assert_eq!(pool.choose_shared(ms(0)), None);
    pool.request(ms(0), 1, Want::Share, None);
    assert_eq!(actions(&mut pool), [lease(1, 1)]);
    pool.request(ms(0), 2, Want::Share, None);
    assert_eq!(actions(&mut pool), []);
    pool.release(ms(1), 1, false).unwrap();
    assert_eq!(actions(&mut pool), [lease(2, 1)]);
}

#[test]
fn a_connection_that_has_served_max_queries_takes_no_more_and_closes_when_they_are_over() {
    let mut pool = pool_with(PoolOptions { max_queries: 3, max_inactive_lifetime: None, ..options(1, 1) });
    for _ in 0..3 {
        start_shared(&mut pool, ms(0));
    }
    assert_eq!(pool.choose_shared(ms(0)), None);
    for _ in 0..2 {
        pool.query_finished(1, ms(1));
        assert_eq!(actions(&mut pool), []);
    }
    pool.query_finished(1, ms(1));
    let next = actions(&mut pool);
    assert_eq!(next[0], Action::Close { connection: 1, reason: CloseReason::MaxQueries });
    assert_eq!(attempts(&next).len(), 1);
}

#[test]
fn a_connection_lost_with_queries_in_flight_is_forgotten_with_them() {
    let mut pool = full_pool(2);
    let lost = start_shared(&mut pool, ms(0));
    pool.lost(ms(1), lost);
    pool.query_finished(lost, ms(1));
    pool.head_changed(lost, ms(1));
    assert_eq!(attempts(&actions(&mut pool)).len(), 1);
    assert_eq!((pool.stats().size, pool.stats().idle, pool.stats().closed), (1, 1, 1));
}

#[test]
fn a_driver_that_starts_nothing_after_a_grant_loses_no_slot() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Share, None);
    pool.request(ms(0), 3, Want::Lease, None);
    pool.release(ms(1), connection, false).unwrap();
    assert_eq!(actions(&mut pool), [share(2, connection), lease(3, connection)]);
}
