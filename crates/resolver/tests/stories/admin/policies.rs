//! Connectors' policies, changed while the resolver runs.

use axum::http::{Method, StatusCode};
use resolver_api::{LoginOutcome, RefusalReason};
use serde_json::{Value, json};
use wxgate_resolver::store::AdminStore;

use super::{Desk, stories};
use crate::support::{in_wechat, pc};

stories!(a_policy_counts_from_the_next_login_on, a_policy_that_is_wrong_is_told, policies_are_in_the_audit_log);

const PATH: &str = "/v1/admin/policies/default/pc";

fn closed() -> Value {
    json!({"registration": "closed", "binding": "none", "on_no_match": "create", "methods": []})
}

async fn a_policy_counts_from_the_next_login_on<S: AdminStore>(desk: Desk<S>) {
    assert_eq!(desk.get("/v1/admin/policies?pool=default").await, json!([]));
    let default = desk.get(PATH).await;
    assert_eq!((&default["policy"]["registration"], &default["changed_at"]), (&json!("open"), &json!(0)));
    let member = desk.log_in(pc("o-1")).await;

    let set = desk.ask(Method::PUT, PATH, Some(closed())).await.json();
    assert_eq!((&set["pool"], &set["connector"], &set["policy"]["registration"]), (&json!("default"), &json!("pc"), &json!("closed")));
    assert!(set["warnings"][0].as_str().unwrap().starts_with("nobody gets in"), "{set}");
    assert_eq!(desk.get(PATH).await, set);
    assert_eq!(desk.get("/v1/admin/policies?pool=default").await, json!([set]));
    assert_eq!(desk.get("/v1/admin/policies?pool=other").await, json!([]));
    assert_eq!(desk.login(&pc("o-2")).await, LoginOutcome::Refused { reason: RefusalReason::RegistrationClosed });
    assert_eq!(desk.log_in(pc("o-1")).await.user, member.user);
    assert!(desk.log_in(in_wechat("o-3")).await.new_user, "another connector has its own policy");

    assert_eq!(desk.ask(Method::DELETE, PATH, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(desk.get(PATH).await, default);
    assert!(desk.log_in(pc("o-2")).await.new_user);
}

async fn a_policy_that_is_wrong_is_told<S: AdminStore>(desk: Desk<S>) {
    for (policy, expected) in [
        (json!({"registration": "CANARY"}), "registration: is not as expected; expected `open` or `closed`"),
        (json!({"CANARY": true}), "body: has a field that nobody knows; expected one of `registration`, "),
        (json!({"methods": ["password", "password"]}), "methods: expected each at most once"),
        (json!({"binding": "ask", "registration": "closed", "methods": []}), "methods: expected at least one"),
        (json!([]), "body: is not as expected; expected an object"),
    ] {
        let answer = desk.ask(Method::PUT, PATH, Some(policy)).await;
        assert_eq!(answer.problem(), (400, "invalid-request".into()));
        let detail = answer.value()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(expected) && !detail.contains("CANARY"), "{detail}");
    }
    for path in ["/v1/admin/policies/default/a%00b", "/v1/admin/policies/%0a/pc"] {
        assert_eq!(desk.ask(Method::PUT, path, Some(closed())).await.problem(), (400, "invalid-request".into()));
    }
    let field = desk.ask(Method::PUT, PATH, Some(json!({"binding": "field"}))).await.json();
    assert!(field["warnings"][0].as_str().unwrap().contains("phone number"));
    // No code can be sent here.
    let ask =
        desk.ask(Method::PUT, PATH, Some(json!({"binding": "ask", "registration": "closed", "methods": ["phone_code"]}))).await.json();
    assert!(ask["warnings"][0].as_str().unwrap().ends_with("every stranger is refused"), "{ask}");
}

async fn policies_are_in_the_audit_log<S: AdminStore>(desk: Desk<S>) {
    desk.ask(Method::PUT, PATH, Some(closed())).await.json();
    desk.ask(Method::DELETE, PATH, None).await;
    let log = desk.get("/v1/admin/audit?pool=default&action=policy_changed").await;
    let details: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| (&entry["actor"], &entry["detail"]["policy"])).collect();
    assert_eq!(details, [(&json!("admin:alice"), &closed()), (&json!("admin:alice"), &json!(null))]);
}
