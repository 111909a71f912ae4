//! A proxy that plays a bad network: it cuts, stalls, swallows, delays and recuts what goes between a client and a server,
//! connection by connection and while it runs.

mod clock;
mod connection;
mod deaf;
mod pipe;
mod plan;
mod random;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use connection::{Line, lock};
pub use deaf::Deaf;
pub use plan::{Cancels, Effect, Fault, Flow, Pieces, Place, Plan};

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// What the client sends.
    ToServer,
    /// What the server sends.
    ToClient,
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// The client closed or broke it, while something kept its end from the server.
    Client,
    /// The server did, or both closed one after the other.
    Server,
    /// A plan's fault, a change, or that the server was not to be reached.
    Proxy,
}

/// What happened on one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Counted from 1 in the order in which they came.
    pub connection: u64,
    /// What it was.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum EventKind {
    /// A client came.
    Connected,
    /// The place of a plan's fault was reached.
    Fault {
        /// Of which bytes.
        direction: Direction,
        /// What happens there.
        effect: Effect,
    },
    /// Both sockets are closed.
    Closed {
        /// Who closed them.
        by: End,
        /// Bytes that the server was given.
        to_server: u64,
        /// Bytes that the client was given.
        to_client: u64,
    },
}

/// What a proxy has seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Connections that came.
    pub connections: u64,
    /// Those of them that are still there.
    pub open: usize,
    /// Bytes that servers were given.
    pub to_server: u64,
    /// Bytes that clients were given.
    pub to_client: u64,
}

/// Plans for connections to come.
#[derive(Default)]
struct Plans {
    usual: Plan,
    /// For so many connections before those of the usual plan.
    next: Option<(Plan, u64)>,
}

struct Shared {
    plans: Mutex<Plans>,
    lines: Mutex<HashMap<u64, Arc<Line>>>,
    connections: AtomicU64,
    bytes: [AtomicU64; 2],
    events: mpsc::UnboundedSender<Event>,
}

impl Shared {
    fn tell(&self, event: Event) {
        // Nobody listens: nobody needs to know.
        let _ = self.events.send(event);
    }

    fn next_plan(&self) -> Plan {
        let mut plans = lock(&self.plans);
        match &mut plans.next {
            Some((plan, left)) => {
                let plan = plan.clone();
                *left -= 1;
                if *left == 0 {
                    plans.next = None;
                }
                plan
            }
            None => plans.usual.clone(),
        }
    }
}

/// A proxy on a port of its own at 127.0.0.1. It ends when it is dropped.
pub struct Proxy {
    target: SocketAddr,
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one in front of `target`, on the runtime of the caller; what happens is told to the receiver.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub async fn start(target: SocketAddr, plan: Plan) -> io::Result<(Self, mpsc::UnboundedReceiver<Event>)> {
        let (events, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            plans: Mutex::new(Plans { usual: plan, next: None }),
            lines: Mutex::default(),
            connections: AtomicU64::new(0),
            bytes: Default::default(),
            events,
        });
        let mut proxy = Self { target, port: 0, shared, listening: None };
        proxy.listen().await?;
        Ok((proxy, receiver))
    }

    /// Where clients connect to, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What becomes of connections from now on: of the next so many, before what they did until now goes on, or of all.
    pub fn set_plan(&self, plan: Plan, connections: Option<u64>) {
        let mut plans = lock(&self.shared.plans);
        match connections {
            None => *plans = Plans { usual: plan, next: None },
            Some(0) => plans.next = None,
            Some(count) => plans.next = Some((plan, count)),
        }
    }

    /// Something happens to all connections that are there.
    pub fn change(&self, effect: Effect) {
        lock(&self.shared.lines).values().for_each(|line| line.change(effect));
    }

    /// What is held on connections that are there goes on.
    pub fn release(&self) {
        lock(&self.shared.lines).values().for_each(|line| line.release());
    }

    /// New connections are refused; those that are there stay.
    pub async fn refuse(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            // The socket is closed when the task has ended.
            let _ = listening.await;
        }
    }

    /// Takes connections again, at the same port.
    ///
    /// # Errors
    /// When somebody else has taken the port.
    pub async fn listen(&mut self) -> io::Result<()> {
        if self.listening.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        self.port = listener.local_addr()?.port();
        let (shared, target) = (Arc::clone(&self.shared), self.target);
        self.listening = Some(tokio::spawn(async move {
            loop {
                // What fails here is one client's connection.
                let Ok((front, _)) = listener.accept().await else { continue };
                let id = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
                let line = Arc::new(Line::new(id, Arc::clone(&shared)));
                lock(&shared.lines).insert(id, Arc::clone(&line));
                let (shared, plan) = (Arc::clone(&shared), shared.next_plan());
                tokio::spawn(async move {
                    line.run(front, target, plan).await;
                    lock(&shared.lines).remove(&id);
                });
            }
        }));
        Ok(())
    }

    /// What it has seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let [to_server, to_client] = [0, 1].map(|index| self.shared.bytes[index].load(Ordering::Relaxed));
        Counts {
            connections: self.shared.connections.load(Ordering::Relaxed),
            open: lock(&self.shared.lines).len(),
            to_server,
            to_client,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
        self.change(Effect::Rst);
    }
}
