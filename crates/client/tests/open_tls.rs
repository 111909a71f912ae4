//! Row 33 of the promises: sslmode × answer to the request for TLS × authentication × channel binding × requireAuth ×
//! certificate, against a scripted server. Each combination has the outcome that libpq documents, and the server sees
//! exactly what it may: above all no password where policy forbids it, which is looked for in all that was said, and in
//! all that went over the wire.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod open_server;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use open_server::{SECRET, Scram, Server, authentication, error, file, run, server_final, welcome};
use oxpg_client::open::{Config, OpenErrorKind, open};
use oxpg_testkit::scripted::Record;
use oxpg_testkit::tls::Identity;
use postgres_protocol::authentication::md5_hash;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
const BINDINGS: [&str; 3] = ["disable", "prefer", "require"];
const REQUIRE_AUTH: [&str; 3] = ["", "scram-sha-256", "!password,!md5"];

/// What the server says to the request for TLS.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Yes,
    No,
    /// An ErrorResponse, whose text nobody vouches for.
    Error,
    /// What no PostgreSQL says.
    Garbage,
    /// Unencrypted bytes behind the yes.
    YesAndMore,
    Close,
}
const ANSWERS: [Answer; 6] =
    [Answer::Yes, Answer::No, Answer::Error, Answer::Garbage, Answer::YesAndMore, Answer::Close];

/// What the server asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Nothing,
    Clear,
    Md5,
    Scram,
    /// SCRAM-SHA-256-PLUS as well.
    ScramPlus,
    Gss,
    /// An ErrorResponse: nothing in pg_hba.conf fits.
    Refuse,
}
const ASKED: [Asked; 7] =
    [Asked::Nothing, Asked::Clear, Asked::Md5, Asked::Scram, Asked::ScramPlus, Asked::Gss, Asked::Refuse];

/// What the client trusts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Roots {
    None,
    Right,
    Wrong,
}
const ROOTS: [Roots; 3] = [Roots::None, Roots::Right, Roots::Wrong];

#[derive(Clone, Copy, Debug)]
struct Case {
    mode: &'static str,
    answer: Answer,
    asked: Asked,
    binding: &'static str,
    require_auth: &'static str,
    roots: Roots,
}

/// What becomes of an opening, and what the server sees of it.
#[derive(Clone, Debug, PartialEq)]
struct Expected {
    is_open: bool,
    is_encrypted: bool,
    trace: Vec<&'static str>,
}

/// How one attempt ends.
enum End {
    Open,
    InHandshake,
    Refused,
    Otherwise,
}

/// The manual's words ("SSL Mode Descriptions", `channel_binding`, `require_auth`, `sslrootcert`) as a function.
fn expected(case: Case) -> Expected {
    let mut trace = Vec::new();
    let starts_plain = matches!(case.mode, "disable" | "allow");
    let mut is_encrypted = false;
    let mut end = attempt(case, !starts_plain, &mut trace, &mut is_encrypted);
    let is_retried = match (case.mode, &end) {
        // The second attempt of prefer is for servers, or users, without TLS; but not after a plain first one.
        ("prefer", End::InHandshake) => true,
        ("prefer", End::Refused) => is_encrypted,
        ("allow", End::Refused) => true,
        _ => false,
    };
    if is_retried {
        is_encrypted = false;
        end = attempt(case, starts_plain, &mut trace, &mut is_encrypted);
    }
    let is_open = matches!(end, End::Open);
    Expected { is_open, is_encrypted: is_open && is_encrypted, trace }
}

fn attempt(case: Case, is_tls_asked: bool, trace: &mut Vec<&'static str>, is_encrypted: &mut bool) -> End {
    let verifies = case.mode.starts_with("verify");
    if is_tls_asked {
        trace.push("request");
        match case.answer {
            Answer::Yes => {
                // Roots that are there are used, whatever the mode; without any, only modes that verify fail.
                let is_trusted = match case.roots {
                    Roots::None => !verifies,
                    Roots::Right => true,
                    Roots::Wrong => false,
                };
                if !is_trusted {
                    return End::InHandshake;
                }
                *is_encrypted = true;
                trace.push("tls");
            }
            Answer::No if verifies || case.mode == "require" => return End::Otherwise,
            Answer::No => {}
            _ => return End::Otherwise,
        }
    }
    trace.push("startup");
    let is_binding_required = case.binding == "require";
    let allows = |method: &str| match case.require_auth {
        "" => true,
        "scram-sha-256" => method == "scram-sha-256",
        _ => !["password", "md5"].contains(&method),
    };
    match case.asked {
        Asked::Refuse => End::Refused,
        Asked::Gss => End::Otherwise,
        Asked::Nothing if is_binding_required || !allows("none") => End::Otherwise,
        Asked::Nothing => End::Open,
        Asked::Clear if is_binding_required || !allows("password") => End::Otherwise,
        Asked::Md5 if is_binding_required || !allows("md5") => End::Otherwise,
        Asked::Clear | Asked::Md5 => {
            trace.push("password");
            End::Open
        }
        Asked::Scram if is_binding_required => End::Otherwise,
        // A server that offers it without TLS is somebody else's.
        Asked::ScramPlus if !*is_encrypted => End::Otherwise,
        Asked::Scram | Asked::ScramPlus => {
            trace.push(match (case.asked, *is_encrypted, case.binding) {
                (Asked::ScramPlus, true, "prefer" | "require") => "SCRAM-SHA-256-PLUS p=tls-server-end-point,,",
                // It could have been bound, had the server known how.
                (_, true, "prefer" | "require") => "SCRAM-SHA-256 y,,",
                _ => "SCRAM-SHA-256 n,,",
            });
            End::Open
        }
    }
}

