//! "Try it": what the application would receive, shown to the person whom it is about.

use serde_json::Value;
use wxgate_tests::{Stack, identity};

use crate::chromium::Chromium;
use crate::phone;

#[tokio::test]
async fn a_person_tries_the_login_and_sees_what_the_application_would_get() {
    let stack = Stack::builder().config(|filter| filter["applications"][0]["experience"] = true.into()).start().await;
    let desk = Chromium::of(&stack).start().await;

    desk.open("/wxgate/experience").await;
    desk.reads("Log in by any method").await;
    desk.click("a[href^='/wxgate/start/pc']").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::scan(&desk, "xiaohong", "allow").await;
    desk.arrives_at("/wxgate/experience").await;

    desk.reads("小红🌸").await;
    let token = desk.sees(".token code").await.text().await.unwrap();
    let keys = stack.visitor().get("/wxgate/jwks.json").await.json();
    let identity = identity::verify(&keys, &token, Some((&stack.origin, "shop"))).unwrap();
    let shown = desk.sees("main > div[lang=en] pre:not(.token)").await.text().await.unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["sub"], &shown["name"]), (&identity.claims["sub"], &identity.claims["name"]));

    desk.click("header form button").await;
    desk.reads("You are logged out").await;
    desk.finish(stack).await;
}

/// Without this, a console that says nothing could be one that nobody listens to.
#[tokio::test]
async fn the_console_tells_of_what_the_policy_blocks() {
    let stack = Stack::start().await;
    let desk = Chromium::of(&stack).start().await;
    for script in [
        "document.head.append(Object.assign(document.createElement('style'), {textContent: 'body{color:red}'}))",
        "document.body.append(Object.assign(document.createElement('script'), {src: '/assets/x.js'}))",
        "document.body.append(Object.assign(document.createElement('img'), {src: 'https://elsewhere.example/x.png'}))",
    ] {
        desk.open("/wxgate/logout").await;
        assert_eq!(desk.complaints().await, [""; 0]);
        desk.driver.execute(script, vec![]).await.unwrap();
        let complaint = wxgate_tests::eventually(std::time::Duration::from_secs(10), script, async || {
            desk.complaints().await.into_iter().find(|line| line.contains("Content Security Policy"))
        });
        complaint.await;
    }
    desk.finish(stack).await;
}
