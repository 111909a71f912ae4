//! What the engine asks of a kind of requests, and what a kind answers.

use std::rc::Rc;

use crate::session::catalog::Catalog;
use crate::session::changes::Changes;
use crate::session::course::{Course, Outcome, Phase, Turn};
use crate::session::event::Sink;
use crate::session::failure::{Failure, ServerMessage};
use crate::session::front::Front;
use crate::session::preparation::{Conclusion, Unresolved};
use crate::session::query::{Description, Query};
use crate::session::reader::Frame;
use crate::session::request::Work;
use crate::session::rows::Rows;
use crate::session::standing::Standing;
use crate::session::violation::ProtocolViolation;

/// What became of a request whose turn to be written had come.
pub(in crate::session) enum Begun {
    /// It has to wait.
    Waits,
    /// Its first messages are written.
    Written,
    /// It is the head, and takes the rows of a batch now.
    Gathers,
    /// It was answered without the server.
    Answered,
    /// Nothing has to be asked: what waits for the look-up goes on.
    NotNeeded,
}

/// What an answer of the server's leads to, beside what its request does with it.
pub(in crate::session) enum Answer {
    /// Nothing.
    Noted,
    /// A statement is known now: others that wait with the same text can be asked for their parameters.
    Learned,
}

impl Answer {
    /// That of a message with which a statement was described.
    pub(in crate::session) fn of(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Known => Self::Learned,
            Conclusion::Unresolved | Conclusion::Useless => Self::Noted,
        }
    }
}

/// What comes of a request at its ReadyForQuery.
pub(in crate::session) enum AtReady {
    /// It is over.
    Settles,
    /// It goes on: its parameters are asked for or written.
    Stays,
    /// It goes on as a batch that takes rows.
    Gathers,
    /// It is written anew: its statement's name is not used any more.
    Restarts,
    /// It is parsed again after a look-up of types.
    LooksUp(Unresolved),
}

/// What to do about a written request whose caller has left.
pub(in crate::session) enum Leaving {
    /// Nothing of it is on the way: it is taken off the pipeline.
    Goes,
    /// It ends by itself, soon.
    Stays,
    /// It undoes what it did, and ends.
    TakesBack,
    /// Nothing but Bind, Execute and Sync (or a simple Query): taking it out of the output leaves no trace. Otherwise
    /// the server has to be interrupted.
    IsCancelled { is_plain: bool },
}

/// What is certain of a request whose session is lost.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::session) struct Loss {
    /// Nothing of it was executed, whatever the server received.
    pub(in crate::session) is_unexecuted: bool,
    /// Outside a transaction, what was ended before its command tag was rolled back with its implicit transaction; or
    /// began one that is gone. Statements that commit by themselves, such as CALL, are not among them.
    pub(in crate::session) is_undone: bool,
    /// It ends a transaction for good, so that a lost answer leaves the outcome unknown (rule 13).
    pub(in crate::session) is_commit: bool,
    /// It has done so: the server tells of a COMMIT only after it is done.
    pub(in crate::session) is_committed: bool,
}

/// What the engine asks of a kind.
pub(in crate::session) trait RequestKind {
    /// The query whose statement it goes by, if it has one.
    fn query(&self) -> Option<&Rc<Query>>;

    /// Why it cannot be written at all.
    fn refusal(&self) -> Option<Failure>;

    /// It is the first of those that wait: writes it, if it can be written now. `is_first`: nothing is on its way.
    fn begin<S: Sink>(&mut self, is_first: bool, turn: &mut Turn<'_, S>) -> Begun;

    /// Which answer it waits for.
    fn phase(&self) -> Phase;

    /// Nothing may be written behind it yet, though its Sync is written.
    fn is_barrier(&self) -> bool;

    /// The server is at work for it before all of it has arrived.
    fn is_of_parts(&self) -> bool {
        false
    }

    /// Takes a message that is not for all requests alike (errors, notices, CloseComplete and so on are) nor a row.
    fn answer<S: Sink>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<Answer, ProtocolViolation>;

    /// Takes a DataRow's body, with `remaining` bytes behind it. False when the sink is full.
    fn data_row<S: Sink>(
        &mut self,
        _body: &[u8],
        _remaining: usize,
        _turn: &mut Turn<'_, S>,
    ) -> Result<bool, ProtocolViolation> {
        Err(ProtocolViolation::unexpected(b'D'))
    }

    /// An error may come now.
    fn has_answers_due(&self) -> bool {
        self.phase() != Phase::AwaitingBind
    }

    /// The server has refused it: only ReadyForQuery is due.
    fn fail(&mut self);

    /// What decides on the meaning of an error that comes now.
    fn standing(&self) -> Standing<'_>;

    /// ReadyForQuery may come.
    fn is_answered(&self, course: &Course, has_left: bool) -> bool;

    /// ReadyForQuery has come.
    fn ready<S: Sink>(&mut self, _turn: &mut Turn<'_, S>) -> AtReady {
        AtReady::Settles
    }

    /// How it ended, where the course does not say so.
    fn outcome(&mut self) -> Option<Outcome> {
        None
    }

    /// Its caller has left.
    fn leave<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving;

    /// The session is lost at this point.
    fn loss(&self, course: &Course) -> Loss;

    /// A notice that only its own housekeeping has earned.
    fn earns(&self, _notice: &ServerMessage) -> bool {
        false
    }

    /// What may be other than before when ReadyForQuery comes.
    fn changes(&self) -> Changes {
        self.query().map_or(Changes::NONE, |query| query.traits.changes)
    }

    /// It may end a transaction.
    fn may_end_transaction(&self) -> bool {
        self.query().is_none_or(|query| !query.is_shareable)
    }

    /// The name of its statement on the server.
    fn statement(&self) -> Option<&Rc<str>> {
        None
    }

    /// Its rows, with what is known of them.
    fn rows(&mut self) -> Option<(&mut Rows, Option<&Rc<Description>>)> {
        None
    }

    /// The portal of its own that its rows come from.
    fn portal(&self) -> Option<u32> {
        None
    }

    /// Of which of its statements those are.
    fn part_of_row(&self) -> u32 {
        0
    }

    /// Its failures name the statement of the application's that they are of.
    fn names_part(&self) -> bool {
        false
    }

    /// What stands in front of it in its Sync group.
    fn front(&mut self) -> Option<&mut Front> {
        None
    }

    /// The types of its rows were looked up: their description by what is known now, if it is another one.
    fn renew(&mut self, _catalog: &Rc<Catalog>) -> Option<Rc<Description>> {
        None
    }

    /// It will be written anew. `is_asked_anew`: what was known of its statement was wrong.
    fn restart(&mut self, _is_asked_anew: bool) {}

    /// The types of its statement were looked up: it will be written anew. `is_resolved`: all of them are known.
    fn resume(&mut self, _is_resolved: bool) {
        self.restart(false);
    }

    /// The work to do elsewhere, if it can move.
    fn into_work(self) -> Option<Work>;
}
