//! A whole stack for a test: a real Envoy with the filter, an application behind it, WeChat, a resolver, visitors.
//!
//! ```ignore
//! let stack = Stack::start().await;
//! let visitor = stack.visitor();
//! let page = visitor.login("pc", "xiaoming").await;
//! page.assert_status(200);
//! assert_eq!(visitor.whoami().await.text("connector"), "pc");
//! stack.finish().await;
//! ```
//!
//! [`Stack::finish`] holds every test against the same oracles (`oracles.rs`), whatever else it checks. README.md says
//! the rest. Nothing here knows the filter from within: it sees what a client sees.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness fails a test by panicking, and it is never shipped"
)]

pub mod application;
mod database;
pub mod envoy;
pub mod fault_proxy;
pub mod forms;
pub mod hostile;
pub mod http;
pub mod http2;
pub mod identity;
mod log;
pub mod operator;
mod oracles;
pub mod outbox;
pub mod render;
pub mod resolver;
pub mod scan;
pub mod stack;
mod tls;
pub mod visitor;

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use application::{Application, Seen};
pub use envoy::{Envoy, tool};
pub use fault_proxy::{Fault, FaultProxy};
pub use http::{Answer, Wire};
pub use http2::Http2;
pub use identity::Identity;
pub use resolver::Resolver;
pub use stack::{Builder, Stack};
pub use tls::Certificate;
pub use visitor::Visitor;
pub use wechat_sim;

/// Asks until there is something, at most for so long; then the test fails.
pub async fn eventually<T>(within: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Lets this process, and each Envoy that it starts from now on, have so many files and sockets open, or as many as the machine
/// allows. Gives how many those are.
pub fn allow_open_files(number: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.map_or(number, |most| most.min(number));
    if limit.current.is_some_and(|most| most < allowed) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), ..limit }).expect("below the hard limit");
    }
    allowed
}

/// The Unix time.
pub fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test is a client, with a clock of its own")]
    std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
