//! `target_session_attrs`: which servers will do (manual, "Parameter Key Words").

use tokio::io::{AsyncRead, AsyncWrite};

use super::error::{ConfigError, OpenError, OpenErrorKind};
use super::gate::Startup;
use super::probe;
use super::sources::Given;

/// What a session must be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TargetSessionAttrs {
    #[default]
    Any,
    /// Transactions may write.
    ReadWrite,
    ReadOnly,
    /// The server is not in recovery.
    Primary,
    Standby,
    /// A standby, or any other if there is none.
    PreferStandby,
}

/// Asks whether transactions may write; in recovery they may not.
const SHOW_READ_ONLY: &str = "SHOW transaction_read_only";
const SELECT_IN_RECOVERY: &str = "SELECT pg_catalog.pg_is_in_recovery()";

impl TargetSessionAttrs {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Any, "any"),
        (Self::ReadWrite, "read-write"),
        (Self::ReadOnly, "read-only"),
        (Self::Primary, "primary"),
        (Self::Standby, "standby"),
        (Self::PreferStandby, "prefer-standby"),
    ];

    pub(super) fn parse(given: &Given) -> Result<Self, ConfigError> {
        let found = Self::ALL.into_iter().find(|(_, name)| *name == given.text);
        found.map(|(attrs, _)| attrs).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ");
            given.expected(&format!("one of {names}"))
        })
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or("any", |(_, name)| name)
    }

    /// Whether sessions that cannot write are of no use.
    pub(super) fn is_for_writing(self) -> bool {
        matches!(self, Self::ReadWrite | Self::Primary)
    }

    /// What is wrong with the session that was started on `stream`, if something is. A server that does not report what
    /// it takes (before version 14, or a pooler) is asked for it.
    pub(super) async fn mismatch<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: &mut S,
        startup: &mut Startup,
    ) -> Result<Option<&'static str>, OpenError> {
        match self {
            Self::Any => Ok(None),
            Self::ReadWrite => Ok(is_read_only(stream, startup).await?.then_some("the session is read-only")),
            Self::ReadOnly => Ok((!is_read_only(stream, startup).await?).then_some("the session is not read-only")),
            Self::Primary => Ok(is_standby(stream, startup).await?.then_some("the server is a standby")),
            Self::Standby | Self::PreferStandby => {
                Ok((!is_standby(stream, startup).await?).then_some("the server is not a standby"))
            }
        }
    }
}

async fn is_read_only<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    startup: &mut Startup,
) -> Result<bool, OpenError> {
    match (reported(startup, "default_transaction_read_only"), reported(startup, "in_hot_standby")) {
        (Some(is_read_only), Some(is_standby)) => Ok(is_read_only || is_standby),
        _ => ask(stream, startup, SHOW_READ_ONLY, "on").await,
    }
}

async fn is_standby<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    startup: &mut Startup,
) -> Result<bool, OpenError> {
    match reported(startup, "in_hot_standby") {
        Some(is_standby) => Ok(is_standby),
        None => ask(stream, startup, SELECT_IN_RECOVERY, "t").await,
    }
}

fn reported(startup: &Startup, name: &str) -> Option<bool> {
    startup.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value == "on")
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    startup: &mut Startup,
    query: &str,
    yes: &str,
) -> Result<bool, OpenError> {
    let answer = probe::ask(stream, startup, query).await.map_err(|mut error| {
        // A server that cannot say whether it will do is not the one, and another may be.
        if error.kind == OpenErrorKind::Server {
            error.kind = OpenErrorKind::Target;
            error.message = format!("{query} failed: {}", error.message);
        }
        error
    })?;
    Ok(answer == yes)
}
