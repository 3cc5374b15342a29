//! Apps' own tokens: `cgi-bin/token`, `cgi-bin/stable_token`, and what becomes of them.

use std::time::Duration;

use serde_json::json;
use wechat_sim::{App, Limits, TokenMishap};

use crate::support::{ACCOUNT, ACCOUNT_SECRET, PROGRAM, PROGRAM_SECRET, Story, refused};

/// What a call with this token says: 0 where it is good.
async fn errcode(story: &Story, token: &str) -> i64 {
    let openid = story.sim.openid("xiaoming", ACCOUNT);
    let answer = story.get(&format!("/cgi-bin/user/info?access_token={token}&openid={openid}")).await;
    answer.json()["errcode"].as_i64().unwrap_or_default()
}

#[tokio::test]
async fn the_plain_endpoint_gives_another_token_each_time_and_the_old_one_has_five_minutes() {
    let story = Story::begin();
    let answer = story.token(ACCOUNT, ACCOUNT_SECRET).await;
    assert_eq!(answer.header("content-type"), "application/json; encoding=utf-8");
    assert_eq!(answer.json()["expires_in"], 7200);
    assert!(answer.json().get("errcode").is_none());
    let (old, new) = (answer.field("access_token"), story.token(ACCOUNT, ACCOUNT_SECRET).await.field("access_token"));
    assert_ne!(old, new);
    assert_eq!((errcode(&story, &old).await, errcode(&story, &new).await), (0, 0));
    story.sim.advance(Duration::from_secs(300));
    assert_eq!((errcode(&story, &old).await, errcode(&story, &new).await), (40001, 0));
    story.sim.advance(Duration::from_secs(6900));
    assert_eq!(errcode(&story, &new).await, 42001);
}

#[tokio::test]
async fn the_stable_endpoint_gives_the_same_token_until_five_minutes_before_its_end() {
    let story = Story::begin();
    let first = story.stable_token(ACCOUNT, false).await;
    assert_eq!(first.json()["expires_in"], 7200);
    story.sim.advance(Duration::from_secs(6000));
    let same = story.stable_token(ACCOUNT, false).await;
    assert_eq!(same.field("access_token"), first.field("access_token"));
    let left = same.json()["expires_in"].as_u64().unwrap();
    assert!((1000..=1200).contains(&left), "{left}");
    story.sim.advance(Duration::from_secs(900));
    let next = story.stable_token(ACCOUNT, false).await;
    assert_ne!(next.field("access_token"), first.field("access_token"));
    assert_eq!(errcode(&story, &first.field("access_token")).await, 0, "the old one lives on to its end");
    story.token(ACCOUNT, ACCOUNT_SECRET).await;
    story.sim.advance(Duration::from_secs(400));
    assert_eq!(errcode(&story, &next.field("access_token")).await, 0, "the other endpoint leaves it alone");
}

#[tokio::test]
async fn a_forced_refresh_kills_the_old_token_twenty_times_a_day_and_not_within_thirty_seconds() {
    let story = Story::begin();
    story.at_midnight_in_beijing();
    let mut current = story.stable_token(ACCOUNT, false).await.field("access_token");
    for _ in 0..20 {
        let next = story.stable_token(ACCOUNT, true).await.field("access_token");
        assert_ne!(next, current);
        assert_eq!((errcode(&story, &current).await, errcode(&story, &next).await), (40001, 0));
        assert_eq!(story.stable_token(ACCOUNT, true).await.field("access_token"), next, "too soon: the current one comes back");
        current = next;
        story.sim.advance(Duration::from_secs(30));
    }
    let twenty_first = story.stable_token(ACCOUNT, true).await;
    assert_eq!(twenty_first.server_refusal(), refused(45009, "reach max api daily quota limit"));
    assert_eq!(story.stable_token(ACCOUNT, false).await.field("access_token"), current);
}

#[tokio::test]
async fn a_token_that_never_was_is_malformed_or_unknown() {
    let story = Story::begin();
    let user_token = story.exchange(ACCOUNT, ACCOUNT_SECRET, &story.account_code("xiaoming", "snsapi_userinfo")).await;
    let ask = async |query: &str| story.get(&format!("/cgi-bin/user/info?openid=o&{query}")).await.server_refusal().0;
    assert_eq!(ask("").await, 41001);
    assert_eq!(ask("access_token=").await, 41001);
    assert_eq!(ask("access_token=nonsense").await, 40014);
    assert_eq!(ask(&format!("access_token=98_{}", "x".repeat(133))).await, 40001);
    let of_a_user = user_token.field("access_token");
    assert_eq!(ask(&format!("access_token={of_a_user}")).await, 40001, "a person's token is another kind");
    let of_the_app = story.stable_token(ACCOUNT, false).await.field("access_token");
    assert_eq!(story.userinfo(&of_the_app, &user_token.field("openid")).await.refusal().0, 40001, "and the other way round");
}

