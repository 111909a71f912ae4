//! Taking requests in, and writing them when their turn comes.

use std::rc::Rc;

use super::Session;
use super::event::{Event, Sink};
use super::failure::{Failure, FailureKind};
use super::output::LONGEST;
use super::query::{Bind, Description};
use super::request::{PendingRequest, Request, RequestId, Task};
use super::statements::Lookup;
use super::tag::CommandTag;
use super::written::{Stage, WrittenRequest};

/// What to do with the first waiting request.
enum Step {
    /// Nothing yet.
    Wait,
    /// Ask its caller for (other) parameters.
    Ask(Rc<Description>),
    /// Bind, Execute, Sync: the connection knows the statement.
    Warm { name: Rc<str>, description: Rc<Description> },
    /// Parse, Describe, Bind, Execute, Sync: the environment knows it.
    Whole,
    /// Parse, Describe.
    Cold,
    /// A simple Query.
    Script,
    /// Prepare, of what is known.
    Answer(Rc<Description>),
    /// A look-up of types.
    LookUp,
    /// A batch of a known statement: its rows may come.
    Gather { name: Rc<str>, description: Rc<Description> },
}

impl Session {
    /// Takes a request in, and writes it if its turn has come.
    pub fn submit(&mut self, request: Request, sink: &mut impl Sink) {
        let mut pending = PendingRequest::new(request);
        let refusal = if self.is_over || self.is_closing { Some(Failure::closed()) } else { refusal(&pending) };
        if let Some(failure) = refusal {
            return self.fail_unwritten(&pending, failure, sink);
        }
        if pending.bind.as_ref().is_some_and(|bind| !bind.description.is_of(&self.catalog)) {
            // It goes by the types and codecs of another catalog than this connection has.
            pending.bind = None;
            pending.told = None;
        }
        self.ask_early(&mut pending, sink);
        self.waiting.push_back(pending);
        self.pump(sink);
    }

    /// Gives the parameters that `Described { needs_bind: true }` asked for.
    pub fn bind(&mut self, request: RequestId, bind: Bind, sink: &mut impl Sink) {
        let pending = if let Some(index) = self.find_waiting(request) {
            self.waiting.get_mut(index)
        } else {
            self.written.front_mut().map(|head| &mut head.pending).filter(|pending| pending.id == Some(request))
        };
        let Some(pending) = pending.filter(|pending| pending.is_asked) else { return };
        let refusal = if bind.parameters.len() > LONGEST {
            Some(too_long())
        } else if pending.told.as_ref().is_some_and(|told| told.takes_parameters_of(&bind.description)) {
            None
        } else {
            let text = "the parameters were encoded for another description than the one that asked for them";
            Some(Failure::new(FailureKind::Internal, None, text).unsent())
        };
        if let Some(failure) = refusal {
            let transaction_status = self.transaction_status;
            self.refuse_bind(request, sink);
            return sink.event(Event::Failed { request, failure, transaction_status });
        }
        pending.is_asked = false;
        pending.bind = Some(bind);
        self.pump(sink);
    }

    /// The parameters that were asked for do not fit: the request is forgotten without an event.
    pub fn refuse_bind(&mut self, request: RequestId, sink: &mut impl Sink) {
        self.abandon(request, sink);
    }

    /// Writes what may be written now. Call it after [`advance_output`](Self::advance_output).
    pub fn pump(&mut self, sink: &mut impl Sink) {
        if self.is_over {
            return;
        }
        self.want_cancel(sink);
        self.write_awaited_bind();
        self.tell_drained(sink);
        while self.may_write() && self.write_next(sink) {}
        self.close_if_idle(sink);
    }

    fn may_write(&self) -> bool {
        !self.is_over && self.cancel.is_none() && self.written.back().is_none_or(|last| !last.blocks_followers())
    }

    /// Asks for a query's parameters before its turn, where its description is known.
    fn ask_early(&mut self, pending: &mut PendingRequest, sink: &mut impl Sink) {
        let Task::Query { query, .. } = &pending.task else { return };
        if pending.bind.is_some() || pending.is_cold_wanted {
            return;
        }
        let known = match self.statements.look_up(query) {
            Lookup::Ready { description, .. } => Some(description),
            Lookup::Pending | Lookup::Absent => query.description_in(&self.catalog),
        };
        if let Some(description) = known {
            ask(pending, description, sink);
        }
    }

