//! Rule 14: stale plans, lost statements, and descriptions that are out of date.

use oxpg_client::session::{FailureKind, SessionOptions};

use crate::client::{Client, Settled};

#[test]
fn rule_14_on_a_pool_a_stale_plan_with_followers_goes_elsewhere() {
    let mut client = Client::returning();
    client.warm("select 1 2 $1");
    client.server.generation += 1;
    client.server.column_oid = 20;
    client.query(1, "select 1 2 $1", 3);
    client.query(2, "select 1 2 $1", 3);
    client.settle_all();
    assert!(matches!(client.sink.settled[&1], Settled::Returned { has_bind: false, .. }));
}

#[test]
fn rule_14_a_stale_plan_heals() {
    for followers in [false, true] {
        let mut client = Client::new();
        client.warm("select 1 2 $1");
        client.server.generation += 1;
        client.server.column_oid = 20;
        client.query(1, "select 1 2 $1", 3);
        if followers {
            client.query(2, "select 1 2 $1", 3);
        }
        client.settle_all();
        if followers {
            assert_eq!(client.sqlstate(1), "0A000");
            assert!(client.failure(1).is_safe_to_retry);
            client.query(3, "select 1 2 $1", 3);
            client.settle_all();
            assert_eq!(client.completed(3), 2, "the caches are cleared");
        } else {
            assert_eq!(client.completed(1), 2);
            assert!(client.sink.lines.contains(&"described 1 2 false".to_owned()), "its columns are others");
        }
        assert!(client.server.names() <= 1);
    }
}

#[test]
fn rule_14_a_lost_statement_heals() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.server.forget_statements();
    client.query(1, "insert 1 $1", 3);
    client.settle_all();
    assert_eq!(client.completed(1), 1);
    assert_eq!(client.server.committed, [(1, 3)]);
}

#[test]
fn rule_14_heals_with_other_parameter_types_by_asking() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.server.generation += 1;
    client.server.parameter_oid = 25;
    client.query(1, "insert 1 $1", 3);
    client.settle_all();
    assert!(client.sink.lines.contains(&"described 1 0 true".to_owned()));
    assert_eq!(client.server.committed, [(1, 3)]);
}

#[test]
fn rule_14_not_inside_a_transaction() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.warm("insert 2 $1");
    client.script(9, "begin", true);
    client.settle_all();
    client.server.generation += 1;
    client.query(1, "insert 1 $1", 3);
    client.settle_all();
    assert_eq!(client.sqlstate(1), "0A000");
    assert!(client.failure(1).is_safe_to_retry);
    client.script(8, "rollback", true);
    client.settle_all();
    client.query(2, "insert 1 $1", 4);
    client.query(3, "insert 2 $1", 5);
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 4), (2, 5)]);
    assert_eq!(client.server.names(), 2);
}

#[test]
fn rule_14_a_result_that_changed_under_the_unnamed_statement_heals() {
    // Like `select *` with a column more: Bind asks for formats that are no more.
    for is_behind in [false, true] {
        let mut client = Client::unnamed();
        client.warm("select 1 1 $1");
        client.server.column_oid = 600;
        client.server.column_count = 3;
        client.query(1, "select 1 1 $1", 3);
        if is_behind {
            client.query(2, "select 1 1 $1", 3);
        }
        client.settle_all();
        if is_behind {
            assert_eq!(client.sqlstate(1), "0A000", "08P01 would say that the same call cannot work");
            assert_eq!(client.failure(1).server.as_ref().unwrap().field(b'C'), Some("08P01"));
            assert!(client.failure(1).message.contains("has changed"));
            assert!(client.failure(1).is_safe_to_retry);
            client.query(3, "select 1 1 $1", 3);
            client.settle_all();
            assert_eq!(client.completed(3), 1);
        } else {
            assert_eq!(client.completed(1), 1);
        }
    }
}

#[test]
fn rule_14_on_a_pool_an_outdated_bind_with_followers_goes_elsewhere() {
    let options = SessionOptions { statement_cache_size: 0, returns_requests: true, ..SessionOptions::default() };
    for is_in_transaction in [false, true] {
        let mut client = Client::with(options);
        client.warm("select 1 1 $1");
        if is_in_transaction {
            client.script(9, "begin", true);
            client.settle_all();
        }
        client.server.column_oid = 600;
        client.server.column_count = 3;
        client.query(1, "select 1 1 $1", 3);
        client.query(2, "select 1 1 $1", 3);
        client.settle_all();
        if is_in_transaction {
            assert_eq!(client.sqlstate(1), "0A000");
        } else {
            let back = &client.sink.settled[&1];
            assert!(matches!(back, Settled::Returned { has_bind: false, is_fresh: true, .. }), "{back:?}");
        }
    }
}

#[test]
fn rule_14_on_a_pool_parameter_types_that_fit_no_more_go_elsewhere() {
    let options = SessionOptions { statement_cache_size: 0, returns_requests: true, ..SessionOptions::default() };
    let mut client = Client::with(options);
    client.warm("insert 1 $1");
    client.server.parameter_oid = 25;
    client.query(1, "insert 1 $1", 3);
    client.query(2, "insert 1 $1", 3);
    client.settle_all();
    assert!(matches!(client.sink.settled[&1], Settled::Returned { has_bind: false, is_fresh: true, .. }));
}

#[test]
fn rule_14_a_type_that_changed_under_the_unnamed_statement_is_no_silent_nonsense() {
    let mut client = Client::unnamed();
    client.warm("insert 1 $1 returning");
    // money has no binary codec, so the rows come in another format than was asked for.
    client.server.column_oid = 790;
    client.query(1, "insert 1 $1 returning", 3);
    client.settle_all();
    assert_eq!(client.kind(1), FailureKind::OutdatedSchema);
    assert!(!client.failure(1).is_safe_to_retry, "it took effect");
    assert_eq!(client.server.committed, [(1, 3)]);
    assert!(client.sink.rows.is_empty());
    client.query(2, "insert 1 $1 returning", 4);
    client.settle_all();
    assert_eq!(client.completed(2), 1);
}

#[test]
fn rule_14_heals_only_once() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.server.generation += 1;
    client.query(1, "insert 1 $1", 3);
    client.flush();
    client.server.run();
    client.read();
    client.flush();
    client.server.run();
    client.server.generation += 1;
    client.settle_all();
    assert_eq!(client.sqlstate(1), "0A000");
    assert!(client.server.committed.is_empty());
}
