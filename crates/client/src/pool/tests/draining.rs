//! Those who want a connection alone beside those who share one.

use super::*;

#[test]
fn a_share_waits_when_every_connection_is_leased() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    assert_eq!(pool.choose_shared(ms(0), QUICK), None);
    for waiter in [2, 3] {
        pool.request(ms(0), waiter, Want::Share(QUICK), None);
    }
    assert_eq!(actions(&mut pool), []);
    pool.release(ms(1), connection, false).unwrap();
    assert_eq!(pool.next_action(), Some(share(2, connection)));
    start_on(&mut pool, connection, ms(1), QUICK);
    assert_eq!(pool.next_action(), Some(share(3, connection)));
    start_on(&mut pool, connection, ms(1), QUICK);
    assert_eq!(pool.stats().in_use, 1);
}

#[test]
fn a_newcomer_does_not_overtake_a_share_that_waits() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Share(QUICK), None);
    pool.release(ms(1), connection, false).unwrap();
    assert_eq!(pool.choose_shared(ms(1), QUICK), None);
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
    for _ in 0..15 {
        assert_eq!(start_shared(&mut pool, ms(1)), busy);
    }
    finish(&mut pool, drained, ms(1), 1);
    assert_eq!(actions(&mut pool), []);
    finish(&mut pool, drained, ms(1), 2);
    assert_eq!(actions(&mut pool), [lease(9, drained)]);
    assert_eq!(start_shared(&mut pool, ms(1)), busy);
}

#[test]
fn shares_and_leases_on_one_connection_take_turns_in_the_order_of_asking() {
    let mut pool = full_pool(1);
    start_shared(&mut pool, ms(0));
    pool.request(ms(0), 10, Want::Lease, None);
    assert_eq!(actions(&mut pool), []);
    pool.request(ms(0), 11, Want::Share(QUICK), None);
    pool.request(ms(0), 12, Want::Share(QUICK), None);
    pool.request(ms(0), 13, Want::Lease, None);
    pool.request(ms(0), 14, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), []);
    finish(&mut pool, 1, ms(1), 1);
    assert_eq!(actions(&mut pool), [lease(10, 1)]);
    pool.release(ms(2), 1, false).unwrap();
    for waiter in [11, 12] {
        assert_eq!(pool.next_action(), Some(share(waiter, 1)));
        start_on(&mut pool, 1, ms(2), QUICK);
    }
    // 14 asked after 13.
    assert_eq!(pool.next_action(), None);
    finish(&mut pool, 1, ms(3), 2);
    finish(&mut pool, 1, ms(3), 3);
    assert_eq!(actions(&mut pool), [lease(13, 1)]);
    pool.release(ms(4), 1, false).unwrap();
    assert_eq!(actions(&mut pool), [share(14, 1)]);
}

#[test]
fn a_draining_connection_serves_all_again_when_the_lease_gives_up() {
    let mut pool = full_pool(1);
    start_shared(&mut pool, ms(0));
    pool.request(ms(0), 10, Want::Lease, None);
    pool.request(ms(0), 11, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), []);
    pool.give_up(10);
    assert_eq!(actions(&mut pool), [share(11, 1)]);
    start_on(&mut pool, 1, ms(1), QUICK);
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
    let only = pool.choose_shared(ms(51), QUICK).unwrap();
    start_on(&mut pool, only, ms(51), QUICK);
    assert_eq!(pool.choose_shared(ms(51), QUICK), Some(only));
    assert_eq!(pool.next_deadline(), Some(ms(100)));
}

#[test]
fn no_connection_is_drained_while_a_new_one_is_expected() {
    let mut pool = pool_with(options(1, 2));
    start_shared(&mut pool, ms(0));
    pool.request(ms(0), 10, Want::Lease, None);
    let attempt = attempts(&actions(&mut pool))[0];
    assert_eq!(start_shared(&mut pool, ms(1)), 1);
    pool.opened(ms(2), attempt, 2, Duration::ZERO);
    assert_eq!(actions(&mut pool), [lease(10, 2)]);
}

#[test]
fn without_sharing_a_share_is_a_lease() {
    let mut pool = pool_with(PoolOptions { share_connections: false, ..options(1, 1) });
    assert_eq!(pool.choose_shared(ms(0), QUICK), None);
    pool.request(ms(0), 1, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), [lease(1, 1)]);
    pool.request(ms(0), 2, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), []);
    pool.release(ms(1), 1, false).unwrap();
    assert_eq!(actions(&mut pool), [lease(2, 1)]);
}
