//! Rows of `choices`: whom a person chose whose openid and unionid are of different accounts.

use super::{Connection, parse_uuid, to_sql};
use crate::clock::Moment;
use crate::ids::UserId;
use crate::login::Login;
use crate::store::StoreError;

/// Whom the person chose when they logged in with the same identities.
pub(super) async fn find(connection: &mut Connection, login: &Login) -> Result<Option<UserId>, StoreError> {
    let request = login.request();
    let user: Option<String> = sqlx::query_scalar(
        "SELECT user_id FROM choices WHERE pool = $1 AND platform = $2 AND app_id = $3 AND openid = $4 AND unionid = $5",
    )
    .bind(&request.pool)
    .bind(&request.platform)
    .bind(&request.app_id)
    .bind(request.openid.as_bytes())
    .bind(request.unionid.as_deref().unwrap_or_default().as_bytes())
    .fetch_optional(connection)
    .await?;
    user.as_deref().map(parse_uuid).transpose()
}

/// Remembers whom the person chose, so that they are not asked again.
pub(super) async fn set(connection: &mut Connection, login: &Login, user: UserId, now: Moment) -> Result<(), StoreError> {
    let request = login.request();
    sqlx::query(
        "INSERT INTO choices (pool, platform, app_id, openid, unionid, user_id, chosen_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (pool, platform, app_id, openid, unionid) DO UPDATE SET user_id = excluded.user_id, chosen_at = excluded.chosen_at",
    )
    .bind(&request.pool)
    .bind(&request.platform)
    .bind(&request.app_id)
    .bind(request.openid.as_bytes())
    .bind(request.unionid.as_deref().unwrap_or_default().as_bytes())
    .bind(user.to_string())
    .bind(to_sql(now.seconds()))
    .execute(connection)
    .await?;
    Ok(())
}
