//! A text of any number of statements on the simple protocol. Its rows are dropped.

use std::rc::Rc;

use super::request_kind::{Answer, Begun, Leaving, Loss, RequestKind};
use crate::session::changes::Changes;
use crate::session::copy;
use crate::session::course::{Course, Phase, Stage, Turn};
use crate::session::event::Sink;
use crate::session::failure::Failure;
use crate::session::keyword;
use crate::session::output::refusal;
use crate::session::query::Query;
use crate::session::reader::{self, Frame, command_tag, nothing};
use crate::session::request::Work;
use crate::session::standing::Standing;
use crate::session::tag::{Command, CommandTag};
use crate::session::violation::ProtocolViolation;

/// A script, waiting or written.
#[derive(Debug)]
pub(in crate::session) struct ScriptTask {
    /// Kept after it was written (if it is not too long), for it may turn out that the socket took nothing of it.
    text: Box<str>,
    is_text_gone: bool,
    /// The driver's own text, which certainly hides no COPY.
    is_control: bool,
    /// A single BEGIN or START TRANSACTION.
    is_begin: bool,
    is_commit: bool,
    ends_transaction: bool,
    changes: Changes,
    stage: Stage,
    /// A RowDescription or a COPY came, and the end of it has not.
    is_in_result: bool,
    /// COPY data comes that nobody wants.
    is_copying_out: bool,
}

impl ScriptTask {
    pub(super) fn new(text: Box<str>, is_control: bool) -> Self {
        let traits = keyword::classify(&text);
        Self {
            is_begin: traits.is_begin,
            // The driver's own ends what others have changed, see `Shared::note_tag`.
            changes: if is_control { Changes::NONE } else { traits.changes },
            is_commit: keyword::may_commit(&text),
            ends_transaction: traits.ends_transaction,
            text,
            is_text_gone: false,
            is_control,
            stage: Stage::Waiting,
            is_in_result: false,
            is_copying_out: false,
        }
    }

    /// A statement of it has ended.
    fn complete<S: Sink>(&mut self, tag: CommandTag, turn: &mut Turn<'_, S>) {
        turn.shared.note_tag(&tag);
        if self.ends_transaction {
            turn.shared.note_end(&tag);
        }
        turn.course.complete(tag, false);
        self.is_in_result = false;
        self.is_copying_out = false;
    }
}

impl RequestKind for ScriptTask {
    fn query(&self) -> Option<&Rc<Query>> {
        None
    }

    fn refusal(&self) -> Option<Failure> {
        refusal(&self.text, self.text.contains('\0'))
    }

    fn begin<S: Sink>(&mut self, _is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        turn.shared.output.query(&self.text);
        if self.text.len() > turn.shared.options.resend_bytes {
            self.text = Box::default();
            self.is_text_gone = true;
        }
        self.stage = Stage::Running;
        turn.course.is_synced = true;
        turn.course.end = turn.shared.output.end();
        Begun::Written
    }

    fn changes(&self) -> Changes {
        self.changes
    }

    fn phase(&self) -> Phase {
        self.stage.phase()
    }

    /// Rule 6: it may hide a COPY.
    fn is_barrier(&self) -> bool {
        !self.is_control
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        match (frame.tag, self.stage) {
            (b'd', _) if self.is_copying_out => {}
            (b'c', _) if self.is_copying_out => nothing(frame.body)?,
            (b'T', Stage::Running) => {
                reader::row_description(frame.body)?;
                self.is_in_result = true;
            }
            (b'C', Stage::Running) => self.complete(command_tag(frame.body)?, turn),
            (b'I', Stage::Running) => {
                nothing(frame.body)?;
                self.complete(CommandTag::of(Command::Empty, 0), turn);
            }
            (b'G', Stage::Running) => {
                copy::refuse_in(turn, false);
                self.is_in_result = true;
                self.is_copying_out = false;
            }
            (b'H', Stage::Running) => {
                copy::refuse_out(turn, false);
                self.is_in_result = true;
                self.is_copying_out = true;
            }
            (tag, _) => return Err(ProtocolViolation::unexpected(tag)),
        }
        Ok(Answer::Noted)
    }

    fn data_row<S: Sink>(
        &mut self,
        _body: &[u8],
        _remaining: usize,
        _turn: &mut Turn<'_, S>,
    ) -> Result<bool, ProtocolViolation> {
        if self.stage == Stage::Running && self.is_in_result {
            Ok(true)
        } else {
            Err(ProtocolViolation::unexpected(b'D'))
        }
    }

    fn fail(&mut self) {
        self.stage = Stage::Over;
    }

    fn standing(&self) -> Standing<'_> {
        Standing { is_copying_out: self.is_copying_out, ..Standing::at(self.phase()) }
    }

    fn is_answered(&self, course: &Course, has_left: bool) -> bool {
        match self.stage {
            Stage::Waiting => false,
            Stage::Running => course.outcome.is_some() && !self.is_in_result,
            Stage::Over => course.outcome.is_some() || has_left,
        }
    }

    fn leave<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving {
        let is_untouched = self.stage == Stage::Running && turn.course.outcome.is_none();
        Leaving::IsCancelled { is_plain: is_untouched && turn.course.closes == 0 }
    }

    fn loss(&self, course: &Course) -> Loss {
        Loss {
            is_unexecuted: false,
            is_undone: self.is_begin && course.outcome.is_none(),
            is_commit: self.is_commit,
            is_committed: self.is_commit && !self.is_in_result && course.is_committed(),
        }
    }

    /// A long text is not kept for the case that it was not sent.
    fn into_work(self) -> Option<Work> {
        (!self.is_text_gone).then_some(Work::Script { text: self.text, is_control: self.is_control })
    }
}
