//! The log tells what was decided, and nothing about the person.

use reqwest::StatusCode;
use resolver_api::{LoginRequest, Profile};
use serde_json::{Value, json};
use wxgate_resolver::store::SqliteStore;

use crate::program::Running;
use crate::sqlite::another;
use crate::support::{PATIENT, TOKEN, With, at, disable, in_wechat, pc};

#[tokio::test]
async fn each_login_is_one_line_and_no_line_holds_personal_data_or_secrets() {
    let running = Running::start(&["--log-format", "json", "--log", "trace"]);
    let client = reqwest::Client::new();
    let send = async |token: &str, path: &str, body: &Value| {
        let answer = client.post(format!("{}{path}", running.origin)).bearer_auth(token).json(body).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap_or_default())
    };
    let login = async |request: LoginRequest| send(TOKEN, "/v1/logins", &serde_json::to_value(request).unwrap()).await.1;

    let profile = Profile { nickname: Some("NICKNAME-CANARY".into()), picture: Some("https://qlogo.cn/PICTURE-CANARY".into()) };
    let first = LoginRequest { profile: Some(profile), ..pc("OPENID-CANARY-1").unionid("UNIONID-CANARY-1") };
    let answer = login(first.clone()).await;
    let user = answer["user"]["id"].as_str().unwrap().to_owned();
    login(first.clone()).await;
    login(LoginRequest { openid: "OPENID-CANARY-2".into(), ..first.clone() }).await;
    login(pc("OPENID-CANARY-1")).await;
    login(LoginRequest { profile_available: true, ..in_wechat("OPENID-CANARY-3") }).await;
    login(in_wechat("OPENID-CANARY-3")).await;
    login(in_wechat("OPENID-CANARY-3").unionid("UNIONID-CANARY-1")).await;
    login(LoginRequest { openid: "OPENID-CANARY-4".repeat(9), ..first.clone() }).await;
    send(TOKEN, "/v1/logins", &json!({"openid": ["OPENID-CANARY-5"]})).await;
    send("TOKEN-CANARY", "/v1/logins", &json!({"openid": "OPENID-CANARY-6"})).await;
    let store = SqliteStore::open(running.database(), PATIENT).await.unwrap();
    disable(&store, user.parse().unwrap(), at(0)).await;
    login(pc("OPENID-CANARY-1")).await;
    let session = answer["session_id"].as_str().unwrap();
    send(TOKEN, &format!("/v1/sessions/{session}/revoke"), &json!({"expires_at": 9})).await;
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'the disk is gone'); END";
    sqlx::query(broken).execute(&mut another(&running.database()).await).await.unwrap();
    let (status, _) = send(TOKEN, "/v1/logins", &serde_json::to_value(pc("OPENID-CANARY-7")).unwrap()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);

    let (_, text) = running.stop("TERM");
    for secret in ["CANARY", TOKEN, session, &first.idempotency_key] {
        assert!(!text.contains(secret), "{secret} in the log:\n{text}");
    }
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let decisions: Vec<_> = lines.iter().filter(|line| line["message"] == "login").collect();
    let outcomes: Vec<_> = decisions.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        [
            "registered",
            "registered",
            "key_reused",
            "signed_in",
            "profile_required",
            "registered",
            "choose_account",
            "refused_user_disabled",
            "store_failed"
        ]
    );
    assert_eq!(decisions[0]["user"], *user);
    assert_eq!((&decisions[0]["connector"], &decisions[0]["application"]), (&json!("pc"), &json!("shop")));
    assert_eq!((&decisions[0]["is_replay"], &decisions[1]["is_replay"]), (&json!(false), &json!(true)));
    assert!(text.contains("refused a caller without an accepted token"));
    assert!(text.contains("the disk is gone"));
}
