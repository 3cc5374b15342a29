//! The face of the store for administrators: each method a transaction.

use std::time::Duration;

use super::transaction::Repeat;
use super::{Backend, accounts, admin_identities, admin_merge, admin_users, audit};
use crate::account::Account;
use crate::admin::audit::{AuditEntry, AuditQuery};
use crate::admin::draft::{Draft, Edit};
use crate::admin::identity::{Identity, WechatPerson};
use crate::admin::merge::MergeReport;
use crate::audit::{By, Entry};
use crate::clock::Moment;
use crate::ids::UserId;
use crate::store::{Act, AdminError, AdminStore, IdentityChange, Imported, Search, StoreError};

// None is repeated when nobody knows whether it was committed: it would stand in the audit log twice.
impl AdminStore for Backend {
    async fn create_user(&self, pool: &str, draft: &Draft, by: &By, now: Moment) -> Result<Account, AdminError> {
        self.write(Repeat::Undone, |scope| Box::pin(admin_users::create(scope.connection, pool, draft, by, now))).await
    }

    async fn find_user(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.read(|scope| Box::pin(accounts::find(scope.connection, user))).await
    }

    async fn search_users(&self, search: &Search) -> Result<Vec<Account>, StoreError> {
        self.read(|scope| Box::pin(admin_users::search(scope.connection, search))).await
    }

    async fn update_user(&self, user: UserId, edit: &Edit, by: &By, now: Moment) -> Result<Account, AdminError> {
        self.write(Repeat::Undone, |scope| Box::pin(admin_users::update(scope.connection, user, edit, by, now))).await
    }

    async fn act_on_user(&self, user: UserId, act: Act, longest_session: Duration, by: &By, now: Moment) -> Result<(), AdminError> {
        self.write(Repeat::Undone, |scope| Box::pin(admin_users::act(scope.connection, user, act, longest_session, by, now))).await
    }

    async fn import_users(&self, pool: &str, drafts: &[Draft], now: Moment) -> Result<Vec<Imported>, StoreError> {
        // The second time it finds what the first time made.
        self.write(Repeat::Always, |scope| Box::pin(admin_users::import(scope.connection, pool, drafts, now))).await
    }

    async fn record(&self, entry: &Entry, now: Moment) -> Result<(), StoreError> {
        self.write(Repeat::Undone, |scope| Box::pin(audit::record(scope.connection, entry, now))).await
    }

    async fn list_identities(&self, user: UserId) -> Result<Option<Vec<Identity>>, StoreError> {
        self.read(|scope| Box::pin(admin_identities::list_of_user(scope.connection, user))).await
    }

    async fn link_identity(&self, user: UserId, person: &WechatPerson, by: &By, now: Moment) -> Result<Vec<Identity>, AdminError> {
        self.write(Repeat::Undone, |scope| Box::pin(admin_identities::link(scope.connection, user, person, by, now))).await
    }

    async fn unlink_identity(
        &self,
        change: &IdentityChange,
        longest_session: Duration,
        by: &By,
        now: Moment,
    ) -> Result<Vec<Identity>, AdminError> {
        self.write(Repeat::Undone, |scope| Box::pin(admin_identities::unlink(scope.connection, change, longest_session, by, now))).await
    }

    async fn move_identity(
        &self,
        change: &IdentityChange,
        to: UserId,
        longest_session: Duration,
        by: &By,
        now: Moment,
    ) -> Result<Vec<Identity>, AdminError> {
        self.write(Repeat::Undone, |scope| Box::pin(admin_identities::move_to(scope.connection, change, to, longest_session, by, now)))
            .await
    }

    async fn merge_users(
        &self,
        into: UserId,
        from: UserId,
        is_dry_run: bool,
        longest_session: Duration,
        by: &By,
        now: Moment,
    ) -> Result<MergeReport, AdminError> {
        self.write(Repeat::Undone, |scope| {
            Box::pin(async move {
                let plan = admin_merge::plan(scope.connection, into, from).await?;
                if is_dry_run {
                    return Ok(plan.report(true));
                }
                Ok(admin_merge::carry_out(scope.connection, plan, longest_session, by, now).await?)
            })
        })
        .await
    }

    async fn list_audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(|scope| Box::pin(audit::list(scope.connection, query))).await
    }
}
