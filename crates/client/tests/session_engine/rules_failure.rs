//! Rules 12 and 13, and closing.

use oxpg_client::session::{EndCause, FailureKind, ProtocolViolation, SessionOptions};

use crate::client::{Client, Settled};

#[test]
fn rule_12_a_failing_request_leaves_the_next_alone() {
    let mut client = Client::new();
    client.sink.malformed = Some(2);
    client.query(1, "fail 1", 0);
    client.query(2, "select 2 3", 0);
    client.query(3, "select 3 3", 0);
    client.settle_all();
    assert_eq!(client.sqlstate(1), "23505");
    assert_eq!(client.failure(1).server.as_ref().unwrap().field(b'M'), Some("failure 1"));
    assert_eq!(client.kind(2), FailureKind::Protocol);
    assert!(client.failure(2).message.contains("column 1"));
    assert_eq!(client.completed(3), 3);
}

#[test]
fn rule_13_after_a_fatal_message_those_behind_did_not_run() {
    let mut client = Client::new();
    for text in ["insert 1 $1", "commit"] {
        client.warm(text);
    }
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 1 $1", 2);
    client.query(3, "commit", 3);
    client.prepare(4, "insert 4 $1");
    client.flush();
    client.server.step();
    client.server.die("terminating connection due to administrator command");
    client.read();
    assert_eq!(client.sqlstate(1), "57P01");
    assert_eq!(client.kind(1), FailureKind::Server);
    assert!(client.failure(1).is_safe_to_retry, "it was rolled back");
    for id in 2..=4 {
        assert!(client.failure(id).is_safe_to_retry, "{:?}", client.failure(id));
        assert_eq!(client.sqlstate(id), "08006");
    }
    let closed = client.sink.closed.clone().unwrap().unwrap();
    assert_eq!(closed.sqlstate.as_deref(), Some("57P01"));
}

#[test]
fn rule_13_on_a_pool_what_did_not_run_comes_back_with_its_parameters() {
    let mut client = Client::returning();
    client.warm("insert 1 $1");
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 1 $1", 2);
    client.prepare(3, "insert 4 $1");
    client.script(4, "update 1", false);
    client.flush();
    client.server.step();
    client.server.die("terminating connection due to administrator command");
    client.read();
    assert_eq!(client.sqlstate(1), "57P01", "the head fails: it was running");
    assert!(client.failure(1).is_safe_to_retry);
    for (id, is_query) in [(2, true), (3, false), (4, false)] {
        let Settled::Returned { has_bind, failure, .. } = &client.sink.settled[&id] else { panic!("{id} is not back") };
        assert_eq!(*has_bind, is_query);
        assert!(failure.is_safe_to_retry);
    }
}

/// The server's words come after so many messages of the request were executed.
fn terminated_after(client: &mut Client, messages: usize, sqlstate: &'static str) {
    client.flush();
    for _ in 0..messages {
        client.server.step();
    }
    client.server.send_error(b'E', "FATAL", &(sqlstate, "terminating connection".to_owned(), "ProcessInterrupts"));
    client.server.is_dead = true;
    client.read();
}

#[test]
fn rule_13_what_an_administrator_ended_before_its_command_tag_was_rolled_back() {
    for sqlstate in ["57P01", "57P02", "57P03"] {
        for messages in 0..=1 {
            for text in ["insert 1 $1", "begin"] {
                let mut client = Client::new();
                client.query(7, text, 1);
                client.settle_all();
                client.script(8, "rollback", true);
                client.settle_all();
                client.query(1, text, 1);
                terminated_after(&mut client, messages, sqlstate);
                assert_eq!(client.sqlstate(1), sqlstate);
                assert!(client.failure(1).is_safe_to_retry, "{text} after {messages}");
            }
        }
    }
    let mut client = Client::new();
    client.script(1, "begin isolation level serializable", true);
    terminated_after(&mut client, 0, "57P01");
    assert!(client.failure(1).is_safe_to_retry);
}

#[test]
fn rule_13_nothing_ran_on_a_session_that_had_been_idle_for_too_long() {
    for (sqlstate, is_in_transaction) in [("57P05", false), ("25P03", true)] {
        for mut client in [Client::new(), Client::returning()] {
            client.warm("insert 1 $1");
            if is_in_transaction {
                client.script(9, "begin", true);
                client.settle_all();
            }
            client.query(1, "insert 1 $1", 1);
            client.script(2, "commit", true);
            client.script(3, "update 1; update 2", false);
            terminated_after(&mut client, 0, sqlstate);
            for id in 1..=3 {
                match &client.sink.settled[&id] {
                    Settled::Returned { failure, .. } | Settled::Failed(failure) => {
                        assert!(failure.is_safe_to_retry, "{id}: {failure:?}");
                        let server = failure.server.as_ref().unwrap();
                        assert_eq!(server.field(b'C'), Some(sqlstate));
                    }
                    other => panic!("{id}: {other:?}"),
                }
            }
        }
    }
    // It was not idle: part of the answer is here.
    let mut client = Client::new();
    client.warm("select 1 2");
    client.query(1, "select 1 2", 1);
    terminated_after(&mut client, 2, "57P05");
    assert!(!client.failure(1).is_safe_to_retry);
}

