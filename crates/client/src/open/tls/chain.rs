//! From a server's certificate to a trusted one, by OpenSSL's rules, which are libpq's.
//!
//! webpki accepts less, and reports less: no certificates of version 1, no leaf that is a certificate authority or its
//! own root, and one error for everything that leads nowhere. It is still asked where names are constrained, of which
//! nothing is known here.

use rustls::pki_types::{CertificateDer, UnixTime};

use super::certificate::{
    CRL_SIGN, Certificate, DIGITAL_SIGNATURE, KEY_AGREEMENT, KEY_CERT_SIGN, KEY_ENCIPHERMENT, RevocationList,
};
use super::fault::Fault;
use super::signature::{self, SignatureFault};

/// OpenSSL's limit: a hundred authorities between a certificate and its root.
const MAX_CERTIFICATES: usize = 102;
/// Enough for the longest chain and some that lead nowhere; so that a hostile server cannot keep the background thread
/// busy.
const MAX_SIGNATURE_CHECKS: usize = 150;

/// What is trusted.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Certificates in DER. Those that are not self-signed lead to one that is, as in OpenSSL.
    pub(super) roots: Vec<Vec<u8>>,
    /// Revocation lists in DER.
    pub(super) lists: Vec<Vec<u8>>,
    /// Every certificate of a chain must be on a list of its issuer's, or rather not be on it.
    pub(super) is_revocation_checked: bool,
}

impl Trust {
    /// Whether a server's certificate leads to a trusted one now. `sent` is what the server sent with it.
    pub(super) fn check(
        &self,
        leaf: &Certificate<'_>,
        sent: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Fault> {
        let sent: Vec<Certificate<'_>> = sent.iter().filter_map(|der| Certificate::read(der)).collect();
        let roots: Vec<Certificate<'_>> = self.roots.iter().filter_map(|der| Certificate::read(der)).collect();
        let lists: Vec<RevocationList<'_>> = self.lists.iter().filter_map(|der| RevocationList::read(der)).collect();
        let mut search = Search {
            roots: &roots,
            sent: &sent,
            lists: self.is_revocation_checked.then_some(&lists),
            now,
            checks_left: MAX_SIGNATURE_CHECKS,
            fault: None,
            unverified: None,
        };
        if search.extend(&mut vec![leaf]) {
            return Ok(());
        }
        let Search { fault, unverified, .. } = search;
        Err(fault.or(unverified).unwrap_or_else(|| leads_nowhere(leaf, &sent, &roots)))
    }
}

struct Search<'a, 'b> {
    roots: &'a [Certificate<'b>],
    sent: &'a [Certificate<'b>],
    lists: Option<&'a Vec<RevocationList<'b>>>,
    now: UnixTime,
    checks_left: usize,
    /// Of the first chain that leads to a root.
    fault: Option<Fault>,
    /// Of the first issuer whose key did not make the signature.
    unverified: Option<Fault>,
}

impl<'a, 'b> Search<'a, 'b> {
    /// Looks for a root at the end of this path; true when one was found whose chain is in order.
    fn extend(&mut self, path: &mut Vec<&'a Certificate<'b>>) -> bool
    where
        'b: 'a,
    {
        let Some(&last) = path.last() else { return false };
        // For a root that is not ours, there may still be another certificate of its name.
        if last.is_self_issued() && self.roots.iter().any(|root| root.der == last.der) {
            return self.judge(path);
        }
        if path.len() == MAX_CERTIFICATES {
            return false;
        }
        let (roots, sent) = (self.roots, self.sent);
        for candidate in roots.iter().chain(sent) {
            if candidate.subject != last.issuer
                || candidate.key_usage.is_some_and(|usage| usage & KEY_CERT_SIGN == 0)
                || path.iter().any(|known| known.der == candidate.der)
            {
                continue;
            }
            if self.checks_left == 0 {
                return false;
            }
            self.checks_left -= 1;
            if let Err(fault) = signature::check(&last.signed, &candidate.key) {
                self.unverified.get_or_insert_with(|| not_signed(last, candidate, fault));
                continue;
            }
            path.push(candidate);
            if self.extend(path) {
                return true;
            }
            path.pop();
        }
        false
    }

