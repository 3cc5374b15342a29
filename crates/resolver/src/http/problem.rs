//! Every error that a caller can get: ONE table from [`Failure`] to status, kind, title and detail.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use resolver_api::Problem;

use crate::store::StoreError;

/// Why a request is not answered as it asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// A field, a parameter or the JSON is wrong; says which, and what was expected.
    InvalidRequest(String),
    /// No token, or none that is accepted.
    Unauthorized,
    /// There is no such thing.
    NotFound(&'static str),
    /// The path does not take this method.
    MethodNotAllowed,
    /// The body is not said to be JSON.
    UnsupportedMediaType,
    /// The body is too large.
    BodyTooLarge,
    /// The idempotency key was used for another login.
    KeyReused,
    /// Too many requests are being worked on.
    Overloaded,
    /// The request took too long.
    TimedOut,
    /// The store is busy or broken.
    Store(StoreError),
    /// A bug; the log says which.
    Internal,
}

impl Failure {
    fn problem(self) -> Problem {
        let (status, kind, title, detail) = match self {
            Self::InvalidRequest(detail) => (StatusCode::BAD_REQUEST, "invalid-request", "The request is not valid", Some(detail)),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "The request holds no accepted token",
                Some("expected the header Authorization: Bearer <one of the resolver's tokens>".to_owned()),
            ),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, "not-found", "Not found", Some(what.to_owned())),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The path does not take this method",
                Some("the header Allow lists those that it takes".to_owned()),
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body is not JSON",
                Some("expected the header Content-Type: application/json".to_owned()),
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body is too large",
                Some(format!("expected at most {} bytes", super::BODY_LIMIT)),
            ),
            Self::KeyReused => (
                StatusCode::CONFLICT,
                "idempotency-key-reused",
                "The idempotency key was used for another login",
                Some("idempotency_key: names a login of the last minutes that asked something else; expected one key a login".to_owned()),
            ),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too many requests at once", None),
            Self::TimedOut => (StatusCode::SERVICE_UNAVAILABLE, "timed-out", "The request took too long", None),
            Self::Store(StoreError::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too many requests at once", None),
            Self::Store(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store-unavailable",
                "The database does not work",
                Some("the resolver's log says why".to_owned()),
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal-error",
                "The resolver has a bug",
                Some("the resolver's log says which".to_owned()),
            ),
        };
        Problem { kind: format!("/problems/{kind}"), title: title.to_owned(), status: status.as_u16(), detail }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match &self {
            Self::Store(error @ StoreError::Busy) => tracing::warn!(%error, "a request failed"),
            Self::Store(error) => tracing::error!(%error, "a request failed"),
            _ => {}
        }
        let problem = self.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"wxgate-resolver\""));
        }
        response
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
