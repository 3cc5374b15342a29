//! The WeChat people who may log in to an account.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::auth::Admin;
use super::body::flag;
use super::problem::AdminProblems;
use crate::admin::fields::FieldProblem;
use crate::admin::identity::{Identity, MoveIdentity, NewIdentity};
use crate::http::extract::{JsonBody, PathId, PathIds, QueryOf};
use crate::http::problem::Failure;
use crate::ids::UserId;
use crate::state::AppState;
use crate::store::{AdminStore, IdentityChange};

/// List a user's identities
#[utoipa::path(
    get,
    path = "/v1/admin/users/{user_id}/identities",
    tag = "admin: identities",
    operation_id = "adminListIdentities",
    security(("admin" = [])),
    params(("user_id" = String, Path, description = "The user's `sub`")),
    responses((status = 200, description = "In the order in which they were linked", body = Vec<Identity>), AdminProblems),
)]
pub(super) async fn list<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    PathId(user): PathId<UserId>,
) -> Result<Json<Vec<Identity>>, Failure> {
    let identities = state.store.list_identities(user).await?;
    identities.map(Json).ok_or(Failure::NotFound("no such user"))
}

/// Link an identity
///
/// Without any proof: the WeChat person can log in to the account from now on. 409 where somebody has the openid or the unionid already.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{user_id}/identities",
    tag = "admin: identities",
    operation_id = "adminLinkIdentity",
    security(("admin" = [])),
    params(("user_id" = String, Path, description = "The user's `sub`")),
    request_body = NewIdentity,
    responses((status = 201, description = "What was linked", body = Vec<Identity>), AdminProblems),
)]
pub(super) async fn link<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    Admin(by): Admin,
    PathId(user): PathId<UserId>,
    JsonBody(identity): JsonBody<NewIdentity>,
) -> Result<(StatusCode, Json<Vec<Identity>>), Failure> {
    let person = identity.parse("")?;
    let linked = state.store.link_identity(user, &person, &by, state.clock.now()).await?;
    tracing::info!(%user, by = %by.actor, "identity linked");
    Ok((StatusCode::CREATED, Json(linked)))
}

/// Whether the last way in may go.
#[derive(Deserialize)]
pub(super) struct Force {
    force: Option<String>,
}

/// Unlink an identity
///
/// The WeChat person goes as a whole: the unionid with every openid that came with it. The account's sessions end. 409 for the last way in,
/// unless `force=true`.
#[utoipa::path(
    delete,
    path = "/v1/admin/users/{user_id}/identities/{identity_id}",
    tag = "admin: identities",
    operation_id = "adminUnlinkIdentity",
    security(("admin" = [])),
    params(
        ("user_id" = String, Path, description = "The user's `sub`"),
        ("identity_id" = String, Path, description = "One of the person's identities"),
        ("force" = Option<bool>, Query, description = "Also the last way in"),
    ),
    responses((status = 200, description = "What was unlinked", body = Vec<Identity>), AdminProblems),
)]
pub(super) async fn unlink<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    Admin(by): Admin,
    PathIds(user, identity): PathIds<UserId, String>,
    QueryOf(query): QueryOf<Force>,
) -> Result<Json<Vec<Identity>>, Failure> {
    let change = IdentityChange { user, identity: parse_identity(&identity)?, is_forced: flag("force", query.force.as_deref())? };
    let unlinked = state.store.unlink_identity(&change, state.limits.longest_session, &by, state.clock.now()).await?;
    tracing::info!(%user, by = %by.actor, "identity unlinked");
    Ok(Json(unlinked))
}

/// Move an identity to another account
///
/// The WeChat person goes as a whole, and logs in to the other account from now on. The sessions of the account that loses it end.
#[utoipa::path(
    post,
    path = "/v1/admin/users/{user_id}/identities/{identity_id}/move",
    tag = "admin: identities",
    operation_id = "adminMoveIdentity",
    security(("admin" = [])),
    params(
        ("user_id" = String, Path, description = "The `sub` of the account that loses it"),
        ("identity_id" = String, Path, description = "One of the person's identities"),
    ),
    request_body = MoveIdentity,
    responses((status = 200, description = "What was moved", body = Vec<Identity>), AdminProblems),
)]
pub(super) async fn move_to<S: AdminStore>(
    State(state): State<Arc<AppState<S>>>,
    Admin(by): Admin,
    PathIds(user, identity): PathIds<UserId, String>,
    JsonBody(request): JsonBody<MoveIdentity>,
) -> Result<Json<Vec<Identity>>, Failure> {
    let to = UserId::try_parse(&request.to).map_err(|_| FieldProblem::new("to", "the id of a user"))?;
    let change = IdentityChange { user, identity: parse_identity(&identity)?, is_forced: request.force };
    let moved = state.store.move_identity(&change, to, state.limits.longest_session, &by, state.clock.now()).await?;
    tracing::info!(%user, %to, by = %by.actor, "identity moved");
    Ok(Json(moved))
}

fn parse_identity(text: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(text).map_err(|_| Failure::NotFound("the user has no such identity"))
}
