//! The checks, section by section of `docs/resolver-api.md`.

mod accounts;
mod common;
mod decision;
mod idempotency;
mod pending;
mod revocations;
mod tickets;
mod withdrawals;

use std::pin::Pin;

use crate::server::{Result, Server};

/// One check.
pub(crate) struct Check {
    function: &'static str,
    /// The heading in `docs/resolver-api.md`.
    pub(crate) section: &'static str,
    pub(crate) run: fn(&Server) -> Running<'_>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

impl Check {
    /// The sentence that it checks.
    pub(crate) fn name(&self) -> String {
        self.function.replace('_', " ")
    }
}

/// Every check, in the order of the page.
pub(crate) fn all() -> impl Iterator<Item = Check> {
    let checks = [
        common::requests(),
        common::errors(),
        decision::checks(),
        idempotency::checks(),
        pending::checks(),
        tickets::checks(),
        withdrawals::checks(),
        accounts::checks(),
        revocations::checks(),
    ];
    // What holds for every answer is looked at when all of them have come.
    checks.into_iter().flatten().chain(common::answers())
}

/// The checks of one section, each a function whose name is its sentence.
macro_rules! checks {
    ($section:literal: $($check:ident),* $(,)?) => {
        vec![$($crate::checks::Check {
            function: stringify!($check),
            section: $section,
            run: |server| Box::pin($check(server)),
        }),*]
    };
}
use checks;
