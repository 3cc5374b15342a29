//! The resolver's client: builds calls, reads answers. The types are those of the agreement, `resolver_api`.

use resolver_api::{LoginOutcome, LoginRequest, RevocationFeed, RevokeSession};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::ResolverService;
use crate::error::{Failure, LoginError};
use crate::http::{CallFailure, CallResult, HttpCall, Peer, push_escaped};

/// `POST /v1/logins`. Idempotent by the key in it.
pub fn login(service: &ResolverService, request: &LoginRequest) -> HttpCall {
    post(service, "logins.create", "/v1/logins".into(), request)
}

/// `GET /v1/logins/{key}`: what became of a login that somebody else sent. Waits up to a second for it.
pub fn login_outcome(service: &ResolverService, idempotency_key: &str) -> HttpCall {
    get(service, "logins.find", format!("/v1/logins/{idempotency_key}?wait_ms=1000"))
}

/// `POST /v1/sessions/{sid}/revoke`. Idempotent.
pub fn revoke_session(service: &ResolverService, session_id: &str, expires_at: u64) -> HttpCall {
    let mut path = String::from("/v1/sessions/");
    push_escaped(&mut path, session_id.as_bytes());
    path.push_str("/revoke");
    post(service, "sessions.revoke", path, &RevokeSession { expires_at })
}

/// `GET /v1/revocations`: what has been revoked since a cursor.
pub fn revocations(service: &ResolverService, cursor: &str) -> HttpCall {
    let mut path = String::from("/v1/revocations?after=");
    push_escaped(&mut path, cursor.as_bytes());
    get(service, "revocations.list", path)
}

/// Reads the answer to [`login`].
///
/// # Errors
/// [`LoginError::ResolverUnavailable`] when another try may help, [`LoginError::ResolverRejected`] when it will not.
pub fn read_login(result: CallResult) -> Result<LoginOutcome, Failure> {
    read(result)
}

/// Reads the answer to [`login_outcome`]: `None` when nobody has logged in with that key.
///
/// # Errors
/// As [`read_login`].
pub fn read_login_outcome(result: CallResult) -> Result<Option<LoginOutcome>, Failure> {
    match result {
        Ok(reply) if reply.status == 404 => Ok(None),
        result => read(result).map(Some),
    }
}

/// Reads the answer to [`revoke_session`].
///
/// # Errors
/// As [`read_login`].
pub fn read_revoked(result: CallResult) -> Result<(), Failure> {
    match result {
        Ok(reply) if reply.status == 204 => Ok(()),
        result => read::<serde::de::IgnoredAny>(result).map(drop),
    }
}

/// Reads the answer to [`revocations`].
///
/// # Errors
/// As [`read_login`].
pub fn read_revocations(result: CallResult) -> Result<RevocationFeed, Failure> {
    read(result)
}

/// Whether a call got lost on the way, so that an idempotent one is worth a second try at once. An answer that came
/// too late is not: the visitor has waited long enough.
pub fn was_lost(result: &CallResult) -> bool {
    match result {
        Ok(reply) => matches!(reply.status, 502 | 503),
        Err(failure) => *failure == CallFailure::Reset,
    }
}

fn read<T: DeserializeOwned>(result: CallResult) -> Result<T, Failure> {
    let unavailable = |detail: &str| Failure::new(LoginError::ResolverUnavailable, detail);
    let reply = result.map_err(|failure| match failure {
        CallFailure::NotSent => unavailable("the call could not be sent: no such cluster, no healthy host, or too many calls under way"),
        CallFailure::Reset => unavailable("the connection ended before the answer was complete"),
        CallFailure::TooLarge => Failure::new(LoginError::ResolverRejected, "the answer is too long"),
    })?;
    match reply.status {
        200 => serde_json::from_slice(&reply.body)
            .map_err(|error| Failure::new(LoginError::ResolverRejected, format!("the answer does not fit the agreement: {error}"))),
        429 | 500..=599 => Err(unavailable(&format!("HTTP status {}", reply.status))),
        status => Err(Failure::new(LoginError::ResolverRejected, format!("HTTP status {status}"))),
    }
}

fn get(service: &ResolverService, label: &'static str, path: String) -> HttpCall {
    call(service, label, "GET", path, Vec::new())
}

fn post(service: &ResolverService, label: &'static str, path: String, body: &impl Serialize) -> HttpCall {
    // Serialising these plain structs cannot fail; if it ever did, the resolver would refuse the empty body.
    let mut call = call(service, label, "POST", path, serde_json::to_vec(body).unwrap_or_default());
    call.headers.push(("content-type", "application/json".into()));
    call
}

fn call(service: &ResolverService, label: &'static str, method: &'static str, path: String, body: Vec<u8>) -> HttpCall {
    HttpCall {
        peer: Peer::Resolver,
        label,
        cluster: service.cluster.clone(),
        authority: service.authority.clone(),
        method,
        path,
        headers: vec![("authorization", format!("Bearer {}", service.token.expose())), ("accept", "application/json".into())],
        body,
        timeout_ms: service.timeout_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpReply;

    #[test]
    fn anything_but_the_agreed_answer_signs_nobody_in() {
        let read = |status, body: &str| read_login(Ok(HttpReply { status, body: body.into() })).map_err(|failure| failure.error);
        assert_eq!(read(200, r#"{"outcome":"profile_required"}"#), Ok(LoginOutcome::ProfileRequired));
        for (status, body) in [(200, "<html>"), (200, "{}"), (200, ""), (204, ""), (301, ""), (400, "{}"), (401, "{}"), (409, "{}")] {
            assert_eq!(read(status, body), Err(LoginError::ResolverRejected), "{status} {body}");
        }
        for status in [429, 500, 502, 503, 504] {
            assert_eq!(read(status, "{}"), Err(LoginError::ResolverUnavailable), "{status}");
        }
        assert_eq!(read_login(Err(CallFailure::NotSent)).unwrap_err().error, LoginError::ResolverUnavailable);
    }
}
