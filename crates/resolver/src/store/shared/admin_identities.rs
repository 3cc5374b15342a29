//! What an administrator does to identities.
//!
//! A WeChat person is a unionid with every openid that came with it, or an openid alone. They come and go as a whole: an openid
//! that stayed behind would bring its unionid back at the next login.

use std::time::Duration;

use serde_json::json;
use sqlx::Row as _;

use super::admin_users::find_usable;
use super::{Connection, Row, accounts, audit, from_sql, parse_uuid, revocations, to_sql};
use crate::account::Account;
use crate::admin::fields::FieldProblem;
use crate::admin::identity::{Identity, WechatPerson};
use crate::audit::{Action, By};
use crate::clock::Moment;
use crate::ids::{self, UserId};
use crate::store::{AdminError, IdentityChange, StoreError};

/// The identities of a user, in the order in which they were linked.
pub(super) async fn list(connection: &mut Connection, user: UserId) -> Result<Vec<Identity>, StoreError> {
    let rows: Vec<Row> = sqlx::query("SELECT * FROM identities WHERE user_id = $1 ORDER BY created_at, kind, id")
        .bind(user.to_string())
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn list_of_user(connection: &mut Connection, user: UserId) -> Result<Option<Vec<Identity>>, StoreError> {
    if accounts::find(connection, user).await?.is_none() {
        return Ok(None);
    }
    list(connection, user).await.map(Some)
}

fn read(row: &Row) -> Result<Identity, StoreError> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| StoreError::Unreadable("an identity"));
    let value = text(row.try_get("value")?)?;
    let unionid: Option<Vec<u8>> = row.try_get("unionid")?;
    let connector: String = row.try_get("connector")?;
    let (app_id, openid, unionid) = match row.try_get("kind")? {
        "unionid" => (None, None, Some(value)),
        _ => (Some(row.try_get("app_id")?), Some(value), unionid.map(text).transpose()?),
    };
    Ok(Identity {
        id: row.try_get("id")?,
        platform: row.try_get("platform")?,
        app_id,
        openid,
        unionid,
        connector: Some(connector).filter(|connector| !connector.is_empty()),
        nickname: row.try_get("nickname")?,
        linked_at: from_sql(row.try_get("created_at")?),
        last_login_at: from_sql(row.try_get("last_login_at")?),
    })
}

/// Whose this person's openid or unionid is.
pub(super) async fn find_holder(connection: &mut Connection, pool: &str, person: &WechatPerson) -> Result<Option<UserId>, StoreError> {
    for (kind, app_id, value) in parts(person) {
        let holder: Option<String> = sqlx::query_scalar(
            "SELECT user_id FROM identities WHERE pool = $1 AND platform = $2 AND kind = $3 AND app_id = $4 AND value = $5",
        )
        .bind(pool)
        .bind(&person.platform)
        .bind(kind)
        .bind(app_id)
        .bind(value)
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(holder) = holder {
            return parse_uuid(&holder).map(Some);
        }
    }
    Ok(None)
}

/// The kind, the app and the value of each identity of a person.
fn parts(person: &WechatPerson) -> impl Iterator<Item = (&'static str, &str, &[u8])> {
    let openid = person.openid.iter().map(|(app_id, openid)| ("openid", app_id.as_str(), openid.as_bytes()));
    let unionid = person.unionid.iter().map(|unionid| ("unionid", "", unionid.as_bytes()));
    openid.chain(unionid)
}

