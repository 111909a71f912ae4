//! One session on the loop: its socket, its engine, and what is between them.

use std::ffi::c_int;
use std::rc::Rc;

use oxpg_client::open::{CancelTarget, Socket};
use oxpg_client::session::{Catalog, EndCause, RequestId, Session, Sink};

use crate::reactor::{Handle, Reactor, uv};
use crate::socket::{self, Progress};

/// Bytes that one connection may parse in one turn of the loop.
pub(crate) const TURN_BYTES: usize = 1 << 20;

/// A session with its socket. It is in one of the environment's slabs as long as it is open.
pub(crate) struct Connection {
    pub(crate) session: Session,
    pub(crate) cancel_target: CancelTarget,
    /// The pool that it belongs to, 0 for none.
    pub(crate) pool: u32,
    /// Leased from its pool: JavaScript holds it.
    pub(crate) is_leased: bool,
    /// Queued for the flush at the end of this tick.
    pub(crate) is_dirty: bool,
    /// Queued for more parsing: the mailbox was full, or the budget was spent.
    pub(crate) is_unparsed: bool,
    /// Requests of a graceful close that wait for the end.
    pub(crate) close_waiters: Vec<u32>,
    /// Calls on the pool that run here, as far as its policy knows.
    pub(crate) shared_queries: usize,
    /// Those of them whose callers have left.
    pub(crate) abandoned_queries: usize,
    /// Its pool's reset, while that is in flight.
    pub(crate) reset: Option<RequestId>,
    /// The user called `ref()`.
    pub(crate) is_referenced: bool,
    /// The engine's head sequence that the pool's policy knows of, for rule 9.
    pub(crate) last_head: u64,
    /// What it knew of types before it got codecs of its own, and goes back to.
    pub(crate) catalogs_below: Vec<Rc<Catalog>>,
    socket: Socket,
    handle: Handle,
    events: c_int,
    /// Writing failed. What the server said before is read first: it may have answered, or said why it leaves.
    write_failure: Option<EndCause>,
    /// The start of a message whose rest has not come yet, or bytes that wait for room in the mailbox.
    leftover: Vec<u8>,
    leftover_start: usize,
}

/// What reading came to.
pub(crate) enum Reading {
    /// The kernel's buffer is empty, or the budget of this turn is spent (then the connection is unparsed).
    Open,
    /// The session ended; the caller takes the connection down.
    Over(EndCause),
}

/// What goes into a new [`Connection`].
pub(crate) struct Parts {
    pub(crate) session: Session,
    pub(crate) cancel_target: CancelTarget,
    pub(crate) socket: Socket,
    pub(crate) leftover: Vec<u8>,
    pub(crate) pool: u32,
}

impl Connection {
    /// Starts watching the socket for connection `id`.
    pub(crate) fn adopt(parts: Parts, id: u32, reactor: &mut Reactor) -> Result<Self, String> {
        let handle = reactor.watch(socket::descriptor(&parts.socket), id)?;
        Ok(Self {
            session: parts.session,
            cancel_target: parts.cancel_target,
            pool: parts.pool,
            is_leased: false,
            is_dirty: false,
            is_unparsed: false,
            close_waiters: Vec::new(),
            shared_queries: 0,
            abandoned_queries: 0,
            reset: None,
            is_referenced: false,
            last_head: 0,
            catalogs_below: Vec::new(),
            socket: parts.socket,
            handle,
            events: uv::READABLE,
            write_failure: None,
            leftover: parts.leftover,
            leftover_start: 0,
        })
    }

    /// Writes what the engine has to say, as far as the kernel takes it. Reading goes on either way (rule 17). False
    /// when writing has failed: the caller has the rest read, which ends the session.
    pub(crate) fn flush(&mut self, reactor: &Reactor, sink: &mut impl Sink) -> bool {
        self.is_dirty = false;
        while self.write_failure.is_none() {
            let output = self.session.output();
            if output.is_empty() {
                self.want(reactor, uv::READABLE);
                return true;
            }
            match socket::write(&mut self.socket, output) {
                Progress::Moved(count) => {
                    self.session.advance_output(count);
                    // What waited for room in the output may be written now.
                    self.session.pump(sink);
                }
                Progress::Blocked | Progress::Ended => {
                    self.want(reactor, uv::READABLE | uv::WRITABLE);
                    return true;
                }
                Progress::Failed(error) => self.write_failure = Some(reset_cause(&error)),
            }
        }
        self.want(reactor, uv::READABLE);
        false
    }

    /// libuv stopped watching because of an error (POLLERR) that read(2) will tell.
    pub(crate) fn watch_again(&self, reactor: &Reactor) {
        reactor.interest(self.handle, self.events);
    }

    /// The loop calls when the socket takes more, or the socket has failed: nothing is to be written before.
    pub(crate) fn is_blocked(&self) -> bool {
        self.events & uv::WRITABLE != 0 || self.write_failure.is_some()
    }

