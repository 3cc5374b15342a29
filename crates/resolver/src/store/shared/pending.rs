//! Rows of `pending_logins`, and of `code_requests`.

use sqlx::Row as _;

use super::{Connection, Row, to_sql};
use crate::clock::Moment;
use crate::pending::{Pending, PendingToken};
use crate::store::StoreError;

pub(super) const SWEEP: &str = "DELETE FROM pending_logins WHERE id IN (SELECT id FROM pending_logins WHERE expires_at <= $1 LIMIT $2)";

pub(super) async fn create(connection: &mut Connection, token: &PendingToken, pending: &Pending) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO pending_logins (id, state, expires_at) VALUES ($1, $2, $3)")
        .bind(token.id())
        .bind(write(pending)?)
        .bind(to_sql(pending.expires_at))
        .execute(connection)
        .await?;
    Ok(())
}

/// The pending login with this token, unless it is over.
pub(super) async fn find(connection: &mut Connection, token: &PendingToken, now: Moment) -> Result<Option<Pending>, StoreError> {
    let row: Option<Row> =
        sqlx::query("SELECT state FROM pending_logins WHERE id = $1").bind(token.id()).fetch_optional(connection).await?;
    let Some(row) = row else {
        return Ok(None);
    };
    // serde's error may quote what it stumbled over.
    let pending: Pending = serde_json::from_str(row.try_get("state")?).map_err(|_| StoreError::Unreadable("a pending login"))?;
    Ok(Some(pending).filter(|pending| !pending.is_over(now)))
}

/// Stores how it stands now, or deletes it when it is over.
pub(super) async fn update(connection: &mut Connection, token: &PendingToken, pending: &Pending, now: Moment) -> Result<(), StoreError> {
    if pending.is_over(now) {
        return delete(connection, token).await;
    }
    sqlx::query("UPDATE pending_logins SET state = $2 WHERE id = $1").bind(token.id()).bind(write(pending)?).execute(connection).await?;
    Ok(())
}

pub(super) async fn delete(connection: &mut Connection, token: &PendingToken) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM pending_logins WHERE id = $1").bind(token.id()).execute(connection).await?;
    Ok(())
}

fn write(pending: &Pending) -> Result<String, StoreError> {
    serde_json::to_string(pending).map_err(|error| StoreError::Database(error.into()))
}
