//! Which of several servers gives the session: `targetSessionAttrs`, `loadBalanceHosts`, `hostaddr`, and the error that
//! tells of all of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod open_server;

use std::collections::HashSet;
use std::sync::Arc;

use open_server::*;
use oxpg_client::open::{OpenError, OpenErrorKind, Opened, Socket, open};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

/// What a server is, and how one learns of it.
#[derive(Clone, Copy)]
enum Kind {
    /// It reports `default_transaction_read_only` and `in_hot_standby`, as from version 14 on.
    Reports { is_read_only: bool, is_standby: bool },
    /// It has to be asked.
    Answers { is_read_only: bool, is_standby: bool },
    /// It refuses to be asked.
    Mute,
}

const PRIMARY: Kind = Kind::Reports { is_read_only: false, is_standby: false };
const STANDBY: Kind = Kind::Reports { is_read_only: false, is_standby: true };
const FROZEN: Kind = Kind::Reports { is_read_only: true, is_standby: false };
const OLD_PRIMARY: Kind = Kind::Answers { is_read_only: false, is_standby: false };
const OLD_STANDBY: Kind = Kind::Answers { is_read_only: true, is_standby: true };

fn on(flag: bool) -> &'static str {
    if flag { "on" } else { "off" }
}

/// The answer to a query of one value, with what may come in between.
fn answer(value: &str) -> Vec<u8> {
    let row = [&1_u16.to_be_bytes()[..], &u32::try_from(value.len()).unwrap().to_be_bytes(), value.as_bytes()].concat();
    [
        message(b'T', b"\0\0"),
        report(b'N', &[(b'M', "a notice")]),
        message(b'A', b"\0\0\0\x01c\0p\0"),
        parameter("TimeZone", "Asia/Tokyo"),
        message(b'D', &row),
        message(b'C', b"SHOW\0"),
        ready(b'I'),
    ]
    .concat()
}

async fn play_kind(kind: Kind, stream: TcpStream) -> Vec<u8> {
    let mut server = Server { stream };
    server.startup().await;
    let (is_read_only, is_standby) = match kind {
        Kind::Reports { is_read_only, is_standby } => {
            let reports = [
                parameter("default_transaction_read_only", on(is_read_only)),
                parameter("in_hot_standby", on(is_standby)),
            ];
            server.send(&[authentication(0, &[]), reports.concat(), ready(b'I')].concat()).await;
            return server.rest().await;
        }
        Kind::Answers { is_read_only, is_standby } => (is_read_only, is_standby),
        Kind::Mute => {
            server.send(&welcome()).await;
            server.query().await;
            server.send(&[error("42501", "permission denied"), ready(b'I')].concat()).await;
            return server.rest().await;
        }
    };
    server.send(&welcome()).await;
    let bytes = match server.query().await.as_str() {
        "SHOW transaction_read_only" => answer(on(is_read_only)),
        "SELECT pg_catalog.pg_is_in_recovery()" => answer(if is_standby { "t" } else { "f" }),
        other => panic!("{other}"),
    };
    // In two pieces, so that the answer has to be waited for.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    server.send(first).await;
    tokio::task::yield_now().await;
    server.send(second).await;
    server.rest().await
}

/// A server of a kind; its port.
async fn serve(kind: Kind) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(play_kind(kind, stream));
        }
    });
    port
}

async fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port()
}

async fn open_at(ports: &[u16], target: &str) -> Result<Opened, OpenError> {
    let hosts = vec!["127.0.0.1"; ports.len()];
    let options = json!({ "host": hosts, "port": ports, "user": "ann", "targetSessionAttrs": target });
    open(Arc::new(config(&options.to_string()))).await
}

fn port_of(opened: &Opened) -> u16 {
    match &opened.socket {
        Socket::Tcp(stream) => stream.peer_addr().unwrap().port(),
        #[cfg(unix)]
        Socket::Unix(_) => 0,
    }
}

#[test]
fn the_first_server_that_will_do_gives_the_session() {
    run(async {
        for kinds in [[PRIMARY, STANDBY], [OLD_PRIMARY, OLD_STANDBY]] {
            let (primary, standby) = (serve(kinds[0]).await, serve(kinds[1]).await);
            for (target, expected) in [
                ("any", [primary, standby]),
                ("read-write", [primary, primary]),
                ("primary", [primary, primary]),
                ("read-only", [standby, standby]),
                ("standby", [standby, standby]),
                ("prefer-standby", [standby, standby]),
            ] {
                let opened = open_at(&[primary, standby], target).await.unwrap();
                assert_eq!(port_of(&opened), expected[0], "{target}");
                let opened = open_at(&[standby, primary], target).await.unwrap();
                assert_eq!(port_of(&opened), expected[1], "{target}");
            }
        }
    });
}

#[test]
fn a_primary_may_be_read_only() {
    run(async {
        let frozen = serve(FROZEN).await;
        for target in ["any", "read-only", "primary", "prefer-standby"] {
            assert!(open_at(&[frozen], target).await.is_ok(), "{target}");
        }
        for target in ["read-write", "standby"] {
            assert_eq!(open_at(&[frozen], target).await.unwrap_err().kind, OpenErrorKind::Target, "{target}");
        }
    });
}

#[test]
fn what_comes_while_the_server_is_asked_is_kept() {
    run(async {
        let opened = open_at(&[serve(OLD_PRIMARY).await], "read-write").await.unwrap();
        assert!(opened.parameters.contains(&("TimeZone".to_owned(), "Asia/Tokyo".to_owned())));
        assert_eq!(opened.notices.len(), 1);
        assert_eq!(opened.leftover, message(b'A', b"\0\0\0\x01c\0p\0"));
    });
}

