//! Logging in inside WeChat, on a page of an official account.

use wxgate_tests::visitor::{MINI_PROGRAM, PHONE, SESSION, WECHAT, WECOM};
use wxgate_tests::wechat_sim::{Decision, Outcome, Person, Quirks};
use wxgate_tests::{Builder, Stack, Visitor};

const APP: &str = "wx0000000000000002";

/// A visitor inside WeChat.
fn in_wechat(stack: &Stack) -> Visitor {
    stack.visitor().calling_itself(WECHAT)
}

/// A stack whose official account asks for no more than the openid.
fn silent() -> Builder {
    Stack::builder().config(|json| json["connectors"][1]["scope"] = "snsapi_base".into())
}

#[tokio::test]
async fn inside_wechat_a_protected_page_leads_straight_to_wechat_and_back() {
    let stack = Stack::start().await;
    let visitor = in_wechat(&stack);

    let refused = visitor.navigate("/orders?page=2").await;
    let login = visitor.navigate(refused.location()).await;

    login.assert_status(303);
    let url = login.location();
    assert!(url.starts_with(&format!("{}/connect/oauth2/authorize?appid={APP}&redirect_uri=", stack.wechat_origin)), "{url}");
    assert!(url.contains("&response_type=code&scope=snsapi_userinfo&state="), "WeChat insists on this order: {url}");
    assert!(url.ends_with("#wechat_redirect"), "{url}");
    visitor.navigate(&visitor.allow(url, "xiaoming")).await.assert_goes_to("/orders?page=2");
    let identity = visitor.whoami().await;
    assert_eq!((identity.text("connector"), identity.text("name")), ("in-wechat", "小明"));
    assert!(identity.text("picture").starts_with("https://"));
    stack.finish().await;
}

#[tokio::test]
async fn a_trailing_comma_in_the_scope_changes_nothing() {
    let stack = Stack::start().await;
    stack.wechat.set_quirks(Quirks { trailing_scope_comma: true, ..Quirks::default() });
    let visitor = in_wechat(&stack);
    visitor.login("in-wechat", "xiaoming").await.assert_status(200);
    assert_eq!(visitor.whoami().await.text("name"), "小明");
    stack.finish().await;
}

#[tokio::test]
async fn a_person_who_refuses_inside_wechat_stays_there_and_may_try_again() {
    let stack = Stack::start().await;
    let visitor = in_wechat(&stack);
    let url = visitor.ask_to_log_in("/orders", "in-wechat").await;
    assert_eq!(visitor.at_wechat(&url, "xiaoming", Decision::Refuse), Outcome::Refused);
    visitor.navigate(&visitor.allow(&url, "xiaoming")).await.assert_goes_to("/orders");
    stack.finish().await;
}

#[tokio::test]
async fn the_unionid_joins_logins_on_a_pc_and_inside_wechat_in_one_account() {
    let stack = Stack::start().await;
    let (desk, phone, friend) = (stack.visitor(), in_wechat(&stack), in_wechat(&stack));

    desk.login("pc", "xiaoming").await.assert_status(200);
    phone.login("in-wechat", "xiaoming").await.assert_status(200);
    friend.login("in-wechat", "xiaohong").await.assert_status(200);

    assert_eq!(desk.whoami().await.sub(), phone.whoami().await.sub());
    assert_ne!(desk.whoami().await.sub(), friend.whoami().await.sub());
    assert_eq!(stack.accounts().await, 2);
    stack.finish().await;
}

#[tokio::test]
async fn a_silent_login_of_a_known_person_asks_nothing_and_fetches_nothing() {
    let stack = silent().start().await;
    in_wechat(&stack).login("in-wechat", "xiaoming").await.assert_status(200);
    stack.wechat.clear_journal();
    let visitor = in_wechat(&stack);

    let url = visitor.ask_to_log_in("/orders", "in-wechat").await;
    assert!(url.contains("&scope=snsapi_base&"), "{url}");
    visitor.navigate(&visitor.allow(&url, "xiaoming")).await.assert_goes_to("/orders");

    let paths: Vec<_> = stack.wechat.journal().into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, ["/sns/oauth2/access_token"]);
    assert_eq!(visitor.whoami().await.text("name"), "小明", "the account knows it from before");
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn a_silent_login_of_an_unknown_person_asks_once_for_the_profile() {
    let stack = silent().start().await;
    let visitor = in_wechat(&stack);
    let url = visitor.ask_to_log_in("/orders?page=2", "in-wechat").await;

    let again = visitor.navigate(&visitor.allow(&url, "xiaoming")).await;

    again.assert_status(303);
    assert!(again.location().contains("&scope=snsapi_userinfo&"), "{again}");
    assert_eq!(stack.accounts().await, 0, "an openid alone makes no account");
    assert!(visitor.cookie(SESSION).is_none());
    visitor.navigate(&visitor.allow(again.location(), "xiaoming")).await.assert_goes_to("/orders?page=2");
    assert_eq!(visitor.whoami().await.text("name"), "小明");
    assert_eq!((stack.accounts().await, visitor.attempts().len()), (1, 0));
    stack.finish().await;
}

