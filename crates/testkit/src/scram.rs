//! SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, by hand: what tests the client must not be made of it.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::malformed;
use crate::messages::{Message, authentication, message, sasl};
use crate::scripted::Server;

/// The name of SCRAM-SHA-256, as clients and servers have it.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The GS2 header of a client that does not bind to a channel.
const UNBOUND: &str = "n,,";
/// That of one that would have, had the server known how: over TLS.
const UNBOUND_OVER_TLS: &str = "y,,";

/// The server's side.
#[derive(Debug, Clone)]
pub struct Scram {
    /// The salt of the password.
    pub salt: Vec<u8>,
    /// How often it is hashed.
    pub iterations: u32,
    /// The server's part of the nonce.
    pub server_nonce: String,
}

impl Default for Scram {
    fn default() -> Self {
        Self { salt: b"0123456789abcdef".to_vec(), iterations: 4096, server_nonce: "server-nonce".to_owned() }
    }
}

impl Scram {
    /// The exchange up to the client's proof, which must be right; gives the server's signature.
    ///
    /// # Errors
    /// What the client sent instead, or that it is gone.
    pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        server: &mut Server<S>,
        password: &str,
    ) -> io::Result<Vec<u8>> {
        self.exchange_bound(server, password, &[MECHANISM], unbound).await
    }

    /// The same over TLS, with a client that would bind to it.
    ///
    /// # Errors
    /// Those of [`exchange`](Self::exchange).
    pub async fn exchange_over_tls<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        server: &mut Server<S>,
        password: &str,
    ) -> io::Result<Vec<u8>> {
        self.exchange_bound(server, password, &[MECHANISM], unbound_over_tls).await
    }

    /// The same with these mechanisms; `binding` is given the mechanism that the client chose and its GS2 header, and says
    /// what the client must bind to (RFC 5802, section 6).
    ///
    /// # Errors
    /// Those of [`exchange`](Self::exchange).
    pub async fn exchange_bound<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        server: &mut Server<S>,
        password: &str,
        mechanisms: &[&str],
        binding: impl FnOnce(&str, &str) -> io::Result<Vec<u8>>,
    ) -> io::Result<Vec<u8>> {
        server.send(&sasl(mechanisms)).await;
        let InitialResponse { mechanism, header, bare } = initial_response(&server.try_message(b'p').await?)?;
        let nonce = nonce_of(&bare)?;
        let bound = STANDARD.encode([header.as_bytes(), &binding(&mechanism, &header)?].concat());
        let first = format!("r={nonce}{},s={},i={}", self.server_nonce, STANDARD.encode(&self.salt), self.iterations);
        server.send(&authentication(11, first.as_bytes())).await;

        let last = text(server.try_message(b'p').await?)?;
        let (without_proof, proof) = last.rsplit_once(",p=").ok_or_else(|| malformed("no proof"))?;
        if without_proof != format!("c={bound},r={nonce}{}", self.server_nonce) {
            return Err(malformed(format!("a client-final-message that starts with {without_proof:?}")));
        }
        let message = format!("{bare},{first},{without_proof}");
        let salted = salted_password(password, &self.salt, self.iterations);
        let stored_key = Sha256::digest(hmac(&salted, b"Client Key")).to_vec();
        let proof = STANDARD.decode(proof).map_err(|_| malformed("a proof that is no base64"))?;
        let client_key = xor(&proof, &hmac(&stored_key, message.as_bytes()));
        if Sha256::digest(client_key).to_vec() != stored_key {
            return Err(malformed("the client's proof is wrong"));
        }
        Ok(hmac(&hmac(&salted, b"Server Key"), message.as_bytes()))
    }
}

/// The server-final-message with its signature.
#[must_use]
pub fn server_final(signature: &[u8]) -> Vec<u8> {
    authentication(12, format!("v={}", STANDARD.encode(signature)).as_bytes())
}

/// The client-first-message of a SASLInitialResponse: its part without the GS2 header, and the client's nonce.
///
/// # Errors
/// Whatever is no such message of a client that does not bind to a channel.
pub fn client_first(body: &[u8]) -> io::Result<(String, String)> {
    first_of(body, unbound)
}

/// The same of a client over TLS that would bind to it.
///
/// # Errors
/// Those of [`client_first`].
pub fn client_first_over_tls(body: &[u8]) -> io::Result<(String, String)> {
    first_of(body, unbound_over_tls)
}

