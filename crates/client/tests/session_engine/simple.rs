//! The simple query protocol, for servers and poolers that know no other.

use oxpg_client::session::{
    FailureKind, PoolerSearch, QueryProtocol, Request, ResultForm, ResultFormats, ResultOptions, SessionOptions, Work,
};
use oxpg_codec::types::TypeCode;

use crate::client::{Client, Settled};
use crate::server::Fault;

const MOOD: u32 = 70_001;

fn knowing_types() -> Client {
    let mut client = Client::simple();
    client.server.catalog = vec![["70001", "public", "mood", "e", "0", "0", "0", ",", "t", "", "", ""]];
    client.server.column_oid = MOOD;
    client
}

#[test]
fn a_query_is_one_message_and_its_rows_come_as_text() {
    let mut client = Client::simple();
    client.query(1, "select 7 2", 0);
    client.settle_all();
    assert_eq!(client.server.log, "Q");
    assert_eq!(client.sink.rows[&1], [(7, 0), (7, 1)]);
    assert_eq!(client.sink.formats[&1], ResultFormats::Printed);
    assert_eq!(client.completed(1), 2);
    let known = client.text("select 7 2").description().unwrap();
    assert_eq!((known.codes.as_slice(), known.parameters.len()), (&[TypeCode::INT4; 2][..], 0));
    assert!(known.row_types(ResultFormats::Printed).are_printed);
}

#[test]
fn the_caller_is_told_the_columns_once_and_never_asked_for_parameters() {
    let mut client = Client::simple();
    for id in [1, 2] {
        client.query(id, "select 7 1", 0);
        client.settle_all();
    }
    let described = client.sink.lines.iter().filter(|line| line.starts_with("described")).count();
    assert_eq!(described, 1, "{:#?}", client.sink.lines);
    client.query(3, "update 1", 0);
    client.settle_all();
    assert!(client.sink.lines.contains(&"described 3 0 false".to_owned()), "{:#?}", client.sink.lines);
    assert!(client.sink.asked.is_empty());
}

#[test]
fn nobody_asks_for_the_process_id() {
    let options = SessionOptions {
        query_protocol: QueryProtocol::Simple,
        pooler_search: PoolerSearch::ByIdentity,
        ..SessionOptions::default()
    };
    let mut client = Client::with(options);
    client.query(1, "select 7 1", 0);
    client.settle_all();
    assert_eq!(client.server.executed, ["select 7 1"]);
}

#[test]
fn of_more_rows_than_are_wanted_the_first_are_given() {
    let mut client = Client::simple();
    client.query_of(1, "select 7 5", 0, 2);
    client.query_of(2, "select 8 2", 0, 2);
    client.settle_all();
    for (id, is_cut) in [(1, true), (2, false)] {
        assert_eq!(client.sink.rows[&id].len(), 2);
        let settled = &client.sink.settled[&id];
        assert!(matches!(settled, Settled::Completed { is_suspended, .. } if *is_suspended == is_cut), "{settled:?}");
    }
}

#[test]
fn single_statements_of_rule_8_are_written_behind_each_other_and_nothing_behind_others() {
    let mut client = Client::simple();
    for (id, text) in [(1, "select 1 1"), (2, "insert 2"), (3, "begin"), (4, "insert 4"), (5, "commit")] {
        client.query(id, text, 0);
    }
    client.flush();
    client.server.run();
    assert_eq!(client.server.executed, ["select 1 1", "insert 2", "begin"]);
    client.settle_all();
    assert_eq!(client.server.committed, [(2, 0), (4, 0)]);
    assert_eq!(client.session.transaction_status(), b'I');
}

