//! Connectors' policies.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::auth::Admin;
use super::body::required;
use super::problem::AdminProblems;
use crate::admin::fields::LABEL;
use crate::admin::policies::{PolicyView, check, warnings};
use crate::http::extract::{JsonBody, PathIds, QueryOf};
use crate::http::problem::Failure;
use crate::policy::{ConnectorPolicy, StoredPolicy, Terms};
use crate::state::AppState;
use crate::store::Store;

/// In which pool.
#[derive(Deserialize)]
pub(super) struct InPool {
    pool: Option<String>,
}

/// List policies
///
/// Those of the pool's connectors that have one of their own.
#[utoipa::path(
    get,
    path = "/v1/admin/policies",
    tag = "admin: policies",
    operation_id = "adminListPolicies",
    security(("admin" = [])),
    params(("pool" = String, Query, description = "The user pool")),
    responses((status = 200, description = "In the order of the connectors' ids", body = Vec<PolicyView>), AdminProblems),
)]
pub(super) async fn list<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    QueryOf(query): QueryOf<InPool>,
) -> Result<Json<Vec<PolicyView>>, Failure> {
    let pool = required("pool", query.pool.as_deref())?;
    let policies = state.store.list_policies(&pool).await?;
    Ok(Json(policies.into_iter().map(|stored| view(&pool, stored, &state.terms())).collect()))
}

/// Show a connector's policy
///
/// The default of the command line, with `changed_at` 0, where it has none of its own.
#[utoipa::path(
    get,
    path = "/v1/admin/policies/{pool}/{connector}",
    tag = "admin: policies",
    operation_id = "adminFindPolicy",
    security(("admin" = [])),
    params(
        ("pool" = String, Path, description = "The user pool"),
        ("connector" = String, Path, description = "The connector's id in the filter's configuration"),
    ),
    responses((status = 200, description = "The policy", body = PolicyView), AdminProblems),
)]
pub(super) async fn find<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    PathIds(pool, connector): PathIds<String, String>,
) -> Result<Json<PolicyView>, Failure> {
    let (pool, connector) = names(&pool, &connector)?;
    let own = state.store.list_policies(&pool).await?.into_iter().find(|stored| stored.connector == connector);
    let stored = own.unwrap_or_else(|| StoredPolicy { connector, policy: state.default_policy.clone(), changed_at: 0 });
    Ok(Json(view(&pool, stored, &state.terms())))
}

/// Set a connector's policy
///
/// It counts from the next login on. `warnings` say what may not be what was meant.
#[utoipa::path(
    put,
    path = "/v1/admin/policies/{pool}/{connector}",
    tag = "admin: policies",
    operation_id = "adminSetPolicy",
    security(("admin" = [])),
    params(
        ("pool" = String, Path, description = "The user pool"),
        ("connector" = String, Path, description = "The connector's id in the filter's configuration"),
    ),
    request_body = ConnectorPolicy,
    responses((status = 200, description = "The policy", body = PolicyView), AdminProblems),
)]
pub(super) async fn set<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    Admin(by): Admin,
    PathIds(pool, connector): PathIds<String, String>,
    JsonBody(policy): JsonBody<ConnectorPolicy>,
) -> Result<Json<PolicyView>, Failure> {
    let (pool, connector) = names(&pool, &connector)?;
    check(&policy)?;
    let now = state.clock.now();
    state.store.set_policy(&pool, &connector, Some(&policy), &by, now).await?;
    tracing::info!(pool, connector, by = %by.actor, "policy set");
    let stored = StoredPolicy { connector, policy, changed_at: now.seconds() };
    Ok(Json(view(&pool, stored, &state.terms())))
}

/// Give a connector the default policy again
#[utoipa::path(
    delete,
    path = "/v1/admin/policies/{pool}/{connector}",
    tag = "admin: policies",
    operation_id = "adminResetPolicy",
    security(("admin" = [])),
    params(
        ("pool" = String, Path, description = "The user pool"),
        ("connector" = String, Path, description = "The connector's id in the filter's configuration"),
    ),
    responses((status = 204, description = "It has the default, also when it had that before"), AdminProblems),
)]
pub(super) async fn reset<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    Admin(by): Admin,
    PathIds(pool, connector): PathIds<String, String>,
) -> Result<StatusCode, Failure> {
    let (pool, connector) = names(&pool, &connector)?;
    state.store.set_policy(&pool, &connector, None, &by, state.clock.now()).await?;
    tracing::info!(pool, connector, by = %by.actor, "policy reset");
    Ok(StatusCode::NO_CONTENT)
}

fn names(pool: &str, connector: &str) -> Result<(String, String), Failure> {
    let mut problems = crate::admin::fields::Problems::default();
    let names = problems.read("pool in the path", pool, LABEL).zip(problems.read("connector in the path", connector, LABEL));
    Ok(problems.or(names)?)
}

fn view(pool: &str, stored: StoredPolicy, terms: &Terms) -> PolicyView {
    let StoredPolicy { connector, policy, changed_at } = stored;
    PolicyView { pool: pool.to_owned(), connector, warnings: warnings(&policy, terms), policy, changed_at }
}
