//! Which account is it? What a person sees who is asked, and on the page of their own account. Every page is left as a picture.

use serde_json::json;
use wxgate_tests::Stack;
use wxgate_tests::visitor::WECHAT;
use wxgate_tests::wechat_sim::Person;

use crate::chromium::Chromium;
use crate::phone;
use crate::screenshots::picture;

const NUMBER: &str = "+8613800138000";
const EMAIL: &str = "xiaoming@example.com";
const PASSWORD: &str = "correct horse battery staple";

/// A stack with an account that can be proved by everything, and the policy to ask for it.
async fn start() -> (Stack, String) {
    let named = |filter: &mut serde_json::Value| filter["applications"][0]["display_name"] = "云上商城 Cloud Shop".into();
    let stack = Stack::builder().config(named).start().await;
    stack.add_secret(PASSWORD);
    let user = json!({"name": "王小明", "username": "xiaoming.w", "phone_number": NUMBER, "phone_number_verified": true,
        "email": EMAIL, "email_verified": true, "password": PASSWORD});
    let sub = stack.resolver.create_user(user).await;
    for connector in ["pc", "in-wechat"] {
        stack.resolver.set_policy(connector, json!({"binding": "ask"})).await;
    }
    (stack, sub)
}

/// What stands in the form for this step.
fn of(step: &str, field: &str) -> String {
    format!("form:has(> input[name=action][value={step}]) {field}")
}

/// Scans on a PC as far as the question.
async fn scan(desk: &Chromium, person: &str) {
    desk.open("/orders").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::hand_over(desk).await;
    phone::scan(desk, person, "allow").await;
    desk.arrives_at("/wxgate/account").await;
}

#[tokio::test]
async fn a_person_proves_an_account_by_phone_code_after_a_mistake() {
    let (stack, sub) = start().await;
    let mut desk = Chromium::of(&stack).start().await;
    desk.expects("/wxgate/account");
    scan(&desk, "xiaoming").await;
    desk.reads("Do you already have an account?").await;
    picture(&desk, "bind").await;

    desk.types(&of("send_code", "input[type=tel]"), "138").await;
    desk.click(&of("send_code", "button")).await;
    desk.reads("This address is not complete").await;
    picture(&desk, "bind-address").await;
    desk.types(&of("send_code", "input[type=tel]"), "138 0013 8000").await;
    desk.click(&of("send_code", "button")).await;
    desk.reads("Enter the code").await;
    picture(&desk, "bind-code").await;
    let code = stack.resolver.outbox.code_for(NUMBER).await;
    stack.add_secret(&code);
    desk.types(&of("code", "input[name=code]"), &wxgate_tests::outbox::not(&code)).await;
    desk.click(&of("code", "button")).await;
    desk.reads("4 tries left").await;
    picture(&desk, "bind-wrong").await;
    desk.types(&of("code", "input[name=code]"), &code).await;
    desk.click(&of("code", "button")).await;

    desk.arrives_at("/orders").await;
    assert_eq!(desk.identity(&stack).await.sub(), sub);
    desk.finish(stack).await;
}

#[tokio::test]
async fn a_person_proves_an_account_by_password_or_email_or_makes_one_and_may_cancel() {
    let (stack, sub) = start().await;
    for person in ["a", "b", "c"] {
        stack.wechat.put_person(person, Person::new("小明😀")).unwrap();
    }
    let mut desk = Chromium::of(&stack).start().await;
    desk.expects("/wxgate/account");

    scan(&desk, "a").await;
    desk.click("details:has(input[type=password]) summary").await;
    desk.types(&of("password", "input[name=account]"), "xiaoming.w").await;
    desk.types(&of("password", "input[name=password]"), "wrong").await;
    desk.click(&of("password", "button")).await;
    desk.reads("4 tries left").await;
    picture(&desk, "bind-password").await;
    desk.types(&of("password", "input[name=password]"), PASSWORD).await;
    desk.click(&of("password", "button")).await;
    desk.arrives_at("/orders").await;
    assert_eq!(desk.identity(&stack).await.sub(), sub);
    log_out(&desk).await;

    scan(&desk, "b").await;
    desk.click("label[for=zh]").await;
    desk.click("details:has(input[type=email]) summary").await;
    desk.types(&of("send_code", "input[type=email]"), EMAIL).await;
    desk.click(&of("send_code", "button")).await;
    desk.reads("输入验证码").await;
    let letter = stack.resolver.outbox.letter_to(EMAIL).await;
    stack.add_secret(&letter.code);
    assert_eq!(letter.language, "zh-CN");
    desk.types(&of("code", "input[name=code]"), &letter.code).await;
    desk.click(&of("code", "button")).await;
    desk.arrives_at("/orders").await;
    assert_eq!(desk.identity(&stack).await.sub(), sub);
    log_out(&desk).await;

    scan(&desk, "c").await;
    desk.click(&of("cancel", "button")).await;
    desk.sees("a[href^='/wxgate/start/pc']").await;
    scan(&desk, "c").await;
    desk.click(&of("create", "button")).await;
    desk.arrives_at("/orders").await;
    assert_ne!(desk.identity(&stack).await.sub(), sub);
    assert_eq!(stack.accounts().await, 2);
    desk.finish(stack).await;
}

