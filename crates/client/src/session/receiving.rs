//! Reading backend messages.

use super::Session;
use super::event::{Event, ProtocolViolation, Received, RowTaken, Sink};
use super::failure::{Failure, ServerMessage};
use super::reader::{self, Frame, Reader, name};
use super::request::Task;
use super::tag::{Command, CommandTag, Forgotten};
use super::written::{Outcome, Stage, WrittenRequest};

const COPY_FAIL: &str = "this call cannot feed COPY FROM STDIN";
const COPY_IN: &str =
    "COPY … FROM STDIN cannot run through execute() or fetch(): use copyToTable() or copyRecordsToTable()";
const COPY_OUT: &str =
    "COPY … TO STDOUT cannot run through execute() or fetch(): use copyFromTable() or copyFromQuery()";

impl Session {
    /// Reads backend messages: whole ones are consumed, the rest is to be offered again with what follows it.
    ///
    /// # Errors
    /// When the server breaks the protocol: the session is of no more use, see [`end`](Self::end).
    pub fn receive(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<Received, ProtocolViolation> {
        let mut consumed = 0;
        let mut is_stopped = !self.deliver_backlog(sink);
        while !self.is_over && !is_stopped {
            let Some(frame) = reader::frame(&bytes[consumed..])? else { break };
            if frame.tag == b'D' {
                let remaining = bytes.len() - consumed - frame.total;
                if !self.data_row(frame.body, remaining, sink)? {
                    is_stopped = true;
                    break;
                }
            } else {
                self.message(frame, sink)?;
                is_stopped = self.backlog.is_some();
            }
            consumed += frame.total;
        }
        if self.is_over {
            return Ok(Received { consumed: bytes.len(), is_stopped: false });
        }
        self.pump(sink);
        Ok(Received { consumed, is_stopped })
    }

    /// False when the sink is full.
    fn data_row(&mut self, body: &[u8], remaining: usize, sink: &mut impl Sink) -> Result<bool, ProtocolViolation> {
        let Some(head) = self.written.front_mut() else { return Err(unexpected(b'D')) };
        if head.stage == Stage::LookUp {
            self.look_up_row(body)?;
            return Ok(true);
        }
        let is_wanted = match (&head.pending.task, head.stage) {
            (_, Stage::Rows) => true,
            (Task::Batch { progress, .. }, Stage::Batch) if progress.is_in_rows() => progress.wants_rows,
            (_, Stage::Script) if head.is_in_result => false,
            _ => return Err(unexpected(b'D')),
        };
        let (true, Some(request), Some(description), None) =
            (is_wanted, head.pending.id, &head.description, &head.row_failure)
        else {
            return Ok(true);
        };
        if head.parked.is_some() {
            head.park(body, None);
            return Ok(true);
        }
        let taken = sink.row(request, description, body, remaining);
        match taken {
            RowTaken::Taken => head.has_rows = true,
            RowTaken::Full => return Ok(false),
            RowTaken::UnknownType(type_oid) => {
                head.has_rows = true;
                head.park(body, Some(type_oid));
            }
            refused => {
                let failure = self.row_failure(refused).map(Box::new);
                if let Some(head) = self.written.front_mut() {
                    head.row_failure = failure;
                }
            }
        }
        Ok(true)
    }

    fn message(&mut self, frame: Frame<'_>, sink: &mut impl Sink) -> Result<(), ProtocolViolation> {
        let Frame { tag, body, .. } = frame;
        match tag {
            b'N' => return self.notice(body, sink),
            b'A' => return notification(body, sink),
            b'S' => return self.parameter_status(body, sink),
            b'E' => return self.error_response(ServerMessage::read(body)?, sink),
            _ => {}
        }
        let Some(head) = self.written.front_mut() else { return Err(unexpected(tag)) };
        if tag == b'3' {
            head.closes = head.closes.checked_sub(1).ok_or_else(|| unexpected(tag))?;
            return nothing(body);
        }
        if head.closes > 0 {
            return Err(unexpected(tag));
        }
        match (tag, head.stage) {
            (b'Z', _) => {
                let status = transaction_status(body)?;
                return self.ready_for_query(status, sink);
            }
            (_, Stage::Batch) => return self.batch_answer(tag, body),
            (_, Stage::LookUp) => return self.look_up_answer(tag, body),
            (b'G', Stage::Rows | Stage::Script) => self.refuse_copy_in(),
            (b'H', Stage::Rows | Stage::Script) => refuse_copy(head, COPY_OUT),
            (b'd', _) if head.is_copying_out => {}
            (b'c', _) if head.is_copying_out => nothing(body)?,
            (b'C', Stage::Rows | Stage::Script) => return self.command_complete(body),
            (_, Stage::Script) => return script_answer(head, tag, body),
            (b'1', _) => {
                nothing(body)?;
                return self.parse_complete();
            }
            (b't', _) => return self.parameter_description(body),
            (b'T', _) => return self.columns_described(tag, reader::row_description(body)?, sink),
            (b'n', _) => {
                nothing(body)?;
                return self.columns_described(tag, Vec::new(), sink);
            }
            (b'2', Stage::Binding) => {
                nothing(body)?;
                head.stage = Stage::Rows;
            }
            (b'I', Stage::Rows) => {
                nothing(body)?;
                complete(head, CommandTag::of(Command::Empty, 0), false);
            }
            (b's', Stage::Rows) if matches!(head.pending.task, Task::Query { max_rows: 1.., .. }) => {
                nothing(body)?;
                complete(head, CommandTag::of(Command::Select, 0), true);
            }
            _ => return Err(unexpected(tag)),
        }
        Ok(())
    }

    fn command_complete(&mut self, body: &[u8]) -> Result<(), ProtocolViolation> {
        let tag = command_tag(body)?;
        self.note_forgotten(&tag);
        if let Some(head) = self.written.front_mut() {
            complete(head, tag, false);
        }
        Ok(())
    }

    /// Rule 4: what DISCARD ALL and DEALLOCATE leave of the cache.
    pub(super) fn note_forgotten(&mut self, tag: &CommandTag) {
        match tag.forgets_statements() {
            Some(Forgotten::All) => self.statements.forget_all(false),
            // One of ours may be gone; closing the others keeps the server from hoarding them.
            Some(Forgotten::One) => self.statements.forget_all(true),
            None => {}
        }
    }

    fn ready_for_query(&mut self, status: u8, sink: &mut impl Sink) -> Result<(), ProtocolViolation> {
        let Some(head) = self.written.front_mut() else { return Err(unexpected(b'Z')) };
        let is_due = match head.stage {
            Stage::Prepared => true,
            Stage::Over => head.outcome.is_some() || head.pending.id.is_none(),
            Stage::Script => head.outcome.is_some() && !head.is_in_result,
            Stage::Batch => head.is_batch_answered(),
            _ => false,
        };
        if !is_due || !head.is_synced {
            return Err(unexpected(b'Z'));
        }
        self.transaction_status = status;
        if let Some(statement) = head.unresolved.take() {
            if let Some(head) = self.pop_head().filter(|head| head.pending.id.is_some()) {
                self.look_up_statement(head, *statement, sink);
            }
            return Ok(());
        }
        if head.stage == Stage::Prepared && head.pending.id.is_some() {
            match &head.pending.task {
                Task::Query { .. } => {
                    head.is_synced = false;
                    self.choose_parameters(sink);
                    return Ok(());
                }
                Task::Batch { .. } => {
                    self.begin_gathering(sink);
                    return Ok(());
                }
                Task::Prepare { .. } | Task::Script { .. } | Task::LookUp(_) => {
                    if let (Some(request), Some(description)) = (head.pending.id, head.description.clone()) {
                        sink.event(Event::Described { request, description, needs_bind: false });
                    }
                    head.outcome = Some(Outcome::Complete { tag: CommandTag::other("PREPARE"), is_suspended: false });
                }
            }
        }
        if let Some(head) = self.pop_head() {
            self.settle(head, sink);
        }
        Ok(())
    }

    /// Rule 6. The Sync behind an Execute was swallowed by the COPY, so another one ends the group.
    fn refuse_copy_in(&mut self) {
        let Some(head) = self.written.front_mut() else { return };
        let is_extended = head.stage == Stage::Rows;
        self.output.copy_fail(COPY_FAIL);
        if is_extended {
            self.output.sync();
        }
        head.end = self.output.end();
        refuse_copy(head, COPY_IN);
        head.is_copying_out = false;
    }

    fn notice(&mut self, body: &[u8], sink: &mut impl Sink) -> Result<(), ProtocolViolation> {
        let message = ServerMessage::read(body)?;
        let is_ours = self.written.front().is_some_and(WrittenRequest::is_rolling_back_batch);
        // Our ROLLBACK of an implicit transaction earns a warning that there is none.
        if !(is_ours && message.has_sqlstate("25P01")) {
            sink.event(Event::Notice(message));
        }
        Ok(())
    }

    fn parameter_status(&mut self, body: &[u8], sink: &mut impl Sink) -> Result<(), ProtocolViolation> {
        let mut reader = Reader::new(body);
        let (name, value) = (reader.text()?, reader.text()?);
        reader.end()?;
        match self.start.parameters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.clone_from(&value),
            None => self.start.parameters.push((name.clone(), value.clone())),
        }
        sink.event(Event::ParameterStatus { name, value });
        Ok(())
    }

