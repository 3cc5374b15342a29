//! Sessions that go over from an app or a mini program to a web view.

use super::*;
use crate::login::challenge::Challenge;

const TICKET: &str = "q2nqv0hYdVOkdlkY0m2m3g";
const COOKIE: &str = "__Host-wxgate_session";

/// A shop where somebody is logged in to an app: the world, and the app with its token.
fn story() -> (World, Browser) {
    let mut world = World::new();
    world.accounts = [
        ("tickets.create", ok(json!({"answer": "created", "ticket": TICKET, "expires_at": 1_000_060}))),
        ("tickets.redeem", ok(json!({"answer": "redeemed"}))),
    ]
    .into();
    let mut browser = Browser::default();
    browser.log_in(&mut world);
    let token = browser.cookies[COOKIE].clone();
    world.calls.clear();
    (world, Browser::default().with("authorization", &format!("Bearer {token}")).with("content-type", "application/json"))
}

fn issue(world: &mut World, app: &Browser, target: &str) -> Reply {
    world.body = Ok(json!({"target": target}).to_string().into_bytes());
    reply(world.send(&app.request("POST", "shop.example.com", "/wxgate/hand-over")))
}

/// The path of the address that the app got.
fn address(world: &mut World, app: &Browser) -> String {
    let reply = issue(world, app, "/cart?item=1");
    assert_eq!(reply.status, 200);
    body(&reply)["url"].as_str().unwrap().strip_prefix("https://shop.example.com").unwrap().to_owned()
}

fn web_view() -> Browser {
    Browser::default().with("accept", "text/html")
}

#[test]
fn a_web_view_goes_on_in_the_session_of_its_app() {
    let (mut world, app) = story();
    let issued = issue(&mut world, &app, "/cart?item=1");
    assert_eq!((issued.status, &body(&issued)["expires_at"]), (200, &json!(1_000_060)));
    assert_eq!(header(&issued, "set-cookie"), None);
    let created: Value = serde_json::from_slice(&world.calls[0].2).unwrap();
    assert_eq!(
        created,
        json!({"purpose": "hand_over", "pool": "default", "application": "shop", "connector": "pc", "app_id": "wx0000000000000001",
               "challenge": created["challenge"], "client_address": "203.0.113.7", "lifetime_seconds": 60})
    );

    let path = address(&mut world, &app);
    let mut view = web_view();
    let opened = reply(view.send(&mut world, "GET", "shop.example.com", &path));
    assert_eq!((opened.status, header(&opened, "location")), (303, Some("https://shop.example.com/cart?item=1")));
    assert_eq!(header(&opened, "referrer-policy"), Some("no-referrer"));
    let redeemed = world.calls.last().unwrap();
    assert_eq!(redeemed.1, format!("/v1/tickets/{TICKET}/redeem"));
    let redeemed: Value = serde_json::from_slice(&redeemed.2).unwrap();
    assert_eq!((&redeemed["application"], &redeemed["client_address"]), (&json!("shop"), &json!("203.0.113.7")));
    let forward = forwarded(view.open(&mut world, "/cart"));
    let claims = world.verified(&forward);
    assert_eq!(claims.subject.as_deref(), Some("01900000-0000-7000-8000-000000000001"));

    // One session: whoever ends it in one place ends it in both.
    let out = reply(app.clone().send(&mut world, "POST", "shop.example.com", "/wxgate/logout"));
    assert_eq!(out.status, 200);
    assert_eq!(reply(view.open(&mut world, "/cart")).status, 303);
    assert!(world.events.iter().any(|event| matches!(event, Event::HandedOver { result: "redeemed", .. })));
}

#[test]
fn a_web_view_may_come_to_another_envoy_than_its_app() {
    let (mut world, app) = story();
    world.is_roaming = true;
    let path = address(&mut world, &app);
    let mut view = web_view();
    assert_eq!(reply(view.send(&mut world, "GET", "shop.example.com", &path)).status, 303);
    forwarded(view.open(&mut world, "/cart"));
}

#[test]
fn each_opening_is_a_try_of_its_own_by_a_secret_that_only_its_address_holds() {
    let (mut world, app) = story();
    let told = |world: &World| serde_json::from_slice::<Value>(&world.calls.last().unwrap().2).unwrap();
    let issued = [(); 2].map(|()| {
        let path = address(&mut world, &app);
        (path, told(&world)["challenge"].as_str().unwrap().to_owned())
    });
    assert_ne!(issued[0].1, issued[1].1);
    let mut tries = std::collections::HashSet::new();
    for (path, challenge) in [&issued[0], &issued[0], &issued[1]] {
        web_view().send(&mut world, "GET", "shop.example.com", path);
        let redeemed = told(&world);
        assert_eq!(Challenge::of(redeemed["verifier"].as_str().unwrap()).as_str(), challenge);
        assert!(tries.insert(redeemed["redemption"].to_string()), "the resolver would give it again to the same try");
    }
}

