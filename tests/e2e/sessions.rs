//! What a session is good for, how it lives, and how it ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wxgate_tests::visitor::SESSION;
use wxgate_tests::wechat_sim::App;
use wxgate_tests::{Fault, Stack, Visitor, eventually};

/// How long a session may outlive its end: `poll_seconds`, which is 1 here, the feed's own call, and a busy machine.
const BOUND: Duration = Duration::from_secs(8);

/// An app of the simulator for another application of a stack, and its secret.
const OTHER_APPS: [(&str, &str, &str); 2] =
    [("docs", "wx0000000000000005", "4d0f6c1b9ae27385d0c1e4f7a2b96835"), ("lab", "wx0000000000000006", "b81e3f5c7d2a9046e1d8c3b7f5a02964")];

/// Beside `shop`: `lab` in the same pool, `docs` in another. Each has a WeChat app of its own, since WeChat knows one
/// callback domain for each.
pub(crate) async fn start_several() -> Stack {
    let more = |json: &mut Value| {
        let origin = json["applications"][0]["origin"].as_str().unwrap().to_owned();
        for (id, app_id, secret) in OTHER_APPS {
            let connector = format!("{id}-pc");
            let pool = if id == "lab" { "default" } else { "docs" };
            json["connectors"].as_array_mut().unwrap().push(
                json!({"id": connector, "type": "website_qr", "app_id": app_id, "app_secret": {"inline": secret}, "platform": "main"}),
            );
            let application = json!({"id": id, "pool": pool, "origin": origin_of(&origin, id), "connectors": [connector]});
            json["applications"].as_array_mut().unwrap().push(application);
        }
    };
    let stack = Stack::builder().config(more).start().await;
    for (id, app_id, secret) in OTHER_APPS {
        let app = App::website(secret).on_platform("main").redirecting_to(&format!("{id}.localhost"));
        stack.wechat.put_app(app_id, app).unwrap();
    }
    stack
}

/// The origin of another application of a stack.
pub(crate) fn origin_of(shop: &str, id: &str) -> String {
    shop.replace("localhost", &format!("{id}.localhost"))
}

/// The same cookies at another application, as nobody's browser would send them.
pub(crate) fn carried_to(visitor: &Visitor, origin: &str) -> Visitor {
    let thief = visitor.stolen().at(origin);
    for (name, value) in visitor.cookies() {
        thief.set_cookie(&name, &value);
    }
    thief
}

#[tokio::test]
async fn a_session_of_one_application_is_none_at_another() {
    let stack = start_several().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let (seen, token) = (stack.app.count(), visitor.session());

    for id in ["docs", "lab"] {
        let origin = origin_of(&stack.origin, id);
        carried_to(&visitor, &origin).api("/orders").await.assert_failure(401, "login_required");
        carried_to(&visitor, &origin).api("/wxgate/userinfo").await.assert_failure(401, "login_required");
        visitor.bearer(&token).at(&origin).api("/orders").await.assert_failure(401, "login_required");
        let goodbye = visitor.bearer(&token).at(&origin).send("POST", "/wxgate/logout", &[], b"").await;
        assert!(goodbye.status < 500, "{goodbye}");
    }

    assert_eq!(stack.app.count(), seen);
    assert!(visitor.is_logged_in().await, "nor can it be ended from there");
    stack.finish().await;
}

#[tokio::test]
async fn an_attempt_of_one_application_is_none_at_another_nor_for_another_connector() {
    let stack = start_several().await;
    let visitor = stack.visitor();
    let callback = visitor.allow(&visitor.ask_to_log_in("/orders", "pc").await, "xiaoming");
    let (_, query) = callback.split_once('?').unwrap();

    let at_lab = carried_to(&visitor, &origin_of(&stack.origin, "lab"));
    at_lab.navigate(&format!("/wxgate/callback/lab-pc?{query}")).await.assert_failure(400, "attempt_missing");
    at_lab.navigate(&format!("/wxgate/callback/pc?{query}")).await.assert_failure(404, "unknown_connector");
    visitor.stolen().navigate(&format!("/wxgate/callback/in-wechat?{query}")).await.assert_failure(400, "attempt_missing");
    visitor.stolen().navigate(&format!("/wxgate/callback/lab-pc?{query}")).await.assert_failure(404, "unknown_connector");
    assert_eq!(stack.exchanges(), 0);

    visitor.navigate(&callback).await.assert_goes_to("/orders");
    stack.finish().await;
}

