//! The simulator's time of day: the real one, plus what tests have added.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Runs with the real clock, ahead of it by as much as it was advanced.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Duration,
}

impl Clock {
    /// Unix time in whole seconds, the unit of every life time that WeChat states.
    #[expect(clippy::disallowed_methods, reason = "the one place where the simulator takes the time")]
    pub(crate) fn now(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        real.saturating_add(self.ahead).as_secs()
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.ahead = self.ahead.saturating_add(by);
    }
}
