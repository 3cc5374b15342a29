//! People at their own account.

use super::*;

#[test]
fn people_see_their_own_account() {
    let (mut world, mut browser) = at_home();
    let page = reply(browser.open(&mut world, "/wxgate/account"));
    assert_eq!(page.status, 200);
    for shown in ["小明", "+8613800138000", "a@example.com", "/wxgate/logout"] {
        assert!(text(&page).contains(shown), "{shown}");
    }
    assert_eq!(world.calls.last().unwrap().1, "/v1/users/01900000-0000-7000-8000-000000000001?pool=default");
    let token = browser.cookies[SESSION].clone();
    let mut app = Browser::default().with("authorization", &format!("Bearer {token}"));
    let me = body(&reply(app.send(&mut world, "GET", "shop.example.com", "/wxgate/account")));
    assert_eq!((&me["account"]["user"]["name"], &me["is_fresh"]), (&json!("小明"), &json!(true)));
    assert_eq!(reply(Browser::default().send(&mut world, "GET", "shop.example.com", "/wxgate/account")).status, 401);

    world.accounts.insert("accounts.find", gone());
    assert_eq!(code(&reply(browser.open(&mut world, "/wxgate/account"))), "user_disabled");
    assert!(!browser.cookies.contains_key(SESSION), "an account that is gone leaves no session");
}

#[test]
fn another_wechat_is_linked_to_the_account_of_the_session_that_asked() {
    let (mut world, mut browser) = at_home();
    let to_wechat = browser.post(&mut world, "/wxgate/account", "action=link&connector=pc");
    let callback = callback_of(&to_wechat);
    world.exchange = ok(json!({"access_token": "at", "openid": "o2", "scope": "snsapi_login", "unionid": "u2"}));
    world.login = vec![signed_in("o2")];
    let back = reply(browser.open(&mut world, &callback));
    assert_eq!((back.status, header(&back, "location")), (303, Some("https://shop.example.com/wxgate/account")));
    let request = sent_body(&world);
    assert_eq!((&request["link_to"], &request["client_address"]), (&json!("01900000-0000-7000-8000-000000000001"), &json!("203.0.113.7")));
    assert_eq!(actions(&world), [("link", "started")]);

    let linked: Value = serde_json::from_slice(&own_account().unwrap().body).unwrap();
    let now = world.now;
    let mut says_so = |created_at: u64, linked_at: [Option<u64>; 2]| {
        let (mut account, one) = (linked.clone(), &linked["identities"][0]);
        let identities = linked_at.into_iter().flatten().map(|at| {
            let mut identity = one.clone();
            identity["linked_at"] = json!(at);
            identity
        });
        account["identities"] = identities.collect();
        account["created_at"] = json!(created_at);
        world.accounts.insert("accounts.find", ok(account));
        text(&reply(browser.open(&mut world, "/wxgate/account"))).contains("Linked: this WeChat can log in")
    };
    assert!(says_so(now - 3600, [Some(now - 3600), Some(now - 5)]));
    assert!(says_so(now - 5, [Some(now - 5), Some(now - 5)]), "account and link within one second");
    assert!(!says_so(now - 7200, [Some(now - 7200), Some(now - 3600)]), "that was long ago");
    assert!(!says_so(now - 5, [Some(now - 4), None]), "nothing was linked beside the way in");
}

/// ACC-09: somebody else's callback, or one that comes after the person has changed, gives nobody a way in.
#[test]
fn a_link_is_made_only_while_the_session_that_asked_is_still_here() {
    let (mut world, mut browser) = at_home();
    let callback = callback_of(&browser.post(&mut world, "/wxgate/account", "action=link&connector=pc"));
    let calls = world.calls.len();
    let refused = |world: &mut World, browser: &Browser, why: &str| {
        let mut browser = browser.clone();
        let told = reply(browser.open(world, &callback));
        assert_eq!((told.status, code(&told).as_str()), (409, "link_interrupted"), "{why}");
        assert_eq!(browser.count("__Host-wxgate_attempt_"), 0, "{why}");
        assert_eq!(world.calls.len(), calls, "{why}: nobody was asked");
    };
    let mut logged_out = browser.clone();
    logged_out.cookies.remove(SESSION);
    refused(&mut world, &logged_out, "logged out");

    let somebody = |id: &str, session: &str| {
        let mut login: Value = serde_json::from_slice(&signed_in("o1").unwrap().body).unwrap();
        (login["user"]["id"], login["session_id"]) = (json!(id), json!(session));
        let (mut elsewhere, mut other) = (World::new(), Browser::default());
        elsewhere.login = vec![ok(login)];
        other.log_in(&mut elsewhere);
        other.cookies[SESSION].clone()
    };
    let mut changed = browser.clone();
    changed.cookies.insert(SESSION.into(), somebody("01900000-0000-7000-8000-000000000002", "AAAAAAAAAAAAAAAAAAAAAA"));
    refused(&mut world, &changed, "another person");
    changed.cookies.insert(SESSION.into(), somebody("01900000-0000-7000-8000-000000000001", "BBBBBBBBBBBBBBBBBBBBBB"));
    refused(&mut world, &changed, "another session of the same person");
    let mut stranger = Browser::default();
    stranger.cookies.insert(SESSION.into(), browser.cookies[SESSION].clone());
    assert_eq!(reply(stranger.open(&mut world, &callback)).status, 303, "without the attempt's cookie nothing is finished");
    assert_eq!(world.calls.len(), calls);
}