/// The salt of MD5.
const SALT: [u8; 4] = [1, 2, 3, 4];

/// What the servers of one opening hear.
#[derive(Clone, Default)]
struct Heard {
    trace: Arc<Mutex<Vec<String>>>,
    /// All that was said to them, without the encryption.
    said: Record,
    /// All bytes that came, as anybody on the way sees them.
    wire: Record,
}

impl Heard {
    fn note(&self, what: &str) {
        self.trace.lock().unwrap().push(what.to_owned());
    }

    /// Looks for the password, and for what stands for it in MD5, in what was said and in what came over the wire.
    fn assert_no_secret_but(&self, case: Case, expected: &Expected) {
        let is_given = expected.trace.contains(&"password");
        let digest = md5_hash(b"ann", SECRET.as_bytes(), SALT);
        for (secret, asked) in [(SECRET, Asked::Clear), (digest.as_str(), Asked::Md5)] {
            let is_said = is_given && case.asked == asked;
            assert_eq!(holds(&self.said.read(), secret), is_said, "{case:?}: {secret}");
            assert_eq!(holds(&self.wire.read(), secret), is_said && !expected.is_encrypted, "{case:?}: {secret}");
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// One connection of the scripted server.
async fn serve(case: Case, stream: TcpStream, acceptor: TlsAcceptor, hash: Vec<u8>, heard: Heard) {
    let mut head = [0; 8];
    if stream.peek(&mut head).await.unwrap_or(0) < 8 {
        return;
    }
    let mut stream = heard.wire.of(stream);
    if head[4..] != [0x04, 0xd2, 0x16, 0x2f] {
        return serve_session(case, stream, None, heard).await;
    }
    stream.read_exact(&mut head).await.unwrap();
    heard.note("request");
    let unvouched = error("28000", "trust me");
    let answer: &[u8] = match case.answer {
        Answer::Yes => b"S",
        Answer::No => b"N",
        Answer::Error => &unvouched,
        Answer::Garbage => b"HTTP/1.1 400 Bad Request",
        Answer::YesAndMore => b"S\0",
        Answer::Close => b"",
    };
    stream.write_all(answer).await.unwrap();
    if case.answer == Answer::Close {
        stream.shutdown().await.unwrap();
    }
    match case.answer {
        Answer::Yes => {
            let Ok(encrypted) = acceptor.accept(stream).await else { return };
            // In TLS 1.3 a client's refusal comes after the server's part: only bytes inside say that it is content.
            serve_session(case, encrypted, Some(hash), heard).await;
        }
        Answer::No => serve_session(case, stream, None, heard).await,
        _ => {
            // What is said now, nobody may say.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            if !rest.is_empty() {
                heard.note("something");
            }
        }
    }
}

async fn serve_session<S>(case: Case, stream: S, hash: Option<Vec<u8>>, heard: Heard)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut server = Server { stream: heard.said.of(stream) };
    let mut first = [0; 4];
    if server.stream.read_exact(&mut first).await.is_err() {
        return;
    }
    if hash.is_some() {
        heard.note("tls");
    }
    let mut rest = vec![0; usize::try_from(i32::from_be_bytes(first)).unwrap() - 4];
    server.stream.read_exact(&mut rest).await.unwrap();
    heard.note("startup");
    let mut end = welcome();
    match case.asked {
        Asked::Nothing => {}
        Asked::Clear | Asked::Md5 => {
            let request = if case.asked == Asked::Clear { authentication(3, &[]) } else { authentication(5, &SALT) };
            server.send(&request).await;
            if server.stream.read_u8().await.is_err() {
                return;
            }
            heard.note("password");
            let length = server.stream.read_i32().await.unwrap();
            server.stream.read_exact(&mut vec![0; usize::try_from(length).unwrap() - 4]).await.unwrap();
        }
        Asked::Scram | Asked::ScramPlus => {
            let mechanisms: &[&str] = match case.asked {
                Asked::Scram => &["SCRAM-SHA-256"],
                _ => &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"],
            };
            // Refusals come instead of the first message.
            let is_refused = case.asked == Asked::Scram && case.binding == "require"
                || case.asked == Asked::ScramPlus && hash.is_none();
            if is_refused {
                server.send(&open_server::sasl(mechanisms)).await;
                if !server.rest().await.is_empty() {
                    heard.note("password");
                }
                return;
            }
            let scram = Scram { iterations: 16, ..Scram::default() };
            let signature = scram
                .exchange_bound(&mut server, SECRET, mechanisms, |mechanism, header| {
                    heard.note(&format!("{mechanism} {header}"));
                    Ok(if mechanism.ends_with("-PLUS") { hash.unwrap_or_default() } else { Vec::new() })
                })
                .await
                .unwrap();
            end = [server_final(&signature), end].concat();
        }
        Asked::Gss => end = authentication(7, &[]),
        Asked::Refuse => end = error("28000", "no pg_hba.conf entry"),
    }
    server.send(&end).await;
    if !server.rest().await.is_empty() {
        heard.note("something");
    }
}

fn acceptor() -> (TlsAcceptor, Vec<u8>) {
    let identity = Identity { certificate: file("server.crt").into(), key: file("server.key").into() };
    let hash = Sha256::digest(identity.certificate().unwrap()).to_vec();
    (identity.acceptor().unwrap(), hash)
}

fn config(case: Case, port: u16) -> Config {
    let mut dsn = format!(
        "host=localhost port={port} user=ann dbname=shop password={SECRET} sslmode={} channel_binding={}",
        case.mode, case.binding
    );
    if !case.require_auth.is_empty() {
        dsn.push_str(&format!(" require_auth={}", case.require_auth));
    }
    match case.roots {
        Roots::None => {}
        Roots::Right => dsn.push_str(&format!(" sslrootcert={}", file("ca.crt"))),
        Roots::Wrong => dsn.push_str(&format!(" sslrootcert={}", file("other-ca.crt"))),
    }
    let json = format!(r#"{{"dsn":{},"options":{{}},"environment":{{}}}}"#, serde_json::to_string(&dsn).unwrap());
    Config::from_json(&json).unwrap()
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for mode in MODES {
        for answer in ANSWERS {
            for asked in ASKED {
                for binding in BINDINGS {
                    for require_auth in REQUIRE_AUTH {
                        for roots in ROOTS {
                            cases.push(Case { mode, answer, asked, binding, require_auth, roots });
                        }
                    }
                }
            }
        }
    }
    cases
}

async fn play(case: Case, listener: &TcpListener, acceptor: &TlsAcceptor, hash: &[u8]) -> ((bool, bool), Heard) {
    let heard = Heard::default();
    let port = listener.local_addr().unwrap().port();
    let opening = tokio::spawn(open(Arc::new(config(case, port))));
    tokio::pin!(opening);
    let mut connections = Vec::new();
    let result = loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                connections.push(tokio::spawn(serve(case, stream, acceptor.clone(), hash.to_vec(), heard.clone())));
            }
            result = &mut opening => break result.unwrap(),
        }
    };
    let outcome = match &result {
        Ok(opened) => (true, opened.tls.is_some()),
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET) && !shown.contains("trust me"), "{case:?}: {shown}");
            assert_ne!(error.kind, OpenErrorKind::Internal, "{case:?}: {shown}");
            (false, false)
        }
    };
    drop(result);
    for connection in connections {
        connection.await.unwrap();
    }
    (outcome, heard)
}

