//! The startup on bytes: what is recorded, what is refused, and what is left over.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod open_server;

use std::time::Duration;

use open_server::*;
use oxpg_client::open::{OpenErrorKind, open_on_stream};
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::timeout;

#[test]
fn settings_are_appended_verbatim_and_once() {
    let options = r#"{"host":"localhost","user":"änn","database":"shop","applicationName":"my app",
        "serverSettings":{"search_path":"a, \"b c\"","options":"-c work_mem=1MB","statement_timeout":5000,"jit":false,
        "client_encoding":"utf8"}}"#;
    let (result, mut parameters) = play(config(options), 5, |mut server| async move {
        let parameters = server.startup().await;
        server.send(&welcome()).await;
        parameters
    });
    result.unwrap();
    parameters.sort();
    let expected = [
        ("application_name", "my app"),
        ("client_encoding", "UTF8"),
        ("database", "shop"),
        ("jit", "false"),
        ("options", "-c work_mem=1MB"),
        ("search_path", "a, \"b c\""),
        ("statement_timeout", "5000"),
        ("user", "änn"),
    ];
    assert_eq!(parameters, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_split_at_any_byte_changes_nothing() {
    let bytes = [report(b'N', &[(b'M', "hello")]), welcome(), message(b'A', b"\0\0\0\x01c\0p\0")].concat();
    for split in 1..bytes.len() {
        let startup = run(async {
            let (mut client, server) = duplex(64 << 10);
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut server = Server { stream: server };
                server.startup().await;
                server.send(&bytes[..split]).await;
                // One thread: the client goes as far as it can before the rest comes.
                tokio::task::yield_now().await;
                server.send(&bytes[split..]).await;
            });
            let mut startup = open_on_stream(&mut client, &plain_config()).await.unwrap();
            // Whatever was not read is still in the pipe.
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut client, &mut startup.leftover).await;
            startup
        });
        assert_welcome(&startup);
        assert_eq!(startup.notices, [vec![(b'M', "hello".to_owned())]]);
        assert_eq!(startup.leftover, message(b'A', b"\0\0\0\x01c\0p\0"));
    }
}

#[test]
fn what_is_glued_to_ready_for_query_is_left_over() {
    let behind = [parameter("TimeZone", "Europe/Berlin"), vec![b'N', 0, 0]].concat();
    let (result, _) = play_bytes(plain_config(), [welcome(), behind.clone()].concat());
    let startup = result.unwrap();
    assert_welcome(&startup);
    assert_eq!(startup.leftover, behind);
}

#[test]
fn notifications_of_the_startup_come_first_in_the_leftover() {
    let early = message(b'A', b"\0\0\0\x01early\0\0");
    let late = message(b'A', b"\0\0\0\x01late\0\0");
    let bytes = [authentication(0, &[]), early.clone(), ready(b'T'), late.clone()].concat();
    let startup = play_bytes(plain_config(), bytes).0.unwrap();
    assert_eq!(startup.leftover, [early, late].concat());
    assert_eq!(startup.transaction_status, b'T');
    assert_eq!((startup.backend_pid, startup.secret_key), (0, vec![]));
}

#[test]
fn the_latest_report_of_a_parameter_counts() {
    let bytes = [authentication(0, &[]), parameter("a", "1"), parameter("b", ""), parameter("a", "2"), ready(b'E')];
    let startup = play_bytes(plain_config(), bytes.concat()).0.unwrap();
    assert_eq!(startup.parameters, [("a".to_owned(), "2".to_owned()), ("b".to_owned(), String::new())]);
    assert_eq!(startup.transaction_status, b'E');
}

#[test]
fn keys_of_4_to_256_bytes_are_taken() {
    for length in [4, 32, 256] {
        let key: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
        let bytes = [authentication(0, &[]), key_data(-7, &key), ready(b'I')].concat();
        let startup = play_bytes(plain_config(), bytes).0.unwrap();
        assert_eq!((startup.backend_pid, startup.secret_key), (-7, key));
    }
    for length in [0, 3, 257] {
        let bytes = [authentication(0, &[]), key_data(1, &vec![0; length]), ready(b'I')].concat();
        let error = play_bytes(plain_config(), bytes).0.unwrap_err();
        assert_eq!(error.kind, OpenErrorKind::Protocol);
        assert!(error.message.contains("expected 8 to 260"), "{error}");
    }
}

