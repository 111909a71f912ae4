//! A hostile server: whatever it sends, in whatever pieces, the startup ends without a panic, keeps no more than it was
//! sent, and tells no password.
#![no_main]

use std::io;
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use oxpg_client::open::{Config, Startup, open_on_stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const PASSWORD: &str = "marked-Geheimnis";

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let json = r#"{"dsn":null,"environment":{},"options":{"host":"h","user":"u","password":"marked-Geheimnis",
        "serverSettings":{"search_path":"a"}}}"#;
    Config::from_json(json).expect("a valid configuration")
});

/// Gives the fuzzer's bytes in pieces, then the end of the stream; takes whatever is written.
struct Script<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl AsyncRead for Script<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (now, later) = self.bytes.split_at(self.piece.min(self.bytes.len()).min(buffer.remaining()));
        buffer.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Bytes that a startup keeps.
fn kept(startup: &Startup) -> usize {
    let texts = startup.parameters.iter().map(|(name, value)| name.len() + value.len());
    let notices = startup.notices.iter().flatten().map(|(_, text)| text.len());
    texts.chain(notices).sum::<usize>() + startup.secret_key.len() + startup.leftover.len()
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let mut script = Script { bytes, piece: usize::from(piece) + 1 };
    let mut opening = pin!(open_on_stream(&mut script, &CONFIG));
    let Poll::Ready(result) = opening.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("the startup waits although the stream has ended");
    };
    match result {
        // A byte that is not UTF-8 becomes a replacement character of three.
        Ok(startup) => assert!(kept(&startup) <= 3 * bytes.len()),
        Err(error) => {
            let is_ours = !String::from_utf8_lossy(bytes).contains(PASSWORD);
            assert!(!(is_ours && format!("{error} {error:?}").contains(PASSWORD)));
        }
    }
});
