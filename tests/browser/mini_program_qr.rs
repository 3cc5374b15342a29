//! Scanning a mini program's code: what the desk shows from the code to the login, and whatever else may become of it.

use serde_json::json;
use thirtyfour::By;
use wxgate_tests::visitor::ATTEMPT;
use wxgate_tests::{Builder, Fault};

use crate::chromium::Chromium;
use crate::phone::tap;
use crate::scans::{Kind, code, confirm, is, lie, scan, scan_and_confirm, shop, start};
use crate::screenshots::picture;

const LOGIN: &str = "/wxgate/login?return_to=%2Forders";
/// Xiaoming's.
const NUMBER: &str = "+8613800138000";

/// A shop that asks for the phone number with the scan, and shows it to its application.
fn asking_for_the_number() -> Builder {
    shop(&["scan"]).config(|filter| {
        let scan = filter["connectors"].as_array_mut().unwrap().iter_mut().find(|connector| connector["id"] == "scan");
        scan.unwrap()["phone_number"] = "optional".into();
        filter["applications"][0]["claims"] = json!({"phone_number": true});
    })
}

/// Scans the code and gives the number on the phone; goes on at the desk.
async fn give_the_number(desk: &Chromium, person: &str) {
    code(desk).await;
    let window = scan(desk, person, Kind::MiniProgram).await;
    tap(desk, "授权手机号并登录").await;
    tap(desk, "允许").await;
    desk.reads("已登录，请回到电脑").await;
    desk.close_and_switch_to(&window).await;
}

#[tokio::test]
async fn a_person_scans_compares_and_confirms_and_the_desk_goes_on_by_itself() {
    let stack = start(shop(&["scan", "in-wechat"])).await;
    let desk = Chromium::of(&stack).start().await;
    desk.open("/orders").await;
    desk.arrives_at(LOGIN).await;
    code(&desk).await;
    picture(&desk, "scan-waiting").await;
    let number = is(&desk, "waiting").await;
    assert!(number.len() == 2 && desk.in_view("[role=tablist]").await.is_none(), "one code needs no tabs");

    let window = scan(&desk, "xiaoming", Kind::MiniProgram).await;
    desk.reads(&stack.origin).await;
    desk.reads(&number).await;
    desk.screenshot("scan-phone-asks").await;
    let hand = desk.window().await;
    desk.switch_to(&window).await;
    assert_eq!(is(&desk, "scanned").await, number);
    assert!(desk.sees("[role=status]").await.text().await.unwrap().contains("Please confirm on your phone"));
    picture(&desk, "scan-scanned").await;

    desk.switch_to(&hand).await;
    confirm(&desk).await;
    desk.close_and_switch_to(&window).await;
    desk.arrives_at("/orders").await;
    let identity = desk.identity(&stack).await;
    assert_eq!((identity.text("connector"), stack.new_users().await), ("scan", 1));
    desk.finish(stack).await;
}

#[tokio::test]
async fn a_number_that_is_given_on_the_phone_leads_the_desk_into_the_account_that_has_it() {
    let stack = start(asking_for_the_number()).await;
    stack.resolver.set_policy("scan", json!({"binding": "field", "on_no_match": "refuse"})).await;
    let account = json!({"name": "王小明", "phone_number": NUMBER, "phone_number_verified": true});
    let known = stack.resolver.create_user(account).await;
    let desk = Chromium::of(&stack).reading("zh-CN,zh").start().await;

    desk.open("/orders").await;
    give_the_number(&desk, "xiaoming").await;
    desk.arrives_at("/orders").await;
    let identity = desk.identity(&stack).await;
    assert_eq!((identity.sub(), identity.text("connector")), (known.as_str(), "scan"));
    assert_eq!((identity.text("name"), identity.text("phone_number")), ("王小明", NUMBER));

    // From now on the scan is enough.
    desk.open("/wxgate/logout").await;
    desk.click("form button").await;
    desk.open(LOGIN).await;
    code(&desk).await;
    scan_and_confirm(&desk, "xiaoming").await;
    desk.arrives_at("/orders").await;
    assert_eq!(desk.identity(&stack).await.sub(), known);
    assert_eq!((stack.accounts().await, stack.new_users().await), (1, 0));
    desk.finish(stack).await;
}

