//! A mobile app: a state of ours to begin with, then the code that WeChat's SDK has brought back.

use super::*;

#[test]
fn an_app_gets_a_state_and_then_a_session_that_opens_what_is_protected() {
    let mut world = world();
    world.login = vec![known_to(APP)];
    let started = post(&mut world, "/wxgate/start/app", &json!({"challenge": CHALLENGE}));
    let told = body(&started);
    assert_eq!((started.status, told["app_id"].as_str(), told["expires_at"].as_u64()), (200, Some(APP), Some(1_000_600)));
    assert!(told["state"].as_str().unwrap().len() < 512, "WeChat's SDK takes 1 KB");
    assert!(world.calls.is_empty(), "beginning costs nobody anything");

    let session = post(&mut world, "/wxgate/code/app", &json!({"code": "CODE1", "state": told["state"], "verifier": VERIFIER}));

    let told = body(&session);
    let mut members: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!((session.status, members), (200, vec!["expires_at", "token", "user"]));
    assert_eq!((told["user"]["sub"].as_str(), told["user"]["name"].as_str()), (Some("01900000-0000-7000-8000-000000000001"), Some("小明")));
    assert_eq!(world.labels(), ["sns.access_token", "sns.userinfo", "logins.create"]);
    let login = sent(&world, "logins.create");
    assert_eq!(
        (&login["method"], &login["app_id"], &login["openid"], &login["unionid"]),
        (&json!("mobile_app"), &json!(APP), &json!("o1"), &json!("u1"))
    );
    assert_eq!(login["profile"]["nickname"], "小明");
    let mut app = Browser::default().with("authorization", &format!("Bearer {}", told["token"].as_str().unwrap()));
    let seen = forwarded(app.send(&mut world, "GET", "shop.example.com", "/cart"));
    assert_eq!(world.verified(&seen).custom.connector, "app");
    assert!(seen.remove_authorization);
    let started: Vec<_> = world.events.iter().map(Event::counter).filter(|counter| counter.contains("starts")).collect();
    assert_eq!(started, ["wxgate_login_starts_total;connector=app"]);
}

#[test]
fn a_code_is_worth_nothing_without_the_state_and_the_verifier_of_the_app_that_began() {
    let mut world = world();
    let good = back_from_wechat(&mut world);
    let elsewhere = body(&post_to(&mut world, "admin.example.com", "/wxgate/start/app", &json!({"challenge": CHALLENGE})))["state"].clone();
    let other = "another-verifier-that-is-long-enough";
    let mut refused = |change: Value| {
        let mut sent = good.clone();
        change.as_object().unwrap().iter().for_each(|(name, value)| sent[name] = value.clone());
        let reply = post(&mut world, "/wxgate/code/app", &sent);
        (reply.status, code(&reply))
    };
    assert_eq!(refused(json!({"verifier": other})), (403, "verifier_mismatch".into()));
    assert_eq!(refused(json!({"state": elsewhere})), (400, "attempt_missing".into()), "begun at another application");
    for state in ["wechat_sdk_demo_test", "wxg1.a.b", &"a".repeat(1024)] {
        assert_eq!(refused(json!({"state": state})), (400, "attempt_missing".into()));
    }
    for malformed in [
        json!({"verifier": "short"}),
        json!({"verifier": ""}),
        json!({"state": ""}),
        json!({"state": "a".repeat(1025)}),
        json!({"code": ""}),
        json!({"code": "has space"}),
        json!({"code": "a".repeat(513)}),
        json!({"code": 7}),
        json!({"code": null}),
        json!({"code": ["CODE1"]}),
    ] {
        assert_eq!(refused(malformed.clone()), (400, "malformed_body".into()), "{malformed}");
    }
    assert!(world.calls.is_empty(), "WeChat and the resolver hear of none of it");
    world.now += 599;
    world.login = vec![known_to(APP)];
    assert_eq!(post(&mut world, "/wxgate/code/app", &good).status, 200);
    world.now += 1;
    assert_eq!(code(&post(&mut world, "/wxgate/code/app", &good)), "attempt_expired");
}

#[test]
fn an_app_whose_answer_was_lost_gets_the_same_session_and_nobody_else_does() {
    let mut world = world();
    world.login = vec![known_to(APP)];
    let sent_body = back_from_wechat(&mut world);
    assert_eq!(post(&mut world, "/wxgate/code/app", &sent_body).status, 200);
    let key = sent(&world, "logins.create")["idempotency_key"].as_str().unwrap().to_owned();

    world.exchange = refusal(40163);
    world.outcome = known_to(APP);
    let again = post(&mut world, "/wxgate/code/app", &sent_body);
    assert_eq!((again.status, body(&again)["user"]["sub"].as_str()), (200, Some("01900000-0000-7000-8000-000000000001")));
    assert!(world.calls.last().unwrap().1.starts_with(&format!("/v1/logins/{key}?")), "{:?}", world.calls.last());

    // The same code in another login of the same app.
    let mut other = back_from_wechat(&mut world);
    other["code"] = sent_body["code"].clone();
    post(&mut world, "/wxgate/code/app", &other);
    assert!(!world.calls.last().unwrap().1.contains(&key), "the code alone names no login");

    world.outcome = Ok(HttpReply { status: 404, body: vec![] });
    assert_eq!(code(&post(&mut world, "/wxgate/code/app", &sent_body)), "code_rejected");
    assert_eq!(world.labels().iter().filter(|label| **label == "logins.create").count(), 1);
}

#[test]
fn a_snapshot_user_of_an_app_is_nobody() {
    let mut world = world();
    world.exchange = ok(json!({"access_token": "at", "openid": "o1", "scope": "snsapi_userinfo", "is_snapshotuser": 1}));
    let sent = back_from_wechat(&mut world);
    assert_eq!(code(&post(&mut world, "/wxgate/code/app", &sent)), "snapshot_user");
    assert_eq!(world.labels(), ["sns.access_token"]);
}
