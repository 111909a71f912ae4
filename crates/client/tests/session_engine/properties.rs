//! Random pipelines against the model server.
//!
//! What must hold whatever happens: each request settles exactly once; its effects happen once, in order; a failure
//! that calls itself safe to retry had none; no answer reaches another request; nothing hangs.

use std::collections::BTreeMap;

use oxpg_client::session::{EndCause, FailureKind, PoolerSearch, QueryProtocol, SessionOptions};
use proptest::prelude::*;

use crate::client::{Client, Settled};
use crate::server::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Insert,
    /// On the simple protocol, which has no parameters: the statement's number is the request's.
    Simple,
    Select(u32),
    /// The first rows of a portal, which is gone with the end of its Sync group.
    Part(u32),
    Fails,
    Script,
    Prepare,
    Batch,
    /// So many inserts under one Sync, perhaps behind a context.
    Group(u32),
    /// One of which the second statement fails.
    Broken,
    Copy,
}

struct Issued {
    kind: Kind,
    /// Its caller left: it may have happened or not.
    has_left: bool,
    rows: u32,
    is_fed: bool,
    waits_for_drain: bool,
}

struct World {
    client: Client,
    /// A transaction pooler is in front of the server.
    is_pooled: bool,
    is_simple: bool,
    issued: BTreeMap<u32, Issued>,
    cancels_sent: usize,
    cancels_finished: usize,
    /// An abandoned head was cancelled although others were on their way behind it.
    was_pressed: bool,
}

/// One thing that happens: what, and a number that refines it.
type Step = (u8, u8);

impl World {
    fn new(options: SessionOptions) -> Self {
        let mut client = Client::with(options);
        let is_pooled = options.pooler_search == PoolerSearch::ByIdentity;
        if is_pooled {
            client.server.pool(2);
        }
        let is_simple = options.query_protocol == QueryProtocol::Simple;
        Self {
            client,
            is_pooled,
            is_simple,
            issued: BTreeMap::new(),
            cancels_sent: 0,
            cancels_finished: 0,
            was_pressed: false,
        }
    }

    fn issue(&mut self, detail: u8) {
        let id = u32::try_from(self.issued.len()).unwrap() + 1;
        let value = id.cast_signed();
        let client = &mut self.client;
        let number = detail >> 4;
        let kind = match detail & 15 {
            of_rows @ 0..=9 if self.is_simple => {
                let count = u32::from(number % 4);
                let (text, kind) = match of_rows {
                    0..=3 => (format!("insert {id}"), Kind::Simple),
                    4 => (format!("insert {id} returning"), Kind::Simple),
                    5..=7 => (format!("select {id} {count}"), Kind::Select(count)),
                    8 => (format!("fail {}", number % 2), Kind::Fails),
                    _ => (format!("wrong {}", number % 2), Kind::Fails),
                };
                client.query(id, &text, 0);
                kind
            }
            // There is neither.
            11..=13 if self.is_simple => {
                client.batch(id, "insert 1 $1", false);
                Kind::Fails
            }
            0..=3 => {
                let text = format!("insert {} $1", number % 4);
                if number > 12 {
                    client.fresh_query(id, &text, value);
                } else {
                    client.query(id, &text, value);
                }
                Kind::Insert
            }
            4 => {
                client.query(id, &format!("insert {} $1 returning", number % 3), value);
                Kind::Insert
            }
            5..=7 => {
                let count = u32::from(number % 4);
                client.query(id, &format!("select 0 {count} $1"), value);
                Kind::Select(count)
            }
            8 => {
                client.query(id, &format!("fail {}", number % 2), value);
                Kind::Fails
            }
            9 => {
                client.query(id, &format!("wrong {}", number % 2), value);
                Kind::Fails
            }
            10 => {
                client.script(id, &format!("insert {id}; select 1 2; insert {id}"), number.is_multiple_of(2));
                Kind::Script
            }
            11 => {
                client.prepare(id, &format!("insert {} $1", number % 4));
                Kind::Prepare
            }
            12 | 13 => {
                client.batch(id, &format!("insert {} $1", number % 4), false);
                Kind::Batch
            }
            14 if number < 10 && !self.is_simple => {
                let context = (number % 2 == 1).then_some(["select 9 1 $1", "fail 9"][usize::from(number / 9)]);
                let texts = [format!("insert {} $1", number % 4), "insert 7 $1 returning".into(), "insert 8 $1".into()];
                if number % 5 == 4 || context == Some("fail 9") {
                    client.group(id, &[&texts[0], "fail 1", &texts[1]], context);
                    Kind::Broken
                } else {
                    let count = usize::from(1 + number % 3);
                    let texts: Vec<&str> = texts.iter().take(count).map(String::as_str).collect();
                    client.group(id, &texts, context);
                    Kind::Group(u32::try_from(count).unwrap())
                }
            }
            14 => {
                if number.is_multiple_of(2) {
                    client.query(id, "copy in", value);
                } else {
                    client.script(id, &format!("insert {id}; copy in"), false);
                }
                Kind::Copy
            }
            // There are none.
            _ if self.is_simple && number > 5 => {
                client.fetch_from(id, 1, 1);
                Kind::Fails
            }
            _ if number > 10 => {
                let count = u32::from(number % 4);
                client.open_portal(id, "select 0 2 $1", id, (count > 0).then_some(count));
                Kind::Part(count.min(2))
            }
            _ if number > 5 => {
                client.fetch_from(id, id.saturating_sub(u32::from(number - 5)), 1);
                Kind::Fails
            }
            _ => {
                client.query(id, "discard all", value);
                Kind::Select(0)
            }
        };
        let issued = Issued { kind, has_left: false, rows: 0, is_fed: false, waits_for_drain: false };
        self.issued.insert(id, issued);
    }

