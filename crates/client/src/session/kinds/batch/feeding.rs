//! A batch's rows: taking them from its source, and writing what its Sync group is made of.

use oxpg_codec::types::ParameterType;

use super::{BatchTask, Stage, Step};
use crate::session::batch_progress::Group;
use crate::session::column::Column;
use crate::session::course::Turn;
use crate::session::event::{Event, Sink};
use crate::session::failure::{Failure, FailureKind};
use crate::session::output::{LONGEST, Output, too_long};
use crate::session::preparation::Preparation;
use crate::session::query::Bind;
use crate::session::result_options::ResultFormats;

const SAVEPOINT: &str = "SAVEPOINT oxpg_batch";
const RELEASE: &str = "RELEASE SAVEPOINT oxpg_batch";
const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT oxpg_batch";
const ROLLBACK: &str = "ROLLBACK";

impl BatchTask {
    /// Its statement is known, and it is the head: its rows may come. Those that came before are caught up with.
    pub(in crate::session) fn gather<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Step {
        let (Some(description), Some(request)) = (self.preparation.description.clone(), turn.id) else {
            return Step::GoesOn;
        };
        self.stage = Stage::Running;
        turn.course.is_synced = false;
        turn.sink.event(Event::Described { request, part: 0, description, needs_bind: true });
        if self.is_end_wanted {
            return self.end(turn);
        }
        self.tell_drained(turn);
        Step::GoesOn
    }

    /// A row. False when it cannot be taken: the batch has failed then, and is to be [taken back](Self::take_back).
    pub(in crate::session) fn row<S: Sink>(&mut self, bind: &Bind, turn: &mut Turn<'_, S>) -> bool {
        let Preparation { name, description: Some(description), .. } = &self.preparation else { return true };
        let refusal = if bind.parameters.len() > LONGEST {
            Some(too_long())
        } else if description.takes_parameters_of(&bind.description) {
            None
        } else {
            Some(Failure::new(FailureKind::Internal, None, "a batch's row does not fit its statement"))
        };
        if let Some(failure) = refusal {
            self.rows.fail(failure);
            return false;
        }
        let formats = description.formats(ResultFormats::ByType);
        let name = name.as_deref().unwrap_or("");
        if self.is_open && !self.preparation.is_under_way() {
            turn.shared.output.bind_and_execute(name, &bind.parameters, formats, 0);
            self.progress.expect(Group::Row, 1);
            turn.course.end = turn.shared.output.end();
        } else {
            self.held.bind_and_execute(name, &bind.parameters, formats, 0);
            self.held_rows += 1;
        }
        true
    }

