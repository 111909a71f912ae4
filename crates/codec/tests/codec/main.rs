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
mod compound;
mod compound_random;
mod compound_text;
mod differential;
mod every_family;
mod families;
mod hostile;
mod own_memory;
mod parameter_arrays;
mod parameter_families;
mod parameter_hostile;
mod parameter_instants;
mod parameter_literals;
mod parameter_parts;
mod parameter_types;
mod parameters;
mod records;
mod round_trips;
mod scalars;
mod segments;
mod support;
mod text_format;
mod text_round_trips;
mod types;
