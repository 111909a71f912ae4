//! Which authentication a server may ask for, and in which order it must go.

use super::error::{ConfigError, OpenError, OpenErrorKind};
use super::hosts::Password;
use super::messages::{c_string, quoted};
use super::oauth::OAUTHBEARER;
use super::sources::Given;
use super::tls::{CertificateMode, CertificateUse, ChannelBinding, SslMode, TlsOptions};

/// PBKDF2 runs this many times at most, so that a hostile server cannot keep the background thread busy: about a
/// tenth of a second. PostgreSQL's default is 4096 (`scram_iterations`); postgres-protocol and pgjdbc stop here too.
pub(super) const MAX_SCRAM_ITERATIONS: u32 = 100_000;

const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// An authentication method, by libpq's names of `require_auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    None,
    Password,
    Md5,
    ScramSha256,
    Gss,
    Sspi,
    OAuth,
}

impl Method {
    const ALL: [Self; 7] =
        [Self::None, Self::Password, Self::Md5, Self::ScramSha256, Self::Gss, Self::Sspi, Self::OAuth];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password => "password",
            Self::Md5 => "md5",
            Self::ScramSha256 => "scram-sha-256",
            Self::Gss => "gss",
            Self::Sspi => "sspi",
            Self::OAuth => "oauth",
        }
    }
}

/// libpq's `require_auth`: the methods that are acceptable, or with `!` in front of each, those that are not.
/// By default all are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RequireAuth {
    text: String,
    methods: Vec<Method>,
    is_negated: bool,
}

impl RequireAuth {
    pub(super) fn parse(given: &Given) -> Result<Self, ConfigError> {
        let Given { text, origin, .. } = given;
        let mut methods = Vec::new();
        let mut is_negated = None;
        for item in text.split(',').map(str::trim) {
            let (name, negated) = item.strip_prefix('!').map_or((item, false), |name| (name, true));
            let method = Method::ALL.into_iter().find(|method| method.name() == name).ok_or_else(|| {
                let names = Method::ALL.map(Method::name).join(", ");
                ConfigError::new(format!(
                    "{origin}: expected a list of {names}, each may have a ! in front; got {}",
                    given.shown(item)
                ))
            })?;
            if *is_negated.get_or_insert(negated) != negated {
                return Err(ConfigError::new(format!(
                    "{origin}: expected methods all with or all without a ! in front, got {}",
                    given.shown(text)
                )));
            }
            if methods.contains(&method) {
                return Err(ConfigError::new(format!("{origin}: the method {name} is there twice")));
            }
            methods.push(method);
        }
        Ok(Self { text: text.to_owned(), methods, is_negated: is_negated == Some(true) })
    }

    fn allows(&self, method: Method) -> bool {
        self.methods.is_empty() || self.methods.contains(&method) != self.is_negated
    }

    fn check(&self, method: Method) -> Result<(), OpenError> {
        if self.allows(method) {
            return Ok(());
        }
        let what = match method {
            Method::None => "the server asked for no authentication".to_owned(),
            other => format!("the server asked for the authentication method {}", other.name()),
        };
        Err(forbidden(format!("{what}, which requireAuth ({}) forbids", self.text)))
    }
}

/// Something of the configuration's forbids what the server wants: 28000, invalid_authorization_specification.
pub(super) fn forbidden(message: impl Into<String>) -> OpenError {
    let mut error = OpenError::new(OpenErrorKind::Connection, message);
    error.sqlstate = Some("28000".into());
    error
}

/// What TLS gives to authentication, and demands of it.
#[derive(Clone, Debug)]
pub(super) struct Security {
    pub(super) is_encrypted: bool,
    /// TLS has shown that the server is the one that was asked for.
    pub(super) is_server_verified: bool,
    /// The hash that SCRAM-SHA-256-PLUS binds to; `None` where nothing can or may be bound.
    pub(super) binding: Option<Vec<u8>>,
    pub(super) is_binding_required: bool,
    /// Why the client's certificate was not used, where it must be.
    pub(super) missing_certificate: Option<&'static str>,
}