    fn note_drained(&mut self) {
        for id in std::mem::take(&mut self.client.sink.drained) {
            self.issued.get_mut(&id).unwrap().waits_for_drain = false;
        }
    }

    /// The sources of batches go on.
    fn feed(&mut self, detail: u8) {
        self.note_drained();
        let asked: Vec<u32> = self.client.sink.asked.iter().map(|(id, _)| *id).collect();
        for id in asked {
            let issued = self.issued.get_mut(&id).unwrap();
            if issued.kind != Kind::Batch || issued.has_left || issued.is_fed || issued.waits_for_drain {
                continue;
            }
            if self.client.is_settled(id) {
                continue;
            }
            match detail & 7 {
                0..=3 => {
                    self.client.row(id, (id * 1000 + issued.rows).cast_signed());
                    issued.rows += 1;
                }
                4 | 5 => {
                    issued.waits_for_drain = true;
                    self.client.session.batch_chunk(id, &mut self.client.sink);
                }
                6 => {
                    issued.is_fed = true;
                    self.client.session.batch_end(id, &mut self.client.sink);
                }
                _ => {
                    issued.is_fed = true;
                    self.client.session.batch_abort(id, &mut self.client.sink);
                }
            }
        }
    }

    /// A caller leaves, or refuses to give parameters.
    fn leave(&mut self, detail: u8) {
        let live: Vec<u32> = self
            .issued
            .iter()
            .filter(|(id, issued)| !issued.has_left && !self.client.is_settled(**id))
            .map(|(id, _)| *id)
            .collect();
        if live.is_empty() {
            return;
        }
        let id = live[usize::from(detail) % live.len()];
        self.issued.get_mut(&id).unwrap().has_left = true;
        let is_asked = self.client.sink.asked.iter().any(|(asked, _)| *asked == id);
        self.client.sink.asked.retain(|(asked, _)| *asked != id);
        if is_asked && detail.is_multiple_of(2) {
            self.client.session.refuse_bind(id, &mut self.client.sink);
        } else {
            self.client.session.abandon(id, &mut self.client.sink);
        }
    }

    fn answer_one(&mut self) {
        let position = self.client.sink.asked.iter().position(|(id, _)| self.client.values.contains_key(id));
        if let Some(position) = position {
            let (id, description) = self.client.sink.asked.remove(position);
            self.client.bind(id, &description);
        }
    }

