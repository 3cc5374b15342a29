//! A person's own account: what they see, and what they do with it.

use std::time::Duration;

use resolver_api::{AccountChange, AccountView, UnlinkAnswer};
use serde_json::json;
use uuid::Uuid;

use super::transaction::Repeat;
use super::{Backend, Connection, accounts, admin_identities, audit, revocations};
use crate::account::{Account, State};
use crate::audit::{Action, Actor, By};
use crate::clock::Moment;
use crate::ids::UserId;
use crate::linked::people;
use crate::store::{AccountStore, AdminError, IdentityChange, StoreError};

impl AccountStore for Backend {
    async fn view_account(&self, user: UserId, pool: &str) -> Result<Option<AccountView>, StoreError> {
        self.read(|scope| Box::pin(view(scope.connection, user, pool))).await
    }

    async fn unlink(
        &self,
        user: UserId,
        linked: Uuid,
        change: &AccountChange,
        longest_session: Duration,
        now: Moment,
    ) -> Result<Option<UnlinkAnswer>, StoreError> {
        // The second time it would not find what the first time has deleted, if it did.
        self.write(Repeat::Undone, |scope| Box::pin(unlink(scope.connection, user, linked, change, longest_session, now))).await
    }

    async fn sign_out_everywhere(
        &self,
        user: UserId,
        change: &AccountChange,
        longest_session: Duration,
        now: Moment,
    ) -> Result<bool, StoreError> {
        self.write(Repeat::Always, |scope| {
            Box::pin(async move {
                let Some(account) = find(scope.connection, user, &change.pool).await? else {
                    return Ok(false);
                };
                let detail = json!({"application": change.application});
                let entry = by(user, change).entry(&account.pool, Action::SignedOutEverywhere, Some(user), detail);
                audit::record(scope.connection, &entry, now).await?;
                revocations::end_sessions(scope.connection, account, longest_session, now).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// The account, where it is active and of this pool.
async fn find(connection: &mut Connection, user: UserId, pool: &str) -> Result<Option<Account>, StoreError> {
    let account = accounts::find(connection, user).await?;
    Ok(account.filter(|account| account.pool == pool && account.state == State::Active))
}

async fn view(connection: &mut Connection, user: UserId, pool: &str) -> Result<Option<AccountView>, StoreError> {
    let Some(account) = find(connection, user, pool).await? else {
        return Ok(None);
    };
    let identities = admin_identities::list(connection, user).await?;
    Ok(Some(AccountView {
        user: account.to_user(),
        identities: people(&identities),
        email: account.email.filter(|email| email.is_verified).map(|email| email.address),
        created_at: account.created_at,
    }))
}

async fn unlink(
    connection: &mut Connection,
    user: UserId,
    linked: Uuid,
    change: &AccountChange,
    longest_session: Duration,
    now: Moment,
) -> Result<Option<UnlinkAnswer>, StoreError> {
    if find(connection, user, &change.pool).await?.is_none() {
        return Ok(None);
    }
    // WeChat is the only way to log in, so the last WeChat person is the last way in.
    let identity = IdentityChange { user, identity: linked, is_forced: false };
    match admin_identities::unlink(connection, &identity, longest_session, &by(user, change), now).await {
        Ok(_) => Ok(Some(UnlinkAnswer::Unlinked)),
        Err(AdminError::LastWayIn) => Ok(Some(UnlinkAnswer::LastWayIn)),
        Err(AdminError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

fn by(user: UserId, change: &AccountChange) -> By {
    By { actor: Actor::User(user), client_address: change.client_address.clone() }
}
