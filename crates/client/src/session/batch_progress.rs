//! What a batch has written and the server has not answered, and what came of its rows so far.

use std::collections::VecDeque;

use super::reader::{Frame, command_tag, nothing};
use super::tag::{Command, CommandTag};
use super::violation::ProtocolViolation;

/// Messages that a batch's Sync group holds, by the answers that they get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Parse, Bind and Execute of a statement of ours.
    Statement,
    /// Parse and Describe of the batch's statement, in the unnamed mode: `preparation.rs` takes their answers.
    Parse,
    /// Bind and Execute of a row.
    Row,
}

/// How far a batch is.
#[derive(Debug, Default)]
pub(super) struct BatchProgress {
    /// What is written and not answered, run-length encoded.
    groups: VecDeque<(Group, u64)>,
    /// How many answers of the first group are here.
    position: u8,
    /// Rows of parameters whose execution is over.
    executed: u64,
    rows: u64,
    last: Option<Command>,
    last_text: Option<String>,
}

impl BatchProgress {
    /// So many groups were written.
    pub(super) fn expect(&mut self, group: Group, count: u64) {
        match self.groups.back_mut() {
            Some((last, counted)) if *last == group => *counted += count,
            _ if count > 0 => self.groups.push_back((group, count)),
            _ => {}
        }
    }

    /// Takes an answer; gives the command tag of a row that is done.
    pub(super) fn answer(&mut self, frame: Frame<'_>) -> Result<Option<CommandTag>, ProtocolViolation> {
        let Frame { tag, body, .. } = frame;
        let group = self.groups.front().map(|(group, _)| *group);
        match (group, self.position, tag) {
            (Some(Group::Statement), 0, b'1') | (Some(Group::Statement), 1, b'2') | (Some(Group::Row), 0, b'2') => {
                nothing(body)?;
                self.position += 1;
                Ok(None)
            }
            (Some(Group::Statement), 2, b'C') => {
                command_tag(body)?;
                self.group_done();
                Ok(None)
            }
            (Some(Group::Row), 1, b'C') => {
                let tag = command_tag(body)?;
                self.group_done();
                self.count(&tag);
                Ok(Some(tag))
            }
            (Some(Group::Row), 1, b'I') => {
                nothing(body)?;
                self.group_done();
                self.count(&CommandTag::of(Command::Empty, 0));
                Ok(None)
            }
            _ => Err(ProtocolViolation::unexpected(tag)),
        }
    }

    /// A DataRow may come.
    pub(super) fn is_in_rows(&self) -> bool {
        self.position == 1 && matches!(self.groups.front(), Some((Group::Row, _)))
    }

    /// The row of parameters whose answers are due, counted from 0; none where they are not a row's.
    pub(super) fn row(&self) -> Option<u64> {
        matches!(self.groups.front(), Some((Group::Row, _))).then_some(self.executed)
    }

    /// The answers to Parse and Describe are due.
    pub(super) fn is_at_parse(&self) -> bool {
        matches!(self.groups.front(), Some((Group::Parse, _)))
    }

    /// They have come.
    pub(super) fn parsed(&mut self) {
        self.group_done();
    }

    /// The answer to the first row's Bind is due.
    pub(super) fn is_at_first_bind(&self) -> bool {
        self.last.is_none() && self.position == 0 && matches!(self.groups.front(), Some((Group::Row, _)))
    }

    /// Every group has its answers.
    pub(super) fn is_answered(&self) -> bool {
        self.groups.is_empty()
    }

    /// The tag of the whole.
    pub(super) fn tag(&mut self) -> CommandTag {
        CommandTag { command: self.last.unwrap_or(Command::Empty), rows: self.rows, text: self.last_text.take() }
    }

    fn group_done(&mut self) {
        self.position = 0;
        if let Some((_, count)) = self.groups.front_mut() {
            *count -= 1;
            if *count == 0 {
                self.groups.pop_front();
            }
        }
    }

    fn count(&mut self, tag: &CommandTag) {
        self.executed += 1;
        self.rows = self.rows.saturating_add(tag.rows);
        self.last = Some(tag.command);
        self.last_text.clone_from(&tag.text);
    }
}
