//! A stream that keeps what its peer said.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of it is kept: more than any startup says.
const KEPT_BYTES: usize = 1 << 20;

/// What was read from a stream, and how much was written to it.
#[derive(Debug, Clone, Default)]
pub struct Record(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    read: Vec<u8>,
    written: u64,
}

impl Record {
    /// The first mebibyte that was read.
    #[must_use]
    pub fn read(&self) -> Vec<u8> {
        self.inner().read.clone()
    }

    /// How many bytes were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.inner().written
    }

    /// A stream whose bytes are noted here, behind those of others.
    pub fn of<S>(&self, stream: S) -> Recorded<S> {
        Recorded { stream, record: self.clone() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream with a [`Record`].
pub struct Recorded<S> {
    stream: S,
    record: Record,
}

impl<S> Recorded<S> {
    /// The stream, no longer recorded.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let mut inner = self.record.inner();
        let room = KEPT_BYTES.saturating_sub(inner.read.len());
        let new = &buffer.filled()[start..];
        inner.read.extend_from_slice(&new[..new.len().min(room)]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = polled {
            self.record.inner().written += u64::try_from(count).unwrap_or(0);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
