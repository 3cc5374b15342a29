//! Scanning an official account's code: the account's chat asks, a page in WeChat confirms, the desk goes on.

use wxgate_tests::Stack;
use wxgate_tests::visitor::WECHAT;

use crate::chromium::Chromium;
use crate::scans::{Kind, code, is, scan, shop, start};
use crate::screenshots::picture;

const LOGIN: &str = "/wxgate/login?return_to=%2Forders";

/// Scans, and follows where the person does not yet; gives the link that the account has answered with.
async fn follows(hand: &Chromium, person: &str) -> String {
    let camera = scan(hand, person, Kind::Account).await;
    hand.sees("button.allow, #reply").await;
    if hand.in_view("form[action^='/q/'] button").await.is_some() {
        hand.click("form[action^='/q/'] button").await;
    }
    let link = hand.sees("#reply a").await.attr("href").await.unwrap().expect("a link");
    hand.close_and_switch_to(&camera).await;
    link
}

/// The phone of a person who uses WeChat in English.
async fn hand(stack: &Stack, desk: &Chromium) -> Chromium {
    Chromium::of(stack).calling_itself(WECHAT).beside(desk).start().await
}

#[tokio::test]
async fn a_person_follows_confirms_in_wechat_and_the_desk_goes_on_by_itself() {
    let stack = start(shop(&["follow"])).await;
    let desk = Chromium::of(&stack).start().await;
    let hand = hand(&stack, &desk).await;
    desk.open("/orders").await;
    desk.arrives_at(LOGIN).await;
    code(&desk).await;
    picture(&desk, "follow-waiting").await;
    let number = is(&desk, "waiting").await;

    let link = follows(&hand, "xiaohong").await;
    is(&desk, "scanned").await;
    picture(&desk, "follow-scanned").await;
    hand.open(&link).await;
    hand.reads("Log in to 云上商城 Cloud Shop on the computer?").await;
    for fact in [stack.origin.as_str(), "Chrome, Linux", "127.0.0.1", &number] {
        hand.reads(fact).await;
    }
    picture(&hand, "follow-confirm").await;
    hand.click("main > div[lang=en] form:nth-of-type(1) button").await;
    hand.reads("You have confirmed").await;
    picture(&hand, "follow-confirmed").await;
    desk.arrives_at("/orders").await;
    assert_eq!(desk.identity(&stack).await.text("connector"), "follow");

    // The link has done what it does.
    hand.open(&link).await;
    hand.reads("You have confirmed").await;
    hand.close().await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn who_cancels_in_wechat_logs_nobody_in_and_a_second_scanner_gets_nothing() {
    let stack = start(shop(&["follow"])).await;
    let desk = Chromium::of(&stack).start().await;
    let mut hand = hand(&stack, &desk).await;
    hand.expects("/wxgate/scan/follow/confirm");
    desk.open(LOGIN).await;
    code(&desk).await;
    let link = follows(&hand, "xiaoming").await;
    is(&desk, "scanned").await;

    hand.open(&format!("{}/sim/phone", stack.wechat_origin)).await;
    hand.click("button[value=xiaohong]").await;
    let camera = scan(&hand, "xiaohong", Kind::Account).await;
    hand.click("form[action^='/q/'] button").await;
    hand.sees("#reply").await;
    assert!(hand.in_view("#reply a").await.is_none(), "somebody else is asked to confirm");
    hand.close_and_switch_to(&camera).await;

    hand.open(&link).await;
    hand.click("main > div[lang=en] form:nth-of-type(2) button").await;
    hand.reads("You have cancelled").await;
    picture(&hand, "follow-cancelled").await;
    is(&desk, "cancelled").await;
    assert_eq!(stack.new_users().await, 0);
    hand.open(&format!("{}x", link)).await;
    hand.reads("This code has expired").await;
    picture(&hand, "follow-over").await;
    hand.close().await;
    desk.finish(stack).await;
}
