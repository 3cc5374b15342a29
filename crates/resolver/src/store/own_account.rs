//! What a person sees and does with their own account.

use std::future::Future;
use std::time::Duration;

use resolver_api::{AccountChange, AccountView, UnlinkAnswer};
use uuid::Uuid;

use super::StoreError;
use crate::clock::Moment;
use crate::ids::UserId;

/// A person's own account. An account of another pool, or one that is not active, is not found.
pub trait AccountStore {
    /// The account as its person sees it.
    fn view_account(&self, user: UserId, pool: &str) -> impl Future<Output = Result<Option<AccountView>, StoreError>> + Send;

    /// Unlinks the WeChat person with this id, unless it is the last way in, and ends every session. None when there is no such person or account.
    fn unlink(
        &self,
        user: UserId,
        linked: Uuid,
        change: &AccountChange,
        longest_session: Duration,
        now: Moment,
    ) -> impl Future<Output = Result<Option<UnlinkAnswer>, StoreError>> + Send;

    /// Ends every session that the person has now; in force for `longest_session`. False when there is no such account.
    fn sign_out_everywhere(
        &self,
        user: UserId,
        change: &AccountChange,
        longest_session: Duration,
        now: Moment,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
