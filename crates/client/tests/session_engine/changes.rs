//! Rule 5a: what is known of a statement is trusted until something shows that it may have changed.

use oxpg_client::session::{FailureKind, SessionOptions};

use crate::client::{Client, Settled};

const INT4: u32 = 23;
const FLOAT8: u32 = 701;

/// One that has executed the text, whose parameter is of another type from then on.
fn outlived(mut client: Client, text: &str) -> Client {
    client.warm(text);
    client.server.parameter_oid = FLOAT8;
    client
}

/// Executes it, with nothing cast or misread.
fn is_right(client: &mut Client, id: u32, text: &str) {
    client.query(id, text, 5);
    client.settle_all();
    assert_eq!(client.completed(id), 1);
    assert_eq!((client.server.misread, client.server.cast), (0, 0));
}

#[test]
fn a_change_on_any_session_of_the_environment_is_known_to_all() {
    for is_script in [false, true] {
        let mut first = outlived(Client::new(), "insert 1 $1");
        let mut second = Client::new();
        second.share_knowledge_of(&first);
        second.warm("insert 1 $1");
        second.server.parameter_oid = FLOAT8;
        if is_script {
            first.script(1, "insert 2; alter table", false);
        } else {
            first.query(1, "alter table", 0);
        }
        // Behind it, on the session itself.
        first.query(2, "insert 1 $1", 5);
        first.settle_all();
        assert_eq!((first.completed(2), first.server.cast, first.server.misread), (1, 0, 0));
        is_right(&mut second, 3, "insert 1 $1");
        second.server.log.clear();
        is_right(&mut second, 4, "insert 1 $1");
        assert_eq!(second.server.log, "BES", "asked once");
    }
}

#[test]
fn a_change_in_a_transaction_is_known_once_more_at_its_end() {
    for end in ["commit", "rollback"] {
        let mut first = Client::new();
        first.warm("insert 1 $1");
        let mut second = Client::new();
        second.share_knowledge_of(&first);
        first.script(1, "begin", true);
        first.query(2, "alter table", 0);
        first.settle_all();
        first.server.parameter_oid = FLOAT8;
        is_right(&mut first, 3, "insert 1 $1");
        // It does not see it yet.
        is_right(&mut second, 4, "insert 1 $1");
        first.script(5, end, true);
        // What is behind the end waits for it.
        first.query(6, "insert 1 $1", 5);
        first.flush();
        first.server.run();
        if end == "commit" {
            second.server.parameter_oid = FLOAT8;
        } else {
            first.server.parameter_oid = INT4;
        }
        first.settle_all();
        assert_eq!((first.completed(6), first.server.cast, first.server.misread), (1, 0, 0));
        is_right(&mut second, 7, "insert 1 $1");
    }
}

#[test]
fn a_statement_is_asked_for_anew_after_a_minute() {
    let mut client = outlived(Client::new(), "insert 1 $1");
    let schema = std::rc::Rc::clone(client.session.catalog().schema());
    client.server.parameter_oid = INT4;
    schema.set_time(59_999);
    is_right(&mut client, 1, "insert 1 $1");
    assert_eq!(client.server.log, "BES");
    schema.set_time(60_000);
    client.server.parameter_oid = FLOAT8;
    is_right(&mut client, 2, "insert 1 $1");
    assert_eq!(client.server.log, "BESCPDSBES");
    assert_eq!(client.server.names(), 1);
}

#[test]
fn an_answer_that_differs_from_the_last_speaks_against_all_others() {
    let mut first = outlived(Client::new(), "insert 1 $1");
    let mut second = Client::new();
    second.share_knowledge_of(&first);
    second.warm("insert 2 $1");
    second.server.parameter_oid = FLOAT8;
    // As after parameters that do not fit what is known.
    first.fresh_query(1, "insert 1 $1", 5);
    first.settle_all();
    is_right(&mut second, 2, "insert 2 $1");
    first.server.log.clear();
    is_right(&mut first, 3, "insert 1 $1");
    assert_eq!(first.server.log, "BES", "what was just said is true");
}