#[tokio::test]
async fn a_number_that_no_account_has_proved_or_two_have_leads_into_none() {
    let stack = start(asking_for_the_number()).await;
    stack.resolver.set_policy("scan", json!({"binding": "field", "on_no_match": "refuse"})).await;
    let unproved = stack.resolver.create_user(json!({"phone_number": NUMBER, "phone_number_verified": false})).await;
    let mut desk = Chromium::of(&stack).reading("zh-CN,zh").start().await;
    desk.expects("/wxgate/scan/scan");

    desk.open(LOGIN).await;
    give_the_number(&desk, "xiaoming").await;
    is(&desk, "failed").await;
    desk.reads("没有找到您的账号").await;
    picture(&desk, "scan-no-match").await;

    desk.click("label[for=zh]").await;
    stack.resolver.change_user(&unproved, json!({"phone_number_verified": true})).await;
    stack.resolver.create_user(json!({"phone_number": NUMBER, "phone_number_verified": true})).await;
    desk.click("#again").await;
    give_the_number(&desk, "xiaoming").await;
    is(&desk, "failed").await;
    desk.reads("没有找到您的账号").await;
    assert_eq!((stack.accounts().await, stack.new_users().await), (2, 0));

    // Where the policy makes accounts, it makes one of their own.
    stack.resolver.set_policy("scan", json!({"binding": "field"})).await;
    desk.click("#again").await;
    give_the_number(&desk, "xiaoming").await;
    desk.arrives_at("/orders").await;
    assert_eq!((stack.accounts().await, stack.new_users().await), (3, 1));
    desk.finish(stack).await;
}

