//! What the operator does, by the admin API.

use serde_json::{Value, json};

use crate::resolver::Resolver;

/// The user pool of the application `shop`.
pub const POOL: &str = "default";

impl Resolver {
    /// Makes an account; gives its `sub`.
    pub async fn create_user(&self, user: Value) -> String {
        let made = self.admin("POST", &format!("/users?pool={POOL}"), Some(&user)).await;
        made.assert_status(201);
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Changes an account.
    pub async fn change_user(&self, sub: &str, change: Value) {
        self.admin("PATCH", &format!("/users/{sub}"), Some(&change)).await.assert_status(200);
    }

    /// An account, as the operator sees it.
    pub async fn user(&self, sub: &str) -> Value {
        let user = self.admin("GET", &format!("/users/{sub}"), None).await;
        user.assert_status(200);
        user.json()
    }

    /// Sets the policy of a connector; what is not said is as by default.
    pub async fn set_policy(&self, connector: &str, policy: Value) {
        self.admin("PUT", &format!("/policies/{POOL}/{connector}"), Some(&policy)).await.assert_status(200);
    }

    /// Refuses this user's further logins, and ends all sessions.
    pub async fn disable_user(&self, sub: &str) {
        self.admin("POST", &format!("/users/{sub}/disable"), None).await.assert_status(204);
    }

    /// Lets this user log in again.
    pub async fn enable_user(&self, sub: &str) {
        self.admin("POST", &format!("/users/{sub}/enable"), None).await.assert_status(204);
    }

    /// Ends all sessions of this user.
    pub async fn sign_out_everywhere(&self, sub: &str) {
        self.admin("POST", &format!("/users/{sub}/revoke-sessions"), None).await.assert_status(204);
    }

    /// Deletes this user.
    pub async fn delete_user(&self, sub: &str) {
        self.admin("DELETE", &format!("/users/{sub}"), None).await.assert_status(204);
    }

    /// Makes two accounts one.
    pub async fn merge_users(&self, into: &str, from: &str) {
        self.admin("POST", &format!("/users/{into}/merge"), Some(&json!({"from": from}))).await.assert_status(200);
    }

    /// What was done to this account, oldest first.
    pub async fn audit_of(&self, sub: &str) -> Vec<String> {
        self.audit_with_addresses_of(sub).await.into_iter().map(|(action, _)| action).collect()
    }

    /// The same, with where it was done from.
    pub async fn audit_with_addresses_of(&self, sub: &str) -> Vec<(String, Option<String>)> {
        let log = self.admin("GET", &format!("/audit?pool={POOL}&user_id={sub}&limit=200"), None).await;
        log.assert_status(200);
        let items = log.json()["items"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        items.iter().map(|entry| (text(&entry["action"]).unwrap_or_default(), text(&entry["client_address"]))).collect()
    }

    /// All that the admin API tells, by where it stands.
    pub(crate) async fn all_that_the_operator_reads(&self) -> Vec<(String, String)> {
        let mut read = Vec::new();
        for path in ["/users", "/audit/export", "/policies"] {
            let answer = self.admin("GET", &format!("{path}?pool={POOL}"), None).await;
            answer.assert_status(200);
            read.push((format!("the admin API's {path}"), answer.text()));
        }
        read
    }
}
