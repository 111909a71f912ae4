//! Cancel requests (manual, "Canceling Requests in Progress").

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::socket::{CancelTarget, Keepalive, Link, Stream};

/// How long a cancel request may take in all.
const DEADLINE: Duration = Duration::from_secs(3);
const CANCEL_REQUEST_CODE: i32 = 80_877_102;

/// Asks the server to interrupt what a session is doing, over a connection of its own.
///
/// Returns when the server has closed that connection: then the interrupt has been sent to the backend, so whatever
/// the session runs later is not hit. Whether anything was interrupted is never known from here.
///
/// # Errors
/// The server was not reached, or did not finish within 3 seconds.
pub async fn cancel(target: &CancelTarget, backend_pid: i32, secret_key: &[u8]) -> io::Result<()> {
    let request = cancel_request(backend_pid, secret_key)?;
    let exchange = async {
        let stream = Stream::connect(&target.endpoint, &Keepalive::default()).await.map_err(io::Error::other)?;
        // Encrypted as the session is, and not sent at all where that fails: the key would end sessions of others' choice.
        let mut stream = match &target.tls {
            None => Link::Plain(stream),
            Some(setup) => {
                Link::Tls(setup.begin(stream).await.map_err(|error| io::Error::other(error.into_open_error()))?)
            }
        };
        stream.write_all(&request).await?;
        stream.flush().await?;
        let mut rest = [0; 64];
        loop {
            match stream.read(&mut rest).await {
                Ok(0) => return Ok(()),
                // A server answers nothing; an ErrorResponse of a pooler tells nothing that could be used.
                Ok(_) => {}
                // Closed without reading everything: closed all the same.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    };
    match tokio::time::timeout(DEADLINE, exchange).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the server did not finish a cancel request within 3 s")),
    }
}

fn cancel_request(backend_pid: i32, secret_key: &[u8]) -> io::Result<Vec<u8>> {
    let length = i32::try_from(secret_key.len() + 12)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the secret key is too long"))?;
    let mut request = Vec::with_capacity(secret_key.len() + 12);
    request.extend_from_slice(&length.to_be_bytes());
    request.extend_from_slice(&CANCEL_REQUEST_CODE.to_be_bytes());
    request.extend_from_slice(&backend_pid.to_be_bytes());
    request.extend_from_slice(secret_key);
    Ok(request)
}
