//! Closing and terminating, of connections and of pools.

use oxpg_codec::boundary::POOL_BIT;

use crate::environment::Environment;
use crate::pools::at;
use crate::requests::Place;

impl Environment {
    /// `close()`: what is in flight ends first.
    pub(crate) fn close(&mut self, target: u32, slot: u32, timeout_ms: u32, now_ms: u64) {
        if target & POOL_BIT == 0 {
            self.begin(slot, Place::Closing(target), timeout_ms, now_ms);
            self.let_pass(target);
            match self.connections.get_mut(target) {
                Some(connection) => {
                    connection.close_waiters.push(slot);
                    self.drive(target, |connection, sink| connection.session.begin_close(sink));
                }
                None => self.finish_close(slot),
            }
            return;
        }
        let pool = target & !POOL_BIT;
        self.begin(slot, Place::Closing(target), timeout_ms, now_ms);
        match self.pools.get_mut(pool) {
            Some(driver) => {
                driver.close_waiters.push(slot);
                driver.parting.get_or_insert_with(|| self.partings.begin());
                driver.policy.close(at(now_ms));
                self.run_actions(pool);
            }
            None => self.finish_close(slot),
        }
    }

    /// The caller of a graceful close no longer waits for it: everything ends at once.
    pub(crate) fn hurry_close(&mut self, target: u32, slot: u32) {
        self.partings.forget_waiter(slot);
        if target & POOL_BIT == 0 {
            if let Some(connection) = self.connections.get_mut(target) {
                connection.close_waiters.retain(|waiter| *waiter != slot);
            }
        } else if let Some(driver) = self.pools.get_mut(target & !POOL_BIT) {
            driver.close_waiters.retain(|waiter| *waiter != slot);
        }
        self.terminate_target(target);
    }

    /// `terminate()`.
    pub(crate) fn terminate_target(&mut self, target: u32) {
        let now_ms = self.now_ms();
        if target & POOL_BIT == 0 {
            self.terminate(target);
        } else if let Some(driver) = self.pools.get_mut(target & !POOL_BIT) {
            driver.policy.terminate(at(now_ms));
            self.run_actions(target & !POOL_BIT);
        }
    }
}