    /// The end of a chunk: what was given so far is sent.
    pub(in crate::session) fn chunk<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.is_drain_wanted = true;
        if !self.is_open && self.held_rows > 0 {
            self.open(false, turn);
        }
        if self.is_open && !self.preparation.is_under_way() {
            // Errors come early, and the server's answers do not pile up.
            turn.shared.output.flush();
            turn.course.end = turn.shared.output.end();
        }
        self.tell_drained(turn);
    }

    /// The same before its rows are asked for.
    pub(in crate::session) fn want_drained(&mut self) {
        self.is_drain_wanted = true;
    }

    /// No more rows come; before they are asked for.
    pub(in crate::session) fn want_end(&mut self) {
        self.is_end_wanted = true;
    }

    /// Tells that more rows may come, if that was asked for and the output has room.
    pub(in crate::session) fn tell_drained<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        let has_room = turn.shared.output.unsent().len() < turn.shared.options.batch_output_bytes;
        if has_room
            && !self.preparation.is_under_way()
            && self.is_gathering(turn.course)
            && let Some(request) = turn.id
            && std::mem::take(&mut self.is_drain_wanted)
        {
            turn.sink.event(Event::Drained { request });
        }
    }

    /// Begins its Sync group, with what was held back if the statement is certain to be what it was.
    fn open<S: Sink>(&mut self, is_all: bool, turn: &mut Turn<'_, S>) {
        turn.course.start = turn.shared.output.end();
        turn.course.write_closes(turn.shared, self.preparation.name.as_ref());
        let is_certain = self.preparation.name.as_ref().is_some_and(|name| turn.shared.statements.is_certain(name));
        if !is_certain {
            self.preparation.close(turn);
        }
        let output = &mut turn.shared.output;
        self.is_open = true;
        if !is_all && turn.shared.transaction_status == b'T' {
            self.has_savepoint = true;
            output.statement(SAVEPOINT);
            self.progress.expect(Group::Statement, 1);
        }
        if is_certain {
            self.write_held(&mut turn.shared.output);
        } else {
            self.preparation.write_again(&self.query, turn);
            turn.shared.output.flush();
            self.progress.expect(Group::Parse, 1);
        }
        turn.course.end = turn.shared.output.end();
    }

    fn write_held(&mut self, output: &mut Output) {
        output.append(&mut self.held);
        self.progress.expect(Group::Row, std::mem::take(&mut self.held_rows));
        self.held = Output::default();
    }

    /// The statement is described once more, in the Sync group of its rows: they are written if it is what they were
    /// encoded for.
    pub(super) fn go_on<S: Sink>(&mut self, parameters: &[ParameterType], columns: &[Column], turn: &mut Turn<'_, S>) {
        self.progress.parsed();
        if self.is_rolling_back {
            return;
        }
        let known = self.preparation.description.as_ref();
        if known.is_some_and(|known| known.is_answered_by(parameters, columns)) {
            self.preparation.confirm_again(turn);
            self.write_held(&mut turn.shared.output);
            if self.is_end_wanted {
                return self.close(turn);
            }
            turn.shared.output.flush();
            turn.course.end = turn.shared.output.end();
            return self.tell_drained(turn);
        }
        self.query.forget_description();
        self.preparation.give_up(turn);
        let text = "the statement's types have changed since the first rows were encoded for them; nothing was \
                    executed, and the same call works";
        self.rows.fail(Failure::new(FailureKind::OutdatedSchema, None, text).unsent());
        self.take_back(turn);
    }

    /// No more rows come.
    pub(in crate::session) fn end<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Step {
        if !self.is_open {
            if self.held_rows == 0 {
                return Step::IsOver;
            }
            self.open(true, turn);
        }
        if self.preparation.is_under_way() {
            self.is_end_wanted = true;
        } else {
            self.close(turn);
        }
        Step::GoesOn
    }

    /// Ends its Sync group.
    fn close<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        if self.has_savepoint {
            turn.shared.output.statement(RELEASE);
            self.progress.expect(Group::Statement, 1);
        }
        self.sync(turn);
    }

    /// What is known of its statement is to be asked for anew the next time.
    pub(in crate::session) fn doubt<S: Sink>(&self, turn: &mut Turn<'_, S>) {
        if let Some(name) = &self.preparation.name {
            turn.shared.statements.doubt(name);
        }
    }

    /// Makes what was written of it undone.
    pub(in crate::session) fn take_back<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Step {
        self.is_rolling_back = true;
        if !self.is_open {
            return Step::IsOver;
        }
        if self.has_savepoint {
            turn.shared.output.statement(ROLLBACK_TO);
            turn.shared.output.statement(RELEASE);
            self.progress.expect(Group::Statement, 2);
        } else if turn.shared.transaction_status == b'I' {
            turn.shared.output.statement(ROLLBACK);
            self.progress.expect(Group::Statement, 1);
        }
        self.sync(turn);
        Step::GoesOn
    }

    fn sync<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        turn.course.sync(&mut turn.shared.output);
        self.forget_held();
    }

    pub(super) fn forget_held(&mut self) {
        self.held = Output::default();
        self.is_drain_wanted = false;
    }
}
