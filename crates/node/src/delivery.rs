//! Handing the mailbox to JavaScript: the only place, besides user-made calls, where JavaScript runs.
//!
//! No borrow of the environment is alive while JavaScript runs: it may send, close or acquire from inside.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi_sys as sys;
use oxpg_codec::batch::{ExtraValue, TextMode};
use oxpg_codec::boundary::{RECORD_WORDS, record_word as word, text_mode};
use oxpg_codec::failpoint;

use crate::attached;
use crate::environment::Environment;
use crate::mailbox::{Extra, Kind, Mailbox, Record};
use crate::napi_value as value;
use crate::reactor::Reactor;

/// Hands over all that the mailbox holds.
///
/// # Safety
/// `environment` must be live, on its own thread, with no borrow of it alive in any caller.
pub(crate) unsafe fn deliver(environment: *mut Environment) {
    // SAFETY: by the caller's promise; the borrow ends with this statement.
    let Some(Delivery { records, env, deliver, context, capacity }) = (unsafe { &mut *environment }).begin_delivery()
    else {
        return;
    };
    let mut scope = ptr::null_mut();
    // SAFETY: the environment's own env, on its thread.
    unsafe { sys::napi_open_handle_scope(env, &raw mut scope) };
    let mut ended = 0;
    for records in records.chunks(capacity) {
        // SAFETY: as above; the borrow ends with this statement, the values are plain handles.
        let laid_out = catch_unwind(AssertUnwindSafe(|| lay_out(env, unsafe { &(*environment).mailbox }, records)));
        let Ok(extras) = laid_out else {
            // SAFETY: as above.
            unsafe { (*environment).lose(records) };
            continue;
        };
        ended += records.iter().filter(|record| ends_request(record)).count();
        let count = value::number(env, f64::from(u32::try_from(records.len()).unwrap_or(0)));
        call(env, context, deliver, &[count, extras]);
    }
    // SAFETY: opened above.
    unsafe { sys::napi_close_handle_scope(env, scope) };
    // SAFETY: by the caller's promise: JavaScript has returned.
    let environment = unsafe { &mut *environment };
    let mut records = records;
    records.clear();
    environment.mailbox.recycle(records);
    environment.reactor.release(ended);
}

/// Frees an environment that nothing uses any more, once JavaScript knows: it makes another when it needs one.
///
/// # Safety
/// As for [`deliver`]. The environment lives until its handles have closed, later in this turn of the loop.
pub(crate) unsafe fn let_go(environment: *mut Environment) {
    // SAFETY: by the caller's promise; the borrow ends with this statement.
    let (env, context, function) = unsafe {
        let host = &(*environment).host;
        (host.env, host.async_context, host.let_go)
    };
    // SAFETY: as above.
    attached::remove(unsafe { (*environment).host.attachment });
    let mut scope = ptr::null_mut();
    // SAFETY: the environment's own env, on its thread; JavaScript runs with no borrow alive, and cannot reach the
    // environment any more.
    unsafe {
        sys::napi_open_handle_scope(env, &raw mut scope);
        call(env, context, function, &[]);
        (*environment).shut_down();
        sys::napi_close_handle_scope(env, scope);
    }
}

/// What a delivery works with while no borrow of the environment is alive.
struct Delivery {
    records: Vec<Record>,
    env: sys::napi_env,
    deliver: sys::napi_ref,
    context: sys::napi_async_context,
    capacity: usize,
}

impl Environment {
    /// Closes the mailbox for rows and takes the records out, if there are any.
    fn begin_delivery(&mut self) -> Option<Delivery> {
        if !self.mailbox.has_news() || self.mailbox.is_reading || self.is_closing {
            return None;
        }
        self.mailbox.batch.end_segment();
        self.mailbox.is_reading = true;
        Some(Delivery {
            records: std::mem::take(&mut self.mailbox.records),
            env: self.host.env,
            deliver: self.host.deliver,
            context: self.host.async_context,
            capacity: self.mailbox.records_capacity,
        })
    }
}

/// Whether JavaScript frees the request's slot at this record.
fn ends_request(record: &Record) -> bool {
    [Kind::Done, Kind::Failed, Kind::Opened, Kind::Granted].iter().any(|kind| record.words[word::KIND] == *kind as i32)
}