#[test]
fn the_rest_of_the_session_goes_over_and_no_more() {
    let (mut world, app) = story();
    world.now += 1000;
    world.accounts.insert("tickets.create", ok(json!({"answer": "created", "ticket": TICKET, "expires_at": 1_001_060})));
    let path = address(&mut world, &app);
    let opened = reply(web_view().send(&mut world, "GET", "shop.example.com", &path));
    let cookie = opened.headers.iter().find(|(_, value)| value.starts_with(COOKIE)).unwrap();
    assert!(cookie.1.contains(&format!("Max-Age={}", 2_592_000 - 1000)), "{}", cookie.1);
}

#[test]
fn only_a_token_of_an_app_s_gets_an_address() {
    let (mut world, app) = story();
    let token = app.extra[0].1.clone();
    let mut with_cookie = Browser::default().with("content-type", "application/json");
    with_cookie.cookies.insert(COOKIE.into(), String::from_utf8(token).unwrap().replace("Bearer ", ""));
    for nobody in [Browser::default().with("content-type", "application/json"), with_cookie] {
        let refused = issue(&mut world, &nobody, "/cart");
        assert_eq!((refused.status, code(&refused)), (401, "login_required".into()));
    }
    let form = Browser { extra: app.extra[..1].to_vec(), ..app.clone() }.with("content-type", "application/x-www-form-urlencoded");
    assert_eq!(code(&issue(&mut world, &form, "/cart")), "unsupported_media_type");
    for target in
        ["", "cart", "//evil.example", "https://evil.example/", "/%2f/evil", "/wxgate/logout", "/cart#x", &format!("/{}", "a".repeat(1024))]
    {
        assert_eq!(code(&issue(&mut world, &app, target)), "malformed_body", "{target}");
    }
    assert!(world.calls.is_empty());
    world.accounts.insert("tickets.create", ok(json!({"answer": "too_many", "retry_at": world.now + 7})));
    let many = issue(&mut world, &app, "/cart");
    assert_eq!((many.status, header(&many, "retry-after")), (429, Some("7")));
    world.accounts.insert("tickets.create", Err(CallFailure::NotSent));
    assert_eq!(code(&issue(&mut world, &app, "/cart")), "accounts_unavailable");
}

#[test]
fn an_address_is_good_once_for_a_minute_and_in_one_place() {
    let (mut world, app) = story();
    let path = address(&mut world, &app);
    world.calls.clear();
    let open = |world: &mut World, host: &str, path: &str| reply(world.send(&web_view().request("GET", host, path)));
    let other_token = path.replacen("wxg1.", "wxg1.AAAAAA.", 1);
    for (host, path) in [
        ("admin.example.com", path.as_str()),
        ("shop.example.com", "/wxgate/hand-over"),
        ("shop.example.com", "/wxgate/hand-over?ticket="),
        ("shop.example.com", &other_token),
        ("shop.example.com", &format!("{path}&ticket=1")),
        ("shop.example.com", &format!("/wxgate/hand-over?ticket={}", "a".repeat(9000))),
    ] {
        let refused = open(&mut world, host, path);
        assert_eq!((refused.status, code(&refused)), (410, "hand_over_over".into()), "{host} {path}");
    }
    assert!(world.calls.is_empty(), "nothing of it costs a call");
    for answer in [json!({"answer": "used"}), json!({"answer": "not_confirmed", "state": "waiting"})] {
        world.accounts.insert("tickets.redeem", ok(answer));
        let refused = open(&mut world, "shop.example.com", &path);
        assert_eq!((refused.status, header(&refused, "set-cookie")), (410, None));
        let page = String::from_utf8(refused.body).unwrap();
        assert!(page.contains("/wxgate/login?return_to=%2Fcart%3Fitem%3D1"), "a way on: {page}");
    }
    world.accounts.insert("tickets.redeem", Ok(HttpReply { status: 404, body: vec![] }));
    assert_eq!(code(&open(&mut world, "shop.example.com", &path)), "hand_over_over");
    world.accounts.insert("tickets.redeem", Ok(HttpReply { status: 500, body: vec![] }));
    assert_eq!(code(&open(&mut world, "shop.example.com", &path)), "accounts_unavailable");
    world.accounts.insert("tickets.redeem", ok(json!({"answer": "redeemed"})));
    world.now += 59;
    assert_eq!(open(&mut world, "shop.example.com", &path).status, 303);
    world.now += 1;
    world.calls.clear();
    assert_eq!(code(&open(&mut world, "shop.example.com", &path)), "hand_over_over");
    assert!(world.calls.is_empty());
    world.accounts.insert("tickets.create", ok(json!({"answer": "created", "ticket": TICKET, "expires_at": world.now + 600})));
    assert_eq!(body(&issue(&mut world, &app, "/cart"))["expires_at"], world.now + 60, "whatever the resolver would keep it for");
}

