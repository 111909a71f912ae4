//! How far an opening is: a startup that has begun is better brought to its end than broken off.
//!
//! A server that has taken a startup message and finds its client gone when it has something to say logs a broken
//! connection. One that gets a Terminate instead says nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells whoever may want to break off an opening whether a server is in the midst of its startup.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicBool>);

impl Progress {
    /// A socket is connected, and its session has not been handed over or given up.
    #[must_use]
    pub fn is_in_startup(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A startup begins. It is over when what this gives is dropped.
    pub(super) fn begin(&self) -> InStartup {
        self.0.store(true, Ordering::Relaxed);
        InStartup(self.clone())
    }
}

/// A startup that goes on.
#[derive(Debug)]
pub(super) struct InStartup(Progress);

impl Drop for InStartup {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}
