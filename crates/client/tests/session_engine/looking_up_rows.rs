//! Rows whose values have types that are not known, or not any more: they wait for them, and are delivered in order.

use oxpg_client::session::{FailureKind, SessionOptions};

use crate::client::Client;
use crate::looking_up::{MOOD, PERSON, knowing_types, look_ups};
use crate::server::Fault;

#[test]
fn rows_wait_for_the_types_of_their_values() {
    let mut client = knowing_types(Client::new());
    client.sink.unknown_types = MOOD..MOOD + 1;
    client.query(1, "select 7 3", 0);
    client.query(2, "insert 1 $1", 2);
    client.settle_all();
    assert_eq!(client.completed(1), 3);
    assert_eq!(client.sink.rows[&1], [(7, 0), (7, 1), (7, 2)]);
    assert_eq!(look_ups(&client), 1);
    assert_eq!(client.server.executed.iter().filter(|text| text.starts_with("select 7")).count(), 1, "run once");
    assert_eq!(client.server.committed, [(1, 2)]);
}

#[test]
fn rows_may_have_values_of_many_unknown_types() {
    let mut client = Client::new();
    client.sink.unknown_types = 70_100..70_140;
    client.query(1, "select 7 3", 0);
    client.settle_all();
    assert_eq!(client.completed(1), 3);
    assert_eq!(look_ups(&client), 40);
}

#[test]
fn rows_that_waited_stop_at_a_full_sink() {
    let mut client = knowing_types(Client::new());
    client.sink.unknown_types = MOOD..MOOD + 1;
    client.sink.full_at = vec![0, 1, 2, 2];
    client.query(1, "select 7 3", 0);
    client.settle_all();
    assert_eq!(client.sink.rows[&1], [(7, 0), (7, 1), (7, 2)]);
    assert_eq!(client.completed(1), 3);
    assert!(!client.session.has_backlog());
}

#[test]
fn rows_whose_look_up_is_not_needed_any_more_stop_at_a_full_sink_and_go_on_without_more_bytes() {
    let mut client = knowing_types(Client::new());
    for id in 1..=2 {
        client.warm(&format!("select {id} 1"));
    }
    client.sink.unknown_types = MOOD..MOOD + 1;
    client.sink.full_at = vec![client.sink.row_count + 1];
    for id in 1..=2 {
        client.query(id, &format!("select {id} 1"), 0);
    }
    // Nothing is read where nothing has come.
    loop {
        client.flush();
        client.server.run();
        if client.server.output.is_empty() {
            break;
        }
        client.read();
    }
    assert_eq!((client.completed(1), client.completed(2), look_ups(&client)), (1, 1, 1));
    assert!(client.sink.full_at.is_empty() && !client.session.has_backlog());
}

#[test]
fn rows_whose_types_cannot_be_looked_up_were_executed_all_the_same() {
    let options = SessionOptions { returns_requests: true, ..SessionOptions::default() };
    let mut client = knowing_types(Client::with(options));
    client.sink.unknown_types = MOOD..MOOD + 1;
    client.server.faults = [None, None, Some(Fault::Silence)].into();
    client.query(1, "insert 7 returning", 0);
    client.settle_all();
    assert_eq!(client.kind(1), FailureKind::Connection);
    assert!(!client.failure(1).is_safe_to_retry);
}

#[test]
fn a_type_that_has_changed_is_looked_up_again() {
    let mut client = knowing_types(Client::new());
    client.server.column_oid = PERSON;
    client.query(1, "select 1 1", 0);
    client.settle_all();
    client.sink.outdated = Some((2, true));
    client.query(2, "select 1 1", 0);
    client.settle_all();
    assert_eq!(client.kind(2), FailureKind::OutdatedSchema);
    assert_eq!(look_ups(&client), 3, "it goes on changing");
    client.query(3, "select 1 1", 0);
    client.settle_all();
    assert_eq!(client.completed(3), 1);
}

#[test]
fn a_result_that_has_arrived_is_read_by_what_its_types_are_now() {
    for is_batch in [false, true] {
        let mut client = knowing_types(Client::new());
        client.server.column_oid = PERSON;
        client.warm("insert 1 $1 returning");
        client.sink.outdated = Some((2, false));
        if is_batch {
            client.batch(2, "insert 1 $1 returning", true);
            client.settle_all();
            client.row(2, 5);
            client.row(2, 6);
            client.session.batch_end(2, &mut client.sink);
        } else {
            client.query(2, "insert 1 $1 returning", 5);
        }
        client.settle_all();
        assert_eq!(client.completed(2), if is_batch { 2 } else { 1 });
        assert_eq!(client.sink.rows[&2].len(), client.server.committed.len(), "executed once, and told");
        assert_eq!(look_ups(&client), 1);
        let described = client.sink.lines.iter().rposition(|line| line.starts_with("described 2"));
        let row = client.sink.lines.iter().position(|line| line.starts_with("row 2"));
        assert!(described.is_some() && described < row, "{:#?}", client.sink.lines);
    }
}

#[test]
fn rows_that_were_taken_stay_when_the_type_of_those_behind_has_changed() {
    let mut client = knowing_types(Client::new());
    client.server.column_oid = PERSON;
    client.warm("select 1 3 $1");
    client.sink.outdated = Some((2, false));
    client.sink.readable_rows = 2;
    client.query(2, "select 1 3 $1", 2);
    client.settle_all();
    assert_eq!(client.completed(2), 3);
    assert_eq!(client.sink.rows[&2], [(2, 0), (2, 1), (2, 2)], "each once, in order");
    let lines = client.sink.lines.iter().map(|line| line.split(' ').next().unwrap());
    let of_the_second: Vec<&str> = lines.rev().take(5).collect();
    assert_eq!(of_the_second, ["completed", "row", "described", "row", "row"]);
}

#[test]
fn calls_whose_rows_wait_for_types_keep_their_order() {
    for mut client in [knowing_types(Client::new()), knowing_types(Client::simple())] {
        for id in 1..=4 {
            client.warm(&format!("select {id} 1"));
        }
        client.sink.unknown_types = MOOD..MOOD + 1;
        for id in 1..=4 {
            client.query(id, &format!("select {id} 1"), 0);
        }
        client.flush();
        client.server.run();
        while !client.server.output.is_empty() {
            client.read_some(1);
        }
        client.settle_all();
        let ended = client.sink.lines.iter().filter_map(|line| line.strip_prefix("completed "));
        let ids: Vec<&str> = ended.map(|line| &line[..1]).collect();
        assert_eq!((ids, look_ups(&client)), (vec!["1", "2", "3", "4"], 1), "{:#?}", client.sink.lines);
    }
}

#[test]
fn rows_whose_types_are_looked_up_behind_the_end_of_their_transaction_need_no_savepoint() {
    let mut client = knowing_types(Client::new());
    for text in ["select 1 1", "begin", "commit"] {
        client.warm(text);
    }
    client.query(1, "begin", 0);
    client.settle_all();
    // As the values of an anonymous record.
    client.sink.unknown_types = MOOD..MOOD + 1;
    client.query(2, "select 1 1", 0);
    client.query(3, "commit", 0);
    client.flush();
    client.server.run();
    while !client.server.output.is_empty() {
        client.read_some(1);
    }
    client.settle_all();
    assert_eq!((client.completed(2), client.completed(3), look_ups(&client)), (1, 0, 1));
    assert!(!client.server.executed.iter().any(|text| text.starts_with("SAVEPOINT")), "{:?}", client.server.executed);
}
