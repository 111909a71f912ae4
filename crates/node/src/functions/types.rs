//! The functions for types and their codecs.

use napi_sys as sys;

use super::run;
use crate::napi_value as value;
use crate::types;

/// `familyOf(typeName)`: the type code, 0 when it has no binary codec.
pub(super) unsafe extern "C" fn family_of(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe { run(env, info, |call| Some(value::number(env, f64::from(types::family_of(&call.text(0)).0)))) }
}

/// `chooseCodec(target, schema, name, choice, argument)`
pub(super) unsafe extern "C" fn choose_codec(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let (target, schema, name) = (call.number(0), call.text(1), call.text(2));
            let (choice, argument) = (call.number(3), call.number(4));
            call.environment.choose_codec(target, (&schema, &name), choice, argument);
            None
        })
    }
}

/// `reloadTypes(target)`
pub(super) unsafe extern "C" fn reload_types(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let target = call.number(0);
            call.environment.reload_types(target);
            None
        })
    }
}

/// `forkTypes(connectionId)`
pub(super) unsafe extern "C" fn fork_types(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let id = call.number(0);
            call.environment.fork_types(id);
            None
        })
    }
}

/// `joinTypes(connectionId)`
pub(super) unsafe extern "C" fn join_types(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: as in `flush`.
    unsafe {
        run(env, info, |call| {
            let id = call.number(0);
            call.environment.join_types(id);
            None
        })
    }
}
