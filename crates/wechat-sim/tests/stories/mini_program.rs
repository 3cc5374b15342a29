//! Mini programs: login codes, phone numbers, encrypted data, codes to scan, links, and apps that open them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wechat_sim::crypto::open_data;
use wechat_sim::{ActError, App, AppLaunch, EnvVersion, Limits, OpenData, Person, Quirks};

use crate::support::{MOBILE, PLATFORM, PROGRAM, PROGRAM_SECRET, SITE, SITE_SECRET, Story, read_qr, refused};

#[tokio::test]
async fn a_login_code_buys_an_openid_a_unionid_and_a_session_key_once() {
    let story = Story::begin();
    let code = story.sim.wx_login(PROGRAM, "xiaoming").unwrap();
    let answer = story.session_of(PROGRAM, PROGRAM_SECRET, &code).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/plain"));
    assert!(answer.json().get("errcode").is_none());
    assert_eq!(answer.json()["openid"], story.sim.openid("xiaoming", PROGRAM));
    assert_eq!(answer.json()["unionid"], story.sim.unionid("xiaoming", PLATFORM));
    // The slashes of base64 are escaped, as everywhere.
    let session_key = answer.field("session_key");
    assert_eq!((session_key.len(), STANDARD.decode(&session_key).unwrap().len()), (24, 16));
    assert_eq!(story.session_of(PROGRAM, PROGRAM_SECRET, &code).await.refusal(), refused(40163, "code been used"));

    story.sim.unbind_app(PROGRAM).unwrap();
    let code = story.sim.wx_login(PROGRAM, "xiaoming").unwrap();
    assert!(story.session_of(PROGRAM, PROGRAM_SECRET, &code).await.json().get("unionid").is_none());
}

#[tokio::test]
async fn a_login_code_is_refused_in_wechats_words() {
    let story = Story::begin();
    let code = story.sim.wx_login(PROGRAM, "xiaoming").unwrap();
    let ask = async |appid: &str, secret: &str, code: &str| story.session_of(appid, secret, code).await.refusal();
    assert_eq!(ask("", PROGRAM_SECRET, &code).await, refused(41002, "appid missing"));
    assert_eq!(ask("wx00000000000000ff", PROGRAM_SECRET, &code).await, refused(40013, "invalid appid"));
    assert_eq!(ask(PROGRAM, "", &code).await, refused(41004, "appsecret missing"));
    assert_eq!(ask(PROGRAM, PROGRAM_SECRET, "").await, refused(41008, "missing code"));
    assert_eq!(ask(PROGRAM, PROGRAM_SECRET, "made-up").await, refused(40029, "invalid code"));
    assert_eq!(ask(SITE, SITE_SECRET, &code).await, refused(40029, "invalid code"), "another app's");
    assert_eq!(ask(PROGRAM, "wrong", &code).await, refused(40125, "invalid appsecret"));
    assert_eq!(story.exchange(PROGRAM, PROGRAM_SECRET, &code).await.refusal().0, 40029, "not for sns/oauth2");
    let phone_code = story.sim.phone_number(PROGRAM, "xiaoming", true).unwrap().code.unwrap();
    assert_eq!(ask(PROGRAM, PROGRAM_SECRET, &phone_code).await.0, 40029, "not a phone code either");

    story.sim.advance(Duration::from_secs(300));
    assert_eq!(ask(PROGRAM, PROGRAM_SECRET, &code).await, refused(40029, "invalid code"), "five minutes");
    story.sim.set_quirks(Quirks { expired_code_is_42003: true, ..Quirks::default() });
    assert_eq!(ask(PROGRAM, PROGRAM_SECRET, &code).await.0, 42003);

    story.sim.put_person("heimao", Person { is_blocked: true, ..Person::new("黑猫") }).unwrap();
    let code = story.sim.wx_login(PROGRAM, "heimao").unwrap();
    assert_eq!(ask(PROGRAM, PROGRAM_SECRET, &code).await, refused(40226, "code blocked"));

    story.at_midnight_in_beijing();
    story.sim.set_limits(Limits { login_per_person_and_minute: 0, ..Limits::default() });
    let code = story.sim.wx_login(PROGRAM, "xiaoming").unwrap();
    assert_eq!(ask(PROGRAM, PROGRAM_SECRET, &code).await.0, 45011);
    assert_eq!(story.sim.wx_login(SITE, "xiaoming"), Err(ActError::NotThatKindOfApp(SITE.into())));
}

