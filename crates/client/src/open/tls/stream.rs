//! TLS on an asynchronous stream: the handshake, and what goes before a session is handed over.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::super::error::OpenError;
use super::channel_binding;
use super::negotiation::BeginError;
use super::session::TlsSession;

/// A stream with TLS on it.
#[derive(Debug)]
pub(in crate::open) struct TlsStream<S> {
    stream: S,
    session: Box<TlsSession>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Goes through the handshake. The server is told why it fails.
    pub(super) async fn handshake(mut stream: S, mut session: TlsSession) -> Result<Self, BeginError> {
        let mut bytes = vec![0; 16 << 10];
        loop {
            let result = session.handshake();
            let written = async {
                while !session.output().is_empty() {
                    let count = stream.write(session.output()).await?;
                    session.advance_output(count);
                }
                stream.flush().await
            }
            .await;
            if result? {
                break;
            }
            // A server that has gone may have said why.
            let count = match (stream.read(&mut bytes).await, written) {
                (Ok(0), Ok(())) => {
                    return Err(
                        OpenError::connection("the server closed the connection during the TLS handshake").into()
                    );
                }
                (Ok(0), Err(error)) | (Err(error), _) => return Err(OpenError::io(&error).into()),
                (Ok(count), _) => count,
            };
            session.receive(&bytes[..count]);
        }
        Ok(Self { stream, session: Box::new(session) })
    }

    pub(super) fn session(&self) -> &TlsSession {
        &self.session
    }

    /// What authentication can be bound to (RFC 5929).
    pub(in crate::open) fn channel_binding(&self) -> Option<Vec<u8>> {
        self.session.peer_certificate().and_then(channel_binding::of)
    }

    pub(in crate::open) fn into_parts(self) -> (S, Box<TlsSession>) {
        (self.stream, self.session)
    }

    /// Writes all that is encrypted.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.session.output().is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, self.session.output()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.session.advance_output(count);
        }
        Poll::Ready(Ok(()))
    }
}

/// An asynchronous stream as one that would block.
struct Polled<'a, 'c, S> {
    stream: &'a mut S,
    cx: &'a mut Context<'c>,
}

impl<S: AsyncRead + Unpin> Read for Polled<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buffer) {
            Poll::Ready(result) => result.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = this.session.read(&mut Polled { stream: &mut this.stream, cx }, buffer.initialize_unfilled());
        // Reading may have made an answer, such as new keys or an alert; whether it can be written shows elsewhere.
        let _ = this.poll_output(cx);
        match result {
            Ok(count) => {
                buffer.advance(count);
                Poll::Ready(Ok(()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_output(cx))?;
        Poll::Ready(this.session.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_output(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A session that has failed has no goodbye.
        let _ = this.session.close();
        ready!(this.poll_output(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
