//! What a reactor calls, and Node's clean-up hook: a turn's events, each with its environment. Each body catches panics:
//! one that crossed into C would abort somebody's server.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi_sys as sys;

use crate::delivery::{deliver, let_go};
use crate::environment::Environment;

/// What a reactor has seen of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It has something for us, or takes something from us.
    Ready { is_readable: bool, is_writable: bool },
    /// It has an error that reading will tell; the reactor has stopped watching it.
    Failed,
}

/// Runs a callback's body; a panic takes down what it came from, and nothing else (`recovery.rs`).
///
/// # Safety
/// `environment` must be live, on its own thread, with no borrow of it alive.
unsafe fn guard(environment: *mut Environment, body: impl FnOnce()) {
    // SAFETY: by the caller's promise.
    unsafe { (*environment).pools.touched = None };
    if catch_unwind(AssertUnwindSafe(body)).is_err() {
        // SAFETY: by the caller's promise; the body's borrows ended when it unwound.
        unsafe {
            after_panic(environment, |environment| {
                environment.mailbox.recover();
                environment.run_errands();
                environment.end_turn();
            });
        }
    }
}

/// How often what a panic has interrupted is gone on with, if that panics again.
const MOST_RESUMPTIONS: usize = 8;

/// Takes down what a panic came from, and lets `resume` go on with what the panic interrupted. Where that panics as well, what
/// *that* came from is taken down too: what it had taken in hand, such as the list of those that have something to write, would
/// be nobody's. What is still left then has its turn with the loop's next one.
///
/// # Safety
/// As for [`guard`].
pub(crate) unsafe fn after_panic(environment: *mut Environment, mut resume: impl FnMut(&mut Environment)) {
    // SAFETY: by the caller's promise; no JavaScript runs in what follows.
    let environment = unsafe { &mut *environment };
    for _ in 0..MOST_RESUMPTIONS {
        // What panics once more here is left to the environment's end.
        let _ = catch_unwind(AssertUnwindSafe(|| environment.recover()));
        if catch_unwind(AssertUnwindSafe(|| resume(environment))).is_ok() {
            return;
        }
    }
    let _ = catch_unwind(AssertUnwindSafe(|| environment.recover()));
}

/// A socket is ready.
///
/// # Safety
/// As for [`guard`].
pub(crate) unsafe fn on_ready(environment: *mut Environment, connection: u32, readiness: Readiness) {
    // SAFETY: by the caller's promise.
    unsafe {
        guard(environment, || match readiness {
            Readiness::Ready { is_readable, is_writable } => {
                (*environment).on_socket(connection, is_readable, is_writable);
            }
            Readiness::Failed => (*environment).on_socket_failed(connection),
        });
    }
}

/// The loop is about to wait for I/O: what a socket tells from here on, it has not told before.
///
/// # Safety
/// As for [`guard`].
pub(crate) unsafe fn before_io(environment: *mut Environment) {
    // SAFETY: by the caller's promise.
    unsafe { guard(environment, || (*environment).before_io()) }
}

/// The loop's turn has done its I/O: deliver, parse what had no room, deliver again.
///
/// # Safety
/// As for [`guard`]. The environment may be on its way out afterwards: it is freed when its reactor has closed.
pub(crate) unsafe fn after_io(environment: *mut Environment) {
    // SAFETY: by the caller's promise; `deliver` and `parse_waiting` are called with no borrow alive between them.
    unsafe {
        guard(environment, || {
            (*environment).looks.end();
            loop {
                deliver(environment);
                if !(*environment).parse_waiting() {
                    break;
                }
            }
            (*environment).end_turn();
            if (*environment).is_dispensable() {
                let_go(environment);
            }
        });
    }
}

/// The earliest deadline has come.
///
/// # Safety
/// As for [`guard`].
pub(crate) unsafe fn on_timer(environment: *mut Environment) {
    // SAFETY: by the caller's promise.
    unsafe { guard(environment, || (*environment).on_timer()) }
}

/// The background thread has something for us.
///
/// # Safety
/// As for [`guard`].
pub(crate) unsafe fn on_wake(environment: *mut Environment) {
    // SAFETY: by the caller's promise.
    unsafe { guard(environment, || (*environment).on_wake()) }
}

/// The reactor has closed: frees the environment.
///
/// # Safety
/// As for [`guard`]; nothing may use the environment afterwards.
pub(crate) unsafe fn on_all_closed(environment: *mut Environment) {
    // SAFETY: by the caller's promise; the environment is the box that `attach` leaked.
    unsafe {
        let hook = (*environment).host.cleanup_hook;
        // Whatever an engine's end comes to, the hook is removed, or the worker never ends.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(environment))));
        sys::napi_remove_async_cleanup_hook(hook);
    }
}

/// The environment ends (a worker, or the main thread without `process.exit`): close the reactor, then let go.
pub(crate) unsafe extern "C" fn on_cleanup(hook: sys::napi_async_cleanup_hook_handle, data: *mut std::ffi::c_void) {
    let environment = data.cast::<Environment>();
    // SAFETY: Node calls once, on the environment's thread, with the pointer that was registered.
    unsafe {
        (*environment).host.cleanup_hook = hook;
        guard(environment, || (*environment).shut_down());
    }
}