#[tokio::test]
async fn a_phone_code_buys_the_number_once() {
    let story = Story::begin();
    let answer = story.sim.phone_number(PROGRAM, "xiaoming", true).unwrap();
    assert_eq!(answer.err_msg, "getPhoneNumber:ok");
    let code = answer.code.unwrap();
    let ask = async |body: Value| story.call(PROGRAM, "/wxa/business/getuserphonenumber", &body).await;
    assert_eq!(ask(json!({"code": "made-up"})).await.server_refusal(), refused(40029, "invalid code"));
    assert_eq!(ask(json!({"code": code, "openid": "o"})).await.server_refusal(), refused(40003, "invalid openid"));
    assert_eq!(ask(json!({"phone": code})).await.server_refusal().0, 47001);

    let openid = story.sim.openid("xiaoming", PROGRAM);
    let bought = ask(json!({"code": code, "openid": openid})).await;
    let expected = json!({"errcode": 0, "errmsg": "ok", "phone_info": {
        "phoneNumber": "13800138000", "purePhoneNumber": "13800138000", "countryCode": "86",
        "watermark": {"timestamp": bought.json()["phone_info"]["watermark"]["timestamp"], "appid": PROGRAM},
    }});
    assert_eq!(bought.json(), expected);
    assert_eq!(ask(json!({"code": code})).await.server_refusal(), refused(40029, "invalid code"), "spent");

    let login_code = story.sim.wx_login(PROGRAM, "xiaoming").unwrap();
    assert_eq!(ask(json!({"code": login_code})).await.server_refusal().0, 40029, "a login code is another kind");
    let late = story.sim.phone_number(PROGRAM, "xiaoming", true).unwrap().code.unwrap();
    story.sim.advance(Duration::from_secs(300));
    assert_eq!(ask(json!({"code": late})).await.server_refusal().0, 40029);
}

#[tokio::test]
async fn a_phone_code_is_for_its_own_mini_program_with_a_json_body_and_a_verified_account() {
    let story = Story::begin();
    let another = "wx00000000000000f6";
    story.sim.put_app(another, App::mini_program(&"f6".repeat(16)).on_platform(PLATFORM)).unwrap();
    let code = story.sim.phone_number(another, "xiaoming", true).unwrap().code.unwrap();
    let path = "/wxa/business/getuserphonenumber";
    assert_eq!(story.call(PROGRAM, path, &json!({"code": code})).await.server_refusal(), refused(40013, "invalid appid"));
    assert_eq!(story.call(SITE, path, &json!({"code": code})).await.server_refusal(), refused(48001, "api unauthorized"));
    assert_eq!(story.control("POST", path, "{}").await.server_refusal().0, 41001);
    let with_token = format!("{path}?access_token={}", story.program_token().await);
    assert_eq!(story.control("POST", &with_token, "code=abc").await.server_refusal().0, 47001);
    assert_eq!(story.get(&with_token).await.server_refusal().0, 43002);

    story.sim.put_app(another, App::mini_program(&"f6".repeat(16)).unverified()).unwrap();
    assert_eq!(story.call(another, path, &json!({"code": code})).await.server_refusal().0, 48001);
    assert_eq!(story.sim.phone_number(another, "xiaoming", true).unwrap().err_msg, "getPhoneNumber:fail no permission");
}

#[tokio::test]
async fn somebody_may_refuse_live_abroad_or_have_no_number() {
    let story = Story::begin();
    let refusal = story.sim.phone_number(PROGRAM, "xiaoming", false).unwrap();
    assert_eq!((refusal.err_msg.as_str(), refusal.code, refusal.data), ("getPhoneNumber:fail user deny", None, None));
    assert!(matches!(story.sim.phone_number(PROGRAM, "xiaohong", true), Err(ActError::NoPhoneNumber(_))));

    story.sim.put_person("ahong", Person::new("阿红").with_phone("852", "91234567")).unwrap();
    story.sim.set_quirks(Quirks { numeric_country_code: true, ..Quirks::default() });
    let code = story.sim.phone_number(PROGRAM, "ahong", true).unwrap().code.unwrap();
    let info = story.call(PROGRAM, "/wxa/business/getuserphonenumber", &json!({"code": code})).await.json();
    assert_eq!(info["phone_info"]["phoneNumber"], "+85291234567");
    assert_eq!(info["phone_info"]["purePhoneNumber"], "91234567");
    assert_eq!(info["phone_info"]["countryCode"], 852);
}

