//! `sns/*`: codes for tokens, tokens for people.

use std::time::Duration;

use serde_json::json;
use wechat_sim::{App, Person, Quirks};

use crate::support::{ACCOUNT, ACCOUNT_SECRET, PLATFORM, SITE, SITE_SECRET, Story, refused};

#[tokio::test]
async fn a_website_code_buys_tokens_and_who_it_was() {
    let story = Story::begin();
    let answer = story.exchange(SITE, SITE_SECRET, &story.website_code("xiaoming")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain");
    let body = answer.json();
    assert!(body.get("errcode").is_none(), "a success has no errcode");
    assert!(body.get("is_snapshotuser").is_none());
    assert_eq!(body["expires_in"], 7200);
    assert_eq!(body["scope"], "snsapi_login");
    assert_eq!(body["openid"], story.sim.openid("xiaoming", SITE));
    assert_eq!(body["unionid"], story.sim.unionid("xiaoming", PLATFORM));
}

#[tokio::test]
async fn userinfo_has_a_nickname_a_picture_and_many_empty_fields() {
    let story = Story::begin();
    let tokens = story.exchange(SITE, SITE_SECRET, &story.website_code("xiaohong")).await;
    let answer = story.userinfo(&tokens.field("access_token"), &tokens.field("openid")).await;

    assert_eq!(answer.header("content-type"), "text/plain");
    let openid = story.sim.openid("xiaohong", SITE);
    let expected = json!({
        "openid": openid, "nickname": "小红🌸", "sex": 0, "language": "", "city": "", "province": "", "country": "",
        "headimgurl": format!("https://thirdwx.qlogo.cn/mmopen/vi_32/{openid}/132"), "privilege": [],
        "unionid": story.sim.unionid("xiaohong", PLATFORM),
    });
    assert_eq!(answer.json(), expected);
    assert!(answer.text().contains(r#""headimgurl":"https:\/\/thirdwx.qlogo.cn\/mmopen\/"#), "{}", answer.text());
    assert!(answer.text().contains("小红🌸"), "other characters are not escaped");
}

#[tokio::test]
async fn somebody_without_a_picture_has_an_empty_headimgurl() {
    let story = Story::begin();
    story.sim.put_person("wuming", Person { headimgurl: Some(String::new()), ..Person::new("无名") }).unwrap();
    let tokens = story.exchange(SITE, SITE_SECRET, &story.website_code("wuming")).await;
    let answer = story.userinfo(&tokens.field("access_token"), &tokens.field("openid")).await;
    assert_eq!(answer.json()["headimgurl"], "");
}

#[tokio::test]
async fn a_rid_begins_with_the_time_in_hex() {
    let story = Story::begin();
    story.sim.advance(Duration::from_secs(1_000_000));
    let before = story.sim.now();
    let message = story.exchange(SITE, SITE_SECRET, "made-up").await.field("errmsg");
    let rid = message.strip_prefix("invalid code, rid: ").unwrap();
    let groups: Vec<_> = rid.split('-').collect();
    assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 8, 8]);
    assert!(rid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-')));
    let time = u64::from_str_radix(groups[0], 16).unwrap();
    assert!((before..=story.sim.now()).contains(&time));
}

#[tokio::test]
async fn a_code_buys_once() {
    let story = Story::begin();
    let code = story.website_code("xiaoming");
    assert!(story.exchange(SITE, SITE_SECRET, &code).await.json()["access_token"].is_string());
    assert_eq!(story.exchange(SITE, SITE_SECRET, &code).await.refusal(), refused(40163, "code been used"));
}

#[tokio::test]
async fn a_website_code_lives_ten_minutes() {
    let story = Story::begin();
    let (early, late) = (story.website_code("xiaoming"), story.website_code("xiaoming"));
    story.sim.advance(Duration::from_secs(595));
    assert!(story.exchange(SITE, SITE_SECRET, &early).await.json()["access_token"].is_string());
    story.sim.advance(Duration::from_secs(5));
    assert_eq!(story.exchange(SITE, SITE_SECRET, &late).await.refusal(), refused(40029, "invalid code"));
    assert_eq!(story.exchange(SITE, SITE_SECRET, &early).await.refusal().0, 40029, "used and expired is expired");
}

#[tokio::test]
async fn an_official_accounts_code_lives_five_minutes() {
    let story = Story::begin();
    let (early, late) = (story.account_code("xiaoming", "snsapi_base"), story.account_code("xiaoming", "snsapi_userinfo"));
    story.sim.advance(Duration::from_secs(295));
    assert!(story.exchange(ACCOUNT, ACCOUNT_SECRET, &early).await.json()["access_token"].is_string());
    story.sim.advance(Duration::from_secs(5));
    assert_eq!(story.exchange(ACCOUNT, ACCOUNT_SECRET, &late).await.refusal(), refused(40029, "invalid code"));
}

#[tokio::test]
async fn a_code_is_worth_nothing_to_another_app() {
    let story = Story::begin();
    let code = story.website_code("xiaoming");
    assert_eq!(story.exchange(ACCOUNT, ACCOUNT_SECRET, &code).await.refusal(), refused(40029, "invalid code"));
    assert!(story.exchange(SITE, SITE_SECRET, &code).await.json()["access_token"].is_string(), "and is not spent by it");
}

#[tokio::test]
async fn a_wrong_secret_does_not_spend_the_code() {
    let story = Story::begin();
    let code = story.website_code("xiaoming");
    assert_eq!(story.exchange(SITE, "wrong", &code).await.refusal(), refused(40125, "invalid appsecret"));
    assert!(story.exchange(SITE, SITE_SECRET, &code).await.json()["access_token"].is_string());
}

#[tokio::test]
async fn somebody_whom_wechats_security_holds_back_logs_in_nowhere() {
    let story = Story::begin();
    let code = story.website_code("xiaoming");
    story.sim.put_person("xiaoming", Person { is_blocked: true, ..Person::new("小明") }).unwrap();
    assert_eq!(story.exchange(SITE, SITE_SECRET, &code).await.refusal(), refused(40226, "code blocked"));
}

#[tokio::test]
async fn the_appid_is_looked_at_first_and_the_secret_last() {
    let story = Story::begin();
    let ask = async |query: &str| story.get(&format!("/sns/oauth2/access_token?{query}")).await.refusal();
    let unknown = "wx00000000000000ff";

    assert_eq!(ask("").await, refused(41002, "appid missing"));
    assert_eq!(ask("appid=&secret=s&code=c").await, refused(41002, "appid missing"));
    assert_eq!(ask(&format!("appid={unknown}")).await, refused(40013, "invalid appid"));
    assert_eq!(ask(&format!("appid={SITE}&code=c")).await, refused(41004, "appsecret missing"));
    assert_eq!(ask(&format!("appid={SITE}&secret=wrong")).await, refused(41008, "missing code"));
    assert_eq!(ask(&format!("appid={SITE}&secret=wrong&code=c")).await, refused(40002, "invalid grant_type"));
    let all = format!("appid={SITE}&secret=wrong&code=c&grant_type=authorization_code");
    assert_eq!(ask(&all).await, refused(40029, "invalid code"), "the code before the secret");
}

#[tokio::test]
async fn only_get_is_answered() {
    let story = Story::begin();
    let answer = story.control("POST", "/sns/oauth2/access_token", "").await;
    assert_eq!(answer.refusal(), refused(43001, "require GET method"));
}

#[tokio::test]
async fn base_tells_an_openid_and_nothing_else() {
    let story = Story::begin();
    let code = story.account_code("xiaoming", "snsapi_base");
    let tokens = story.exchange(ACCOUNT, ACCOUNT_SECRET, &code).await;
    assert_eq!(tokens.field("scope"), "snsapi_base");
    assert_eq!(tokens.field("openid"), story.sim.openid("xiaoming", ACCOUNT));
    assert!(tokens.json().get("unionid").is_none(), "although the account is bound");

    let (token, openid) = (tokens.field("access_token"), tokens.field("openid"));
    assert_eq!(story.userinfo(&token, &openid).await.refusal(), refused(48001, "api unauthorized"));
    let auth = story.get(&format!("/sns/auth?access_token={token}&openid={openid}")).await;
    assert_eq!(auth.json(), json!({"errcode": 0, "errmsg": "ok"}));
}

#[tokio::test]
async fn userinfo_scope_tells_the_unionid_that_the_website_tells() {
    let story = Story::begin();
    let code = story.account_code("xiaoming", "snsapi_userinfo");
    let here = story.exchange(ACCOUNT, ACCOUNT_SECRET, &code).await;
    let there = story.exchange(SITE, SITE_SECRET, &story.website_code("xiaoming")).await;
    assert_eq!(here.field("scope"), "snsapi_userinfo");
    assert_eq!(here.field("unionid"), there.field("unionid"));
    assert_ne!(here.field("openid"), there.field("openid"));
}

#[tokio::test]
async fn binding_moving_and_unbinding_an_account_changes_unionids_and_never_openids() {
    let story = Story::begin();
    let log_in = async || {
        let code = story.account_code("xiaoming", "snsapi_userinfo");
        let tokens = story.exchange(ACCOUNT, ACCOUNT_SECRET, &code).await;
        let profile = story.userinfo(&tokens.field("access_token"), &tokens.field("openid")).await;
        assert_eq!(tokens.json().get("unionid"), profile.json().get("unionid"));
        (tokens.field("openid"), tokens.json().get("unionid").map(|id| id.as_str().unwrap().to_owned()))
    };
    let openid = story.sim.openid("xiaoming", ACCOUNT);
    story.sim.unbind_app(ACCOUNT).unwrap();
    assert_eq!(log_in().await, (openid.clone(), None));
    story.sim.bind_app(ACCOUNT, "main").unwrap();
    assert_eq!(log_in().await, (openid.clone(), Some(story.sim.unionid("xiaoming", "main"))));
    story.sim.bind_app(ACCOUNT, "other").unwrap();
    assert_eq!(log_in().await, (openid, Some(story.sim.unionid("xiaoming", "other"))));
}

#[tokio::test]
async fn tokens_are_refused_for_the_right_reason() {
    let story = Story::begin();
    let tokens = story.exchange(SITE, SITE_SECRET, &story.website_code("xiaoming")).await;
    let (token, openid) = (tokens.field("access_token"), tokens.field("openid"));
    let stranger = story.sim.openid("xiaohong", SITE);

    for path in ["/sns/userinfo", "/sns/auth"] {
        let ask = async |query: String| story.get(&format!("{path}?{query}")).await.refusal();
        assert_eq!(ask(format!("openid={openid}")).await, refused(41001, "access_token missing"));
        assert_eq!(ask(format!("access_token={token}")).await, refused(41009, "missing openid"));
        let made_up = ask(format!("access_token=made-up&openid={openid}")).await;
        assert_eq!(made_up, refused(40001, "invalid credential, access_token is invalid or not latest"));
        assert_eq!(ask(format!("access_token={token}&openid={stranger}")).await, refused(40003, "invalid openid"));
    }
    story.sim.advance(Duration::from_secs(7200));
    assert_eq!(story.userinfo(&token, &openid).await.refusal(), refused(42001, "access_token expired"));
}

#[tokio::test]
async fn refreshing_keeps_a_valid_token_replaces_an_expired_one_and_ends_after_thirty_days() {
    let story = Story::begin();
    let tokens = story.exchange(SITE, SITE_SECRET, &story.website_code("xiaoming")).await;
    let refresh_token = tokens.field("refresh_token");
    let refresh = async || {
        let query = format!("appid={SITE}&grant_type=refresh_token&refresh_token={refresh_token}");
        story.get(&format!("/sns/oauth2/refresh_token?{query}")).await
    };

    let kept = refresh().await;
    assert_eq!(kept.field("access_token"), tokens.field("access_token"));
    assert_eq!(kept.field("refresh_token"), refresh_token);
    assert!(kept.json().get("errcode").is_none());

    story.sim.advance(Duration::from_secs(7200));
    let new = refresh().await;
    assert_ne!(new.field("access_token"), tokens.field("access_token"));
    assert_eq!(new.field("openid"), tokens.field("openid"));
    assert_eq!(story.userinfo(&new.field("access_token"), &new.field("openid")).await.json()["nickname"], "小明");

    story.sim.advance(Duration::from_secs(30 * 24 * 3600 - 7200));
    assert_eq!(refresh().await.refusal(), refused(42002, "refresh_token expired"));
}

#[tokio::test]
async fn refreshing_is_refused_for_the_right_reason() {
    let story = Story::begin();
    let tokens = story.exchange(SITE, SITE_SECRET, &story.website_code("xiaoming")).await;
    let token = tokens.field("refresh_token");
    let ask = async |query: String| story.get(&format!("/sns/oauth2/refresh_token?{query}")).await.refusal();

    assert_eq!(ask(String::new()).await, refused(41002, "appid missing"));
    assert_eq!(ask("appid=wx00000000000000ff".into()).await, refused(40013, "invalid appid"));
    assert_eq!(ask(format!("appid={SITE}&grant_type=refresh_token")).await, refused(41003, "missing refresh_token"));
    assert_eq!(ask(format!("appid={SITE}&refresh_token={token}")).await, refused(40002, "invalid grant_type"));
    let made_up = format!("appid={SITE}&grant_type=refresh_token&refresh_token=made-up");
    assert_eq!(ask(made_up).await, refused(40030, "invalid refresh_token"));
    let foreign = format!("appid={ACCOUNT}&grant_type=refresh_token&refresh_token={token}");
    assert_eq!(ask(foreign).await, refused(40030, "invalid refresh_token"));
}

#[tokio::test]
async fn an_app_of_no_platform_tells_no_unionid() {
    let story = Story::begin();
    story.sim.put_app(SITE, App::website(SITE_SECRET).redirecting_to("shop.example.com")).unwrap();
    let tokens = story.exchange(SITE, SITE_SECRET, &story.website_code("xiaoming")).await;
    assert!(tokens.json().get("unionid").is_none());
}

#[tokio::test]
async fn what_was_seen_both_ways_can_be_had_the_other_way() {
    let story = Story::begin();
    story.sim.set_quirks(Quirks { expired_code_is_42003: true, trailing_scope_comma: true, ..Quirks::default() });
    let (good, old) = (story.website_code("xiaoming"), story.website_code("xiaoming"));
    assert_eq!(story.exchange(SITE, SITE_SECRET, &good).await.field("scope"), "snsapi_login,");
    story.sim.advance(Duration::from_secs(600));
    assert_eq!(story.exchange(SITE, SITE_SECRET, &old).await.refusal(), refused(42003, "oauth code expired"));
}