impl Security {
    /// Of a connection with TLS.
    pub(super) fn of_tls(options: &TlsOptions, binding: Option<Vec<u8>>, certificate: CertificateUse) -> Self {
        let missing = match certificate {
            CertificateUse::Sent => None,
            CertificateUse::NotAskedFor => Some("the server did not ask for the client's certificate"),
            CertificateUse::NotThere => Some("there is no certificate of the client"),
        };
        Self {
            is_encrypted: true,
            is_server_verified: options.mode == SslMode::VerifyFull,
            binding: binding.filter(|_| options.channel_binding != ChannelBinding::Disable),
            is_binding_required: options.channel_binding == ChannelBinding::Require,
            missing_certificate: missing.filter(|_| options.certificate_mode == CertificateMode::Require),
        }
    }

    /// Of a connection without TLS.
    pub(super) fn of_plain(options: &TlsOptions) -> Self {
        let security = Self::of_tls(options, None, CertificateUse::NotAskedFor);
        Self { is_encrypted: false, is_server_verified: false, ..security }
    }

    /// What must not be without is there.
    fn check(&self, code: u32, step: Step) -> Result<(), OpenError> {
        if let Some(why) = self.missing_certificate {
            return Err(forbidden(format!("{why}, which sslcertmode=require demands")));
        }
        if !self.is_binding_required {
            return Ok(());
        }
        let why = match (code, step) {
            (10..=12, _) if !self.is_encrypted => "the connection has no TLS",
            (10..=12, _) if self.binding.is_none() => "the server's certificate has nothing to bind to",
            (10..=12, _) | (0, Step::SaslFinal) => return Ok(()),
            (0, Step::Start) => "the server asked for no authentication",
            _ => "the server asked for another authentication method",
        };
        Err(unbound(why))
    }
}

fn unbound(why: &str) -> OpenError {
    forbidden(format!("{why}, and channelBinding (require) demands SCRAM-SHA-256-PLUS"))
}

/// How far the authentication is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Start,
    PasswordAsked,
    SaslStarted,
    SaslContinued,
    SaslFinal,
    /// The token is what is to be sent next, or has been.
    TokenSent,
    /// The server has refused the token, and is to be answered so that it says why.
    TokenRefused,
    Done,
}

/// What a client can prove itself by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credentials<'a> {
    pub(super) password: Option<&'a Password>,
    /// Why a password file was not used, for the error of a missing password.
    pub(super) passfile_remark: Option<&'a str>,
    pub(super) oauth_token: Option<&'a Password>,
}

/// What authentication has to obey.
#[derive(Clone, Debug)]
pub(super) struct Policy<'a> {
    pub(super) require_auth: &'a RequireAuth,
    pub(super) credentials: Credentials<'a>,
    pub(super) security: Security,
}

