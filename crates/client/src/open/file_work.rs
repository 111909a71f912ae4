//! Work that cannot be interrupted and may never end, off the runtime's thread: reading files, which hang with the mount
//! that they are on, and opening encrypted keys, which takes as long as whoever made them wanted.
//!
//! The caller stops waiting at its deadline; the thread goes on, and neither the runtime's end nor the process's waits for
//! it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::OpenError;

/// The same files are read so many times at once. Files that hang would otherwise take one of the runtime's blocking
/// threads (512) with each attempt, until there are none left for name look-ups and for everybody else's files.
const MAX_AT_ONCE: usize = 4;

/// By the files. The threads are the runtime's, which the process shares, and so are their limits; what nobody uses is
/// taken out with the next that comes.
static TURNS: Mutex<Option<HashMap<Vec<PathBuf>, Weak<Semaphore>>>> = Mutex::new(None);

/// Does `work`, which reads these files, on a thread of its own.
///
/// # Errors
/// It panicked.
pub(super) async fn run<T: Send + 'static>(
    files: Vec<PathBuf>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, OpenError> {
    let turn = turn(files).await;
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(turn);
        result
    });
    done.await.map_err(|_| OpenError::internal("an internal error of the driver ended the reading of files"))
}

/// The right to read these files; `None` where there are none, and where what there is to do ends by itself.
async fn turn(files: Vec<PathBuf>) -> Option<OwnedSemaphorePermit> {
    if files.is_empty() {
        return None;
    }
    let turns = {
        let mut all = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        match all.get(&files).and_then(Weak::upgrade) {
            Some(turns) => turns,
            None => {
                all.retain(|_, turns| turns.strong_count() > 0);
                let turns = Arc::new(Semaphore::new(MAX_AT_ONCE));
                all.insert(files, Arc::downgrade(&turns));
                turns
            }
        }
    };
    turns.acquire_owned().await.ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::mpsc;

    use super::*;

    fn run_all<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let result = runtime.block_on(future);
        runtime.shutdown_background();
        result
    }

    #[test]
    fn what_hangs_holds_up_neither_the_thread_nor_other_files() {
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (begun, mut beginnings) = tokio::sync::mpsc::unbounded_channel();
        run_all(async {
            let stuck = vec![PathBuf::from("stuck")];
            for _ in 0..MAX_AT_ONCE + 3 {
                let (gate, begun) = (Arc::clone(&gate), begun.clone());
                tokio::spawn(run(stuck.clone(), move || {
                    begun.send(()).unwrap();
                    let _ = gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
                }));
            }
            for _ in 0..MAX_AT_ONCE {
                beginnings.recv().await.unwrap();
            }
            assert_eq!(run(vec![PathBuf::from("other")], || 1).await.unwrap(), 1);
            assert_eq!(run(Vec::new(), || 2).await.unwrap(), 2);
            assert!(beginnings.try_recv().is_err(), "no more than {MAX_AT_ONCE} threads wait for the same files");
            drop(release);
            for _ in 0..3 {
                beginnings.recv().await.unwrap();
            }
            run(stuck, || ()).await.unwrap();
        });
    }
}
