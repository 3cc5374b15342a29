//! What every request is answered from.

use std::time::Duration;

use crate::admin::Admins;
use crate::clock::Clock;
use crate::delivery::Delivery;
use crate::password::Passwords;
use crate::policy::ConnectorPolicy;
use crate::tokens::Tokens;

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
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 256,
            request: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            longest_session: Duration::from_hours(365 * 24),
        }
    }
}