#[tokio::test]
async fn applications_of_one_pool_share_a_persons_account_and_other_pools_have_their_own() {
    let stack = start_several().await;
    let mut subs = Vec::new();
    for (origin, connector, audience) in [
        (stack.origin.clone(), "pc", "shop"),
        (origin_of(&stack.origin, "lab"), "lab-pc", "lab"),
        (origin_of(&stack.origin, "docs"), "docs-pc", "docs"),
    ] {
        let visitor = stack.visitor().at(&origin);
        visitor.login(connector, "xiaoming").await.assert_status(200);
        let identity = visitor.whoami().await;
        assert_eq!(identity.text("aud"), audience);
        subs.push(identity.sub().to_owned());
    }
    assert_eq!(subs[0], subs[1]);
    assert_ne!(subs[0], subs[2]);
    assert_eq!(stack.accounts().await, 2);
    stack.finish().await;
}

#[tokio::test]
async fn a_session_ends_when_its_connector_or_its_pool_is_taken_from_the_application() {
    let fixed = |json: &mut Value| json["identity"]["issuer"] = "https://login.example.com".into();
    let before = Stack::builder().config(fixed).start().await;
    let visitor = before.visitor();
    visitor.login("pc", "xiaoming").await;

    let applications = [
        ("without the connector", json!({"connectors": ["in-wechat"]}), 401),
        ("with another pool", json!({"pool": "staff"}), 401),
        ("as before", json!({}), 200),
    ];
    for (what, changed, status) in applications {
        let change = move |json: &mut Value| {
            let shop = json["applications"][0].as_object_mut().unwrap();
            shop.extend(changed.as_object().unwrap().clone());
        };
        let after = Stack::builder().config(fixed).config(change).env("WXGATE_SESSION_KEY", &before.keys.session_key).start().await;
        let returning = after.visitor();
        returning.set_cookie(SESSION, &visitor.session());
        assert_eq!(returning.api("/orders").await.status, status, "{what}");
        after.finish().await;
    }
    before.finish().await;
}

#[tokio::test]
async fn a_token_that_was_changed_anywhere_is_no_session() {
    let stack = Stack::builder().without_rate_limit().start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let (token, seen) = (visitor.session(), stack.app.count());
    assert!(token.starts_with("wxg1.") && token.len() < 1024, "{token}");

    let mut changed: Vec<String> = (0..token.len()).step_by(7).map(|at| flip(&token, at)).collect();
    changed.push(flip(&token, token.len() - 1));
    let parts: Vec<_> = token.split('.').collect();
    changed.extend([
        token[..token.len() - 1].to_owned(),
        token[..token.len() / 2].to_owned(),
        format!("{token}A"),
        format!("{token}="),
        format!("{token}.x"),
        format!("{}.{}", parts[0], parts[2]),
        format!("wxg2.{}.{}", parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}..{}", parts[0], parts[2]),
        "wxg1..".into(),
        "wxg1".into(),
        "A".repeat(4000),
        "\u{fffd}".into(),
    ]);
    for token in changed {
        let thief = stack.visitor();
        thief.set_cookie(SESSION, &token);
        let answer = thief.api("/orders").await;
        assert_eq!(answer.status, 401, "{token}: {answer}");
        assert_eq!(visitor.bearer(&token).api("/orders").await.status, 401, "{token}");
    }
    assert_eq!(stack.app.count(), seen);
    assert!(visitor.is_logged_in().await);
    stack.finish().await;
}

