//! What PostgreSQL cannot take, or says in its own way: the request fails, the connection goes on.

use std::rc::Rc;

use oxpg_client::session::{Bind, FailureKind, Request, ResultOptions, Work};

use crate::client::{Client, Settled};

/// Parse and Describe of a statement with `count` placeholders, as PostgreSQL answers them.
fn describe_parameters(client: &mut Client, count: usize, is_synced: bool) {
    let mut body = (count & 0xffff).to_be_bytes()[6..].to_vec();
    for _ in 0..count {
        body.extend_from_slice(&[0, 0, 0, 23]);
    }
    client.server.input.clear();
    client.server.send(b'1', &[]);
    client.server.send(b't', &body);
    client.server.send(b'n', &[]);
    if is_synced {
        client.server.send(b'Z', b"I");
    }
}

#[test]
fn a_statement_with_more_parameters_than_a_bind_can_have_is_refused() {
    for count in [65_536, 65_539, 140_000] {
        for (mut client, is_named) in [(Client::new(), true), (Client::unnamed(), false)] {
            client.query(1, "insert 1 $1", 5);
            client.query(2, "insert 2 $1", 6);
            client.flush();
            describe_parameters(&mut client, count, is_named);
            client.settle_all();
            assert_eq!(client.kind(1), FailureKind::Interface);
            assert!(client.failure(1).message.contains("65535 parameters"));
            assert!(client.failure(1).is_safe_to_retry);
            assert_eq!(client.completed(2), 1);
            assert_eq!(client.server.committed, [(2, 6)]);
            assert_eq!(client.server.log, if is_named { "CPDSBES" } else { "SPDHBES" });
        }
    }
}

#[test]
fn preparing_a_statement_with_too_many_parameters_is_refused_and_so_is_a_batch() {
    let mut client = Client::new();
    client.prepare(1, "insert 1 $1");
    client.flush();
    describe_parameters(&mut client, 70_000, true);
    client.settle_all();
    client.batch(2, "insert 1 $1", false);
    client.flush();
    describe_parameters(&mut client, 70_000, true);
    client.server.output.splice(0..0, *b"3\0\0\0\x04");
    client.settle_all();
    for id in [1, 2] {
        assert_eq!(client.kind(id), FailureKind::Interface);
    }
    client.query(3, "insert 1 $1", 1);
    client.settle_all();
    assert_eq!(client.completed(3), 1);
}

#[test]
fn parameters_of_a_gibibyte_are_refused_before_the_first_byte() {
    // Zeros that are never touched take no memory.
    const TOO_LONG: usize = 0x3fff_ffff;
    let mut client = Client::new();
    client.warm("insert 1 $1");
    let query = client.text("insert 1 $1");
    let description = query.description().unwrap();
    let too_long = || Bind { description: Rc::clone(&description), parameters: vec![0; TOO_LONG] };
    let work = Work::Query { query, bind: Some(too_long()), result: ResultOptions::default(), is_fresh: false };
    client.session.submit(Request { id: 1, work }, &mut client.sink);
    client.fresh_query(2, "insert 1 $1", 0);
    client.flush();
    client.server.run();
    client.read();
    client.session.bind(2, too_long(), &mut client.sink);
    for id in [1, 2] {
        assert_eq!(client.kind(id), FailureKind::Interface);
        assert!(client.failure(id).message.contains("1 GiB"));
    }
    client.sink.asked.clear();
    client.batch(3, "insert 1 $1", false);
    client.settle_all();
    client.row(3, 7);
    client.session.batch_row(3, too_long(), &mut client.sink);
    client.settle_all();
    assert_eq!(client.kind(3), FailureKind::Interface);
    assert!(client.session.output().is_empty() && client.session.is_idle());
    client.query(4, "insert 1 $1", 8);
    client.settle_all();
    assert!(matches!(client.sink.settled[&4], Settled::Completed { rows: 1, .. }));
    assert_eq!(client.server.committed, [(1, 8)]);
}
