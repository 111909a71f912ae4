//! The reactor: Node's own event loop carries the traffic.
//!
//! A seam: today there is one reactor, libuv's. Whatever replaces it where there is no libuv has to offer what
//! [`Reactor`] offers: watch a socket, run once after each turn's I/O, keep the loop from blocking, one timer,
//! and a wake-up from another thread.

mod handle;
pub(crate) mod uv;

use std::ffi::c_int;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use handle::{Handle, HandleContext};
use uv::{HandleType, Loop, RawHandle, Uv};

use crate::callbacks;
use crate::environment::Environment;

/// One environment's handles on its loop. All of them are unreferenced, except the check handle while something
/// is pending: that one reference keeps the process alive.
pub(crate) struct Reactor {
    pub(crate) uv: Uv,
    event_loop: Loop,
    environment: *mut Environment,
    check: Handle,
    idle: Handle,
    timer: Handle,
    wake: Handle,
    waker: Arc<Waker>,
    is_spinning: bool,
    /// When the timer fires, in the environment's milliseconds; `u64::MAX` when it is not armed.
    armed_at_ms: u64,
    holds: usize,
    /// Handles that libuv has not finished closing; the environment outlives them.
    pub(crate) open_handles: usize,
}

/// Wakes the loop from another thread, as long as the loop is there.
pub(crate) struct Waker {
    target: Mutex<Option<(WakeHandle, Uv)>>,
}

#[derive(Clone, Copy)]
struct WakeHandle(RawHandle);

// SAFETY: the pointer is only ever given to uv_async_send, the one libuv function that any thread may call, and
// `Waker::disarm` takes it away (under the lock) before the handle is closed.
unsafe impl Send for WakeHandle {}

impl Waker {
    pub(crate) fn wake(&self) {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((handle, uv)) = &*target {
            // SAFETY: the handle is open while it stands in `target`; see `WakeHandle`.
            unsafe { (uv.async_send)(handle.0) };
        }
    }