#[test]
fn a_session_that_has_ended_goes_nowhere() {
    let (mut world, app) = story();
    let path = address(&mut world, &app);
    app.clone().send(&mut world, "POST", "shop.example.com", "/wxgate/logout");
    world.calls.clear();
    let refused = reply(world.send(&web_view().request("GET", "shop.example.com", &path)));
    assert_eq!((refused.status, code(&refused)), (410, "hand_over_over".into()));
    assert!(world.calls.is_empty());
    assert_eq!(issue(&mut world, &app, "/cart").status, 401);
}

#[test]
fn nobody_is_logged_in_by_another_site_s_link_nor_by_a_browser_that_fetches_ahead() {
    let (mut world, app) = story();
    let path = address(&mut world, &app);
    world.calls.clear();
    for site in ["cross-site", "same-site", "odd"] {
        let refused = reply(world.send(&web_view().with("sec-fetch-site", site).request("GET", "shop.example.com", &path)));
        assert_eq!((refused.status, code(&refused)), (403, "cross_site".into()), "{site}");
    }
    let ahead = reply(world.send(&web_view().with("sec-purpose", "prefetch").request("GET", "shop.example.com", &path)));
    let script = reply(world.send(&Browser::default().with("accept", "application/json").request("GET", "shop.example.com", &path)));
    assert_eq!((ahead.status, script.status), (401, 401));
    assert!(world.calls.is_empty(), "it is not spent");
    for site in ["none", "same-origin"] {
        assert_eq!(reply(world.send(&web_view().with("sec-fetch-site", site).request("GET", "shop.example.com", &path))).status, 303);
    }
}

#[test]
fn whoever_is_logged_in_already_is_not_replaced_by_somebody_else() {
    let (mut world, app) = story();
    let path = address(&mut world, &app);
    // The same person, in another session: it is replaced.
    let mut same = web_view();
    world.login = vec![ok(json!({
        "outcome": "signed_in", "user": {"id": "01900000-0000-7000-8000-000000000001"}, "session_id": "BBBBBBBBBBBBBBBBBBBBBB",
        "auth_time": 1_000_000, "new_user": false, "identity": {"app_id": "wx0000000000000001", "openid": "o1"}
    }))];
    same.log_in(&mut world);
    assert_eq!(reply(same.send(&mut world, "GET", "shop.example.com", &path)).status, 303);
    // And loaded again it goes on, however late, for it has the session.
    world.calls.clear();
    world.now += 3600;
    let again = reply(same.send(&mut world, "GET", "shop.example.com", &path));
    assert_eq!((again.status, header(&again, "location")), (303, Some("https://shop.example.com/cart?item=1")));
    assert!(world.calls.is_empty());
    world.now -= 3600;

    let mut other = web_view();
    world.login = vec![ok(json!({
        "outcome": "signed_in", "user": {"id": "01900000-0000-7000-8000-000000000002"}, "session_id": "CCCCCCCCCCCCCCCCCCCCCC",
        "auth_time": 1_000_000, "new_user": false, "identity": {"app_id": "wx0000000000000001", "openid": "o1"}
    }))];
    other.log_in(&mut world);
    world.calls.clear();
    let refused = reply(other.send(&mut world, "GET", "shop.example.com", &path));
    assert_eq!((refused.status, code(&refused)), (409, "another_session".into()));
    let page = String::from_utf8(refused.body).unwrap();
    assert!(page.contains("return_to=%2Fcart%3Fitem%3D1&amp;anew=1"), "a way on, by the person's own choice: {page}");
    assert!(world.calls.is_empty(), "it is not spent");
    let forward = forwarded(other.open(&mut world, "/cart"));
    let claims = world.verified(&forward);
    assert_eq!(claims.subject.as_deref(), Some("01900000-0000-7000-8000-000000000002"));
}
