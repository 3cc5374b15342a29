//! What the application believes, and what it does not: real tokens of a gate that the test plays, and what an attacker
//! could make of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "clippy allows it in tests, but not in what they share")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use demo_app::{Config, app};
use jwt_simple::prelude::*;
use serde_json::{Value, json};
use tower::ServiceExt;

const ISSUER: &str = "https://shop.example.com";
const HEADER: &str = "x-wxgate-identity";

/// A gate that publishes one ES256 and one EdDSA key, and counts who asks.
struct Gate {
    es256: ES256KeyPair,
    eddsa: Ed25519KeyPair,
    asked: Arc<AtomicUsize>,
    app: Router,
}

#[derive(Clone)]
struct Published {
    set: Value,
    asked: Arc<AtomicUsize>,
}

async fn keys(State(published): State<Published>) -> axum::Json<Value> {
    published.asked.fetch_add(1, Ordering::SeqCst);
    axum::Json(published.set)
}

fn config(jwks_url: String) -> Config {
    Config { jwks_url, issuer: ISSUER.to_owned(), audience: "demo".to_owned(), header: HEADER.parse().unwrap() }
}

impl Gate {
    async fn start() -> Self {
        let es256 = ES256KeyPair::generate().with_key_id("one");
        let eddsa = Ed25519KeyPair::generate().with_key_id("two");
        let point = es256.public_key().public_key().to_bytes_uncompressed();
        let set = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "one",
             "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..])},
            {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "two",
             "x": URL_SAFE_NO_PAD.encode(eddsa.public_key().to_bytes())},
        ]});
        let asked = Arc::new(AtomicUsize::new(0));
        let routes = Router::new().route("/wxgate/jwks.json", get(keys)).with_state(Published { set, asked: asked.clone() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { es256, eddsa, asked, app: app(config(format!("http://{address}/wxgate/jwks.json"))).unwrap() }
    }

    fn token(&self) -> String {
        self.es256.sign(claims()).unwrap()
    }

    async fn get(&self, path: &str, tokens: &[&str]) -> (StatusCode, String) {
        let request = tokens.iter().fold(Request::get(path), |request, token| request.header(HEADER, *token));
        let answer = self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status();
        (status, String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap())
    }

    async fn refuses(&self, token: &str, reason: &str) {
        let (status, body) = self.get("/account", &[token]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{reason}: {body}");
        assert!(body.contains(reason), "{reason}: {body}");
        let (status, body) = self.get("/api/me", &[token]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{reason}");
        assert!(serde_json::from_str::<Value>(&body).unwrap()["reason"].as_str().unwrap().contains(reason), "{body}");
        // A page for everybody stays one, and greets nobody.
        let (status, body) = self.get("/", &[token]).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("Hello, stranger"), "{reason}: {body}");
    }
}

fn claims() -> JWTClaims<Value> {
    claims_with(json!({"sid": "s1", "auth_time": 1_700_000_000, "connector": "pc", "name": "小<明>'\"&"}))
}

fn claims_with(custom: Value) -> JWTClaims<Value> {
    Claims::with_custom_claims(custom, Duration::from_secs(120)).with_issuer(ISSUER).with_subject("0197-user").with_audience("demo")
}

/// A token of the gate, with another header, and the signature that `sign` makes of both.
fn reheaded(token: &str, header: &Value, sign: impl FnOnce(&str) -> String) -> String {
    let claims = token.split('.').nth(1).unwrap();
    let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let signature = sign(&signed);
    format!("{signed}.{signature}")
}

#[tokio::test]
async fn a_header_of_the_gate_is_believed() {
    let gate = Gate::start().await;
    for token in [gate.token(), gate.eddsa.sign(claims()).unwrap()] {
        let (status, page) = gate.get("/account", &[&token]).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert!(page.contains("小&lt;明&gt;&#39;&quot;&amp;"), "{page}");
        assert!(page.contains("<dt>sub</dt><dd>0197-user</dd>"), "{page}");
        assert!(page.contains(token.rsplit('.').next().unwrap()), "the header as it came: {page}");

        let (status, me) = gate.get("/api/me", &[&token]).await;
        let me: Value = serde_json::from_str(&me).unwrap();
        assert_eq!((status, &me["user_id"], &me["claims"]["connector"]), (StatusCode::OK, &json!("0197-user"), &json!("pc")));

        let (_, page) = gate.get("/", &[&token]).await;
        assert!(page.contains("Hello, 小"), "{page}");
    }
    assert_eq!(gate.asked.load(Ordering::SeqCst), 1, "the keys were fetched once");
}

#[tokio::test]
async fn without_a_header_only_open_pages_are_there() {
    let gate = Gate::start().await;
    let (status, page) = gate.get("/account", &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(page.contains("reachable only through the gate"), "{page}");
    for (path, part) in [("/", "/wxgate/login"), ("/assets/style.css", "body{"), ("/healthz", "ok")] {
        let (status, body) = gate.get(path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(body.contains(part), "{path}");
    }
    assert_eq!(gate.get("/other", &[]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(gate.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn two_headers_are_none() {
    let gate = Gate::start().await;
    let token = gate.token();
    let (status, page) = gate.get("/account", &[&token, &token]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(page.contains("more than one"), "{page}");
}

#[tokio::test]
async fn a_token_that_is_not_signed_is_refused() {
    let gate = Gate::start().await;
    for alg in ["none", "None", "NONE", ""] {
        let token = reheaded(&gate.token(), &json!({"alg": alg, "kid": "one"}), |_| String::new());
        gate.refuses(&token, "not signed with ES256 or EdDSA").await;
    }
}

#[tokio::test]
async fn the_public_key_is_no_shared_secret() {
    let gate = Gate::start().await;
    let public = gate.es256.public_key();
    for secret in [public.to_pem().unwrap().into_bytes(), public.public_key().to_bytes_uncompressed(), public.to_der().unwrap()] {
        let key = HS256Key::from_bytes(&secret).with_key_id("one");
        gate.refuses(&key.authenticate(claims()).unwrap(), "not signed with ES256 or EdDSA").await;
    }
}

#[tokio::test]
async fn an_algorithm_counts_only_with_a_key_of_its_kind() {
    let gate = Gate::start().await;
    let token = reheaded(&gate.token(), &json!({"alg": "EdDSA", "kid": "one"}), |_| URL_SAFE_NO_PAD.encode([1; 64]));
    gate.refuses(&token, "not signed with ES256 or EdDSA").await;
    let token = reheaded(&gate.token(), &json!({"alg": "ES256", "kid": "two"}), |_| URL_SAFE_NO_PAD.encode([1; 64]));
    gate.refuses(&token, "not signed with ES256 or EdDSA").await;
    let other = RS256KeyPair::generate(2048).unwrap().with_key_id("one");
    gate.refuses(&other.sign(claims()).unwrap(), "not signed with ES256 or EdDSA").await;
}

#[tokio::test]
async fn a_signature_has_to_fit() {
    let gate = Gate::start().await;
    let token = gate.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();

    let forged = ES256KeyPair::generate().with_key_id("one").sign(claims()).unwrap();
    gate.refuses(&forged, "signature").await;
    // r = s = 0 fits everything in a verifier that does not look.
    gate.refuses(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64])), "signature").await;
    gate.refuses(&format!("{signed}."), "signature").await;

    let header = token.split('.').next().unwrap();
    let mut raised: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    raised["sub"] = json!("somebody-else");
    gate.refuses(&format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(raised.to_string())), "signature").await;
}

#[tokio::test]
async fn a_key_that_comes_with_the_token_is_not_looked_at() {
    let gate = Gate::start().await;
    let mine = ES256KeyPair::generate().with_key_id("mine");
    let token = mine.sign(claims()).unwrap();
    gate.refuses(&token, "key that the gate does not publish").await;
    let point = mine.public_key().public_key().to_bytes_uncompressed();
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..])});
    for header in [
        json!({"alg": "ES256", "kid": "mine", "jwk": jwk}),
        json!({"alg": "ES256", "kid": "mine", "jku": "http://attacker.example/jwks.json"}),
        json!({"alg": "ES256", "kid": "../../etc/passwd"}),
        json!({"alg": "ES256", "kid": ""}),
        json!({"alg": "ES256"}),
    ] {
        gate.refuses(&reheaded(&token, &header, |_| URL_SAFE_NO_PAD.encode([1; 64])), "key that the gate does not publish").await;
    }
}

