//! Opening PostgreSQL sessions: configuration, hosts, the startup behind a gate, and cancel requests.
//!
//! tokio-postgres does the startup and the authentication; everything that it reads and writes goes through a gate of
//! ours, which enforces what a server may do before a session exists. What comes out is an authenticated socket that
//! has been read exactly as far as [`Opened::leftover`] goes.

mod answer_time;
mod attempt;
mod auth;
mod cancel;
mod config;
#[cfg(test)]
mod config_tests;
mod connect;
mod dsn;
#[cfg(test)]
mod dsn_mistake_tests;
#[cfg(test)]
mod dsn_tests;
mod error;
mod explain;
#[cfg(test)]
mod explain_tests;
mod file_work;
mod gate;
mod hosts;
mod messages;
mod oauth;
mod parameters;
mod parting;
mod passfile;
#[cfg(test)]
mod passfile_tests;
mod passwords;
#[cfg(unix)]
mod peer;
mod probe;
mod progress;
mod protocol;
mod regular_file;
mod service;
#[cfg(test)]
mod service_tests;
mod session_options;
mod shuffle;
mod socket;
mod sources;
mod ssl_option;
mod startup;
mod target;
mod tls;
mod unique_name;

pub use cancel::cancel;
pub use config::Config;
pub use connect::{Opened, Particulars, Secret, open, open_text, open_with};
#[doc(hidden)]
pub use dsn::parse as parse_dsn;
pub use error::{ConfigError, OpenError, OpenErrorKind};
pub use explain::explain;
#[doc(hidden)]
pub use gate::Startup;
pub use parting::{interrupted, parted};
pub use progress::Progress;
pub use socket::{CancelTarget, Socket};
#[doc(hidden)]
pub use startup::open_on_stream;
pub use tls::{DefaultRoots, TlsSession};
pub use unique_name::statement_prefix;
