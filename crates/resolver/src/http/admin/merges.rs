//! Merges of accounts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::auth::Admin;
use super::problem::AdminProblems;
use crate::admin::fields::FieldProblem;
use crate::admin::merge::{MergeReport, MergeRequest};
use crate::http::extract::{JsonBody, PathId};
use crate::http::problem::Failure;
use crate::ids::UserId;
use crate::state::AppState;
use crate::store::AdminStore;

/// Merge another account into this one
///
/// Identities and choices move, fields that this account lacks are filled. The other account can never be logged in to again, and its sessions
/// end: a `sub` never changes under a session. A dry run reports the same and changes nothing.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{user_id}/merge",
    tag = "admin: users",
    operation_id = "adminMergeUsers",
    security(("admin" = [])),
    params(("user_id" = String, Path, description = "The `sub` that stays")),
    request_body = MergeRequest,
    responses((status = 200, description = "What it did, or would do", body = MergeReport), AdminProblems),
)]
pub(super) async fn create<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    Admin(by): Admin,
    PathId(into): PathId<UserId>,
    JsonBody(request): JsonBody<MergeRequest>,
) -> Result<Json<MergeReport>, Failure> {
    let from = UserId::try_parse(&request.from).map_err(|_| FieldProblem::new("from", "the id of a user"))?;
    let longest_session = state.limits.longest_session;
    let report = state.store.merge_users(into, from, request.dry_run, longest_session, &by, state.clock.now()).await?;
    tracing::info!(%into, %from, request.dry_run, by = %by.actor, "users merged");
    Ok(Json(report))
}
