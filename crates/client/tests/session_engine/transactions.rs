//! Random pipelines with transactions in them, against what a reader of the events would expect.

use oxpg_client::session::SessionOptions;
use proptest::prelude::*;

use crate::client::{Client, Settled, group_value};
use crate::server::{Effect, Fault};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Begin,
    Commit,
    Rollback,
    Insert,
    Other,
    Batch(u32),
    /// So many inserts under one Sync.
    Group(u32),
}

/// What the caller of each request was told, carried out in order.
fn expected(client: &Client, kinds: &[Kind]) -> Vec<Effect> {
    let (mut committed, mut transaction, mut is_open) = (Vec::new(), Vec::new(), false);
    for (id, kind) in (1_u32..).zip(kinds) {
        let value = id.cast_signed();
        let Settled::Completed { command, .. } = client.sink.settled[&id] else { continue };
        let target = if is_open { &mut transaction } else { &mut committed };
        match kind {
            Kind::Begin => is_open = true,
            Kind::Commit => {
                is_open = false;
                // A failed transaction says ROLLBACK.
                if command == 7 {
                    committed.append(&mut transaction);
                }
                transaction.clear();
            }
            Kind::Rollback => {
                is_open = false;
                transaction.clear();
            }
            Kind::Insert => target.push((0, value)),
            Kind::Batch(rows) => target.extend((0..*rows).map(|row| (1, value * 1000 + row.cast_signed()))),
            Kind::Group(parts) => target.extend((0..*parts).map(|part| (part, group_value(id, part)))),
            Kind::Other => {}
        }
    }
    committed
}

fn feed(client: &mut Client, kinds: &mut [Kind], detail: u8) {
    let asked: Vec<u32> = client.sink.asked.iter().map(|(id, _)| *id).collect();
    for id in asked {
        let Kind::Batch(rows) = &mut kinds[usize::try_from(id).unwrap() - 1] else { continue };
        if client.is_settled(id) {
            client.sink.asked.retain(|(asked, _)| *asked != id);
            continue;
        }
        match detail % 8 {
            0..=3 => {
                client.row(id, (id * 1000 + *rows).cast_signed());
                *rows += 1;
            }
            4 | 5 => client.session.batch_chunk(id, &mut client.sink),
            6 => {
                client.sink.asked.retain(|(asked, _)| *asked != id);
                client.session.batch_end(id, &mut client.sink);
            }
            _ => {
                client.sink.asked.retain(|(asked, _)| *asked != id);
                client.session.batch_abort(id, &mut client.sink);
            }
        }
    }
}

/// The owner of openings that have failed learns of it.
fn hear(client: &mut Client, openings: &mut Vec<u32>) {
    let has_failed = |id: &u32| matches!(client.sink.settled.get(id), Some(Settled::Failed(_)));
    if openings.iter().any(has_failed) {
        client.session.go_on();
        openings.clear();
    }
}

fn run(statement_cache_size: usize, steps: &[(u8, u8)]) {
    let mut client = Client::with(SessionOptions { statement_cache_size, ..SessionOptions::default() });
    let mut kinds = Vec::new();
    let mut openings = Vec::new();
    for (what, detail) in steps {
        if detail % 3 == 0 {
            hear(&mut client, &mut openings);
        }
        let id = u32::try_from(kinds.len()).unwrap() + 1;
        let value = id.cast_signed();
        let issued = match what % 20 {
            0 | 1 => Some((Kind::Begin, "begin")),
            2 | 3 => Some((Kind::Commit, "commit")),
            4 => Some((Kind::Rollback, "rollback")),
            5..=8 => Some((Kind::Insert, "insert 0 $1")),
            9 => Some((Kind::Other, if detail % 2 == 0 { "select 0 2 $1" } else { "wrong 1" })),
            10 => Some((Kind::Batch(0), "insert 1 $1")),
            11 => Some((Kind::Group(u32::from(detail % 3) + 1), "")),
            _ => None,
        };
        if let Some((kind, text)) = issued {
            kinds.push(kind);
            match kind {
                Kind::Batch(_) => client.batch(id, text, false),
                Kind::Group(parts) => {
                    let texts = ["insert 0 $1", "insert 1 $1", "insert 2 $1"];
                    let context = (detail % 2 == 0).then_some("select 9 1 $1");
                    client.group(id, &texts[..usize::try_from(parts).unwrap()], context);
                }
                Kind::Begin if detail % 4 != 0 => {
                    client.open(id, text, (detail % 4 == 1).then_some("select 9 1 $1"));
                    openings.push(id);
                }
                Kind::Begin | Kind::Commit | Kind::Rollback if detail % 2 == 0 => client.script(id, text, true),
                _ => client.query(id, text, value),
            }
            continue;
        }
        match what % 20 {
            12 => client.flush_some(usize::from(*detail)),
            13 => client.server.run(),
            14 => client.read_some(usize::from(*detail)),
            15 => drop(client.answer()),
            16 | 17 => feed(&mut client, &mut kinds, *detail),
            18 => match detail % 4 {
                0 => client.server.forget_statements(),
                1 => client.server.generation += 1,
                _ => client.server.faults.extend([None, None, None, Some(Fault::Error)]),
            },
            _ => client.settle_all(),
        }
    }
    // Openings wait for what comes behind them.
    kinds.push(Kind::Rollback);
    client.script(u32::try_from(kinds.len()).unwrap(), "rollback", true);
    for _ in 0..=kinds.len() {
        client.settle_all();
        hear(&mut client, &mut openings);
        feed(&mut client, &mut kinds, 6);
        client.settle_all();
    }
    for (id, kind) in (1..).zip(&kinds) {
        assert!(client.is_settled(id), "{id} {kind:?} hangs\n{:#?}\n{}", client.sink.lines, client.server.log);
    }
    assert_eq!(client.session.transaction_status(), client.server.status);
    let lines = format!("{:#?}\n{}", client.sink.lines, client.server.log);
    assert_eq!(client.server.committed, expected(&client, &kinds), "{lines}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12_000, ..ProptestConfig::default() })]

    #[test]
    fn what_the_callers_were_told_is_what_happened(
        cache_size in prop_oneof![Just(0_usize), Just(1), Just(100)],
        steps in proptest::collection::vec(any::<(u8, u8)>(), 1..120),
    ) {
        run(cache_size, &steps);
    }
}

/// What is open after it is another transaction than before: its caller would take the one for the other.
#[test]
fn a_request_that_ends_a_transaction_and_begins_another_says_so() {
    for (text, told) in [("commit; begin", 't'), ("rollback; begin; fail 1", 'e'), ("savepoint a; rollback to a", 'T')]
    {
        let mut client = Client::new();
        client.script(1, "begin", true);
        client.script(2, text, false);
        client.script(3, "insert 3", false);
        client.settle_all();
        let status = |id: u32| {
            let starts = [format!("completed {id} "), format!("failed {id} ")];
            let line = client.sink.lines.iter().find(|line| starts.iter().any(|start| line.starts_with(start)));
            line.and_then(|line| line.chars().last())
        };
        assert_eq!(status(2), Some(told), "{text}");
        assert_eq!(status(3), Some(told.to_ascii_uppercase()), "{text}");
    }
}
