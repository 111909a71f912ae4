//! Hosts in order, one deadline, cancel requests: over real sockets, with scripted servers behind them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod open_server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use open_server::*;
use oxpg_client::open::{Config, OpenErrorKind, Opened, Particulars, Socket, cancel, open, open_with, parted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A port where nobody listens.
async fn free_port() -> u16 {
    listen().await.1
}

/// A server that greets each session with these bytes after its startup message.
async fn greeting(bytes: Vec<u8>) -> u16 {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut server = Server { stream };
            let bytes = bytes.clone();
            tokio::spawn(async move {
                server.startup().await;
                server.send(&bytes).await;
                server.rest().await;
            });
        }
    });
    port
}

/// A server that accepts and says nothing.
async fn stalled() -> u16 {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        let mut streams = Vec::new();
        loop {
            streams.push(listener.accept().await.unwrap());
        }
    });
    port
}

fn hosts(ports: &[u16], timeout_ms: u32) -> Arc<Config> {
    let names = vec![r#""127.0.0.1""#; ports.len()].join(",");
    Arc::new(config(&format!(
        r#"{{"host":[{names}],"port":{ports:?},"user":"ann","password":"{SECRET}","connectTimeoutMs":{timeout_ms}}}"#
    )))
}

fn port_of(opened: &Opened) -> u16 {
    match &opened.socket {
        Socket::Tcp(stream) => stream.peer_addr().unwrap().port(),
        #[cfg(unix)]
        Socket::Unix(_) => 0,
    }
}

#[test]
fn the_socket_is_handed_over_ready_for_the_loop() {
    run(async {
        let port = greeting([welcome(), parameter("late", "1")].concat()).await;
        let opened = open(hosts(&[port], 5000)).await.unwrap();
        assert_eq!((opened.backend_pid, opened.transaction_status), (4711, b'I'));
        let Socket::Tcp(mut stream) = opened.socket else { panic!("not TCP") };
        assert!(stream.nodelay().unwrap());
        assert!(socket2::SockRef::from(&stream).keepalive().unwrap());
        let mut rest = opened.leftover;
        if rest.is_empty() {
            TcpStream::from_std(stream.try_clone().unwrap()).unwrap().readable().await.unwrap();
        }
        let mut buffer = [0; 64];
        loop {
            match std::io::Read::read(&mut stream, &mut buffer) {
                Ok(count) => rest.extend_from_slice(&buffer[..count]),
                // Non-blocking.
                Err(error) => break assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(rest, parameter("late", "1"));
    });
}

#[test]
fn nobody_listening_is_a_connection_error_with_its_cause() {
    run(async {
        let port = free_port().await;
        let error = open(hosts(&[port], 5000)).await.unwrap_err();
        assert_eq!((error.kind, error.sqlstate.as_deref()), (OpenErrorKind::Connection, Some("08006")));
        assert_eq!(error.cause_code.as_deref(), Some("ECONNREFUSED"));
        assert!(error.message.starts_with(&format!("could not connect to 127.0.0.1:{port}: ")), "{error}");
        assert!(error.is_transient() && error.is_safe_to_retry && error.is_unreachable);
        let error = open(hosts(&[free_port().await, free_port().await], 5000)).await.unwrap_err();
        assert!(error.is_unreachable, "nobody listens at either");

        let options = r#"{"host":"no such host.invalid","user":"ann","connectTimeoutMs":20000}"#;
        let error = open(Arc::new(config(options))).await.unwrap_err();
        assert_eq!((error.kind, error.cause_code.as_deref()), (OpenErrorKind::Connection, Some("ENOTFOUND")));
        assert!(error.message.starts_with("could not find no such host.invalid:5432: "), "{error}");
        assert!(error.is_unreachable);
    });
}

#[test]
fn the_next_host_is_tried_when_one_gives_no_session() {
    run(async {
        let refused = free_port().await;
        let starting = greeting(error("57P03", "the database system is starting up")).await;
        let broken = greeting(authentication(0, &[])[..4].to_vec()).await;
        let good = greeting(welcome()).await;
        // The broken server keeps the connection open, so only its share of the time ends it.
        let opened = open(hosts(&[refused, starting, broken, good], 4000)).await.unwrap();
        assert_eq!(port_of(&opened), good);
    });
}

#[test]
fn a_final_refusal_ends_the_search() {
    run(async {
        let refused = free_port().await;
        let wrong = greeting(error("28P01", "password authentication failed")).await;
        let good = greeting(welcome()).await;
        let error = open(hosts(&[refused, wrong, good], 5000)).await.unwrap_err();
        assert_eq!((error.kind, error.sqlstate.as_deref()), (OpenErrorKind::Server, Some("28P01")));
        let before = format!("password authentication failed (before that: could not connect to 127.0.0.1:{refused}: ");
        assert!(error.message.starts_with(&before), "{error}");
    });
}

#[test]
fn the_last_error_tells_of_every_host() {
    run(async {
        let ports = [free_port().await, greeting(error("57P03", "starting up")).await, free_port().await];
        let error = open(hosts(&ports, 5000)).await.unwrap_err();
        assert_eq!(error.cause_code.as_deref(), Some("ECONNREFUSED"));
        assert!(!error.is_unreachable, "one of them is there, and starts up");
        for text in [format!(":{}: ", ports[0]), "starting up".to_owned(), format!(":{}: ", ports[2])] {
            assert!(error.message.contains(&text), "{error}");
        }
    });
}

#[test]
fn one_deadline_covers_everything() {
    run(async {
        let port = stalled().await;
        // Nothing but the deadline ever happens here, so the clock may jump to it.
        tokio::time::pause();
        for ports in [&[port][..], &[port, port, port]] {
            let started = Instant::now();
            let error = open(hosts(ports, 300)).await.unwrap_err();
            let elapsed = started.elapsed();
            assert_eq!(error.kind, OpenErrorKind::Timeout);
            assert!(error.message.contains("connectTimeoutMs"), "{error}");
            assert!(error.is_transient());
            assert!((Duration::from_millis(300)..Duration::from_millis(310)).contains(&elapsed), "{elapsed:?}");
        }
    });
}

#[test]
fn what_is_left_of_the_time_is_all_there_is() {
    run(async {
        let port = stalled().await;
        tokio::time::pause();
        let started = Instant::now();
        let particulars = Particulars { timeout: Some(Duration::from_millis(40)), ..Particulars::default() };
        let error = open_with(hosts(&[port], 60_000), particulars).await.unwrap_err();
        assert_eq!(error.kind, OpenErrorKind::Timeout);
        assert!(started.elapsed() < Duration::from_millis(50), "{:?}", started.elapsed());
    });
}

#[test]
fn a_stalled_host_leaves_time_for_the_next() {
    run(async {
        let good = greeting(welcome()).await;
        let opened = open(hosts(&[stalled().await, good], 4000)).await.unwrap();
        assert_eq!(port_of(&opened), good);
    });
}

#[test]
fn dropping_the_future_closes_the_connection() {
    run(async {
        let (listener, port) = listen().await;
        let opening = tokio::spawn(open(hosts(&[port], 0)));
        let mut server = Server { stream: listener.accept().await.unwrap().0 };
        server.startup().await;
        server.send(&authentication(3, &[])).await;
        server.password_message().await;
        opening.abort();
        assert_eq!(server.rest().await, b"", "the end of the stream, and no hang");
        assert!(opening.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_refused_server_sees_the_end_of_the_connection() {
    run(async {
        let (listener, port) = listen().await;
        let opening = tokio::spawn(open(hosts(&[port], 0)));
        let mut server = Server { stream: listener.accept().await.unwrap().0 };
        server.startup().await;
        server.send(&authentication(7, &[])).await;
        assert_eq!(opening.await.unwrap().unwrap_err().kind, OpenErrorKind::Unsupported);
        assert_eq!(server.rest().await, b"");
    });
}

#[test]
fn a_servers_last_words_are_heard_although_it_never_read_ours() {
    run(async {
        let (listener, port) = listen().await;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut server = Server { stream };
            server.send(&error("53300", "sorry, too many clients already")).await;
            server.startup().await;
        });
        // Instead of an answer to the request for TLS, nobody would vouch for them.
        let options = format!(r#"{{"host":"127.0.0.1","port":{port},"user":"ann","ssl":"disable"}}"#);
        let error = open(Arc::new(config(&options))).await.unwrap_err();
        assert_eq!(error.sqlstate.as_deref(), Some("53300"));
    });
}

#[test]
fn cancel_waits_for_the_servers_end() {
    run(async {
        let (listener, port) = listen().await;
        let key: Vec<u8> = (0..=255).collect();
        let greeting = [authentication(0, &[]), key_data(-2, &key), ready(b'I')].concat();
        let opening = tokio::spawn(open(hosts(&[port], 5000)));
        let mut session = Server { stream: listener.accept().await.unwrap().0 };
        session.startup().await;
        session.send(&greeting).await;
        let opened = opening.await.unwrap().unwrap();

        let target = opened.peer.clone();
        let canceling = tokio::spawn(async move { cancel(&target, opened.backend_pid, &opened.secret_key).await });
        let (mut stream, _): (TcpStream, SocketAddr) = listener.accept().await.unwrap();
        let mut request = vec![0; 12 + key.len()];
        stream.read_exact(&mut request).await.unwrap();
        let head = [268_i32.to_be_bytes(), 80_877_102_i32.to_be_bytes(), (-2_i32).to_be_bytes()].concat();
        assert_eq!(request, [head, key].concat());
        tokio::task::yield_now().await;
        assert!(!canceling.is_finished(), "the server has not closed yet");
        drop(stream);
        canceling.await.unwrap().unwrap();
    });
}

#[cfg(unix)]
mod unix_sockets {
    use super::*;
    use tokio::net::UnixListener;

    #[test]
    fn a_directory_stands_for_its_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".s.PGSQL.6000");
        run(async {
            let listener = UnixListener::bind(&path).unwrap();
            tokio::spawn(async move {
                loop {
                    let mut server = Server { stream: listener.accept().await.unwrap().0 };
                    server.startup().await;
                    server.send(&welcome()).await;
                }
            });
            for host in [directory.path(), &path] {
                // sslmode has no meaning here.
                let options =
                    format!(r#"{{"host":{host:?},"port":6000,"user":"ann","ssl":"require","connectTimeoutMs":5000}}"#);
                let opened = open(Arc::new(config(&options))).await.unwrap();
                assert!(matches!(opened.socket, Socket::Unix(_)));
            }
        });
    }

    #[test]
    fn a_server_of_another_user_is_told_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap().name;
        run(async {
            let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).unwrap();
            let opening = |peer: &str| {
                let options = format!(r#"{{"host":{:?},"user":"ann","requirePeer":"{peer}"}}"#, directory.path());
                tokio::spawn(open(Arc::new(config(&options))))
            };
            let refused = opening("somebody-else");
            let mut said = Vec::new();
            listener.accept().await.unwrap().0.read_to_end(&mut said).await.unwrap();
            assert_eq!(said, b"");
            let error = refused.await.unwrap().unwrap_err();
            assert_eq!((error.kind, error.sqlstate.as_deref()), (OpenErrorKind::Connection, Some("28000")));
            assert!(
                error.message.contains(&format!("runs as the user {user}, and requirePeer (somebody-else)")),
                "{error}"
            );

            let opening = opening(&user);
            let mut server = Server { stream: listener.accept().await.unwrap().0 };
            server.startup().await;
            server.send(&welcome()).await;
            let opened = opening.await.unwrap().unwrap();
            let cancelling = tokio::spawn(async move { cancel(&opened.peer, 7, &[1, 2, 3, 4]).await });
            let mut request = [0; 16];
            listener.accept().await.unwrap().0.read_exact(&mut request).await.unwrap();
            assert_eq!(request[12..], [1, 2, 3, 4]);
            cancelling.await.unwrap().unwrap();
        });
    }

    #[test]
    fn a_missing_socket_is_told_by_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let options = format!(r#"{{"host":{:?},"user":"ann"}}"#, directory.path());
        let error = run(open(Arc::new(config(&options)))).unwrap_err();
        assert_eq!((error.kind, error.cause_code.as_deref()), (OpenErrorKind::Connection, Some("ENOENT")));
        let path = directory.path().join(".s.PGSQL.5432");
        assert!(error.message.starts_with(&format!("could not connect to {}: ", path.display())), "{error}");
    }
}

#[test]
fn a_session_has_parted_when_the_server_has_closed_its_socket() {
    run(async {
        let (listener, port) = listen().await;
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.set_nonblocking(true).unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let parting = tokio::spawn(parted(Socket::Tcp(client)));
        // The server is told that nothing more comes, and has a last word.
        assert_eq!(server.read(&mut [0; 16]).await.unwrap(), 0);
        assert!(!parting.is_finished());
        server.write_all(b"notice").await.unwrap();
        drop(server);
        parting.await.unwrap();
    });
}

#[test]
fn a_server_that_does_not_close_is_not_waited_for_without_end() {
    run(async {
        let (listener, port) = listen().await;
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.set_nonblocking(true).unwrap();
        let server = listener.accept().await.unwrap();
        // Nothing but the deadline ever happens here, so the clock may jump to it.
        tokio::time::pause();
        let started = Instant::now();
        parted(Socket::Tcp(client)).await;
        assert!(started.elapsed() <= Duration::from_secs(3));
        drop(server);
    });
}
