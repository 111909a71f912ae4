//! Files and keys that take any time: the opening that reads them ends at its deadline, and nothing else waits for them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod open_server;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use open_server::welcome;
use oxpg_client::open::{Config, OpenError, OpenErrorKind, Particulars, open, open_text};
use pkcs8::der::Encode;
use pkcs8::pkcs5::pbes2::Parameters;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A runtime whose threads nobody waits for, as the driver's.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

/// A server that says yes to TLS and then nothing any more, and takes everybody without; gives its port.
async fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream));
        }
    });
    port
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = [0; 8];
    stream.read_exact(&mut head).await?;
    let is_request = head[4..] == [0x04, 0xd2, 0x16, 0x2f];
    stream.write_all(if is_request { b"S" } else { welcome().leak() }).await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

fn config(dsn: &str) -> Arc<Config> {
    Arc::new(Config::from_json(&json(dsn)).unwrap())
}

fn json(dsn: &str) -> String {
    serde_json::json!({ "dsn": dsn, "options": { "connectTimeoutMs": 300 }, "environment": {} }).to_string()
}

async fn failure(dsn: &str) -> OpenError {
    open(config(dsn)).await.unwrap_err()
}

fn certificate(name: &str) -> String {
    format!("{}/../../__test__/support/certificates/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn fifo(folder: &Path) -> PathBuf {
    let path = folder.join("fifo");
    assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
    path
}

/// A key whose password takes minutes to try.
fn heavy_key(folder: &Path) -> PathBuf {
    let scheme = Parameters::generate_pbkdf2_sha256_aes256cbc(100_000_000, &[1; 8], [2; 16]).unwrap();
    let encrypted = [3; 32];
    let info = pkcs8::EncryptedPrivateKeyInfoRef {
        encryption_algorithm: scheme.into(),
        encrypted_data: pkcs8::der::asn1::OctetStringRef::new(&encrypted).unwrap(),
    };
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, info.to_der().unwrap());
    let path = folder.join("heavy.key");
    let pem = format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{text}\n-----END ENCRYPTED PRIVATE KEY-----\n");
    std::fs::write(&path, pem).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn a_key_that_takes_long_holds_up_no_other_session() {
    let folder = tempfile::tempdir().unwrap();
    let key = heavy_key(folder.path());
    run(async {
        let port = server().await;
        let at = format!("host=127.0.0.1 port={port} user=ann dbname=shop");
        let cert = certificate("client.crt");
        let heavy = format!("{at} sslmode=require sslcert={cert} sslkey={} sslpassword=x", key.display());
        let attempts: Vec<_> = (0..6).map(|_| tokio::spawn(open(config(&heavy)))).collect();
        for _ in 0..3 {
            open(config(&format!("{at} sslmode=disable"))).await.unwrap();
        }
        for attempt in attempts {
            let error = attempt.await.unwrap().unwrap_err();
            assert_eq!(error.kind, OpenErrorKind::Timeout, "{error}");
            assert!(error.message.contains("to read the files and keys of TLS"), "{error}");
        }
    });
}

#[test]
fn files_that_would_have_to_be_waited_for_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = fifo(folder.path());
    let fifo = fifo.display();
    let (ca, cert, zero) = (certificate("ca.crt"), certificate("client.crt"), "/dev/zero");
    run(async {
        let port = server().await;
        // Under prefer too: going on in plaintext would be ours alone.
        for mode in ["require", "prefer"] {
            let at = format!("host=127.0.0.1 port={port} user=ann dbname=shop sslmode={mode}");
            for (files, name, why) in [
                (format!("sslrootcert={fifo}"), "the root certificate file", "not a regular file"),
                (format!("sslcert={fifo} sslkey={fifo}"), "the certificate file", "not a regular file"),
                (format!("sslrootcert={ca} sslcrl={fifo}"), "the certificate revocation list", "not a regular file"),
                (format!("sslrootcert={zero}"), "the root certificate file /dev/zero", "larger than 16 MiB"),
                (format!("sslcert={zero} sslkey={zero}"), "the certificate file /dev/zero", "larger than 16 MiB"),
            ] {
                let error = failure(&format!("{at} {files}")).await;
                assert_eq!((error.kind, error.sqlstate.as_deref()), (OpenErrorKind::Connection, Some("08001")));
                assert!(error.message.contains(name) && error.message.contains(why), "{files}: {error}");
            }
        }
        // An empty file holds no certificates.
        let at = format!("host=127.0.0.1 port={port} user=ann dbname=shop sslmode=require");
        assert!(failure(&format!("{at} sslrootcert=/dev/null")).await.message.contains("found none"));
        // The server says no more: the key log has nothing to hold up.
        let error = failure(&format!("{at} sslkeylogfile={fifo} sslcert={cert}-not-there")).await;
        assert!(error.message.contains("to start the session"), "{error}");
        let service = folder.path().join("service");
        std::fs::write(&service, format!("[shop]\nhost=127.0.0.1\nport={port}\nuser=ann\nsslmode=disable\n")).unwrap();
        let dsn = json(&format!("service=shop servicefile={}", service.display()));
        open_text(&dsn, Particulars::default()).await.unwrap();
        let error = open_text(&json(&format!("service=shop servicefile={fifo}")), Particulars::default()).await;
        assert!(error.unwrap_err().message.contains("not a regular file"));
    });
}
