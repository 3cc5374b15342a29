//! Rows of `audit`.

use sqlx::Row as _;

use super::{Connection, Row, from_sql, to_sql};
use crate::admin::audit::{AuditEntry, AuditQuery};
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

/// The entries that are asked for, oldest first; one more than the limit where there are more.
pub(super) async fn list(connection: &mut Connection, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
    let statement = match query.user {
        None => {
            "SELECT * FROM audit WHERE pool = $1 AND id > $2 AND id < $3 AND ($4 = '' OR action = $4) AND $5 = ''
             ORDER BY id LIMIT $6"
        }
        Some(_) => {
            "SELECT * FROM audit WHERE pool = $1 AND id > $2 AND id < $3 AND ($4 = '' OR action = $4) AND user_id = $5
             ORDER BY id LIMIT $6"
        }
    };
    let rows: Vec<Row> = sqlx::query(statement)
        .bind(&query.pool)
        .bind(query.after.to_string())
        .bind(query.before.to_string())
        .bind(query.action.as_deref().unwrap_or_default())
        .bind(query.user.map(|user| user.to_string()).unwrap_or_default())
        .bind(i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<AuditEntry, StoreError> {
    let detail: &str = row.try_get("detail")?;
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at: from_sql(row.try_get("at")?),
        pool: row.try_get("pool")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        user_id: row.try_get("user_id")?,
        client_address: row.try_get("client_address")?,
        detail: serde_json::from_str(detail).map_err(|_| StoreError::Unreadable("an audit entry"))?,
    })
}
