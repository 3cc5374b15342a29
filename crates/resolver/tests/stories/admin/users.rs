//! Users: made, found, changed, ended.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use wxgate_resolver::store::AdminStore;

use super::{Desk, id, ids, stories};
use crate::support::{With, pc};

stories!(
    a_user_that_is_made_logs_in_by_their_identity,
    a_user_is_made_once,
    what_is_wrong_with_a_user_is_told_without_the_value,
    any_text_is_only_text,
    a_password_is_kept_as_a_hash_alone,
    a_name_that_an_administrator_gave_is_not_wechats_any_more,
    users_are_found_by_what_they_are_called,
    a_list_is_read_to_its_end_while_it_grows,
    a_disabled_user_is_out_until_enabled,
    somebody_signed_out_everywhere_may_come_back,
    a_deleted_user_is_a_stranger_again,
    nobody_is_changed,
);

async fn a_user_that_is_made_logs_in_by_their_identity<S: AdminStore>(desk: Desk<S>) {
    let user = desk
        .create(json!({
            "external_id": "crm-1", "name": "小明😀", "username": "xiaoming", "phone_number": "138 0013 8000", "phone_number_verified": true,
            "email": "Me@Example.com",
            "identities": [{"platform": "main", "app_id": "wx0000000000000001", "openid": "o-1", "unionid": "u-1"}],
        }))
        .await;
    let login = desk.log_in(pc("o-1").unionid("u-1").nickname("nick")).await;
    assert_eq!((login.user.to_string(), login.new_user, login.name.as_deref()), (user.clone(), false, Some("小明😀")));
    let view = desk.get(&format!("/v1/admin/users/{user}")).await;
    assert_eq!(view["phone_number"], "+8613800138000");
    assert_eq!((&view["phone_number_verified"], &view["email_verified"]), (&json!(true), &json!(false)));
    assert_eq!((&view["email"], &view["state"], &view["has_password"]), (&json!("me@example.com"), &json!("active"), &json!(false)));
    assert_eq!(view["last_login_at"], json!(login.auth_time));
}

async fn a_user_is_made_once<S: AdminStore>(desk: Desk<S>) {
    let user =
        desk.create(json!({"external_id": "crm-1", "username": "xiaoming", "identities": [{"platform": "main", "unionid": "u-1"}]})).await;
    for again in [
        json!({"external_id": "crm-1"}),
        json!({"username": "xiaoming"}),
        json!({"identities": [{"platform": "main", "app_id": "wx1", "openid": "o-1", "unionid": "u-1"}]}),
    ] {
        let answer = desk.post("/v1/admin/users?pool=default", again).await;
        assert_eq!(answer.problem(), (409, "taken".into()));
        assert_eq!(answer.value()["user_id"], json!(user));
    }
    // Nothing of the refused ones stayed, and another pool has names of its own.
    assert_eq!(desk.get("/v1/admin/users?pool=default").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(desk.post("/v1/admin/users?pool=other", json!({"external_id": "crm-1"})).await.status, StatusCode::CREATED);
    let twice = json!({"identities": [{"platform": "main", "unionid": "u-2"}, {"platform": "main", "unionid": "u-2"}]});
    assert_eq!(desk.post("/v1/admin/users?pool=default", twice).await.problem(), (400, "invalid-request".into()));
}

async fn what_is_wrong_with_a_user_is_told_without_the_value<S: AdminStore>(desk: Desk<S>) {
    for (user, field) in [
        (json!({"name": "CANARY\0"}), "name: expected"),
        (json!({"name": "CANARY\n"}), "name: expected"),
        (json!({"name": ""}), "name: expected"),
        (json!({"username": "CANARY@x"}), "username: expected"),
        (json!({"external_id": "CANARY\u{7f}"}), "external_id: expected"),
        (json!({"phone_number": "CANARY"}), "phone_number: expected"),
        (json!({"email": "CANARY"}), "email: expected"),
        (json!({"phone_number_verified": true}), "phone_number: expected"),
        (json!({"password": "CANARY"}), "password: expected"),
        (json!({"password_hash": "CANARY"}), "password_hash: expected"),
        (json!({"CANARY": "x"}), "body: has a field that nobody knows"),
        (json!({"identities": [{"platform": "CANARY\0", "unionid": "u"}]}), "identities[0].platform: expected"),
        (json!({"name": 5}), "name: is not as expected; expected a string"),
    ] {
        let answer = desk.post("/v1/admin/users?pool=default", user).await;
        assert_eq!(answer.problem(), (400, "invalid-request".into()));
        let detail = answer.value()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(field) && !detail.contains("CANARY"), "{detail}");
    }
    for path in ["/v1/admin/users", "/v1/admin/users?pool=", "/v1/admin/users?pool=a%00b"] {
        assert_eq!(desk.post(path, json!({})).await.problem(), (400, "invalid-request".into()), "{path}");
    }
}

