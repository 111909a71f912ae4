//! How long a server takes to answer during the startup, which tells how far it is: a proxy on the way takes a connection at
//! once, and passes on what is said.

use std::time::{Duration, Instant};

/// Watches what is sent and received.
#[derive(Debug, Default)]
pub(super) struct AnswerTime {
    sent_at: Option<Instant>,
    shortest: Option<Duration>,
}

impl AnswerTime {
    pub(super) fn sent(&mut self) {
        self.sent_at = Some(Instant::now());
    }

    pub(super) fn received(&mut self) {
        if let Some(sent_at) = self.sent_at.take() {
            let took = sent_at.elapsed();
            self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        }
    }

    /// The shortest time between a message and the answer to it; `None` when nothing was answered.
    pub(super) const fn shortest(&self) -> Option<Duration> {
        self.shortest
    }
}
