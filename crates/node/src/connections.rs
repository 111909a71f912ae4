//! The open connections of one environment, and which of them have work: output to write, or bytes to parse.

use std::collections::VecDeque;

use oxpg_client::session::RequestId;
use oxpg_codec::failpoint;

use crate::budget::Budget;
use crate::calls::Calls;
use crate::connection::Connection;
use crate::mailbox::Mailbox;
use crate::reactor::{HostReactor, Reactor};
use crate::sink::Deliveries;
use crate::slab::Slab;
use crate::wire::Reading;

/// The shared read buffer: about what one loop turn finds in a busy socket.
const READ_BUFFER: usize = 256 << 10;

/// Connections by id.
pub(crate) struct Connections {
    open: Slab<Connection>,
    /// Those with output to write at the end of this tick or turn.
    dirty: Vec<u32>,
    /// Those with bytes to parse that the loop does not know of.
    unparsed: VecDeque<u32>,
    /// The one whose engine runs, so that a panic can be laid at its door.
    pub(crate) driving: Option<u32>,
    pub(crate) budget: Budget,
    read_buffer: Vec<u8>,
}

/// What an engine works with besides its connection.
pub(crate) struct Surroundings<'a> {
    pub(crate) mailbox: &'a mut Mailbox,
    pub(crate) calls: &'a mut Calls,
    pub(crate) reactor: &'a HostReactor,
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            open: Slab::new(),
            dirty: Vec::new(),
            unparsed: VecDeque::new(),
            driving: None,
            budget: Budget::new(),
            read_buffer: vec![0; READ_BUFFER],
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Connection> {
        self.open.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Connection> {
        self.open.get_mut(id)
    }

    /// Takes an id; [`Self::fill`] or [`Self::remove`] follows.
    pub(crate) fn reserve(&mut self) -> u32 {
        self.open.reserve()
    }

    pub(crate) fn fill(&mut self, id: u32, connection: Connection) {
        self.open.fill(id, connection);
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Connection> {
        self.open.remove(id)
    }

    pub(crate) fn ids(&self) -> Vec<u32> {
        self.open.ids()
    }

    pub(crate) fn of_pool(&self, pool: u32) -> impl Iterator<Item = &Connection> {
        self.open.values().filter(move |connection| connection.pool == pool)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Runs a connection's engine with a sink, then notes whether it left something to write. `None` when it is gone.
    pub(crate) fn drive<R>(
        &mut self,
        id: u32,
        around: Surroundings<'_>,
        action: impl FnOnce(&mut Connection, &mut Deliveries<'_>, &HostReactor) -> R,
    ) -> Option<R> {
        Self::run(&mut self.open, &mut self.dirty, &mut self.driving, id, around, action)
    }

    /// [`Self::drive`] on the parts that it takes, so that reading can lend the rest.
    fn run<R>(
        open: &mut Slab<Connection>,
        dirty: &mut Vec<u32>,
        driving: &mut Option<u32>,
        id: u32,
        around: Surroundings<'_>,
        action: impl FnOnce(&mut Connection, &mut Deliveries<'_>, &HostReactor) -> R,
    ) -> Option<R> {
        let connection = open.get_mut(id)?;
        *driving = Some(id);
        let mut sink = Deliveries {
            connection: id,
            is_resetting: connection.reset.is_some(),
            is_paused: false,
            mailbox: around.mailbox,
            requests: &mut around.calls.requests,
            errands: &mut around.calls.errands,
        };
        let result = action(connection, &mut sink, around.reactor);
        *driving = None;
        if !connection.is_flush_queued && connection.wire.is_dirty(&connection.session) {
            connection.is_flush_queued = true;
            dirty.push(id);
        }
        Some(result)
    }

    /// Writes a connection's output. False when that failed, and the rest is to be read.
    pub(crate) fn flush(&mut self, id: u32, around: Surroundings<'_>) -> bool {
        let is_well = self.drive(id, around, |connection, sink, reactor| {
            failpoint::pass("node.write");
            connection.is_flush_queued = false;
            connection.wire.flush(&mut connection.session, reactor, sink)
        });
        is_well != Some(false)
    }

    /// Reads and parses, and queues what is not finished. `None` when the connection is gone.
    pub(crate) fn read(&mut self, id: u32, around: Surroundings<'_>) -> Option<Reading> {
        let Self { open, dirty, driving, budget, read_buffer, .. } = self;
        let reading = budget.lend(|rest| {
            Self::run(open, dirty, driving, id, around, |connection, sink, reactor| {
                failpoint::pass("node.read");
                connection.wire.read(&mut connection.session, (read_buffer, rest), reactor, sink)
            })
        });
        if let Some(Reading::Unfinished) = reading {
            self.queue_parsing(id);
        }
        reading
    }

    /// Bytes are here that the loop does not know of: [`Self::next_unparsed`] will give the connection. False when it is
    /// queued already, or gone.
    pub(crate) fn queue_parsing(&mut self, id: u32) -> bool {
        let Some(connection) = self.open.get_mut(id).filter(|connection| !connection.is_parse_queued) else {
            return false;
        };
        connection.is_parse_queued = true;
        self.unparsed.push_back(id);
        true
    }

    /// Whether a socket is to be read at once: one that is queued for parsing has its turn in `parse_waiting`, after the
    /// others.
    pub(crate) fn may_be_read(&self, id: u32) -> bool {
        !self.is_parse_queued(id) && !self.budget.is_out_of_bytes()
    }

    /// Whether a connection waits for its turn to parse.
    pub(crate) fn is_parse_queued(&self, id: u32) -> bool {
        self.open.get(id).is_some_and(|connection| connection.is_parse_queued)
    }

    pub(crate) fn has_unparsed(&self) -> bool {
        !self.unparsed.is_empty()
    }

    /// Begins a round over those that wait to parse: how many they are. The first of the last round found the mailbox
    /// empty; this time another one does.
    pub(crate) fn begin_round(&mut self) -> usize {
        if self.has_unparsed() {
            self.unparsed.rotate_left(1);
        }
        self.unparsed.len()
    }

    /// The next one of a round; it may be gone.
    pub(crate) fn next_unparsed(&mut self) -> Option<u32> {
        let id = self.unparsed.pop_front()?;
        if let Some(connection) = self.open.get_mut(id) {
            connection.is_parse_queued = false;
        }
        Some(id)
    }

    /// Takes the list of those that have something to write.
    pub(crate) fn take_dirty(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.dirty)
    }

    /// After a panic: those whose turn to write was lost with the list have it again.
    pub(crate) fn requeue_dirty(&mut self) {
        for id in self.open.ids() {
            if self.open.get(id).is_some_and(|connection| connection.is_flush_queued) && !self.dirty.contains(&id) {
                self.dirty.push(id);
            }
        }
    }

    /// Gives the list back, empty, so that its memory serves again.
    pub(crate) fn return_dirty(&mut self, list: Vec<u32>) {
        if self.dirty.is_empty() {
            self.dirty = list;
        }
    }

    /// The consumer of a connection's rows goes on, or has left. True when what the wire kept is to be parsed now.
    pub(crate) fn resume(&mut self, id: u32, reactor: &HostReactor) -> bool {
        self.open.get_mut(id).is_some_and(|connection| connection.wire.resume(reactor)) && self.queue_parsing(id)
    }

    /// This request gives way to what is sent behind it.
    pub(crate) fn note_yielding(&mut self, id: u32, slot: RequestId) {
        if let Some(connection) = self.open.get_mut(id)
            && !connection.yielding.contains(&slot)
        {
            connection.yielding.push(slot);
        }
    }

    /// The requests that do.
    pub(crate) fn take_yielding(&mut self, id: u32) -> Vec<RequestId> {
        self.open.get_mut(id).map(|connection| std::mem::take(&mut connection.yielding)).unwrap_or_default()
    }

    /// `ref()` and `unref()`: whether the connection keeps the process alive while it is idle.
    pub(crate) fn set_referenced(&mut self, id: u32, is_referenced: bool, reactor: &mut HostReactor) {
        if let Some(connection) = self.open.get_mut(id)
            && connection.is_referenced != is_referenced
        {
            connection.is_referenced = is_referenced;
            if is_referenced {
                reactor.hold();
            } else {
                reactor.release(1);
            }
        }
    }
}
