//! Memory and context of one libuv handle.

use std::ffi::{c_int, c_void};

use super::library::{HandleType, RawHandle, Uv};
use crate::environment::Environment;

/// A libuv handle: memory of libuv's own size, with a [`HandleContext`] as its data.
///
/// `Copy`, because libuv owns the handle between its initialisation and its close callback; only
/// `on_closed` frees it.
#[derive(Clone, Copy)]
pub(super) struct Handle {
    context: *mut HandleContext,
}

/// What a callback finds behind its handle.
pub(super) struct HandleContext {
    /// The environment that the handle belongs to; it outlives all its handles.
    pub(super) environment: *mut Environment,
    /// The connection of a poll handle, 0 for others.
    pub(super) connection: u32,
    /// `uv_handle_t`, 8-aligned and zeroed.
    memory: Box<[u64]>,
}

impl Handle {
    pub(super) fn allocate(uv: &Uv, kind: HandleType, environment: *mut Environment, connection: u32) -> Self {
        // SAFETY: uv_handle_size only reads its argument.
        let bytes = unsafe { (uv.handle_size)(kind as c_int) };
        let memory = vec![0_u64; bytes.div_ceil(8)].into_boxed_slice();
        Self { context: Box::into_raw(Box::new(HandleContext { environment, connection, memory })) }
    }

    pub(super) fn attach_context(self, uv: &Uv) {
        // SAFETY: the handle is initialised, and its context lives until `free`.
        unsafe { (uv.handle_set_data)(self.raw(), self.context.cast::<c_void>()) };
    }

    pub(super) fn raw(self) -> RawHandle {
        // SAFETY: the context lives until `free`; the memory behind the box does not move.
        unsafe { (*self.context).memory.as_mut_ptr().cast::<c_void>() }
    }

    /// Frees a handle that libuv never took.
    pub(super) fn free_unopened(self) {
        // SAFETY: made by `allocate`, never given to libuv, and the caller forgets it.
        drop(unsafe { Box::from_raw(self.context) });
    }
}

impl HandleContext {
    /// The context behind a handle in a callback.
    ///
    /// # Safety
    /// `handle` must be one of ours, between its initialisation and the end of its close callback.
    pub(super) unsafe fn of(handle: RawHandle) -> *mut Self {
        // SAFETY: by the caller's promise the data is what `attach_context` set. `data` is the first field of
        // every libuv handle (`UV_HANDLE_FIELDS`), so reading it needs no look-up of uv_handle_get_data.
        unsafe { *handle.cast::<*mut Self>() }
    }
}
