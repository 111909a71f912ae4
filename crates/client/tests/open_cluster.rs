//! A primary and a standby with TLS: each target is found, over a session that is verified.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod open_server;

use std::sync::Arc;

use open_server::run;
use oxpg_client::open::{Config, OpenErrorKind, open};
use oxpg_testkit::cluster::{Cluster, ClusterOptions};

#[test]
fn each_target_is_found_in_a_cluster_with_tls() {
    // Wherever servers are at hand for the tests, this one can start as well.
    if std::env::var_os("OXPG_TEST_URL").is_none() {
        println!("skipped: OXPG_TEST_URL is not set");
        return;
    }
    let options = ClusterOptions { certificate: Some("server".to_owned()), has_standby: true, ..Default::default() };
    let cluster = Cluster::start(&options).unwrap();
    let (primary, standby) = (cluster.primary.port, cluster.standby.as_ref().unwrap().port);
    let roots = concat!(env!("CARGO_MANIFEST_DIR"), "/../../__test__/support/certificates");
    let try_open = |root: &str, target: &str, order: [u16; 2]| {
        let [first, second] = order;
        let dsn = format!(
            "postgres://scramuser:secret@localhost:{first},localhost:{second}/postgres?sslmode=verify-full\
             &channel_binding=require&sslrootcert={roots}/{root}&target_session_attrs={target}"
        );
        let json = serde_json::json!({ "dsn": dsn, "options": {}, "environment": {} }).to_string();
        run(open(Arc::new(Config::from_json(&json).unwrap())))
    };
    let cases = [("any", None), ("primary", Some(primary)), ("read-write", Some(primary)), ("standby", Some(standby))];
    for (target, expected) in cases {
        for order in [[primary, standby], [standby, primary]] {
            let opened = try_open("ca.crt", target, order).unwrap();
            assert!(opened.tls.is_some());
            let port = match opened.socket {
                oxpg_client::open::Socket::Tcp(stream) => stream.peer_addr().unwrap().port(),
                _ => unreachable!("a Unix socket"),
            };
            assert_eq!(port, expected.unwrap_or(order[0]), "{target}");
        }
    }
    let error = try_open("other-ca.crt", "any", [primary, standby]).unwrap_err();
    assert_eq!(error.kind, OpenErrorKind::Connection, "{error}");
}
