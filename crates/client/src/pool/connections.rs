//! The connections of a pool, and where each may be found.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::action::{Action, CloseReason, ConnectionId, NotLeased};
use super::connection::{Connection, State};
use super::load_heap::LoadHeap;
use super::recency::Recency;
use crate::id_map::IdMap;

/// A head of a pipeline that has been running for so long is no point query: nothing goes behind it if there is
/// another way.
const YOUNG_HEAD: Duration = Duration::from_millis(5);

/// All open connections. Each is in at most one of `idle`, `young` and `aged`.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<Option<Connection>>,
    free: Vec<usize>,
    by_id: IdMap<usize>,
    idle: Recency,
    /// Running shared queries and open to more, whose head was young when last looked at.
    young: LoadHeap,
    /// The same with a head that runs for long.
    aged: LoadHeap,
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

    /// Connections that will be free as soon as their session is clean.
    pub(super) const fn resetting(&self) -> usize {
        self.resetting
    }

    pub(super) const fn draining(&self) -> usize {
        self.draining
    }

    pub(super) fn knows(&self, id: ConnectionId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// A fresh connection, idle.
    pub(super) fn add(&mut self, id: ConnectionId, now: Duration, expires_at: Option<Duration>) {
        let connection = Connection::new(id, now, expires_at);
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

    /// The connection with the least in flight among those whose head is young, and how much that is.
    ///
    /// Looks at each head once after it has aged, so this is O(log n) amortized.
    pub(super) fn least_loaded_young(&mut self, now: Duration) -> Option<(ConnectionId, u32)> {
        loop {
            let slot = self.young.least()?;
            let connection = self.slots.get(slot)?.as_ref()?;
            let (id, in_flight) = (connection.id, connection.in_flight);
            if now.saturating_sub(connection.head_since) <= YOUNG_HEAD {
                return Some((id, in_flight));
            }
            self.young.remove(slot);
            self.aged.set(slot, in_flight);
        }
    }

    /// The connection with the least in flight among those whose head was found to run for long.
    pub(super) fn least_loaded_aged(&self) -> Option<ConnectionId> {
        self.aged.least().and_then(|slot| self.at(slot)).map(|connection| connection.id)
    }

    /// Whether any connection runs shared queries and takes more.
    pub(super) fn has_shareable(&self) -> bool {
        self.young.least().or(self.aged.least()).is_some()
    }

    /// A shared query is on this connection now; false if that is not a thing to count as granted.
    pub(super) fn start_query(&mut self, id: ConnectionId, now: Duration) -> bool {
        let max_queries = self.max_queries;
        let Some((slot, connection)) = self.find(id) else { return false };
        connection.queries = connection.queries.saturating_add(1);
        match connection.state {
            State::Idle => {
                connection.state = State::Shared;
                connection.in_flight = 1;
                connection.head_since = now;
                self.idle.remove(slot);
                self.young.set(slot, 1);
            }
            State::Shared => {
                connection.in_flight = connection.in_flight.saturating_add(1);
                self.load_changed(slot);
            }
            _ => return false,
        }
        if self.at(slot).is_some_and(|connection| connection.queries >= max_queries) {
            self.retire(id, CloseReason::MaxQueries);
        }
        true
    }

    /// Queries that the policy has not been told of one by one.
    pub(super) fn count_queries(&mut self, id: ConnectionId, count: u64) {
        if let Some((_, connection)) = self.find(id) {
            connection.queries = connection.queries.saturating_add(count);
        }
    }

    pub(super) fn finish_query(&mut self, id: ConnectionId, now: Duration) {
        let Some((slot, connection)) = self.find(id) else { return };
        if connection.state != State::Shared {
            return;
        }
        connection.in_flight = connection.in_flight.saturating_sub(1);
        if connection.in_flight > 0 {
            self.load_changed(slot);
        } else {
            self.became_free(slot, now);
        }
    }

    pub(super) fn head_changed(&mut self, id: ConnectionId, now: Duration) {
        let Some((slot, connection)) = self.find(id) else { return };
        connection.head_since = now;
        let in_flight = connection.in_flight;
        if self.aged.remove(slot) {
            self.young.set(slot, in_flight);
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
    pub(super) fn drain_one(&mut self, now: Duration) {
        let best = self.least_loaded_young(now).map(|(id, _)| id).or_else(|| self.least_loaded_aged());
        if let Some((slot, _)) = best.and_then(|id| self.find(id)) {
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
            if let Some(in_flight) = self.at(slot).filter(|it| it.is_draining).map(|it| it.in_flight) {
                self.set_draining(slot, false);
                self.young.set(slot, in_flight);
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

    fn load_changed(&mut self, slot: usize) {
        let Some(in_flight) = self.at(slot).map(|connection| connection.in_flight) else { return };
        if self.young.contains(slot) {
            self.young.set(slot, in_flight);
        } else if self.aged.contains(slot) {
            self.aged.set(slot, in_flight);
        }
    }

    fn stop_offering(&mut self, slot: usize) {
        self.idle.remove(slot);
        if !self.young.remove(slot) {
            self.aged.remove(slot);
        }
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
