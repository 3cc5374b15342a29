//! Logging in to a native app through WeChat's SDK.

use std::time::Duration;

use serde_json::{Value, json};
use wxgate_tests::now;
use wxgate_tests::wechat_sim::{Effect, Fault, SdkAnswer, SendAuth};

use crate::native::{APP, Client, builder, kiosk, verifier};

/// The members of this object, with one of them changed.
fn with(object: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut changed = object.clone();
    changed[name] = value.into();
    changed
}

#[tokio::test]
async fn a_person_logs_in_to_the_app_and_is_the_same_account_as_on_the_web() {
    let stack = builder().start().await;
    let app = Client::of(&stack);
    let before = now();

    let session = app.app_login("xiaoming").await;

    session.assert_status(200);
    let told = session.json();
    assert!(told["expires_at"].as_u64().unwrap() > before + 3600);
    let identity = app.who(&session).await;
    assert_eq!(told["user"]["sub"], identity.sub());
    assert_eq!((identity.text("connector"), identity.text("name")), ("app", "小明"));
    assert_eq!(identity.claims["wechat"]["openid"], stack.wechat.openid("xiaoming", APP));
    let seen = stack.app.last();
    assert_eq!(seen.header("authorization"), None, "the token stays with us");
    assert!(!seen.raw_head.windows(5).any(|window| window == b"wxg1."));
    app.bearer(&session).api("/wxgate/userinfo").await.assert_status(200);

    let again = app.app_login("xiaoming").await;
    let browser = stack.visitor();
    browser.login("pc", "xiaoming").await.assert_status(200);
    let friend = app.app_login("xiaohong").await;
    assert_eq!(app.who(&again).await.sub(), identity.sub());
    assert_eq!(browser.whoami().await.sub(), identity.sub(), "one unionid, one account");
    assert_ne!(app.who(&friend).await.sub(), identity.sub());
    assert_eq!((stack.accounts().await, stack.new_users().await), (2, 2));
    let paths: Vec<_> = stack.wechat.journal().iter().take(2).map(|entry| entry.path.clone()).collect();
    assert_eq!(paths, ["/sns/oauth2/access_token", "/sns/userinfo"]);
    stack.finish().await;
}

#[tokio::test]
async fn nobody_gets_in_with_a_code_and_without_what_its_app_has() {
    let stack = builder().without_rate_limit().start().await;
    let app = Client::of(&stack);
    let good = app.agreed_at_wechat("xiaoming").await;
    let (other_verifier, _) = verifier();
    let elsewhere = app.at(&kiosk(&stack)).agreed_at_wechat("xiaohong").await;

    let refused = [
        (with(&good, "verifier", other_verifier), 403, "verifier_mismatch"),
        (with(&good, "state", elsewhere["state"].clone()), 400, "attempt_missing"),
        (with(&good, "state", "wechat_sdk_demo_test"), 400, "attempt_missing"),
        (with(&good, "state", ""), 400, "malformed_body"),
        (with(&good, "verifier", Value::Null), 400, "malformed_body"),
        (with(&good, "code", json!(["a"])), 400, "malformed_body"),
        (with(&good, "code", "a".repeat(1024)), 400, "malformed_body"),
        (json!({"code": good["code"]}), 400, "malformed_body"),
        (json!([good.clone()]), 400, "malformed_body"),
    ];
    for (sent, status, error) in refused {
        app.post("/wxgate/code/app", &sent).await.assert_failure(status, error);
    }
    app.post("/wxgate/code/app", &with(&good, "code", "a".repeat(20_000))).await.assert_failure(413, "body_too_large");
    assert_eq!(stack.exchanges(), 0, "WeChat hears of none of it");

    // Somebody else's code in one's own login: nothing but the code says whose it is, so it is worth one try and ten minutes.
    let stolen = with(&elsewhere, "code", good["code"].clone());
    app.at(&kiosk(&stack)).post("/wxgate/code/app", &stolen).await.assert_status(200);
    app.post("/wxgate/code/app", &good).await.assert_failure(400, "code_rejected");

    let url = stack.visitor().start("pc", "/orders").await;
    let callback = url::Url::parse(&stack.visitor().allow(&url, "xiaoming")).unwrap();
    let website_code = callback.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let fresh = app.agreed_at_wechat("xiaoming").await;
    app.post("/wxgate/code/app", &with(&fresh, "code", website_code)).await.assert_failure(400, "code_rejected");
    stack.wechat.advance(Duration::from_secs(601));
    app.post("/wxgate/code/app", &fresh).await.assert_failure(400, "code_rejected");

    for (answer, err_code) in [(SdkAnswer::Refuse, -4), (SdkAnswer::Cancel, -2)] {
        let request = SendAuth { scope: "snsapi_userinfo".into(), state: fresh["state"].as_str().unwrap().into() };
        let back = stack.wechat.send_auth(APP, &request, "xiaoming", answer).unwrap();
        assert_eq!((back.err_code, back.code), (err_code, None), "there is nothing that an app could post");
    }
    stack.finish().await;
}