#[test]
fn each_combination_has_the_outcome_of_libpq() {
    let (acceptor, hash) = acceptor();
    // All of them take a while; every eleventh meets each value of each dimension.
    let step = if std::env::var_os("OXPG_ADVERSITY").is_some() { 1 } else { 11 };
    let cases: Vec<Case> = cases().into_iter().step_by(step).collect();
    let count = cases.len();
    assert!(count >= 500);
    let mut tally: HashMap<(bool, bool), usize> = HashMap::new();
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for case in cases {
            let expected = expected(case);
            let (found, heard) = play(case, &listener, &acceptor, &hash).await;
            let trace = heard.trace.lock().unwrap().clone();
            assert_eq!(found, (expected.is_open, expected.is_encrypted), "{case:?} {trace:?}");
            assert_eq!(trace, expected.trace, "{case:?}");
            heard.assert_no_secret_but(case, &expected);
            *tally.entry(found).or_default() += 1;
        }
    });
    // Each outcome is there many times.
    assert!(tally.len() == 3 && tally.values().all(|count| *count > 5), "{tally:?}");
    let of = |outcome| tally[&outcome];
    let (refused, plain, encrypted) = (of((false, false)), of((true, false)), of((true, true)));
    println!("{count} combinations: {refused} refused, {plain} open, {encrypted} open and encrypted");
}
