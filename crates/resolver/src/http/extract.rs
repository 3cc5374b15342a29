//! Reads a request's parts, with a [`Failure`] that names the field, what was wrong and what was expected, and repeats no value.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::problem::Failure;
use crate::ids::{IdempotencyKey, SessionId, UserId};
use crate::json;

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        if !is_json(request.headers()) {
            return Err(Failure::UnsupportedMediaType("application/json"));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure::BodyTooLarge(super::BODY_LIMIT),
            _ => Failure::InvalidRequest("body: broke off".to_owned()),
        })?;
        json::parse(&body).map(Self).map_err(|problem| Failure::InvalidRequest(problem.to_string()))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// A part of the path.
pub(super) struct PathId<T>(pub(super) T);

/// Two parts of the path.
pub(super) struct PathIds<A, B>(pub(super) A, pub(super) B);

impl<S: Send + Sync, A: InPath, B: InPath> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let texts = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((first, second)) = texts.map_err(|_| Failure::NotFound("no such path"))?;
        Ok(Self(A::parse(&first)?, B::parse(&second)?))
    }
}

/// What may stand in a path.
pub(super) trait InPath: Sized {
    fn parse(text: &str) -> Result<Self, Failure>;
}

impl<S: Send + Sync, T: InPath> FromRequestParts<S> for PathId<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        // Bytes that are no text name nothing.
        let Path(text) = text.map_err(|_| Failure::NotFound("no such path"))?;
        T::parse(&text).map(Self)
    }
}

impl InPath for IdempotencyKey {
    fn parse(text: &str) -> Result<Self, Failure> {
        Self::parse(text).ok_or_else(|| Failure::InvalidRequest(format!("idempotency_key in the path: expected {}", Self::EXPECTED)))
    }
}

impl InPath for SessionId {
    fn parse(text: &str) -> Result<Self, Failure> {
        Self::parse(text).ok_or_else(|| Failure::InvalidRequest(format!("session_id in the path: expected {}", Self::EXPECTED)))
    }
}

impl InPath for UserId {
    fn parse(text: &str) -> Result<Self, Failure> {
        // A text that is no id is the id of nobody.
        Uuid::try_parse(text).map_err(|_| Failure::NotFound("no such user"))
    }
}

impl InPath for String {
    fn parse(text: &str) -> Result<Self, Failure> {
        Ok(text.to_owned())
    }
}

/// The query's parameters.
pub(super) struct QueryOf<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(_) => Err(Failure::InvalidRequest("query: expected each parameter at most once, in UTF-8".to_owned())),
        }
    }
}

/// Checks a `client_address`: it goes into the audit log.
pub(super) fn check_client_address(address: Option<&str>) -> Result<(), Failure> {
    let is_plain = |address: &str| address.chars().count() <= 64 && !address.chars().any(char::is_control);
    if address.is_none_or(is_plain) {
        return Ok(());
    }
    Err(Failure::InvalidRequest("client_address: expected at most 64 characters, none of them a control character".to_owned()))
}
