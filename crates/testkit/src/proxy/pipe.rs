//! One direction of a connection: bytes are read, wait as long as they are under way, and go on in the flow's pieces up
//! to its fault.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::Direction;
use super::clock::sleep_until;
use super::connection::Line;
use super::plan::{Effect, Fault, Flow, Pieces, Place};
use super::random::Random;

const CHUNK: usize = 64 << 10;
/// How many chunks may be under way where there is a delay.
const UNDER_WAY: usize = 1024;
/// How long bytes are collected before they are cut anew.
const GLUE: Duration = Duration::from_millis(2);
/// How often one looks whether a peer that is not read from has closed.
const LOOK: Duration = Duration::from_millis(20);

/// Bytes and when they arrive.
type Parcel = (Instant, Vec<u8>);

/// Why a direction ended before its bytes did.
pub(super) enum Broken {
    /// By where the bytes come from; whether it was reset.
    Source(bool),
    /// By where they go.
    Sink,
}

/// Passes bytes on until their end has been passed on.
pub(super) async fn pipe(
    direction: Direction,
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    flow: Flow,
    line: &Line,
) -> Result<(), Broken> {
    let capacity = if flow.delay_ms == 0 { 1 } else { UNDER_WAY };
    let (sender, receiver) = mpsc::channel(capacity);
    let delay = Duration::from_millis(flow.delay_ms);
    let seed = if let Pieces::Glue { seed, .. } = flow.pieces { seed } else { 0 };
    let random = Random::new(seed);
    let writer = Writer { direction, to, line, pieces: flow.pieces, fault: flow.fault, random, passed: 0 };
    let writing = async { writer.run(receiver).await.map_err(|_| Broken::Sink) };
    tokio::try_join!(read(direction, from, sender, delay, line), writing).map(|((), ())| ())
}

async fn read(
    direction: Direction,
    mut from: ReadHalf<'_>,
    sender: mpsc::Sender<Parcel>,
    delay: Duration,
    line: &Line,
) -> Result<(), Broken> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let permit = tokio::select! {
            permit = sender.reserve() => permit,
            () = closed_while_stalled(&from, line) => return source_ended(direction, false).await,
        };
        let Ok(permit) = permit else { return Ok(()) };
        let result = from.read(&mut buffer).await;
        let count = match result {
            Ok(0) if line.is_passing() => return Ok(()),
            Err(error) if line.is_passing() => {
                return Err(Broken::Source(error.kind() == io::ErrorKind::ConnectionReset));
            }
            Ok(0) | Err(_) => return source_ended(direction, result.is_err()).await,
            Ok(count) => count,
        };
        permit.send((Instant::now() + delay, buffer[..count].to_vec()));
    }
}

/// A network that passes nothing on does not tell a client that its server is gone. That a client is gone ends the
/// connection: nobody would notice anything more of it.
async fn source_ended(direction: Direction, is_reset: bool) -> Result<(), Broken> {
    match direction {
        Direction::ToServer => Err(Broken::Source(is_reset)),
        Direction::ToClient => std::future::pending().await,
    }
}

/// A peer that nobody reads from is not heard when it closes.
async fn closed_while_stalled(from: &ReadHalf<'_>, line: &Line) {
    loop {
        sleep(LOOK).await;
        if line.is_stalled() && from.ready(Interest::READABLE).await.is_ok_and(|ready| ready.is_read_closed()) {
            return;
        }
    }
}

struct Writer<'a> {
    direction: Direction,
    to: WriteHalf<'a>,
    line: &'a Line,
    pieces: Pieces,
    fault: Option<Fault>,
    random: Random,
    /// Bytes of this direction so far.
    passed: u64,
}

impl Writer<'_> {
    async fn run(mut self, mut parcels: mpsc::Receiver<Parcel>) -> io::Result<()> {
        // Before the first byte.
        self.pass(&[]).await?;
        while let Some((due, mut bytes)) = parcels.recv().await {
            sleep_until(due).await;
            if matches!(self.pieces, Pieces::Glue { .. }) {
                sleep(GLUE).await;
                while let Ok((due, more)) = parcels.try_recv() {
                    sleep_until(due).await;
                    bytes.extend_from_slice(&more);
                }
            }
            self.pass(&bytes).await?;
        }
        self.line.is_moving().await;
        if !self.line.is_kept_open(self.direction) {
            // The other end may be gone already.
            let _ = self.to.shutdown().await;
        }
        Ok(())
    }

    /// Passes bytes on as far as the fault allows.
    async fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        let place = self.fault.as_ref().and_then(|fault| place_in(bytes, self.passed, &fault.at));
        let Some(place) = place else { return self.write(bytes).await };
        self.write(&bytes[..place]).await?;
        if let Some(fault) = self.fault.take() {
            self.line.happened(self.direction, fault.effect, fault.touch.as_deref());
            if fault.effect == Effect::Hold {
                self.line.released().await;
            }
        }
        self.write(&bytes[place..]).await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.line.is_moving().await;
            if self.line.is_dropping(self.direction) {
                return Ok(());
            }
            let length = match self.pieces {
                Pieces::AsTheyCome => rest.len(),
                Pieces::Dribble => 1,
                Pieces::Glue { longest, .. } => self.random.up_to(longest).min(rest.len()),
            };
            self.to.write_all(&rest[..length]).await?;
            self.passed += u64::try_from(length).unwrap_or(0);
            self.line.passed(self.direction, length);
            rest = &rest[length..];
            if self.pieces != Pieces::AsTheyCome {
                yield_now().await;
            }
        }
        Ok(())
    }
}

/// How many of these bytes go on before the fault, if it is among them; `passed` came before them.
fn place_in(bytes: &[u8], passed: u64, at: &Place) -> Option<usize> {
    match at {
        Place::After(count) => usize::try_from(count.saturating_sub(passed)).ok().filter(|place| *place <= bytes.len()),
        Place::Marker { text, passed } => {
            let is_here = !text.is_empty() && bytes.windows(text.len()).any(|window| window == text.as_bytes());
            is_here.then(|| passed.unwrap_or(bytes.len()).min(bytes.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_from_the_connections_first_byte() {
        assert_eq!(place_in(b"", 0, &Place::After(0)), Some(0));
        assert_eq!(place_in(b"abc", 7, &Place::After(9)), Some(2));
        assert_eq!(place_in(b"abc", 7, &Place::After(10)), Some(3));
        assert_eq!(place_in(b"abc", 7, &Place::After(11)), None);
    }

    #[test]
    fn a_marker_is_looked_for_in_what_comes_together() {
        let marker = |passed| Place::Marker { text: "mark".to_owned(), passed };
        assert_eq!(place_in(b"a mark here", 0, &marker(None)), Some(11));
        assert_eq!(place_in(b"a mark here", 0, &marker(Some(3))), Some(3));
        assert_eq!(place_in(b"a mar", 0, &marker(Some(3))), None);
    }
}