fn first_of(body: &[u8], binding: impl FnOnce(&str, &str) -> io::Result<Vec<u8>>) -> io::Result<(String, String)> {
    let InitialResponse { mechanism, header, bare } = initial_response(body)?;
    binding(&mechanism, &header)?;
    let nonce = nonce_of(&bare)?;
    Ok((bare, nonce))
}

/// What a client binds to that does not bind to a channel.
fn unbound(mechanism: &str, header: &str) -> io::Result<Vec<u8>> {
    nothing_bound(mechanism, header, UNBOUND)
}

fn unbound_over_tls(mechanism: &str, header: &str) -> io::Result<Vec<u8>> {
    nothing_bound(mechanism, header, UNBOUND_OVER_TLS)
}

fn nothing_bound(mechanism: &str, header: &str, expected: &str) -> io::Result<Vec<u8>> {
    match (mechanism, header) {
        (MECHANISM, header) if header == expected => Ok(Vec::new()),
        _ => Err(malformed(format!("the mechanism {mechanism} with the GS2 header {header:?}"))),
    }
}

/// A SASLInitialResponse.
struct InitialResponse {
    mechanism: String,
    /// The GS2 header of the client-first-message.
    header: String,
    /// The rest of it.
    bare: String,
}

fn initial_response(body: &[u8]) -> io::Result<InitialResponse> {
    let end = body.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("a mechanism without an end"))?;
    let response = body.get(end + 5..).ok_or_else(|| malformed("no response"))?;
    let response = text(response.to_vec())?;
    let header_end = response.find(",,").ok_or_else(|| malformed("no GS2 header"))? + 2;
    let (header, bare) = response.split_at(header_end);
    Ok(InitialResponse { mechanism: text(body[..end].to_vec())?, header: header.to_owned(), bare: bare.to_owned() })
}

fn nonce_of(bare: &str) -> io::Result<String> {
    Ok(bare.split_once("r=").ok_or_else(|| malformed("no nonce"))?.1.to_owned())
}

/// The client's side, from AuthenticationSASL's answer to the server's signature, which is not looked at.
///
/// # Errors
/// What the server sent instead, or that it is gone.
pub(crate) async fn authenticate(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), password: &str) -> io::Result<()> {
    // The exchange is with a server of the tests: the nonce need not be a secret.
    let bare = format!("n=,r=testkit{}", std::process::id());
    let response = format!("n,,{bare}");
    let length = u32::try_from(response.len()).unwrap_or_default().to_be_bytes();
    let initial = [MECHANISM.as_bytes(), &[0], &length, response.as_bytes()].concat();
    stream.write_all(&message(b'p', &initial)).await?;
    let first = text(sasl_data(&Message::read(stream).await?, 11)?)?;
    let mut parts = first.splitn(3, ',').map(|part| part.get(2..).unwrap_or_default());
    let (nonce, salt, iterations) = (parts.next(), parts.next(), parts.next());
    let salt = STANDARD.decode(salt.unwrap_or_default()).map_err(|_| malformed("a salt that is no base64"))?;
    let iterations = iterations.and_then(|text| text.parse().ok()).ok_or_else(|| malformed("no iterations"))?;
    let without_proof = format!("c=biws,r={}", nonce.unwrap_or_default());
    let auth_message = format!("{bare},{first},{without_proof}");
    let client_key = hmac(&salted_password(password, &salt, iterations), b"Client Key");
    let signature = hmac(&Sha256::digest(&client_key), auth_message.as_bytes());
    let last = format!("{without_proof},p={}", STANDARD.encode(xor(&client_key, &signature)));
    stream.write_all(&message(b'p', last.as_bytes())).await?;
    sasl_data(&Message::read(stream).await?, 12).map(drop)
}

/// What an Authentication… message of the kind `code` carries.
fn sasl_data(message: &Message, code: u32) -> io::Result<Vec<u8>> {
    let data = message.body().strip_prefix(&code.to_be_bytes()).filter(|_| message.tag == b'R');
    data.map(<[u8]>::to_vec).ok_or_else(|| malformed(format!("not the message {code} of SCRAM: {message:?}")))
}

fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
    let mut block = hmac(password.as_bytes(), &[salt, &[0, 0, 0, 1]].concat());
    let mut salted = block.clone();
    for _ in 1..iterations {
        block = hmac(password.as_bytes(), &block);
        salted = xor(&salted, &block);
    }
    salted
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))
}
