//! What a caller sees.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use resolver_api::{AccountChange, LoginOutcome, LoginRequest, Problem, RevocationFeed};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tower::ServiceExt;
use wxgate_resolver::clock::Clock;
use wxgate_resolver::store::{SqliteStore, Store};
use wxgate_resolver::tokens::Tokens;
use wxgate_resolver::{AppState, Limits, app, serve};

use crate::support::{CLOSED, START, TOKEN, With, fresh_key, in_wechat, pc, signed_in, sqlite, told_again};

/// A resolver without a socket, and somebody who holds its token.
struct Resolver {
    state: Arc<AppState<SqliteStore>>,
    app: axum::Router,
    _dir: TempDir,
}

impl Resolver {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut AppState<SqliteStore>)) -> Self {
        let (store, dir) = sqlite().await;
        let mut state = AppState::new(store, Tokens::new([TOKEN]).unwrap());
        state.clock = Clock::new(|| Duration::from_secs(START));
        change(&mut state);
        let state = Arc::new(state);
        Self { app: app(state.clone()), state, _dir: dir }
    }

    fn send(&self, request: Request<Body>) -> impl Future<Output = Answer> + use<> {
        let app = self.app.clone();
        async move { Answer::of(app.oneshot(request).await.unwrap()).await }
    }

    fn get(&self, path: &str) -> impl Future<Output = Answer> + use<> {
        self.send(Request::get(path).header("authorization", bearer()).body(Body::empty()).unwrap())
    }

    fn post<B: serde::Serialize>(&self, path: &str, body: &B) -> impl Future<Output = Answer> + use<B> {
        self.send(post(path, serde_json::to_vec(body).unwrap()))
    }
}

fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).header("authorization", bearer()).header("content-type", "application/json");
    request.body(body.into()).unwrap()
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec();
        assert_eq!(parts.headers["cache-control"], "no-store");
        Self { status: parts.status, headers: parts.headers, body }
    }

    fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The kind and the detail of the problem that was answered.
    fn problem(&self) -> (u16, String, String) {
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(self.headers["retry-after"], "1");
        }
        (problem.status, problem.kind, problem.detail.unwrap_or_default())
    }
}

#[tokio::test]
async fn a_login_is_decided_once_and_can_be_asked_for() {
    let resolver = Resolver::new().await;
    let request = pc("o-1").unionid("u-1").nickname("小明😀");
    let outcome: LoginOutcome = resolver.post("/v1/logins", &request).await.json();
    let path = format!("/v1/logins/{}", request.idempotency_key);
    assert_eq!(resolver.get(&path).await.json::<LoginOutcome>(), told_again(outcome.clone()));
    assert_eq!(resolver.post("/v1/logins", &request).await.json::<LoginOutcome>(), told_again(outcome.clone()));
    assert!(signed_in(outcome).new_user);

    let other = LoginRequest { openid: "o-2".into(), ..request };
    let (status, kind, _) = resolver.post("/v1/logins", &other).await.problem();
    assert_eq!((status, &*kind), (409, "/problems/idempotency-key-reused"));
}

#[tokio::test]
async fn fields_that_nobody_knows_yet_are_ignored() {
    let resolver = Resolver::new().await;
    let mut request = serde_json::to_value(pc("o-1")).unwrap();
    request["invented_later"] = json!({"a": [1, 2]});
    assert!(signed_in(resolver.post("/v1/logins", &request).await.json()).new_user);
}

#[tokio::test]
async fn whoever_asks_while_the_login_is_under_way_gets_its_outcome() {
    let resolver = Resolver::new().await;
    let request = pc("o-1");
    let waiting = resolver.get(&format!("/v1/logins/{}?wait_ms=1000", request.idempotency_key));
    let deciding = resolver.post("/v1/logins", &request);
    let (waited, decided) = tokio::join!(waiting, deciding);
    assert_eq!(waited.json::<LoginOutcome>(), told_again(decided.json()));
}

#[tokio::test]
async fn a_login_that_nobody_made_is_not_found() {
    let resolver = Resolver::new().await;
    for query in ["", "?wait_ms=0", "?wait_ms=60"] {
        let answer = resolver.get(&format!("/v1/logins/{}{query}", fresh_key())).await;
        assert_eq!(answer.problem(), (404, "/problems/not-found".into(), "no login has this key".into()));
    }
    for query in ["?wait_ms=1001", "?wait_ms=-1", "?wait_ms=soon", "?wait_ms="] {
        let (status, _, detail) = resolver.get(&format!("/v1/logins/{}{query}", fresh_key())).await.problem();
        assert_eq!((status, &*detail), (400, "wait_ms in the query: expected a whole number from 0 to 1000"));
    }
    let (status, _, detail) = resolver.get("/v1/logins/ABC").await.problem();
    assert_eq!((status, &*detail), (400, "idempotency_key in the path: expected 64 lower-case hex digits"));
}

