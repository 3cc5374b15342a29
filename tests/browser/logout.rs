//! Logging out: by a button, for good, and nothing is left behind the Back button.

use wxgate_tests::Stack;

use crate::chromium::Chromium;
use crate::phone;

#[tokio::test]
async fn after_a_logout_nothing_shows_who_it_was_and_the_next_page_asks_again() {
    let stack = Stack::builder().config(|filter| filter["applications"][0]["experience"] = true.into()).start().await;
    let desk = Chromium::of(&stack).start().await;
    phone::log_in(&desk, "/orders?page=2&sort=a%20b", "xiaoming").await;
    let identity = desk.identity(&stack).await;
    assert_eq!((identity.text("name"), identity.text("connector")), ("小明", "pc"));

    // The question alone changes nothing.
    desk.open("/wxgate/logout").await;
    desk.reads("You are logged in as 小明").await;
    desk.click("a.button.plain").await;
    desk.arrives_at("/").await;
    assert_eq!(desk.identity(&stack).await.sub(), identity.sub());

    desk.open("/wxgate/experience").await;
    desk.open("/wxgate/logout").await;
    desk.click("form button").await;
    desk.reads("You are logged out").await;
    desk.requests().await;
    desk.driver.refresh().await.unwrap();
    desk.reads("You are logged out").await;
    assert_eq!(desk.requests().await, [format!("GET {}/wxgate/logout", stack.origin)], "it logs in by itself");

    // Back to our pages from before: they are loaded again, and know nobody.
    desk.driver.back().await.unwrap();
    desk.reads("You are logged out").await;
    assert!(!desk.text().await.contains("小明"));
    desk.driver.back().await.unwrap();
    desk.arrives_at("/wxgate/experience").await;
    desk.reads("Log in by any method").await;
    assert!(!desk.text().await.contains("小明"));

    desk.open("/orders").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    desk.finish(stack).await;
}
