//! A pooler at its most inconvenient: it takes the server away from its client after every ReadyForQuery outside a
//! transaction, and gives it to whoever has waited longest. In statement mode it takes no transactions. Like PgBouncer's
//! before 1.21, its clients' prepared statements stay behind with the server. It asks for no password. Cancel requests go to
//! the server that the client has at that moment, which it keeps until the server has heard of them, as with PgBouncer from
//! 1.18 on.

mod client;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::login::{Login, Session};
use crate::messages::{Message, message};

/// What a client has a server for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// A transaction, or a Sync group or simple query outside one.
    #[default]
    Transaction,
    /// A Sync group or simple query: who begins a transaction loses the connection, as with PgBouncer.
    Statement,
}

/// A server's session.
struct Backend {
    id: u64,
    session: Session,
}

/// What a cancel request of a client's would interrupt: the key of the server that it has, if any. Whoever has it locked
/// keeps the client from giving the server back.
type Served = Arc<tokio::sync::Mutex<Option<Vec<u8>>>>;

/// Sessions that nobody has, and those who wait for one, the first first.
#[derive(Default)]
struct Queue {
    free: VecDeque<Backend>,
    waiting: VecDeque<oneshot::Sender<Backend>>,
}

struct Shared {
    login: Login,
    mode: Mode,
    /// What a session is sent after each transaction, as PgBouncer's `server_reset_query_always`.
    reset_query: Option<String>,
    greeting: Vec<Vec<u8>>,
    queue: Mutex<Queue>,
    backends: AtomicU64,
    changes: AtomicU64,
    clients: AtomicI32,
    /// By the key that each client was told.
    served: Mutex<HashMap<Vec<u8>, Served>>,
    cancels: AtomicU64,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Served>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a cancel request on to the server that the client with this key has, and to nobody else's: it is not given
    /// back before the server has heard of it.
    async fn cancel(&self, key: &[u8]) -> io::Result<()> {
        let served = self.served().get(key).cloned();
        let Some(served) = served else { return Ok(()) };
        let serving = served.lock().await;
        let Some(key) = &*serving else { return Ok(()) };
        self.cancels.fetch_add(1, Ordering::Relaxed);
        self.login.cancel(key).await
    }

    /// A session, when it is one's turn.
    async fn take(&self) -> Option<Backend> {
        let coming = {
            let mut queue = self.queue();
            if queue.waiting.is_empty()
                && let Some(backend) = queue.free.pop_front()
            {
                return Some(backend);
            }
            let (sender, receiver) = oneshot::channel();
            queue.waiting.push_back(sender);
            receiver
        };
        coming.await.ok()
    }

    /// A session goes behind all others; the first of them goes to whoever waits.
    fn give_back(&self, backend: Backend) {
        let mut queue = self.queue();
        queue.free.push_back(backend);
        while !queue.free.is_empty()
            && let Some(waiting) = queue.waiting.pop_front()
        {
            if let Some(first) = queue.free.pop_front()
                && let Err(first) = waiting.send(first)
            {
                // It waits no more.
                queue.free.push_front(first);
            }
        }
    }

    /// Resets a session that is outside a transaction and gives it back.
    async fn recycle(&self, mut backend: Backend) -> io::Result<()> {
        if let Some(query) = &self.reset_query {
            backend.session.stream.write_all(&message(b'Q', format!("{query}\0").as_bytes())).await?;
            while Message::read(&mut backend.session.stream).await?.tag != b'Z' {}
        }
        self.give_back(backend);
        Ok(())
    }

    /// A new session in place of one that is lost.
    async fn replace(&self) {
        // While the server is down, clients wait.
        if let Ok(session) = self.login.open().await {
            self.give_back(Backend { id: self.backends.fetch_add(1, Ordering::Relaxed), session });
        }
    }
}

/// A pooler on a port of its own at 127.0.0.1. It ends when it is dropped.
pub struct Pooler {
    port: u16,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

impl Pooler {
    /// Opens `size` sessions, on the runtime of the caller, and listens.
    ///
    /// # Errors
    /// When a session does not open, or there is no port to listen on.
    pub async fn start(login: Login, size: usize, mode: Mode, reset_query: Option<String>) -> io::Result<Self> {
        let mut queue = Queue::default();
        let mut greeting = Vec::new();
        for id in 0..u64::try_from(size).unwrap_or(0) {
            let mut session = login.open().await?;
            greeting = std::mem::take(&mut session.parameters);
            queue.free.push_back(Backend { id, session });
        }
        let backends = AtomicU64::new(u64::try_from(size).unwrap_or(0));
        let queue = Mutex::new(queue);
        let shared = Arc::new(Shared {
            login,
            mode,
            reset_query,
            greeting,
            queue,
            backends,
            changes: AtomicU64::new(0),
            clients: AtomicI32::new(0),
            served: Mutex::default(),
            cancels: AtomicU64::new(0),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let pooler = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            // Ends its tasks when it is dropped.
            let mut clients = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                clients.spawn(client::serve(stream, Arc::clone(&pooler)));
                while clients.try_join_next().is_some() {}
            }
        });
        Ok(Self { port, shared, listening })
    }

    /// Where clients connect to, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often a client was given another server than the last time.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.shared.changes.load(Ordering::Relaxed)
    }

    /// How many cancel requests have reached a server.
    #[must_use]
    pub fn cancels(&self) -> u64 {
        self.shared.cancels.load(Ordering::Relaxed)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
