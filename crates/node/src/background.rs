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
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use oxpg_client::open::{self, Config, OpenError, Opened, Particulars, Progress, Socket};
use oxpg_codec::failpoint;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};

use crate::cancels::{CancelRequest, Interrupt};
use crate::reactor::Wake;

/// Work for the background thread.
pub(crate) enum Job {
    /// Open a session; `opening` names the attempt. It is stopped when the other end of `wanted` is gone.
    Open { opening: u32, config: Configuration, particulars: Particulars, wanted: oneshot::Receiver<Infallible> },
    /// Wait until the server has ended a session that has said goodbye, or that is to be interrupted before.
    Part { parting: Option<u32>, socket: Socket, interrupt: Option<Interrupt> },
    /// Interrupt what a backend runs; `connection` is told when the server has closed the connection of its cancel
    /// `number`.
    Cancel { connection: u32, number: u32, request: CancelRequest },
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
    Opened { opening: u32, result: Box<Result<OpenedSession, OpenError>> },
    CancelFinished { connection: u32, number: u32 },
    Parted { parting: Option<u32> },
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
            let progress = particulars.progress.clone();
            let result = open_while_wanted(open_session(config, particulars), &progress, wanted).await;
            Outcome::Opened { opening, result: Box::new(result) }
        }
        Job::Part { parting, socket, interrupt } => {
            failpoint::pass("open.parting");
            match interrupt {
                None => open::parted(socket).await,
                Some(Interrupt { request, last_words }) => {
                    open::interrupted(socket, &last_words, || request.send()).await;
                }
            }
            Outcome::Parted { parting }
        }
        Job::Cancel { connection, number, request } => {
            failpoint::pass("open.cancel");
            request.send().await;
            Outcome::CancelFinished { connection, number }
        }
    }
}

/// How long a server may take for a startup that has begun when nobody waits for it any more.
const UNWANTED_LIMIT: Duration = Duration::from_secs(1);

/// Stops when nobody waits for the session any more. A startup that has begun is brought to its end then, within a limit, so
/// that its server hears a goodbye.
async fn open_while_wanted(
    opening: impl Future<Output = Result<OpenedSession, OpenError>>,
    progress: &Progress,
    mut wanted: oneshot::Receiver<Infallible>,
) -> Result<OpenedSession, OpenError> {
    let mut opening = pin!(opening);
    let first = poll_fn(|context| match Pin::new(&mut wanted).poll(context) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => opening.as_mut().poll(context).map(Some),
    });
    if let Some(result) = first.await {
        return result;
    }
    let startup = poll_fn(|context| {
        if !progress.is_in_startup() {
            return Poll::Ready(None);
        }
        match opening.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(result.ok()),
            // It has failed, and the next host is tried.
            Poll::Pending if !progress.is_in_startup() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    if let Ok(Some((opened, _))) = tokio::time::timeout(UNWANTED_LIMIT, startup).await {
        opened.leave();
    }
    Err(OpenError::internal("nobody waits for the session"))
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

/// An opened session, and its configuration as it was understood.
type OpenedSession = (Opened, Arc<Config>);

async fn open_session(config: Configuration, particulars: Particulars) -> Result<OpenedSession, OpenError> {
    match config {
        Configuration::Text(text) => open::open_text(&text, particulars).await,
        Configuration::Parsed(config) => {
            let opened = open::open_with(Arc::clone(&config), particulars).await?;
            Ok((opened, config))
        }
    }
}
