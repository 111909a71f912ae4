//! One of a group's own statements.

use std::rc::Rc;

use crate::session::catalog::Catalog;
use crate::session::course::Turn;
use crate::session::event::{Event, Sink};
use crate::session::failure::{Failure, FailureKind};
use crate::session::output::{LONGEST, too_long};
use crate::session::portals::Portals;
use crate::session::preparation::Preparation;
use crate::session::query::{Bind, Description, Query};
use crate::session::request::Member;
use crate::session::result_options::{ResultForm, ResultOptions};
use crate::session::rows::Rows;
use crate::session::shared::Shared;
use crate::session::statements::Lookup;

/// Which of its answers comes next, once it is written with its parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// ParseComplete, in the unnamed mode
    #[default]
    Parsing,
    /// BindComplete
    Binding,
    /// DataRow, or the end of the portal's rows
    Rows,
}

/// A statement of a group, waiting or written.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) query: Rc<Query>,
    pub(super) result: ResultOptions,
    /// As those of a query of its own.
    pub(super) bind: Option<Bind>,
    told: Option<Rc<Description>>,
    pub(super) is_asked: bool,
    pub(super) is_cold_wanted: bool,
    pub(super) is_renewal_wanted: bool,
    /// The connection knew the statement before.
    pub(super) is_warm: bool,
    pub(super) preparation: Preparation,
    /// An earlier part has the same text, and is parsed for both.
    pub(super) same_as: Option<usize>,
    pub(super) rows: Rows,
    pub(super) progress: Progress,
}

impl Part {
    /// A bind that goes by the types and codecs of another catalog than the session's is dropped.
    pub(super) fn new(member: Member, catalog: &Rc<Catalog>) -> Self {
        let Member { query, bind, result, is_fresh } = member;
        let bind = bind.filter(|bind| !is_fresh && bind.description.is_of(catalog));
        Self {
            query,
            result,
            told: bind.as_ref().map(|bind| Rc::clone(&bind.description)),
            bind,
            is_asked: false,
            is_cold_wanted: is_fresh,
            is_renewal_wanted: is_fresh,
            is_warm: false,
            preparation: Preparation::default(),
            same_as: None,
            rows: Rows::new(result.form, result.formats),
            progress: Progress::default(),
        }
    }

    pub(super) fn refusal(&self) -> Option<Failure> {
        let is_too_long = self.bind.as_ref().is_some_and(|bind| bind.parameters.len() > LONGEST);
        let refusal = self.query.refusal().or_else(|| is_too_long.then(too_long));
        refusal.or_else(|| Portals::refusal_of(&self.query, self.result))
    }

    /// What the connection knows of its statement.
    pub(super) fn look_up(&self, shared: &mut Shared) -> Lookup {
        if self.is_cold_wanted { Lookup::Absent } else { shared.statements.look_up(&self.query) }
    }

    /// It has parameters for what its statement is.
    pub(super) fn is_bound(&self) -> bool {
        let description = self.preparation.description.as_ref();
        description.is_some_and(|description| self.has_bind_for(description))
    }

    pub(super) fn has_bind_for(&self, description: &Description) -> bool {
        self.bind.as_ref().is_some_and(|bind| description.takes_parameters_of(&bind.description))
    }

    /// Takes the parameters that were asked for, or says why not.
    pub(super) fn take_bind(&mut self, bind: Bind) -> Result<(), Failure> {
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

    /// Asks the caller for the parameters.
    pub(super) fn ask<S: Sink>(&mut self, part: u32, description: Rc<Description>, turn: &mut Turn<'_, S>) {
        self.bind = None;
        self.is_asked = true;
        self.told = Some(Rc::clone(&description));
        if let Some(request) = turn.id {
            turn.sink.event(Event::Described { request, part, description, needs_bind: true });
        }
    }

    /// Tells the caller how the rows will look. Of one among several he is always told, where there are any: so he knows
    /// whose the rows are.
    pub(super) fn tell<S: Sink>(&mut self, part: u32, is_single: bool, turn: &mut Turn<'_, S>) {
        let Some(description) = self.preparation.description.clone() else { return };
        let is_known = self.told.as_ref().is_some_and(|told| told.id == description.id);
        let has_rows = self.result.form == ResultForm::Rows && !description.columns.is_empty();
        if if is_single { is_known } else { !has_rows } {
            return;
        }
        self.told = Some(Rc::clone(&description));
        if let Some(request) = turn.id {
            turn.sink.event(Event::Described { request, part, description, needs_bind: false });
        }
    }

    /// Writes Bind and Execute, behind a Parse if its statement has no name and was not parsed last.
    pub(super) fn write(&mut self, is_parsed: bool, shared: &mut Shared) {
        let Preparation { name, description: Some(description), .. } = &self.preparation else { return };
        let Some(bind) = &self.bind else { return };
        self.progress = Progress::Binding;
        if name.is_none() && !is_parsed {
            shared.output.parse("", &self.query.text);
            self.progress = Progress::Parsing;
        }
        let formats = description.formats(self.result.formats);
        let name = name.as_deref().unwrap_or("");
        shared.portals.write_run(self.result, name, &bind.parameters, formats, &mut shared.output);
        if bind.parameters.len() > shared.options.resend_bytes {
            self.bind = None;
        }
    }

    /// It will be written anew.
    pub(super) fn restart(&mut self) {
        self.is_asked = false;
        self.is_warm = false;
        self.preparation = Preparation::default();
        self.same_as = None;
        self.rows = Rows::new(self.result.form, self.result.formats);
        self.progress = Progress::default();
    }

    /// The work to do elsewhere.
    pub(super) fn into_member(self) -> Member {
        let Self { query, bind, result, is_cold_wanted: is_fresh, .. } = self;
        Member { query, bind: bind.filter(|_| !is_fresh), result, is_fresh }
    }
}
