//! The admin API: its routes, and what guards them.

mod audit;
mod auth;
mod body;
mod identities;
mod imports;
mod merges;
mod policies;
mod problem;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};

use super::in_flight::{self, InFlight};
use crate::state::AppState;
use crate::store::AdminStore;

/// The routes below `/v1/admin`.
pub(super) fn router<S: AdminStore>(state: &Arc<AppState<S>>, in_flight: InFlight) -> Router<Arc<AppState<S>>> {
    let usual = Router::new()
        .route("/v1/admin/users", get(users::search::<S>).post(users::create::<S>))
        .route("/v1/admin/users/{user_id}", get(users::find::<S>).patch(users::change::<S>).delete(users::delete::<S>))
        .route("/v1/admin/users/{user_id}/disable", post(users::disable::<S>))
        .route("/v1/admin/users/{user_id}/enable", post(users::enable::<S>))
        .route("/v1/admin/users/{user_id}/revoke-sessions", post(users::revoke_sessions::<S>))
        .route("/v1/admin/users/{user_id}/merge", post(merges::create::<S>))
        .route("/v1/admin/users/{user_id}/identities", get(identities::list::<S>).post(identities::link::<S>))
        .route("/v1/admin/users/{user_id}/identities/{identity_id}", delete(identities::unlink::<S>))
        .route("/v1/admin/users/{user_id}/identities/{identity_id}/move", post(identities::move_to::<S>))
        .route("/v1/admin/policies", get(policies::list::<S>))
        .route("/v1/admin/policies/{pool}/{connector}", get(policies::find::<S>).put(policies::set::<S>).delete(policies::reset::<S>))
        .route("/v1/admin/audit", get(audit::list::<S>))
        .route_layer(from_fn_with_state(in_flight, in_flight::limit));
    // These take as long as they take.
    let long = Router::new()
        .route("/v1/admin/imports", post(imports::create::<S>))
        .route("/v1/admin/audit/export", get(audit::export::<S>))
        .layer(axum::Extension(imports::Place::default()));
    usual.merge(long).route_layer(from_fn_with_state(state.clone(), auth::require_admin::<S>))
}

/// What the OpenAPI document says of this API.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        users::search,
        users::create,
        users::find,
        users::change,
        users::delete,
        users::disable,
        users::enable,
        users::revoke_sessions,
        merges::create,
        identities::list,
        identities::link,
        identities::unlink,
        identities::move_to,
        imports::create,
        policies::list,
        policies::find,
        policies::set,
        policies::reset,
        audit::list,
        audit::export,
    ),
    components(schemas(crate::admin::import::ImportEvent, crate::admin::audit::AuditEntry, crate::admin::user::NewUser))
)]
pub(super) struct AdminApi;
