//! executeMany: many rows under one Sync.

use oxpg_client::session::{EndCause, FailureKind, SessionOptions};

use crate::client::{Client, Settled};

fn begin(client: &mut Client, id: u32, text: &str, wants_rows: bool) {
    client.batch(id, text, wants_rows);
    client.settle_all();
}

#[test]
fn a_batch_of_one_chunk_is_one_write_and_one_sync() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    begin(&mut client, 1, "insert 1 $1", false);
    for value in 0..3 {
        client.row(1, value);
    }
    assert!(client.session.output().is_empty());
    client.session.batch_end(1, &mut client.sink);
    client.settle_all();
    assert_eq!(client.completed(1), 3);
    assert_eq!(client.server.committed, [(1, 0), (1, 1), (1, 2)]);
    assert_eq!(client.server.log, "BEBEBES");
}

#[test]
fn chunks_are_flushed_and_drained_under_one_sync() {
    for mut client in [Client::new(), Client::unnamed()] {
        begin(&mut client, 1, "insert 1 $1", false);
        client.server.log.clear();
        for value in 0..6 {
            client.row(1, value);
            if value % 2 == 1 {
                client.session.batch_chunk(1, &mut client.sink);
                client.settle_all();
                assert_eq!(client.sink.drained.pop(), Some(1));
            }
        }
        client.query(2, "select 2 1", 0);
        client.settle_all();
        assert!(client.server.committed.is_empty() && !client.is_settled(2));
        client.session.batch_end(1, &mut client.sink);
        client.settle_all();
        assert_eq!(client.completed(1), 6);
        assert_eq!(client.completed(2), 1);
        assert_eq!(client.server.committed.len(), 6);
        let log = &client.server.log;
        assert!(log.contains("BEBEHBEBEHBEBEHS"), "{log}");
    }
}

#[test]
fn rule_17_a_full_output_makes_the_source_wait() {
    let mut client = Client::with(SessionOptions { batch_output_bytes: 100, ..SessionOptions::default() });
    begin(&mut client, 1, "insert 1 $1", false);
    for value in 0..10 {
        client.row(1, value);
    }
    client.session.batch_chunk(1, &mut client.sink);
    assert!(client.sink.drained.is_empty());
    client.flush_some(50);
    assert!(client.sink.drained.is_empty());
    client.flush();
    assert_eq!(client.sink.drained, [1]);
}

#[test]
fn rows_are_delivered_where_they_are_wanted() {
    for wants_rows in [true, false] {
        let mut client = Client::new();
        begin(&mut client, 1, "insert 4 $1 returning", wants_rows);
        for value in 0..3 {
            client.row(1, value);
        }
        client.session.batch_end(1, &mut client.sink);
        client.settle_all();
        assert_eq!(client.completed(1), 3);
        assert_eq!(client.sink.rows.get(&1).map_or(0, Vec::len), if wants_rows { 3 } else { 0 });
    }
}

#[test]
fn an_empty_batch_completes_without_a_word_to_the_server() {
    for is_early in [true, false] {
        let mut client = Client::new();
        client.batch(1, "insert 1 $1", false);
        if is_early {
            client.session.batch_end(1, &mut client.sink);
        }
        client.settle_all();
        if !is_early {
            client.session.batch_end(1, &mut client.sink);
        }
        assert_eq!(client.completed(1), 0);
        assert_eq!(client.server.log, "PDS");
        assert!(client.session.is_idle());
    }
}

#[test]
fn a_chunk_that_ends_before_the_batch_s_turn_is_drained_at_its_turn() {
    let mut client = Client::new();
    client.query(9, "select 1 1", 0);
    client.batch(1, "insert 1 $1", false);
    client.session.batch_chunk(1, &mut client.sink);
    assert!(client.sink.drained.is_empty());
    client.settle_all();
    assert_eq!(client.sink.drained, [1]);
}

#[test]
fn a_row_that_the_server_refuses_undoes_all() {
    for is_chunked in [false, true] {
        let mut client = Client::new();
        begin(&mut client, 1, "insert 1 $1", false);
        client.server.faults.extend([None, None, Some(crate::server::Fault::Error)]);
        for value in 0..5 {
            client.row(1, value);
            if is_chunked {
                client.session.batch_chunk(1, &mut client.sink);
                client.settle_all();
            }
        }
        if is_chunked {
            assert!(client.is_settled(1), "errors come early");
        } else {
            client.session.batch_end(1, &mut client.sink);
            client.settle_all();
        }
        assert_eq!(client.sqlstate(1), "22012");
        assert!(client.server.committed.is_empty());
        assert!(client.session.is_idle());
        // What the source still says about it means nobody.
        client.session.batch_chunk(1, &mut client.sink);
        client.session.batch_end(1, &mut client.sink);
        client.session.batch_abort(1, &mut client.sink);
        assert!(client.session.output().is_empty());
    }
}

