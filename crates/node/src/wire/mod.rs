//! The wire between a session and its server: a transport, what the loop watches it for, the bytes that are not parsed
//! yet, and a failure of writing that waits for what the server said before.
//!
//! `docs/internals/wire.md` draws its states. It is generic over the transport and the reactor, so that another loop can
//! stand behind it, and so that it can be tested without sockets.

mod channel;
mod transport;
mod unparsed;

#[cfg(test)]
mod tests;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use oxpg_client::session::{EndCause, Received, Session, Sink};
use oxpg_codec::failpoint;

pub(crate) use self::channel::Channel;
use self::transport::error_code;
pub(crate) use self::transport::{Descriptor, Progress, Transport};
use self::unparsed::Unparsed;
use crate::reactor::{Interest, Reactor};

/// Terminate, so that the server logs no broken connection.
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// One connection's wire. It is watched from [`Wire::connect`] to [`Wire::disconnect`].
pub(crate) struct Wire<T: Transport, R: Reactor> {
    transport: T,
    watch: R::Watch,
    /// What the reactor was last told.
    interest: Interest,
    /// The consumer of the session's rows wants no more for now: nothing is read until [`Wire::resume`].
    is_paused: bool,
    /// Writing failed. What the server said before is read first: it may have answered, or said why it leaves.
    write_failure: Option<EndCause>,
    unparsed: Unparsed,
}

/// What reading came to.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Everything at hand is parsed; the loop tells when there is more.
    Drained,
    /// The mailbox was full, or the budget is spent: the next turn goes on, whatever the loop sees.
    Unfinished,
    /// The consumer of the rows has paused: nothing goes on until it says so, and the loop may rest.
    Paused,
    /// The session ended; the caller takes the connection down.
    Over(EndCause),
}

impl<T: Transport, R: Reactor> Wire<T, R> {
    /// Starts watching a transport for connection `id`. `leftover` has been read from it already.
    pub(crate) fn connect(transport: T, leftover: Vec<u8>, id: u32, reactor: &mut R) -> Result<Self, String> {
        let watch = reactor.watch(transport.descriptor(), id)?;
        let unparsed = Unparsed::new(leftover);
        Ok(Self { transport, watch, interest: Interest::Read, is_paused: false, write_failure: None, unparsed })
    }

    /// Whether bytes are here that the loop does not know of.
    pub(crate) fn has_unparsed(&self) -> bool {
        !self.unparsed.is_empty()
    }

    /// Whether a flush would move something: there is output, and the loop does not have to tell of room first.
    pub(crate) fn is_dirty(&self, session: &Session) -> bool {
        let is_blocked = self.interest.is_write() || self.write_failure.is_some();
        !is_blocked && (!session.output().is_empty() || self.transport.is_holding_output())
    }

    /// Writes what the session has to say, as far as the socket takes it. Reading goes on either way (rule 17). False
    /// when writing has failed: the caller has the rest read, which ends the session.
    pub(crate) fn flush(&mut self, session: &mut Session, reactor: &R, sink: &mut impl Sink) -> bool {
        while self.write_failure.is_none() {
            let output = session.output();
            let is_said = output.is_empty();
            if is_said && !self.transport.is_holding_output() {
                self.want_write(reactor, false);
                return true;
            }
            let progress = if is_said { self.transport.flush() } else { self.transport.write(output) };
            match progress {
                Progress::Moved(count) if !is_said => {
                    session.advance_output(count);
                    // What waited for room in the output may be written now.
                    session.pump(sink);
                }
                Progress::Moved(_) => {}
                Progress::Blocked | Progress::Ended => {
                    self.want_write(reactor, true);
                    return true;
                }
                Progress::Failed(error) => self.write_failure = Some(reset_cause(&error)),
            }
        }
        self.want_write(reactor, false);
        false
    }

    /// Reads and parses until nothing is left, the sink takes no more, or `budget` bytes are done.
    ///
    /// `buffer` is the environment's, shared by all its connections; only the start of an unfinished message is
    /// kept here, so an idle connection holds no memory for reading.
    pub(crate) fn read(
        &mut self,
        session: &mut Session,
        (buffer, budget): (&mut [u8], &mut usize),
        reactor: &R,
        sink: &mut impl Sink,
    ) -> Reading {
        if self.is_paused {
            return Reading::Paused;
        }
        if (self.has_unparsed() || session.has_backlog())
            && let Some(reading) = self.parse_unparsed(session, budget, reactor, sink)
        {
            return reading;
        }
        loop {
            if *budget == 0 {
                return Reading::Unfinished;
            }
            // The start of an unfinished message goes in front of what is read next, so that whole messages are
            // parsed in place; only one that outgrows the shared buffer is put together in memory of its own.
            let kept = self.unparsed.bytes();
            let is_joined = kept.len() <= buffer.len() / 4;
            let start = if is_joined { kept.len() } else { 0 };
            buffer[..start].copy_from_slice(&kept[..start]);
            let room = buffer.len() - start;
            let count = match self.transport.read(&mut buffer[start..]) {
                Progress::Moved(count) => count,
                Progress::Blocked => return self.write_failure.take().map_or(Reading::Drained, Reading::Over),
                Progress::Ended => return Reading::Over(self.write_failure.take().unwrap_or(EndCause::EndOfStream)),
                Progress::Failed(error) => return Reading::Over(reset_cause(&error)),
            };
            *budget = budget.saturating_sub(count);
            let reading = if is_joined {
                self.unparsed.clear();
                self.parse_fresh(session, &buffer[..start + count], reactor, sink)
            } else {
                self.unparsed.append(&buffer[..count]);
                // These bytes are paid for.
                let mut paid = usize::MAX;
                self.parse_unparsed(session, &mut paid, reactor, sink)
            };
            if let Some(reading) = reading {
                return reading;
            }
            if self.transport.is_emptied_by(count, room) && self.write_failure.is_none() {
                return Reading::Drained;
            }
        }
    }

