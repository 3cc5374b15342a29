//! An official account: QR codes with a parameter, followers, and the events that its server is told.

use std::time::Duration;

use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;
use wechat_sim::{ActError, App, Delivery, Limits, Push, Simulator};

use crate::push_server::{KEY, PushServer, TOKEN, element};
use crate::support::{ACCOUNT, ACCOUNT_SECRET, MOBILE, PLATFORM, PROGRAM, SITE, Story, read_qr, refused};

async fn with_server() -> (Story, PushServer) {
    let (story, server) = (Story::begin(), PushServer::start().await);
    story.sim.configure_push(ACCOUNT, Push::safe(&server.url, TOKEN, KEY)).await.unwrap();
    (story, server)
}

async fn create(story: &Story, body: Value) -> crate::support::Answer {
    story.call(ACCOUNT, "/cgi-bin/qrcode/create", &body).await
}

fn text_scene(scene: &str) -> Value {
    json!({"expire_seconds": 600, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": scene}}})
}

fn told(delivery: Option<Delivery>, name: &str) -> String {
    element(&delivery.unwrap().message, name).unwrap()
}

#[tokio::test]
async fn scanning_follows_first_and_scans_afterwards() {
    let (story, server) = with_server().await;
    let code = create(&story, text_scene("login_9f2c")).await;
    assert_eq!(code.json()["expire_seconds"], 600);
    let (ticket, url) = (code.field("ticket"), code.field("url"));
    assert!(url.starts_with("http://weixin.qq.com/q/") && code.text().contains(r"http:\/\/weixin.qq.com\/q\/"), "{}", code.text());

    let first = story.sim.scan_account_code(&url, "xiaoming").await.unwrap().unwrap();
    let message = server.last().decrypted(ACCOUNT);
    assert_eq!(first.message, message);
    let field = |name: &str| element(&message, name).unwrap();
    assert_eq!([field("MsgType"), field("Event"), field("EventKey")], ["event", "subscribe", "qrscene_login_9f2c"]);
    assert_eq!(field("Ticket"), ticket);
    assert_eq!(field("FromUserName"), story.sim.openid("xiaoming", ACCOUNT));
    assert_eq!(field("ToUserName"), story.sim.original_id(ACCOUNT));
    assert!(story.sim.is_following(ACCOUNT, "xiaoming"));

    let second = story.sim.scan_account_code(&ticket, "xiaoming").await.unwrap();
    assert_eq!([told(second.clone(), "Event"), told(second.clone(), "EventKey"), told(second, "Ticket")], ["SCAN", "login_9f2c", &ticket]);
    story.sim.advance(Duration::from_secs(600));
    assert!(matches!(story.sim.scan_account_code(&url, "xiaohong").await, Err(ActError::NotACode(_))), "too old");
}

#[tokio::test]
async fn each_kind_of_code_has_its_scene_and_its_life() {
    let (story, _server) = with_server().await;
    let numbered = json!({"action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": 4_294_967_295_u32}}});
    let code = create(&story, numbered).await;
    assert_eq!(code.json()["expire_seconds"], 60, "where nothing is said");
    let delivery = story.sim.scan_account_code(&code.field("url"), "xiaoming").await.unwrap();
    assert_eq!(told(delivery, "EventKey"), "qrscene_4294967295");

    let permanent = json!({"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": "door"}}});
    let code = create(&story, permanent).await;
    assert!(code.json().get("expire_seconds").is_none());
    story.sim.advance(Duration::from_secs(40 * 24 * 3600));
    assert!(story.sim.scan_account_code(&code.field("url"), "xiaoming").await.is_ok());

    let refuse = async |name: &str, scene: Value, life: u64| {
        let body = json!({"expire_seconds": life, "action_name": name, "action_info": {"scene": scene}});
        create(&story, body).await.server_refusal().0
    };
    assert_eq!(refuse("QR_WHAT", json!({"scene_str": "a"}), 60).await, 40052);
    for (name, scene, life) in [
        ("QR_STR_SCENE", json!({"scene_str": ""}), 60),
        ("QR_STR_SCENE", json!({"scene_str": "x".repeat(65)}), 60),
        ("QR_STR_SCENE", json!({"scene_id": 1}), 60),
        ("QR_STR_SCENE", json!({"scene_str": "a"}), 2_592_001),
        ("QR_SCENE", json!({"scene_id": 0}), 60),
        ("QR_LIMIT_SCENE", json!({"scene_id": 100_001}), 60),
    ] {
        assert_eq!(refuse(name, scene.clone(), life).await, 40053, "{name} {scene} {life}");
    }
}