#[tokio::test]
async fn made_up_key_ids_do_not_flood_the_gate() {
    let gate = Gate::start().await;
    for number in 0..50 {
        let token = ES256KeyPair::generate().with_key_id(&format!("key-{number}")).sign(claims()).unwrap();
        assert_eq!(gate.get("/account", &[&token]).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(gate.asked.load(Ordering::SeqCst), 1);
    assert_eq!(gate.get("/account", &[&gate.token()]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn tokens_for_others_from_others_and_of_yesterday_are_refused() {
    let gate = Gate::start().await;
    let sign = |claims: JWTClaims<Value>| gate.es256.sign(claims).unwrap();

    gate.refuses(&sign(claims().with_audience("billing")), "another application").await;
    gate.refuses(&sign(JWTClaims { audiences: None, ..claims() }), "lacks a claim").await;
    gate.refuses(&sign(claims().with_issuer("https://other.example.com")), "another issuer").await;
    gate.refuses(&sign(JWTClaims { issuer: None, ..claims() }), "lacks a claim").await;
    gate.refuses(&sign(JWTClaims { subject: None, ..claims() }), "lacks a claim").await;
    gate.refuses(&sign(claims().with_subject("")), "lacks a claim").await;
    gate.refuses(&sign(JWTClaims { expires_at: None, ..claims() }), "lacks a claim").await;

    let ended = |seconds| Some(Clock::now_since_epoch() - Duration::from_secs(seconds));
    gate.refuses(&sign(JWTClaims { expires_at: ended(15), ..claims() }), "expired").await;
    // Within what two clocks may be apart.
    assert_eq!(gate.get("/account", &[&sign(JWTClaims { expires_at: ended(5), ..claims() })]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let gate = Gate::start().await;
    for token in ["", "x", "a.b", "a.b.c", "....", "Bearer x"] {
        let (status, _) = gate.get("/account", &[token]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{token}");
    }
    let request = Request::get("/account").header(HEADER, [0xc3, 0x28].as_slice()).body(Body::empty()).unwrap();
    assert_eq!(gate.app.clone().oneshot(request).await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_the_gates_keys_nobody_is_let_in_and_nobody_is_blamed() {
    let gate = Gate::start().await;
    // A port on which nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let app = app(config(format!("http://127.0.0.1:{port}/wxgate/jwks.json"))).unwrap();
    let request = Request::get("/account").header(HEADER, gate.token()).body(Body::empty()).unwrap();
    let answer = app.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let gate = Gate::start().await;
    for path in ["/", "/account", "/other", "/api/me"] {
        let answer = gate.app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
    }
}
