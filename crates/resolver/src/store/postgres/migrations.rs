//! Brings a database up to this version's tables.
//!
//! Several resolvers may start at once. Not with sqlx's own migrations: they take an advisory lock, which not every database has
//! that speaks like PostgreSQL. Here the version's row is the lock.
//!
//! **How a migration is to be written.** While one resolver after the other is replaced, the old and the new version work on
//! the same tables. So a change comes in two releases: *expand* adds what the new version needs (tables, columns with a default or
//! NULL, indexes), and nothing that the old one uses changes; *contract*, in a later release, takes away what nobody
//! uses any more. A number is the same change in both databases. An older version refuses a database that a newer one has
//! changed only when it starts.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::{Kind, OpenFailure, kind_of};

/// In order; a file that was released never changes again.
static MIGRATIONS: [&str; 3] = [
    include_str!("../../../migrations/postgres/0001_accounts.sql"),
    include_str!("../../../migrations/postgres/0002_tickets.sql"),
    include_str!("../../../migrations/postgres/0003_lists.sql"),
];

const NO_SUCH_TABLE: &str = "42P01";

/// Two that begin at once may collide while they make the table that they are to wait on.
const TRIES: u32 = 10;

pub(super) async fn run(connection: &mut PgConnection) -> Result<(), OpenFailure> {
    // A database that is as it should be is not written to: it may be one that takes no writes for now.
    match sqlx::query_scalar("SELECT version FROM schema_version WHERE id = 1").fetch_optional(&mut *connection).await {
        Ok(Some(version)) if missing(version)?.is_empty() => return Ok(()),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_SUCH_TABLE) => {}
        found => drop(found?),
    }
    let mut tried = 1;
    loop {
        match migrate(connection).await {
            Err(OpenFailure::Postgres(sqlx::Error::Database(error)))
                if tried < TRIES && is_collision(error.code().as_deref().unwrap_or_default()) =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
                tried += 1;
            }
            result => return result,
        }
    }
}

/// The migrations that a database of this version lacks.
fn missing(version: i64) -> Result<&'static [&'static str], OpenFailure> {
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    MIGRATIONS.get(done..).ok_or(OpenFailure::Newer { found: version, known: MIGRATIONS.len() })
}

/// 42P07: the table has just been made by another.
fn is_collision(code: &str) -> bool {
    kind_of(code) == Kind::Conflict || code == "42P07"
}

async fn migrate(connection: &mut PgConnection) -> Result<(), OpenFailure> {
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_version (id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1), version BIGINT NOT NULL)")
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO schema_version (id, version) VALUES (1, 0) ON CONFLICT (id) DO NOTHING").execute(&mut *connection).await?;
    let mut transaction = connection.begin().await?;
    let version: i64 =
        sqlx::query_scalar("SELECT version FROM schema_version WHERE id = 1 FOR UPDATE").fetch_one(&mut *transaction).await?;
    for migration in missing(version)? {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    sqlx::query("UPDATE schema_version SET version = $1 WHERE id = 1")
        .bind(i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}
