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
fn a_hundred_quick_queries_on_ten_connections_are_spread_evenly() {
    let mut pool = full_pool(10);
    let mut load = [0; 11];
    for _ in 0..100 {
        load[start_shared(&mut pool, ms(1)) as usize] += 1;
    }
    assert_eq!(load[1..], [10; 10]);
    // Whichever finishes most gets the next.
    for ticket in 1..=5 {
        finish(&mut pool, 7, ms(1) + us(50) * ticket, ticket);
    }
    for _ in 0..5 {
        assert_eq!(start_shared(&mut pool, ms(1) + us(250)), 7);
    }
    assert_eq!(pool.stats().granted, 105);
}

/// The connections, of three with ten queries each, that twenty more of one turn go to when two have been answered and the
/// third not quite; the server is so far.
fn chosen_in_one_turn(distance: Duration) -> Vec<ConnectionId> {
    let mut pool = full_pool(3);
    for connection in 1..=3 {
        let now = ms(2) * connection;
        let ticket = start_on(&mut pool, connection, now, QUICK);
        finish(&mut pool, connection, now + distance + us(50), ticket);
    }
    for _ in 0..30 {
        start_shared(&mut pool, ms(10));
    }
    for (connection, answered) in [(3, 2), (1, 10), (2, 10)] {
        for ticket in 1..=answered {
            finish(&mut pool, connection, ms(10) + distance + us(50) * answered, ticket + 1);
        }
    }
    (0..20).map(|_| start_unwritten(&mut pool, ms(11) + distance)).collect()
}

#[test]
fn what_is_asked_for_in_one_turn_goes_to_few_connections_of_a_distant_server() {
    let mut chosen = chosen_in_one_turn(ms(1));
    chosen.sort_unstable();
    assert_eq!(chosen, [[1; 10], [2; 10]].concat());
    // Where it is near, each goes to the least load.
    assert_eq!(chosen_in_one_turn(us(0)).into_iter().filter(|chosen| *chosen == 3).count(), 1);
}

#[test]
fn what_has_been_written_draws_nothing_to_its_connection() {
    let mut pool = full_pool(2);
    for _ in 0..20 {
        start_shared(&mut pool, ms(0));
    }
    let mut chosen: Vec<ConnectionId> = (0..10).map(|_| start_shared(&mut pool, ms(0))).collect();
    chosen.sort_unstable();
    assert_eq!(chosen, [[1; 5], [2; 5]].concat());
}

#[test]
fn nothing_goes_behind_what_is_slow_or_unknown() {
    for statement in [SLOW, UNKNOWN] {
        let mut pool = full_pool(2);
        let (busy, ticket) = start(&mut pool, ms(0), statement);
        let quick = start_shared(&mut pool, ms(0));
        assert_ne!(quick, busy);
        for _ in 0..5 {
            assert_eq!(start_shared(&mut pool, ms(0)), quick);
        }
        // It may go behind others itself; then it waits for as little as they do.
        pool.quick_at = None;
        let (connection, _) = start(&mut pool, ms(0), statement);
        assert_eq!((connection, pool.choose_shared(ms(0), QUICK)), (quick, None));
        pool.request(ms(0), 50, Want::Share(QUICK), None);
        assert_eq!(actions(&mut pool), []);
        finish(&mut pool, busy, ms(1), ticket);
        assert_eq!(actions(&mut pool), [share(50, busy)]);
    }
}

#[test]
fn a_slow_query_leaves_the_last_connection_to_quick_ones_for_a_moment() {
    let mut pool = full_pool(2);
    let (busy, _) = start(&mut pool, ms(0), SLOW);
    let quick = start_shared(&mut pool, ms(100));
    assert_ne!(quick, busy);
    assert_eq!(pool.choose_shared(ms(100), SLOW), None);
    pool.request(ms(100), 50, Want::Share(SLOW), None);
    assert_eq!(actions(&mut pool), []);
    // Those who come meanwhile go ahead of it, and another slow one does not.
    assert_eq!(start_shared(&mut pool, ms(101)), quick);
    assert_eq!(pool.choose_shared(ms(101), SLOW), None);
    let due = pool.next_deadline().unwrap();
    assert_eq!(due, ms(110), "10 ms, since a 32nd part of half a second is more");
    pool.tick(due);
    assert_eq!(actions(&mut pool), [share(50, quick)]);
}

#[test]
fn slow_queries_that_come_together_do_not_take_all_connections_together() {
    let mut pool = full_pool(2);
    start_shared(&mut pool, ms(0));
    start_shared(&mut pool, ms(0));
    finish(&mut pool, 1, us(50), 1);
    let (busy, _) = start(&mut pool, us(50), SLOW);
    pool.request(us(50), 50, Want::Share(SLOW), None);
    assert_eq!(actions(&mut pool), []);
    let due = pool.next_deadline().unwrap();
    assert_eq!(due, ms(25) + us(50));
    pool.tick(due);
    assert_eq!(actions(&mut pool), [share(50, 3 - busy)]);
}

