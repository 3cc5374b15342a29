//! What an administrator does, over HTTP, on both databases.

mod audit;
mod guard;
mod identities;
mod imports;
mod merges;
mod policies;
mod users;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use resolver_api::{LoginOutcome, LoginRequest, RefusalReason, RevocationFeed};
use serde_json::{Value, json};
use tower::ServiceExt;
use wxgate_resolver::admin::Admins;
use wxgate_resolver::clock::Clock;
use wxgate_resolver::store::AdminStore;
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, app};

use crate::support::{START, SignedIn, TOKEN, signed_in};

/// Alice's.
pub(crate) const ADMIN_TOKEN: &str = "0c9b8a7f6e5d4c3b2a190817263544f3";

/// Makes a test of each story for each database; a story is a function over a [`Desk`].
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $story() {
                    let (store, _keep) = crate::support::sqlite().await;
                    super::$story(crate::admin::Desk::new(store)).await;
                }
            )+
        }

        mod on_postgres {
            $(
                #[tokio::test]
                async fn $story() {
                    let (store, _keep) = crate::support::postgres().await;
                    super::$story(crate::admin::Desk::new(store)).await;
                }
            )+
        }
    };
}
use stories;

/// A resolver without a socket, with an administrator before it and filters behind it.
struct Desk<S> {
    app: axum::Router,
    state: Arc<AppState<S>>,
    millis: Arc<AtomicU64>,
}

impl<S: AdminStore> Desk<S> {
    fn new(store: S) -> Self {
        let tokens = Tokens::new([TOKEN]).unwrap();
        let admins = Admins::new([format!("alice:{ADMIN_TOKEN}")], &tokens).unwrap();
        let millis = Arc::new(AtomicU64::new(START * 1000));
        let mut state = AppState::new(store, tokens);
        state.admins = admins;
        state.clock = Clock::new({
            let millis = millis.clone();
            // Each look is a little later, so that what happens one after the other is in that order.
            move || Duration::from_millis(millis.fetch_add(1, Ordering::Relaxed))
        });
        let state = Arc::new(state);
        Self { app: app(state.clone()), state, millis }
    }

    fn wait(&self, seconds: u64) {
        self.millis.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap().to_vec();
        assert_eq!(parts.headers["cache-control"], "no-store");
        Answer { status: parts.status, body }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {ADMIN_TOKEN}"));
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string().into()),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await.json()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Makes a user, and tells their id.
    async fn create(&self, user: Value) -> String {
        let answer = self.post("/v1/admin/users?pool=default", user).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        id(&answer.value())
    }

    /// The filter asks whose login this is.
    async fn login(&self, request: &LoginRequest) -> LoginOutcome {
        let body = serde_json::to_vec(request).unwrap();
        let request =
            Request::post("/v1/logins").header("authorization", format!("Bearer {TOKEN}")).header("content-type", "application/json");
        let answer = self.send(request.body(body.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn log_in(&self, request: LoginRequest) -> SignedIn {
        signed_in(self.login(&request).await)
    }

    async fn is_refused(&self, request: LoginRequest) -> bool {
        self.login(&request).await == LoginOutcome::Refused { reason: RefusalReason::UserDisabled }
    }

    /// Whether a filter that has read the feed lets this session in.
    async fn is_in_force(&self, session: &SignedIn) -> bool {
        let request = Request::get("/v1/revocations").header("authorization", format!("Bearer {TOKEN}"));
        let feed: RevocationFeed = serde_json::from_slice(&self.send(request.body(Body::empty()).unwrap()).await.body).unwrap();
        let user = session.user.to_string();
        !feed.users.iter().any(|entry| entry.user_id == user && session.auth_time <= entry.not_before)
    }

    /// The actions of the audit log, those about this user or all.
    async fn actions(&self, user: Option<&str>) -> Vec<String> {
        let user = user.map(|user| format!("&user_id={user}")).unwrap_or_default();
        let page = self.get(&format!("/v1/admin/audit?pool=default&limit=200{user}")).await;
        let actions = page["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap().to_owned());
        actions.collect()
    }
}

struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.value()
    }

    /// The status and the kind of the problem that was answered.
    fn problem(&self) -> (u16, String) {
        let problem = self.value();
        assert_eq!(problem["status"], json!(self.status.as_u16()), "{}", self.text());
        let kind = problem["type"].as_str().unwrap().strip_prefix("/problems/").unwrap();
        (self.status.as_u16(), kind.to_owned())
    }
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap().to_owned()
}

fn ids(of: &Value) -> Vec<String> {
    of.as_array().unwrap().iter().map(id).collect()
}