    /// Parses bytes right out of the shared buffer; keeps what is left over.
    fn parse_fresh(
        &mut self,
        session: &mut Session,
        bytes: &[u8],
        reactor: &R,
        sink: &mut impl Sink,
    ) -> Option<Reading> {
        match session.receive(bytes, sink) {
            Ok(received) => {
                self.unparsed.append(&bytes[received.consumed..]);
                self.stop(received, reactor, sink)
            }
            Err(violation) => Some(Reading::Over(EndCause::Violation(violation))),
        }
    }

    fn parse_unparsed(
        &mut self,
        session: &mut Session,
        budget: &mut usize,
        reactor: &R,
        sink: &mut impl Sink,
    ) -> Option<Reading> {
        match session.receive(self.unparsed.bytes(), sink) {
            Ok(received) => {
                *budget = budget.saturating_sub(received.consumed);
                self.unparsed.consume(received.consumed);
                self.stop(received, reactor, sink)
            }
            Err(violation) => Some(Reading::Over(EndCause::Violation(violation))),
        }
    }

    /// Why parsing stopped before its bytes were used up, if it did.
    fn stop(&mut self, received: Received, reactor: &R, sink: &impl Sink) -> Option<Reading> {
        if !received.is_stopped {
            return None;
        }
        if !sink.is_paused() {
            return Some(Reading::Unfinished);
        }
        self.is_paused = true;
        self.watch_for(reactor, self.interest.is_write());
        Some(Reading::Paused)
    }

    /// The consumer of the rows goes on, or has left. True when the wire had paused: what it kept is to be parsed,
    /// of which the loop does not know.
    pub(crate) fn resume(&mut self, reactor: &R) -> bool {
        let was_paused = std::mem::replace(&mut self.is_paused, false);
        if was_paused {
            self.watch_for(reactor, self.interest.is_write());
        }
        was_paused
    }

    /// Has the reactor watch again that has stopped because of an error.
    pub(crate) fn watch_again(&self, reactor: &R) {
        reactor.set_interest(self.watch, self.interest);
    }

    fn want_write(&mut self, reactor: &R, is_wanted: bool) {
        if self.interest.is_write() != is_wanted {
            self.watch_for(reactor, is_wanted);
        }
    }

    fn watch_for(&mut self, reactor: &R, is_write: bool) {
        let interest = Interest::of(!self.is_paused, is_write);
        if self.interest != interest {
            self.interest = interest;
            reactor.set_interest(self.watch, interest);
        }
    }

    /// Says goodbye if the socket takes it at once. Nothing is said inside another message.
    pub(crate) fn farewell(&mut self, session: &Session) {
        failpoint::pass("node.farewell");
        if session.output().is_empty() && self.write_failure.is_none() {
            let _ = self.transport.write(&TERMINATE);
            self.transport.close();
        }
    }

    /// The session is over. A server that does not take what was begun would not hear of the end behind that either, and hold
    /// the session for good: it is told by a reset.
    pub(crate) fn cut_short(&mut self, session: &Session) {
        let is_held = !session.output().is_empty() || self.transport.is_holding_output();
        if is_held || self.transport.has_unsent() {
            self.transport.cut_short();
        }
    }

    /// Stops watching without a word. What is left to be said goes with the transport: nothing where a message was begun.
    pub(crate) fn withdraw(mut self, session: &Session, reactor: &R) -> (T, Vec<u8>) {
        reactor.unwatch(self.watch);
        let is_between_messages = session.output().is_empty() && self.write_failure.is_none();
        let last_words = if is_between_messages { self.transport.last_words(&TERMINATE) } else { Vec::new() };
        (self.transport, last_words)
    }

    /// Says goodbye and stops watching. The transport closes with the drop.
    pub(crate) fn disconnect(mut self, session: &Session, reactor: &R) -> T {
        reactor.unwatch(self.watch);
        // Whoever waits for the end of the connection hears of it all the same.
        let _ = catch_unwind(AssertUnwindSafe(|| self.farewell(session)));
        self.transport
    }
}

fn reset_cause(error: &io::Error) -> EndCause {
    EndCause::Reset { code: error_code(error), text: error.to_string() }
}
