//! Scripted servers, the pooler in front of some, and the lines that drive both.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::future::Future;
use std::io::{BufReader, Read, Write};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oxpg_testkit::control;
use oxpg_testkit::login::Login;
use oxpg_testkit::messages::{self, Message};
use oxpg_testkit::pooler::{Mode, Pooler};
use oxpg_testkit::scripted::{Report, ScriptedServer, Step};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn script(steps: Value) -> Vec<Step> {
    serde_json::from_value(steps).unwrap()
}

fn login(port: u16, password: &str) -> Login {
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    Login { address, user: "ann".to_owned(), password: password.to_owned(), database: "shop".to_owned() }
}

/// What is told at the end of a connection.
struct End {
    error: Option<String>,
    said: Vec<u8>,
    wire: Vec<u8>,
    sent: u64,
}

impl End {
    fn of(report: Report) -> Self {
        let Report::Ended { error, said, wire, sent, .. } = report else { panic!("{report:?}") };
        let [said, wire] = [said, wire].map(|text| STANDARD.decode(text).unwrap());
        Self { error, said, wire, sent }
    }
}

#[test]
fn a_script_is_played_and_told() {
    run(async {
        let steps = json!([{ "expect": "startup" }, { "send": ["welcome"] }, { "expect": { "tag": "X" } }]);
        let (server, mut reports) = ScriptedServer::start(vec![script(steps)]).await.unwrap();
        let mut session = login(server.port(), "").open().await.unwrap();
        assert_eq!(session.parameters, [b"server_version\x0018.1\0".to_vec(), b"TimeZone\0UTC\0".to_vec()]);
        assert_eq!(reports.recv().await.unwrap(), Report::Connected { connection: 1 });
        assert!(matches!(reports.recv().await.unwrap(), Report::Received { message, .. } if message.tag.is_empty()));
        session.stream.write_all(&messages::message(b'Q', b"select 1\0")).await.unwrap();
        assert!(matches!(reports.recv().await.unwrap(), Report::Received { message, .. } if message.tag == "Q"));
        let ended = End::of(reports.recv().await.unwrap());
        assert_eq!(ended.error.as_deref(), Some("expected 'X', got 'Q'"));
        assert!(ended.said.ends_with(b"Q\0\0\0\x0dselect 1\0"), "{:?}", ended.said);
        assert_eq!((ended.wire, ended.sent), (ended.said, messages::welcome().len() as u64));
        assert_eq!(session.stream.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn a_script_goes_on_over_tls() {
    run(async {
        let file = |name| format!("{}/../../__test__/support/certificates/{name}", env!("CARGO_MANIFEST_DIR"));
        let identity = json!({ "certificate": file("server.crt"), "key": file("server.key") });
        let steps = json!([{ "tls": identity }, { "expect": "startup" }, { "send": ["welcome"] }, "drain"]);
        let (server, mut reports) = ScriptedServer::start(vec![script(steps)]).await.unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(file("ca.crt")).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        client.write_all(&messages::startup_message(messages::SSL_REQUEST, &[])).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'S');
        let name = "localhost".try_into().unwrap();
        let mut client = TlsConnector::from(Arc::new(config)).connect(name, client).await.unwrap();
        client.write_all(&messages::startup_message(0x0003_0000, b"user\0hidden\0\0")).await.unwrap();
        let mut welcome = vec![0; messages::welcome().len()];
        client.read_exact(&mut welcome).await.unwrap();
        client.shutdown().await.unwrap();
        let ended = loop {
            match reports.recv().await.unwrap() {
                report @ Report::Ended { .. } => break End::of(report),
                _ => continue,
            }
        };
        let is_in = |bytes: &[u8]| bytes.windows(6).any(|window| window == b"hidden");
        assert_eq!((ended.error, is_in(&ended.said), is_in(&ended.wire)), (None, true, false));
        assert_eq!(welcome, messages::welcome());
    });
}

#[test]
fn each_connection_has_the_next_script_and_all_others_the_last() {
    run(async {
        let scripts = ["fin", "rst"].map(|how| script(json!([{ "read": 1 }, { "close": how }])));
        let (server, _reports) = ScriptedServer::start(scripts.to_vec()).await.unwrap();
        for is_reset in [false, true, true] {
            let mut client = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
            client.write_all(b"x").await.unwrap();
            assert_eq!(client.read(&mut [0]).await.is_err(), is_reset);
        }
    });
}

#[test]
fn scram_is_played_by_both_sides() {
    run(async {
        let scram = json!({ "scram": { "password": "secret", "iterations": 10 } });
        let steps = script(json!([{ "expect": "startup" }, scram, { "send": ["welcome"] }, "drain"]));
        let (server, mut reports) = ScriptedServer::start(vec![steps]).await.unwrap();
        login(server.port(), "secret").open().await.unwrap();
        assert!(login(server.port(), "wrong").open().await.is_err());
        let mut ends = Vec::new();
        while ends.len() < 2 {
            if let Report::Ended { error, .. } = reports.recv().await.unwrap() {
                ends.push(error);
            }
        }
        assert_eq!(ends, [None, Some("the client's proof is wrong".to_owned())]);
    });
}

#[test]
fn a_script_repeats_until_the_client_has_had_enough() {
    run(async {
        let endless = json!([{ "repeat": { "steps": [{ "send": [{ "notice": { "M": "again" } }] }] } }]);
        let (server, mut reports) = ScriptedServer::start(vec![script(endless)]).await.unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        for _ in 0..1_000 {
            assert_eq!(Message::read(&mut client).await.unwrap().body(), b"Magain\0\0");
        }
        drop(client);
        reports.recv().await.unwrap();
        assert!(matches!(reports.recv().await.unwrap(), Report::Ended { error: Some(_), .. }));
    });
}

/// A client of a pooler, past its startup.
async fn client_of(pooler: &Pooler) -> TcpStream {
    login(pooler.port(), "").open().await.unwrap().stream
}

/// The tags of all messages up to ReadyForQuery.
async fn ask(client: &mut TcpStream, query: &str) -> String {
    client.write_all(&messages::message(b'Q', format!("{query}\0").as_bytes())).await.unwrap();
    let mut tags = String::new();
    while !tags.ends_with('Z') {
        tags.push(char::from(Message::read(client).await.unwrap().tag));
    }
    tags
}

#[test]
fn a_pooler_gives_each_transaction_the_server_that_was_free_for_longest() {
    run(async {
        let answer = json!({ "answer": { "columns": [{ "name": "a", "oid": 25 }], "rows": [["x"]] } });
        let steps = script(json!([{ "expect": "startup" }, { "send": ["welcome"] }, answer]));
        let (server, _reports) = ScriptedServer::start(vec![steps]).await.unwrap();
        let pooler = Pooler::start(login(server.port(), ""), 2, Mode::Transaction, None).await.unwrap();
        let (mut first, mut second) = (client_of(&pooler).await, client_of(&pooler).await);
        for _ in 0..3 {
            assert_eq!(ask(&mut first, "select 1").await, "TDCZ");
        }
        assert_eq!(pooler.changes(), 3, "one client alone goes round");
        assert_eq!(ask(&mut second, "select 1").await, "TDCZ");
        assert_eq!(pooler.changes(), 4);
    });
}

#[test]
fn a_pooler_passes_cancels_on_to_the_server_that_the_client_has() {
    run(async {
        let session = json!([{ "expect": "startup" }, { "send": ["welcome"] }, { "expect": { "tag": "Q" } }, "hold"]);
        let scripts = vec![script(session), script(json!([{ "expect": "cancel" }]))];
        let (server, mut reports) = ScriptedServer::start(scripts).await.unwrap();
        let pooler = Pooler::start(login(server.port(), ""), 1, Mode::Transaction, None).await.unwrap();
        let way = login(pooler.port(), "");
        let (mut client, another) = (way.open().await.unwrap(), way.open().await.unwrap());
        assert_ne!(client.key, another.key);
        way.cancel(&client.key).await.unwrap();
        assert_eq!(pooler.cancels(), 0, "it has no server");
        client.stream.write_all(&messages::message(b'Q', b"select 1\0")).await.unwrap();
        while pooler.cancels() == 0 {
            way.cancel(&client.key).await.unwrap();
        }
        way.cancel(&another.key).await.unwrap();
        assert_eq!(pooler.cancels(), 1, "of one that has none");
        let told = loop {
            match reports.recv().await.unwrap() {
                report @ Report::Ended { connection: 2, .. } => break End::of(report),
                _ => continue,
            }
        };
        assert_eq!(told.error, None);
        assert!(told.said.ends_with(&[0, 0, 0x12, 0x67, 1, 2, 3, 4]), "{:?}", told.said);
    });
}

#[test]
fn a_pooler_replaces_a_server_that_a_client_leaves_in_a_transaction() {
    run(async {
        let begin = json!([{ "expect": "startup" }, { "send": ["welcome"] }, { "expect": { "tag": "Q" } },
            { "send": [{ "complete": "BEGIN" }, { "ready": "T" }] }, "drain"]);
        let answer = json!({ "answer": { "columns": [], "rows": [] } });
        let honest = json!([{ "expect": "startup" }, { "send": ["welcome"] }, answer]);
        let (server, _reports) = ScriptedServer::start(vec![script(begin), script(honest)]).await.unwrap();
        let pooler = Pooler::start(login(server.port(), ""), 1, Mode::Transaction, None).await.unwrap();
        let mut leaving = client_of(&pooler).await;
        assert_eq!(ask(&mut leaving, "begin").await, "CZ");
        let mut waiting = client_of(&pooler).await;
        drop(leaving);
        assert_eq!(ask(&mut waiting, "select 1").await, "TCZ");
    });
}

#[test]
fn a_pooler_in_statement_mode_ends_who_begins_a_transaction() {
    run(async {
        let begin = json!([{ "expect": "startup" }, { "send": ["welcome"] }, { "expect": { "tag": "Q" } },
            { "send": [{ "complete": "BEGIN" }, { "ready": "T" }] }, "drain"]);
        let answer = json!({ "answer": { "columns": [], "rows": [] } });
        let honest = json!([{ "expect": "startup" }, { "send": ["welcome"] }, answer]);
        let (server, _reports) = ScriptedServer::start(vec![script(begin), script(honest)]).await.unwrap();
        let pooler = Pooler::start(login(server.port(), ""), 1, Mode::Statement, None).await.unwrap();
        let mut beginning = client_of(&pooler).await;
        beginning.write_all(&messages::message(b'Q', b"begin\0")).await.unwrap();
        let mut tags = String::new();
        while let Ok(message) = Message::read(&mut beginning).await {
            tags.push(char::from(message.tag));
        }
        assert_eq!(tags, "CE", "it is not told that it is ready");
        assert_eq!(ask(&mut client_of(&pooler).await, "select 1").await, "TCZ");
    });
}

/// Input that a test writes to while it is read.
struct Lines(std::sync::mpsc::Receiver<Vec<u8>>, Vec<u8>);

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.recv().unwrap_or_default();
        }
        let count = self.1.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.1[..count]);
        self.1.drain(..count);
        Ok(count)
    }
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_call_is_answered_by_its_number_and_the_end_of_the_input_is_the_end() {
    let (input, lines) = std::sync::mpsc::channel();
    let calls = [
        r#"{"id":1,"call":"openServer","scripts":[["hold"]]}"#,
        r#"{"id":2,"call":"closeServer","server":1}"#,
        r#"{"id":3,"call":"counts","proxy":9}"#,
        r#"{"id":4,"call":"nonsense"}"#,
        r#"{"id":5,"call":"openServer","scripts":[[{"send":[{"bytes":"not base64!"}]}]]}"#,
        "garbage",
    ];
    for call in calls {
        input.send(format!("{call}\n").into_bytes()).unwrap();
    }
    drop(input);
    let output = Output::default();
    control::run(BufReader::new(Lines(lines, Vec::new())), output.clone()).unwrap();
    let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), calls.len(), "{text}");
    assert_eq!(answers[0]["result"]["server"], 1);
    assert_eq!(answers[1], json!({ "id": 2, "result": null }));
    assert_eq!(answers[2], json!({ "id": 3, "error": "there is no proxy 9" }));
    assert!(answers[3]["error"].as_str().unwrap().contains("nonsense"), "{text}");
    assert!(answers[4]["error"].as_str().unwrap().contains("is no base64"), "{text}");
    assert_eq!(answers[5]["id"], Value::Null);
}
