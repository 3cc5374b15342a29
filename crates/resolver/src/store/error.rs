//! What can go wrong in a store, whichever database it is on.

use std::error::Error;
use std::fmt;

use sqlx::postgres::PgDatabaseError;

use crate::ids::EntropyError;

/// Why a store could not do what it was asked for. Displays without personal data.
#[derive(Debug)]
pub enum StoreError {
    /// Others kept the database busy for too long; worth a retry.
    Busy,
    /// Others changed the same rows at the same moment, and the database undid this transaction.
    Conflict(Box<dyn Error + Send + Sync>),
    /// The connection to the database broke.
    Lost(Box<dyn Error + Send + Sync>),
    /// The database failed, for the reason given.
    Database(Box<dyn Error + Send + Sync>),
    /// A row held what this version cannot read.
    Unreadable(&'static str),
    /// The operating system gave no random bytes.
    Entropy(EntropyError),
}

/// Why a login was not decided.
#[derive(Debug)]
pub enum LoginError {
    /// The key was used for another question.
    KeyReused,
    /// The store failed.
    Store(StoreError),
}

/// What the work of a transaction may end with, to undo it. A transaction is repeated when the store's own error says that this helps.
pub(super) trait Undo: From<StoreError> + Send {
    /// The store's own error, where it is one.
    fn store_error(&self) -> Option<&StoreError>;
}

impl Undo for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

impl Undo for LoginError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::KeyReused => None,
            Self::Store(error) => Some(error),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::Io(_) => Self::Lost(error.into()),
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default().into_owned();
                let is_postgres = database.try_downcast_ref::<PgDatabaseError>().is_some();
                match if is_postgres { super::postgres::kind_of(&code) } else { super::sqlite::kind_of(&code) } {
                    Kind::Busy => Self::Busy,
                    Kind::Conflict => Self::Conflict(error.into()),
                    Kind::Lost => Self::Lost(error.into()),
                    Kind::Other => Self::Database(error.into()),
                }
            }
            _ => Self::Database(error.into()),
        }
    }
}

/// What an error code of a database means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Busy,
    Conflict,
    Lost,
    Other,
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<EntropyError> for StoreError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyReused => write!(out, "the idempotency key was used for another login"),
            Self::Store(error) => error.fmt(out),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => write!(out, "the database was busy for too long"),
            Self::Conflict(error) => write!(out, "others changed the same rows again and again: {error}"),
            Self::Lost(error) => write!(out, "the connection to the database broke: {error}"),
            Self::Database(error) => write!(out, "the database failed: {error}"),
            Self::Unreadable(what) => write!(out, "the database holds {what} that this version cannot read"),
            Self::Entropy(error) => write!(out, "no random bytes: {error}"),
        }
    }
}

impl Error for LoginError {}
impl Error for StoreError {}