#[test]
fn a_servers_refusal_keeps_its_sqlstate_and_fields() {
    let cases = [
        ("28P01", "password authentication failed for user \"ann\"", false),
        ("3D000", "database \"shop\" does not exist", false),
        ("53300", "sorry, too many clients already", true),
        ("57P03", "the database system is starting up", true),
    ];
    for (sqlstate, text, is_transient) in cases {
        for bytes in [error(sqlstate, text), [authentication(0, &[]), error(sqlstate, text)].concat()] {
            let error = play_bytes(plain_config(), bytes).0.unwrap_err();
            assert_eq!((error.kind, error.sqlstate.as_deref()), (OpenErrorKind::Server, Some(sqlstate)));
            assert_eq!(error.message, text);
            assert!(error.fields.contains(&(b'R', "auth_failed".to_owned())));
            assert_eq!((error.is_transient(), error.is_safe_to_retry), (is_transient, true));
        }
    }
}

#[test]
fn a_refusal_may_have_another_encoding_or_no_fields() {
    let error = play_bytes(plain_config(), message(b'E', b"Mr\xf4le\0\0")).0.unwrap_err();
    assert_eq!((error.message.as_str(), error.sqlstate), ("r\u{fffd}le", None));
    let error = play_bytes(plain_config(), message(b'E', b"\0")).0.unwrap_err();
    assert_eq!(error.kind, OpenErrorKind::Server);
    for body in [&b""[..], b"M", b"Mtext", b"Mtext\0", b"\0x", &b"aa\0".repeat(65)] {
        let error = play_bytes(plain_config(), message(b'E', body)).0.unwrap_err();
        assert_eq!(error.kind, OpenErrorKind::Protocol, "{body:?}");
    }
}

#[test]
fn an_error_without_a_frame_is_told() {
    let bytes = b"Ecould not fork new process for connection: \x1b[31mout of memory\n\0".to_vec();
    let error = play_bytes(plain_config(), bytes).0.unwrap_err();
    assert_eq!((error.kind, error.sqlstate.as_deref()), (OpenErrorKind::Connection, Some("08006")));
    let expected = "could not fork new process for connection: \\u{1b}[31mout of memory";
    assert!(error.message.ends_with(expected), "{error}");
}

#[test]
fn an_end_after_any_byte_is_a_connection_error() {
    let bytes = welcome();
    for end in 0..bytes.len() {
        let (result, _) = play_bytes(plain_config(), bytes[..end].to_vec());
        let error = result.unwrap_err();
        assert_eq!((error.kind, error.sqlstate.as_deref()), (OpenErrorKind::Connection, Some("08006")), "{end}");
        assert!(error.is_transient());
    }
}

#[test]
fn lengths_are_checked_before_the_bytes_come() {
    for tag in *b"RNEZ" {
        for length in [0_i32, 1, 3, -1, i32::MIN, i32::MAX, 1 << 20] {
            let bytes = [&[tag][..], &length.to_be_bytes()].concat();
            // The pipe stays open: nothing but the header tells. Whoever waits for more waits for ever.
            let error = run(async {
                let (mut client, mut server) = duplex(64 << 10);
                server.write_all(&bytes).await.unwrap();
                let config = plain_config();
                let opening = timeout(Duration::from_secs(60), open_on_stream(&mut client, &config));
                opening.await.unwrap_or_else(|_| panic!("{tag} {length}: waits for bytes")).unwrap_err()
            });
            assert_eq!(error.kind, OpenErrorKind::Protocol, "{tag} {length}");
        }
    }
}

