//! Logins that wait for their person.

use super::*;

#[test]
fn whoever_has_two_accounts_chooses_one_and_goes_where_they_were_going() {
    let (mut world, mut browser) = asked(choose(), two_accounts());
    let page = reply(browser.open(&mut world, "/wxgate/account"));
    assert_eq!(page.status, 200);
    assert!(text(&page).contains("+86138****8000") && text(&page).contains("小&lt;明&gt;"), "{}", text(&page));
    assert!(!text(&page).contains(PENDING), "the resolver's name for it stays sealed");
    let action = browser.form_action(&mut world);
    let back = browser.post(&mut world, &action, "language=zh-CN&action=choose&account=c2");
    assert_eq!((back.status, header(&back, "location")), (303, Some("https://shop.example.com/cart")));
    assert_eq!(world.calls.last().unwrap().1, format!("/v1/pending-logins/{PENDING}/finish"));
    assert_eq!(sent_body(&world), json!({"proof": {"action": "choose", "account": "c2"}, "client_address": "203.0.113.7"}));
    assert!(!browser.cookies.contains_key(COOKIE), "it is over");
    assert!(forwarded(browser.open(&mut world, "/cart")).identity.is_some());
    assert!(world.events.iter().any(|event| event.counter() == "wxgate_logins_total;connector=pc;outcome=choose_account"));
    assert!(world.events.iter().any(|event| event.counter() == "wxgate_logins_total;connector=pc;outcome=signed_in"));
}

#[test]
fn each_way_to_answer_reaches_the_resolver_as_it_was_given() {
    let answers = [
        ("action=create", json!({"action": "create"})),
        ("action=code&code=123456", json!({"action": "code", "code": "123456"})),
        ("action=password&account=%E6%99%93&password=+a%26%3Db+", json!({"action": "password", "account": "晓", "password": " a&=b "})),
    ];
    for (form, proof) in answers {
        let (mut world, mut browser) = asked(bind(), all_methods());
        assert_eq!(browser.post(&mut world, "/wxgate/account", form).status, 303, "{form}");
        assert_eq!(sent_body(&world)["proof"], proof);
        assert!(browser.cookies.contains_key(SESSION));
    }
}

#[test]
fn a_code_is_sent_in_the_language_of_the_page_and_the_page_says_where_to() {
    let (mut world, mut browser) = asked(bind(), all_methods());
    let code = json!({"method": "phone_code", "address": "+86138****8000", "expires_at": 1_000_300, "resend_at": 1_000_060});
    world.accounts.insert("pending.code", ok(json!({"answer": "sent", "code": code})));
    let asked = json!({"kind": "bind", "methods": ["phone_code"], "may_create": false, "code": code});
    world.accounts.insert("pending.find", pending(asked));
    let page = browser.post(&mut world, "/wxgate/account", "language=en&action=send_code&method=phone_code&address=13800138000");
    assert_eq!(page.status, 200);
    assert!(text(&page).contains("+86138****8000"), "{}", text(&page));
    let (label, path, body) = world.calls.iter().rev().nth(1).unwrap();
    assert_eq!((*label, path.as_str()), ("pending.code", format!("/v1/pending-logins/{PENDING}/code").as_str()));
    let request: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(request, json!({"method": "phone_code", "address": "13800138000", "language": "en", "client_address": "203.0.113.7"}));
    assert_eq!(actions(&world), [("send_code", "sent")]);
}

#[test]
fn a_code_that_is_not_sent_is_said_so_in_words_and_in_json() {
    let answers = [
        (json!({"answer": "too_soon", "resend_at": 1_000_042}), "too_soon"),
        (json!({"answer": "too_many"}), "too_many"),
        (json!({"answer": "invalid_address"}), "invalid_address"),
        (json!({"answer": "not_offered"}), "not_offered"),
    ];
    for (answer, name) in answers {
        let (mut world, mut browser) = asked(bind(), all_methods());
        world.accounts.insert("pending.code", ok(answer));
        let plain = text(&reply(browser.open(&mut world, "/wxgate/account")));
        let page = browser.post(&mut world, "/wxgate/account", "action=send_code&method=email_code&address=a%40b");
        assert_eq!(page.status, 422, "{name}");
        assert_ne!(text(&page), plain, "{name}: the page says what became of it");
        assert!(text(&page).contains("a@b"), "{name}: what was typed stands there again");
        let mut script = browser.with("origin", ORIGIN);
        let answer = script.post_json(&mut world, json!({"action": "send_code", "method": "email_code", "address": "a@b"}));
        assert_eq!((answer.status, &body(&answer)["error"]), (422, &json!(name)));
        assert_eq!(body(&answer)["login"]["question"]["kind"], "bind");
        assert_eq!(actions(&world), [("send_code", name); 2]);
    }
}

