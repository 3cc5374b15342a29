//! The mini program that the documents quote, on the simulator's phone: opened by itself, and by an app.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wxgate_tests::Stack;
use wxgate_tests::stack::random;
use wxgate_tests::wechat_sim::{App, AppLaunch};

use crate::chromium::Chromium;
use crate::phone::tap;

/// Of the simulator's demo world.
const MOBILE: &str = "wx0000000000000003";
/// See [`MOBILE`].
const MINI_PROGRAM: &str = "wx0000000000000004";
const SECRET: &str = "0004demo0004demo0004demo0004demo";

/// A shop with that mini program; its gateway is this stack's.
async fn start() -> Stack {
    let stack = Stack::builder()
        .config(|filter| {
            let original_id = wxgate_tests::wechat_sim::Simulator::builder().build().original_id(MINI_PROGRAM);
            let connectors = filter["connectors"].as_array_mut().unwrap();
            connectors.retain(|connector| connector["app_id"] != MINI_PROGRAM);
            let own = json!({"app_id": MINI_PROGRAM, "app_secret": {"inline": SECRET}, "platform": "main"});
            let with = |mut connector: Value| {
                connector.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
                connector
            };
            connectors.push(with(json!({"id": "mini", "type": "mini_program"})));
            let launch = json!({"id": "launch", "type": "app_to_mini_program", "original_id": original_id, "page": "pages/login/index"});
            connectors.push(with(launch));
            let shop = &mut filter["applications"][0];
            (shop["connectors"], shop["claims"]) = (json!(["pc", "mini", "launch"]), json!({"phone_number": true}));
        })
        .start()
        .await;
    let app = include_str!("../../crates/wechat-sim/demo/mini-program/app.js").replace("https://shop.example.com", &stack.origin);
    let page = include_str!("../../crates/wechat-sim/demo/mini-program/pages/login/index.js");
    let program = App::mini_program(SECRET)
        .named("云上商城小程序")
        .on_platform("main")
        .having_pages(&["pages/login/index"])
        .running(&format!("(() => {{\n{app}}})();\n(() => {{\n{page}}})();\n"))
        .looking(include_str!("../../crates/wechat-sim/demo/mini-program/pages/login/index.wxml"));
    stack.wechat.put_app(MINI_PROGRAM, program).unwrap();
    stack.wechat.set_current_person(Some("xiaohong")).unwrap();
    stack
}

#[tokio::test]
async fn one_click_logs_in_and_the_api_knows_who_it_is_until_the_logout() {
    let stack = start().await;
    let phone = Chromium::of(&stack).start().await;

    phone.open(&format!("{}/sim/mini-program?appid={MINI_PROGRAM}&page=pages/login/index&query=", stack.wechat_origin)).await;
    tap(&phone, "微信一键登录").await;
    phone.reads("已登录").await;
    tap(&phone, "退出登录").await;
    tap(&phone, "使用手机号登录").await;
    tap(&phone, "允许").await;
    phone.reads("已登录").await;
    let sub = phone.sees(".user").await.text().await.unwrap();
    let account = stack.resolver.user(&sub).await;
    assert_eq!(account["phone_number"], "+8613800138001");
    phone.finish(stack).await;
}

#[tokio::test]
async fn an_app_opens_it_and_gets_the_login_back() {
    let stack = start().await;
    let phone = Chromium::of(&stack).start().await;
    let verifier = random();
    let post = async |path: &str, body: Value| {
        let headers = [("host", stack.authority()), ("content-type", "application/json")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let answer = wxgate_tests::http::exchange(stack.envoys[0].address, "POST", path, &headers, body.to_string().as_bytes()).await;
        answer.assert_status(200).json()
    };

    let started = post("/wxgate/start/launch", json!({"challenge": URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier))})).await;
    let text = |member: &str| started["launch"][member].as_str().unwrap().to_owned();
    let launch = AppLaunch { user_name: text("original_id"), path: text("path"), mini_program_type: 0 };
    let visit = stack.wechat.launch_mini_program(MOBILE, &launch, "xiaohong").unwrap();
    phone.open(&format!("{}/sim/mini-program/show/{}", stack.wechat_origin, visit.id)).await;
    tap(&phone, "不使用手机号").await;
    tap(&phone, "返回 App").await;
    phone.reads("back in the app").await;

    let back = stack.wechat.visit(&visit.id).unwrap().handed_back.unwrap();
    let session = post("/wxgate/code/launch", json!({"hand_back": back, "verifier": verifier})).await;
    assert!(session["user"]["sub"].is_string(), "{session}");
    phone.finish(stack).await;
}
