//! `client_encoding` changes while the session lives: bytes in UTF-8 would be stored as something else.

use oxpg_client::session::FailureKind;

use crate::client::Client;

const CHANGE: &str = "set client_encoding latin1";

#[test]
fn a_session_ends_when_the_server_takes_its_text_for_something_else() {
    let mut client = Client::new();
    client.script(1, CHANGE, false);
    client.settle_all();
    assert_eq!(client.kind(1), FailureKind::Unsupported);
    assert!(client.failure(1).message.contains("LATIN1"));
    assert!(!client.failure(1).is_safe_to_retry);
    let closed = client.sink.closed.flatten().expect("the session is over, and says why");
    assert_eq!(closed.kind, FailureKind::Connection);
    assert!(closed.message.contains("client_encoding became LATIN1"), "{}", closed.message);
}

/// Scripts of pg_dump begin with it.
#[test]
fn naming_utf8_is_fine() {
    let mut client = Client::new();
    client.script(1, "set client_encoding utf8", false);
    client.query(2, "insert 2 $1", 2);
    client.settle_all();
    assert_eq!(client.server.committed, [(2, 2)]);
}

/// What is set back before ReadyForQuery concerned nobody's text.
#[test]
fn a_change_that_is_over_by_ready_for_query_is_none() {
    let mut client = Client::new();
    client.script(1, "set client_encoding latin1; set client_encoding utf8", false);
    client.query(2, "insert 2 $1", 2);
    client.settle_all();
    assert_eq!(client.server.committed, [(2, 2)]);
}

#[test]
fn nothing_is_written_behind_a_statement_that_may_change_it() {
    let mut client = Client::new();
    client.warm("select 1 1 set_config('Client_Encoding')");
    client.warm("insert 2 $1");
    client.server.log.clear();
    client.query(1, "select 1 1 set_config('Client_Encoding')", 0);
    client.query(2, "insert 2 $1", 2);
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "BES", "the INSERT waits for the answer");
    client.settle_all();
    assert_eq!(client.server.committed, [(2, 2)]);
}

#[test]
fn what_waited_behind_the_change_was_not_sent() {
    for text in [CHANGE, "set names latin1"] {
        let mut client = Client::new();
        client.warm("insert 2 $1");
        client.query(1, text, 0);
        client.query(2, "insert 2 $1", 2);
        client.settle_all();
        assert_eq!(client.server.committed, [], "{text}");
    }
}
