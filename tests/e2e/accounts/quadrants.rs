//! Every row of the table of design: whose openid, whose unionid, whose account. Each by both methods.

use wxgate_tests::visitor::SESSION;
use wxgate_tests::{Stack, eventually};

use super::{BOUND, METHODS, browser, logged_in, newcomer};

#[tokio::test]
async fn a_person_is_one_account_whichever_method_comes_first() {
    let stack = Stack::start().await;
    for ((first, _, second), person) in METHODS.into_iter().zip(["xiaoming", "xiaohong"]) {
        let sub = logged_in(&stack, first, person).await;
        assert_eq!(logged_in(&stack, second, person).await, sub, "another openid, the same unionid");
        assert_eq!(logged_in(&stack, first, person).await, sub, "both are known");
        assert_eq!(logged_in(&stack, second, person).await, sub, "both are known");
    }
    assert_eq!((stack.accounts().await, stack.new_users().await), (2, 2));
    stack.finish().await;
}

#[tokio::test]
async fn an_account_without_a_unionid_gains_one_when_its_app_joins_a_platform() {
    let stack = Stack::start().await;
    for ((connector, app, other), person) in METHODS.into_iter().zip(["xiaoming", "xiaohong"]) {
        stack.wechat.unbind_app(app).unwrap();
        let sub = logged_in(&stack, connector, person).await;
        assert_eq!(logged_in(&stack, connector, person).await, sub, "the openid alone");

        stack.wechat.bind_app(app, "main").unwrap();
        assert_eq!(logged_in(&stack, connector, person).await, sub, "the openid with a unionid that nobody has");
        assert_eq!(logged_in(&stack, other, person).await, sub, "it was recorded with the account");

        stack.wechat.unbind_app(app).unwrap();
        assert_eq!(logged_in(&stack, connector, person).await, sub, "an app that leaves takes nobody's account away");
        stack.wechat.bind_app(app, "main").unwrap();
    }
    assert_eq!(stack.accounts().await, 2);
    stack.finish().await;
}

#[tokio::test]
async fn an_app_that_moves_to_another_platform_keeps_its_people() {
    let stack = Stack::start().await;
    for ((connector, app, other), person) in METHODS.into_iter().zip(["xiaoming", "xiaohong"]) {
        let sub = logged_in(&stack, connector, person).await;
        stack.wechat.bind_app(app, "elsewhere").unwrap();
        assert_eq!(logged_in(&stack, connector, person).await, sub, "the openid is known, and its new unionid to nobody");
        assert_eq!(logged_in(&stack, other, person).await, sub, "the old unionid stays with the account");
        stack.wechat.bind_app(app, "main").unwrap();
    }
    assert_eq!(stack.accounts().await, 2);
    stack.finish().await;
}

/// ACC-22.
#[tokio::test]
async fn people_of_one_name_are_as_many_accounts() {
    let stack = Stack::start().await;
    stack.resolver.create_user(serde_json::json!({"username": "admin", "name": "admin"})).await;
    for name in ["a", "b"] {
        stack.wechat.put_person(name, wxgate_tests::wechat_sim::Person::new("admin")).unwrap();
    }
    let (a, b) = (logged_in(&stack, "pc", "a").await, logged_in(&stack, "pc", "b").await);
    assert_ne!(a, b);
    assert_eq!(stack.accounts().await, 3);
    stack.finish().await;
}

/// ACC-17.
#[tokio::test]
async fn a_disabled_account_is_refused_by_every_method_and_a_deleted_one_never_comes_back() {
    let stack = Stack::start().await;
    let desk = stack.visitor();
    desk.login("pc", "xiaoming").await;
    let sub = desk.whoami().await.sub().to_owned();

    stack.resolver.disable_user(&sub).await;
    for (connector, _, _) in METHODS {
        let visitor = browser(&stack, connector);
        visitor.log_in_until_callback("/orders", connector, "xiaoming").await.assert_failure(403, "user_disabled");
        assert_eq!(visitor.cookie(SESSION), None);
    }
    assert_eq!(stack.accounts().await, 1, "nobody becomes somebody else by being disabled");

    stack.resolver.delete_user(&sub).await;
    eventually(BOUND, "the sessions of a deleted account end", async || (!desk.is_logged_in().await).then_some(())).await;
    let new = logged_in(&stack, "pc", "xiaoming").await;
    assert_ne!(new, sub);
    assert_eq!(logged_in(&stack, "in-wechat", "xiaoming").await, new);
    stack.finish().await;
}

#[tokio::test]
async fn after_a_merge_both_people_are_the_account_that_stays() {
    let stack = Stack::start().await;
    newcomer(&stack, "second");
    let kept = logged_in(&stack, "pc", "xiaoming").await;
    let ended = stack.visitor();
    ended.login("pc", "second").await;
    let from = ended.whoami().await.sub().to_owned();

    stack.resolver.merge_users(&kept, &from).await;

    eventually(BOUND, "the sessions of the account that ended are over", async || (!ended.is_logged_in().await).then_some(())).await;
    for (connector, _, _) in METHODS {
        assert_eq!(logged_in(&stack, connector, "second").await, kept);
        assert_eq!(logged_in(&stack, connector, "xiaoming").await, kept);
    }
    stack.finish().await;
}
