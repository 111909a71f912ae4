//! Calls on a pool, and its leases: from the call to the connection that the policy gives it, and back.

use std::time::Duration;

use oxpg_client::pool::{Arrival, Rejection, Statement, Ticket, Want};
use oxpg_client::session::Work;
use oxpg_codec::batch::ResultText;
use oxpg_codec::boundary::POOL_BIT;

use crate::background::Configuration;
use crate::connection::Connection;
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::pools::at;
use crate::requests::Place;
use crate::sink::{Errand, Part};

/// The statement of a call that may share a connection (rule 8).
pub(crate) fn shared_statement(work: &Work) -> Option<Statement> {
    match work {
        Work::Query { query, .. } if query.is_shareable => Some(query.fingerprint),
        Work::Group { members, .. } if members.iter().all(|member| member.query.is_shareable) => {
            Some(members.iter().fold(0, |all, member| all.rotate_left(7) ^ member.query.fingerprint))
        }
        _ => None,
    }
}

impl Environment {
    /// A call on the pool itself.
    pub(crate) fn dispatch_to_pool(&mut self, target: u32, slot: u32, work: Work, now_ms: u64) {
        let pool = target & !POOL_BIT;
        self.look_at_idle(pool, now_ms);
        let statement = shared_statement(&work);
        let looked_at = self.looks.looked_at();
        let Some(driver) = self.pools.get_mut(pool) else {
            return self.fail(slot, FailureData::pool_closed());
        };
        driver.policy.looked(looked_at);
        if let Some(statement) = statement
            && let Some(connection) = driver.policy.choose_shared(at(now_ms), statement)
        {
            // Nothing else follows from it that the policy would do at once.
            return self.submit_shared(pool, connection, slot, (statement, work), at(now_ms));
        }
        if let Some(state) = self.calls.requests.get_mut(slot) {
            state.place = Place::Pool(pool);
            state.waiting_work = Some(work);
        }
        let want = statement.map_or(Want::Lease, Want::Share);
        let is_again = self.calls.requests.get(slot).is_some_and(|state| state.moves > 0);
        if is_again {
            driver.policy.request_again(at(now_ms), slot, want);
        } else {
            driver.policy.request(at(now_ms), slot, want, None);
        }
        self.run_actions(pool);
    }

    /// `pool.acquire()`.
    pub(crate) fn acquire(&mut self, target: u32, slot: u32, timeout_ms: u32, now_ms: u64) {
        let pool = target & !POOL_BIT;
        self.begin(slot, Place::Pool(pool), 0, now_ms);
        self.look_at_idle(pool, now_ms);
        let Some(driver) = self.pools.get_mut(pool) else {
            return self.fail(slot, FailureData::pool_closed());
        };
        // No limit is seven weeks: without a deadline it would be the pool's own.
        let limit_ms = if timeout_ms == 0 { u32::MAX } else { timeout_ms };
        let deadline = at(now_ms.saturating_add(u64::from(limit_ms)));
        driver.policy.request(at(now_ms), slot, Want::Lease, Some(deadline));
        self.run_actions(pool);
    }

    /// `release()` of a connection that JavaScript holds. Its request, if it has one, ends when the session is clean or
    /// gone.
    ///
    /// `is_own`: the application did not have the connection, but a transaction or call for which the pool has leased it. Where
    /// calls share connections anyway, and nothing of it can be left in the session, there is nothing to reset.
    pub(crate) fn release(&mut self, connection: u32, slot: u32, is_own: bool) {
        let now_ms = self.now_ms();
        if slot != 0 {
            self.begin(slot, Place::Closing(connection), 0, now_ms);
        }
        let Some(held) = self.connections.get_mut(connection).filter(|held| held.is_leased) else {
            if slot != 0 {
                self.finish_close(slot);
            }
            return;
        };
        held.is_leased = false;
        let is_without_traces = is_own && held.is_without_traces();
        // What comes from here on is meant for no transaction of the lease's.
        held.session.go_on();
        held.release_waiter = (slot != 0).then_some(slot);
        let (pool, queries) = (held.pool, held.lease_queries);
        // What the user said of his lease does not hold for the next user.
        self.set_referenced(connection, false);
        if let Some(driver) = self.pools.get_mut(pool) {
            let is_clean = is_without_traces && driver.policy.shares_connections();
            driver.policy.count_queries(connection, queries);
            // The policy refuses only what is not leased, and that was checked above.
            let _ = driver.policy.release(at(now_ms), connection, !is_clean);
            if is_clean {
                let waiter = self.connections.get_mut(connection).and_then(|held| held.release_waiter.take());
                waiter.into_iter().for_each(|slot| self.finish_close(slot));
            }
            self.run_actions(pool);
        }
    }

    /// A call on the pool that did not run on the connection that was chosen for it.
    pub(crate) fn move_query(&mut self, pool: u32, slot: u32, work: Work) {
        let now_ms = self.now_ms();
        let Some(state) = self.calls.requests.get_mut(slot) else { return };
        state.holds_lease = false;
        state.ticket = None;
        state.is_prepared_first = false;
        state.text = ResultText::default();
        if self.pools.get(pool).is_none() {
            // Nothing else takes a pool away while it has calls.
            return self.reject(pool, slot, &Rejection::Terminated);
        }
        self.dispatch_to_pool(pool, slot, work, now_ms);
        // Its end on the former connection was not followed by anything yet.
        self.run_actions(pool);
    }

