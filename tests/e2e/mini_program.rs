//! Logging in inside a mini program, with one click.

use std::time::Duration;

use serde_json::{Value, json};
use wxgate_tests::stack::random;
use wxgate_tests::wechat_sim::{Person, Quirks};
use wxgate_tests::{Fault, now};

use crate::native::{APP, Client, MINI, asked, builder};

const NUMBER: &str = "+8613800138000";

#[tokio::test]
async fn one_click_logs_in_and_the_phone_number_lands_in_the_account_as_wechat_verified_it() {
    let stack = builder().start().await;
    let phone = Client::of(&stack);

    let silent = phone.mini_login("xiaoming").await;
    let identity = phone.who(&silent).await;
    assert_eq!((identity.text("connector"), identity.claims.get("phone_number")), ("mini", None));
    assert_eq!(identity.claims["wechat"]["openid"], stack.wechat.openid("xiaoming", MINI));
    assert_eq!(asked(&stack, "/wxa/business/getuserphonenumber"), 0);

    let told = phone.mini_login_with_phone("xiaoming").await;
    assert_eq!(told.json()["user"]["phone_number"], NUMBER);
    let identity = phone.who(&told).await;
    assert_eq!((identity.text("phone_number"), &identity.claims["phone_number_verified"]), (NUMBER, &json!(true)));
    let account = stack.resolver.user(identity.sub()).await;
    assert_eq!((&account["phone_number"], &account["phone_number_verified"]), (&json!(NUMBER), &json!(true)));

    let quirks = Quirks { numeric_country_code: true, ..Quirks::default() };
    stack.wechat.set_quirks(quirks);
    stack.wechat.put_person("wing", Person::new("Wing").with_phone("852", "91234567")).unwrap();
    stack.wechat.put_person("ming", Person::new("Ming").with_phone("852", "13800138000")).unwrap();
    assert_eq!(phone.mini_login_with_phone("wing").await.json()["user"]["phone_number"], "+85291234567");
    assert_eq!(phone.mini_login_with_phone("ming").await.json()["user"]["phone_number"], "+85213800138000", "two countries, two numbers");

    let browser = stack.visitor();
    browser.login("pc", "xiaoming").await.assert_status(200);
    assert_eq!(browser.whoami().await.sub(), identity.sub(), "one unionid, one account");
    assert_eq!((stack.accounts().await, stack.new_users().await), (3, 3));
    stack.finish().await;
}

#[tokio::test]
async fn data_under_the_session_key_counts_for_a_number_of_this_login_alone() {
    let stack = builder().without_rate_limit().start().await;
    let phone = Client::of(&stack);
    let post = async |code: String, data: &wxgate_tests::wechat_sim::OpenData| {
        let sent = json!({"code": code, "encrypted_data": data.encrypted_data, "iv": data.iv});
        phone.post("/wxgate/code/mini", &sent).await
    };
    let code = phone.wx_login("xiaoming");
    let data = stack.wechat.phone_number(MINI, "xiaoming", true).unwrap().data.unwrap();
    let session = post(code, &data).await;
    assert_eq!(session.json()["user"]["phone_number"], NUMBER);
    assert_eq!(asked(&stack, "/wxa/business/getuserphonenumber"), 0);

    // Logged in once more: there is another key, and the data was made under the one before.
    post(phone.wx_login("xiaoming"), &data).await.assert_failure(400, "phone_number_rejected");
    // Two people on one device.
    let code = phone.wx_login("xiaohong");
    post(code, &data).await.assert_failure(400, "phone_number_rejected");

    let info = |timestamp: u64, app_id: &str| {
        json!({"phoneNumber": "13800138000", "purePhoneNumber": "13800138000", "countryCode": "86",
               "openId": stack.wechat.openid("xiaohong", MINI), "watermark": {"timestamp": timestamp, "appid": app_id}})
        .to_string()
    };
    let sealed = [
        (info(now(), MINI), true),
        (info(now() - 290, MINI), true),
        (info(now() - 310, MINI), false),
        (info(now() + 400, MINI), false),
        (info(now(), APP), false),
        (info(now(), MINI).replace("\"86\"", "\"0086\""), false),
        (info(now(), MINI).replace("\"13800138000\"", "\"+86 138 0013 8000\""), false),
        ("{}".into(), false),
        ("no JSON".into(), false),
        (String::new(), false),
    ];
    for (plaintext, counts) in sealed {
        let code = phone.wx_login("xiaoming");
        let data = stack.wechat.seal_open_data(MINI, "xiaoming", &plaintext).unwrap().unwrap();
        let answer = post(code, &data).await;
        match counts {
            true => assert_eq!(phone.who(&answer).await.claims["wechat"]["openid"], stack.wechat.openid("xiaoming", MINI), "{plaintext}"),
            false => drop(answer.assert_failure(400, "phone_number_rejected")),
        }
    }
    for (data, iv) in
        [("", "AAAAAAAAAAAAAAAAAAAAAA=="), ("AAAA", "AAAA"), ("!", "!"), ("AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAA==")]
    {
        let sent = json!({"code": phone.wx_login("xiaoming"), "encrypted_data": data, "iv": iv});
        let answer = phone.post("/wxgate/code/mini", &sent).await;
        answer.assert_status(400);
        assert!(["phone_number_rejected", "malformed_body"].contains(&answer.json()["error"].as_str().unwrap()), "{answer}");
    }
    assert_eq!(stack.accounts().await, 1, "who was refused has no account");
    stack.finish().await;
}

