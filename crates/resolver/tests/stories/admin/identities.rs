//! Identities: linked, unlinked, moved, while their people log in.

use axum::http::{Method, StatusCode};
use resolver_api::LoginOutcome;
use serde_json::{Value, json};
use wxgate_resolver::store::AdminStore;

use super::{Answer, Desk, id, ids, stories};
use crate::support::{With, in_wechat, pc, signed_in};

stories!(
    a_linked_identity_logs_in,
    nobodys_identity_is_taken_silently,
    a_wechat_person_is_unlinked_as_a_whole,
    the_last_way_in_stays_unless_forced,
    a_moved_identity_logs_in_to_the_other_account,
    an_identity_moves_while_its_owner_logs_in,
);

impl<S: AdminStore> Desk<S> {
    async fn identities(&self, user: &str) -> Value {
        self.get(&format!("/v1/admin/users/{user}/identities")).await
    }

    async fn unlink(&self, user: &str, identity: &str, query: &str) -> Answer {
        self.ask(Method::DELETE, &format!("/v1/admin/users/{user}/identities/{identity}{query}"), None).await
    }

    async fn move_identity(&self, user: &str, identity: &str, body: Value) -> Answer {
        self.post(&format!("/v1/admin/users/{user}/identities/{identity}/move"), body).await
    }
}

async fn a_linked_identity_logs_in<S: AdminStore>(desk: Desk<S>) {
    let user = desk.create(json!({})).await;
    let path = format!("/v1/admin/users/{user}/identities");
    let answer = desk.post(&path, json!({"platform": "main", "app_id": "wx0000000000000001", "openid": "o-1", "unionid": "u-1"})).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let linked = desk.identities(&user).await;
    assert_eq!(ids(&answer.value()), ids(&linked));
    assert_eq!((&linked[0]["openid"], &linked[0]["unionid"], &linked[0]["last_login_at"]), (&json!("o-1"), &json!("u-1"), &json!(0)));
    assert_eq!((linked[1].get("openid"), &linked[1]["unionid"]), (None, &json!("u-1")));
    assert_eq!(linked[0].get("connector"), None, "it has come by none yet");
    for request in [pc("o-1"), in_wechat("o-2").unionid("u-1")] {
        let login = desk.log_in(request).await;
        assert_eq!((login.user.to_string(), login.new_user), (user.clone(), false));
    }
    assert_eq!(desk.identities(&user).await[0]["connector"], json!("pc"));
    assert_eq!(desk.actions(Some(&user)).await[..2], ["user_created", "identity_linked"]);
}

async fn nobodys_identity_is_taken_silently<S: AdminStore>(desk: Desk<S>) {
    let owner = desk.log_in(pc("o-1").unionid("u-1")).await.user.to_string();
    let other = desk.create(json!({})).await;
    for body in [
        json!({"platform": "main", "app_id": "wx0000000000000001", "openid": "o-1"}),
        json!({"platform": "main", "unionid": "u-1"}),
        json!({"platform": "main", "app_id": "wx0000000000000009", "openid": "new", "unionid": "u-1"}),
    ] {
        for user in [&other, &owner] {
            let answer = desk.post(&format!("/v1/admin/users/{user}/identities"), body.clone()).await;
            assert_eq!((answer.problem(), &answer.value()["user_id"]), ((409, "taken".into()), &json!(owner)));
        }
    }
    assert_eq!(desk.identities(&other).await, json!([]));
    // Another platform's unionid and another app's openid are other people's.
    for body in
        [json!({"platform": "other", "unionid": "u-1"}), json!({"platform": "main", "app_id": "wx0000000000000002", "openid": "o-1"})]
    {
        assert_eq!(desk.post(&format!("/v1/admin/users/{other}/identities"), body).await.status, StatusCode::CREATED);
    }
}

