//! Lets in who holds a token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use super::problem::Failure;
use crate::state::AppState;

/// Answers 401 without reading the body, unless the one `Authorization` header holds a bearer token that is accepted.
pub(super) async fn require_token<S>(State(state): State<Arc<AppState<S>>>, request: Request, next: Next) -> Result<Response, Failure> {
    match bearer(request.headers()) {
        Some(token) if state.tokens.accept(token) => Ok(next.run(request).await),
        token => {
            tracing::warn!(has_token = token.is_some(), "refused a caller without an accepted token");
            Err(Failure::Unauthorized)
        }
    }
}

/// The token of the one `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}
