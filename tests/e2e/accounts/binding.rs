//! The first login of somebody whom nobody knows: the connector's policy decides, as it stands at that moment.

use serde_json::json;
use wxgate_tests::visitor::{PENDING, SESSION};
use wxgate_tests::{Stack, forms};

use super::{METHODS, PAGE, arrived, ask, asked, browser, logged_in, newcomer};
use crate::native;

const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn a_policy_takes_effect_at_the_next_login_and_only_for_its_connector() {
    let stack = Stack::start().await;
    let people = ["a", "b", "c", "d", "e"];
    people.iter().for_each(|name| newcomer(&stack, name));
    let first = logged_in(&stack, "pc", "a").await;

    stack.resolver.set_policy("pc", json!({"registration": "closed"})).await;
    stack.visitor().log_in_until_callback("/orders", "pc", "b").await.assert_failure(403, "registration_closed");
    assert_eq!(logged_in(&stack, "pc", "a").await, first, "who has an account is let in");
    let within = logged_in(&stack, "in-wechat", "b").await;
    assert_eq!(logged_in(&stack, "pc", "b").await, within, "by now there is an account");

    stack.resolver.set_policy("pc", json!({"on_no_match": "refuse"})).await;
    let refused = stack.visitor().log_in_until_callback("/orders", "pc", "c").await;
    refused.assert_status(403);

    // WeChat tells website apps no number, so that nothing can match.
    stack.resolver.set_policy("pc", json!({"binding": "field", "on_no_match": "refuse"})).await;
    stack.visitor().log_in_until_callback("/orders", "pc", "c").await.assert_status(403);
    stack.resolver.set_policy("pc", json!({"binding": "field"})).await;
    logged_in(&stack, "pc", "c").await;

    stack.resolver.set_policy("pc", ask(&["password"], true)).await;
    asked(&stack.visitor(), "pc", "d").await;
    stack.resolver.set_policy("pc", json!({"binding": "none"})).await;
    logged_in(&stack, "pc", "d").await;
    assert_eq!(stack.accounts().await, 4);
    stack.finish().await;
}

#[tokio::test]
async fn a_phone_code_proves_an_account_by_every_method() {
    let stack = Stack::start().await;
    for ((connector, _, other), (person, number)) in
        METHODS.into_iter().zip([("xiaoming", "+8613800138000"), ("xiaohong", "+8613900139000")])
    {
        let sub = stack.resolver.create_user(json!({"name": "以前的名字", "phone_number": number, "phone_number_verified": true})).await;
        stack.resolver.set_policy(connector, ask(&["phone_code", "password"], false)).await;
        let visitor = browser(&stack, connector);

        let page = asked(&visitor, connector, person).await;
        assert!(!forms::offers(&page, "create"), "registration is closed");
        // As people type it.
        let typed = number.strip_prefix("+86").unwrap();
        let page = visitor.answer(&page, "send_code", &[("method", "phone_code"), ("address", typed)]).await;
        assert!(page.text().contains(&format!("+86{}****{}", &typed[..3], &typed[7..])), "{page}");
        let letter = stack.resolver.outbox.letter_to(number).await;
        assert_eq!(letter.language, "en");
        let answer = visitor.answer(&page, "code", &[("code", &letter.code)]).await;

        assert_eq!(arrived(&visitor, &answer).await, sub);
        assert_eq!(logged_in(&stack, connector, person).await, sub, "from now on WeChat is enough");
        assert_eq!(logged_in(&stack, other, person).await, sub, "by every method of the platform");
    }
    assert_eq!((stack.accounts().await, stack.new_users().await), (2, 0));
    stack.finish().await;
}

#[tokio::test]
async fn an_email_code_proves_an_account_in_the_language_of_the_page() {
    let stack = Stack::start().await;
    let sub = stack.resolver.create_user(json!({"email": "xiaoming@example.com", "email_verified": true})).await;
    stack.resolver.set_policy("pc", ask(&["email_code"], true)).await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    assert!(!page.text().contains("value=\"phone_code\""), "only what the operator offers: {page}");

    let form = forms::form(&page, "send_code", &[("method", "email_code")]);
    let body = "language=zh-CN&action=send_code&method=email_code&address=Xiaoming%40Example.com";
    let page = visitor.submit(&form.action, body).await;
    assert!(page.text().contains("<html lang=\"zh-CN\">"), "the page goes on in the language in which it was read");
    let letter = stack.resolver.outbox.letter_to("xiaoming@example.com").await;
    assert_eq!(letter.language, "zh-CN");
    let answer = visitor.answer(&page, "code", &[("code", &letter.code)]).await;

    assert_eq!(arrived(&visitor, &answer).await, sub);
    assert_eq!(visitor.whoami().await.text("name"), "小明", "an account without a name gets one");
    stack.finish().await;
}

