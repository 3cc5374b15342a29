//! The resolver's HTTP face: routes, and what guards them.

mod admin;
mod auth;
mod extract;
mod health;
mod in_flight;
mod logins;
pub mod openapi;
mod own_account;
mod pending;
mod problem;
mod revocations;
mod tickets;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};

use crate::state::AppState;
use crate::store::AdminStore;
use in_flight::InFlight;
use problem::Failure;

/// The largest request body, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Every route of the resolver, without a socket.
pub fn app<S: AdminStore>(state: Arc<AppState<S>>) -> Router {
    let in_flight = InFlight::new(state.limits);
    let guarded = Router::new()
        .route("/v1/logins", post(logins::create::<S>))
        .route("/v1/logins/{idempotency_key}", get(logins::find::<S>))
        .route("/v1/pending-logins/{pending}", get(pending::find::<S>))
        .route("/v1/pending-logins/{pending}/code", post(pending::send_code::<S>))
        .route("/v1/pending-logins/{pending}/finish", post(pending::finish::<S>))
        .route("/v1/sessions/{session_id}/revoke", post(revocations::revoke_session::<S>))
        .route("/v1/revocations", get(revocations::list::<S>))
        .route("/v1/users/{user_id}", get(own_account::view::<S>))
        .route("/v1/users/{user_id}/identities/{id}/unlink", post(own_account::unlink::<S>))
        .route("/v1/users/{user_id}/revoke-sessions", post(own_account::revoke_sessions::<S>))
        .route("/v1/tickets", post(tickets::create::<S>))
        .route("/v1/tickets/{ticket}/scan", post(tickets::scan::<S>))
        .route("/v1/tickets/{ticket}/confirm", post(tickets::confirm::<S>))
        .route("/v1/tickets/{ticket}/cancel", post(tickets::cancel::<S>))
        .route("/v1/tickets/{ticket}/redeem", post(tickets::redeem::<S>))
        .route("/v1/authorizations/withdraw", post(tickets::withdraw::<S>))
        .route_layer(from_fn_with_state(in_flight.clone(), in_flight::limit))
        // It may wait, takes no place of those that work, and ends when its caller leaves.
        .route("/v1/tickets/{ticket}", get(tickets::find::<S>))
        // Outermost, so that a stranger takes no place of those who may call.
        .route_layer(from_fn_with_state(state.clone(), auth::require_token::<S>));
    Router::new()
        .route("/healthz", get(health::is_up))
        .route("/readyz", get(health::is_ready::<S>))
        .route("/openapi.json", get(openapi::document))
        .merge(guarded)
        .merge(admin::router(&state, in_flight))
        .fallback(async || Failure::NotFound("no such path"))
        .method_not_allowed_fallback(async || Failure::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(map_response(forbid_storing))
        .with_state(state)
}

async fn forbid_storing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
