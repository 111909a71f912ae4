//! The end of a pool, graceful and at once.

use super::*;
use crate::pool::{CloseReason, NotLeased, OpenFailure, Rejection};

fn closed(connection: ConnectionId) -> Action {
    Action::Close { connection, reason: CloseReason::PoolClosed }
}

#[test]
fn close_rejects_who_comes_and_waits_for_leases_and_shared_queries() {
    let mut pool = full_pool(3);
    let leased = take_lease(&mut pool, ms(0), 1);
    let shared = start_shared(&mut pool, ms(0));
    pool.close(ms(1));
    assert_eq!(actions(&mut pool), [closed(1)]);
    assert_eq!(pool.next_deadline(), None);
    assert_eq!(pool.choose_shared(ms(2), QUICK), None);
    pool.request(ms(2), 5, Want::Lease, None);
    assert_eq!(actions(&mut pool), [Action::Reject { waiter: 5, reason: Rejection::Closed }]);
    finish(&mut pool, shared, ms(3), 1);
    assert_eq!(actions(&mut pool), [closed(shared)]);
    // A dirty session is closed, not reset.
    pool.release(ms(4), leased, true).unwrap();
    assert_eq!(actions(&mut pool), [closed(leased), Action::Closed]);
}

#[test]
fn close_serves_those_who_wait_already() {
    let mut pool = full_pool(1);
    let connection = take_lease(&mut pool, ms(0), 1);
    pool.request(ms(0), 2, Want::Share(QUICK), None);
    pool.request(ms(0), 3, Want::Lease, None);
    actions(&mut pool);
    pool.close(ms(1));
    pool.request(ms(1), 4, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), [Action::Reject { waiter: 4, reason: Rejection::Closed }]);
    pool.release(ms(2), connection, true).unwrap();
    // It is cleaned for the next one, and closed behind the last.
    assert_eq!(actions(&mut pool), [Action::Reset { connection }]);
    pool.reset_done(ms(3), connection, true);
    assert_eq!(pool.next_action(), Some(share(2, connection)));
    start_on(&mut pool, connection, ms(3), QUICK);
    assert_eq!(actions(&mut pool), []);
    finish(&mut pool, connection, ms(4), 1);
    assert_eq!(actions(&mut pool), [lease(3, connection)]);
    pool.release(ms(5), connection, true).unwrap();
    assert_eq!(actions(&mut pool), [closed(connection), Action::Closed]);
}

#[test]
fn close_opens_what_those_need_who_wait_and_no_more() {
    let mut pool = Pool::new(options(1, 2), 1, ms(0));
    let first = attempts(&actions(&mut pool))[0];
    pool.request(ms(0), 1, Want::Lease, Some(ms(500)));
    pool.close(ms(1));
    assert_eq!(actions(&mut pool), []);
    pool.open_failed(ms(2), first, OpenFailure::Transient);
    assert_eq!(actions(&mut pool), []);
    let retry = pool.next_deadline().unwrap();
    pool.tick(retry);
    let second = attempts(&actions(&mut pool));
    assert_eq!(second.len(), 1);
    // Nobody is left to be served: it is given up.
    pool.tick(ms(500));
    assert!(matches!(pool.next_action(), Some(Action::Reject { waiter: 1, reason: Rejection::Timeout { .. } })));
    assert_eq!(actions(&mut pool), [Action::Abandon { attempt: second[0] }, Action::Closed]);
}

#[test]
fn close_serves_on_another_connection_whom_one_has_not_served() {
    for want in [Want::Share(QUICK), Want::Lease] {
        let mut pool = full_pool(1);
        let connection = match want {
            Want::Lease => take_lease(&mut pool, ms(0), 1),
            Want::Share(_) => start_shared(&mut pool, ms(0)),
        };
        pool.close(ms(1));
        assert_eq!(actions(&mut pool), []);
        // The session has ended before it was at it.
        pool.request_again(ms(2), 1, want);
        pool.lost(ms(2), connection);
        let attempt = attempts(&actions(&mut pool))[0];
        pool.request(ms(3), 2, want, None);
        assert_eq!(actions(&mut pool), [Action::Reject { waiter: 2, reason: Rejection::Closed }]);
        pool.opened(ms(4), attempt, 9, ms(1));
        if want == Want::Lease {
            assert_eq!(actions(&mut pool), [lease(1, 9)]);
            pool.release(ms(5), 9, true).unwrap();
        } else {
            assert_eq!(pool.next_action(), Some(share(1, 9)));
            start_on(&mut pool, 9, ms(4), QUICK);
            assert_eq!(actions(&mut pool), []);
            finish(&mut pool, 9, ms(5), 1);
        }
        assert_eq!(actions(&mut pool), [closed(9), Action::Closed]);
    }
}

