//! Logins that wait for their person, and people at their own account.

use super::*;
use crate::http::BodyFailure;

const PENDING: &str = "q2nqv0hYdVOkdlkY0m2m3g";
const COOKIE: &str = "__Host-wxgate_pending";
const SESSION: &str = "__Host-wxgate_session";
const ORIGIN: &str = "https://shop.example.com";
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn gone() -> CallResult {
    Ok(HttpReply { status: 404, body: vec![] })
}

fn choose() -> CallResult {
    ok(json!({"outcome": "choose_account", "pending": PENDING, "expires_at": 1_000_600}))
}

fn bind() -> CallResult {
    ok(json!({"outcome": "bind_account", "pending": PENDING, "expires_at": 1_000_600}))
}

fn pending(question: Value) -> CallResult {
    ok(
        json!({"application": "shop", "connector": "pc", "profile": {"nickname": "小<明>"}, "expires_at": 1_000_600, "tries_left": 5, "question": question}),
    )
}

fn two_accounts() -> CallResult {
    pending(json!({"kind": "choose", "accounts": [
        {"id": "c1", "name": "晓*", "created_at": 1}, {"id": "c2", "phone_number": "+86138****8000", "created_at": 2}]}))
}

fn all_methods() -> CallResult {
    pending(json!({"kind": "bind", "methods": ["phone_code", "email_code", "password"], "may_create": true}))
}

fn finished() -> CallResult {
    let outcome: Value = serde_json::from_slice(&signed_in("o1").unwrap().body).unwrap();
    ok(json!({"answer": "finished", "outcome": outcome}))
}

fn own_account() -> CallResult {
    ok(
        json!({"user": {"id": "01900000-0000-7000-8000-000000000001", "name": "小明", "phone_number": "+8613800138000"}, "email": "a@example.com",
              "created_at": 1, "identities": [{"id": "i1", "nickname": "小明", "connectors": ["pc"], "linked_at": 1, "last_login_at": 2}]}),
    )
}

/// A gate whose resolver asks a question, and a browser that has come back from WeChat to it.
fn asked(outcome: CallResult, question: CallResult) -> (World, Browser) {
    let (mut world, mut browser) = (World::new(), Browser::default());
    world.login = vec![outcome];
    world.accounts = [("pending.find", question), ("pending.finish", finished()), ("accounts.find", own_account())].into();
    let led = browser.log_in(&mut world);
    assert_eq!((led.status, header(&led, "location")), (303, Some("https://shop.example.com/wxgate/account")));
    assert!(browser.cookies.contains_key(COOKIE) && !browser.cookies.contains_key(SESSION));
    (world, browser)
}

/// A gate with a browser that has just logged in.
fn at_home() -> (World, Browser) {
    let (mut world, mut browser) = (World::new(), Browser::default());
    world.accounts = [("accounts.find", own_account())].into();
    browser.log_in(&mut world);
    (world, browser)
}

impl Browser {
    /// Posts a form of ours, or what looks like one.
    fn post(&mut self, world: &mut World, path: &str, body: &str) -> Reply {
        let sent = self.with("accept", "text/html").with("origin", ORIGIN).with("content-type", FORM);
        self.post_as(sent, world, path, body)
    }

    /// Posts JSON, as a script of the application or an app does.
    fn post_json(&mut self, world: &mut World, body: Value) -> Reply {
        let sent = self.with("content-type", JSON);
        self.post_as(sent, world, "/wxgate/account", &body.to_string())
    }

    fn post_as(&mut self, sent: Browser, world: &mut World, path: &str, body: &str) -> Reply {
        world.body = Ok(body.into());
        reply(sent.absorbing(self, |browser| browser.send(world, "POST", "shop.example.com", path)))
    }

    /// The address that the forms of the current page post to.
    fn form_action(&mut self, world: &mut World) -> String {
        let page = text(&reply(self.open(world, "/wxgate/account")));
        page.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no form: {page}")).into()
    }
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.clone()).unwrap()
}

fn sent_body(world: &World) -> Value {
    serde_json::from_slice(&world.calls.last().unwrap().2).unwrap()
}

fn actions(world: &World) -> Vec<(&'static str, &'static str)> {
    let action = |event: &Event| match event {
        Event::AccountAction { action, result, .. } => Some((*action, *result)),
        _ => None,
    };
    world.events.iter().filter_map(action).collect()
}

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
    let mut stale = browser.clone();
    assert_eq!(code(&stale.post(&mut world, &first, "action=choose&account=c1")), "pending_over");
    assert_eq!(world.calls.len(), calls);
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
    let shown = |world: &mut World, browser: &mut Browser, linked_at: u64| {
        let mut account = linked.clone();
        account["identities"][0]["linked_at"] = json!(linked_at);
        world.accounts.insert("accounts.find", ok(account));
        text(&reply(browser.open(world, "/wxgate/account")))
    };
    let now = world.now;
    let (news, old) = (shown(&mut world, &mut browser, now - 5), shown(&mut world, &mut browser, now - 3600));
    assert!(news.len() > old.len() + 50, "the page says that it was linked");
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