#[tokio::test]
async fn a_code_is_good_for_one_login_of_one_person_at_one_mini_program() {
    let stack = builder().without_rate_limit().start().await;
    let phone = Client::of(&stack);
    let post = async |sent: Value| phone.post("/wxgate/code/mini", &sent).await;

    let code = phone.wx_login("xiaoming");
    post(json!({"code": code})).await.assert_status(200);
    post(json!({"code": code})).await.assert_failure(400, "code_rejected");
    let theirs = stack.wechat.phone_number(MINI, "xiaohong", true).unwrap().code.unwrap();
    post(json!({"code": phone.wx_login("xiaoming"), "phone_code": theirs})).await.assert_failure(400, "phone_number_rejected");
    assert_eq!(phone.mini_login("xiaoming").await.json()["user"].get("phone_number"), None, "nobody else's number is anybody's");
    let spent = stack.wechat.phone_number(MINI, "xiaoming", true).unwrap().code.unwrap();
    post(json!({"code": phone.wx_login("xiaoming"), "phone_code": spent})).await.assert_status(200);
    post(json!({"code": phone.wx_login("xiaoming"), "phone_code": spent})).await.assert_failure(400, "phone_number_rejected");
    let login_code = phone.wx_login("xiaoming");
    post(json!({"code": phone.wx_login("xiaoming"), "phone_code": login_code})).await.assert_failure(400, "phone_number_rejected");

    let sdk = phone.agreed_at_wechat("xiaoming").await;
    post(json!({"code": sdk["code"]})).await.assert_failure(400, "code_rejected");
    let old = phone.wx_login("xiaoming");
    stack.wechat.advance(Duration::from_secs(301));
    post(json!({"code": old})).await.assert_failure(400, "code_rejected");
    assert_eq!(stack.accounts().await, 1);

    // What a client says of itself is nobody's business.
    let claimed = json!({"code": phone.wx_login("xiaohong"), "openid": stack.wechat.openid("xiaoming", MINI), "session_key": "AAAA",
        "unionid": stack.wechat.unionid("xiaoming", "main"), "is_snapshotuser": "1", "phone_number": NUMBER});
    let session = post(claimed).await;
    assert_eq!(phone.who(&session).await.claims["wechat"]["openid"], stack.wechat.openid("xiaohong", MINI));
    assert_eq!(session.json()["user"].get("phone_number"), None);
    stack.finish().await;
}