#[tokio::test]
async fn only_verified_official_accounts_have_such_codes() {
    let story = Story::begin();
    for appid in [SITE, PROGRAM, MOBILE] {
        let answer = story.call(appid, "/cgi-bin/qrcode/create", &text_scene("s")).await;
        assert_eq!(answer.server_refusal(), refused(48001, "api unauthorized"));
    }
    story.sim.put_app(ACCOUNT, App::official_account(ACCOUNT_SECRET).unverified()).unwrap();
    assert_eq!(create(&story, text_scene("s")).await.server_refusal().0, 48001);
    story.sim.put_app(ACCOUNT, App::official_account(ACCOUNT_SECRET)).unwrap();
    let with_token = async |method: &str, body: &str| {
        let token = story.stable_token(ACCOUNT, false).await.field("access_token");
        story.control(method, &format!("/cgi-bin/qrcode/create?access_token={token}"), body).await.server_refusal().0
    };
    assert_eq!((with_token("POST", "").await, with_token("POST", "a=b").await, with_token("GET", "").await), (44002, 47001, 43002));
    story.at_midnight_in_beijing();
    story.sim.set_limits(Limits { qrcode_per_day: 0, ..Limits::default() });
    assert_eq!(create(&story, text_scene("s")).await.server_refusal().0, 45009);
}

#[tokio::test]
async fn a_tickets_picture_shows_the_codes_address() {
    let story = Story::with(Simulator::builder().public_origin("http://192.168.1.7:9400"));
    let code = create(&story, text_scene("s")).await;
    let (ticket, url) = (code.field("ticket"), code.field("url"));
    assert!(url.starts_with("http://192.168.1.7:9400/q/"), "a phone can open it: {url}");
    let encoded: String = byte_serialize(ticket.as_bytes()).collect();
    assert_ne!(encoded, ticket, "it has to be encoded");
    let picture = story.get(&format!("/cgi-bin/showqrcode?ticket={encoded}")).await;
    assert_eq!((picture.status.as_u16(), picture.header("content-type")), (200, "image/jpg"));
    assert_eq!(read_qr(&picture.bytes), url);
    assert_eq!(story.get("/cgi-bin/showqrcode?ticket=gQwrong").await.status, 404);
}

#[tokio::test]
async fn user_info_knows_followers_and_nobody_else() {
    let story = Story::begin();
    let info = async |openid: &str| {
        let token = story.stable_token(ACCOUNT, false).await.field("access_token");
        story.get(&format!("/cgi-bin/user/info?access_token={token}&openid={openid}&lang=zh_CN")).await
    };
    let openid = story.sim.openid("xiaoming", ACCOUNT);
    assert_eq!(info(&openid).await.json(), json!({"subscribe": 0, "openid": openid, "tagid_list": []}));

    let code = create(&story, text_scene("login_1")).await;
    story.sim.scan_account_code(&code.field("url"), "xiaoming").await.unwrap();
    let follower = info(&openid).await.json();
    assert_eq!((&follower["subscribe"], &follower["openid"]), (&json!(1), &json!(openid)));
    assert_eq!(follower["unionid"], story.sim.unionid("xiaoming", PLATFORM));
    assert_eq!((&follower["subscribe_scene"], &follower["qr_scene_str"]), (&json!("ADD_SCENE_QR_CODE"), &json!("login_1")));
    assert_eq!((&follower["nickname"], &follower["headimgurl"]), (&json!(""), &json!("")));

    story.sim.follow(ACCOUNT, "xiaohong").await.unwrap();
    let by_search = info(&story.sim.openid("xiaohong", ACCOUNT)).await.json();
    assert_eq!(by_search["subscribe_scene"], "ADD_SCENE_SEARCH");
    story.sim.unbind_app(ACCOUNT).unwrap();
    assert!(info(&openid).await.json().get("unionid").is_none());

    assert_eq!(info("o-made-up").await.server_refusal(), refused(40003, "invalid openid"));
    assert_eq!(info(&story.sim.openid("xiaoming", SITE)).await.server_refusal().0, 40003, "another app's");
    assert_eq!(info("").await.server_refusal(), refused(41009, "missing openid"));
}

