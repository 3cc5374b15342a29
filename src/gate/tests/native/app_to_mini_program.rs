//! An app that opens a mini program, which hands the login back to it.

use super::*;

#[test]
fn an_app_opens_a_mini_program_which_hands_a_login_back_that_only_this_app_collects() {
    let mut world = world();
    world.login = vec![known_to(MINI)];
    let started = post(&mut world, "/wxgate/start/launch", &json!({"challenge": CHALLENGE}));
    let launch = json!({"original_id": "gh_0123456789ab", "path": format!("pages/login/index?ticket={TICKET}"), "version": "trial"});
    assert_eq!(body(&started), json!({"launch": launch, "expires_at": 1_000_600}));
    let asked = sent(&world, "tickets.create");
    assert_eq!(
        asked,
        json!({"purpose": "launch", "pool": "default", "application": "shop", "connector": "launch", "app_id": MINI, "challenge": CHALLENGE,
               "client_address": "203.0.113.7", "lifetime_seconds": 600})
    );

    let confirmed = post(&mut world, "/wxgate/code/launch", &json!({"ticket": TICKET, "code": "CODE1", "phone_code": "PHONE1"}));
    let told = body(&confirmed);
    assert_eq!((confirmed.status, told["expires_at"].as_u64(), told["application"].as_str()), (200, Some(1_000_060), Some("shop")));
    assert!(!told.to_string().contains(TICKET) && told["token"].is_null(), "{told}");
    assert_eq!(
        sent(&world, "tickets.confirm")["identity"],
        json!({"app_id": MINI, "openid": "o1", "unionid": "u1", "phone_number": "+8613800138000"})
    );

    assert_eq!(sent(&world, "tickets.confirm")["client_address"], "203.0.113.7");

    let session = post(&mut world, "/wxgate/code/launch", &json!({"hand_back": told["hand_back"], "verifier": VERIFIER}));
    assert_eq!(session.status, 200, "{}", String::from_utf8_lossy(&session.body));
    let redeemed = sent(&world, "tickets.redeem");
    assert_eq!(
        (&redeemed["verifier"], &redeemed["application"], &redeemed["client_address"]),
        (&json!(VERIFIER), &json!("shop"), &json!("203.0.113.7"))
    );
    assert_eq!(redeemed["redemption"].as_str().unwrap().len(), 22);
    let login = sent(&world, "logins.create");
    assert_eq!((&login["method"], &login["phone_number"]), (&json!("app_to_mini_program"), &json!("+8613800138000")));
    let mut app = Browser::default().with("authorization", &format!("Bearer {}", body(&session)["token"].as_str().unwrap()));
    let seen = forwarded(app.send(&mut world, "GET", "shop.example.com", "/cart"));
    assert_eq!(world.verified(&seen).custom.connector, "launch");
}

#[test]
fn links_that_open_the_mini_program_come_where_the_app_asks_for_them() {
    for (link, label) in [("scheme", "wxa.generatescheme"), ("url_link", "wxa.generate_urllink")] {
        let mut world = world();
        let started = body(&post(&mut world, "/wxgate/start/launch", &json!({"challenge": CHALLENGE, "link": link})));
        assert_eq!(world.labels(), ["tickets.create", "cgi.stable_token", label]);
        let asked = sent(&world, label).to_string();
        assert!(asked.contains(&format!("ticket={TICKET}")) && asked.contains("1000600"), "{asked}");
        assert!(started[link].as_str().unwrap().contains("://"), "{started}");
    }
    let mut world = world();
    assert_eq!(code(&post(&mut world, "/wxgate/start/launch", &json!({"challenge": CHALLENGE, "link": "qr"}))), "malformed_body");
    assert_eq!(code(&post(&mut world, "/wxgate/start/launch", &json!({"challenge": "short"}))), "malformed_body");
    assert!(world.calls.is_empty());
    world.accounts.insert("tickets.create", ok(json!({"answer": "too_many", "retry_at": 1_000_042})));
    let refused = post(&mut world, "/wxgate/start/launch", &json!({"challenge": CHALLENGE}));
    assert_eq!((refused.status, code(&refused).as_str(), header(&refused, "retry-after")), (429, "too_many_launches", Some("42")));
    world.accounts.insert("tickets.create", ok(json!({"answer": "created", "ticket": "a&b=c/../../../../aaaa", "expires_at": 1})));
    assert_eq!(code(&post(&mut world, "/wxgate/start/launch", &json!({"challenge": CHALLENGE}))), "accounts_rejected");
}