#[tokio::test]
async fn with_a_nonce_of_the_client_an_answer_may_get_lost() {
    let stack = builder().envoys(2).concurrency(4).start().await;
    let phone = Client::of(&stack);
    let number = stack.wechat.phone_number(MINI, "xiaoming", true).unwrap().code.unwrap();
    let sent = json!({"code": phone.wx_login("xiaoming"), "phone_code": number, "nonce": random()});
    let first = phone.post("/wxgate/code/mini", &sent).await;
    let again = phone.via(1).post("/wxgate/code/mini", &sent).await;
    assert_eq!(phone.who(&first).await.text("sid"), phone.who(&again).await.text("sid"));
    assert_eq!(again.json()["user"]["phone_number"], NUMBER);
    assert_eq!(asked(&stack, "/wxa/business/getuserphonenumber"), 1);

    // The resolver has logged them in, and its answer is lost on the way to us, twice.
    stack.resolver_wire.set_on("/v1/logins", Fault::Cut(0)).await;
    let sent = json!({"code": phone.wx_login("xiaoming"), "nonce": random()});
    phone.post("/wxgate/code/mini", &sent).await.assert_failure(503, "accounts_unavailable");
    stack.resolver_wire.set(Fault::None).await;
    phone.post("/wxgate/code/mini", &sent).await.assert_status(200);

    for other in [json!({"code": sent["code"], "nonce": random()}), json!({"code": sent["code"]})] {
        phone.post("/wxgate/code/mini", &other).await.assert_failure(400, "code_rejected");
    }
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn the_session_key_and_the_server_token_are_seen_by_nobody() {
    let stack = builder().start().await;
    let phone = Client::of(&stack);
    // So that it can be asked for behind the gate's back.
    stack.wechat.set_quirks(Quirks { same_session_key: true, ..Quirks::default() });
    let code = phone.wx_login("xiaoming");
    let asked_directly = wxgate_tests::http::exchange(
        stack.wechat_origin.strip_prefix("http://").unwrap().parse().unwrap(),
        "GET",
        &format!("/sns/jscode2session?appid={MINI}&secret={}&js_code={code}&grant_type=authorization_code", "0004demo".repeat(4)),
        &[("host".to_owned(), b"api.weixin.qq.com".to_vec())],
        b"",
    )
    .await;
    let key = asked_directly.json()["session_key"].as_str().expect("a session key").to_owned();
    let raw = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &key).unwrap();
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();

    let mut told = String::new();
    told += &phone.mini_login_with_phone("xiaoming").await.text();
    let data = stack.wechat.phone_number(MINI, "xiaoming", true).unwrap().data.unwrap();
    let sent = json!({"code": phone.wx_login("xiaoming"), "encrypted_data": data.encrypted_data, "iv": data.iv});
    told += &phone.post("/wxgate/code/mini", &sent).await.assert_status(200).text();
    told += &phone.launch_login("xiaoming").await.text();
    stack.wechat.set_faults(vec![wxgate_tests::wechat_sim::Fault::on(
        "/sns/jscode2session",
        wxgate_tests::wechat_sim::Effect::Truncate { keep_bytes: None, hang_up: false },
    )]);
    told += &phone.mini_login("xiaoming").await.assert_failure(503, "wechat_unavailable").text();

    let tokens: Vec<_> = stack.wechat.journal().iter().filter_map(|entry| entry.parameter("access_token").map(str::to_owned)).collect();
    assert!(!tokens.is_empty());
    for secret in [&key, key.trim_end_matches('='), &hex].into_iter().map(str::to_owned).chain(tokens) {
        assert!(!told.contains(&secret), "{secret} in {told}");
        stack.add_secret(&secret);
    }
    // In no log either, nor in Envoy's admin interface, nor in what the operator reads.
    stack.finish().await;
}

