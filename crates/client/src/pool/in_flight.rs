//! The shared queries of one connection that are not over, in the order in which the server takes them.

use std::collections::VecDeque;
use std::time::Duration;

use super::service::{BUDGET_US, Estimate, Services, Statement};

/// Queries in flight on one connection at most, however quick they are: so many, one more for each so many microseconds of the
/// way to the server, and not more than so many altogether. All of them are in the way when the head meets a lock, and if
/// their callers leave then, each is cancelled for itself.
const MOST_NEARBY: usize = 200;
const EACH_US: u32 = 50;
const MOST: usize = 1_000;
/// All that is in front of a query may take so many times as long as one statement may: where each of them is quick, whatever
/// is ready sooner is not so by much.
const TOGETHER: u64 = 2;
/// So large a part of a round trip may be in front of a query beside [`BUDGET_US`].
const BUDGET_SHARE: u32 = 4;
/// One part in so many of a longer round trip is believed: the shortest one is what counts, and the way may change.
const DRIFT: u32 = 256;
/// So many texts of one read are told apart.
const FEW_TEXTS: usize = 16;
/// What an answer takes at least is the distance to the server if it is not longer than this, or than what opening the session
/// has shown; where a pooler stands between that starts sessions by itself, that tells the distance to the pooler. Beyond it,
/// it is the statements that are slow.
const FAR: Duration = Duration::from_millis(10);

/// When an answer arrived, as far as the driver knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Not later than now, and not before the driver had looked the last time and found nothing.
    pub at: Duration,
    /// The driver was waiting for it. Otherwise it may have arrived later than `at`.
    pub is_exact: bool,
    /// The session did not know the statement, and had it parsed before.
    pub is_prepared_first: bool,
}

/// One shared query on a connection, by the policy's number; numbers of one connection rise.
pub type Ticket = u32;

/// The pipeline of one connection as the policy knows it.
#[derive(Default)]
pub(super) struct InFlight {
    queries: VecDeque<Sent>,
    last_ticket: Ticket,
    /// Of `queries`, those at the end that the driver has not written.
    unwritten: usize,
    /// What they are expected to take together.
    wait_us: u64,
    /// The same, in steps that make those of one text alike.
    load_us: u32,
    /// Those behind which nothing may go.
    blocking: usize,
    abandoned: usize,
    /// When the last answer arrived.
    answered_at: Duration,
    /// Statements that were answered in the read of that time, each with how often, and since when they had been running: what
    /// that took is theirs together.
    answered: Vec<(Statement, u16)>,
    running_since: Duration,
    /// How far the server is at most, as opening the session has shown.
    connecting: Duration,
    /// The shortest time between writing a query to an idle server and its answer.
    shortest: Option<Duration>,
    /// How far the server is, as far as that is known.
    distance: Distance,
}

/// A round trip to the server, and what follows from it, since it is asked for with each query.
#[derive(Clone, Copy)]
struct Distance {
    round_trip: Duration,
    /// How long one statement in front of a query may take, beside what the machine's noise allows.
    budget_us: u32,
    /// Queries in flight at most.
    most: usize,
}

impl Distance {
    fn of(round_trip: Duration) -> Self {
        let us = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX);
        let on_the_way = usize::try_from(us / EACH_US).unwrap_or(MOST);
        Self {
            round_trip,
            budget_us: BUDGET_US.saturating_add(us / BUDGET_SHARE),
            most: MOST_NEARBY.saturating_add(on_the_way).min(MOST),
        }
    }
}

impl Default for Distance {
    fn default() -> Self {
        Self::of(Duration::ZERO)
    }
}

struct Sent {
    ticket: Ticket,
    statement: Statement,
    /// When it was made, and, as soon as it has been, written.
    written_at: Duration,
    estimate: Estimate,
    is_blocking: bool,
    is_abandoned: bool,
}

