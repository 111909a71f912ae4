//! The session engine against a model server, on bytes alone.
// Outside of the functions marked as tests, too, a panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batches;
mod changes;
mod client;
mod encoding;
mod groups;
mod hostile;
mod keywords;
mod limits;
mod looking_up;
mod looking_up_rows;
mod owing;
mod poolers;
mod portals;
mod properties;
mod requests;
mod results;
mod rules_cancel;
mod rules_failure;
mod rules_healing;
mod rules_order;
mod server;
mod simple;
mod splits;
mod transactions;
