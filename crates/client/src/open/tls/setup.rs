//! A configuration of TLS for one server, made ready.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::hosts::HostAddress;
use super::client_certificate::ClientCertificate;
use super::failure::TlsFailure;
use super::key_log::KeyLogFile;
use super::material::{DefaultRoots, Material};
use super::mode::{Negotiation, SslMode};
use super::negotiation::{Answer, BeginError, ask};
use super::options::TlsOptions;
use super::session::TlsSession;
use super::stream::TlsStream;
use super::verifier::Verifier;

/// The protocol inside TLS (registered with IANA).
const ALPN: &[u8] = b"postgresql";

/// What it takes to begin TLS with one server: for its session, and for the cancel requests of that.
#[derive(Clone, Debug)]
pub(in crate::open) struct TlsSetup {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    certificate: Arc<ClientCertificate>,
    negotiation: Negotiation,
    key_log: Option<Arc<KeyLogFile>>,
}

impl TlsSetup {
    /// Reads the files and opens the key, which may take any time. Nothing is sent.
    pub(in crate::open) fn new(
        options: &TlsOptions,
        defaults: Option<&DefaultRoots>,
        address: &HostAddress,
    ) -> Result<Self, TlsFailure> {
        let Material { trust, certified } = Material::load(options, defaults)?;
        let host = options.server_name.clone().or_else(|| match address {
            HostAddress::Tcp { name, .. } => Some(name.clone()),
            #[cfg(unix)]
            HostAddress::Unix { .. } => None,
        });
        let host_to_check = host.clone().filter(|_| options.mode == SslMode::VerifyFull);
        let verifier = Verifier { trust, host: host_to_check };
        let certificate = Arc::new(ClientCertificate { certified, is_asked_for: AtomicBool::new(false) });
        let versions: Vec<&'static SupportedProtocolVersion> =
            [options.versions.is_13_allowed.then_some(&TLS13), options.versions.is_12_allowed.then_some(&TLS12)]
                .into_iter()
                .flatten()
                .collect();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::<ClientCertificate>::clone(&certificate));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // PostgreSQL keeps no sessions, and each of ours is verified anew.
        config.resumption = Resumption::disabled();
        let key_log = options.key_log.clone().map(KeyLogFile::new).map(Arc::new);
        if let Some(log) = &key_log {
            config.key_log = Arc::<KeyLogFile>::clone(log);
        }
        let name = options.is_name_sent.then_some(host).flatten().and_then(|host| sent_name(&host));
        let name = name.unwrap_or(ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into()));
        Ok(Self { config: Arc::new(config), name, certificate, negotiation: options.negotiation, key_log })
    }

    /// Whether the server asked for the client's certificate, and got one.
    pub(in crate::open) fn certificate_use(&self) -> CertificateUse {
        if !self.certificate.is_asked_for.load(Ordering::Relaxed) {
            CertificateUse::NotAskedFor
        } else if self.certificate.certified.is_none() {
            CertificateUse::NotThere
        } else {
            CertificateUse::Sent
        }
    }

    /// Encrypts a connection on which nothing has been said but the request for it.
    pub(in crate::open) async fn encrypt<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Result<TlsStream<S>, BeginError> {
        let session = TlsSession::new(Arc::clone(&self.config), self.name.clone())?;
        let stream = TlsStream::handshake(stream, session).await?;
        if self.negotiation == Negotiation::Direct && stream.session().application_protocol() != Some(ALPN) {
            return Err(TlsFailure::local("the server did not agree to PostgreSQL's protocol in TLS (ALPN)").into());
        }
        Ok(stream)
    }

    /// Asks for TLS, unless it begins at once, and encrypts; a server without TLS is refused.
    pub(in crate::open) async fn begin<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
    ) -> Result<TlsStream<S>, BeginError> {
        if self.negotiation == Negotiation::Request && ask(&mut stream).await? == Answer::No {
            return Err(TlsFailure::local("the server does not support TLS").into());
        }
        let encrypted = self.encrypt(stream).await;
        let log = self.key_log.clone();
        // A cancel request does not wait for a file.
        tokio::spawn(async move { write(log.as_deref()).await });
        encrypted
    }

    /// Writes the key log, if there is to be one.
    pub(in crate::open) async fn write_keys(&self) {
        write(self.key_log.as_deref()).await;
    }
}

async fn write(log: Option<&KeyLogFile>) {
    if let Some(log) = log {
        log.write().await;
    }
}

/// What became of the client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::open) enum CertificateUse {
    NotAskedFor,
    NotThere,
    Sent,
}

/// The name for SNI; addresses are none (RFC 6066, section 3), and neither is what is no name of the DNS.
fn sent_name(host: &str) -> Option<ServerName<'static>> {
    match ServerName::try_from(host.to_owned()) {
        Ok(name @ ServerName::DnsName(_)) => Some(name),
        _ => None,
    }
}
