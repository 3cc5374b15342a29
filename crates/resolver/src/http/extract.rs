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

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        if !is_json(request.headers()) {
            return Err(Failure::UnsupportedMediaType);
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure::BodyTooLarge,
            _ => Failure::InvalidRequest("body: broke off".to_owned()),
        })?;
        parse_json(&body).map(Self).map_err(Failure::InvalidRequest)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        describe(&path, error.inner())
    })?;
    json.end().map_err(|error| describe(".", &error))?;
    Ok(value)
}

/// serde's message without the value that it quotes: in front of "expected" may stand personal data.
fn describe(path: &str, error: &serde_json::Error) -> String {
    use serde_json::error::Category;

    let message = error.to_string();
    let place = if path == "." { "body" } else { path };
    if error.classify() != Category::Data {
        return format!("body: is not valid JSON at line {} column {}", error.line(), error.column());
    }
    let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message);
    // "missing field" quotes our own name of the field.
    if message.starts_with("missing field") {
        return format!("{place}: {message}");
    }
    match message.rsplit_once(", expected ") {
        // serde names the Rust type.
        Some((_, expected)) if expected.starts_with("struct ") => format!("{place}: is not as expected; expected an object"),
        Some((_, expected)) => format!("{place}: is not as expected; expected {expected}"),
        None => format!("{place}: is not as expected"),
    }
}

/// A part of the path.
pub(super) struct PathId<T>(pub(super) T);

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

#[cfg(test)]
mod tests {
    use resolver_api::LoginRequest;

    use super::*;

    fn problem(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> String {
        let mut body = serde_json::json!({
            "idempotency_key": "", "pool": "", "application": "", "connector": "", "method": "website_qr",
            "platform": "", "app_id": "", "openid": "CANARY, expected", "profile": {"nickname": "CANARY"},
        });
        change(body.as_object_mut().unwrap());
        parse_json::<LoginRequest>(&serde_json::to_vec(&body).unwrap()).unwrap_err()
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_without_its_values() {
        assert_eq!(problem(|body| drop(body.remove("openid"))), "body: missing field `openid`");
        assert_eq!(problem(|body| drop(body.insert("openid".into(), 5.into()))), "openid: is not as expected; expected a string");
        assert_eq!(problem(|body| drop(body.insert("profile".into(), "CANARY".into()))), "profile: is not as expected; expected an object");
        let method = problem(|body| drop(body.insert("method".into(), "CANARY, expected CANARY".into())));
        assert!(method.starts_with("method: is not as expected; expected "), "{method}");
        assert!(method.contains("`website_qr`") && !method.contains("CANARY"), "{method}");
        assert_eq!(parse_json::<LoginRequest>(b"{\"openid\": CANARY").unwrap_err(), "body: is not valid JSON at line 1 column 12");
        assert_eq!(parse_json::<LoginRequest>(b"").unwrap_err(), "body: is not valid JSON at line 1 column 0");
    }

    #[test]
    fn fields_that_nobody_knows_yet_are_ignored_but_nothing_may_follow_the_body() {
        let body = br#"{"expires_at": 5, "invented_later": true}"#;
        assert!(parse_json::<resolver_api::RevokeSession>(body).is_ok());
        assert!(parse_json::<resolver_api::RevokeSession>(&[body.as_slice(), b"{}"].concat()).is_err());
    }
}
