//! `/sim/*`: the same over HTTP, for tests in other languages and for visitors with curl.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use wechat_sim::Simulator;

use crate::support::{ACCOUNT, ACCOUNT_SECRET, SITE, SITE_SECRET, Story, code_in, path_of, qr_link, web_link};

#[tokio::test]
async fn apps_and_people_are_put_and_the_ids_come_back() {
    let story = Story::with(Simulator::builder());
    let appid = "wx00000000000000c3";
    let app = json!({"kind": "mini_program", "secret": "s", "name": "小程序", "platform": "second"});
    let put = story.control("PUT", &format!("/sim/apps/{appid}"), &app.to_string()).await.json();
    assert_eq!((&put["platform"], &put["original_id"]), (&json!("second"), &json!(story.sim.original_id(appid))));
    let apps = story.get("/sim/apps").await.json();
    assert_eq!((&apps[appid], &apps[SITE]["original_id"]), (&put, &json!(null)));

    let answer = story.control("PUT", "/sim/people/laowang", r#"{"nickname": "老王", "consented": ["wx00000000000000b2"]}"#).await;
    let person = answer.json();
    assert_eq!(person["openids"][appid], story.sim.openid("laowang", appid));
    assert_eq!(person["unionids"]["second"], story.sim.unionid("laowang", "second"));
    assert_eq!(person["consented"], json!([ACCOUNT]));
    assert_eq!(story.get("/sim/people").await.json()["laowang"], person);

    let moved = story.control("POST", &format!("/sim/apps/{appid}/bind"), r#"{"platform": "third"}"#).await;
    assert_eq!(moved.status, 204);
    assert_eq!(story.control("POST", &format!("/sim/apps/{SITE}/unbind"), "").await.status, 204);
    let apps = story.get("/sim/apps").await.json();
    assert_eq!((&apps[appid]["platform"], &apps[SITE]["platform"]), (&json!("third"), &json!(null)));
}

#[tokio::test]
async fn what_no_console_would_accept_is_refused_with_a_reason() {
    let story = Story::begin();
    let refuse = async |method: &str, path: &str, body: &str| {
        let answer = story.control(method, path, body).await;
        (answer.status.as_u16(), answer.field("error"))
    };
    let app = |domain: &str| json!({"kind": "website", "secret": "s", "redirect_domain": domain}).to_string();
    let (status, reason) = refuse("PUT", "/sim/apps/shop", &app("shop.example.com")).await;
    assert_eq!((status, reason.contains("16 lower-case hex")), (422, true), "{reason}");
    let (status, reason) = refuse("PUT", &format!("/sim/apps/{SITE}"), &app("shop.example.com:8443")).await;
    assert_eq!((status, reason.contains("without scheme, port and path")), (422, true), "{reason}");
    let (status, reason) = refuse("PUT", &format!("/sim/apps/{SITE}"), r#"{"kind": "website", "secrets": "s"}"#).await;
    assert_eq!((status, reason.contains("secrets")), (422, true), "{reason}");
    let (status, _) = refuse("PUT", "/sim/people/a%20b", r#"{"nickname": "x"}"#).await;
    assert_eq!(status, 422);
    let (status, _) = refuse("POST", "/sim/apps/wx00000000000000ff/bind", r#"{"platform": "main"}"#).await;
    assert_eq!(status, 404);
    let (status, _) = refuse("PUT", "/sim/current-person", r#"{"person": "nobody"}"#).await;
    assert_eq!(status, 404);
    let (status, _) = refuse("PUT", "/sim/faults", r#"[{"path": "/", "kind": "explode"}]"#).await;
    assert_eq!(status, 422);
    let (status, _) = refuse("PUT", "/sim/quirks", r#"{"unknown": true}"#).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn one_call_plays_the_person() {
    let story = Story::begin();
    let authorize = async |body: serde_json::Value| story.control("POST", "/sim/authorize", &body.to_string()).await;

    let allowed = authorize(json!({"url": web_link(&[]), "person": "xiaoming"})).await;
    let tokens = story.exchange(ACCOUNT, ACCOUNT_SECRET, &code_in(&allowed.field("redirect_to"))).await;
    assert_eq!(tokens.field("openid"), story.sim.openid("xiaoming", ACCOUNT));

    let refused = authorize(json!({"url": qr_link(&[]), "person": "xiaoming", "allow": false})).await;
    assert_eq!(refused.json(), json!({"redirect_to": null, "refused": true, "error_page": null}));

    let wrong = authorize(json!({"url": web_link(&[("redirect_uri", "https://evil.test/")]), "person": "xiaoming"})).await;
    assert_eq!(wrong.json()["error_page"]["code"], 10003);
    assert_eq!(wrong.json()["redirect_to"], json!(null));

    let nobody = authorize(json!({"url": qr_link(&[])})).await;
    assert_eq!(nobody.status, 422, "{}", nobody.text());
    assert_eq!(story.control("PUT", "/sim/current-person", r#"{"person": "xiaohong"}"#).await.status, 200);
    assert!(authorize(json!({"url": qr_link(&[])})).await.json()["redirect_to"].is_string());
    assert_eq!(story.control("DELETE", "/sim/current-person", "").await.status, 204);
    assert_eq!(story.get("/sim/current-person").await.json(), json!({"person": null}));

    assert_eq!(authorize(json!({"url": qr_link(&[]), "person": "nobody"})).await.status, 404);
    assert_eq!(authorize(json!({"url": "https://open.weixin.qq.com/else", "person": "xiaoming"})).await.status, 422);
}

#[tokio::test]
async fn a_script_holds_the_phone() {
    let story = Story::begin();
    let phone = async |step: &str, body: serde_json::Value| story.control("POST", &format!("/sim/{step}"), &body.to_string()).await;
    let uuid = story.get(&path_of(&qr_link(&[]))).await.uuid();

    let image = format!("/connect/qrcode/{uuid}");
    assert_eq!(phone("scan", json!({"url": image, "person": "xiaoming"})).await.status, 204);
    let qr_text = format!("http://127.0.0.1:9400/connect/confirm?uuid={uuid}");
    assert_eq!(phone("confirm", json!({"url": qr_text, "person": "xiaohong"})).await.status, 409);
    assert_eq!(phone("refuse", json!({"uuid": uuid, "person": "xiaoming"})).await.status, 204);
    let confirmed = phone("confirm", json!({"uuid": uuid, "person": "xiaohong"})).await;
    let tokens = story.exchange(SITE, SITE_SECRET, &code_in(&confirmed.field("redirect_to"))).await;
    assert_eq!(tokens.field("openid"), story.sim.openid("xiaohong", SITE));

    let uuid = story.get(&path_of(&qr_link(&[]))).await.uuid();
    assert_eq!(phone("expire", json!({"uuid": uuid})).await.status, 204);
    assert_eq!(phone("confirm", json!({"uuid": uuid, "person": "xiaohong"})).await.status, 409);
    assert_eq!(phone("scan", json!({"person": "xiaohong"})).await.status, 422);
}

#[tokio::test]
async fn faults_quirks_and_the_clock_are_set_over_http() {
    let story = Story::begin();
    let faults = json!([
        {"path": "/sns/userinfo", "kind": "delay", "delay_ms": 5, "times": 1},
        {"path": "/sns/userinfo", "kind": "errcode", "errcode": 45011, "errmsg": "slower", "times": 1},
        {"path": "/sns/auth", "kind": "http", "status": 502, "body": "<html>", "times": "forever"},
        {"path": "/a", "kind": "reset"}, {"path": "/b", "kind": "lose_answer"}, {"path": "/c", "kind": "truncate"},
        {"path": "/d", "kind": "drip", "pause_ms": 1},
    ]);
    assert_eq!(story.control("PUT", "/sim/faults", &faults.to_string()).await.status, 200);
    assert_eq!(story.userinfo("t", "o").await.refusal().0, 40001);
    assert_eq!(story.userinfo("t", "o").await.refusal(), (45011, "slower".into()));
    assert_eq!(story.userinfo("t", "o").await.refusal().0, 40001);
    let page = story.get("/sns/auth").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (502, "text/html"));
    assert_eq!(story.control("DELETE", "/sim/faults", "").await.status, 204);
    assert_eq!(story.get("/sns/auth").await.status, 200);

    assert_eq!(story.control("PUT", "/sim/quirks", r#"{"trailing_scope_comma": true}"#).await.status, 200);
    assert_eq!(story.get("/sim/quirks").await.json()["trailing_scope_comma"], true);

    let before = story.get("/sim/clock").await.json()["now"].as_u64().unwrap();
    let after = story.control("POST", "/sim/clock/advance", r#"{"seconds": 86400}"#).await.json()["now"].as_u64().unwrap();
    assert!(after >= before + 86400);
}

#[tokio::test]
async fn the_journal_has_every_request_to_wechat_and_no_other() {
    let story = Story::begin();
    let request = Request::get(format!("/sns/oauth2/access_token?appid={SITE}&secret=s%20s&code=c"))
        .header("cookie", "__Host-wxgate_session=leaked")
        .header("user-agent", "envoy");
    story.send(request.body(Body::empty()).unwrap()).await;
    story.get("/sns/auth").await;

    let journal = story.get("/sim/journal").await.json();
    assert_eq!(journal.as_array().unwrap().len(), 2);
    let first = &journal[0];
    assert_eq!((&first["method"], &first["path"]), (&json!("GET"), &json!("/sns/oauth2/access_token")));
    assert_eq!(first["query"], format!("appid={SITE}&secret=s%20s&code=c"));
    assert_eq!(first["parameters"][1], json!(["secret", "s s"]));
    assert_eq!((&first["has_secret"], &journal[1]["has_secret"]), (&json!(true), &json!(false)));
    assert!(first["headers"].as_array().unwrap().contains(&json!(["cookie", "__Host-wxgate_session=leaked"])));

    let entry = &story.sim.journal()[0];
    assert_eq!(entry.header("cookie"), Some("__Host-wxgate_session=leaked"));
    assert_eq!(entry.parameter("code"), Some("c"));
    assert_eq!(story.control("DELETE", "/sim/journal", "").await.status, 204);
    assert!(story.sim.journal().is_empty());
}

#[tokio::test]
async fn a_request_is_written_down_even_if_a_fault_eats_it() {
    let story = Story::begin();
    story.control("PUT", "/sim/faults", r#"[{"path": "/sns/", "kind": "http", "status": 502}]"#).await;
    story.get("/sns/auth").await;
    assert_eq!(story.sim.journal().len(), 1);
}

#[tokio::test]
async fn a_reset_returns_to_how_it_was_built() {
    let story = Story::with(Simulator::builder().seed(true));
    let code = story.website_code("xiaoming");
    story.control("PUT", "/sim/faults", r#"[{"path": "/sns/", "kind": "reset"}]"#).await;
    story.control("POST", "/sim/clock/advance", r#"{"seconds": 1000000}"#).await;
    let late = story.sim.now();
    assert_eq!(story.control("POST", "/sim/reset", "").await.status, 204);
    assert!(story.sim.now() < late);
    assert!(story.sim.faults().is_empty() && story.sim.journal().is_empty());
    let apps = story.get("/sim/apps").await.json();
    assert!(apps.get("wx0000000000000001").is_some(), "the demo apps are back");
    assert!(apps.get(SITE).is_none(), "what was put is gone");
    assert_eq!(story.exchange("wx0000000000000001", "0001demo0001demo0001demo0001demo", &code).await.refusal().0, 40029);
}

#[tokio::test]
async fn choosing_a_person_goes_back_only_to_a_page_of_this_phone() {
    let story = Story::begin();
    for elsewhere in ["https://evil.test/", "//evil.test/", "/%5Cevil.test"] {
        let answer = story.post_form("/sim/phone", "", &format!("person=xiaoming&return_to={elsewhere}")).await;
        assert_eq!(answer.status, 422, "{elsewhere}");
    }
    assert_eq!(story.post_form("/sim/phone", "", "person=nobody&return_to=/sim/phone").await.status, 422);
    assert_eq!(story.post_form("/sim/phone", "", "person=xiaoming&return_to=/sim/phone").await.status, 303);
}
