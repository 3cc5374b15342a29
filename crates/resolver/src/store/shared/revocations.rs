//! The feed of revocations (`store/cursor.rs` says how its places are numbered).

use std::time::Duration;

use resolver_api::{RevocationFeed, RevokedSession, RevokedUser};
use sqlx::Row as _;

use super::{Connection, Row, accounts, from_sql, parse_uuid, to_sql};
use crate::account::Account;
use crate::clock::Moment;
use crate::ids::{self, SessionId};
use crate::store::cursor::Cursor;
use crate::store::{REVOCATION_PAGE, StoreError};

pub(super) const SWEEP: &str =
    "DELETE FROM revocations WHERE position IN (SELECT position FROM revocations WHERE expires_at < $1 LIMIT $2)";

pub(super) async fn revoke_session(
    connection: &mut Connection,
    session: &SessionId,
    expires_at: u64,
    now: Moment,
) -> Result<(), StoreError> {
    let expires_at = to_sql(expires_at);
    let known: Option<i64> = sqlx::query_scalar("SELECT expires_at FROM revocations WHERE session_id = $1")
        .bind(session.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    if known.is_some_and(|known| known >= expires_at) {
        return Ok(());
    }
    sqlx::query("DELETE FROM revocations WHERE session_id = $1").bind(session.as_str()).execute(&mut *connection).await?;
    let at = advance_feed(connection, now).await?;
    sqlx::query("INSERT INTO revocations (position, entry, session_id, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(at.position)
        .bind(at.entry.simple().to_string())
        .bind(session.as_str())
        .bind(expires_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends every session that the account has now, stores the account, and puts that into the feed.
pub(super) async fn end_sessions(
    connection: &mut Connection,
    account: Account,
    longest_session: Duration,
    now: Moment,
) -> Result<(), StoreError> {
    let account = account.signed_out_everywhere(now);
    accounts::update(connection, &account).await?;
    announce(connection, &account, longest_session, now).await
}

/// Puts into the feed which sessions of the account have ended.
pub(super) async fn announce(
    connection: &mut Connection,
    account: &Account,
    longest_session: Duration,
    now: Moment,
) -> Result<(), StoreError> {
    let user = account.id.to_string();
    // The new entry says all that the old one says.
    sqlx::query("DELETE FROM revocations WHERE user_id = $1").bind(&user).execute(&mut *connection).await?;
    let at = advance_feed(connection, now).await?;
    sqlx::query("INSERT INTO revocations (position, entry, user_id, not_before, expires_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(at.position)
        .bind(at.entry.simple().to_string())
        .bind(&user)
        .bind(to_sql(account.sessions_not_before))
        .bind(to_sql(account.sessions_not_before.saturating_add(longest_session.as_secs())))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn find(connection: &mut Connection, after: &str, now: Moment) -> Result<RevocationFeed, StoreError> {
    let head = find_head(connection).await?;
    let after = Cursor::parse(after);
    let start = if is_of_this_feed(connection, after, head).await? { after } else { Cursor::START };
    let rows: Vec<Row> = sqlx::query(
        "SELECT position, entry, session_id, user_id, not_before, expires_at FROM revocations
         WHERE position > $1 AND expires_at >= $2 ORDER BY position LIMIT $3",
    )
    .bind(start.position)
    .bind(to_sql(now.seconds()))
    .bind(i64::try_from(REVOCATION_PAGE + 1).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;

    let mut feed = RevocationFeed { more: rows.len() > REVOCATION_PAGE, ..RevocationFeed::default() };
    let mut last = head;
    for row in rows.iter().take(REVOCATION_PAGE) {
        let expires_at = from_sql(row.try_get("expires_at")?);
        if feed.more {
            last = Cursor { position: row.try_get("position")?, entry: parse_uuid(row.try_get("entry")?)? };
        }
        match (row.try_get("session_id")?, row.try_get("user_id")?) {
            (Some(session_id), _) => feed.sessions.push(RevokedSession { session_id, expires_at }),
            (None, Some(user_id)) => {
                let not_before = from_sql(row.try_get("not_before")?);
                feed.users.push(RevokedUser { user_id, not_before, expires_at });
            }
            (None, None) => return Err(StoreError::Unreadable("a revocation of nothing")),
        }
    }
    feed.cursor = last.to_string();
    Ok(feed)
}

/// Reads one row: the store can be read.
pub(super) async fn check(connection: &mut Connection) -> Result<(), StoreError> {
    find_head(connection).await.map(drop)
}

/// Takes the feed's next place; nobody else can until this transaction is over.
async fn advance_feed(connection: &mut Connection, now: Moment) -> Result<Cursor, StoreError> {
    let entry = ids::fresh_uuid(now)?;
    let position = sqlx::query_scalar("UPDATE revocation_feed SET position = position + 1, entry = $1 RETURNING position")
        .bind(entry.simple().to_string())
        .fetch_one(connection)
        .await?;
    Ok(Cursor { position, entry })
}

async fn find_head(connection: &mut Connection) -> Result<Cursor, StoreError> {
    let row: Row = sqlx::query("SELECT position, entry FROM revocation_feed").fetch_one(connection).await?;
    Ok(Cursor { position: row.try_get("position")?, entry: parse_uuid(row.try_get("entry")?)? })
}

/// Whether this database gave out the cursor and still knows so.
async fn is_of_this_feed(connection: &mut Connection, cursor: Cursor, head: Cursor) -> Result<bool, StoreError> {
    if cursor == Cursor::START || cursor == head {
        return Ok(true);
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT position FROM revocations WHERE position = $1 AND entry = $2")
        .bind(cursor.position)
        .bind(cursor.entry.simple().to_string())
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}
