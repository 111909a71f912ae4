//! Statements of the driver's own in front of a request's, in the same Sync group: what opens a transaction or a savepoint,
//! and what makes settings for what follows. If one fails, what is behind it does not run.

use std::collections::VecDeque;
use std::rc::Rc;

use super::changes::Changes;
use super::course::{Phase, Turn};
use super::failure::Failure;
use super::output::Output;
use super::preparation::{Described, Preparation};
use super::query::Query;
use super::reader::{Frame, command_tag, nothing};
use super::request::{Context, RequestId};
use super::shared::Shared;
use super::statements::Lookup;
use super::tag::CommandTag;
use super::violation::ProtocolViolation;

/// Bind's parameters of a statement that has none.
const NO_PARAMETERS: [u8; 4] = [0; 4];

/// What opens a transaction or a savepoint, with the id of a request of its own.
#[derive(Debug)]
pub(super) struct Opening {
    /// `None` once its caller has left, and for one that goes out alone, where the request is the opening itself.
    pub(super) id: Option<RequestId>,
    pub(super) text: Box<str>,
    pub(super) context: Option<Box<Context>>,
}

impl Opening {
    fn statements(&self) -> impl Iterator<Item = &str> {
        self.text.split("; ")
    }
}

/// Openings that were written, and how many of them were carried out.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) openings: Vec<Opening>,
    pub(super) count: usize,
}

/// How a context's statement is written.
#[derive(Debug)]
enum Choice {
    /// The connection knows it by this name.
    Warm(Rc<str>),
    /// It gets a name with this.
    New(Box<Preparation>, Rc<Query>),
    Unnamed,
}

/// An answer that comes.
#[derive(Debug)]
enum Due {
    /// Those to Parse and Describe of a context's statement.
    Prepared(Box<Preparation>, Rc<Query>),
    ParseComplete,
    /// With the statement's name.
    BindComplete(Option<Rc<str>>),
    /// Rows and CommandComplete, with which an opening ends or not.
    Result {
        ends_opening: bool,
    },
}

/// What stands in front of a request's own statements, and how far its answers are.
#[derive(Debug, Default)]
pub(super) struct Front {
    openings: Vec<Opening>,
    /// Of the request itself: in front of each of its Sync groups, since it ends with them.
    context: Option<Box<Context>>,
    choices: VecDeque<Choice>,
    due: VecDeque<Due>,
    opened: usize,
    last: Option<CommandTag>,
}

impl Front {
    pub(super) fn new(context: Option<Box<Context>>) -> Self {
        Self { context, ..Self::default() }
    }

    /// With what opens what it stands in.
    pub(super) fn open(&mut self, openings: Vec<Opening>) {
        self.openings = openings;
        self.opened = 0;
    }

    pub(super) fn has_openings(&self) -> bool {
        !self.openings.is_empty()
    }

    pub(super) fn has_context(&self) -> bool {
        self.context.is_some() || self.openings.iter().any(|opening| opening.context.is_some())
    }

    /// The openings, which are settled or go out with something else.
    pub(super) fn take_opened(&mut self) -> Opened {
        Opened { openings: std::mem::take(&mut self.openings), count: std::mem::take(&mut self.opened) }
    }

    /// Its caller has left.
    pub(super) fn leave(&mut self, request: RequestId) {
        for opening in self.openings.iter_mut().filter(|opening| opening.id == Some(request)) {
            opening.id = None;
        }
    }

    pub(super) fn into_context(self) -> Option<Box<Context>> {
        self.context
    }

    fn contexts(&self) -> impl Iterator<Item = &Context> {
        self.openings.iter().map(|opening| &opening.context).chain([&self.context]).filter_map(Option::as_deref)
    }

    /// What the contexts of its openings may change for what follows in them.
    pub(super) fn changes(&self) -> Changes {
        let contexts = self.openings.iter().filter_map(|opening| opening.context.as_ref());
        contexts.fold(Changes::NONE, |all, context| all.and(context.query.traits.changes))
    }

    /// Why it cannot be written, if it cannot.
    pub(super) fn refusal(&self) -> Option<Failure> {
        self.contexts().find_map(|context| context.query.refusal())
    }

    /// Chooses the statements that it is written with.
    pub(super) fn choose(&mut self, shared: &mut Shared) {
        let mut choices = VecDeque::new();
        for Context { query, .. } in self.contexts() {
            choices.push_back(match shared.statements.look_up(query) {
                Lookup::Ready { name, .. } => Choice::Warm(name),
                Lookup::Absent if shared.statements.is_for(query) => {
                    Choice::New(Box::new(Preparation::named(query, shared)), Rc::clone(query))
                }
                Lookup::Absent | Lookup::Pending => Choice::Unnamed,
            });
        }
        self.choices = choices;
    }

