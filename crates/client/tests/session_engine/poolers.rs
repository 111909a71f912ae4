//! A transaction pooler between the session and its servers.

use oxpg_client::session::{PoolerSearch, QueryProtocol, Route, SessionOptions};

use crate::client::{Client, Settled};

const BY_IDENTITY: SessionOptions = options(PoolerSearch::ByIdentity);
const BY_ERRORS: SessionOptions = options(PoolerSearch::ByErrors);

const fn options(pooler_search: PoolerSearch) -> SessionOptions {
    SessionOptions {
        statement_cache_size: 100,
        batch_output_bytes: 256 << 10,
        resend_bytes: 64 << 10,
        returns_requests: false,
        pooler_search,
        query_protocol: QueryProtocol::Extended,
    }
}

fn notices(client: &Client) -> usize {
    client.sink.lines.iter().filter(|line| line.contains("a transaction pooler is between")).count()
}

/// Names of statements that were parsed on any of the servers.
fn names(client: &Client) -> Vec<&str> {
    client.server.parses.iter().map(|(name, ..)| name.as_str()).filter(|name| !name.is_empty()).collect()
}

/// Everything that applications do, in turn, one after the other.
fn work(client: &mut Client, from: u32, rounds: u32) {
    for round in 0..rounds {
        let id = from + round * 10;
        client.query(id, &format!("insert {} $1", round % 3), 1);
        client.settle_all();
        client.query(id + 1, &format!("select 0 2 $1 -- {}", round % 2), 1);
        client.prepare(id + 2, "insert 4 $1");
        client.settle_all();
        client.script(id + 3, "begin", true);
        client.query(id + 4, &format!("insert {} $1", round % 3), 2);
        client.query(id + 5, "select 0 1 $1", 2);
        client.settle_all();
        client.script(id + 6, "commit", true);
        client.settle_all();
        client.batch(id + 7, "insert 5 $1", false);
        client.settle_all();
        for row in 0..3 {
            client.row(id + 7, row);
        }
        client.session.batch_chunk(id + 7, &mut client.sink);
        client.settle_all();
        client.row(id + 7, 3);
        client.session.batch_end(id + 7, &mut client.sink);
        client.settle_all();
    }
}

fn failures(client: &Client) -> Vec<String> {
    let failed = |(id, settled): (&u32, &Settled)| match settled {
        Settled::Failed(failure) => Some(format!("{id}: {} {:?}", failure.message, failure.sqlstate)),
        _ => None,
    };
    client.sink.settled.iter().filter_map(failed).collect()
}

#[test]
fn the_server_is_asked_who_it_is_in_the_first_write() {
    let mut client = Client::with(BY_IDENTITY);
    client.query(1, "insert 1 $1", 3);
    client.flush();
    client.server.run();
    assert_eq!(client.server.log, "PBESPDS", "in front of the request, and nobody waits for the answer");
    client.settle_all();
    client.query(2, "insert 1 $1", 4);
    client.settle_all();
    assert_eq!(client.server.log, "PBESPDSBESBES", "asked once; names are used");
    assert_eq!((notices(&client), failures(&client)), (0, vec![]));
    assert_eq!(client.server.committed, [(1, 3), (1, 4)]);
}

#[test]
fn a_session_without_names_asks_nobody() {
    let mut client = Client::with(SessionOptions { statement_cache_size: 0, ..BY_IDENTITY });
    client.query(1, "insert 1 $1", 3);
    client.settle_all();
    assert!(client.server.log.starts_with("PDH"), "{}", client.server.log);
}

#[test]
fn behind_a_pooler_nothing_fails_and_no_name_is_used() {
    for others in 1..=3 {
        let mut client = Client::with(BY_IDENTITY);
        client.server.pool(others);
        work(&mut client, 1, 20);
        assert_eq!(failures(&client), Vec::<String>::new());
        assert_eq!(client.sink.settled.len(), 160);
        assert_eq!(notices(&client), 1, "it is said once");
        assert_eq!(names(&client).len(), 1, "of the first request alone, which left with the question");
    }
}

#[test]
fn the_first_request_may_be_a_transaction_or_a_batch() {
    for first in ["begin", "batch"] {
        let mut client = Client::with(BY_IDENTITY);
        client.server.pool(2);
        if first == "begin" {
            client.script(1, "begin", true);
            client.query(2, "insert 1 $1", 3);
            client.settle_all();
            client.script(3, "commit", true);
        } else {
            client.batch(1, "insert 1 $1", false);
            client.settle_all();
            client.row(1, 3);
            client.session.batch_end(1, &mut client.sink);
        }
        client.settle_all();
        assert_eq!(failures(&client), Vec::<String>::new(), "{first}");
        assert_eq!(client.server.committed, [(1, 3)], "{first}");
        work(&mut client, 10, 3);
        assert_eq!(failures(&client), Vec::<String>::new(), "{first}");
    }
}

#[test]
fn a_missing_statement_shows_a_pooler_to_all_that_go_the_same_way() {
    let route = Route::new();
    let mut client = Client::beside(&route, BY_ERRORS);
    client.warm("insert 1 $1");
    client.server.pool(1);
    // The statement stays with the other server.
    client.script(1, "", true);
    client.settle_all();
    client.query(2, "insert 1 $1", 3);
    client.settle_all();
    assert_eq!(client.completed(2), 1, "sent again, for nothing was executed");
    assert_eq!(notices(&client), 1);
    let parsed = names(&client).len();
    work(&mut client, 10, 5);
    assert_eq!(failures(&client), Vec::<String>::new());
    assert_eq!(names(&client).len(), parsed);

    let mut neighbour = Client::beside(&route, BY_ERRORS);
    work(&mut neighbour, 10, 2);
    assert!(names(&neighbour).is_empty(), "it knows from the start");
    assert_eq!(notices(&neighbour), 0, "it is said once");
}

#[test]
fn a_name_that_is_there_already_shows_a_pooler() {
    let mut client = Client::with(BY_ERRORS);
    client.warm("insert 1 $1");
    let mut other = Client::with(BY_ERRORS);
    std::mem::swap(&mut client.server, &mut other.server);
    // The same names on the same server: only a counter would do that, and a process that was started again.
    other.query(1, "insert 2 $1", 3);
    other.settle_all();
    assert_eq!(other.completed(1), 1);
    assert_eq!(other.server.committed, [(2, 3)]);
    assert_eq!(notices(&other), 1);
}

#[test]
fn what_cannot_be_sent_again_says_why() {
    let mut client = Client::with(BY_ERRORS);
    client.warm("insert 1 $1");
    client.warm("insert 2 $1");
    client.server.forget_statements();
    client.query(1, "insert 1 $1", 3);
    client.query(2, "insert 2 $1", 4);
    client.settle_all();
    let failure = client.failure(1);
    assert!(failure.is_safe_to_retry && failure.message.contains("pooler"), "{}", failure.message);
    client.query(3, "insert 1 $1", 3);
    client.settle_all();
    assert_eq!(client.completed(3), 1);
}

#[test]
fn statements_that_a_function_deallocated_show_no_pooler_where_the_server_is_known() {
    for options in [BY_IDENTITY, SessionOptions::default()] {
        let mut client = Client::with(options);
        client.warm("insert 1 $1");
        client.server.forget_statements();
        client.query(1, "insert 1 $1", 3);
        client.settle_all();
        assert_eq!(client.completed(1), 1);
        assert_eq!(notices(&client), 0);
        assert_eq!(client.server.names(), 1, "it has a name again");
    }
}