#[tokio::test]
async fn encrypted_data_opens_with_the_session_key_of_the_latest_login() {
    let story = Story::begin();
    assert!(story.sim.phone_number(PROGRAM, "xiaoming", true).unwrap().data.is_none(), "nobody has logged in");
    let log_in = async || {
        let code = story.sim.wx_login(PROGRAM, "xiaoming").unwrap();
        story.session_of(PROGRAM, PROGRAM_SECRET, &code).await.field("session_key")
    };
    let old_key = log_in().await;
    let data = story.sim.phone_number(PROGRAM, "xiaoming", true).unwrap().data.unwrap();
    let open = |key: &str, data: &OpenData| {
        let text = open_data::decrypt(key, &data.iv, &data.encrypted_data).ok()?;
        serde_json::from_slice::<Value>(&text).ok()
    };
    let phone = open(&old_key, &data).unwrap();
    assert_eq!((&phone["phoneNumber"], &phone["watermark"]["appid"]), (&json!("13800138000"), &json!(PROGRAM)));

    let new_key = log_in().await;
    assert_ne!(new_key, old_key, "each login has a key of its own");
    let profile = story.sim.user_info(PROGRAM, "xiaoming").unwrap().unwrap();
    assert_eq!(open(&old_key, &profile), None, "padding or text tell that it is another key");
    let opened = open(&new_key, &profile).unwrap();
    assert_eq!(opened["openId"], story.sim.openid("xiaoming", PROGRAM));
    assert_eq!(opened["unionId"], story.sim.unionid("xiaoming", PLATFORM));
    let raw = profile.raw_data.unwrap();
    assert_eq!(profile.signature.unwrap(), open_data::raw_data_signature(&raw, &new_key));
    assert!(!raw.contains("openId"));

    story.sim.set_quirks(Quirks { same_session_key: true, ..Quirks::default() });
    assert_eq!(log_in().await, new_key);
}

#[tokio::test]
async fn a_test_may_encrypt_what_wechat_never_would() {
    let story = Story::begin();
    assert_eq!(story.sim.seal_open_data(PROGRAM, "xiaoming", "{}").unwrap(), None, "nobody has logged in");
    let code = story.sim.wx_login(PROGRAM, "xiaoming").unwrap();
    let key = story.session_of(PROGRAM, PROGRAM_SECRET, &code).await.field("session_key");
    let body = json!({"appid": PROGRAM, "person": "xiaoming", "plaintext": "no JSON"}).to_string();
    let sealed = story.control("POST", "/sim/mini-program/seal", &body).await;
    let opened = open_data::decrypt(&key, &sealed.field("iv"), &sealed.field("encryptedData")).unwrap();
    assert_eq!(opened, b"no JSON");
}

#[tokio::test]
async fn a_server_may_ask_whether_its_session_key_is_still_good() {
    let story = Story::begin();
    let token = story.program_token().await;
    let openid = story.sim.openid("xiaoming", PROGRAM);
    let check = async |signature: &str, method: &str| {
        let query = format!("access_token={token}&openid={openid}&signature={signature}&sig_method={method}");
        story.get(&format!("/wxa/checksession?{query}")).await.json()["errcode"].as_i64().unwrap()
    };
    assert_eq!(check("s", "hmac_sha256").await, 87007);
    let code = story.sim.wx_login(PROGRAM, "xiaoming").unwrap();
    let key = story.session_of(PROGRAM, PROGRAM_SECRET, &code).await.field("session_key");
    let signature = open_data::session_signature(&key, "").unwrap();
    assert_eq!(check(&signature, "hmac_sha256").await, 0);
    assert_eq!(check("s", "hmac_sha256").await, 87009);
    assert_eq!(check(&signature, "md5").await, 87008);
    story.sim.wx_login(PROGRAM, "xiaoming").unwrap();
    assert_eq!(check(&signature, "hmac_sha256").await, 87009, "another login has another key");
}