#[test]
fn abort_forgets_what_was_not_sent() {
    let mut client = Client::new();
    begin(&mut client, 1, "insert 1 $1", false);
    client.server.log.clear();
    client.row(1, 1);
    client.session.batch_abort(1, &mut client.sink);
    assert!(matches!(client.sink.settled[&1], Settled::Aborted));
    client.settle_all();
    assert_eq!(client.server.log, "");
    assert!(client.session.is_idle());
}

#[test]
fn abort_before_the_batch_s_turn() {
    for mut client in [Client::new(), Client::unnamed()] {
        client.query(9, "select 1 1", 0);
        client.batch(1, "insert 1 $1", false);
        client.session.batch_abort(1, &mut client.sink);
        client.settle_all();
        assert_eq!(client.completed(9), 1);
        client.batch(2, "insert 1 $1", false);
        client.session.batch_abort(2, &mut client.sink);
        client.settle_all();
        for id in [1, 2] {
            assert!(matches!(client.sink.settled[&id], Settled::Aborted));
        }
        assert!(client.session.is_idle());
    }
}

#[test]
fn abort_rolls_the_implicit_transaction_back_and_hides_its_warning() {
    for mut client in [Client::new(), Client::unnamed()] {
        begin(&mut client, 1, "insert 1 $1", false);
        client.row(1, 1);
        client.session.batch_chunk(1, &mut client.sink);
        client.settle_all();
        client.row(1, 2);
        client.session.batch_abort(1, &mut client.sink);
        client.settle_all();
        assert!(matches!(client.sink.settled[&1], Settled::Aborted));
        assert!(client.server.committed.is_empty());
        assert!(!client.sink.lines.iter().any(|line| line.starts_with("notice")));
        client.query(2, "insert 1 $1", 7);
        client.settle_all();
        assert_eq!(client.server.committed, [(1, 7)]);
    }
}

#[test]
fn inside_a_transaction_a_long_batch_takes_a_savepoint() {
    for mut client in [Client::new(), Client::unnamed()] {
        for is_aborted in [true, false] {
            client.script(9, "begin", true);
            client.query(8, "insert 8 $1", 8);
            begin(&mut client, 1, "insert 1 $1", false);
            client.row(1, 1);
            client.session.batch_chunk(1, &mut client.sink);
            client.settle_all();
            client.row(1, 2);
            if is_aborted {
                client.session.batch_abort(1, &mut client.sink);
            } else {
                client.session.batch_end(1, &mut client.sink);
            }
            client.settle_all();
            assert_eq!(client.session.transaction_status(), b'T');
            assert_eq!(matches!(client.sink.settled[&1], Settled::Aborted), is_aborted);
            client.script(7, "commit", true);
            client.settle_all();
            let expected: &[(u32, i32)] = if is_aborted { &[(8, 8)] } else { &[(8, 8), (1, 1), (1, 2)] };
            assert_eq!(client.server.committed, expected);
            client.server.committed.clear();
            for id in [1, 7, 8, 9] {
                client.sink.forget(id);
            }
        }
    }
}

#[test]
fn inside_a_transaction_a_short_batch_needs_no_savepoint() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.script(9, "begin", true);
    begin(&mut client, 1, "insert 1 $1", false);
    client.row(1, 1);
    client.session.batch_end(1, &mut client.sink);
    client.settle_all();
    assert_eq!(client.server.log, "QBES");
    assert_eq!(client.completed(1), 1);
}

#[test]
fn a_caller_that_leaves_takes_its_rows_back() {
    for is_open in [false, true] {
        let mut client = Client::new();
        begin(&mut client, 1, "insert 1 $1", false);
        client.row(1, 1);
        if is_open {
            client.session.batch_chunk(1, &mut client.sink);
            client.flush();
        }
        client.session.abandon(1, &mut client.sink);
        client.query(2, "insert 1 $1", 7);
        client.settle_all();
        if client.sink.cancels_wanted > 0 {
            client.cancel_finished();
        }
        client.settle_all();
        assert!(!client.is_settled(1));
        assert_eq!(client.server.committed, [(1, 7)]);
        assert!(client.session.is_idle());
    }
}

#[test]
fn one_that_the_socket_has_only_a_part_of_is_cancelled_as_it_is() {
    for is_ended in [false, true] {
        let mut client = Client::new();
        begin(&mut client, 1, "insert 1 $1", false);
        for value in 1..=50 {
            client.row(1, value);
        }
        client.session.batch_chunk(1, &mut client.sink);
        if is_ended {
            client.session.batch_end(1, &mut client.sink);
        }
        // A row waits for a lock, and the server reads no further.
        client.flush_some(client.session.output().len() / 2);
        for _ in 0..6 {
            client.server.step();
        }
        client.session.abandon(1, &mut client.sink);
        assert_eq!(client.sink.cancels_wanted, 1);
        client.server.cancel();
        client.cancel_finished();
        client.query(2, "insert 1 $1", 7);
        client.settle_all();
        assert_eq!(client.server.committed, [(1, 7)]);
        assert!(client.session.is_idle());
    }
}