#[tokio::test]
async fn inside_wechat_on_a_phone_it_works_in_chinese_and_without_scripts() {
    let (stack, sub) = start().await;
    let hand = Chromium::of(&stack).calling_itself(WECHAT).reading("zh-CN,zh").without_scripts().start().await;

    hand.open("/orders").await;
    hand.arrives_at_wechat("/connect/oauth2/authorize").await;
    phone::answer(&hand, "xiaoming", "allow").await;
    hand.reads("您已经有账号了吗？").await;
    hand.types(&of("send_code", "input[type=tel]"), "13800138000").await;
    hand.click(&of("send_code", "button")).await;
    hand.reads("输入验证码").await;
    hand.screenshot("bind-code.zh.wechat").await;
    let code = stack.resolver.outbox.code_for(NUMBER).await;
    stack.add_secret(&code);
    hand.types(&of("code", "input[name=code]"), &code).await;
    hand.click(&of("code", "button")).await;
    hand.arrives_at("/orders").await;
    assert_eq!(hand.identity(&stack).await.sub(), sub);

    hand.open("/wxgate/account").await;
    hand.reads("可以登录此账号的微信").await;
    hand.click(&of("sign_out_everywhere", "button")).await;
    hand.reads("已退出登录").await;
    hand.finish(stack).await;
}

#[tokio::test]
async fn a_person_with_two_accounts_chooses_one() {
    let stack = Stack::start().await;
    let (app, platform) = ("wx0000000000000001", "main");
    let identities = [
        json!({"platform": platform, "app_id": app, "openid": stack.wechat.openid("xiaoming", app)}),
        json!({"platform": platform, "unionid": stack.wechat.unionid("xiaoming", platform)}),
    ];
    let mut subs = Vec::new();
    for (identity, (name, number)) in identities.into_iter().zip([("王小明", NUMBER), ("Wang", "+8613900139000")]) {
        let user = json!({"name": name, "phone_number": number, "phone_number_verified": true, "identities": [identity]});
        subs.push(stack.resolver.create_user(user).await);
    }
    let desk = Chromium::of(&stack).start().await;
    scan(&desk, "xiaoming").await;
    desk.reads("Which account is it?").await;
    desk.reads("+86139****9000").await;
    picture(&desk, "choose").await;

    desk.click("button[name=account]:nth-of-type(1)").await;

    desk.arrives_at("/orders").await;
    let sub = desk.identity(&stack).await.sub().to_owned();
    assert!(subs.contains(&sub));
    log_out(&desk).await;
    phone::log_in(&desk, "/orders", "xiaoming").await;
    assert_eq!(desk.identity(&stack).await.sub(), sub, "asked once");
    desk.finish(stack).await;
}

