//! Rows of `identities`.

use super::{Connection, parse_uuid, to_sql};
use crate::clock::Moment;
use crate::ids::{self, UserId};
use crate::login::{IdentityKind, Login};
use crate::store::StoreError;

/// The app and the value of the identity of this kind that the login brings; an app of '' for a unionid.
fn identity(login: &Login, kind: IdentityKind) -> Option<(&'static str, &str, &[u8])> {
    let request = login.request();
    match kind {
        IdentityKind::Openid => Some(("openid", &request.app_id, request.openid.as_bytes())),
        IdentityKind::Unionid => request.unionid.as_deref().map(|unionid| ("unionid", "", unionid.as_bytes())),
    }
}

/// Who has the identity of this kind that the login brings.
pub(super) async fn find_user(connection: &mut Connection, login: &Login, kind: IdentityKind) -> Result<Option<UserId>, StoreError> {
    let Some((kind, app_id, value)) = identity(login, kind) else {
        return Ok(None);
    };
    let user: Option<String> =
        sqlx::query_scalar("SELECT user_id FROM identities WHERE pool = $1 AND platform = $2 AND kind = $3 AND app_id = $4 AND value = $5")
            .bind(&login.request().pool)
            .bind(&login.request().platform)
            .bind(kind)
            .bind(app_id)
            .bind(value)
            .fetch_optional(connection)
            .await?;
    user.as_deref().map(parse_uuid).transpose()
}

/// Records the identity of this kind, where the login brings one.
pub(super) async fn create(
    connection: &mut Connection,
    login: &Login,
    kind: IdentityKind,
    user: UserId,
    now: Moment,
) -> Result<(), StoreError> {
    let Some((name, app_id, value)) = identity(login, kind) else {
        return Ok(());
    };
    let request = login.request();
    sqlx::query(
        "INSERT INTO identities (id, pool, platform, kind, app_id, value, user_id, unionid, connector, nickname, created_at, last_login_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
    )
    .bind(ids::fresh_uuid(now)?.to_string())
    .bind(&request.pool)
    .bind(&request.platform)
    .bind(name)
    .bind(app_id)
    .bind(value)
    .bind(user.to_string())
    .bind(request.unionid.as_deref().filter(|_| kind == IdentityKind::Openid).map(str::as_bytes))
    .bind(&request.connector)
    .bind(request.profile.as_ref().and_then(|profile| profile.nickname.as_deref()))
    .bind(to_sql(now.seconds()))
    .execute(connection)
    .await?;
    Ok(())
}