    /// The names of those statements.
    pub(super) fn names(&self) -> impl Iterator<Item = &Rc<str>> {
        self.choices.iter().filter_map(|choice| match choice {
            Choice::Warm(name) => Some(name),
            Choice::New(preparation, _) => preparation.name.as_ref(),
            Choice::Unnamed => None,
        })
    }

    /// Taking what was written out of the output leaves no trace.
    pub(super) fn is_plain(&self) -> bool {
        self.openings.is_empty() && !self.due.iter().any(|due| matches!(due, Due::Prepared(..)))
    }

    /// Writes it, once its statements are [chosen](Self::choose).
    pub(super) fn write(&mut self, shared: &mut Shared) {
        let Self { openings, context, choices, due, .. } = self;
        for opening in openings {
            for text in opening.statements() {
                shared.output.statement(text);
                due.extend([Due::ParseComplete, Due::BindComplete(None), Due::Result { ends_opening: false }]);
            }
            if let (Some(context), Some(choice)) = (&opening.context, choices.pop_front()) {
                write_context(context, choice, shared, due);
            }
            if let Some(Due::Result { ends_opening }) = due.back_mut() {
                *ends_opening = true;
            }
        }
        if let (Some(context), Some(choice)) = (context, choices.pop_front()) {
            write_context(context, choice, shared, due);
        }
    }

    /// Writes openings by the simple protocol.
    pub(super) fn write_simple(&mut self, output: &mut Output) {
        for opening in &self.openings {
            let count = opening.statements().count();
            output.query(&opening.text);
            self.due.extend((1..=count).map(|number| Due::Result { ends_opening: number == count }));
        }
    }

    /// Its answers come.
    pub(super) fn is_under_way(&self) -> bool {
        !self.due.is_empty()
    }

    /// Which answer comes next.
    pub(super) fn phase(&self) -> Option<Phase> {
        Some(match self.due.front()? {
            Due::Prepared(preparation, _) => preparation.phase(),
            Due::ParseComplete => Phase::Parsing,
            Due::BindComplete(_) => Phase::Binding,
            Due::Result { .. } => Phase::Executing,
        })
    }

    /// The name of the statement whose answers come.
    pub(super) fn statement(&self) -> Option<&Rc<str>> {
        match self.due.front()? {
            Due::Prepared(preparation, _) => preparation.name.as_ref(),
            Due::BindComplete(name) => name.as_ref(),
            Due::ParseComplete | Due::Result { .. } => None,
        }
    }

    /// Takes one of its answers.
    pub(super) fn answer<S>(&mut self, frame: Frame<'_>, turn: &mut Turn<'_, S>) -> Result<(), ProtocolViolation> {
        match (frame.tag, self.due.front_mut()) {
            (_, Some(Due::Prepared(preparation, query))) => match preparation.answer(frame, turn)? {
                Described::NotYet => return Ok(()),
                Described::As { parameters, columns } => preparation.note(query, parameters, columns, turn),
            },
            (b'1', Some(Due::ParseComplete)) | (b'2', Some(Due::BindComplete(_))) => nothing(frame.body)?,
            (b'C', Some(Due::Result { ends_opening })) => {
                self.opened += usize::from(*ends_opening);
                self.last = Some(command_tag(frame.body)?);
            }
            _ => return Err(ProtocolViolation::unexpected(frame.tag)),
        }
        self.due.pop_front();
        Ok(())
    }

    /// A row may come, which nobody wants.
    pub(super) fn is_in_rows(&self) -> bool {
        matches!(self.due.front(), Some(Due::Result { .. }))
    }

    /// The tag of the last of its statements.
    pub(super) fn take_tag(&mut self) -> Option<CommandTag> {
        self.last.take()
    }

    /// One was refused, or something behind it: no more answers come. Names of statements that the server has skipped go to
    /// `skipped`.
    pub(super) fn fail(&mut self, skipped: &mut Vec<Rc<str>>) {
        for due in self.due.drain(..).skip(1) {
            if let Due::Prepared(preparation, _) = due {
                skipped.extend(preparation.name);
            }
        }
    }
}

fn write_context(context: &Context, choice: Choice, shared: &mut Shared, due: &mut VecDeque<Due>) {
    let name = match choice {
        Choice::Warm(name) => Some(name),
        Choice::New(mut preparation, query) => {
            let name = preparation.name.clone();
            preparation.send(&query, shared);
            due.push_back(Due::Prepared(preparation, query));
            name
        }
        Choice::Unnamed => {
            shared.output.parse("", &context.query.text);
            due.push_back(Due::ParseComplete);
            None
        }
    };
    let parameters = if context.parameters.is_empty() { &NO_PARAMETERS[..] } else { &context.parameters };
    shared.output.bind_and_execute(name.as_deref().unwrap_or(""), parameters, &[], 0);
    due.extend([Due::BindComplete(name), Due::Result { ends_opening: false }]);
}
