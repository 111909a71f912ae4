//! The connections of a pool, and where each may be found.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::action::{Action, CloseReason, ConnectionId, NotLeased};
use super::connection::{Connection, State};
use super::in_flight::{Arrival, Ticket};
use super::recency::Recency;
use super::service::{Services, Statement};
use super::shares::Shares;
use crate::id_map::IdMap;

/// All open connections. Each is in at most one of `idle` and `shared`.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<Option<Connection>>,
    free: Vec<usize>,
    by_id: IdMap<usize>,
    idle: Recency,
    shared: Shares,
    /// Of the shared ones, the one whose queries have been answered since its place among them was last changed: a read brings
    /// many answers at once.
    answered: Option<usize>,
    pub(super) services: Services,
    /// When a session was last given to be cleaned.
    reset_at: Duration,
    lifetimes: BTreeSet<(Duration, usize)>,
    /// Slots that were told to drain; some may have done so since.
    drained: Vec<usize>,
    draining: usize,
    resetting: usize,
    /// Connections with a close or a reset to be told to the driver.
    chores: VecDeque<ConnectionId>,
    max_queries: u64,
}

impl Connections {
    pub(super) fn new(max_queries: u64) -> Self {
        Self { max_queries: if max_queries == 0 { u64::MAX } else { max_queries }, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) const fn idle_len(&self) -> usize {
        self.idle.len()
    }

    /// Connections that will be free as soon as their session is clean, and since when at least one is being cleaned.
    pub(super) const fn resetting(&self) -> (usize, Duration) {
        (self.resetting, self.reset_at)
    }

    pub(super) const fn draining(&self) -> usize {
        self.draining
    }

    pub(super) fn knows(&self, id: ConnectionId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// A fresh connection, idle.
    pub(super) fn add(&mut self, id: ConnectionId, now: Duration, connecting: Duration, expires_at: Option<Duration>) {
        let connection = Connection::new(id, now, connecting, expires_at);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = Some(connection);
                slot
            }
            None => {
                self.slots.push(Some(connection));
                self.slots.len() - 1
            }
        };
        self.by_id.insert(id, slot);
        if let Some(expires_at) = expires_at {
            self.lifetimes.insert((expires_at, slot));
        }
        self.idle.push(slot);
    }

    /// Forgets a connection; false when it is not known.
    pub(super) fn remove(&mut self, id: ConnectionId) -> bool {
        let Some(slot) = self.by_id.remove(&id) else { return false };
        self.stop_offering(slot);
        self.set_draining(slot, false);
        self.set_state(slot, State::Idle);
        if let Some(expires_at) = self.slots[slot].take().and_then(|connection| connection.expires_at) {
            self.lifetimes.remove(&(expires_at, slot));
        }
        self.free.push(slot);
        true
    }

    /// The idle connection that was used last.
    pub(super) fn newest_idle(&self) -> Option<ConnectionId> {
        self.idle.newest().and_then(|slot| self.at(slot)).map(|connection| connection.id)
    }

    /// The idle connection that was not used for longest, and since when.
    pub(super) fn oldest_idle(&self) -> Option<(ConnectionId, Duration)> {
        self.idle.oldest().and_then(|slot| self.at(slot)).map(|connection| (connection.id, connection.idle_since))
    }

    /// The connection behind whose queries another one will be answered first, or nearly so, as far as the driver has looked
    /// at them by `looked_at`; with how many those are. `None` when it is better to wait for what becomes ready (rule 9).
    ///
    /// Looks at each head once after it has outlived its estimate, so this is O(log n) amortized.
    pub(super) fn readiest(&mut self, looked_at: Duration) -> Option<(ConnectionId, usize)> {
        self.settle_answered();
        loop {
            let slot = self.shared.readiest()?;
            let connection = self.slots.get_mut(slot)?.as_mut()?;
            if !connection.in_flight.has_outlived_estimate(looked_at, &self.services) {
                return Some((connection.id, connection.in_flight.len()));
            }
            connection.is_head_late = true;
            self.load_changed(slot);
        }
    }

    /// How many connections a quick query may go to at once.
    pub(super) fn ready(&self) -> usize {
        let is_known = |slot: &usize| self.shared.has_room(*slot);
        let is_so = |slot: usize| self.at(slot).is_some_and(|connection| self.has_room(connection));
        let with_room = self.shared.with_room() - usize::from(self.answered.as_ref().is_some_and(is_known));
        self.idle.len() + with_room + usize::from(self.answered.is_some_and(is_so))
    }

