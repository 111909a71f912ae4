//! Requests in flight, by the slot that JavaScript gave them.

use std::collections::BTreeSet;
use std::rc::Rc;

use oxpg_client::pool::Ticket;
use oxpg_client::session::{Description, Work};
use oxpg_codec::batch::ResultText;
use oxpg_codec::boundary::SLOT_LIMIT;

use crate::allowance::Allowance;
use crate::commands::Gathered;
use crate::failure::FailureData;
use crate::sink::{Errand, Part};

/// Request ids from here on are the node layer's own (resets, pings): JavaScript never sees them.
pub(crate) const FIRST_INTERNAL: u32 = SLOT_LIMIT;

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The slot is free.
    Nowhere,
    /// Being opened in the background; the id of the opening.
    Opening(u32),
    /// Submitted to this connection's session.
    Connection(u32),
    /// Waiting for a connection of this pool.
    Pool(u32),
    /// Waiting for a graceful close of this connection or pool.
    Closing(u32),
}

/// What the node layer knows of one request.
pub(crate) struct RequestState {
    pub(crate) place: Place,
    /// The pool whose policy counts this query, 0 for none.
    pub(crate) pool: u32,
    /// This request alone holds a lease on its connection, given back when it is over.
    pub(crate) holds_lease: bool,
    /// What its pool knows it by while it shares a connection.
    pub(crate) ticket: Option<Ticket>,
    /// Its session has had its statement parsed for it.
    pub(crate) is_prepared_first: bool,
    /// Milliseconds of the environment's clock, `u64::MAX` for none.
    pub(crate) deadline_ms: u64,
    /// The timeout as it was given, for the error.
    pub(crate) timeout_ms: u32,
    /// Since when its deadline has been put off, `u64::MAX` if it was not.
    put_off_since_ms: u64,
    /// How often it has moved to another connection of its pool.
    pub(crate) moves: u8,
    /// How the result's text crosses; lives as long as the result.
    pub(crate) text: ResultText,
    /// What the result's rows may have.
    pub(crate) allowance: Allowance,
    /// The description that a `DESCRIBED` record announced for this request alone.
    pub(crate) description: Option<Rc<Description>>,
    /// Those that it was asked for its parameters by: of a group one for each statement, all at once.
    pub(crate) asked: Vec<Rc<Description>>,
    /// Why a batch is being taken back: a value that did not fit.
    pub(crate) refusal: Option<Box<FailureData>>,
    /// Somebody wants to know which connection of its pool serves it.
    pub(crate) is_observed: bool,
    /// What to submit when the pool grants a connection.
    pub(crate) waiting_work: Option<Work>,
    /// Of a group, what was written of it so far.
    pub(crate) gathered: Option<Box<Gathered>>,
}

impl RequestState {
    /// What its pool has to be told when it is over on this connection; nothing unless it is a call on a pool.
    pub(crate) fn query_over(&self, connection: u32, is_answered: bool) -> Option<Errand> {
        (self.pool != 0).then_some(Errand::QueryOver { pool: self.pool, connection, part: self.part(is_answered) })
    }

    /// What a call on a pool has of its connection.
    pub(crate) fn part(&self, is_answered: bool) -> Part {
        let Self { ticket, is_prepared_first, .. } = *self;
        if self.holds_lease { Part::Lease } else { Part::Share { ticket, is_answered, is_prepared_first } }
    }

    fn free() -> Self {
        Self {
            place: Place::Nowhere,
            pool: 0,
            holds_lease: false,
            ticket: None,
            is_prepared_first: false,
            deadline_ms: u64::MAX,
            timeout_ms: 0,
            put_off_since_ms: u64::MAX,
            moves: 0,
            text: ResultText::default(),
            allowance: Allowance::UNLIMITED,
            description: None,
            asked: Vec::new(),
            refusal: None,
            is_observed: false,
            waiting_work: None,
            gathered: None,
        }
    }
}

/// Slots for which memory is kept while none is in use.
const KEPT_SLOTS: usize = 1 << 10;
/// How long a deadline may be put off in all. Answers that keep coming do not put it off for ever.
const PUT_OFF_MS: u64 = 150;

/// All requests of an environment, with their deadlines.
pub(crate) struct Requests {
    states: Vec<RequestState>,
    /// Slots in use.
    count: usize,
    deadlines: BTreeSet<(u64, u32)>,
}

impl Requests {
    pub(crate) const fn new() -> Self {
        Self { states: Vec::new(), count: 0, deadlines: BTreeSet::new() }
    }

