//! The addon's one export: `attach` makes an environment and gives the functions that work on it.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Result, ValueType};
use napi_derive::napi;
use napi_sys as sys;
use oxpg_codec::boundary::{FINGERPRINT, RECORD_WORDS};

use crate::attached::{self, Attachment};
use crate::callbacks;
use crate::environment::Environment;
use crate::functions;
use crate::host::Host;
use crate::mailbox::Mailbox;
use crate::napi_value as value;
use crate::reactor::uv::{self, Loop, Uv, UvReactor};

/// A value that this crate handles through the raw interface.
pub(crate) struct RawValue(sys::napi_value);

impl TypeName for RawValue {
    fn type_name() -> &'static str {
        "unknown"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for RawValue {}

impl FromNapiValue for RawValue {
    unsafe fn from_napi_value(_env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        Ok(Self(value))
    }
}

impl ToNapiValue for RawValue {
    unsafe fn to_napi_value(_env: sys::napi_env, value: Self) -> Result<sys::napi_value> {
        Ok(value.0)
    }
}

/// What the tables of the boundary's numbers hash to. The face compares it with its own before it calls `attach`:
/// a face and an addon of different tables would take each other's memory for something else.
#[napi]
#[must_use]
pub(crate) fn boundary_fingerprint() -> u32 {
    FINGERPRINT
}

/// The places of `failpoint::PLACES`, where tests make the driver panic.
#[cfg(feature = "failpoints")]
#[napi]
#[must_use]
pub(crate) fn failpoints() -> Vec<String> {
    oxpg_codec::failpoint::PLACES.iter().map(|place| (*place).to_owned()).collect()
}

/// Lets `skip` passes of a place go well, and the `times` after them panic.
#[cfg(feature = "failpoints")]
#[napi]
pub(crate) fn arm_failpoint(place: String, skip: u32, times: u32) {
    oxpg_codec::failpoint::arm(&place, skip, times);
}

/// How often a place has panicked.
#[cfg(feature = "failpoints")]
#[napi]
#[must_use]
pub(crate) fn failpoint_hits(place: String) -> u32 {
    oxpg_codec::failpoint::hits(&place)
}

/// Makes an environment on this thread: `cells`, `marks`, `bytes` and `records` become the mailbox, `deliver` is called
/// with what arrives in it, and `let_go` when nothing uses the environment any more and it is freed. The result is an
/// object of functions; `src/native/load.ts` has their types.
///
/// # Errors
/// When the host has no libuv that it exports, or an argument is not the typed array that it should be.
#[napi]
pub(crate) fn attach(
    env: napi::Env,
    cells: RawValue,
    marks: RawValue,
    bytes: RawValue,
    records: RawValue,
    deliver: RawValue,
    let_go: RawValue,
) -> Result<RawValue> {
    let env = env.raw();
    refuse_hosts_without_libuv(env)?;
    let uv = *uv::loaded().map_err(Error::from_reason)?;
    let event_loop = event_loop(env)?;
    let memory = MailboxMemory::of(env, &cells, &marks, &bytes, &records)?;
    pin_library();

    let environment = Box::into_raw(Box::<Environment>::new_uninit());
    let attachment = attached::add(environment.cast::<Environment>());
    let callbacks = (&deliver, &let_go);
    let made = match make(env, (uv, event_loop), environment.cast::<Environment>(), attachment, &memory, callbacks) {
        Ok(made) => made,
        Err(error) => {
            attached::remove(attachment);
            // SAFETY: made by `into_raw` above, and nothing has kept the pointer.
            drop(unsafe { Box::from_raw(environment) });
            return Err(error);
        }
    };
    // SAFETY: the memory is ours and uninitialised; from here on it is an `Environment` that `on_closed` frees.
    let environment = unsafe {
        (*environment).write(made);
        environment.cast::<MaybeUninit<Environment>>().cast::<Environment>()
    };
    // SAFETY: the environment lives until its last handle has closed, which takes the hook away again.
    unsafe {
        sys::napi_add_async_cleanup_hook(
            env,
            Some(callbacks::on_cleanup),
            environment.cast::<c_void>(),
            &raw mut (*environment).host.cleanup_hook,
        );
    }
    let object = value::object(env);
    for (name, function) in functions::TABLE {
        value::set(env, object, name, value::function(env, name, *function, attachment.into_data()));
    }
    Ok(RawValue(object))
}

fn make(
    env: sys::napi_env,
    (uv, event_loop): (Uv, Loop),
    environment: *mut Environment,
    attachment: Attachment,
    memory: &MailboxMemory,
    (deliver, let_go): (&RawValue, &RawValue),
) -> Result<Environment> {
    let deliver = reference(env, deliver, "deliver must be a function")?;
    let let_go = reference(env, let_go, "letGo must be a function")?;
    let mut context = ptr::null_mut();
    // SAFETY: plain Node-API calls on the live environment.
    unsafe {
        let name = value::text(env, b"oxpg");
        check(sys::napi_async_init(env, ptr::null_mut(), name, &raw mut context), "no asynchronous context")?;
    }
    let reactor = UvReactor::new(uv, event_loop, environment).map_err(Error::from_reason)?;
    // SAFETY: JavaScript keeps the four arrays until it is told to let go (`src/native/environment.ts`).
    let mailbox = unsafe { Mailbox::new(memory.cells, memory.marks, memory.bytes, memory.records) };
    let cleanup_hook = ptr::null_mut();
    let host = Host { env, attachment, deliver, let_go, async_context: context, cleanup_hook };
    Ok(Environment::new(host, reactor, mailbox))
}

fn reference(env: sys::napi_env, function: &RawValue, problem: &str) -> Result<sys::napi_ref> {
    let mut reference = ptr::null_mut();
    // SAFETY: a plain Node-API call on the live environment.
    check(unsafe { sys::napi_create_reference(env, function.0, 1, &raw mut reference) }, problem)?;
    Ok(reference)
}

/// Pointers and lengths of the mailbox's four arrays.
struct MailboxMemory {
    cells: (*mut u64, usize),
    marks: *mut u8,
    bytes: (*mut u8, usize),
    records: (*mut i32, usize),
}

impl MailboxMemory {
    fn of(
        env: sys::napi_env,
        cells: &RawValue,
        marks: &RawValue,
        bytes: &RawValue,
        records: &RawValue,
    ) -> Result<Self> {
        let array = |argument: &RawValue, name: &str, kind: sys::napi_typedarray_type| {
            value::typed_array(env, argument.0)
                .filter(|array| array.kind == kind)
                .ok_or_else(|| Error::from_reason(format!("{name} is not the typed array that it should be")))
        };
        let cells = array(cells, "cells", sys::TypedarrayType::float64_array)?;
        let marks = array(marks, "marks", sys::TypedarrayType::uint8_array)?;
        let bytes = array(bytes, "bytes", sys::TypedarrayType::uint8_array)?;
        let records = array(records, "records", sys::TypedarrayType::int32_array)?;
        if marks.length < cells.length || !cells.data.cast::<u64>().is_aligned() || records.length < RECORD_WORDS {
            return Err(Error::from_reason("the mailbox's arrays do not fit together"));
        }
        Ok(Self {
            cells: (cells.data.cast::<u64>(), cells.length),
            marks: marks.data,
            bytes: (bytes.data, bytes.length),
            records: (records.data.cast::<i32>(), records.length / RECORD_WORDS),
        })
    }
}

/// Bun exports libuv's functions by their names, but each of them ends the process. What else has no libuv does not export
/// them either, which [`uv::loaded`] finds.
fn refuse_hosts_without_libuv(env: sys::napi_env) -> Result<()> {
    match value::global_property(env, &[c"process", c"versions", c"bun"]) {
        Some(_) => {
            Err(Error::from_reason("oxpg does not run under Bun yet: it needs libuv's event loop, as Node.js has it"))
        }
        None => Ok(()),
    }
}

fn event_loop(env: sys::napi_env) -> Result<Loop> {
    let mut event_loop = ptr::null_mut();
    // SAFETY: a plain Node-API call on the live environment.
    let status = unsafe { sys::napi_get_uv_event_loop(env, &raw mut event_loop) };
    check(status, "the host gives no libuv loop")?;
    Ok(event_loop.cast::<c_void>())
}

fn check(status: sys::napi_status, problem: &str) -> Result<()> {
    if status == sys::Status::napi_ok { Ok(()) } else { Err(Error::from_reason(problem)) }
}

/// Keeps the addon's code in memory for good: Node unloads addons with the last worker that used them, while the
/// background thread may still run.
#[cfg(unix)]
fn pin_library() {
    // SAFETY: dladdr only fills the structure; dlopen takes one more reference on a library that is loaded.
    unsafe {
        let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
        let address = pin_library as *const () as *const c_void;
        if libc::dladdr(address, info.as_mut_ptr()) != 0 {
            let path: *const c_char = info.assume_init().dli_fname;
            libc::dlopen(path, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}

#[cfg(not(unix))]
fn pin_library() {}
