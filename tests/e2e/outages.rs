//! WeChat and the resolver down, silent, slow, cut off, lying. Who has a session never notices; a login fails within
//! the configured time, with words for a person; nothing waits for ever, and all is well again as soon as they are.

use std::time::{Duration, Instant};

use serde_json::json;
use wxgate_tests::wechat_sim::{Effect, Fault as WechatFault};
use wxgate_tests::{Answer, Fault, Stack, Visitor};

/// What the calls of these tests may take; the shipped 5 and 3 seconds would make them slow.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A call's timeout twice, and a busy machine.
const BOUND: Duration = Duration::from_secs(10);

const EXCHANGE: &str = "/sns/oauth2/access_token";

async fn start() -> Stack {
    let with_timeouts = |config: &mut serde_json::Value| {
        config["wechat"]["timeout_ms"] = json!(TIMEOUT.as_millis());
        config["resolver"]["timeout_ms"] = json!(TIMEOUT.as_millis());
    };
    Stack::builder().config(with_timeouts).without_rate_limit().start().await
}

/// A login up to the answer to WeChat's callback, which has to come in time.
async fn try_to_log_in(stack: &Stack, case: &str) -> Answer {
    let started = Instant::now();
    let answer = stack.visitor().log_in_until_callback("/orders", "pc", "xiaohong").await;
    assert!(started.elapsed() < BOUND, "{case} took {:?}", started.elapsed());
    assert_eq!(answer.all("set-cookie").filter(|cookie| cookie.starts_with("__Host-wxgate_session=w")).count(), 0, "{case}: {answer}");
    answer
}

/// A failure that says when to come back.
#[track_caller]
fn assert_outage(answer: &Answer, code: &str, case: &str) {
    assert_eq!(answer.status, 503, "{case}: {answer}");
    answer.assert_failure(503, code);
    assert!(answer.header("retry-after").is_some(), "{case}: {answer}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{case}");
}

async fn assert_sessions_go_on(visitor: &Visitor, case: &str) {
    let started = Instant::now();
    assert!(visitor.is_logged_in().await, "{case}");
    assert!(started.elapsed() < TIMEOUT, "{case}: a session needs no call");
}

