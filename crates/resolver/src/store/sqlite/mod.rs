//! The store on SQLite: one file, one writer, many readers.

mod migrations;

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use resolver_api::{LoginOutcome, RefusalReason, RevocationFeed, RevokedSession, RevokedUser};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};
use tokio::time::Instant;
use uuid::Uuid;

use super::cursor::Cursor;
use super::{Answer, LoginError, OUTCOME_KEPT, REVOCATION_PAGE, Store, StoreError};
use crate::account::{Account, Sourced};
use crate::clock::Moment;
use crate::ids::{self, IdempotencyKey, SessionId, UserId};
use crate::login::{self, Decision, IdentityKind, Login};
use crate::policy::ConnectorPolicy;

/// How long a statement waits for a lock of another process, and a request for a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// Readers do not wait for the writer, so a few are plenty.
const READERS: u32 = 4;

/// How many rows of a kind one sweep deletes: the writer is not held for long.
const SWEEP: i64 = 1000;

/// Users, identities, outcomes and revocations in one SQLite file.
///
/// An answer means that the data is on the disk (`synchronous=FULL`). Several processes may share the file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// A database could not be opened.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    reason: OpenFailure,
}

/// Why a database could not be opened.
#[derive(Debug)]
enum OpenFailure {
    /// The file could not be opened for reading and writing, or be made.
    File(io::Error),
    /// A newer version of the resolver has changed the tables.
    Newer { found: i64, known: usize },
    /// SQLite failed.
    Sqlite(sqlx::Error),
}

impl SqliteStore {
    /// Opens the database in this file, makes it where there is none, and brings its tables up to date.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        open(path).await.map_err(|reason| OpenError { path: path.to_owned(), reason })
    }
}

async fn open(path: &Path) -> Result<SqliteStore, OpenFailure> {
    make_file(path).map_err(OpenFailure::File)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(PATIENCE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .disable_statement_logging();
    // A connection costs a thread and cannot go stale, so none is given up but one that went wrong.
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // When the disk is full, SQLite rolls back by itself; sqlx 0.9 then fails to, and thinks itself within a transaction for ever.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }));
    let writer = connect_writer(&pool.clone().max_connections(1), &options).await?;
    migrations::run(&writer).await?;
    let readers = pool.max_connections(READERS).connect_with(options.pragma("query_only", "ON")).await?;
    Ok(SqliteStore { writer, readers })
}

async fn connect_writer(pool: &SqlitePoolOptions, options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match pool.clone().connect_with(options.clone()).await {
            // While two processes turn a new file to WAL at once, SQLite does not wait for the lock, whatever it was told.
            Err(sqlx::Error::Database(error)) if is_busy(error.code().as_deref()) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            result => return result,
        }
    }
}

/// Makes the file where there is none, for its owner's eyes only; SQLite gives its WAL the same mode.
fn make_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

