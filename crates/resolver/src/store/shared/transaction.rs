//! One transaction: begun, worked in, committed; undone when the work ends with an error; repeated where that is safe and helps.

use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use crate::ids;
use crate::store::StoreError;
use crate::store::error::Undo;

use super::{Backend, Connection};

/// How often a transaction is tried. Of many that want the same row at once each round lets one through.
const TRIES: u32 = 30;

/// The longest wait before the next try is drawn from up to so many milliseconds.
const LONGEST_WAIT_MS: u64 = 128;

/// The connection of a transaction, for work that borrows what lives for `'env`.
pub(super) struct Scope<'c, 'env> {
    pub(super) connection: &'c mut Connection,
    /// Tells the compiler that `'env` outlives every `'c`.
    env: PhantomData<&'c &'env ()>,
}

/// The work of a transaction under way.
pub(super) type Work<'c, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>;

/// Whether a transaction may be repeated when nobody knows whether it was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice does what once does.
    Always,
    /// Twice would do something else.
    Undone,
}

/// What a transaction sees of others that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Isolation {
    /// Nothing: as if it were alone.
    Alone,
    /// What they have committed before each of its statements, which waits for them.
    Statement,
}

impl Backend {
    /// Does `work` in one transaction that may write. It may be done several times, the ones before the last without effect.
    pub(super) async fn write<'env, T, E, F>(&self, repeat: Repeat, work: F) -> Result<T, E>
    where
        T: Send,
        E: Undo,
        F: for<'c> Fn(Scope<'c, 'env>) -> Work<'c, T, E> + Send + Sync,
    {
        self.transact(Isolation::Alone, repeat, work).await
    }

    /// Does `work` whose statements each decide for themselves (compare-and-set), likewise. Many that want one row at once
    /// stand in line, where [`Backend::write`] would undo all of them but one.
    pub(super) async fn step<'env, T, E, F>(&self, repeat: Repeat, work: F) -> Result<T, E>
    where
        T: Send,
        E: Undo,
        F: for<'c> Fn(Scope<'c, 'env>) -> Work<'c, T, E> + Send + Sync,
    {
        self.transact(Isolation::Statement, repeat, work).await
    }

    async fn transact<'env, T, E, F>(&self, isolation: Isolation, repeat: Repeat, work: F) -> Result<T, E>
    where
        T: Send,
        E: Undo,
        F: for<'c> Fn(Scope<'c, 'env>) -> Work<'c, T, E> + Send + Sync,
    {
        let mut tried = 1;
        loop {
            let mut is_committing = false;
            let error = match self.write_once(isolation, &work, &mut is_committing).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let may_repeat = match error.store_error() {
                Some(StoreError::Conflict(_)) => true,
                Some(StoreError::Lost(_)) => !is_committing || repeat == Repeat::Always,
                _ => false,
            };
            if !may_repeat || tried == TRIES {
                return Err(error);
            }
            pause(tried).await?;
            tried += 1;
        }
    }

    async fn write_once<'env, T, E, F>(&self, isolation: Isolation, work: &F, is_committing: &mut bool) -> Result<T, E>
    where
        E: Undo,
        F: for<'c> Fn(Scope<'c, 'env>) -> Work<'c, T, E>,
    {
        let begun = match isolation {
            Isolation::Alone => self.begin_write().await,
            Isolation::Statement => self.begin_step().await,
        };
        let mut transaction = begun.map_err(StoreError::from)?;
        let value = work(Scope { connection: &mut transaction, env: PhantomData }).await?;
        *is_committing = true;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(value)
    }

    /// Does `work` in one transaction that only reads, all of it at one moment.
    pub(super) async fn read<'env, T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send,
        E: Undo,
        F: for<'c> Fn(Scope<'c, 'env>) -> Work<'c, T, E> + Send + Sync,
    {
        let mut tried = 1;
        loop {
            let result = self.read_once(&work).await;
            let error = result.as_ref().err().and_then(Undo::store_error);
            if !matches!(error, Some(StoreError::Conflict(_) | StoreError::Lost(_))) || tried == TRIES {
                return result;
            }
            pause(tried).await?;
            tried += 1;
        }
    }

    async fn read_once<'env, T, E, F>(&self, work: &F) -> Result<T, E>
    where
        E: Undo,
        F: for<'c> Fn(Scope<'c, 'env>) -> Work<'c, T, E>,
    {
        let mut transaction = self.begin_read().await.map_err(StoreError::from)?;
        let value = work(Scope { connection: &mut transaction, env: PhantomData }).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(value)
    }
}

/// At random, so that those who collided do not collide again.
async fn pause(tried: u32) -> Result<(), StoreError> {
    let longest = LONGEST_WAIT_MS.min(1 << tried.min(16));
    let wait = u64::from_be_bytes(ids::random_bytes()?) % longest;
    tokio::time::sleep(Duration::from_millis(wait)).await;
    Ok(())
}
