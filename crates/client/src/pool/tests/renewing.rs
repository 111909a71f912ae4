//! A policy in the place of one that has panicked.

use super::*;
use crate::pool::CloseReason;

#[test]
fn a_renewed_pool_opens_what_it_wants_and_knows_nothing_of_the_former_one() {
    let mut pool = full_pool(2);
    let old = take_lease(&mut pool, ms(1), 1);
    pool.request(ms(2), 2, Want::Lease, None);
    pool.request(ms(2), 3, Want::Lease, None);
    actions(&mut pool);
    let before = pool.stats();
    let mut renewed = pool.renewed(ms(5));
    let stats = renewed.stats();
    assert_eq!((stats.size, stats.waiting, stats.opened, stats.granted), (0, 0, before.opened, before.granted));
    assert_eq!(stats.closed, before.closed + 2, "its connections are gone");
    let opening = attempts(&actions(&mut renewed));
    assert_eq!(opening.len(), 2);
    // What comes late of the former one does no harm.
    renewed.lost(ms(6), old);
    assert!(renewed.release(ms(6), old, true).is_err());
    for (attempt, connection) in opening.into_iter().zip(11..) {
        renewed.opened(ms(7), attempt, connection, Duration::ZERO);
    }
    assert_eq!(actions(&mut renewed), []);
    assert_eq!((renewed.stats().size, renewed.stats().idle), (2, 2));
    take_lease(&mut renewed, ms(8), 4);
}

#[test]
fn a_renewed_pool_that_was_being_closed_is_over_at_once() {
    for end in [Pool::close, Pool::terminate] {
        let mut pool = full_pool(2);
        take_lease(&mut pool, ms(1), 1);
        end(&mut pool, ms(2));
        let ending = actions(&mut pool);
        assert!(ending.iter().all(|action| !matches!(action, Action::Open { .. })));
        assert!(
            ending
                .iter()
                .any(|action| matches!(action, Action::Close { reason, .. } if *reason != CloseReason::Inactive))
        );
        let mut renewed = pool.renewed(ms(3));
        assert_eq!(actions(&mut renewed), [Action::Closed]);
        assert_eq!(renewed.stats().size, 0);
    }
}