#[test]
fn a_wrong_proof_costs_a_try_and_the_page_repeats_no_secret() {
    let (mut world, mut browser) = asked(bind(), all_methods());
    world.accounts.insert("pending.finish", ok(json!({"answer": "wrong", "tries_left": 4})));
    let page = browser.post(&mut world, "/wxgate/account", "language=en&action=password&account=xiaoming&password=hunter2-canary");
    assert_eq!(page.status, 422);
    assert!(text(&page).contains("xiaoming") && text(&page).contains('4'), "{}", text(&page));
    assert!(browser.cookies.contains_key(COOKIE) && !browser.cookies.contains_key(SESSION));
    let page_with_code = browser.post(&mut world, "/wxgate/account", "action=code&code=987651");
    let lines: Vec<_> = world.events.iter().filter_map(Event::line).map(|(_, line)| line).collect();
    let told = text(&page) + &text(&page_with_code) + &lines.join("\n");
    for secret in ["hunter2", "987651", PENDING] {
        assert!(!told.contains(secret), "{secret}");
    }
    assert_eq!(actions(&world), [("password", "wrong_proof"), ("code", "wrong_proof")]);

    world.accounts.insert("pending.finish", ok(json!({"answer": "wrong", "tries_left": 0})));
    let over = browser.post(&mut world, "/wxgate/account", "action=code&code=000000");
    assert_eq!((over.status, code(&over).as_str()), (410, "pending_over"));
    assert!(text(&over).contains("/wxgate/login?return_to=%2Fcart"), "the way on leads where the visitor was going");
    assert!(!browser.cookies.contains_key(COOKIE));
}

#[test]
fn a_login_that_waited_for_too_long_is_begun_again() {
    let (mut world, browser) = asked(bind(), all_methods());
    let mut late = browser.clone();
    world.now += 600;
    let over = reply(late.open(&mut world, "/wxgate/account"));
    assert_eq!((over.status, code(&over).as_str()), (410, "pending_over"));
    assert!(!late.cookies.contains_key(COOKIE), "the page can be left");
    assert_eq!(world.labels(), ["sns.access_token", "sns.userinfo", "logins.create"], "nobody was asked");
    world.now -= 600;

    for status in [404, 409] {
        let mut late = browser.clone();
        world.accounts.insert("pending.find", gone());
        world.accounts.insert("pending.finish", Ok(HttpReply { status, body: vec![] }));
        assert_eq!(code(&late.post(&mut world, "/wxgate/account", "action=create")), "pending_over", "{status}");
        assert!(!late.cookies.contains_key(COOKIE));
    }
    let mut late = browser.clone();
    assert_eq!(code(&reply(late.open(&mut world, "/wxgate/account"))), "pending_over");
}

#[test]
fn an_outage_does_not_end_a_login_that_waits() {
    let (mut world, mut browser) = asked(bind(), all_methods());
    world.accounts.insert("pending.finish", Err(CallFailure::NotSent));
    assert_eq!(code(&browser.post(&mut world, "/wxgate/account", "action=create")), "accounts_unavailable");
    assert!(browser.cookies.contains_key(COOKIE));
    world.accounts.insert("pending.finish", finished());
    assert_eq!(browser.post(&mut world, "/wxgate/account", "action=create").status, 303);
}

#[test]
fn a_refusal_at_the_end_is_said_in_words_and_leaves_no_session() {
    for reason in ["no_match", "registration_closed", "user_disabled"] {
        let (mut world, mut browser) = asked(bind(), all_methods());
        world.accounts.insert("pending.finish", ok(json!({"answer": "finished", "outcome": {"outcome": "refused", "reason": reason}})));
        assert_eq!(code(&browser.post(&mut world, "/wxgate/account", "action=create")), reason);
        assert!(!browser.cookies.contains_key(COOKIE) && !browser.cookies.contains_key(SESSION));
    }
    let (mut world, mut browser) = asked(bind(), all_methods());
    let again: Value = serde_json::from_slice(&bind().unwrap().body).unwrap();
    world.accounts.insert("pending.finish", ok(json!({"answer": "finished", "outcome": again})));
    assert_eq!(code(&browser.post(&mut world, "/wxgate/account", "action=create")), "accounts_rejected", "never round in circles");
}