    /// Writes (or settles, or asks for) the first waiting request. False when it has to wait.
    fn write_next(&mut self, sink: &mut impl Sink) -> bool {
        let step = self.next_step();
        if let Step::Wait = step {
            return false;
        }
        if let Step::Ask(description) = step {
            if let Some(pending) = self.waiting.front_mut() {
                ask(pending, description, sink);
            }
            return false;
        }
        let Some(pending) = self.waiting.pop_front() else { return false };
        match step {
            Step::Wait | Step::Ask(_) => {}
            Step::Warm { name, description } => self.write_warm(pending, name, description, sink),
            Step::Whole => self.write_whole(pending),
            Step::Cold => self.write_cold(pending),
            Step::Script => self.write_script(pending),
            Step::LookUp => self.write_look_up(pending, sink),
            Step::Answer(description) => self.answer_prepare(&pending, description, sink),
            Step::Gather { name, description } => {
                let mut written = WrittenRequest::new(pending, Stage::Batch, self.output.end());
                written.statement = Some(name);
                written.description = Some(description);
                self.push_written(written);
                self.begin_gathering(sink);
            }
        }
        true
    }

    fn next_step(&mut self) -> Step {
        let Some(front) = self.waiting.front() else { return Step::Wait };
        if let Task::LookUp(_) = front.task {
            return Step::LookUp;
        }
        let Some(query) = front.query() else { return Step::Script };
        // A batch needs to know the transaction's status, and to be the head.
        if matches!(front.task, Task::Batch { .. }) && !self.written.is_empty() {
            return Step::Wait;
        }
        let is_query = matches!(front.task, Task::Query { .. });
        if is_query && front.is_asked {
            return Step::Wait;
        }
        let found = if front.is_cold_wanted { Lookup::Absent } else { self.statements.look_up(query) };
        match (found, &front.task) {
            (Lookup::Pending, _) => Step::Wait,
            (Lookup::Ready { description, .. }, Task::Prepare { .. }) => Step::Answer(description),
            (Lookup::Ready { name, description }, Task::Batch { .. }) => Step::Gather { name, description },
            (Lookup::Ready { name, description }, _) => match &front.bind {
                Some(bind) if description.takes_parameters_of(&bind.description) => Step::Warm { name, description },
                _ => Step::Ask(description),
            },
            (Lookup::Absent, _) if !is_query || front.is_cold_wanted => Step::Cold,
            (Lookup::Absent, _) => match (&front.bind, query.description_in(&self.catalog)) {
                (Some(_), _) => Step::Whole,
                (None, Some(description)) => Step::Ask(description),
                (None, None) => Step::Cold,
            },
        }
    }

    fn write_warm(
        &mut self,
        mut pending: PendingRequest,
        name: Rc<str>,
        description: Rc<Description>,
        sink: &mut impl Sink,
    ) {
        if !pending.knows(&description) {
            tell(&mut pending, &description, sink);
        }
        let mut written = WrittenRequest::new(pending, Stage::Binding, self.output.end());
        written.statement = Some(name);
        written.description = Some(description);
        self.write_run(&mut written);
        self.push_written(written);
    }

    /// Parse with the known parameter types, so that what was encoded by them means the same to this server.
    fn write_whole(&mut self, pending: PendingRequest) {
        let mut written = WrittenRequest::new(pending, Stage::Parsing, self.output.end());
        written.is_whole = true;
        self.write_parse(&mut written);
        self.write_run(&mut written);
        self.push_written(written);
    }

    fn write_cold(&mut self, pending: PendingRequest) {
        let mut written = WrittenRequest::new(pending, Stage::Parsing, self.output.end());
        self.write_parse(&mut written);
        if written.statement.is_some() || !matches!(written.pending.task, Task::Query { .. }) {
            self.output.sync();
            written.is_synced = true;
        } else {
            // A Sync would let a pooler give the server, with the unnamed statement, to somebody else.
            self.output.flush();
            written.is_flushed = true;
        }
        written.end = self.output.end();
        self.push_written(written);
    }

    fn write_parse(&mut self, written: &mut WrittenRequest) {
        let Some(query) = written.pending.query().map(Rc::clone) else { return };
        let name = self.statements.is_for(&query).then(|| self.statements.begin(&query));
        self.write_closes(written, name.as_ref());
        let known = written.pending.bind.as_ref().filter(|_| written.is_whole);
        let parameters = known.map_or(&[][..], |bind| &bind.description.parameters);
        self.output.parse_and_describe(name.as_deref().unwrap_or(""), &query.text, parameters);
        written.description = known.map(|bind| Rc::clone(&bind.description));
        written.statement = name;
    }

