//! WeChat's message push. At `official_account_qr` a push moves the ticket that its person has scanned, once, whatever WeChat
//! repeats, and nobody else's push does anything. Apps of every kind tell who withdraws their consent. With a message server of the operator's own, everything of WeChat's arrives there as it was sent.

mod forgeries;
mod message_server;
mod modes;
mod other_apps;
mod repetitions;
mod scans;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wxgate_tests::scan::{ACCOUNT, ACCOUNT_SECRET};
use wxgate_tests::wechat_sim::{Delivery, Message, PushRequest};
use wxgate_tests::{Stack, now};

/// A verifier as a browser's attempt has it.
const VERIFIER: &str = "e2e-verifier-of-22-characters-and-more";

/// A ticket that a browser at the shop is waiting with.
async fn ticket(stack: &Stack) -> String {
    let made = json!({
        "purpose": "scan", "pool": "default", "application": "shop", "connector": "follow", "app_id": ACCOUNT, "number": "42",
        "challenge": URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)), "lifetime_seconds": 300,
    });
    let made = stack.resolver.ask("POST", "/v1/tickets", Some(&made)).await;
    made.assert_status(200).json()["ticket"].as_str().unwrap().to_owned()
}

async fn state(stack: &Stack, ticket: &str) -> String {
    let found = stack.resolver.ask("GET", &format!("/v1/tickets/{ticket}"), None).await;
    found.assert_status(200).json()["state"].as_str().unwrap().to_owned()
}

/// Collects the login as the browser would: who it is.
async fn collect(stack: &Stack, ticket: &str) -> Value {
    let asked = json!({"verifier": VERIFIER, "application": "shop", "redemption": "AAAAAAAAAAAAAAAAAAAAAA"});
    let answer = stack.resolver.ask("POST", &format!("/v1/tickets/{ticket}/redeem"), Some(&asked)).await;
    answer.assert_status(200).json()["identity"].clone()
}

/// A person scans the code of this ticket with their phone.
async fn scan(stack: &Stack, ticket: &str, person: &str) -> Delivery {
    let code = stack.account_code(ACCOUNT, ACCOUNT_SECRET, ticket).await;
    stack.wechat.scan_account_code(&code, person).await.unwrap().expect("a push")
}

/// An event from this person, as it would come now.
fn event(stack: &Stack, person: &str, name: &str, key: &str) -> Message {
    let (to, from) = (stack.wechat.original_id(ACCOUNT), stack.wechat.openid(person, ACCOUNT));
    Message::event(&to, &from, now(), name).with("EventKey", key)
}

fn changed(request: &PushRequest, from: &str, to: &str) -> PushRequest {
    let mut other = request.clone();
    (other.url, other.body) = (request.url.replace(from, to), request.body.replace(from, to));
    assert_ne!(&other, request, "{from} stands nowhere");
    other
}

fn with_body(request: &PushRequest, body: String) -> PushRequest {
    let mut other = request.clone();
    other.body = body;
    other
}

fn with_url(request: &PushRequest, url: String) -> PushRequest {
    let mut other = request.clone();
    other.url = url;
    other
}
