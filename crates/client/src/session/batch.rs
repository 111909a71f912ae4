//! Many rows of parameters for one statement, atomically: many Binds and Executes under one Sync.
//!
//! The first chunk is held back until it is known whether it is the only one. A batch that is longer starts with a
//! savepoint when it runs inside a transaction; outside, the Sync group is a transaction of its own. So it can be
//! taken back at any time before its Sync.

use std::collections::VecDeque;

use super::Session;
use super::event::{Event, ProtocolViolation, Sink};
use super::failure::{Failure, FailureKind};
use super::output::{LONGEST, Output};
use super::query::Bind;
use super::receiving::{command_tag, nothing, unexpected};
use super::request::{PendingRequest, RequestId, Task};
use super::tag::{Command, CommandTag};
use super::writing::too_long;
use super::written::{Outcome, Stage, WrittenRequest};

const SAVEPOINT: &str = "SAVEPOINT oxpg_batch";
const RELEASE: &str = "RELEASE SAVEPOINT oxpg_batch";
const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT oxpg_batch";
const ROLLBACK: &str = "ROLLBACK";

/// Something that the batch's Sync group does, and the answers that it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Parse, Bind and Execute of a statement of ours.
    Statement,
    /// Parse of the batch's statement, in the unnamed mode.
    Parse,
    /// Bind and Execute of a row.
    Row,
}

/// How far a batch is.
#[derive(Debug)]
pub(super) struct BatchProgress {
    pub(super) wants_rows: bool,
    /// The first chunk, until it is written.
    held: Output,
    held_rows: u64,
    /// The first chunk is written: answers will come.
    is_open: bool,
    has_savepoint: bool,
    is_drain_wanted: bool,
    is_end_wanted: bool,
    is_rolling_back: bool,
    /// What is written and not answered, run-length encoded.
    steps: VecDeque<(Step, u64)>,
    /// How many answers of the first step are here.
    position: u8,
    rows: u64,
    last: Option<Command>,
    last_text: Option<String>,
}

