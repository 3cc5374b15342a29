//! Where a resolver's data is, and what stands there when one looks from outside.

use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

/// Names a PostgreSQL server whose user may make databases.
const POSTGRES: &str = "WXGATE_POSTGRES_URL";

/// One database.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// One of a server's.
    Postgres(Box<PgConnectOptions>),
}

impl Database {
    /// A file that does not exist yet.
    pub(crate) fn in_directory(directory: &Path) -> Self {
        Self::Sqlite(directory.join("resolver.db"))
    }

    /// A new and empty one. It vanishes with its server.
    pub(crate) async fn on_postgres(name: &str) -> Self {
        let Ok(url) = std::env::var(POSTGRES) else {
            panic!("{POSTGRES} names no PostgreSQL server; `cargo xtask test` starts one and sets it");
        };
        let options: PgConnectOptions = url.parse().expect("the URL of a PostgreSQL server");
        let mut server = PgConnection::connect_with(&options.clone().disable_statement_logging()).await.expect("PostgreSQL");
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'"));
        sqlx::raw_sql(create).execute(&mut server).await.expect("a database");
        Self::Postgres(Box::new(options.database(name)))
    }

    /// How many accounts there are.
    pub(crate) async fn accounts(&self) -> u64 {
        const COUNT: &str = "SELECT COUNT(*) FROM users";
        let count: i64 = match self {
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true);
                let mut database = SqliteConnection::connect_with(&options).await.expect("the resolver's database");
                sqlx::query_scalar(COUNT).fetch_one(&mut database).await.expect("the table of users")
            }
            Self::Postgres(options) => {
                let mut database = PgConnection::connect_with(options).await.expect("the resolver's database");
                sqlx::query_scalar(COUNT).fetch_one(&mut database).await.expect("the table of users")
            }
        };
        u64::try_from(count).expect("a count")
    }
}