#[tokio::test]
async fn whatever_the_request_is_like_the_answer_is_json() {
    let stack = builder().start().await;
    let app = Client::of(&stack);
    for (path, status, error) in [
        ("/wxgate/start/none", 404, "unknown_connector"),
        ("/wxgate/code/none", 404, "unknown_connector"),
        ("/wxgate/start/pc", 405, "method_not_allowed"),
        ("/wxgate/code/pc", 405, "method_not_allowed"),
        ("/wxgate/start/mini", 405, "method_not_allowed"),
        ("/wxgate/start/app", 400, "malformed_body"),
    ] {
        app.post(path, &json!({})).await.assert_failure(status, error);
    }
    let visitor = stack.visitor();
    let form = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
    visitor.send("POST", "/wxgate/code/app", &form, b"code=a").await.assert_failure(415, "unsupported_media_type");
    for body in [&b""[..], b"{", b"{\"code\":\"a\",\"code\":\"b\"}", b"\xff\xfe"] {
        let json = [("content-type", "application/json")];
        let answer = visitor.send("POST", "/wxgate/code/app", &json, body).await;
        answer.assert_failure(400, "malformed_body");
    }
    assert_eq!(stack.exchanges(), 0);
    stack.finish().await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_at_another_envoy_and_is_one_session() {
    let stack = builder().envoys(2).start().await;
    let app = Client::of(&stack);
    let sent = app.agreed_at_wechat("xiaoming").await;
    let first = app.post("/wxgate/code/app", &sent).await;
    let again = app.via(1).post("/wxgate/code/app", &sent).await;
    assert_eq!(app.who(&first).await.text("sid"), app.who(&again).await.text("sid"));
    assert_eq!(stack.exchanges(), 2, "WeChat says of the second one that it is spent");
    assert_eq!(stack.accounts().await, 1);

    // The same code under another state is another login, and nobody's.
    let thief = app.agreed_at_wechat("xiaohong").await;
    app.post("/wxgate/code/app", &with(&thief, "code", sent["code"].clone())).await.assert_failure(400, "code_rejected");
    stack.finish().await;
}

#[tokio::test]
async fn outages_are_said_and_the_next_login_is_as_good_as_ever() {
    let stack = builder().start().await;
    let app = Client::of(&stack);
    let path = "/sns/oauth2/access_token";
    let faults = [
        (Effect::LoseAnswer, 503, "wechat_unavailable"),
        (Effect::Errcode { errcode: -1, errmsg: "system error".into() }, 503, "wechat_busy"),
        (Effect::Errcode { errcode: 40226, errmsg: "code blocked".into() }, 403, "wechat_user_blocked"),
        (Effect::Errcode { errcode: 40125, errmsg: "invalid appsecret".into() }, 500, "wechat_misconfigured"),
        (Effect::Truncate { keep_bytes: None, hang_up: false }, 503, "wechat_unavailable"),
    ];
    for (effect, status, error) in faults {
        stack.wechat.set_faults(vec![Fault::on(path, effect).times(1)]);
        let refused = app.app_login("xiaoming").await;
        refused.assert_failure(status, error);
        assert_eq!(refused.header("retry-after").is_some(), status == 503);
    }
    stack.wechat.clear_faults();
    stack.wechat.set_faults(vec![Fault::on("/sns/userinfo", Effect::Reset)]);
    app.app_login("xiaoming").await.assert_status(200);
    stack.resolver_wire.set_on("/v1/logins", wxgate_tests::Fault::Reset).await;
    app.app_login("xiaoming").await.assert_failure(503, "accounts_unavailable");
    stack.resolver_wire.set(wxgate_tests::Fault::None).await;
    let session = app.app_login("xiaoming").await;
    let sub = app.who(&session).await.sub().to_owned();
    stack.resolver.disable_user(&sub).await;
    app.app_login("xiaoming").await.assert_failure(403, "user_disabled");
    stack.finish().await;
}
