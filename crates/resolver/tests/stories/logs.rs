//! The log tells what was decided, and nothing about the person.

use reqwest::StatusCode;
use resolver_api::{LoginRequest, Profile};
use serde_json::{Value, json};
use wxgate_resolver::store::SqliteStore;

use crate::program::Running;
use crate::sqlite::another;
use crate::support::{PATIENT, TOKEN, With, at, disable, in_wechat, pc};
use crate::tickets::{fresh, person, to_scan};

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
            "signed_in",
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

#[tokio::test]
async fn each_step_of_a_ticket_is_one_line_without_names_and_secrets() {
    let running = Running::start(&["--log-format", "json", "--log", "trace", "--tickets-per-client", "1"]);
    let client = reqwest::Client::new();
    let post = async |path: &str, body: &Value| {
        let answer = client.post(format!("{}{path}", running.origin)).bearer_auth(TOKEN).json(body).send().await.unwrap();
        answer.json::<Value>().await.unwrap_or_default()
    };
    let verifier = fresh();
    let mut made = serde_json::to_value(to_scan(&verifier)).unwrap();
    made["client"] = json!("CLIENT-CANARY");
    made["client_address"] = json!("ADDRESS-CANARY");
    let ticket = post("/v1/tickets", &made).await["ticket"].as_str().unwrap().to_owned();
    assert_eq!(post("/v1/tickets", &made).await["answer"], "too_many");
    let mut identity = serde_json::to_value(person("OPENID-CANARY")).unwrap();
    identity["profile"]["nickname"] = json!("NICKNAME-CANARY");
    identity["phone_number"] = json!("+8613800138000");
    let said = json!({"platform": "main", "identity": identity, "client_address": "ADDRESS-CANARY"});
    let waiting = client.get(format!("{}/v1/tickets/{ticket}?wait_ms=10000&known=waiting&client_address=ADDRESS-CANARY", running.origin));
    let waiting = tokio::spawn(waiting.bearer_auth(TOKEN).send());
    assert_eq!(post(&format!("/v1/tickets/{ticket}/scan"), &said).await["answer"], "done");
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(post(&format!("/v1/tickets/{ticket}/confirm"), &said).await["answer"], "done");
    let redeemer = json!({"verifier": verifier, "application": "shop", "redemption": fresh()});
    assert_eq!(post(&format!("/v1/tickets/{ticket}/redeem"), &redeemer).await["answer"], "redeemed");
    post(&format!("/v1/tickets/{}/scan", fresh()), &said).await;
    let withdrawn =
        json!({"pools": ["default"], "platform": "main", "app_id": "wx", "openid": "OPENID-CANARY", "reason": "revoked", "at": 1});
    post("/v1/authorizations/withdraw", &withdrawn).await;

    let (_, text) = running.stop("TERM");
    let secrets = ["CANARY", "+86138", &ticket, &verifier, made["challenge"].as_str().unwrap(), redeemer["redemption"].as_str().unwrap()];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in the log:\n{text}");
    }
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().filter(|line| line["message"] == "ticket").map(|line| (&line["action"], &line["answer"])).collect();
    let expected = [("scan", "done"), ("confirm", "done"), ("redeem", "redeemed"), ("scan", "over")]
        .map(|(action, answer)| (json!(action), json!(answer)));
    assert_eq!(told, expected.iter().map(|(action, answer)| (action, answer)).collect::<Vec<_>>());
    assert_eq!(lines.iter().filter(|line| line["message"] == "ticket made").count(), 1);
}