    fn step(&mut self, (what, detail): Step, can_break: bool) {
        match what % 20 {
            0..=5 => self.issue(detail),
            6 | 7 => self.client.flush_some(usize::from(detail)),
            8 | 9 => {
                for _ in 0..detail % 8 {
                    self.client.server.step();
                }
            }
            10 | 11 => self.client.read_some(usize::from(detail)),
            12 => self.answer_one(),
            13 | 14 => self.feed(detail),
            15 => self.leave(detail),
            16 => self.cancel(detail),
            17 => {
                let fault = match detail % 6 {
                    0 if can_break => Fault::Fatal,
                    1 if can_break => Fault::Silence,
                    2 | 3 => Fault::Notice,
                    _ => Fault::Error,
                };
                self.client.server.faults.extend([None, Some(fault)]);
            }
            18 => {
                let server = &mut self.client.server;
                match detail % 4 {
                    // Not within a Sync group, which a pooler leaves with one server.
                    0 if self.is_pooled => {}
                    0 => server.forget_statements(),
                    // Types from 70 000 on have to be looked up; 790 has no binary codec.
                    1 => server.parameter_oid = [23, 25, 70_001][usize::from(detail) % 3],
                    2 => server.column_oid = [23, 20, 790, 70_002, 70_003][usize::from(detail) % 5],
                    _ if detail & 16 == 0 => self.client.session.catalog().invalidate(),
                    _ => {
                        let type_oid = 70_010 + u32::from(detail >> 5);
                        self.client.sink.unknown_types = type_oid..type_oid + 3;
                    }
                }
                self.client.server.generation += 1;
            }
            _ => self.client.settle_all(),
        }
        self.end_if_closed();
    }

    fn cancel(&mut self, detail: u8) {
        if detail > 200 {
            self.was_pressed = true;
            self.client.session.press(&mut self.client.sink);
        } else if self.cancels_sent < self.client.sink.cancels_wanted
            && (detail.is_multiple_of(2) || self.cancels_sent > 0)
        {
            self.cancels_sent += 1;
            self.client.server.cancel();
        } else if self.cancels_finished < self.cancels_sent {
            self.cancels_finished += 1;
            self.client.cancel_finished();
        }
    }

    /// The engine closed the session by itself: the socket goes with it.
    fn end_if_closed(&mut self) {
        if self.client.sink.closed.is_some() {
            self.client.server.is_dead = true;
            self.client.server.output.clear();
        }
    }

    /// Everybody does what they still have to do. Afterwards nothing may be open.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            let before = self.client.sink.lines.len() + self.client.server.log.len();
            self.client.settle_all();
            self.end_if_closed();
            self.feed(6);
            self.cancel(0);
            self.cancel(1);
            self.client.settle_all();
            let is_more = self.cancels_finished < self.client.sink.cancels_wanted;
            let after = self.client.sink.lines.len() + self.client.server.log.len();
            if before == after && self.client.session.output().is_empty() && !is_more {
                return;
            }
        }
        panic!("it goes on for ever");
    }

    /// Effects of a request: `(how many, of how many)`.
    fn effects(&self, id: u32, issued: &Issued) -> (usize, usize) {
        let committed = &self.client.server.committed;
        let signed = id.cast_signed();
        match issued.kind {
            Kind::Insert => (committed.iter().filter(|(_, value)| *value == signed).count(), 1),
            Kind::Simple => (committed.iter().filter(|(number, value)| *number == id && *value == 0).count(), 1),
            Kind::Script => (committed.iter().filter(|(number, value)| *number == id && *value == 0).count(), 2),
            Kind::Copy => (committed.iter().filter(|(number, value)| *number == id && *value == 0).count(), 0),
            Kind::Group(parts) => {
                let own = committed.iter().filter(|(_, value)| value / 1000 == signed).count();
                (own, usize::try_from(parts).unwrap())
            }
            Kind::Broken => (committed.iter().filter(|(_, value)| value / 1000 == signed).count(), 0),
            Kind::Batch => {
                let rows = committed.iter().filter(|(_, value)| value / 1000 == signed).count();
                (rows, usize::try_from(issued.rows).unwrap())
            }
            Kind::Select(_) | Kind::Part(_) | Kind::Fails | Kind::Prepare => (0, 0),
        }
    }

    fn check(&self) {
        let sink = &self.client.sink;
        let lines = || format!("{:#?}\n{}", sink.lines, self.client.server.log);
        let mut order = Vec::new();
        for (number, value) in &self.client.server.committed {
            order.push(match *value {
                0 => *number,
                value if value >= 1000 => value.cast_unsigned() / 1000,
                value => value.cast_unsigned(),
            });
        }
        assert!(order.is_sorted(), "effects out of order: {order:?}\n{}", lines());
        for (id, issued) in &self.issued {
            let (effects, all) = self.effects(*id, issued);
            assert!(effects == 0 || effects == all, "{id} took effect {effects} of {all} times\n{}", lines());
            for (marker, _) in sink.rows.get(id).into_iter().flatten() {
                let marker = if *marker >= 1000 { marker / 1000 } else { *marker };
                assert_eq!(marker, *id, "a row of another request\n{}", lines());
            }
            match sink.settled.get(id) {
                None => assert!(issued.has_left, "{id} {:?} hangs\n{}", issued.kind, lines()),
                Some(Settled::Completed { .. }) => {
                    assert_eq!(effects, all, "{id} did not take effect\n{}", lines());
                    assert!(!matches!(issued.kind, Kind::Fails | Kind::Broken));
                    if let Kind::Select(count) = issued.kind {
                        let rows = sink.rows.get(id).map_or(0, Vec::len);
                        assert_eq!(rows, usize::try_from(count).unwrap(), "{}", lines());
                    }
                    if let Kind::Part(count) = issued.kind {
                        let rows = sink.rows.get(id).map_or(0, Vec::len);
                        assert_eq!(rows, usize::try_from(count).unwrap(), "{}", lines());
                    }
                }
                Some(Settled::Aborted) => assert_eq!(effects, 0, "{id} was aborted\n{}", lines()),
                Some(Settled::Returned { failure, .. }) => {
                    assert!(failure.is_safe_to_retry, "{id} {failure:?}\n{}", lines());
                    assert_eq!(effects, 0, "{id} was given back\n{}", lines());
                }
                Some(Settled::Failed(failure)) => {
                    let may_have_happened = !failure.is_safe_to_retry
                        && (matches!(
                            failure.kind,
                            FailureKind::Connection | FailureKind::Internal | FailureKind::OutdatedSchema
                        ) || failure.sqlstate.as_deref() == Some("57P01"));
                    assert!(may_have_happened || effects == 0, "{id} {failure:?} took effect\n{}", lines());
                    assert_ne!(failure.sqlstate.as_deref(), Some("08P01"), "{failure:?}\n{}", lines());
                    let may_be_interrupted = self.was_pressed || issued.kind == Kind::Copy;
                    assert!(
                        may_be_interrupted || failure.sqlstate.as_deref() != Some("57014"),
                        "{id} was hit by a cancel for another\n{}",
                        lines()
                    );
                    if self.is_pooled {
                        let names = ["26000", "42P05"];
                        let is_of_a_name = names.iter().any(|ours| failure.sqlstate.as_deref() == Some(ours));
                        assert!(!is_of_a_name, "{failure:?}\n{}", lines());
                    }
                }
            }
        }
        if sink.closed.is_none() {
            assert!(self.client.session.is_idle(), "{}", lines());
        }
    }
}