    /// Whether any connection runs shared queries and may be drained.
    pub(super) fn has_shared(&self) -> bool {
        self.shared.least().is_some()
    }

    /// A shared query is on this connection now, behind which another one may go or not. `None`: it is not there for
    /// sharing, and the query is not counted as granted.
    pub(super) fn start_query(
        &mut self,
        id: ConnectionId,
        statement: Statement,
        now: Duration,
    ) -> Option<(Ticket, bool)> {
        let slot = *self.by_id.get(&id)?;
        let connection = self.slots.get_mut(slot)?.as_mut()?;
        connection.queries = connection.queries.saturating_add(1);
        match connection.state {
            State::Idle => {
                connection.state = State::Shared;
                self.idle.remove(slot);
            }
            State::Shared => {}
            _ => return None,
        }
        let started = connection.in_flight.push(statement, &self.services, self.shared.shortest(), now);
        if connection.queries >= self.max_queries {
            connection.retired.get_or_insert(CloseReason::MaxQueries);
        }
        self.load_changed(slot);
        Some(started)
    }

    /// Queries that the policy has not been told of one by one.
    pub(super) fn count_queries(&mut self, id: ConnectionId, count: u64) {
        if let Some((_, connection)) = self.find(id) {
            connection.queries = connection.queries.saturating_add(count);
        }
    }

    /// The driver has written all that was started on this connection.
    pub(super) fn written(&mut self, id: ConnectionId, now: Duration) {
        let Some((slot, connection)) = self.find(id) else { return };
        connection.in_flight.written(now);
        self.shared.written(slot);
    }

    /// A shared query was answered.
    pub(super) fn answered(&mut self, id: ConnectionId, ticket: Ticket, arrival: Arrival, now: Duration) {
        let Some(slot) = self.by_id.get(&id).copied() else { return };
        let Self { slots, services, shared, .. } = self;
        let Some(connection) = slots.get_mut(slot).and_then(Option::as_mut) else { return };
        connection.in_flight.answered(ticket, arrival, services);
        if let Some(shortest) = connection.in_flight.shortest() {
            shared.observe_distance(shortest);
        }
        self.head_changed(slot, now);
    }

    /// A shared query ended without an answer that tells how long it takes.
    pub(super) fn forgot(&mut self, id: ConnectionId, ticket: Ticket, now: Duration) {
        let Some((slot, connection)) = self.find(id) else { return };
        connection.in_flight.forgot(ticket);
        self.head_changed(slot, now);
    }

    /// The caller of a shared query has left.
    pub(super) fn abandoned(&mut self, id: ConnectionId, ticket: Ticket) {
        let Some((slot, connection)) = self.find(id) else { return };
        connection.in_flight.abandoned(ticket);
        self.load_changed(slot);
    }

    /// The server is past one of the queries whose callers have left.
    pub(super) fn abandoned_is_over(&mut self, id: ConnectionId, now: Duration) {
        let Some((slot, connection)) = self.find(id) else { return };
        if connection.in_flight.abandoned_is_over() {
            self.head_changed(slot, now);
        }
    }

