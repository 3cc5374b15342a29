//! Logging in on a PC: WeChat's page shows a code, the phone answers, and the page comes back by itself.

use wxgate_tests::Stack;
use wxgate_tests::wechat_sim::Quirks;

use crate::chromium::Chromium;
use crate::{demo, phone};

#[tokio::test]
async fn a_person_scans_and_the_application_knows_who_it_is() {
    let stack = demo::start().await;
    let mut desk = Chromium::of(&stack).start().await;
    // The application has none, and its rules do not make that path public.
    desk.expects("/favicon.ico");

    desk.open("/").await;
    desk.reads("Hello, stranger").await;
    desk.click("a[href='/account']").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    desk.screenshot("wechat-qr").await;
    phone::scan(&desk, "xiaoming", "allow").await;
    desk.arrives_at("/account").await;
    desk.reads("小明").await;
    desk.screenshot("demo-account").await;

    // Out again by the application's own link.
    desk.click("a[href='/wxgate/logout']").await;
    desk.click("form button").await;
    desk.reads("You are logged out").await;
    desk.open("/").await;
    desk.reads("Hello, stranger").await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn who_refuses_on_the_phone_is_told_so_and_can_scan_again() {
    let stack = Stack::start().await;
    let desk = Chromium::of(&stack).start().await;

    desk.open("/orders").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::scan(&desk, "xiaohong", "refuse").await;
    desk.reads("您已取消此次登录").await;
    assert_eq!(stack.exchanges(), 0);

    phone::scan(&desk, "xiaohong", "allow").await;
    desk.arrives_at("/orders").await;
    assert_eq!(desk.identity(&stack).await.text("name"), "小红🌸");
    desk.finish(stack).await;
}

#[tokio::test]
async fn where_wechat_sends_a_refusal_back_the_page_says_so_and_leads_on() {
    let stack = Stack::start().await;
    stack.wechat.set_quirks(Quirks { refusal_redirects: true, ..Quirks::default() });
    let mut desk = Chromium::of(&stack).start().await;
    desk.expects("/wxgate/callback/pc");

    desk.open("/orders").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::scan(&desk, "xiaoming", "refuse").await;
    desk.reads("You cancelled the login").await;

    stack.wechat.set_quirks(Quirks::default());
    desk.click("a.button").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::scan(&desk, "xiaoming", "allow").await;
    desk.arrives_at("/orders").await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn two_windows_that_finish_in_the_other_order_each_get_their_own_page() {
    let stack = Stack::start().await;
    let desk = Chromium::of(&stack).start().await;

    desk.open("/orders/first").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    let first = desk.new_window().await;
    desk.open("/orders/second").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;

    phone::scan(&desk, "xiaoming", "allow").await;
    desk.arrives_at("/orders/second").await;
    desk.switch_to(&first).await;
    phone::scan(&desk, "xiaoming", "allow").await;
    desk.arrives_at("/orders/first").await;
    assert_eq!(stack.new_users().await, 1);
    desk.finish(stack).await;
}
