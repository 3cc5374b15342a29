//! Logins, from the first page to the session, and all that can go wrong between.

use super::*;

#[test]
fn a_visitor_is_carried_through_wechat_to_the_page_that_was_asked_for() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    let turned_away = reply(browser.open(&mut world, "/cart?item=1"));
    assert_eq!(
        (turned_away.status, header(&turned_away, "location")),
        (303, Some("https://shop.example.com/wxgate/login?return_to=%2Fcart%3Fitem%3D1"))
    );
    let straight = reply(browser.open(&mut world, "/wxgate/login?return_to=%2Fcart%3Fitem%3D1"));
    let callback = callback_of(&straight);
    let back = reply(browser.open(&mut world, &callback));
    assert_eq!((back.status, header(&back, "location")), (303, Some("https://shop.example.com/cart?item=1")));
    assert_eq!(browser.count("__Host-wxgate_attempt_"), 0, "the attempt is over");
    assert_eq!(world.labels(), ["sns.access_token", "sns.userinfo", "logins.create"]);

    let forward = forwarded(browser.open(&mut world, "/cart?item=1"));
    let claims = world.verified(&forward);
    assert_eq!(claims.subject.as_deref(), Some("01900000-0000-7000-8000-000000000001"));
    assert_eq!((claims.custom.connector.as_str(), claims.custom.name.as_deref(), claims.custom.wechat), ("pc", Some("小明"), None));
    assert_eq!(forward.identity.unwrap().headers[1], ("x-user-id".into(), "01900000-0000-7000-8000-000000000001".into()));
    assert_eq!(world.calls.len(), 3, "a known session makes no call");
}

#[test]
fn the_resolver_hears_what_wechat_said_and_nothing_else() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    let request: Value = serde_json::from_slice(&world.calls[2].2).unwrap();
    assert_eq!(request["openid"], "o1");
    assert_eq!(request["unionid"], "u1");
    assert_eq!(
        (&request["pool"], &request["platform"], &request["app_id"]),
        (&json!("default"), &json!("main"), &json!("wx0000000000000001"))
    );
    assert_eq!(request["idempotency_key"].as_str().unwrap().len(), 64);
    let text = request.to_string();
    assert!(!text.contains("CODE1") && !text.contains("5f2b8c1e") && !text.contains("\"at\""), "{text}");
}

#[test]
fn a_callback_of_another_browser_costs_wechat_nothing() {
    let (mut world, mut alice, mut mallory) = (World::new(), Browser::default(), Browser::default());
    let callback = alice.start(&mut world, "pc", "%2F");
    assert_eq!(code(&reply(mallory.open(&mut world, &callback))), "cookies_not_kept");
    mallory.cookies.insert("anything".into(), "1".into());
    assert_eq!(code(&reply(mallory.open(&mut world, &callback))), "attempt_missing");
    mallory.start(&mut world, "pc", "%2F");
    assert_eq!(code(&reply(mallory.open(&mut world, &callback))), "attempt_missing");
    assert_eq!(world.calls.len(), 0);
    assert_eq!(reply(alice.open(&mut world, &callback)).status, 303);
}

#[test]
fn callbacks_that_wechat_would_not_send_are_refused_before_any_call() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    let callback = browser.start(&mut world, "pc", "%2F");
    let state = callback.split("state=").nth(1).unwrap().to_owned();
    for query in ["", "code=1", "code[]=1", &format!("code=1&state={state}&state={state}")] {
        assert_eq!(code(&reply(browser.open(&mut world, &format!("/wxgate/callback/pc?{query}")))), "callback_malformed", "{query}");
    }
    assert_eq!(code(&reply(browser.open(&mut world, "/wxgate/callback/pc?code=1&state="))), "attempt_missing");
    assert_eq!(code(&reply(browser.open(&mut world, &format!("{callback}&code=2")))), "callback_malformed");
    browser.start(&mut world, "pc", "%2F");
    let swapped: String = state.chars().rev().collect();
    assert_eq!(code(&reply(browser.open(&mut world, &format!("/wxgate/callback/pc?code=1&state={swapped}")))), "attempt_missing");
    assert_eq!(code(&reply(browser.open(&mut world, &callback.replace("/pc?", "/in-wechat?")))), "attempt_missing", "another connector's");
    assert!(world.calls.is_empty());
}

#[test]
fn who_refuses_on_the_phone_gets_a_page_and_may_begin_again() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    let callback = browser.start(&mut world, "pc", "%2Fcart").replace("code=CODE1&", "");
    let refused = reply(browser.open(&mut world, &callback));
    assert_eq!((refused.status, code(&refused)), (403, "denied".into()));
    assert!(String::from_utf8_lossy(&refused.body).contains("/wxgate/login?return_to=%2Fcart"), "to where the visitor was going");
    assert!(world.calls.is_empty());
    assert_eq!(browser.count("__Host-wxgate_attempt_"), 0);
}