#[test]
fn a_link_ends_at_the_account_that_was_named_or_not_at_all() {
    let outcomes = [
        (ok(json!({"outcome": "refused", "reason": "identity_taken"})), "identity_taken"),
        (choose(), "accounts_rejected"),
        (bind(), "accounts_rejected"),
        (
            ok(
                json!({"outcome": "signed_in", "user": {"id": "somebody-else"}, "session_id": "CCCCCCCCCCCCCCCCCCCCCC", "auth_time": 1_000_000,
                      "identity": {"app_id": "wx0000000000000001", "openid": "o1"}}),
            ),
            "accounts_rejected",
        ),
    ];
    for (outcome, expected) in outcomes {
        let (mut world, mut browser) = at_home();
        let before = browser.cookies[SESSION].clone();
        let callback = callback_of(&browser.post(&mut world, "/wxgate/account", "action=link&connector=pc"));
        world.login = vec![outcome.clone()];
        let told = reply(browser.open(&mut world, &callback));
        assert_eq!(code(&told), expected);
        assert_eq!(browser.cookies[SESSION], before, "the session stays what it was");
        assert!(!browser.cookies.contains_key(COOKIE));
        // The second load of a callback is held to the same.
        let callback = callback_of(&browser.post(&mut world, "/wxgate/account", "action=link&connector=pc"));
        (world.exchange, world.outcome) = (ok(json!({"errcode": 40163})), outcome);
        let told = reply(browser.open(&mut world, &callback));
        assert!(told.status == 303 || code(&told) == expected);
        assert_eq!(browser.cookies[SESSION], before);
    }
}

#[test]
fn asking_wechat_for_the_profile_keeps_in_mind_what_the_login_was_for() {
    let (mut world, mut browser) = (World::new(), Browser::in_wechat());
    world.exchange = ok(json!({"access_token": "at", "openid": "o1", "scope": "snsapi_base"}));
    let mut login: Value = serde_json::from_slice(&signed_in("o1").unwrap().body).unwrap();
    login["identity"]["app_id"] = json!("wx0000000000000002");
    world.login = vec![ok(login.clone())];
    let callback = browser.start(&mut world, "in-wechat", "%2F");
    assert_eq!(reply(browser.open(&mut world, &callback)).status, 303);
    let callback = callback_of(&browser.post(&mut world, "/wxgate/account", "action=link&connector=in-wechat"));
    world.login = vec![ok(json!({"outcome": "profile_required"})), ok(login)];
    let escalated = reply(browser.open(&mut world, &callback));
    world.exchange = ok(json!({"access_token": "at", "openid": "o1", "scope": "snsapi_userinfo", "unionid": "u1"}));
    reply(browser.open(&mut world, &callback_of(&escalated)));
    assert_eq!(sent_body(&world)["link_to"], "01900000-0000-7000-8000-000000000001");
}

