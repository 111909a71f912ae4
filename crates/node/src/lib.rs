//! oxpg's native addon: sockets on Node's own event loop, and the mailbox between Rust and JavaScript.
//!
//! All of oxpg's `unsafe` is in this crate. It decides nothing about PostgreSQL: the engine, the pool's policy and
//! the codecs live in `oxpg-client` and `oxpg-codec`. `docs/internals/boundary.md` draws what crosses.
// A test harness exports nothing, so that most of the addon looks unused in it; the addon itself is checked.
#![cfg_attr(test, allow(dead_code))]

mod allowance;
mod attached;
mod background;
mod budget;
mod callbacks;
mod calls;
mod cancels;
mod clock;
mod closing;
mod commands;
mod connection;
mod connections;
mod deadlines;
mod delivery;
mod endings;
mod environment;
mod exports;
mod facts;
mod failure;
mod functions;
mod host;
mod mailbox;
mod napi_value;
mod openings;
mod outbox;
mod partings;
mod pool_actions;
mod pool_calls;
mod pool_uses;
mod pools;
mod reactor;
mod recovery;
mod requests;
mod sink;
mod slab;
mod turns;
mod types;
mod wire;
