//! An openid of one account with a unionid of another: the person chooses, once.

use serde_json::json;
use wxgate_tests::visitor::SESSION;
use wxgate_tests::wechat_sim::Person;
use wxgate_tests::{Stack, forms};

use super::{METHODS, arrived, asked, browser, candidate, logged_in};

/// Two accounts of one person: one found by the openid of this connector's app, the other by the unionid and the other app.
/// It came about as it does in the world: the app was outside of the platform, and has now joined it.
async fn two_accounts(stack: &Stack, (connector, app, other): (&str, &str, &str), person: &str) -> (String, String) {
    stack.wechat.unbind_app(app).unwrap();
    let by_openid = logged_in(stack, connector, person).await;
    let by_unionid = logged_in(stack, other, person).await;
    assert_ne!(by_openid, by_unionid);
    stack.wechat.bind_app(app, "main").unwrap();
    stack.resolver.change_user(&by_openid, json!({"phone_number": "+8613800138000", "phone_number_verified": true})).await;
    stack.resolver.change_user(&by_unionid, json!({"email": "xiaoming@example.com", "email_verified": true})).await;
    (by_openid, by_unionid)
}

#[tokio::test]
async fn the_choice_is_remembered_and_the_other_account_keeps_existing() {
    for (is_by_openid, card) in [(true, "138****8000"), (false, "@example.com")] {
        let stack = Stack::start().await;
        for (method, person) in METHODS.into_iter().zip(["xiaoming", "xiaohong"]) {
            let (connector, _, other) = method;
            let (by_openid, by_unionid) = two_accounts(&stack, method, person).await;
            let chosen = if is_by_openid { &by_openid } else { &by_unionid };
            let visitor = browser(&stack, connector);

            let page = asked(&visitor, connector, person).await;
            let account = candidate(&page, card);
            let answer = visitor.answer(&page, "choose", &[("account", &account)]).await;

            assert_eq!(arrived(&visitor, &answer).await, *chosen);
            for _ in 0..2 {
                assert_eq!(logged_in(&stack, connector, person).await, *chosen, "the question does not return");
            }
            assert_eq!(logged_in(&stack, other, person).await, by_unionid, "the other method means what it meant before");
            for sub in [&by_openid, &by_unionid] {
                assert_eq!(stack.resolver.user(sub).await["state"], "active");
            }
        }
        assert_eq!(stack.accounts().await, 4);
        stack.finish().await;
    }
}

#[tokio::test]
async fn the_page_shows_enough_for_the_owner_and_too_little_for_anybody_else() {
    let stack = Stack::start().await;
    stack.wechat.put_person("evil", Person::new("\"><svg onload=alert(1)>{{7*7}}</title><script>")).unwrap();
    let (by_openid, by_unionid) = two_accounts(&stack, METHODS[0], "evil").await;
    let visitor = stack.visitor();

    let page = asked(&visitor, "pc", "evil").await;

    let text = page.text();
    assert!(text.contains("138****8000") && text.contains("@example.com"), "{page}");
    let hidden = [
        "13800138000",
        "xiaoming@",
        &by_openid,
        &by_unionid,
        &stack.wechat.unionid("evil", "main"),
        &stack.resolver_wire.pending_logins()[0],
        "<svg onload",
        "<script",
    ];
    for hidden in hidden {
        assert!(!text.contains(hidden), "{hidden} in {page}");
    }
    for (name, value) in [("cache-control", "no-store"), ("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")] {
        assert_eq!(page.header(name), Some(value));
    }
    assert!(page.header("content-security-policy").unwrap().contains("form-action 'self'"));
    stack.finish().await;
}

#[tokio::test]
async fn nobody_chooses_an_account_that_is_not_offered() {
    let stack = Stack::start().await;
    let stranger = logged_in(&stack, "pc", "xiaohong").await;
    let (by_openid, _) = two_accounts(&stack, METHODS[0], "xiaoming").await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    let form = forms::form(&page, "choose", &[]);

    for account in [stranger.as_str(), by_openid.as_str(), "3", "0", "", "1%00"] {
        let answer = visitor.submit(&form.action, &format!("language=en&action=choose&account={account}")).await;
        assert!(answer.status < 500 && answer.status != 303, "{account}: {answer}");
        assert_eq!(visitor.cookie(SESSION), None, "{account}");
    }
    for (action, more) in [("create", ""), ("code", "&code=123456"), ("password", "&account=a&password=correct+horse+battery")] {
        let answer = visitor.submit(&form.action, &format!("language=en&action={action}{more}")).await;
        assert!(answer.status < 500 && answer.status != 303, "{action}: {answer}");
        assert_eq!(visitor.cookie(SESSION), None, "{action}");
    }
    assert_eq!(stack.accounts().await, 3);
    stack.finish().await;
}

#[tokio::test]
async fn an_account_that_is_disabled_is_no_choice() {
    let stack = Stack::start().await;
    let (by_openid, by_unionid) = two_accounts(&stack, METHODS[0], "xiaoming").await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    let (disabled, other) = (candidate(&page, "138****8000"), candidate(&page, "@example.com"));
    let action = forms::form(&page, "choose", &[]).action;

    stack.resolver.disable_user(&by_openid).await;
    let shown = visitor.navigate("/wxgate/account").await;
    assert!(shown.text().contains("@example.com") && !shown.text().contains("138****8000"), "{shown}");
    let late = visitor.stolen();
    let refused = late.submit(&action, &format!("language=en&action=choose&account={disabled}")).await;
    refused.assert_failure(403, "user_disabled");
    assert_eq!(late.cookie(SESSION), None);
    let answer = visitor.submit(&action, &format!("language=en&action=choose&account={other}")).await;
    assert!(matches!(answer.status, 403 | 409 | 410), "that login has ended, by the first answer: {answer}");
    assert_eq!(visitor.cookie(SESSION), None);

    // There is nothing left to choose, so nobody is asked, and nothing is remembered.
    assert_eq!(logged_in(&stack, "pc", "xiaoming").await, by_unionid);
    stack.resolver.enable_user(&by_openid).await;
    let again = stack.visitor();
    let page = asked(&again, "pc", "xiaoming").await;
    stack.resolver.disable_user(&by_unionid).await;
    let shown = again.navigate("/wxgate/account").await;
    let answer = again.answer(&shown, "choose", &[("account", &candidate(&page, "138****8000"))]).await;
    assert_eq!(arrived(&again, &answer).await, by_openid, "who is still there can be chosen");
    assert_eq!(logged_in(&stack, "pc", "xiaoming").await, by_openid);
    stack.finish().await;
}

#[tokio::test]
async fn who_cancels_is_nobody_and_is_asked_again_next_time() {
    let stack = Stack::start().await;
    let (by_openid, _) = two_accounts(&stack, METHODS[0], "xiaoming").await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;

    let cancelled = visitor.answer(&page, "cancel", &[]).await;

    cancelled.assert_status(303);
    assert!(cancelled.location().contains("/wxgate/login"), "{cancelled}");
    assert_eq!(visitor.cookie(SESSION), None);
    let page = asked(&visitor, "pc", "xiaoming").await;
    let account = candidate(&page, "138****8000");
    let answer = visitor.answer(&page, "choose", &[("account", &account)]).await;
    assert_eq!(arrived(&visitor, &answer).await, by_openid);
    stack.finish().await;
}
