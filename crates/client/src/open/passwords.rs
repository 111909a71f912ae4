//! The passwords of one opening: where they come from is part of the configuration, what they are is found out anew
//! for each session, since they change while an application runs.

use std::path::PathBuf;

use super::config::Config;
use super::error::ConfigError;
use super::hosts::{HostAddress, Password};
use super::passfile::{self, Passfile};

/// Where passwords come from.
#[derive(Debug)]
pub(super) enum PasswordSource {
    /// One for all hosts.
    Given(Password),
    /// A password file, if it is there.
    File(PathBuf),
    /// There is none.
    Nowhere,
}

impl PasswordSource {
    /// The password file.
    pub(super) fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            Self::Given(_) | Self::Nowhere => None,
        }
    }
}

/// The passwords of one opening.
pub(super) struct Passwords {
    given: Option<Password>,
    /// The text of the password file.
    file: Option<String>,
    /// Why the password file was not used.
    remark: Option<String>,
}

impl Passwords {
    /// Those that the configuration leads to; reads the password file.
    pub(super) fn of(config: &Config) -> Self {
        let mut passwords = Self { given: None, file: None, remark: None };
        match &config.password {
            PasswordSource::Given(password) => passwords.given = Some(password.clone()),
            PasswordSource::File(path) => match passfile::read(path) {
                Passfile::Absent => {}
                Passfile::Ignored(remark) => passwords.remark = Some(remark),
                Passfile::Read(text) => passwords.file = Some(text),
            },
            PasswordSource::Nowhere => {}
        }
        passwords
    }

    /// One that the application has given for this session.
    pub(super) fn given(text: String) -> Result<Self, ConfigError> {
        if text.contains('\0') {
            return Err(ConfigError::new("option password: expected text without NUL characters"));
        }
        let given = Some(Password::new(text)).filter(|password| !password.reveal().is_empty());
        Ok(Self { given, file: None, remark: None })
    }

    pub(super) fn for_host(&self, config: &Config, address: &HostAddress) -> Option<Password> {
        let find = |text: &String| passfile::find(text, address, &config.database, &config.user);
        self.given.clone().or_else(|| self.file.as_ref().and_then(find))
    }

    /// Why the password file was not used, for the error of a missing password.
    pub(super) fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }
}
