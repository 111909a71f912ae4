//! What goes wrong between a PostgreSQL client and its server, on purpose: a proxy that plays a bad network
//! ([`proxy`]), servers that follow a script ([`scripted`]), and a pooler in transaction mode ([`pooler`]).
//!
//! Rust tests use it as a library, on a tokio runtime of theirs. Tests in JavaScript start the program and talk to it in
//! lines of JSON ([`control`]). Nothing of it is in the package.

pub mod cluster;
pub mod control;
pub mod login;
pub mod messages;
pub mod pooler;
pub mod proxy;
pub mod scram;
pub mod scripted;
pub mod tls;

use std::io;

/// The error of a peer that did not speak as PostgreSQL's protocol has it.
pub(crate) fn malformed(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
