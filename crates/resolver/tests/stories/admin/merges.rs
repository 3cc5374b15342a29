//! Two accounts become one.

use axum::http::{Method, StatusCode};
use resolver_api::LoginOutcome;
use serde_json::{Value, json};
use wxgate_resolver::store::AdminStore;

use super::{Answer, Desk, stories};
use crate::support::{With, in_wechat, pc, signed_in};

stories!(
    what_a_merged_account_had_goes_to_the_one_that_stays,
    a_dry_run_tells_the_same_and_does_nothing,
    a_merged_account_is_never_logged_in_to_again,
    people_who_had_to_choose_no_longer_have_to,
    accounts_that_do_not_go_together_are_not_merged,
    a_merge_while_its_people_log_in_loses_nobody,
);

impl<S: AdminStore> Desk<S> {
    async fn merge(&self, into: &str, body: Value) -> Answer {
        self.post(&format!("/v1/admin/users/{into}/merge"), body).await
    }
}

async fn what_a_merged_account_had_goes_to_the_one_that_stays<S: AdminStore>(desk: Desk<S>) {
    let into = desk.log_in(pc("o-1").nickname("晓明")).await;
    let from = desk.log_in(in_wechat("o-2").unionid("u-2").nickname("小明")).await;
    let (a, b) = (into.user.to_string(), from.user.to_string());
    let given = json!({"username": "xiaoming", "phone_number": "13800138000", "phone_number_verified": true, "external_id": "crm-1"});
    desk.ask(Method::PATCH, &format!("/v1/admin/users/{b}"), Some(given)).await.json();

    let report = desk.merge(&a, json!({"from": b})).await.json();
    assert_eq!((&report["into"], &report["from"], &report["dry_run"]), (&json!(a), &json!(b), &json!(false)));
    assert_eq!(report["identities"].as_array().unwrap().len(), 2);
    assert_eq!(report["filled"], json!(["phone_number", "username", "external_id"]));
    assert_eq!(report["dropped"], json!(["name"]));

    let view = desk.get(&format!("/v1/admin/users/{a}")).await;
    assert_eq!((&view["name"], &view["username"], &view["external_id"]), (&json!("晓明"), &json!("xiaoming"), &json!("crm-1")));
    assert_eq!((&view["phone_number"], &view["phone_number_verified"]), (&json!("+8613800138000"), &json!(true)));
    let view = desk.get(&format!("/v1/admin/users/{b}")).await;
    assert_eq!((&view["state"], &view["merged_into"]), (&json!("merged"), &json!(a)));
    for gone in ["name", "username", "external_id", "phone_number"] {
        assert_eq!(view.get(gone), None, "{gone}");
    }
    assert!(desk.is_in_force(&into).await && !desk.is_in_force(&from).await, "a sub never changes under a session");
    for request in [pc("o-1"), in_wechat("o-2"), pc("o-3").unionid("u-2")] {
        assert_eq!(desk.log_in(request).await.user.to_string(), a);
    }
    for user in [&a, &b] {
        assert!(desk.actions(Some(user)).await.contains(&"users_merged".to_owned()));
    }
}

async fn a_dry_run_tells_the_same_and_does_nothing<S: AdminStore>(desk: Desk<S>) {
    let into = desk.log_in(pc("o-1")).await.user.to_string();
    let from = desk.log_in(in_wechat("o-2").nickname("小明")).await.user.to_string();
    let state = async || (desk.get("/v1/admin/users?pool=default").await, desk.actions(None).await);
    let before = state().await;
    let mut planned = desk.merge(&into, json!({"from": from, "dry_run": true})).await.json();
    assert_eq!(state().await, before);
    let done = desk.merge(&into, json!({"from": from})).await.json();
    assert_eq!(planned["dry_run"].take(), json!(true));
    planned["dry_run"] = json!(false);
    assert_eq!(planned, done);
}

