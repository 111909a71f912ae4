//! TLS for servers that follow a script: a certificate and its key, from files.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::malformed;

/// Who a server is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// A file in PEM: its certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// A file in PEM: the certificate's key.
    pub key: PathBuf,
}

impl Identity {
    /// What shakes hands as it, in TLS 1.2 and 1.3. A client's certificate is not asked for.
    ///
    /// # Errors
    /// Files that are not there or hold something else.
    pub fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS12, &TLS13])
            .map_err(|error| malformed(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| malformed(format!("{}: {error}", self.key.display())))?;
        let config = builder
            .with_no_client_auth()
            .with_single_cert(self.chain()?, key)
            .map_err(|error| malformed(error.to_string()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Its certificate, in DER.
    ///
    /// # Errors
    /// A file that is not there or holds none.
    pub fn certificate(&self) -> io::Result<CertificateDer<'static>> {
        self.chain()?.into_iter().next().ok_or_else(|| malformed(format!("{}: empty", self.certificate.display())))
    }

    fn chain(&self) -> io::Result<Vec<CertificateDer<'static>>> {
        let told = |error| malformed(format!("{}: {error}", self.certificate.display()));
        CertificateDer::pem_file_iter(&self.certificate).map_err(told)?.map(|one| one.map_err(told)).collect()
    }
}