#[tokio::test]
async fn on_their_own_page_people_link_unlink_and_sign_out_everywhere() {
    let stack = Stack::start().await;
    stack.wechat.put_person("second", Person::new("工作微信 Work")).unwrap();
    let mut desk = Chromium::of(&stack).start().await;
    desk.expects("/wxgate/account");
    desk.expects("/wxgate/callback/pc");
    // An hour ago.
    stack.resolver.set_clock_ahead(-3600);
    phone::log_in(&desk, "/orders", "xiaoming").await;
    stack.resolver.set_clock_ahead(0);
    let sub = desk.identity(&stack).await.sub().to_owned();
    let contacts = json!({"phone_number": NUMBER, "phone_number_verified": true, "email": EMAIL, "email_verified": true});
    stack.resolver.change_user(&sub, contacts).await;
    desk.open("/wxgate/account").await;
    desk.reads("log in once more").await;
    picture(&desk, "account-stale").await;
    desk.click("main a.button").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::hand_over(&desk).await;
    phone::scan(&desk, "xiaoming", "allow").await;
    desk.arrives_at("/wxgate/account").await;
    desk.reads("so it stays").await;
    picture(&desk, "account-one").await;

    desk.click("button[name=connector][value=pc]").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::hand_over(&desk).await;
    phone::scan(&desk, "second", "allow").await;
    desk.arrives_at("/wxgate/account").await;
    desk.reads("Linked: this WeChat can log in").await;
    picture(&desk, "account-two").await;

    // Somebody else's WeChat belongs to somebody else.
    stack.resolver.create_user(json!({"identities": [{"platform": "main", "unionid": stack.wechat.unionid("xiaohong", "main")}]})).await;
    desk.click("button[name=connector][value=pc]").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::hand_over(&desk).await;
    phone::scan(&desk, "xiaohong", "allow").await;
    desk.reads("identity_taken").await;
    picture(&desk, "identity-taken").await;

    desk.open("/wxgate/account").await;
    desk.click("li:nth-of-type(2) summary").await;
    picture(&desk, "account-unlinking").await;
    desk.click("details[open] button").await;
    desk.reads("You are logged out").await;
    desk.open("/wxgate/account").await;
    desk.arrives_at_wechat("/connect/qrconnect").await;
    phone::hand_over(&desk).await;
    phone::scan(&desk, "xiaoming", "allow").await;
    desk.arrives_at("/wxgate/account").await;
    desk.reads("so it stays").await;
    desk.click(&of("sign_out_everywhere", "button")).await;
    desk.reads("You are logged out").await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn who_came_too_late_or_is_not_let_in_reads_why_and_how_to_go_on() {
    let (stack, _) = start().await;
    let mut desk = Chromium::of(&stack).start().await;
    desk.expects("/wxgate/account");
    desk.expects("/wxgate/callback/pc");
    scan(&desk, "xiaoming").await;
    stack.resolver.set_clock_ahead(601);
    desk.click(&of("create", "button")).await;
    desk.reads("pending_over").await;
    picture(&desk, "pending-over").await;
    desk.click("a.button").await;
    desk.sees("a[href^='/wxgate/start/pc'], #wx").await;

    for (policy, code) in [(json!({"registration": "closed"}), "registration_closed"), (json!({"on_no_match": "refuse"}), "no_match")] {
        stack.resolver.set_policy("pc", policy).await;
        desk.open("/wxgate/start/pc?return_to=%2Forders&anew=1").await;
        desk.arrives_at_wechat("/connect/qrconnect").await;
        phone::hand_over(&desk).await;
        phone::scan(&desk, "xiaohong", "allow").await;
        desk.reads(code).await;
        picture(&desk, &code.replace('_', "-")).await;
    }
    assert_eq!(stack.accounts().await, 1);
    desk.finish(stack).await;
}

async fn log_out(desk: &Chromium) {
    desk.open("/wxgate/logout").await;
    desk.click("form button").await;
    desk.reads("You are logged out").await;
}

#[tokio::test]
async fn nobody_is_asked_whose_identities_are_of_one_account() {
    let stack = Stack::start().await;
    let desk = Chromium::of(&stack).start().await;
    let hand = Chromium::of(&stack).calling_itself(WECHAT).beside(&desk).start().await;
    // The website app is outside of the platform: WeChat tells an openid and no unionid.
    stack.wechat.unbind_app("wx0000000000000001").unwrap();
    phone::log_in(&desk, "/orders", "xiaoming").await;
    let sub = desk.identity(&stack).await.sub().to_owned();
    log_out(&desk).await;

    // It has joined: a known openid with a unionid that nobody has.
    stack.wechat.bind_app("wx0000000000000001", "main").unwrap();
    phone::log_in(&desk, "/orders", "xiaoming").await;
    assert_eq!(desk.identity(&stack).await.sub(), sub, "an account without a unionid gains one");
    log_out(&desk).await;

    // The other app: an unknown openid with a unionid that is known by now.
    hand.open("/orders").await;
    hand.arrives_at_wechat("/connect/oauth2/authorize").await;
    phone::answer(&hand, "xiaoming", "allow").await;
    hand.arrives_at("/orders").await;
    assert_eq!(hand.identity(&stack).await.sub(), sub);

    // Both known, and of one account; and nobody's.
    phone::log_in(&desk, "/orders", "xiaoming").await;
    assert_eq!(desk.identity(&stack).await.sub(), sub);
    log_out(&desk).await;
    phone::hand_over(&desk).await;
    phone::log_in(&desk, "/orders", "xiaohong").await;
    assert_ne!(desk.identity(&stack).await.sub(), sub);
    assert_eq!((stack.accounts().await, stack.new_users().await), (2, 2));
    hand.close().await;
    desk.finish(stack).await;
}

#[tokio::test]
async fn an_older_tab_says_that_it_is_over_and_the_newer_one_goes_on() {
    let (stack, sub) = start().await;
    stack.wechat.put_person("second", Person::new("工作微信 Work")).unwrap();
    let mut desk = Chromium::of(&stack).start().await;
    desk.expects("/wxgate/account");
    scan(&desk, "xiaoming").await;
    desk.reads("Do you already have an account?").await;
    let older = desk.new_window().await;
    scan(&desk, "second").await;
    desk.reads("Do you already have an account?").await;
    let newer = desk.window().await;

    // It asks as xiaoming, and would answer for the second.
    desk.switch_to(&older).await;
    desk.click(&of("create", "button")).await;
    desk.reads("pending_over").await;
    picture(&desk, "older-tab").await;
    assert_eq!(stack.accounts().await, 1, "no account came of it");

    desk.switch_to(&newer).await;
    desk.click("details:has(input[type=password]) summary").await;
    desk.types(&of("password", "input[name=account]"), "xiaoming.w").await;
    desk.types(&of("password", "input[name=password]"), PASSWORD).await;
    desk.click(&of("password", "button")).await;
    desk.arrives_at("/orders").await;
    assert_eq!(desk.identity(&stack).await.sub(), sub);

    // The way on of the older tab leads to what the person is by now.
    desk.switch_to(&older).await;
    desk.click("a.button").await;
    desk.arrives_at("/").await;
    assert_eq!((desk.identity(&stack).await.sub(), stack.accounts().await), (sub.as_str(), 1));
    desk.finish(stack).await;
}

#[tokio::test]
async fn another_browser_that_knows_the_address_of_the_page_has_nothing() {
    let (stack, sub) = start().await;
    let mut desk = Chromium::of(&stack).start().await;
    desk.expects("/wxgate/account");
    scan(&desk, "xiaoming").await;
    desk.types(&of("send_code", "input[type=tel]"), "138 0013 8000").await;
    desk.click(&of("send_code", "button")).await;
    desk.reads("Enter the code").await;
    let address = desk.address().await;
    assert!(address.contains("/wxgate/account?login="), "{address}");

    let thief = Chromium::of(&stack).beside(&desk).start().await;
    thief.open(&address).await;
    thief.arrives_at_wechat("/connect/qrconnect").await;
    assert_eq!(thief.cookies().await.iter().filter(|(name, _)| name.contains("wxgate_pending")).count(), 0);
    // Nor where it has an account of its own: that is what it sees there.
    thief.close().await;
    let mut thief = Chromium::of(&stack).beside(&desk).start().await;
    thief.expects("/wxgate/account");
    stack.resolver.set_policy("pc", json!({"binding": "none"})).await;
    phone::log_in(&thief, "/orders", "xiaohong").await;
    thief.open(&address).await;
    thief.reads("小红").await;
    assert!(thief.in_view(&of("code", "input[name=code]")).await.is_none());
    thief.close().await;

    let code = stack.resolver.outbox.code_for(NUMBER).await;
    stack.add_secret(&code);
    desk.types(&of("code", "input[name=code]"), &code).await;
    desk.click(&of("code", "button")).await;
    desk.arrives_at("/orders").await;
    assert_eq!(desk.identity(&stack).await.sub(), sub);
    desk.finish(stack).await;
}
