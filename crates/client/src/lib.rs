//! PostgreSQL sessions without a loop: how they are opened, what is said in them, and how a pool shares them out.
//!
//! - [`open`] waits for the network until a session exists, on tokio.
//! - [`session`] is the engine of the steady state, bytes in and bytes out.
//! - [`pool`] decides who gets which connection.
//! - [`reset`] says what brings a session back to how it was.
#![forbid(unsafe_code)]

mod id_map;
pub mod open;
pub mod pool;
pub mod reset;
pub mod session;
