//! Rows of `policies`.

use sqlx::Row as _;

use super::{Connection, Row, from_sql, to_sql};
use crate::clock::Moment;
use crate::policy::{ConnectorPolicy, StoredPolicy, Terms};
use crate::store::StoreError;

/// What the policy of the connector, its own or the default, comes to here.
pub(super) async fn of(connection: &mut Connection, pool: &str, connector: &str, terms: &Terms) -> Result<ConnectorPolicy, StoreError> {
    let row: Option<Row> = sqlx::query("SELECT connector, policy, changed_at FROM policies WHERE pool = $1 AND connector = $2")
        .bind(pool)
        .bind(connector)
        .fetch_optional(connection)
        .await?;
    Ok(terms.narrow(match row {
        Some(row) => read(&row)?.policy,
        None => terms.default.clone(),
    }))
}

/// What the operator decided about connectors of the pool, in the order of their ids.
pub(super) async fn list(connection: &mut Connection, pool: &str) -> Result<Vec<StoredPolicy>, StoreError> {
    let rows: Vec<Row> = sqlx::query("SELECT connector, policy, changed_at FROM policies WHERE pool = $1 ORDER BY connector")
        .bind(pool)
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn set(
    connection: &mut Connection,
    pool: &str,
    connector: &str,
    policy: &ConnectorPolicy,
    now: Moment,
) -> Result<(), StoreError> {
    let policy = serde_json::to_string(policy).map_err(|error| StoreError::Database(error.into()))?;
    sqlx::query(
        "INSERT INTO policies (pool, connector, policy, changed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (pool, connector) DO UPDATE SET policy = excluded.policy, changed_at = excluded.changed_at",
    )
    .bind(pool)
    .bind(connector)
    .bind(policy)
    .bind(to_sql(now.seconds()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives the connector the default policy again.
pub(super) async fn delete(connection: &mut Connection, pool: &str, connector: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM policies WHERE pool = $1 AND connector = $2").bind(pool).bind(connector).execute(connection).await?;
    Ok(())
}

fn read(row: &Row) -> Result<StoredPolicy, StoreError> {
    let policy = serde_json::from_str(row.try_get("policy")?).map_err(|_| StoreError::Unreadable("a policy"))?;
    Ok(StoredPolicy { connector: row.try_get("connector")?, policy, changed_at: from_sql(row.try_get("changed_at")?) })
}