    /// A call on a pool goes to a connection that others use as well.
    /// When it is sent, the policy learns by [`Environment::pool_written`].
    pub(crate) fn submit_shared(
        &mut self,
        pool: u32,
        connection: u32,
        slot: u32,
        (statement, work): (Statement, Work),
        now: Duration,
    ) {
        let Some(driver) = self.pools.get_mut(pool) else { return };
        let ticket = driver.policy.query_started(connection, now, statement);
        if let Some(state) = self.calls.requests.get_mut(slot) {
            state.place = Place::Connection(connection);
            state.pool = pool;
            state.ticket = ticket;
        }
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.shared_queries += 1;
        }
        self.submit(connection, slot, work);
    }

    /// What was to be written on a connection has been.
    pub(crate) fn pool_written(&mut self, connection: u32, now: Duration) {
        let Some(pool) = self.connections.get(connection).map(|held| held.pool) else { return };
        if let Some(driver) = self.pools.get_mut(pool) {
            driver.policy.written(connection, now);
        }
    }

    /// The caller of a shared query has left. It may run on for a while, and the pool counts it until the session is past
    /// it.
    pub(crate) fn abandon_shared(&mut self, pool: u32, connection: u32, ticket: Option<Ticket>) {
        if let Some(held) = self.connections.get_mut(connection) {
            held.abandoned_queries += 1;
        }
        if let (Some(driver), Some(ticket)) = (self.pools.get_mut(pool), ticket) {
            driver.policy.query_abandoned(connection, ticket);
        }
        self.count_abandoned(connection);
    }

    pub(crate) fn give_up_waiting(&mut self, pool: u32, slot: u32) {
        let now_ms = self.now_ms();
        let Some(driver) = self.pools.get_mut(pool) else { return };
        if driver.ready.is_some_and(|(ready, _)| ready == slot) {
            // Nobody will ever have this pool.
            driver.ready = None;
            driver.policy.terminate(at(now_ms));
        } else {
            driver.policy.give_up(slot);
        }
        self.run_actions(pool);
    }

    /// A call of a pool is over; `run_actions` follows.
    pub(crate) fn pool_query_over(&mut self, pool: u32, connection: u32, part: Part) {
        let now = self.now_of_look();
        if part != Part::Lease {
            self.count_shared_out(connection);
        }
        let arrival = self.looks.arrival();
        let Some(driver) = self.pools.get_mut(pool) else { return };
        match part {
            Part::Lease => {
                let is_traceless = self.connections.get(connection).is_some_and(Connection::is_without_traces);
                let is_clean = is_traceless && driver.policy.shares_connections();
                let _ = driver.policy.release(now, connection, !is_clean);
            }
            Part::Share { ticket: Some(ticket), is_answered: true, is_prepared_first } => {
                let arrival = Arrival { is_prepared_first, ..arrival };
                driver.policy.query_finished(connection, now, ticket, arrival);
            }
            Part::Share { ticket: Some(ticket), is_answered: false, .. } => {
                driver.policy.query_returned(connection, now, ticket);
            }
            Part::Share { ticket: None, .. } => {}
        }
    }

    fn count_shared_out(&mut self, connection: u32) {
        if let Some(held) = self.connections.get_mut(connection) {
            held.shared_queries = held.shared_queries.saturating_sub(1);
        }
    }

    /// Tells the pool of abandoned queries that a session is past by now.
    pub(crate) fn count_abandoned(&mut self, connection: u32) {
        let Some(held) = self.connections.get_mut(connection) else { return };
        if held.abandoned_queries > 0 {
            let (pool, past) = (held.pool, held.take_past_queries());
            let now = self.now();
            for _ in 0..past {
                self.count_shared_out(connection);
                if let Some(driver) = self.pools.get_mut(pool) {
                    driver.policy.abandoned_is_over(connection, now);
                }
                self.run_actions(pool);
            }
        }
    }

    pub(crate) fn pool_internal_over(&mut self, connection: u32, request: u32, is_clean: bool) {
        let now_ms = self.now_ms();
        let Some(held) = self.connections.get_mut(connection) else { return };
        if held.reset.take_if(|reset| *reset == request).is_none() {
            return;
        }
        let (pool, release_waiter) = (held.pool, held.release_waiter.take());
        if let Some(slot) = release_waiter {
            self.finish_close(slot);
        }
        let Some(driver) = self.pools.get_mut(pool) else { return };
        driver.policy.reset_done(at(now_ms), connection, is_clean);
        self.run_actions(pool);
    }

    /// A session only reads. A pool whose sessions are to write wants another in its place: a failover, or a full disk,
    /// can leave a session behind that was well when it was opened.
    pub(crate) fn pool_read_only(&mut self, connection: u32) {
        let Some(pool) = self.connections.get(connection).map(|held| held.pool) else { return };
        let Some(driver) = self.pools.get_mut(pool) else { return };
        if matches!(&driver.config, Configuration::Parsed(config) if config.is_for_writing()) {
            driver.policy.unfit(connection);
            self.run_actions(pool);
        }
    }

    /// A connection of the pool is gone.
    pub(crate) fn pool_lost(&mut self, pool: u32, connection: u32) {
        let now_ms = self.now_ms();
        if let Some(driver) = self.pools.get_mut(pool) {
            driver.policy.lost(at(now_ms), connection);
            // Where calls of it go elsewhere, the policy hears of them first: a pool that is being closed would be at its end.
            let goes_elsewhere = |errand: &Errand| matches!(errand, Errand::Move { pool: of, .. } if *of == pool);
            if !self.calls.errands.iter().any(goes_elsewhere) {
                self.run_actions(pool);
            }
        }
    }
}
