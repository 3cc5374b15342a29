//! `connect/oauth2/authorize`: login inside WeChat.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::USER_AGENT;
use wechat_sim::{Decision, Outcome, Person, Simulator};

use crate::support::{ACCOUNT, ACCOUNT_SECRET, CALLBACK, SITE, Story, code_in, parameter_in, path_of, query_of, web_link};

#[tokio::test]
async fn base_redirects_silently() {
    let story = Story::begin();
    let page = story.get_in_wechat(&path_of(&web_link(&[("scope", "snsapi_base")])), "sim_person=xiaoming").await;
    assert_eq!(page.status, 302);
    assert!(page.location().starts_with(&format!("{CALLBACK}?code=")), "{}", page.location());
    assert_eq!(parameter_in(page.location(), "state").unwrap(), "5f1e7a0c9b3d4826");
    let tokens = story.exchange(ACCOUNT, ACCOUNT_SECRET, &code_in(page.location())).await;
    assert_eq!(tokens.field("openid"), story.sim.openid("xiaoming", ACCOUNT));
}

#[tokio::test]
async fn userinfo_asks_once_in_thirty_days() {
    let story = Story::begin();
    let link = path_of(&web_link(&[]));
    let me = "sim_person=xiaohong";

    let question = story.get_in_wechat(&link, me).await;
    assert_eq!(question.status, 200);
    assert!(question.text().contains("小红🌸") && question.text().contains("演示服务号"), "{}", question.text());
    let allowed = story.post_form(&link, me, "decision=allow").await;
    assert_eq!(allowed.status, 303);
    assert!(allowed.location().starts_with(CALLBACK));

    assert_eq!(story.get_in_wechat(&link, me).await.status, 302, "it remembers");
    let forced = path_of(&web_link(&[("forcePopup", "true")]));
    assert_eq!(story.get_in_wechat(&forced, me).await.status, 200, "unless the application insists");
    assert_eq!(story.get_in_wechat(&link, "sim_person=xiaoming").await.status, 200, "or it is somebody else");
    story.sim.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(story.get_in_wechat(&link, me).await.status, 200, "and then forgets");
}

#[tokio::test]
async fn refusing_redirects_nobody() {
    let story = Story::begin();
    let link = path_of(&web_link(&[]));
    let refused = story.post_form(&link, "sim_person=xiaoming", "decision=refuse").await;
    assert_eq!((refused.status.as_u16(), refused.location()), (200, ""));
    assert_eq!(story.get_in_wechat(&link, "sim_person=xiaoming").await.status, 200, "a refusal is no consent");
    assert_eq!(story.sim.authorize(&web_link(&[]), "xiaoming", Decision::Refuse), Ok(Outcome::Refused));
}

#[tokio::test]
async fn where_nobody_asks_nobody_can_refuse() {
    let story = Story::begin();
    let outcome = story.sim.authorize(&web_link(&[("scope", "snsapi_base")]), "xiaoming", Decision::Refuse);
    assert!(outcome.unwrap().redirect().is_some());
}

#[tokio::test]
async fn a_phone_that_is_nobodys_asks_whose_it_is() {
    let story = Story::begin();
    let link = path_of(&web_link(&[("scope", "snsapi_base")]));
    for cookie in ["", "sim_person=somebody-who-left"] {
        let chooser = story.get_in_wechat(&link, cookie).await;
        assert_eq!(chooser.status, 200);
        assert!(chooser.text().contains("小明") && chooser.text().contains("小红🌸"), "{}", chooser.text());
    }
    story.sim.set_current_person(Some("xiaoming")).unwrap();
    assert_eq!(story.get_in_wechat(&link, "").await.status, 302);
}

#[tokio::test]
async fn it_opens_only_in_wechats_own_browser() {
    let story = Story::begin();
    for agent in ["Mozilla/5.0 (X11; Linux x86_64) Chrome/132.0.0.0", "Mozilla/5.0 (iPhone) wxwork/4.1.30 MicroMessenger/7.0.1 Language/zh"]
    {
        for method in ["GET", "POST"] {
            let request = Request::builder().method(method).uri(path_of(&web_link(&[]))).header(USER_AGENT, agent);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let page = story.send(request.body(Body::from("decision=allow")).unwrap()).await;
            assert_eq!(page.status, 200);
            assert!(page.text().contains("请在微信客户端打开链接"), "{method}: {}", page.text());
        }
    }
}

#[tokio::test]
async fn somebody_on_a_snapshot_page_is_nobody() {
    let story = Story::begin();
    story.sim.put_person("kuaizhao", Person::new("快照").only_snapshots()).unwrap();
    let page = story.get_in_wechat(&path_of(&web_link(&[])), "sim_person=kuaizhao").await;
    assert_eq!(page.status, 302, "a snapshot page asks nothing");
    let tokens = story.exchange(ACCOUNT, ACCOUNT_SECRET, &code_in(page.location())).await;
    assert_eq!(tokens.json()["is_snapshotuser"], 1);
    assert_eq!(tokens.field("openid"), story.sim.virtual_openid("kuaizhao", ACCOUNT));
    assert_eq!(tokens.field("unionid"), story.sim.virtual_unionid("kuaizhao", "main"));
    assert_ne!(tokens.field("openid"), story.sim.openid("kuaizhao", ACCOUNT));
    let profile = story.userinfo(&tokens.field("access_token"), &tokens.field("openid")).await;
    assert_eq!(profile.json()["nickname"], "微信用户");
    assert_eq!(profile.field("unionid"), tokens.field("unionid"));
}

