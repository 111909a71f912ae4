//! Carrying out what the outbox holds.

mod groups;

pub(crate) use groups::Gathered;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use oxpg_client::pool::LEFTOVER_LIMIT;
use oxpg_client::reset;
use oxpg_client::session::{Bind, Description, PortalStep, PortalUse, Query, ResultForm, ResultOptions, Work};
use oxpg_codec::boundary::{PARAMETER_CELL_BYTES, POOL_BIT, cell_tag, flag, form, opcode};
use oxpg_codec::failpoint;
use oxpg_codec::parameters::{EncodeError, encode_parameters};

use crate::environment::Environment;
use crate::failure::FailureData;
use crate::outbox::{Command, Letters};
use crate::reactor::Reactor;
use crate::requests::Place;

impl Environment {
    /// Carries out all commands of a flush, then writes each dirty socket once.
    ///
    /// `extras` are the long texts and byte strings, by their index in the outbox's extras.
    pub(crate) fn carry_out(&mut self, letters: Letters<'_>, extras: &[Vec<u8>]) {
        let now_ms = self.now_ms();
        self.schema.set_time(now_ms);
        // JavaScript may have kept the loop: what a pool would say of whoever waits for it comes after what has come.
        if self.reactor.armed_at_ms() <= now_ms && catch_unwind(AssertUnwindSafe(|| self.read_overdue(now_ms))).is_err()
        {
            // The commands concern others.
            self.recover();
        }
        let text = letters.text;
        for command in letters.commands {
            let parcel = Parcel { command, text, extras, now_ms };
            if catch_unwind(AssertUnwindSafe(|| self.carry_out_one(&parcel))).is_err() {
                // The commands behind it concern others.
                self.recover();
                self.fail_panicked(command.slot, command.slot != 0 && begins_request(command.opcode));
            }
        }
        self.settle();
    }

    fn carry_out_one(&mut self, parcel: &Parcel<'_>) {
        self.pools.touched = None;
        failpoint::pass("node.command");
        let command = parcel.command;
        match command.opcode {
            opcode::QUERY => self.query(parcel),
            opcode::BIND => self.bind(parcel),
            opcode::SCRIPT => self.script(parcel),
            opcode::PREPARE => self.prepare(parcel),
            opcode::BATCH => self.batch(parcel),
            opcode::BATCH_ROW => self.batch_row(parcel),
            opcode::BATCH_CHUNK | opcode::BATCH_END | opcode::BATCH_ABORT => self.batch_step(parcel),
            opcode::ABANDON => self.abandon(command.slot),
            opcode::ACQUIRE => self.acquire(command.target, command.slot, command.timeout_ms, parcel.now_ms),
            opcode::RELEASE => self.release(command.target, command.slot, command.query != 0),
            opcode::CLOSE => self.close(command.target, command.slot, command.timeout_ms, parcel.now_ms),
            opcode::TERMINATE => self.terminate_target(command.target),
            opcode::REFUSE => self.refuse(command.slot),
            opcode::RESET => self.reset_session(parcel),
            opcode::SETTLE => self.await_leftovers(parcel),
            opcode::HURRY => self.hurry(command.slot),
            opcode::EXPIRE => self.expire_by_caller(command.slot),
            opcode::PORTAL_FETCH => self.portal_step(parcel, PortalStep::Fetch { max_rows: command.max_rows }),
            opcode::PORTAL_MOVE => self.portal_step(parcel, PortalStep::Move { count: command.max_rows }),
            opcode::PORTAL_CLOSE => {
                self.drive(command.target, |connection, _| connection.session.close_portal(command.query));
            }
            opcode::ALLOW => self.allow(&command),
            opcode::LIMIT => self.limit(&command),
            opcode::OBSERVE => self.observe(command.slot),
            opcode::GROUP => self.group(parcel),
            opcode::MEMBER => self.member(parcel),
            opcode::OPENING => self.opening(parcel),
            opcode::GO_ON => {
                self.drive(command.target, |connection, _| connection.session.go_on());
            }
            // The two sides of one package agree; an unknown opcode cannot be answered.
            _ => {}
        }
    }

    fn abandon(&mut self, slot: u32) {
        if self.leave(slot) {
            self.fail(slot, FailureData::canceled());
        }
    }

    fn hurry(&mut self, slot: u32) {
        if let Some(Place::Connection(connection)) = self.calls.requests.get(slot).map(|state| state.place) {
            self.drive(connection, |connection, _| connection.session.hurry(slot));
            self.guard(connection);
        }
    }

    /// Which connection serves a request of a pool is told from here on.
    fn observe(&mut self, slot: u32) {
        let Some(state) = self.calls.requests.get_mut(slot) else { return };
        state.is_observed = true;
        // The pool had one for it at once.
        if let Place::Connection(connection) = state.place {
            self.mailbox.push_served(slot, connection);
        }
    }

