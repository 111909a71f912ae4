//! Versions of the protocol: what is asked for, and what a server may answer (manual, "NegotiateProtocolVersion").
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod open_server;

use open_server::*;
use oxpg_client::open::{OpenError, OpenErrorKind, Startup};

const V3_0: [u8; 4] = [0, 3, 0, 0];
const V3_2: [u8; 4] = [0, 3, 0, 2];

/// NegotiateProtocolVersion: a version, and options that the server does not know.
fn negotiate(version: [u8; 4], options: &[&str]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend_from_slice(&u32::try_from(options.len()).unwrap().to_be_bytes());
    for option in options {
        body.extend_from_slice(option.as_bytes());
        body.push(0);
    }
    message(b'v', &body)
}

/// Opens with these bounds at a server that is asked for `version` and sends `bytes`.
fn open_with(bounds: &str, version: [u8; 4], bytes: Vec<u8>) -> Result<Startup, OpenError> {
    let options = format!(r#"{{"host":"h","user":"ann"{bounds}}}"#);
    play(config(&options), 64 << 10, move |mut server| async move {
        let parameters = server.startup_in_version(version).await;
        server.send(&bytes).await;
        parameters
    })
    .0
}

const UP_TO_3_2: &str = r#","maxProtocolVersion":"3.2""#;
const FROM_3_2: &str = r#","minProtocolVersion":"3.2","maxProtocolVersion":"latest""#;

#[test]
fn the_highest_version_that_will_do_is_asked_for() {
    for (bounds, version) in [("", V3_0), (r#","maxProtocolVersion":"3.0""#, V3_0), (UP_TO_3_2, V3_2), (FROM_3_2, V3_2)]
    {
        assert_welcome(&open_with(bounds, version, welcome()).unwrap());
    }
}

#[test]
fn a_key_of_version_3_2_is_taken_whole() {
    let key: Vec<u8> = (0..=255).collect();
    let bytes = [authentication(0, &[]), key_data(1, &key), ready(b'I')].concat();
    assert_eq!(open_with(UP_TO_3_2, V3_2, bytes).unwrap().secret_key, key);
}

#[test]
fn a_server_may_answer_with_a_lower_version() {
    // The manual says "minor version", servers send both parts.
    for version in [V3_0, [0; 4]] {
        let bytes = [negotiate(version, &[]), welcome()].concat();
        assert_welcome(&open_with(UP_TO_3_2, V3_2, bytes).unwrap());
    }
    let error = open_with(FROM_3_2, V3_2, [negotiate(V3_0, &[]), welcome()].concat()).unwrap_err();
    assert_eq!(error.kind, OpenErrorKind::Unsupported);
    assert_eq!(error.message, "the server speaks version 3.0 of the protocol at most, and minProtocolVersion is 3.2");
}

#[test]
fn what_a_server_must_not_answer_is_refused() {
    let cases = [
        ("", V3_0, negotiate(V3_0, &[]), "changes nothing"),
        (UP_TO_3_2, V3_2, negotiate(V3_2, &[]), "changes nothing"),
        (UP_TO_3_2, V3_2, negotiate([0, 3, 0, 3], &[]), "answered with version 3.3 of the protocol when it was asked"),
        (UP_TO_3_2, V3_2, negotiate([0, 3, 0, 1], &[]), "answered with version 3.1"),
        (UP_TO_3_2, V3_2, negotiate([0, 2, 0, 0], &[]), "answered with version 2.0"),
        (UP_TO_3_2, V3_2, negotiate(V3_0, &["_pq_.x"]), "option \"_pq_.x\", which it was not asked for"),
        (UP_TO_3_2, V3_2, [negotiate(V3_0, &[]), negotiate(V3_0, &[])].concat(), "where it has no place"),
        (UP_TO_3_2, V3_2, [authentication(0, &[]), negotiate(V3_0, &[])].concat(), "where it has no place"),
        (UP_TO_3_2, V3_2, message(b'v', &[0, 3, 0, 0]), "malformed NegotiateProtocolVersion"),
        (UP_TO_3_2, V3_2, message(b'v', &[0, 3, 0, 0, 0, 0, 0, 1]), "malformed NegotiateProtocolVersion"),
        (UP_TO_3_2, V3_2, message(b'v', &[0, 3, 0, 0, 0, 0, 0, 0, 0]), "malformed NegotiateProtocolVersion"),
    ];
    for (bounds, version, bytes, problem) in cases {
        let error = open_with(bounds, version, [bytes, welcome()].concat()).unwrap_err();
        assert_eq!(error.kind, OpenErrorKind::Protocol, "{error}");
        assert!(error.message.contains(problem), "{error}");
    }
}