#[tokio::test]
async fn a_silent_login_finds_the_account_that_was_made_on_a_pc() {
    let stack = silent().start().await;
    let desk = stack.visitor();
    desk.login("pc", "xiaoming").await.assert_status(200);

    for _ in 0..2 {
        let phone = in_wechat(&stack);
        phone.login("in-wechat", "xiaoming").await.assert_status(200);
        assert_eq!(phone.whoami().await.sub(), desk.whoami().await.sub());
    }

    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn an_account_that_does_not_belong_to_a_platform_is_asked_for_its_profile_once_and_no_more() {
    let stack = silent().start().await;
    // Unionids are told no longer, so the second answer brings no more than the first.
    stack.wechat.unbind_app(APP).unwrap();
    let visitor = in_wechat(&stack);
    visitor.login("in-wechat", "xiaoming").await.assert_status(200);
    assert_eq!((stack.exchanges(), stack.accounts().await), (2, 1));
    stack.finish().await;
}

#[tokio::test]
async fn a_snapshot_is_no_person() {
    for builder in [Stack::builder(), silent()] {
        let stack = builder.start().await;
        let visitor = in_wechat(&stack);

        let refused = visitor.log_in_until_callback("/orders", "in-wechat", "kuaizhao").await;

        refused.assert_failure(403, "snapshot_user");
        assert!(refused.text().contains("使用完整服务"), "the way on is named as WeChat names it: {refused}");
        assert!(visitor.cookie(SESSION).is_none());
        assert_eq!(stack.accounts().await, 0);

        // The person taps it, and is somebody.
        stack.wechat.put_person("kuaizhao", Person::new("快照用户")).unwrap();
        visitor.login("in-wechat", "kuaizhao").await.assert_status(200);
        stack.finish().await;
    }
}

#[tokio::test]
async fn wecom_is_not_wechat() {
    let stack = Stack::start().await;
    let login = stack.visitor().calling_itself(WECOM).follow("/orders").await;
    login.assert_status(200);
    assert!(login.text().contains("/wxgate/start/pc"), "{login}");
    assert!(!login.text().contains("/wxgate/start/in-wechat"), "{login}");
    stack.finish().await;
}

#[tokio::test]
async fn a_web_view_in_a_mini_program_is_asked_before_it_goes_to_wechat() {
    let stack = Stack::start().await;
    let visitor = stack.visitor().calling_itself(MINI_PROGRAM);
    let login = visitor.follow("/orders").await;
    login.assert_status(200);
    assert!(login.text().contains("/wxgate/start/in-wechat"), "{login}");
    assert!(!login.text().contains("/wxgate/start/pc"), "{login}");
    visitor.login("in-wechat", "xiaoming").await.assert_status(200);
    stack.finish().await;
}

#[tokio::test]
async fn where_no_method_fits_the_browser_the_login_page_says_where_to_go() {
    let stack = Stack::builder().config(|json| json["applications"][0]["connectors"] = serde_json::json!(["pc"])).start().await;
    let login = in_wechat(&stack).follow("/orders").await;
    login.assert_status(200);
    assert!(!login.text().contains("/wxgate/start/"), "{login}");
    assert!(login.text().contains("Open this page in a browser on a computer"), "{login}");
    in_wechat(&stack).navigate("/wxgate/start/in-wechat").await.assert_failure(404, "unknown_connector");
    stack.finish().await;

    let stack = Stack::builder().config(|json| json["applications"][0]["connectors"] = serde_json::json!(["in-wechat"])).start().await;
    for user_agent in [PHONE, WECOM] {
        let login = stack.visitor().calling_itself(user_agent).follow("/orders").await;
        login.assert_status(200);
        assert!(login.text().contains("Open this page inside WeChat"), "{login}");
    }
    stack.finish().await;
}
