//! The program's side of its lines: each line of the input is one call with a number, each line of the output its answer,
//! or something that happened.
//!
//! ```text
//! → {"id":1,"call":"openProxy","target":"127.0.0.1:5432"}
//! ← {"id":1,"result":{"proxy":1,"port":40123}}
//! ← {"proxy":1,"connection":1,"event":"connected"}
//! → {"id":2,"call":"cut","proxy":7}
//! ← {"id":2,"error":"…"}
//! ```
//!
//! The end of the input ends everything.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::sync::mpsc as blocking;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::login::Login;
use crate::pooler::{Mode, Pooler};
use crate::proxy::{Deaf, Effect, Plan, Proxy};
use crate::scripted::{ScriptedServer, Step};

#[derive(Deserialize)]
struct Line {
    id: u64,
    #[serde(flatten)]
    call: Call,
}

#[derive(Deserialize)]
#[serde(tag = "call", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Call {
    /// → `{ proxy, port }`
    OpenProxy {
        target: SocketAddr,
        #[serde(default)]
        plan: Plan,
    },
    /// For connections to come: so many, or all.
    SetPlan {
        proxy: u64,
        plan: Plan,
        connections: Option<u64>,
    },
    /// On connections that are there.
    Change {
        proxy: u64,
        effect: Effect,
    },
    Release {
        proxy: u64,
    },
    Refuse {
        proxy: u64,
    },
    Listen {
        proxy: u64,
    },
    /// → [`Counts`](crate::proxy::Counts)
    Counts {
        proxy: u64,
    },
    CloseProxy {
        proxy: u64,
    },
    /// → `{ server, port }`
    OpenServer {
        scripts: Vec<Vec<Step>>,
    },
    /// Scripts that hold go on.
    GoOn {
        server: u64,
    },
    CloseServer {
        server: u64,
    },
    /// → `{ pooler, port }`
    OpenPooler {
        login: Login,
        size: usize,
        #[serde(default)]
        mode: Mode,
        reset_query: Option<String>,
    },
    /// → `{ changes, cancels }`
    PoolerCounts {
        pooler: u64,
    },
    ClosePooler {
        pooler: u64,
    },
    /// → `{ deaf, port }`
    OpenDeaf,
    CloseDeaf {
        deaf: u64,
    },
}

/// Everything that is open.
#[derive(Default)]
struct Open {
    last: u64,
    proxies: HashMap<u64, Proxy>,
    servers: HashMap<u64, ScriptedServer>,
    poolers: HashMap<u64, Pooler>,
    deaf: HashMap<u64, Deaf>,
}

/// Reads calls from `input` and writes to `output` until the input ends.
///
/// # Errors
/// When there is no runtime to be had.
pub fn run(input: impl BufRead + Send + 'static, output: impl Write + Send + 'static) -> io::Result<()> {
    let (lines, mut coming) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in input.lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    let (answers, outgoing) = blocking::channel();
    let writing = std::thread::spawn(move || write_lines(&outgoing, output));
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut open = Open::default();
        while let Some(line) = coming.recv().await {
            let answer = match serde_json::from_str::<Line>(&line) {
                Ok(Line { id, call }) => match open.answer(call, &answers).await {
                    Ok(result) => json!({ "id": id, "result": result }),
                    Err(error) => json!({ "id": id, "error": error }),
                },
                // Its number may be readable all the same.
                Err(error) => {
                    let id = serde_json::from_str::<Value>(&line).ok().and_then(|line| line.get("id").cloned());
                    json!({ "id": id, "error": format!("not a call: {error}") })
                }
            };
            let _ = answers.send(answer);
        }
    });
    // The tasks that tell of events ended with the runtime.
    drop(answers);
    let _ = writing.join();
    Ok(())
}

fn write_lines(outgoing: &blocking::Receiver<Value>, mut output: impl Write) {
    for line in outgoing {
        if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

/// Tells what happens on something with a number, until it is closed.
fn forward<T: Serialize + Send + 'static>(
    name: &'static str,
    number: u64,
    mut events: mpsc::UnboundedReceiver<T>,
    answers: blocking::Sender<Value>,
) {
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let Ok(Value::Object(mut event)) = serde_json::to_value(event) else { continue };
            event.insert(name.to_owned(), number.into());
            if answers.send(Value::Object(event)).is_err() {
                return;
            }
        }
    });
}

fn found<'a, T>(all: &'a mut HashMap<u64, T>, what: &str, number: u64) -> Result<&'a mut T, String> {
    all.get_mut(&number).ok_or_else(|| format!("there is no {what} {number}"))
}

fn said<T>(result: io::Result<T>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

impl Open {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    async fn answer(&mut self, call: Call, answers: &blocking::Sender<Value>) -> Result<Value, String> {
        match call {
            Call::OpenProxy { target, plan } => {
                let (proxy, events) = said(Proxy::start(target, plan).await)?;
                let (number, port) = (self.next(), proxy.port());
                forward("proxy", number, events, answers.clone());
                self.proxies.insert(number, proxy);
                return Ok(json!({ "proxy": number, "port": port }));
            }
            Call::SetPlan { proxy, plan, connections } => self.proxy(proxy)?.set_plan(plan, connections),
            Call::Change { proxy, effect } => self.proxy(proxy)?.change(effect),
            Call::Release { proxy } => self.proxy(proxy)?.release(),
            Call::Refuse { proxy } => self.proxy(proxy)?.refuse().await,
            Call::Listen { proxy } => said(self.proxy(proxy)?.listen().await)?,
            Call::Counts { proxy } => return Ok(json!(self.proxy(proxy)?.counts())),
            Call::CloseProxy { proxy } => drop(self.proxies.remove(&proxy)),
            Call::OpenServer { scripts } => {
                for part in scripts.iter().flatten().flat_map(Step::parts) {
                    part.to_bytes()?;
                }
                let (server, reports) = said(ScriptedServer::start(scripts).await)?;
                let (number, port) = (self.next(), server.port());
                forward("server", number, reports, answers.clone());
                self.servers.insert(number, server);
                return Ok(json!({ "server": number, "port": port }));
            }
            Call::GoOn { server } => found(&mut self.servers, "server", server)?.go_on(),
            Call::CloseServer { server } => drop(self.servers.remove(&server)),
            Call::OpenPooler { login, size, mode, reset_query } => {
                let pooler = said(Pooler::start(login, size, mode, reset_query).await)?;
                let (number, port) = (self.next(), pooler.port());
                self.poolers.insert(number, pooler);
                return Ok(json!({ "pooler": number, "port": port }));
            }
            Call::PoolerCounts { pooler } => {
                let pooler = found(&mut self.poolers, "pooler", pooler)?;
                return Ok(json!({ "changes": pooler.changes(), "cancels": pooler.cancels() }));
            }
            Call::ClosePooler { pooler } => drop(self.poolers.remove(&pooler)),
            Call::OpenDeaf => {
                let deaf = said(Deaf::start())?;
                let (number, port) = (self.next(), deaf.port());
                self.deaf.insert(number, deaf);
                return Ok(json!({ "deaf": number, "port": port }));
            }
            Call::CloseDeaf { deaf } => drop(self.deaf.remove(&deaf)),
        }
        Ok(Value::Null)
    }

    fn proxy(&mut self, number: u64) -> Result<&mut Proxy, String> {
        found(&mut self.proxies, "proxy", number)
    }
}
