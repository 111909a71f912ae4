//! libuv's reactor: Node's own event loop.

mod callbacks;
mod handle;
mod library;

use std::ffi::c_int;
use std::sync::{Arc, Mutex, PoisonError};

use self::handle::Handle;
use self::library::{HandleType, READABLE, RawHandle, WRITABLE};
pub(crate) use self::library::{Loop, Uv, loaded};
use super::{Interest, Reactor, Wake};
use crate::environment::Environment;
use crate::wire::Descriptor;

/// One environment's handles on its loop. All of them are unreferenced, except the check handle while something
/// is pending: that one reference keeps the process alive.
pub(crate) struct UvReactor {
    uv: Uv,
    event_loop: Loop,
    environment: *mut Environment,
    prepare: Handle,
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
    open_handles: usize,
    is_closing: bool,
}

/// What watches a socket.
#[derive(Clone, Copy)]
pub(crate) struct PollHandle(Handle);

/// Sends to the loop's `uv_async_t`, as long as that is open.
struct Waker {
    target: Mutex<Option<(WakeHandle, Uv)>>,
}

#[derive(Clone, Copy)]
struct WakeHandle(RawHandle);

// SAFETY: the pointer is only ever given to uv_async_send, the one libuv function that any thread may call, and
// `Waker::disarm` takes it away (under the lock) before the handle is closed.
unsafe impl Send for WakeHandle {}

impl Wake for Waker {
    fn wake(&self) {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((handle, uv)) = &*target {
            // SAFETY: the handle is open while it stands in `target`; see `WakeHandle`.
            unsafe { (uv.async_send)(handle.0) };
        }
    }
}

impl Waker {
    fn disarm(&self) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl UvReactor {
    /// Creates the environment's own handles.
    pub(crate) fn new(uv: Uv, event_loop: Loop, environment: *mut Environment) -> Result<Self, String> {
        let mut open_handles = 0;
        let mut create = |kind: HandleType| {
            open_handles += 1;
            Handle::allocate(&uv, kind, environment, 0)
        };
        let prepare = create(HandleType::Prepare);
        let (check, idle, timer, wake) =
            (create(HandleType::Check), create(HandleType::Idle), create(HandleType::Timer), create(HandleType::Async));
        // SAFETY: each handle has memory of uv_handle_size bytes for its type, is initialised once, on the loop's
        // own thread; the callbacks are `extern "C"` and catch panics.
        let status = unsafe {
            [
                (uv.prepare_init)(event_loop, prepare.raw()),
                (uv.check_init)(event_loop, check.raw()),
                (uv.idle_init)(event_loop, idle.raw()),
                (uv.timer_init)(event_loop, timer.raw()),
                (uv.async_init)(event_loop, wake.raw(), callbacks::on_wake),
                (uv.prepare_start)(prepare.raw(), callbacks::on_prepare),
                (uv.check_start)(check.raw(), callbacks::on_check),
            ]
        };
        for handle in [prepare, check, idle, timer, wake] {
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
            prepare,
            check,
            idle,
            timer,
            wake,
            waker,
            is_spinning: false,
            armed_at_ms: u64::MAX,
            holds: 0,
            open_handles,
            is_closing: false,
        })
    }

    /// libuv is done with a handle; true when it was the last one of a reactor that is closed.
    fn handle_closed(&mut self) -> bool {
        self.open_handles -= 1;
        self.is_closing && self.open_handles == 0
    }

    /// libuv's code is negative when it refuses.
    fn poll(&self, handle: Handle, interest: Interest) -> c_int {
        let readable = if interest.is_read() { READABLE } else { 0 };
        let writable = if interest.is_write() { WRITABLE } else { 0 };
        // SAFETY: a handle that `watch` gave and `unwatch` has not taken back.
        unsafe {
            if interest == Interest::Nothing {
                (self.uv.poll_stop)(handle.raw())
            } else {
                (self.uv.poll_start)(handle.raw(), readable | writable, callbacks::on_poll)
            }
        }
    }
}

impl Reactor for UvReactor {
    type Watch = PollHandle;

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::<Waker>::clone(&self.waker)
    }

    fn hold(&mut self) {
        if self.holds == 0 {
            // SAFETY: the check handle is open until `close`.
            unsafe { (self.uv.reference)(self.check.raw()) };
        }
        self.holds += 1;
    }

    fn release(&mut self, count: usize) {
        if count == 0 || self.holds == 0 {
            return;
        }
        self.holds = self.holds.saturating_sub(count);
        if self.holds == 0 {
            // SAFETY: as in `hold`.
            unsafe { (self.uv.unreference)(self.check.raw()) };
        }
    }

    fn is_free(&self) -> bool {
        self.holds == 0
    }

    fn spin(&mut self, wanted: bool) {
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

    fn arm(&mut self, deadline_ms: u64, now_ms: u64) {
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

    fn armed_at_ms(&self) -> u64 {
        self.armed_at_ms
    }

    fn disarmed(&mut self) {
        self.armed_at_ms = u64::MAX;
    }

    fn watch(&mut self, descriptor: Descriptor, connection: u32) -> Result<PollHandle, String> {
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
        let code = self.poll(handle, Interest::Read);
        if code < 0 {
            let text = self.uv.error_text(code);
            self.unwatch(PollHandle(handle));
            return Err(text);
        }
        Ok(PollHandle(handle))
    }

    fn set_interest(&self, watch: PollHandle, interest: Interest) {
        self.poll(watch.0, interest);
    }

    fn unwatch(&self, PollHandle(handle): PollHandle) {
        // SAFETY: as in `poll`; the memory is freed by the close callback.
        unsafe {
            (self.uv.poll_stop)(handle.raw());
            (self.uv.close)(handle.raw(), Some(callbacks::on_closed));
        }
    }

    fn close(&mut self) {
        self.is_closing = true;
        self.waker.disarm();
        // SAFETY: all five are open; libuv calls back once for each.
        unsafe {
            (self.uv.prepare_stop)(self.prepare.raw());
            (self.uv.check_stop)(self.check.raw());
            (self.uv.idle_stop)(self.idle.raw());
            (self.uv.timer_stop)(self.timer.raw());
            for handle in [self.prepare, self.check, self.idle, self.timer, self.wake] {
                (self.uv.close)(handle.raw(), Some(callbacks::on_closed));
            }
        }
    }
}
