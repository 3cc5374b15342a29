//! What became of the logins of the last minutes, by idempotency key.

use resolver_api::LoginOutcome;
use sqlx::Row as _;

use super::{Connection, Row, to_sql};
use crate::clock::Moment;
use crate::ids::IdempotencyKey;
use crate::store::{OUTCOME_KEPT, StoreError};

pub(super) const SWEEP: &str = "DELETE FROM outcomes WHERE key IN (SELECT key FROM outcomes WHERE expires_at <= $1 LIMIT $2)";

/// An outcome, with the digest of its question.
pub(super) struct Kept {
    pub(super) request_digest: Vec<u8>,
    pub(super) outcome: LoginOutcome,
}

/// The outcome that is kept under this key, as it is told again.
pub(super) async fn find(connection: &mut Connection, key: &IdempotencyKey, now: Moment) -> Result<Option<Kept>, StoreError> {
    let row: Option<Row> = sqlx::query("SELECT request_digest, outcome FROM outcomes WHERE key = $1 AND expires_at > $2")
        .bind(key.as_str())
        .bind(to_sql(now.seconds()))
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        // serde's error may quote the outcome, which holds a name.
        let mut outcome = serde_json::from_str(row.try_get("outcome")?).map_err(|_| StoreError::Unreadable("an outcome"))?;
        // Whoever was told first has counted the new account.
        if let LoginOutcome::SignedIn { new_user, .. } = &mut outcome {
            *new_user = false;
        }
        Ok(Kept { request_digest: row.try_get("request_digest")?, outcome })
    })
    .transpose()
}

/// Keeps the outcome, in place of any before it.
pub(super) async fn create(
    connection: &mut Connection,
    key: &IdempotencyKey,
    request_digest: &[u8; 32],
    outcome: &LoginOutcome,
    now: Moment,
) -> Result<(), StoreError> {
    write(connection, key, request_digest, outcome, i64::MAX, now).await.map(drop)
}

/// Keeps the outcome, unless there is one under this key: then false. Does not look first: on PostgreSQL, logins that looked into the same
/// corner of the index would be in each other's way.
pub(super) async fn create_first(
    connection: &mut Connection,
    key: &IdempotencyKey,
    request_digest: &[u8; 32],
    outcome: &LoginOutcome,
    now: Moment,
) -> Result<bool, StoreError> {
    // One that is over may not have been swept yet.
    write(connection, key, request_digest, outcome, to_sql(now.seconds()), now).await
}

/// False when there is one that is over later than `replaceable`.
async fn write(
    connection: &mut Connection,
    key: &IdempotencyKey,
    request_digest: &[u8; 32],
    outcome: &LoginOutcome,
    replaceable: i64,
    now: Moment,
) -> Result<bool, StoreError> {
    let outcome = serde_json::to_string(outcome).map_err(|error| StoreError::Database(error.into()))?;
    let done = sqlx::query(
        "INSERT INTO outcomes (key, request_digest, outcome, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (key) DO UPDATE SET
             request_digest = excluded.request_digest, outcome = excluded.outcome, expires_at = excluded.expires_at
         WHERE outcomes.expires_at <= $5",
    )
    .bind(key.as_str())
    .bind(request_digest.as_slice())
    .bind(outcome)
    .bind(to_sql(now.seconds().saturating_add(OUTCOME_KEPT.as_secs())))
    .bind(replaceable)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
