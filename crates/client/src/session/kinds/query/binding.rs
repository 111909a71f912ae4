//! A query's parameters and messages: asking for the one, writing the other.

use std::rc::Rc;

use super::super::request_kind::Leaving;
use super::{QueryTask, Stage};
use crate::session::course::Turn;
use crate::session::event::{Event, Sink};
use crate::session::failure::{Failure, FailureKind};
use crate::session::output::{LONGEST, too_long};
use crate::session::preparation::Preparation;
use crate::session::query::{Bind, Description, Query};
use crate::session::request::RequestId;
use crate::session::shared::Shared;
use crate::session::statements::Lookup;

impl QueryTask {
    /// Asks for the parameters before its turn, where the connection knows the statement.
    pub(in crate::session) fn ask_early(&mut self, id: Option<RequestId>, shared: &mut Shared, sink: &mut impl Sink) {
        if self.bind.is_some() || self.is_cold_wanted {
            return;
        }
        if let Lookup::Ready { description, .. } = shared.statements.look_up(&self.query) {
            self.ask(id, description, sink);
        }
    }

    /// Another request has learned what the statement of `query` is: asks for the parameters, if this one waits for it.
    pub(in crate::session) fn ask_if_of(
        &mut self,
        id: Option<RequestId>,
        query: &Rc<Query>,
        description: &Rc<Description>,
        sink: &mut impl Sink,
    ) {
        if self.has_to_be_asked() && Rc::ptr_eq(&self.query, query) {
            self.ask(id, Rc::clone(description), sink);
        }
    }

    /// Its parameters wait until its statement is known.
    pub(in crate::session) fn has_to_be_asked(&self) -> bool {
        self.bind.is_none() && !self.is_asked && !self.is_cold_wanted
    }

    /// The parameters were asked for and have not come.
    pub(in crate::session) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Takes the parameters that were asked for, or says why not.
    pub(in crate::session) fn take_bind(&mut self, bind: Bind) -> Result<(), Failure> {
        if bind.parameters.len() > LONGEST {
            return Err(too_long());
        }
        if !self.told.as_ref().is_some_and(|told| told.takes_parameters_of(&bind.description)) {
            let text = "the parameters were encoded for another description than the one that asked for them";
            return Err(Failure::new(FailureKind::Internal, None, text).unsent());
        }
        self.is_asked = false;
        self.bind = Some(bind);
        Ok(())
    }

    /// It was cold, and its parameters are here.
    pub(in crate::session) fn is_ready_to_bind(&self) -> bool {
        self.run.stage == Stage::AwaitingBind && self.bind.is_some()
    }

    /// Its statement has a name that is not used any more.
    pub(in crate::session) fn has_lost_its_name(&self, shared: &Shared) -> bool {
        self.run.preparation.name.is_some() && !shared.statements.is_for(&self.query)
    }

    /// Writes the parameters that were awaited.
    pub(in crate::session) fn write_bind<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        turn.course.run_start = turn.shared.output.end();
        self.run.stage = Stage::Binding;
        if !self.run.is_flushed {
            turn.course.start = turn.shared.output.end();
        }
        self.write_run(turn);
    }

    /// Asks the caller for the parameters.
    pub(super) fn ask(&mut self, id: Option<RequestId>, description: Rc<Description>, sink: &mut impl Sink) {
        self.bind = None;
        self.is_asked = true;
        self.told = Some(Rc::clone(&description));
        if let Some(request) = id {
            sink.event(Event::Described { request, part: 0, description, needs_bind: true });
        }
    }

    /// Tells the caller how the rows will look, unless he knows.
    pub(super) fn tell<S: Sink>(&mut self, description: &Rc<Description>, turn: &mut Turn<'_, S>) {
        if self.told.as_ref().is_some_and(|told| told.id == description.id) {
            return;
        }
        self.told = Some(Rc::clone(description));
        if let Some(request) = turn.id {
            turn.sink.event(Event::Described {
                request,
                part: 0,
                description: Rc::clone(description),
                needs_bind: false,
            });
        }
    }

    pub(super) fn has_bind_for(&self, description: &Description) -> bool {
        self.bind.as_ref().is_some_and(|bind| description.takes_parameters_of(&bind.description))
    }

    pub(super) fn write_warm<S: Sink>(&mut self, name: Rc<str>, description: Rc<Description>, turn: &mut Turn<'_, S>) {
        self.tell(&description, turn);
        self.run.stage = Stage::Binding;
        self.run.is_warm = true;
        self.run.preparation = Preparation::ready(name, description);
        self.write_run(turn);
    }

    pub(super) fn write_cold<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.run.stage = Stage::Preparing;
        if let Some(id) = turn.id {
            turn.sink.prepares(id);
        }
        self.run.preparation = Preparation::write(&self.query, turn);
        if self.run.preparation.name.is_some() {
            turn.course.sync(&mut turn.shared.output);
        } else {
            // A Sync would let a pooler give the server, with the unnamed statement, to somebody else.
            turn.shared.output.flush();
            self.run.is_flushed = true;
            turn.course.end = turn.shared.output.end();
        }
    }

    /// Bind, Execute, Sync.
    fn write_run<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        let Preparation { name, description: Some(description), .. } = &self.run.preparation else { return };
        let Some(bind) = &self.bind else { return };
        turn.course.write_closes(turn.shared, name.as_ref());
        let formats = description.formats(self.result.formats);
        let name = name.as_deref().unwrap_or("");
        let shared = &mut *turn.shared;
        shared.portals.write_run(self.result, name, &bind.parameters, formats, &mut shared.output);
        turn.course.sync(&mut turn.shared.output);
        if bind.parameters.len() > turn.shared.options.resend_bytes {
            self.bind = None;
        }
    }

    /// It is described: its parameters are at hand and fit, or its caller is asked for them.
    pub(super) fn choose_parameters<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        let Some(description) = self.run.preparation.description.clone() else { return };
        self.run.stage = Stage::AwaitingBind;
        if turn.id.is_none() {
            self.release(turn);
        } else if self.has_bind_for(&description) {
            self.tell(&description, turn);
        } else {
            self.ask(turn.id, description, turn.sink);
        }
    }

    /// The parameters that are awaited will not come.
    pub(super) fn release<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving {
        if !self.run.is_flushed {
            return Leaving::Goes;
        }
        turn.course.sync(&mut turn.shared.output);
        self.run.stage = Stage::Over;
        Leaving::Stays
    }
}