#[test]
fn without_quick_queries_a_slow_one_takes_the_last_connection_at_once() {
    let mut pool = full_pool(2);
    start_shared(&mut pool, ms(0));
    finish(&mut pool, 1, us(50), 1);
    finish(&mut pool, 2, us(50), 1);
    start(&mut pool, ms(60), SLOW);
    start(&mut pool, ms(60), SLOW);
}

#[test]
fn what_is_in_front_of_a_query_takes_no_longer_than_two_budgets_together() {
    let mut pool = full_pool(1);
    let mut count = 0;
    while pool.choose_shared(ms(0), QUICK).is_some() {
        start_shared(&mut pool, ms(0));
        count += 1;
    }
    // Of 50 µs each, with deviations.
    assert!((60..=81).contains(&count), "{count}");
    pool.request(ms(0), 50, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), []);
    finish(&mut pool, 1, us(50), 1);
    assert_eq!(actions(&mut pool), [share(50, 1)]);
}

#[test]
fn a_distant_server_lets_more_go_behind_each_other() {
    let room = |connecting: Duration| {
        let mut pool = Pool::new(options(1, 1), 42, ms(0));
        for _ in 0..30 {
            pool.connections.services.observe(QUICK, us(50), 1);
        }
        let attempt = attempts(&actions(&mut pool))[0];
        pool.opened(ms(0), attempt, 1, connecting);
        let mut count = 0;
        while pool.choose_shared(ms(0), QUICK).is_some() {
            start_shared(&mut pool, ms(0));
            count += 1;
        }
        count
    };
    assert!(room(ms(50)) > 4 * room(ms(0)));
    assert_eq!(room(Duration::from_secs(5)), 1_000, "what is in flight is bounded");
}

#[test]
fn nothing_goes_behind_a_head_that_has_outlived_its_estimate() {
    let mut pool = full_pool(2);
    let (stuck, ticket) = start(&mut pool, ms(0), QUICK);
    let other = start_shared(&mut pool, ms(10));
    assert_ne!(stuck, other);
    for _ in 0..5 {
        assert_eq!(start_shared(&mut pool, ms(10)), other);
    }
    pool.looked(ms(100));
    assert_eq!(pool.choose_shared(ms(100), QUICK), None);
    pool.request(ms(100), 50, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), []);
    finish(&mut pool, stuck, ms(101), ticket);
    assert_eq!(actions(&mut pool), [share(50, stuck)]);
}

#[test]
fn a_head_is_not_late_before_the_driver_has_looked() {
    let mut pool = full_pool(1);
    start_shared(&mut pool, ms(0));
    // The loop was held up: the answer may be there since long.
    assert_eq!(pool.choose_shared(ms(100), QUICK), Some(1));
    pool.looked(ms(100));
    assert_eq!(pool.choose_shared(ms(100), QUICK), None);
}

#[test]
fn a_head_that_is_written_late_is_not_late() {
    let mut pool = full_pool(1);
    let ticket = pool.query_started(1, ms(0), QUICK).unwrap();
    pool.looked(ms(50));
    assert_eq!(pool.choose_shared(ms(50), QUICK), Some(1));
    pool.written(1, ms(50));
    pool.looked(ms(50) + us(900));
    assert_eq!(pool.choose_shared(ms(51), QUICK), Some(1));
    finish(&mut pool, 1, ms(51), ticket);
    assert_eq!(pool.stats().idle, 1);
}

#[test]
fn nothing_goes_behind_a_query_whose_caller_has_left() {
    let mut pool = full_pool(1);
    let (_, first) = start(&mut pool, ms(0), QUICK);
    let (_, second) = start(&mut pool, ms(0), QUICK);
    pool.query_abandoned(1, first);
    pool.query_abandoned(1, first);
    assert_eq!(pool.choose_shared(ms(0), QUICK), None);
    pool.abandoned_is_over(1, us(20));
    pool.abandoned_is_over(1, us(20));
    assert_eq!(pool.choose_shared(us(20), QUICK), Some(1));
    finish(&mut pool, 1, us(30), second);
    assert_eq!(pool.stats().idle, 1);
}

