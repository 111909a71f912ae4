//! Portals of their own: queries that are fetched in parts.

use oxpg_client::session::{
    FailureKind, PortalStep, PortalUse, QueryProtocol, Request, ResultOptions, SessionOptions, Work,
};

use crate::client::{Client, Settled, encoded, limited};

const TEXT: &str = "select 0 5 $1";

impl Client {
    /// A query that is bound to a portal of its own; with a limit it is executed at once.
    pub(crate) fn open_portal(&mut self, id: u32, text: &str, number: u32, max_rows: Option<u32>) {
        let query = self.text(text);
        let value = id.cast_signed();
        let bind = query.description().map(|description| encoded(&description, value));
        self.values.insert(id, value);
        let portal = max_rows.map_or(PortalUse::Opened { number }, |_| PortalUse::Executed { number });
        let result = ResultOptions { portal, ..limited(max_rows.unwrap_or(0)) };
        self.session.submit(Request { id, work: Work::Query { query, bind, result, is_fresh: false } }, &mut self.sink);
    }

    fn step_on(&mut self, id: u32, number: u32, step: PortalStep) {
        let told = self.queries.values().find_map(|query| query.description()).map_or(0, |known| known.id);
        self.session.submit(Request { id, work: Work::Portal { number, step, told } }, &mut self.sink);
    }

    pub(crate) fn fetch_from(&mut self, id: u32, number: u32, max_rows: u32) {
        self.step_on(id, number, PortalStep::Fetch { max_rows });
    }

    fn numbers(&self, id: u32) -> Vec<u32> {
        self.sink.rows.get(&id).into_iter().flatten().map(|(_, number)| *number).collect()
    }

    fn is_suspended(&self, id: u32) -> bool {
        match self.sink.settled.get(&id) {
            Some(Settled::Completed { is_suspended, .. }) => *is_suspended,
            other => panic!("request {id} should have gone well: {other:?}\n{:#?}", self.sink.lines),
        }
    }
}

fn begun() -> Client {
    let mut client = Client::new();
    client.warm(TEXT);
    client.script(100, "begin", true);
    client.settle_all();
    client
}

#[test]
fn a_portal_gives_its_rows_in_parts() {
    let mut client = begun();
    client.open_portal(1, TEXT, 7, Some(2));
    client.settle_all();
    assert_eq!((client.numbers(1), client.is_suspended(1)), (vec![0, 1], true));
    client.fetch_from(2, 7, 2);
    client.settle_all();
    assert_eq!((client.numbers(2), client.is_suspended(2)), (vec![2, 3], true));
    client.fetch_from(3, 7, 2);
    client.settle_all();
    assert_eq!((client.numbers(3), client.is_suspended(3)), (vec![4], false));
    assert_eq!(client.server.portals(), 1, "closed with the next write");
    client.query(4, TEXT, 4);
    client.settle_all();
    assert_eq!(client.server.portals(), 0);
    assert_eq!(client.numbers(4), [0, 1, 2, 3, 4]);
}

#[test]
fn several_portals_and_other_queries_take_turns() {
    let mut client = begun();
    client.open_portal(1, TEXT, 1, None);
    client.open_portal(2, TEXT, 2, Some(1));
    client.query(3, "insert 9 $1", 3);
    client.settle_all();
    assert!(client.numbers(1).is_empty() && client.is_suspended(1), "nothing is executed at the opening");
    client.fetch_from(4, 1, 2);
    client.fetch_from(5, 2, 3);
    client.query(6, TEXT, 6);
    client.fetch_from(7, 1, 0);
    client.settle_all();
    assert_eq!(client.numbers(2), [0]);
    assert_eq!(client.numbers(4), [0, 1]);
    assert_eq!(client.numbers(5), [1, 2, 3]);
    assert_eq!(client.numbers(6), [0, 1, 2, 3, 4]);
    assert_eq!(client.numbers(7), [2, 3, 4]);
    let markers: Vec<u32> = client.sink.rows[&4].iter().map(|(marker, _)| *marker).collect();
    assert_eq!(markers, [1, 1], "the parameter is that of the opening");
}