async fn a_merged_account_is_never_logged_in_to_again<S: AdminStore>(desk: Desk<S>) {
    let into = desk.log_in(pc("o-1")).await.user.to_string();
    let from = desk.log_in(in_wechat("o-2")).await.user.to_string();
    assert_eq!(desk.merge(&into, json!({"from": from})).await.status, StatusCode::OK);
    let path = format!("/v1/admin/users/{from}");
    for (method, path, body) in [
        (Method::POST, format!("{path}/enable"), None),
        (Method::PATCH, path.clone(), Some(json!({"name": "x"}))),
        (Method::DELETE, path.clone(), None),
        (Method::POST, format!("{path}/identities"), Some(json!({"platform": "main", "unionid": "u-9"}))),
        (Method::POST, format!("{path}/merge"), Some(json!({"from": into}))),
        (Method::POST, format!("/v1/admin/users/{into}/merge"), Some(json!({"from": from}))),
    ] {
        assert_eq!(desk.ask(method, &path, body).await.problem(), (409, "wrong-state".into()), "{path}");
    }
    assert_eq!(desk.log_in(in_wechat("o-2")).await.user.to_string(), into);
}

async fn people_who_had_to_choose_no_longer_have_to<S: AdminStore>(desk: Desk<S>) {
    let by_openid = desk.log_in(pc("o-1")).await.user.to_string();
    let by_unionid = desk.log_in(in_wechat("o-2").unionid("u-1")).await.user.to_string();
    let torn = || pc("o-1").unionid("u-1");
    assert!(matches!(desk.login(&torn()).await, LoginOutcome::ChooseAccount { .. }));
    assert_eq!(desk.merge(&by_openid, json!({"from": by_unionid})).await.status, StatusCode::OK);
    assert_eq!(desk.log_in(torn()).await.user.to_string(), by_openid);
}

async fn accounts_that_do_not_go_together_are_not_merged<S: AdminStore>(desk: Desk<S>) {
    let (a, b) = (desk.create(json!({})).await, desk.create(json!({})).await);
    let far = desk.post("/v1/admin/users?pool=other", json!({})).await.value()["id"].clone();
    for (from, expected) in [
        (json!(a), (409, "not-together")),
        (far, (409, "not-together")),
        (json!("x"), (400, "invalid-request")),
        (json!("01a202d5-f36e-7a22-8e78-c33ff9921c9e"), (404, "not-found")),
    ] {
        for dry_run in [true, false] {
            assert_eq!(desk.merge(&a, json!({"from": from, "dry_run": dry_run})).await.problem(), (expected.0, expected.1.to_owned()));
        }
    }
    desk.ask(Method::POST, &format!("/v1/admin/users/{a}/disable"), None).await;
    assert_eq!(desk.merge(&a, json!({"from": b})).await.problem(), (409, "wrong-state".into()), "nobody could log in");
    assert_eq!(desk.merge(&b, json!({"from": a})).await.status, StatusCode::OK, "a disabled one may end in another");
}

async fn a_merge_while_its_people_log_in_loses_nobody<S: AdminStore>(desk: Desk<S>) {
    let into = desk.log_in(pc("o-1")).await.user.to_string();
    let from = desk.log_in(in_wechat("o-2")).await.user.to_string();
    // Each brings an identity that the account does not have yet.
    let logins: Vec<_> = (0..8).map(|_| in_wechat("o-2").unionid("u-2")).collect();
    let (merged, logged_in) = tokio::join!(
        desk.merge(&into, json!({"from": from})),
        futures_util::future::join_all(logins.iter().map(|login| desk.login(login)))
    );
    assert_eq!(merged.status, StatusCode::OK, "{}", merged.text());
    for outcome in logged_in {
        let session = signed_in(outcome);
        assert!(!session.new_user);
        assert_eq!(desk.is_in_force(&session).await, session.user.to_string() == into);
    }
    assert_eq!(desk.get(&format!("/v1/admin/users/{from}/identities")).await, json!([]));
    assert_eq!(desk.get(&format!("/v1/admin/users/{into}/identities")).await.as_array().unwrap().len(), 3);
    assert_eq!(desk.log_in(pc("o-9").unionid("u-2")).await.user.to_string(), into);
}
