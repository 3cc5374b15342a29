//! The time, handed in: nothing else in this crate asks the system for it, so a test can move it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A point in time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    millis: u64,
}

impl Moment {
    /// The moment that lies `since_epoch` after the Unix epoch.
    pub fn from_unix(since_epoch: Duration) -> Self {
        Self { millis: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX) }
    }

    /// Whole seconds since the Unix epoch, as the API counts them.
    pub fn seconds(self) -> u64 {
        self.millis / 1000
    }

    /// Milliseconds since the Unix epoch, as a UUIDv7 counts them.
    pub fn millis(self) -> u64 {
        self.millis
    }
}

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that reads the time since the Unix epoch from `read`.
    pub fn new(read: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The machine's clock.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where the resolver takes the time")]
        Self::new(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }

    /// What time it is.
    pub fn now(&self) -> Moment {
        Moment::from_unix((self.0)())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Clock").field(&self.now()).finish()
    }
}
