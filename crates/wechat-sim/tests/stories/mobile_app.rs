//! A mobile app with WeChat's SDK.

use std::time::Duration;

use serde_json::json;
use wechat_sim::{ActError, SdkAnswer, SendAuth};

use crate::support::{MOBILE, MOBILE_SECRET, PLATFORM, SITE, Story};

fn asking(state: &str) -> SendAuth {
    SendAuth { scope: "snsapi_userinfo".to_owned(), state: state.to_owned() }
}

#[tokio::test]
async fn an_app_gets_a_code_with_its_state_and_the_code_lives_ten_minutes() {
    let story = Story::begin();
    let answer = story.sim.send_auth(MOBILE, &asking("s-1"), "xiaoming", SdkAnswer::Allow).unwrap();
    assert_eq!((answer.err_code, answer.state.as_str()), (0, "s-1"));
    let tokens = story.exchange(MOBILE, MOBILE_SECRET, &answer.code.unwrap()).await;
    assert_eq!(tokens.json()["openid"], story.sim.openid("xiaoming", MOBILE));
    assert_eq!(tokens.json()["unionid"], story.sim.unionid("xiaoming", PLATFORM));
    assert_eq!(tokens.json()["scope"], "snsapi_userinfo");
    let person = story.userinfo(&tokens.field("access_token"), &tokens.field("openid")).await;
    assert_eq!(person.json()["nickname"], "小明");

    let codes = [(); 2].map(|()| story.sim.send_auth(MOBILE, &asking(""), "xiaoming", SdkAnswer::Allow).unwrap().code.unwrap());
    story.sim.advance(Duration::from_secs(595));
    assert!(story.exchange(MOBILE, MOBILE_SECRET, &codes[0]).await.json()["openid"].is_string());
    story.sim.advance(Duration::from_secs(5));
    assert_eq!(story.exchange(MOBILE, MOBILE_SECRET, &codes[1]).await.refusal().0, 40029);
}

#[tokio::test]
async fn refusing_and_cancelling_have_numbers_of_their_own() {
    let story = Story::begin();
    let answer = |answer| story.sim.send_auth(MOBILE, &asking("s"), "xiaoming", answer).unwrap();
    let refused = answer(SdkAnswer::Refuse);
    assert_eq!((refused.err_code, refused.code, refused.state.as_str()), (-4, None, "s"));
    assert_eq!(answer(SdkAnswer::Cancel).err_code, -2);
    let wrong_scope = SendAuth { scope: "snsapi_login".to_owned(), ..asking("s") };
    for request in [wrong_scope, asking(&"x".repeat(1025))] {
        assert_eq!(story.sim.send_auth(MOBILE, &request, "xiaoming", SdkAnswer::Allow).unwrap().err_code, -1);
    }
    let not_an_app = story.sim.send_auth(SITE, &asking("s"), "xiaoming", SdkAnswer::Allow);
    assert_eq!(not_an_app, Err(ActError::NotThatKindOfApp(SITE.into())));
}

#[tokio::test]
async fn an_app_in_another_language_uses_the_control_api() {
    let story = Story::begin();
    let request = json!({"scope": "snsapi_userinfo", "state": "s"});
    let body = json!({"appid": MOBILE, "person": "xiaoming", "request": request});
    let answer = story.control("POST", "/sim/app/send-auth", &body.to_string()).await.json();
    assert_eq!((&answer["errCode"], &answer["state"], &answer["country"]), (&json!(0), &json!("s"), &json!("CN")));
    assert!(answer["code"].is_string());
    let body = json!({"appid": MOBILE, "person": "xiaoming", "request": request, "answer": "refuse"});
    let answer = story.control("POST", "/sim/app/send-auth", &body.to_string()).await.json();
    assert_eq!((&answer["errCode"], answer.get("code")), (&json!(-4), None));

    let request = json!({"userName": story.sim.original_id(crate::support::PROGRAM), "path": "", "miniProgramType": 2});
    let body = json!({"appid": MOBILE, "person": "xiaoming", "request": request});
    let visit = story.control("POST", "/sim/app/launch-mini-program", &body.to_string()).await.json();
    assert_eq!((&visit["target"]["page"], &visit["target"]["env_version"]), (&json!("pages/index/index"), &json!("trial")));
}
