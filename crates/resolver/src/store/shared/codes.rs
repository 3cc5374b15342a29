//! Rows of `code_requests`: when an address was sent codes, whether or not anybody has it.

use sha2::{Digest, Sha256};

use super::{Connection, to_sql};
use crate::address::Address;
use crate::clock::Moment;
use crate::ids;
use crate::store::StoreError;

/// How long a request counts, in seconds.
const COUNTED_FOR: u64 = 3600;

pub(super) const SWEEP: &str =
    "DELETE FROM code_requests WHERE id IN (SELECT id FROM code_requests WHERE asked_at <= $1 - 3600 ORDER BY asked_at LIMIT $2)";

/// How many codes the address was sent within the last hour.
pub(super) async fn count(connection: &mut Connection, pool: &str, address: &Address, now: Moment) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM code_requests WHERE address = $1 AND asked_at > $2")
        .bind(digest(pool, address))
        .bind(to_sql(now.seconds().saturating_sub(COUNTED_FOR)))
        .fetch_one(connection)
        .await?;
    Ok(super::from_sql(count))
}

pub(super) async fn create(connection: &mut Connection, pool: &str, address: &Address, now: Moment) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO code_requests (id, address, asked_at) VALUES ($1, $2, $3)")
        .bind(ids::fresh_uuid(now)?.to_string())
        .bind(digest(pool, address))
        .bind(to_sql(now.seconds()))
        .execute(connection)
        .await?;
    Ok(())
}

/// What is kept of an address: enough to count by.
fn digest(pool: &str, address: &Address) -> String {
    let mut hash = Sha256::new();
    hash.update(pool.len().to_be_bytes());
    hash.update(pool);
    hash.update(address.as_str());
    ids::hex(&hash.finalize())
}
