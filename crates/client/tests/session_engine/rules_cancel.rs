//! Rules 10 and 11: callers that leave.

use crate::client::{Client, Settled};

fn warm(texts: &[&str]) -> Client {
    let mut client = Client::new();
    for text in texts {
        client.warm(text);
    }
    client
}

#[test]
fn rule_10_what_is_not_written_is_dropped() {
    let mut client = Client::new();
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 2 $1", 2);
    client.session.abandon(2, &mut client.sink);
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 1)]);
    assert_eq!(client.sink.cancels_wanted, 0);
}

#[test]
fn rule_10_what_the_socket_has_not_taken_is_taken_back() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 2 $1", 2);
    client.session.abandon(2, &mut client.sink);
    client.settle_all();
    client.query(3, "insert 2 $1", 3);
    client.session.abandon(3, &mut client.sink);
    assert!(client.session.output().is_empty() && client.session.is_idle());
    assert_eq!(client.server.committed, [(1, 1)]);
    assert_eq!(client.sink.cancels_wanted, 0);
}

#[test]
fn rule_10_the_head_is_cancelled_and_nothing_is_written_until_both_ends_are_seen() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.flush();
    client.session.abandon(1, &mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 1);
    client.query(2, "insert 2 $1", 2);
    assert!(client.session.output().is_empty());
    client.settle_all();
    assert!(client.session.output().is_empty(), "the cancel is still under way, and may come yet");
    assert!(!client.is_settled(1) && !client.is_settled(2));
    client.cancel_finished();
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 1), (2, 2)]);
    assert!(client.session.is_idle());
}

#[test]
fn rule_10_the_cancel_connection_may_end_first() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.flush();
    client.session.abandon(1, &mut client.sink);
    client.cancel_finished();
    client.query(2, "insert 2 $1", 2);
    assert!(client.session.output().is_empty(), "the head is still there");
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 1), (2, 2)], "the cancel came too early");
}

#[test]
fn rule_10_a_cancel_waits_until_the_request_was_sent() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.flush_some(3);
    client.session.abandon(1, &mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 0);
    client.flush();
    assert_eq!(client.sink.cancels_wanted, 1);
}

#[test]
fn rule_10_one_behind_others_is_cancelled_when_it_is_the_head() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 2 $1", 2);
    client.flush();
    client.session.abandon(2, &mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 0);
    for _ in 0..3 {
        client.server.step();
    }
    client.read();
    assert!(client.is_settled(1));
    assert_eq!(client.sink.cancels_wanted, 1);
}

#[test]
fn rule_10_however_many_leave_together_the_connection_and_the_others_go_on() {
    for is_slow in [false, true] {
        let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
        for id in 1..=20 {
            client.query(id, "insert 1 $1", 1);
        }
        client.query(21, "insert 2 $1", 21);
        client.flush();
        for id in 1..=20 {
            client.session.abandon(id, &mut client.sink);
        }
        while client.session.has_abandoned() {
            if is_slow {
                client.session.press(&mut client.sink);
                client.server.cancel();
            }
            for _ in 0..3 {
                client.server.step();
            }
            client.read();
            if !client.sink.open_cancels.is_empty() {
                client.cancel_finished();
            }
        }
        client.query(22, "insert 2 $1", 22);
        client.settle_all();
        assert!(client.sink.closed.is_none());
        assert_eq!((client.completed(21), client.completed(22)), (1, 1));
        let done: Vec<i32> =
            client.server.committed.iter().map(|(_, value)| *value).filter(|value| *value > 1).collect();
        assert_eq!(done, [21, 22]);
        assert_eq!(client.sink.cancels_wanted, if is_slow { 20 } else { 0 });
    }
}