impl InFlight {
    /// Of a connection whose server is so far at most, as opening the session has shown.
    pub(super) fn new(connecting: Duration) -> Self {
        Self { connecting, distance: Distance::of(connecting), ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.queries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queries.is_empty()
    }

    /// Whether the driver has something of it still to write, so that another query goes out with it.
    pub(super) const fn has_unwritten(&self) -> bool {
        self.unwritten > 0
    }

    /// What is in flight is expected to take about so long, in microseconds.
    pub(super) const fn load_us(&self) -> u32 {
        self.load_us
    }

    /// Whether what is in flight lets another query go behind it: all of it is known and quick, and will not take long
    /// together. Deviations are no matter here: where all connections have as much to do, waiting elsewhere takes as long.
    pub(super) fn has_room(&self, services: &Services) -> bool {
        self.blocking == 0
            && self.queries.len() < self.distance.most
            && self.wait_us <= u64::from(self.budget_us(services)) * TOGETHER
    }

    /// How long one statement in front of a query may take.
    fn budget_us(&self, services: &Services) -> u32 {
        self.distance.budget_us.saturating_add(services.allowance_us())
    }

    /// Whether the head has been running for longer than was to be expected, as far as the driver had looked at the
    /// connection by `looked_at`.
    pub(super) fn has_outlived_estimate(&self, looked_at: Duration, services: &Services) -> bool {
        let Some(head) = self.queries.front() else { return false };
        if self.unwritten == self.queries.len() {
            return false;
        }
        // Below the budget, what is measured is the machine.
        let most = Duration::from_micros(u64::from(head.estimate.most_us().max(self.budget_us(services))));
        let since = head.written_at.max(self.answered_at);
        looked_at.saturating_sub(since) > most.saturating_add(self.distance.round_trip)
    }

    /// The shortest answer of an idle server, if there was one.
    pub(super) const fn shortest(&self) -> Option<Duration> {
        self.shortest
    }

    /// A query goes to the end; whether another one may go behind it. `shortest` is that of another connection: where
    /// nothing is known of this one, it is as far.
    pub(super) fn push(
        &mut self,
        statement: Statement,
        services: &Services,
        shortest: Option<Duration>,
        now: Duration,
    ) -> (Ticket, bool) {
        if self.shortest.is_none() && shortest.is_some() {
            self.set_shortest(shortest);
        }
        let estimate = services.estimate(statement);
        let is_blocking = estimate.is_none_or(|estimate| estimate.most_us() > self.budget_us(services));
        let estimate = estimate.unwrap_or(Estimate::UNKNOWN);
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let ticket = self.last_ticket;
        self.queries.push_back(Sent { ticket, statement, written_at: now, estimate, is_blocking, is_abandoned: false });
        self.unwritten += 1;
        self.wait_us += u64::from(estimate.wait_us());
        self.load_us = self.load_us.saturating_add(estimate.load_us);
        self.blocking += usize::from(is_blocking);
        (ticket, !is_blocking)
    }

    /// The driver has written what it had to write.
    pub(super) fn written(&mut self, now: Duration) {
        let first = self.queries.len() - self.unwritten;
        for sent in self.queries.range_mut(first..) {
            sent.written_at = now;
        }
        self.unwritten = 0;
    }

    /// A query was answered.
    pub(super) fn answered(&mut self, ticket: Ticket, arrival: Arrival, services: &mut Services) {
        let Some(index) = self.find(ticket) else { return };
        let was_alone = self.queries.len() == 1;
        let is_unwritten = index >= self.queries.len() - self.unwritten;
        let Some(sent) = self.take(index) else { return };
        if is_unwritten || index > 0 {
            // It did not run, or it is not the order of the server that it ended in: nothing is learnt.
            return;
        }
        if arrival.at > self.answered_at {
            self.learn(services);
            // That it was parsed costs a round trip, which says nothing of the statement: each new connection pays it.
            let round_trips = if arrival.is_prepared_first { 2 } else { 1 };
            let at_server = sent.written_at.saturating_add(self.distance.round_trip * round_trips);
            self.running_since = at_server.max(self.answered_at);
            if arrival.is_exact && !arrival.is_prepared_first && self.answered_at <= sent.written_at {
                self.observe_round_trip(arrival.at.saturating_sub(sent.written_at));
            }
            self.answered_at = arrival.at;
        }
        self.note_answered(sent.statement);
        if was_alone {
            self.learn(services);
        }
    }

    /// A query ended without an answer of the server: it did not run, or nothing is to be learnt from it.
    pub(super) fn forgot(&mut self, ticket: Ticket) {
        if let Some(index) = self.find(ticket) {
            self.take(index);
        }
    }

    /// The caller of a query has left; the server may still be at it.
    pub(super) fn abandoned(&mut self, ticket: Ticket) {
        let Some(index) = self.find(ticket) else { return };
        let Some(sent) = self.queries.get_mut(index).filter(|sent| !sent.is_abandoned) else { return };
        sent.is_abandoned = true;
        self.abandoned += 1;
        if !std::mem::replace(&mut sent.is_blocking, true) {
            self.blocking += 1;
        }
    }

    /// The server is past one of the abandoned queries; false when there is none.
    pub(super) fn abandoned_is_over(&mut self) -> bool {
        if self.abandoned == 0 {
            return false;
        }
        let index = self.queries.iter().position(|sent| sent.is_abandoned);
        index.and_then(|index| self.take(index)).is_some()
    }

    /// One of many texts is told of more than once then, which is no matter.
    fn note_answered(&mut self, statement: Statement) {
        let mut lately = self.answered.iter_mut().rev().take(FEW_TEXTS);
        match lately.find(|(text, count)| *text == statement && *count < u16::MAX) {
            Some((_, count)) => *count += 1,
            None => self.answered.push((statement, 1)),
        }
    }

    /// Tells what the answers of the last read took: as much each, since only their sum is known.
    fn learn(&mut self, services: &mut Services) {
        let count: u32 = self.answered.iter().map(|(_, count)| u32::from(*count)).sum();
        if count == 0 {
            return;
        }
        let each = self.answered_at.saturating_sub(self.running_since) / count;
        for (statement, count) in self.answered.drain(..) {
            services.observe(statement, each, count);
        }
    }

    fn observe_round_trip(&mut self, took: Duration) {
        self.set_shortest(Some(match self.shortest {
            None => took,
            Some(shortest) if took <= shortest => took,
            Some(shortest) => shortest + (took - shortest).min(shortest) / DRIFT,
        }));
    }

    fn set_shortest(&mut self, shortest: Option<Duration>) {
        self.shortest = shortest;
        let round_trip = shortest.map_or(self.connecting, |shortest| shortest.min(self.connecting.max(FAR)));
        self.distance = Distance::of(round_trip);
    }

    /// Answers come in order, so that it is nearly always the first.
    fn find(&self, ticket: Ticket) -> Option<usize> {
        if self.queries.front()?.ticket == ticket {
            return Some(0);
        }
        self.queries.iter().position(|sent| sent.ticket == ticket)
    }

    fn take(&mut self, index: usize) -> Option<Sent> {
        let was_unwritten = index >= self.queries.len() - self.unwritten;
        let sent = if index == 0 { self.queries.pop_front() } else { self.queries.remove(index) }?;
        self.unwritten -= usize::from(was_unwritten);
        self.wait_us -= u64::from(sent.estimate.wait_us());
        self.load_us -= sent.estimate.load_us;
        self.blocking -= usize::from(sent.is_blocking);
        self.abandoned -= usize::from(sent.is_abandoned);
        Some(sent)
    }
}
