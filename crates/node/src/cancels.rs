//! Cancel requests as the background thread sends them: those of a pool few at a time, and those of sessions that are ended
//! while their server is at work for them.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use oxpg_client::open::{self, CancelTarget};
use oxpg_client::session::Session;
use tokio::sync::Semaphore;

/// Asks a server to interrupt what one of its sessions does.
pub(crate) struct CancelRequest {
    target: CancelTarget,
    backend_pid: i32,
    secret_key: Vec<u8>,
    /// What those of one pool go through.
    gate: Option<CancelGate>,
}

impl CancelRequest {
    pub(crate) fn of(session: &Session, target: CancelTarget, gate: Option<CancelGate>) -> Self {
        Self { target, backend_pid: session.backend_pid(), secret_key: session.secret_key().to_vec(), gate }
    }

    /// Returns when the server has closed the connection of the request. One that fails has the same meaning as one that
    /// came too late.
    pub(crate) async fn send(&self) {
        let cancel = open::cancel(&self.target, self.backend_pid, &self.secret_key);
        let _ = match &self.gate {
            Some(gate) => gate.pass(cancel).await,
            None => cancel.await,
        };
    }
}

/// What a session that was ended by force leaves behind.
pub(crate) struct Interrupt {
    pub(crate) request: CancelRequest,
    /// What its socket is to be told at last.
    pub(crate) last_words: Vec<u8>,
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
