//! Who did what to which account from where.

use axum::http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use wxgate_resolver::serve;
use wxgate_resolver::store::AdminStore;

use super::{ADMIN_TOKEN, Desk, stories};
use crate::support::{START, pc};

stories!(
    every_change_is_in_the_log_with_its_author,
    what_was_refused_is_not_in_the_log,
    the_log_is_read_page_by_page_and_by_time,
    the_log_holds_no_personal_data,
    an_entry_tells_where_the_administrator_was,
);

async fn every_change_is_in_the_log_with_its_author<S: AdminStore>(desk: Desk<S>) {
    let user = desk.create(json!({"external_id": "crm-1"})).await;
    let other = desk.create(json!({})).await;
    let path = format!("/v1/admin/users/{user}");
    desk.ask(Method::PATCH, &path, Some(json!({"name": "x", "password": null}))).await;
    for act in ["revoke-sessions", "disable", "enable"] {
        desk.ask(Method::POST, &format!("{path}/{act}"), None).await;
    }
    desk.post(&format!("{path}/identities"), json!({"platform": "main", "unionid": "u-1"})).await;
    let identity = desk.get(&format!("{path}/identities")).await[0]["id"].clone();
    desk.post(&format!("{path}/identities/{}/move", identity.as_str().unwrap()), json!({"to": other, "force": true})).await;
    desk.post(&format!("{path}/merge"), json!({"from": other})).await;
    desk.ask(Method::DELETE, &format!("{path}/identities/{}?force=true", identity.as_str().unwrap()), None).await;
    desk.ask(Method::DELETE, &path, None).await;

    let log = desk.get(&format!("/v1/admin/audit?pool=default&user_id={user}")).await;
    let entries = log["items"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "user_created",
            "user_changed",
            "signed_out_everywhere",
            "user_disabled",
            "user_enabled",
            "identity_linked",
            "identity_moved",
            "users_merged",
            "identity_unlinked",
            "user_deleted",
        ]
    );
    for entry in entries {
        assert_eq!((&entry["actor"], &entry["pool"]), (&json!("admin:alice"), &json!("default")));
        assert_eq!(entry["at"].as_u64().unwrap() / 1000, START);
    }
    assert_eq!(entries[1]["detail"], json!({"fields": ["name", "password"]}));
    assert_eq!(entries[6]["detail"], json!({"identities": [identity], "to": other}));
}

async fn what_was_refused_is_not_in_the_log<S: AdminStore>(desk: Desk<S>) {
    let user = desk.create(json!({"username": "x"})).await;
    let before = desk.actions(None).await;
    desk.post("/v1/admin/users?pool=default", json!({"username": "x"})).await;
    desk.post(&format!("/v1/admin/users/{user}/merge"), json!({"from": user})).await;
    desk.ask(Method::PATCH, &format!("/v1/admin/users/{user}"), Some(json!({"name": "\0"}))).await;
    assert_eq!(desk.actions(None).await, before);
}

async fn the_log_is_read_page_by_page_and_by_time<S: AdminStore>(desk: Desk<S>) {
    for number in 0..7 {
        desk.create(json!({"external_id": number.to_string()})).await;
        desk.wait(10);
    }
    desk.post("/v1/admin/users?pool=other", json!({})).await;
    let whole = desk.get("/v1/admin/audit?pool=default").await["items"].as_array().unwrap().clone();
    assert_eq!(whole.len(), 7);
    let (mut read, mut after) = (Vec::new(), String::new());
    loop {
        let page = desk.get(&format!("/v1/admin/audit?pool=default&limit=3&after={after}")).await;
        read.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(read, whole);

    let export = async |query: &str| -> Vec<Value> {
        let answer = desk.ask(Method::GET, &format!("/v1/admin/audit/export?pool=default{query}"), None).await;
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(export("").await, whole);
    let (since, until) = (START + 20, START + 40);
    assert_eq!(export(&format!("&since={since}&until={until}")).await, whole[2..4]);
    let range = desk.get(&format!("/v1/admin/audit?pool=default&since={since}&until={until}")).await;
    assert_eq!(range["items"], json!(whole[2..4]));
    assert!(export("&action=user_deleted").await.is_empty());
    for wrong in ["", "?pool=", "?pool=default&since=soon", "?pool=default&user_id=x", "?pool=default&action=a%00"] {
        for path in ["/v1/admin/audit", "/v1/admin/audit/export"] {
            assert_eq!(desk.ask(Method::GET, &format!("{path}{wrong}"), None).await.problem(), (400, "invalid-request".into()), "{wrong}");
        }
    }
}

async fn the_log_holds_no_personal_data<S: AdminStore>(desk: Desk<S>) {
    let user = desk
        .create(json!({
            "name": "CANARY", "username": "CANARY", "external_id": "CANARY", "email": "canary@example.com", "phone_number": "13800138000", "password": "CANARY-CANARY",
            "identities": [{"platform": "main", "app_id": "wx0000000000000001", "openid": "CANARY", "unionid": "CANARY"}],
        }))
        .await;
    desk.ask(Method::PATCH, &format!("/v1/admin/users/{user}"), Some(json!({"name": "CANARY 2"}))).await;
    desk.post(&format!("/v1/admin/users/{user}/identities"), json!({"platform": "main", "unionid": "CANARY-2"})).await;
    desk.log_in(pc("CANARY")).await;
    let other = desk.create(json!({"email": "canary@example.com"})).await;
    desk.post(&format!("/v1/admin/users/{user}/merge"), json!({"from": other})).await;
    let log = desk.ask(Method::GET, "/v1/admin/audit/export?pool=default", None).await.text().to_lowercase();
    assert!(log.lines().count() >= 6);
    for secret in ["canary", "13800138000", "argon2"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

async fn an_entry_tells_where_the_administrator_was<S: AdminStore>(desk: Desk<S>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, desk.state.clone(), async { drop(stopped.await) }));
    let request = reqwest::Client::new().post(format!("{origin}/v1/admin/users?pool=default")).bearer_auth(ADMIN_TOKEN);
    let answer = request.header("x-forwarded-for", "203.0.113.9").json(&json!({})).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let log = desk.get("/v1/admin/audit?pool=default").await;
    assert_eq!(log["items"][0]["client_address"], json!("127.0.0.1"));
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}
