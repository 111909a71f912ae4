//! Rules 1 to 6: order, cold statements, barriers.

use std::rc::Rc;

use oxpg_client::session::{FailureKind, Query, Request, ResultOptions, SessionOptions, Work};

use crate::client::{Client, encoded};

#[test]
fn a_cold_query_asks_for_its_parameters_and_gives_its_rows() {
    let mut client = Client::new();
    client.query(1, "select 5 2 $1", 9);
    client.settle_all();
    assert_eq!(client.completed(1), 2);
    assert_eq!(client.sink.rows[&1], [(9, 0), (9, 1)]);
    assert_eq!(
        client.sink.lines,
        [
            "described 1 2 true",
            "row 1 9 0",
            "row 1 9 1",
            "completed 1 CommandTag { command: Select, rows: 2, text: None } false I"
        ]
    );
    assert_eq!(client.server.log, "PDSBES");
}

#[test]
fn a_warm_query_is_bind_execute_sync_and_tells_nothing_new() {
    let mut client = Client::new();
    client.warm("select 5 1 $1");
    client.query(1, "select 5 1 $1", 9);
    client.settle_all();
    assert_eq!(client.completed(1), 1);
    assert_eq!(client.server.log, "BES");
    assert!(!client.sink.lines.iter().any(|line| line.starts_with("described")));
}

#[test]
fn rule_1_requests_take_effect_in_order_with_a_sync_each() {
    let mut client = Client::new();
    for text in ["insert 1 $1", "fail 2", "insert 3 $1"] {
        client.warm(text);
    }
    client.query(1, "insert 1 $1", 10);
    client.query(2, "fail 2", 0);
    client.query(3, "insert 3 $1", 30);
    client.script(4, "begin", true);
    client.query(5, "insert 1 $1", 11);
    client.script(6, "commit", true);
    client.flush();
    assert_eq!(client.session.in_flight(), 6, "all are on their way in one write");
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 10), (3, 30), (1, 11)]);
    assert_eq!(client.sqlstate(2), "23505");
    assert_eq!(client.server.log, "BESBESBESQBESQ");
}

#[test]
fn rule_2_parameters_that_do_not_fit_execute_nothing() {
    for mut client in [Client::new(), Client::unnamed()] {
        client.query(1, "insert 1 $1", 0);
        client.query(2, "select 2 1", 0);
        client.flush();
        client.server.run();
        client.read();
        client.session.refuse_bind(1, &mut client.sink);
        client.sink.asked.retain(|(id, _)| *id != 1);
        client.settle_all();
        assert!(!client.is_settled(1));
        assert_eq!(client.completed(2), 1);
        assert!(client.server.committed.is_empty());
        assert!(client.session.is_idle());
    }
}

#[test]
fn rule_3_what_is_behind_a_cold_statement_waits_one_round_trip() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.query(1, "insert 2 $1", 20);
    client.query(2, "insert 1 $1", 10);
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "PDS");
    client.read();
    client.answer();
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "PDSBESBES");
    client.settle_all();
    assert_eq!(client.server.committed, [(2, 20), (1, 10)]);
    // Whoever counts times is told whose was not its own.
    assert_eq!(client.sink.prepared[1..], [1]);
}

#[test]
fn rule_3_what_others_were_told_of_a_text_is_a_guess() {
    let mut first = Client::new();
    first.warm("select 1 1 $1");
    let mut second = Client::new();
    second.share_knowledge_of(&first);
    second.query(1, "select 1 1 $1", 5);
    second.query(2, "select 2 1", 5);
    second.flush();
    second.server.run();
    assert_eq!(second.server.log, "PDS");
    assert!(second.server.parses[0].2.is_empty(), "the types are for the server to say");
    second.read();
    assert!(second.sink.asked.is_empty(), "the guess was right: the parameters are at hand");
    second.flush();
    second.server.run();
    assert_eq!(second.server.log, "PDSBESPDS");
    second.settle_all();
    assert_eq!((second.completed(1), second.completed(2)), (1, 1));
    assert!(!second.sink.lines.iter().any(|line| line.starts_with("described 1")));
}

#[test]
fn rule_3_columns_that_differ_are_told_before_the_first_row() {
    let mut first = Client::new();
    first.warm("select 1 1 $1");
    let mut second = Client::new();
    second.share_knowledge_of(&first);
    second.server.column_oid = 20;
    second.query(1, "select 1 1 $1", 5);
    second.settle_all();
    assert_eq!(second.sink.lines[0], "described 1 2 false");
    assert_eq!(second.completed(1), 1);
}

#[test]
fn rule_3_parameter_types_that_differ_are_asked_for_again() {
    let mut first = Client::new();
    first.warm("insert 1 $1");
    let mut second = Client::new();
    second.share_knowledge_of(&first);
    second.server.parameter_oid = 25;
    second.query(1, "insert 1 $1", 5);
    second.settle_all();
    assert_eq!(second.sink.lines[0], "described 1 0 true");
    assert_eq!(second.completed(1), 1);
    assert_eq!(second.server.committed, [(1, 5)]);
    assert_eq!((second.server.misread, second.server.cast), (0, 0));
    assert_eq!(second.server.log, "PDSBES");
}