/// Writes the records into JavaScript's memory and makes the array of extras (`undefined` when there are none).
fn lay_out(env: sys::napi_env, mailbox: &Mailbox, records: &[Record]) -> sys::napi_value {
    failpoint::pass("node.deliver");
    let values = mailbox.batch.extras();
    let mut extras: Vec<sys::napi_value> = values.iter().map(|extra| extra_of_row(env, extra)).collect();
    // SAFETY: `Mailbox::new`'s promise, and `records` is one chunk of at most `records_capacity`.
    let memory =
        unsafe { std::slice::from_raw_parts_mut(mailbox.records_memory, mailbox.records_capacity * RECORD_WORDS) };
    // A statement that many calls wait for is described to each of them: the same object serves all.
    let mut described: Option<(u32, i32)> = None;
    for (record, target) in records.iter().zip(memory.chunks_exact_mut(RECORD_WORDS)) {
        let mut words = record.words;
        if let Some(segment) = record.segment.and_then(|segment| mailbox.batch.segments().get(segment)) {
            words[word::ROWS_COUNT] = segment.rows.cast_signed();
            words[word::ROWS_FIRST_CELL] = segment.first_cell.cast_signed();
            words[word::ROWS_TEXT_MODE] = match segment.mode {
                TextMode::Direct if segment.is_ascii => text_mode::DIRECT_ASCII,
                TextMode::Direct => text_mode::DIRECT_UTF8,
                TextMode::Shared => {
                    extras.push(value::text(env, mailbox.text(segment.text_start, segment.text_end)));
                    index_of_last(&extras)
                }
            };
        }
        if let Some((place, extra)) = &record.extra {
            let id = if let Extra::Description(description) = extra { description.id } else { 0 };
            words[*place] = match described {
                Some((known, index)) if known == id => index,
                _ => {
                    extras.push(extra_value(env, extra));
                    index_of_last(&extras)
                }
            };
            if id != 0 {
                described = Some((id, words[*place]));
            }
        }
        target.copy_from_slice(&words);
    }
    if extras.is_empty() { value::undefined(env) } else { value::array(env, extras.into_iter()) }
}

fn index_of_last(extras: &[sys::napi_value]) -> i32 {
    i32::try_from(extras.len() - 1).unwrap_or(i32::MAX)
}

fn extra_of_row(env: sys::napi_env, extra: &ExtraValue) -> sys::napi_value {
    match extra {
        ExtraValue::Text(text) => value::text(env, text),
        ExtraValue::Bytes(bytes) => value::buffer(env, bytes),
        ExtraValue::Type(tree) => crate::facts::type_tree(env, tree),
    }
}

fn extra_value(env: sys::napi_env, extra: &Extra) -> sys::napi_value {
    match extra {
        Extra::Description(description) => crate::facts::description(env, description),
        Extra::Failure(failure) => failure.to_js(env),
        Extra::Text(text) => value::text(env, text.as_bytes()),
        Extra::Opened(facts) => crate::facts::session(env, facts),
        Extra::Notice(fields) => crate::facts::named_texts(env, fields),
        Extra::Notification { pid, channel, payload } => {
            let object = value::object(env);
            value::set(env, object, "pid", value::number(env, f64::from(*pid)));
            value::set(env, object, "channel", value::text(env, channel.as_bytes()));
            value::set(env, object, "payload", value::text(env, payload.as_bytes()));
            object
        }
        Extra::Parameter(name, setting) => {
            value::array(env, [name, setting].into_iter().map(|text| value::text(env, text.as_bytes())))
        }
        Extra::OwnRow(row) => {
            let cells: Vec<u8> = row.cells.iter().flat_map(|cell| cell.to_le_bytes()).collect();
            let object = value::object(env);
            value::set(env, object, "cells", value::array_buffer(env, &cells));
            value::set(env, object, "marks", value::array_buffer(env, &row.marks));
            value::set(env, object, "bytes", value::array_buffer(env, &row.bytes));
            let extras = row.extras.iter().map(|extra| extra_of_row(env, extra));
            value::set(env, object, "extras", value::array(env, extras));
            value::set(env, object, "isAscii", value::boolean(env, row.is_ascii));
            object
        }
    }
}

/// Calls the receiving function through `napi_make_callback`, so that microtasks run once, after the whole batch.
fn call(env: sys::napi_env, context: sys::napi_async_context, function: sys::napi_ref, arguments: &[sys::napi_value]) {
    let mut receiver = ptr::null_mut();
    let mut target = ptr::null_mut();
    let mut result = ptr::null_mut();
    // SAFETY: `env`, `context` and the reference belong to this live environment; an open handle scope holds the
    // arguments. JavaScript runs here, and no Rust borrow is alive.
    unsafe {
        sys::napi_get_global(env, &raw mut receiver);
        sys::napi_get_reference_value(env, function, &raw mut target);
        let status = sys::napi_make_callback(
            env,
            context,
            receiver,
            target,
            arguments.len(),
            arguments.as_ptr(),
            &raw mut result,
        );
        if status != sys::Status::napi_ok {
            report_exception(env);
        }
    }
}

/// Takes a pending exception and has Node report it. The receiving function never throws by itself: it is an exception
/// of a `process.nextTick` callback, which Node runs at the end of the call and Node-API hands to us, or V8's termination
/// of a worker, of which nothing is reported. (Left alone, that one aborts the process.)
fn report_exception(env: sys::napi_env) {
    let mut is_pending = false;
    let mut exception = ptr::null_mut();
    // SAFETY: plain calls on the live environment; no Rust borrow is alive while listeners of `uncaughtException` run.
    // Where JavaScript may not run any more, `napi_fatal_exception` says so and does nothing.
    unsafe {
        sys::napi_is_exception_pending(env, &raw mut is_pending);
        if is_pending {
            sys::napi_get_and_clear_last_exception(env, &raw mut exception);
            sys::napi_fatal_exception(env, exception);
        }
    }
}