#[tokio::test]
async fn a_code_is_a_picture_that_a_phone_can_scan() {
    let story = Story::begin();
    let scene = "L-0_xyz.~!#$&'()*+,/:;=?@-";
    let asked = json!({"scene": scene, "page": "pages/login/login", "env_version": "release", "width": 300});
    let picture = story.call(PROGRAM, "/wxa/getwxacodeunlimit", &asked).await;
    assert_eq!((picture.status.as_u16(), picture.header("content-type")), (200, "image/jpeg"));
    let text = read_qr(&picture.bytes);

    let visit = story.sim.open_mini_program(&text, "xiaoming").unwrap();
    assert_eq!((visit.target.page.as_str(), visit.target.env_version), ("pages/login/login", EnvVersion::Release));
    assert_eq!(visit.target.scene().as_deref(), Some(scene));
    assert!(visit.target.query.starts_with("scene=L-0_xyz.%7E%21%23"), "onLoad gets it encoded: {}", visit.target.query);
    assert_eq!((visit.scene_number, visit.from_app), (1047, None));

    let codes = story.get("/sim/mini-program/codes").await.json();
    assert_eq!(codes[0]["scene"], scene);
    let opened = story.control("POST", "/sim/mini-program/open", &json!({"url": text, "person": "xiaohong"}).to_string()).await;
    assert_eq!(opened.json()["target"]["appid"], PROGRAM);
    assert!(matches!(story.sim.open_mini_program("https://example.com/", "xiaoming"), Err(ActError::NotACode(_))));
}

#[tokio::test]
async fn a_code_that_wechat_would_not_draw_is_json() {
    let story = Story::begin();
    let ask = async |body: Value| story.call(PROGRAM, "/wxa/getwxacodeunlimit", &body).await;
    let too_long = "invalid length for scene, or the data is not json string";
    assert_eq!(ask(json!({"scene": "x".repeat(33)})).await.server_refusal(), refused(40169, too_long));
    assert_eq!(ask(json!({"page": "pages/login/login"})).await.server_refusal(), refused(40169, too_long));
    for scene in ["a%20b", "a b", "登录", "a\"b"] {
        assert_eq!(ask(json!({"scene": scene})).await.server_refusal(), refused(40129, "invalid scene"), "{scene}");
    }
    for page in ["pages/none", "/pages/login/login", "pages/login/login?a=1"] {
        assert_eq!(ask(json!({"scene": "s", "page": page})).await.server_refusal(), refused(41030, "invalid page"), "{page}");
    }
    assert_eq!(ask(json!({"scene": "s", "env_version": "beta"})).await.server_refusal().0, 40097);
    assert_eq!(ask(json!({"scene": "s", "width": 100})).await.server_refusal().0, 40097);
    assert_eq!(story.call(SITE, "/wxa/getwxacodeunlimit", &json!({"scene": "s"})).await.server_refusal().0, 48001);
    let with_token = format!("/wxa/getwxacodeunlimit?access_token={}", story.program_token().await);
    assert_eq!(story.control("POST", &with_token, "scene=s").await.server_refusal(), refused(40169, too_long));
    assert_eq!(story.control("POST", "/wxa/getwxacodeunlimit", "{}").await.server_refusal().0, 41001);

    let unreleased = json!({"scene": "s", "page": "pages/none", "check_path": false});
    let code = read_qr(&ask(unreleased).await.bytes);
    assert!(matches!(story.sim.open_mini_program(&code, "xiaoming"), Err(ActError::NoSuchPage(_))), "drawn, but leads nowhere");
    let on_trial = json!({"scene": "s", "page": "pages/none", "check_path": false, "env_version": "trial"});
    let code = read_qr(&ask(on_trial).await.bytes);
    assert_eq!(story.sim.open_mini_program(&code, "xiaoming").unwrap().target.env_version, EnvVersion::Trial);

    story.at_midnight_in_beijing();
    story.sim.set_limits(Limits { wxacode_per_minute: 0, ..Limits::default() });
    assert_eq!(ask(json!({"scene": "s"})).await.server_refusal().0, 45009);
}