#[tokio::test]
async fn the_operator_decides_whether_a_phone_number_is_taken() {
    let with = |policy: &'static str| {
        builder().config(move |json| {
            let connectors = json["connectors"].as_array_mut().unwrap();
            connectors.iter_mut().find(|connector| connector["id"] == "mini").unwrap()["phone_number"] = policy.into();
        })
    };
    let stack = with("required").start().await;
    let phone = Client::of(&stack);
    let code = phone.wx_login("xiaoming");
    phone.post("/wxgate/code/mini", &json!({"code": code})).await.assert_failure(400, "phone_number_required");
    let number = stack.wechat.phone_number(MINI, "xiaoming", true).unwrap().code.unwrap();
    let session = phone.post("/wxgate/code/mini", &json!({"code": code, "phone_code": number})).await;
    assert_eq!(session.json()["user"]["phone_number"], NUMBER, "the code was not spent on the refusal");
    stack.finish().await;

    let stack = with("off").start().await;
    let phone = Client::of(&stack);
    assert_eq!(phone.mini_login_with_phone("xiaoming").await.json()["user"].get("phone_number"), None);
    assert_eq!(asked(&stack, "/wxa/business/getuserphonenumber"), 0);
    stack.finish().await;
}

#[tokio::test]
async fn a_phone_number_finds_the_one_account_that_has_proved_it() {
    let stack = builder().start().await;
    let phone = Client::of(&stack);
    let admin = &stack.resolver;
    for connector in ["mini", "launch"] {
        admin.set_policy(connector, json!({"binding": "field", "on_no_match": "refuse"})).await;
    }
    let known = admin.create_user(json!({"name": "以前的名字", "phone_number": NUMBER, "phone_number_verified": true})).await;
    admin.create_user(json!({"phone_number": "+8613800138001", "phone_number_verified": false})).await;
    admin.create_user(json!({"phone_number": "+85213800138000", "phone_number_verified": true})).await;

    phone.mini_login("xiaoming").await.assert_failure(403, "no_match");
    let bound = phone.mini_login_with_phone("xiaoming").await;
    assert_eq!(phone.sub(&bound).await, known);
    assert_eq!(phone.sub(&phone.mini_login("xiaoming").await).await, known, "from now on one click is enough");
    assert_eq!(phone.sub(&phone.launch_login("xiaoming").await).await, known, "by every method of the platform");

    phone.mini_login_with_phone("xiaohong").await.assert_failure(403, "no_match");
    admin.set_policy("mini", json!({"binding": "field"})).await;
    let made = phone.sub(&phone.mini_login_with_phone("xiaohong").await).await;
    assert_eq!((stack.new_users().await, stack.accounts().await), (1, 4), "an unproved number is nobody's");
    assert_ne!(made, known);

    // By then two accounts have proved one number, each in its own way: nobody is found by it.
    admin.change_user(&known, json!({"phone_number": "+8613900139000", "phone_number_verified": true})).await;
    stack.wechat.put_person("twin", Person::new("Twin").with_phone("86", "13900139000")).unwrap();
    stack.wechat.put_person("other", Person::new("Other").with_phone("86", "13900139000")).unwrap();
    admin.set_policy("mini", json!({"binding": "none"})).await;
    let twin = phone.sub(&phone.mini_login_with_phone("twin").await).await;
    assert_ne!(twin, known);
    let holders: Vec<_> = [admin.user(&known).await, admin.user(&twin).await].iter().map(|user| user["phone_number"].clone()).collect();
    assert_eq!(holders, ["+8613900139000", "+8613900139000"]);
    admin.set_policy("mini", json!({"binding": "field", "on_no_match": "refuse"})).await;
    phone.mini_login_with_phone("other").await.assert_failure(403, "no_match");
    stack.finish().await;
}

#[tokio::test]
async fn a_session_ends_for_its_bearer_too() {
    let stack = builder().start().await;
    let phone = Client::of(&stack);
    let session = phone.mini_login("xiaoming").await;
    let bearer = phone.bearer(&session);
    assert!(bearer.is_logged_in().await);
    let sub = bearer.whoami().await.sub().to_owned();
    stack.resolver.sign_out_everywhere(&sub).await;
    // Each worker looks at what has ended four times a second.
    let refused = wxgate_tests::eventually(Duration::from_secs(10), "the session has ended", async || {
        let answer = bearer.api("/orders").await;
        (answer.status != 200).then_some(answer)
    });
    refused.await.assert_failure(401, "login_required");
    stack.finish().await;
}
