//! An application as wxgate protects it: it knows nothing of WeChat, reads one header, and trusts nothing of it before a
//! JWT library has checked it.
//!
//! [`identity`] is the part to copy; docs/identity-header.md says the same for other languages.

pub mod identity;
mod keys;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{Next, map_response};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use identity::{Identity, Refusal, Verifier};

/// What the application has to know about the gate in front of it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the gate publishes its public keys.
    pub jwks_url: String,
    /// `iss`: the gate's `identity.issuer`.
    pub issuer: String,
    /// `aud`: the id that the gate's configuration gives this application.
    pub audience: String,
    /// The name of the header.
    pub header: HeaderName,
}

/// The application.
///
/// # Errors
///
/// The HTTP client for the public keys could not be made.
pub fn app(config: Config) -> Result<Router, reqwest::Error> {
    let verifier = Arc::new(Verifier::new(config)?);
    let protected = Router::new()
        .route("/account", get(account))
        .route("/api/me", get(me))
        .route_layer(axum::middleware::from_fn_with_state(verifier.clone(), require_identity));
    Ok(Router::new()
        .route("/", get(home))
        .route("/assets/style.css", get(style))
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state(verifier)
        .merge(protected)
        .fallback(|| async { (StatusCode::NOT_FOUND, Html(pages::not_found())) })
        .layer(map_response(with_security_headers)))
}

/// Runs before every protected page, so that no page can forget to ask.
async fn require_identity(State(verifier): State<Arc<Verifier>>, mut request: Request, next: Next) -> Response {
    match verifier.verify(request.headers()).await {
        Ok(identity) => {
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
        Err(refusal) => refuse(request.uri().path(), refusal),
    }
}

fn refuse(path: &str, refusal: Refusal) -> Response {
    tracing::warn!(path, %refusal, "a request without a valid identity");
    let status = if refusal.is_ours() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNAUTHORIZED };
    if path.starts_with("/api/") {
        return (status, axum::Json(json!({"error": "no valid identity", "reason": refusal.to_string()}))).into_response();
    }
    (status, Html(pages::refused(refusal))).into_response()
}

/// A page for everybody, which greets those who are logged in.
async fn home(State(verifier): State<Arc<Verifier>>, headers: HeaderMap) -> Html<String> {
    let identity = match verifier.verify(&headers).await {
        Ok(identity) => Some(identity),
        Err(Refusal::Missing) => None,
        Err(refusal) => {
            tracing::warn!(path = "/", %refusal, "an identity that is not valid; going on without");
            None
        }
    };
    Html(pages::home(identity.as_ref()))
}

async fn account(axum::Extension(identity): axum::Extension<Identity>) -> Html<String> {
    Html(pages::account(&identity))
}

async fn me(axum::Extension(identity): axum::Extension<Identity>) -> axum::Json<serde_json::Value> {
    axum::Json(json!({
        "user_id": identity.subject(),
        "name": identity.text("name"),
        "picture": identity.text("picture"),
        "claims": identity.claims,
    }))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")], include_str!("style.css"))
}

async fn with_security_headers(mut response: Response) -> Response {
    // WeChat's pictures are the only thing that comes from elsewhere.
    const POLICY: &str =
        "default-src 'none'; style-src 'self'; img-src https:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(axum::http::HeaderValue::from_static(value));
    }
    response
}
