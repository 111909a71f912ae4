//! What crosses the boundary, tested on PostgreSQL's own bytes.

mod arrays;
mod hostile;
mod own_memory;
mod parameter_arrays;
mod parameters;
mod round_trips;
mod scalars;
mod segments;
mod support;
mod types;
