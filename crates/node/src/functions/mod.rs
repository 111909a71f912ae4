//! The functions that `attach` gives to JavaScript, on the raw interface: `flush` runs once per tick, and the
//! conversions of napi-rs would cost more than the flush itself.

mod types;

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use napi_sys as sys;
use oxpg_client::open::{Config, DefaultRoots, Particulars, Secret, explain};
use oxpg_client::session::{Misplaced, Query, Sharing};
use oxpg_codec::boundary::POOL_BIT;

use crate::attached::Attachment;
use crate::callbacks::after_panic;
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::napi_value as value;

/// A function of the table, as Node-API calls it.
pub(crate) type RawFunction = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

/// Names as `src/native/load.ts` declares them.
pub(crate) const TABLE: &[(&str, RawFunction)] = &[
    ("flush", flush),
    ("setOutbox", set_outbox),
    ("open", open),
    ("openPool", open_pool),
    ("answerCredentials", answer_credentials),
    ("refuseCredentials", refuse_credentials),
    ("connectTimeoutOf", connect_timeout_of),
    ("areDefaultRootsMissing", are_default_roots_missing),
    ("setDefaultRoots", set_default_roots),
    ("explainConfig", explain_config),
    ("defineQuery", define_query),
    ("forgetQuery", forget_query),
    ("holdQuery", hold_query),
    ("refusalThroughPool", refusal_through_pool),
    ("sharingOf", sharing_of),
    ("poolStats", pool_stats),
    ("expirePool", expire_pool),
    ("reference", reference),
    ("unreference", unreference),
    ("familyOf", types::family_of),
    ("chooseCodec", types::choose_codec),
    ("reloadTypes", types::reload_types),
    ("forkTypes", types::fork_types),
    ("joinTypes", types::join_types),
    ("sayGoodbye", say_goodbye),
];

/// What a function was called with; missing arguments are `undefined`.
struct Call<'a> {
    env: sys::napi_env,
    environment: &'a mut Environment,
    arguments: [sys::napi_value; 5],
}

impl Call<'_> {
    fn number(&self, index: usize) -> u32 {
        value::as_u32(self.env, self.arguments[index])
    }

    fn text(&self, index: usize) -> String {
        self.optional_text(index).unwrap_or_default()
    }

    /// `None` for what is no string.
    fn optional_text(&self, index: usize) -> Option<String> {
        value::as_bytes(self.env, self.arguments[index]).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn secret(&self, index: usize) -> Option<Secret> {
        self.optional_text(index).map(Secret)
    }
}

