//! Callers that leave: dropping what is not on its way, cancelling what runs (rules 10 and 11).
//!
//! A CancelRequest hits whatever the server runs when it arrives. It is meant for the head, which may have ended by
//! then, and in its place a request behind it that nobody has left is hit. So nothing is written behind a request that
//! is to be cancelled; where others are on their way behind it already, or written and about to be, the head is only cancelled once it has stood
//! still for a while ([`Session::press`]): a quick one ends by itself, and a slow one does not end just when the
//! cancel arrives.

use oxpg_codec::failpoint;

use crate::session::Session;
use crate::session::course::Course;
use crate::session::event::{Event, Sink};
use crate::session::kinds::{Leaving, RequestKind};
use crate::session::pending::{Pending, Written};
use crate::session::request::RequestId;

pub(in crate::session) const QUERY_CANCELED: &str = "57014";

/// Cancel connections of one session that may be open at a time. There are several only where a server interrupts, and
/// does not close the connection.
const MOST_CONNECTIONS: usize = 3;

/// The cancels of a session.
#[derive(Debug, Default)]
pub(in crate::session) struct Cancels {
    /// The one for the head, or for a head that is over while its connection is not. Nothing new is written meanwhile,
    /// so that it can hit nothing that is written later.
    current: Option<Cancel>,
    /// Written requests that are to be cancelled, or were.
    wanted: usize,
    /// Cancel connections that are not over.
    connections: usize,
    last_number: u32,
    /// Whatever begins before this position of the output may have been hit by one that is over.
    hit_before: u64,
}

#[derive(Clone, Copy, Debug)]
struct Cancel {
    number: u32,
    is_connection_over: bool,
    is_head_over: bool,
    /// The head was interrupted: most probably by it, so that it hits nothing else.
    has_hit: bool,
}

impl Cancels {
    pub(in crate::session) fn is_under_way(&self) -> bool {
        self.current.is_some()
    }

    pub(in crate::session) fn allow_writing(&self) -> bool {
        self.current.is_none() && self.wanted == 0
    }

    /// Whether the head may have been hit by a cancel for another request.
    pub(in crate::session) fn may_have_hit(&self, head: &Course) -> bool {
        !head.is_cancel_sent && (self.connections > 0 || head.run_start < self.hit_before)
    }

    /// The session is over.
    pub(in crate::session) fn forget(&mut self) {
        self.current = None;
        self.wanted = 0;
    }

    fn end_current(&mut self) {
        self.current.take_if(|cancel| cancel.is_head_over && cancel.is_connection_over);
    }
}

impl Session {
    /// The caller of a request no longer waits: no further event comes for it, and its id is free. What is not
    /// on its way is dropped, what runs is cancelled.
    pub fn abandon(&mut self, request: RequestId, sink: &mut impl Sink) {
        failpoint::pass("session.abandon");
        if let Some(number) = self.waiting.find(request) {
            let pending = self.waiting.remove(number);
            self.uncount_hurry(pending.as_ref());
        } else if let Some(number) = self.written.find(request) {
            self.leave_written(number, sink);
        } else {
            self.leave_opening(request);
        }
        self.pump(sink);
    }

    fn leave_written(&mut self, number: u64, sink: &mut impl Sink) {
        let Some(written) = self.written.get_mut(number) else { return };
        written.pending.id = None;
        written.course.retry = None;
        written.course.is_abandoned = true;
        self.abandoned += 1;
        let (task, mut turn) = written.turn(&mut self.shared, sink);
        match task.leave(&mut turn) {
            Leaving::Stays => {}
            // Only the head waits for its parameters.
            Leaving::Goes => drop(self.pop_head()),
            Leaving::TakesBack => {
                written.course.wants_cancel = true;
                self.cancels.wanted += 1;
                self.take_back_batch(sink);
            }
            Leaving::IsCancelled { is_plain } => {
                written.course.wants_cancel = true;
                self.cancels.wanted += 1;
                let Course { start, end, .. } = written.course;
                if is_plain && self.shared.output.drop_range(start, end) {
                    self.drop_written(number);
                }
            }
        }
    }

    /// A request of which the server will never hear.
    fn drop_written(&mut self, number: u64) {
        if self.written.is_front(number) {
            self.pop_head();
        } else if let Some(written) = self.written.remove(number) {
            self.uncount(&written);
        }
    }

