//! Who waits for the head of the pipeline: limits of time depend on it.

use oxpg_client::pool::Owed;
use oxpg_client::reset;
use oxpg_client::session::{Head, Request};

use crate::client::Client;

fn two_on_their_way() -> Client {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.warm("insert 2 $1");
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 2 $1", 2);
    client.flush();
    client
}

#[test]
fn an_idle_session_owes_nothing() {
    let client = Client::new();
    assert_eq!(client.session.head(), Head::Nothing);
    assert!(!client.session.has_abandoned());
}

#[test]
fn the_head_has_a_caller_until_he_leaves() {
    let mut client = two_on_their_way();
    assert_eq!(client.session.head(), Head::Caller(1));
    assert!(!client.session.has_abandoned());
    client.session.abandon(1, &mut client.sink);
    assert_eq!(client.session.head(), Head::Abandoned);
    assert!(client.session.has_abandoned());
}

#[test]
fn one_that_was_left_behind_another_is_known_before_it_is_the_head() {
    let mut client = two_on_their_way();
    client.session.abandon(2, &mut client.sink);
    assert_eq!(client.session.head(), Head::Caller(1));
    assert!(client.session.has_abandoned());
    while client.session.head() == Head::Caller(1) {
        client.server.step();
        client.read();
    }
    assert_eq!(client.session.head(), Head::Abandoned);
    client.cancel_finished();
    client.settle_all();
    assert_eq!(client.session.head(), Head::Nothing);
    assert!(!client.session.has_abandoned());
}

#[test]
fn a_look_up_is_its_requests() {
    let mut client = Client::new();
    client.server.column_oid = 70_001;
    client.query(1, "select 1 1", 1);
    client.query(2, "insert 2 $1", 2);
    client.flush();
    client.server.run();
    client.read();
    client.flush();
    assert_eq!(client.session.head(), Head::Caller(1));
    client.session.abandon(1, &mut client.sink);
    assert_eq!(client.session.head(), Head::Abandoned);
    client.cancel_finished();
    client.settle_all();
    assert_eq!(client.server.committed, [(2, 2)]);
    assert_eq!(client.session.head(), Head::Nothing);
}

#[test]
fn callers_have_no_limit_unless_a_reset_waits_for_them() {
    let mut client = two_on_their_way();
    assert_eq!(Owed::of(&client.session, true, None), None);
    let work = reset::reset(&client.session);
    client.session.submit(Request { id: 9, work }, &mut client.sink);
    client.flush();
    assert_eq!(Owed::of(&client.session, true, Some(9)), Some(Owed::Leftover));
    while client.session.head() != Head::Caller(9) {
        client.server.step();
        client.read();
    }
    assert_eq!(Owed::of(&client.session, true, Some(9)), Some(Owed::Reset));
    client.settle_all();
    assert_eq!(Owed::of(&client.session, true, None), None);
}

#[test]
fn a_caller_in_front_of_an_abandoned_request_keeps_his_time() {
    let mut client = two_on_their_way();
    client.session.abandon(2, &mut client.sink);
    assert_eq!(Owed::of(&client.session, true, None), Some(Owed::Ahead));
    client.session.abandon(1, &mut client.sink);
    assert_eq!(Owed::of(&client.session, true, None), Some(Owed::Abandoned));
    assert_eq!(Owed::of(&client.session, false, None), Some(Owed::AbandonedAlone), "it is no pool's");
}

#[test]
fn a_command_in_a_hurry_goes_on_and_ends_with_an_event_but_has_a_limit() {
    let mut client = two_on_their_way();
    client.script(3, "commit", true);
    client.session.hurry(3);
    client.session.hurry(3);
    client.flush();
    assert_eq!(Owed::of(&client.session, true, None), Some(Owed::Ahead));
    while client.session.head() == Head::Caller(1) || client.session.head() == Head::Caller(2) {
        client.server.step();
        client.read();
    }
    assert_eq!(Owed::of(&client.session, true, None), Some(Owed::Abandoned));
    client.session.press(&mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 0);
    client.settle_all();
    assert!(client.is_settled(3));
    assert_eq!(Owed::of(&client.session, true, None), None);
    // One that is not written yet.
    client.query(4, "insert 3 $1", 1);
    client.script(5, "commit", true);
    client.session.hurry(5);
    assert_eq!(Owed::of(&client.session, true, None), Some(Owed::Ahead));
    client.session.abandon(5, &mut client.sink);
    assert_eq!(Owed::of(&client.session, true, None), None);
}

#[test]
fn a_reset_that_may_not_be_written_while_a_cancel_is_under_way_has_time() {
    let mut client = two_on_their_way();
    client.session.abandon(1, &mut client.sink);
    client.session.abandon(2, &mut client.sink);
    let work = reset::reset(&client.session);
    client.session.submit(Request { id: 9, work }, &mut client.sink);
    client.server.run();
    client.read();
    assert_eq!(client.session.head(), Head::Unwritten);
    assert_eq!(Owed::of(&client.session, true, Some(9)), Some(Owed::Leftover));
}