#[tokio::test]
async fn the_desk_shows_the_picture_of_a_person_who_was_here_before() {
    let stack = start(shop(&["scan", "pc"])).await;
    stack.visitor().login("pc", "xiaoming").await.assert_status(200);
    let desk = Chromium::of(&stack).start().await;
    desk.open(LOGIN).await;
    code(&desk).await;
    let window = scan(&desk, "xiaoming", Kind::MiniProgram).await;
    desk.reads("确认登录").await;
    desk.close_and_switch_to(&window).await;
    is(&desk, "scanned").await;
    let avatar = desk.driver.find(By::Id("picture")).await.unwrap();
    assert!(avatar.attr("src").await.unwrap().unwrap().starts_with("https://thirdwx.qlogo.cn/"));
    assert_eq!(desk.sees("#name").await.text().await.unwrap(), "小*");
    picture(&desk, "scan-scanned-by-a-known-person").await;

    // Nor is that forgotten while nobody can say it again.
    stack.resolver_wire.set(Fault::Refuse).await;
    desk.requests().await;
    for question in ["a question", "and another, after its answer"] {
        let asked = async || desk.requests().await.iter().any(|line| line.contains("known=scanned")).then_some(());
        desk.eventually(question, asked).await;
    }
    assert_eq!(desk.sees("#name").await.text().await.unwrap(), "小*");
    stack.resolver_wire.set(Fault::None).await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn who_cancels_on_the_phone_is_told_at_the_desk_and_gets_another_code_by_one_click() {
    let stack = start(shop(&["scan"])).await;
    let desk = Chromium::of(&stack).start().await;
    desk.open(LOGIN).await;
    let first = code(&desk).await;
    let window = scan(&desk, "xiaoming", Kind::MiniProgram).await;
    desk.reads("确认登录").await;
    desk.driver.find(By::XPath("//button[contains(., '取消')]")).await.unwrap().click().await.unwrap();
    desk.reads("已取消").await;
    desk.close_and_switch_to(&window).await;
    is(&desk, "cancelled").await;
    assert!(desk.sees("[role=status]").await.text().await.unwrap().contains("Cancelled on the phone"));
    picture(&desk, "scan-cancelled").await;

    desk.click("#again").await;
    assert_ne!(code(&desk).await, first);
    let focused = desk.driver.execute("return document.activeElement.id", vec![]).await.unwrap();
    assert_eq!(focused.json(), "panel", "whoever pressed the button by a key is nowhere");
    scan_and_confirm(&desk, "xiaoming").await;
    desk.arrives_at("/orders").await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn a_code_that_is_over_is_replaced_a_few_times_and_then_waits_for_a_click() {
    let stack = start(shop(&["scan"])).await;
    let mut desk = Chromium::of(&stack).start().await;
    // Every ticket is over as soon as somebody asks about it, and so the attempt, maybe before its picture was asked for.
    desk.expects("/wxgate/scan/scan/image");
    stack.resolver_wire.set_on("/v1/tickets/", lie(404, &json!({"error": "not_found", "message": "over"}))).await;
    desk.open(LOGIN).await;
    is(&desk, "expired").await;
    desk.sees("#again").await;
    let begun = async || {
        let begun = desk.requests().await.into_iter().filter(|line| line.ends_with("/wxgate/scan/scan") && line.starts_with("POST"));
        begun.count()
    };
    assert_eq!(begun().await, 4, "the first one, and three that came by themselves");
    picture(&desk, "scan-expired").await;
    assert_eq!(begun().await, 0, "a fifth came by itself");

    stack.resolver_wire.set(Fault::None).await;
    desk.click("#again").await;
    code(&desk).await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn an_outage_is_waited_for_and_a_refusal_is_told_in_words() {
    let stack = start(shop(&["scan"])).await;
    stack.resolver.set_policy("scan", json!({"registration": "closed"})).await;
    let mut desk = Chromium::of(&stack).start().await;
    desk.expects("/wxgate/scan/scan");

    let busy = json!({"answer": "too_many", "retry_at": wxgate_tests::now() + 4});
    stack.resolver_wire.set_on("/v1/tickets", lie(200, &busy)).await;
    desk.open(LOGIN).await;
    is(&desk, "busy").await;
    assert!(!desk.sees("#again").await.is_enabled().await.unwrap(), "at once would be too soon");
    picture(&desk, "scan-busy").await;
    stack.resolver_wire.set(Fault::None).await;
    desk.sees("#again:enabled").await;

    // While nobody answers, what is shown stays.
    desk.click("#again").await;
    code(&desk).await;
    stack.resolver_wire.set(Fault::Refuse).await;
    let asked = async || desk.requests().await.iter().any(|line| line.contains("known=waiting")).then_some(());
    desk.eventually("another question", asked).await;
    is(&desk, "waiting").await;
    stack.resolver_wire.set(Fault::None).await;

    scan_and_confirm(&desk, "xiaoming").await;
    is(&desk, "failed").await;
    assert!(desk.sees("[role=status]").await.text().await.unwrap().contains("There is no account for this WeChat yet"));
    picture(&desk, "scan-failed").await;
    assert_eq!(stack.new_users().await, 0);
    desk.finish(stack).await;
}

#[tokio::test]
async fn another_browser_that_knows_the_address_gets_nothing() {
    let stack = start(shop(&["scan"])).await;
    let desk = Chromium::of(&stack).start().await;
    desk.open(LOGIN).await;
    let image = code(&desk).await;
    let poll = image.replace("/image", "");
    let window = scan(&desk, "xiaoming", Kind::MiniProgram).await;
    confirm(&desk).await;

    let mut thief = Chromium::of(&stack).beside(&desk).start().await;
    thief.expects("/wxgate/scan/scan");
    for address in [&poll, &image] {
        thief.open(address).await;
        thief.reads("Please start logging in again").await;
    }
    thief.open("/wxgate/login").await;
    let stolen = "const reply = await fetch(arguments[0] + '&known=waiting', {headers: {accept: 'application/json'}}); return [reply.status, await reply.text()];";
    let got = thief.driver.execute(stolen, vec![poll.into()]).await.unwrap();
    assert_eq!(got.json()[0], 404);
    assert!(!got.json()[1].as_str().unwrap().contains("state"), "{}", got.json());
    thief.close().await;

    desk.close_and_switch_to(&window).await;
    desk.arrives_at("/orders").await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn without_scripts_a_form_leads_to_the_code_and_a_link_looks_again() {
    let stack = start(shop(&["scan", "follow"])).await;
    let desk = Chromium::of(&stack).without_scripts().start().await;
    desk.open(LOGIN).await;
    assert!(desk.in_view("#ways").await.is_none(), "nothing that needs a script");
    picture(&desk, "scan-login-without-scripts").await;
    desk.click("form[action='/wxgate/scan/scan'] button").await;
    desk.reads("Show a new code").await;
    picture(&desk, "scan-page-waiting").await;
    let number = desk.sees(".number b").await.text().await.unwrap();

    // The phone runs scripts, so it is another browser.
    let hand = Chromium::of(&stack).beside(&desk).start().await;
    let _ = scan(&hand, "xiaoming", Kind::MiniProgram).await;
    hand.reads(&number).await;
    desk.click("a.button").await;
    desk.reads("Scanned").await;
    picture(&desk, "scan-page-scanned").await;
    hand.driver.find(By::XPath("//button[contains(., '取消')]")).await.unwrap().click().await.unwrap();
    hand.reads("已取消").await;
    desk.click("a.button").await;
    desk.reads("Cancelled on the phone").await;
    picture(&desk, "scan-page-cancelled").await;

    desk.click("form[action='/wxgate/scan/scan'] button").await;
    desk.reads("Show a new code").await;
    let _ = scan(&hand, "xiaoming", Kind::MiniProgram).await;
    confirm(&hand).await;
    hand.close().await;
    desk.click("a.button").await;
    desk.arrives_at("/orders").await;
    assert_eq!(desk.identity(&stack).await.text("connector"), "scan");
    desk.finish(stack).await;
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookies_is_told_so() {
    let stack = start(shop(&["scan"])).await;
    let mut desk = Chromium::of(&stack).without_cookies().start().await;
    desk.expects("/wxgate/scan/scan");
    desk.open(LOGIN).await;
    is(&desk, "forgotten").await;
    assert!(desk.sees("[role=status]").await.text().await.unwrap().contains("Your browser does not keep cookies"));
    assert!(!desk.cookies().await.iter().any(|(name, _)| name.starts_with(ATTEMPT)));
    desk.finish(stack).await;
}
