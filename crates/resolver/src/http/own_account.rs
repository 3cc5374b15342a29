//! What a person sees and does with their own account. The filter has checked who they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use resolver_api::{AccountChange, AccountView, Problem, UnlinkAnswer};
use serde::Deserialize;
use uuid::Uuid;

use super::extract::{JsonBody, PathId, PathIds, QueryOf, check_client_address};
use super::problem::{BodyProblems, CommonProblems, Failure};
use crate::ids::UserId;
use crate::state::AppState;
use crate::store::Store;

const NOBODY: Failure = Failure::NotFound("no such user");

/// Where to look for the account.
#[derive(Deserialize)]
pub(super) struct Pool {
    #[serde(default)]
    pool: String,
}

/// Show an account to its person
#[utoipa::path(
    get,
    path = "/v1/users/{user_id}",
    tag = "users",
    operation_id = "viewAccount",
    params(
        ("user_id" = String, Path, description = "The user's `sub`"),
        ("pool" = String, Query, description = "The pool of the application in which the person is logged in; an account of another pool is not found"),
    ),
    responses(
        (status = 200, description = "The account", body = AccountView),
        (status = 404, description = "`/problems/not-found`: no active account of the pool has this id", body = Problem, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub(super) async fn view<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(user): PathId<UserId>,
    QueryOf(Pool { pool }): QueryOf<Pool>,
) -> Result<Json<AccountView>, Failure> {
    state.store.view_account(user, &pool).await?.map(Json).ok_or(NOBODY)
}

/// Unlink a WeChat person from an account
///
/// The unionid goes with all openids that came with it, and every session of the account ends. The last WeChat person stays.
#[utoipa::path(
    post,
    path = "/v1/users/{user_id}/identities/{id}/unlink",
    tag = "users",
    operation_id = "unlinkIdentity",
    params(
        ("user_id" = String, Path, description = "The user's `sub`"),
        ("id" = String, Path, description = "The linked identity's `id`"),
    ),
    request_body = AccountChange,
    responses(
        (status = 200, description = "What became of it", body = UnlinkAnswer),
        (status = 404, description = "`/problems/not-found`: no active account of the pool has this id, or it has no such identity", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn unlink<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathIds(user, linked): PathIds<UserId, Uuid>,
    JsonBody(change): JsonBody<AccountChange>,
) -> Result<Json<UnlinkAnswer>, Failure> {
    check_client_address(change.client_address.as_deref())?;
    let unlinked = state.store.unlink(user, linked, &change, state.limits.longest_session, state.clock.now()).await?;
    let answer = match unlinked {
        Some(UnlinkAnswer::Unlinked) => "unlinked",
        Some(UnlinkAnswer::LastWayIn) => "last_way_in",
        None => "not_found",
    };
    tracing::info!(answer, %user, application = change.application, "unlink");
    unlinked.map(Json).ok_or(Failure::NotFound("no such user, or no such identity of theirs"))
}

/// Sign a person out everywhere
///
/// Every session that the user has now ends at every filter, as soon as it reads the feed.
#[utoipa::path(
    post,
    path = "/v1/users/{user_id}/revoke-sessions",
    tag = "users",
    operation_id = "revokeUserSessions",
    params(("user_id" = String, Path, description = "The user's `sub`")),
    request_body = AccountChange,
    responses(
        (status = 204, description = "Ended"),
        (status = 404, description = "`/problems/not-found`: no active account of the pool has this id", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn revoke_sessions<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(user): PathId<UserId>,
    JsonBody(change): JsonBody<AccountChange>,
) -> Result<StatusCode, Failure> {
    check_client_address(change.client_address.as_deref())?;
    let is_known = state.store.sign_out_everywhere(user, &change, state.limits.longest_session, state.clock.now()).await?;
    tracing::info!(answer = if is_known { "signed_out_everywhere" } else { "not_found" }, %user, application = change.application, "revoke sessions");
    if is_known { Ok(StatusCode::NO_CONTENT) } else { Err(NOBODY) }
}
