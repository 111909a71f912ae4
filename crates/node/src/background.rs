//! The background thread: whatever waits for the network before a session exists.
//!
//! One thread per environment, started at first use, runs a small tokio runtime for opening sessions and for
//! cancel requests, so that no name look-up, handshake or key derivation runs on Node's thread. Results come
//! back through a queue and a wake-up of the loop.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use oxpg_client::open::{self, CancelTarget, Config, OpenError, Opened};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::reactor::Waker;

/// Work for the background thread.
pub(crate) enum Job {
    /// Open a session; `opening` names the attempt.
    Open { opening: u32, config: Configuration },
    /// Interrupt what a backend runs; `connection` is told when the server has closed the cancel connection.
    Cancel { connection: u32, target: CancelTarget, backend_pid: i32, secret_key: Vec<u8> },
}

/// A configuration as JavaScript gave it, or as an earlier opening understood it.
#[derive(Clone)]
pub(crate) enum Configuration {
    /// JSON text, not parsed yet: parsing may read a password file.
    Text(Arc<str>),
    /// Parsed, shared by the connections of a pool.
    Parsed(Arc<Config>),
}

/// What came of a [`Job`].
pub(crate) enum Outcome {
    Opened { opening: u32, result: Box<Result<(Opened, Arc<Config>), OpenError>> },
    CancelFinished { connection: u32 },
}

/// The way to the background thread. Dropping it ends the thread, which abandons what it was doing.
pub(crate) struct Background {
    jobs: UnboundedSender<Job>,
    outcomes: Arc<Mutex<VecDeque<Outcome>>>,
}

impl Background {
    pub(crate) fn start(waker: Arc<Waker>) -> Result<Self, std::io::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (jobs, receiver) = unbounded_channel();
        let outcomes = Arc::new(Mutex::new(VecDeque::new()));
        let report = Report { outcomes: Arc::clone(&outcomes), waker };
        thread::Builder::new().name("oxpg".into()).spawn(move || {
            runtime.block_on(serve(receiver, report));
            // A name look-up that hangs must not hold the thread.
            runtime.shutdown_background();
        })?;
        Ok(Self { jobs, outcomes })
    }

    /// False when the background thread is gone.
    pub(crate) fn submit(&self, job: Job) -> bool {
        self.jobs.send(job).is_ok()
    }

    pub(crate) fn take_outcomes(&self) -> VecDeque<Outcome> {
        std::mem::take(&mut self.outcomes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Clone)]
struct Report {
    outcomes: Arc<Mutex<VecDeque<Outcome>>>,
    waker: Arc<Waker>,
}

impl Report {
    fn send(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).push_back(outcome);
        self.waker.wake();
    }
}

async fn serve(mut jobs: UnboundedReceiver<Job>, report: Report) {
    while let Some(job) = jobs.recv().await {
        let promise = Promise { report: report.clone(), outcome: Some(broken(&job)) };
        tokio::spawn(async move {
            let outcome = match job {
                Job::Open { opening, config } => {
                    Outcome::Opened { opening, result: Box::new(open_session(config).await) }
                }
                Job::Cancel { connection, target, backend_pid, secret_key } => {
                    // A cancel request that fails has the same meaning as one that came too late.
                    let _ = open::cancel(&target, backend_pid, &secret_key).await;
                    Outcome::CancelFinished { connection }
                }
            };
            promise.keep(outcome);
        });
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
        Job::Cancel { connection, .. } => Outcome::CancelFinished { connection: *connection },
    }
}

async fn open_session(config: Configuration) -> Result<(Opened, Arc<Config>), OpenError> {
    let config = match config {
        Configuration::Parsed(config) => config,
        Configuration::Text(text) => Arc::new(Config::from_json(&text)?),
    };
    let opened = open::open(Arc::clone(&config)).await?;
    Ok((opened, config))
}
