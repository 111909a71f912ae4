//! What libuv calls: each finds its environment, and hands over to the turn.

use std::ffi::c_int;

use super::handle::HandleContext;
use super::library::{READABLE, RawHandle, WRITABLE};
use crate::callbacks::{self, Readiness};
use crate::environment::Environment;

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

/// A socket is readable or writable, or has an error, for which libuv stops watching it.
pub(super) unsafe extern "C" fn on_poll(handle: RawHandle, status: c_int, events: c_int) {
    let readiness = if status < 0 {
        Readiness::Failed
    } else {
        Readiness::Ready { is_readable: events & READABLE != 0, is_writable: events & WRITABLE != 0 }
    };
    // SAFETY: libuv's contract for poll callbacks; no borrow is alive when the loop calls.
    unsafe {
        let (environment, connection) = context(handle);
        callbacks::on_ready(environment, connection, readiness);
    }
}

/// The loop is about to wait for I/O.
pub(super) unsafe extern "C" fn on_prepare(handle: RawHandle) {
    // SAFETY: as in `on_poll`.
    unsafe { callbacks::before_io(context(handle).0) }
}

/// The loop's turn has done its I/O.
pub(super) unsafe extern "C" fn on_check(handle: RawHandle) {
    // SAFETY: as in `on_poll`.
    unsafe { callbacks::after_io(context(handle).0) }
}

/// Keeps the loop from blocking; the work is done in `on_check`.
pub(super) unsafe extern "C" fn on_idle(_handle: RawHandle) {}

/// The earliest deadline has come.
pub(super) unsafe extern "C" fn on_timer(handle: RawHandle) {
    // SAFETY: as in `on_poll`.
    unsafe { callbacks::on_timer(context(handle).0) }
}

/// Another thread has something for us.
pub(super) unsafe extern "C" fn on_wake(handle: RawHandle) {
    // SAFETY: as in `on_poll`.
    unsafe { callbacks::on_wake(context(handle).0) }
}

/// libuv is done with a handle.
pub(super) unsafe extern "C" fn on_closed(handle: RawHandle) {
    // SAFETY: the last call for this handle; its context was leaked by `Handle::allocate` and is ours again. The
    // environment outlives its handles, and no borrow of it is alive when the loop calls.
    unsafe {
        let context = Box::from_raw(HandleContext::of(handle));
        let environment = context.environment;
        drop(context);
        if (*environment).reactor.handle_closed() {
            callbacks::on_all_closed(environment);
        }
    }
}
