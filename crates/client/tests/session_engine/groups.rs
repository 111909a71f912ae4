//! Statements under one Sync, and what opens a transaction.

use oxpg_client::session::{EndCause, FailureKind, SessionOptions};

use crate::client::{Client, Settled};
use crate::server::Fault;

const INSERTS: [&str; 3] = ["insert 1 $1", "select 2 2 $1", "insert 3 $1 returning"];
const CONTEXT: Option<&str> = Some("select 9 1 $1");

fn log_of(client: &mut Client) -> String {
    std::mem::take(&mut client.server.log)
}

fn failure_of(client: &Client, id: u32) -> oxpg_client::session::Failure {
    match &client.sink.settled[&id] {
        Settled::Failed(failure) => failure.clone(),
        other => panic!("{id}: {other:?}"),
    }
}

fn is_completed(client: &Client, id: u32) -> bool {
    matches!(client.sink.settled.get(&id), Some(Settled::Completed { .. }))
}

/// A client that knows these statements.
fn warm(options: SessionOptions, texts: &[&str]) -> Client {
    let mut client = Client::with(options);
    for (id, text) in (900..).zip(texts) {
        client.query(id, text, 1);
        client.settle_all();
    }
    client.server.committed.clear();
    log_of(&mut client);
    client
}

#[test]
fn a_cold_group_is_described_as_a_whole_and_then_bound_as_a_whole() {
    let mut client = Client::new();
    client.group(1, &INSERTS, None);
    client.settle_all();
    assert_eq!(log_of(&mut client), "PDPDPDSBEBEBES");
    assert!(is_completed(&client, 1));
    assert_eq!(client.server.committed, [(1, 1000), (3, 1002)]);
    assert_eq!(client.sink.parts[&1], [(1, 1001), (1, 1001), (2, 1002)]);
    client.group(2, &INSERTS, None);
    client.settle_all();
    assert_eq!(log_of(&mut client), "BEBEBES", "one round trip from then on");
    assert_eq!(client.sink.parts[&2], [(1, 2001), (1, 2001), (2, 2002)]);
}

#[test]
fn a_text_that_is_there_twice_is_parsed_once() {
    let mut client = Client::new();
    client.group(1, &["insert 1 $1", "insert 2 $1", "insert 1 $1"], None);
    client.settle_all();
    assert_eq!(log_of(&mut client), "PDPDSBEBEBES");
    assert_eq!(client.server.committed, [(1, 1000), (2, 1001), (1, 1002)]);
}

#[test]
fn a_group_whose_statement_fails_has_no_effect_and_says_which_it_was() {
    let mut client = warm(SessionOptions::default(), &INSERTS);
    client.group(1, &["insert 1 $1", "fail 2", "insert 3 $1 returning"], None);
    client.query(2, "insert 4 $1", 4);
    client.settle_all();
    let failure = failure_of(&client, 1);
    assert_eq!((failure.sqlstate.as_deref(), failure.row), (Some("23505"), Some(1)));
    assert!(is_completed(&client, 2));
    assert_eq!(client.server.committed, [(4, 4)]);
}

#[test]
fn a_statement_that_cannot_be_parsed_fails_before_anything_is_executed() {
    let mut client = Client::new();
    client.group(1, &["insert 1 $1", "wrong 1", "insert 3 $1"], None);
    client.query(2, "insert 3 $1", 4);
    client.settle_all();
    let failure = failure_of(&client, 1);
    assert_eq!((failure.sqlstate.as_deref(), failure.row), (Some("42601"), Some(1)));
    assert!(failure.is_safe_to_retry);
    assert!(is_completed(&client, 2), "what the server has skipped is no statement that is under way");
    assert_eq!(client.server.executed, ["insert 3 $1"]);
}