async fn any_text_is_only_text<S: AdminStore>(desk: Desk<S>) {
    let names = ["'; DROP TABLE users; --", "\" OR 1=1", "%", "_", "$1", "\\", "😀🏳️‍🌈", "<script>alert(1)</script>", "\u{202e}evil"];
    for (number, name) in names.into_iter().enumerate() {
        let user = desk.create(json!({"name": name, "external_id": format!("{name}{number}")})).await;
        assert_eq!(desk.get(&format!("/v1/admin/users/{user}")).await["name"], json!(name));
        let query: String = url_encoded(name);
        let found = desk.get(&format!("/v1/admin/users?pool=default&q={query}")).await;
        assert_eq!(ids(&found["items"]), [user], "a search for {name} finds it alone");
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn a_password_is_kept_as_a_hash_alone<S: AdminStore>(desk: Desk<S>) {
    let user = desk.create(json!({"username": "xiaoming", "password": "correct horse 电池"})).await;
    let account = desk.state.store.find_user(user.parse().unwrap()).await.unwrap().unwrap();
    let hash = account.password_hash.unwrap().0;
    assert!(desk.state.passwords.verify("correct horse 电池", Some(hash.clone())).await.unwrap());
    let path = format!("/v1/admin/users/{user}");
    let answer = desk.ask(Method::GET, &path, None).await;
    assert!(!answer.text().contains("argon2") && !answer.text().contains("horse"), "{}", answer.text());
    assert_eq!(answer.value()["has_password"], json!(true));

    let both = json!({"password": "correct horse", "password_hash": hash});
    assert_eq!(desk.ask(Method::PATCH, &path, Some(both)).await.problem(), (400, "invalid-request".into()));
    assert_eq!(desk.ask(Method::PATCH, &path, Some(json!({"password_hash": hash}))).await.json()["has_password"], json!(true));
    assert_eq!(desk.ask(Method::PATCH, &path, Some(json!({"password": null}))).await.json()["has_password"], json!(false));
}

async fn a_name_that_an_administrator_gave_is_not_wechats_any_more<S: AdminStore>(desk: Desk<S>) {
    let first = desk.log_in(pc("o-1").nickname("晓明")).await;
    let path = format!("/v1/admin/users/{}", first.user);
    let view = desk.ask(Method::PATCH, &path, Some(json!({"name": "Wang Xiaoming", "email": "a@b.cn"}))).await.json();
    assert_eq!((&view["name"], &view["is_name_from_wechat"]), (&json!("Wang Xiaoming"), &json!(false)));
    assert_eq!(desk.log_in(pc("o-1").nickname("小明")).await.name.as_deref(), Some("Wang Xiaoming"));
    let view = desk.ask(Method::PATCH, &path, Some(json!({"name": null, "email_verified": true}))).await.json();
    assert_eq!((view.get("name"), &view["email"], &view["email_verified"]), (None, &json!("a@b.cn"), &json!(true)));
    assert_eq!(desk.log_in(pc("o-1").nickname("小明")).await.name, None);
    assert_eq!(
        desk.ask(Method::PATCH, &path, Some(json!({"phone_number_verified": true}))).await.problem(),
        (400, "invalid-request".into())
    );
    let other = desk.create(json!({"username": "taken"})).await;
    let answer = desk.ask(Method::PATCH, &path, Some(json!({"username": "taken"}))).await;
    assert_eq!((answer.problem(), &answer.value()["user_id"]), ((409, "taken".into()), &json!(other)));
    assert_eq!(
        desk.ask(Method::PATCH, &format!("/v1/admin/users/{other}"), Some(json!({"username": "taken"}))).await.status,
        StatusCode::OK
    );
}

async fn users_are_found_by_what_they_are_called<S: AdminStore>(desk: Desk<S>) {
    let ming = desk
        .create(json!({"name": "小明", "username": "xiaoming", "external_id": "crm-10", "phone_number": "13800138000", "email": "ming@example.com"}))
        .await;
    let hong = desk.create(json!({"name": "小红", "username": "xiaohong", "external_id": "crm-11"})).await;
    desk.post("/v1/admin/users?pool=other", json!({"username": "xiaoming"})).await;
    let find = async |query: &str| ids(&desk.get(&format!("/v1/admin/users?pool=default{query}")).await["items"]);
    assert_eq!(find("").await, [ming.clone(), hong.clone()]);
    for (query, is_ming, is_hong) in [
        ("&q=xiao", true, true),
        ("&q=xiaom", true, false),
        ("&q=iao", false, false),
        ("&q=%e5%b0%8f", true, true),
        ("&q=crm-1", true, true),
        ("&q=crm-11", false, true),
        ("&q=%2b86138", true, false),
        ("&q=MING%40", true, false),
        ("&q=xiao&match=exact", false, false),
        ("&q=xiaohong&match=exact", false, true),
        ("&q=13800138000&match=exact", true, false),
        ("&q=Ming%40example.com&match=exact", true, false),
        ("&q=%e5%b0%8f%e6%98%8e&match=exact", false, false),
        ("&state=disabled", false, false),
        ("&state=active", true, true),
    ] {
        let expected: Vec<_> = [(is_ming, &ming), (is_hong, &hong)].into_iter().filter(|(is, _)| *is).map(|(_, id)| id.clone()).collect();
        assert_eq!(find(query).await, expected, "{query}");
    }
    for wrong in ["&q=a%00", "&match=fuzzy", "&state=asleep", "&limit=201", "&limit=0", "&after=x"] {
        let answer = desk.ask(Method::GET, &format!("/v1/admin/users?pool=default{wrong}"), None).await;
        assert_eq!(answer.problem(), (400, "invalid-request".into()), "{wrong}");
    }
}

async fn a_list_is_read_to_its_end_while_it_grows<S: AdminStore>(desk: Desk<S>) {
    let mut there = BTreeSet::new();
    for number in 0..9 {
        there.insert(desk.create(json!({"external_id": format!("before-{number}")})).await);
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    for page in 0.. {
        let answer = desk.get(&format!("/v1/admin/users?pool=default&limit=2&after={after}")).await;
        seen.extend(ids(&answer["items"]));
        if page < 3 {
            desk.wait(1);
            desk.create(json!({"external_id": format!("meanwhile-{page}")})).await;
        }
        match answer["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    let once: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(once.len(), seen.len(), "nobody comes twice");
    assert!(there.is_subset(&once), "nobody is left out");
}

async fn a_disabled_user_is_out_until_enabled<S: AdminStore>(desk: Desk<S>) {
    let login = desk.log_in(pc("o-1")).await;
    let act = async |act: &str| desk.ask(Method::POST, &format!("/v1/admin/users/{}/{act}", login.user), None).await.status;
    assert_eq!(act("disable").await, StatusCode::NO_CONTENT);
    assert!(!desk.is_in_force(&login).await);
    assert!(desk.is_refused(pc("o-1")).await);
    assert_eq!(act("enable").await, StatusCode::NO_CONTENT);
    assert!(!desk.is_in_force(&login).await, "what has ended stays so");
    assert_eq!(desk.log_in(pc("o-1")).await.user, login.user);
}

async fn somebody_signed_out_everywhere_may_come_back<S: AdminStore>(desk: Desk<S>) {
    let before = desk.log_in(pc("o-1")).await;
    let path = format!("/v1/admin/users/{}/revoke-sessions", before.user);
    assert_eq!(desk.ask(Method::POST, &path, None).await.status, StatusCode::NO_CONTENT);
    let after = desk.log_in(pc("o-1")).await;
    assert!(!desk.is_in_force(&before).await && desk.is_in_force(&after).await);
}

async fn a_deleted_user_is_a_stranger_again<S: AdminStore>(desk: Desk<S>) {
    let login = desk.log_in(pc("o-1").unionid("u-1").nickname("晓明")).await;
    let path = format!("/v1/admin/users/{}", login.user);
    desk.ask(Method::PATCH, &path, Some(json!({"external_id": "crm-1", "phone_number": "13800138000"}))).await.json();
    assert_eq!(desk.ask(Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert!(!desk.is_in_force(&login).await);
    let view = desk.get(&path).await;
    assert_eq!(
        (&view["state"], view.get("name"), view.get("phone_number"), view.get("external_id")),
        (&json!("deleted"), None, None, None)
    );
    assert_eq!(desk.get(&format!("{path}/identities")).await, json!([]));

    let again = desk.log_in(pc("o-1").unionid("u-1")).await;
    assert!(again.new_user && again.user != login.user, "the id is not given again");
    for (method, path, body) in [
        (Method::POST, format!("{path}/enable"), None),
        (Method::DELETE, path.clone(), None),
        (Method::PATCH, path.clone(), Some(json!({"name": "Lazarus"}))),
        (Method::POST, format!("{path}/identities"), Some(json!({"platform": "main", "unionid": "u-9"}))),
        (Method::POST, format!("{path}/merge"), Some(json!({"from": again.user}))),
        (Method::POST, format!("/v1/admin/users/{}/merge", again.user), Some(json!({"from": login.user}))),
    ] {
        assert_eq!(desk.ask(method, &path, body).await.problem(), (409, "wrong-state".into()), "{path}");
    }
    // The name is free again.
    desk.create(json!({"external_id": "crm-1"})).await;
}

async fn nobody_is_changed<S: AdminStore>(desk: Desk<S>) {
    let somebody = desk.create(json!({})).await;
    for nobody in ["01a202d5-f36e-7a22-8e78-c33ff9921c9e", "nobody", "%ff", "%00"] {
        let path = format!("/v1/admin/users/{nobody}");
        let body: fn() -> Option<Value> = || Some(json!({}));
        for (method, path, body) in [
            (Method::GET, path.clone(), None),
            (Method::PATCH, path.clone(), body()),
            (Method::DELETE, path.clone(), None),
            (Method::POST, format!("{path}/disable"), None),
            (Method::GET, format!("{path}/identities"), None),
            (Method::POST, format!("{path}/merge"), Some(json!({"from": somebody}))),
            (Method::POST, format!("{path}/identities"), Some(json!({"platform": "main", "unionid": "u"}))),
        ] {
            assert_eq!(desk.ask(method, &path, body).await.problem(), (404, "not-found".into()), "{path}");
        }
    }
    assert_eq!(id(&desk.get(&format!("/v1/admin/users/{somebody}")).await), somebody);
}
