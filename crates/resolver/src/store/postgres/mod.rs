//! The store on PostgreSQL, or on a database that speaks like it: many writers, each as if it were alone.

mod migrations;
#[path = "../shared/mod.rs"]
mod shared;

use std::fmt;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{ConnectOptions, Connection as _, PgConnection, PgPool, Postgres};

use super::error::Kind;

/// Of each resolver. PostgreSQL's own limit is 100 for all of them together.
const CONNECTIONS: u32 = 16;

/// A connection that nobody used for so long is tried out before it is used: a failover may have broken it.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// The texts of a JSON array that is the parameter `$1`.
const TEXTS_OF_1: &str = "(SELECT value FROM json_array_elements_text($1::json))";

// What `shared` is compiled for.
type Backend = PostgresStore;
type Connection = PgConnection;
type Row = PgRow;
type Transaction = sqlx::Transaction<'static, Postgres>;

/// Users, identities, outcomes and revocations in one PostgreSQL database, which any number of resolvers may share.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
}

/// A database could not be opened. Never holds the password.
#[derive(Debug)]
pub struct PostgresOpenError {
    server: String,
    reason: OpenFailure,
}

/// Why a database could not be opened.
#[derive(Debug)]
enum OpenFailure {
    /// A newer version of the resolver has changed the tables.
    Newer { found: i64, known: usize },
    /// Names and nicknames need UTF-8.
    Encoding(String),
    /// PostgreSQL failed, or could not be reached.
    Postgres(sqlx::Error),
}

impl PostgresStore {
    /// Connects to the database, and brings its tables up to date. A request waits for `patience` for a connection, and a
    /// statement for a lock.
    pub async fn open(options: PgConnectOptions, patience: Duration) -> Result<Self, PostgresOpenError> {
        let server = format!("{} at {}:{}", options.get_database().unwrap_or_default(), options.get_host(), options.get_port());
        open(options, patience).await.map_err(|reason| PostgresOpenError { server, reason })
    }

    /// As if no other transaction ran at the same time: PostgreSQL undoes one that would notice, with SQLSTATE 40001.
    async fn begin_write(&self) -> Result<Transaction, sqlx::Error> {
        self.pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await
    }

    /// Each statement sees what was committed before it, and waits for whoever has its rows.
    async fn begin_step(&self) -> Result<Transaction, sqlx::Error> {
        self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    /// All that is read is of one moment.
    async fn begin_read(&self) -> Result<Transaction, sqlx::Error> {
        self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn close_pools(&self) {
        self.pool.close().await;
    }
}

async fn open(options: PgConnectOptions, patience: Duration) -> Result<PostgresStore, OpenFailure> {
    // No number of ours is a fraction; a pooler refuses a setting that it does not know.
    let options = options.application_name("wxgate-resolver").extra_float_digits(None).disable_statement_logging();
    // Not by the pool, which would try an unreachable server until its patience is over, and tell nothing but that.
    let mut first = PgConnection::connect_with(&options).await?;
    let encoding: String = sqlx::query_scalar("SHOW server_encoding").fetch_one(&mut first).await?;
    if !encoding.eq_ignore_ascii_case("UTF8") {
        return Err(OpenFailure::Encoding(encoding));
    }
    migrations::run(&mut first).await?;
    first.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(patience)
        .test_before_acquire(false)
        .before_acquire(|connection, life| {
            Box::pin(async move {
                if life.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                // The second also bounds what has its locks and still does not end.
                for (setting, limit) in [("lock_timeout", patience), ("statement_timeout", patience * 2)] {
                    let limit = format!("{}ms", limit.as_millis());
                    sqlx::query("SELECT set_config($1, $2, FALSE)").bind(setting).bind(limit).execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options);
    Ok(PostgresStore { pool })
}

/// By <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn kind_of(code: &str) -> Kind {
    match code {
        // Serialization failure, deadlock; a unique violation, where both made what neither had found.
        "40001" | "40P01" | "23505" => Kind::Conflict,
        // Statement completion unknown; shut down by an administrator or after a crash; starting up.
        "40003" | "57P01" | "57P02" | "57P03" => Kind::Lost,
        // Class 08: connection exceptions.
        _ if code.starts_with("08") => Kind::Lost,
        // Too many connections; lock_timeout; statement_timeout.
        "53300" | "55P03" | "57014" => Kind::Busy,
        _ => Kind::Other,
    }
}

impl From<sqlx::Error> for OpenFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error)
    }
}

impl fmt::Display for PostgresOpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the database {} cannot be opened: ", self.server)?;
        match &self.reason {
            OpenFailure::Newer { found, known } => {
                write!(out, "its tables are of version {found}, and this program knows them up to {known}; use a newer program")
            }
            OpenFailure::Encoding(encoding) => write!(out, "its encoding is {encoding}; expected UTF8"),
            OpenFailure::Postgres(error) => write!(out, "{error}{}", advice(error)),
        }
    }
}

/// What an operator may not know who reads this error.
fn advice(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(error) if error.to_string().starts_with("invalid peer certificate") => {
            "; expected a certificate for the host that the URL names, signed by an authority of this machine or of sslrootcert"
        }
        // Invalid authorization specification.
        sqlx::Error::Database(error) if error.code().as_deref() == Some("28000") => {
            "; the server's pg_hba.conf says who may connect, from where, and whether only with TLS (sslmode in the URL)"
        }
        _ => "",
    }
}

impl std::error::Error for PostgresOpenError {}
