//! The few Node-API calls that build what crosses beside the mailbox.
//!
//! napi-rs's own conversions allocate and check more than this path needs, and its class machinery is not used
//! for deliveries. Every function here must run on the environment's thread with an open handle scope.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use napi_sys as sys;

/// A value that Node-API refused to make (out of memory, a string past V8's limit) becomes `undefined`.
fn or_undefined(env: sys::napi_env, status: sys::napi_status, value: sys::napi_value) -> sys::napi_value {
    if status == sys::Status::napi_ok && !value.is_null() { value } else { undefined(env) }
}

pub(crate) fn undefined(env: sys::napi_env) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: `env` is the live environment of the calling thread (module contract).
    unsafe { sys::napi_get_undefined(env, &raw mut value) };
    value
}

/// A string of UTF-8; bad sequences become U+FFFD.
pub(crate) fn text(env: sys::napi_env, utf8: &[u8]) -> sys::napi_value {
    let mut value = ptr::null_mut();
    let length = utf8.len().cast_signed();
    // SAFETY: as in `undefined`; the pointer and length are a slice's, which V8 copies.
    let status = unsafe {
        if utf8.is_ascii() {
            sys::napi_create_string_latin1(env, utf8.as_ptr().cast::<c_char>(), length, &raw mut value)
        } else {
            sys::napi_create_string_utf8(env, utf8.as_ptr().cast::<c_char>(), length, &raw mut value)
        }
    };
    or_undefined(env, status, value)
}

/// A Buffer with memory of its own.
pub(crate) fn buffer(env: sys::napi_env, bytes: &[u8]) -> sys::napi_value {
    let mut value = ptr::null_mut();
    let mut data = ptr::null_mut();
    // SAFETY: as in `text`.
    let status =
        unsafe { sys::napi_create_buffer_copy(env, bytes.len(), bytes.as_ptr().cast(), &raw mut data, &raw mut value) };
    or_undefined(env, status, value)
}

/// An ArrayBuffer holding a copy of `bytes`.
pub(crate) fn array_buffer(env: sys::napi_env, bytes: &[u8]) -> sys::napi_value {
    let mut value = ptr::null_mut();
    let mut data = ptr::null_mut();
    // SAFETY: as in `undefined`; on success `data` has room for exactly `bytes.len()` bytes.
    let status = unsafe {
        let status = sys::napi_create_arraybuffer(env, bytes.len(), &raw mut data, &raw mut value);
        if status == sys::Status::napi_ok && !data.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast::<u8>(), bytes.len());
        }
        status
    };
    or_undefined(env, status, value)
}

pub(crate) fn number(env: sys::napi_env, number: f64) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: as in `undefined`.
    let status = unsafe { sys::napi_create_double(env, number, &raw mut value) };
    or_undefined(env, status, value)
}

/// An integer; counters stay far below 2⁵³.
pub(crate) fn integer(env: sys::napi_env, integer: u64) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: as in `undefined`.
    let status = unsafe { sys::napi_create_int64(env, integer.cast_signed(), &raw mut value) };
    or_undefined(env, status, value)
}

pub(crate) fn boolean(env: sys::napi_env, boolean: bool) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: as in `undefined`.
    let status = unsafe { sys::napi_get_boolean(env, boolean, &raw mut value) };
    or_undefined(env, status, value)
}

pub(crate) fn object(env: sys::napi_env) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: as in `undefined`.
    let status = unsafe { sys::napi_create_object(env, &raw mut value) };
    or_undefined(env, status, value)
}

/// Defines a property, as an object literal does: a setter that somebody put on `Object.prototype` is not called, so
/// that no JavaScript runs in the middle of our work.
pub(crate) fn set(env: sys::napi_env, object: sys::napi_value, name: &str, value: sys::napi_value) {
    define(env, object, text(env, name.as_bytes()), value);
}

fn define(env: sys::napi_env, object: sys::napi_value, name: sys::napi_value, value: sys::napi_value) {
    let property = sys::napi_property_descriptor {
        utf8name: ptr::null(),
        name,
        method: None,
        getter: None,
        setter: None,
        value,
        attributes: sys::PropertyAttributes::writable
            | sys::PropertyAttributes::enumerable
            | sys::PropertyAttributes::configurable,
        data: ptr::null_mut(),
    };
    // SAFETY: object, name and value are live values of this environment.
    unsafe { sys::napi_define_properties(env, object, 1, &raw const property) };
}

pub(crate) fn array(env: sys::napi_env, elements: impl ExactSizeIterator<Item = sys::napi_value>) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: as in `undefined`.
    let status = unsafe { sys::napi_create_array_with_length(env, elements.len(), &raw mut value) };
    let value = or_undefined(env, status, value);
    for (element, index) in elements.zip(0_u32..) {
        // Defined, not set: see `set`.
        define(env, value, text(env, index.to_string().as_bytes()), element);
    }
    value
}

