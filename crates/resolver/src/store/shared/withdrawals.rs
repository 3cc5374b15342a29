//! Consent that a WeChat person has withdrawn: sessions end, what they confirmed and nobody collected yet begins none, and what
//! WeChat told of them goes. The account stays theirs.

use std::collections::BTreeSet;
use std::time::Duration;

use resolver_api::tickets::WithdrawAuthorization;
use serde_json::json;
use sqlx::Row as _;

use super::{Connection, Row, accounts, admin_identities, audit, parse_uuid, revocations, tickets};
use crate::account::Account;
use crate::admin::identity::Identity;
use crate::audit::{Action, Actor, By};
use crate::clock::Moment;
use crate::ids::UserId;
use crate::store::StoreError;

/// WeChat's clock may be ahead of ours, in seconds; what is further ahead is taken for this.
const FURTHEST_AHEAD: u64 = 60;

/// A WeChat person, as far as they are known.
struct Person<'a> {
    platform: &'a str,
    app_id: &'a str,
    openid: &'a str,
    unionid: Option<String>,
}

/// Tells the accounts that it changed; none when all of it was so before.
pub(super) async fn withdraw(
    connection: &mut Connection,
    withdrawal: &WithdrawAuthorization,
    longest_session: Duration,
    now: Moment,
) -> Result<Vec<UserId>, StoreError> {
    let at = withdrawal.at.min(now.seconds().saturating_add(FURTHEST_AHEAD));
    let mut changed = Vec::new();
    for pool in &withdrawal.pools {
        tickets::withdraw(connection, pool, withdrawal, at, now).await?;
        let (person, owners) = find(connection, pool, withdrawal).await?;
        for user in owners {
            let account = accounts::find(connection, user).await?.ok_or(StoreError::Unreadable("an identity of nobody"))?;
            if !withdraw_from(connection, account, &person, at, longest_session, now).await? {
                continue;
            }
            let wechat = By { actor: Actor::Wechat, client_address: None };
            let detail = json!({"reason": withdrawal.reason, "platform": withdrawal.platform, "app_id": withdrawal.app_id, "at": at});
            let entry = wechat.entry(pool, Action::AuthorizationWithdrawn, Some(user), detail);
            audit::record(connection, &entry, now).await?;
            changed.push(user);
        }
    }
    Ok(changed)
}

/// Whether that changed anything.
async fn withdraw_from(
    connection: &mut Connection,
    account: Account,
    person: &Person<'_>,
    at: u64,
    longest_session: Duration,
    now: Moment,
) -> Result<bool, StoreError> {
    let identities = admin_identities::list(connection, account.id).await?;
    let of_person: Vec<_> = identities.iter().filter(|identity| person.has(identity)).collect();
    let mut is_changed = false;
    for identity in of_person.iter().filter(|identity| identity.nickname.is_some() && identity.last_login_at <= at) {
        sqlx::query("UPDATE identities SET nickname = NULL WHERE id = $1").bind(&identity.id).execute(&mut *connection).await?;
        is_changed = true;
    }
    let mut changed = account.clone();
    // Whoever has logged in again has agreed again, and what WeChat told then is newer.
    let is_back = of_person.iter().any(|identity| identity.last_login_at > at);
    // An account is called after one of its WeChats, which may be another one.
    let is_namesake = |identity: &&Identity| identity.nickname.is_some() && identity.nickname == account.name.value;
    let is_called_after_another = identities.iter().any(|identity| is_namesake(&identity)) && !of_person.iter().any(is_namesake);
    if !is_back && !is_called_after_another {
        changed = changed.without_wechats_profile();
    }
    if changed.sessions_not_before < at {
        changed.sessions_not_before = at;
        revocations::announce(connection, &changed, longest_session, now).await?;
    }
    if changed != account {
        accounts::update(connection, &changed).await?;
        is_changed = true;
    }
    Ok(is_changed)
}

impl Person<'_> {
    fn has(&self, identity: &Identity) -> bool {
        let is_openid = identity.app_id.as_deref() == Some(self.app_id) && identity.openid.as_deref() == Some(self.openid);
        let is_unionid = self.unionid.is_some() && identity.unionid == self.unionid;
        identity.platform == self.platform && (is_openid || is_unionid)
    }
}

/// The person as the pool knows them, and the accounts that have the openid, or the unionid that came with it.
async fn find<'a>(
    connection: &mut Connection,
    pool: &str,
    withdrawal: &'a WithdrawAuthorization,
) -> Result<(Person<'a>, BTreeSet<UserId>), StoreError> {
    let WithdrawAuthorization { platform, app_id, openid, unionid, .. } = withdrawal;
    let mut person = Person { platform, app_id, openid, unionid: unionid.clone() };
    let mut owners = BTreeSet::new();
    let row: Option<Row> = sqlx::query(
        "SELECT user_id, unionid FROM identities WHERE pool = $1 AND platform = $2 AND kind = 'openid' AND app_id = $3 AND value = $4",
    )
    .bind(pool)
    .bind(platform)
    .bind(app_id)
    .bind(openid.as_bytes())
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(row) = row {
        owners.insert(parse_uuid(row.try_get("user_id")?)?);
        let known: Option<Vec<u8>> = row.try_get("unionid")?;
        let known = known.map(String::from_utf8).transpose().map_err(|_| StoreError::Unreadable("an identity"))?;
        person.unionid = person.unionid.or(known);
    }
    let owner: Option<String> = sqlx::query_scalar(
        "SELECT user_id FROM identities WHERE pool = $1 AND platform = $2 AND kind = 'unionid' AND app_id = '' AND value = $3",
    )
    .bind(pool)
    .bind(platform)
    .bind(person.unionid.as_deref().map(str::as_bytes))
    .fetch_optional(connection)
    .await?;
    if let Some(owner) = owner {
        owners.insert(parse_uuid(&owner)?);
    }
    Ok((person, owners))
}
