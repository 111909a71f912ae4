//! Rule 14: stale plans, lost statements, and descriptions that are out of date.

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
fn what_changed_under_the_unnamed_statement_needs_no_healing() {
    // Like `select *` with a column more, and money, which has no binary codec.
    for (column_oid, column_count, columns) in [(600, 3, 3), (790, 2, 2)] {
        let mut client = Client::unnamed();
        client.warm("insert 1 $1 returning");
        client.server.column_oid = column_oid;
        client.server.column_count = column_count;
        client.query(1, "insert 1 $1 returning", 3);
        client.query(2, "insert 1 $1 returning", 4);
        client.settle_all();
        assert_eq!((client.completed(1), client.completed(2)), (1, 1));
        assert_eq!(client.sink.lines[0], format!("described 1 {columns} false"));
        assert_eq!(client.server.committed, [(1, 3), (1, 4)], "each once");
        assert_eq!(client.server.log, "PDHBESPDHBES");
    }
}

#[test]
fn a_parameter_type_that_changed_under_the_unnamed_statement_is_asked_for_again() {
    for is_in_transaction in [false, true] {
        let mut client = Client::unnamed();
        client.warm("insert 1 $1");
        if is_in_transaction {
            client.script(9, "begin", true);
            client.settle_all();
        }
        client.server.parameter_oid = 701;
        client.query(1, "insert 1 $1", 3);
        client.query(2, "insert 1 $1", 4);
        client.settle_all();
        assert_eq!((client.completed(1), client.completed(2)), (1, 1));
        assert_eq!((client.server.misread, client.server.cast), (0, 0));
    }
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
