//! What libuv calls. Each body catches panics: one that crossed into C would abort somebody's server.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use napi_sys as sys;

use crate::delivery::{deliver, let_go};
use crate::environment::Environment;
use crate::reactor::uv::RawHandle;
use crate::reactor::{HandleContext, uv};

/// Runs a callback's body; a panic fails the connection whose engine ran, and nothing else.
///
/// # Safety
/// `environment` must be live, on its own thread, with no borrow of it alive.
unsafe fn guard(environment: *mut Environment, body: impl FnOnce()) {
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

/// Takes down the connection that a panic came from, and lets `resume` go on with what the panic interrupted.
///
/// # Safety
/// As for [`guard`].
pub(crate) unsafe fn after_panic(environment: *mut Environment, resume: impl FnOnce(&mut Environment)) {
    // SAFETY: by the caller's promise; no JavaScript runs in what follows.
    let environment = unsafe { &mut *environment };
    environment.end_panicked();
    // What panics once more here is left to the environment's end.
    let _ = catch_unwind(AssertUnwindSafe(|| resume(environment)));
}

/// Environment and connection behind a handle.
///
/// # Safety
/// `handle` must be one of ours, open, on its loop's thread.
unsafe fn context(handle: RawHandle) -> (*mut Environment, u32) {
    // SAFETY: by the caller's promise; the context lives until `on_closed` frees it.
    unsafe {
        let context = HandleContext::of(handle);
        ((*context).environment, (*context).connection)
    }
}

/// A socket is readable or writable.
pub(crate) unsafe extern "C" fn on_poll(handle: RawHandle, status: c_int, events: c_int) {
    // SAFETY: libuv's contract for poll callbacks; no borrow is alive when the loop calls.
    unsafe {
        let (environment, connection) = context(handle);
        guard(environment, || {
            let environment = &mut *environment;
            if status < 0 {
                environment.on_poll_stopped(connection);
            } else {
                environment.on_socket(connection, events & uv::READABLE != 0, events & uv::WRITABLE != 0);
            }
        });
    }
}

/// The loop's turn has done its I/O: deliver, parse what had no room, deliver again.
pub(crate) unsafe extern "C" fn on_check(handle: RawHandle) {
    // SAFETY: as in `on_poll`; `deliver` and `parse_waiting` are called with no borrow alive between them.
    unsafe {
        let (environment, _) = context(handle);
        guard(environment, || {
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

/// Keeps the loop from blocking; the work is done in `on_check`.
pub(crate) unsafe extern "C" fn on_idle(_handle: RawHandle) {}

/// The earliest deadline has come.
pub(crate) unsafe extern "C" fn on_timer(handle: RawHandle) {
    // SAFETY: as in `on_poll`.
    unsafe {
        let (environment, _) = context(handle);
        guard(environment, || (*environment).on_timer());
    }
}

/// The background thread has something for us.
pub(crate) unsafe extern "C" fn on_wake(handle: RawHandle) {
    // SAFETY: as in `on_poll`.
    unsafe {
        let (environment, _) = context(handle);
        guard(environment, || (*environment).on_wake());
    }
}

/// libuv is done with a handle.
pub(crate) unsafe extern "C" fn on_closed(handle: RawHandle) {
    // SAFETY: the last call for this handle; its context was leaked by `Handle::allocate` and is ours again.
    unsafe {
        let context = Box::from_raw(HandleContext::of(handle));
        let environment = context.environment;
        drop(context);
        (*environment).reactor.open_handles -= 1;
        if (*environment).is_closing && (*environment).reactor.open_handles == 0 {
            let hook = (*environment).cleanup_hook;
            // Whatever an engine's end comes to, the hook is removed, or the worker never ends.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(environment))));
            sys::napi_remove_async_cleanup_hook(hook);
        }
    }
}

/// The environment ends (a worker, or the main thread without `process.exit`): close every handle, then let go.
pub(crate) unsafe extern "C" fn on_cleanup(hook: sys::napi_async_cleanup_hook_handle, data: *mut std::ffi::c_void) {
    let environment = data.cast::<Environment>();
    // SAFETY: Node calls once, on the environment's thread, with the pointer that was registered.
    unsafe {
        (*environment).cleanup_hook = hook;
        guard(environment, || (*environment).shut_down());
    }
}
