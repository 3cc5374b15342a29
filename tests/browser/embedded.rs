//! WeChat's own code in a frame of the login page: the phone answers, and the whole window goes on.

use thirtyfour::By;
use wxgate_tests::Stack;

use crate::chromium::{Chromium, HAND};
use crate::phone;

const PAGE: &str = "/wxgate/login?return_to=%2Forders&method=pc";

/// What a shop offers that has WeChat's code, and a button without a frame.
async fn stack() -> Stack {
    let change = |filter: &mut serde_json::Value| {
        let mut second = filter["connectors"][0].clone();
        (second["id"], second["display_name"], second["embed"]) = ("partner".into(), "For partners".into(), false.into());
        filter["connectors"].as_array_mut().unwrap().push(second);
        filter["applications"][0]["connectors"].as_array_mut().unwrap().push("partner".into());
    };
    Stack::builder().config(change).start().await
}

/// Goes into the frame once WeChat's page is there; gives the address that its code says.
async fn code_in_frame(desk: &Chromium, stack: &Stack) -> String {
    let frame = desk.sees("#frame iframe").await;
    frame.enter_frame().await.expect("a frame");
    desk.sees("img.js_qrcode_img").await;
    let uuid = desk.driver.find(By::Id("wx")).await.unwrap().attr("data-uuid").await.unwrap().expect("a code");
    desk.driver.enter_default_frame().await.unwrap();
    format!("{}/connect/confirm?uuid={uuid}", stack.wechat_origin)
}

#[tokio::test]
async fn a_person_scans_in_the_login_page_and_the_whole_window_goes_on() {
    let stack = stack().await;
    let desk = Chromium::of(&stack).start().await;
    desk.open("/orders").await;
    desk.arrives_at("/wxgate/login?return_to=%2Forders").await;
    let code = code_in_frame(&desk, &stack).await;
    desk.screenshot("embedded.en.desk").await;
    desk.click("label[for=zh]").await;
    desk.resize(HAND).await;
    desk.screenshot("embedded.zh.hand").await;

    phone::opens(&desk, &code, "xiaohong", "allow").await;
    desk.arrives_at("/orders").await;
    let identity = desk.identity(&stack).await;
    assert_eq!((identity.text("name"), identity.text("connector")), ("小红🌸", "pc"));
    desk.finish(stack).await;
}

#[tokio::test]
async fn who_refuses_sees_so_in_the_frame_and_can_scan_again_or_go_to_wechats_page() {
    let stack = stack().await;
    let desk = Chromium::of(&stack).start().await;
    desk.open(PAGE).await;
    let code = code_in_frame(&desk, &stack).await;
    phone::opens(&desk, &code, "xiaoming", "refuse").await;
    desk.sees("#frame iframe").await.enter_frame().await.unwrap();
    desk.reads("You have cancelled this login").await;
    desk.driver.enter_default_frame().await.unwrap();
    assert_eq!(desk.path().await.as_deref(), Some(PAGE), "WeChat sends nothing back");

    desk.click("#panel a[href^='/wxgate/start/pc']").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::scan(&desk, "xiaoming", "allow").await;
    desk.arrives_at("/orders").await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn a_login_page_that_was_loaded_many_times_still_logs_in() {
    let stack = stack().await;
    let desk = Chromium::of(&stack).start().await;
    for _ in 0..6 {
        desk.open(PAGE).await;
        code_in_frame(&desk, &stack).await;
    }
    let code = code_in_frame(&desk, &stack).await;
    phone::opens(&desk, &code, "xiaoming", "allow").await;
    desk.arrives_at("/orders").await;
    desk.finish(stack).await;
}
