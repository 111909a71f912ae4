//! Waits that end within a quarter of a millisecond of their time, on a machine that has the time for it. Those of tokio end
//! at whole milliseconds of its own clock, rounded up: a distance of 1 ms would be one of up to 2, and what comes from there
//! would come in lumps.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

use tokio::sync::oneshot;

/// The thread that waits for all, where there is one to be had.
static ALARMS: LazyLock<Option<Sender<Alarm>>> = LazyLock::new(|| {
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("testkit-clock".to_owned());
    thread.spawn(move || ring(&receiver)).ok().map(|_| sender)
});

/// Somebody who waits.
struct Alarm {
    due: Instant,
    wake: oneshot::Sender<()>,
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Alarm {}

/// Waits until a time has come; not at all where it has come already.
pub(super) async fn sleep_until(due: Instant) {
    if due <= Instant::now() {
        return;
    }
    let (wake, woken) = oneshot::channel();
    let is_set = ALARMS.as_ref().is_some_and(|alarms| alarms.send(Alarm { due, wake }).is_ok());
    if !is_set || woken.await.is_err() {
        tokio::time::sleep_until(due.into()).await;
    }
}

/// Wakes each at its time, until nobody can come any more.
fn ring(coming: &Receiver<Alarm>) {
    let mut waiting = BinaryHeap::<Reverse<Alarm>>::new();
    loop {
        let next = waiting.peek().map(|Reverse(alarm)| alarm.due.saturating_duration_since(Instant::now()));
        let come = match next {
            Some(rest) => coming.recv_timeout(rest),
            None => coming.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match come {
            Ok(alarm) => waiting.push(Reverse(alarm)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        while waiting.peek().is_some_and(|Reverse(alarm)| alarm.due <= now) {
            if let Some(Reverse(alarm)) = waiting.pop() {
                // It may have been given up.
                let _ = alarm.wake.send(());
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn nobody_wakes_before_the_time_whatever_was_set_before() {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let started = Instant::now();
            let wait = async |micros| {
                let due = started + Duration::from_micros(micros);
                sleep_until(due).await;
                assert!(Instant::now() >= due, "{micros}");
            };
            tokio::join!(wait(60_000), wait(0), wait(1_500), wait(30_000), wait(700));
        });
    }
}
