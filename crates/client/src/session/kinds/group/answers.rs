//! What the answers to a group's messages mean.

use super::super::request_kind::Answer;
use super::part::Progress;
use super::{GroupTask, Stage};
use crate::session::copy;
use crate::session::course::Turn;
use crate::session::event::Sink;
use crate::session::preparation::{Conclusion, Described};
use crate::session::reader::{Frame, command_tag, nothing};
use crate::session::tag::{Command, CommandTag};
use crate::session::violation::ProtocolViolation;

impl GroupTask {
    /// An answer to Parse or Describe.
    pub(super) fn prepare<S: Sink>(
        &mut self,
        frame: Frame<'_>,
        turn: &mut Turn<'_, S>,
    ) -> Result<Answer, ProtocolViolation> {
        while self.parts.get(self.at).is_some_and(|part| !part.preparation.is_under_way()) {
            self.at += 1;
        }
        let part = self.parts.get_mut(self.at).ok_or_else(|| ProtocolViolation::unexpected(frame.tag))?;
        let Described::As { parameters, columns } = part.preparation.answer(frame, turn)? else {
            return Ok(Answer::Noted);
        };
        let is_renewal = std::mem::take(&mut part.is_renewal_wanted);
        let conclusion = part.preparation.conclude(&part.query, (parameters, columns), is_renewal, turn);
        if conclusion == Conclusion::Known {
            part.is_cold_wanted = false;
        }
        if self.parts.iter().any(|part| part.preparation.is_under_way()) {
            return Ok(Answer::of(conclusion));
        }
        if turn.course.has_failed() {
            self.stage = Stage::Over;
        } else if turn.course.is_synced {
            self.stage = Stage::Prepared;
        } else {
            self.choose_parameters(turn);
        }
        Ok(Answer::of(conclusion))
    }

    pub(super) fn run<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<(), ProtocolViolation> {
        let unexpected = || ProtocolViolation::unexpected(frame.tag);
        let (is_single, number) = (self.is_single(), u32::try_from(self.at).unwrap_or(u32::MAX));
        let part = self.parts.get_mut(self.at).ok_or_else(unexpected)?;
        match (frame.tag, part.progress) {
            (b'1', Progress::Parsing) => {
                nothing(frame.body)?;
                part.progress = Progress::Binding;
            }
            (b'2', Progress::Binding) => {
                nothing(frame.body)?;
                part.progress = Progress::Rows;
                let description = part.preparation.description.as_ref();
                let is_opened = turn.shared.portals.note_bound(part.result, &part.query, description);
                if !is_single {
                    part.tell(number, false, turn);
                }
                if is_opened {
                    self.complete(CommandTag::of(Command::Select, 0), true, turn);
                }
            }
            (b'C', Progress::Rows) => self.complete(command_tag(frame.body)?, false, turn),
            (b'I', Progress::Rows) => {
                nothing(frame.body)?;
                self.complete(CommandTag::of(Command::Empty, 0), false, turn);
            }
            (b's', Progress::Rows) if part.result.max_rows > 0 => {
                nothing(frame.body)?;
                self.complete(CommandTag::of(Command::Select, 0), true, turn);
            }
            (b'G', Progress::Rows) if is_single => {
                copy::refuse_in(turn, true);
                turn.course.sync(&mut turn.shared.output);
                self.is_copying_out = false;
            }
            (b'H', Progress::Rows) if is_single => {
                copy::refuse_out(turn, true);
                self.is_copying_out = true;
            }
            (b'd', _) if self.is_copying_out => {}
            (b'c', _) if self.is_copying_out => nothing(frame.body)?,
            _ => return Err(unexpected()),
        }
        Ok(())
    }

    /// A part has ended.
    fn complete<S: Sink>(&mut self, tag: CommandTag, is_suspended: bool, turn: &mut Turn<'_, S>) {
        turn.shared.note_tag(&tag);
        if let Some(part) = self.part() {
            if part.query.traits.ends_transaction {
                turn.shared.note_end(&tag);
            }
            turn.shared.portals.note_end(part.result, is_suspended);
        }
        self.is_copying_out = false;
        self.at += 1;
        if self.at == self.parts.len() {
            turn.course.complete(tag, is_suspended);
            self.stage = Stage::Over;
        }
    }
}