    fn judge(&mut self, path: &[&Certificate<'_>]) -> bool {
        match self.check_path(path) {
            Ok(()) => true,
            Err(fault) => {
                self.fault.get_or_insert(fault);
                false
            }
        }
    }

    fn check_path(&self, path: &[&Certificate<'_>]) -> Result<(), Fault> {
        let mut authorities_below = 0;
        for (depth, certificate) in path.iter().enumerate() {
            let which = which(depth, certificate);
            if certificate.has_unknown_critical {
                let text = format!("{which} has a critical extension that is not known here");
                return Err(Fault::new("UNHANDLED_CRITICAL_EXTENSION", text));
            }
            if depth > 0 {
                let is_root = depth + 1 == path.len();
                check_authority(certificate, &which, authorities_below, is_root)?;
                if !certificate.is_self_issued() {
                    authorities_below += 1;
                }
            } else if certificate
                .key_usage
                .is_some_and(|usage| usage & (DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT) == 0)
            {
                return Err(Fault::new("INVALID_PURPOSE", format!("{which} must not be used for TLS (keyUsage)")));
            }
            if certificate.is_for_servers == Some(false) {
                let text = format!("{which} must not be used for a server (extendedKeyUsage has no serverAuth)");
                return Err(Fault::new("INVALID_PURPOSE", text));
            }
            self.check_time(certificate, &which)?;
        }
        if let Some(lists) = self.lists {
            for (depth, certificate) in path.iter().enumerate() {
                let issuer = path.get(depth + 1).unwrap_or(certificate);
                self.check_revocation(lists, certificate, issuer, &which(depth, certificate))?;
            }
        }
        if path.iter().any(|certificate| certificate.has_name_constraints) {
            check_name_constraints(path, self.now)?;
        }
        Ok(())
    }

    fn check_time(&self, certificate: &Certificate<'_>, which: &str) -> Result<(), Fault> {
        let now = i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX);
        if now > certificate.not_after {
            return Err(Fault::new("CERT_HAS_EXPIRED", format!("{which} has expired")));
        }
        if now < certificate.not_before {
            return Err(Fault::new("CERT_NOT_YET_VALID", format!("{which} is not valid yet: are the clocks right?")));
        }
        Ok(())
    }

    fn check_revocation(
        &self,
        lists: &[RevocationList<'_>],
        certificate: &Certificate<'_>,
        issuer: &Certificate<'_>,
        which: &str,
    ) -> Result<(), Fault> {
        let now = i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX);
        let may_sign = issuer.key_usage.is_none_or(|usage| usage & CRL_SIGN != 0);
        let mut has_expired = false;
        let mut is_found = false;
        for list in lists {
            if list.issuer != issuer.subject
                || !may_sign
                || list.has_unknown_critical
                || signature::check(&list.signed, &issuer.key).is_err()
            {
                continue;
            }
            if list.contains(certificate.serial) {
                return Err(Fault::new("CERT_REVOKED", format!("{which} has been revoked")));
            }
            if now < list.this_update {
                continue;
            }
            if list.next_update.is_some_and(|end| now > end) {
                has_expired = true;
            } else {
                is_found = true;
            }
        }
        if is_found {
            return Ok(());
        }
        let name = issuer.display_name();
        Err(if has_expired {
            Fault::new("CRL_HAS_EXPIRED", format!("the revocation list of {name:?} has expired"))
        } else {
            let text = format!("there is no revocation list of {name:?}, which issued {which}");
            Fault::new("UNABLE_TO_GET_CRL", text)
        })
    }
}

/// Whether a certificate may issue others.
fn check_authority(
    certificate: &Certificate<'_>,
    which: &str,
    authorities_below: u32,
    is_root: bool,
) -> Result<(), Fault> {
    let is_authority = match certificate.is_ca {
        Some(is_ca) => is_ca,
        // Roots of version 1 have no extensions; some of version 3 say it by their key usage alone. Nobody chose what is
        // below them.
        None if !is_root => false,
        None if certificate.version < 3 => certificate.is_self_issued(),
        None => certificate.key_usage.is_some(),
    };
    if !is_authority {
        let text = format!("{which} is not one of a certificate authority (basicConstraints has no CA:TRUE)");
        return Err(Fault::new("INVALID_CA", text));
    }
    if certificate.path_length.is_some_and(|limit| authorities_below > limit) {
        let text = format!("{which} allows for fewer certificate authorities below it (pathLenConstraint)");
        return Err(Fault::new("PATH_LENGTH_EXCEEDED", text));
    }
    Ok(())
}

fn check_name_constraints(path: &[&Certificate<'_>], now: UnixTime) -> Result<(), Fault> {
    let failed =
        |error: &dyn std::fmt::Display| Fault::new("PERMITTED_VIOLATION", format!("the names of the chain: {error}"));
    let ([leaf, rest @ ..], Some(root)) = (path, path.last()) else { return Ok(()) };
    let ders: Vec<CertificateDer<'_>> = path.iter().map(|certificate| CertificateDer::from(certificate.der)).collect();
    let (leaf_der, root_der) = (CertificateDer::from(leaf.der), CertificateDer::from(root.der));
    if rest.is_empty() {
        return Ok(());
    }
    let leaf = webpki::EndEntityCert::try_from(&leaf_der).map_err(|error| failed(&error))?;
    let anchor = webpki::anchor_from_trusted_cert(&root_der).map_err(|error| failed(&error))?;
    leaf.verify_for_usage(
        signature::algorithms().all,
        &[anchor],
        &ders[1..ders.len() - 1],
        now,
        webpki::KeyUsage::server_auth(),
        None,
        None,
    )
    .map(drop)
    .map_err(|error| failed(&error))
}

/// How errors call a certificate of a chain.
fn which(depth: usize, certificate: &Certificate<'_>) -> String {
    match depth {
        0 => "the server's certificate".to_owned(),
        _ => format!("the certificate {:?}, which is in the chain of the server's,", certificate.display_name()),
    }
}

fn not_signed(certificate: &Certificate<'_>, issuer: &Certificate<'_>, fault: SignatureFault) -> Fault {
    let (name, issuer) = (certificate.display_name(), issuer.display_name());
    Fault::new(
        "CERT_SIGNATURE_FAILURE",
        match fault {
            SignatureFault::Wrong => format!(
                "the certificate {name:?} is not signed by the {issuer:?} that is trusted: is it another one of this name?"
            ),
            SignatureFault::Unsupported => format!(
                "the signature of the certificate {name:?} by {issuer:?} cannot be verified: expected one by RSA of 2048 bits \
                 or more, ECDSA on P-256 or P-384, or Ed25519, with SHA-256 or better"
            ),
        },
    )
}

/// No chain leads to a trusted certificate: says it as Node does.
fn leads_nowhere(leaf: &Certificate<'_>, sent: &[Certificate<'_>], roots: &[Certificate<'_>]) -> Fault {
    let advice = "give the certificate authority that issued it (sslrootcert, or ssl: { ca })";
    if leaf.is_self_issued() {
        let text = format!("the server's certificate is self-signed, and not trusted: {advice}");
        return Fault::new("DEPTH_ZERO_SELF_SIGNED_CERT", text);
    }
    let mut last = leaf;
    for _ in 0..MAX_CERTIFICATES {
        match roots.iter().chain(sent).find(|issuer| issuer.subject == last.issuer) {
            Some(issuer) if !last.is_self_issued() => last = issuer,
            _ => break,
        }
    }
    let name = last.display_name();
    if last.is_self_issued() {
        let text = format!("the server's certificate leads to {name:?}, which is not trusted: {advice}");
        return Fault::new("SELF_SIGNED_CERT_IN_CHAIN", text);
    }
    if roots.iter().any(|root| std::ptr::eq(root, last)) {
        let text = format!(
            "the certificate {name:?} is among those that are trusted, but not self-signed, and the one of {:?} that issued \
             it is not there: give that one as well (sslrootcert, or ssl: {{ ca }})",
            last.issuer_name()
        );
        return Fault::new("UNABLE_TO_GET_ISSUER_CERT", text);
    }
    let text = format!("the certificate that issued {name:?} is not known: {advice}");
    if std::ptr::eq(last, leaf) {
        Fault::new("UNABLE_TO_VERIFY_LEAF_SIGNATURE", text)
    } else {
        Fault::new("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", text)
    }
}
