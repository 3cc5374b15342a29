//! A person's own page: who am I, by which WeChat may I log in, and the way out of every device.

use serde_json::json;
use wxgate_tests::visitor::SESSION;
use wxgate_tests::{Answer, Stack, Visitor, eventually, forms};

use super::{BOUND, METHODS, browser, logged_in, newcomer};

/// The person's own page.
async fn own_page(visitor: &Visitor) -> Answer {
    let page = visitor.navigate("/wxgate/account").await;
    page.assert_status(200);
    page
}

/// What a script of the application reads there.
async fn own_account(visitor: &Visitor) -> serde_json::Value {
    let account = visitor.api("/wxgate/account").await;
    account.assert_status(200);
    account.json()
}

/// An account of two people at WeChat, as the operator made it: the first is `xiaoming`.
async fn account_of_two(stack: &Stack) -> String {
    newcomer(stack, "second");
    let identities = ["xiaoming", "second"].map(|person| json!({"platform": "main", "unionid": stack.wechat.unionid(person, "main")}));
    let user = json!({"phone_number": "+8613800138000", "phone_number_verified": true, "email": "xiaoming@example.com",
        "email_verified": true, "identities": identities});
    let sub = stack.resolver.create_user(user).await;
    assert_eq!(logged_in(stack, "pc", "second").await, sub);
    sub
}

#[tokio::test]
async fn the_page_says_who_it_is_and_asks_strangers_to_log_in_first() {
    let stack = Stack::start().await;
    let sub = account_of_two(&stack).await;
    for (connector, _, _) in METHODS {
        let visitor = browser(&stack, connector);
        visitor.api("/wxgate/account").await.assert_failure(401, "login_required");
        let back = visitor.log_in_until_callback("/wxgate/account", connector, "xiaoming").await;
        back.assert_goes_to("/wxgate/account");

        let page = visitor.navigate(back.location()).await;

        page.assert_status(200);
        for shown in ["小明", "+8613800138000", "xiaoming@example.com", "second"] {
            assert!(page.text().contains(shown), "{shown} in {page}");
        }
        let account = own_account(&visitor).await;
        assert_eq!(account["account"]["user"]["id"], sub);
        let identities = account["account"]["identities"].as_array().unwrap().clone();
        assert_eq!(identities.len(), 2);
        assert!(identities.iter().all(|identity| identity["connectors"].as_array().is_some_and(|all| !all.is_empty())), "{identities:?}");
        for told in [page.text(), account.to_string()] {
            for person in ["xiaoming", "second"] {
                assert!(!told.contains(&stack.wechat.unionid(person, "main")), "WeChat's ids are nobody's business: {told}");
            }
        }
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        let app = visitor.bearer(&visitor.session());
        assert_eq!(own_account(&app).await["account"]["user"]["id"], sub, "an app reads it with its token");
    }
    stack.finish().await;
}

/// ACC-10.
#[tokio::test]
async fn who_is_unlinked_never_comes_back_into_the_account_and_the_last_way_in_stays() {
    let stack = Stack::start().await;
    let sub = account_of_two(&stack).await;
    let (desk, phone) = (stack.visitor(), browser(&stack, "in-wechat"));
    desk.login("pc", "xiaoming").await;
    phone.login("in-wechat", "second").await;
    let account = own_account(&desk).await;
    let identities = account["account"]["identities"].as_array().unwrap().clone();
    let id = |name: &str| identities.iter().find(|identity| identity["nickname"] == name).unwrap()["id"].as_str().unwrap().to_owned();

    let page = own_page(&desk).await;
    let gone = desk.answer(&page, "unlink", &[("identity", &id("second"))]).await;

    gone.assert_status(303);
    assert_eq!(desk.cookie(SESSION), None, "a change of the ways in ends every session");
    eventually(BOUND, "the other session ends", async || (!phone.is_logged_in().await).then_some(())).await;
    assert_ne!(logged_in(&stack, "pc", "second").await, sub);
    assert_ne!(logged_in(&stack, "in-wechat", "second").await, sub);
    assert_eq!(logged_in(&stack, "pc", "xiaoming").await, sub);

    desk.login("pc", "xiaoming").await;
    let page = own_page(&desk).await;
    assert!(!forms::offers(&page, "unlink"), "{page}");
    let body = format!("language=en&action=unlink&identity={}", id("小明"));
    let kept = desk.submit("/wxgate/account", &body).await;
    assert_eq!(kept.status, 422, "{kept}");
    assert!(kept.text().contains("the only WeChat"), "{kept}");
    assert!(desk.is_logged_in().await);
    assert_eq!(logged_in(&stack, "pc", "xiaoming").await, sub);
    stack.finish().await;
}

