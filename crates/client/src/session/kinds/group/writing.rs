//! Writing a group: its front, what is cold, and its parts with their parameters.

use std::rc::Rc;

use super::super::request_kind::{AtReady, Begun, Leaving};
use super::{GroupTask, Part, Stage};
use crate::session::course::Turn;
use crate::session::event::Sink;
use crate::session::failure::Failure;
use crate::session::preparation::Preparation;
use crate::session::query::Bind;
use crate::session::shared::Shared;
use crate::session::statements::Lookup;

impl GroupTask {
    /// Writes what can be written first, asks for parameters that are missing, or waits.
    pub(super) fn write_first<S: Sink>(&mut self, is_first: bool, turn: &mut Turn<'_, S>) -> Begun {
        if self.parts.is_empty() {
            return self.write_alone(turn);
        }
        if self.is_asked() {
            return Begun::Waits;
        }
        let mut is_cold = false;
        // Names mean something else behind it: what is known of statements does not hold.
        let is_elsewhere = self.front.changes().is_any();
        for at in 0..self.parts.len() {
            let known = if is_elsewhere { Lookup::Absent } else { self.parts[at].look_up(turn.shared) };
            match known {
                Lookup::Pending => return self.wait(),
                Lookup::Ready { name, description } => {
                    self.parts[at].is_warm = true;
                    self.parts[at].preparation = Preparation::ready(name, description);
                }
                // As of a single query.
                Lookup::Absent if !is_first && !turn.shared.statements.is_for(&self.parts[at].query) => {
                    return self.wait();
                }
                Lookup::Absent => is_cold = true,
            }
        }
        if is_cold {
            self.write_cold(turn);
            return Begun::Written;
        }
        if self.ask_for_missing(turn) {
            return self.wait();
        }
        self.tell_single(turn);
        self.write_run(turn);
        Begun::Written
    }

    /// It will be looked up again when its turn comes once more.
    fn wait(&mut self) -> Begun {
        for part in &mut self.parts {
            part.is_warm = false;
            part.preparation = Preparation::default();
        }
        Begun::Waits
    }

    /// What opens a transaction, with nothing behind it in its Sync group.
    fn write_alone<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Begun {
        self.stage = Stage::Running;
        if turn.shared.is_simple() {
            self.front.write_simple(&mut turn.shared.output);
            turn.course.is_synced = true;
            turn.course.end = turn.shared.output.end();
        } else {
            self.write_front(turn);
            turn.course.sync(&mut turn.shared.output);
        }
        Begun::Written
    }

