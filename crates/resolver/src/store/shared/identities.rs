//! Rows of `identities`.

use resolver_api::LoginRequest;
use sqlx::Row as _;
use uuid::Uuid;

use super::{Connection, Row, parse_uuid, to_sql};
use crate::clock::Moment;
use crate::ids::{self, UserId};
use crate::login::{IdentityKind, Login, Owner};
use crate::store::StoreError;

/// The identities that a login brings, as far as somebody has them.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) openid: Option<Owned>,
    pub(super) unionid: Option<Owned>,
}

/// An identity that somebody has.
#[derive(Clone, Copy)]
pub(super) struct Owned {
    pub(super) id: Uuid,
    pub(super) owner: Owner,
}

impl Known {
    pub(super) fn of(&self, kind: IdentityKind) -> Option<Owned> {
        match kind {
            IdentityKind::Openid => self.openid,
            IdentityKind::Unionid => self.unionid,
        }
    }

    /// Those that this user has.
    pub(super) fn ids_of(&self, user: UserId) -> Vec<Uuid> {
        [self.openid, self.unionid].into_iter().flatten().filter(|owned| owned.owner.user == user).map(|owned| owned.id).collect()
    }
}

/// A WeChat person, as WeChat names them.
#[derive(Clone, Copy)]
pub(super) struct Person<'a> {
    pub(super) pool: &'a str,
    pub(super) platform: &'a str,
    pub(super) app_id: &'a str,
    pub(super) openid: &'a str,
    pub(super) unionid: Option<&'a str>,
}

impl<'a> Person<'a> {
    pub(super) fn of(login: &'a Login) -> Self {
        let LoginRequest { pool, platform, app_id, openid, unionid, .. } = login.request();
        Self { pool, platform, app_id, openid, unionid: unionid.as_deref() }
    }
}

pub(super) async fn find(connection: &mut Connection, person: Person<'_>) -> Result<Known, StoreError> {
    let rows: Vec<Row> = sqlx::query(
        "SELECT identities.id, kind, user_id, state FROM identities JOIN users ON users.id = user_id
         WHERE identities.pool = $1 AND platform = $2 AND kind = 'openid' AND app_id = $3 AND value = $4
         UNION ALL
         SELECT identities.id, kind, user_id, state FROM identities JOIN users ON users.id = user_id
         WHERE identities.pool = $1 AND platform = $2 AND kind = 'unionid' AND app_id = '' AND value = $5",
    )
    .bind(person.pool)
    .bind(person.platform)
    .bind(person.app_id)
    .bind(person.openid.as_bytes())
    .bind(person.unionid.map(str::as_bytes))
    .fetch_all(connection)
    .await?;
    let mut known = Known::default();
    for row in rows {
        let owner = Owner { user: parse_uuid(row.try_get("user_id")?)?, is_active: row.try_get::<&str, _>("state")? == "active" };
        let owned = Some(Owned { id: parse_uuid(row.try_get("id")?)?, owner });
        match row.try_get("kind")? {
            "openid" => known.openid = owned,
            _ => known.unionid = owned,
        }
    }
    Ok(known)
}

/// The user's identities whose person called themselves so, when they came last.
pub(super) async fn find_named(connection: &mut Connection, user: UserId, nickname: &str) -> Result<Vec<Uuid>, StoreError> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM identities WHERE user_id = $1 AND nickname = $2")
        .bind(user.to_string())
        .bind(nickname)
        .fetch_all(connection)
        .await?;
    ids.iter().map(|id| parse_uuid(id)).collect()
}

/// Notes with the identities that the user has that they came again, and what came with them.
pub(super) async fn update(connection: &mut Connection, login: &Login, known: &Known, user: UserId, now: Moment) -> Result<(), StoreError> {
    let id = |owned: Option<Owned>| owned.filter(|owned| owned.owner.user == user).map(|owned| owned.id.to_string());
    sqlx::query(
        "UPDATE identities SET unionid = CASE WHEN kind = 'openid' THEN COALESCE($3, unionid) END,
             connector = $4, nickname = COALESCE($5, nickname), last_login_at = $6
         WHERE id IN ($1, $2)",
    )
    .bind(id(known.openid))
    .bind(id(known.unionid))
    .bind(login.request().unionid.as_deref().map(str::as_bytes))
    .bind(&login.request().connector)
    .bind(nickname(login))
    .bind(to_sql(now.seconds()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Records the identity of this kind, where the login brings one, and tells its row's id.
pub(super) async fn create(
    connection: &mut Connection,
    login: &Login,
    kind: IdentityKind,
    user: UserId,
    now: Moment,
) -> Result<Option<Uuid>, StoreError> {
    let request = login.request();
    let unionid = request.unionid.as_deref().map(str::as_bytes);
    let (kind, app_id, value, unionid) = match (kind, unionid) {
        (IdentityKind::Openid, _) => ("openid", request.app_id.as_str(), request.openid.as_bytes(), unionid),
        (IdentityKind::Unionid, Some(unionid)) => ("unionid", "", unionid, None),
        (IdentityKind::Unionid, None) => return Ok(None),
    };
    let id = ids::fresh_uuid(now)?;
    sqlx::query(
        "INSERT INTO identities (id, pool, platform, kind, app_id, value, user_id, unionid, connector, nickname, created_at, last_login_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
    )
    .bind(id.to_string())
    .bind(&request.pool)
    .bind(&request.platform)
    .bind(kind)
    .bind(app_id)
    .bind(value)
    .bind(user.to_string())
    .bind(unionid)
    .bind(&request.connector)
    .bind(nickname(login))
    .bind(to_sql(now.seconds()))
    .execute(connection)
    .await?;
    Ok(Some(id))
}

fn nickname(login: &Login) -> Option<&str> {
    login.request().profile.as_ref()?.nickname.as_deref()
}
