//! What crosses the boundary, tested on PostgreSQL's own bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "tests stop where something is not as they expect"
)]

mod arrays;
mod families;
mod hostile;
mod own_memory;
mod parameter_arrays;
mod parameters;
mod round_trips;
mod scalars;
mod segments;
mod support;
mod text_format;
mod text_round_trips;
mod types;