impl Policy<'_> {
    /// The step after an Authentication… message with this body, or why it is refused. Nothing secret has been sent
    /// when it is.
    pub(super) fn next(&self, step: Step, body: &[u8]) -> Result<Step, OpenError> {
        let (code, rest) = body.split_first_chunk().ok_or_else(malformed)?;
        let code = u32::from_be_bytes(*code);
        self.security.check(code, step)?;
        match (code, step) {
            (0, _) if !rest.is_empty() => Err(malformed()),
            (0, Step::Start) => self.require_auth.check(Method::None).map(|()| Step::Done),
            (0, Step::PasswordAsked | Step::SaslFinal | Step::TokenSent) => Ok(Step::Done),
            (0, Step::SaslStarted | Step::SaslContinued) => Err(OpenError::protocol(
                "the server ended the SCRAM authentication without proving that it knows the password",
            )),
            (3, Step::Start) if rest.is_empty() => self.password(Method::Password),
            (5, Step::Start) if rest.len() == 4 => self.password(Method::Md5),
            (0, Step::TokenRefused) => {
                Err(OpenError::protocol("the server refused the OAuth token, and then began a session"))
            }
            (10, Step::Start) => match self.mechanisms(rest)? {
                Method::OAuth => Ok(Step::TokenSent),
                method => self.with_password(method).map(|()| Step::SaslStarted),
            },
            (11, Step::TokenSent) => Ok(Step::TokenRefused),
            (11, Step::SaslStarted) => check_iterations(rest).map(|()| Step::SaslContinued),
            (12, Step::SaslContinued) => Ok(Step::SaslFinal),
            (2, Step::Start) => Err(unsupported("Kerberos V5")),
            (6, Step::Start) => Err(unsupported("SCM credentials")),
            (7, Step::Start) => self.require_auth.check(Method::Gss).and_then(|()| Err(unsupported("GSSAPI"))),
            (9, Step::Start) => self.require_auth.check(Method::Sspi).and_then(|()| Err(unsupported("SSPI"))),
            (3 | 5, Step::Start) => Err(malformed()),
            (2..=12, _) => Err(OpenError::protocol("the server sent an authentication message out of order")),
            (other, _) => Err(unsupported(&format!("number {other}"))),
        }
    }

    fn password(&self, method: Method) -> Result<Step, OpenError> {
        self.with_password(method).map(|()| Step::PasswordAsked)
    }

    fn with_password(&self, method: Method) -> Result<(), OpenError> {
        self.require_auth.check(method)?;
        if self.credentials.password.is_some() {
            return Ok(());
        }
        let mut message = format!(
            "the server asks for a password (method {}), but none is configured: \
             expected the option password, PGPASSWORD or a line of the password file",
            method.name()
        );
        if let Some(remark) = self.credentials.passfile_remark {
            message = format!("{message} ({remark})");
        }
        Err(OpenError::new(OpenErrorKind::Configuration, message))
    }

    /// Looks in an AuthenticationSASL's list for what will be used: SCRAM-SHA-256-PLUS if it is offered and something can
    /// be bound, else SCRAM-SHA-256, else OAUTHBEARER.
    fn mechanisms(&self, mut list: &[u8]) -> Result<Method, OpenError> {
        let mut names = Vec::new();
        loop {
            let (name, rest) = c_string(list).ok_or_else(malformed)?;
            if name.is_empty() {
                if !rest.is_empty() {
                    return Err(malformed());
                }
                break;
            }
            names.push(name);
            list = rest;
        }
        let is_offered = |mechanism: &str| names.iter().any(|name| name == mechanism);
        let is_plus_offered = is_offered(SCRAM_SHA_256_PLUS);
        if is_plus_offered && !self.security.is_encrypted {
            return Err(OpenError::protocol(
                "the server offered SCRAM-SHA-256-PLUS on a connection without TLS: is somebody between?",
            ));
        }
        if is_plus_offered && self.security.binding.is_some() {
            return Ok(Method::ScramSha256);
        }
        if self.security.is_binding_required {
            return Err(unbound("the server did not offer it"));
        }
        let is_token_taken = is_offered(OAUTHBEARER);
        let is_left_to_token = is_token_taken && self.credentials.password.is_none();
        if is_offered(SCRAM_SHA_256) && !is_left_to_token {
            return Ok(Method::ScramSha256);
        }
        if is_token_taken {
            return self.with_token().map(|()| Method::OAuth);
        }
        Err(unsupported(&format!("SASL with the mechanisms {}", quoted(&names.join(", ")))))
    }
}

impl Policy<'_> {
    /// The token may be sent.
    fn with_token(&self) -> Result<(), OpenError> {
        self.require_auth.check(Method::OAuth)?;
        let refusal = match self.credentials.oauth_token {
            None => "but none is configured: expected the option oauthToken",
            Some(_) if !self.security.is_server_verified => {
                "which is sent only to a server that TLS has verified: expected sslmode=verify-full, or ssl: true"
            }
            Some(_) => return Ok(()),
        };
        let message = format!("the server asks for an OAuth token, {refusal}");
        Err(OpenError::new(OpenErrorKind::Configuration, message))
    }
}

/// Checks the iteration count of a SCRAM server-first-message, `r=…,s=…,i=…` (RFC 5802, section 7), before any
/// key is derived. The rest of it is tokio-postgres' to check.
fn check_iterations(message: &[u8]) -> Result<(), OpenError> {
    let count = message.split(|&byte| byte == b',').find_map(|attribute| attribute.strip_prefix(b"i="));
    let text = String::from_utf8_lossy(count.ok_or_else(malformed)?);
    match text.parse::<u32>() {
        Ok(1..=MAX_SCRAM_ITERATIONS) => Ok(()),
        _ => Err(OpenError::protocol(format!(
            "the server asks for {} SCRAM iterations; expected 1 to {MAX_SCRAM_ITERATIONS}",
            quoted(&text)
        ))),
    }
}

fn malformed() -> OpenError {
    OpenError::protocol("the server sent a malformed authentication message")
}

fn unsupported(method: &str) -> OpenError {
    OpenError::unsupported(format!("the server asks for an authentication method that is not supported: {method}"))
}
