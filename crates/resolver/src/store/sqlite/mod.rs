//! The store on SQLite: one file, one writer, many readers.

mod migrations;
#[path = "../shared/mod.rs"]
mod shared;

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, Sqlite, SqliteConnection, SqlitePool};
use tokio::time::Instant;

use super::error::Kind;

/// How long a database may take to be opened and brought up to date, be it by another process.
const OPENING: Duration = Duration::from_secs(30);

const EXPECTED_FILE: &str = "expected a file that this user may write, in a directory that exists and is writable";

/// Readers do not wait for the writer, so a few are plenty.
const READERS: u32 = 4;

/// The texts of a JSON array that is the parameter `$1`.
const TEXTS_OF_1: &str = "(SELECT value FROM json_each($1))";

// What `shared` is compiled for.
type Backend = SqliteStore;
type Connection = SqliteConnection;
type Row = SqliteRow;
type Transaction = sqlx::Transaction<'static, Sqlite>;

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
pub struct SqliteOpenError {
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
    /// Opens the database in this file, makes it where there is none, and brings its tables up to date. A statement waits
    /// for `patience` for a lock of another process, and a request for a connection.
    pub async fn open(path: impl AsRef<Path>, patience: Duration) -> Result<Self, SqliteOpenError> {
        let path = path.as_ref();
        open(path, patience).await.map_err(|reason| SqliteOpenError { path: path.to_owned(), reason })
    }

    /// As the only writer, from the beginning: a reader that becomes one later may find that it came too late.
    async fn begin_write(&self) -> Result<Transaction, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Whoever writes is alone.
    async fn begin_step(&self) -> Result<Transaction, sqlx::Error> {
        self.begin_write().await
    }

    /// All that is read is of one moment.
    async fn begin_read(&self) -> Result<Transaction, sqlx::Error> {
        self.readers.begin().await
    }

    async fn close_pools(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn open(path: &Path, patience: Duration) -> Result<SqliteStore, OpenFailure> {
    make_file(path).map_err(OpenFailure::File)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(patience)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .disable_statement_logging();
    let mut first = connect(&options.clone().busy_timeout(OPENING)).await?;
    migrations::run(&mut first).await?;
    first.close().await?;
    // A connection costs a thread and cannot go stale, so none is given up but one that went wrong.
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(patience)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // When the disk is full, SQLite rolls back by itself; sqlx 0.9 then fails to, and thinks itself within a transaction for ever.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }));
    let writer = pool.clone().max_connections(1).connect_lazy_with(options.clone());
    let readers = pool.max_connections(READERS).connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(SqliteStore { writer, readers })
}

async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let deadline = Instant::now() + OPENING;
    loop {
        match SqliteConnection::connect_with(options).await {
            // While two processes turn a new file to WAL at once, SQLite does not wait for the lock, whatever it was told.
            Err(sqlx::Error::Database(error)) if is_busy(error.as_ref()) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            result => return result,
        }
    }
}

/// 8 is SQLITE_READONLY, 14 SQLITE_CANTOPEN.
fn is_forbidden(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 8 | 14))
}

fn is_busy(error: &dyn sqlx::error::DatabaseError) -> bool {
    kind_of(error.code().as_deref().unwrap_or_default()) == Kind::Busy
}

/// Makes the file where there is none, for its owner's eyes only; SQLite gives its WAL the same mode.
fn make_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// There is one writer, so nothing is ever in conflict, and no connection that could be lost.
pub(super) fn kind_of(code: &str) -> Kind {
    // The low byte of SQLite's extended code is the primary one: 5 is SQLITE_BUSY, 6 SQLITE_LOCKED.
    match code.parse::<u32>() {
        Ok(code) if matches!(code & 0xff, 5 | 6) => Kind::Busy,
        _ => Kind::Other,
    }
}

impl From<sqlx::Error> for OpenFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl fmt::Display for SqliteOpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the database {} cannot be opened: ", self.path.display())?;
        match &self.reason {
            OpenFailure::File(error) => write!(out, "{error}; {EXPECTED_FILE}"),
            OpenFailure::Newer { found, known } => {
                write!(out, "its tables are of version {found}, and this program knows them up to {known}; use a newer program")
            }
            // SQLite makes files of its own beside this one.
            OpenFailure::Sqlite(error) if is_forbidden(error) => write!(out, "{error}; {EXPECTED_FILE}"),
            OpenFailure::Sqlite(error) => write!(out, "{error}"),
        }
    }
}

impl std::error::Error for SqliteOpenError {}
