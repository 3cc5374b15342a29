//! Several codes as tabs: by mouse, by keyboard, for a screen reader, in the operator's order.

use serde_json::json;
use thirtyfour::Key;

use crate::chromium::Chromium;
use crate::scans::{code, is, scan_and_confirm, shop, start};
use crate::screenshots::picture;

const LOGIN: &str = "/wxgate/login?return_to=%2Forders";

/// The tabs, and what tells them apart.
async fn tabs(desk: &Chromium) -> serde_json::Value {
    let script = "return [...document.querySelectorAll('[role=tab]')].map(t => [t.textContent, t.ariaSelected, t.tabIndex]);";
    desk.driver.execute(script, vec![]).await.unwrap().json().clone()
}

#[tokio::test]
async fn two_codes_and_wechats_own_are_tabs_and_each_is_asked_for_when_it_is_looked_at() {
    let stack = start(shop(&["scan", "follow", "pc"])).await;
    let desk = Chromium::of(&stack).start().await;
    desk.open("/orders").await;
    desk.arrives_at(LOGIN).await;
    let first = code(&desk).await;
    assert_eq!(tabs(&desk).await, json!([["小程序", "true", 0], ["公众号", "false", -1], ["微信", "false", -1]]));
    picture(&desk, "tabs-scan").await;
    let begun = desk.requests().await;
    assert!(!begun.iter().any(|line| line.contains("/follow") || line.contains("/start/pc")), "{begun:?}");

    desk.click("#tab-1").await;
    let second = code(&desk).await;
    assert!(first.contains("/scan/scan/image") && second.contains("/scan/follow/image"));
    picture(&desk, "tabs-follow").await;
    desk.requests().await;

    desk.click("#tab-2").await;
    desk.sees("#frame iframe").await;
    picture(&desk, "tabs-pc").await;
    assert!(!desk.requests().await.iter().any(|line| line.contains("known=")), "a code that nobody sees is asked about");

    desk.click("#tab-0").await;
    assert_eq!(code(&desk).await, first, "it is still good");
    scan_and_confirm(&desk, "xiaoming").await;
    desk.arrives_at("/orders").await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn a_keyboard_is_enough_and_what_happens_is_read_out() {
    let stack = start(shop(&["follow", "scan"])).await;
    let desk = Chromium::of(&stack).start().await;
    desk.open(LOGIN).await;
    code(&desk).await;
    let press = async |key: Key| desk.driver.action_chain().send_keys(key).perform().await.unwrap();
    let focused = async || {
        let script = "const e = document.activeElement; return e.id || e.tagName";
        desk.driver.execute(script, vec![]).await.unwrap().json().as_str().unwrap().to_owned()
    };
    // From the switch of languages on.
    for _ in 0..5 {
        press(Key::Tab).await;
        if focused().await == "tab-0" {
            break;
        }
    }
    assert_eq!(focused().await, "tab-0");
    for (key, tab) in [(Key::Right, "tab-1"), (Key::Right, "tab-0"), (Key::Left, "tab-1"), (Key::Home, "tab-0"), (Key::End, "tab-1")] {
        press(key.clone()).await;
        assert_eq!(focused().await, tab, "{key:?}");
    }
    assert_eq!(tabs(&desk).await[0][1], "true", "a code is asked for by Enter alone");
    desk.screenshot("tabs-keyboard").await;
    press(Key::Enter).await;
    assert!(code(&desk).await.contains("/scan/scan/image"));
    assert_eq!(tabs(&desk).await, json!([["公众号", "false", -1], ["小程序", "true", 0]]));

    // As a screen reader has it: names come from what is in view.
    let tree = desk.cdp("Accessibility.getFullAXTree", json!({})).await;
    let nodes: Vec<(String, String)> = tree["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| node["ignored"] == false)
        .map(|node| {
            (node["role"]["value"].as_str().unwrap_or_default().to_owned(), node["name"]["value"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    for (role, name) in [("tablist", "Ways to log in"), ("tab", "小程序"), ("tabpanel", "小程序"), ("image", "Code to scan with WeChat")]
    {
        assert!(nodes.iter().any(|(r, n)| (r.as_str(), n.as_str()) == (role, name)), "no {role} {name:?} in {nodes:?}");
    }
    let status = desk.sees("[role=status]").await;
    assert_eq!(status.text().await.unwrap(), "Waiting for your scan");
    desk.click("label[for=zh]").await;
    assert_eq!(status.text().await.unwrap(), "等待扫码", "the other language needs no request");
    desk.finish(stack).await;
}

#[tokio::test]
async fn an_address_opens_a_tab_and_try_it_shows_the_same() {
    let stack = start(shop(&["scan", "follow"]).config(|filter| filter["applications"][0]["experience"] = true.into())).await;
    let desk = Chromium::of(&stack).start().await;
    desk.open("/wxgate/start/follow?return_to=%2Forders").await;
    assert!(code(&desk).await.contains("/scan/follow/image"));
    assert_eq!(tabs(&desk).await[1][1], "true");
    desk.open("/wxgate/experience").await;
    desk.reads("Log in by any method").await;
    code(&desk).await;
    picture(&desk, "tabs-experience").await;
    scan_and_confirm(&desk, "xiaohong").await;
    desk.reads("Log in another way").await;
    is_logged_in(&desk).await;
    desk.finish(stack).await;
}

/// And no code is asked for until somebody wants one.
async fn is_logged_in(desk: &Chromium) {
    desk.requests().await;
    desk.driver.refresh().await.unwrap();
    desk.reads("Log in another way").await;
    let asked = desk.requests().await;
    assert!(!asked.iter().any(|line| line.contains("/wxgate/scan/")), "{asked:?}");
    desk.click("a[href^='/wxgate/start/follow']").await;
    is(desk, "waiting").await;
}