/// What a wire can do to every kind of answer.
fn broken_wires() -> Vec<(Fault, &'static str)> {
    let lie = |text: &str| Fault::Lie(text.as_bytes().to_vec());
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n{{\"a\":\"{}\"}}", "a".repeat(199_992));
    vec![
        (Fault::Refuse, "nobody listens"),
        (Fault::Silence, "silence"),
        (Fault::Reset, "reset"),
        (Fault::Delay(TIMEOUT * 2), "too slow"),
        (Fault::Cut(0), "no answer"),
        (Fault::Cut(30), "half a head"),
        (Fault::Cut(150), "half an answer"),
        (lie("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"openid\":"), "half a body"),
        (lie("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n"), "half a body in chunks"),
        (lie("HTTP/1.1 200 OK\r\n\r\n"), "no body"),
        (lie("HTTP/1.1 204 No Content\r\n\r\n"), "204"),
        (lie("HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}"), "500"),
        (lie("HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>"), "502 in HTML"),
        (lie("HTTP/1.1 503 No\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"), "503"),
        (lie("HTTP/1.1 429 Slow down\r\ncontent-length: 0\r\n\r\n"), "429"),
        (lie("nonsense\r\n\r\n"), "no HTTP"),
        (lie("HTTP/1.1 200 OK\r\nx: \x00\r\ncontent-length: 2\r\n\r\n{}"), "bad header"),
        (Fault::Lie(b"HTTP/1.1 200 OK\r\nx: \xff\xfe\r\ncontent-type: \x80\r\ncontent-length: 4\r\n\r\n\xff\xfe{}".to_vec()), "no text"),
        (Fault::Lie(long.into_bytes()), "far too long"),
        (lie("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}"), "endless"),
    ]
}

/// REL-20, WXE-05, WXE-06.
#[tokio::test]
async fn whatever_happens_on_the_way_to_wechat_a_login_fails_in_time_and_sessions_go_on() {
    let stack = start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    for (fault, case) in broken_wires() {
        stack.wechat_wire.set(fault).await;
        let answer = try_to_log_in(&stack, case).await;
        assert_outage(&answer, "wechat_unavailable", case);
        assert_sessions_go_on(&visitor, case).await;
    }
    stack.wechat_wire.set(Fault::None).await;
    stack.visitor().login("pc", "xiaohong").await.assert_status(200);
    assert_eq!(stack.new_users().await, 2);
    stack.finish().await;
}

/// REL-01 to REL-05.
#[tokio::test]
async fn whatever_happens_on_the_way_to_the_resolver_a_login_fails_in_time_and_sessions_go_on() {
    let mut stack = start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    for (fault, case) in broken_wires() {
        stack.resolver_wire.set(fault).await;
        let answer = try_to_log_in(&stack, case).await;
        assert!(answer.status >= 500, "{case}: {answer}");
        let code = if answer.status == 503 { "accounts_unavailable" } else { "accounts_rejected" };
        answer.assert_failure(answer.status, code);
        assert_sessions_go_on(&visitor, case).await;
    }
    stack.resolver_wire.set(Fault::None).await;
    stack.resolver.stop().await;
    assert_outage(&try_to_log_in(&stack, "stopped").await, "accounts_unavailable", "stopped");
    assert_sessions_go_on(&visitor, "stopped").await;
    stack.resolver.start().await;
    stack.visitor().login("pc", "xiaohong").await.assert_status(200);
    stack.finish().await;
}

/// REL-03.
#[tokio::test]
async fn a_resolver_that_comes_and_goes_makes_nobody_twice_and_leaves_nobody_waiting() {
    let stack = start().await;
    for round in 0..6 {
        stack.resolver_wire.set(if round % 2 == 0 { Fault::Reset } else { Fault::None }).await;
        for connector in ["pc", "pc"] {
            let answer = stack.visitor().log_in_until_callback("/orders", connector, "xiaoming").await;
            assert!(if round % 2 == 0 { answer.status == 503 } else { answer.status == 303 }, "{round}: {answer}");
        }
    }
    // Handled, and the answer lost: the repetition finds what has been stored.
    stack.resolver_wire.set_on("/v1/logins", Fault::Cut(0)).await;
    let answer = stack.visitor().log_in_until_callback("/orders", "pc", "xiaohong").await;
    assert!(matches!(answer.status, 303 | 503), "{answer}");
    stack.resolver_wire.set(Fault::None).await;
    let (first, second) = (stack.visitor(), stack.visitor());
    first.login("pc", "xiaohong").await.assert_status(200);
    second.login("pc", "xiaohong").await.assert_status(200);
    assert_eq!(first.whoami().await.sub(), second.whoami().await.sub());
    assert_eq!(stack.new_users().await, 1, "xiaohong's account was made when its answer was lost");
    stack.finish().await;
}

/// REL-06: an answer has to be the agreed one, and about this very login.
#[tokio::test]
async fn a_resolver_that_lies_signs_nobody_in() {
    let stack = start().await;
    let user = json!({"id": "somebody", "name": "Somebody"});
    let signed_in = |openid: &str| {
        json!({"outcome": "signed_in", "user": user, "session_id": "AAAAAAAAAAAAAAAAAAAAAA", "auth_time": 1,
               "identity": {"app_id": "wx0000000000000001", "openid": openid}})
    };
    let own = stack.wechat.openid("xiaohong", "wx0000000000000001");
    let mut without_session = signed_in(&own);
    without_session.as_object_mut().expect("an object").remove("session_id");
    let mut wrong_type = signed_in(&own);
    wrong_type["auth_time"] = "yesterday".into();
    let mut other_app = signed_in(&own);
    other_app["identity"]["app_id"] = "wx0000000000000002".into();
    let mut without_user = signed_in(&own);
    without_user["user"] = json!({});
    let lies = [
        json!({}),
        json!([]),
        json!(null),
        json!("signed_in"),
        json!({"outcome": "signed_in"}),
        json!({"outcome": "welcome"}),
        json!({"revocations": []}),
        signed_in("somebody-else"),
        without_session,
        wrong_type,
        other_app,
        without_user,
    ];
    for lie in lies {
        let body = lie.to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stack.resolver_wire.set_on("/v1/logins", Fault::Lie([head.as_bytes(), body.as_bytes()].concat())).await;
        let answer = try_to_log_in(&stack, &body).await;
        assert!(answer.status == 500 || answer.status == 503, "{body}: {answer}");
    }
    for (status, location) in [
        (301, "http://127.0.0.1:9/v1/logins"),
        (302, "/v1/logins"),
        (307, "https://evil.example/"),
        (401, "/"),
        (403, "/"),
        (404, "/"),
        (409, "/"),
    ] {
        let lie = format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        stack.resolver_wire.set_on("/v1/logins", Fault::Lie(lie.into_bytes())).await;
        try_to_log_in(&stack, &status.to_string()).await.assert_failure(500, "accounts_rejected");
    }
    assert_eq!(stack.count("wxgate_logins_total.*signed_in").await, 0);
    stack.finish().await;
}

/// WXE-01 and the operator's view of it.
#[tokio::test]
async fn every_refusal_of_wechat_has_its_page() {
    let stack = start().await;
    let table = [
        (-1, 503, "wechat_busy"),
        (45009, 503, "wechat_busy"),
        (45011, 503, "wechat_busy"),
        (40029, 303, ""),
        (40163, 303, ""),
        (41008, 0, "code_rejected"),
        (42001, 0, "code_rejected"),
        (42003, 0, "code_rejected"),
        (40226, 403, "wechat_user_blocked"),
        (50001, 403, "wechat_user_blocked"),
        (50002, 403, "wechat_user_blocked"),
        (40001, 0, "code_rejected"),
        (40013, 500, "wechat_misconfigured"),
        (40125, 500, "wechat_misconfigured"),
        (40164, 500, "wechat_misconfigured"),
        (41002, 500, "wechat_misconfigured"),
        (41004, 500, "wechat_misconfigured"),
        (48001, 500, "wechat_misconfigured"),
        (99999, 500, "wechat_misconfigured"),
    ];
    for (errcode, status, code) in table {
        stack.wechat.set_faults(vec![WechatFault::on(EXCHANGE, Effect::errcode(errcode, "words of WeChat's <script>"))]);
        let visitor = stack.visitor();
        let url = visitor.start("pc", "/orders").await;
        let before = stack.exchanges();
        let answer = visitor.navigate(&visitor.allow(&url, "xiaoming")).await;
        assert_eq!(stack.exchanges(), before + 1, "{errcode}: one callback, one exchange");
        if status == 303 {
            // A second load of a callback looks like this: once more to WeChat, and not a third time.
            assert!(answer.location().starts_with(&stack.wechat_origin), "{errcode}: {answer}");
            let answer = visitor.navigate(&visitor.allow(answer.location(), "xiaoming")).await;
            answer.assert_failure(answer.status, "code_rejected");
            continue;
        }
        answer.assert_failure(if status == 0 { answer.status } else { status }, code);
        assert!(!answer.text().contains("words of WeChat"), "{errcode}: {answer}");
        let log = stack.log();
        assert!(log.contains(&format!("errcode {errcode}: words of WeChat")), "the operator reads the reason for {errcode}");
    }
    stack.wechat.clear_faults();
    stack.visitor().login("pc", "xiaoming").await.assert_status(200);

    // Counted under names that a dashboard can use.
    let metrics = stack.envoys[0].ask("GET", "/stats/prometheus").await.text();
    for (name, labels) in [
        ("wxgate_logins_total", vec!["connector=\"pc\"", "outcome=\"wechat_busy\""]),
        ("wxgate_logins_total", vec!["connector=\"pc\"", "outcome=\"wechat_misconfigured\""]),
        ("wxgate_logins_total", vec!["connector=\"pc\"", "outcome=\"signed_in_new\""]),
        ("wxgate_login_starts_total", vec!["connector=\"pc\""]),
        ("wxgate_calls_total", vec!["peer=\"wechat\"", "call=\"sns_access_token\"", "result=\"answered\""]),
    ] {
        let line = metrics.lines().find(|line| line.contains(name) && labels.iter().all(|label| line.contains(label)));
        assert!(
            line.is_some(),
            "{name} with {labels:?} in\n{}",
            metrics.lines().filter(|line| line.contains("wxgate")).collect::<Vec<_>>().join("\n")
        );
    }
    stack.finish().await;
}

/// WXE-02, WXE-03, WXE-06, WXE-08, WXE-09.
#[tokio::test]
async fn a_wechat_that_answers_nonsense_signs_nobody_in() {
    let stack = start().await;
    let token = "\"access_token\":\"token-of-nobody\"";
    let nonsense = [
        "".to_owned(),
        "{".into(),
        "{}".into(),
        "[]".into(),
        "null".into(),
        "\"openid\"".into(),
        "<html></html>".into(),
        format!("{{{token}}}"),
        format!("{{{token},\"openid\":\"\"}}"),
        format!("{{{token},\"openid\":null}}"),
        format!("{{{token},\"openid\":42}}"),
        format!("{{{token},\"openid\":[\"o1\"]}}"),
        format!("{{{token},\"openid\":\"{}\"}}", "o".repeat(1000)),
        format!("{{{token},\"openid\":\"o 1\"}}"),
        format!("{{{token},\"openid\":\"o\\u0000\"}}"),
        format!("{{{token},\"openid\":\"o\\ud800\"}}"),
        format!("{{{token},\"openid\":\"A\",\"openid\":\"B\"}}"),
        format!("{{{token},\"OpenID\":\"A\"}}"),
        format!("{{{token},\"openid\":\"A\",\"unionid\":\"a b\"}}"),
        format!("{{{token},\"openid\":\"A\",\"unionid\":7}}"),
        format!("{{{token},\"openid\":\"A\",\"errcode\":\"many\"}}"),
        format!("{{{token},\"openid\":\"A\",\"errcode\":1e400}}"),
        "{\"access_token\":\"\",\"openid\":\"A\"}".into(),
        format!("{}{{}}", "[".repeat(30_000)),
        format!("{{{token},\"openid\":\"A\"}} trailing"),
    ];
    for body in &nonsense {
        let effect = Effect::Http { status: 200, content_type: "text/plain".into(), body: body.clone() };
        stack.wechat.set_faults(vec![WechatFault::on(EXCHANGE, effect)]);
        let case = &body[..body.len().min(60)];
        let answer = try_to_log_in(&stack, case).await;
        assert_outage(&answer, "wechat_unavailable", case);
    }
    // Redirects are not followed: the next request of WeChat's journal would show it.
    for (status, location) in
        [(301, "/sns/elsewhere"), (302, "http://169.254.169.254/"), (307, "/sns/userinfo"), (308, "https://evil.example/")]
    {
        let lie = format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        stack.wechat_wire.set_on(EXCHANGE, Fault::Lie(lie.into_bytes())).await;
        let before = stack.wechat.journal().len();
        assert_outage(&try_to_log_in(&stack, location).await, "wechat_unavailable", location);
        assert!(stack.wechat.journal().len() <= before + 2, "{location}");
        assert!(stack.wechat.journal().iter().skip(before).all(|entry| !entry.path.starts_with("/sns")), "{location}");
    }
    stack.wechat_wire.set(Fault::None).await;
    assert_eq!(stack.new_users().await, 0);
    assert_eq!(stack.count("wxgate_calls_total.*logins").await, 0, "the resolver was never asked");
    stack.finish().await;
}

/// WXE-04, WXE-05, WXE-10: a name and a picture are no reason to keep somebody out.
#[tokio::test]
async fn a_login_does_not_hang_on_the_profile() {
    let stack = start().await;
    let userinfo = |effect| vec![WechatFault::on("/sns/userinfo", effect)];
    let effects = [
        Effect::Delay { delay_ms: 3_000 },
        Effect::Reset,
        Effect::LoseAnswer,
        Effect::bad_gateway(),
        Effect::errcode(48001, "api unauthorized"),
        Effect::Truncate { keep_bytes: None, hang_up: false },
        Effect::Truncate { keep_bytes: None, hang_up: true },
        Effect::Drip { piece_bytes: 1, pause_ms: 200 },
        Effect::Http {
            status: 200,
            content_type: "text/plain".into(),
            body: "{\"openid\":\"somebody-else\",\"nickname\":\"Mallory\"}".into(),
        },
    ];
    for effect in effects {
        let case = format!("{effect:?}");
        stack.wechat.set_faults(userinfo(effect));
        let started = Instant::now();
        let visitor = stack.visitor();
        visitor.login("pc", "xiaoming").await.assert_status(200);
        assert!(started.elapsed() < BOUND, "{case} took {:?}", started.elapsed());
        assert_ne!(visitor.whoami().await.claims["name"], "Mallory", "{case}");
    }
    assert_eq!(stack.new_users().await, 1);
    // The exchange itself has a limit for the whole of it, not for each byte.
    stack.wechat.set_faults(vec![WechatFault::on(EXCHANGE, Effect::Drip { piece_bytes: 1, pause_ms: 100 })]);
    assert_outage(&try_to_log_in(&stack, "drip").await, "wechat_unavailable", "drip");
    stack.finish().await;
}

/// REL-22: a cluster that does not exist, and one with nobody in it.
#[tokio::test]
async fn a_misspelt_cluster_is_an_outage_and_lets_nobody_in() {
    for (peer, code) in [("wechat", "wechat_unavailable"), ("resolver", "accounts_unavailable")] {
        let stack = Stack::builder().config(move |config| config[peer]["cluster"] = "no_such_cluster".into()).start().await;
        let visitor = stack.visitor();
        visitor.api("/account").await.assert_status(401);
        let started = Instant::now();
        let answer = visitor.log_in_until_callback("/orders", "pc", "xiaoming").await;
        assert_outage(&answer, code, peer);
        assert!(started.elapsed() < Duration::from_secs(3), "{peer}: at once, not after a timeout");
        assert!(stack.log().contains("could not be sent"), "the operator reads why");
        stack.finish().await;
    }
    let cluster = |envoy: &mut serde_json::Value| {
        let clusters = envoy["static_resources"]["clusters"].as_array_mut().expect("clusters");
        let wechat = clusters.iter_mut().find(|cluster| cluster["name"] == "wechat_api").expect("WeChat's cluster");
        wechat["load_assignment"]["endpoints"] = json!([]);
    };
    let stack = Stack::builder().envoy(cluster).start().await;
    let answer = stack.visitor().log_in_until_callback("/orders", "pc", "xiaoming").await;
    assert_outage(&answer, "wechat_unavailable", "nobody in the cluster");
    stack.finish().await;
}

/// O6, REL-02: logging out while the resolver is gone says so, and holds here.
#[tokio::test]
async fn a_logout_during_an_outage_holds_here_and_says_what_it_could_not_do() {
    let stack = start().await;
    for fault in [Fault::Refuse, Fault::Silence, Fault::Reset, Fault::Lie(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_vec())] {
        let case = format!("{fault:?}");
        stack.resolver_wire.set(Fault::None).await;
        let visitor = stack.visitor();
        visitor.login("pc", "xiaoming").await.assert_status(200);
        let thief = visitor.stolen();
        stack.resolver_wire.set(fault).await;
        let started = Instant::now();
        let answer = visitor.submit("/wxgate/logout", "").await;
        assert!(started.elapsed() < BOUND, "{case}: {:?}", started.elapsed());
        assert_eq!(answer.status, 503, "{case}: {answer}");
        assert_eq!(visitor.cookie("__Host-wxgate_session"), None, "{case}");
        let is_over = async || (!thief.is_logged_in().await && !thief.is_logged_in().await && !thief.is_logged_in().await).then_some(());
        wxgate_tests::eventually(Duration::from_secs(8), &case, is_over).await;
    }
    stack.resolver_wire.set(Fault::None).await;
    stack.finish().await;
}