/// ACC-04, ACC-09: what a browser may answer is in its own sealed cookie.
#[test]
fn another_browser_has_nothing_and_neither_has_a_changed_or_foreign_cookie() {
    let (mut world, browser) = asked(bind(), all_methods());
    let mut stranger = Browser::default();
    let turned_away = reply(stranger.open(&mut world, "/wxgate/account"));
    assert_eq!(header(&turned_away, "location"), Some("https://shop.example.com/wxgate/login?return_to=%2Fwxgate%2Faccount"));
    assert_eq!(code(&stranger.post(&mut world, "/wxgate/account", "action=create")), "form_without_session");
    let calls = world.calls.len();

    let sealed = browser.cookies[COOKIE].clone();
    let mut tampered = sealed.clone();
    tampered.replace_range(20..21, if &sealed[20..21] == "A" { "B" } else { "A" });
    let session = {
        let (mut home, mut other) = (World::new(), Browser::default());
        other.log_in(&mut home);
        other.cookies[SESSION].clone()
    };
    for token in [tampered, session, String::new(), "wxg1.x".into()] {
        let mut forger = Browser::default();
        forger.cookies.insert(COOKIE.into(), token.clone());
        let refused = forger.post(&mut world, "/wxgate/account", "action=create");
        assert_eq!(code(&refused), "pending_over", "{token}");
        assert!(!forger.cookies.contains_key(COOKIE));
        let mut app = Browser::default();
        let refused = app.post_json(&mut world, json!({"pending": token, "action": "create"}));
        assert_eq!(code(&refused), "pending_over", "{token}");
    }
    let mut twice = browser.with("cookie", &format!("{COOKIE}={sealed}")).with("accept", "text/html");
    assert_eq!(code(&reply(twice.send(&mut world, "GET", "shop.example.com", "/wxgate/account"))), "pending_over", "two of one name");
    let elsewhere = browser.with("accept", "text/html").request("GET", "admin.example.com", "/wxgate/account");
    assert_eq!(code(&reply(world.send(&elsewhere))), "pending_over", "another application");
    assert_eq!(world.calls.len(), calls, "the resolver heard of none of it");
}

#[test]
fn a_pending_login_opens_nothing_that_needs_a_session() {
    let (mut world, mut browser) = asked(bind(), all_methods());
    let sealed = browser.cookies[COOKIE].clone();
    assert_eq!(reply(browser.open(&mut world, "/cart")).status, 303);
    browser.cookies.insert(SESSION.into(), sealed.clone());
    assert_eq!(reply(browser.open(&mut world, "/cart")).status, 303);
    let mut app = Browser::default().with("authorization", &format!("Bearer {sealed}"));
    assert_eq!(reply(app.send(&mut world, "GET", "shop.example.com", "/api/orders")).status, 401);
}

#[test]
fn another_site_answers_nothing_in_a_visitor_s_name() {
    let (mut world, browser) = asked(bind(), all_methods());
    let (mut home, person) = at_home();
    let calls = (world.calls.len(), home.calls.len());
    for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "same-site"), ("x", "nothing")] {
        for (content_type, pending, own) in [
            (FORM, "action=create".to_owned(), "action=sign_out_everywhere".to_owned()),
            (JSON, json!({"action": "create"}).to_string(), json!({"action": "sign_out_everywhere"}).to_string()),
        ] {
            let forged = |browser: &Browser| browser.with(name, value).with("content-type", content_type);
            let refused = browser.clone().post_as(forged(&browser), &mut world, "/wxgate/account", &pending);
            assert_eq!((refused.status, code(&refused).as_str()), (403, "cross_site"), "{name}: {value}");
            let refused = person.clone().post_as(forged(&person), &mut home, "/wxgate/account", &own);
            assert_eq!((refused.status, code(&refused).as_str()), (403, "cross_site"), "{name}: {value}");
        }
    }
    assert_eq!((world.calls.len(), home.calls.len()), calls);
}