#[test]
fn rule_10_what_the_socket_has_not_taken_is_dropped_wherever_it_is() {
    const COUNT: u32 = 400;
    for step in [1, 7, 399] {
        let mut client = warm(&["insert 1 $1"]);
        client.query(COUNT, "insert 1 $1", 4_000);
        client.flush();
        for id in 0..COUNT {
            client.query(id, "insert 1 $1", id.cast_signed());
        }
        // The first of them is on its way already.
        client.flush_some(5);
        let kept = |id: &u32| id.is_multiple_of(3);
        for id in (0..COUNT).map(|place| place * step % COUNT).filter(|id| !kept(id)) {
            client.session.abandon(id, &mut client.sink);
        }
        assert!(!client.session.has_abandoned());
        client.settle_all();
        let values: Vec<i32> = client.server.committed.iter().map(|(_, value)| *value).collect();
        let wanted: Vec<i32> = std::iter::once(4_000).chain((0..COUNT).filter(kept).map(u32::cast_signed)).collect();
        assert_eq!(values, wanted);
        assert!((0..COUNT).filter(kept).all(|id| client.completed(id) == 1));
        assert_eq!(client.sink.cancels_wanted, 0);
        assert!(client.session.is_idle());
    }
}

#[test]
fn rule_10_a_head_with_others_behind_it_is_cancelled_when_it_stands_still() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 2 $1", 2);
    client.flush();
    client.session.abandon(1, &mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 0, "it may end by itself just now, and the cancel would hit the other");
    client.query(3, "insert 2 $1", 3);
    assert!(client.session.output().is_empty(), "nothing more is put in its way");
    client.session.press(&mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 1);
    client.session.press(&mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 1, "one at a time");
    client.server.cancel();
    client.cancel_finished();
    client.settle_all();
    assert_eq!(client.server.committed, [(2, 2), (2, 3)]);
}

