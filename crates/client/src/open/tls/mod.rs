//! TLS: what a configuration asks for ([`mode`], [`options`]), how it begins ([`negotiation`], [`setup`]), whom it trusts
//! ([`verifier`], [`chain`], [`host_name`]), and the session that is handed to the loop ([`session`]).
//!
//! rustls does the protocol. Certificates are judged here, by libpq's rules.

mod certificate;
mod chain;
mod channel_binding;
mod client_certificate;
mod der;
mod failure;
mod fault;
mod host_name;
mod key_log;
mod material;
mod mode;
mod negotiation;
mod options;
mod pem;
mod pkcs12_key;
mod private_key;
mod session;
mod setup;
mod signature;
mod stream;
#[cfg(test)]
mod tests;
mod verifier;

pub(super) use failure::{TlsFailure, of_io};
pub use material::DefaultRoots;
pub(super) use mode::{CertificateMode, ChannelBinding, Encryption, FailureStage, Negotiation, SslMode};
pub(super) use negotiation::{Answer, BeginError, ask};
pub(super) use options::TlsOptions;
pub use session::TlsSession;
pub(super) use setup::{CertificateUse, TlsSetup};
pub(super) use stream::TlsStream;
