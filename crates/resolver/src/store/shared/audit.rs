//! Rows of `audit`.

use super::{Connection, to_sql};
use crate::audit::Entry;
use crate::clock::Moment;
use crate::ids;
use crate::store::StoreError;

/// Adds an entry to the log, in the transaction of what it tells.
pub(super) async fn record(connection: &mut Connection, entry: &Entry, now: Moment) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO audit (id, at, pool, actor, action, user_id, client_address, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(ids::fresh_uuid(now)?.to_string())
        .bind(to_sql(now.millis()))
        .bind(&entry.pool)
        .bind(entry.actor.to_string())
        .bind(entry.action.name())
        .bind(entry.user.map(|user| user.to_string()))
        .bind(&entry.client_address)
        .bind(entry.detail.to_string())
        .execute(connection)
        .await?;
    Ok(())
}