#[test]
fn a_portal_is_moved() {
    let mut client = begun();
    client.open_portal(1, TEXT, 1, None);
    client.settle_all();
    client.step_on(2, 1, PortalStep::Move { count: 3 });
    client.fetch_from(3, 1, 1);
    client.step_on(4, 1, PortalStep::Move { count: 3 });
    client.settle_all();
    assert_eq!((client.completed(2), client.numbers(3), client.completed(4)), (3, vec![3], 1));
}

#[test]
fn a_portal_that_is_closed_or_whose_transaction_has_ended_is_refused_without_the_server() {
    let mut client = begun();
    client.open_portal(1, TEXT, 1, None);
    client.open_portal(2, TEXT, 2, None);
    client.settle_all();
    client.session.close_portal(1);
    client.session.close_portal(1);
    client.fetch_from(3, 1, 1);
    assert_eq!(client.kind(3), FailureKind::Interface);
    client.script(4, "commit", true);
    client.settle_all();
    client.script(5, "begin", true);
    client.settle_all();
    let log = client.server.log.len();
    client.fetch_from(6, 2, 1);
    client.settle_all();
    assert_eq!(client.kind(6), FailureKind::Interface);
    assert_eq!(client.server.log.len(), log, "nothing was sent");
    client.query(7, TEXT, 7);
    client.settle_all();
    assert_eq!(client.numbers(7).len(), 5, "the transaction is none the worse for it");
}

#[test]
fn a_portal_outlives_no_implicit_transaction() {
    let mut client = Client::new();
    client.open_portal(1, TEXT, 1, Some(2));
    client.settle_all();
    assert!(client.is_suspended(1));
    client.fetch_from(2, 1, 2);
    client.settle_all();
    assert_eq!(client.kind(2), FailureKind::Interface);
}

#[test]
fn an_error_of_a_step_is_its_own_and_the_transaction_goes_on_after_a_rollback() {
    let mut client = begun();
    client.open_portal(1, TEXT, 1, Some(1));
    client.settle_all();
    client.server.faults.push_back(Some(crate::server::Fault::Error));
    client.fetch_from(2, 1, 1);
    client.fetch_from(3, 1, 1);
    client.script(4, "rollback", true);
    client.settle_all();
    assert_eq!((client.sqlstate(2), client.sqlstate(3)), ("22012", "25P02"));
    assert_eq!(client.server.portals(), 0);
    client.query(5, TEXT, 5);
    client.settle_all();
    assert_eq!(client.numbers(5).len(), 5);
}

#[test]
fn a_step_whose_caller_leaves_is_dropped_or_cancelled() {
    let mut client = begun();
    client.open_portal(1, TEXT, 1, Some(1));
    client.settle_all();
    client.fetch_from(2, 1, 1);
    client.session.abandon(2, &mut client.sink);
    client.fetch_from(3, 1, 1);
    client.settle_all();
    assert_eq!(client.numbers(3), [1], "the one before it never left");
    client.fetch_from(4, 1, 1);
    client.flush();
    client.session.abandon(4, &mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 1);
    client.server.cancel();
    client.server.run();
    client.read();
    client.cancel_finished();
    client.script(5, "rollback", true);
    client.settle_all();
    assert!(client.is_settled(5) && !client.is_settled(4));
}

#[test]
fn a_full_sink_is_offered_the_same_row_again() {
    let mut client = begun();
    client.open_portal(1, TEXT, 1, Some(1));
    client.settle_all();
    let before = client.sink.row_count;
    client.sink.full_at = vec![before, before + 1];
    client.fetch_from(2, 1, 3);
    client.settle_all();
    assert_eq!(client.numbers(2), [1, 2, 3]);
}

#[test]
fn rows_whose_types_are_looked_up_are_delivered_and_the_portal_goes_on() {
    let mut client = begun();
    client.open_portal(1, TEXT, 1, Some(1));
    client.settle_all();
    client.sink.outdated = Some((2, false));
    client.fetch_from(2, 1, 2);
    client.settle_all();
    assert_eq!(client.numbers(2), [1, 2], "{:#?}", client.sink.lines);
    client.fetch_from(3, 1, 2);
    client.settle_all();
    assert_eq!(client.numbers(3), [3, 4], "{:#?}", client.sink.lines);
}