    fn want(&mut self, reactor: &Reactor, events: c_int) {
        if self.events != events {
            self.events = events;
            reactor.interest(self.handle, events);
        }
    }

    /// Reads and parses until the kernel has no more, the mailbox is full, or `budget` bytes are done.
    ///
    /// `buffer` is the environment's, shared by all its connections; only the start of an unfinished message is
    /// kept here, so an idle connection holds no memory for reading.
    pub(crate) fn read(&mut self, buffer: &mut [u8], budget: &mut usize, sink: &mut impl Sink) -> Reading {
        self.is_unparsed = false;
        if (self.leftover_start < self.leftover.len() || self.session.has_backlog())
            && let Some(reading) = self.parse_leftover(budget, sink)
        {
            return reading;
        }
        loop {
            if *budget == 0 {
                self.is_unparsed = true;
                return Reading::Open;
            }
            // The start of an unfinished message goes in front of what is read next, so that whole messages are
            // parsed in place; only one that outgrows the shared buffer is put together in memory of its own.
            let kept = &self.leftover[self.leftover_start..];
            let is_joined = kept.len() <= buffer.len() / 4;
            let start = if is_joined { kept.len() } else { 0 };
            buffer[..start].copy_from_slice(&kept[..start]);
            let room = buffer.len() - start;
            let count = match socket::read(&mut self.socket, &mut buffer[start..]) {
                Progress::Moved(count) => count,
                Progress::Blocked => return self.write_failure.take().map_or(Reading::Open, Reading::Over),
                Progress::Ended => return Reading::Over(self.write_failure.take().unwrap_or(EndCause::EndOfStream)),
                Progress::Failed(error) => return Reading::Over(reset_cause(&error)),
            };
            *budget = budget.saturating_sub(count);
            let reading = if is_joined {
                self.leftover.clear();
                self.leftover_start = 0;
                self.parse_fresh(&buffer[..start + count], sink)
            } else {
                self.leftover.extend_from_slice(&buffer[..count]);
                // These bytes are paid for.
                let mut paid = usize::MAX;
                self.parse_leftover(&mut paid, sink)
            };
            if let Some(reading) = reading {
                return reading;
            }
            if count < room && self.write_failure.is_none() {
                // A short read emptied the kernel's buffer; epoll tells when there is more.
                return Reading::Open;
            }
        }
    }

    /// Parses bytes right out of the shared buffer; keeps what is left over.
    fn parse_fresh(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Option<Reading> {
        match self.session.receive(bytes, sink) {
            Ok(received) => {
                self.leftover.extend_from_slice(&bytes[received.consumed..]);
                self.stop_if(received.is_stopped)
            }
            Err(violation) => Some(Reading::Over(EndCause::Violation(violation))),
        }
    }

    fn parse_leftover(&mut self, budget: &mut usize, sink: &mut impl Sink) -> Option<Reading> {
        match self.session.receive(&self.leftover[self.leftover_start..], sink) {
            Ok(received) => {
                *budget = budget.saturating_sub(received.consumed);
                self.leftover_start += received.consumed;
                if self.leftover_start == self.leftover.len() {
                    self.leftover_start = 0;
                    if self.leftover.capacity() > TURN_BYTES {
                        self.leftover = Vec::new();
                    } else {
                        self.leftover.clear();
                    }
                } else if self.leftover_start > self.leftover.len() / 2 {
                    self.leftover.drain(..self.leftover_start);
                    self.leftover_start = 0;
                }
                self.stop_if(received.is_stopped)
            }
            Err(violation) => Some(Reading::Over(EndCause::Violation(violation))),
        }
    }

    fn stop_if(&mut self, is_stopped: bool) -> Option<Reading> {
        is_stopped.then(|| {
            self.is_unparsed = true;
            Reading::Open
        })
    }

    /// How many of the abandoned queries the session is past.
    pub(crate) fn take_past_queries(&mut self) -> usize {
        let past = self.shared_queries.saturating_sub(self.session.in_flight()).min(self.abandoned_queries);
        self.abandoned_queries -= past;
        past
    }

    /// Whether bytes are here that epoll does not know of.
    pub(crate) fn has_leftover(&self) -> bool {
        self.leftover_start < self.leftover.len()
    }

    /// Says goodbye if the socket takes it at once, and stops watching. The socket closes with the drop. Gives the
    /// requests that wait for the close.
    pub(crate) fn take_down(mut self, reactor: &Reactor) -> Vec<u32> {
        self.farewell();
        reactor.unwatch(self.handle);
        self.close_waiters
    }

    /// Writes Terminate without waiting, so that the server logs no broken connection.
    pub(crate) fn farewell(&mut self) {
        const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];
        if self.session.output().is_empty() {
            let _ = socket::write(&mut self.socket, &TERMINATE);
        }
    }
}

fn reset_cause(error: &std::io::Error) -> EndCause {
    EndCause::Reset { code: socket::error_code(error), text: error.to_string() }
}
