//! The files and texts of a TLS configuration, read: what servers are trusted by, and what the client shows.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::super::regular_file::{self, BytesError};
use super::certificate::{Certificate, RevocationList};
use super::chain::Trust;
use super::failure::TlsFailure;
use super::mode::CertificateMode;
use super::options::{Revocation, Roots, Source, TlsOptions};
use super::{client_certificate, pem, private_key};

/// Node's certificate authorities, for verification where no others are given.
#[derive(Debug)]
pub struct DefaultRoots {
    roots: Vec<Vec<u8>>,
    /// Those of the operating system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`, count too.
    is_system_trusted: bool,
}

impl DefaultRoots {
    /// From PEM; what is malformed is left out, as Node does. `is_system_trusted` adds what OpenSSL trusts by default; that
    /// is read for each session.
    #[must_use]
    pub fn from_pem(text: &str, is_system_trusted: bool) -> Self {
        Self { roots: pem::certificates(text.as_bytes()).unwrap_or_default(), is_system_trusted }
    }

    fn load(&self) -> Vec<Vec<u8>> {
        let system = if self.is_system_trusted { system_roots().unwrap_or_default() } else { Vec::new() };
        self.roots.iter().cloned().chain(system).collect()
    }
}

/// What is read for one session.
pub(super) struct Material {
    /// `None`: servers are not verified.
    pub(super) trust: Option<Arc<Trust>>,
    pub(super) certified: Option<Arc<CertifiedKey>>,
}

impl Material {
    pub(super) fn load(options: &TlsOptions, defaults: Option<&DefaultRoots>) -> Result<Self, TlsFailure> {
        let trust = match load_roots(options, defaults)? {
            None => None,
            Some(roots) => {
                let (lists, is_revocation_checked) = load_lists(&options.revocation)?;
                Some(Arc::new(Trust { roots, lists, is_revocation_checked }))
            }
        };
        Ok(Self { trust, certified: load_certificate(options)? })
    }
}

/// `None`: nothing is verified.
fn load_roots(options: &TlsOptions, defaults: Option<&DefaultRoots>) -> Result<Option<Vec<Vec<u8>>>, TlsFailure> {
    let is_demanded = options.mode.is_verification_demanded();
    match &options.roots {
        Roots::Unverified => Ok(None),
        Roots::Text(text) => {
            let roots = certificates(text.as_bytes(), "ssl.ca")?;
            Ok(Some(roots))
        }
        Roots::File(path) | Roots::DefaultFile(path) if path.exists() => {
            let origin = format!("the root certificate file {}", path.display());
            let bytes = regular_file::bytes(path).map_err(|error| unreadable(&origin, &error))?;
            Ok(Some(certificates(&bytes, &origin)?))
        }
        Roots::File(path) if is_demanded => Err(TlsFailure::local(format!(
            "the root certificate file {} does not exist: expected the certificates of authorities in PEM, sslrootcert=system, \
             or an sslmode without verification",
            path.display()
        ))),
        Roots::File(_) => Ok(None),
        Roots::System => Ok(Some(system_roots()?)),
        Roots::DefaultFile(_) | Roots::Node if !is_demanded => Ok(None),
        Roots::DefaultFile(_) | Roots::Node => {
            let roots = defaults.map(DefaultRoots::load).filter(|roots| !roots.is_empty());
            roots.map(Some).ok_or_else(|| {
                TlsFailure::local("there are no root certificates to verify the server's by: expected sslrootcert")
            })
        }
    }
}

/// The operating system's certificate authorities.
fn system_roots() -> Result<Vec<Vec<u8>>, TlsFailure> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let causes: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let causes = if causes.is_empty() { "none were found".to_owned() } else { causes.join("; ") };
        return Err(TlsFailure::local(format!("the system's root certificates cannot be read: {causes}")));
    }
    Ok(found.certs.into_iter().map(|certificate| certificate.to_vec()).collect())
}

/// Certificates that can be read as such, of which there is at least one.
fn certificates(bytes: &[u8], origin: &str) -> Result<Vec<Vec<u8>>, TlsFailure> {
    let ders = pem::certificates(bytes).ok_or_else(|| TlsFailure::local(format!("{origin} is malformed")))?;
    if ders.is_empty() {
        return Err(TlsFailure::local(format!("{origin}: expected certificates in PEM that are trusted, found none")));
    }
    if ders.iter().any(|der| Certificate::read(der).is_none()) {
        return Err(TlsFailure::local(format!("{origin} holds a malformed certificate")));
    }
    Ok(ders)
}