#[test]
fn a_portal_is_bound_in_the_sync_group_of_what_opens_its_transaction() {
    for (max_rows, first, written) in [(Some(2), vec![0, 1], "PBEBES"), (None, vec![], "PBEBS")] {
        let mut client = Client::new();
        client.warm(TEXT);
        client.server.log.clear();
        client.open(1, "begin", None);
        client.open_portal(2, TEXT, 7, max_rows);
        client.query(3, TEXT, 3);
        client.flush();
        client.server.run();
        assert_eq!(client.server.log, written);
        client.settle_all();
        assert_eq!((client.numbers(2), client.is_suspended(2)), (first.clone(), true));
        assert_eq!((client.is_suspended(1), client.session.transaction_status()), (false, b'T'));
        client.fetch_from(4, 7, 0);
        client.settle_all();
        assert_eq!(client.numbers(4), (0..5).skip(first.len()).collect::<Vec<u32>>());
        assert_eq!(client.numbers(3), [0, 1, 2, 3, 4]);
        client.query(5, TEXT, 5);
        client.settle_all();
        assert_eq!(client.server.portals(), 0, "it is closed behind its last row");
    }
}

#[test]
fn a_cold_portal_and_one_without_a_name_are_bound_behind_what_opens_their_transaction() {
    for (mut client, written) in [(Client::new(), "PBEPDSBES"), (Client::unnamed(), "PBEPDHBES")] {
        client.open(1, "begin", None);
        client.open_portal(2, TEXT, 7, Some(2));
        client.settle_all();
        assert_eq!(client.server.log, written);
        client.fetch_from(3, 7, 2);
        client.settle_all();
        assert_eq!((client.numbers(2), client.numbers(3)), (vec![0, 1], vec![2, 3]));
    }
}

#[test]
fn no_portal_is_bound_behind_an_opening_that_failed() {
    let mut client = Client::new();
    client.warm(TEXT);
    client.server.faults.push_back(Some(crate::server::Fault::Error));
    client.open(1, "begin", None);
    client.open_portal(2, TEXT, 7, Some(2));
    client.settle_all();
    assert_eq!((client.sqlstate(1), client.sqlstate(2)), ("22012", "22012"));
    assert_eq!((client.numbers(2), client.server.portals(), client.session.transaction_status()), (vec![], 0, b'I'));
}

#[test]
fn rows_behind_an_opening_whose_types_are_looked_up_are_delivered_and_the_portal_goes_on() {
    let mut client = Client::new();
    client.warm(TEXT);
    client.sink.outdated = Some((2, false));
    client.open(1, "begin", None);
    client.open_portal(2, TEXT, 1, Some(2));
    client.settle_all();
    assert_eq!(client.numbers(2), [0, 1], "{:#?}", client.sink.lines);
    client.fetch_from(3, 1, 2);
    client.settle_all();
    assert_eq!(client.numbers(3), [2, 3], "{:#?}", client.sink.lines);
}

#[test]
fn portals_serve_unnamed_statements_as_well() {
    let mut client = Client::unnamed();
    client.script(100, "begin", true);
    client.settle_all();
    client.open_portal(1, TEXT, 1, Some(2));
    client.settle_all();
    client.query(2, "insert 3 $1", 2);
    client.fetch_from(3, 1, 2);
    client.settle_all();
    assert_eq!((client.numbers(1), client.numbers(3)), (vec![0, 1], vec![2, 3]));
}

#[test]
fn there_is_no_portal_of_a_copy_nor_on_the_simple_protocol() {
    let mut client = begun();
    client.open_portal(1, "copy out", 1, None);
    assert_eq!(client.kind(1), FailureKind::Interface);
    let options = SessionOptions { query_protocol: QueryProtocol::Simple, ..SessionOptions::default() };
    let mut client = Client::with(options);
    client.open_portal(2, "select 0 5", 1, Some(1));
    assert_eq!(client.kind(2), FailureKind::Unsupported);
}

#[test]
fn the_end_of_a_session_ends_steps() {
    let mut client = begun();
    client.open_portal(1, TEXT, 1, Some(1));
    client.settle_all();
    client.fetch_from(2, 1, 1);
    client.flush();
    client.server.is_dead = true;
    client.read();
    let failure = client.failure(2);
    assert!(failure.kind == FailureKind::Connection && !failure.is_safe_to_retry, "{failure:?}");
}
