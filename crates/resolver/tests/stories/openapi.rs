//! The checked-in OpenAPI document.

use std::path::Path;

use wxgate_resolver::http::openapi::api;

const REFRESH: &str = "WXGATE_REFRESH=1 cargo test -p wxgate-resolver openapi";

#[test]
fn the_checked_in_openapi_document_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let current = api().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("WXGATE_REFRESH").is_some() {
        std::fs::write(&file, &current).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(checked_in == current, "openapi.json is not what the resolver serves; refresh it with: {REFRESH}");
}

#[test]
fn every_route_is_in_the_document_with_its_answers() {
    let api = serde_json::to_value(api()).unwrap();
    assert_eq!(api["openapi"], "3.1.0");
    let paths: Vec<_> = api["paths"].as_object().unwrap().keys().map(String::as_str).filter(|path| !path.contains("/admin")).collect();
    assert_eq!(
        paths,
        [
            "/healthz",
            "/readyz",
            "/v1/authorizations/withdraw",
            "/v1/logins",
            "/v1/logins/{idempotency_key}",
            "/v1/pending-logins/{pending}",
            "/v1/pending-logins/{pending}/code",
            "/v1/pending-logins/{pending}/finish",
            "/v1/revocations",
            "/v1/sessions/{session_id}/revoke",
            "/v1/tickets",
            "/v1/tickets/{ticket}",
            "/v1/tickets/{ticket}/cancel",
            "/v1/tickets/{ticket}/confirm",
            "/v1/tickets/{ticket}/redeem",
            "/v1/tickets/{ticket}/scan",
            "/v1/users/{user_id}",
            "/v1/users/{user_id}/identities/{id}/unlink",
            "/v1/users/{user_id}/revoke-sessions",
        ]
    );
    assert_eq!(api["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    let admin = api["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/admin"));
    for (path, methods) in admin {
        for (method, route) in methods.as_object().unwrap() {
            assert_eq!(route["security"], serde_json::json!([{"admin": []}]), "{method} {path}");
            assert!(route["responses"]["401"].is_object() && route["responses"]["503"].is_object(), "{method} {path}");
        }
    }
    for schema in ["LoginRequest", "LoginOutcome", "RevocationFeed", "RevokeSession", "Problem", "User", "WechatIdentity"] {
        assert!(api["components"]["schemas"][schema].is_object(), "{schema}");
    }
}
