//! What an administrator does to the store. Everything that changes something is one transaction together with its audit entry.

use std::future::Future;
use std::time::Duration;

use uuid::Uuid;

use super::error::Undo;
use super::{Store, StoreError};
use crate::account::Account;
use crate::admin::audit::{AuditEntry, AuditQuery};
use crate::admin::draft::{Draft, Edit};
use crate::admin::fields::FieldProblem;
use crate::admin::identity::{Identity, WechatPerson};
use crate::admin::merge::MergeReport;
use crate::admin::user::UserState;
use crate::audit::{By, Entry};
use crate::clock::Moment;
use crate::ids::{EntropyError, UserId};

/// Users, identities and the audit log, for administrators.
pub trait AdminStore: Store {
    /// Makes a user with their identities.
    fn create_user(&self, pool: &str, draft: &Draft, by: &By, now: Moment) -> impl Future<Output = Result<Account, AdminError>> + Send;

    /// The user with this id, in whatever state.
    fn find_user(&self, user: UserId) -> impl Future<Output = Result<Option<Account>, StoreError>> + Send;

    /// The users that are looked for, in the order of their ids; one more than `limit` where there are more.
    fn search_users(&self, search: &Search) -> impl Future<Output = Result<Vec<Account>, StoreError>> + Send;

    /// Changes fields of a user.
    fn update_user(&self, user: UserId, edit: &Edit, by: &By, now: Moment) -> impl Future<Output = Result<Account, AdminError>> + Send;

    /// Does one of the [`Act`]s.
    fn act_on_user(
        &self,
        user: UserId,
        act: Act,
        longest_session: Duration,
        by: &By,
        now: Moment,
    ) -> impl Future<Output = Result<(), AdminError>> + Send;

    /// Makes those of the users whose `external_id` is new, and tells what became of each. It is in no audit entry: an import is one, as a whole.
    fn import_users(&self, pool: &str, drafts: &[Draft], now: Moment) -> impl Future<Output = Result<Vec<Imported>, StoreError>> + Send;

    /// Adds to the audit log what no other method does.
    fn record(&self, entry: &Entry, now: Moment) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The identities of a user; `None` when nobody has this id.
    fn list_identities(&self, user: UserId) -> impl Future<Output = Result<Option<Vec<Identity>>, StoreError>> + Send;

    /// Lets a WeChat person log in to an account, and tells that person's identities there.
    fn link_identity(
        &self,
        user: UserId,
        person: &WechatPerson,
        by: &By,
        now: Moment,
    ) -> impl Future<Output = Result<Vec<Identity>, AdminError>> + Send;

    /// Takes a WeChat person away from an account, with all of that person's identities there, which it tells. The account's sessions end.
    fn unlink_identity(
        &self,
        change: &IdentityChange,
        longest_session: Duration,
        by: &By,
        now: Moment,
    ) -> impl Future<Output = Result<Vec<Identity>, AdminError>> + Send;

    /// Like [`AdminStore::unlink_identity`], and gives them to another account.
    fn move_identity(
        &self,
        change: &IdentityChange,
        to: UserId,
        longest_session: Duration,
        by: &By,
        now: Moment,
    ) -> impl Future<Output = Result<Vec<Identity>, AdminError>> + Send;

    /// Merges an account into another one, or tells what that would do.
    fn merge_users(
        &self,
        into: UserId,
        from: UserId,
        is_dry_run: bool,
        longest_session: Duration,
        by: &By,
        now: Moment,
    ) -> impl Future<Output = Result<MergeReport, AdminError>> + Send;

    /// The entries of the audit log that are asked for, oldest first; one more than `limit` where there are more.
    fn list_audit(&self, query: &AuditQuery) -> impl Future<Output = Result<Vec<AuditEntry>, StoreError>> + Send;
}

/// What can be done to a user as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Every session ends.
    SignOut,
    /// Every session ends, and logins are refused.
    Disable,
    /// Logins are no longer refused.
    Enable,
    /// The personal data goes, and the identities; what is left is the id, so that nobody else gets it.
    Delete,
}

/// Which users are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Of this pool.
    pub pool: String,
    /// What one of their fields is, or begins with.
    pub text: Option<String>,
    /// Whether the field is the text, and does not only begin with it. Names are not looked at then: they tell nobody apart.
    pub is_exact: bool,
    /// In this state.
    pub state: Option<UserState>,
    /// Later than this one.
    pub after: Uuid,
    /// At most so many.
    pub limit: usize,
}

/// What became of a row of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// A new user.
    Created,
    /// Its `external_id` was known.
    Unchanged,
    /// It contradicts what is there.
    Failed(FieldProblem),
}

/// An identity that is to be taken from an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityChange {
    /// Whose it is.
    pub user: UserId,
    /// [`Identity::id`].
    pub identity: Uuid,
    /// Whether it may be the last way in.
    pub is_forced: bool,
}

/// Why an administrator's wish was not done.
#[derive(Debug)]
pub enum AdminError {
    /// Nobody has this id.
    NoSuchUser,
    /// The user has no such identity.
    NoSuchIdentity,
    /// A field does not fit what is there.
    Field(FieldProblem),
    /// A field or an identity is somebody's already, who is told.
    Taken(FieldProblem),
    /// It is the account's last way in.
    LastWayIn,
    /// The account is deleted or merged, or for a merge's target disabled.
    State(UserState),
    /// The accounts are of different pools, or are the same one.
    NotTogether,
    /// The store failed.
    Store(StoreError),
}

impl Undo for AdminError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EntropyError> for AdminError {
    fn from(error: EntropyError) -> Self {
        Self::Store(error.into())
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
