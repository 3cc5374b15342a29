//! What goes wrong, on demand. Resets need a socket: see `serving`.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::ServiceExt;
use wechat_sim::{Effect, Fault};

use crate::support::{PROGRAM, PROGRAM_SECRET, SITE, SITE_SECRET, Story};

#[tokio::test]
async fn something_in_front_of_wechat_answers_twice_and_then_wechat_does() {
    let story = Story::begin();
    let code = story.website_code("xiaoming");
    story.sim.set_faults(vec![Fault::on("/sns/oauth2/access_token", Effect::bad_gateway()).times(2)]);
    for _ in 0..2 {
        let answer = story.exchange(SITE, SITE_SECRET, &code).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (502, "text/html"));
        assert!(answer.text().contains("502 Bad Gateway"));
    }
    assert!(story.exchange(SITE, SITE_SECRET, &code).await.json()["access_token"].is_string());
}

#[tokio::test]
async fn wechat_is_busy_in_its_own_words() {
    let story = Story::begin();
    let code = story.website_code("xiaoming");
    story.sim.set_faults(vec![Fault::on("/sns/", Effect::errcode(-1, "system error")).times(1)]);
    assert_eq!(story.exchange(SITE, SITE_SECRET, &code).await.refusal(), (-1, "system error".into()));
    assert!(story.exchange(SITE, SITE_SECRET, &code).await.json()["access_token"].is_string(), "the code was not spent");
}

#[tokio::test]
async fn each_family_of_paths_is_busy_in_its_own_form() {
    let story = Story::begin();
    story.sim.set_faults(vec![Fault::on("/", Effect::errcode(45011, "slower"))]);
    assert_eq!(story.session_of(PROGRAM, PROGRAM_SECRET, "code").await.refusal(), (45011, "slower".into()));
    for path in ["/cgi-bin/token", "/cgi-bin/user/info", "/wxa/getwxacodeunlimit"] {
        assert_eq!(story.get(path).await.server_refusal(), (45011, "slower".into()), "{path}");
    }
    story.sim.set_faults(vec![Fault::on("/cgi-bin/stable_token", Effect::bad_gateway()).times(1)]);
    assert_eq!(story.stable_token(PROGRAM, false).await.status, 502);
    assert_eq!(story.stable_token(PROGRAM, false).await.status, 200);
    let journal = story.sim.journal();
    assert!(journal.last().unwrap().body.contains(PROGRAM_SECRET), "bodies are written down");
}

#[tokio::test(start_paused = true)]
async fn wechat_is_slow() {
    let story = Story::begin();
    story.sim.set_faults(vec![Fault::on("/sns/", Effect::Delay { delay_ms: 30_000 })]);
    let start = Instant::now();
    assert!(story.exchange(SITE, SITE_SECRET, &story.website_code("xiaoming")).await.json()["access_token"].is_string());
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn half_of_an_answer_arrives() {
    let story = Story::begin();
    story.sim.set_faults(vec![Fault::on("/sns/", Effect::Truncate { keep_bytes: Some(40), hang_up: false })]);
    let answer = story.exchange(SITE, SITE_SECRET, &story.website_code("xiaoming")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.bytes.len(), 40);
    assert!(serde_json::from_slice::<serde_json::Value>(&answer.bytes).is_err());
}

#[tokio::test]
async fn an_answer_arrives_byte_by_byte() {
    let story = Story::begin();
    story.sim.set_faults(vec![Fault::on("/sns/auth", Effect::Drip { piece_bytes: 1, pause_ms: 0 })]);
    let response = story.sim.router().oneshot(Request::get("/sns/auth").body(Body::empty()).unwrap()).await.unwrap();
    let mut body = response.into_body();
    let (mut pieces, mut text) = (0, Vec::new());
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert_eq!(data.len(), 1);
        pieces += 1;
        text.extend_from_slice(&data);
    }
    assert_eq!(pieces, text.len());
    assert!(String::from_utf8(text).unwrap().starts_with(r#"{"errcode":41001"#));
}

#[tokio::test]
async fn faults_leave_other_paths_and_the_control_api_alone() {
    let story = Story::begin();
    story.sim.set_faults(vec![Fault::on("/", Effect::bad_gateway())]);
    assert_eq!(story.get("/connect/qrconnect").await.status, 502);
    assert_eq!(story.get("/sim/faults").await.json()[0]["times"], "forever");
    story.sim.set_faults(vec![Fault::on("/sns/userinfo", Effect::bad_gateway())]);
    assert_eq!(story.get("/sns/auth").await.status, 200);
}