#[test]
fn copy_takes_no_parameter_rows() {
    let mut client = Client::new();
    client.batch(1, "copy in", false);
    assert_eq!(client.kind(1), FailureKind::Interface);
}

#[test]
fn a_stale_plan_in_a_batch_is_safe_to_retry() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.server.generation += 1;
    begin(&mut client, 1, "insert 1 $1", false);
    client.row(1, 1);
    client.session.batch_end(1, &mut client.sink);
    client.settle_all();
    assert_eq!(client.sqlstate(1), "0A000");
    assert!(client.failure(1).is_safe_to_retry);
    client.sink.forget(1);
    begin(&mut client, 1, "insert 1 $1", false);
    client.row(1, 1);
    client.session.batch_end(1, &mut client.sink);
    client.settle_all();
    assert_eq!(client.completed(1), 1);
}

#[test]
fn a_batch_that_was_not_sent_when_the_session_ends_is_safe_to_retry() {
    for is_open in [false, true] {
        let mut client = Client::new();
        begin(&mut client, 1, "insert 1 $1", false);
        client.row(1, 1);
        if is_open {
            client.session.batch_chunk(1, &mut client.sink);
            client.flush();
        }
        client.session.end(EndCause::EndOfStream, &mut client.sink);
        assert_eq!(client.failure(1).is_safe_to_retry, !is_open);
    }
}

#[test]
fn in_the_unnamed_mode_rows_are_bound_by_the_parse_of_their_own_sync_group() {
    for is_chunked in [false, true] {
        let mut client = Client::unnamed();
        begin(&mut client, 1, "insert 1 $1 returning", true);
        client.server.log.clear();
        for value in 0..4 {
            client.row(1, value);
            if is_chunked && value == 1 {
                client.session.batch_chunk(1, &mut client.sink);
                assert!(client.sink.drained.is_empty(), "not before the first rows are certain to fit");
                client.settle_all();
                assert_eq!(client.sink.drained, [1]);
            }
        }
        client.session.batch_end(1, &mut client.sink);
        client.settle_all();
        assert_eq!(client.completed(1), 4);
        assert_eq!(client.server.committed, [(1, 0), (1, 1), (1, 2), (1, 3)]);
        assert_eq!(client.server.log, if is_chunked { "PDHBEBEHBEBES" } else { "PDHBEBEBEBES" });
        assert_eq!((client.server.misread, client.sink.rows[&1].len()), (0, 4));
    }
}

#[test]
fn in_the_unnamed_mode_types_that_change_while_the_source_runs_execute_nothing() {
    for (parameter_oid, column_oid) in [(701, 23), (23, 790)] {
        for (is_in_transaction, is_chunked) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut client = Client::unnamed();
            if is_in_transaction {
                client.script(9, "begin", true);
                client.settle_all();
            }
            begin(&mut client, 1, "insert 1 $1 returning", true);
            client.row(1, 5);
            client.server.parameter_oid = parameter_oid;
            client.server.column_oid = column_oid;
            if is_chunked {
                client.session.batch_chunk(1, &mut client.sink);
                client.settle_all();
            } else {
                client.session.batch_end(1, &mut client.sink);
            }
            client.settle_all();
            assert_eq!(client.kind(1), FailureKind::OutdatedSchema);
            assert!(client.failure(1).is_safe_to_retry);
            begin(&mut client, 2, "insert 1 $1 returning", true);
            client.row(2, 6);
            client.session.batch_end(2, &mut client.sink);
            client.settle_all();
            assert_eq!(client.completed(2), 1, "the next try works");
            if is_in_transaction {
                client.script(8, "commit", true);
                client.settle_all();
            }
            assert_eq!(client.server.committed, [(1, 6)]);
            assert_eq!((client.server.misread, client.server.cast), (0, 0));
            assert!(!client.sink.lines.iter().any(|line| line.starts_with("notice")), "{:?}", client.sink.lines);
        }
    }
}

#[test]
fn in_the_unnamed_mode_an_abort_while_the_statement_is_described_again_has_no_effect() {
    let mut client = Client::unnamed();
    begin(&mut client, 1, "insert 1 $1", false);
    client.row(1, 5);
    client.session.batch_chunk(1, &mut client.sink);
    client.session.batch_abort(1, &mut client.sink);
    client.settle_all();
    assert!(matches!(client.sink.settled[&1], Settled::Aborted));
    assert!(client.server.committed.is_empty() && client.session.is_idle());
}