async fn a_wechat_person_is_unlinked_as_a_whole<S: AdminStore>(desk: Desk<S>) {
    let login = desk.log_in(pc("o-1").unionid("u-1")).await;
    desk.log_in(in_wechat("o-2").unionid("u-1")).await;
    let user = login.user.to_string();
    desk.post(&format!("/v1/admin/users/{user}/identities"), json!({"platform": "main", "unionid": "u-2"})).await;
    let identities = desk.identities(&user).await;
    assert_eq!(identities.as_array().unwrap().len(), 4);
    let one = identities.as_array().unwrap().iter().find(|identity| identity["unionid"] == "u-1").map(id).unwrap();
    let gone = desk.unlink(&user, &one, "").await.json();
    assert_eq!(gone.as_array().unwrap().len(), 3, "two openids and their unionid");
    assert!(!desk.is_in_force(&login).await);
    assert_eq!(desk.identities(&user).await[0]["unionid"], json!("u-2"));
    assert_eq!(desk.unlink(&user, &one, "").await.problem(), (404, "not-found".into()));
    let stranger = desk.log_in(in_wechat("o-2").unionid("u-1")).await;
    assert!(stranger.new_user && stranger.user != login.user);
    assert_eq!(desk.log_in(pc("o-9").unionid("u-2")).await.user, login.user);
}

async fn the_last_way_in_stays_unless_forced<S: AdminStore>(desk: Desk<S>) {
    let login = desk.log_in(pc("o-1")).await;
    let (user, other) = (login.user.to_string(), desk.create(json!({})).await);
    let identity = ids(&desk.identities(&user).await).remove(0);
    assert_eq!(desk.unlink(&user, &identity, "").await.problem(), (409, "last-way-in".into()));
    assert_eq!(desk.unlink(&user, &identity, "?force=false").await.problem(), (409, "last-way-in".into()));
    assert_eq!(desk.unlink(&user, &identity, "?force=perhaps").await.problem(), (400, "invalid-request".into()));
    assert_eq!(desk.move_identity(&user, &identity, json!({"to": other})).await.problem(), (409, "last-way-in".into()));
    assert_eq!(desk.unlink(&other, &identity, "?force=true").await.problem(), (404, "not-found".into()), "it is somebody else's");
    assert!(desk.is_in_force(&login).await, "nothing has happened");
    assert_eq!(desk.unlink(&user, &identity, "?force=true").await.status, StatusCode::OK);
    assert!(desk.log_in(pc("o-1")).await.new_user);
}

async fn a_moved_identity_logs_in_to_the_other_account<S: AdminStore>(desk: Desk<S>) {
    let before = desk.log_in(pc("o-1").unionid("u-1")).await;
    let (user, other) = (before.user.to_string(), desk.create(json!({})).await);
    let identity = ids(&desk.identities(&user).await).remove(0);
    let far = desk.post("/v1/admin/users?pool=other", json!({})).await.value();
    for (to, status) in
        [(json!(user), (409, "not-together")), (far["id"].clone(), (409, "not-together")), (json!("x"), (400, "invalid-request"))]
    {
        let answer = desk.move_identity(&user, &identity, json!({"to": to, "force": true})).await;
        assert_eq!(answer.problem(), (status.0, status.1.to_owned()));
    }
    let moved = desk.move_identity(&user, &identity, json!({"to": other, "force": true})).await.json();
    assert_eq!(moved.as_array().unwrap().len(), 2);
    assert!(!desk.is_in_force(&before).await, "who is in by the old account is out");
    for request in [pc("o-1"), pc("o-1").unionid("u-1"), in_wechat("o-2").unionid("u-1")] {
        assert_eq!(desk.log_in(request).await.user.to_string(), other);
    }
    assert!(desk.actions(Some(&user)).await.contains(&"identity_moved".to_owned()));
    assert!(desk.actions(Some(&other)).await.contains(&"identity_moved".to_owned()));
}

/// Whichever comes first: the login is either one of the old account that has ended, or one of the new.
async fn an_identity_moves_while_its_owner_logs_in<S: AdminStore>(desk: Desk<S>) {
    let user = desk.log_in(pc("o-1")).await.user.to_string();
    let other = desk.create(json!({})).await;
    let identity = ids(&desk.identities(&user).await).remove(0);
    let logins: Vec<_> = (0..8).map(|_| pc("o-1")).collect();
    let (moved, logged_in) = tokio::join!(
        desk.move_identity(&user, &identity, json!({"to": other, "force": true})),
        futures_util::future::join_all(logins.iter().map(|login| desk.login(login)))
    );
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.text());
    for outcome in logged_in {
        assert!(matches!(outcome, LoginOutcome::SignedIn { .. }), "{outcome:?}");
        let session = signed_in(outcome);
        assert!(!session.new_user);
        let is_of_new_owner = session.user.to_string() == other;
        assert_eq!(desk.is_in_force(&session).await, is_of_new_owner);
    }
    assert_eq!(desk.identities(&user).await, json!([]));
}