/// Revocation lists, and whether they count: a file that is not there does not, a folder always does.
fn load_lists(revocation: &Revocation) -> Result<(Vec<Vec<u8>>, bool), TlsFailure> {
    match revocation {
        Revocation::Text(text) => Ok((lists(text.as_bytes(), "ssl.crl")?, true)),
        Revocation::Files(file, folder) => {
            let mut found = Vec::new();
            let mut is_checked = folder.is_some();
            if let Some(path) = file.as_ref().filter(|path| path.exists()) {
                let origin = format!("the certificate revocation list {}", path.display());
                let bytes = regular_file::bytes(path).map_err(|error| unreadable(&origin, &error).made_final())?;
                found.extend(lists(&bytes, &origin)?);
                is_checked = true;
            }
            for entry in folder.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
                // OpenSSL finds them by names that it makes of hashes, `….r0`; what is no list is not meant.
                if let Ok(bytes) = regular_file::bytes(&entry.path()) {
                    found.extend(lists(&bytes, "").unwrap_or_default());
                }
                if found.iter().map(Vec::len).sum::<usize>() as u64 > regular_file::MAX_BYTES {
                    let limit = regular_file::MAX_BYTES >> 20;
                    return Err(TlsFailure::unsupported(format!(
                        "the folder of revocation lists {} holds more than {limit} MiB of them",
                        folder.as_deref().unwrap_or(Path::new("")).display()
                    )));
                }
            }
            Ok((found, is_checked))
        }
    }
}

fn lists(bytes: &[u8], origin: &str) -> Result<Vec<Vec<u8>>, TlsFailure> {
    // libpq goes on without it: whoever has named one would trust what it revokes.
    let malformed = || TlsFailure::unsupported(format!("{origin}: expected certificate revocation lists in PEM"));
    let ders = pem::labelled(bytes, &["X509 CRL"]).filter(|ders| !ders.is_empty()).ok_or_else(malformed)?;
    if ders.iter().any(|der| RevocationList::read(der).is_none()) {
        return Err(malformed());
    }
    Ok(ders)
}

fn load_certificate(options: &TlsOptions) -> Result<Option<Arc<CertifiedKey>>, TlsFailure> {
    if options.certificate_mode == CertificateMode::Disable {
        return Ok(None);
    }
    let (certificate, certificate_origin) = match &options.certificate {
        Source::Nowhere => return Ok(None),
        Source::Text(text) => (text.reveal().as_bytes().to_vec(), "ssl.cert".to_owned()),
        Source::File(path) | Source::DefaultFile(path) => {
            let origin = format!("the certificate file {}", path.display());
            match regular_file::bytes(path) {
                Ok(bytes) => (bytes, origin),
                // As in libpq: the server may do without.
                Err(BytesError::Io(error))
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(unreadable(&origin, &error)),
            }
        }
    };
    let (key, key_origin) = match &options.key {
        Source::Nowhere => {
            return Err(TlsFailure::local(format!("{certificate_origin} is there, but not its private key")));
        }
        Source::Text(text) => (text.reveal().as_bytes().to_vec(), "ssl.key".to_owned()),
        Source::File(path) | Source::DefaultFile(path) => {
            let origin = format!("the private key file {}", path.display());
            let metadata = fs::metadata(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    TlsFailure::local(format!("{certificate_origin} is there, but not {origin}"))
                }
                _ => unreadable(&origin, &BytesError::Io(error)),
            })?;
            check_permissions(&metadata, path)?;
            (regular_file::bytes(path).map_err(|error| unreadable(&origin, &error))?, origin)
        }
    };
    let password = options.key_password.as_ref().map(|password| password.reveal());
    let key = private_key::read(&key, password, &key_origin)?;
    let chain = certificates(&certificate, &certificate_origin)?;
    client_certificate::certified(chain, &key, &certificate_origin, &key_origin).map(Some)
}

/// A private key that others can read is none, by libpq's rule.
fn check_permissions(metadata: &Metadata, path: &Path) -> Result<(), TlsFailure> {
    let path = path.display();
    if !metadata.is_file() {
        return Err(TlsFailure::local(format!("the private key file {path} is not a regular file")));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
        if metadata.mode() & forbidden != 0 {
            return Err(TlsFailure::local(format!(
                "the private key file {path} has group or world access: expected u=rw (0600) or less, \
                 or u=rw,g=r (0640) or less if root owns it"
            )));
        }
    }
    Ok(())
}

fn unreadable(origin: &str, error: &BytesError) -> TlsFailure {
    match error {
        BytesError::Io(error) => TlsFailure::local(format!("{origin} cannot be read: {error}")),
        BytesError::Refused(why) => TlsFailure::unsupported(format!("{origin} cannot be used: {why}")),
    }
}