#[test]
fn rule_13_what_an_administrator_ended_may_have_taken_effect_otherwise() {
    // Its command tag came; its rows came; it may commit by itself; the connection's other ends.
    let cases = [("insert 1 $1", 2, "57P01"), ("select 1 2", 2, "57P01"), ("commit", 1, "57P01")];
    for (text, messages, sqlstate) in cases.into_iter().chain([("insert 1 $1", 1, "XX000")]) {
        let mut client = Client::new();
        client.warm(text);
        client.query(1, text, 1);
        terminated_after(&mut client, messages, sqlstate);
        let is_done = matches!(client.sink.settled[&1], Settled::Completed { .. });
        assert!(is_done || !client.failure(1).is_safe_to_retry, "{text} {sqlstate}");
    }
    let mut client = Client::new();
    client.warm("select 1 2");
    client.query(1, "select 1 2", 0);
    client.flush();
    client.server.step();
    client.server.send(b'D', &[0, 2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0]);
    terminated_after(&mut client, 0, "57P01");
    assert_eq!(client.sink.rows[&1].len(), 1);
    assert!(!client.failure(1).is_safe_to_retry, "its caller has a row");
    for text in ["update 1", "begin; insert 1; commit"] {
        let mut client = Client::new();
        client.script(1, text, false);
        terminated_after(&mut client, 0, "57P01");
        assert!(!client.failure(1).is_safe_to_retry, "{text}");
    }
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.script(9, "begin", true);
    client.settle_all();
    client.query(1, "insert 1 $1", 1);
    terminated_after(&mut client, 1, "57P01");
    assert!(!client.failure(1).is_safe_to_retry, "the transaction is gone, so it cannot be repeated alone");
}

#[test]
fn rule_13_on_a_pool_after_a_bare_end_only_the_unsent_comes_back() {
    let mut client = Client::returning();
    client.warm("insert 1 $1");
    client.query(1, "insert 1 $1", 1);
    client.flush();
    client.query(2, "insert 1 $1", 2);
    client.session.end(EndCause::EndOfStream, &mut client.sink);
    assert!(!client.failure(1).is_safe_to_retry);
    assert!(matches!(client.sink.settled[&2], Settled::Returned { has_bind: true, .. }));
}

#[test]
fn rule_13_after_a_bare_end_every_written_request_is_uncertain() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 1 $1", 2);
    client.flush();
    client.query(3, "insert 1 $1", 3);
    client.query(4, "insert 4 $1", 4);
    client.query(5, "insert 1 $1", 5);
    client.session.end(EndCause::EndOfStream, &mut client.sink);
    for id in 1..=2 {
        assert!(!client.failure(id).is_safe_to_retry);
        assert_eq!(client.sqlstate(id), "08006");
    }
    for id in 3..=5 {
        assert!(client.failure(id).is_safe_to_retry, "the socket has none of {id}");
    }
    assert!(client.sink.closed.is_some());
}

#[test]
fn rule_13_a_statement_that_was_only_described_did_not_run() {
    for mut client in [Client::new(), Client::unnamed()] {
        client.query(1, "insert 1 $1", 1);
        client.flush();
        client.server.run();
        client.read();
        let cause = EndCause::Reset { code: "ECONNRESET", text: "connection reset by peer".into() };
        client.session.end(cause, &mut client.sink);
        assert!(client.failure(1).is_safe_to_retry);
        assert_eq!(client.failure(1).cause_code, Some("ECONNRESET"));
    }
}

#[test]
fn rule_13_a_lost_commit_is_08007() {
    for (text, is_query) in [("commit", true), ("commit", false), ("update 1; end", false)] {
        let mut client = Client::new();
        client.warm("commit");
        if is_query {
            client.query(1, text, 0);
        } else {
            client.script(1, text, true);
        }
        client.flush();
        client.session.end(EndCause::EndOfStream, &mut client.sink);
        assert_eq!(client.sqlstate(1), "08007");
        assert_eq!(client.kind(1), FailureKind::Connection);
        assert!(!client.failure(1).is_safe_to_retry);
    }
}

#[test]
fn rule_13_a_commit_of_which_the_socket_took_a_part_is_uncertain() {
    let mut client = Client::new();
    client.warm("commit");
    client.query(1, "commit", 0);
    client.flush_some(client.session.output().len() - 1);
    client.session.end(EndCause::EndOfStream, &mut client.sink);
    assert_eq!(client.sqlstate(1), "08007", "its Execute was sent");
}

