//! The phone in a browser: its camera, an account's chat, a mini program.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{CONTENT_TYPE, COOKIE};
use serde_json::json;
use url::form_urlencoded::byte_serialize;
use wechat_sim::{App, AppLaunch, Push, Simulator, World};

use crate::push_server::{PushServer, TOKEN};
use crate::support::{ACCOUNT, MOBILE, PROGRAM, PROGRAM_SECRET, Story, path_of, qr_link, query_of, read_qr};

/// Of [`World::demo`].
const DEMO_ACCOUNT: &str = "wx0000000000000002";
/// See [`DEMO_ACCOUNT`].
const DEMO_PROGRAM: &str = "wx0000000000000004";
const XIAOMING: &str = "sim_person=xiaoming";

async fn account_code(story: &Story) -> (String, String) {
    let body = json!({"expire_seconds": 600, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "login_1"}}});
    let code = story.call(ACCOUNT, "/cgi-bin/qrcode/create", &body).await;
    let (_, id) = code.field("url").rsplit_once("/q/").map(|(host, id)| (host.to_owned(), id.to_owned())).unwrap();
    (code.field("url"), format!("/q/{id}"))
}

#[tokio::test]
async fn somebody_follows_reads_a_welcome_writes_and_leaves() {
    let (story, server) = (Story::begin(), PushServer::start().await);
    story.sim.set_push(ACCOUNT, Some(Push::plain(&server.url, TOKEN))).unwrap();
    let (_, path) = account_code(&story).await;

    let chooser = story.get_in_wechat(&path, "").await;
    assert!(chooser.text().contains("这是谁的手机"), "{}", chooser.text());
    let chosen = story.post_form("/sim/phone", "", &query_of(&[("person", "xiaoming"), ("return_to", &path)])).await;
    assert_eq!((chosen.status.as_u16(), chosen.location()), (303, path.as_str()));

    let offer = story.get_in_wechat(&path, XIAOMING).await;
    assert!(offer.text().contains("关注公众号") && offer.text().contains("演示服务号"), "{}", offer.text());
    assert!(server.received().is_empty(), "looking is not following");
    let (to, from) = (story.sim.openid("xiaoming", ACCOUNT), story.sim.original_id(ACCOUNT));
    server.will_answer(&[(
        200,
        &format!(
            "<xml><ToUserName>{to}</ToUserName><FromUserName>{from}</FromUserName><CreateTime>1</CreateTime>\
         <MsgType>text</MsgType><Content><![CDATA[欢迎 <i>]]></Content></xml>"
        ),
    )]);
    let chat = story.post_form(&path, XIAOMING, "").await;
    assert!(chat.text().contains("欢迎 &lt;i&gt;"), "{}", chat.text());
    assert_eq!(server.last().element("EventKey").as_deref(), Some("qrscene_login_1"));

    story.get_in_wechat(&path, XIAOMING).await;
    assert_eq!(server.last().element("Event").as_deref(), Some("SCAN"), "a follower's look is a scan");
    let act = async |act: &str, text: &str| {
        story.post_form("/sim/account", XIAOMING, &query_of(&[("appid", ACCOUNT), ("act", act), ("text", text)])).await
    };
    act("write", "hello").await;
    assert_eq!(server.last().element("Content").as_deref(), Some("hello"));
    server.will_answer(&[(500, ""), (500, ""), (500, "")]);
    assert!(act("click", "MENU_1").await.text().contains("该公众号暂时无法提供服务"));
    assert!(act("unfollow", "").await.text().contains("关注公众号"));
    assert_eq!(server.last().element("Event").as_deref(), Some("unsubscribe"));
    assert_eq!(act("write", "hello").await.status, 422, "a stranger has no text box");
    story.sim.advance(std::time::Duration::from_secs(600));
    assert!(story.get_in_wechat(&path, XIAOMING).await.text().contains("二维码已过期"));
}

#[tokio::test]
async fn the_camera_shows_what_is_on_screens_and_reads_what_is_pasted() {
    let story = Story::begin();
    let (url, path) = account_code(&story).await;
    let asked = json!({"scene": "s1", "page": "pages/login/login"});
    let program = read_qr(&story.call(PROGRAM, "/wxa/getwxacodeunlimit", &asked).await.bytes);
    let uuid = story.get(&path_of(&qr_link(&[]))).await.uuid();
    let login = format!("/connect/confirm?uuid={uuid}");
    let camera = story.get_in_wechat("/sim/camera", XIAOMING).await.text();
    assert!(camera.contains(&path) && camera.contains("演示小程序") && camera.contains(&login), "{camera}");
    let later = story.get(&path_of(&qr_link(&[]))).await.uuid();
    let (_, later_path) = account_code(&story).await;
    let camera = story.get_in_wechat("/sim/camera", XIAOMING).await.text();
    let place = |what: &str| camera.find(what).unwrap();
    assert!(place(&later) < place(&uuid) && place(&later_path) < place(&path), "the latest come first: {camera}");
    story.sim.scan(&uuid, "xiaohong").unwrap();
    let camera = story.get_in_wechat("/sim/camera", XIAOMING).await.text();
    assert!(!camera.contains(&login), "somebody has scanned it: {camera}");

    let paste = async |text: &str| {
        let encoded: String = byte_serialize(text.as_bytes()).collect();
        story.get_in_wechat(&format!("/sim/camera?text={encoded}"), XIAOMING).await
    };
    assert_eq!(paste(&url).await.location(), path);
    assert_eq!(paste(&program).await.location(), path_of(&program));
    let link = story.call(PROGRAM, "/wxa/generate_urllink", &json!({"path": "pages/login/login", "query": "a=1"})).await;
    assert!(paste(&link.field("url_link")).await.location().starts_with("/sim/mini-program?appid="));
    assert!(paste("https://example.com/").await.text().contains("WeChat knows no such code"));
}