#[test]
fn rule_3_equal_texts_that_wait_are_asked_all_at_once() {
    let mut client = Client::new();
    for id in 1..=50 {
        client.query(id, "insert 1 $1", i32::try_from(id).unwrap());
    }
    client.flush();
    client.server.run();
    client.read();
    assert_eq!(client.sink.asked.len(), 50);
    client.answer();
    client.flush();
    client.server.run();
    assert_eq!(client.server.committed.len(), 50);
    client.settle_all();
    assert_eq!(client.server.parses.len(), 1);
}

#[test]
fn rule_4_a_name_enters_the_cache_at_parse_complete() {
    let mut client = Client::new();
    client.query(1, "wrong 1", 0);
    client.query(2, "wrong 1", 0);
    client.prepare(3, "wrong 1");
    client.settle_all();
    for id in 1..=3 {
        assert_eq!(client.sqlstate(id), "42601", "each gets the real error");
    }
    assert_eq!(client.server.names(), 0);
}

#[test]
fn rule_4_a_pending_parse_holds_back_the_same_text() {
    let mut first = Client::new();
    first.warm("insert 1 $1");
    let mut client = Client::new();
    client.share_knowledge_of(&first);
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 1 $1", 2);
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "PDS");
    client.settle_all();
    assert_eq!(client.server.log, "PDSBESBES");
    assert_eq!(client.server.committed, [(1, 1), (1, 2)]);
}

#[test]
fn rule_4_discard_and_deallocate_empty_the_cache() {
    for command in ["discard all", "deallocate oxpg_1"] {
        for is_script in [false, true] {
            let mut client = Client::new();
            client.warm("insert 1 $1");
            client.warm("insert 2 $1");
            if is_script {
                client.script(1, command, false);
            } else {
                client.query(1, command, 0);
            }
            client.query(2, "insert 1 $1", 7);
            client.settle_all();
            client.completed(1);
            client.completed(2);
            assert_eq!(client.server.committed, [(1, 7)]);
            assert!(client.server.log.ends_with("PDSBES"), "parsed anew, not healed: {}", client.server.log);
            assert!(client.server.names() <= 2, "the others are closed: {}", client.server.log);
        }
    }
}

#[test]
fn rule_4_evicted_statements_are_closed_with_the_next_write() {
    let mut client = Client::with(SessionOptions { statement_cache_size: 2, ..SessionOptions::default() });
    for round in 0..3 {
        for number in 1..=4 {
            client.query(number, &format!("insert {number} $1"), round);
            client.settle_all();
            assert_eq!(client.completed(number), 1);
            client.sink.forget(number);
        }
    }
    assert_eq!(client.server.names(), 2);
    assert!(client.server.log.contains("CPDS"));
}

#[test]
fn rule_4_statements_that_are_held_are_not_evicted() {
    let mut client = Client::with(SessionOptions { statement_cache_size: 2, ..SessionOptions::default() });
    let held = client.text("insert 9 $1");
    held.hold(true);
    client.warm("insert 9 $1");
    for number in 1..=4 {
        client.warm(&format!("insert {number} $1"));
    }
    assert_eq!(client.server.names(), 3, "it does not count");
    client.server.log.clear();
    client.query(1, "insert 9 $1", 1);
    client.settle_all();
    assert_eq!(client.server.log, "BES");
    held.hold(false);
    for number in 1..=4 {
        client.warm(&format!("insert {number} $1"));
    }
    assert_eq!(client.server.names(), 2);
}

#[test]
fn rule_4_a_long_text_that_is_held_has_a_name() {
    let mut client = Client::new();
    let held = Query::new(1, "insert 1 $1", false);
    client.queries.insert("insert 1 $1".to_owned(), Rc::clone(&held));
    client.warm("insert 1 $1");
    assert_eq!(client.server.names(), 0);
    held.hold(true);
    client.warm("insert 1 $1");
    client.warm("insert 1 $1");
    assert_eq!(client.server.names(), 1);
}

#[test]
fn rule_4_a_forgotten_query_is_closed_and_its_id_may_mean_another_text() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    let query = client.text("insert 1 $1");
    client.session.close_statement(&query);
    client.queries.clear();
    client.query(1, "insert 2 $1", 3);
    client.settle_all();
    assert_eq!(client.server.committed, [(2, 3)]);
    assert_eq!(client.server.names(), 1);
    // The same id without close_statement: the text decides, not the number.
    client.queries.clear();
    client.query(2, "insert 3 $1", 4);
    client.settle_all();
    assert_eq!(client.server.committed, [(2, 3), (3, 4)]);
    assert_eq!(client.server.names(), 1);
}

#[test]
fn rule_4_a_statement_that_is_forgotten_while_it_waits_for_parameters_still_runs() {
    let mut client = Client::new();
    client.query(1, "insert 1 $1", 3);
    client.flush();
    client.server.run();
    client.read();
    client.session.drop_caches();
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 3)]);
    client.query(2, "select 2 1", 0);
    client.settle_all();
    assert_eq!(client.server.names(), 1);
}

