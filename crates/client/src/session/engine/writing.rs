//! Taking requests in, and writing them when their turn comes.

use oxpg_codec::failpoint;

use crate::session::Session;
use crate::session::course::Course;
use crate::session::event::{Event, Sink};
use crate::session::failure::Failure;
use crate::session::kinds::{Begun, IdentifyTask, RequestKind, Task};
use crate::session::pending::{Pending, Written};
use crate::session::query::Bind;
use crate::session::request::{Request, RequestId};

impl Session {
    /// Takes a request in, and writes it if its turn has come.
    pub fn submit(&mut self, request: Request, sink: &mut impl Sink) {
        failpoint::pass("session.submit");
        // As a rule it goes out at once, and to be moved from place to place costs as much as to be written.
        let mut written = Written {
            pending: Pending::new(Some(request.id), Task::of(request.work, &self.shared)),
            course: Course::new(self.shared.output.end()),
        };
        let pending = &mut written.pending;
        let refusal = if self.is_over || self.is_closing {
            Some(Failure::closed())
        } else if let Some(failure) = &self.refused {
            Some(failure.clone())
        } else {
            pending.task.refusal().or_else(|| pending.task.refusal_of(&self.shared))
        };
        if let Some(failure) = refusal {
            return self.fail_unwritten(pending, failure, sink);
        }
        if let Task::Query(query) = &mut pending.task {
            query.ask_early(pending.id, &mut self.shared, sink);
            if query.has_to_be_asked() {
                self.unasked.note(query, request.id);
            }
        }
        self.identify_first();
        let is_opening = matches!(&pending.task, Task::Group(group) if group.is_opening());
        if self.waiting.is_empty() && !is_opening && self.may_write() {
            self.write_at_once(written, sink);
        } else {
            self.waiting.push_back(written.pending);
        }
        self.pump(sink);
    }

    /// In front of the first request the server is asked who it is.
    fn identify_first(&mut self) {
        let is_idle = self.in_flight() == 0 && self.shared.transaction_status == b'I';
        if is_idle && self.shared.take_question() {
            self.waiting.push_back(Pending::new(None, Task::Identify(IdentifyTask::default())));
        }
    }

    /// Gives the parameters that `Described { needs_bind: true }` asked for.
    pub fn bind(&mut self, request: RequestId, bind: Bind, sink: &mut impl Sink) {
        let pending = if let Some(number) = self.waiting.find(request) {
            self.waiting.get_mut(number)
        } else {
            self.written.front_mut().map(|head| &mut head.pending).filter(|pending| pending.id == Some(request))
        };
        let taken = match pending {
            Some(Pending { task: Task::Query(query), .. }) if query.is_asked() => query.take_bind(bind),
            Some(Pending { task: Task::Group(group), .. }) if group.is_asked() => group.take_bind(bind),
            _ => return,
        };
        if let Err(failure) = taken {
            let transaction_status = self.shared.transaction_status;
            self.refuse_bind(request, sink);
            return sink.event(Event::Failed { request, failure, transaction_status });
        }
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
        self.serve_head(sink);
        while !self.waiting.is_empty() && self.may_write() && self.write_next(sink) {}
        if self.waiting.is_empty() {
            self.unasked.clear();
        }
        self.close_if_idle(sink);
    }

    fn may_write(&self) -> bool {
        let is_free = |last: &Written| {
            // What the transaction has changed may be taken back by its end.
            let may_change = self.shared.has_changed() && last.pending.task.may_end_transaction();
            !may_change && !last.blocks_followers()
        };
        !self.is_over && self.cancels.allow_writing() && self.written.back().is_none_or(is_free)
    }

    /// What only the head waits for: parameters that have come, or room for more rows of a batch.
    fn serve_head(&mut self, sink: &mut impl Sink) {
        let Some(head) = self.written.front_mut() else { return };
        match head.turn(&mut self.shared, sink) {
            (Task::Query(query), mut turn) if !self.cancels.is_under_way() && query.is_ready_to_bind() => {
                if query.has_lost_its_name(turn.shared) {
                    self.restart_head();
                } else {
                    query.write_bind(&mut turn);
                }
            }
            (Task::Group(group), mut turn) if !self.cancels.is_under_way() && group.is_ready_to_bind() => {
                if group.has_lost_a_name(turn.shared) {
                    self.restart_head();
                } else {
                    group.write_binds(&mut turn);
                }
            }
            (Task::Batch(batch), mut turn) => batch.tell_drained(&mut turn),
            _ => {}
        }
    }

    /// Writes (or settles, or asks for) the first waiting request. False when it has to wait.
    fn write_next(&mut self, sink: &mut impl Sink) -> bool {
        match self.waiting.front() {
            Some(Pending { task: Task::Group(group), .. }) if group.is_opening() => self.write_opening(sink),
            _ => self.write_first(sink),
        }
    }

    /// The same of one that opens nothing, or does so alone.
    pub(in crate::session) fn write_first(&mut self, sink: &mut impl Sink) -> bool {
        let is_first = self.written.is_empty();
        let Some(front) = self.waiting.front_mut() else { return false };
        let mut course = Course::new(self.shared.output.end());
        let (task, mut turn) = front.turn(&mut course, &mut self.shared, sink);
        let begun = task.begin(is_first, &mut turn);
        if let Begun::Waits = begun {
            return false;
        }
        if let Some(pending) = self.waiting.pop_front() {
            self.go_on_with(Written { pending, course }, begun, sink);
        }
        true
    }

    /// The same of one that nothing waits in front of, and that is no opening: it waits from here on, if it has to.
    fn write_at_once(&mut self, mut written: Written, sink: &mut impl Sink) {
        let is_first = self.written.is_empty();
        let (task, mut turn) = written.turn(&mut self.shared, sink);
        match task.begin(is_first, &mut turn) {
            Begun::Waits => self.waiting.push_back(written.pending),
            begun => self.go_on_with(written, begun, sink),
        }
    }

    fn go_on_with(&mut self, written: Written, begun: Begun, sink: &mut impl Sink) {
        match begun {
            Begun::Waits | Begun::Answered => {}
            Begun::Written => self.push_written(written),
            Begun::Gathers => {
                self.push_written(written);
                self.gather(sink);
            }
            Begun::NotNeeded => self.after_look_up(written.pending, sink),
        }
    }

    fn push_written(&mut self, mut written: Written) {
        let task = &written.pending.task;
        // The end of a transaction makes true for others what it has changed.
        if task.changes().schema || (self.shared.has_changed_schema() && task.may_end_transaction()) {
            written.course.change = Some(self.shared.catalog.schema().begin_change());
        }
        if self.written.is_empty() {
            self.head_sequence += 1;
        }
        self.written.push_back(written);
    }

    pub(in crate::session) fn fail_unwritten(&self, pending: &Pending, failure: Failure, sink: &mut impl Sink) {
        if let Some(request) = pending.id {
            sink.event(Event::Failed { request, failure, transaction_status: self.shared.transaction_status });
        }
    }
}
