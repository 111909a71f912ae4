//! One connection through a proxy, both directions and what may happen to them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::pipe::{Broken, pipe};
use super::plan::{Cancels, Effect, Plan};
use super::{Direction, End, Event, EventKind, Shared};
use crate::messages::CANCEL_REQUEST;

/// What a connection is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Passing,
    Stalled,
    BlackHole,
    Cut { is_reset: bool },
}

/// What both directions of a connection know of each other, and the proxy of them.
pub(super) struct Line {
    id: u64,
    shared: Arc<Shared>,
    state: watch::Sender<State>,
    /// How often what is held was released.
    releases: watch::Sender<u64>,
    muted: [AtomicBool; 2],
    bytes: [AtomicU64; 2],
    /// Whether the server's end of the stream is kept from the client.
    is_kept_open: AtomicBool,
    /// A file to be made when the fault has happened.
    touch: Mutex<Option<PathBuf>>,
}

impl Line {
    pub(super) fn new(id: u64, shared: Arc<Shared>) -> Self {
        Self {
            id,
            shared,
            state: watch::Sender::new(State::Passing),
            releases: watch::Sender::new(0),
            muted: Default::default(),
            bytes: Default::default(),
            is_kept_open: false.into(),
            touch: Mutex::default(),
        }
    }

    fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Something happens to it from outside.
    pub(super) fn change(&self, effect: Effect) {
        match effect {
            Effect::Fin => self.set(State::Cut { is_reset: false }),
            Effect::Rst => self.set(State::Cut { is_reset: true }),
            Effect::Stall => self.set(State::Stalled),
            Effect::BlackHole => self.set(State::BlackHole),
            Effect::Mute => self.muted.iter().for_each(|muted| muted.store(true, Ordering::Relaxed)),
            Effect::Hold | Effect::Tell => {}
        }
    }

    /// What is held goes on.
    pub(super) fn release(&self) {
        self.releases.send_modify(|count| *count += 1);
    }

    fn set(&self, state: State) {
        // A connection that is cut is not mended.
        self.state.send_if_modified(|now| {
            let is_new = !matches!(now, State::Cut { .. }) && *now != state;
            if is_new {
                *now = state;
            }
            is_new
        });
    }

    /// The fault of a direction has come.
    pub(super) fn happened(&self, direction: Direction, effect: Effect, touch: Option<&Path>) {
        match effect {
            Effect::Mute => self.muted[direction as usize].store(true, Ordering::Relaxed),
            effect => self.change(effect),
        }
        self.tell(EventKind::Fault { direction, effect });
        if let Some(path) = touch {
            *lock(&self.touch) = Some(path.to_owned());
            // After the sockets have been closed, if that is what it does.
            if !matches!(effect, Effect::Fin | Effect::Rst) {
                self.touch();
            }
        }
    }

    fn touch(&self) {
        if let Some(path) = lock(&self.touch).take() {
            // Whoever waits for it will say that it did not come.
            let _ = std::fs::write(path, []);
        }
    }

    pub(super) fn is_passing(&self) -> bool {
        *self.state.borrow() == State::Passing
    }

    pub(super) fn is_stalled(&self) -> bool {
        *self.state.borrow() == State::Stalled
    }

    /// Waits until bytes may go on, or be dropped.
    pub(super) async fn is_moving(&self) {
        // The sender is ours: it does not go away.
        let _ = self.state().wait_for(|state| !matches!(state, State::Stalled | State::Cut { .. })).await;
    }

    /// Waits until what is held is released.
    pub(super) async fn released(&self) {
        let mut releases = self.releases.subscribe();
        let _ = releases.changed().await;
    }

    pub(super) fn is_dropping(&self, direction: Direction) -> bool {
        *self.state.borrow() == State::BlackHole || self.muted[direction as usize].load(Ordering::Relaxed)
    }

    /// Whether the end of this direction's bytes is kept from the other end.
    pub(super) fn is_kept_open(&self, direction: Direction) -> bool {
        direction == Direction::ToClient && self.is_kept_open.load(Ordering::Relaxed) || self.is_dropping(direction)
    }

    pub(super) fn passed(&self, direction: Direction, count: usize) {
        let count = u64::try_from(count).unwrap_or(0);
        self.bytes[direction as usize].fetch_add(count, Ordering::Relaxed);
        self.shared.bytes[direction as usize].fetch_add(count, Ordering::Relaxed);
    }

    fn tell(&self, kind: EventKind) {
        self.shared.tell(Event { connection: self.id, kind });
    }