#[test]
fn a_login_ends_after_ten_minutes() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    let callback = browser.start(&mut world, "pc", "%2F");
    world.now += 600;
    assert_eq!(code(&reply(browser.open(&mut world, &callback))), "attempt_expired");
    assert!(world.calls.is_empty());
}

#[test]
fn the_back_button_after_a_login_leads_on_and_exchanges_nothing() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    let callback = browser.start(&mut world, "pc", "%2Fcart");
    browser.open(&mut world, &callback);
    let again = reply(browser.open(&mut world, &callback));
    assert_eq!((again.status, header(&again, "location")), (303, Some("https://shop.example.com/")));
    assert_eq!(world.labels().iter().filter(|label| **label == "sns.access_token").count(), 1);
}

#[test]
fn the_second_load_of_one_callback_ends_logged_in_as_well() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    let callback = browser.start(&mut world, "pc", "%2Fcart");
    world.exchange = ok(json!({"errcode": 40163, "errmsg": "code been used"}));
    world.outcome = signed_in("o1");
    let back = reply(browser.open(&mut world, &callback));
    assert_eq!((back.status, header(&back, "location")), (303, Some("https://shop.example.com/cart")));
    assert_eq!(world.labels(), ["sns.access_token", "logins.find"]);
    assert!(forwarded(browser.open(&mut world, "/cart")).identity.is_some());
}

#[test]
fn a_code_that_nobody_exchanged_begins_the_login_again_once_and_then_says_so() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    let callback = browser.start(&mut world, "pc", "%2Fcart");
    world.exchange = ok(json!({"errcode": 40029, "errmsg": "invalid code"}));
    let restarted = callback_of(&reply(browser.open(&mut world, &callback)));
    assert_ne!(restarted, callback);
    let given_up = reply(browser.open(&mut world, &restarted));
    assert_eq!((given_up.status, code(&given_up)), (400, "code_rejected".into()));
    assert!(String::from_utf8_lossy(&given_up.body).contains("return_to=%2Fcart"), "the way on leads to where the visitor was going");
}

#[test]
fn a_silent_login_of_somebody_unknown_asks_for_the_profile_once() {
    let (mut world, mut browser) = (World::new(), Browser::in_wechat());
    world.exchange = ok(json!({"access_token": "at", "openid": "o1", "scope": "snsapi_base"}));
    world.login = vec![ok(json!({"outcome": "profile_required"}))];
    let straight = reply(browser.open(&mut world, "/wxgate/login?return_to=%2Fcart"));
    assert!(header(&straight, "location").unwrap().contains("&scope=snsapi_base&state="), "in WeChat there is nothing to choose");
    let silent = callback_of(&straight);
    let escalated = reply(browser.open(&mut world, &silent));
    assert!(header(&escalated, "location").unwrap().contains("&scope=snsapi_userinfo&state="));
    let first: Value = serde_json::from_slice(&world.calls[1].2).unwrap();
    assert_eq!((&first["profile_available"], &first["unionid"]), (&json!(true), &Value::Null));
    assert_eq!(world.labels(), ["sns.access_token", "logins.create"], "snsapi_base has no profile to ask for");

    world.exchange = ok(json!({"access_token": "at", "openid": "o1", "scope": "snsapi_userinfo", "unionid": "u1"}));
    let callback = callback_of(&escalated);
    assert_eq!(code(&reply(browser.open(&mut world, &callback))), "accounts_rejected", "never a third time");
    let last: Value = serde_json::from_slice(&world.calls.last().unwrap().2).unwrap();
    assert_eq!(last["profile_available"], json!(false));
}

#[test]
fn a_snapshot_user_is_told_how_to_go_on_and_never_reaches_the_resolver() {
    let (mut world, mut browser) = (World::new(), Browser::in_wechat());
    world.exchange = ok(json!({"access_token": "at", "openid": "o1", "scope": "snsapi_userinfo", "unionid": "u1", "is_snapshotuser": 1}));
    let callback = browser.start(&mut world, "in-wechat", "%2F");
    let refused = reply(browser.open(&mut world, &callback));
    assert_eq!(code(&refused), "snapshot_user");
    assert!(String::from_utf8_lossy(&refused.body).contains("使用完整服务"));
    assert_eq!(world.labels(), ["sns.access_token"]);
}

#[test]
fn a_login_does_not_hang_on_the_profile() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    world.profile = Err(CallFailure::Reset);
    assert_eq!(browser.log_in(&mut world).status, 303);
    assert!(world.events.iter().any(|event| matches!(event, Event::ProfileMissing { .. })));
}