#[test]
fn rule_10_what_is_written_and_not_sent_is_on_its_way_as_well() {
    let mut client = warm(&["insert 1 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.flush();
    client.script(2, "insert 2; insert 3", true);
    client.session.abandon(1, &mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 0, "the socket takes the script any moment, and it cannot be sent again");
    client.session.press(&mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 1);
}

#[test]
fn rule_10_a_cancel_without_effect_is_sent_again_when_the_head_still_stands() {
    let mut client = warm(&["insert 1 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.flush();
    client.session.abandon(1, &mut client.sink);
    for cancels in 1..=3 {
        assert_eq!(client.sink.cancels_wanted, cancels);
        client.cancel_finished();
        assert_eq!(client.sink.cancels_wanted, cancels);
        client.session.press(&mut client.sink);
    }
    client.server.cancel();
    client.settle_all();
    client.cancel_finished();
    assert!(client.server.committed.is_empty() && client.session.is_idle());
    client.session.press(&mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 4);
}

#[test]
fn rule_10_a_cancel_connection_that_stays_open_holds_nobody_up_once_the_head_was_interrupted() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    for id in 1..=10 {
        client.query(id, "insert 1 $1", 1);
        client.flush();
        client.session.abandon(id, &mut client.sink);
        client.server.cancel();
        client.settle_all();
        client.query(100 + id, "insert 2 $1", id.cast_signed());
        if client.session.is_held_by_cancel() {
            assert!(client.session.output().is_empty(), "a server that closes it at all does so at once");
            client.session.press(&mut client.sink);
        }
        client.settle_all();
        if id > 3 {
            // So many are open at most.
            client.cancel_finished();
            client.server.cancel();
            client.settle_all();
        }
        assert_eq!(client.completed(100 + id), 1);
    }
    assert!(client.sink.open_cancels.len() <= 3);
    // One that was not interrupted is followed by nothing: the cancel may still come.
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.flush();
    client.session.abandon(1, &mut client.sink);
    client.settle_all();
    client.query(2, "insert 2 $1", 2);
    assert!(client.session.output().is_empty());
    client.cancel_finished();
    client.settle_all();
    assert_eq!(client.completed(2), 1);
}

#[test]
fn rule_10_cancels_one_at_a_time_do_not_close_the_connection() {
    let mut client = warm(&["insert 1 $1"]);
    for id in 1..=10 {
        client.query(id, "insert 1 $1", 1);
        client.flush();
        client.session.abandon(id, &mut client.sink);
        client.server.cancel();
        client.settle_all();
        client.cancel_finished();
    }
    assert!(client.sink.closed.is_none());
    assert_eq!(client.sink.cancels_wanted, 10);
    assert!(client.server.committed.is_empty());
}

#[test]
fn rule_10_a_caller_that_leaves_while_its_statement_is_described() {
    for mut client in [Client::new(), Client::unnamed()] {
        for stop in 0..3 {
            client.query(1, &format!("insert {stop} $1"), 1);
            client.query(2, "select 9 1", 0);
            client.flush();
            if stop > 0 {
                client.server.run();
            }
            if stop > 1 {
                client.read();
            }
            client.session.abandon(1, &mut client.sink);
            client.sink.asked.retain(|(id, _)| *id != 1);
            client.settle_all();
            while !client.sink.open_cancels.is_empty() {
                client.cancel_finished();
            }
            client.settle_all();
            assert_eq!(client.completed(2), 1, "stopped at {stop}: {}", client.server.log);
            assert!(client.session.is_idle());
            client.sink.forget(2);
        }
        assert!(client.server.committed.is_empty());
    }
}

/// Request 1 is abandoned, the cancel hits what comes behind it.
fn hit_the_follower(client: &mut Client, behind: impl FnOnce(&mut Client)) {
    client.query(1, "insert 1 $1", 1);
    behind(client);
    client.flush();
    client.session.abandon(1, &mut client.sink);
    client.session.press(&mut client.sink);
    for _ in 0..3 {
        client.server.step();
    }
    client.read();
    client.server.cancel();
    client.server.run();
    client.read();
    client.cancel_finished();
    client.settle_all();
}

#[test]
fn rule_11_an_innocent_follower_is_sent_again_once() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    hit_the_follower(&mut client, |client| client.query(2, "insert 2 $1", 2));
    assert_eq!(client.completed(2), 1);
    assert_eq!(client.server.committed, [(1, 1), (2, 2)]);
}

#[test]
fn rule_11_a_cold_follower_too() {
    for mut client in [Client::new(), Client::unnamed()] {
        client.warm("insert 1 $1");
        hit_the_follower(&mut client, |client| client.prepare(2, "insert 2 $1"));
        assert!(client.is_settled(2));
        assert!(client.sink.lines.last().unwrap().starts_with("completed 2"));
    }
}

#[test]
fn rule_11_not_when_something_was_written_behind_it() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1", "insert 3 $1"]);
    hit_the_follower(&mut client, |client| {
        client.query(2, "insert 2 $1", 2);
        client.query(3, "insert 3 $1", 3);
    });
    assert_eq!(client.sqlstate(2), "57014");
    assert!(client.failure(2).message.contains("meant for another call"));
    assert!(client.failure(2).is_safe_to_retry);
    assert_eq!(client.server.committed, [(1, 1), (3, 3)]);
}

#[test]
fn rule_11_the_server_may_be_ahead_of_what_was_read() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1", "insert 3 $1"]);
    for (id, text) in (1..).zip(["insert 1 $1", "insert 2 $1", "insert 3 $1"]) {
        client.query(id, text, id.cast_signed());
    }
    client.flush();
    client.session.abandon(1, &mut client.sink);
    client.session.press(&mut client.sink);
    for _ in 0..6 {
        client.server.step();
    }
    client.server.cancel();
    client.server.run();
    client.cancel_finished();
    client.settle_all();
    assert_eq!(client.completed(3), 1);
    assert_eq!(client.server.committed, [(1, 1), (2, 2), (3, 3)]);
}

