//! Codes and what may go wrong with them. Whoever guesses locks nobody out but himself, and learns nothing.

use serde_json::json;
use wxgate_tests::outbox::not;
use wxgate_tests::visitor::SESSION;
use wxgate_tests::wechat_sim::Person;
use wxgate_tests::{Answer, Stack, Visitor, forms};

use super::{arrived, ask, asked, newcomer};

const NUMBER: &str = "+8613800138000";

/// An account with a phone number, and the policy to ask for it.
async fn start() -> (Stack, String) {
    let stack = Stack::start().await;
    let sub = stack.resolver.create_user(json!({"phone_number": NUMBER, "phone_number_verified": true})).await;
    stack.resolver.set_policy("pc", ask(&["phone_code", "email_code"], true)).await;
    (stack, sub)
}

/// Asks for a code: gives the page that asks for it.
async fn send_code(visitor: &Visitor, page: &Answer, number: &str) -> Answer {
    visitor.answer(page, "send_code", &[("method", "phone_code"), ("address", number)]).await
}

#[tokio::test]
async fn five_wrong_answers_end_the_login_and_lock_nobody_else() {
    let (stack, sub) = start().await;
    newcomer(&stack, "guesser");
    let guesser = stack.visitor();
    let page = asked(&guesser, "pc", "guesser").await;
    let mut page = send_code(&guesser, &page, NUMBER).await;
    let code = stack.resolver.outbox.code_for(NUMBER).await;
    for left in (1..5).rev() {
        page = guesser.answer(&page, "code", &[("code", &not(&code))]).await;
        let said = if left == 1 { "1 try left".to_owned() } else { format!("{left} tries left") };
        assert!(page.text().contains(&said), "{said} in {page}");
    }

    let over = guesser.answer(&page, "code", &[("code", &not(&code))]).await;

    assert!(matches!(over.status, 400..500));
    let late = guesser.submit(&forms::form(&page, "code", &[]).action, &format!("language=en&action=code&code={code}")).await;
    assert_ne!(late.status, 200, "the right code comes too late");
    assert_eq!(guesser.cookie(SESSION), None);

    stack.resolver.set_clock_ahead(61);
    let owner = stack.visitor();
    let page = asked(&owner, "pc", "xiaoming").await;
    let page = send_code(&owner, &page, NUMBER).await;
    let code = stack.resolver.outbox.code_for(NUMBER).await;
    let answer = owner.answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&owner, &answer).await, sub);
    stack.finish().await;
}

#[tokio::test]
async fn a_code_is_good_for_five_minutes_and_a_login_waits_for_ten() {
    let (stack, sub) = start().await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    let page = send_code(&visitor, &page, NUMBER).await;
    let stale = stack.resolver.outbox.code_for(NUMBER).await;

    stack.resolver.set_clock_ahead(301);
    let page = visitor.answer(&page, "code", &[("code", &stale)]).await;
    assert_eq!(visitor.cookie(SESSION), None, "{page}");
    let page = send_code(&visitor, &page, NUMBER).await;
    let code = stack.resolver.outbox.code_for(NUMBER).await;

    stack.resolver.set_clock_ahead(601);
    let over = visitor.answer(&page, "code", &[("code", &code)]).await;
    assert!(matches!(over.status, 400..500), "{over}");
    assert!(wxgate_tests::visitor::links(&over.text()).iter().any(|link| link.contains("/wxgate/login")), "it says how to go on: {over}");
    assert_eq!(visitor.cookie(SESSION), None);

    let page = asked(&visitor, "pc", "xiaoming").await;
    let page = send_code(&visitor, &page, NUMBER).await;
    let code = stack.resolver.outbox.code_for(NUMBER).await;
    let answer = visitor.answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&visitor, &answer).await, sub);
    stack.finish().await;
}

#[tokio::test]
async fn another_code_comes_after_a_minute_and_takes_the_place_of_the_first() {
    let (stack, sub) = start().await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    let page = send_code(&visitor, &page, NUMBER).await;
    let first = stack.resolver.outbox.code_for(NUMBER).await;

    let page = send_code(&visitor, &page, NUMBER).await;
    assert!(page.text().contains("A code was sent a moment ago"), "{page}");
    assert!(stack.resolver.outbox.unread().is_empty());

    stack.resolver.set_clock_ahead(61);
    let page = send_code(&visitor, &page, NUMBER).await;
    let second = stack.resolver.outbox.code_for(NUMBER).await;
    let page = if first == second { page } else { visitor.answer(&page, "code", &[("code", &first)]).await };
    let answer = visitor.answer(&page, "code", &[("code", &format!(" {} {} ", &second[..3], &second[3..]))]).await;
    assert_eq!(arrived(&visitor, &answer).await, sub, "pasted with spaces");
    stack.finish().await;
}

/// ACC-05, ACC-06, ACC-07, ACC-11.
#[tokio::test]
async fn no_page_tells_whether_an_address_is_known() {
    let (stack, _) = start().await;
    stack.resolver.create_user(json!({"phone_number": "+8613600136000"})).await;
    for _ in 0..2 {
        stack.resolver.create_user(json!({"phone_number": "+8613500135000", "phone_number_verified": true})).await;
    }
    let cases = ["13800138000", "13900139000", "13600136000", "13500135000"];
    let mut told = Vec::new();
    for number in cases {
        stack.wechat.put_person(number, Person { headimgurl: Some(String::new()), ..Person::new("小明") }).unwrap();
        let visitor = stack.visitor();
        let page = asked(&visitor, "pc", number).await;
        let sent = send_code(&visitor, &page, number).await;
        let wrong = visitor.answer(&sent, "code", &[("code", "000000")]).await;
        told.push([sent, wrong].map(|page| (page.status, without_what_differs(&page, number))));
    }
    let (known, others) = told.split_first().unwrap();
    for (case, other) in cases[1..].iter().zip(others) {
        assert_eq!(known, other, "{case}");
    }
    stack.resolver.outbox.code_for(NUMBER).await;
    assert!(stack.resolver.outbox.unread().is_empty(), "only the one verified number of one account gets a code");
    stack.finish().await;
}

/// The page as anybody would get it: without the number that was typed, the login's handle, and times.
fn without_what_differs(page: &Answer, number: &str) -> String {
    let masked = format!("{}****{}", &number[..3], &number[7..]);
    let handle = forms::form(page, "code", &[]).action;
    let text = page.text().replace(number, "").replace(&masked, "").replace(&handle, "");
    text.split(|character: char| character.is_ascii_digit()).collect()
}

#[tokio::test]
async fn what_is_no_address_is_said_so_and_costs_no_try() {
    let (stack, _) = start().await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    let action = forms::form(&page, "send_code", &[("method", "phone_code")]).action;
    for (method, address) in [
        ("phone_code", "12"),
        ("phone_code", "a@example.com"),
        ("email_code", "a@b@example.com"),
        ("email_code", "13800138000"),
        ("phone_code", ""),
    ] {
        let address: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
        let answer = visitor.submit(&action, &format!("language=en&action=send_code&method={method}&address={address}")).await;
        assert!(matches!(answer.status, 200 | 400..500), "{address}: {answer}");
    }
    assert!(stack.resolver.outbox.unread().is_empty());
    let page = visitor.navigate("/wxgate/account").await;
    page.assert_status(200);
    assert!(forms::offers(&page, "send_code"), "the login goes on: {page}");
    stack.finish().await;
}
