//! The background thread: whatever waits for the network before a session exists.
//!
//! One thread for the process, started at first use, runs a small tokio runtime for opening sessions and for cancel
//! requests, so that no name look-up, handshake or key derivation runs on a thread of Node's. Each environment has a
//! queue of its own for what comes back, and its loop is woken for it. The thread ends when no environment uses it.
//!
//! It is shared by all environments because every copy of the module has one, and test runners and hot reload load the
//! module again and again (`docs/decisions/0005-one-background-thread.md`).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use oxpg_client::open::{self, CancelTarget, Config, OpenError, Opened, Particulars, Socket};
use oxpg_codec::failpoint;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::reactor::Wake;

/// Work for the background thread.
pub(crate) enum Job {
    /// Open a session; `opening` names the attempt. It is stopped when the other end of `wanted` is gone.
    Open { opening: u32, config: Configuration, particulars: Particulars, wanted: oneshot::Receiver<Infallible> },
    /// Wait until the server has ended a session that has said goodbye.
    Part { parting: u32, socket: Socket },
    /// Interrupt what a backend runs; `connection` is told when the server has closed the connection of its cancel
    /// `number`. Those of one pool go through `gate`.
    Cancel {
        connection: u32,
        number: u32,
        target: CancelTarget,
        backend_pid: i32,
        secret_key: Vec<u8>,
        gate: Option<CancelGate>,
    },
}

/// Lets so many cancel connections of a pool be open at a time: however many calls are given up together, they cost the
/// server few connections beside the pool's own.
#[derive(Clone)]
pub(crate) struct CancelGate(Arc<Semaphore>);

/// Cancels of one pool at a time.
const CANCELS_AT_ONCE: usize = 10;
/// One that takes longer, because its server is not there, say, is in nobody's way.
const GATE_LIMIT: Duration = Duration::from_millis(500);

impl CancelGate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(CANCELS_AT_ONCE)))
    }

    async fn pass<T>(&self, cancel: impl Future<Output = T>) -> T {
        // It is never closed.
        let place = self.0.acquire().await;
        let mut cancel = pin!(cancel);
        if let Ok(result) = tokio::time::timeout(GATE_LIMIT, &mut cancel).await {
            return result;
        }
        drop(place);
        cancel.await
    }
}

/// A configuration as JavaScript gave it, or as an earlier opening understood it.
#[derive(Clone)]
pub(crate) enum Configuration {
    /// JSON text, not parsed yet.
    Text(Arc<str>),
    /// Parsed, shared by the connections of a pool.
    Parsed(Arc<Config>),
}

/// What came of a [`Job`].
pub(crate) enum Outcome {
    Opened { opening: u32, result: Box<Result<(Opened, Arc<Config>), OpenError>> },
    CancelFinished { connection: u32, number: u32 },
    Parted { parting: u32 },
}

/// One environment's way to the background thread. Dropping it abandons what the thread does for the environment.
pub(crate) struct Background {
    orders: UnboundedSender<Order>,
    report: Report,
    /// Its end tells the tasks that nobody waits for them any more.
    _presence: watch::Sender<()>,
}

impl Background {
    /// Joins the process's background thread, and starts it if there is none.
    pub(crate) fn join(waker: Arc<dyn Wake>) -> io::Result<Self> {
        let (presence, absence) = watch::channel(());
        let report = Report { outcomes: Arc::default(), waker, absence };
        Ok(Self { orders: running()?, report, _presence: presence })
    }

    /// False when the background thread is gone.
    pub(crate) fn submit(&self, job: Job) -> bool {
        self.orders.send(Order { job, report: self.report.clone() }).is_ok()
    }

