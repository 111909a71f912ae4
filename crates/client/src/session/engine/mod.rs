//! The engine: what is common to all kinds of requests. Each file is a part of [`Session`](super::Session).

mod asking;
mod batching;
mod cancelling;
mod ending;
mod errors;
mod looking_up;
mod opening;
mod owing;
mod receiving;
mod writing;

pub(super) use asking::Unasked;
pub(super) use cancelling::Cancels;
pub use owing::Head;