/// WeChat's browser drops the first of two callbacks, and its code is spent.
#[tokio::test]
async fn a_login_is_finished_also_when_the_caller_leaves() {
    let resolver = Resolver::new().await;
    let request = pc("o-1");
    let mut caller = Box::pin(resolver.post("/v1/logins", &request));
    let has_answer = poll_fn(|context| Poll::Ready(caller.as_mut().poll(context).is_ready())).await;
    assert!(!has_answer, "the caller leaves before the answer");
    drop(caller);
    let answer = resolver.get(&format!("/v1/logins/{}?wait_ms=1000", request.idempotency_key)).await;
    let user = signed_in(answer.json()).user;
    assert_eq!(signed_in(resolver.post("/v1/logins", &pc("o-1")).await.json()).user, user);
}

#[tokio::test]
async fn without_an_accepted_token_nothing_is_answered() {
    let resolver = Resolver::new().await;
    let key = fresh_key();
    let paths = [
        ("POST", "/v1/logins".to_owned()),
        ("GET", format!("/v1/logins/{key}")),
        ("GET", "/v1/pending-logins/AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
        ("POST", "/v1/pending-logins/AAAAAAAAAAAAAAAAAAAAAA/code".to_owned()),
        ("POST", "/v1/pending-logins/AAAAAAAAAAAAAAAAAAAAAA/finish".to_owned()),
        ("POST", "/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA/revoke".to_owned()),
        ("GET", "/v1/revocations".to_owned()),
        ("GET", "/v1/users/01a202d5-f36e-7a22-8e78-c33ff9921c9e?pool=default".to_owned()),
        ("POST", "/v1/users/01a202d5-f36e-7a22-8e78-c33ff9921c9e/revoke-sessions".to_owned()),
        ("POST", "/v1/users/01a202d5-f36e-7a22-8e78-c33ff9921c9e/identities/01a202d5-f36e-7a22-8e78-c33ff9921c9e/unlink".to_owned()),
    ];
    let wrong = [
        vec![],
        vec![format!("Bearer {}", TOKEN.to_uppercase())],
        vec![format!("Bearer {}", &TOKEN[1..])],
        vec![format!("Basic {TOKEN}")],
        vec![TOKEN.to_owned()],
        vec!["Bearer ".to_owned()],
        vec!["é".to_owned()],
        vec![bearer(), bearer()],
    ];
    for (method, path) in &paths {
        for values in &wrong {
            let mut request = Request::builder().method(*method).uri(path);
            for value in values {
                request = request.header("authorization", value.as_bytes());
            }
            let answer = resolver.send(request.body(Body::empty()).unwrap()).await;
            let (status, kind, _) = answer.problem();
            assert_eq!((status, &*kind), (401, "/problems/unauthorized"), "{method} {path} {values:?}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"wxgate-resolver\"");
        }
    }
    let lower_case = Request::get("/v1/revocations").header("authorization", format!("bearer {TOKEN}"));
    assert_eq!(resolver.send(lower_case.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_that_is_wrong_is_told_what_was_expected() {
    let resolver = Resolver::new().await;
    let wrong = |field: &str, value: Value| {
        let mut request = serde_json::to_value(pc("CANARY")).unwrap();
        request[field] = value;
        request
    };
    for (request, expected) in [
        (wrong("idempotency_key", json!("AB")), "idempotency_key: expected 64 lower-case hex digits"),
        (wrong("pool", json!("")), "pool: is empty; expected 1 to 64 characters"),
        (wrong("openid", json!("CANARY".repeat(11))), "openid: has 66 characters; expected 1 to 64"),
        (wrong("unionid", json!("")), "unionid: is empty; expected 1 to 64 characters"),
        (wrong("openid", json!(7)), "openid: is not as expected; expected a string"),
        (wrong("profile", json!({"picture": "http://CANARY"})), "profile.picture: expected an https address in visible ASCII"),
        (wrong("profile", json!({"nickname": ["CANARY"]})), "profile.nickname: is not as expected; expected a string"),
        (json!([]), "body: is not as expected; expected an object"),
        (json!({}), "body: missing field `idempotency_key`"),
    ] {
        let (status, kind, detail) = resolver.post("/v1/logins", &request).await.problem();
        assert_eq!((status, &*kind), (400, "/problems/invalid-request"));
        assert!(detail.starts_with(expected), "{detail}");
        assert!(!detail.contains("CANARY"), "{detail}");
    }
    let (_, _, detail) = resolver.send(post("/v1/logins", "{\"openid\": CANARY}")).await.problem();
    assert_eq!(detail, "body: is not valid JSON at line 1 column 12");
    let (_, _, detail) = resolver.send(post("/v1/logins", vec![b'"', 0xff, b'"'])).await.problem();
    assert!(detail.starts_with("body: "), "{detail}");
}

#[tokio::test]
async fn only_json_of_a_bounded_size_is_read() {
    let resolver = Resolver::new().await;
    let body = serde_json::to_vec(&pc("o-1")).unwrap();
    for content_type in [None, Some("text/plain"), Some("application/jsonp"), Some("application/x-www-form-urlencoded")] {
        let mut request = Request::post("/v1/logins").header("authorization", bearer());
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = resolver.send(request.body(body.clone().into()).unwrap()).await;
        assert_eq!(answer.problem().1, "/problems/unsupported-media-type");
    }
    let with_charset =
        Request::post("/v1/logins").header("authorization", bearer()).header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(resolver.send(with_charset.body(body.into()).unwrap()).await.status, StatusCode::OK);

    let (status, kind, _) = resolver.send(post("/v1/logins", vec![b' '; 64 * 1024 + 1])).await.problem();
    assert_eq!((status, &*kind), (413, "/problems/body-too-large"));
    let (status, kind, _) = resolver.send(post("/v1/logins", vec![b' '; 64 * 1024])).await.problem();
    assert_eq!((status, &*kind), (400, "/problems/invalid-request"));
}

#[tokio::test]
async fn a_path_or_a_method_that_does_not_exist_is_a_problem_too() {
    let resolver = Resolver::new().await;
    for path in ["/", "/v1", "/v1/logins/", "/v2/logins", "/v1/users/01a202d5-f36e-7a22-8e78-c33ff9921c9e"] {
        assert_eq!(resolver.get(path).await.problem().1, "/problems/not-found", "{path}");
    }
    let answer = resolver.get("/v1/logins").await;
    assert_eq!(answer.problem().1, "/problems/method-not-allowed");
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test]
async fn a_logout_is_told_to_every_filter() {
    let resolver = Resolver::new().await;
    let login = signed_in(resolver.post("/v1/logins", &pc("o-1")).await.json());
    let cursor = resolver.get("/v1/revocations").await.json::<RevocationFeed>().cursor;
    let path = format!("/v1/sessions/{}/revoke", login.session_id);
    for _ in 0..2 {
        assert_eq!(resolver.post(&path, &json!({"expires_at": START + 60})).await.status, StatusCode::NO_CONTENT);
    }
    let feed: Value = resolver.get(&format!("/v1/revocations?after={cursor}")).await.json();
    assert_eq!(feed["sessions"], json!([{"session_id": login.session_id, "expires_at": START + 60}]));
    assert_eq!((&feed["users"], &feed["more"]), (&json!([]), &json!(false)));
    let next = feed["cursor"].as_str().unwrap();
    let feed: RevocationFeed = resolver.get(&format!("/v1/revocations?after={next}")).await.json();
    assert_eq!((feed.sessions, feed.cursor), (vec![], next.to_owned()));
}

#[tokio::test]
async fn a_revocation_that_is_wrong_is_told_what_was_expected() {
    let resolver = Resolver::new().await;
    let session = "AAAAAAAAAAAAAAAAAAAAAA";
    for (session, body, expected) in [
        ("AAAA", json!({"expires_at": START}), "session_id in the path: expected 22 base64url characters"),
        (session, json!({}), "body: missing field `expires_at`"),
        (session, json!({"expires_at": -1}), "expires_at: is not as expected; expected u64"),
        (session, json!({"expires_at": START * 1000}), "expires_at: lies more than ten years ahead; expected Unix seconds"),
    ] {
        let (status, _, detail) = resolver.post(&format!("/v1/sessions/{session}/revoke"), &body).await.problem();
        assert_eq!((status, &*detail), (400, expected));
    }
}

#[tokio::test]
async fn a_person_signs_out_everywhere() {
    let resolver = Resolver::new().await;
    let login = async || resolver.post("/v1/logins", &pc("o-1")).await.json::<LoginOutcome>();
    let before = signed_in(login().await);
    let user = before.user;
    let change = AccountChange { pool: "default".into(), application: "shop".into(), client_address: None };
    let act = async |act: &str| resolver.post(&format!("/v1/users/{user}/{act}"), &change).await.status;

    assert_eq!(act("revoke-sessions").await, StatusCode::NO_CONTENT);
    let feed: RevocationFeed = resolver.get("/v1/revocations").await.json();
    assert_eq!(feed.users[0].user_id, user.to_string());
    assert_eq!(feed.users[0].expires_at - feed.users[0].not_before, Limits::default().longest_session.as_secs());
    assert!(before.auth_time <= feed.users[0].not_before);
    assert!(signed_in(login().await).auth_time > feed.users[0].not_before);

    for nobody in ["01a202d5-f36e-7a22-8e78-c33ff9921c9e", "nobody", "%ff"] {
        for act in ["revoke-sessions", "disable", "enable"] {
            let (status, kind, _) = resolver.post(&format!("/v1/users/{nobody}/{act}"), &change).await.problem();
            assert_eq!((status, &*kind), (404, "/problems/not-found"), "{nobody}");
        }
    }
}

#[tokio::test]
async fn a_closed_registration_refuses_strangers() {
    let resolver = Resolver::with(|state| state.default_policy = CLOSED).await;
    let refused: Value = resolver.post("/v1/logins", &pc("o-1")).await.json();
    assert_eq!(refused, json!({"outcome": "refused", "reason": "registration_closed"}));
    let base = LoginRequest { profile_available: true, ..in_wechat("o-1") };
    let asked: Value = resolver.post("/v1/logins", &base).await.json();
    assert_eq!(asked, json!({"outcome": "profile_required"}));
}

#[tokio::test]
async fn more_requests_than_there_are_places_are_turned_away_but_the_probes_are_not() {
    let resolver = Resolver::with(|state| state.limits.in_flight = 0).await;
    let (status, kind, _) = resolver.post("/v1/logins", &pc("o-1")).await.problem();
    assert_eq!((status, &*kind), (503, "/problems/overloaded"));
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(resolver.get(probe).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let resolver = Resolver::with(|state| state.limits.request = Duration::from_millis(1)).await;
    let answer = resolver.get(&format!("/v1/logins/{}?wait_ms=1000", fresh_key())).await;
    assert_eq!(answer.problem().1, "/problems/timed-out");
}

#[tokio::test]
async fn a_store_that_does_not_work_is_no_success() {
    let resolver = Resolver::new().await;
    assert_eq!(resolver.get("/readyz").await.status, StatusCode::OK);
    resolver.state.store.close().await;
    for answer in [
        resolver.post("/v1/logins", &pc("o-1")).await,
        resolver.get("/v1/revocations").await,
        resolver.get(&format!("/v1/logins/{}", fresh_key())).await,
        resolver.get("/readyz").await,
    ] {
        let (status, kind, _) = answer.problem();
        assert_eq!((status, &*kind), (503, "/problems/store-unavailable"));
    }
    assert_eq!(resolver.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_under_way_when_the_resolver_stops_is_answered() {
    let (store, _dir) = sqlite().await;
    let mut state = AppState::new(store, Tokens::new([TOKEN]).unwrap());
    // A waiting request looks at the clock again and again; the sweep does so but once a minute.
    let (looks, is_waiting) = (AtomicU32::new(0), Arc::new(Notify::new()));
    let told = is_waiting.clone();
    state.clock = Clock::new(move || {
        if looks.fetch_add(1, Ordering::Relaxed) == 3 {
            told.notify_one();
        }
        Duration::from_secs(START)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(serve(listener, Arc::new(state), async { stopped.await.unwrap() }));

    let get = reqwest::Client::new().get(format!("{origin}/v1/logins/{}?wait_ms=1000", fresh_key())).bearer_auth(TOKEN);
    let waiting = tokio::spawn(get.send());
    is_waiting.notified().await;
    stop.send(()).unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().status().as_u16(), 404);
    serving.await.unwrap().unwrap();
    assert!(reqwest::get(format!("{origin}/healthz")).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_request_that_does_not_end_does_not_keep_the_resolver_from_stopping() {
    let (store, _dir) = sqlite().await;
    let mut state = AppState::new(store, Tokens::new([TOKEN]).unwrap());
    state.limits.drain = Duration::from_millis(10);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut half = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(serve(listener, Arc::new(state), async { stopped.await.unwrap() }));
    let head = format!(
        "POST /v1/logins HTTP/1.1\r\nhost: r\r\nauthorization: {}\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n",
        bearer()
    );
    tokio::io::AsyncWriteExt::write_all(&mut half, head.as_bytes()).await.unwrap();
    // "100 Continue" says that the body is being waited for.
    tokio::io::AsyncReadExt::read_u8(&mut half).await.unwrap();
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}
