//! Every error that a caller can get: ONE table from [`Failure`] to status, kind, title and detail.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use resolver_api::Problem;

use crate::admin::fields::FieldProblem;
use crate::admin::user::UserState;
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
    /// The body is not said to be of this kind.
    UnsupportedMediaType(&'static str),
    /// The body is larger than so many bytes.
    BodyTooLarge(usize),
    /// The idempotency key was used for another login.
    KeyReused,
    /// The admin API has no token.
    AdminNotEnabled,
    /// What is there forbids what an administrator asked for.
    Conflict(Conflict),
    /// Another answer has ended the pending login.
    FinishedOtherwise,
    /// Too many requests are being worked on.
    Overloaded,
    /// The request took too long.
    TimedOut,
    /// The store is busy or broken.
    Store(StoreError),
    /// A bug; the log says which.
    Internal,
}

/// What is there and forbids what an administrator asked for.
#[derive(Debug)]
pub(super) enum Conflict {
    /// A field or an identity is somebody's already.
    Taken(FieldProblem),
    /// It is the account's last way in.
    LastWayIn,
    /// The account is in a state in which that cannot be done.
    State(UserState),
    /// The accounts are of different pools, or are one.
    NotTogether,
}

/// A problem, and whom it is about.
#[derive(serde::Serialize)]
struct Answered {
    #[serde(flatten)]
    problem: Problem,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

impl Conflict {
    fn words(&self) -> (&'static str, &'static str, String) {
        match self {
            Self::Taken(problem) => ("taken", "Somebody has that already", problem.to_string()),
            Self::LastWayIn => (
                "last-way-in",
                "It is the last way in",
                "nobody could log in to the account afterwards; expected force, if that is meant".to_owned(),
            ),
            Self::State(state) => ("wrong-state", "The account is not in the state for that", {
                let state = match state {
                    UserState::Active => "active",
                    UserState::Disabled => "disabled",
                    UserState::Deleted => "deleted, for good",
                    UserState::Merged => "merged into another one, for good",
                };
                format!("the account is {state}")
            }),
            Self::NotTogether => {
                ("not-together", "The accounts do not go together", "expected two different accounts of one pool".to_owned())
            }
        }
    }
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
            Self::UnsupportedMediaType(expected) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body is not of the right kind",
                Some(format!("expected the header Content-Type: {expected}")),
            ),
            Self::BodyTooLarge(largest) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body is too large",
                Some(format!("expected at most {largest} bytes")),
            ),
            Self::KeyReused => (
                StatusCode::CONFLICT,
                "idempotency-key-reused",
                "The idempotency key was used for another login",
                Some("idempotency_key: names a login of the last minutes that asked something else; expected one key a login".to_owned()),
            ),
            Self::AdminNotEnabled => (
                StatusCode::NOT_FOUND,
                "admin-not-enabled",
                "The admin API is not enabled",
                Some("the resolver was started without an administrator's token".to_owned()),
            ),
            Self::Conflict(conflict) => {
                let (kind, title, detail) = conflict.words();
                (StatusCode::CONFLICT, kind, title, Some(detail))
            }
            Self::FinishedOtherwise => (
                StatusCode::CONFLICT,
                "finished-otherwise",
                "Another answer has ended the login",
                Some("the login was finished by another answer than this one".to_owned()),
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
        let user_id = match &self {
            Self::Conflict(Conflict::Taken(problem)) => problem.user_id.clone(),
            _ => None,
        };
        let problem = self.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(Answered { problem, user_id })).into_response();
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

/// The problems that every route may answer, for the OpenAPI document.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it describes answers, and is none")]
pub(super) enum CommonProblems {
    /// `/problems/unauthorized`
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// `/problems/overloaded`, `/problems/timed-out` or `/problems/store-unavailable`; see `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// The problems that every route may answer that reads JSON.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it describes answers, and is none")]
pub(super) enum BodyProblems {
    /// `/problems/invalid-request`
    #[response(status = 400, content_type = "application/problem+json")]
    InvalidRequest(Problem),
    /// `/problems/body-too-large`: over 64 KiB
    #[response(status = 413, content_type = "application/problem+json")]
    BodyTooLarge(Problem),
    /// `/problems/unsupported-media-type`
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(Problem),
}
