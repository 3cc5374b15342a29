//! What the resolver remembers: a trait, with SQLite and PostgreSQL behind it under one suite of stories (`tests/stories/store.rs`).
//!
//! Each method is one transaction: it happens as a whole or, when it answers an error, not at all. The one exception
//! is an error while committing, after which a repeated login tells what became of it (by its idempotency key).
//!
//! `sqlite` and `postgres` know how their database is opened, how a transaction begins and which errors mean what.
//! All statements and all that happens between them stand once, in `shared`, which is compiled for each of the two.

mod admin;
mod cursor;
mod error;
mod own_account;
mod pending;
mod postgres;
mod sqlite;
mod tickets;

use std::future::Future;
use std::time::Duration;

use resolver_api::{LoginOutcome, RevocationFeed};

use crate::audit::By;
use crate::clock::Moment;
use crate::ids::{IdempotencyKey, SessionId};
use crate::login::Login;
use crate::policy::{ConnectorPolicy, StoredPolicy, Terms};

pub use admin::{Act, AdminError, AdminStore, IdentityChange, Imported, Search};
pub use error::{LoginError, StoreError};
pub use own_account::AccountStore;
pub use pending::{Answered, Checked, CodeRequest, CodeRequested, FinishError, PendingStore, StoredPassword, Waiting};
pub use postgres::{PostgresOpenError, PostgresStore};
pub use sqlite::{SqliteOpenError, SqliteStore};
pub use tickets::{Made, TicketStore};

/// How long the outcome of a login is kept under its idempotency key.
pub const OUTCOME_KEPT: Duration = Duration::from_secs(600);

/// How long a request waits for a lock or a connection before the store calls itself busy: shorter than a filter's patience.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The most revocations on one page: below 64 KiB of JSON.
pub const REVOCATION_PAGE: usize = 500;

/// Users, identities, the outcomes of recent logins, tickets, revocations.
///
/// Text is compared byte for byte, never folded and never trimmed.
pub trait Store: PendingStore + AccountStore + TicketStore + Send + Sync + 'static {
    /// Decides a login by [`decide`](crate::login::decide) and does what was decided, or answers what was decided for its key before.
    /// `terms` are those of the resolver that was asked.
    fn login(&self, login: &Login, terms: &Terms, now: Moment) -> impl Future<Output = Result<Answer, LoginError>> + Send;

    /// The outcome of the login with this key, where one is kept.
    fn find_outcome(&self, key: &IdempotencyKey, now: Moment) -> impl Future<Output = Result<Option<LoginOutcome>, StoreError>> + Send;

    /// Ends a session; the revocation is in force until and including the second `expires_at`.
    fn revoke_session(&self, session: &SessionId, expires_at: u64, now: Moment) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The revocations in force after a cursor of this store, oldest first, at most [`REVOCATION_PAGE`];
    /// from the start when the cursor is empty or not of this store.
    fn find_revocations(&self, after: &str, now: Moment) -> impl Future<Output = Result<RevocationFeed, StoreError>> + Send;

    /// What the operator decided about connectors of the pool, in the order of their ids.
    fn list_policies(&self, pool: &str) -> impl Future<Output = Result<Vec<StoredPolicy>, StoreError>> + Send;

    /// Gives the connector this policy, or the default one again.
    fn set_policy(
        &self,
        pool: &str,
        connector: &str,
        policy: Option<&ConnectorPolicy>,
        by: &By,
        now: Moment,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes some of what is over, and tells how many: 0 when none was left.
    fn delete_expired(&self, now: Moment) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Answers when the store can be read.
    fn check(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Waits for what is under way, and closes.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// What a login led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The outcome.
    pub outcome: LoginOutcome,
    /// Whether an earlier request with this key had it decided.
    pub is_replay: bool,
}