#[tokio::test]
async fn following_leaving_tapping_and_writing_are_events() {
    let (story, server) = with_server().await;
    let sim = &story.sim;
    assert_eq!(told(sim.follow(ACCOUNT, "xiaoming").await.unwrap(), "Event"), "subscribe");
    assert_eq!(element(&server.last().decrypted(ACCOUNT), "EventKey").as_deref(), Some(""));
    assert_eq!(sim.follow(ACCOUNT, "xiaoming").await.unwrap(), None, "nothing new");
    let click = sim.click(ACCOUNT, "xiaoming", "MENU_1").await.unwrap();
    assert_eq!([told(click.clone(), "Event"), told(click, "EventKey")], ["CLICK", "MENU_1"]);
    assert_eq!(told(sim.write(ACCOUNT, "xiaoming", "hello").await.unwrap(), "Content"), "hello");
    assert_eq!(told(sim.unfollow(ACCOUNT, "xiaoming").await.unwrap(), "Event"), "unsubscribe");
    assert!(matches!(sim.click(ACCOUNT, "xiaoming", "MENU_1").await, Err(ActError::NotAFollower(_))));
    assert!(matches!(sim.follow(SITE, "xiaoming").await, Err(ActError::NotThatKindOfApp(_))));
}

#[tokio::test]
async fn whoever_takes_an_authorization_back_is_in_openid() {
    let (story, server) = with_server().await;
    story.sim.set_push(SITE, Some(Push::safe(&server.url, TOKEN, KEY))).unwrap();
    let revoked = story.sim.revoke_authorization(SITE, "xiaoming", "301").await.unwrap().unwrap();
    assert!(revoked.is_accepted);
    let message = server.last().decrypted(SITE);
    let field = |name: &str| element(&message, name).unwrap();
    assert_eq!([field("Event"), field("AppID"), field("RevokeInfo")], ["user_authorization_revoke", SITE, "301"]);
    assert_eq!(field("OpenID"), story.sim.openid("xiaoming", SITE));
    assert_ne!(field("FromUserName"), field("OpenID"));
    let body = json!({"appid": SITE, "person": "xiaoming"}).to_string();
    let cancelled = story.control("POST", "/sim/authorization/cancel", &body).await.json();
    assert_eq!(cancelled["name"], "user_authorization_cancellation");
    assert_eq!(story.control("POST", "/sim/authorization/revoke", &body).await.json()["is_accepted"], true);
}

#[tokio::test]
async fn a_script_plays_followers() {
    let (story, _server) = with_server().await;
    let play = async |step: &str, body: Value| story.control("POST", &format!("/sim/account/{step}"), &body.to_string()).await.json();
    let url = create(&story, text_scene("s")).await.field("url");
    assert_eq!(play("scan", json!({"url": url, "person": "xiaoming"})).await["name"], "subscribe");
    let who = json!({"appid": ACCOUNT, "person": "xiaoming"});
    assert_eq!(play("follow", who.clone()).await, json!(null));
    assert_eq!(play("click", json!({"appid": ACCOUNT, "person": "xiaoming", "key": "K"})).await["is_accepted"], true);
    assert_eq!(play("write", json!({"appid": ACCOUNT, "person": "xiaoming", "content": "c"})).await["name"], "text");
    assert_eq!(story.get("/sim/people").await.json()["xiaoming"]["follows"], json!([ACCOUNT]));
    assert_eq!(play("unfollow", who).await["name"], "unsubscribe");
    assert_eq!(story.sim.deliveries().len(), 4);
}