    /// Closes what is closed, and writes the front. The names of all statements that follow are known.
    fn write_front<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.front.choose(turn.shared);
        let names = self.parts.iter().filter_map(|part| part.preparation.name.as_ref());
        let used: Vec<Rc<str>> = names.chain(self.front.names()).map(Rc::clone).collect();
        turn.course.write_closes_but(turn.shared, &used);
        self.front.write(turn.shared);
    }

    /// Parse and Describe of what the connection does not know, each text once.
    fn write_cold<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        if let Some(id) = turn.id {
            turn.sink.prepares(id);
        }
        self.stage = Stage::Preparing;
        self.at = 0;
        let mut has_unnamed = false;
        for at in 0..self.parts.len() {
            if self.parts[at].is_warm {
                continue;
            }
            let (before, rest) = self.parts.split_at_mut(at);
            let Some(part) = rest.first_mut() else { continue };
            part.same_as = before.iter().position(|known| !known.is_warm && Rc::ptr_eq(&known.query, &part.query));
            if let Some(same) = part.same_as {
                before[same].is_renewal_wanted |= part.is_renewal_wanted;
            } else {
                part.preparation = Preparation::named(&part.query, turn.shared);
                has_unnamed |= part.preparation.name.is_none();
            }
        }
        self.write_front(turn);
        for part in self.parts.iter_mut().filter(|part| !part.is_warm && part.same_as.is_none()) {
            part.preparation.send(&part.query, turn.shared);
        }
        if has_unnamed {
            // A Sync would let a pooler give the server to somebody else.
            turn.shared.output.flush();
            self.is_flushed = true;
            turn.course.end = turn.shared.output.end();
        } else {
            turn.course.sync(&mut turn.shared.output);
        }
    }

    /// ReadyForQuery after Parse and Describe.
    pub(super) fn after_preparation<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> AtReady {
        let mut first = None;
        for (at, part) in self.parts.iter_mut().enumerate() {
            let Some(unresolved) = part.preparation.take_unresolved() else { continue };
            match &mut first {
                None => first = Some((at, unresolved)),
                // One query asks for all of them.
                Some((_, first)) => {
                    first.missing.extend(unresolved.missing);
                    first.is_renewal |= unresolved.is_renewal;
                }
            }
        }
        if let Some((at, unresolved)) = first {
            self.at = at;
            return AtReady::LooksUp(unresolved);
        }
        if self.has_lost_a_name(turn.shared) {
            return AtReady::Restarts;
        }
        turn.course.is_synced = false;
        self.choose_parameters(turn);
        AtReady::Stays
    }

    /// All are described: their parameters are at hand and fit, or the caller is asked for them.
    pub(super) fn choose_parameters<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.stage = Stage::AwaitingBinds;
        for at in 0..self.parts.len() {
            let Some(same) = self.parts[at].same_as else { continue };
            let known = &self.parts[same].preparation;
            let (name, description) = (known.name.clone(), known.description.clone());
            self.parts[at].preparation.name = name;
            self.parts[at].preparation.description = description;
            self.parts[at].is_cold_wanted = false;
        }
        if turn.id.is_none() {
            self.release(turn);
        } else if !self.ask_for_missing(turn) {
            self.tell_single(turn);
        }
    }

    /// Asks for parameters that are missing, or went by other types. False when there are none.
    fn ask_for_missing<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> bool {
        let mut has_asked = false;
        for (at, part) in (0_u32..).zip(&mut self.parts) {
            if let Some(description) = part.preparation.description.clone().filter(|_| !part.is_bound()) {
                part.ask(at, description, turn);
                has_asked = true;
            }
        }
        has_asked
    }

    fn tell_single<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        if let [part] = &mut self.parts[..] {
            part.tell(0, true, turn);
        }
    }

    /// Parameters were asked for and have not come.
    pub(in crate::session) fn is_asked(&self) -> bool {
        self.parts.iter().any(|part| part.is_asked)
    }

    /// Takes parameters that were asked for, in the order of the parts, or says why not.
    pub(in crate::session) fn take_bind(&mut self, bind: Bind) -> Result<(), Failure> {
        match self.parts.iter_mut().find(|part| part.is_asked) {
            Some(part) => part.take_bind(bind),
            None => Ok(()),
        }
    }

    /// It was cold, and all parameters are here.
    pub(in crate::session) fn is_ready_to_bind(&self) -> bool {
        self.stage == Stage::AwaitingBinds && self.parts.iter().all(Part::is_bound)
    }

    /// One of its statements has a name that is not used any more.
    pub(in crate::session) fn has_lost_a_name(&self, shared: &Shared) -> bool {
        let has_lost = |part: &Part| part.preparation.name.is_some() && !shared.statements.is_for(&part.query);
        !self.is_flushed && self.parts.iter().any(has_lost)
    }

    /// Writes the parameters that were awaited.
    pub(in crate::session) fn write_binds<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        turn.course.run_start = turn.shared.output.end();
        if !self.is_flushed {
            turn.course.start = turn.shared.output.end();
        }
        self.write_run(turn);
    }

    /// Bind and Execute of each, Sync; behind the front, unless that is in the same Sync group already.
    fn write_run<S: Sink>(&mut self, turn: &mut Turn<'_, S>) {
        self.stage = Stage::Running;
        self.at = 0;
        if !self.is_flushed {
            self.write_front(turn);
        }
        // The unnamed statement is that which was parsed last.
        let is_parsed = self.is_flushed && self.is_single();
        for part in &mut self.parts {
            part.write(is_parsed, turn.shared);
        }
        turn.course.sync(&mut turn.shared.output);
    }

    /// The parameters that are awaited will not come.
    pub(super) fn release<S: Sink>(&mut self, turn: &mut Turn<'_, S>) -> Leaving {
        if !self.is_flushed {
            return Leaving::Goes;
        }
        turn.course.sync(&mut turn.shared.output);
        self.stage = Stage::Over;
        Leaving::Stays
    }

    /// The part whose answers come, or came last.
    pub(super) fn due_part(&self) -> usize {
        let under_way = self.parts.iter().position(|part| part.preparation.is_under_way());
        under_way.unwrap_or_else(|| self.at.min(self.parts.len().saturating_sub(1)))
    }
}