    /// Plays the connection to its end.
    pub(super) async fn run(self: Arc<Self>, front: TcpStream, target: SocketAddr, plan: Plan) {
        let _ = front.set_nodelay(true);
        self.tell(EventKind::Connected);
        let by = match self.pass(front, target, plan).await {
            Ok(by) => by,
            Err(_) => End::Proxy,
        };
        self.touch();
        let [to_server, to_client] = [0, 1].map(|index| self.bytes[index].load(Ordering::Relaxed));
        self.tell(EventKind::Closed { by, to_server, to_client });
    }

    async fn pass(&self, mut front: TcpStream, target: SocketAddr, plan: Plan) -> io::Result<End> {
        let is_cancel = plan.cancels != Cancels::Pass && is_cancel_request(&front).await;
        if plan.is_black_hole || (is_cancel && plan.cancels == Cancels::Swallow) {
            return self.swallow(front).await;
        }
        self.is_kept_open.store(is_cancel, Ordering::Relaxed);
        let mut back = TcpStream::connect(target).await.inspect_err(|_| reset(&front))?;
        back.set_nodelay(true)?;
        let (end, is_reset) = self.pass_both_ways(&mut front, &mut back, plan).await;
        close(front, is_reset)?;
        close(back, is_reset)?;
        Ok(end)
    }

    /// Until both directions have ended or one has broken; who ended it, and whether by a reset.
    async fn pass_both_ways(&self, front: &mut TcpStream, back: &mut TcpStream, plan: Plan) -> (End, bool) {
        // Halves that are borrowed say nothing to the other end when they are dropped.
        let (front_read, front_write) = front.split();
        let (back_read, back_write) = back.split();
        let mut state = self.state();
        let to_server = pipe(Direction::ToServer, front_read, back_write, plan.to_server, self);
        let to_client = pipe(Direction::ToClient, back_read, front_write, plan.to_client, self);
        tokio::pin!(to_server, to_client);
        let mut ended = [false; 2];
        let mut first = None;
        loop {
            tokio::select! {
                cut = state.wait_for(|state| matches!(state, State::Cut { .. })) => {
                    return (End::Proxy, cut.is_ok_and(|state| *state == State::Cut { is_reset: true }));
                }
                result = &mut to_server, if !ended[0] => match result {
                    // A server that takes nothing more may have said something before.
                    Ok(()) | Err(Broken::Sink) => {
                        ended[0] = true;
                        first.get_or_insert(if result.is_ok() { End::Client } else { End::Server });
                    }
                    Err(Broken::Source(is_reset)) => return (End::Client, is_reset),
                },
                result = &mut to_client, if !ended[1] => match result {
                    Ok(()) => {
                        ended[1] = true;
                        first.get_or_insert(End::Server);
                    }
                    Err(Broken::Source(is_reset)) => return (End::Server, is_reset),
                    Err(Broken::Sink) => return (End::Client, false),
                },
            }
            if let (Some(end), [true, true]) = (first, ended) {
                return (end, false);
            }
        }
    }

    /// Reads all that the client sends until it closes or is cut off.
    async fn swallow(&self, mut front: TcpStream) -> io::Result<End> {
        let mut state = self.state();
        let mut sink = vec![0; 64 << 10];
        loop {
            tokio::select! {
                cut = state.wait_for(|state| matches!(state, State::Cut { .. })) => {
                    if cut.is_ok_and(|state| *state == State::Cut { is_reset: true }) {
                        reset(&front);
                    }
                    return Ok(End::Proxy);
                }
                count = front.read(&mut sink) => if count? == 0 {
                    return Ok(End::Client);
                },
            }
        }
    }
}

/// Locks what no panic leaves half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// Closes a socket by FIN or RST. Bytes that nobody has read would turn a FIN into an RST: they are read first.
fn close(stream: TcpStream, is_reset: bool) -> io::Result<()> {
    if is_reset {
        reset(&stream);
        return Ok(());
    }
    let mut stream = stream.into_std()?;
    // The other end may be gone already. What comes behind this is answered by an RST, as by any peer that has closed.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = io::copy(&mut stream, &mut io::sink());
    Ok(())
}

/// Looks at a connection's first bytes without taking them.
async fn is_cancel_request(front: &TcpStream) -> bool {
    let mut head = [0; 8];
    loop {
        match front.peek(&mut head).await {
            Ok(8) => return head[4..] == CANCEL_REQUEST.to_be_bytes(),
            Ok(0) | Err(_) => return false,
            Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
        }
    }
}