#[test]
fn outages_are_pages_with_a_way_on_and_nobody_is_logged_in() {
    let failing: [(&str, u16, CallResult, CallResult); 8] = [
        ("wechat_unavailable", 503, Err(CallFailure::NotSent), signed_in("o1")),
        ("wechat_unavailable", 503, Ok(HttpReply { status: 504, body: b"upstream request timeout".to_vec() }), signed_in("o1")),
        ("wechat_busy", 503, ok(json!({"errcode": -1})), signed_in("o1")),
        ("wechat_misconfigured", 500, ok(json!({"errcode": 40125})), signed_in("o1")),
        ("accounts_unavailable", 503, World::new().exchange, Err(CallFailure::NotSent)),
        ("accounts_rejected", 500, World::new().exchange, Ok(HttpReply { status: 401, body: vec![] })),
        ("accounts_rejected", 500, World::new().exchange, signed_in("somebody-else")),
        ("user_disabled", 403, World::new().exchange, ok(json!({"outcome": "refused", "reason": "user_disabled"}))),
    ];
    for (expected, status, exchange, login) in failing {
        let (mut world, mut browser) = (World::new(), Browser::default());
        (world.exchange, world.login) = (exchange, vec![login]);
        let failed = browser.log_in(&mut world);
        assert_eq!((code(&failed).as_str(), failed.status), (expected, status));
        assert_eq!(header(&failed, "retry-after").is_some(), status == 503);
        assert_eq!(world.labels().iter().filter(|label| **label == "sns.access_token").count(), 1, "an exchange is never repeated");
        assert!(!browser.cookies.contains_key("__Host-wxgate_session"));
    }
}

#[test]
fn a_login_that_got_lost_on_its_way_to_the_resolver_is_sent_once_more_with_the_same_key() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    world.login = vec![Err(CallFailure::Reset), signed_in("o1")];
    assert_eq!(browser.log_in(&mut world).status, 303);
    assert_eq!(world.labels(), ["sns.access_token", "sns.userinfo", "logins.create", "logins.create"]);
    assert_eq!(world.calls[2].2, world.calls[3].2);
}

#[test]
fn tabs_do_not_disturb_each_other() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    let (first, second) = (browser.start(&mut world, "pc", "%2Fone"), browser.start(&mut world, "pc", "%2Ftwo"));
    let location = |reply: Reply| header(&reply, "location").unwrap().to_owned();
    assert_eq!(location(reply(browser.open(&mut world, &second))), "https://shop.example.com/two");
    assert_eq!(location(reply(browser.open(&mut world, &first))), "https://shop.example.com/one");
}

#[test]
fn abandoned_logins_do_not_pile_up_in_a_browser() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    for _ in 0..60 {
        browser.start(&mut world, "pc", &format!("%2F{}", "a".repeat(500)));
        world.now += 25;
        assert!(browser.count("__Host-wxgate_attempt_") <= 5);
        assert!(browser.cookies.iter().map(|(name, value)| name.len() + value.len() + 3).sum::<usize>() < 8 * 1024);
    }
}

#[test]
fn a_browser_that_keeps_no_session_is_told_so_instead_of_going_round_in_circles() {
    let (mut world, mut browser) = (World::new(), Browser::in_wechat());
    for _ in 0..3 {
        browser.start(&mut world, "in-wechat", "%2F");
        world.now += 5;
    }
    let told = reply(browser.open(&mut world, "/wxgate/login?return_to=%2Fcart"));
    assert_eq!(code(&told), "cookies_not_kept");
    assert!(String::from_utf8_lossy(&told.body).contains("/wxgate/login?return_to=%2Fcart&amp;anew=1"));
    assert_eq!(reply(browser.open(&mut world, "/wxgate/login?return_to=%2Fcart&anew=1")).status, 303, "a tap begins anew");
    world.now += 60;
    browser.start(&mut world, "in-wechat", "%2F");
}

#[test]
fn no_event_line_or_page_holds_a_secret() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    world.exchange = ok(json!({"errcode": 40125, "errmsg": "invalid appsecret\nforged line"}));
    let failed = browser.log_in(&mut world);
    let lines: Vec<_> =
        world.events.iter().filter_map(Event::line).map(|(_, line)| line).chain(world.events.iter().map(Event::counter)).collect();
    let told = lines.join("\n") + &String::from_utf8_lossy(&failed.body);
    for secret in ["5f2b8c1e9a7d4036", "CODE1", "wxg1.", &test_key_text(9), &test_key_text(1), "PRIVATE", "\"o1", "\"u1"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    assert!(lines.iter().all(|line| !line.contains('\n')));
    assert!(lines.iter().any(|line| line.contains("errcode 40125")), "the operator hears what WeChat said");
}