#[test]
fn parameters_that_do_not_fit_leave_nothing_written() {
    for options in [SessionOptions::default(), SessionOptions { statement_cache_size: 0, ..SessionOptions::default() }]
    {
        let mut client = Client::with(options);
        client.group(1, &INSERTS, None);
        client.flush();
        client.server.run();
        client.read_some(usize::MAX);
        assert_eq!(client.sink.asked.len(), 3);
        client.sink.asked.clear();
        client.session.refuse_bind(1, &mut client.sink);
        client.query(2, "insert 4 $1", 4);
        client.settle_all();
        assert_eq!(client.server.executed, ["insert 4 $1"]);
        assert_eq!(client.server.committed, [(4, 4)]);
    }
}

#[test]
fn without_names_a_group_stays_in_one_sync_group() {
    let mut client = Client::unnamed();
    client.group(1, &INSERTS, CONTEXT);
    client.settle_all();
    assert_eq!(log_of(&mut client), "PBEPDPDPDHPBEPBEPBES");
    assert_eq!(client.server.committed, [(1, 1000), (3, 1002)]);
    client.group(2, &["insert 1 $1"], CONTEXT);
    client.settle_all();
    assert_eq!(log_of(&mut client), "PBEPDHBES", "the unnamed statement is the one that was described");
}

#[test]
fn a_context_is_one_statement_in_front_of_each_sync_group() {
    let mut client = Client::new();
    client.group(1, &["select 2 1 $1"], CONTEXT);
    client.settle_all();
    assert_eq!(log_of(&mut client), "PDBEPDSBEBES");
    client.group(2, &["select 2 1 $1"], CONTEXT);
    client.settle_all();
    assert_eq!(log_of(&mut client), "BEBES");
    assert_eq!(client.sink.rows[&2], [(2000, 0)], "the context's own rows are nobody's");
    client.query(3, "select 2 1 $1", 5);
    client.settle_all();
    assert_eq!(log_of(&mut client), "BES");
}

#[test]
fn what_follows_a_context_that_fails_does_not_run() {
    let mut client = warm(SessionOptions::default(), &["insert 1 $1"]);
    client.group(1, &["insert 1 $1"], Some("fail 3"));
    client.group(2, &["insert 1 $1"], Some("wrong 3"));
    client.group(3, &["insert 5 $1"], Some("fail 4"));
    client.query(4, "insert 5 $1", 7);
    client.settle_all();
    for id in [1, 2, 3] {
        assert!(failure_of(&client, id).is_safe_to_retry);
    }
    assert_eq!(client.server.committed, [(5, 7)]);
}

#[test]
fn groups_with_a_context_are_pipelined() {
    let mut client = warm(SessionOptions::default(), &["insert 1 $1", "select 9 1 $1"]);
    client.group(1, &["insert 1 $1"], CONTEXT);
    client.group(2, &["insert 1 $1"], CONTEXT);
    client.flush();
    assert!(client.session.output().is_empty());
    client.server.run();
    assert_eq!(log_of(&mut client), "BEBESBEBES");
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 1000), (1, 2000)]);
}

#[test]
fn an_opening_goes_out_with_the_first_statement_and_not_before() {
    let mut client = warm(SessionOptions::default(), &["insert 1 $1"]);
    client.open(1, "begin", None);
    client.settle_all();
    assert_eq!(log_of(&mut client), "");
    client.query(2, "insert 1 $1", 5);
    client.query(3, "insert 1 $1", 6);
    client.flush();
    client.server.run();
    assert_eq!(log_of(&mut client), "PBEBES", "what is behind it waits until it is certain to run inside");
    client.settle_all();
    assert_eq!(log_of(&mut client), "BES");
    assert!(client.server.committed.is_empty());
    client.script(4, "commit", true);
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 5), (1, 6)]);
    assert!([1, 2, 3, 4].iter().all(|id| is_completed(&client, *id)));
}

