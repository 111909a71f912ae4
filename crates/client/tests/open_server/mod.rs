//! A scripted server for tests of opening.
#![allow(dead_code, missing_docs, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::future::Future;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use oxpg_client::open::{Config, OpenError, Startup, open_on_stream};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};

/// A password that must show up nowhere.
pub(crate) const SECRET: &str = "marked-Geheimnis";

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) fn config(options: &str) -> Config {
    let json = format!(r#"{{"dsn":null,"options":{options},"environment":{{}}}}"#);
    Config::from_json(&json).unwrap()
}

pub(crate) fn plain_config() -> Config {
    config(&format!(r#"{{"host":"localhost","user":"ann","database":"shop","password":"{SECRET}"}}"#))
}

/// A backend message.
pub(crate) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&i32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// An Authentication… message.
pub(crate) fn authentication(code: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes()[..], rest].concat())
}

pub(crate) fn parameter(name: &str, value: &str) -> Vec<u8> {
    message(b'S', format!("{name}\0{value}\0").as_bytes())
}

pub(crate) fn key_data(pid: i32, key: &[u8]) -> Vec<u8> {
    message(b'K', &[&pid.to_be_bytes()[..], key].concat())
}

pub(crate) fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

/// An ErrorResponse ('E') or NoticeResponse ('N').
pub(crate) fn report(tag: u8, fields: &[(u8, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (code, text) in fields {
        body.push(*code);
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    message(tag, &body)
}

pub(crate) fn error(sqlstate: &str, text: &str) -> Vec<u8> {
    report(b'E', &[(b'S', "FATAL"), (b'V', "FATAL"), (b'C', sqlstate), (b'M', text), (b'R', "auth_failed")])
}

/// What a server sends from AuthenticationOk on.
pub(crate) fn welcome() -> Vec<u8> {
    [
        authentication(0, &[]),
        parameter("server_version", "18.1"),
        parameter("TimeZone", "UTC"),
        key_data(4711, &[1, 2, 3, 4]),
        ready(b'I'),
    ]
    .concat()
}

pub(crate) fn assert_welcome(startup: &Startup) {
    let parameters = [("server_version".to_owned(), "18.1".to_owned()), ("TimeZone".to_owned(), "UTC".to_owned())];
    assert_eq!(startup.parameters, parameters);
    assert_eq!((startup.backend_pid, &*startup.secret_key), (4711, &[1, 2, 3, 4][..]));
    assert_eq!(startup.transaction_status, b'I');
}

/// The server's end of a connection.
pub(crate) struct Server<S> {
    pub(crate) stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Server<S> {
    /// The parameters of a startup message of version 3.0. A request for TLS before it is denied.
    pub(crate) async fn startup(&mut self) -> Vec<(String, String)> {
        self.startup_in_version([0, 3, 0, 0]).await
    }

    pub(crate) async fn startup_in_version(&mut self, version: [u8; 4]) -> Vec<(String, String)> {
        let mut body = self.unnamed_message().await;
        if body == [0x04, 0xd2, 0x16, 0x2f] {
            self.stream.write_all(b"N").await.unwrap();
            body = self.unnamed_message().await;
        }
        assert_eq!(body[..4], version, "protocol version");
        let texts: Vec<String> =
            body[4..].split(|byte| *byte == 0).map(|text| String::from_utf8(text.to_vec()).unwrap()).collect();
        assert_eq!(texts[texts.len() - 2..], ["", ""], "the end of the startup message");
        texts[..texts.len() - 2].chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }

    async fn unnamed_message(&mut self) -> Vec<u8> {
        let length = self.stream.read_i32().await.unwrap();
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        self.stream.read_exact(&mut body).await.unwrap();
        body
    }

    /// A 'p' message's body.
    pub(crate) async fn password_message(&mut self) -> Vec<u8> {
        self.message(b'p').await
    }

    /// A 'Q' message's text.
    pub(crate) async fn query(&mut self) -> String {
        let body = self.message(b'Q').await;
        String::from_utf8(body[..body.len() - 1].to_vec()).unwrap()
    }

    async fn message(&mut self, tag: u8) -> Vec<u8> {
        assert_eq!(self.stream.read_u8().await.unwrap(), tag);
        let length = self.stream.read_i32().await.unwrap();
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        self.stream.read_exact(&mut body).await.unwrap();
        body
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // The client may have had enough.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Everything that the client still sends until it closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes).await;
        bytes
    }
}

/// Runs a client against a server's script over a pipe that holds `buffer` bytes; gives the client's result, and what
/// the script gives.
pub(crate) fn play<F, T>(
    config: Config,
    buffer: usize,
    script: impl FnOnce(Server<DuplexStream>) -> F,
) -> (Result<Startup, OpenError>, T)
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    run(async {
        let (mut client, server) = duplex(buffer);
        let script = tokio::spawn(script(Server { stream: server }));
        let result = open_on_stream(&mut client, &config).await;
        drop(client);
        (result, script.await.unwrap())
    })
}

/// Plays a server that reads the startup message and then sends `bytes`; gives what the client said afterwards.
pub(crate) fn play_bytes(config: Config, bytes: Vec<u8>) -> (Result<Startup, OpenError>, Vec<u8>) {
    play(config, 64 << 10, |mut server| async move {
        server.startup().await;
        let (mut reader, mut writer) = tokio::io::split(server.stream);
        let writing = tokio::spawn(async move {
            let _ = writer.write_all(&bytes).await;
            let _ = writer.shutdown().await;
        });
        let mut said = Vec::new();
        let _ = reader.read_to_end(&mut said).await;
        let _ = writing.await;
        said
    })
}

/// The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677).
pub(crate) struct Scram {
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
    pub(crate) server_nonce: &'static str,
}

impl Default for Scram {
    fn default() -> Self {
        Self { salt: b"0123456789abcdef".to_vec(), iterations: 4096, server_nonce: "server-nonce" }
    }
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

/// The client-first-message of a SASLInitialResponse: its part without the GS2 header, and the client's nonce.
pub(crate) fn client_first(body: &[u8]) -> (String, String) {
    let (mechanism, header, bare) = initial_response(body);
    assert_eq!((&*mechanism, &*header), ("SCRAM-SHA-256", "n,,"));
    let nonce = bare.split_once("r=").unwrap().1.to_owned();
    (bare, nonce)
}

/// A SASLInitialResponse: the mechanism, the GS2 header, and the rest of the client-first-message.
pub(crate) fn initial_response(body: &[u8]) -> (String, String, String) {
    let mechanism_end = body.iter().position(|byte| *byte == 0).unwrap();
    let mechanism = String::from_utf8(body[..mechanism_end].to_vec()).unwrap();
    let text = String::from_utf8(body[mechanism_end + 5..].to_vec()).unwrap();
    let (header, bare) = text.split_at(text.find(",,").unwrap() + 2);
    (mechanism, header.to_owned(), bare.to_owned())
}

pub(crate) fn sasl(mechanisms: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = mechanisms.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).chain([0]).collect();
    authentication(10, &list)
}

impl Scram {
    /// The exchange up to the client's proof, which must be right; gives the server's signature.
    pub(crate) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        server: &mut Server<S>,
        password: &str,
    ) -> Vec<u8> {
        self.exchange_bound(server, password, &["SCRAM-SHA-256"], |mechanism, header| {
            assert_eq!((mechanism, header), ("SCRAM-SHA-256", "n,,"));
            Vec::new()
        })
        .await
    }

    /// The same with these mechanisms; `binding` is given the mechanism that the client chose and its GS2 header, and
    /// says what the client must bind to.
    pub(crate) async fn exchange_bound<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        server: &mut Server<S>,
        password: &str,
        mechanisms: &[&str],
        binding: impl FnOnce(&str, &str) -> Vec<u8>,
    ) -> Vec<u8> {
        server.send(&sasl(mechanisms)).await;
        let (mechanism, header, bare) = initial_response(&server.password_message().await);
        let nonce = bare.split_once("r=").unwrap().1.to_owned();
        let bound = STANDARD.encode([header.as_bytes(), &binding(&mechanism, &header)].concat());
        let first = format!("r={nonce}{},s={},i={}", self.server_nonce, STANDARD.encode(&self.salt), self.iterations);
        server.send(&authentication(11, first.as_bytes())).await;

        let last = String::from_utf8(server.password_message().await).unwrap();
        let (without_proof, proof) = last.rsplit_once(",p=").unwrap();
        assert_eq!(without_proof, format!("c={bound},r={nonce}{}", self.server_nonce));
        let message = format!("{bare},{first},{without_proof}");

        let mut block = hmac(password.as_bytes(), &[&self.salt[..], &[0, 0, 0, 1]].concat());
        let mut salted = block.clone();
        for _ in 1..self.iterations {
            block = hmac(password.as_bytes(), &block);
            salted = xor(&salted, &block);
        }
        let stored_key = Sha256::digest(hmac(&salted, b"Client Key")).to_vec();
        let client_key = xor(&STANDARD.decode(proof).unwrap(), &hmac(&stored_key, message.as_bytes()));
        assert_eq!(Sha256::digest(client_key).to_vec(), stored_key, "the client's proof");
        hmac(&hmac(&salted, b"Server Key"), message.as_bytes())
    }
}

pub(crate) fn server_final(signature: &[u8]) -> Vec<u8> {
    authentication(12, format!("v={}", STANDARD.encode(signature)).as_bytes())
}
