//! libuv's functions, looked up in the host process when the addon loads.
//!
//! Node exports libuv's symbols from its executable. Looking them up at run time (and sizing handles with
//! `uv_handle_size`) means that nothing here links against Node's headers or a libuv of its own.
//! Reference: <https://docs.libuv.org/en/v1.x/api.html>.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

/// `uv_loop_t *`, opaque.
pub(crate) type Loop = *mut c_void;
/// `uv_handle_t *` of any kind, opaque.
pub(super) type RawHandle = *mut c_void;

/// `UV_READABLE`: the socket has bytes or an end of file for us.
pub(super) const READABLE: c_int = 1;
/// `UV_WRITABLE`: the socket takes bytes.
pub(super) const WRITABLE: c_int = 2;

/// `uv_handle_type` values that we use (`UV_HANDLE_TYPE_MAP` in `uv.h`; the order is part of libuv's ABI).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum HandleType {
    Async = 1,
    Check = 2,
    Idle = 6,
    Poll = 8,
    Prepare = 9,
    Timer = 13,
}

macro_rules! uv_functions {
    ($($field:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The table of libuv functions, all present.
        #[derive(Clone, Copy)]
        pub(crate) struct Uv {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Uv {
            /// Looks all functions up; the error names the first that the host lacks.
            pub(super) fn load() -> Result<Self, &'static str> {
                Ok(Self {
                    $($field: {
                        let address = symbol($symbol).ok_or(concat!("the host exports no ", stringify!($field)))?;
                        // SAFETY: libuv's 1.x ABI fixes this symbol's signature, written down above.
                        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*) $(-> $result)?>(address) }
                    },)*
                })
            }
        }
    };
}

uv_functions! {
    handle_size = c"uv_handle_size": fn(c_int) -> usize;
    handle_set_data = c"uv_handle_set_data": fn(RawHandle, *mut c_void);
    close = c"uv_close": fn(RawHandle, Option<unsafe extern "C" fn(RawHandle)>);
    reference = c"uv_ref": fn(RawHandle);
    unreference = c"uv_unref": fn(RawHandle);
    poll_init = c"uv_poll_init": fn(Loop, RawHandle, c_int) -> c_int;
    poll_start = c"uv_poll_start": fn(RawHandle, c_int, unsafe extern "C" fn(RawHandle, c_int, c_int)) -> c_int;
    poll_stop = c"uv_poll_stop": fn(RawHandle) -> c_int;
    check_init = c"uv_check_init": fn(Loop, RawHandle) -> c_int;
    check_start = c"uv_check_start": fn(RawHandle, unsafe extern "C" fn(RawHandle)) -> c_int;
    check_stop = c"uv_check_stop": fn(RawHandle) -> c_int;
    prepare_init = c"uv_prepare_init": fn(Loop, RawHandle) -> c_int;
    prepare_start = c"uv_prepare_start": fn(RawHandle, unsafe extern "C" fn(RawHandle)) -> c_int;
    prepare_stop = c"uv_prepare_stop": fn(RawHandle) -> c_int;
    idle_init = c"uv_idle_init": fn(Loop, RawHandle) -> c_int;
    idle_start = c"uv_idle_start": fn(RawHandle, unsafe extern "C" fn(RawHandle)) -> c_int;
    idle_stop = c"uv_idle_stop": fn(RawHandle) -> c_int;
    timer_init = c"uv_timer_init": fn(Loop, RawHandle) -> c_int;
    timer_start = c"uv_timer_start": fn(RawHandle, unsafe extern "C" fn(RawHandle), u64, u64) -> c_int;
    timer_stop = c"uv_timer_stop": fn(RawHandle) -> c_int;
    async_init = c"uv_async_init": fn(Loop, RawHandle, unsafe extern "C" fn(RawHandle)) -> c_int;
    async_send = c"uv_async_send": fn(RawHandle) -> c_int;
    error_name = c"uv_err_name_r": fn(c_int, *mut c_char, usize) -> *mut c_char;
    update_time = c"uv_update_time": fn(Loop);
}

#[cfg(unix)]
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: `name` is NUL-terminated; RTLD_DEFAULT searches what is loaded and has no effects.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

#[cfg(not(unix))]
fn symbol(_name: &CStr) -> Option<*mut c_void> {
    // Reached on Windows only until its reactor lands (GetProcAddress and uv_poll_init_socket): loading then
    // fails with a clear error instead of running half a reactor.
    None
}

impl Uv {
    /// libuv's short name of an error code, such as `EBADF`.
    pub(super) fn error_text(&self, code: c_int) -> String {
        let mut buffer = [0; 64];
        // SAFETY: the buffer is writable for its whole length, and libuv terminates what it writes.
        unsafe { (self.error_name)(code, buffer.as_mut_ptr(), buffer.len()) };
        // SAFETY: uv_err_name_r wrote a NUL-terminated string into the buffer.
        unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned()
    }
}

static LOADED: OnceLock<Result<Uv, &'static str>> = OnceLock::new();

/// The process's libuv, looked up once. An immutable table of addresses is the one process-wide static here.
pub(crate) fn loaded() -> Result<&'static Uv, &'static str> {
    LOADED.get_or_init(Uv::load).as_ref().map_err(|text| *text)
}