/// Another character of the same alphabet at this place. The last one of base64url carries bits that are ignored by
/// careless readers; only the canonical spelling is a token.
fn flip(token: &str, at: usize) -> String {
    let mut bytes = token.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_token_of_one_purpose_is_none_of_another() {
    let stack = Stack::start().await;
    let (visitor, other) = (stack.visitor(), stack.visitor());
    other.login("pc", "xiaohong").await;
    let callback = visitor.allow(&visitor.ask_to_log_in("/orders", "pc").await, "xiaoming");
    let (name, attempt) = visitor.attempts().remove(0);

    let thief = stack.visitor();
    thief.set_cookie(SESSION, &attempt);
    thief.api("/orders").await.assert_failure(401, "login_required");
    visitor.bearer(&attempt).api("/orders").await.assert_failure(401, "login_required");
    let thief = stack.visitor();
    thief.set_cookie(&name, &other.session());
    thief.navigate(&callback).await.assert_failure(400, "attempt_missing");

    assert_eq!(stack.exchanges(), 1, "the other's own");
    stack.finish().await;
}

#[tokio::test]
async fn two_sessions_at_once_are_none() {
    let stack = Stack::start().await;
    let (one, other) = (stack.visitor(), stack.visitor());
    one.login("pc", "xiaoming").await;
    other.login("pc", "xiaohong").await;
    let twice = format!("{SESSION}={}; {SESSION}={}", one.session(), other.session());
    stack.visitor().with_header("cookie", twice).api("/orders").await.assert_failure(401, "login_required");
    stack.finish().await;
}

#[tokio::test]
async fn a_session_of_another_issuer_is_none_even_under_the_same_key() {
    let here = Stack::start().await;
    let visitor = here.visitor();
    visitor.login("pc", "xiaoming").await;

    let there = Stack::builder().env("WXGATE_SESSION_KEY", &here.keys.session_key).start().await;
    let thief = there.visitor();
    thief.set_cookie(SESSION, &visitor.session());
    thief.api("/orders").await.assert_failure(401, "login_required");

    there.finish().await;
    here.finish().await;
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_lives_while_it_is() {
    let stack = Stack::builder().config(|json| json["session"]["idle_seconds"] = 60.into()).start().await;
    let (reader, sleeper, app) = (stack.visitor(), stack.visitor(), stack.visitor());
    let began = Instant::now();
    reader.login("pc", "xiaoming").await;
    sleeper.login("pc", "xiaohong").await;
    app.login("pc", "xiaohong").await;
    let (first, before) = (reader.session(), reader.stolen());
    let caching = [("cache-control", "public, max-age=60, s-maxage=600"), ("set-cookie", "own=1; Path=/")];
    stack.app.answer("/page", 200, &caching, "");
    assert_eq!(reader.navigate("/page").await.header("cache-control"), Some("public, max-age=60, s-maxage=600"), "nothing is due");

    // Half the time: a page gets a new token, in an answer that no shared cache keeps. A script or a native app gets none.
    let renewed = eventually(Duration::from_secs(40), "the session is renewed", async || {
        assert_eq!(reader.api("/page").await.all("set-cookie").count(), 1);
        assert_eq!(app.bearer(&app.session()).navigate("/page").await.all("set-cookie").count(), 1);
        let page = reader.navigate("/page").await;
        (reader.session() != first).then_some(page)
    })
    .await;
    let half = began.elapsed();
    assert!((25..40).contains(&half.as_secs()), "{half:?}");
    assert_eq!(renewed.header("cache-control"), Some("max-age=60, private"));
    let cookies: Vec<_> = renewed.all("set-cookie").collect();
    assert_eq!((cookies.len(), cookies[0]), (2, "own=1; Path=/"), "the application's own is still there");
    assert!(cookies[1].starts_with("__Host-wxgate_session=wxg1.") && cookies[1].contains("; HttpOnly"), "{}", cookies[1]);
    assert!(before.is_logged_in().await, "the old token is good until its own time");

    eventually(Duration::from_secs(40), "the session ends", async || (!sleeper.is_logged_in().await).then_some(())).await;
    let whole = began.elapsed();
    assert!((55..75).contains(&whole.as_secs()), "{whole:?}");
    sleeper.navigate("/orders").await.assert_status(303);
    eventually(BOUND, "the token before the renewal ends too", async || (!before.is_logged_in().await).then_some(())).await;
    assert!(reader.is_logged_in().await, "who goes on reading stays");
    stack.finish().await;
}

#[tokio::test]
async fn a_bearer_token_is_a_session_for_programs_and_other_authorization_is_the_applications() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let sub = visitor.whoami().await.sub().to_owned();
    let app = visitor.bearer(&visitor.session());

    assert_eq!(app.whoami().await.sub(), sub);
    assert_eq!(stack.app.seen().iter().rev().find(|seen| seen.path == "/whoami").unwrap().header("authorization"), None);
    for scheme in ["bearer", "BEARER", "Bearer "] {
        let app = visitor.without_cookies().with_header("authorization", format!("{scheme} {}", visitor.session()));
        assert_eq!(app.whoami().await.sub(), sub, "{scheme}");
    }
    for own in ["Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "Basic YTpi", "wxg1", ""] {
        visitor.with_header("authorization", own).api("/orders").await.assert_status(200);
        assert_eq!(stack.app.last().header("authorization").as_deref(), Some(own));
    }
    // What was put there on purpose counts, and a broken one is not replaced by a cookie.
    visitor.with_header("authorization", "Bearer wxg1.broken.token").api("/orders").await.assert_failure(401, "login_required");
    let twice = visitor.bearer(&visitor.session()).with_header("authorization", format!("Bearer {}", visitor.session()));
    twice.api("/orders").await.assert_failure(401, "login_required");
    stack.finish().await;
}

#[tokio::test]
async fn only_the_applications_own_pages_can_log_a_person_out() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let page = ("accept", "text/html");
    let refused: [&[(&str, &str)]; 7] = [
        &[page],
        &[page, ("origin", "https://evil.example")],
        &[page, ("origin", "null")],
        &[page, ("origin", "http://localhost")],
        &[page, ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        &[page, ("sec-fetch-site", "cross-site")],
        &[page, ("sec-fetch-site", "same-site")],
    ];
    for headers in refused {
        visitor.send("POST", "/wxgate/logout", headers, b"").await.assert_failure(403, "cross_site");
    }
    let question = visitor.navigate("/wxgate/logout").await;
    question.assert_status(200);
    assert!(question.text().contains("method=\"post\""), "{question}");
    assert!(visitor.is_logged_in().await, "a GET changes nothing");

    visitor.submit("/wxgate/logout", "").await.assert_goes_to("/wxgate/logout");

    assert_eq!(visitor.cookie(SESSION), None);
    visitor.navigate("/wxgate/logout").await.assert_status(200);
    visitor.navigate("/orders").await.assert_status(303);
    stack.finish().await;
}

#[tokio::test]
async fn a_program_logs_out_with_its_token_alone() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let app = visitor.bearer(&visitor.session());

    let goodbye = app.send("POST", "/wxgate/logout", &[("accept", "application/json")], b"").await;

    goodbye.assert_status(200);
    assert_eq!(goodbye.json(), json!({"logged_out": true, "everywhere": true}));
    all_workers_refuse(&stack, &visitor).await;
    stack.finish().await;
}

