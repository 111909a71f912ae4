//! Types that are not known are looked up before what needs them goes on.

use oxpg_client::session::{FailureKind, SessionOptions};
use oxpg_codec::types::{Kind, TypeCode, TypeSource};

use crate::client::{Client, Settled};
use crate::server::Fault;

/// An enum, and a composite type of an int4 and that enum.
pub(crate) const MOOD: u32 = 70_001;
pub(crate) const PERSON: u32 = 70_002;

pub(crate) fn knowing_types(mut client: Client) -> Client {
    let row = |oid, name, kind, attribute, attribute_type| {
        [oid, "public", name, kind, "0", "0", "0", ",", "t", "", attribute, attribute_type]
    };
    client.server.catalog = vec![
        row("70001", "mood", "e", "", ""),
        row("70002", "person", "c", "id", "23"),
        row("70002", "person", "c", "mood", "23"),
    ];
    client
}

pub(crate) fn look_ups(client: &Client) -> usize {
    client.server.executed.iter().filter(|text| text.starts_with("WITH")).count()
}

#[test]
fn a_column_of_an_unknown_type_is_looked_up_between_describe_and_bind() {
    let mut client = knowing_types(Client::new());
    client.server.column_oid = MOOD;
    client.query(1, "select 1 2", 0);
    client.settle_all();
    assert_eq!(client.completed(1), 2);
    assert_eq!(client.server.log, "PDSCPBEPBESPDSBES", "no more round trips than needed");
    let known = client.text("select 1 2").description().unwrap();
    assert_eq!(known.codes, [TypeCode::TEXT; 2]);
    assert_eq!(&*known.columns[0].tree.as_ref().unwrap().name, "mood");
}

#[test]
fn jit_is_off_for_the_look_up_alone() {
    let mut client = knowing_types(Client::new());
    client.server.column_oid = MOOD;
    client.query(1, "select 1 1", 0);
    client.settle_all();
    let position = client.server.executed.iter().position(|text| text.starts_with("WITH")).unwrap();
    assert!(client.server.executed[position - 1].contains("set_config(name, 'off', true)"));
}

#[test]
fn a_parameter_of_an_unknown_type_is_looked_up_before_its_value_is_asked_for() {
    let mut client = knowing_types(Client::new());
    client.server.parameter_oid = PERSON;
    client.query(1, "insert 1 $1", 7);
    client.flush();
    client.server.run();
    client.read();
    assert!(client.sink.asked.is_empty(), "not before the type is known");
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 7)]);
    let known = client.text("insert 1 $1").description().unwrap();
    let person = known.parameters[0].tree.as_ref().unwrap();
    assert_eq!(person.code, TypeCode::COMPOUND);
    assert!(matches!(&person.kind, Kind::Composite { fields } if fields.len() == 2 && &*fields[1].name == "mood"));
}

#[test]
fn built_in_types_are_never_looked_up() {
    let mut client = knowing_types(Client::new());
    // int4range, int4[], regclass and their like are built of what is known.
    for (id, column_oid) in [3904, 1007, 2205, 2210, 3910, 4451, 2277, 2249].into_iter().enumerate() {
        client.server.column_oid = column_oid;
        client.query(u32::try_from(id).unwrap(), &format!("select {id} 1"), 0);
        client.settle_all();
    }
    assert_eq!(look_ups(&client), 0);
    assert!(!client.server.log.contains("BEP"));
}

#[test]
fn connections_that_share_a_catalog_look_a_type_up_once() {
    let mut first = knowing_types(Client::new());
    first.server.column_oid = MOOD;
    first.query(1, "select 1 1", 0);
    first.settle_all();
    let mut second = knowing_types(Client::new());
    second.share_knowledge_of(&first);
    second.server.column_oid = MOOD;
    second.query(1, "select 2 1", 0);
    second.settle_all();
    assert_eq!((second.completed(1), look_ups(&second)), (1, 0));
}

#[test]
fn inside_a_transaction_a_savepoint_takes_the_setting_back() {
    let mut client = knowing_types(Client::new());
    client.query(1, "begin", 0);
    client.query(2, "insert 1 $1", 5);
    client.settle_all();
    client.server.column_oid = MOOD;
    client.query(3, "select 1 1", 0);
    client.settle_all();
    assert_eq!(client.session.transaction_status(), b'T');
    let position = client.server.executed.iter().position(|text| text.starts_with("WITH")).unwrap();
    assert_eq!(client.server.executed[position - 2], "SAVEPOINT oxpg_look_up");
    assert_eq!(client.server.executed[position + 1], "ROLLBACK TO SAVEPOINT oxpg_look_up");
    assert_eq!(client.server.executed[position + 2], "RELEASE SAVEPOINT oxpg_look_up");
    client.query(4, "commit", 0);
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 5)]);
}

