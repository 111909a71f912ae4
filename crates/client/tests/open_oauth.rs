//! OAUTHBEARER against a scripted server with TLS: who is given a token, and who is not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod open_server;

use std::future::Future;
use std::sync::Arc;

use open_server::{SECRET, Server, authentication, error, file, run, sasl, welcome};
use oxpg_client::open::{Config, OpenError, OpenErrorKind, open};
use oxpg_testkit::tls::Identity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

const TOKEN: &str = "marked-token.of-some/length==";

type Encrypted = Server<TlsStream<TcpStream>>;

/// The server's certificate, and its key.
fn identity() -> Identity {
    Identity { certificate: file("server.crt").into(), key: file("server.key").into() }
}

fn config(port: u16, said: &str) -> Config {
    let dsn = format!("host=localhost port={port} user=ann dbname=shop sslrootcert={} {said}", file("ca.crt"));
    let (dsn, token) = match dsn.strip_suffix(" no-token") {
        Some(dsn) => (dsn, "{}".to_owned()),
        None => (dsn.as_str(), format!(r#"{{"oauthToken":"{TOKEN}"}}"#)),
    };
    let dsn = serde_json::to_string(dsn).unwrap();
    Config::from_json(&format!(r#"{{"dsn":{dsn},"options":{token},"environment":{{}}}}"#)).unwrap()
}

/// Opens a session at a server that follows a script after the startup message, on TLS.
fn play<F, T>(
    said: &str,
    script: impl FnOnce(Encrypted) -> F + Send + 'static,
) -> (Result<Vec<(String, String)>, OpenError>, T)
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = config(listener.local_addr().unwrap().port(), said);
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            stream.write_all(b"S").await.unwrap();
            let mut server = Server { stream: identity().acceptor().unwrap().accept(stream).await.unwrap() };
            server.startup().await;
            script(server).await
        });
        let result = open(Arc::new(config)).await;
        if let Err(error) = &result {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("marked") && !shown.contains(SECRET), "{shown}");
        }
        // Its socket must be gone for a server that reads to the end.
        let result = result.map(|opened| opened.parameters);
        (result, server.await.unwrap())
    })
}

/// The server asks for `mechanisms`, and is told nothing.
fn is_told_nothing(said: &str, mechanisms: &'static [&'static str]) -> OpenError {
    let (result, rest) = play(said, move |mut server| async move {
        server.send(&sasl(mechanisms)).await;
        server.rest().await
    });
    assert_eq!(rest, b"", "{said}");
    result.unwrap_err()
}

#[test]
fn a_server_that_is_verified_is_given_the_token() {
    for said in
        ["sslmode=verify-full", "sslmode=verify-full require_auth=oauth", "sslmode=verify-full require_auth=!password"]
    {
        let (result, response) = play(said, |mut server| async move {
            server.send(&sasl(&["OAUTHBEARER"])).await;
            let response = server.password_message().await;
            server.send(&welcome()).await;
            response
        });
        let inner = format!("n,,\u{1}auth=Bearer {TOKEN}\u{1}\u{1}");
        let length = u32::try_from(inner.len()).unwrap().to_be_bytes();
        assert_eq!(response, [b"OAUTHBEARER\0", &length[..], inner.as_bytes()].concat());
        assert_eq!(result.unwrap()[0], ("server_version".to_owned(), "18.1".to_owned()));
    }
}

#[test]
fn a_token_goes_nowhere_else() {
    for mode in ["require", "verify-ca", "prefer"] {
        let refusal = is_told_nothing(&format!("sslmode={mode}"), &["OAUTHBEARER"]);
        assert_eq!(refusal.kind, OpenErrorKind::Configuration);
        assert!(refusal.message.contains("expected sslmode=verify-full"), "{refusal}");
    }
    let refusal = is_told_nothing("sslmode=verify-full require_auth=scram-sha-256", &["OAUTHBEARER"]);
    assert_eq!(refusal.sqlstate.as_deref(), Some("28000"));
    assert!(refusal.message.contains("method oauth, which requireAuth"), "{refusal}");
    let refusal = is_told_nothing("sslmode=verify-full channel_binding=require", &["OAUTHBEARER"]);
    assert_eq!(refusal.sqlstate.as_deref(), Some("28000"));
    assert!(refusal.message.contains("channelBinding"), "{refusal}");
}

#[test]
fn without_a_token_the_error_names_the_option() {
    for said in ["sslmode=verify-full no-token", "sslmode=verify-full password=marked no-token"] {
        let refusal = is_told_nothing(said, &["OAUTHBEARER"]);
        assert_eq!(refusal.kind, OpenErrorKind::Configuration);
        assert!(refusal.message.contains("expected the option oauthToken"), "{refusal}");
    }
}

#[test]
fn a_password_is_proven_where_either_would_do() {
    let mechanism = |said: &str| {
        let (_, response) = play(said, |mut server| async move {
            server.send(&sasl(&["SCRAM-SHA-256", "OAUTHBEARER"])).await;
            server.password_message().await
        });
        response.split(|&byte| byte == 0).next().unwrap().to_vec()
    };
    assert_eq!(mechanism("sslmode=verify-full password=marked"), b"SCRAM-SHA-256");
    assert_eq!(mechanism("sslmode=verify-full"), b"OAUTHBEARER");
}

/// The server refuses the token with a challenge, and sends `end` once it is answered.
fn refused(challenge: &'static [u8], end: Vec<u8>) -> OpenError {
    let (result, response) = play("sslmode=verify-full", move |mut server| async move {
        server.send(&sasl(&["OAUTHBEARER"])).await;
        server.password_message().await;
        server.send(&authentication(11, challenge)).await;
        let response = server.password_message().await;
        server.send(&end).await;
        response
    });
    assert_eq!(response, b"\x01");
    result.unwrap_err()
}

#[test]
fn a_refusal_says_which_tokens_are_taken() {
    let challenge = br#"{"status":"invalid_token","openid-configuration":"https://id.example/x","scope":"db"}"#;
    let why = error("28000", "OAuth bearer authentication failed for user \"ann\"");
    let refusal = refused(challenge, why.clone());
    assert_eq!((refusal.kind, refusal.sqlstate.as_deref()), (OpenErrorKind::Server, Some("28000")));
    let hint = "The server takes tokens with the scope db of the issuer described at https://id.example/x.";
    assert!(refusal.fields.contains(&(b'H', hint.to_owned())), "{:?}", refusal.fields);
    let refusal = refused(b"no JSON", why);
    assert!(refusal.fields.iter().all(|(code, _)| *code != b'H'), "{:?}", refusal.fields);
}

#[test]
fn a_server_that_changes_its_mind_is_refused() {
    for end in [welcome(), authentication(11, b"{}"), authentication(3, &[]), authentication(12, b"")] {
        assert_eq!(refused(b"{}", end).kind, OpenErrorKind::Protocol);
    }
}