#[test]
fn a_stale_plan_helps_the_other_sessions_also_inside_transactions() {
    let mut first = Client::new();
    first.warm("select 1 1");
    let mut second = Client::new();
    second.share_knowledge_of(&first);
    second.warm("select 1 1");
    for client in [&mut first, &mut second] {
        client.server.generation += 1;
        client.server.column_oid = 20;
    }
    first.query(1, "select 1 1", 0);
    first.settle_all();
    assert_eq!(first.completed(1), 1);
    second.script(2, "begin", true);
    second.query(3, "select 1 1", 0);
    second.settle_all();
    assert_eq!(second.completed(3), 1);
}

#[test]
fn names_that_mean_something_else_make_the_session_ask_anew() {
    for text in ["set search_path = a", "set local schema 'a'", "set role a", "create temp table a"] {
        for is_script in [false, true] {
            let mut client = outlived(Client::new(), "insert 1 $1");
            let mut other = Client::new();
            other.share_knowledge_of(&client);
            other.warm("insert 1 $1");
            if is_script {
                client.script(1, text, false);
            } else {
                client.query(1, text, 0);
            }
            client.query(2, "insert 1 $1", 5);
            client.settle_all();
            assert_eq!((client.completed(2), client.server.cast, client.server.misread), (1, 0, 0), "{text}");
            other.server.log.clear();
            is_right(&mut other, 3, "insert 1 $1");
            assert_eq!(other.server.log, "BES", "others' names mean what they did");
        }
    }
}

#[test]
fn names_mean_what_they_did_after_the_transaction_and_after_a_reset() {
    for end in ["commit", "rollback"] {
        let mut client = Client::new();
        client.warm("insert 1 $1");
        client.script(1, "begin", true);
        client.query(2, "set local search_path = a", 0);
        client.settle_all();
        client.server.parameter_oid = FLOAT8;
        is_right(&mut client, 3, "insert 1 $1");
        client.script(4, end, true);
        client.settle_all();
        client.server.parameter_oid = INT4;
        is_right(&mut client, 5, "insert 1 $1");
    }
    let mut client = outlived(Client::new(), "insert 1 $1");
    client.query(1, "set search_path = a", 0);
    client.settle_all();
    is_right(&mut client, 2, "insert 1 $1");
    client.server.log.clear();
    client.script(3, "reset all", true);
    client.settle_all();
    client.server.parameter_oid = INT4;
    is_right(&mut client, 4, "insert 1 $1");
    client.script(5, "reset all", true);
    client.settle_all();
    client.server.log.clear();
    is_right(&mut client, 6, "insert 1 $1");
    assert_eq!(client.server.log, "BES", "nothing was there to reset");
}

#[test]
fn a_search_path_that_is_reported_is_known_again_when_it_comes_back() {
    let mut client = Client::new();
    let report = |client: &mut Client, path: &str, parameter_oid: u32| {
        client.server.send(b'S', format!("search_path\0{path}\0").as_bytes());
        client.server.parameter_oid = parameter_oid;
        client.read();
    };
    report(&mut client, "a", INT4);
    client.warm("insert 1 $1");
    report(&mut client, "b", FLOAT8);
    is_right(&mut client, 1, "insert 1 $1");
    client.server.log.clear();
    report(&mut client, "c", INT4);
    report(&mut client, "b", FLOAT8);
    is_right(&mut client, 2, "insert 1 $1");
    assert_eq!(client.server.log, "BES");
}