#[test]
fn types_that_are_not_known_are_looked_up_by_a_simple_query_and_the_statement_runs_once() {
    for count in [2, 0] {
        let mut client = knowing_types();
        let text = format!("select 7 {count}");
        client.query(1, &text, 0);
        client.query(2, "insert 3", 0);
        client.settle_all();
        assert_eq!(client.server.log.replace('Q', ""), "", "nothing else is known");
        assert_eq!(client.server.executed.iter().filter(|done| **done == text).count(), 1);
        assert_eq!(client.server.executed.iter().filter(|done| done.starts_with("WITH")).count(), 1);
        assert_eq!(client.sink.rows.get(&1).map_or(0, Vec::len), count);
        let known = client.text(&text).description().unwrap();
        assert_eq!(known.codes, [TypeCode::TEXT; 2]);
        let told = client.sink.lines.iter().filter(|line| line.starts_with("described 1 ")).count();
        assert_eq!(told, 1, "the caller is told what they are, and nothing before");
        assert_eq!((client.completed(1), client.completed(2)), (count as u64, 1));
    }
}

#[test]
fn inside_a_transaction_the_look_up_leaves_no_trace() {
    let mut client = knowing_types();
    client.script(1, "begin", true);
    client.query(2, "insert 2", 0);
    client.query(3, "select 7 1", 0);
    client.settle_all();
    client.script(4, "commit", true);
    client.settle_all();
    assert_eq!(client.server.log, "QQQQQ");
    assert_eq!(client.server.executed[3], "SAVEPOINT oxpg_look_up");
    assert_eq!(client.server.executed[7], "RELEASE SAVEPOINT oxpg_look_up");
    assert_eq!(client.server.committed, [(2, 0)]);
}

#[test]
fn a_look_up_behind_the_end_of_its_transaction_is_outside() {
    let mut client = knowing_types();
    client.script(1, "begin", true);
    client.settle_all();
    client.query(2, "select 7 1", 0);
    client.script(3, "commit", true);
    client.flush();
    client.server.run();
    while !client.server.output.is_empty() {
        client.read_some(1);
    }
    client.settle_all();
    assert_eq!((client.completed(2), client.completed(3)), (1, 0), "{:#?}", client.sink.lines);
    assert!(!client.server.executed.iter().any(|text| text.starts_with("SAVEPOINT")), "{:?}", client.server.executed);
}

#[test]
fn a_look_up_that_fails_fails_its_request_which_was_executed() {
    let mut client = knowing_types();
    client.server.faults.extend([None, None, Some(Fault::Error)]);
    client.query(1, "insert 7 returning", 0);
    client.settle_all();
    let failure = client.failure(1);
    assert_eq!((failure.kind, failure.is_safe_to_retry), (FailureKind::OutdatedSchema, false));
    assert!(failure.message.contains("the statement was executed"), "{}", failure.message);
    client.query(2, "select 7 1", 0);
    client.settle_all();
    assert_eq!(client.completed(2), 1);
}

#[test]
fn rows_that_nobody_wants_need_no_types() {
    let mut client = knowing_types();
    let result = ResultOptions { form: ResultForm::Count, ..ResultOptions::default() };
    let query = client.text("select 7 3");
    let work = Work::Query { query, bind: None, result, is_fresh: false };
    client.session.submit(Request { id: 1, work }, &mut client.sink);
    client.settle_all();
    assert_eq!(client.server.log, "Q");
    assert_eq!(client.completed(1), 3);
    assert!(client.sink.rows.is_empty());
}

#[test]
fn what_the_protocol_has_not_is_refused_unsent() {
    let mut client = Client::simple();
    client.prepare(1, "select 1 1");
    client.batch(2, "insert 1 $1", false);
    client.query(3, "select 1 1; insert 2", 0);
    // It was prepared elsewhere.
    let mut other = Client::new();
    other.warm("insert 1 $1");
    client.share_knowledge_of(&other);
    client.query(4, "insert 1 $1", 5);
    client.settle_all();
    for (id, kind) in [
        (1, FailureKind::Unsupported),
        (2, FailureKind::Unsupported),
        (3, FailureKind::Interface),
        (4, FailureKind::Unsupported),
    ] {
        assert_eq!((client.kind(id), client.failure(id).is_safe_to_retry), (kind, true), "{id}");
    }
    assert_eq!(client.server.log, "");
}