    /// The head, if it waits for this message.
    pub(super) fn expect(&mut self, tag: u8, stage: Stage) -> Result<&mut WrittenRequest, ProtocolViolation> {
        self.written.front_mut().filter(|head| head.stage == stage).ok_or_else(|| unexpected(tag))
    }
}

/// Notes a command's end. A failure that is known already stays.
fn complete(head: &mut WrittenRequest, tag: CommandTag, is_suspended: bool) {
    if !matches!(head.outcome, Some(Outcome::Failed(_))) {
        head.outcome = Some(Outcome::Complete { tag, is_suspended });
    }
    head.is_in_result = false;
    head.is_copying_out = false;
    if head.stage == Stage::Rows {
        head.stage = Stage::Over;
    }
}

/// What a simple Query answers besides command tags and COPY.
fn script_answer(head: &mut WrittenRequest, tag: u8, body: &[u8]) -> Result<(), ProtocolViolation> {
    match tag {
        b'T' => {
            reader::row_description(body)?;
            head.is_in_result = true;
        }
        b'I' => {
            nothing(body)?;
            complete(head, CommandTag::of(Command::Empty, 0), false);
        }
        _ => return Err(unexpected(tag)),
    }
    Ok(())
}

fn refuse_copy(head: &mut WrittenRequest, message: &str) {
    let is_single = head.stage == Stage::Rows;
    let failure = Failure { is_safe_to_retry: is_single, ..Failure::interface(message) };
    if !matches!(head.outcome, Some(Outcome::Failed(_))) {
        head.outcome = Some(Outcome::Failed(Box::new(failure)));
    }
    head.is_copying_out = true;
    head.is_in_result = true;
}

fn notification(body: &[u8], sink: &mut impl Sink) -> Result<(), ProtocolViolation> {
    let mut reader = Reader::new(body);
    let pid = reader.i32()?;
    let (channel, payload) = (reader.text()?, reader.text()?);
    reader.end()?;
    sink.event(Event::Notification { pid, channel, payload });
    Ok(())
}

pub(super) fn command_tag(body: &[u8]) -> Result<CommandTag, ProtocolViolation> {
    let mut reader = Reader::new(body);
    let text = reader.text()?;
    reader.end()?;
    Ok(CommandTag::parse(&text))
}

fn transaction_status(body: &[u8]) -> Result<u8, ProtocolViolation> {
    match body {
        [status @ (b'I' | b'T' | b'E')] => Ok(*status),
        _ => Err(ProtocolViolation::new("ReadyForQuery without a known transaction status")),
    }
}

pub(super) fn nothing(body: &[u8]) -> Result<(), ProtocolViolation> {
    Reader::new(body).end()
}

pub(super) fn unexpected(tag: u8) -> ProtocolViolation {
    ProtocolViolation::new(format!("the server sent {}, which nothing had asked for", name(tag)))
}
