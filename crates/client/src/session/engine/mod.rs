//! The engine: what is common to all kinds of requests. Each file is a part of [`Session`](super::Session).

mod batching;
mod cancelling;
mod ending;
mod errors;
mod looking_up;
mod owing;
mod receiving;
mod writing;

pub(super) use cancelling::Cancel;
pub use owing::Head;
