//! Every page of ours as a picture, for a person to judge: `target/screenshots`. What can be measured is measured.

use serde_json::json;
use wxgate_tests::Stack;

use crate::chromium::{Chromium, DESK, HAND};
use crate::phone;

#[tokio::test]
async fn every_page_fits_a_desk_and_a_hand() {
    let stack = Stack::builder()
        .config(|filter| {
            let mut second = filter["connectors"][0].clone();
            (second["id"], second["display_name"]) = ("partner".into(), "微信 · WeChat for partners".into());
            filter["connectors"].as_array_mut().unwrap().push(second);
            filter["connectors"][0]["display_name"] = "微信登录".into();
            let shop = &mut filter["applications"][0];
            (shop["display_name"], shop["experience"]) = ("云上商城 Cloud Shop".into(), true.into());
            shop["connectors"].as_array_mut().unwrap().push("partner".into());
        })
        .start()
        .await;
    let mut desk = Chromium::of(&stack).start().await;
    for failing in ["/wxgate/callback/pc", "/wxgate/nothing"] {
        desk.expects(failing);
    }
    for (name, path) in [
        ("login", "/wxgate/login?return_to=%2Forders"),
        ("error", "/wxgate/callback/pc?state=0123456789abcdef0123456789abcdef&code=0117xIkl2JDozg4nZEkl2oVrZT37xIkl"),
        ("error-no-way-on", "/wxgate/nothing"),
        ("logged-out", "/wxgate/logout"),
        ("experience-out", "/wxgate/experience"),
    ] {
        desk.open(path).await;
        picture(&desk, name).await;
    }
    desk.open("/orders").await;
    desk.click("a[href^='/wxgate/start/pc']").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::scan(&desk, "xiaohong", "allow").await;
    desk.arrives_at("/orders").await;
    for (name, path) in [("logout", "/wxgate/logout"), ("experience-in", "/wxgate/experience")] {
        desk.open(path).await;
        picture(&desk, name).await;
    }
    desk.finish(stack).await;
}

/// In both languages, on both screens, and once in the dark. Leaves the page in English.
pub(crate) async fn picture(browser: &Chromium, name: &str) {
    for (screen, size) in [("desk", DESK), ("hand", HAND)] {
        browser.resize(size).await;
        for language in ["zh", "en"] {
            browser.click(&format!("label[for={language}]")).await;
            fits(browser, &format!("{name}.{language}.{screen}")).await;
            browser.screenshot(&format!("{name}.{language}.{screen}")).await;
        }
        browser.prefers_dark(true).await;
        browser.screenshot(&format!("{name}.en.{screen}.dark")).await;
        browser.prefers_dark(false).await;
    }
    browser.resize(DESK).await;
}

/// Nothing is cut off at the side, a number stands in one line, and whatever can be tapped is large enough for a finger (WCAG 2.5.8 asks for 24).
async fn fits(browser: &Chromium, name: &str) {
    let script = "const wide = document.documentElement.scrollWidth > innerWidth;
        const small = [...document.querySelectorAll('a, button, label')].filter(e => e.checkVisibility())
            .filter(e => e.getBoundingClientRect().height < 36).map(e => e.outerHTML);
        const broken = [...document.querySelectorAll('.number b')].filter(e => e.checkVisibility() && e.offsetHeight > e.offsetWidth)
            .map(e => e.outerHTML);
        return {wide, small, broken};";
    let found = browser.driver.execute(script, vec![]).await.unwrap();
    assert_eq!(found.json(), &json!({"wide": false, "small": [], "broken": []}), "{name}");
}
