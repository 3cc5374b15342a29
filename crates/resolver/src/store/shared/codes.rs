//! Rows of `code_requests`: what is counted by the hour. When an address was sent codes, whether or not anybody has it; and when a WeChat person
//! has given wrong answers, in whichever pending login.

use resolver_api::LoginRequest;
use sha2::{Digest, Sha256};

use super::{Connection, to_sql};
use crate::address::Address;
use crate::clock::Moment;
use crate::ids;
use crate::login::Login;
use crate::store::StoreError;

/// How long a row counts, in seconds.
const COUNTED_FOR: u64 = 3600;

pub(super) const SWEEP: &str =
    "DELETE FROM code_requests WHERE id IN (SELECT id FROM code_requests WHERE asked_at <= $1 - 3600 ORDER BY asked_at LIMIT $2)";

/// What is counted. A row keeps a digest of it: enough to count by.
#[derive(Clone, Copy)]
pub(super) enum Counted<'a> {
    /// Codes to this address of a pool.
    Codes(&'a str, &'a Address),
    /// Wrong answers of the person who logs in.
    WrongAnswers(&'a Login),
}

/// How many there were within the last hour.
pub(super) async fn count(connection: &mut Connection, counted: Counted<'_>, now: Moment) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM code_requests WHERE address = $1 AND asked_at > $2")
        .bind(counted.digest())
        .bind(to_sql(now.seconds().saturating_sub(COUNTED_FOR)))
        .fetch_one(connection)
        .await?;
    Ok(super::from_sql(count))
}

/// Counts one more.
pub(super) async fn create(connection: &mut Connection, counted: Counted<'_>, now: Moment) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO code_requests (id, address, asked_at) VALUES ($1, $2, $3)")
        .bind(ids::fresh_uuid(now)?.to_string())
        .bind(counted.digest())
        .bind(to_sql(now.seconds()))
        .execute(connection)
        .await?;
    Ok(())
}

impl Counted<'_> {
    fn digest(self) -> String {
        let mut hash = Sha256::new();
        match self {
            Self::Codes(pool, address) => {
                hash.update(pool.len().to_be_bytes());
                hash.update(pool);
                hash.update(address.as_str());
            }
            Self::WrongAnswers(login) => {
                let LoginRequest { pool, platform, app_id, openid, unionid, .. } = login.request();
                // By the unionid, where there is one: it is the same in every app.
                let (app_id, id) = unionid.as_ref().map_or((app_id.as_str(), openid), |unionid| ("", unionid));
                for text in ["wxgate wrong answers", pool, platform, app_id, id] {
                    hash.update(text.len().to_be_bytes());
                    hash.update(text);
                }
            }
        }
        ids::hex(&hash.finalize())
    }
}