#[test]
fn rule_14_what_a_statement_has_outgrown_heals() {
    for (sqlstate, message) in [
        ("42804", "column \"v\" is of type mood but expression is of type text"),
        ("42883", "operator does not exist: uuid = text"),
        ("42703", "column \"v\" does not exist"),
        ("22P02", "invalid input value for enum mood: \"anything\""),
        ("22P03", "incorrect binary data format in bind parameter 1"),
        ("08P01", "insufficient data left in message"),
    ] {
        let mut client = outlived(Client::new(), "insert 1 $1");
        client.server.bind_errors = [(sqlstate, message, "transformAssignedExpr")].into();
        is_right(&mut client, 1, "insert 1 $1");
        assert_eq!(client.server.committed, [(1, 5)], "{sqlstate}");
    }
}

#[test]
fn rule_14_a_value_that_is_wrong_for_the_types_of_now_fails_as_it_is() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    let error = ("22P02", "invalid input syntax for type uuid", "string_to_uuid");
    client.server.bind_errors = [error; 2].into();
    client.query(1, "insert 1 $1", 5);
    client.settle_all();
    assert_eq!((client.kind(1), client.sqlstate(1)), (FailureKind::Server, "22P02"));
    assert!(client.failure(1).message.ends_with("type uuid") && client.failure(1).is_safe_to_retry);
    assert_eq!(client.server.log, "BESCPDSBES");
}

#[test]
fn rule_14_inside_a_transaction_what_was_outgrown_fails_once() {
    for (sqlstate, kind) in [("42804", FailureKind::OutdatedSchema), ("22P02", FailureKind::Server)] {
        let mut client = outlived(Client::new(), "insert 1 $1");
        client.script(1, "begin", true);
        client.settle_all();
        client.server.bind_errors = [(sqlstate, "no", "parse")].into();
        client.query(2, "insert 1 $1", 5);
        client.settle_all();
        assert_eq!((client.kind(2), client.failure(2).is_safe_to_retry), (kind, true));
        client.script(3, "rollback", true);
        client.settle_all();
        is_right(&mut client, 4, "insert 1 $1");
    }
}

#[test]
fn rule_14_on_a_pool_what_was_outgrown_with_followers_goes_elsewhere() {
    let options = SessionOptions { returns_requests: true, ..SessionOptions::default() };
    let mut client = outlived(Client::with(options), "insert 1 $1");
    client.server.bind_errors = [("42804", "no", "parse")].into();
    client.query(1, "insert 1 $1", 5);
    client.query(2, "select 2 1", 5);
    client.settle_all();
    assert!(matches!(client.sink.settled[&1], Settled::Returned { has_bind: false, is_fresh: true, .. }));
}

#[test]
fn a_batch_that_was_outgrown_fails_once_and_executes_nothing() {
    for (sqlstate, kind) in [("42804", FailureKind::OutdatedSchema), ("22P02", FailureKind::Server)] {
        let mut client = outlived(Client::new(), "insert 1 $1");
        client.batch(1, "insert 1 $1", false);
        client.settle_all();
        client.server.bind_errors = [(sqlstate, "no", "parse")].into();
        client.row(1, 5);
        client.session.batch_end(1, &mut client.sink);
        client.settle_all();
        assert_eq!((client.kind(1), client.failure(1).is_safe_to_retry), (kind, true));
        client.batch(2, "insert 1 $1", false);
        client.settle_all();
        client.row(2, 6);
        client.session.batch_end(2, &mut client.sink);
        client.settle_all();
        assert_eq!(client.completed(2), 1);
        assert_eq!((client.server.misread, client.server.cast), (0, 0));
        assert_eq!(client.server.committed, [(1, 6)]);
    }
}

#[test]
fn a_batch_whose_row_did_not_fit_asks_anew_the_next_time() {
    let mut client = outlived(Client::new(), "insert 1 $1");
    client.batch(1, "insert 1 $1", false);
    client.settle_all();
    client.session.batch_abort(1, &mut client.sink);
    client.settle_all();
    client.batch(2, "insert 1 $1", false);
    client.settle_all();
    client.row(2, 6);
    client.session.batch_end(2, &mut client.sink);
    client.settle_all();
    assert_eq!((client.completed(2), client.server.misread, client.server.cast), (1, 0, 0));
}

