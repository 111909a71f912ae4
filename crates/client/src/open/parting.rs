//! The end of a session as its server has it.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::socket::{Socket, Stream};

/// How long a server may take to end a session that has said goodbye.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long a server whose statement was cancelled may take to end the session, before it is taken to be at the next one.
const PATIENCE: Duration = Duration::from_millis(250);

/// Waits until the server has ended a session, whose Terminate has been sent: it closes its socket last, when locks and
/// the place among its connections are free again. The server may also take too long, or be gone: then it returns as well.
pub async fn parted(socket: Socket) {
    let Ok(mut stream) = Stream::of_socket(socket) else { return };
    let _ = timeout(DEADLINE, leave(&mut stream, &[])).await;
}

/// The same of a session whose server is still at a statement of which nobody wants to know: `cancel` asks it to stop, and
/// `last_words` are what is left to be said to it. After 2 seconds it returns, whatever has become of that.
pub async fn interrupted<C: Future>(socket: Socket, last_words: &[u8], cancel: impl Fn() -> C) {
    let interrupting = async {
        let Ok(mut stream) = Stream::of_socket(socket) else { return };
        // Before the goodbye: a pooler knows whom a key means only as long as its client is there.
        cancel().await;
        if timeout(PATIENCE, leave(&mut stream, last_words)).await.is_ok() {
            return;
        }
        // Others had been sent behind it, and the server goes on with them; or the cancel came too early. To whom an answer
        // cannot be sent any more, the server is at the end of its session as soon as it tries.
        stream.reset();
        cancel().await;
    };
    let _ = timeout(DEADLINE, interrupting).await;
}

/// Says the last words, and reads to the end.
async fn leave(stream: &mut Stream, last_words: &[u8]) -> io::Result<()> {
    // A server that does not take them sees the end of the stream.
    let _ = stream.write_all(last_words).await;
    // One that has not got a Terminate is told by this.
    let _ = stream.shutdown().await;
    let mut last_answers = [0; 4096];
    while stream.read(&mut last_answers).await? > 0 {}
    Ok(())
}