#[test]
fn floods_are_refused() {
    let notice = report(b'N', &[(b'M', "again")]);
    let long_notice = report(b'N', &[(b'M', &"x".repeat(20_000))]);
    let authenticated = |bytes: Vec<u8>| [authentication(0, &[]), bytes].concat();
    let cases = [
        (notice.repeat(100_000), "more than 100 notices"),
        (long_notice.repeat(4), "more than 65536 bytes"),
        (authenticated(notice.repeat(101)), "more than 100 notices"),
        (authenticated(long_notice.repeat(60)), "more than 1048576 bytes"),
        (authenticated(parameter("a", "b").repeat(501)), "more than 500 parameters"),
        (authenticated(message(b'A', &[&[1; 9000][..], &[0, 0]].concat()).repeat(200)), "more than 1048576 bytes"),
    ];
    for (bytes, text) in cases {
        let error = play_bytes(plain_config(), bytes).0.unwrap_err();
        assert_eq!(error.kind, OpenErrorKind::Protocol);
        assert!(error.message.contains(text), "{error}");
    }
}

#[test]
fn messages_without_a_place_are_refused() {
    for bytes in [parameter("a", "b"), key_data(1, &[0; 4]), ready(b'I'), message(b'D', &[0, 0]), vec![0; 64]] {
        let error = play_bytes(plain_config(), bytes).0.unwrap_err();
        assert_eq!(error.kind, OpenErrorKind::Protocol);
    }
    let error = play_bytes(plain_config(), b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).0.unwrap_err();
    assert_eq!(error.kind, OpenErrorKind::Protocol);
    for body in [&b""[..], b"IT", b"x"] {
        let error = play_bytes(plain_config(), [authentication(0, &[]), message(b'Z', body)].concat()).0.unwrap_err();
        assert!(error.message.contains("malformed ReadyForQuery"), "{error}");
    }
    for body in [&b"name"[..], b"name\0", b"name\0value", b"name\0value\0x"] {
        let error = play_bytes(plain_config(), [authentication(0, &[]), message(b'S', body)].concat()).0.unwrap_err();
        assert!(error.message.contains("malformed ParameterStatus"), "{error}");
    }
    // What the session engine would refuse later, when nothing else may ever come.
    for body in [&b"\0\0\0"[..], b"\0\0\0\x01channel", b"\0\0\0\x01channel\0payload", b"\0\0\0\x01c\0p\0x"] {
        let error = play_bytes(plain_config(), [authentication(0, &[]), message(b'A', body)].concat()).0.unwrap_err();
        assert!(error.message.contains("malformed NotificationResponse"), "{body:?}: {error}");
    }
}

/// A message that may be right, or nearly.
fn some_message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(authentication(0, &[])),
        Just(authentication(3, &[])),
        Just(sasl(&["SCRAM-SHA-256"])),
        Just(ready(b'I')),
        Just(parameter("a", "b")),
        Just(key_data(1, &[1, 2, 3, 4])),
        (prop::sample::select(b"RSKZNEAv".to_vec()), prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(tag, body)| message(tag, &body)),
        prop::collection::vec(any::<u8>(), 0..16),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic_or_wait(messages in prop::collection::vec(some_message(), 0..12)) {
        let bytes = messages.concat();
        let (result, said) = play_bytes(plain_config(), bytes.clone());
        match result {
            Ok(startup) => prop_assert!(startup.leftover.len() <= bytes.len()),
            Err(error) => prop_assert!(!error.message.contains(SECRET)),
        }
        let is_asked = bytes.windows(9).any(|window| window == authentication(3, &[]));
        prop_assert!(is_asked || !said.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    }
}

#[test]
fn a_pooler_that_is_full_or_without_a_server_is_one_of_the_moment() {
    let told = |text: &str| {
        let bytes = report(b'E', &[(b'S', "FATAL"), (b'C', "08P01"), (b'M', text)]);
        play_bytes(plain_config(), bytes).0.unwrap_err().is_transient()
    };
    for text in [
        "no more connections allowed (max_client_conn)",
        "no more connections allowed (max_user_client_connections)",
        "pgbouncer cannot connect to server",
        "server login has been failing, try again later (server_login_retry)",
        "query_wait_timeout",
    ] {
        assert!(told(text), "{text}");
    }
    for text in ["unsupported startup parameter: x", "no such database: x", "invalid startup packet layout"] {
        assert!(!told(text), "{text}");
    }
}
