//! Every statement, and what happens between them, for whichever database the parent module is about: it is compiled once for
//! each of them, over the parent's `Backend`, `Connection` and `Row`.
//!
//! What both databases understand: parameters as `$1`; `i64`, `bool`, text and bytes; no sequences, no functions of time.
//!
//! Each method of the store is one transaction ([`transaction`]); the functions of the other modules take its connection, so that one
//! transaction can do several things.

mod accounts;
mod admin;
mod admin_identities;
mod admin_merge;
mod admin_users;
mod audit;
mod choices;
mod codes;
mod finish;
mod identities;
mod logins;
mod outcomes;
mod own_account;
mod pending;
mod policies;
mod revocations;
mod ticket_limits;
mod tickets;
mod transaction;
mod withdrawals;

use resolver_api::{LoginOutcome, RevocationFeed};
use serde_json::json;
use uuid::Uuid;

use super::{Backend, Connection, Row, TEXTS_OF_1};
use crate::audit::{Action, By};
use crate::clock::Moment;
use crate::ids::{IdempotencyKey, SessionId};
use crate::login::Login;
use crate::policy::{ConnectorPolicy, StoredPolicy, Terms};
use crate::store::{Answer, LoginError, Store, StoreError};
use logins::Undone;
use transaction::Repeat;

/// How many rows of a kind one sweep deletes: others are not kept waiting for long.
const SWEEP: i64 = 1000;

impl Store for Backend {
    async fn login(&self, login: &Login, terms: &Terms, now: Moment) -> Result<Answer, LoginError> {
        // The second time it finds what the first time stored under the key, if it did.
        match self.write(Repeat::Always, |scope| Box::pin(logins::login(scope.connection, login, terms, now))).await {
            Ok(outcome) => Ok(Answer { outcome, is_replay: false }),
            Err(Undone::DecidedBefore) => self.read(|scope| Box::pin(logins::replay(scope.connection, login, now))).await,
            Err(Undone::Store(error)) => Err(error.into()),
        }
    }

    async fn find_outcome(&self, key: &IdempotencyKey, now: Moment) -> Result<Option<LoginOutcome>, StoreError> {
        let kept = self.read(|scope| Box::pin(outcomes::find(scope.connection, key, now))).await?;
        Ok(kept.map(|kept| kept.outcome))
    }

    async fn revoke_session(&self, session: &SessionId, expires_at: u64, now: Moment) -> Result<(), StoreError> {
        if expires_at < now.seconds() {
            return Ok(());
        }
        self.write(Repeat::Always, |scope| Box::pin(revocations::revoke_session(scope.connection, session, expires_at, now))).await
    }

    async fn find_revocations(&self, after: &str, now: Moment) -> Result<RevocationFeed, StoreError> {
        self.read(|scope| Box::pin(revocations::find(scope.connection, after, now))).await
    }

    async fn list_policies(&self, pool: &str) -> Result<Vec<StoredPolicy>, StoreError> {
        self.read(|scope| Box::pin(policies::list(scope.connection, pool))).await
    }

    async fn set_policy(
        &self,
        pool: &str,
        connector: &str,
        policy: Option<&ConnectorPolicy>,
        by: &By,
        now: Moment,
    ) -> Result<(), StoreError> {
        self.write(Repeat::Always, |scope| {
            Box::pin(async move {
                match policy {
                    Some(policy) => policies::set(scope.connection, pool, connector, policy, now).await?,
                    None => policies::delete(scope.connection, pool, connector).await?,
                }
                let detail = json!({"connector": connector, "policy": policy});
                let entry = by.entry(pool, Action::PolicyChanged, None, detail);
                audit::record(scope.connection, &entry, now).await
            })
        })
        .await
    }

    async fn delete_expired(&self, now: Moment) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for sweep in [outcomes::SWEEP, pending::SWEEP, codes::SWEEP, tickets::SWEEP, ticket_limits::SWEEP, revocations::SWEEP] {
            deleted += self.write(Repeat::Always, |scope| Box::pin(delete_some(scope.connection, sweep, now))).await?;
        }
        Ok(deleted)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.read(|scope| Box::pin(revocations::check(scope.connection))).await
    }

    async fn close(&self) {
        self.close_pools().await;
    }
}

async fn delete_some(connection: &mut Connection, sweep: &'static str, now: Moment) -> Result<u64, StoreError> {
    let done = sqlx::query(sweep).bind(to_sql(now.seconds())).bind(SWEEP).execute(connection).await?;
    Ok(done.rows_affected())
}

fn parse_uuid(text: &str) -> Result<Uuid, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("an id"))
}

/// The databases' integers have a sign; times do not get that far.
fn to_sql(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn from_sql(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or_default()
}