#[test]
fn rule_5_the_unnamed_mode_syncs_looks_up_and_parses_again() {
    let mut client = knowing_types(Client::unnamed());
    client.server.column_oid = MOOD;
    client.query(1, "select 1 1", 0);
    client.settle_all();
    assert_eq!(client.completed(1), 1);
    assert_eq!(client.server.log, "PDHSPBEPBESPDHBES");
}

#[test]
fn requests_behind_a_look_up_keep_their_order() {
    let mut client = knowing_types(Client::new());
    client.server.column_oid = MOOD;
    client.query(1, "insert 1 returning", 0);
    client.query(2, "insert 2 $1", 2);
    client.script(3, "insert 3", true);
    client.prepare(4, "insert 4 returning");
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 0), (2, 2), (3, 0)]);
    assert_eq!(look_ups(&client), 1);
}

#[test]
fn a_batch_waits_for_the_types_of_its_parameters() {
    let mut client = knowing_types(Client::new());
    client.server.parameter_oid = MOOD;
    client.batch(1, "insert 1 $1", false);
    client.settle_all();
    assert_eq!(look_ups(&client), 1);
    for value in 0..3 {
        client.row(1, value);
    }
    client.session.batch_end(1, &mut client.sink);
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 0), (1, 1), (1, 2)]);
}

#[test]
fn a_batch_that_is_aborted_while_its_types_are_looked_up_has_no_effect() {
    let mut client = knowing_types(Client::new());
    client.server.parameter_oid = MOOD;
    client.batch(1, "insert 1 $1", false);
    client.flush();
    client.server.run();
    client.read();
    client.session.batch_abort(1, &mut client.sink);
    client.settle_all();
    assert!(matches!(client.sink.settled.get(&1), Some(Settled::Aborted)));
    client.query(2, "insert 2 returning", 0);
    client.settle_all();
    assert_eq!(client.completed(2), 1);
}

#[test]
fn a_look_up_that_fails_fails_its_request_alone() {
    let mut client = knowing_types(Client::new());
    client.server.column_oid = MOOD;
    client.server.faults = [None, Some(Fault::Error)].into();
    client.query(1, "insert 1 returning", 0);
    client.query(2, "insert 2 returning", 0);
    client.settle_all();
    assert_eq!(client.sqlstate(1), "22012");
    assert!(client.failure(1).is_safe_to_retry);
    assert_eq!(client.completed(2), 1);
    assert_eq!(client.server.committed, [(2, 0)]);
}

#[test]
fn a_caller_that_leaves_during_a_look_up_executes_nothing() {
    let mut client = knowing_types(Client::new());
    client.server.column_oid = MOOD;
    client.query(1, "insert 1 returning", 0);
    client.flush();
    client.server.run();
    client.read();
    client.flush();
    client.session.abandon(1, &mut client.sink);
    assert_eq!(client.sink.cancels_wanted, 1);
    client.cancel_finished();
    client.query(2, "insert 2 returning", 0);
    client.settle_all();
    assert_eq!(client.completed(2), 1);
    assert_eq!(client.server.committed, [(2, 0)]);
}

#[test]
fn rule_13_a_session_that_ends_during_a_look_up_gives_the_request_back() {
    let options = SessionOptions { returns_requests: true, ..SessionOptions::default() };
    let mut client = knowing_types(Client::with(options));
    client.server.column_oid = MOOD;
    client.server.faults = [None, Some(Fault::Silence)].into();
    client.query(1, "insert 1 returning", 0);
    client.settle_all();
    assert!(matches!(client.sink.settled.get(&1), Some(Settled::Returned { has_bind: false, .. })));
}

#[test]
fn a_type_that_is_gone_becomes_one_without_a_codec() {
    let mut client = Client::new();
    client.server.column_oid = MOOD;
    client.query(1, "select 1 1", 0);
    client.settle_all();
    assert_eq!((client.completed(1), look_ups(&client)), (1, 1));
    assert_eq!(client.session.catalog().type_of(MOOD).unwrap().code, TypeCode::UNKNOWN);
}

fn attribute_count(client: &mut Client, text: &str) -> usize {
    let known = client.text(text).description().unwrap();
    match &known.parameters[0].tree.as_ref().unwrap().kind {
        Kind::Composite { fields } => fields.len(),
        _ => 0,
    }
}

