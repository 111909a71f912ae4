//! A client that opens against a server of the testkit.
#![allow(dead_code, unused_imports, missing_docs, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::future::Future;

use oxpg_client::open::{Config, OpenError, Startup, open_on_stream};
pub(crate) use oxpg_testkit::messages::{
    authentication, error, key_data, message, parameter, ready, report, sasl, welcome,
};
pub(crate) use oxpg_testkit::scram::{Scram, client_first, server_final};
pub(crate) use oxpg_testkit::scripted::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A password that must show up nowhere.
pub(crate) const SECRET: &str = "marked-Geheimnis";

/// A file of the tests' certificates.
pub(crate) fn file(name: &str) -> String {
    format!("{}/../../__test__/support/certificates/{name}", env!("CARGO_MANIFEST_DIR"))
}

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

pub(crate) fn assert_welcome(startup: &Startup) {
    let parameters = [("server_version".to_owned(), "18.1".to_owned()), ("TimeZone".to_owned(), "UTC".to_owned())];
    assert_eq!(startup.parameters, parameters);
    assert_eq!((startup.backend_pid, &*startup.secret_key), (4711, &[1, 2, 3, 4][..]));
    assert_eq!(startup.transaction_status, b'I');
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