/// Each connection may meet another worker.
pub(crate) async fn all_workers_refuse(stack: &Stack, visitor: &Visitor) {
    for envoy in &stack.envoys {
        let visitor = visitor.via(envoy.address);
        eventually(BOUND, "every worker refuses an ended session", async || {
            for _ in 0..12 {
                if visitor.is_logged_in().await {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_copied_cookie_dies_with_the_logout_at_every_worker_of_every_envoy() {
    let stack = Stack::builder().envoys(2).start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let (copy, other) = (visitor.stolen(), stack.visitor());
    other.login("pc", "xiaoming").await;
    for envoy in &stack.envoys {
        for _ in 0..6 {
            assert!(copy.via(envoy.address).is_logged_in().await);
        }
    }

    visitor.submit("/wxgate/logout", "").await.assert_status(303);

    all_workers_refuse(&stack, &copy).await;
    assert!(other.is_logged_in().await, "another session of the same person goes on");
    stack.finish().await;
}

#[tokio::test]
async fn an_envoy_that_starts_after_a_logout_knows_of_it() {
    let mut stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let copy = visitor.stolen();
    visitor.submit("/wxgate/logout", "").await.assert_status(303);
    stack.restart_envoy(0).await;
    all_workers_refuse(&stack, &copy).await;
    stack.finish().await;
}

#[tokio::test]
async fn a_logout_while_the_resolver_is_down_holds_here_and_says_that_it_may_not_elsewhere() {
    let stack = Stack::builder().envoys(2).start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let copy = visitor.stolen();
    stack.resolver_wire.set(Fault::Refuse).await;

    let goodbye = visitor.submit("/wxgate/logout", "").await;

    goodbye.assert_status(503);
    assert_eq!(visitor.cookie(SESSION), None);
    let here = copy.via(stack.envoys[0].address);
    eventually(BOUND, "this Envoy knows", async || (!here.is_logged_in().await).then_some(())).await;
    assert!(copy.via(stack.envoys[1].address).is_logged_in().await, "the other cannot know, and serves");
    stack.finish().await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_and_the_next_login_counts() {
    let stack = Stack::builder().envoys(2).start().await;
    let (desk, laptop, friend) = (stack.visitor(), stack.visitor(), stack.visitor());
    desk.login("pc", "xiaoming").await;
    laptop.login("pc", "xiaoming").await;
    friend.login("pc", "xiaohong").await;
    let sub = desk.whoami().await.sub().to_owned();
    // A session that begins in the very second of the sign-out ends with it: seconds are as fine as times are.
    let second = wxgate_tests::now();
    eventually(Duration::from_secs(2), "the next second", async || (wxgate_tests::now() > second).then_some(())).await;

    stack.resolver.sign_out_everywhere(&sub).await;

    all_workers_refuse(&stack, &desk).await;
    all_workers_refuse(&stack, &laptop).await;
    assert!(friend.is_logged_in().await);
    desk.login("pc", "xiaoming").await.assert_status(200);
    for _ in 0..8 {
        assert!(desk.is_logged_in().await);
    }
    stack.finish().await;
}

#[tokio::test]
async fn sessions_go_on_while_the_resolver_is_away() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    stack.resolver_wire.set(Fault::Silence).await;
    stack.wechat_wire.set(Fault::Silence).await;
    let until = Instant::now() + Duration::from_secs(5);
    eventually(Duration::from_secs(10), "five seconds of outage", async || {
        assert!(visitor.is_logged_in().await);
        (Instant::now() > until).then_some(())
    })
    .await;
    stack.finish().await;
}

#[tokio::test]
async fn where_the_operator_says_so_sessions_wait_for_news_of_revocations() {
    let refuse = |json: &mut Value| json["revocation"]["on_outage"] = "refuse".into();
    let stack = Stack::builder().config(refuse).start().await;
    let visitor = stack.visitor();
    visitor.log_in_until_callback("/orders", "pc", "xiaoming").await.assert_status(303);
    eventually(BOUND, "the first news", async || visitor.is_logged_in().await.then_some(())).await;

    stack.resolver_wire.set(Fault::Refuse).await;
    eventually(Duration::from_secs(8), "no session without news", async || (!visitor.is_logged_in().await).then_some(())).await;
    visitor.navigate("/assets/a.css").await.assert_status(200);

    stack.resolver_wire.set(Fault::None).await;
    eventually(BOUND, "sessions are good again", async || {
        for _ in 0..8 {
            visitor.is_logged_in().await.then_some(())?;
        }
        Some(())
    })
    .await;
    stack.finish().await;
}
