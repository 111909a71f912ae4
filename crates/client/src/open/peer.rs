//! Who is at the other end of a Unix-domain socket (libpq's `requirepeer`): anybody can make a socket in /tmp.

use nix::unistd::{Uid, User};
use tokio::net::UnixStream;

use super::auth::forbidden;
use super::error::OpenError;

/// Refuses a server that does not run as the system's user `required`, before anything is sent to it.
pub(super) fn check(stream: &UnixStream, required: &str) -> Result<(), OpenError> {
    let credentials = stream.peer_cred().map_err(|error| OpenError::io(&error))?;
    let id = credentials.uid();
    let found = match User::from_uid(Uid::from_raw(id)) {
        Ok(Some(user)) if user.name == required => return Ok(()),
        Ok(Some(user)) => format!("the user {}", user.name),
        Ok(None) => format!("the user with the id {id}, who has no name"),
        Err(error) => format!("the user with the id {id}, whose name the system does not tell ({error})"),
    };
    Err(forbidden(format!("the server runs as {found}, and requirePeer ({required}) demands another")))
}
