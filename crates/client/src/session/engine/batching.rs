//! The rows of a batch, on their way to it: it is the head then, or waits for its turn.

use crate::session::Session;
use crate::session::course::Turn;
use crate::session::event::{Event, Sink};
use crate::session::kinds::{BatchStep, BatchTask, Task};
use crate::session::query::Bind;
use crate::session::request::RequestId;

impl Session {
    /// A row of a batch. Rows for a batch that has ended or failed are ignored.
    pub fn batch_row(&mut self, request: RequestId, bind: Bind, sink: &mut impl Sink) {
        if let Some((batch, mut turn)) = self.gathering(request, sink)
            && !batch.row(&bind, &mut turn)
        {
            self.take_back_batch(sink);
        }
    }

    /// The end of a chunk: what was given so far is sent. `Drained` answers when more may come.
    pub fn batch_chunk(&mut self, request: RequestId, sink: &mut impl Sink) {
        if let Some((batch, mut turn)) = self.gathering(request, sink) {
            batch.chunk(&mut turn);
        } else if let Some(batch) = self.early_batch(request) {
            batch.want_drained();
        }
    }

    /// No more rows come.
    pub fn batch_end(&mut self, request: RequestId, sink: &mut impl Sink) {
        if let Some((batch, mut turn)) = self.gathering(request, sink) {
            if batch.end(&mut turn) == BatchStep::IsOver {
                self.settle_head(sink);
            }
            self.pump(sink);
        } else if let Some(batch) = self.early_batch(request) {
            batch.want_end();
        }
    }

    /// The rows so far must have no effect: `Aborted` answers when that is certain, or `Failed` when the server
    /// refused a row before. A batch whose end was written goes on to its end.
    pub fn batch_abort(&mut self, request: RequestId, sink: &mut impl Sink) {
        if let Some((batch, mut turn)) = self.gathering(request, sink) {
            // Perhaps a row did not fit the types that the statement had.
            batch.doubt(&mut turn);
            self.take_back_batch(sink);
        } else if self.early_batch(request).is_some() {
            // Nothing was written but Parse and Describe, whose answers nobody waits for.
            if let Some(number) = self.waiting.find(request) {
                self.waiting.remove(number);
            } else if let Some(number) = self.written.find(request)
                && let Some(written) = self.written.get_mut(number)
            {
                written.pending.id = None;
                written.course.is_abandoned = true;
                self.abandoned += 1;
            }
            sink.event(Event::Aborted { request, transaction_status: self.shared.transaction_status });
            self.pump(sink);
        }
    }

    /// The head's statement is known: its rows may come.
    pub(in crate::session) fn gather(&mut self, sink: &mut impl Sink) {
        let Some(head) = self.written.front_mut() else { return };
        if let (Task::Batch(batch), mut turn) = head.turn(&mut self.shared, sink)
            && batch.gather(&mut turn) == BatchStep::IsOver
        {
            self.settle_head(sink);
        }
    }

    /// Makes what was written of the head's batch undone, and settles it.
    pub(in crate::session) fn take_back_batch(&mut self, sink: &mut impl Sink) {
        let Some(head) = self.written.front_mut() else { return };
        if let (Task::Batch(batch), mut turn) = head.turn(&mut self.shared, sink)
            && batch.take_back(&mut turn) == BatchStep::IsOver
        {
            self.settle_head(sink);
        }
        self.pump(sink);
    }

    /// The head, if it is this request's batch and takes rows.
    fn gathering<'a, S: Sink>(
        &'a mut self,
        request: RequestId,
        sink: &'a mut S,
    ) -> Option<(&'a mut BatchTask, Turn<'a, S>)> {
        let head = self.written.front_mut().filter(|head| head.pending.id == Some(request))?;
        let (Task::Batch(batch), turn) = head.turn(&mut self.shared, sink) else { return None };
        batch.is_gathering(turn.course).then_some((batch, turn))
    }

    /// A batch that waits, or whose statement is being described.
    fn early_batch(&mut self, request: RequestId) -> Option<&mut BatchTask> {
        let pending = if let Some(number) = self.waiting.find(request) {
            self.waiting.get_mut(number)?
        } else {
            let number = self.written.find(request)?;
            &mut self.written.get_mut(number)?.pending
        };
        match &mut pending.innermost()?.task {
            Task::Batch(batch) if batch.is_early() => Some(batch),
            _ => None,
        }
    }
}