#[tokio::test]
async fn a_password_proves_an_account_by_each_of_its_names() {
    let stack = Stack::start().await;
    let user = json!({"username": "xiaoming.w", "phone_number": "+8613800138000", "phone_number_verified": true,
        "email": "xiaoming@example.com", "email_verified": true, "password": PASSWORD});
    let sub = stack.resolver.create_user(user).await;
    stack.resolver.set_policy("pc", ask(&["password"], false)).await;
    for (person, account) in [("a", "xiaoming.w"), ("b", "13800138000"), ("c", "xiaoming@example.com")] {
        newcomer(&stack, person);
        let visitor = stack.visitor();
        let page = asked(&visitor, "pc", person).await;
        let page = visitor.answer(&page, "password", &[("account", account), ("password", "correct horse battery")]).await;
        assert_eq!(visitor.cookie(SESSION), None);
        assert!(page.text().contains(account) && !page.text().contains("correct horse"), "{page}");
        let answer = visitor.answer(&page, "password", &[("account", account), ("password", PASSWORD)]).await;
        assert_eq!(arrived(&visitor, &answer).await, sub, "{account}");
    }
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn who_has_no_account_makes_one_where_that_is_allowed() {
    let stack = Stack::start().await;
    for (connector, person) in [("pc", "xiaoming"), ("in-wechat", "xiaohong")] {
        stack.resolver.set_policy(connector, ask(&["phone_code"], true)).await;
        let visitor = browser(&stack, connector);
        let page = asked(&visitor, connector, person).await;
        let answer = visitor.answer(&page, "create", &[]).await;
        let sub = arrived(&visitor, &answer).await;
        assert_eq!(logged_in(&stack, connector, person).await, sub);
    }
    assert_eq!((stack.accounts().await, stack.new_users().await), (2, 2));

    newcomer(&stack, "late");
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "late").await;
    let form = forms::form(&page, "create", &[]);
    // The page is as it was when it was asked, or the policy is as it is now: in no case both.
    stack.resolver.set_policy("pc", ask(&["phone_code"], false)).await;
    let before = stack.accounts().await;
    let answer = visitor.submit(&form.action, "language=en&action=create").await;
    assert!(answer.status < 500, "{answer}");
    assert_eq!(stack.accounts().await - before, u64::from(visitor.cookie(SESSION).is_some()));
    stack.finish().await;
}

#[tokio::test]
async fn what_the_policy_does_not_offer_cannot_be_had_by_asking_for_it() {
    let stack = Stack::start().await;
    stack
        .resolver
        .create_user(
            json!({"username": "xiaoming.w", "phone_number": "+8613800138000", "phone_number_verified": true, "password": PASSWORD}),
        )
        .await;
    stack.resolver.set_policy("pc", ask(&["email_code"], false)).await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    let action = forms::form(&page, "send_code", &[("method", "email_code")]).action;
    let password = format!("action=password&account=xiaoming.w&password={}", PASSWORD.replace(' ', "+"));
    for body in [
        "action=send_code&method=phone_code&address=13800138000",
        "action=create",
        &password,
        "action=choose&account=1",
        "action=code&code=123456",
        "action=unlink&identity=1",
        "action=",
        "",
    ] {
        let answer = visitor.submit(&action, &format!("language=en&{body}")).await;
        assert!(answer.status < 500, "{body}: {answer}");
        assert_eq!(visitor.cookie(SESSION), None, "{body}");
    }
    assert!(stack.resolver.outbox.unread().is_empty());
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

/// What the operator asks for cannot be had: the resolver sends no codes. Nobody stands before a question that has no answer.
#[tokio::test]
async fn where_no_code_can_be_sent_whoever_has_no_account_reads_so_in_plain_words() {
    let stack = native::builder().without_rate_limit().without_delivery().start().await;
    let app = native::Client::of(&stack);
    let connectors = METHODS.map(|(connector, ..)| connector).into_iter().chain(native::METHODS);
    for connector in connectors.clone() {
        stack.resolver.set_policy(connector, ask(&["phone_code", "email_code"], false)).await;
    }
    for (language, words) in
        [("en", ["There is no account for this WeChat yet", "ask its operators"]), ("zh-CN", ["此微信尚未开通账号", "请联系网站管理员"])]
    {
        for (connector, ..) in METHODS {
            let visitor = browser(&stack, connector);
            let callback = visitor.allow(&visitor.start(connector, PAGE).await, "xiaoming");
            let headers = [("accept", "text/html"), ("accept-language", language), ("sec-fetch-mode", "navigate")];
            let page = visitor.send("GET", &callback, &headers, b"").await;
            page.assert_failure(403, "registration_closed");
            assert!(words.iter().all(|words| page.text().contains(words)), "{language}: {page}");
            assert!(!forms::offers(&page, "send_code"), "{page}");
            assert_eq!((visitor.cookie(SESSION), visitor.cookie(PENDING)), (None, None), "{connector}");
        }
    }
    for connector in native::METHODS {
        let refused = app.login(connector, "xiaoming").await;
        refused.assert_failure(403, "registration_closed");
        assert!(refused.json()["message"].as_str().unwrap().contains("no new accounts"), "{refused}");
    }
    assert_eq!(stack.accounts().await, 0);

    // To make an account is then all that could be offered, so it is made; and a password needs no code.
    for connector in connectors {
        stack.resolver.set_policy(connector, ask(&["phone_code", "password"], false)).await;
    }
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    assert_eq!(["send_code", "password", "create"].map(|action| forms::offers(&page, action)), [false, true, false]);
    assert_eq!(app.login("app", "xiaoming").await.assert_status(409).json()["error"], "bind_account");
    stack.resolver.set_policy("pc", ask(&["phone_code"], true)).await;
    logged_in(&stack, "pc", "xiaoming").await;
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}