#[test]
fn only_what_an_app_began_is_confirmed_here_and_never_a_scan() {
    let tickets = [
        json!({"purpose": "scan"}),
        json!({"purpose": "hand_over"}),
        json!({"connector": "scan"}),
        json!({"app_id": APP}),
        json!({"state": "redeemed"}),
        json!({"state": "cancelled"}),
    ];
    for change in tickets {
        let mut world = world();
        world.accounts.insert("tickets.find", ok(ticket(change.clone())));
        let refused = post(&mut world, "/wxgate/code/launch", &json!({"ticket": TICKET, "code": "CODE1"}));
        assert_eq!((refused.status, code(&refused).as_str()), (410, "launch_over"), "{change}");
        assert_eq!(world.labels(), ["tickets.find"], "no code is spent on it");
    }
    let mut world = world();
    world.accounts.insert("tickets.find", Ok(HttpReply { status: 404, body: vec![] }));
    assert_eq!(code(&post(&mut world, "/wxgate/code/launch", &json!({"ticket": TICKET, "code": "CODE1"}))), "launch_over");
    for odd in ["short", "../../users/0190000000", "a/b?c=d&e=f#g012345678"] {
        let calls = world.calls.len();
        assert_eq!(code(&post(&mut world, "/wxgate/code/launch", &json!({"ticket": odd, "code": "CODE1"}))), "launch_over");
        assert_eq!(world.calls.len(), calls);
    }
    for (answer, status, expected) in [
        (ok(json!({"answer": "taken"})), 409, "launch_taken"),
        (ok(json!({"answer": "settled"})), 410, "launch_over"),
        (Ok(HttpReply { status: 404, body: vec![] }), 410, "launch_over"),
        (ok(json!({"answer": "done", "ticket": ticket(json!({"purpose": "scan"}))})), 500, "accounts_rejected"),
        (Ok(HttpReply { status: 504, body: vec![] }), 503, "accounts_unavailable"),
    ] {
        let mut world = world_with(|_| {});
        world.accounts.insert("tickets.confirm", answer);
        let refused = post(&mut world, "/wxgate/code/launch", &json!({"ticket": TICKET, "code": "CODE1"}));
        assert_eq!((refused.status, code(&refused).as_str()), (status, expected));
    }
}

#[test]
fn what_was_handed_back_is_collected_once_in_one_place_and_in_time() {
    let mut world = world();
    world.login = vec![known_to(MINI)];
    let good = handed_back(&mut world);
    let calls = world.calls.len();
    assert_eq!(code(&post_to(&mut world, "admin.example.com", "/wxgate/code/launch", &good)), "launch_over");
    for hand_back in [TICKET, "wxg1.a.b"] {
        let made_up = json!({"hand_back": hand_back, "verifier": VERIFIER});
        assert_eq!(code(&post(&mut world, "/wxgate/code/launch", &made_up)), "launch_over", "the ticket alone is no key");
    }
    assert_eq!(code(&post(&mut world, "/wxgate/code/launch", &json!({"hand_back": good["hand_back"]}))), "malformed_body");
    assert_eq!(world.calls.len(), calls, "the resolver hears of none of it");

    assert_eq!(post(&mut world, "/wxgate/code/launch", &good).status, 200);
    let (first, key) = (sent(&world, "tickets.redeem"), sent(&world, "logins.create")["idempotency_key"].clone());
    assert_eq!(post(&mut world, "/wxgate/code/launch", &good).status, 200, "an answer may get lost");
    assert_eq!(sent(&world, "tickets.redeem"), first, "the same again is the same try");
    assert_eq!(sent(&world, "logins.create")["idempotency_key"], key, "and the same login");
    let mut other = good.clone();
    other["verifier"] = "another-verifier-that-is-long-enough".into();
    post(&mut world, "/wxgate/code/launch", &other);
    assert_ne!(sent(&world, "tickets.redeem")["redemption"], first["redemption"], "another app's is another try");
    assert_ne!(sent(&world, "logins.create")["idempotency_key"], key, "and another login");

    world.accounts.insert("tickets.redeem", ok(json!({"answer": "used"})));
    assert_eq!(code(&post(&mut world, "/wxgate/code/launch", &good)), "launch_over");
    assert!(world.calls.last().unwrap().1.contains(key.as_str().unwrap()), "unless it is this app's own login");
    world.outcome = known_to(MINI);
    assert_eq!(post(&mut world, "/wxgate/code/launch", &good).status, 200);
    for (answer, expected) in [
        (Ok(HttpReply { status: 404, body: vec![] }), "launch_over"),
        (ok(json!({"answer": "not_confirmed", "state": "scanned"})), "launch_over"),
        (ok(json!({"answer": "redeemed"})), "accounts_rejected"),
        (ok(json!({"answer": "redeemed", "identity": {"app_id": APP, "openid": "o1"}})), "accounts_rejected"),
    ] {
        world.accounts.insert("tickets.redeem", answer);
        assert_eq!(code(&post(&mut world, "/wxgate/code/launch", &good)), expected);
    }
    world.now += 60;
    let calls = world.calls.len();
    assert_eq!(code(&post(&mut world, "/wxgate/code/launch", &good)), "launch_over");
    assert_eq!(world.calls.len(), calls);
}
