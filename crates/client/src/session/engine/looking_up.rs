//! Looking types up before what needs them goes on.
//!
//! A statement whose types are not known waits while one query asks for all of them and their parts; then it is taken
//! up again from the front of the queue. Rows with values of unknown types, or of types that have changed since, are
//! kept until their request is over, and delivered after the look-up. Either way nothing fails, and nobody overtakes.

use crate::session::Session;
use crate::session::event::{Event, Sink};
use crate::session::failure::{Failure, FailureKind};
use crate::session::kinds::{RequestKind, Task};
use crate::session::pending::{Pending, Then, Written};
use crate::session::preparation::Unresolved;
use crate::session::rows::{Delivered, MOST_ROUNDS, changing};

impl Session {
    /// A request, which was described and is taken off the pipeline, waits for its types.
    pub(in crate::session) fn look_up_statement(
        &mut self,
        mut pending: Pending,
        unresolved: Unresolved,
        sink: &mut impl Sink,
    ) {
        pending.look_ups += 1;
        if pending.look_ups > MOST_ROUNDS {
            return self.fail_unwritten(&pending, changing().unsent(), sink);
        }
        let (id, type_oids, is_renewal) = (pending.id, unresolved.missing.clone(), unresolved.is_renewal);
        let then = Then::Bind { pending: Box::new(pending), unresolved };
        self.put_first(Pending::look_up(id, type_oids, is_renewal, then));
    }

    /// Puts a request that was taken off the pipeline in front of those that wait, but for rows that wait for their types:
    /// their requests were before it.
    pub(in crate::session) fn put_first(&mut self, pending: Pending) {
        let mut earlier = Vec::new();
        while self.waiting.front().is_some_and(Pending::is_executed) {
            earlier.extend(self.waiting.pop_front());
        }
        self.waiting.push_front(pending);
        for look_up in earlier.into_iter().rev() {
            self.waiting.push_front(look_up);
        }
    }

    /// The rows of a request that has just ended wait for their types.
    pub(in crate::session) fn look_up_rows(&mut self, written: Written) {
        let look_up = self.look_up_for(written);
        self.put_first(look_up);
    }

    fn look_up_for(&self, mut written: Written) -> Pending {
        let mut type_oids = Vec::new();
        if let Some((rows, description)) = written.pending.task.rows() {
            let wanted = rows.take_wanted();
            type_oids = wanted.type_oids;
            if wanted.is_outdated {
                self.shared.catalog.invalidate();
                self.shared.catalog.schema().note_change();
                type_oids.extend(description.iter().flat_map(|known| known.tree_oids()));
            }
        }
        let then = Then::Deliver(Box::new(written));
        let id = match &then {
            Then::Deliver(written) => written.pending.id,
            Then::Bind { pending, .. } => pending.id,
        };
        Pending::look_up(id, type_oids, false, then)
    }

    /// The types are known: what waited for them goes on, unless its caller has left.
    pub(in crate::session) fn after_look_up(&mut self, pending: Pending, sink: &mut impl Sink) {
        let Pending { id: id @ Some(_), task: Task::LookUp(look_up), then: Some(then), .. } = pending else { return };
        let catalog = &self.shared.catalog;
        look_up.teach(catalog);
        match *then {
            Then::Bind { pending: mut waiting, unresolved: Unresolved { mut parameters, mut columns, .. } } => {
                waiting.id = id;
                let is_resolved = catalog.resolve(&mut parameters, &mut columns).is_ok();
                if let Some(query) = waiting.task.query().filter(|_| is_resolved) {
                    query.learn(parameters, columns, catalog);
                }
                waiting.task.resume(is_resolved);
                self.waiting.push_front(*waiting);
            }
            Then::Deliver(mut written) => {
                written.pending.id = id;
                let part = written.pending.task.part_of_row();
                if let (Some(request), Some(description)) = (id, written.pending.task.renew(catalog)) {
                    if let Some(number) = written.pending.task.portal() {
                        self.shared.portals.describe(number, &description);
                    }
                    sink.event(Event::Described { request, part, description, needs_bind: false });
                }
                self.backlog = Some(written);
                self.deliver_backlog(sink);
            }
        }
    }

    /// Whether rows wait here that no message will bring again.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        self.backlog.is_some()
    }

    /// Offers the rows that waited for their types. False when the sink is full.
    pub(in crate::session) fn deliver_backlog(&mut self, sink: &mut impl Sink) -> bool {
        let Some(mut written) = self.backlog.take() else { return true };
        let id = written.pending.id;
        let (Some(request), Some((rows, Some(description)))) = (id, written.pending.task.rows()) else { return true };
        match rows.deliver_parked(request, description, &self.shared.catalog, sink) {
            Delivered::All => self.settle(*written, sink),
            Delivered::Unknown => {
                let look_up = self.look_up_for(*written);
                self.waiting.push_front(look_up);
            }
            Delivered::Full => {
                self.backlog = Some(written);
                return false;
            }
        }
        true
    }
}

/// What is said of a request that was executed, when the look-up for its rows has failed.
pub(in crate::session) fn rows_without_types(failure: &mut Failure) {
    if failure.kind == FailureKind::Server {
        // The statement itself went well.
        failure.kind = FailureKind::OutdatedSchema;
    }
    failure.is_safe_to_retry = false;
    let reason = std::mem::take(&mut failure.message);
    failure.message =
        format!("the types of the result's values could not be looked up, and the statement was executed: {reason}");
}
