//! Lets in who holds an administrator's token, and says who it is.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use crate::audit::{Actor, By};
use crate::http::auth::bearer;
use crate::http::problem::Failure;
use crate::state::AppState;

/// Answers 401 without reading the body, unless the bearer token is an administrator's; 404 where there are none.
pub(super) async fn require_admin<S>(State(state): State<Arc<AppState<S>>>, mut request: Request, next: Next) -> Result<Response, Failure> {
    if state.admins.is_empty() {
        return Err(Failure::AdminNotEnabled);
    }
    let token = bearer(request.headers());
    let Some(admin) = token.and_then(|token| state.admins.find(token)) else {
        tracing::warn!(has_token = token.is_some(), "refused a caller without an administrator's token");
        return Err(Failure::Unauthorized);
    };
    // Of the connection itself: what a header says of it, its sender chose.
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical().to_string());
    request.extensions_mut().insert(Admin(By { actor: Actor::Admin(admin.to_owned()), client_address: peer }));
    Ok(next.run(request).await)
}

/// The administrator who asks.
#[derive(Clone)]
pub(super) struct Admin(pub(super) By);

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get().cloned().ok_or(Failure::Unauthorized)
    }
}