#[test]
fn a_cold_statement_is_described_behind_what_opens_its_transaction() {
    for (options, written) in [
        (SessionOptions::default(), "PBEPDSBES"),
        (SessionOptions { statement_cache_size: 0, ..SessionOptions::default() }, "PBEPDHBES"),
    ] {
        let mut client = Client::with(options);
        client.open(1, "begin", None);
        client.query(2, "insert 1 $1", 5);
        client.settle_all();
        assert_eq!(log_of(&mut client), written);
        assert!(is_completed(&client, 1) && is_completed(&client, 2));
        assert_eq!((client.session.transaction_status(), client.server.committed.len()), (b'T', 0));
    }
}

#[test]
fn what_is_behind_an_opening_that_failed_does_not_run() {
    let mut client = warm(SessionOptions::default(), &["insert 1 $1"]);
    client.server.faults.push_back(Some(Fault::Error));
    client.open(1, "begin", None);
    client.query(2, "insert 1 $1", 5);
    client.query(3, "insert 1 $1", 6);
    client.script(4, "insert 7", false);
    client.settle_all();
    client.query(5, "insert 1 $1", 8);
    client.script(6, "commit", true);
    client.settle_all();
    for id in 1..=6 {
        let failure = failure_of(&client, id);
        assert_eq!((failure.sqlstate.as_deref(), failure.is_safe_to_retry), (Some("22012"), true), "{id}");
    }
    assert!(client.server.committed.is_empty());
    client.session.go_on();
    client.query(7, "insert 1 $1", 9);
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 9)]);
}

#[test]
fn a_statement_that_fails_behind_its_opening_leaves_a_failed_transaction() {
    for text in ["fail 1", "wrong 1"] {
        let mut client = Client::new();
        client.open(1, "begin", None);
        client.query(2, text, 5);
        client.query(3, "insert 1 $1", 5);
        client.settle_all();
        assert!(is_completed(&client, 1), "{text}");
        failure_of(&client, 2);
        assert_eq!(failure_of(&client, 3).sqlstate.as_deref(), Some("25P02"));
        assert_eq!(client.session.transaction_status(), b'E');
    }
}

#[test]
fn openings_go_out_together_and_with_a_context() {
    let mut client = warm(SessionOptions::default(), &["insert 1 $1", "select 9 1 $1"]);
    client.open(1, "begin", CONTEXT);
    client.open(2, "savepoint a", None);
    client.query(3, "insert 1 $1", 5);
    client.flush();
    client.server.run();
    assert_eq!(log_of(&mut client), "PBEBEPBEBES");
    client.settle_all();
    assert!([1, 2, 3].iter().all(|id| is_completed(&client, *id)));
    client.script(4, "rollback to savepoint a; release savepoint a", true);
    client.script(5, "commit", true);
    client.settle_all();
    assert!(client.server.committed.is_empty());
}

#[test]
fn in_front_of_what_cannot_share_its_sync_an_opening_goes_out_alone() {
    for what in ["script", "batch", "prepare", "commit", "begin"] {
        let mut client = warm(SessionOptions::default(), &["insert 1 $1"]);
        client.open(1, "begin", None);
        match what {
            "script" => client.script(2, "insert 5; insert 6", false),
            "batch" => client.batch(2, "insert 1 $1", false),
            "prepare" => client.prepare(2, "insert 8 $1"),
            text => client.query(2, text, 0),
        }
        client.flush();
        client.server.run();
        assert_eq!(log_of(&mut client), "PBES", "{what}");
        client.settle_all();
        assert!(is_completed(&client, 1), "{what}");
        if what == "batch" {
            client.row(2, 5);
            client.session.batch_end(2, &mut client.sink);
            client.settle_all();
        }
        assert!(is_completed(&client, 2), "{what}");
        assert!(client.server.committed.is_empty(), "{what}");
    }
}

#[test]
fn an_opening_with_nothing_behind_it_is_written_when_the_session_closes() {
    let mut client = Client::new();
    client.open(1, "begin", None);
    client.session.begin_close(&mut client.sink);
    client.settle_all();
    assert!(is_completed(&client, 1));
    assert!(client.sink.closed.is_some());
}

