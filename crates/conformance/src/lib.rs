//! Does a service keep to the resolver API?
//!
//! `docs/resolver-api.md` says what a resolver has to do; [`run`] asks one over HTTP, as the filter would, and tells check by
//! check what was sent, what was expected and what came. It makes accounts of people whom it invents at random, so it wants a
//! pool of its own ([`Target::pool`]), and a connector where registration is open.
//!
//! What no caller can see stays unchecked: that tokens are compared in constant time, that a login is finished when
//! the caller leaves, that ids are never given to anybody else.

mod checks;
mod people;
mod report;
mod server;

use std::fmt;

pub use report::{Checked, Report, Verdict};
use server::Server;

/// The resolver to check, and who to be there.
#[derive(Clone)]
pub struct Target {
    /// Where it is, such as `http://127.0.0.1:8300`.
    pub url: String,
    /// One of its tokens.
    pub token: String,
    /// The pool to make accounts in.
    pub pool: String,
    /// What to give as `application`.
    pub application: String,
    /// What to give as `platform`.
    pub platform: String,
    /// A connector where registration is open and nobody is asked for an account.
    pub connector: String,
    /// A connector where registration is closed, if there is one.
    pub closed_connector: Option<String>,
    /// A connector that asks people whom nobody knows for an account (`bind_account`), if there is one.
    pub asking_connector: Option<String>,
}

/// Why nothing could be checked.
#[derive(Debug)]
pub enum SetupError {
    /// The URL is not one that can be called.
    Url,
    /// The token cannot stand in a header.
    Token,
    /// The HTTP client cannot be made.
    Client(reqwest::Error),
}

/// Runs every check whose name contains `only`, one after the other, and tells `progress` of each as it ends.
///
/// # Errors
///
/// The target cannot be called at all. A target that does not answer fails its checks instead.
pub async fn run(target: Target, only: &str, mut progress: impl FnMut(&Checked)) -> Result<Report, SetupError> {
    let server = Server::new(target)?;
    let mut checked = Vec::new();
    for check in checks::all().filter(|check| check.name().contains(only)) {
        let verdict = match (check.run)(&server).await {
            Ok(()) => Verdict::Passed,
            Err(ending) => ending.into(),
        };
        let done = Checked { name: check.name(), section: check.section, verdict };
        progress(&done);
        checked.push(done);
    }
    Ok(Report { checks: checked })
}

/// The headings of `docs/resolver-api.md` that the checks are of.
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = checks::all().map(|check| check.section).collect();
    sections.dedup();
    sections
}

impl Target {
    /// A target with names of our own for everything that a resolver takes any name for.
    pub fn new(url: impl Into<String>, token: impl Into<String>) -> Self {
        let name = || "conformance".to_owned();
        Self {
            url: url.into(),
            token: token.into(),
            pool: name(),
            application: name(),
            platform: name(),
            connector: name(),
            closed_connector: None,
            asking_connector: None,
        }
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => write!(out, "the URL is not usable; expected http://HOST:PORT"),
            Self::Token => write!(out, "the token cannot be sent; expected visible ASCII"),
            Self::Client(error) => write!(out, "no HTTP client: {error}"),
        }
    }
}

impl std::error::Error for SetupError {}