#[test]
fn a_parameter_that_what_is_known_does_not_take_makes_its_type_be_looked_up_again() {
    let mut client = knowing_types(Client::new());
    client.server.parameter_oid = PERSON;
    client.query(1, "insert 1 $1", 1);
    client.settle_all();
    let known = client.text("insert 1 $1").description().unwrap().id;
    client.fresh_query(2, "insert 1 $1", 2);
    client.settle_all();
    assert_eq!(look_ups(&client), 2);
    assert_eq!(client.text("insert 1 $1").description().unwrap().id, known, "nothing has changed");
    client.server.catalog.push(["70002", "public", "person", "c", "0", "0", "0", ",", "t", "", "more", "23"]);
    client.fresh_query(3, "insert 1 $1", 3);
    client.settle_all();
    assert_eq!(attribute_count(&mut client, "insert 1 $1"), 3);
    assert_eq!(client.server.committed, [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(look_ups(&client), 3);
}

#[test]
fn types_that_cannot_change_are_not_looked_up_again() {
    let mut client = knowing_types(Client::new());
    client.server.parameter_oid = MOOD;
    client.query(1, "insert 1 $1", 1);
    client.settle_all();
    client.fresh_query(2, "insert 1 $1", 2);
    client.settle_all();
    client.server.parameter_oid = 3904;
    client.fresh_query(3, "insert 3 $1", 3);
    client.settle_all();
    assert_eq!(look_ups(&client), 1);
}

#[test]
fn rule_14_a_parameter_of_a_type_that_has_changed_or_is_gone_heals_once() {
    for (code, sqlstate, message, routine) in [
        (TypeCode::COMPOUND, "42804", "wrong number of columns: 2, expected 3", "record_recv"),
        (TypeCode::COMPOUND, "XX000", "cache lookup failed for type 70002", "getTypeBinaryInputInfo"),
        (TypeCode::COMPOUND_TEXT, "22P02", "malformed record literal: \"(1,)\"", "record_in"),
    ] {
        let mut client = knowing_types(Client::new());
        client.server.parameter_oid = PERSON;
        if code == TypeCode::COMPOUND_TEXT {
            // An aclitem, which has no binary format.
            client.server.catalog[2][11] = "1033";
        }
        client.query(1, "insert 1 $1", 1);
        client.settle_all();
        assert_eq!(client.text("insert 1 $1").description().unwrap().parameters[0].code, code);
        client.server.catalog.push(["70002", "public", "person", "c", "0", "0", "0", ",", "t", "", "more", "23"]);
        client.server.bind_errors = [(sqlstate, message, routine)].into();
        client.query(2, "insert 1 $1", 2);
        client.settle_all();
        assert_eq!(client.completed(2), 1, "{sqlstate}");
        assert_eq!(attribute_count(&mut client, "insert 1 $1"), 3);
        client.server.bind_errors = [(sqlstate, message, routine); 2].into();
        client.query(3, "insert 1 $1", 3);
        client.settle_all();
        // Malformed text may be the application's; the other two are never anything else than types that have changed.
        let kind = if sqlstate == "22P02" { FailureKind::Server } else { FailureKind::OutdatedSchema };
        assert_eq!((client.kind(3), client.sqlstate(3)), (kind, sqlstate));
        assert_eq!(client.failure(3).message.contains("has changed"), kind == FailureKind::OutdatedSchema);
        assert!(client.failure(3).is_safe_to_retry);
        client.query(4, "insert 1 $1", 4);
        client.settle_all();
        assert_eq!(client.server.committed, [(1, 1), (1, 2), (1, 4)]);
    }
}

#[test]
fn text_of_the_applications_that_is_malformed_says_nothing_of_types() {
    let mut client = knowing_types(Client::new());
    client.server.parameter_oid = PERSON;
    client.query(1, "insert 1 $1", 1);
    client.settle_all();
    client.server.bind_errors = [("22P02", "malformed record literal: \"x\"", "record_in"); 2].into();
    client.query(2, "insert 1 $1", 2);
    client.settle_all();
    assert_eq!((client.kind(2), client.sqlstate(2)), (FailureKind::Server, "22P02"));
    assert_eq!(look_ups(&client), 1);
}

#[test]
fn inside_a_transaction_a_parameter_of_a_changed_type_fails_and_is_safe_to_retry() {
    let mut client = knowing_types(Client::new());
    client.server.parameter_oid = PERSON;
    client.query(1, "insert 1 $1", 1);
    client.query(2, "begin", 0);
    client.settle_all();
    client.server.bind_errors = [("42804", "wrong number of columns: 2, expected 3", "record_recv")].into();
    client.query(3, "insert 1 $1", 3);
    client.query(4, "rollback", 0);
    client.settle_all();
    assert_eq!(client.kind(3), FailureKind::OutdatedSchema);
    assert!(client.failure(3).is_safe_to_retry);
    client.query(5, "insert 1 $1", 5);
    client.settle_all();
    assert_eq!(client.server.committed, [(1, 1), (1, 5)]);
    assert_eq!(look_ups(&client), 2);
}

#[test]
fn what_is_dropped_for_one_type_fails_nobody_else() {
    let mut first = knowing_types(Client::new());
    first.server.column_oid = MOOD;
    first.server.parameter_oid = PERSON;
    first.query(1, "insert 1 $1 returning", 1);
    first.settle_all();
    let mut second = knowing_types(Client::new());
    second.share_knowledge_of(&first);
    second.server.column_oid = MOOD;
    second.server.parameter_oid = PERSON;
    second.query(2, "insert 1 $1 returning", 2);
    second.flush();
    // Another connection meets a type that has changed, while this one's Bind is on its way.
    second.session.catalog().invalidate();
    second.settle_all();
    assert_eq!(second.completed(2), 1);
    assert_eq!(second.sink.rows[&2], [(2, 0)]);
    second.query(3, "insert 1 $1 returning", 3);
    second.settle_all();
    assert_eq!((second.completed(3), look_ups(&second)), (1, 1));
}

#[test]
fn a_codec_makes_every_statement_be_described_anew() {
    use oxpg_client::session::CodecChoice;
    let mut client = Client::new();
    client.warm("select 1 1");
    client.session.catalog().choose("pg_catalog", "int4", Some(CodecChoice::Text(1)));
    client.query(1, "select 1 1", 0);
    client.settle_all();
    let known = client.text("select 1 1").description().unwrap();
    assert_eq!(known.codes, [TypeCode::UNKNOWN; 2]);
    assert_eq!(known.columns[0].tree.as_ref().unwrap().codec, 1);
    client.session.catalog().choose("pg_catalog", "int4", None);
    client.query(2, "select 1 1", 0);
    client.settle_all();
    assert_eq!(client.text("select 1 1").description().unwrap().codes, [TypeCode::INT4; 2]);
}

/// A client of a server that announces itself by this setting.
fn of_kind(setting: (&str, &str)) -> Client {
    let mut client = knowing_types(Client::announced(setting));
    client.server.column_oid = MOOD;
    client
}

#[test]
fn a_relative_without_a_jit_compiler_is_asked_by_one_statement() {
    for begin in [false, true] {
        let mut client = of_kind(("crdb_version", "CockroachDB CCL v23.1.11"));
        if begin {
            client.script(1, "begin", true);
            client.settle_all();
        }
        client.query(2, "select 1 1", 0);
        client.settle_all();
        assert_eq!((client.completed(2), look_ups(&client)), (1, 1));
        assert!(!client.server.executed.iter().any(|text| text.contains("jit") || text.starts_with("SAVEPOINT")));
    }
}

#[test]
fn what_a_relative_cannot_say_of_its_types_is_text() {
    let mut client = of_kind(("crdb_version", "CockroachDB CCL v23.1.11"));
    // Of a Parse, as of a function or a clause that it does not know.
    client.server.unknown_word = Some("recursive");
    client.query(1, "select 1 1", 0);
    client.settle_all();
    assert_eq!(client.completed(1), 1);
    assert_eq!(client.text("select 1 1").description().unwrap().codes, [TypeCode::UNKNOWN; 2]);
    let mut postgresql = knowing_types(Client::new());
    postgresql.server.column_oid = MOOD;
    postgresql.server.unknown_word = Some("recursive");
    postgresql.query(1, "select 1 1", 0);
    postgresql.settle_all();
    assert_eq!(postgresql.sqlstate(1), "42601", "it knows everything, or something is wrong");
}

#[test]
fn servers_without_postgresqls_catalogs_are_not_asked() {
    for setting in [("padb_revision", "1.0"), ("crate_version", "5.4.2"), ("server_version", "1.18.0/bouncer")] {
        let mut client = of_kind(setting);
        client.query(1, "select 1 1", 0);
        client.settle_all();
        assert_eq!((client.completed(1), look_ups(&client)), (1, 0), "{setting:?}");
    }
}
