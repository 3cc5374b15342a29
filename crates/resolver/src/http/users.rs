//! What an administrator does to a user.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use resolver_api::Problem;

use super::extract::PathId;
use super::problem::Failure;
use crate::ids::UserId;
use crate::state::AppState;
use crate::store::Store;

/// Disable a user
///
/// Every session ends like in `revoke-sessions`, and further logins are refused with `user_disabled`.
#[utoipa::path(
    post,
    path = "/v1/users/{user_id}/disable",
    tag = "users",
    operation_id = "disableUser",
    params(("user_id" = String, Path, description = "The user's `sub`")),
    responses(
        (status = 204, description = "Disabled"),
        (status = 401, description = "`/problems/unauthorized`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`/problems/not-found`: nobody has this id", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`/problems/overloaded`, `/problems/timed-out` or `/problems/store-unavailable`; see `Retry-After`", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn disable<S: Store>(State(state): State<Arc<AppState<S>>>, PathId(user): PathId<UserId>) -> Result<StatusCode, Failure> {
    let is_known = state.store.disable_user(user, state.limits.longest_session, state.clock.now()).await?;
    finish(is_known, user, "disabled")
}

/// Enable a user
///
/// Lets the user log in again. Sessions that have ended stay so.
#[utoipa::path(
    post,
    path = "/v1/users/{user_id}/enable",
    tag = "users",
    operation_id = "enableUser",
    params(("user_id" = String, Path, description = "The user's `sub`")),
    responses(
        (status = 204, description = "Enabled"),
        (status = 401, description = "`/problems/unauthorized`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`/problems/not-found`: nobody has this id", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`/problems/overloaded`, `/problems/timed-out` or `/problems/store-unavailable`; see `Retry-After`", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn enable<S: Store>(State(state): State<Arc<AppState<S>>>, PathId(user): PathId<UserId>) -> Result<StatusCode, Failure> {
    let is_known = state.store.enable_user(user).await?;
    finish(is_known, user, "enabled")
}

fn finish(is_known: bool, user: UserId, done: &'static str) -> Result<StatusCode, Failure> {
    if !is_known {
        return Err(Failure::NotFound("no such user"));
    }
    tracing::info!(%user, done, "user changed");
    Ok(StatusCode::NO_CONTENT)
}