    fn query(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, target, query, max_rows, timeout_ms, description, count, flags, form, .. } = parcel.command;
        self.begin(slot, Place::Connection(target), timeout_ms, parcel.now_ms);
        let Some(query) = self.defined(slot, query) else { return };
        let is_fresh = flags & flag::FRESH != 0;
        let known = query.description().filter(|known| known.id == description);
        let bind = match known.map(|known| self.encode(parcel, known, count)).transpose() {
            Ok(bind) => bind,
            Err(failure) => return self.fail(slot, *failure),
        };
        let portal = portal_of(flags);
        let result = ResultOptions { max_rows, form: form_of(form), portal, ..ResultOptions::default() };
        self.dispatch(target, slot, Work::Query { query, bind, result, is_fresh }, parcel.now_ms);
    }

    /// The query of a command; its request fails when there is none.
    fn defined(&mut self, slot: u32, query: u32) -> Option<Rc<Query>> {
        let query = self.calls.queries.get(query).map(Rc::clone);
        if query.is_none() {
            self.fail(slot, FailureData::internal("a query that the addon does not know"));
        }
        query
    }

    fn bind(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, count, description: told, .. } = parcel.command;
        let Some((connection, mut description)) = self.awaited_description(slot) else { return };
        if let Some(state) = self.calls.requests.get_mut(slot)
            && let Some(asked) = state.asked.iter().position(|asked| asked.id == told)
        {
            description = state.asked.remove(asked);
        }
        match self.encode(parcel, description, count) {
            Ok(bind) => {
                self.drive(connection, |connection, sink| connection.session.bind(slot, bind, sink));
            }
            Err(failure) => {
                self.drive(connection, |connection, sink| connection.session.refuse_bind(slot, sink));
                self.end_by_failure(slot, connection, *failure);
            }
        }
    }

    /// JavaScript found that the parameters do not fit, and has rejected the call itself.
    fn refuse(&mut self, slot: u32) {
        let Some(Place::Connection(connection)) = self.calls.requests.get(slot).map(|state| state.place) else {
            return;
        };
        self.drive(connection, |connection, sink| connection.session.refuse_bind(slot, sink));
        self.end_by_failure(slot, connection, FailureData::canceled());
    }

    /// Ends a request that its engine has already forgotten.
    fn end_by_failure(&mut self, slot: u32, connection: u32, failure: FailureData) {
        self.calls.errands.extend(self.calls.requests.get(slot).and_then(|state| state.query_over(connection, false)));
        self.fail(slot, failure);
    }

    /// The connection and description of a request that was asked for its parameters.
    fn awaited_description(&self, slot: u32) -> Option<(u32, Rc<Description>)> {
        let state = self.calls.requests.get(slot)?;
        let Place::Connection(connection) = state.place else { return None };
        Some((connection, state.description.clone()?))
    }

    fn script(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, target, timeout_ms, flags, .. } = parcel.command;
        self.begin(slot, Place::Connection(target), timeout_ms, parcel.now_ms);
        match parcel.single_text() {
            Some(text) => {
                let work = Work::Script { text: text.into(), is_control: flags & flag::CONTROL != 0 };
                self.dispatch(target, slot, work, parcel.now_ms);
            }
            None => self.fail(slot, FailureData::internal("a script without text")),
        }
    }

    /// `reset()` of a connection.
    fn reset_session(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, target, timeout_ms, .. } = parcel.command;
        self.begin(slot, Place::Connection(target), timeout_ms, parcel.now_ms);
        self.drive(target, |connection, _| connection.session.go_on());
        match self.connections.get(target).map(|connection| reset::reset(&connection.session)) {
            Some(work) => self.submit(target, slot, work),
            None => self.fail(slot, FailureData::connection_closed()),
        }
    }

    /// A lease is over, and its calls that are still in flight are waited for, as long as the pool has patience.
    fn await_leftovers(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, target, .. } = parcel.command;
        let limit_ms = u32::try_from(LEFTOVER_LIMIT.as_millis()).unwrap_or(u32::MAX);
        self.begin(slot, Place::Connection(target), limit_ms, parcel.now_ms);
        self.submit(target, slot, reset::settlement());
    }

    fn prepare(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, target, query, timeout_ms, .. } = parcel.command;
        self.begin(slot, Place::Connection(target), timeout_ms, parcel.now_ms);
        if let Some(query) = self.defined(slot, query) {
            self.dispatch(target, slot, Work::Prepare { query }, parcel.now_ms);
        }
    }

    /// More of a portal.
    fn portal_step(&mut self, parcel: &Parcel<'_>, step: PortalStep) {
        let Command { slot, target, query: number, timeout_ms, description: told, .. } = parcel.command;
        self.begin(slot, Place::Connection(target), timeout_ms, parcel.now_ms);
        self.dispatch(target, slot, Work::Portal { number, step, told }, parcel.now_ms);
    }

    fn batch(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, target, query, timeout_ms, form, .. } = parcel.command;
        self.begin(slot, Place::Connection(target), timeout_ms, parcel.now_ms);
        if let Some(query) = self.defined(slot, query) {
            let work = Work::Batch { query, form: form_of(form) };
            self.dispatch(target, slot, work, parcel.now_ms);
        }
    }

    fn batch_row(&mut self, parcel: &Parcel<'_>) {
        let Command { slot, count, .. } = parcel.command;
        let Some((connection, description)) = self.awaited_description(slot) else { return };
        match self.encode(parcel, description, count) {
            Ok(bind) => {
                self.drive(connection, |connection, sink| connection.session.batch_row(slot, bind, sink));
            }
            Err(mut failure) => {
                failure.row = Some(parcel.command.query);
                self.refuse_batch(slot, connection, failure);
            }
        }
    }

    /// A row of a batch does not fit: nothing of the batch takes effect, and the caller learns which value it was
    /// once that is certain.
    fn refuse_batch(&mut self, slot: u32, connection: u32, failure: Box<FailureData>) {
        if let Some(state) = self.calls.requests.get_mut(slot)
            && state.refusal.is_none()
        {
            state.refusal = Some(failure);
            self.drive(connection, |connection, sink| connection.session.batch_abort(slot, sink));
        }
    }

    fn batch_step(&mut self, parcel: &Parcel<'_>) {
        let Command { opcode, slot, .. } = parcel.command;
        let Some(state) = self.calls.requests.get(slot) else { return };
        let (Place::Connection(connection), None) = (state.place, &state.refusal) else { return };
        self.drive(connection, |connection, sink| match opcode {
            opcode::BATCH_CHUNK => connection.session.batch_chunk(slot, sink),
            opcode::BATCH_END => connection.session.batch_end(slot, sink),
            _ => connection.session.batch_abort(slot, sink),
        });
    }

    /// Sends work to a connection, or to a pool that chooses one.
    fn dispatch(&mut self, target: u32, slot: u32, work: Work, now_ms: u64) {
        if target & POOL_BIT != 0 {
            match work.misplaced() {
                Some(misplaced) => self.fail(slot, FailureData::misplaced(misplaced)),
                None => self.dispatch_to_pool(target, slot, work, now_ms),
            }
        } else {
            self.look_first(target, now_ms);
            self.submit(target, slot, work);
        }
    }

    fn encode(
        &mut self,
        parcel: &Parcel<'_>,
        description: Rc<Description>,
        count: u32,
    ) -> Result<Bind, Box<FailureData>> {
        let types = &description.parameters;
        if types.len() != count as usize {
            return Err(Box::new(FailureData::parameter_count(types.len(), count as usize)));
        }
        let mut parameters = Vec::with_capacity(16 + types.len() * 16);
        encode_parameters(types, parcel.command.cells, parcel.text, parcel.extras, &mut parameters)
            .map_err(|error: EncodeError| Box::new(FailureData::data(&error)))?;
        Ok(Bind { description, parameters })
    }
}