#[test]
fn an_app_sends_its_sealed_token_along_and_gets_a_session_token() {
    let (mut world, mut app) = (World::new(), Browser::default());
    world.login = vec![bind()];
    world.accounts = [("pending.find", all_methods()), ("pending.finish", finished())].into();
    let callback = app.start(&mut world, "pc", "%2Fcart");
    let told = reply(app.send(&mut world, "GET", "shop.example.com", &callback));
    assert_eq!((told.status, &body(&told)["error"]), (409, &json!("bind_account")));
    assert_eq!(body(&told)["account_url"], "https://shop.example.com/wxgate/account");
    assert_eq!(body(&told)["expires_at"], 1_000_600);
    let sealed = body(&told)["pending"].as_str().unwrap().to_owned();
    assert!(!sealed.contains(PENDING) && !app.cookies.contains_key(COOKIE));

    // No cookie, and no origin: an app is no browser.
    let mut app = Browser::default();
    let shown = app.post_json(&mut world, json!({"pending": sealed, "action": "show"}));
    assert_eq!((shown.status, &body(&shown)["login"]["question"]["may_create"]), (200, &json!(true)));
    world.accounts.insert("pending.finish", ok(json!({"answer": "wrong", "tries_left": 2})));
    let wrong = app.post_json(&mut world, json!({"pending": sealed, "action": "code", "code": "1"}));
    assert_eq!((wrong.status, &body(&wrong)["error"]), (422, &json!("wrong_proof")));
    world.accounts.insert("pending.finish", finished());
    let session = app.post_json(&mut world, json!({"pending": sealed, "action": "code", "code": "123456"}));
    assert_eq!(session.status, 200);
    assert_eq!(body(&session)["user"]["sub"], "01900000-0000-7000-8000-000000000001");
    assert_eq!(body(&session)["expires_at"], 1_000_000 + 30 * 24 * HOUR);
    assert!(header(&session, "set-cookie").is_none());
    let token = body(&session)["token"].as_str().unwrap().to_owned();
    let mut app = Browser::default().with("authorization", &format!("Bearer {token}"));
    assert!(forwarded(app.send(&mut world, "GET", "shop.example.com", "/api/orders")).identity.is_some());
    let cancelled = Browser::default().post_json(&mut world, json!({"pending": sealed, "action": "cancel"}));
    assert_eq!(body(&cancelled)["cancelled"], true);
}

#[test]
fn a_script_of_the_application_never_sees_the_session() {
    let (mut world, browser) = asked(bind(), all_methods());
    let mut script = browser.with("origin", ORIGIN);
    let done = script.post_json(&mut world, json!({"action": "create"}));
    assert_eq!((done.status, &body(&done)["return_to"], &body(&done)["token"]), (200, &json!("/cart"), &Value::Null));
    assert!(script.cookies.contains_key(SESSION) && !script.cookies.contains_key(COOKIE));
}

#[test]
fn bodies_that_no_client_of_ours_sends_are_refused_clearly() {
    let (mut world, mut browser) = asked(bind(), all_methods());
    let calls = world.calls.len();
    let long = "a".repeat(257);
    for form in [
        "",
        "action=",
        "action=fly",
        "action=create&action=cancel",
        "action=create&a=%",
        "action=code&code=%ff",
        "action=code",
        "action=choose",
        &format!("action=password&account=a&password={long}"),
        &format!("action=send_code&method=phone_code&address={long}"),
        "action=send_code&method=pigeon&address=a",
        "action=send_code&method=phone_code",
    ] {
        assert_eq!(code(&browser.post(&mut world, "/wxgate/account", form)), "malformed_body", "{form}");
    }
    let mut script = browser.with("origin", ORIGIN).with("accept", "text/html");
    for (content_type, status) in [("text/plain", 415), ("multipart/form-data; boundary=x", 415), ("", 415), (JSON, 400)] {
        let sent = script.with("content-type", content_type);
        assert_eq!(script.post_as(sent, &mut world, "/wxgate/account", "action=create").status, status, "{content_type}");
    }
    for (failure, status, name) in [
        (BodyFailure::TooLarge, 413, "body_too_large"),
        (BodyFailure::TooSlow, 408, "body_missing"),
        (BodyFailure::Missing, 408, "body_missing"),
    ] {
        world.body = Err(failure);
        let sent = browser.with("accept", "text/html").with("origin", ORIGIN).with("content-type", FORM);
        let refused = reply(world.send(&sent.request("POST", "shop.example.com", "/wxgate/account")));
        assert_eq!((refused.status, code(&refused).as_str()), (status, name));
    }
    assert_eq!(world.calls.len(), calls, "the resolver heard of none of it");
    assert!(browser.cookies.contains_key(COOKIE), "the login goes on");
    assert_eq!(reply(browser.send(&mut world, "PUT", "shop.example.com", "/wxgate/account")).status, 405);
}

