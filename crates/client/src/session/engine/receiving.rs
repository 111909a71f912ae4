//! Reading backend messages.

use std::rc::Rc;

use oxpg_codec::failpoint;

use crate::session::Session;
use crate::session::event::{Event, Received, Sink};
use crate::session::failure::ServerMessage;
use crate::session::kinds::{Answer, AtReady, RequestKind};
use crate::session::pending::Written;
use crate::session::reader::{self, Frame, Reader, nothing};
use crate::session::violation::ProtocolViolation;

impl Session {
    /// Reads backend messages: whole ones are consumed, the rest is to be offered again with what follows it.
    ///
    /// # Errors
    /// When the server breaks the protocol: the session is of no more use, see [`end`](Self::end).
    pub fn receive(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<Received, ProtocolViolation> {
        failpoint::pass("session.receive");
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
        // A look-up that was not needed any more may have left rows that the sink was too full for.
        Ok(Received { consumed, is_stopped: is_stopped || self.backlog.is_some() })
    }

    /// False when the sink is full.
    fn data_row(&mut self, body: &[u8], remaining: usize, sink: &mut impl Sink) -> Result<bool, ProtocolViolation> {
        let head = self.written.front_mut().ok_or_else(|| ProtocolViolation::unexpected(b'D'))?;
        let (task, mut turn) = head.turn(&mut self.shared, sink);
        task.data_row(body, remaining, &mut turn)
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
        let unexpected = || ProtocolViolation::unexpected(tag);
        let head = self.written.front_mut().ok_or_else(unexpected)?;
        if tag == b'3' {
            head.course.closes = head.course.closes.checked_sub(1).ok_or_else(unexpected)?;
            return nothing(body);
        }
        if head.course.closes > 0 {
            return Err(unexpected());
        }
        if tag == b'Z' {
            return self.ready_for_query(transaction_status(body)?, sink);
        }
        let (task, mut turn) = head.turn(&mut self.shared, sink);
        match task.answer(frame, &mut turn)? {
            Answer::Noted => {}
            Answer::Learned => {
                if let Some(query) = task.query().map(Rc::clone) {
                    self.ask_waiting(&query, sink);
                }
            }
        }
        Ok(())
    }

    fn ready_for_query(&mut self, status: u8, sink: &mut impl Sink) -> Result<(), ProtocolViolation> {
        let unexpected = || ProtocolViolation::unexpected(b'Z');
        let head = self.written.front_mut().ok_or_else(unexpected)?;
        let is_answered = head.pending.task.is_answered(&head.course, head.pending.id.is_none());
        if !is_answered || !head.course.is_synced {
            return Err(unexpected());
        }
        self.shared.transaction_status = status;
        if status == b'I' {
            self.shared.portals.forget_all();
        }
        if let Some(encoding) = self.shared.foreign_encoding.take() {
            self.end_by_encoding(&encoding, sink);
            return Ok(());
        }
        self.shared.note_changes(head.pending.task.changes());
        let refused = self.settle_openings(sink);
        let Some(head) = self.written.front_mut() else { return Ok(()) };
        let (task, mut turn) = head.turn(&mut self.shared, sink);
        match task.ready(&mut turn) {
            AtReady::Stays => {}
            AtReady::Gathers => self.gather(sink),
            AtReady::Restarts => self.restart_head(),
            AtReady::LooksUp(unresolved) => {
                if let Some(Written { pending, .. }) = self.pop_head() {
                    self.look_up_statement(pending, unresolved, sink);
                }
            }
            AtReady::Settles => self.settle_head(sink),
        }
        if let Some(failure) = refused {
            self.refuse_followers(failure, sink);
        }
        Ok(())
    }

    fn notice(&mut self, body: &[u8], sink: &mut impl Sink) -> Result<(), ProtocolViolation> {
        let message = ServerMessage::read(body)?;
        if !self.written.front().is_some_and(|head| head.pending.task.earns(&message)) {
            sink.event(Event::Notice(message));
        }
        Ok(())
    }

    fn parameter_status(&mut self, body: &[u8], sink: &mut impl Sink) -> Result<(), ProtocolViolation> {
        let mut reader = Reader::new(body);
        let (name, value) = (reader.text()?, reader.text()?);
        reader.end()?;
        self.shared.note_parameter(&name, &value)?;
        self.shared.statements.names.report(&name, &value);
        sink.event(Event::ParameterStatus { name, value });
        Ok(())
    }
}

fn notification(body: &[u8], sink: &mut impl Sink) -> Result<(), ProtocolViolation> {
    let mut reader = Reader::new(body);
    let pid = reader.i32()?;
    let (channel, payload) = (reader.text()?, reader.text()?);
    reader.end()?;
    sink.event(Event::Notification { pid, channel, payload });
    Ok(())
}

fn transaction_status(body: &[u8]) -> Result<u8, ProtocolViolation> {
    match body {
        [status @ (b'I' | b'T' | b'E')] => Ok(*status),
        _ => Err(ProtocolViolation::new("ReadyForQuery without a known transaction status")),
    }
}