    fn head_changed(&mut self, slot: usize, now: Duration) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        if connection.state != State::Shared {
            return;
        }
        connection.is_head_late = false;
        if connection.in_flight.is_empty() {
            self.became_free(slot, now);
        } else if self.answered != Some(slot) && self.shared.contains(slot) {
            self.settle_answered();
            self.answered = Some(slot);
        }
    }

    /// The connection that was answered has its place by what is in flight on it now.
    fn settle_answered(&mut self) {
        if let Some(slot) = self.answered {
            self.load_changed(slot);
        }
    }

    /// An idle connection is somebody's alone from now on.
    pub(super) fn lease(&mut self, id: ConnectionId) {
        let Some((slot, connection)) = self.find(id) else { return };
        connection.state = State::Leased;
        connection.queries = connection.queries.saturating_add(1);
        self.idle.remove(slot);
    }

    pub(super) fn release(&mut self, id: ConnectionId, now: Duration, is_dirty: bool) -> Result<(), NotLeased> {
        let max_queries = self.max_queries;
        let (slot, connection) = self.find(id).ok_or(NotLeased)?;
        if connection.state != State::Leased {
            return Err(NotLeased);
        }
        if connection.queries >= max_queries {
            connection.retired.get_or_insert(CloseReason::MaxQueries);
        }
        if is_dirty && connection.retired.is_none() {
            self.set_state(slot, State::ResetDue);
            self.reset_at = now;
            self.chores.push_back(id);
        } else {
            self.became_free(slot, now);
        }
        Ok(())
    }

    pub(super) fn reset_done(&mut self, id: ConnectionId, now: Duration, is_ok: bool) {
        let Some((slot, connection)) = self.find(id) else { return };
        match (connection.state, is_ok) {
            (State::Resetting, true) => self.became_free(slot, now),
            (State::Resetting, false) => self.begin_close(slot, CloseReason::ResetFailed),
            _ => {}
        }
    }

    /// Closes a connection as soon as nobody uses it; no new query goes there.
    pub(super) fn retire(&mut self, id: ConnectionId, reason: CloseReason) {
        let Some((slot, connection)) = self.find(id) else { return };
        connection.retired.get_or_insert(reason);
        match connection.state {
            State::Idle | State::ResetDue => self.begin_close(slot, reason),
            State::Shared => {
                self.stop_offering(slot);
                self.set_draining(slot, false);
            }
            State::Leased | State::Resetting | State::Closing(_) => {}
        }
    }

    pub(super) fn retire_all(&mut self, reason: CloseReason) {
        for id in self.ids() {
            self.retire(id, reason);
        }
    }

    /// Closes every connection whatever it does.
    pub(super) fn close_all(&mut self, reason: CloseReason) {
        for slot in 0..self.slots.len() {
            if self.at(slot).is_some_and(|connection| !matches!(connection.state, State::Closing(_))) {
                self.begin_close(slot, reason);
            }
        }
    }

    /// When the next connection reaches its `max_lifetime`.
    pub(super) fn next_lifetime(&self) -> Option<Duration> {
        self.lifetimes.first().map(|(expires_at, _)| *expires_at)
    }

    /// Retires what has reached its `max_lifetime`.
    pub(super) fn retire_expired(&mut self, now: Duration) {
        while let Some((expires_at, slot)) = self.lifetimes.first().copied()
            && expires_at <= now
        {
            self.lifetimes.remove(&(expires_at, slot));
            if let Some(id) = self.at(slot).map(|connection| connection.id) {
                self.retire(id, CloseReason::MaxLifetime);
            }
        }
    }

    /// Lets a shared connection run dry, the one that will probably be first.
    pub(super) fn drain_one(&mut self) {
        self.settle_answered();
        if let Some(slot) = self.shared.least() {
            self.stop_offering(slot);
            let slots = &self.slots;
            self.drained.retain(|slot| slots[*slot].as_ref().is_some_and(|connection| connection.is_draining));
            self.set_draining(slot, true);
            self.drained.push(slot);
        }
    }

    /// Nobody waits for a connection of its own any more: what drains is open to shared queries again.
    pub(super) fn stop_draining(&mut self) {
        for slot in std::mem::take(&mut self.drained) {
            if self.at(slot).is_some_and(|connection| connection.is_draining) {
                self.set_draining(slot, false);
                self.load_changed(slot);
            }
        }
    }

    /// The next close or reset that the driver has not been told yet. A close forgets the connection.
    pub(super) fn next_chore(&mut self) -> Option<Action> {
        while let Some(id) = self.chores.pop_front() {
            // It may have been lost in the meantime, or have got another chore.
            let Some((slot, connection)) = self.find(id) else { continue };
            match connection.state {
                State::ResetDue => {
                    self.set_state(slot, State::Resetting);
                    return Some(Action::Reset { connection: id });
                }
                State::Closing(reason) => {
                    self.remove(id);
                    return Some(Action::Close { connection: id, reason });
                }
                _ => {}
            }
        }
        None
    }

    fn became_free(&mut self, slot: usize, now: Duration) {
        self.stop_offering(slot);
        self.set_draining(slot, false);
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        connection.idle_since = now;
        if let Some(reason) = connection.retired {
            self.begin_close(slot, reason);
        } else {
            self.set_state(slot, State::Idle);
            self.idle.push(slot);
        }
    }

    fn begin_close(&mut self, slot: usize, reason: CloseReason) {
        self.stop_offering(slot);
        self.set_draining(slot, false);
        self.set_state(slot, State::Closing(reason));
        if let Some(id) = self.at(slot).map(|connection| connection.id) {
            self.chores.push_back(id);
        }
    }

    /// What is in front of another query on a connection has changed, or whether it takes one at all.
    fn load_changed(&mut self, slot: usize) {
        self.answered.take_if(|answered| *answered == slot);
        let Some(connection) = self.slots.get(slot).and_then(Option::as_ref) else { return };
        if connection.state != State::Shared || connection.is_draining || connection.retired.is_some() {
            return self.shared.remove(slot);
        }
        let (has_room, in_flight) = (self.has_room(connection), &connection.in_flight);
        self.shared.set(slot, in_flight.load_us(), has_room, in_flight.has_unwritten());
    }

    /// Whether another query may go behind what is in flight on a shared connection.
    fn has_room(&self, connection: &Connection) -> bool {
        connection.in_flight.has_room(&self.services) && !connection.is_head_late
    }

    fn stop_offering(&mut self, slot: usize) {
        self.answered.take_if(|answered| *answered == slot);
        self.idle.remove(slot);
        self.shared.remove(slot);
    }

    fn set_state(&mut self, slot: usize, state: State) {
        let is_reset = |state: State| matches!(state, State::ResetDue | State::Resetting);
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        match (is_reset(connection.state), is_reset(state)) {
            (false, true) => self.resetting += 1,
            (true, false) => self.resetting -= 1,
            _ => {}
        }
        connection.state = state;
    }

    fn set_draining(&mut self, slot: usize, is_draining: bool) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        match (connection.is_draining, is_draining) {
            (false, true) => self.draining += 1,
            (true, false) => self.draining -= 1,
            _ => {}
        }
        connection.is_draining = is_draining;
    }

    fn ids(&self) -> Vec<ConnectionId> {
        self.slots.iter().flatten().map(|connection| connection.id).collect()
    }

    fn at(&self, slot: usize) -> Option<&Connection> {
        self.slots.get(slot).and_then(Option::as_ref)
    }

    fn find(&mut self, id: ConnectionId) -> Option<(usize, &mut Connection)> {
        let slot = *self.by_id.get(&id)?;
        Some((slot, self.slots.get_mut(slot)?.as_mut()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ConnectionId = 7;
    const TEXT: Statement = 1;

    fn at(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn room_that_an_answer_makes_counts_whether_or_not_anybody_has_asked_for_the_readiest() {
        let mut connections = Connections::new(0);
        connections.add(ID, at(0), Duration::ZERO, None);
        connections.services.observe(TEXT, at(300), 1);
        let mut tickets = VecDeque::new();
        while connections.ready() > 0 {
            tickets.push_back(connections.start_query(ID, TEXT, at(0)).unwrap().0);
        }
        connections.written(ID, at(0));
        assert!(tickets.len() > 5 && connections.readiest(at(0)).is_none());
        let mut is_full = true;
        for (round, ticket) in (1..).zip(std::mem::take(&mut tickets)) {
            let now = at(300 * round);
            connections.answered(ID, ticket, Arrival { at: now, is_exact: true, is_prepared_first: false }, now);
            let ready = connections.ready();
            assert!(ready == 1 || is_full, "room does not go away by answers");
            is_full = ready == 0;
            if round % 2 == 0 {
                assert_eq!(connections.readiest(now).is_some(), ready == 1 && connections.idle_len() == 0);
                assert_eq!(connections.ready(), ready);
            }
        }
        assert_eq!((connections.idle_len(), connections.has_shared()), (1, false));
    }

    #[test]
    fn a_connection_that_was_answered_while_it_runs_dry_is_not_offered() {
        let mut connections = Connections::new(0);
        connections.add(ID, at(0), Duration::ZERO, None);
        connections.services.observe(TEXT, at(10), 1);
        let tickets: Vec<_> = (0..3).map(|_| connections.start_query(ID, TEXT, at(0)).unwrap().0).collect();
        connections.written(ID, at(0));
        connections.drain_one();
        let arrival = Arrival { at: at(10), is_exact: true, is_prepared_first: false };
        connections.answered(ID, tickets[0], arrival, at(10));
        assert_eq!((connections.ready(), connections.readiest(at(10))), (0, None));
        connections.retire(ID, CloseReason::MaxLifetime);
        connections.answered(ID, tickets[1], arrival, at(10));
        assert_eq!((connections.ready(), connections.readiest(at(10))), (0, None));
    }
}