impl Store for SqliteStore {
    async fn login(&self, login: &Login, policy: ConnectorPolicy, now: Moment) -> Result<Answer, LoginError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::from)?;
        if let Some((digest, outcome)) = find_outcome(&mut transaction, login.key(), now).await? {
            if digest != login.digest() {
                return Err(LoginError::KeyReused);
            }
            return Ok(Answer { outcome, is_replay: true });
        }
        let outcome = decide(&mut transaction, login, policy, now).await?;
        if outcome != LoginOutcome::ProfileRequired {
            create_outcome(&mut transaction, login, &outcome, now).await?;
            transaction.commit().await.map_err(StoreError::from)?;
        }
        Ok(Answer { outcome, is_replay: false })
    }

    async fn find_outcome(&self, key: &IdempotencyKey, now: Moment) -> Result<Option<LoginOutcome>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        Ok(find_outcome(&mut connection, key, now).await?.map(|(_, outcome)| outcome))
    }

    async fn revoke_session(&self, session: &SessionId, expires_at: u64, now: Moment) -> Result<(), StoreError> {
        if expires_at < now.seconds() {
            return Ok(());
        }
        let expires_at = to_sql(expires_at);
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let known: Option<i64> = sqlx::query_scalar("SELECT expires_at FROM revocations WHERE session_id = ?")
            .bind(session.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
        if known.is_some_and(|known| known >= expires_at) {
            return Ok(());
        }
        sqlx::query("DELETE FROM revocations WHERE session_id = ?").bind(session.as_str()).execute(&mut *transaction).await?;
        let at = advance_feed(&mut transaction, now).await?;
        sqlx::query("INSERT INTO revocations (position, entry, session_id, expires_at) VALUES (?, ?, ?, ?)")
            .bind(at.position)
            .bind(at.entry.simple().to_string())
            .bind(session.as_str())
            .bind(expires_at)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    async fn revoke_user_sessions(&self, user: UserId, longest_session: Duration, now: Moment) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let Some(account) = find_account(&mut transaction, user).await? else {
            return Ok(false);
        };
        end_sessions(&mut transaction, account, longest_session, now).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn disable_user(&self, user: UserId, longest_session: Duration, now: Moment) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let Some(account) = find_account(&mut transaction, user).await? else {
            return Ok(false);
        };
        let account = Account { is_disabled: true, ..account };
        end_sessions(&mut transaction, account, longest_session, now).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn enable_user(&self, user: UserId) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE users SET is_disabled = 0 WHERE id = ?").bind(user.to_string()).execute(&self.writer).await?;
        Ok(done.rows_affected() == 1)
    }

    async fn find_revocations(&self, after: &str, now: Moment) -> Result<RevocationFeed, StoreError> {
        // One transaction, so that the head and the entries are of one snapshot.
        let mut transaction = self.readers.begin().await?;
        let head = find_head(&mut transaction).await?;
        let after = Cursor::parse(after);
        let start = if is_of_this_feed(&mut transaction, after, head).await? { after } else { Cursor::START };
        let rows = sqlx::query(
            "SELECT position, entry, session_id, user_id, not_before, expires_at FROM revocations
             WHERE position > ? AND expires_at >= ? ORDER BY position LIMIT ?",
        )
        .bind(start.position)
        .bind(to_sql(now.seconds()))
        .bind(i64::try_from(REVOCATION_PAGE + 1).unwrap_or(i64::MAX))
        .fetch_all(&mut *transaction)
        .await?;

        let mut feed = RevocationFeed { more: rows.len() > REVOCATION_PAGE, ..RevocationFeed::default() };
        let mut last = head;
        for row in rows.iter().take(REVOCATION_PAGE) {
            let expires_at = row.try_get("expires_at")?;
            if feed.more {
                last = Cursor { position: row.try_get("position")?, entry: parse_uuid(row.try_get("entry")?)? };
            }
            match (row.try_get("session_id")?, row.try_get("user_id")?) {
                (Some(session_id), _) => feed.sessions.push(RevokedSession { session_id, expires_at }),
                (None, Some(user_id)) => {
                    feed.users.push(RevokedUser { user_id, not_before: row.try_get("not_before")?, expires_at });
                }
                (None, None) => return Err(StoreError::Unreadable("a revocation of nothing")),
            }
        }
        feed.cursor = last.to_string();
        Ok(feed)
    }

    async fn delete_expired(&self, now: Moment) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for sweep in [
            "DELETE FROM outcomes WHERE key IN (SELECT key FROM outcomes WHERE expires_at <= ? LIMIT ?)",
            "DELETE FROM revocations WHERE position IN (SELECT position FROM revocations WHERE expires_at < ? LIMIT ?)",
        ] {
            let done = sqlx::query(sweep).bind(to_sql(now.seconds())).bind(SWEEP).execute(&self.writer).await?;
            deleted += done.rows_affected();
        }
        Ok(deleted)
    }

    async fn check(&self) -> Result<(), StoreError> {
        find_head(&mut *self.readers.acquire().await?).await.map(drop)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn decide(
    connection: &mut SqliteConnection,
    login: &Login,
    policy: ConnectorPolicy,
    now: Moment,
) -> Result<LoginOutcome, StoreError> {
    let by_openid = find_user(connection, login, IdentityKind::Openid).await?;
    let by_unionid = find_user(connection, login, IdentityKind::Unionid).await?;
    let profile = login.request().profile.as_ref();
    match login::decide(login.request(), by_openid, by_unionid, policy) {
        Decision::SignIn { user, record } => {
            let account = find_account(connection, user).await?.ok_or(StoreError::Unreadable("an identity of nobody"))?;
            if account.is_disabled {
                return Ok(LoginOutcome::Refused { reason: RefusalReason::UserDisabled });
            }
            let (account, auth_time) = account.signed_in(profile, now);
            update_account(connection, &account).await?;
            if let Some(kind) = record {
                create_identity(connection, login, kind, account.id, now).await?;
            }
            signed_in(login, &account, auth_time, false)
        }
        Decision::Create => {
            let account = Account::new(ids::fresh_uuid(now)?, profile, now);
            create_account(connection, &account, &login.request().pool, now).await?;
            create_identity(connection, login, IdentityKind::Openid, account.id, now).await?;
            create_identity(connection, login, IdentityKind::Unionid, account.id, now).await?;
            signed_in(login, &account, account.last_auth_time, true)
        }
        Decision::Choose => Ok(LoginOutcome::ChooseAccount { pending: ids::random_token()?, expires_at: now.seconds() + 600 }),
        Decision::AskForProfile => Ok(LoginOutcome::ProfileRequired),
        Decision::Refuse(reason) => Ok(LoginOutcome::Refused { reason }),
    }
}

fn signed_in(login: &Login, account: &Account, auth_time: u64, new_user: bool) -> Result<LoginOutcome, StoreError> {
    let session_id = SessionId::random()?.as_str().to_owned();
    let identity = login.wechat_identity();
    Ok(LoginOutcome::SignedIn { user: account.to_user(), session_id, auth_time, identity, new_user })
}

/// The app and the value of the identity of this kind that the login brings; an app of '' for a unionid.
fn identity(login: &Login, kind: IdentityKind) -> Option<(&'static str, &str, &str)> {
    let request = login.request();
    match kind {
        IdentityKind::Openid => Some(("openid", &request.app_id, &request.openid)),
        IdentityKind::Unionid => request.unionid.as_deref().map(|unionid| ("unionid", "", unionid)),
    }
}

async fn find_user(connection: &mut SqliteConnection, login: &Login, kind: IdentityKind) -> Result<Option<UserId>, StoreError> {
    let Some((kind, app_id, value)) = identity(login, kind) else {
        return Ok(None);
    };
    let user: Option<String> =
        sqlx::query_scalar("SELECT user_id FROM identities WHERE pool = ? AND platform = ? AND kind = ? AND app_id = ? AND value = ?")
            .bind(&login.request().pool)
            .bind(&login.request().platform)
            .bind(kind)
            .bind(app_id)
            .bind(value)
            .fetch_optional(connection)
            .await?;
    user.as_deref().map(parse_uuid).transpose()
}

async fn create_identity(
    connection: &mut SqliteConnection,
    login: &Login,
    kind: IdentityKind,
    user: UserId,
    now: Moment,
) -> Result<(), StoreError> {
    let Some((kind, app_id, value)) = identity(login, kind) else {
        return Ok(());
    };
    sqlx::query("INSERT INTO identities (pool, platform, kind, app_id, value, user_id, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(&login.request().pool)
        .bind(&login.request().platform)
        .bind(kind)
        .bind(app_id)
        .bind(value)
        .bind(user.to_string())
        .bind(to_sql(now.seconds()))
        .execute(connection)
        .await?;
    Ok(())
}

async fn find_account(connection: &mut SqliteConnection, user: UserId) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query(
        "SELECT is_disabled, last_auth_time, sessions_not_before, name, is_name_from_wechat, picture, is_picture_from_wechat
         FROM users WHERE id = ?",
    )
    .bind(user.to_string())
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Account {
            id: user,
            is_disabled: row.try_get("is_disabled")?,
            last_auth_time: row.try_get("last_auth_time")?,
            sessions_not_before: row.try_get("sessions_not_before")?,
            name: Sourced { value: row.try_get("name")?, is_from_wechat: row.try_get("is_name_from_wechat")? },
            picture: Sourced { value: row.try_get("picture")?, is_from_wechat: row.try_get("is_picture_from_wechat")? },
        })
    })
    .transpose()
}

