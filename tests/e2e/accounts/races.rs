//! Many at once, two resolvers, and a resolver that goes away: nobody appears twice, and nothing is lost.

use serde_json::json;
use tokio::task::JoinSet;
use wxgate_tests::visitor::{PENDING, SESSION};
use wxgate_tests::{Answer, Stack, Visitor, forms};

use super::{BOUND, PAGE, arrived, ask, asked, browser, logged_in};

const NUMBER: &str = "+8613800138000";

/// Lets all of them happen at once.
async fn at_once<T: Send + 'static>(all: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    all.into_iter().collect::<JoinSet<_>>().join_all().await
}

/// Half of them come by each method.
fn connector_of(index: usize) -> &'static str {
    if index.is_multiple_of(2) { "pc" } else { "in-wechat" }
}

/// Fifty browsers that WeChat has sent back, and where to.
async fn fifty_callbacks(stack: &Stack, person: &str) -> Vec<(Visitor, String)> {
    let mut callbacks = Vec::new();
    for index in 0..50 {
        let connector = connector_of(index);
        let visitor = browser(stack, connector).via(stack.envoys[index / 2 % stack.envoys.len()].address);
        let url = visitor.start(connector, PAGE).await;
        let callback = visitor.allow(&url, person);
        callbacks.push((visitor, callback));
    }
    callbacks
}

/// All of them arrive at once. Whoever is turned away by a resolver that has too much to do begins again, as people do.
async fn assert_one_account(stack: &Stack, person: &'static str, callbacks: Vec<(Visitor, String)>) {
    let logins = callbacks.into_iter().enumerate().map(|(index, (visitor, callback))| async move {
        let mut answer = visitor.navigate(&callback).await;
        while answer.status == 503 {
            answer.assert_failure(503, "accounts_unavailable");
            visitor.set_cookie("__Host-wxgate_starts", "");
            let url = visitor.start(connector_of(index), PAGE).await;
            answer = visitor.navigate(&visitor.allow(&url, person)).await;
        }
        arrived(&visitor, &answer).await
    });
    let mut subs = at_once(logins).await;
    assert_eq!(subs.len(), 50);
    subs.dedup();
    assert_eq!(subs.len(), 1, "{subs:?}");
    assert_eq!((stack.accounts().await, stack.new_users().await), (1, 1));
}

/// ACC-13, ACC-14.
#[tokio::test]
async fn fifty_first_logins_at_once_are_one_account() {
    let stack = Stack::builder().without_rate_limit().start().await;
    let callbacks = fifty_callbacks(&stack, "xiaoming").await;
    assert_one_account(&stack, "xiaoming", callbacks).await;
    stack.finish().await;
}

/// ACC-13, ACC-14.
#[tokio::test]
async fn fifty_first_logins_at_once_are_one_account_at_two_resolvers_too() {
    let stack = Stack::builder().envoys(2).postgres().two_resolvers().without_rate_limit().start().await;
    let callbacks = fifty_callbacks(&stack, "xiaoming").await;
    assert_one_account(&stack, "xiaoming", callbacks).await;
    stack.finish().await;
}

#[tokio::test]
async fn a_login_that_waits_goes_on_at_another_envoy_and_another_resolver() {
    let stack = Stack::builder().envoys(2).postgres().two_resolvers().start().await;
    let sub = stack.resolver.create_user(json!({"phone_number": NUMBER, "phone_number_verified": true})).await;
    stack.resolver.set_policy("pc", ask(&["phone_code"], true)).await;
    let here = stack.visitor();
    let there = here.via(stack.envoys[1].address);
    let page = asked(&here, "pc", "xiaoming").await;
    let page = there.answer(&page, "send_code", &[("method", "phone_code"), ("address", NUMBER)]).await;
    let code = stack.resolver.outbox.code_for(NUMBER).await;

    let answer = here.answer(&page, "code", &[("code", &code)]).await;

    assert_eq!(arrived(&there, &answer).await, sub);
    let page = there.navigate("/wxgate/account").await;
    there.answer(&page, "sign_out_everywhere", &[]).await.assert_status(303);
    let thief = here.stolen();
    wxgate_tests::eventually(BOUND, "the session ends at both", async || (!thief.is_logged_in().await).then_some(())).await;
    assert_eq!(logged_in(&stack, "pc", "xiaoming").await, sub);
    stack.finish().await;
}

