//! What a pool learns of statements, and of the way to the server.

use super::*;
use crate::pool::service::Services;

#[test]
fn a_text_is_known_when_it_has_been_answered() {
    let mut pool = full_pool(1);
    let (connection, first) = start(&mut pool, ms(0), UNKNOWN);
    assert_eq!(pool.choose_shared(ms(0), QUICK), None);
    finish(&mut pool, connection, us(90), first);
    start(&mut pool, us(90), UNKNOWN);
    assert_eq!(start(&mut pool, us(90), UNKNOWN).0, connection);
}

#[test]
fn answers_of_one_read_share_the_time_that_they_took_together() {
    let mut pool = full_pool(1);
    let tickets: Vec<Ticket> = (0..10).map(|_| start(&mut pool, ms(0), QUICK).1).collect();
    for ticket in &tickets {
        finish(&mut pool, 1, ms(1), *ticket);
    }
    let estimate = pool.connections.services.estimate(QUICK).unwrap();
    assert!(estimate.mean_us < 110, "{estimate:?}");
}

#[test]
fn what_did_not_run_teaches_nothing() {
    let mut pool = full_pool(1);
    let (_, ticket) = start(&mut pool, ms(0), UNKNOWN);
    pool.query_returned(1, ms(5), ticket);
    assert_eq!(pool.connections.services.estimate(UNKNOWN), None);
    assert_eq!(pool.stats().idle, 1);
}

#[test]
fn an_answer_that_waited_for_the_loop_is_not_a_slow_one() {
    let mut pool = full_pool(1);
    for round in 0..20 {
        let began = ms(100) * round;
        let (_, ticket) = start(&mut pool, began, QUICK);
        // JavaScript held the loop up for 90 ms; the driver's last look was before the query was written.
        let arrival = Arrival { at: began.saturating_sub(ms(1)), is_exact: false, is_prepared_first: false };
        pool.query_finished(1, began + ms(90), ticket, arrival);
        actions(&mut pool);
    }
    assert!(pool.connections.services.estimate(QUICK).unwrap().mean_us < 50);
}

#[test]
fn a_distance_that_connecting_did_not_show_is_found_by_the_shortest_answer() {
    // A proxy on the same machine, and a server 5 ms behind it.
    let mut pool = full_pool(1);
    for round in 0..30 {
        let began = ms(10) * round;
        let (_, ticket) = start(&mut pool, began, UNKNOWN);
        finish(&mut pool, 1, began + ms(5) + us(40), ticket);
        actions(&mut pool);
    }
    assert!(pool.connections.services.estimate(UNKNOWN).unwrap().most_us() < 500);
}

#[test]
fn a_connection_that_was_not_used_yet_is_as_far_as_another_one() {
    let mut pool = full_pool(2);
    for round in 0..30 {
        let began = ms(10) * round;
        let (_, ticket) = start(&mut pool, began, UNKNOWN);
        finish(&mut pool, 2, began + ms(4) + us(40), ticket);
        actions(&mut pool);
    }
    // Both at once: the other one is found to be as far, and the text as quick.
    let (_, one) = start(&mut pool, ms(400), UNKNOWN);
    let (other, two) = start(&mut pool, ms(400), UNKNOWN);
    finish(&mut pool, 2, ms(404), one);
    finish(&mut pool, other, ms(404) + us(50), two);
    assert!(pool.connections.services.estimate(UNKNOWN).unwrap().most_us() < 500);
}

#[test]
fn what_a_new_connection_pays_for_parsing_is_not_the_statements_time() {
    let mut pool = Pool::new(options(1, 1), 1, ms(0));
    let attempt = attempts(&actions(&mut pool))[0];
    pool.opened(ms(0), attempt, 1, ms(100));
    for round in 0..100 {
        let began = ms(300) * round;
        let (_, ticket) = start(&mut pool, began, UNKNOWN);
        // A server 100 ms away, and a session that is a new one each time but the first.
        let is_prepared_first = round > 0;
        let at = began + ms(if is_prepared_first { 200 } else { 100 }) + us(40);
        pool.looked(at);
        pool.query_finished(1, at, ticket, Arrival { at, is_exact: true, is_prepared_first });
        actions(&mut pool);
        if round == 0 {
            pool.connections.services = Services::default();
        }
    }
    assert!(pool.connections.services.estimate(UNKNOWN).unwrap().most_us() < 500);
}

#[test]
fn a_distance_is_learnt_only_from_an_answer_that_was_waited_for() {
    let mut pool = full_pool(1);
    let (_, ticket) = start(&mut pool, ms(1), UNKNOWN);
    pool.query_finished(1, ms(6), ticket, Arrival { at: ms(0), is_exact: false, is_prepared_first: false });
    for round in 1..30 {
        let began = ms(10) * round;
        let (_, ticket) = start(&mut pool, began, UNKNOWN);
        finish(&mut pool, 1, began + ms(5), ticket);
        actions(&mut pool);
    }
    assert!(pool.connections.services.estimate(UNKNOWN).unwrap().most_us() < 500);
}
