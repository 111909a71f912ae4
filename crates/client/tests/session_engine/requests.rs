//! What requests get when nothing goes wrong, and what comes in between.

use oxpg_client::session::{Event, FailureKind, Sink};

use crate::client::{Client, Settled};

#[test]
fn a_script_gives_the_last_tag_and_no_rows() {
    let mut client = Client::new();
    client.script(1, "select 1 5; insert 2; update 3", false);
    client.script(2, "", false);
    client.script(3, "select 1 5; fail 1; insert 9", false);
    client.settle_all();
    assert!(matches!(client.sink.settled[&1], Settled::Completed { command: 3, rows: 1, .. }));
    assert!(matches!(client.sink.settled[&2], Settled::Completed { command: 9, .. }));
    assert_eq!(client.sqlstate(3), "23505");
    assert!(client.sink.rows.is_empty());
    assert_eq!(client.server.committed, [(2, 0), (3, 0)]);
}

#[test]
fn an_empty_query_and_max_rows() {
    let mut client = Client::new();
    client.query(1, "", 0);
    client.query_of(2, "select 1 10", 0, 3);
    client.query_of(3, "select 1 2", 0, 3);
    client.settle_all();
    assert!(matches!(client.sink.settled[&1], Settled::Completed { command: 9, .. }));
    assert!(matches!(client.sink.settled[&2], Settled::Completed { is_suspended: true, .. }));
    assert_eq!(client.sink.rows[&2].len(), 3);
    assert!(matches!(client.sink.settled[&3], Settled::Completed { is_suspended: false, rows: 2, .. }));
}

#[test]
fn prepare_describes_and_the_connection_knows_the_statement() {
    let mut client = Client::new();
    client.prepare(1, "insert 1 $1");
    client.prepare(2, "insert 1 $1");
    client.settle_all();
    client.prepare(3, "insert 1 $1");
    for id in 1..=3 {
        assert!(matches!(&client.sink.settled[&id], Settled::Completed { text: Some(text), .. } if text == "PREPARE"));
        assert!(client.sink.lines.contains(&format!("described {id} 0 false")));
    }
    client.query(4, "insert 1 $1", 3);
    client.settle_all();
    assert_eq!(client.server.log, "PDSBES");
}

#[test]
fn texts_that_no_message_can_carry_are_refused() {
    let mut client = Client::new();
    client.query(1, "select \0", 0);
    client.script(2, "select \0", false);
    for id in [1, 2] {
        assert_eq!(client.kind(id), FailureKind::Interface);
        assert!(client.failure(id).message.contains("NUL"));
    }
    assert!(client.session.output().is_empty());
}

#[test]
fn notices_notifications_and_settings_come_in_between() {
    let mut client = Client::new();
    client.query(1, "select 1 1", 0);
    client.flush();
    client.server.send(b'S', b"TimeZone\0UTC\0");
    client.server.send(b'A', b"\0\0\0\x09ch\0hello\0");
    client.server.send(b'S', b"server_version\x0018.1\0");
    client.settle_all();
    assert_eq!(client.completed(1), 1);
    assert_eq!(client.session.parameter("TimeZone"), Some("UTC"));
    assert_eq!(client.session.parameter("server_version"), Some("18.1"));
    assert!(client.sink.lines.contains(&"notification 9 ch hello".to_owned()));
    assert!(client.sink.lines.contains(&"parameter TimeZone UTC".to_owned()));
}

#[test]
fn a_full_sink_stops_the_engine_and_loses_nothing() {
    let mut client = Client::new();
    client.sink.full_at = vec![0, 1, 2, 7];
    client.query(1, "select 1 5", 0);
    client.query(2, "select 2 5", 0);
    client.settle_all();
    assert_eq!(client.sink.rows[&1].len(), 5);
    assert_eq!(client.sink.rows[&2].len(), 5);
    assert!(client.sink.full_at.is_empty());
}

#[test]
fn the_head_sequence_changes_with_the_head() {
    let mut client = Client::new();
    client.warm("select 1 1");
    let idle = client.session.head_sequence();
    client.query(1, "select 1 1", 0);
    let busy = client.session.head_sequence();
    client.query(2, "select 1 1", 0);
    assert_ne!(idle, busy);
    assert_eq!(client.session.head_sequence(), busy);
    client.settle_all();
    assert_ne!(client.session.head_sequence(), busy);
}

#[test]
fn the_recorder_refuses_a_second_end() {
    // The tests stand on it.
    let settled = std::panic::catch_unwind(|| {
        let mut client = Client::new();
        for _ in 0..2 {
            client.sink.event(Event::Aborted { request: 1, transaction_status: b'I' });
        }
    });
    assert!(settled.is_err());
}
