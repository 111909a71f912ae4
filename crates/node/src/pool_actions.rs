//! Carrying out what a pool's policy decides: opening, lending, resetting and closing its connections.

use std::sync::Arc;
use std::time::Duration;

use oxpg_client::open::{Config, OpenError, OpenErrorKind, Opened, Particulars};
use oxpg_client::pool::{Action, CloseReason, OpenFailure, Rejection};
use oxpg_client::reset;
use oxpg_client::session::EndCause;
use oxpg_codec::boundary::{POOL_BIT, record_word as word};

use crate::background::Configuration;
use crate::environment::Environment;
use crate::failure::FailureData;
use crate::mailbox::{Extra, Kind, SessionFacts};
use crate::openings::Opening;
use crate::pool_calls::shared_statement;
use crate::pools::at;
use crate::reactor::Reactor;
use crate::requests::Place;

impl Environment {
    /// Carries out what the policy has decided, until it has nothing more to say.
    pub(crate) fn run_actions(&mut self, pool: u32) {
        if let Some(driver) = self.pools.get_mut(pool) {
            driver.policy.looked(self.looks.looked_at());
        }
        while let Some(action) = self.pools.get_mut(pool).and_then(|driver| driver.policy.next_action()) {
            match action {
                Action::Open { attempt } => self.open_for_pool(pool, attempt),
                Action::Abandon { attempt } => self.openings.give_up_attempt(pool, attempt),
                Action::Grant { waiter, connection, is_lease } => self.grant(pool, waiter, connection, is_lease),
                Action::Reset { connection } => self.reset(connection),
                Action::Close { connection, reason } => self.close_for_pool(connection, reason),
                Action::Reject { waiter, reason } => self.reject(pool, waiter, &reason),
                Action::Closed => self.pool_closed(pool),
            }
        }
    }

    fn close_for_pool(&mut self, connection: u32, reason: CloseReason) {
        if let Some(held) = self.connections.get_mut(connection) {
            held.close_reason = Some(reason);
        }
        self.end_connection(connection, EndCause::Terminated);
    }

    pub(crate) fn open_for_pool(&mut self, pool: u32, attempt: u32) {
        let Some(driver) = self.pools.get(pool) else { return };
        let (config, asks_credentials) = (driver.config.clone(), driver.asks_credentials);
        let opening = self.openings.insert(Opening::Pool { pool, attempt });
        if asks_credentials {
            self.mailbox.push(Kind::Credentials, pool | POOL_BIT, |words| {
                words[word::CREDENTIALS_OPENING] = opening.cast_signed();
            });
            self.reactor.spin(true);
        } else if let Err(failure) = self.start_opening(opening, config, Particulars::default()) {
            self.open_failed(pool, attempt, OpenFailure::Transient, *failure);
        }
    }

    pub(crate) fn open_failed(&mut self, pool: u32, attempt: u32, kind: OpenFailure, failure: FailureData) {
        let now_ms = self.now_ms();
        let Some(driver) = self.pools.get_mut(pool) else { return };
        driver.last_open_error = Some(failure.clone());
        driver.policy.open_failed(at(now_ms), attempt, kind);
        // createPool() itself fails with the first error; nothing of the pool stays behind.
        if let Some((slot, _)) = driver.ready.take() {
            driver.policy.terminate(at(now_ms));
            self.fail(slot, failure);
        }
    }

    pub(crate) fn opened_for_pool(
        &mut self,
        pool: u32,
        attempt: u32,
        result: Result<(Opened, Arc<Config>), OpenError>,
        opening_ms: u64,
    ) {
        let now_ms = self.now_ms();
        let Some(driver) = self.pools.get_mut(pool) else { return };
        let connecting = result.as_ref().map_or(Duration::ZERO, |(opened, _)| opened.connecting);
        let outcome = match result {
            Ok((opened, config)) => {
                driver.config = Configuration::Parsed(Arc::clone(&config));
                self.adopt(opened, &config, pool, opening_ms)
                    .map_err(|text| (OpenFailure::Final, FailureData::internal(&text)))
            }
            Err(error) => Err((kind_of(&error), FailureData::from(error))),
        };
        let Some(driver) = self.pools.get_mut(pool) else { return };
        match outcome {
            Ok(connection) => {
                driver.last_open_error = None;
                driver.policy.opened(at(now_ms), attempt, connection, connecting);
                self.tell_pooled(pool, connection);
            }
            Err((kind, failure)) => self.open_failed(pool, attempt, kind, failure),
        }
        self.pool_ready(pool);
        self.run_actions(pool);
    }

