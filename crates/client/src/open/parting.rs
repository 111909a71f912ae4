//! The end of a session as its server has it.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::socket::Socket;

/// How long a server may take to end a session that has said goodbye.
const DEADLINE: Duration = Duration::from_secs(2);

/// Waits until the server has ended a session, whose Terminate has been sent: it closes its socket last, when locks and
/// the place among its connections are free again. The server may also take too long, or be gone: then it returns as well.
pub async fn parted(socket: Socket) {
    // A server that has not got the Terminate is told by this.
    let rest = match socket {
        Socket::Tcp(stream) => {
            let _ = stream.shutdown(Shutdown::Write);
            tokio::net::TcpStream::from_std(stream).map(|stream| Box::new(stream) as Box<dyn AsyncRead + Send + Unpin>)
        }
        #[cfg(unix)]
        Socket::Unix(stream) => {
            let _ = stream.shutdown(Shutdown::Write);
            tokio::net::UnixStream::from_std(stream).map(|stream| Box::new(stream) as Box<dyn AsyncRead + Send + Unpin>)
        }
    };
    let Ok(mut rest) = rest else { return };
    let _ = tokio::time::timeout(DEADLINE, end_of(&mut rest)).await;
}

/// Reads to the end.
async fn end_of(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut last_words = [0; 1024];
    while stream.read(&mut last_words).await? > 0 {}
    Ok(())
}