#[test]
fn on_the_simple_protocol_an_opening_goes_first_and_groups_are_refused() {
    let mut client = Client::simple();
    client.open(1, "begin", None);
    client.query(2, "insert 5", 0);
    client.group(3, &["insert 6"], None);
    client.open(4, "savepoint a", CONTEXT);
    client.settle_all();
    assert_eq!(log_of(&mut client), "QQ");
    assert!(is_completed(&client, 1) && is_completed(&client, 2));
    for id in [3, 4] {
        assert_eq!(failure_of(&client, id).kind, FailureKind::Unsupported);
    }
    assert_eq!(client.session.transaction_status(), b'T');
}

#[test]
fn a_lost_statement_has_the_whole_group_sent_again() {
    let mut client = warm(SessionOptions::default(), &INSERTS);
    client.server.forget_statements();
    client.group(1, &INSERTS, None);
    client.settle_all();
    assert!(is_completed(&client, 1), "{:?}", client.sink.lines);
    assert_eq!(client.server.committed, [(1, 1000), (3, 1002)]);
    assert_eq!(client.sink.parts[&1], [(1, 1001), (1, 1001), (2, 1002)]);
}

#[test]
fn a_group_that_is_abandoned_ends_as_a_whole() {
    let mut client = warm(SessionOptions::default(), &INSERTS);
    client.group(1, &INSERTS, None);
    client.session.abandon(1, &mut client.sink);
    client.settle_all();
    assert_eq!(log_of(&mut client), "", "the socket had nothing of it");
    client.group(2, &INSERTS, None);
    client.flush();
    client.server.step();
    client.session.abandon(2, &mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 1);
    client.server.cancel();
    client.server.run();
    client.cancel_finished();
    client.settle_all();
    assert!(client.server.committed.is_empty());
    assert!(client.session.is_idle());
}

#[test]
fn an_end_of_the_session_settles_all_that_is_under_one_sync() {
    let mut client = warm(SessionOptions::default(), &["insert 1 $1"]);
    client.open(1, "begin", None);
    client.query(2, "insert 1 $1", 5);
    client.query(3, "insert 1 $1", 5);
    client.flush();
    client.session.end(EndCause::EndOfStream, &mut client.sink);
    assert!(failure_of(&client, 1).is_safe_to_retry);
    assert!(!failure_of(&client, 2).is_safe_to_retry);
    assert!(failure_of(&client, 3).is_safe_to_retry);
    // Of a FATAL before its command tag it is certain that all was rolled back.
    let mut client = warm(SessionOptions::default(), &INSERTS);
    client.server.faults.extend([None, Some(Fault::Fatal)]);
    client.group(1, &["insert 1 $1", "insert 3 $1 returning"], None);
    client.settle_all();
    assert!(failure_of(&client, 1).is_safe_to_retry);
    assert!(client.server.committed.is_empty());
}

#[test]
fn types_that_are_not_known_are_looked_up_before_anything_is_executed() {
    let mut client = Client::new();
    client.server.parameter_oid = 70_001;
    client.group(1, &["insert 1 $1", "insert 2 $1"], CONTEXT);
    client.settle_all();
    assert!(is_completed(&client, 1), "{:?}", client.sink.lines);
    let own: Vec<_> = client.server.executed.iter().filter(|text| text.starts_with("insert")).collect();
    assert_eq!(own, ["insert 1 $1", "insert 2 $1"]);
    assert_eq!(client.server.committed, [(1, 1000), (2, 1001)]);
}

#[test]
fn rows_that_wait_for_their_types_go_to_their_own_statements() {
    let mut client = warm(SessionOptions::default(), &["select 1 2 $1", "select 2 2 $1"]);
    client.sink.unknown_types = 70_010..70_012;
    client.group(1, &["select 1 2 $1", "select 2 2 $1"], None);
    client.settle_all();
    assert!(is_completed(&client, 1), "{:?}", client.sink.lines);
    assert_eq!(client.sink.parts[&1], [(0, 1000), (0, 1000), (1, 1001), (1, 1001)]);
}
