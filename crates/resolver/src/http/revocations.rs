//! Ends sessions, and tells every filter which have ended.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use resolver_api::{RevocationFeed, RevokeSession};
use serde::Deserialize;

use super::extract::{JsonBody, PathId, QueryOf};
use super::problem::{BodyProblems, CommonProblems, Failure};
use crate::ids::SessionId;
use crate::state::AppState;
use crate::store::Store;

/// An `expires_at` further off than this is no time in seconds, or a mistake: ten years.
const FURTHEST_EXPIRY_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

/// End a session
///
/// Done when it was ended before, too, and when it is over by itself.
#[utoipa::path(
    post,
    path = "/v1/sessions/{session_id}/revoke",
    tag = "revocations",
    operation_id = "revokeSession",
    params(("session_id" = String, Path, description = "The session's `sid`", min_length = 22, max_length = 22, pattern = "^[A-Za-z0-9_-]{22}$")),
    request_body = RevokeSession,
    responses(
        (status = 204, description = "Ended"),
        BodyProblems,
        CommonProblems,
    ),
)]
pub(super) async fn revoke_session<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathId(session): PathId<SessionId>,
    JsonBody(RevokeSession { expires_at }): JsonBody<RevokeSession>,
) -> Result<StatusCode, Failure> {
    let now = state.clock.now();
    if expires_at > now.seconds().saturating_add(FURTHEST_EXPIRY_SECONDS) {
        return Err(Failure::InvalidRequest("expires_at: lies more than ten years ahead; expected Unix seconds".to_owned()));
    }
    state.store.revoke_session(&session, expires_at, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where to go on.
#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: String,
}

/// What has been revoked since a cursor
///
/// At most 500 entries, oldest first. A cursor that is empty, or that this resolver did not give or no longer knows, asks
/// for all that is in force.
#[utoipa::path(
    get,
    path = "/v1/revocations",
    tag = "revocations",
    operation_id = "listRevocations",
    params(("after" = Option<String>, Query, description = "The `cursor` of the page before; absent or empty for all that is in force")),
    responses(
        (status = 200, description = "The page", body = RevocationFeed),
        CommonProblems,
    ),
)]
pub(super) async fn list<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    QueryOf(After { after }): QueryOf<After>,
) -> Result<Json<RevocationFeed>, Failure> {
    Ok(Json(state.store.find_revocations(&after, state.clock.now()).await?))
}