#[tokio::test]
async fn an_application_may_ask_for_the_snapshot_page() {
    let story = Story::begin();
    let link = web_link(&[("forceSnapShot", "true")]);
    let outcome = story.sim.authorize(&link, "xiaoming", Decision::Allow).unwrap();
    let tokens = story.exchange(ACCOUNT, ACCOUNT_SECRET, &code_in(outcome.redirect().unwrap())).await;
    assert_eq!(tokens.json()["is_snapshotuser"], 1);
}

#[tokio::test]
async fn wrong_links_get_a_numbered_error_page_with_status_200() {
    let story = Story::begin();
    let long = "a".repeat(129);
    for (change, code, text) in [
        (("appid", ""), Some(10012), "appid不能为空"),
        (("redirect_uri", ""), Some(10011), "redirect_uri不能为空"),
        (("scope", ""), Some(10010), "scope不能为空"),
        (("state", ""), Some(10013), "state不能为空"),
        (("appid", SITE), Some(10016), "请使用公众号Appid"),
        (("appid", "wx00000000000000ff"), None, "AppID 参数错误"),
        (("redirect_uri", "https://evil.test/cb"), Some(10003), "redirect_uri域名与后台配置不一致"),
        (("redirect_uri", "https://pay.shop.example.com/cb"), Some(10003), "redirect_uri域名与后台配置不一致"),
        (("redirect_uri", "https://shop.example.com:8443/cb"), Some(10003), "redirect_uri域名与后台配置不一致"),
        (("scope", "snsapi_login"), Some(10005), "此公众号并没有这些scope的权限"),
        (("response_type", "token"), None, "该链接无法访问"),
        (("state", "with-a-dash"), None, "state 参数错误"),
        (("state", &long), None, "state 参数错误"),
    ] {
        let link = web_link(&[change]);
        let page = story.get_in_wechat(&path_of(&link), "sim_person=xiaoming").await;
        assert_eq!(page.status, 200, "{change:?}");
        assert!(page.text().contains(text), "{change:?}: {}", page.text());
        assert_eq!(page.text().contains("错误码:"), code.is_some(), "{change:?}");
        let refusal = story.refusal(&link);
        assert_eq!(refusal.code, code, "{change:?}");
        assert!(refusal.text.contains(text), "{change:?}");
    }
    let just_right = web_link(&[("state", &"a".repeat(128))]);
    assert!(story.sim.authorize(&just_right, "xiaoming", Decision::Allow).unwrap().redirect().is_some());
}

#[tokio::test]
async fn the_order_of_parameters_matters_here() {
    let story = Story::begin();
    let right = [("appid", ACCOUNT), ("redirect_uri", CALLBACK), ("response_type", "code"), ("scope", "snsapi_base"), ("state", "s")];
    for swapped in 0..4 {
        let mut wrong = right;
        wrong.swap(swapped, swapped + 1);
        let link = format!("https://open.weixin.qq.com/connect/oauth2/authorize?{}#wechat_redirect", query_of(&wrong));
        assert_eq!(story.refusal(&link).text, "该链接无法访问", "{link}");
    }
    let without_state = query_of(&right[..4]);
    let link = format!("https://open.weixin.qq.com/connect/oauth2/authorize?{without_state}#wechat_redirect");
    assert!(story.sim.authorize(&link, "xiaoming", Decision::Allow).unwrap().redirect().is_some());
}

#[tokio::test]
async fn the_link_must_end_in_wechat_redirect() {
    let story = Story::begin();
    let link = web_link(&[]);
    let bare = link.strip_suffix("#wechat_redirect").unwrap();
    assert_eq!(story.refusal(bare).text, "该链接无法访问");
    assert_eq!(story.refusal(&format!("{bare}#wechat_redirect&forcePopup=true")).text, "该链接无法访问");
}

#[tokio::test]
async fn a_lenient_wechat_forgives_the_link_but_not_the_code() {
    let story = Story::with(Simulator::builder().strict(false));
    let query = query_of(&[
        ("response_type", "code"),
        ("scope", "snsapi_base"),
        ("appid", ACCOUNT),
        ("redirect_uri", "https://elsewhere.test:8443/cb"),
        ("state", "with-a-dash"),
    ]);
    let link = format!("https://open.weixin.qq.com/connect/oauth2/authorize?{query}");
    let outcome = story.sim.authorize(&link, "xiaoming", Decision::Allow).unwrap();
    let code = code_in(outcome.redirect().unwrap());
    story.sim.set_current_person(Some("xiaoming")).unwrap();
    assert_eq!(story.get(&path_of(&link)).await.status, 302, "in any browser");
    assert!(story.exchange(ACCOUNT, ACCOUNT_SECRET, &code).await.json()["access_token"].is_string());
    assert_eq!(story.exchange(ACCOUNT, ACCOUNT_SECRET, &code).await.refusal().0, 40163);
}