    fn uncount(&mut self, written: &Written) {
        let Course { is_abandoned, wants_cancel, .. } = written.course;
        self.abandoned -= usize::from(is_abandoned);
        self.cancels.wanted -= usize::from(wants_cancel);
        self.uncount_hurry(Some(&written.pending));
    }

    pub(in crate::session) fn uncount_hurry(&mut self, pending: Option<&Pending>) {
        let is_hurried = pending.is_some_and(|pending| pending.is_hurried);
        self.hurried = self.hurried.saturating_sub(usize::from(is_hurried));
    }

    /// Cancel number `number` is over: its connection saw the server's end of file, or could not be opened.
    pub fn cancel_finished(&mut self, number: u32, sink: &mut impl Sink) {
        let Cancels { current, connections, hit_before, .. } = &mut self.cancels;
        *connections = connections.saturating_sub(1);
        // The server may be ahead of what was read of it: the cancel can have hit any of those that it has.
        *hit_before = self.shared.output.sent();
        if let Some(cancel) = current.as_mut().filter(|cancel| cancel.number == number) {
            cancel.is_connection_over = true;
        }
        self.cancels.end_current();
        self.pump(sink);
    }

    /// Whether the server is at work for a request, as far as it was heard, so that a cancel would find something. Without a
    /// key none can be sent.
    #[must_use]
    pub fn is_executing(&self) -> bool {
        let sent = self.shared.output.sent();
        !self.secret_key().is_empty() && self.written.front().is_some_and(|head| head.is_running(sent))
    }

    /// Whether nothing but the end of a cancel connection is in the way, and its cancel has most probably been carried
    /// out. A server that closes it at all does so at once.
    #[must_use]
    pub fn is_held_by_cancel(&self) -> bool {
        self.cancels.current.is_some_and(|cancel| cancel.is_head_over && cancel.has_hit)
    }

    /// The head has stood still since its caller left: it is cancelled even if others are on their way behind it, and
    /// once more if a cancel had no effect. Or the session has been [held](Self::is_held_by_cancel) for a while: it goes on.
    pub fn press(&mut self, sink: &mut impl Sink) {
        if self.is_held_by_cancel() {
            self.cancels.current = None;
        }
        let is_free = self.cancels.current.is_none_or(|cancel| cancel.is_connection_over);
        if let Some(head) = self.written.front_mut() {
            head.course.is_pressed = is_free && head.course.wants_cancel;
        }
        self.pump(sink);
    }

    /// Asks for a cancel of the head if its caller has left. One that reached the server before the request itself
    /// would hit nothing, so it waits until the socket has taken the request.
    pub(in crate::session) fn want_cancel(&mut self, sink: &mut impl Sink) {
        if self.cancels.wanted == 0
            || self.cancels.connections >= MOST_CONNECTIONS
            || self.cancels.current.is_some_and(|cancel| !cancel.is_connection_over)
        {
            return;
        }
        let sent = self.shared.output.sent();
        let has_others = self.written.len() > self.abandoned;
        let Some(head) = self.written.front_mut() else { return };
        if !head.course.wants_cancel || !head.is_running(sent) {
            return;
        }
        if !head.course.is_pressed && (head.course.is_cancel_sent || has_others) {
            return;
        }
        head.course.is_pressed = false;
        head.course.is_cancel_sent = true;
        let number = self.cancels.last_number.wrapping_add(1);
        self.cancels.last_number = number;
        self.cancels.connections += 1;
        let cancel = Cancel { number, is_connection_over: false, is_head_over: false, has_hit: false };
        self.cancels.current = Some(cancel);
        sink.event(Event::CancelWanted { number });
    }

    /// The head was told that it is cancelled.
    pub(in crate::session) fn note_hit(&mut self) {
        if let (Some(cancel), Some(head)) = (&mut self.cancels.current, self.written.front()) {
            // A refused COPY has failed before, and is told of with the same SQLSTATE.
            cancel.has_hit |= head.course.is_cancel_sent && head.course.outcome.is_none();
        }
    }

    /// Takes the head off the pipeline.
    pub(in crate::session) fn pop_head(&mut self) -> Option<Written> {
        let head = self.written.pop_front()?;
        self.head_sequence += 1;
        self.uncount(&head);
        if let Some(cancel) = &mut self.cancels.current {
            cancel.is_head_over |= head.course.is_cancel_sent;
        }
        self.cancels.end_current();
        Some(head)
    }
}
