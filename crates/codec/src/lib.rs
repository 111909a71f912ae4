//! PostgreSQL values to and from cells: pure functions on bytes.
//!
//! Nothing here knows a socket, a clock or JavaScript. `docs/internals/boundary.md`
//! draws the layouts that this crate reads and writes.
#![forbid(unsafe_code)]

pub mod batch;
pub mod boundary;
mod calendar;
mod decode;
pub mod failpoint;
pub mod ids;
pub mod parameters;
pub mod types;
