//! A login that waits for its person, and others who would like to be that person.

use serde_json::json;
use wxgate_tests::visitor::{PENDING, SESSION};
use wxgate_tests::wechat_sim::Person;
use wxgate_tests::{Answer, Stack, Visitor, eventually, forms};

use super::{BOUND, arrived, ask, asked, browser, newcomer};
use crate::sessions::{carried_to, origin_of, start_several};

const NUMBER: &str = "+8613800138000";

/// An account with a phone number, and the policy to ask for it or make another.
async fn start() -> (Stack, String) {
    let stack = Stack::start().await;
    let sub = stack.resolver.create_user(json!({"phone_number": NUMBER, "phone_number_verified": true})).await;
    stack.resolver.set_policy("pc", ask(&["phone_code"], true)).await;
    (stack, sub)
}

/// A login that has been sent its code: the page that asks for it, and the code.
async fn with_code(stack: &Stack, visitor: &Visitor, person: &str) -> (Answer, String) {
    let page = asked(visitor, "pc", person).await;
    let page = visitor.answer(&page, "send_code", &[("method", "phone_code"), ("address", NUMBER)]).await;
    page.assert_status(200);
    (page, stack.resolver.outbox.code_for(NUMBER).await)
}

#[tokio::test]
async fn who_knows_the_address_alone_has_nothing() {
    let (stack, _) = start().await;
    let visitor = stack.visitor();
    let (page, code) = with_code(&stack, &visitor, "xiaoming").await;
    let action = forms::form(&page, "code", &[]).action;
    let thief = stack.visitor();

    let shown = thief.navigate(&action).await;
    assert_eq!(shown.status, 303, "to log in: {shown}");
    for body in [format!("action=code&code={code}"), "action=create".into(), "action=cancel".into()] {
        let answer = thief.submit(&action, &format!("language=en&{body}")).await;
        assert!(matches!(answer.status, 303 | 400..500), "{answer}");
        assert_eq!(thief.cookie(SESSION), None);
    }
    thief.post_from_app("/wxgate/account", &json!({"action": "code", "code": code})).await.assert_status(403);
    for name in stack.resolver_wire.pending_logins() {
        let answer = thief.post_from_app("/wxgate/account", &json!({"action": "code", "code": code, "pending": name})).await;
        answer.assert_failure(410, "pending_over");
    }
    assert_eq!(stack.accounts().await, 1);
    let answer = visitor.answer(&page, "code", &[("code", &code)]).await;
    arrived(&visitor, &answer).await;
    stack.finish().await;
}

#[tokio::test]
async fn a_tampered_or_foreign_token_is_none() {
    let (stack, sub) = start().await;
    let visitor = stack.visitor();
    let (page, code) = with_code(&stack, &visitor, "xiaoming").await;
    let action = forms::form(&page, "code", &[]).action;
    let token = visitor.cookie(PENDING).expect("the token of the pending login");
    let friend = browser(&stack, "in-wechat");
    friend.login("in-wechat", "xiaohong").await;

    let changed = |at: usize| {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let places = [0, 5, 8, token.len() / 3, token.len() / 2, token.len() - 2, token.len() - 1];
    let tampered =
        places.map(changed).into_iter().chain([format!("{token}A"), token[..token.len() - 4].to_owned(), friend.session(), "x".into()]);
    for tampered in tampered {
        let thief = stack.visitor();
        thief.set_cookie(PENDING, &tampered);
        let answer = thief.submit(&action, &format!("language=en&action=code&code={code}")).await;
        answer.assert_failure(410, "pending_over");
        assert_eq!((thief.cookie(SESSION), thief.cookie(PENDING)), (None, None));
        let app = thief.post_from_app("/wxgate/account", &json!({"pending": tampered, "action": "code", "code": code})).await;
        app.assert_failure(410, "pending_over");
    }
    let thief = stack.visitor();
    thief.set_cookie(SESSION, &token);
    assert!(!thief.is_logged_in().await, "it is no session");

    let answer = visitor.answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&visitor, &answer).await, sub);
    stack.finish().await;
}