#[tokio::test]
async fn clicks_that_come_twice_make_one_account_and_every_tab_ends_logged_in() {
    let stack = Stack::builder().without_rate_limit().start().await;
    let sub = stack.resolver.create_user(json!({"phone_number": NUMBER, "phone_number_verified": true, "username": "xiaoming.w", "password": "correct horse battery staple"})).await;
    stack.resolver.set_policy("pc", ask(&["phone_code", "password"], true)).await;
    for (person, step) in [("xiaoming", "create"), ("xiaohong", "code"), ("kuaizhao", "password")] {
        let visitor = stack.visitor();
        let mut page = asked(&visitor, "pc", person).await;
        let mut fields = vec![];
        if step == "code" {
            page = visitor.answer(&page, "send_code", &[("method", "phone_code"), ("address", NUMBER)]).await;
            fields.push(("code", stack.resolver.outbox.code_for(NUMBER).await));
        } else if step == "password" {
            fields.extend([("account", "xiaoming.w".to_owned()), ("password", "correct horse battery staple".to_owned())]);
        }
        // Tabs of one browser that all sent the form before the first answer came.
        let clicks = (0..8).map(|_| {
            let (tab, page, fields) = (visitor.stolen(), page.clone(), fields.clone());
            async move {
                let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let answer: Answer = tab.answer(&page, step, &fields).await;
                arrived(&tab, &answer).await
            }
        });
        let mut subs = at_once(clicks).await;
        subs.dedup();
        assert_eq!(subs.len(), 1, "{step}: {subs:?}");
        assert_eq!(subs[0] == sub, step != "create");
    }
    assert_eq!((stack.accounts().await, stack.new_users().await), (2, 1), "the new one is counted once");
    stack.finish().await;
}

#[tokio::test]
async fn a_resolver_that_goes_away_and_comes_back_has_lost_nothing() {
    let mut stack = Stack::start().await;
    let sub = stack.resolver.create_user(json!({"phone_number": NUMBER, "phone_number_verified": true})).await;
    stack.resolver.set_policy("pc", ask(&["phone_code"], false)).await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    let page = visitor.answer(&page, "send_code", &[("method", "phone_code"), ("address", NUMBER)]).await;
    let code = stack.resolver.outbox.code_for(NUMBER).await;

    stack.resolver.stop().await;
    for answer in [visitor.answer(&page, "code", &[("code", &code)]).await, visitor.navigate("/wxgate/account").await] {
        answer.assert_failure(503, "accounts_unavailable");
        assert!(answer.header("retry-after").is_some(), "{answer}");
    }
    assert!(visitor.cookie(PENDING).is_some() && visitor.cookie(SESSION).is_none());
    stack.resolver.start().await;

    let answer = visitor.answer(&page, "code", &[("code", &code)]).await;
    assert_eq!(arrived(&visitor, &answer).await, sub, "the code, its tries and the policy are all there");
    assert!(!forms::offers(&visitor.navigate("/wxgate/account").await, "code"));
    stack.finish().await;
}

#[tokio::test]
async fn an_answer_whose_answer_was_lost_is_taken_once() {
    let stack = Stack::start().await;
    stack.resolver.set_policy("pc", ask(&["phone_code"], true)).await;
    let visitor = stack.visitor();
    let page = asked(&visitor, "pc", "xiaoming").await;
    stack.resolver_wire.set_on("/v1/pending-logins", wxgate_tests::Fault::Cut(0)).await;
    let lost = visitor.answer(&page, "create", &[]).await;
    assert_eq!(lost.status, 503, "{lost}");
    stack.resolver_wire.set(wxgate_tests::Fault::None).await;

    let answer = visitor.answer(&page, "create", &[]).await;

    let sub = arrived(&visitor, &answer).await;
    assert_eq!(logged_in(&stack, "pc", "xiaoming").await, sub);
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}
