//! Logging in inside WeChat's own browser, on a phone.

use wxgate_tests::Stack;
use wxgate_tests::visitor::WECHAT;
use wxgate_tests::wechat_sim::Person;

use crate::chromium::Chromium;
use crate::phone;

#[tokio::test]
async fn a_person_is_asked_once_by_wechat_and_never_by_us() {
    let stack = Stack::start().await;
    let hand = Chromium::of(&stack).calling_itself(WECHAT).start().await;

    hand.open("/orders?page=2").await;
    hand.arrives_at_wechat("/connect/oauth2/authorize").await;
    phone::answer(&hand, "xiaoming", "allow").await;
    hand.arrives_at("/orders?page=2").await;
    let identity = hand.identity(&stack).await;
    assert_eq!((identity.text("name"), identity.text("connector")), ("小明", "in-wechat"));
    hand.finish(stack).await;
}

#[tokio::test]
async fn a_snapshot_gets_no_account_and_a_way_on() {
    let stack = Stack::start().await;
    let mut hand = Chromium::of(&stack).calling_itself(WECHAT).start().await;
    hand.expects("/wxgate/callback/in-wechat");

    hand.open("/orders").await;
    hand.arrives_at_wechat("/connect/oauth2/authorize").await;
    hand.click("button[value=kuaizhao]").await;
    hand.reads("Open the full page first").await;
    hand.screenshot("snapshot.en.phone").await;
    assert_eq!(stack.new_users().await, 0);

    // The person taps WeChat's bar, which opens the page in full.
    stack.wechat.put_person("kuaizhao", Person::new("完整用户")).unwrap();
    hand.click("a.button").await;
    hand.arrives_at_wechat("/connect/oauth2/authorize").await;
    phone::answer(&hand, "kuaizhao", "allow").await;
    hand.arrives_at("/orders").await;
    assert_eq!(hand.identity(&stack).await.text("name"), "完整用户");
    hand.finish(stack).await;
}

#[tokio::test]
async fn with_the_base_scope_nobody_is_asked_twice_and_who_has_logged_out_stays_out() {
    let stack = Stack::builder().config(|filter| filter["connectors"][1]["scope"] = "snsapi_base".into()).start().await;
    stack.wechat.set_current_person(Some("xiaohong")).unwrap();
    let hand = Chromium::of(&stack).calling_itself(WECHAT).start().await;

    // Nobody knows this openid: WeChat asks for the profile, once.
    hand.open("/orders").await;
    hand.click("button[value=allow]").await;
    hand.arrives_at("/orders").await;
    let sub = hand.identity(&stack).await.sub().to_owned();

    hand.open("/wxgate/logout").await;
    hand.click("form button").await;
    hand.reads("You are logged out").await;
    hand.requests().await;
    hand.driver.refresh().await.unwrap();
    hand.reads("You are logged out").await;
    assert_eq!(hand.requests().await, [format!("GET {}/wxgate/logout", stack.origin)], "it logs in by itself");

    hand.open("/orders").await;
    hand.arrives_at("/orders").await;
    assert_eq!(hand.identity(&stack).await.sub(), sub);
    assert_eq!(stack.new_users().await, 1);
    // A fragment outlives redirects, and WeChat's address has one; an application that routes by it would be lost.
    let address = hand.address().await;
    assert_eq!(address.trim_end_matches('#'), format!("{}/orders", stack.origin), "a piece of WeChat's address is left over");
    hand.finish(stack).await;
}
