//! How the bytes arrive makes no difference.

use crate::client::Client;
use crate::server::Fault;

/// A session with something of everything; what the server sends arrives in pieces as `cut` says.
fn scenario(statement_cache_size: usize, mut cut: impl FnMut(usize) -> usize) -> (Vec<String>, usize) {
    let mut client = Client::with(oxpg_client::session::SessionOptions { statement_cache_size, ..Default::default() });
    let mut received = 0;
    let mut run = |client: &mut Client| loop {
        let before = (client.server.log.len(), client.sink.lines.len());
        client.flush();
        client.server.run();
        while !client.server.output.is_empty() {
            let count = cut(received).clamp(1, client.server.output.len());
            received += count;
            client.read_some(count);
        }
        client.answer();
        if before == (client.server.log.len(), client.sink.lines.len()) {
            break;
        }
    };
    client.query(1, "insert 1 $1", 1);
    run(&mut client);
    client.query(2, "insert 1 $1", 2);
    client.query(3, "fail 3", 0);
    client.query(4, "select 4 3 $1", 4);
    client.script(5, "begin; select 1 2; update 3", false);
    client.script(6, "commit", true);
    run(&mut client);
    client.server.faults.push_back(Some(Fault::Notice));
    client.batch(7, "insert 7 $1 returning", true);
    run(&mut client);
    client.row(7, 1);
    client.row(7, 2);
    client.session.batch_chunk(7, &mut client.sink);
    client.row(7, 3);
    client.session.batch_end(7, &mut client.sink);
    client.query_of(8, "select 4 3 $1", 8, 2);
    client.script(9, "copy in", false);
    client.query(10, "copy out", 0);
    run(&mut client);
    client.server.generation += 1;
    client.query(11, "select 4 3 $1", 11);
    run(&mut client);
    client.server.die("goodbye");
    client.query(12, "select 4 3 $1", 12);
    run(&mut client);
    assert!(client.sink.closed.is_some());
    (client.sink.lines, received)
}

#[test]
fn a_recorded_session_split_at_every_byte_gives_identical_events() {
    for cache_size in [100, 0] {
        let (expected, total) = scenario(cache_size, |_| usize::MAX);
        for split in 1..total {
            let (lines, _) =
                scenario(cache_size, |received| if received < split { split - received } else { usize::MAX });
            assert_eq!(lines, expected, "split at {split}");
        }
        for size in [1, 2, 3, 7] {
            assert_eq!(scenario(cache_size, |_| size).0, expected, "pieces of {size}");
        }
    }
}