#[test]
fn rule_11_a_cancel_that_is_over_cannot_have_hit_what_was_not_sent() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    client.query(1, "insert 1 $1", 1);
    client.flush();
    client.query(2, "insert 2 $1", 2);
    client.session.abandon(1, &mut client.sink);
    client.session.press(&mut client.sink);
    client.cancel_finished();
    client.server.run();
    client.read();
    client.flush();
    client.server.cancel();
    client.settle_all();
    assert_eq!(client.sqlstate(2), "57014");
    assert!(!client.failure(2).message.contains("another call"), "a statement_timeout is not retried");
}

#[test]
fn rule_11_on_a_pool_an_innocent_one_with_followers_goes_elsewhere() {
    let mut client = Client::returning();
    for text in ["insert 1 $1", "insert 2 $1", "insert 3 $1"] {
        client.warm(text);
    }
    hit_the_follower(&mut client, |client| {
        client.query(2, "insert 2 $1", 2);
        client.query(3, "insert 3 $1", 3);
    });
    let Settled::Returned { has_bind, is_fresh, failure } = &client.sink.settled[&2] else { panic!("2 is not back") };
    assert!(*has_bind && !is_fresh && failure.is_safe_to_retry);
    assert_eq!(failure.sqlstate.as_deref(), Some("57014"));
    assert_eq!(client.completed(3), 1);
    assert_eq!(client.server.committed, [(1, 1), (3, 3)]);
}

#[test]
fn rule_11_on_a_pool_nothing_that_may_not_be_repeated_goes_elsewhere() {
    let mut client = Client::returning();
    client.warm("insert 1 $1");
    hit_the_follower(&mut client, |client| {
        client.script(2, "update 6", true);
        client.query(3, "insert 1 $1", 4);
    });
    assert_eq!(client.sqlstate(2), "57014");
    assert_eq!(client.completed(3), 1);
    let mut client = Client::returning();
    for text in ["insert 1 $1", "insert 2 $1", "insert 3 $1"] {
        client.warm(text);
    }
    client.script(9, "begin", true);
    client.settle_all();
    hit_the_follower(&mut client, |client| {
        client.query(2, "insert 2 $1", 2);
        client.query(3, "insert 3 $1", 3);
    });
    assert_eq!(client.sqlstate(2), "57014", "its transaction has failed");
}

#[test]
fn rule_11_not_what_may_not_be_repeated() {
    let mut client = warm(&["insert 1 $1", "commit"]);
    hit_the_follower(&mut client, |client| client.script(2, "update 5", false));
    assert_eq!(client.sqlstate(2), "57014");
    assert!(client.failure(2).message.contains("meant for another call"));
}

#[test]
fn rule_11_not_inside_a_transaction() {
    let mut client = warm(&["insert 1 $1", "insert 2 $1"]);
    client.script(9, "begin", true);
    client.settle_all();
    hit_the_follower(&mut client, |client| client.query(2, "insert 2 $1", 2));
    assert_eq!(client.sqlstate(2), "57014");
    assert!(client.failure(2).message.contains("meant for another call"));
    assert_eq!(client.session.transaction_status(), b'E');
}

#[test]
fn rule_11_a_statement_timeout_is_never_retried() {
    let mut client = warm(&["insert 2 $1"]);
    client.query(2, "insert 2 $1", 2);
    client.flush();
    client.server.cancel();
    client.settle_all();
    assert_eq!(client.sqlstate(2), "57014");
    assert!(!client.failure(2).message.contains("another call"));
    assert!(client.server.committed.is_empty());
}

#[test]
fn ids_are_free_as_soon_as_the_caller_left() {
    let mut client = warm(&["select 1 3", "select 2 3"]);
    client.query(1, "select 1 3", 0);
    client.flush();
    client.session.abandon(1, &mut client.sink);
    client.query(1, "select 2 3", 0);
    client.settle_all();
    client.cancel_finished();
    client.settle_all();
    assert_eq!(client.sink.rows[&1], [(2, 0), (2, 1), (2, 2)]);
    assert_eq!(client.completed(1), 3);
}