async fn create_account(connection: &mut SqliteConnection, account: &Account, pool: &str, now: Moment) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO users (id, pool, created_at, is_disabled, last_auth_time, sessions_not_before,
             name, is_name_from_wechat, picture, is_picture_from_wechat)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(account.id.to_string())
    .bind(pool)
    .bind(to_sql(now.seconds()))
    .bind(account.is_disabled)
    .bind(to_sql(account.last_auth_time))
    .bind(to_sql(account.sessions_not_before))
    .bind(&account.name.value)
    .bind(account.name.is_from_wechat)
    .bind(&account.picture.value)
    .bind(account.picture.is_from_wechat)
    .execute(connection)
    .await?;
    Ok(())
}

async fn update_account(connection: &mut SqliteConnection, account: &Account) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE users SET is_disabled = ?, last_auth_time = ?, sessions_not_before = ?,
             name = ?, is_name_from_wechat = ?, picture = ?, is_picture_from_wechat = ?
         WHERE id = ?",
    )
    .bind(account.is_disabled)
    .bind(to_sql(account.last_auth_time))
    .bind(to_sql(account.sessions_not_before))
    .bind(&account.name.value)
    .bind(account.name.is_from_wechat)
    .bind(&account.picture.value)
    .bind(account.picture.is_from_wechat)
    .bind(account.id.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// The kept outcome of the login with this key, with the digest of its question.
async fn find_outcome(
    connection: &mut SqliteConnection,
    key: &IdempotencyKey,
    now: Moment,
) -> Result<Option<(Vec<u8>, LoginOutcome)>, StoreError> {
    let row: Option<(Vec<u8>, String)> = sqlx::query_as("SELECT request_digest, outcome FROM outcomes WHERE key = ? AND expires_at > ?")
        .bind(key.as_str())
        .bind(to_sql(now.seconds()))
        .fetch_optional(connection)
        .await?;
    row.map(|(digest, outcome)| {
        // serde's error may quote the outcome, which holds a name.
        let outcome = serde_json::from_str(&outcome).map_err(|_| StoreError::Unreadable("an outcome"))?;
        Ok((digest, outcome))
    })
    .transpose()
}

async fn create_outcome(connection: &mut SqliteConnection, login: &Login, outcome: &LoginOutcome, now: Moment) -> Result<(), StoreError> {
    let outcome = serde_json::to_string(outcome).map_err(|error| StoreError::Database(error.into()))?;
    // One that is over may not have been swept yet.
    sqlx::query(
        "INSERT INTO outcomes (key, request_digest, outcome, expires_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET
             request_digest = excluded.request_digest, outcome = excluded.outcome, expires_at = excluded.expires_at",
    )
    .bind(login.key().as_str())
    .bind(login.digest().as_slice())
    .bind(outcome)
    .bind(to_sql(now.seconds().saturating_add(OUTCOME_KEPT.as_secs())))
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends every session that the account has now, and puts that into the feed.
async fn end_sessions(
    connection: &mut SqliteConnection,
    account: Account,
    longest_session: Duration,
    now: Moment,
) -> Result<(), StoreError> {
    let account = account.signed_out_everywhere(now);
    update_account(connection, &account).await?;
    let user = account.id.to_string();
    // The new entry says all that the old one says.
    sqlx::query("DELETE FROM revocations WHERE user_id = ?").bind(&user).execute(&mut *connection).await?;
    let at = advance_feed(connection, now).await?;
    sqlx::query("INSERT INTO revocations (position, entry, user_id, not_before, expires_at) VALUES (?, ?, ?, ?, ?)")
        .bind(at.position)
        .bind(at.entry.simple().to_string())
        .bind(&user)
        .bind(to_sql(account.sessions_not_before))
        .bind(to_sql(account.sessions_not_before.saturating_add(longest_session.as_secs())))
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes the feed's next place; nobody else can until this transaction is over.
async fn advance_feed(connection: &mut SqliteConnection, now: Moment) -> Result<Cursor, StoreError> {
    let entry = ids::fresh_uuid(now)?;
    let position = sqlx::query_scalar("UPDATE revocation_feed SET position = position + 1, entry = ? RETURNING position")
        .bind(entry.simple().to_string())
        .fetch_one(connection)
        .await?;
    Ok(Cursor { position, entry })
}

async fn find_head(connection: &mut SqliteConnection) -> Result<Cursor, StoreError> {
    let (position, entry): (i64, String) = sqlx::query_as("SELECT position, entry FROM revocation_feed").fetch_one(connection).await?;
    Ok(Cursor { position, entry: parse_uuid(&entry)? })
}

/// Whether this database gave out the cursor and still knows so.
async fn is_of_this_feed(connection: &mut SqliteConnection, cursor: Cursor, head: Cursor) -> Result<bool, StoreError> {
    if cursor == Cursor::START || cursor == head {
        return Ok(true);
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT position FROM revocations WHERE position = ? AND entry = ?")
        .bind(cursor.position)
        .bind(cursor.entry.simple().to_string())
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

fn parse_uuid(text: &str) -> Result<Uuid, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable("an id"))
}

/// SQLite's integers have a sign; times do not get that far.
fn to_sql(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::Database(sqlite) if is_busy(sqlite.code().as_deref()) => Self::Busy,
            _ => Self::Database(error.into()),
        }
    }
}

/// The low byte of SQLite's extended code is the primary one: 5 is SQLITE_BUSY, 6 SQLITE_LOCKED.
fn is_busy(code: Option<&str>) -> bool {
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

impl From<sqlx::Error> for OpenFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the database {} cannot be opened: ", self.path.display())?;
        match &self.reason {
            OpenFailure::File(error) => {
                write!(out, "{error}; expected a file that this user may write, in a directory that exists and is writable")
            }
            OpenFailure::Newer { found, known } => {
                write!(out, "its tables are of version {found}, and this program knows them up to {known}; use a newer program")
            }
            OpenFailure::Sqlite(error) => write!(out, "{error}"),
        }
    }
}

impl std::error::Error for OpenError {}