#[test]
fn nobody_is_served_again_once_the_pool_is_terminated() {
    let mut pool = full_pool(1);
    start_shared(&mut pool, ms(0));
    pool.terminate(ms(1));
    pool.request_again(ms(2), 1, Want::Share(QUICK));
    assert!(actions(&mut pool).contains(&Action::Reject { waiter: 1, reason: Rejection::Terminated }));
}

#[test]
fn closed_comes_exactly_once() {
    let mut pool = full_pool(1);
    pool.close(ms(0));
    assert_eq!(actions(&mut pool), [closed(1), Action::Closed]);
    pool.close(ms(1));
    pool.terminate(ms(2));
    pool.lost(ms(3), 1);
    pool.tick(ms(4));
    assert_eq!(actions(&mut pool), []);
    pool.request(ms(5), 1, Want::Share(QUICK), None);
    assert_eq!(actions(&mut pool), [Action::Reject { waiter: 1, reason: Rejection::Closed }]);
}

#[test]
fn a_reset_under_way_is_waited_for() {
    let mut pool = full_pool(1);
    take_lease(&mut pool, ms(0), 1);
    pool.release(ms(0), 1, true).unwrap();
    assert_eq!(actions(&mut pool), [Action::Reset { connection: 1 }]);
    pool.close(ms(1));
    assert_eq!(actions(&mut pool), []);
    pool.reset_done(ms(2), 1, true);
    assert_eq!(actions(&mut pool), [closed(1), Action::Closed]);
}

#[test]
fn an_attempt_is_stopped_at_the_end_and_what_it_brings_all_the_same_is_closed() {
    let mut pool = Pool::new(options(2, 2), 1, ms(0));
    let opening = attempts(&actions(&mut pool));
    pool.close(ms(1));
    let abandoned = |attempt| Action::Abandon { attempt };
    assert_eq!(actions(&mut pool), [abandoned(opening[1]), abandoned(opening[0]), Action::Closed]);
    pool.opened(ms(2), opening[0], 1, Duration::ZERO);
    assert_eq!(actions(&mut pool), [closed(1)]);
    pool.open_failed(ms(3), opening[1], OpenFailure::Final);
    assert_eq!(actions(&mut pool), []);
    assert_eq!((pool.stats().size, pool.stats().opened, pool.stats().closed), (0, 1, 1));
}

#[test]
fn terminate_stops_attempts_as_well() {
    let mut pool = Pool::new(options(1, 1), 1, ms(0));
    let attempt = attempts(&actions(&mut pool))[0];
    pool.terminate(ms(1));
    assert_eq!(actions(&mut pool), [Action::Abandon { attempt }, Action::Closed]);
    pool.terminate(ms(2));
    assert_eq!(actions(&mut pool), []);
}

#[test]
fn terminate_closes_everything_at_once() {
    let mut pool = full_pool(3);
    let leased = take_lease(&mut pool, ms(0), 1);
    start_shared(&mut pool, ms(0));
    pool.close(ms(0));
    assert_eq!(actions(&mut pool).len(), 1);
    pool.request(ms(0), 2, Want::Lease, None);
    pool.terminate(ms(1));
    let terminated = |connection| Action::Close { connection, reason: CloseReason::PoolTerminated };
    let mut end = actions(&mut pool);
    let last = end.split_off(2);
    end.sort_by_key(|action| format!("{action:?}"));
    assert_eq!(end, [terminated(2), terminated(3)]);
    assert_eq!(last, [Action::Reject { waiter: 2, reason: Rejection::Terminated }, Action::Closed]);
    assert_eq!(pool.release(ms(2), leased, true), Err(NotLeased));
    assert_eq!(actions(&mut pool), []);
}

#[test]
fn a_connection_lost_before_its_close_is_told_is_not_closed_again() {
    let mut pool = full_pool(2);
    pool.close(ms(0));
    pool.lost(ms(0), 1);
    assert_eq!(actions(&mut pool), [closed(2), Action::Closed]);
    assert_eq!(pool.stats().closed, 2);
}