/// Also not where both have the same people.
#[tokio::test]
async fn a_login_that_waits_at_one_application_does_not_wait_at_another() {
    let stack = start_several().await;
    let sub = stack.resolver.create_user(json!({"phone_number": NUMBER, "phone_number_verified": true})).await;
    for connector in ["pc", "lab-pc"] {
        stack.resolver.set_policy(connector, ask(&["phone_code"], true)).await;
    }
    let visitor = stack.visitor();
    let (page, code) = with_code(&stack, &visitor, "xiaoming").await;
    let action = forms::form(&page, "code", &[]).action;
    let sealed = visitor.cookie(PENDING).expect("the token of the pending login");

    for id in ["lab", "docs"] {
        let there = carried_to(&visitor, &origin_of(&stack.origin, id));
        there.navigate("/wxgate/account").await.assert_failure(410, "pending_over");
        for body in [format!("action=code&code={code}"), "action=create".to_owned(), "action=cancel".to_owned()] {
            let there = carried_to(&visitor, &origin_of(&stack.origin, id));
            let answer = there.submit(&action, &format!("language=en&{body}")).await;
            answer.assert_failure(410, "pending_over");
            assert_eq!((there.cookie(SESSION), there.cookie(PENDING)), (None, None));
        }
        let app = stack.visitor().at(&origin_of(&stack.origin, id));
        let answer = app.post_from_app("/wxgate/account", &json!({"pending": sealed, "action": "code", "code": code})).await;
        answer.assert_failure(410, "pending_over");
    }
    // Nor does one that waits there take the place of the one that waits here.
    let at_lab = stack.visitor().at(&origin_of(&stack.origin, "lab"));
    newcomer(&stack, "stranger");
    asked(&at_lab, "lab-pc", "stranger").await;
    let mixed = visitor.stolen();
    mixed.set_cookie(PENDING, &at_lab.cookie(PENDING).unwrap());
    mixed.submit(&action, "language=en&action=create").await.assert_failure(410, "pending_over");

    assert_eq!(stack.accounts().await, 1);
    let answer = visitor.answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&visitor, &answer).await, sub, "not a try was spent on them");
    stack.finish().await;
}

/// ACC-08: the proof counts for the login that it was given in, and for no other.
#[tokio::test]
async fn a_code_is_good_in_its_own_login_alone_and_a_later_login_takes_the_place_of_an_earlier() {
    let (stack, sub) = start().await;
    newcomer(&stack, "attacker");
    let (owner, attacker) = (stack.visitor(), stack.visitor());
    let (page, code) = with_code(&stack, &owner, "xiaoming").await;
    let theirs = asked(&attacker, "pc", "attacker").await;

    let action = forms::form(&theirs, "create", &[]).action;
    let refused = attacker.submit(&action, &format!("language=en&action=code&code={code}")).await;
    assert_eq!((refused.status, attacker.cookie(SESSION)), (422, None), "{refused}");
    // The owner's page in the attacker's browser, and the other way round.
    let mixed = attacker.answer(&page, "code", &[("code", &code)]).await;
    mixed.assert_failure(410, "pending_over");

    // Another tab of the owner's browser begins anew, as somebody else; the first page is about a login that is gone.
    newcomer(&stack, "second");
    asked(&owner, "pc", "second").await;
    let late = owner.answer(&page, "code", &[("code", &code)]).await;
    late.assert_failure(410, "pending_over");
    assert_eq!(owner.cookie(SESSION), None);
    let waits = owner.navigate("/wxgate/account").await;
    assert!(forms::offers(&waits, "create"), "the login of the newer tab still waits: {waits}");

    stack.resolver.set_clock_ahead(61);
    let fresh = stack.visitor();
    let (page, code) = with_code(&stack, &fresh, "xiaoming").await;
    let answer = fresh.answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&fresh, &answer).await, sub);
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn two_tabs_of_one_login_both_end_logged_in() {
    let (stack, sub) = start().await;
    let browser = stack.visitor();
    let (page, code) = with_code(&stack, &browser, "xiaoming").await;
    let other_tab = browser.navigate("/wxgate/account").await;
    other_tab.assert_status(200);

    let answer = browser.answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&browser, &answer).await, sub);

    let late = browser.answer(&other_tab, "code", &[("code", &code)]).await;
    assert!(matches!(late.status, 200 | 303), "nothing is left to do, and nothing is wrong: {late}");
    assert_eq!(browser.whoami().await.sub(), sub);
    stack.finish().await;
}

#[tokio::test]
async fn posts_from_elsewhere_change_nothing() {
    let (stack, sub) = start().await;
    let visitor = stack.visitor();
    let (page, code) = with_code(&stack, &visitor, "xiaoming").await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let elsewhere: [&[(&str, &str)]; 6] = [
        &[form],
        &[form, ("origin", "null")],
        &[form, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        &[form, ("sec-fetch-site", "same-site")],
        &[("content-type", "text/plain"), ("origin", "https://evil.example")],
        &[("content-type", "application/json"), ("origin", "https://evil.example")],
    ];
    for headers in elsewhere {
        for body in [format!("action=code&code={code}"), "action=create".into(), json!({"action": "create"}).to_string()] {
            let answer = visitor.send("POST", "/wxgate/account", headers, body.as_bytes()).await;
            assert!(matches!(answer.status, 400 | 403 | 415), "{headers:?}: {answer}");
            assert_eq!(visitor.cookie(SESSION), None);
        }
    }
    visitor.navigate("/wxgate/account?action=create").await.assert_status(200);
    assert_eq!(stack.accounts().await, 1);
    let answer = visitor.answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&visitor, &answer).await, sub, "not a try was spent on them");
    stack.finish().await;
}