#[test]
fn the_later_of_two_tabs_counts_and_the_earlier_one_answers_nothing_for_it() {
    let (mut world, mut browser) = asked(choose(), two_accounts());
    let first = browser.form_action(&mut world);
    world.login = vec![ok(json!({"outcome": "choose_account", "pending": "anotherPendingLogin-22", "expires_at": 1_000_600}))];
    browser.log_in(&mut world);
    let second = browser.form_action(&mut world);
    assert_ne!(first, second);
    let calls = world.calls.len();
    assert_eq!(code(&browser.post(&mut world, &first, "action=choose&account=c1")), "pending_over");
    assert_eq!(world.calls.len(), calls);
    assert!(browser.cookies.contains_key(COOKIE), "the later login still waits");
    assert_eq!(browser.post(&mut world, &second, "action=choose&account=c1").status, 303);
}

#[test]
fn whoever_cancels_is_back_at_the_login_page_and_stays_there() {
    let (mut world, mut browser) = asked(choose(), two_accounts());
    let back = browser.post(&mut world, "/wxgate/account", "action=cancel");
    assert_eq!((back.status, header(&back, "location")), (303, Some("https://shop.example.com/wxgate/login?return_to=%2Fcart&stay=1")));
    assert!(!browser.cookies.contains_key(COOKIE));
    let page = reply(browser.open(&mut world, "/wxgate/login?return_to=%2Fcart&stay=1"));
    assert_eq!(page.status, 200, "it does not go on to WeChat by itself");
    assert_eq!(actions(&world), [("cancel", "done")]);
}

#[test]
fn a_callback_that_is_loaded_twice_leads_both_to_the_question() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    let callback = browser.start(&mut world, "pc", "%2Fcart");
    world.exchange = ok(json!({"errcode": 40163}));
    world.outcome = choose();
    let led = reply(browser.open(&mut world, &callback));
    assert_eq!(header(&led, "location"), Some("https://shop.example.com/wxgate/account"));
    assert!(browser.cookies.contains_key(COOKIE));
}

#[test]
fn a_question_comes_before_a_session_and_a_second_click_does_no_harm() {
    let (mut world, mut browser) = at_home();
    world.login = vec![choose()];
    world.accounts.insert("pending.find", two_accounts());
    world.accounts.insert("pending.finish", finished());
    browser.log_in(&mut world);
    assert!(text(&reply(browser.open(&mut world, "/wxgate/account"))).contains("+86138****8000"));
    assert_eq!(browser.post(&mut world, "/wxgate/account", "action=choose&account=c1").status, 303);
    let calls = world.calls.len();
    assert_eq!(browser.post(&mut world, "/wxgate/account", "action=choose&account=c1").status, 200, "their own account");
    assert_eq!(world.labels()[calls..], ["accounts.find"]);
}

#[test]
fn a_resolver_that_speaks_of_something_else_is_not_believed() {
    let (mut world, mut browser) = asked(bind(), all_methods());
    for (member, value) in [("application", "admin"), ("connector", "in-wechat")] {
        let mut other: Value = serde_json::from_slice(&all_methods().unwrap().body).unwrap();
        other[member] = json!(value);
        world.accounts.insert("pending.find", ok(other));
        assert_eq!(code(&reply(browser.open(&mut world, "/wxgate/account"))), "accounts_rejected");
    }
    let mut browser = Browser::default();
    world.login = vec![ok(json!({"outcome": "bind_account", "pending": "../users", "expires_at": 1_000_600}))];
    assert_eq!(code(&browser.log_in(&mut world)), "accounts_rejected");
}

#[test]
fn refused_logins_say_why_and_how_to_go_on() {
    for reason in ["no_match", "identity_taken"] {
        let (mut world, mut browser) = (World::new(), Browser::default());
        world.login = vec![ok(json!({"outcome": "refused", "reason": reason}))];
        let told = browser.log_in(&mut world);
        assert_eq!(code(&told), reason);
        assert!(text(&told).contains("/wxgate/login"));
        assert!(world.events.iter().any(|event| event.counter() == format!("wxgate_logins_total;connector=pc;outcome={reason}")));
    }
}