/// A function of ours, with `data` behind it.
pub(crate) fn function(
    env: sys::napi_env,
    name: &str,
    function: unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value,
    data: *mut c_void,
) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: as in `text`; `function` follows the calling convention of Node-API's callbacks.
    let status = unsafe {
        sys::napi_create_function(
            env,
            name.as_ptr().cast::<c_char>(),
            name.len().cast_signed(),
            Some(function),
            data,
            &raw mut value,
        )
    };
    or_undefined(env, status, value)
}

/// Where a typed array's elements are.
pub(crate) struct TypedArray {
    pub(crate) kind: sys::napi_typedarray_type,
    pub(crate) data: *mut u8,
    /// In elements.
    pub(crate) length: usize,
}

pub(crate) fn typed_array(env: sys::napi_env, array: sys::napi_value) -> Option<TypedArray> {
    let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
    let (mut buffer, mut offset) = (ptr::null_mut(), 0);
    // SAFETY: as in `undefined`; a value that is no typed array gives an error status.
    let status = unsafe {
        sys::napi_get_typedarray_info(
            env,
            array,
            &raw mut kind,
            &raw mut length,
            &raw mut data,
            &raw mut buffer,
            &raw mut offset,
        )
    };
    (status == sys::Status::napi_ok).then(|| TypedArray { kind, data: data.cast::<u8>(), length })
}

/// A property of the global object, by the names on the way to it; `None` where one of them is missing.
pub(crate) fn global_property(env: sys::napi_env, path: &[&CStr]) -> Option<sys::napi_value> {
    let mut object = ptr::null_mut();
    // SAFETY: as in `undefined`.
    unsafe { sys::napi_get_global(env, &raw mut object) };
    for name in path {
        let mut property = ptr::null_mut();
        let mut kind = sys::ValueType::napi_undefined;
        // SAFETY: as in `undefined`; a value that has no properties gives an error status.
        let is_there = unsafe {
            sys::napi_get_named_property(env, object, name.as_ptr(), &raw mut property) == sys::Status::napi_ok
                && sys::napi_typeof(env, property, &raw mut kind) == sys::Status::napi_ok
        };
        if !is_there || kind == sys::ValueType::napi_undefined {
            return None;
        }
        object = property;
    }
    Some(object)
}

/// A number as JavaScript's `>>> 0` sees it, 0 for what is none.
pub(crate) fn as_u32(env: sys::napi_env, value: sys::napi_value) -> u32 {
    let mut number = 0;
    // SAFETY: as in `undefined`.
    unsafe { sys::napi_get_value_uint32(env, value, &raw mut number) };
    number
}

pub(crate) fn as_bool(env: sys::napi_env, value: sys::napi_value) -> bool {
    let mut boolean = false;
    // SAFETY: as in `undefined`.
    unsafe { sys::napi_get_value_bool(env, value, &raw mut boolean) };
    boolean
}

/// A copy of a string's UTF-8 or of a `Uint8Array`'s bytes.
pub(crate) fn as_bytes(env: sys::napi_env, value: sys::napi_value) -> Option<Vec<u8>> {
    let mut length = 0;
    // SAFETY: as in `undefined`; without a buffer the call only measures.
    let status = unsafe { sys::napi_get_value_string_utf8(env, value, ptr::null_mut(), 0, &raw mut length) };
    if status == sys::Status::napi_ok {
        // Node-API writes a NUL behind the text.
        let mut bytes = vec![0_u8; length + 1];
        // SAFETY: the buffer has room for the text that was measured, and the NUL.
        unsafe {
            sys::napi_get_value_string_utf8(
                env,
                value,
                bytes.as_mut_ptr().cast::<c_char>(),
                bytes.len(),
                &raw mut length,
            );
        }
        bytes.truncate(length);
        return Some(bytes);
    }
    let array = typed_array(env, value).filter(|array| array.kind == sys::TypedarrayType::uint8_array)?;
    if array.length == 0 {
        return Some(Vec::new());
    }
    // SAFETY: V8 keeps the elements in place while no JavaScript runs; they are copied at once.
    Some(unsafe { std::slice::from_raw_parts(array.data, array.length) }.to_vec())
}

/// The elements of an array; none of what is no array.
pub(crate) fn elements(env: sys::napi_env, array: sys::napi_value) -> Vec<sys::napi_value> {
    let mut length = 0;
    // SAFETY: as in `undefined`; the array is one that the outbox made, so that no getter runs.
    if unsafe { sys::napi_get_array_length(env, array, &raw mut length) } != sys::Status::napi_ok {
        return Vec::new();
    }
    (0..length)
        .map(|index| {
            let mut element = ptr::null_mut();
            // SAFETY: as above.
            unsafe { sys::napi_get_element(env, array, index, &raw mut element) };
            element
        })
        .collect()
}
