//! Tells an orchestrator how the resolver is. Without a token, and without anything worth hiding.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use resolver_api::Problem;

use super::problem::Failure;
use crate::state::AppState;
use crate::store::{Store, StoreError};

/// A store that takes longer for one row serves nobody.
const LONGEST_CHECK: Duration = Duration::from_secs(1);

/// The process is up
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    operation_id = "isUp",
    security(()),
    responses((status = 200, description = "Up")),
)]
pub(super) async fn is_up() -> StatusCode {
    StatusCode::OK
}

/// The store answers
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    operation_id = "isReady",
    security(()),
    responses(
        (status = 200, description = "Ready"),
        (status = 503, description = "`/problems/overloaded` or `/problems/store-unavailable`", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn is_ready<S: Store>(State(state): State<Arc<AppState<S>>>) -> Result<StatusCode, Failure> {
    match tokio::time::timeout(LONGEST_CHECK, state.store.check()).await {
        Ok(checked) => Ok(checked.map(|()| StatusCode::OK)?),
        Err(_) => Err(StoreError::Busy.into()),
    }
}