#[test]
fn where_no_standby_is_another_will_do_if_standbys_are_preferred() {
    run(async {
        let (first, second) = (serve(PRIMARY).await, serve(OLD_PRIMARY).await);
        let opened = open_at(&[free_port().await, first, second, free_port().await], "prefer-standby").await.unwrap();
        assert_eq!(port_of(&opened), first);
    });
}

#[test]
fn a_server_of_no_use_hears_goodbye() {
    run(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            play_kind(STANDBY, stream).await
        });
        assert_eq!(open_at(&[port], "primary").await.unwrap_err().kind, OpenErrorKind::Target);
        assert_eq!(served.await.unwrap(), b"X\0\0\0\x04");
    });
}

#[test]
fn the_error_tells_what_each_server_said() {
    run(async {
        let ports = [free_port().await, serve(STANDBY).await, serve(Kind::Mute).await, free_port().await];
        let failure = open_at(&ports, "read-write").await.unwrap_err();
        assert_eq!(failure.kind, OpenErrorKind::Target);
        assert!(failure.is_transient() && failure.is_safe_to_retry && !failure.is_unreachable);
        let kinds: Vec<OpenErrorKind> = failure.attempts.iter().map(|attempt| attempt.kind).collect();
        use OpenErrorKind::{Connection, Target};
        assert_eq!(kinds, [Connection, Target, Target, Connection]);
        assert_eq!(failure.attempts[0].cause_code.as_deref(), Some("ECONNREFUSED"));
        let unfit = format!(
            "could not use the session at 127.0.0.1:{}: the session is read-only, and targetSessionAttrs is read-write",
            ports[1]
        );
        assert_eq!(failure.attempts[1].message, unfit);
        assert!(failure.attempts[2].message.ends_with("SHOW transaction_read_only failed: permission denied"));
        let messages: Vec<&str> = failure.attempts.iter().map(|attempt| attempt.message.as_str()).collect();
        let all = format!("no server is what targetSessionAttrs (read-write) asks for: {}", messages.join("; "));
        assert_eq!(failure.message, all);

        let alone = open_at(&ports[1..2], "read-write").await.unwrap_err();
        assert_eq!((alone.kind, alone.message), (Target, unfit));
        assert!(alone.attempts.is_empty());
    });
}

#[test]
fn a_balanced_opening_goes_to_every_host() {
    run(async {
        let ports = [serve(PRIMARY).await, serve(PRIMARY).await, serve(PRIMARY).await];
        let options = json!({
            "host": ["127.0.0.1", "127.0.0.1", "127.0.0.1"], "port": ports, "user": "ann", "loadBalanceHosts": "random"
        });
        let config = Arc::new(config(&options.to_string()));
        let mut seen = HashSet::new();
        // That one of three is missed a hundred times in a row never happens.
        for _ in 0..100 {
            seen.insert(port_of(&open(Arc::clone(&config)).await.unwrap()));
        }
        assert_eq!(seen.len(), 3);
    });
}

#[test]
fn an_address_is_taken_in_place_of_the_name() {
    run(async {
        let port = serve(PRIMARY).await;
        let options = json!({ "host": "no such host.invalid", "hostaddr": "127.0.0.1", "port": port, "user": "ann" });
        assert_eq!(port_of(&open(Arc::new(config(&options.to_string()))).await.unwrap()), port);

        let free = free_port().await;
        let options = json!({ "host": "db.invalid", "hostaddr": "127.0.0.1", "port": free, "user": "ann" });
        let failure = open(Arc::new(config(&options.to_string()))).await.unwrap_err();
        assert!(
            failure.message.starts_with(&format!("could not connect to db.invalid:{free} (127.0.0.1): ")),
            "{failure}"
        );
    });
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn an_abstract_socket_is_found_by_its_name() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    run(async {
        let name = format!("oxpg-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(format!("{name}/.s.PGSQL.7")).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        tokio::spawn(async move {
            let mut server = Server { stream: listener.accept().await.unwrap().0 };
            server.startup().await;
            server.send(&welcome()).await;
            server.rest().await
        });
        let options = json!({ "host": format!("@{name}"), "port": 7, "user": "ann" });
        let opened = open(Arc::new(config(&options.to_string()))).await.unwrap();
        assert!(matches!(opened.socket, Socket::Unix(_)));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_limits_of_liveness_are_set_on_the_socket() {
    use std::time::Duration;

    run(async {
        let port = serve(PRIMARY).await;
        let options = json!({
            "host": "127.0.0.1", "port": port, "user": "ann", "keepalivesIdleMs": 9000, "keepalivesIntervalMs": 2001,
            "keepalivesCount": 5, "tcpUserTimeoutMs": 4321
        });
        let opened = open(Arc::new(config(&options.to_string()))).await.unwrap();
        let Socket::Tcp(stream) = &opened.socket else { panic!("not TCP") };
        let socket = socket2::SockRef::from(stream);
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(9));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(3));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 5);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_millis(4321)));

        let options = json!({ "host": "127.0.0.1", "port": port, "user": "ann", "keepalives": false });
        let opened = open(Arc::new(config(&options.to_string()))).await.unwrap();
        let Socket::Tcp(stream) = &opened.socket else { panic!("not TCP") };
        assert!(!socket2::SockRef::from(stream).keepalive().unwrap());

        let options = json!({ "host": "127.0.0.1", "port": port, "user": "ann", "keepalivesIdleMs": 99_999_000 });
        let failure = open(Arc::new(config(&options.to_string()))).await.unwrap_err();
        assert!(failure.message.contains("the system refuses the value of keepalives"), "{failure}");
    });
}
