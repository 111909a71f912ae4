//! Against a real server: set OXPG_TEST_URL to a `postgres://` URL whose user's password is in it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod open_server;

use std::sync::Arc;
use std::time::Duration;

use open_server::{SECRET, run};
use oxpg_client::open::{CancelTarget, Config, OpenErrorKind, Opened, Socket, cancel, open};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The URL, or a note that the test is skipped.
fn url() -> Option<String> {
    let url = std::env::var("OXPG_TEST_URL").ok();
    if url.is_none() {
        println!("skipped: OXPG_TEST_URL is not set");
    }
    url
}

fn config(url: &str, options: &serde_json::Value) -> Arc<Config> {
    let json = serde_json::json!({ "dsn": url, "options": options, "environment": {} });
    Arc::new(Config::from_json(&json.to_string()).unwrap())
}

/// A handed-over session, by hand.
struct Session(tokio::net::TcpStream);

impl Session {
    fn of(socket: Socket) -> Self {
        let Socket::Tcp(stream) = socket else { panic!("not TCP") };
        Self(tokio::net::TcpStream::from_std(stream).unwrap())
    }

    async fn query(&mut self, text: &str) {
        let mut message = vec![b'Q'];
        message.extend_from_slice(&i32::try_from(text.len() + 5).unwrap().to_be_bytes());
        message.extend_from_slice(text.as_bytes());
        message.push(0);
        self.0.write_all(&message).await.unwrap();
    }

    /// All messages up to ReadyForQuery.
    async fn answer(&mut self) -> Vec<(u8, Vec<u8>)> {
        let mut messages = Vec::new();
        loop {
            let tag = self.0.read_u8().await.unwrap();
            let mut body = vec![0; usize::try_from(self.0.read_i32().await.unwrap()).unwrap() - 4];
            self.0.read_exact(&mut body).await.unwrap();
            messages.push((tag, body));
            if tag == b'Z' {
                return messages;
            }
        }
    }

    async fn value(&mut self, query: &str) -> String {
        self.query(query).await;
        let answer = self.answer().await;
        let (_, row) = answer.iter().find(|(tag, _)| *tag == b'D').unwrap();
        String::from_utf8(row[6..].to_vec()).unwrap()
    }
}

#[test]
fn a_session_is_ours_with_its_settings() {
    let Some(url) = url() else { return };
    run(async {
        let options = serde_json::json!({
            "applicationName": "oxpg open", "serverSettings": { "search_path": "pg_catalog", "work_mem": "3MB" }
        });
        let opened: Opened = open(config(&url, &options)).await.unwrap();
        assert!(opened.parameters.contains(&("client_encoding".into(), "UTF8".into())));
        assert!(opened.parameters.contains(&("application_name".into(), "oxpg open".into())));
        assert_eq!((opened.transaction_status, opened.leftover.len()), (b'I', 0));
        let mut session = Session::of(opened.socket);
        assert_eq!(session.value("select pg_backend_pid()").await, opened.backend_pid.to_string());
        assert_eq!(session.value("show search_path").await, "pg_catalog");
        assert_eq!(session.value("show work_mem").await, "3MB");
    });
}

#[test]
fn every_method_opens_a_session() {
    let Some(url) = url() else { return };
    run(async {
        for (user, method) in [("md5user", "md5"), ("plainuser", "password"), ("trustuser", "none")] {
            let options = serde_json::json!({ "user": user, "password": "secret", "requireAuth": method });
            if let Err(error) = open(config(&url, &options)).await {
                // Only the development server has these users.
                assert_eq!(error.sqlstate.as_deref(), Some("28P01"), "{error}");
                println!("skipped: the server has no user {user}");
            }
        }
        let options = serde_json::json!({ "requireAuth": "!scram-sha-256,!md5,!password,!none" });
        assert_eq!(open(config(&url, &options)).await.unwrap_err().sqlstate.as_deref(), Some("28000"));
    });
}

#[test]
fn the_servers_refusals_come_through() {
    let Some(url) = url() else { return };
    run(async {
        let cases = [
            (serde_json::json!({ "password": SECRET }), "28P01"),
            (serde_json::json!({ "database": "there is none" }), "3D000"),
            (serde_json::json!({ "serverSettings": { "no_such_setting": "1" } }), "42704"),
            (serde_json::json!({ "serverSettings": { "work_mem": "much" } }), "22023"),
        ];
        for (options, sqlstate) in cases {
            let error = open(config(&url, &options)).await.unwrap_err();
            assert_eq!((error.kind, error.sqlstate.as_deref()), (OpenErrorKind::Server, Some(sqlstate)), "{error}");
            assert!(!error.is_transient());
            assert!(!format!("{error:?}").contains(SECRET));
        }
    });
}

/// Until the query runs, a cancel request hits nothing: repeats it.
async fn answer_of_canceled(session: &mut Session, peer: &CancelTarget, pid: i32, key: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let answer = session.answer();
    tokio::pin!(answer);
    loop {
        cancel(peer, pid, key).await.unwrap();
        if let Ok(messages) = tokio::time::timeout(Duration::from_millis(100), &mut answer).await {
            return messages;
        }
    }
}

#[test]
fn cancel_interrupts_what_runs() {
    let Some(url) = url() else { return };
    run(async {
        let opened = open(config(&url, &serde_json::json!({}))).await.unwrap();
        let mut session = Session::of(opened.socket);
        session.query("select pg_sleep(60)").await;
        let messages = answer_of_canceled(&mut session, &opened.peer, opened.backend_pid, &opened.secret_key).await;
        let (_, error) = messages.iter().find(|(tag, _)| *tag == b'E').unwrap();
        assert!(error.windows(6).any(|window| window == b"C57014"), "query_canceled");
        assert_eq!(session.value("select 1").await, "1");
    });
}