#[tokio::test]
async fn a_mini_program_opens_with_its_own_program_and_reaches_its_server() {
    let (story, server) = (Story::begin(), PushServer::start().await);
    let program = App::mini_program(PROGRAM_SECRET).named("演示小程序").running("Page({data: {a: '</script>'}})");
    story.sim.put_app(PROGRAM, program).unwrap();
    let picture = story.call(PROGRAM, "/wxa/getwxacodeunlimit", &json!({"scene": "s1"})).await;
    let opened = story.get_in_wechat(&path_of(&read_qr(&picture.bytes)), XIAOMING).await.text();
    assert!(opened.contains("scene=s1") && opened.contains(r#"Page({data: {a: '\u003c/script>'}})"#), "{opened}");
    let (_, rest) = opened.split_once(r#""visit":{"id":""#).unwrap();
    let visit = &rest[..12];

    server.will_answer(&[(201, r#"{"ok": true}"#)]);
    let body = json!({"url": server.url, "method": "POST", "header": {"authorization": "Bearer t"}, "data": "{}"});
    let request = Request::post(format!("/sim/mini-program/visits/{visit}/request"))
        .header(CONTENT_TYPE, "application/json")
        .header(COOKIE, "secret=1");
    let answer = story.send(request.body(Body::from(body.to_string())).unwrap()).await.json();
    assert_eq!((&answer["statusCode"], &answer["data"]), (&json!(201), &json!(r#"{"ok": true}"#)));
    let received = server.last();
    assert_eq!(received.headers["referer"], format!("https://servicewechat.com/{PROGRAM}/1/page-frame.html"));
    assert_eq!(received.headers["authorization"], "Bearer t");
    assert!(received.headers.get("cookie").is_none());

    let wrong = format!("/sim/mini-program?appid={PROGRAM}&page=pages/none&query=");
    assert!(story.get_in_wechat(&wrong, XIAOMING).await.text().contains("页面不存在"));
}

#[tokio::test]
async fn a_mini_program_that_an_app_has_opened_is_shown_too() {
    let story = Story::begin();
    let launch = AppLaunch { user_name: story.sim.original_id(PROGRAM), path: "pages/login/login?a=1".to_owned(), mini_program_type: 0 };
    let visit = story.sim.launch_mini_program(MOBILE, &launch, "xiaoming").unwrap();
    let page = story.get(&format!("/sim/mini-program/show/{}", visit.id)).await.text();
    assert!(page.contains("pages/login/login") && page.contains("\"scene_number\":1069"), "{page}");
}

#[tokio::test]
async fn the_demo_mini_program_belongs_to_whoever_is_behind_the_origin_that_it_is_told() {
    let story = Story { sim: Simulator::builder().world(World::demo_behind("http://localhost:8080/")).build() };
    let page = story.get_in_wechat(&format!("/sim/mini-program?appid={DEMO_PROGRAM}&page=pages/login/index&query="), XIAOMING).await.text();
    let (_, island) = page.split_once(r#"id="opened">"#).unwrap();
    let opened: serde_json::Value = serde_json::from_str(island.split_once("</script>").unwrap().0).unwrap();
    let program = opened["program"].as_str().unwrap();
    assert!(program.contains(r#"gateway: "http://localhost:8080/wxgate""#) && !program.contains("example.com"), "{program}");
    assert!(opened["wxml"].as_str().unwrap().contains(r#"open-type="launchApp""#), "{opened}");
}

#[tokio::test]
async fn requests_and_pushes_go_where_the_simulator_is_told_and_say_where_they_were_meant_for() {
    let server = PushServer::start().await;
    let (_, address) = server.url.split_once("://").unwrap();
    let address = address.split('/').next().unwrap();
    let builder = Simulator::builder().world(World::demo_behind("http://shop.test:8080")).connect("shop.test:8080", address);
    let story = Story { sim: builder.build() };
    assert!(story.sim.follow(DEMO_ACCOUNT, "xiaoming").await.unwrap().unwrap().is_accepted);
    assert_eq!(server.last().headers["host"], "shop.test:8080");

    let visit =
        story.sim.open_mini_program(&format!("http://sim/sim/mini-program?appid={DEMO_PROGRAM}&page=pages/login/index"), "xiaoming");
    let body = json!({"url": "http://shop.test:8080/api/me", "header": {"x-which": "request"}});
    let request = Request::post(format!("/sim/mini-program/visits/{}/request", visit.unwrap().id));
    let request = request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap();
    assert_eq!(story.send(request).await.status, 200);
    let received = server.last();
    assert_eq!(
        (&received.headers["host"], &received.headers["x-which"]),
        (&"shop.test:8080".parse().unwrap(), &"request".parse().unwrap())
    );
}