#[tokio::test]
async fn nobody_unlinks_the_identity_of_somebody_else() {
    let stack = Stack::start().await;
    let victims = account_of_two(&stack).await;
    let victim = stack.visitor();
    victim.login("pc", "xiaoming").await;
    let identity = own_account(&victim).await["account"]["identities"][0]["id"].as_str().unwrap().to_owned();
    let thief = stack.visitor();
    thief.login("pc", "xiaohong").await;

    for id in [identity.as_str(), "00000000-0000-0000-0000-000000000000", "..%2F..%2Frevoke-sessions", "%00", ""] {
        let answer = thief.submit("/wxgate/account", &format!("language=en&action=unlink&identity={id}")).await;
        assert!(answer.status < 500, "{id}: {answer}");
    }

    assert_eq!(own_account(&victim).await["account"]["identities"].as_array().unwrap().len(), 2);
    assert!(victim.is_logged_in().await && thief.is_logged_in().await);
    assert_eq!(logged_in(&stack, "pc", "second").await, victims);
    stack.finish().await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sessions_at_every_envoy_and_nobody_elses() {
    let stack = Stack::builder().envoys(2).start().await;
    let (desk, laptop, friend) = (stack.visitor(), stack.visitor().via(stack.envoys[1].address), stack.visitor());
    desk.login("pc", "xiaoming").await;
    laptop.login("pc", "xiaoming").await;
    friend.login("pc", "xiaohong").await;
    let stolen = laptop.stolen();

    let page = own_page(&desk).await;
    let out = desk.answer(&page, "sign_out_everywhere", &[]).await;

    out.assert_goes_to("/wxgate/logout");
    assert!(!desk.is_logged_in().await, "here at once");
    for envoy in &stack.envoys {
        let everywhere = async || (!stolen.via(envoy.address).is_logged_in().await).then_some(());
        eventually(BOUND, "the other sessions end at every Envoy", everywhere).await;
        assert!(friend.via(envoy.address).is_logged_in().await);
    }
    // A new browser: a worker may look a moment later than its neighbour, and would take the old session for good.
    let again = stack.visitor().via(stack.envoys[1].address);
    again.login("pc", "xiaoming").await.assert_status(200);
    assert!(again.is_logged_in().await, "and they may log in again");
    stack.finish().await;
}

#[tokio::test]
async fn dangerous_steps_need_a_fresh_login_and_the_way_out_does_not() {
    let stack = Stack::start().await;
    let sub = account_of_two(&stack).await;
    // A session of an hour ago.
    stack.resolver.set_clock_ahead(-3600);
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    stack.resolver.set_clock_ahead(0);
    let account = own_account(&visitor).await;
    assert_eq!(account["is_fresh"], false);
    let identity = account["account"]["identities"][1]["id"].as_str().unwrap().to_owned();
    let page = own_page(&visitor).await;
    assert!(!forms::offers(&page, "unlink") && !forms::offers(&page, "link"), "{page}");

    for body in [format!("action=unlink&identity={identity}"), "action=link&connector=pc".to_owned()] {
        let refused = visitor.submit("/wxgate/account", &format!("language=en&{body}")).await;
        assert_eq!(refused.status, 403, "{refused}");
        assert!(refused.text().contains("log in again"), "{refused}");
    }
    let app = visitor.bearer(&visitor.session());
    let refused = app.post_from_app("/wxgate/account", &json!({"action": "unlink", "identity": identity})).await;
    refused.assert_failure(403, "fresh_login_required");
    assert_eq!(own_account(&visitor).await["account"]["identities"].as_array().unwrap().len(), 2);

    // The page leads to a new login and back, although there is a session.
    let again =
        wxgate_tests::visitor::links(&page.text()).into_iter().find(|link| link.contains("/wxgate/login")).expect("a way to log in again");
    let mut answer = visitor.navigate(&again).await;
    if answer.status == 200 {
        let start = wxgate_tests::visitor::links(&answer.text()).into_iter().find(|link| link.contains("/start/pc")).expect("a method");
        answer = visitor.navigate(&start).await;
    }
    visitor.navigate(&visitor.allow(answer.location(), "xiaoming")).await.assert_goes_to("/wxgate/account");
    let page = own_page(&visitor).await;
    assert!(forms::offers(&page, "unlink") && forms::offers(&page, "link"), "{page}");
    visitor.answer(&page, "sign_out_everywhere", &[]).await.assert_status(303);
    assert_eq!(logged_in(&stack, "pc", "second").await, sub);
    stack.finish().await;
}