    fn disarm(&self) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Reactor {
    /// Creates the environment's own handles.
    pub(crate) fn new(uv: Uv, event_loop: Loop, environment: *mut Environment) -> Result<Self, String> {
        let mut open_handles = 0;
        let mut create = |kind: HandleType| {
            open_handles += 1;
            Handle::allocate(&uv, kind, environment, 0)
        };
        let (check, idle, timer, wake) =
            (create(HandleType::Check), create(HandleType::Idle), create(HandleType::Timer), create(HandleType::Async));
        // SAFETY: each handle has memory of uv_handle_size bytes for its type, is initialised once, on the loop's
        // own thread; the callbacks are `extern "C"` and catch panics.
        let status = unsafe {
            [
                (uv.check_init)(event_loop, check.raw()),
                (uv.idle_init)(event_loop, idle.raw()),
                (uv.timer_init)(event_loop, timer.raw()),
                (uv.async_init)(event_loop, wake.raw(), callbacks::on_wake),
                (uv.check_start)(check.raw(), callbacks::on_check),
            ]
        };
        for handle in [check, idle, timer, wake] {
            handle.attach_context(&uv);
            // SAFETY: initialised above.
            unsafe { (uv.unreference)(handle.raw()) };
        }
        if let Some(code) = status.into_iter().find(|code| *code < 0) {
            return Err(format!("libuv refused a handle: {}", uv.error_text(code)));
        }
        let waker = Arc::new(Waker { target: Mutex::new(Some((WakeHandle(wake.raw()), uv))) });
        Ok(Self {
            uv,
            event_loop,
            environment,
            check,
            idle,
            timer,
            wake,
            waker,
            is_spinning: false,
            armed_at_ms: u64::MAX,
            holds: 0,
            open_handles,
        })
    }

    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Something is pending: the loop must not end. Calls nest.
    pub(crate) fn hold(&mut self) {
        if self.holds == 0 {
            // SAFETY: the check handle is open until `close`.
            unsafe { (self.uv.reference)(self.check.raw()) };
        }
        self.holds += 1;
    }

    /// The opposite of [`Self::hold`].
    pub(crate) fn release(&mut self, count: usize) {
        if count == 0 || self.holds == 0 {
            return;
        }
        self.holds = self.holds.saturating_sub(count);
        if self.holds == 0 {
            // SAFETY: as in `hold`.
            unsafe { (self.uv.unreference)(self.check.raw()) };
        }
    }

    /// Nothing holds the loop.
    pub(crate) fn is_free(&self) -> bool {
        self.holds == 0
    }

    /// Keeps the loop from blocking while work is left that epoll cannot see (an active idle handle), or not.
    pub(crate) fn spin(&mut self, wanted: bool) {
        if wanted == self.is_spinning {
            return;
        }
        self.is_spinning = wanted;
        // SAFETY: the idle handle is open until `close`.
        unsafe {
            if wanted {
                (self.uv.idle_start)(self.idle.raw(), callbacks::on_idle);
            } else {
                (self.uv.idle_stop)(self.idle.raw());
            }
        }
    }

    /// Arms the one timer for `deadline_ms` if that is earlier than what it is armed for.
    pub(crate) fn arm(&mut self, deadline_ms: u64, now_ms: u64) {
        if deadline_ms >= self.armed_at_ms {
            return;
        }
        self.armed_at_ms = deadline_ms;
        // SAFETY: the timer handle is open until `close`; the loop's clock may be stale after a long JS turn.
        unsafe {
            (self.uv.update_time)(self.event_loop);
            (self.uv.timer_start)(self.timer.raw(), callbacks::on_timer, deadline_ms.saturating_sub(now_ms), 0);
        }
    }

    /// The timer fired.
    pub(crate) fn disarmed(&mut self) {
        self.armed_at_ms = u64::MAX;
    }

    /// Watches a socket for a connection; reading starts at once.
    pub(crate) fn watch(&mut self, descriptor: c_int, connection: u32) -> Result<Handle, String> {
        let handle = Handle::allocate(&self.uv, HandleType::Poll, self.environment, connection);
        // SAFETY: memory of the right size, on the loop's thread; the descriptor is an open, non-blocking socket.
        let code = unsafe { (self.uv.poll_init)(self.event_loop, handle.raw(), descriptor) };
        if code < 0 {
            handle.free_unopened();
            return Err(self.uv.error_text(code));
        }
        self.open_handles += 1;
        handle.attach_context(&self.uv);
        // SAFETY: initialised above.
        unsafe { (self.uv.unreference)(handle.raw()) };
        let code = self.interest(handle, uv::READABLE);
        if code < 0 {
            let text = self.uv.error_text(code);
            self.unwatch(handle);
            return Err(text);
        }
        Ok(handle)
    }

    /// Changes what a watched socket waits for.
    pub(crate) fn interest(&self, handle: Handle, events: c_int) -> c_int {
        // SAFETY: a handle that `watch` gave and `unwatch` has not taken back.
        unsafe {
            if events == 0 {
                (self.uv.poll_stop)(handle.raw())
            } else {
                (self.uv.poll_start)(handle.raw(), events, callbacks::on_poll)
            }
        }
    }

    /// Stops watching; the caller closes the descriptor afterwards.
    pub(crate) fn unwatch(&self, handle: Handle) {
        // SAFETY: as in `interest`; the memory is freed by the close callback.
        unsafe {
            (self.uv.poll_stop)(handle.raw());
            (self.uv.close)(handle.raw(), Some(callbacks::on_closed));
        }
    }

    /// Closes the environment's own handles; each ends in `callbacks::on_closed`.
    pub(crate) fn close(&mut self) {
        self.waker.disarm();
        // SAFETY: all four are open; libuv calls back once for each.
        unsafe {
            (self.uv.check_stop)(self.check.raw());
            (self.uv.idle_stop)(self.idle.raw());
            (self.uv.timer_stop)(self.timer.raw());
            for handle in [self.check, self.idle, self.timer, self.wake] {
                (self.uv.close)(handle.raw(), Some(callbacks::on_closed));
            }
        }
    }
}
