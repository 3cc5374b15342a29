//! A browser that keeps no cookies: a page that says so, and never a loop.

use wxgate_tests::Stack;
use wxgate_tests::visitor::WECHAT;

use crate::chromium::Chromium;

#[tokio::test]
async fn on_a_pc_the_way_back_ends_in_a_page_that_says_why() {
    let stack = Stack::start().await;
    stack.wechat.set_current_person(Some("xiaoming")).unwrap();
    let mut desk = Chromium::of(&stack).without_cookies().start().await;
    desk.expects("/wxgate/callback/pc");

    desk.open("/orders").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    let code = desk.sees("#wx").await.attr("data-uuid").await.unwrap().unwrap();
    stack.wechat.confirm(&code, "xiaoming").unwrap();
    desk.reads("Your browser does not keep cookies").await;
    desk.screenshot("cookies-off.en.desk").await;
    assert_eq!(desk.cookies().await, []);
    assert_eq!(stack.exchanges(), 0, "a code was spent on a login that cannot succeed");
    desk.finish(stack).await;
}

/// Here WeChat sends everybody back at once, so that whoever began again would go round for ever.
#[tokio::test]
async fn inside_wechat_nobody_goes_round_in_circles() {
    let stack = Stack::builder().config(|filter| filter["connectors"][1]["scope"] = "snsapi_base".into()).start().await;
    stack.wechat.set_current_person(Some("xiaoming")).unwrap();
    let mut hand = Chromium::of(&stack).calling_itself(WECHAT).reading("zh-CN,zh").without_cookies().start().await;
    hand.expects("/wxgate/callback/in-wechat");

    hand.open("/orders").await;
    hand.reads("浏览器没有保存 Cookie").await;
    hand.screenshot("cookies-off.zh.phone").await;
    assert_eq!(logins(&hand).await, 1);
    for _ in 0..3 {
        let before = hand.address().await;
        hand.click("a.button").await;
        hand.arrives_at_a_callback_after(&before).await;
        hand.reads("浏览器没有保存 Cookie").await;
        assert_eq!(logins(&hand).await, 1, "each tap is one try");
    }
    assert_eq!(stack.exchanges(), 0);
    hand.finish(stack).await;
}

async fn logins(browser: &Chromium) -> usize {
    let requests = browser.requests().await;
    requests.iter().filter(|request| request.contains("/wxgate/callback/")).count()
}