/// A command with what its cells refer to.
struct Parcel<'a> {
    command: Command<'a>,
    text: &'a [u8],
    extras: &'a [Vec<u8>],
    now_ms: u64,
}

impl Parcel<'_> {
    /// The text of a command whose only cell is one, TEXT or TEXT_EXTRA.
    fn single_text(&self) -> Option<&str> {
        let cell = self.command.cells.get(..PARAMETER_CELL_BYTES)?;
        let word = |at: usize| cell.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let (start, length) = (word(8)? as usize, word(12)? as usize);
        let bytes = match word(0)?.cast_signed() {
            cell_tag::TEXT => self.text.get(start..start.checked_add(length)?)?,
            cell_tag::TEXT_EXTRA => self.extras.get(start)?,
            _ => return None,
        };
        std::str::from_utf8(bytes).ok()
    }
}

/// Whether a command makes its request known.
fn begins_request(opcode: u32) -> bool {
    !matches!(
        opcode,
        opcode::BIND
            | opcode::BATCH_ROW
            | opcode::MEMBER
            | opcode::GO_ON
            | opcode::BATCH_CHUNK
            | opcode::BATCH_END
            | opcode::BATCH_ABORT
            | opcode::ABANDON
            | opcode::EXPIRE
            | opcode::OBSERVE
            | opcode::REFUSE
            | opcode::HURRY
            | opcode::TERMINATE
            | opcode::PORTAL_CLOSE
            | opcode::ALLOW
            | opcode::LIMIT
    )
}

/// What a query is bound to: the number of a portal is above the flags.
fn portal_of(flags: u32) -> PortalUse {
    let number = flags >> 8;
    if flags & flag::OPEN != 0 {
        PortalUse::Opened { number }
    } else if flags & flag::PORTAL != 0 {
        PortalUse::Executed { number }
    } else {
        PortalUse::Unnamed
    }
}

/// What becomes of a result's rows.
fn form_of(form: u32) -> ResultForm {
    if form == form::COUNT { ResultForm::Count } else { ResultForm::Rows }
}

/// Kept beside [`Query`] so that a forgotten query closes its statements.
pub(crate) fn forget_query(environment: &mut Environment, id: u32) {
    let Some(query): Option<Rc<Query>> = environment.calls.queries.remove(id) else { return };
    for connection in environment.connections.ids() {
        environment.drive(connection, |connection, _| connection.session.close_statement(&query));
    }
    environment.settle();
}