#[test]
fn rule_5_unnamed_mode_flushes_and_writes_nothing_in_between() {
    let mut client = Client::unnamed();
    client.query(1, "insert 1 $1", 5);
    client.script(2, "begin", true);
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "PDH");
    client.read();
    client.answer();
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "PDHBESQ");
    client.settle_all();
    assert_eq!(client.server.names(), 0);
    client.script(3, "commit", true);
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 5)]);
}

/// A pooler takes the ReadyForQuery of what went before for the end of the transaction, and gives the server away.
#[test]
fn rule_5_a_group_that_stays_open_is_begun_when_nothing_is_on_its_way() {
    let mut client = Client::unnamed();
    client.script(1, "begin", true);
    client.query(2, "insert 2 $1", 5);
    client.query(3, "select 3 1", 0);
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "Q");
    client.read();
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "QPDH");
    client.settle_all();
    assert_eq!(client.completed(2), 1);
    assert_eq!(client.completed(3), 1);
}

#[test]
fn rule_5_after_an_error_there_is_a_sync() {
    let mut client = Client::unnamed();
    client.query(1, "wrong 1", 0);
    client.query(2, "select 2 1", 0);
    client.settle_all();
    assert_eq!(client.sqlstate(1), "42601");
    assert_eq!(client.completed(2), 1);
    assert_eq!(client.server.log, "PDHSPDHBES");
}

#[test]
fn rule_5_a_text_that_may_not_be_cached_uses_the_unnamed_statement() {
    let mut client = Client::new();
    let query = Query::new(99, "insert 1 $1", false);
    for id in [1, 2] {
        client.values.insert(id, 4);
        let bind = query.description().map(|description| encoded(&description, 4));
        let work = Work::Query { query: Rc::clone(&query), bind, result: ResultOptions::default(), is_fresh: false };
        client.session.submit(Request { id, work }, &mut client.sink);
        client.settle_all();
    }
    assert_eq!(client.server.log, "PDHBESPDHBES");
    assert_eq!(client.server.names(), 0);
}

#[test]
fn rule_3_a_fresh_query_asks_the_server_and_its_caller_whatever_is_known() {
    for (mut client, expected) in [(Client::new(), "CPDSBES"), (Client::unnamed(), "PDHBES")] {
        client.warm("insert 1 $1");
        let known = client.text("insert 1 $1").description().unwrap().id;
        client.server.log.clear();
        client.fresh_query(1, "insert 1 $1", 5);
        assert!(client.sink.asked.is_empty(), "not asked by what is known");
        client.flush();
        client.server.run();
        client.read();
        assert_eq!(client.sink.asked.len(), 1);
        assert_eq!(client.sink.asked[0].1.id, known, "an equal answer keeps its id");
        client.settle_all();
        assert_eq!(client.completed(1), 1);
        assert_eq!(client.server.log, expected);
        assert!(client.server.parses.last().unwrap().2.is_empty(), "without the types that were known");
        assert_eq!(client.server.committed, [(1, 5)]);
    }
}

#[test]
fn rule_3_a_fresh_query_learns_the_types_of_now() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.server.parameter_oid = 25;
    client.query(1, "select 9 1", 0);
    client.fresh_query(2, "insert 1 $1", 5);
    client.query(3, "insert 1 $1", 6);
    client.flush();
    client.server.run();
    client.read();
    client.flush();
    client.server.run();
    client.read();
    client.settle_all();
    let described = client.text("insert 1 $1").description().unwrap();
    assert_eq!(described.parameters[0].type_oid, 25);
    assert_eq!(client.server.committed, [(1, 5), (1, 6)]);
    assert_eq!(client.server.names(), 2);
}

#[test]
fn rule_6_nothing_is_written_behind_a_script_that_may_copy() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.script(1, "update 5; copy in", false);
    client.query(2, "insert 1 $1", 5);
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "Q");
    client.settle_all();
    assert_eq!(client.kind(1), FailureKind::Interface);
    assert!(client.failure(1).message.contains("copyToTable"));
    assert_eq!(client.server.committed, [(1, 5)], "the script was rolled back");
}

#[test]
fn rule_6_copy_in_a_query_is_refused_and_the_next_works() {
    for mut client in [Client::new(), Client::unnamed()] {
        client.query(1, "copy in", 0);
        client.query(2, "insert 1 $1", 5);
        client.settle_all();
        assert_eq!(client.kind(1), FailureKind::Interface);
        client.query(3, "copy out", 0);
        client.query(4, "insert 1 $1", 6);
        client.settle_all();
        assert_eq!(client.kind(3), FailureKind::Interface);
        assert!(client.failure(3).message.contains("copyFromTable"));
        client.script(5, "copy out; insert 7", false);
        client.settle_all();
        assert_eq!(client.kind(5), FailureKind::Interface);
        assert_eq!(client.server.committed, [(1, 5), (1, 6), (7, 0)]);
        assert!(client.session.is_idle());
    }
}
