//! Brings a database up to this version's tables.
//!
//! sqlx's own migrations take no lock on SQLite, so two processes that start at once would both create the tables; here
//! all of it is one transaction that begins as a writer. And `user_version` needs no table of its own.

use sqlx::{Connection as _, SqliteConnection};

use super::OpenFailure;

/// In order; a file that was released never changes again. `postgres/migrations.rs` says how one is to be written.
const MIGRATIONS: [&str; 3] = [
    include_str!("../../../migrations/sqlite/0001_accounts.sql"),
    include_str!("../../../migrations/sqlite/0002_tickets.sql"),
    include_str!("../../../migrations/sqlite/0003_lists.sql"),
];

pub(super) async fn run(writer: &mut SqliteConnection) -> Result<(), OpenFailure> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(OpenFailure::Newer { found: version, known: MIGRATIONS.len() });
    }
    if done == MIGRATIONS.len() {
        return Ok(());
    }
    for migration in MIGRATIONS.into_iter().skip(done) {
        sqlx::raw_sql(migration).execute(&mut *transaction).await?;
    }
    // A pragma takes no parameters.
    let set_version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", MIGRATIONS.len()));
    sqlx::raw_sql(set_version).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}
