//! Callers that leave: dropping what is not written, cancelling what runs (rules 10 and 11).

use super::Session;
use super::event::{Event, Sink};
use super::request::{RequestId, Task};
use super::written::{Stage, WrittenRequest};

/// So many requests in a row are cancelled one by one; a pipeline with more of them is closed.
const CANCELS_IN_ROW: u32 = 3;

/// A cancel that is under way. Nothing new is written until both ends are seen, so that it can hit nothing that is
/// written later.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cancel {
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
        written.retry = None;
        if written.stage == Stage::AwaitingBind {
            return self.release_head();
        }
        if written.is_gathering() {
            written.wants_cancel = true;
            return self.take_back_batch(sink);
        }
        let (start, is_plain) = (written.start, is_plain_query(written));
        written.wants_cancel = true;
        if is_plain && index + 1 == self.written.len() && self.output.truncate(start) {
            if index == 0 {
                self.pop_head();
            } else {
                self.written.pop_back();
            }
        }
    }

    /// The head waits for parameters that will not come.
    pub(super) fn release_head(&mut self) {
        let Some(head) = self.written.front_mut() else { return };
        if head.is_flushed {
            self.output.sync();
            head.is_synced = true;
            head.stage = Stage::Over;
            head.end = self.output.end();
        } else {
            self.pop_head();
        }
    }

    /// The cancel connection saw the server's end of file, or could not be opened.
    pub fn cancel_finished(&mut self, sink: &mut impl Sink) {
        if let Some(cancel) = &mut self.cancel {
            cancel.is_connection_over = true;
            // The server may be ahead of what was read of it: the cancel can have hit any of those that it has.
            let sent = self.output.sent();
            for written in self.written.iter_mut().filter(|written| written.start < sent) {
                written.is_exposed = true;
            }
        }
        self.end_cancel();
        self.pump(sink);
    }

    /// Asks for a cancel of the head if its caller has left. One that reached the server before the request itself
    /// would hit nothing, so it waits until the socket has taken the request.
    pub(super) fn want_cancel(&mut self, sink: &mut impl Sink) {
        if self.cancel.is_some() {
            return;
        }
        let sent = self.output.sent();
        let Some(head) = self.written.front_mut() else { return };
        if !head.wants_cancel || head.is_cancel_sent || !head.is_running() || sent < head.end {
            return;
        }
        if self.cancels_in_row >= CANCELS_IN_ROW {
            return self.close_after_cancels(sink);
        }
        head.is_cancel_sent = true;
        self.cancels_in_row += 1;
        self.cancel = Some(Cancel::default());
        sink.event(Event::CancelWanted);
    }

    /// Takes the head off the pipeline.
    pub(super) fn pop_head(&mut self) -> Option<WrittenRequest> {
        let head = self.written.pop_front()?;
        self.head_sequence += 1;
        if head.pending.id.is_some() || self.written.is_empty() {
            self.cancels_in_row = 0;
        }
        if let Some(cancel) = &mut self.cancel {
            cancel.is_head_over |= head.is_cancel_sent;
            if !cancel.is_connection_over
                && let Some(next) = self.written.front_mut()
            {
                next.is_exposed = true;
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

/// Nothing but Bind, Execute and Sync (or a simple Query): taking it back leaves no trace.
fn is_plain_query(written: &WrittenRequest) -> bool {
    written.closes == 0
        && match written.pending.task {
            Task::Query { .. } => written.stage == Stage::Binding && !written.is_whole && !written.is_flushed,
            Task::Script { .. } => written.stage == Stage::Script && written.outcome.is_none(),
            Task::Prepare { .. } | Task::Batch { .. } | Task::LookUp(_) => false,
        }
}