#[test]
fn a_second_result_that_could_not_be_foreseen_is_an_error_that_is_not_safe_to_retry() {
    let mut client = Client::simple();
    // One string to PostgreSQL, and to the model server several statements.
    client.query(1, r"insert 1 E'\'; select 8 1; insert 2 '", 0);
    client.query(2, "select 7 1", 0);
    client.settle_all();
    assert_eq!((client.kind(1), client.failure(1).is_safe_to_retry), (FailureKind::Interface, false));
    assert_eq!(client.sink.rows.keys().collect::<Vec<_>>(), [&2], "no row of another result");
    assert_eq!(client.completed(2), 1);
}

#[test]
fn a_statement_behind_a_string_that_ends_in_a_backslash_is_not_sent() {
    let mut client = Client::simple();
    client.query(1, r"select '\' ; insert 1", 0);
    client.settle_all();
    assert_eq!((client.kind(1), client.failure(1).is_safe_to_retry), (FailureKind::Interface, true));
    assert_eq!(client.server.log, "");
}

#[test]
fn errors_leave_the_next_alone() {
    let mut client = Client::simple();
    for (id, text) in [(1, "wrong 1"), (2, "select 2 1"), (3, "fail 1"), (4, ""), (5, "copy in"), (6, "copy out")] {
        client.query(id, text, 0);
    }
    client.query(7, "insert 7", 0);
    client.settle_all();
    assert_eq!((client.sqlstate(1), client.sqlstate(3)), ("42601", "23505"));
    assert_eq!((client.completed(2), client.completed(4), client.completed(7)), (1, 0, 1));
    assert_eq!((client.kind(5), client.kind(6)), (FailureKind::Interface, FailureKind::Interface));
    assert_eq!(client.server.committed, [(7, 0)]);
}

#[test]
fn the_result_of_a_binary_cursor_is_refused() {
    let mut client = Client::simple();
    client.query(1, "select 7 1", 0);
    client.flush();
    client.server.run();
    // The format of the last column: in front of the DataRow, whose first byte is its tag.
    let end = client.server.output.iter().position(|byte| *byte == b'D').unwrap();
    client.server.output[end - 1] = 1;
    client.settle_all();
    assert_eq!(client.kind(1), FailureKind::Unsupported);
    client.query(2, "select 7 1", 0);
    client.settle_all();
    assert_eq!(client.completed(2), 1);
}

#[test]
fn a_caller_that_leaves_interrupts_its_query_and_no_other() {
    let mut client = Client::simple();
    client.query(1, "select 1 1", 0);
    client.query(2, "select 2 1", 0);
    client.session.abandon(2, &mut client.sink);
    client.settle_all();
    assert_eq!((client.server.executed.len(), client.sink.cancels_wanted), (1, 0), "taken back");
    client.query(3, "insert 3", 0);
    client.flush();
    client.session.abandon(3, &mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 1);
    client.server.cancel();
    client.query(4, "insert 4", 0);
    client.settle_all();
    client.cancel_finished();
    client.settle_all();
    assert_eq!(client.server.committed, [(4, 0)]);
}

#[test]
fn what_did_not_run_can_move_and_what_ran_cannot() {
    let options =
        SessionOptions { query_protocol: QueryProtocol::Simple, returns_requests: true, ..SessionOptions::default() };
    let mut client = Client::with(options);
    client.query(1, "select 1 1", 0);
    client.query(2, "insert 2", 0);
    client.flush();
    client.server.die("terminating connection");
    client.settle_all();
    assert!(matches!(&client.sink.settled[&1], Settled::Failed(failure) if failure.is_safe_to_retry));
    assert!(matches!(&client.sink.settled[&2], Settled::Returned { .. }), "{:#?}", client.sink.lines);
}
