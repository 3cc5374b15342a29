//! What every request is answered from.

use std::sync::Arc;
use std::time::Duration;

use crate::admin::Admins;
use crate::clock::Clock;
use crate::delivery::Delivery;
use crate::password::Passwords;
use crate::policy::{ALL_METHODS, ConnectorPolicy, Terms};
use crate::tokens::Tokens;
use crate::waits::Waits;

/// What every request is answered from.
#[derive(Debug)]
pub struct AppState<S> {
    /// What is remembered.
    pub store: S,
    /// Who may call.
    pub tokens: Tokens,
    /// Who may administer; without anybody the admin API is off.
    pub admins: Admins,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// The policy of a connector that has none of its own.
    pub default_policy: ConnectorPolicy,
    /// How codes go out.
    pub delivery: Delivery,
    /// What time it is.
    pub clock: Clock,
    /// How much, and how long.
    pub limits: Limits,
    /// Who waits for tickets.
    pub waits: Arc<Waits>,
}

/// How much, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most requests that are worked on at once; the next one gets 503.
    pub in_flight: usize,
    /// The longest that one request is worked on; then it gets 503.
    pub request: Duration,
    /// The longest that a shutdown waits for requests under way.
    pub drain: Duration,
    /// The longest `session.absolute_seconds` of any filter: the revocation of a user is kept for so long.
    pub longest_session: Duration,
    /// How many tickets.
    pub tickets: TicketLimits,
}

/// How many tickets may be made, and waited for. Those that hand over a session are counted apart from all others.
#[derive(Clone, Copy, Debug)]
pub struct TicketLimits {
    /// The most that one client makes in a minute.
    pub a_minute_of_a_client: u32,
    /// The most that all clients together make in a minute.
    pub a_minute: u32,
    /// The most requests that wait at once; the next one is answered at once.
    pub waits: usize,
}

/// Open files for the database, the log, the listener and whatever else is no request.
const OTHER_FILES: usize = 64;

impl Limits {
    /// With no more waits than a process that may have so many files open has connections for, besides those of requests that work.
    pub fn within(mut self, open_files: usize) -> Self {
        let left = open_files.saturating_sub(self.in_flight).saturating_sub(OTHER_FILES);
        self.tickets.waits = self.tickets.waits.min(left);
        self
    }
}

impl<S> AppState<S> {
    /// No administrators, open registration, the machine's clock, and the default limits.
    pub fn new(store: S, tokens: Tokens) -> Self {
        Self {
            store,
            tokens,
            admins: Admins::default(),
            passwords: Passwords::default(),
            delivery: Delivery::none(),
            default_policy: ConnectorPolicy::default(),
            clock: Clock::system(),
            limits: Limits::default(),
            waits: Arc::default(),
        }
    }

    /// By what first logins are decided here.
    pub fn terms(&self) -> Terms {
        let methods = ALL_METHODS.into_iter().filter(|method| self.delivery.offers(*method)).collect();
        Terms { default: self.default_policy.clone(), methods }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 256,
            request: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            longest_session: Duration::from_hours(365 * 24),
            tickets: TicketLimits::default(),
        }
    }
}

impl Default for TicketLimits {
    fn default() -> Self {
        Self { a_minute_of_a_client: 30, a_minute: 3000, waits: 3000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_leave_files_to_those_who_work() {
        let waits = |open_files| Limits::default().within(open_files).tickets.waits;
        assert_eq!(waits(usize::MAX), 3000);
        assert_eq!(waits(1024), 1024 - 256 - 64);
        assert_eq!(waits(256), 0);
    }
}