    /// Takes a slot into use.
    pub(crate) fn begin(&mut self, slot: u32, place: Place) -> &mut RequestState {
        let index = slot as usize;
        while self.states.len() <= index {
            self.states.push(RequestState::free());
        }
        let state = &mut self.states[index];
        self.count += usize::from(state.place == Place::Nowhere);
        state.place = place;
        state
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&RequestState> {
        self.states.get(slot as usize).filter(|state| state.place != Place::Nowhere)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut RequestState> {
        self.states.get_mut(slot as usize).filter(|state| state.place != Place::Nowhere)
    }

    /// Sets a deadline `timeout_ms` from now; 0 means none.
    pub(crate) fn set_timeout(&mut self, slot: u32, timeout_ms: u32, now_ms: u64) {
        if timeout_ms == 0 {
            return;
        }
        let deadline_ms = now_ms.saturating_add(u64::from(timeout_ms));
        if let Some(state) = self.get_mut(slot) {
            state.deadline_ms = deadline_ms;
            state.timeout_ms = timeout_ms;
            self.deadlines.insert((deadline_ms, slot));
        }
    }

    /// Frees a slot; nothing may mention it to JavaScript afterwards but the record that ends it.
    pub(crate) fn end(&mut self, slot: u32) {
        let Some(state) = self.states.get_mut(slot as usize) else { return };
        if state.deadline_ms != u64::MAX {
            self.deadlines.remove(&(state.deadline_ms, slot));
            state.deadline_ms = u64::MAX;
        }
        self.count -= usize::from(state.place != Place::Nowhere);
        state.place = Place::Nowhere;
        state.pool = 0;
        state.holds_lease = false;
        state.ticket = None;
        state.put_off_since_ms = u64::MAX;
        state.moves = 0;
        state.text = ResultText::default();
        state.allowance = Allowance::UNLIMITED;
        state.description = None;
        if !state.asked.is_empty() {
            state.asked = Vec::new();
        }
        state.refusal = None;
        state.is_observed = false;
        state.waiting_work = None;
        state.gathered = None;
        if self.count == 0 && self.states.capacity() > KEPT_SLOTS {
            // What a burst has taken.
            self.states = Vec::new();
        }
    }

    /// Slots at a place, for what happens to all of them at once.
    pub(crate) fn slots_at(&self, place: Place) -> Vec<u32> {
        let slots = self.states.iter().zip(0_u32..);
        slots.filter(|(state, _)| state.place == place).map(|(_, slot)| slot).collect()
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Where the requests are whose deadlines have passed.
    pub(crate) fn overdue_places(&self, now_ms: u64) -> impl Iterator<Item = Place> {
        let overdue = self.deadlines.range(..=(now_ms, u32::MAX));
        overdue.filter_map(|(_, slot)| self.get(*slot)).map(|state| state.place)
    }

    /// Calls that have not been given to a connection by their deadlines, which have passed.
    pub(crate) fn overdue_in_pools(&self, now_ms: u64) -> Vec<u32> {
        let overdue = self.deadlines.range(..=(now_ms, u32::MAX)).map(|(_, slot)| *slot);
        let waits = |slot: &u32| self.get(*slot).is_some_and(|state| state.waiting_work.is_some());
        overdue.filter(waits).collect()
    }

    /// As [`pop_expired`](Self::pop_expired), of a certain request: false when its deadline has not passed, or was judged.
    pub(crate) fn take_expired(&mut self, slot: u32, now_ms: u64) -> bool {
        let Some(deadline_ms) = self.get(slot).map(|state| state.deadline_ms).filter(|due_ms| *due_ms <= now_ms) else {
            return false;
        };
        if let Some(state) = self.get_mut(slot) {
            state.deadline_ms = u64::MAX;
        }
        self.deadlines.remove(&(deadline_ms, slot))
    }

    /// Gives a request whose deadline has passed a little longer; false when it has had that.
    pub(crate) fn put_off(&mut self, slot: u32, now_ms: u64) -> bool {
        let Some(state) = self.get_mut(slot) else { return false };
        let since_ms = state.put_off_since_ms.min(now_ms);
        if now_ms - since_ms >= PUT_OFF_MS {
            return false;
        }
        let before_ms = std::mem::replace(&mut state.deadline_ms, now_ms + 1);
        state.put_off_since_ms = since_ms;
        self.deadlines.remove(&(before_ms, slot));
        self.deadlines.insert((now_ms + 1, slot));
        true
    }

    /// A request whose deadline has passed; it keeps its slot until the caller ends it.
    pub(crate) fn pop_expired(&mut self, now_ms: u64) -> Option<u32> {
        let (deadline_ms, slot) = *self.deadlines.first()?;
        if deadline_ms > now_ms {
            return None;
        }
        self.deadlines.remove(&(deadline_ms, slot));
        if let Some(state) = self.states.get_mut(slot as usize) {
            state.deadline_ms = u64::MAX;
        }
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::{PUT_OFF_MS, Place, Requests, Work};

    #[test]
    fn requests_expire_in_the_order_of_their_deadlines() {
        let mut requests = Requests::new();
        for (slot, timeout_ms) in [(0, 300), (1, 100), (2, 0), (3, 200)] {
            requests.begin(slot, Place::Connection(1));
            requests.set_timeout(slot, timeout_ms, 1_000);
        }
        assert_eq!(requests.next_deadline_ms(), Some(1_100));
        assert_eq!(requests.pop_expired(1_099), None);
        assert_eq!(requests.pop_expired(1_200), Some(1));
        assert_eq!(requests.pop_expired(1_200), Some(3));
        assert_eq!(requests.pop_expired(1_200), None);
        assert_eq!(requests.next_deadline_ms(), Some(1_300));
        assert_eq!(requests.get(1).map(|state| state.timeout_ms), Some(100), "an expired request keeps its slot");
    }

    #[test]
    fn a_request_that_ended_has_no_deadline_and_its_slot_no_state() {
        let mut requests = Requests::new();
        let state = requests.begin(5, Place::Pool(2));
        (state.pool, state.holds_lease, state.moves) = (2, true, 3);
        requests.set_timeout(5, 50, 0);
        requests.end(5);
        assert_eq!((requests.next_deadline_ms(), requests.pop_expired(u64::MAX)), (None, None));
        assert!(requests.get(5).is_none());
        let state = requests.begin(5, Place::Connection(1));
        assert_eq!((state.pool, state.holds_lease, state.moves, state.deadline_ms), (0, false, 0, u64::MAX));
    }

    #[test]
    fn an_expired_request_may_end_or_get_another_deadline() {
        let mut requests = Requests::new();
        for slot in [0, 1] {
            requests.begin(slot, Place::Connection(1));
            requests.set_timeout(slot, 10, 0);
            assert_eq!(requests.pop_expired(10), Some(slot));
        }
        requests.end(0);
        requests.set_timeout(1, 5, 10);
        assert_eq!(requests.next_deadline_ms(), Some(15));
    }

    #[test]
    fn calls_that_wait_in_a_pool_are_told_from_others_whose_time_is_over() {
        let mut requests = Requests::new();
        let work = || Work::Script { text: "select 1".into(), is_control: false };
        for (slot, timeout_ms, place) in
            [(0, 10, Place::Connection(1)), (1, 10, Place::Pool(2)), (2, 20, Place::Pool(2))]
        {
            requests.begin(slot, place).waiting_work = matches!(place, Place::Pool(_)).then(work);
            requests.set_timeout(slot, timeout_ms, 0);
        }
        // acquire()
        requests.begin(3, Place::Pool(2));
        requests.set_timeout(3, 10, 0);
        assert_eq!(requests.overdue_in_pools(10), [1]);
        assert_eq!([1, 1, 2].map(|slot| requests.take_expired(slot, 10)), [true, false, false]);
        assert_eq!(
            [requests.pop_expired(10), requests.pop_expired(10), requests.pop_expired(10)],
            [Some(0), Some(3), None]
        );
    }

    #[test]
    fn a_deadline_is_put_off_for_a_while_and_not_for_ever() {
        let mut requests = Requests::new();
        // With a deadline of its own that is still to come, and with one that has passed.
        for (slot, timeout_ms) in [(0, 60_000), (1, 10)] {
            requests.begin(slot, Place::Connection(1));
            requests.set_timeout(slot, timeout_ms, 0);
        }
        let mut now_ms = 10;
        assert_eq!(requests.pop_expired(now_ms), Some(1));
        assert!(requests.put_off(0, now_ms) && requests.put_off(1, now_ms));
        assert_eq!(requests.overdue_places(now_ms).count(), 0);
        while requests.put_off(1, now_ms) {
            now_ms = requests.next_deadline_ms().unwrap();
            assert_eq!(requests.overdue_places(now_ms).count(), 2);
            assert!([requests.pop_expired(now_ms), requests.pop_expired(now_ms)].contains(&Some(1)));
            assert_eq!(requests.pop_expired(now_ms), None);
            requests.put_off(0, now_ms);
        }
        assert_eq!(now_ms, 10 + PUT_OFF_MS);
        // Whoever has the slot next has nothing of that.
        requests.end(1);
        requests.begin(1, Place::Connection(1));
        assert!(requests.put_off(1, now_ms));
    }

    #[test]
    fn the_memory_of_a_burst_is_given_back() {
        let mut requests = Requests::new();
        for slot in 0..100_000 {
            requests.begin(slot, Place::Connection(1));
            // It waited for a connection of a pool.
            requests.begin(slot, Place::Connection(2));
        }
        for slot in 0..100_000 {
            assert!(requests.get(slot).is_some());
            requests.end(slot);
            requests.end(slot);
        }
        assert_eq!((requests.count, requests.states.capacity()), (0, 0));
        requests.begin(7, Place::Connection(1));
        assert!(requests.get(7).is_some() && requests.get(6).is_none());
    }

    #[test]
    fn slots_are_found_by_their_place() {
        let mut requests = Requests::new();
        for (slot, place) in [(0, Place::Connection(1)), (1, Place::Pool(1)), (3, Place::Connection(1))] {
            requests.begin(slot, place);
        }
        assert_eq!(requests.slots_at(Place::Connection(1)), [0, 3]);
        assert_eq!(requests.slots_at(Place::Closing(1)), [] as [u32; 0]);
    }
}