#[test]
fn a_batch_whose_source_saw_a_change_is_described_again_before_it_is_bound() {
    for parameter_oid in [INT4, FLOAT8] {
        let mut client = Client::new();
        client.warm("insert 1 $1");
        client.batch(1, "insert 1 $1", false);
        client.settle_all();
        client.row(1, 5);
        client.server.parameter_oid = parameter_oid;
        client.session.catalog().schema().note_change();
        client.session.batch_end(1, &mut client.sink);
        client.settle_all();
        if parameter_oid == INT4 {
            assert_eq!(client.completed(1), 1);
            assert_eq!(client.server.log, "CPDHBES");
            client.server.log.clear();
            is_right(&mut client, 2, "insert 1 $1");
            assert_eq!(client.server.log, "BES", "it is known again under its name");
        } else {
            assert_eq!(client.kind(1), FailureKind::OutdatedSchema);
            is_right(&mut client, 2, "insert 1 $1");
            assert_eq!(client.server.committed, [(1, 5)]);
        }
        assert!(client.server.names() <= 1);
        assert_eq!((client.server.misread, client.server.cast), (0, 0));
    }
}

#[test]
fn while_a_change_is_under_way_statements_are_bound_in_the_group_in_which_they_are_parsed() {
    for is_script in [false, true] {
        let mut first = Client::new();
        let mut second = Client::new();
        second.share_knowledge_of(&first);
        second.warm("insert 1 $1");
        if is_script {
            first.script(1, "insert 2; alter table; commit", false);
        } else {
            first.query(1, "alter table", 0);
        }
        first.flush();
        second.server.log.clear();
        second.query(1, "insert 1 $1", 5);
        second.query(2, "insert 1 $1", 5);
        second.settle_all();
        assert_eq!((second.completed(1), second.completed(2)), (1, 1));
        assert_eq!(second.server.log, "PDHBESPDHBES", "the server keeps its locks from Parse to Sync");
        // A caller who leaves it changes nothing: the server goes on.
        first.session.abandon(1, &mut first.sink);
        second.server.log.clear();
        is_right(&mut second, 3, "insert 1 $1");
        assert_eq!(second.server.log, "PDHBES");
        first.settle_all();
        while !first.sink.open_cancels.is_empty() {
            first.cancel_finished();
        }
        first.settle_all();
        is_right(&mut second, 4, "insert 1 $1");
        second.server.log.clear();
        is_right(&mut second, 5, "insert 1 $1");
        assert_eq!(second.server.log, "BES");
    }
}

#[test]
fn a_bind_that_is_awaited_when_a_change_begins_is_parsed_again() {
    let mut first = Client::new();
    let mut second = Client::new();
    second.share_knowledge_of(&first);
    second.query(1, "insert 1 $1", 5);
    second.flush();
    second.server.run();
    second.read();
    first.query(1, "alter table", 0);
    first.flush();
    second.server.parameter_oid = FLOAT8;
    second.settle_all();
    assert_eq!((second.completed(1), second.server.cast, second.server.misread), (1, 0, 0));
    assert!(second.server.log.ends_with("PDHBES"), "{}", second.server.log);
}

#[test]
fn the_end_of_a_transaction_with_a_change_is_one() {
    let mut first = Client::new();
    let mut second = Client::new();
    second.share_knowledge_of(&first);
    first.script(1, "begin", true);
    first.query(2, "alter table", 0);
    first.settle_all();
    second.warm("insert 1 $1");
    second.warm("insert 1 $1");
    first.script(3, "commit", true);
    first.flush();
    second.server.log.clear();
    is_right(&mut second, 4, "insert 1 $1");
    assert_eq!(second.server.log, "PDHBES");
}
