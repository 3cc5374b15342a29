//! Sessions: what they carry, where they are good, and how they end.

use super::*;

#[test]
fn an_identity_is_signed_once_and_again_when_half_its_life_is_over() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    let token = |world: &mut World, browser: &mut Browser| forwarded(browser.open(world, "/cart")).identity.unwrap();
    let first = token(&mut world, &mut browser);
    world.now += 59;
    assert!(Rc::ptr_eq(&first, &token(&mut world, &mut browser)), "nothing is signed while it is fresh");
    world.now += 1;
    assert!(!Rc::ptr_eq(&first, &token(&mut world, &mut browser)));
}

#[test]
fn an_identity_never_outlives_its_session() {
    let mut world = World::with(|config| config["session"]["absolute_seconds"] = json!(100));
    let mut browser = Browser::default();
    browser.log_in(&mut world);
    world.now += 50;
    let forward = forwarded(browser.open(&mut world, "/cart"));
    assert_eq!(world.verified(&forward).expires_at.unwrap().as_secs(), 1_000_100);
    world.now += 50;
    assert_eq!(reply(browser.open(&mut world, "/cart")).status, 303);
}

#[test]
fn neither_our_cookies_nor_our_bearer_reach_the_application() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    let token = browser.cookies["__Host-wxgate_session"].clone();
    browser.cookies.insert("theirs".into(), "1".into());
    assert_eq!(forwarded(browser.open(&mut world, "/cart")).cookie, CookieEdit::Replace(b"theirs=1".to_vec()));
    assert_eq!(forwarded(browser.open(&mut world, "/assets/x")).cookie, CookieEdit::Replace(b"theirs=1".to_vec()), "on public routes too");

    let mut app = Browser::default().with("authorization", &format!("Bearer {token}"));
    let forward = forwarded(app.send(&mut world, "GET", "shop.example.com", "/api/orders"));
    assert!(forward.remove_authorization && forward.identity.is_some());
    let mut two = app.with("authorization", "Bearer theirs");
    assert_eq!(reply(two.send(&mut world, "GET", "shop.example.com", "/api/orders")).status, 401, "of two, none counts");
    assert!(forwarded(two.send(&mut world, "GET", "shop.example.com", "/assets/x")).remove_authorization);
    let mut joined = Browser::default().with("authorization", &format!("Basic YTpi,Bearer {token}"));
    assert!(forwarded(joined.send(&mut world, "GET", "shop.example.com", "/assets/x")).remove_authorization);
    let mut theirs = browser.with("authorization", "Bearer theirs");
    assert!(!forwarded(theirs.send(&mut world, "GET", "shop.example.com", "/cart")).remove_authorization);
}

#[test]
fn a_session_is_good_only_where_its_pool_and_connector_are() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    let at_admin = reply(world.send(&browser.with("accept", "text/html").request("GET", "admin.example.com", "/")));
    assert_eq!(at_admin.status, 303);
    assert!(matches!(world.events.last(), Some(Event::Refused { reason: "foreign", .. })));
    let callback = browser.start(&mut world, "pc", "%2F").replace("/pc?", "/admin-pc?");
    let attempt_at_admin = reply(world.send(&browser.with("accept", "text/html").request("GET", "admin.example.com", &callback)));
    assert_eq!(code(&attempt_at_admin), "attempt_missing");
}

#[test]
fn two_session_cookies_are_none() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    let planted = browser.with("cookie", "__Host-wxgate_session=planted");
    assert_eq!(reply(world.send(&planted.request("GET", "shop.example.com", "/cart"))).status, 401);
}