#[tokio::test]
async fn links_open_a_page_until_they_are_too_old() {
    let story = Story::begin();
    let jump = json!({"path": "/pages/login/login", "query": "ticket=a1", "env_version": "release"});
    let scheme = json!({"jump_wxa": jump, "is_expire": true, "expire_type": 1, "expire_interval": 1});
    let scheme = story.call(PROGRAM, "/wxa/generatescheme", &scheme).await;
    assert_eq!(scheme.json()["errcode"], 0);
    let openlink = scheme.field("openlink");
    assert!(openlink.starts_with("weixin://dl/business/?t="), "{openlink}");
    let visit = story.sim.open_mini_program(&openlink, "xiaoming").unwrap();
    assert_eq!((visit.target.page.as_str(), visit.target.query.as_str()), ("pages/login/login", "ticket=a1"));

    let link = json!({"path": "pages/login/login", "query": "ticket=a2", "expire_type": 1, "expire_interval": 30});
    let url_link = story.call(PROGRAM, "/wxa/generate_urllink", &link).await.field("url_link");
    assert!(url_link.starts_with("https://wxaurl.cn/"), "{url_link}");
    story.sim.advance(Duration::from_secs(24 * 3600));
    assert!(story.sim.open_mini_program(&openlink, "xiaoming").is_err());
    assert_eq!(story.sim.open_mini_program(&url_link, "xiaohong").unwrap().target.query, "ticket=a2");

    let refuse = async |change: (&str, Value)| {
        let mut body = link.clone();
        body[change.0] = change.1;
        story.call(PROGRAM, "/wxa/generate_urllink", &body).await.server_refusal().0
    };
    assert_eq!(refuse(("path", json!("pages/none"))).await, 40165);
    assert_eq!(refuse(("query", json!("a=登录"))).await, 40212);
    assert_eq!(refuse(("expire_interval", json!(31))).await, 85401);
    assert_eq!(refuse(("expire_type", json!(2))).await, 40097);
}

#[tokio::test]
async fn an_app_opens_a_mini_program_and_gets_something_back() {
    let story = Story::begin();
    let launch = |user_name: &str| AppLaunch {
        user_name: user_name.to_owned(),
        path: "pages/login/login?state=s1".to_owned(),
        mini_program_type: 0,
    };
    assert_eq!(story.sim.launch_mini_program(MOBILE, &launch(PROGRAM), "xiaoming"), Err(ActError::BadLaunch), "not the appid");
    let original_id = story.sim.original_id(PROGRAM);
    let visit = story.sim.launch_mini_program(MOBILE, &launch(&original_id), "xiaoming").unwrap();
    assert_eq!((visit.scene_number, visit.from_app.as_deref(), visit.target.query.as_str()), (1069, Some(MOBILE), "state=s1"));

    let path = format!("/sim/mini-program/visits/{}", visit.id);
    assert_eq!(story.get(&path).await.json()["handed_back"], json!(null));
    let back = story.control("POST", &format!("{path}/launch-app"), r#"{"app_parameter": "ticket-1"}"#).await;
    assert_eq!(back.json()["handed_back"], "ticket-1");
    assert_eq!(story.sim.visit(&visit.id).unwrap().handed_back.as_deref(), Some("ticket-1"));
    assert_eq!(story.get("/sim/mini-program/visits/none").await.status, 404);

    let code = read_qr(&story.call(PROGRAM, "/wxa/getwxacodeunlimit", &json!({"scene": "s"})).await.bytes);
    let scanned = story.sim.open_mini_program(&code, "xiaoming").unwrap();
    assert_eq!(story.sim.launch_app(&scanned.id, "t"), Err(ActError::InvalidLaunchScene), "no app to go back to");
    story.sim.bind_app(PROGRAM, "another").unwrap();
    assert_eq!(story.sim.launch_mini_program(MOBILE, &launch(&original_id), "xiaoming"), Err(ActError::BadLaunch), "not linked");
}
