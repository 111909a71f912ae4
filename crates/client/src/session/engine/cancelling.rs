//! Callers that leave: dropping what is not written, cancelling what runs (rules 10 and 11).

use crate::session::Session;
use crate::session::event::{Event, Sink};
use crate::session::kinds::{Leaving, RequestKind};
use crate::session::pending::Written;
use crate::session::request::RequestId;

/// So many requests in a row are cancelled one by one; a pipeline with more of them is closed.
const CANCELS_IN_ROW: u32 = 3;

/// A cancel that is under way. Nothing new is written until both ends are seen, so that it can hit nothing that is
/// written later.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::session) struct Cancel {
    is_connection_over: bool,
    is_head_over: bool,
}

impl Session {
    /// The caller of a request no longer waits: no further event comes for it, and its id is free. What is not
    /// written is dropped, what runs is cancelled.
    pub fn abandon(&mut self, request: RequestId, sink: &mut impl Sink) {
        if let Some(index) = self.find_waiting(request) {
            self.waiting.remove(index);
        } else if let Some(index) = self.find_written(request) {
            self.leave_written(index, sink);
        }
        self.pump(sink);
    }

    fn leave_written(&mut self, index: usize, sink: &mut impl Sink) {
        let Some(written) = self.written.get_mut(index) else { return };
        written.pending.id = None;
        written.course.retry = None;
        let (task, mut turn) = written.turn(&mut self.shared, sink);
        match task.leave(&mut turn) {
            Leaving::Stays => {}
            // Only the head waits for its parameters.
            Leaving::Goes => drop(self.pop_head()),
            Leaving::TakesBack => {
                written.course.wants_cancel = true;
                self.take_back_batch(sink);
            }
            Leaving::IsCancelled { is_plain } => {
                written.course.wants_cancel = true;
                let start = written.course.start;
                if is_plain && index + 1 == self.written.len() && self.shared.output.truncate(start) {
                    if index == 0 {
                        self.pop_head();
                    } else {
                        self.written.pop_back();
                    }
                }
            }
        }
    }

    /// The cancel connection saw the server's end of file, or could not be opened.
    pub fn cancel_finished(&mut self, sink: &mut impl Sink) {
        if let Some(cancel) = &mut self.cancel {
            cancel.is_connection_over = true;
            // The server may be ahead of what was read of it: the cancel can have hit any of those that it has.
            let sent = self.shared.output.sent();
            for Written { course, .. } in self.written.iter_mut().filter(|written| written.course.start < sent) {
                course.is_exposed = true;
            }
        }
        self.end_cancel();
        self.pump(sink);
    }

    /// Asks for a cancel of the head if its caller has left. One that reached the server before the request itself
    /// would hit nothing, so it waits until the socket has taken the request.
    pub(in crate::session) fn want_cancel(&mut self, sink: &mut impl Sink) {
        if self.cancel.is_some() {
            return;
        }
        let sent = self.shared.output.sent();
        let Some(head) = self.written.front_mut() else { return };
        if !head.course.wants_cancel || head.course.is_cancel_sent || !head.is_running() || sent < head.course.end {
            return;
        }
        if self.cancels_in_row >= CANCELS_IN_ROW {
            return self.close_after_cancels(sink);
        }
        head.course.is_cancel_sent = true;
        self.cancels_in_row += 1;
        self.cancel = Some(Cancel::default());
        sink.event(Event::CancelWanted);
    }

    /// Takes the head off the pipeline.
    pub(in crate::session) fn pop_head(&mut self) -> Option<Written> {
        let head = self.written.pop_front()?;
        self.head_sequence += 1;
        if head.pending.id.is_some() || self.written.is_empty() {
            self.cancels_in_row = 0;
        }
        if let Some(cancel) = &mut self.cancel {
            cancel.is_head_over |= head.course.is_cancel_sent;
            if !cancel.is_connection_over
                && let Some(next) = self.written.front_mut()
            {
                next.course.is_exposed = true;
            }
        }
        self.end_cancel();
        Some(head)
    }

    fn end_cancel(&mut self) {
        if self.cancel.is_some_and(|cancel| cancel.is_connection_over && cancel.is_head_over) {
            self.cancel = None;
        }
    }
}