#[test]
fn a_half_used_session_is_renewed_on_a_page_and_ends_all_the_same() {
    let mut world = World::with(|config| {
        config["session"] = json!({"keys": [{"inline": test_key_text(1)}], "idle_seconds": 2 * HOUR, "absolute_seconds": 3 * HOUR})
    });
    let mut browser = Browser::default();
    browser.log_in(&mut world);
    world.now += HOUR - 1;
    assert_eq!(forwarded(browser.open(&mut world, "/cart")).renewed_cookie, None);
    world.now += 1;
    assert_eq!(
        forwarded(browser.send(&mut world, "GET", "shop.example.com", "/api/x")).renewed_cookie,
        None,
        "a script's answer may be cached"
    );
    let renewed = forwarded(browser.open(&mut world, "/cart")).renewed_cookie.unwrap();
    assert!(renewed.contains(&format!("Max-Age={}", 2 * HOUR)), "{renewed}");
    let token = renewed.split(['=', ';']).nth(1).unwrap().to_owned();
    world.now += HOUR;
    assert_eq!(reply(browser.open(&mut world, "/cart")).status, 303, "the old token has been idle for too long");
    browser.cookies.insert("__Host-wxgate_session".into(), token);
    assert!(forwarded(browser.open(&mut world, "/cart")).identity.is_some());
    world.now += HOUR;
    assert_eq!(reply(browser.open(&mut world, "/cart")).status, 303, "the absolute end is not moved");
}

#[test]
fn logging_out_ends_the_session_here_at_once_and_elsewhere_by_the_feed() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    let copied = browser.clone();
    let page = reply(browser.open(&mut world, "/wxgate/logout"));
    assert_eq!(page.status, 200);
    assert!(browser.cookies.contains_key("__Host-wxgate_session"), "asking changes nothing");
    let out = reply(browser.with("origin", "https://shop.example.com").absorbing(&mut browser, |b| {
        b.extra.push(("accept".into(), b"text/html".to_vec()));
        b.send(&mut world, "POST", "shop.example.com", "/wxgate/logout")
    }));
    assert_eq!((out.status, header(&out, "location")), (303, Some("https://shop.example.com/wxgate/logout")));
    assert!(!browser.cookies.contains_key("__Host-wxgate_session"));
    assert_eq!(world.calls.last().unwrap().1, "/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA/revoke");
    let ended = world
        .events
        .iter()
        .find_map(|event| match event {
            Event::SignedOut { ended, everywhere: true } => Some(ended.clone()),
            _ => None,
        })
        .unwrap();
    let shared = world.gate.end_session(&ended, world.now);
    assert_eq!(reply(copied.clone().open(&mut world, "/cart")).status, 303, "a copy is worth nothing");

    let mut elsewhere = World::new();
    assert!(forwarded(copied.clone().open(&mut elsewhere, "/cart")).identity.is_some(), "another Envoy has not heard of it yet");
    elsewhere.gate.adopt_revocations(&shared);
    assert_eq!(reply(copied.clone().open(&mut elsewhere, "/cart")).status, 303, "not even of a session that it knows");
    assert!(matches!(elsewhere.events.last(), Some(Event::Refused { reason: "revoked", .. })));
}

#[test]
fn nobody_logs_a_visitor_out_from_another_site() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("x", "no header at all"),
    ] {
        let refused = reply(browser.with(name, value).send(&mut world, "POST", "shop.example.com", "/wxgate/logout"));
        assert_eq!((refused.status, code(&refused)), (403, "cross_site".into()), "{name}: {value}");
    }
    assert!(forwarded(browser.open(&mut world, "/cart")).identity.is_some());
    let token = browser.cookies["__Host-wxgate_session"].clone();
    let mut app = Browser::default().with("authorization", &format!("Bearer {token}"));
    assert_eq!(body(&reply(app.send(&mut world, "POST", "shop.example.com", "/wxgate/logout")))["logged_out"], true);
}

#[test]
fn a_visitor_may_ask_who_he_is() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    let me = body(&reply(browser.send(&mut world, "GET", "shop.example.com", "/wxgate/userinfo")));
    assert_eq!((&me["sub"], &me["name"], &me["connector"]), (&json!("01900000-0000-7000-8000-000000000001"), &json!("小明"), &json!("pc")));
    assert_eq!(me["wechat"], Value::Null, "WeChat's ids only where the application asks for them");
}

#[test]
fn sessions_end_with_the_feed_when_the_operator_says_so() {
    let mut world = World::with(|config| config["revocation"] = json!({"poll_seconds": 5, "on_outage": "refuse"}));
    let mut browser = Browser::default();
    world.gate.note_revocations_read(world.now);
    browser.log_in(&mut world);
    world.now += 15;
    assert!(forwarded(browser.open(&mut world, "/cart")).identity.is_some());
    world.now += 1;
    assert_eq!(reply(browser.open(&mut world, "/cart")).status, 303);
}