    pub(crate) fn take_outcomes(&self) -> VecDeque<Outcome> {
        std::mem::take(&mut self.report.outcomes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The way to the thread that runs, if one does. It holds nothing: the thread ends with the last environment.
static RUNNING: Mutex<Option<WeakUnboundedSender<Order>>> = Mutex::new(None);

/// The thread's queue of orders; starts the thread if there is none.
fn running() -> io::Result<UnboundedSender<Order>> {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let known = running.as_ref().and_then(WeakUnboundedSender::upgrade);
    if let Some(orders) = known.filter(|orders| !orders.is_closed()) {
        return Ok(orders);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let (orders, receiver) = unbounded_channel();
    thread::Builder::new().name("oxpg".into()).spawn(move || {
        runtime.block_on(serve(receiver));
        // A name look-up or a file that hangs must not hold the thread.
        runtime.shutdown_background();
    })?;
    *running = Some(orders.downgrade());
    Ok(orders)
}

/// A job, and where its outcome goes.
struct Order {
    job: Job,
    report: Report,
}

/// The way back to one environment. What arrives when it is gone is dropped, and an opened socket closed with it.
#[derive(Clone)]
struct Report {
    outcomes: Arc<Mutex<VecDeque<Outcome>>>,
    waker: Arc<dyn Wake>,
    absence: watch::Receiver<()>,
}

impl Report {
    fn send(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).push_back(outcome);
        self.waker.wake();
    }

    /// Resolves when the environment is gone.
    async fn absence(mut self) {
        // Nothing is ever sent: the only news is the end.
        let _ = self.absence.changed().await;
    }
}

async fn serve(mut orders: UnboundedReceiver<Order>) {
    while let Some(Order { job, report }) = orders.recv().await {
        let promise = Promise { report: report.clone(), outcome: Some(broken(&job)) };
        tokio::spawn(async move {
            let (mut absence, mut work) = (pin!(report.absence()), pin!(run(job)));
            let first = poll_fn(|context| match absence.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => work.as_mut().poll(context).map(Some),
            });
            if let Some(outcome) = first.await {
                promise.keep(outcome);
            }
        });
    }
}

async fn run(job: Job) -> Outcome {
    match job {
        Job::Open { opening, config, particulars, wanted } => {
            failpoint::pass("open.session");
            let (mut given_up, mut opened) = (pin!(wanted), pin!(open_session(config, particulars)));
            let first = poll_fn(|context| match given_up.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => opened.as_mut().poll(context).map(Some),
            });
            let result = first.await.unwrap_or_else(|| Err(OpenError::internal("nobody waits for the session")));
            Outcome::Opened { opening, result: Box::new(result) }
        }
        Job::Part { parting, socket } => {
            failpoint::pass("open.parting");
            open::parted(socket).await;
            Outcome::Parted { parting }
        }
        Job::Cancel { connection, number, target, backend_pid, secret_key, gate } => {
            failpoint::pass("open.cancel");
            let cancel = open::cancel(&target, backend_pid, &secret_key);
            // A cancel request that fails has the same meaning as one that came too late.
            let _ = match &gate {
                Some(gate) => gate.pass(cancel).await,
                None => cancel.await,
            };
            Outcome::CancelFinished { connection, number }
        }
    }
}

/// Reports an outcome even if its task panics.
struct Promise {
    report: Report,
    outcome: Option<Outcome>,
}

impl Promise {
    fn keep(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.report.send(outcome);
        }
    }
}

/// What a job comes to whose task does not get to its end.
fn broken(job: &Job) -> Outcome {
    match job {
        Job::Open { opening, .. } => {
            let error = OpenError::internal("an internal error of the driver ended the opening of the session");
            Outcome::Opened { opening: *opening, result: Box::new(Err(error)) }
        }
        Job::Part { parting, .. } => Outcome::Parted { parting: *parting },
        Job::Cancel { connection, number, .. } => Outcome::CancelFinished { connection: *connection, number: *number },
    }
}

async fn open_session(config: Configuration, particulars: Particulars) -> Result<(Opened, Arc<Config>), OpenError> {
    match config {
        Configuration::Text(text) => open::open_text(&text, particulars).await,
        Configuration::Parsed(config) => {
            let opened = open::open_with(Arc::clone(&config), particulars).await?;
            Ok((opened, config))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;
    use std::rc::Rc;

    use tokio::task::{LocalSet, yield_now};

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        LocalSet::new().block_on(&runtime, test);
    }

    #[test]
    fn few_cancels_of_a_pool_are_under_way_at_a_time() {
        run(async {
            let gate = CancelGate::new();
            let (open, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let cancels: Vec<_> = (0..100)
                .map(|_| {
                    let (gate, open, most) = (gate.clone(), Rc::clone(&open), Rc::clone(&most));
                    tokio::task::spawn_local(async move {
                        gate.pass(async {
                            open.set(open.get() + 1);
                            most.set(most.get().max(open.get()));
                            yield_now().await;
                            open.set(open.get() - 1);
                        })
                        .await;
                    })
                })
                .collect();
            for cancel in cancels {
                cancel.await.unwrap();
            }
            assert_eq!(most.get(), CANCELS_AT_ONCE);
        });
    }

    #[test]
    fn cancels_that_hang_are_in_nobodys_way() {
        run(async {
            let gate = CancelGate::new();
            for _ in 0..CANCELS_AT_ONCE {
                let gate = gate.clone();
                tokio::task::spawn_local(async move { gate.pass(pending::<()>()).await });
            }
            // Those have their turn.
            yield_now().await;
            assert_eq!(gate.0.available_permits(), 0);
            gate.pass(async {}).await;
        });
    }
}