#[tokio::test]
async fn an_answer_given_again_makes_no_second_login_after_the_first_is_over() {
    let (stack, sub) = start().await;
    let visitor = stack.visitor();
    let (page, code) = with_code(&stack, &visitor, "xiaoming").await;
    let before = visitor.stolen();
    // Somebody's session from before is not taken over.
    let planted = browser(&stack, "in-wechat");
    planted.login("in-wechat", "xiaohong").await;
    visitor.set_cookie(SESSION, &planted.session());

    let answer = visitor.answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&visitor, &answer).await, sub);
    assert_ne!(visitor.session(), planted.session());
    assert_eq!(visitor.cookie(PENDING), None);
    assert_ne!(planted.whoami().await.sub(), sub);

    let action = forms::form(&page, "code", &[]).action;
    for body in ["action=create", "action=code&code=000000", "action=choose&account=1"] {
        let other = before.stolen();
        let answer = other.submit(&action, &format!("language=en&{body}")).await;
        assert!(matches!(answer.status, 400..500), "{body}: {answer}");
        assert_eq!(other.cookie(SESSION), None, "{body}");
    }
    visitor.submit("/wxgate/logout", "").await.assert_status(303);
    let replay = before.submit(&action, &format!("language=en&action=code&code={code}")).await;
    assert!(replay.status < 500, "{replay}");
    // Each worker looks at what has ended four times a second.
    let is_over = async || (!before.is_logged_in().await).then_some(());
    eventually(BOUND, "what a replay gives is the session that was ended", is_over).await;
    assert_eq!(stack.accounts().await, 2);
    stack.finish().await;
}

#[tokio::test]
async fn an_app_answers_in_json_with_its_sealed_token() {
    let (stack, sub) = start().await;
    let app = stack.visitor();
    let callback = app.allow(&app.start("pc", "/orders").await, "xiaoming");
    let waits = app.api(&callback).await;
    waits.assert_failure(409, "bind_account");
    let pending = waits.json()["pending"].as_str().expect("a sealed token").to_owned();
    stack.add_secret(&pending);
    assert_eq!(app.cookie(PENDING), None);
    let app = app.without_cookies();
    let answer = async |mut body: serde_json::Value| {
        body["pending"] = pending.clone().into();
        app.post_from_app("/wxgate/account", &body).await
    };

    let shown = answer(json!({"action": "show"})).await;
    shown.assert_status(200);
    let question = &shown.json()["login"]["question"];
    assert_eq!((question["kind"].as_str(), question["may_create"].as_bool()), (Some("bind"), Some(true)), "{shown}");
    answer(json!({"action": "send_code", "method": "phone_code", "address": "1"})).await.assert_failure(422, "invalid_address");
    answer(json!({"action": "send_code", "method": "phone_code", "address": "13800138000"})).await.assert_status(200);
    let code = stack.resolver.outbox.code_for(NUMBER).await;
    answer(json!({"action": "code", "code": wxgate_tests::outbox::not(&code)})).await.assert_failure(422, "wrong_proof");
    let done = answer(json!({"action": "code", "code": code})).await;

    done.assert_status(200);
    let token = done.json()["token"].as_str().expect("a session token").to_owned();
    stack.add_secret(&token);
    assert_eq!(app.bearer(&token).whoami().await.sub(), sub);
    assert_eq!(done.all("set-cookie").count(), 0, "{done}");
    stack.finish().await;
}

/// BRW-05.
#[tokio::test]
async fn what_people_call_themselves_is_text_on_every_page() {
    let (stack, _) = start().await;
    let names = [
        "\"><svg onload=alert(1)>",
        "</title><script>alert(1)</script>",
        "'-alert(1)-'",
        "{{7*7}}${7*7}",
        "&#x3c;img src=x onerror=alert(1)>\u{2028}",
    ];
    for (index, name) in names.into_iter().enumerate() {
        let person = format!("evil-{index}");
        stack.wechat.put_person(&person, Person::new(name)).unwrap();
        let visitor = stack.visitor();
        let asked = asked(&visitor, "pc", &person).await;
        let wrong = visitor
            .submit(
                &forms::form(&asked, "create", &[]).action,
                "language=en&action=send_code&method=phone_code&address=%22%3E%3Csvg%20onload%3Dalert(1)%3E",
            )
            .await;
        let answer = visitor.answer(&asked, "create", &[]).await;
        arrived(&visitor, &answer).await;
        let own = visitor.navigate("/wxgate/account").await;
        for page in [asked, wrong, own] {
            let text = page.text();
            for tag in ["<svg onload", "<script", "<img src=x"] {
                assert!(!text.contains(tag), "{tag} in {page}");
            }
        }
    }
    assert_eq!(stack.accounts().await, 6);
    stack.finish().await;
}