/// Runs a function's body with its arguments. Nothing runs once the environment is closing: the result is what `gone`
/// gives.
///
/// # Safety
/// Called by Node-API with the environment's number as the function's data, on its thread, with no borrow of it alive:
/// JavaScript runs only where none is (`delivery.rs`).
unsafe fn run_unless_gone(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    gone: impl FnOnce() -> sys::napi_value,
    body: impl FnOnce(&mut Call<'_>) -> Option<sys::napi_value>,
) -> sys::napi_value {
    let mut arguments = [ptr::null_mut(); 5];
    let mut count = arguments.len();
    let mut data: *mut c_void = ptr::null_mut();
    // SAFETY: `arguments` has room for `count`; Node-API fills what is missing with undefined.
    unsafe {
        sys::napi_get_cb_info(env, info, &raw mut count, arguments.as_mut_ptr(), ptr::null_mut(), &raw mut data);
    }
    let Some(pointer) = Attachment::find(data) else { return gone() };
    // SAFETY: what is attached lives, and by the caller's promise nobody borrows it.
    let environment = unsafe { &mut *pointer };
    environment.pools.touched = None;
    let mut call = Call { env, environment, arguments };
    if let Ok(result) = catch_unwind(AssertUnwindSafe(|| body(&mut call))) {
        return result.unwrap_or(ptr::null_mut());
    }
    // SAFETY: the call's borrow of the environment ended when it unwound.
    unsafe { after_panic(pointer, Environment::settle) };
    ptr::null_mut()
}

/// The same for what has nothing to say of an environment that is gone.
///
/// # Safety
/// As for [`run_unless_gone`].
unsafe fn run(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&mut Call<'_>) -> Option<sys::napi_value>,
) -> sys::napi_value {
    // SAFETY: by the caller's promise.
    unsafe { run_unless_gone(env, info, ptr::null_mut, body) }
}

/// `flush(commandBytes, extras)`: carries out what the outbox holds. Where the environment is gone, nothing is carried
/// out, and the result is the failure of all that was asked: everything was closed there.
unsafe extern "C" fn flush(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let gone = || FailureData::pool_closed().to_js(env);
    // SAFETY: `run`'s contract is kept by Node-API; JavaScript does not run while the letters are read.
    unsafe {
        run_unless_gone(env, info, gone, |call| {
            let length = call.number(0) as usize;
            let extras = value::elements(env, call.arguments[1])
                .into_iter()
                .map(|element| value::as_bytes(env, element).unwrap_or_default())
                .collect::<Vec<_>>();
            let letters = call.environment.outbox.letters(length);
            call.environment.carry_out(letters, &extras);
            None
        })
    }
}

/// `setOutbox(commands, bytes)`: new memory for commands and their bytes.
unsafe extern "C" fn set_outbox(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`; JavaScript keeps both arrays until it sets others.
    unsafe {
        run(env, info, |call| {
            let commands = value::typed_array(env, call.arguments[0])?;
            let bytes = value::typed_array(env, call.arguments[1])?;
            call.environment.outbox.set((commands.data, commands.length), (bytes.data, bytes.length));
            None
        })
    }
}

/// `open(slot, configJson)`
unsafe extern "C" fn open(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let (slot, config) = (call.number(0), call.text(1));
            call.environment.open_or_recover(slot, |environment| environment.open(slot, &config));
            call.environment.settle();
            None
        })
    }
}

/// `openPool(slot, configJson, optionsJson)`: the pool's id.
unsafe extern "C" fn open_pool(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let (slot, config) = (call.number(0), call.text(1));
            let options = call.text(2);
            let opened =
                call.environment.open_or_recover(slot, |environment| environment.open_pool(slot, &config, &options));
            call.environment.settle();
            // Without a number it is a pool that is closed.
            Some(value::number(env, f64::from(opened.unwrap_or(POOL_BIT))))
        })
    }
}

/// `answerCredentials(opening, password, oauthToken, remainingMs)`; what is undefined is the configuration's.
unsafe extern "C" fn answer_credentials(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let remaining_ms = call.number(3);
            let timeout = (remaining_ms != 0).then(|| Duration::from_millis(u64::from(remaining_ms)));
            let (password, oauth_token) = (call.secret(1), call.secret(2));
            let particulars = Particulars { password, oauth_token, timeout, ..Particulars::default() };
            call.environment.credentials_given(call.number(0), particulars);
            call.environment.settle();
            None
        })
    }
}

/// `refuseCredentials(opening, why, isLate)`
unsafe extern "C" fn refuse_credentials(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let (opening, why) = (call.number(0), call.text(1));
            let is_late = value::as_bool(env, call.arguments[2]);
            call.environment.credentials_refused(opening, &why, is_late);
            call.environment.settle();
            None
        })
    }
}

/// `connectTimeoutOf(configJson)`: `connectTimeoutMs` as options, DSN and environment have it, 0 for no limit; undefined
/// when the configuration is wrong.
unsafe extern "C" fn connect_timeout_of(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let config = Config::from_json(&call.text(0)).ok()?;
            let milliseconds = config.connect_timeout().map_or(0, |timeout| timeout.as_millis().max(1));
            Some(value::integer(env, u64::try_from(milliseconds).unwrap_or(u64::MAX)))
        })
    }
}

/// `areDefaultRootsMissing(configJson)`: whether servers would be verified by Node's root certificates, which are not here
/// yet.
unsafe extern "C" fn are_default_roots_missing(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let is_missing = call.environment.openings.default_roots.is_none()
                && Config::from_json(&call.text(0)).is_ok_and(|config| config.are_node_roots_wanted());
            Some(value::boolean(env, is_missing))
        })
    }
}

/// `setDefaultRoots(pem, isSystemTrusted)`: Node's root certificates; 1 adds those that OpenSSL trusts by default.
unsafe extern "C" fn set_default_roots(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            call.environment.openings.default_roots =
                Some(Arc::new(DefaultRoots::from_pem(&call.text(0), call.number(1) == 1)));
            None
        })
    }
}

/// `explainConfig(configJson)`: what it comes to, as JSON; a failure when the configuration is wrong.
unsafe extern "C" fn explain_config(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            Some(match explain(&call.text(0)) {
                Ok(json) => value::text(env, json.as_bytes()),
                Err(error) => FailureData::from(error).to_js(env),
            })
        })
    }
}

/// `defineQuery(text, isCacheable)`: the query's id.
unsafe extern "C" fn define_query(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let text = call.text(0);
            let is_cacheable = value::as_bool(env, call.arguments[1]);
            let id = call.environment.calls.queries.reserve();
            call.environment.calls.queries.fill(id, Query::new(id, &text, is_cacheable));
            Some(value::number(env, f64::from(id)))
        })
    }
}

/// `holdQuery(id, isHeld)`: while it is held, connections keep its statement prepared.
unsafe extern "C" fn hold_query(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let id = call.number(0);
            if let Some(query) = call.environment.calls.queries.get(id) {
                query.hold(value::as_bool(env, call.arguments[1]));
            }
            None
        })
    }
}

/// `forgetQuery(id)`: its statements are closed on every connection.
unsafe extern "C" fn forget_query(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let id = call.number(0);
            crate::commands::forget_query(call.environment, id);
            None
        })
    }
}

/// `refusalThroughPool(text)`: why a query is not sent through a pool, or undefined.
unsafe extern "C" fn refusal_through_pool(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let misplaced = Misplaced::of(&call.text(0))?;
            Some(FailureData::misplaced(misplaced).to_js(env))
        })
    }
}

/// `sharingOf(text)`: bits of what a text is where statements share a transaction: 1 it may share a Sync with others, 2 it
/// controls transactions, 4 it is a COPY.
unsafe extern "C" fn sharing_of(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let Sharing { is_plain, has_control, is_copy } = Sharing::of(&call.text(0));
            let bits = u32::from(is_plain) | u32::from(has_control) << 1 | u32::from(is_copy) << 2;
            Some(value::number(env, f64::from(bits)))
        })
    }
}

/// `poolStats(id)`: an object of counters, those of a closed pool once; undefined when the pool is gone.
unsafe extern "C" fn pool_stats(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let stats = call.environment.pool_stats(call.number(0))?;
            Some(crate::facts::pool_stats(env, &stats))
        })
    }
}

/// `expirePool(id)`
unsafe extern "C" fn expire_pool(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let id = call.number(0);
            call.environment.expire_pool(id);
            call.environment.settle();
            None
        })
    }
}

/// `reference(connectionId)`: the connection keeps the process alive, idle or not.
unsafe extern "C" fn reference(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let id = call.number(0);
            call.environment.set_referenced(id, true);
            None
        })
    }
}

/// `unreference(connectionId)`
unsafe extern "C" fn unreference(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let id = call.number(0);
            call.environment.set_referenced(id, false);
            None
        })
    }
}

/// `sayGoodbye()`: the process is about to exit.
unsafe extern "C" fn say_goodbye(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            call.environment.say_goodbye();
            None
        })
    }
}
