//! Asking the server for its process id, in front of the first request: it is that of the startup, unless a pooler is
//! between, which makes one up.

use std::rc::Rc;

use super::request_kind::{Answer, Begun, Leaving, Loss, RequestKind};
use crate::session::course::{Course, Outcome, Phase, Stage, Turn};
use crate::session::event::Sink;
use crate::session::failure::Failure;
use crate::session::query::Query;
use crate::session::reader::{Frame, Reader, command_tag, nothing};
use crate::session::request::Work;
use crate::session::standing::Standing;
use crate::session::tag::CommandTag;
use crate::session::violation::ProtocolViolation;

const QUERY: &str = "SELECT pg_catalog.pg_backend_pid()";

/// The question, which nobody waits for.
#[derive(Debug, Default)]
pub(in crate::session) struct IdentifyTask {
    stage: Stage,
    /// As the server says, in the text format.
    backend_pid: Option<String>,
}

impl RequestKind for IdentifyTask {
    fn query(&self) -> Option<&Rc<Query>> {
        None
    }

    fn refusal(&self) -> Option<Failure> {
        None
    }

    fn begin<S: Sink>(&mut self, _is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        turn.shared.output.statement(QUERY);
        turn.course.sync(&mut turn.shared.output);
        self.stage = Stage::Running;
        Begun::Written
    }

    fn phase(&self) -> Phase {
        self.stage.phase()
    }

    fn is_barrier(&self) -> bool {
        false
    }

    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation> {
        match (frame.tag, self.stage) {
            (b'1' | b'2', Stage::Running) => nothing(frame.body)?,
            (b'C', Stage::Running) => {
                command_tag(frame.body)?;
                self.stage = Stage::Over;
                turn.course.outcome =
                    Some(Outcome::Complete { tag: CommandTag::other("IDENTIFY"), is_suspended: false });
                let told = turn.shared.start.backend_pid.to_string();
                match self.backend_pid.take() {
                    Some(backend_pid) if backend_pid == told => turn.shared.is_servers_own = true,
                    Some(_) => turn.shared.note_pooler(turn.sink),
                    None => {}
                }
            }
            (tag, _) => return Err(ProtocolViolation::unexpected(tag)),
        }
        Ok(Answer::Noted)
    }

    fn data_row<S: Sink>(
        &mut self,
        body: &[u8],
        _remaining: usize,
        _turn: &mut Turn<'_, S>,
    ) -> Result<bool, ProtocolViolation> {
        if self.stage != Stage::Running {
            return Err(ProtocolViolation::unexpected(b'D'));
        }
        let mut reader = Reader::new(body);
        let (count, length) = (reader.u16()?, reader.i32()?);
        let length = usize::try_from(length).ok().filter(|_| count == 1);
        let text = reader.bytes(length.ok_or_else(|| ProtocolViolation::unexpected(b'D'))?)?;
        reader.end()?;
        self.backend_pid = Some(String::from_utf8_lossy(text).into_owned());
        Ok(true)
    }

    fn fail(&mut self) {
        self.stage = Stage::Over;
    }

    fn standing(&self) -> Standing<'_> {
        Standing::at(self.phase())
    }

    fn is_answered(&self, _course: &Course, _has_left: bool) -> bool {
        self.stage == Stage::Over
    }

    fn leave<S: Sink>(&mut self, _turn: &mut Turn<'_, S>) -> Leaving {
        Leaving::Stays
    }

    fn loss(&self, _course: &Course) -> Loss {
        Loss::default()
    }

    fn into_work(self) -> Option<Work> {
        None
    }
}