    /// JavaScript knows every connection of its pools: what happens there may be told.
    fn tell_pooled(&mut self, pool: u32, connection: u32) {
        let Some(facts) = self.connections.get_mut(connection).map(SessionFacts::of) else { return };
        let extra = Extra::Opened(Box::new(facts));
        self.mailbox.push_extra(Kind::Pooled, connection, word::EVENT_EXTRA, extra, |words| {
            words[word::POOLED_POOL] = (pool | POOL_BIT).cast_signed();
        });
        self.reactor.spin(true);
    }

    pub(crate) fn grant(&mut self, pool: u32, slot: u32, connection: u32, is_lease: bool) {
        let now_ms = self.now_ms();
        let work = self.calls.requests.get_mut(slot).and_then(|state| {
            state.place = Place::Connection(connection);
            state.pool = pool;
            state.holds_lease = is_lease;
            if state.is_observed {
                self.mailbox.push_served(slot, connection);
            }
            state.waiting_work.take()
        });
        let Some(driver) = self.pools.get_mut(pool) else { return };
        match work {
            Some(work) if is_lease => {
                if let Some(held) = self.connections.get_mut(connection) {
                    held.is_lease_traceless = true;
                }
                self.submit(connection, slot, work);
            }
            Some(work) => {
                let statement = shared_statement(&work).unwrap_or_default();
                self.submit_shared(pool, connection, slot, (statement, work), at(now_ms));
            }
            None if self.calls.requests.get(slot).is_none() => {
                // The waiter is gone; the policy is told of those, so this guards against a leak only.
                let _ = driver.policy.release(at(now_ms), connection, false);
            }
            None => {
                self.calls.requests.end(slot);
                if let Some(held) = self.connections.get_mut(connection) {
                    held.is_leased = true;
                    held.lease_queries = 0;
                    held.is_lease_traceless = true;
                }
                self.mailbox
                    .push(Kind::Granted, slot, |words| words[word::OPENED_CONNECTION] = connection.cast_signed());
                self.reactor.spin(true);
            }
        }
    }

    pub(crate) fn reset(&mut self, connection: u32) {
        let Some(held) = self.connections.get(connection) else { return };
        let work = reset::reset(&held.session);
        let request = self.submit_internal(connection, work);
        if let Some(held) = self.connections.get_mut(connection) {
            held.reset = Some(request);
        }
        self.guard(connection);
    }

    pub(crate) fn reject(&mut self, pool: u32, slot: u32, reason: &Rejection) {
        let error = self.pools.get(pool).and_then(|driver| driver.last_open_error.clone());
        let failure = FailureData::rejected(reason, || self.pool_uses(pool), error);
        self.fail(slot, failure);
    }

    pub(crate) fn pool_closed(&mut self, pool: u32) {
        let Some(driver) = self.pools.remove(pool) else { return };
        if let Some((slot, _)) = driver.ready {
            self.fail(slot, FailureData::pool_closed());
        }
        match driver.parting {
            Some(parting) => self.seal_parting(parting, driver.close_waiters),
            None => driver.close_waiters.into_iter().for_each(|slot| self.finish_close(slot)),
        }
    }

    pub(crate) fn pool_ready(&mut self, pool: u32) {
        let Some(driver) = self.pools.get_mut(pool) else { return };
        if let Some((slot, wanted)) = driver.ready
            && driver.policy.stats().size >= wanted
        {
            driver.ready = None;
            self.calls.requests.end(slot);
            self.mailbox
                .push(Kind::Granted, slot, |words| words[word::OPENED_CONNECTION] = (pool | POOL_BIT).cast_signed());
            self.reactor.spin(true);
        }
    }
}

/// What the error of one attempt says of the next.
fn kind_of(error: &OpenError) -> OpenFailure {
    let says_no = [OpenErrorKind::Server, OpenErrorKind::Configuration, OpenErrorKind::Unsupported];
    match error {
        error if error.is_unreachable => OpenFailure::Unreachable,
        error if error.is_transient() => OpenFailure::Transient,
        error if says_no.contains(&error.kind) => OpenFailure::Refused,
        _ => OpenFailure::Final,
    }
}
