//! Throwaway clusters of PostgreSQL, of any major, with TLS and a streaming standby. `scripts/clusters.mjs` knows how to
//! start one; tests in JavaScript call it themselves.

use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::malformed;

/// A server of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterServer {
    /// Its superuser's: `postgres://postgres:…@127.0.0.1:…/postgres`.
    pub url: String,
    /// Its port at 127.0.0.1.
    pub port: u16,
    /// The folder of its Unix socket.
    pub socket_directory: PathBuf,
    /// What it logs.
    pub log_file: PathBuf,
    /// The process of its postmaster.
    pub pid: u32,
}

/// What is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// PostgreSQL's major, 13 to 18; the development's own where it is missing, which needs no network.
    pub major: Option<u32>,
    /// The certificate of its TLS: a name of `__test__/support/certificates`, such as `server`.
    pub certificate: Option<String>,
    /// What `pg_hba.conf` holds, where it is not the usual.
    pub host_based_authentication: Option<String>,
    /// Whether a standby streams from it.
    pub has_standby: bool,
}

/// A cluster that runs until it is dropped, or this process is gone.
#[derive(Debug)]
pub struct Cluster {
    /// The server that writes.
    pub primary: ClusterServer,
    /// The one that streams from it.
    pub standby: Option<ClusterServer>,
    /// Ends when it is dropped.
    _program: Program,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Servers { primary: ClusterServer, standby: Option<ClusterServer> },
    Failure { error: String },
}

/// The program that keeps the cluster, until the end of its input.
#[derive(Debug)]
struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Cluster {
    /// Starts one, which takes seconds; this thread waits. It needs `node` on the `PATH`.
    ///
    /// # Errors
    /// When it does not start, with what it said.
    pub fn start(options: &ClusterOptions) -> io::Result<Self> {
        let ClusterOptions { major, certificate, host_based_authentication, has_standby } = options;
        let all = json!({
            "major": major,
            "certificate": certificate,
            "hostBasedAuthentication": host_based_authentication,
            "hasStandby": has_standby,
        });
        let Value::Object(mut given) = all else { return Err(malformed("no object")) };
        given.retain(|_, value| !value.is_null());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/clusters.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .arg(Value::Object(given).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("node {script}: {error}")))?;
        let output = child.stdout.take().ok_or_else(|| malformed("no output"))?;
        let mut program = Program { child, output: BufReader::new(output) };
        let mut line = String::new();
        program.output.read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(Answer::Servers { primary, standby }) => Ok(Self { primary, standby, _program: program }),
            Ok(Answer::Failure { error }) => Err(malformed(error)),
            Err(error) => Err(malformed(format!("{script} said {line:?}: {error}"))),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