fn run(options: SessionOptions, steps: &[Step], can_break: bool) {
    let mut world = World::new(options);
    for step in steps {
        if world.client.sink.closed.is_some() {
            break;
        }
        world.step(*step, can_break);
    }
    world.finish();
    world.check();
    if world.client.sink.closed.is_none() {
        world.client.session.begin_close(&mut world.client.sink);
    } else {
        world.client.session.end(EndCause::EndOfStream, &mut world.client.sink);
    }
    assert!(world.client.sink.closed.is_some());
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any::<Step>(), 1..150)
}

fn options() -> impl Strategy<Value = SessionOptions> {
    let cache_sizes = prop_oneof![Just(0_usize), Just(2), Just(100)];
    let batch_bounds = prop_oneof![Just(60_usize), Just(256 << 10)];
    (cache_sizes, batch_bounds, any::<bool>()).prop_map(
        |(statement_cache_size, batch_output_bytes, returns_requests)| SessionOptions {
            statement_cache_size,
            batch_output_bytes,
            returns_requests,
            ..SessionOptions::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12_000, ..ProptestConfig::default() })]

    #[test]
    fn random_pipelines_settle_once_and_take_effect_once_in_order(options in options(), steps in steps()) {
        run(options, &steps, false);
    }

    #[test]
    fn random_pipelines_through_a_transaction_pooler(options in options(), steps in steps()) {
        run(SessionOptions { pooler_search: PoolerSearch::ByIdentity, ..options }, &steps, false);
    }

    #[test]
    fn random_pipelines_on_the_simple_protocol(options in options(), steps in steps(), can_break in any::<bool>()) {
        run(SessionOptions { query_protocol: QueryProtocol::Simple, ..options }, &steps, can_break);
    }

    #[test]
    fn random_pipelines_on_sessions_that_break(options in options(), steps in steps()) {
        run(options, &steps, true);
    }
}