#[test]
fn a_new_connection_is_preferred_to_a_busy_one_which_serves_until_it_is_there() {
    let mut pool = pool_with(options(1, 2));
    assert_eq!(start_shared(&mut pool, ms(0)), 1);
    // The pool may grow: the query asks, so that a connection is opened, and is served meanwhile.
    assert_eq!(pool.choose_shared(ms(0), QUICK), None);
    pool.request(ms(0), 50, Want::Share(QUICK), None);
    let next = actions(&mut pool);
    assert_eq!((attempts(&next).len(), next.last()), (1, Some(&share(50, 1))));
    start_on(&mut pool, 1, ms(0), QUICK);
    // No second attempt while one is under way and the first connection has little to do.
    assert_eq!(start_shared(&mut pool, ms(1)), 1);
    pool.opened(ms(2), attempts(&next)[0], 2, Duration::ZERO);
    assert_eq!(actions(&mut pool), []);
    assert_eq!(start_shared(&mut pool, ms(2)), 2);
}

#[test]
fn while_a_connection_is_being_opened_a_busy_one_takes_only_a_few() {
    let mut pool = pool_with(options(1, 2));
    start_shared(&mut pool, ms(0));
    pool.request(ms(0), 50, Want::Share(QUICK), None);
    let attempt = attempts(&actions(&mut pool))[0];
    start_on(&mut pool, 1, ms(0), QUICK);
    start_shared(&mut pool, ms(0));
    start_shared(&mut pool, ms(0));
    assert_eq!(pool.choose_shared(ms(0), QUICK), None);
    pool.request(ms(0), 51, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), []);
    pool.opened(ms(1), attempt, 2, Duration::ZERO);
    assert_eq!(actions(&mut pool), [share(51, 2)]);
    start_on(&mut pool, 2, ms(1), QUICK);
}

#[test]
fn a_burst_of_an_unknown_text_waits_for_connections_that_take_long_to_open() {
    let mut pool = pool_with(options(1, 3));
    let (_, ticket) = start(&mut pool, ms(0), UNKNOWN);
    for waiter in 50..60 {
        pool.request(ms(0), waiter, Want::Share(QUICK), None);
    }
    let opening = attempts(&actions(&mut pool));
    assert_eq!(opening.len(), 2);
    for due in [ms(251), ms(800)] {
        pool.tick(due);
        assert_eq!(actions(&mut pool), []);
    }
    pool.opened(ms(900), opening[0], 2, ms(90));
    assert_eq!(pool.next_action(), Some(share(50, 2)));
    start_on(&mut pool, 2, ms(900), UNKNOWN);
    assert_eq!(actions(&mut pool), []);
    finish(&mut pool, 1, ms(901), ticket);
    assert_eq!(pool.next_action(), Some(share(51, 1)));
}

#[test]
fn a_quick_query_does_not_wait_for_a_connection_that_takes_long_to_open() {
    let mut pool = pool_with(options(1, 2));
    for _ in 0..4 {
        start_on(&mut pool, 1, ms(0), QUICK);
    }
    pool.request(ms(0), 50, Want::Share(QUICK), None);
    assert_eq!(attempts(&actions(&mut pool)).len(), 1);
    let due = pool.next_deadline().unwrap();
    assert_eq!(due, ms(250));
    pool.tick(due);
    assert_eq!(actions(&mut pool), [share(50, 1)]);
}

#[test]
fn a_connection_that_has_served_max_queries_takes_no_more_and_closes_when_they_are_over() {
    let mut pool = pool_with(PoolOptions { max_queries: 3, max_inactive_lifetime: None, ..options(1, 1) });
    for _ in 0..3 {
        start_shared(&mut pool, ms(0));
    }
    assert_eq!(pool.choose_shared(ms(0), QUICK), None);
    for ticket in 1..=2 {
        finish(&mut pool, 1, ms(1), ticket);
        assert_eq!(actions(&mut pool), []);
    }
    finish(&mut pool, 1, ms(1), 3);
    let next = actions(&mut pool);
    assert_eq!(next[0], Action::Close { connection: 1, reason: CloseReason::MaxQueries });
    assert_eq!(attempts(&next).len(), 1);
}

#[test]
fn a_connection_lost_with_queries_in_flight_is_forgotten_with_them() {
    let mut pool = full_pool(2);
    let lost = start_shared(&mut pool, ms(0));
    pool.lost(ms(1), lost);
    finish(&mut pool, lost, ms(1), 1);
    pool.written(lost, ms(1));
    assert_eq!(attempts(&actions(&mut pool)).len(), 1);
    assert_eq!((pool.stats().size, pool.stats().idle, pool.stats().closed), (1, 1, 1));
}

#[test]
fn a_driver_that_starts_nothing_after_a_grant_loses_no_slot() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Share(QUICK), None);
    pool.request(ms(0), 3, Want::Lease, None);
    pool.release(ms(1), connection, false).unwrap();
    assert_eq!(actions(&mut pool), [share(2, connection), lease(3, connection)]);
}