#[test]
fn dangerous_steps_need_a_login_of_the_last_minutes() {
    let (mut world, mut browser) = at_home();
    world.accounts.insert("accounts.unlink", ok(json!({"answer": "unlinked"})));
    world.now += 600;
    for form in ["action=link&connector=pc", "action=unlink&identity=i1"] {
        let told = browser.post(&mut world, "/wxgate/account", form);
        assert_eq!(told.status, 403, "{form}");
        assert!(text(&told).contains("/wxgate/login?return_to=%2Fwxgate%2Faccount&amp;anew=1"), "{}", text(&told));
        let fields: Value = form
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(n, v)| (n.to_owned(), json!(v)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let mut script = browser.with("origin", ORIGIN);
        let told = script.post_json(&mut world, fields);
        assert_eq!((told.status, code(&told).as_str()), (403, "fresh_login_required"));
        assert!(body(&told)["login_url"].as_str().unwrap().ends_with("&anew=1"));
    }
    assert!(!world.labels().contains(&"accounts.unlink"));
    let anew = reply(browser.open(&mut world, "/wxgate/login?return_to=%2Fwxgate%2Faccount&anew=1"));
    let callback = callback_of(&anew);
    let mut login: Value = serde_json::from_slice(&signed_in("o1").unwrap().body).unwrap();
    (login["auth_time"], login["session_id"]) = (json!(world.now), json!("BBBBBBBBBBBBBBBBBBBBBB"));
    world.login = vec![ok(login)];
    let back = reply(browser.open(&mut world, &callback));
    assert_eq!(header(&back, "location"), Some("https://shop.example.com/wxgate/account"));
    assert_eq!(
        header(&browser.post(&mut world, "/wxgate/account", "action=unlink&identity=i1"), "location"),
        Some("https://shop.example.com/wxgate/logout")
    );
}

#[test]
fn unlinking_ends_every_session_here_at_once() {
    let (mut world, mut browser) = at_home();
    world.accounts.insert("accounts.unlink", ok(json!({"answer": "unlinked"})));
    let copied = browser.clone();
    let out = browser.post(&mut world, "/wxgate/account", "action=unlink&identity=i%2F1");
    assert_eq!((out.status, header(&out, "location")), (303, Some("https://shop.example.com/wxgate/logout")));
    let (_, path, change) = world.calls.last().unwrap();
    assert_eq!(path, "/v1/users/01900000-0000-7000-8000-000000000001/identities/i%2F1/unlink");
    let change: Value = serde_json::from_slice(change).unwrap();
    assert_eq!(change, json!({"pool": "default", "application": "shop", "client_address": "203.0.113.7"}));
    assert!(!browser.cookies.contains_key(SESSION));
    assert_eq!(reply(copied.clone().open(&mut world, "/cart")).status, 303, "a copy is worth nothing");
    assert!(world.events.iter().any(|event| matches!(event, Event::SignedOut { everywhere: true, .. })), "the other workers hear of it");
    assert_eq!(actions(&world), [("unlink", "done")]);
}

#[test]
fn the_last_way_in_stays() {
    let (mut world, mut browser) = at_home();
    world.accounts.insert("accounts.unlink", ok(json!({"answer": "last_way_in"})));
    let plain = text(&reply(browser.open(&mut world, "/wxgate/account")));
    let told = browser.post(&mut world, "/wxgate/account", "action=unlink&identity=i1");
    assert_eq!(told.status, 422);
    assert!(text(&told).len() > plain.len() + 50, "and the page says so");
    let mut script = browser.with("origin", ORIGIN);
    assert_eq!(code(&script.post_json(&mut world, json!({"action": "unlink", "identity": "i1"}))), "last_way_in");
    assert!(forwarded(browser.open(&mut world, "/cart")).identity.is_some());
    world.accounts.insert("accounts.unlink", gone());
    assert_eq!(browser.post(&mut world, "/wxgate/account", "action=unlink&identity=i1").status, 200, "somebody was faster");
}

#[test]
fn signing_out_everywhere_needs_no_fresh_login_and_the_resolver() {
    let (mut world, mut browser) = at_home();
    world.now += HOUR;
    world.accounts.insert("accounts.revoke", Err(CallFailure::NotSent));
    assert_eq!(code(&browser.post(&mut world, "/wxgate/account", "action=sign_out_everywhere")), "accounts_unavailable");
    assert!(browser.cookies.contains_key(SESSION), "to be tried again");
    world.accounts.insert("accounts.revoke", Ok(HttpReply { status: 204, body: vec![] }));
    let copied = browser.clone();
    let out = browser.post(&mut world, "/wxgate/account", "action=sign_out_everywhere");
    assert_eq!(header(&out, "location"), Some("https://shop.example.com/wxgate/logout"));
    assert_eq!(world.calls.last().unwrap().1, "/v1/users/01900000-0000-7000-8000-000000000001/revoke-sessions");
    assert_eq!(reply(copied.clone().open(&mut world, "/cart")).status, 303);
    assert_eq!(reply(browser.open(&mut world, "/wxgate/account")).status, 303);
}

#[test]
fn an_app_that_is_logged_in_manages_its_account_too_but_links_in_a_browser() {
    let (mut world, browser) = at_home();
    world.accounts.insert("accounts.revoke", Ok(HttpReply { status: 204, body: vec![] }));
    let bearer = format!("Bearer {}", browser.cookies[SESSION]);
    let mut app = Browser::default().with("authorization", &bearer);
    let refused = app.post_json(&mut world, json!({"action": "link", "connector": "pc"}));
    assert_eq!(code(&refused), "unknown_connector");
    let done = app.post_json(&mut world, json!({"action": "sign_out_everywhere"}));
    assert_eq!((done.status, &body(&done)["everywhere"]), (200, &json!(true)));
    assert_eq!(code(&app.post_json(&mut world, json!({"action": "sign_out_everywhere"}))), "login_required");
}

#[test]
fn a_verified_phone_number_travels_from_the_account_to_the_application() {
    let mut world = World::with(|config| config["applications"][0]["claims"] = json!({"phone_number": true}));
    let mut browser = Browser::default();
    world.login = vec![bind()];
    let mut login: Value = serde_json::from_slice(&signed_in("o1").unwrap().body).unwrap();
    login["user"]["phone_number"] = json!("+8613800138000");
    login["user"]["phone_number_verified"] = json!(true);
    world.accounts.insert("pending.finish", ok(json!({"answer": "finished", "outcome": login})));
    browser.log_in(&mut world);
    browser.post(&mut world, "/wxgate/account", "action=create");
    let forward = forwarded(browser.open(&mut world, "/cart"));
    let claims = world.verified(&forward).custom;
    assert_eq!((claims.phone_number.as_deref(), claims.phone_number_verified), (Some("+8613800138000"), Some(true)));
}