#[test]
fn rule_13_a_commit_that_the_server_confirmed_is_known() {
    let mut client = Client::new();
    client.warm("commit");
    client.query(1, "commit", 0);
    client.flush();
    client.server.step();
    client.server.step();
    client.read();
    client.session.end(EndCause::EndOfStream, &mut client.sink);
    assert_eq!(client.completed(1), 0);
}

#[test]
fn parameters_for_another_description_are_a_bug_of_the_caller_that_hangs_nothing() {
    let mut client = Client::new();
    client.warm("select 1 1");
    let other = client.text("select 1 1").description().unwrap();
    client.query(1, "insert 1 $1", 3);
    client.flush();
    client.server.run();
    client.read();
    client.session.bind(1, crate::client::encoded(&other, 0), &mut client.sink);
    assert_eq!(client.kind(1), FailureKind::Internal);
    assert!(client.session.is_idle());
}

#[test]
fn a_user_s_own_lost_statement_is_no_business_of_ours() {
    // 26000 while our statement runs is about somebody else's name.
    let mut client = Client::new();
    client.warm("select 1 2");
    client.query(1, "select 1 2", 0);
    client.flush();
    client.server.step();
    client.read();
    client.server.input.clear();
    let error = ("26000", "prepared statement \"foo\" does not exist".to_owned(), "FetchPreparedStatement");
    client.server.send_error(b'E', "ERROR", &error);
    client.server.send(b'Z', b"I");
    client.settle_all();
    assert_eq!(client.sqlstate(1), "26000");
    assert!(!client.failure(1).is_safe_to_retry);
}

#[test]
fn closing_waits_for_what_is_in_flight_and_takes_nothing_new() {
    let mut client = Client::new();
    client.query(1, "insert 1 $1", 1);
    client.query(2, "insert 2 $1", 2);
    client.session.begin_close(&mut client.sink);
    client.query(3, "insert 3 $1", 3);
    assert_eq!(client.sqlstate(3), "08003");
    assert!(client.failure(3).is_safe_to_retry);
    assert!(client.sink.closed.is_none());
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 1), (2, 2)]);
    assert!(matches!(client.sink.closed, Some(None)));
    // Whatever comes later is without effect.
    client.session.end(EndCause::EndOfStream, &mut client.sink);
    client.session.begin_close(&mut client.sink);
    client.query(4, "insert 3 $1", 3);
    assert_eq!(client.sqlstate(4), "08003");
}

#[test]
fn closing_an_idle_session_is_immediate() {
    let mut client = Client::new();
    client.session.begin_close(&mut client.sink);
    assert!(matches!(client.sink.closed, Some(None)));
}

#[test]
fn each_end_settles_everything_with_its_own_words() {
    let causes = [
        (EndCause::EndOfStream, FailureKind::Connection, true),
        (EndCause::Violation(ProtocolViolation { message: "nonsense".into() }), FailureKind::Protocol, true),
        (EndCause::Terminated, FailureKind::Connection, false),
        (EndCause::Panicked, FailureKind::Internal, true),
    ];
    for (cause, kind, is_told) in causes {
        let mut client = Client::new();
        client.warm("select 1 1");
        client.query(1, "select 1 1", 0);
        client.flush();
        client.batch(2, "insert 1 $1", false);
        client.session.end(cause.clone(), &mut client.sink);
        client.session.end(cause, &mut client.sink);
        assert_eq!((client.kind(1), client.kind(2)), (kind, kind));
        assert_eq!(client.sink.closed.as_ref().unwrap().is_some(), is_told);
        assert!(client.session.is_idle());
    }
}

#[test]
fn an_error_at_the_implicit_commit_fails_the_request() {
    let mut client = Client::new();
    client.warm("insert 1 $1");
    client.query(1, "insert 1 $1", 1);
    client.flush();
    client.server.step();
    client.server.step();
    client.server.input.clear();
    client.server.send_error(b'E', "ERROR", &("23503", "deferred".to_owned(), "RI_FKey_check"));
    client.server.send(b'Z', b"I");
    client.read();
    assert!(matches!(client.sink.settled[&1], Settled::Failed(_)));
    assert_eq!(client.sqlstate(1), "23503");
}

/// Its owner takes it elsewhere: an empty text would be executed there, and would end well.
#[test]
fn rule_13_a_script_that_was_not_sent_comes_back_with_its_text() {
    let long = format!("insert 2 /* {} */", "x".repeat(SessionOptions::default().resend_bytes));
    for (text, is_kept) in [("insert 1", true), (long.as_str(), false)] {
        let mut client = Client::returning();
        client.script(1, text, false);
        assert!(!client.session.output().is_empty(), "it is written, and the socket has taken nothing");
        client.session.end(EndCause::EndOfStream, &mut client.sink);
        assert_eq!(client.sink.scripts_back.get(&1).map(String::as_str), is_kept.then_some(text));
        if !is_kept {
            assert!(client.failure(1).is_safe_to_retry, "its text is not kept, and it did not run");
        }
    }
}