impl BatchProgress {
    pub(super) fn new(wants_rows: bool) -> Self {
        Self {
            wants_rows,
            held: Output::default(),
            held_rows: 0,
            is_open: false,
            has_savepoint: false,
            is_drain_wanted: false,
            is_end_wanted: false,
            is_rolling_back: false,
            steps: VecDeque::new(),
            position: 0,
            rows: 0,
            last: None,
            last_text: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether a DataRow may come.
    pub(super) fn is_in_rows(&self) -> bool {
        self.position == 1 && matches!(self.steps.front(), Some((Step::Row, _)))
    }

    fn expect(&mut self, step: Step, count: u64) {
        match self.steps.back_mut() {
            Some((last, counted)) if *last == step => *counted += count,
            _ if count > 0 => self.steps.push_back((step, count)),
            _ => {}
        }
    }

    fn step_done(&mut self) {
        self.position = 0;
        if let Some((_, count)) = self.steps.front_mut() {
            *count -= 1;
            if *count == 0 {
                self.steps.pop_front();
            }
        }
    }

    fn answer(&mut self, tag: u8, body: &[u8]) -> Result<Option<CommandTag>, ProtocolViolation> {
        let step = self.steps.front().map(|(step, _)| *step);
        match (step, self.position, tag) {
            (Some(Step::Statement), 0, b'1') | (Some(Step::Statement), 1, b'2') | (Some(Step::Row), 0, b'2') => {
                nothing(body)?;
                self.position += 1;
                Ok(None)
            }
            (Some(Step::Parse), 0, b'1') => {
                nothing(body)?;
                self.step_done();
                Ok(None)
            }
            (Some(Step::Statement), 2, b'C') => {
                command_tag(body)?;
                self.step_done();
                Ok(None)
            }
            (Some(Step::Row), 1, b'C') => {
                let tag = command_tag(body)?;
                self.step_done();
                self.count(&tag);
                Ok(Some(tag))
            }
            (Some(Step::Row), 1, b'I') => {
                nothing(body)?;
                self.step_done();
                self.count(&CommandTag::of(Command::Empty, 0));
                Ok(None)
            }
            _ => Err(unexpected(tag)),
        }
    }

    fn count(&mut self, tag: &CommandTag) {
        self.rows = self.rows.saturating_add(tag.rows);
        self.last = Some(tag.command);
        self.last_text.clone_from(&tag.text);
    }

    /// The tag of the whole.
    fn tag(&mut self) -> CommandTag {
        CommandTag { command: self.last.unwrap_or(Command::Empty), rows: self.rows, text: self.last_text.take() }
    }
}

impl WrittenRequest {
    fn progress(&mut self) -> Option<&mut BatchProgress> {
        match &mut self.pending.task {
            Task::Batch { progress, .. } => Some(progress),
            _ => None,
        }
    }

    /// Every step has its answer, so that ReadyForQuery may come.
    pub(super) fn is_batch_answered(&self) -> bool {
        matches!(&self.pending.task, Task::Batch { progress, .. } if progress.steps.is_empty())
    }

    /// A batch's first Bind is not answered.
    pub(super) fn is_batch_binding(&self) -> bool {
        self.stage == Stage::Batch
            && matches!(&self.pending.task, Task::Batch { progress, .. }
                if progress.last.is_none() && progress.position == 0
                    && matches!(progress.steps.front(), Some((Step::Row, _))))
    }

    pub(super) fn is_rolling_back_batch(&self) -> bool {
        matches!(&self.pending.task, Task::Batch { progress, .. } if progress.is_rolling_back)
    }

    /// How a batch without errors ended, as of its ReadyForQuery.
    pub(super) fn batch_outcome(&mut self) -> Option<Outcome> {
        let progress = self.progress()?;
        Some(if progress.is_rolling_back {
            Outcome::Aborted
        } else {
            Outcome::Complete { tag: progress.tag(), is_suspended: false }
        })
    }

    /// A batch that takes rows.
    pub(super) fn is_gathering(&self) -> bool {
        self.stage == Stage::Batch && !self.is_synced
    }
}

impl Session {
    /// A row of a batch. Rows for a batch that has ended or failed are ignored.
    pub fn batch_row(&mut self, request: RequestId, bind: Bind, sink: &mut impl Sink) {
        let Some(head) = gathering(self.written.front_mut(), request) else { return };
        let Some(description) = head.description.clone() else { return };
        let refusal = if bind.parameters.len() > LONGEST {
            Some(too_long())
        } else if description.takes_parameters_of(&bind.description) {
            None
        } else {
            Some(Failure::new(FailureKind::Internal, None, "a batch's row does not fit its statement"))
        };
        if let Some(failure) = refusal {
            head.row_failure = Some(Box::new(failure));
            return self.take_back_batch(sink);
        }
        let name = head.statement.clone();
        let name = name.as_deref().unwrap_or("");
        let Some(progress) = head.progress() else { return };
        if progress.is_open {
            self.output.bind_and_execute(name, &bind.parameters, &description.codes, 0);
            progress.expect(Step::Row, 1);
            head.end = self.output.end();
        } else {
            progress.held.bind_and_execute(name, &bind.parameters, &description.codes, 0);
            progress.held_rows += 1;
        }
    }

    /// The end of a chunk: what was given so far is sent. `Drained` answers when more may come.
    pub fn batch_chunk(&mut self, request: RequestId, sink: &mut impl Sink) {
        if let Some(head) = gathering(self.written.front_mut(), request) {
            let Some(progress) = head.progress() else { return };
            progress.is_drain_wanted = true;
            if !progress.is_open && progress.held_rows > 0 {
                self.open_batch(false);
            }
            if let Some(head) = self.written.front_mut()
                && head.progress().is_some_and(|progress| progress.is_open)
            {
                // Errors come early, and the server's answers do not pile up.
                self.output.flush();
                head.end = self.output.end();
            }
            self.tell_drained(sink);
        } else if let Some(progress) = self.early_batch(request) {
            progress.is_drain_wanted = true;
        }
    }

    /// No more rows come.
    pub fn batch_end(&mut self, request: RequestId, sink: &mut impl Sink) {
        if gathering(self.written.front_mut(), request).is_some() {
            self.end_batch(sink);
            self.pump(sink);
        } else if let Some(progress) = self.early_batch(request) {
            progress.is_end_wanted = true;
        }
    }

    /// The rows so far must have no effect: `Aborted` answers when that is certain, or `Failed` when the server
    /// refused a row before. A batch whose end was written goes on to its end.
    pub fn batch_abort(&mut self, request: RequestId, sink: &mut impl Sink) {
        if gathering(self.written.front_mut(), request).is_some() {
            self.take_back_batch(sink);
        } else if self.early_batch(request).is_some() {
            // Nothing was written but Parse and Describe, whose answers nobody waits for.
            if let Some(index) = self.find_waiting(request) {
                self.waiting.remove(index);
            } else if let Some(written) = self.find_written(request).and_then(|index| self.written.get_mut(index)) {
                written.pending.id = None;
            }
            sink.event(Event::Aborted { request, transaction_status: self.transaction_status });
            self.pump(sink);
        }
    }

    /// A batch that waits, or whose statement is being described.
    fn early_batch(&mut self, request: RequestId) -> Option<&mut BatchProgress> {
        if let Some(index) = self.find_waiting(request) {
            return waiting_batch(self.waiting.get_mut(index)?);
        }
        let index = self.find_written(request)?;
        let written = self.written.get_mut(index)?;
        (written.stage != Stage::Batch && written.stage != Stage::Over).then_some(())?;
        waiting_batch(&mut written.pending)
    }

    /// What was asked for before the batch's turn.
    pub(super) fn catch_up_batch(&mut self, sink: &mut impl Sink) {
        if self.written.front_mut().and_then(WrittenRequest::progress).is_some_and(|progress| progress.is_end_wanted) {
            self.end_batch(sink);
        } else {
            self.tell_drained(sink);
        }
    }

    pub(super) fn tell_drained(&mut self, sink: &mut impl Sink) {
        let has_room = self.output.unsent().len() < self.options.batch_output_bytes;
        let Some(head) = self.written.front_mut().filter(|head| head.is_gathering() && has_room) else { return };
        let request = head.pending.id;
        if let (Some(request), Some(progress)) = (request, head.progress())
            && std::mem::take(&mut progress.is_drain_wanted)
        {
            sink.event(Event::Drained { request });
        }
    }

    /// Writes what was held back.
    fn open_batch(&mut self, is_all: bool) {
        let Some(mut head) = self.written.pop_front() else { return };
        head.start = self.output.end();
        let name = head.statement.clone();
        self.write_closes(&mut head, name.as_ref());
        let description = head.description.clone();
        if let Task::Batch { query, progress } = &mut head.pending.task {
            progress.is_open = true;
            if !is_all && self.transaction_status == b'T' {
                progress.has_savepoint = true;
                self.output.statement(SAVEPOINT);
                progress.expect(Step::Statement, 1);
            }
            if name.is_none() {
                let parameters = description.as_ref().map_or(&[][..], |description| &description.parameters);
                self.output.parse("", &query.text, parameters);
                progress.expect(Step::Parse, 1);
            }
            self.output.append(&mut progress.held);
            progress.expect(Step::Row, progress.held_rows);
            progress.held = Output::default();
        }
        head.end = self.output.end();
        self.written.push_front(head);
    }

    fn end_batch(&mut self, sink: &mut impl Sink) {
        let Some(progress) = self.written.front_mut().and_then(WrittenRequest::progress) else { return };
        if !progress.is_open {
            if progress.held_rows == 0 {
                return self.settle_unopened_batch(sink);
            }
            self.open_batch(true);
        } else if progress.has_savepoint {
            self.output.statement(RELEASE);
            progress.expect(Step::Statement, 1);
        }
        self.sync_head();
    }

    /// Makes what was written of the head's batch undone, and settles it.
    pub(super) fn take_back_batch(&mut self, sink: &mut impl Sink) {
        let Some(progress) = self.written.front_mut().and_then(WrittenRequest::progress) else { return };
        progress.is_rolling_back = true;
        if !progress.is_open {
            self.settle_unopened_batch(sink);
            return self.pump(sink);
        }
        if progress.has_savepoint {
            self.output.statement(ROLLBACK_TO);
            self.output.statement(RELEASE);
            progress.expect(Step::Statement, 2);
        } else if self.transaction_status == b'I' {
            self.output.statement(ROLLBACK);
            progress.expect(Step::Statement, 1);
        }
        self.sync_head();
        self.pump(sink);
    }

    /// Ends the head's Sync group, which was still open.
    pub(super) fn sync_head(&mut self) {
        self.output.sync();
        let end = self.output.end();
        if let Some(head) = self.written.front_mut() {
            head.is_synced = true;
            head.end = end;
            if let Some(progress) = head.progress() {
                progress.held = Output::default();
                progress.is_drain_wanted = false;
            }
        }
    }

    fn settle_unopened_batch(&mut self, sink: &mut impl Sink) {
        if let Some(head) = self.pop_head() {
            self.settle(head, sink);
        }
    }

    /// A message of the server's in a batch.
    pub(super) fn batch_answer(&mut self, tag: u8, body: &[u8]) -> Result<(), ProtocolViolation> {
        let progress = self.written.front_mut().and_then(WrittenRequest::progress);
        if let Some(command_tag) = progress.ok_or_else(|| unexpected(tag))?.answer(tag, body)? {
            self.note_forgotten(&command_tag);
        }
        Ok(())
    }
}

/// The batch that a request is, or that waits for the look-up that it is.
fn waiting_batch(pending: &mut PendingRequest) -> Option<&mut BatchProgress> {
    match &mut pending.task {
        Task::Batch { progress, .. } => Some(progress),
        Task::LookUp(look_up) => waiting_batch(look_up.pending()?),
        _ => None,
    }
}

/// The head, if it is this request's batch and takes rows.
fn gathering(head: Option<&mut WrittenRequest>, request: RequestId) -> Option<&mut WrittenRequest> {
    head.filter(|head| head.pending.id == Some(request) && head.is_gathering())
}