    /// Bind, Execute, Sync.
    fn write_run(&mut self, written: &mut WrittenRequest) {
        let (Task::Query { max_rows, .. }, Some(description)) = (&written.pending.task, &written.description) else {
            return;
        };
        let (max_rows, description) = (*max_rows, Rc::clone(description));
        if !written.is_whole {
            let name = written.statement.clone();
            self.write_closes(written, name.as_ref());
        }
        let name = written.statement.as_deref().unwrap_or("");
        let Some(bind) = &written.pending.bind else { return };
        self.output.bind_and_execute(name, &bind.parameters, &description.codes, max_rows);
        self.output.sync();
        if bind.parameters.len() > self.options.resend_bytes {
            written.pending.bind = None;
        }
        written.is_synced = true;
        written.end = self.output.end();
    }

    /// The head was cold, and its parameters are here now.
    pub(super) fn write_awaited_bind(&mut self) {
        let is_due = self.cancel.is_none()
            && self
                .written
                .front()
                .is_some_and(|head| head.stage == Stage::AwaitingBind && head.pending.bind.is_some());
        if is_due && let Some(mut head) = self.written.pop_front() {
            // It was written after any cancel's end of file.
            head.is_exposed = false;
            head.stage = Stage::Binding;
            if !head.is_flushed {
                head.start = self.output.end();
            }
            self.write_run(&mut head);
            self.written.push_front(head);
        }
    }

    fn write_script(&mut self, pending: PendingRequest) {
        let mut written = WrittenRequest::new(pending, Stage::Script, self.output.end());
        if let Task::Script { text, .. } = &mut written.pending.task {
            self.output.query(text);
            *text = Box::default();
        }
        written.is_synced = true;
        written.end = self.output.end();
        self.push_written(written);
    }

    fn answer_prepare(&mut self, pending: &PendingRequest, description: Rc<Description>, sink: &mut impl Sink) {
        let Some(request) = pending.id else { return };
        let transaction_status = self.transaction_status;
        sink.event(Event::Described { request, description, needs_bind: false });
        let tag = CommandTag::other("PREPARE");
        sink.event(Event::Completed { request, tag, is_suspended: false, transaction_status });
    }

    /// Closes evicted statements in front of the next messages; not the one that they are about to use.
    pub(super) fn write_closes(&mut self, written: &mut WrittenRequest, used: Option<&Rc<str>>) {
        for name in self.statements.take_unwanted(used) {
            self.output.close_statement(&name);
            written.closes += 1;
        }
    }

    pub(super) fn push_written(&mut self, written: WrittenRequest) {
        if self.written.is_empty() {
            self.head_sequence += 1;
        }
        self.written.push_back(written);
    }

    pub(super) fn fail_unwritten(&self, pending: &PendingRequest, failure: Failure, sink: &mut impl Sink) {
        if let Some(request) = pending.id {
            sink.event(Event::Failed { request, failure, transaction_status: self.transaction_status });
        }
    }
}

/// Asks a request's caller for its parameters.
pub(super) fn ask(pending: &mut PendingRequest, description: Rc<Description>, sink: &mut impl Sink) {
    pending.bind = None;
    pending.is_asked = true;
    pending.told = Some(Rc::clone(&description));
    if let Some(request) = pending.id {
        sink.event(Event::Described { request, description, needs_bind: true });
    }
}

/// Tells a request's caller how its rows will look.
pub(super) fn tell(pending: &mut PendingRequest, description: &Rc<Description>, sink: &mut impl Sink) {
    pending.told = Some(Rc::clone(description));
    if let Some(request) = pending.id {
        sink.event(Event::Described { request, description: Rc::clone(description), needs_bind: false });
    }
}

/// Why a request cannot be written at all.
fn refusal(pending: &PendingRequest) -> Option<Failure> {
    let (text, has_nul) = match &pending.task {
        Task::LookUp(_) => return None,
        Task::Script { text, .. } => (text, text.contains('\0')),
        Task::Query { query, .. } | Task::Prepare { query } | Task::Batch { query, .. } => {
            (&query.text, query.traits.has_nul)
        }
    };
    if has_nul {
        return Some(Failure::interface("the query text contains a NUL byte, which PostgreSQL cannot take"));
    }
    if text.len() > LONGEST || pending.bind.as_ref().is_some_and(|bind| bind.parameters.len() > LONGEST) {
        return Some(too_long());
    }
    match &pending.task {
        Task::Batch { query, .. } if query.traits.is_copy => {
            Some(Failure::interface("COPY cannot run with many parameter rows: use the copy methods"))
        }
        _ => None,
    }
}

pub(super) fn too_long() -> Failure {
    let text = format!(
        "the query text or its parameters are longer than PostgreSQL takes in one message (1 GiB; here at most \
         {LONGEST} bytes)"
    );
    Failure::interface(text)
}
