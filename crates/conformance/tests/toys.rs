//! Resolvers that get it wrong: what the checks say of them.

#![expect(clippy::unwrap_used, reason = "a story that goes wrong ends; clippy allows it in tests, but not in what they share")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use resolver_api::{LoginOutcome, LoginRequest, User, WechatIdentity};
use tokio::net::TcpListener;
use wxgate_conformance::{Report, Target, Verdict, run};

const TOKEN: &str = "a3f1c87e5b0d49268e7f1a2b3c4d5e6f";

/// Checks a service, as far as the names of the checks contain `only`.
async fn check(service: Router, only: &str) -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async { axum::serve(listener, service).await });
    let report = run(Target::new(url, TOKEN), only, |_| {}).await.unwrap();
    serving.abort();
    report
}

/// Users by openid, outcomes by key.
#[derive(Default)]
struct Memory {
    users: HashMap<String, String>,
    outcomes: HashMap<String, LoginOutcome>,
}

/// A resolver written in a hurry: it folds case and trims as a careless collation does, knows no unionid, trusts anybody, and
/// answers every error with a page.
fn careless() -> Router {
    let memory = Arc::new(Mutex::new(Memory::default()));
    Router::new().route("/v1/logins", post(log_in)).route("/v1/logins/{key}", get(find)).with_state(memory)
}

async fn log_in(State(memory): State<Arc<Mutex<Memory>>>, Json(request): Json<LoginRequest>) -> Json<LoginOutcome> {
    let mut memory = memory.lock().unwrap();
    if let Some(outcome) = memory.outcomes.get(&request.idempotency_key) {
        return Json(outcome.clone());
    }
    let LoginRequest { pool, app_id, openid, unionid, .. } = request;
    let name = format!("{pool} {app_id} {}", openid.trim().to_lowercase());
    let next = format!("user-{}", memory.users.len());
    let new_user = !memory.users.contains_key(&name);
    let id = memory.users.entry(name).or_insert(next).clone();
    let outcome = LoginOutcome::SignedIn {
        user: User { id, ..User::default() },
        session_id: request.idempotency_key.chars().take(22).collect(),
        auth_time: 1_800_000_000,
        identity: WechatIdentity { app_id, openid, unionid },
        new_user,
    };
    memory.outcomes.insert(request.idempotency_key, outcome.clone());
    Json(outcome)
}

async fn find(State(memory): State<Arc<Mutex<Memory>>>, Path(key): Path<String>) -> Response {
    let outcome = memory.lock().unwrap().outcomes.get(&key).cloned();
    outcome.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |outcome| Json(outcome).into_response())
}

fn verdict<'a>(report: &'a Report, name: &str) -> &'a Verdict {
    &report.checks.iter().find(|check| check.name == name).unwrap().verdict
}

fn has_failed(report: &Report, name: &str) -> bool {
    matches!(verdict(report, name), Verdict::Failed { .. })
}

#[tokio::test]
async fn a_resolver_written_in_a_hurry_fails_where_it_is_wrong_and_there_alone() {
    let report = check(careless(), "").await;
    for right in [
        "fields that nobody knows yet are ignored",
        "a second login is the same user in another session",
        "an openid means nothing in another app",
        "fifty first logins at once make one user",
        "the same key gets the same outcome",
        "the outcome can be asked for",
        "no answer is larger than 64 kib",
    ] {
        assert_eq!(*verdict(&report, right), Verdict::Passed, "{right}");
    }
    for wrong in [
        "without an accepted token nothing is answered",
        "a body that is no login is refused",
        "identities are compared byte for byte",
        "a unionid that turns up later is recorded",
        "two methods at once make one user",
        "identities of two users are a choice and change nothing",
        "an openid without a profile changes nothing",
        "a key that asks something else is a conflict",
        "a new account is told of once",
        "revocations come oldest first",
        "no answer may be stored",
    ] {
        assert!(has_failed(&report, wrong), "{wrong}");
    }
    for beyond in [
        "the last way in stays",
        "the same answer again gets the same outcome",
        "of twenty who redeem at once one gets the person",
        "a withdrawal of nobody is no error",
    ] {
        assert!(matches!(verdict(&report, beyond), Verdict::NotOffered { .. }), "{beyond}");
    }
    let closed = verdict(&report, "a closed registration refuses strangers alone");
    assert!(matches!(closed, Verdict::NotOffered { why } if why.contains("--closed-connector")), "{closed:?}");
}

#[tokio::test]
async fn a_failure_tells_what_was_sent_what_was_expected_and_what_came() {
    let report = check(careless(), "byte for byte").await;
    let [check] = &report.checks[..] else { panic!("{report}") };
    let Verdict::Failed { sent, expected, came } = &check.verdict else { panic!("{check}") };
    assert!(sent.starts_with("POST /v1/logins {\"idempotency_key\":"), "{sent}");
    assert_eq!(expected, "a user of its own, for only similar ones are known");
    assert!(came.starts_with("200 application/json {\"outcome\":\"signed_in\""), "{came}");
    let text = check.to_string();
    assert!(text.contains("docs/resolver-api.md, Decide a login") && !text.contains(TOKEN), "{text}");
}

#[tokio::test]
async fn who_answers_nothing_fails_everything_and_gets_no_doubt() {
    let report = check(Router::new(), "").await;
    assert_eq!(report.passed(), 1, "its answers are small: {report}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let report = run(Target::new(url, TOKEN), "first login", |_| {}).await.unwrap();
    assert_eq!((report.passed(), report.failed()), (0, 2), "{report}");
}

/// A proxy before a resolver may be at fault, too.
#[tokio::test]
async fn an_answer_of_another_media_type_is_no_answer() {
    let as_text = async |request: Request, next: Next| {
        let mut response = next.run(request).await;
        response.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
        response
    };
    let report = check(careless().layer(from_fn(as_text)), "a second login").await;
    assert_eq!(report.failed(), 1);
}

#[tokio::test]
async fn what_cannot_be_called_is_said_at_once() {
    for url in ["", "localhost", "ftp://127.0.0.1", "https://127.0.0.1"] {
        assert!(run(Target::new(url, TOKEN), "", |_| {}).await.is_err(), "{url}");
    }
    assert!(run(Target::new("http://127.0.0.1:1", "a\nb"), "", |_| {}).await.is_err());
}
