//! Two accounts become one.

use std::time::Duration;

use serde_json::json;

use super::admin_users::find_usable;
use super::{Connection, accounts, admin_identities, audit, revocations};
use crate::account::{Account, State};
use crate::admin::identity::Identity;
use crate::admin::merge::{MergeReport, Merged, merge};
use crate::audit::{Action, By};
use crate::clock::Moment;
use crate::ids::UserId;
use crate::store::{AdminError, StoreError};

/// What a merge is about to do.
pub(super) struct Plan {
    merged: Merged,
    identities: Vec<Identity>,
    choices: u64,
}

/// Finds out what a merge does, and that it may be done.
pub(super) async fn plan(connection: &mut Connection, into: UserId, from: UserId) -> Result<Plan, AdminError> {
    if into == from {
        return Err(AdminError::NotTogether);
    }
    let into = find_usable(connection, into).await?;
    let from = find_usable(connection, from).await?;
    if into.state != State::Active {
        return Err(AdminError::State(into.state.into()));
    }
    if into.pool != from.pool {
        return Err(AdminError::NotTogether);
    }
    let identities = admin_identities::list(connection, from.id).await?;
    let choices = count_choices(connection, &from).await?;
    Ok(Plan { merged: merge(into, from), identities, choices })
}

/// Does what was planned, in the transaction of the planning.
pub(super) async fn carry_out(
    connection: &mut Connection,
    plan: Plan,
    longest_session: Duration,
    by: &By,
    now: Moment,
) -> Result<MergeReport, StoreError> {
    let report = plan.report(false);
    let Plan { merged: Merged { into, from, .. }, identities, .. } = plan;
    for identity in &identities {
        admin_identities::give(connection, &identity.id, into.id).await?;
    }
    sqlx::query("UPDATE choices SET user_id = $1 WHERE user_id = $2")
        .bind(into.id.to_string())
        .bind(from.id.to_string())
        .execute(&mut *connection)
        .await?;
    let (into_id, from_id) = (into.id, from.id);
    // First the account that ends, whose names the other one may get.
    revocations::end_sessions(connection, from, longest_session, now).await?;
    accounts::update(connection, &into).await?;
    let what = |role: &str, other: UserId| json!({role: other, "identities": identities.len(), "filled": report.filled, "dropped": report.dropped});
    for (user, detail) in [(into_id, what("from", from_id)), (from_id, what("into", into_id))] {
        audit::record(connection, &by.entry(&into.pool, Action::UsersMerged, Some(user), detail), now).await?;
    }
    Ok(report)
}

impl Plan {
    pub(super) fn report(&self, is_dry_run: bool) -> MergeReport {
        MergeReport {
            into: self.merged.into.id.to_string(),
            from: self.merged.from.id.to_string(),
            dry_run: is_dry_run,
            identities: self.identities.clone(),
            choices: self.choices,
            filled: self.merged.filled.clone(),
            dropped: self.merged.dropped.clone(),
        }
    }
}

async fn count_choices(connection: &mut Connection, account: &Account) -> Result<u64, StoreError> {
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM choices WHERE user_id = $1").bind(account.id.to_string()).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}
