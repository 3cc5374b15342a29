//! Who gets to the desk.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;
use wxgate_resolver::admin::Admins;
use wxgate_resolver::store::AdminStore;
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, app};

use super::{ADMIN_TOKEN, Desk, stories};
use crate::support::TOKEN;

stories!(
    only_an_administrators_token_opens_the_admin_api,
    an_administrators_token_opens_nothing_else,
    without_administrators_there_is_no_admin_api,
    no_route_changes_the_audit_log,
);

/// Every route of the admin API, from the document that describes it.
fn routes() -> Vec<(Method, String)> {
    let api = serde_json::to_value(wxgate_resolver::http::openapi::api()).unwrap();
    let paths = api["paths"].as_object().unwrap();
    let admin = paths.iter().filter(|(path, _)| path.starts_with("/v1/admin"));
    admin
        .flat_map(|(path, methods)| {
            let path = path.replace("{user_id}", "01a202d5-f36e-7a22-8e78-c33ff9921c9e").replace(['{', '}'], "x");
            methods.as_object().unwrap().keys().map(move |method| (method.to_uppercase().parse().unwrap(), path.clone()))
        })
        .collect()
}

async fn only_an_administrators_token_opens_the_admin_api<S: AdminStore>(desk: Desk<S>) {
    let routes = routes();
    assert!(routes.len() >= 20, "{routes:?}");
    let wrong = [
        vec![],
        vec![format!("Bearer {TOKEN}")],
        vec![format!("Bearer {}", &ADMIN_TOKEN[1..])],
        vec![format!("Bearer alice:{ADMIN_TOKEN}")],
        vec![format!("Bearer {ADMIN_TOKEN}"), format!("Bearer {ADMIN_TOKEN}")],
        vec![format!("Basic {ADMIN_TOKEN}")],
    ];
    for (method, path) in &routes {
        for values in &wrong {
            let mut request = Request::builder().method(method).uri(path);
            for value in values {
                request = request.header("authorization", value);
            }
            let answer = desk.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.problem(), (401, "unauthorized".into()), "{method} {path} {values:?}");
        }
    }
    assert!(desk.get("/v1/admin/users?pool=default").await["items"].as_array().unwrap().is_empty());
}

async fn an_administrators_token_opens_nothing_else<S: AdminStore>(desk: Desk<S>) {
    for (method, path) in
        [(Method::GET, "/v1/revocations"), (Method::POST, "/v1/logins"), (Method::POST, "/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA/revoke")]
    {
        assert_eq!(desk.ask(method, path, Some(json!({}))).await.problem(), (401, "unauthorized".into()), "{path}");
    }
}

async fn without_administrators_there_is_no_admin_api<S: AdminStore>(desk: Desk<S>) {
    let Desk { state, app: with_admins, .. } = desk;
    drop(with_admins);
    let mut state: AppState<S> = std::sync::Arc::into_inner(state).unwrap();
    state.admins = Admins::new([""; 0], &Tokens::new([TOKEN]).unwrap()).unwrap();
    let state = std::sync::Arc::new(state);
    let desk = Desk { app: app(state.clone()), state, millis: std::sync::Arc::default() };
    for (method, path) in routes() {
        assert_eq!(desk.ask(method, &path, Some(json!({}))).await.problem(), (404, "admin-not-enabled".into()), "{path}");
    }
}

async fn no_route_changes_the_audit_log<S: AdminStore>(desk: Desk<S>) {
    for path in ["/v1/admin/audit", "/v1/admin/audit/export"] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(desk.ask(method, path, Some(json!({}))).await.problem(), (405, "method-not-allowed".into()));
        }
    }
}