/// Records a person with an account. Whoever asks has made sure that the identities are nobody's.
pub(super) async fn create(connection: &mut Connection, account: &Account, person: &WechatPerson, now: Moment) -> Result<(), StoreError> {
    for (kind, app_id, value) in parts(person) {
        let unionid = person.unionid.as_deref().filter(|_| kind == "openid").map(str::as_bytes);
        sqlx::query(
            "INSERT INTO identities (id, pool, platform, kind, app_id, value, user_id, unionid, connector, nickname, created_at, last_login_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', NULL, $9, 0)",
        )
        .bind(ids::fresh_uuid(now)?.to_string())
        .bind(&account.pool)
        .bind(&person.platform)
        .bind(kind)
        .bind(app_id)
        .bind(value)
        .bind(account.id.to_string())
        .bind(unionid)
        .bind(to_sql(now.seconds()))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn link(
    connection: &mut Connection,
    user: UserId,
    person: &WechatPerson,
    by: &By,
    now: Moment,
) -> Result<Vec<Identity>, AdminError> {
    let account = find_usable(connection, user).await?;
    if let Some(holder) = find_holder(connection, &account.pool, person).await? {
        return Err(AdminError::Taken(FieldProblem::taken("identity", holder)));
    }
    let before = list(connection, user).await?;
    create(connection, &account, person, now).await?;
    let mut linked = list(connection, user).await?;
    linked.retain(|identity| !before.contains(identity));
    record(connection, &account, Action::IdentityLinked, &linked, None, by, now).await?;
    Ok(linked)
}

pub(super) async fn unlink(
    connection: &mut Connection,
    change: &IdentityChange,
    longest_session: Duration,
    by: &By,
    now: Moment,
) -> Result<Vec<Identity>, AdminError> {
    let account = find_usable(connection, change.user).await?;
    let person = find_person(connection, change).await?;
    forget_choices(connection, &account, &person).await?;
    for identity in &person {
        delete(connection, &identity.id).await?;
    }
    record(connection, &account, Action::IdentityUnlinked, &person, None, by, now).await?;
    revocations::end_sessions(connection, account, longest_session, now).await?;
    Ok(person)
}

pub(super) async fn move_to(
    connection: &mut Connection,
    change: &IdentityChange,
    to: UserId,
    longest_session: Duration,
    by: &By,
    now: Moment,
) -> Result<Vec<Identity>, AdminError> {
    let account = find_usable(connection, change.user).await?;
    let target = find_usable(connection, to).await?;
    if account.id == target.id || account.pool != target.pool {
        return Err(AdminError::NotTogether);
    }
    let person = find_person(connection, change).await?;
    forget_choices(connection, &account, &person).await?;
    for identity in &person {
        give(connection, &identity.id, to).await?;
    }
    record(connection, &account, Action::IdentityMoved, &person, Some(json!({"to": to})), by, now).await?;
    record(connection, &target, Action::IdentityMoved, &person, Some(json!({"from": change.user})), by, now).await?;
    revocations::end_sessions(connection, account, longest_session, now).await?;
    Ok(person)
}

async fn delete(connection: &mut Connection, identity: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM identities WHERE id = $1").bind(identity).execute(connection).await?;
    Ok(())
}

pub(super) async fn give(connection: &mut Connection, identity: &str, to: UserId) -> Result<(), StoreError> {
    sqlx::query("UPDATE identities SET user_id = $1 WHERE id = $2").bind(to.to_string()).bind(identity).execute(connection).await?;
    Ok(())
}

/// All identities of the person that one of them belongs to, unless they are the account's last way in.
async fn find_person(connection: &mut Connection, change: &IdentityChange) -> Result<Vec<Identity>, AdminError> {
    let (identities, id) = (list(connection, change.user).await?, change.identity.to_string());
    let one = identities.iter().find(|identity| identity.id == id).ok_or(AdminError::NoSuchIdentity)?.clone();
    let (person, others): (Vec<_>, Vec<_>) = identities.into_iter().partition(|identity| identity.is_same_person(&one));
    if others.is_empty() && !change.is_forced {
        return Err(AdminError::LastWayIn);
    }
    Ok(person)
}

/// A person who leaves an account has to choose again.
async fn forget_choices(connection: &mut Connection, account: &Account, person: &[Identity]) -> Result<(), StoreError> {
    for identity in person {
        let statement = match &identity.openid {
            Some(_) => "DELETE FROM choices WHERE user_id = $1 AND platform = $2 AND app_id = $3 AND openid = $4",
            None => "DELETE FROM choices WHERE user_id = $1 AND platform = $2 AND $3 = '' AND unionid = $4",
        };
        let value = identity.openid.as_ref().or(identity.unionid.as_ref()).map(String::as_bytes);
        sqlx::query(statement)
            .bind(account.id.to_string())
            .bind(&identity.platform)
            .bind(identity.app_id.as_deref().unwrap_or_default())
            .bind(value)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Takes everything by which an account can be found by a login.
pub(super) async fn delete_all(connection: &mut Connection, user: UserId) -> Result<(), StoreError> {
    for statement in ["DELETE FROM choices WHERE user_id = $1", "DELETE FROM identities WHERE user_id = $1"] {
        sqlx::query(statement).bind(user.to_string()).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn record(
    connection: &mut Connection,
    account: &Account,
    action: Action,
    identities: &[Identity],
    more: Option<serde_json::Value>,
    by: &By,
    now: Moment,
) -> Result<(), StoreError> {
    // What WeChat calls the person is nobody's business there.
    let ids: Vec<&str> = identities.iter().map(|identity| identity.id.as_str()).collect();
    let mut detail = json!({"identities": ids});
    if let (Some(detail), Some(serde_json::Value::Object(more))) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    audit::record(connection, &by.entry(&account.pool, action, Some(account.id), detail), now).await
}