#[tokio::test]
async fn what_is_wrong_with_asking_is_said_in_wechats_order() {
    let story = Story::begin();
    let ask = async |query: &str| story.get(&format!("/cgi-bin/token?{query}")).await.server_refusal();
    assert_eq!(ask("").await, refused(41002, "appid missing"));
    assert_eq!(ask("appid=wx00000000000000ff").await, refused(40013, "invalid appid"));
    assert_eq!(ask(&format!("appid={ACCOUNT}&secret=s")).await, refused(40002, "invalid grant_type"));
    let all = format!("appid={ACCOUNT}&grant_type=client_credential");
    assert_eq!(ask(&all).await, refused(41004, "appsecret missing"));
    assert_eq!(ask(&format!("{all}&secret=wrong")).await, refused(40125, "invalid appsecret"));

    let stable = async |body: &str| story.control("POST", "/cgi-bin/stable_token", body).await.server_refusal();
    assert_eq!(stable("").await, refused(44002, "empty post data"));
    assert_eq!(stable(&format!("{all}&secret={ACCOUNT_SECRET}")).await, refused(47001, "data format error"));
    let wrong = json!({"appid": ACCOUNT, "secret": "wrong", "grant_type": "client_credential"});
    assert_eq!(stable(&wrong.to_string()).await.0, 40125);
    assert_eq!(story.get("/cgi-bin/stable_token").await.server_refusal(), refused(43002, "require POST method"));
    assert_eq!(story.control("POST", &format!("/cgi-bin/token?{all}"), "").await.server_refusal().0, 43001);
}

#[tokio::test]
async fn only_addresses_on_the_whitelist_get_tokens() {
    let story = Story::begin();
    let app = || App::official_account(ACCOUNT_SECRET);
    story.sim.put_app(ACCOUNT, app().only_from(&["203.0.113.7".parse().unwrap()])).unwrap();
    let words = "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist";
    assert_eq!(story.token(ACCOUNT, ACCOUNT_SECRET).await.server_refusal(), refused(40164, words));
    assert_eq!(story.stable_token(ACCOUNT, false).await.server_refusal().0, 40164);
    story.sim.put_app(ACCOUNT, app().only_from(&["127.0.0.1".parse().unwrap()])).unwrap();
    assert!(story.token(ACCOUNT, ACCOUNT_SECRET).await.json()["access_token"].is_string());
}

#[tokio::test]
async fn mishaps_befall_the_tokens_of_one_app() {
    let story = Story::begin();
    let first = story.stable_token(ACCOUNT, false).await.field("access_token");
    story.sim.befall_server_tokens(ACCOUNT, TokenMishap::Replaced).unwrap();
    assert_eq!(errcode(&story, &first).await, 40001);
    let second = story.stable_token(ACCOUNT, false).await.field("access_token");
    assert_eq!(errcode(&story, &second).await, 0, "asking without force is enough");

    let path = format!("/sim/apps/{ACCOUNT}/server-tokens");
    assert_eq!(story.control("POST", &path, r#"{"mishap": "refused"}"#).await.status, 204);
    assert_eq!(story.stable_token(ACCOUNT, false).await.field("access_token"), second, "the refused one again");
    assert_eq!(errcode(&story, &second).await, 40001);
    let third = story.stable_token(ACCOUNT, true).await.field("access_token");
    assert_eq!(errcode(&story, &third).await, 0);

    let other = story.program_token().await;
    story.sim.befall_server_tokens(ACCOUNT, TokenMishap::Expired).unwrap();
    assert_eq!(errcode(&story, &third).await, 42001);
    assert_ne!(story.stable_token(ACCOUNT, false).await.field("access_token"), third);
    assert_eq!(story.program_token().await, other);
    assert!(story.sim.befall_server_tokens("wx00000000000000ff", TokenMishap::Expired).is_err());
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_for_how_long() {
    let story = Story::begin();
    story.at_midnight_in_beijing();
    story.sim.set_limits(Limits { token_per_day: 1, stable_token_per_minute: 1, ..Limits::default() });
    let token = story.token(ACCOUNT, ACCOUNT_SECRET).await.field("access_token");
    assert_eq!(story.token(ACCOUNT, ACCOUNT_SECRET).await.server_refusal().0, 45009);
    assert!(story.token(PROGRAM, PROGRAM_SECRET).await.json()["access_token"].is_string(), "another app has its own");
    story.stable_token(ACCOUNT, false).await.field("access_token");
    assert_eq!(story.stable_token(ACCOUNT, false).await.server_refusal().0, 45011);
    story.sim.advance(Duration::from_secs(60));
    story.stable_token(ACCOUNT, false).await.field("access_token");

    let clear = async |body: serde_json::Value| {
        let answer = story.control("POST", &format!("/cgi-bin/clear_quota?access_token={token}"), &body.to_string()).await;
        answer.json()["errcode"].as_i64()
    };
    assert_eq!(clear(json!({"appid": PROGRAM})).await, Some(40013));
    assert_eq!(clear(json!({"appid": ACCOUNT})).await, Some(0));
    assert!(story.token(ACCOUNT, ACCOUNT_SECRET).await.json()["access_token"].is_string());
    let by_secret = json!({"appid": ACCOUNT, "appsecret": ACCOUNT_SECRET}).to_string();
    for _ in 0..9 {
        assert_eq!(story.control("POST", "/cgi-bin/clear_quota/v2", &by_secret).await.json()["errcode"], 0);
    }
    assert_eq!(story.control("POST", "/cgi-bin/clear_quota/v2", &by_secret).await.server_refusal().0, 48006);
    let limits = story.control("PUT", "/sim/limits", r#"{"links_per_day": 3}"#).await.json();
    assert_eq!((&limits["links_per_day"], &limits["token_per_day"]), (&json!(3), &json!(2000)));
}
