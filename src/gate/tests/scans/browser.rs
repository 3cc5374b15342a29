//! The computer's side: what a browser shows, hears and collects.

use super::*;

#[test]
fn a_person_scans_confirms_and_the_browser_is_logged_in() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    assert_eq!((begun.told["state"].as_str(), begun.told["expires_at"].as_u64()), (Some("waiting"), Some(1_000_180)));
    assert_eq!(browser.count("__Host-wxgate_attempt_"), 1);
    let made = stage.told("tickets.create");
    let expected = json!({"purpose": "scan", "pool": "default", "application": "shop", "connector": "scan", "app_id": MINI, "number": begun.number,
        "client": "Chrome, Linux", "client_address": "203.0.113.7", "lifetime_seconds": 180, "challenge": made["challenge"]});
    assert_eq!(made, expected);

    let picture = browser.fetch(&mut stage, &begun.image);
    assert_eq!((picture.status, header(&picture, "content-type")), (200, Some("image/jpeg")));
    let drawn: Value = serde_json::from_slice(&picture.body[4..]).unwrap();
    assert_eq!(drawn["scene"], *begun.ticket, "the ticket's name and nothing else");
    assert_eq!(state_of(&browser.fetch(&mut stage, &format!("{}&known=waiting", begun.poll))), "waiting");

    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    let question = body(&scanned);
    assert_eq!(question["state"], "scanned");
    assert_eq!((&question["application"], &question["origin"]), (&json!("Shop"), &json!("https://shop.example.com")));
    assert_eq!(
        (&question["number"], &question["client"], &question["client_address"]),
        (&json!(begun.number), &json!("Chrome, Linux"), &json!("203.0.113.7"))
    );
    assert_eq!((&question["phone_number"], &question["expires_at"]), (&json!("off"), &json!(1_000_180)));
    let text = question.to_string();
    assert!(!text.contains("o-xiaoming") && !text.contains("EYHiOw5v"), "{text}");

    let seen = browser.fetch(&mut stage, &format!("{}&known=waiting", begun.poll));
    assert_eq!(state_of(&seen), "scanned");
    assert_eq!((&body(&seen)["name"], &body(&seen)["picture"]), (&json!("小明"), &json!("https://wx.qlogo.cn/x/132")));
    assert_eq!(state_of(&decide(&mut stage, &scanned, "confirm")), "confirmed");

    let done = browser.fetch(&mut stage, &format!("{}&known=scanned", begun.poll));
    assert_eq!(body(&done), json!({"state": "done", "location": "https://shop.example.com/cart?item=1"}));
    assert_eq!((browser.count("__Host-wxgate_attempt_"), browser.count("__Host-wxgate_session")), (0, 1));
    let login = stage.told("logins.create");
    assert_eq!(
        (&login["openid"], &login["unionid"], &login["method"]),
        (&json!("o-xiaoming"), &json!("u-xiaoming"), &json!("mini_program_qr"))
    );
    assert_eq!((&login["app_id"], &login["connector"], &login["profile_available"]), (&json!(MINI), &json!("scan"), &json!(false)));
    for step in ["tickets.scan", "tickets.confirm", "tickets.redeem"] {
        assert_eq!(stage.told(step)["client_address"], "203.0.113.7", "the audit log says from where: {step}");
    }
    let forward = forwarded(browser.open(&mut stage.world, "/cart"));
    assert_eq!(stage.world.verified(&forward).custom.connector, "scan");
    assert_eq!(stage.steps(), [ScanStep::Started, ScanStep::Scanned, ScanStep::Confirmed, ScanStep::Collected]);
}

#[test]
fn only_the_ticket_s_name_leaves_the_browser() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    decide(&mut stage, &scanned, "confirm");
    browser.fetch(&mut stage, &begun.image);
    browser.fetch(&mut stage, &begun.poll);
    let verifier = stage.told("tickets.redeem")["verifier"].as_str().unwrap().to_owned();
    assert_eq!(verifier.len(), 22);
    assert_eq!(stage.told("tickets.create")["challenge"], URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)));
    for (label, path, body) in &stage.world.calls {
        let text = format!("{path} {}", String::from_utf8_lossy(body));
        assert_eq!(text.contains(&verifier), *label == "tickets.redeem", "{label} {text}");
        assert!(!text.contains(begun.poll.split("scan=").nth(1).unwrap()), "the browser's own name for it: {label}");
    }
    assert!(!begun.told.to_string().contains(&begun.ticket), "{}", begun.told);
    let connector = stage.world.gate.config().applications[0].connector(b"scan").unwrap();
    let key = crate::login::finish::idempotency_key(connector, &verifier, begun.ticket.as_bytes());
    assert_eq!(stage.told("logins.create")["idempotency_key"], key, "nor does the ticket alone name the login");
}

#[test]
fn each_code_has_a_secret_and_a_number_of_its_own() {
    let mut stage = Stage::new();
    let mut numbers = std::collections::HashSet::new();
    let mut challenges = numbers.clone();
    for _ in 0..5 {
        Browser::default().ask_for_a_code(&mut stage, "scan");
        let made = stage.told("tickets.create");
        numbers.insert(made["number"].to_string());
        challenges.insert(made["challenge"].to_string());
    }
    assert_eq!(challenges.len(), 5);
    assert!(numbers.len() > 1, "{numbers:?}");
}

/// QRL-10.
#[test]
fn a_code_is_given_to_pages_of_ours_alone() {
    let mut stage = Stage::new();
    let json = ("content-type", "application/json");
    let elsewhere: [&[(&str, &str)]; 4] = [
        &[json],
        &[json, ("origin", "null")],
        &[json, ("origin", "https://evil.example")],
        &[json, ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
    ];
    for headers in elsewhere {
        let refused = Browser::default().sends(&mut stage, headers, "/wxgate/scan/scan", "{}");
        assert_eq!((refused.status, code(&refused).as_str()), (403, "cross_site"), "{headers:?}");
    }
    let ours = ("origin", "https://shop.example.com");
    for content_type in [("content-type", "text/plain"), ("x", "y")] {
        assert_eq!(Browser::default().sends(&mut stage, &[ours, content_type], "/wxgate/scan/scan", "{}").status, 415);
    }
    for body in ["", "[]", "{\"return_to\":1}"] {
        assert_eq!(Browser::default().sends(&mut stage, &[ours, json], "/wxgate/scan/scan", body).status, 400, "{body}");
    }
    for path in ["/wxgate/scan/pc", "/wxgate/scan/none", "/wxgate/scan/", "/wxgate/scan/scan/more"] {
        assert_eq!(Browser::default().sends(&mut stage, &[ours, json], path, "{}").status, 404, "{path}");
    }
    for path in ["/wxgate/scan/scan", "/wxgate/scan/scan/image", "/wxgate/scan/scan/confirm"] {
        assert_eq!(reply(Browser::default().send(&mut stage.world, "DELETE", SHOP, path)).status, 405, "{path}");
        assert_eq!(reply(Browser::default().send(&mut stage.world, "HEAD", SHOP, path)).status, 405, "{path}");
    }
    assert!(stage.world.calls.is_empty(), "{:?}", stage.world.labels());
}

/// RED-05.
#[test]
fn nobody_is_led_elsewhere_after_a_scan() {
    for (asked, goes) in [("https://evil.example/", "/"), ("//evil.example", "/"), ("/wxgate/logout", "/"), ("/orders?a=b", "/orders?a=b")]
    {
        let (mut stage, mut browser) = (Stage::new(), Browser::default());
        browser.script_posts(&mut stage, "/wxgate/scan/scan", &json!({"return_to": asked}));
        let scanned = open_mini_program(&mut stage, "xiaoming", &"0".repeat(22));
        decide(&mut stage, &scanned, "confirm");
        let state = browser.cookies.keys().find_map(|name| name.strip_prefix("__Host-wxgate_attempt_")).unwrap().to_owned();
        assert_eq!(state.len(), 8);
        let again = browser.script_posts(&mut stage, "/wxgate/scan/scan", &json!({"return_to": asked}));
        let poll = body(&again)["poll"].as_str().unwrap().to_owned();
        let scanned = open_mini_program(&mut stage, "xiaoming", &format!("{:022}", 1));
        decide(&mut stage, &scanned, "confirm");
        let done = browser.fetch(&mut stage, &poll);
        assert_eq!(body(&done)["location"], format!("https://shop.example.com{goes}"), "{asked}");
    }
}

/// QRL-02.
#[test]
fn another_browser_hears_nothing_and_asks_nobody() {
    let (mut stage, mut victim) = (Stage::new(), Browser::default());
    let begun = victim.ask_for_a_code(&mut stage, "scan");
    let other_scan = {
        let mut other = Browser::default();
        other.ask_for_a_code(&mut stage, "scan");
        other
    };
    let mut thieves = [Browser::default(), Browser::default(), other_scan, Browser::default()];
    thieves[1].cookies.insert("theme".into(), "dark".into());
    thieves[3].cookies = thieves[2].cookies.values().map(|value| (victim.cookies.keys().next().unwrap().clone(), value.clone())).collect();
    for step in ["waiting", "scanned", "confirmed"] {
        let calls = stage.world.calls.len();
        let mut seen = Vec::new();
        for thief in &mut thieves {
            for path in
                [begun.poll.clone(), format!("{}&known=waiting", begun.poll), begun.image.clone(), begun.poll.replace("scan=", "other=")]
            {
                let refused = thief.fetch(&mut stage, &path);
                let mut told = body(&refused);
                told.as_object_mut().unwrap().remove("reference");
                seen.push((refused.status, told));
            }
            assert_eq!(reply(thief.open(&mut stage.world, &begun.poll)).status, 404);
            assert_eq!(thief.count("__Host-wxgate_session"), 0);
        }
        assert!(seen.iter().all(|answer| *answer == seen[0]), "{step}: {seen:?}");
        assert_eq!((seen[0].0, &seen[0].1["error"]), (404, &json!("attempt_missing")));
        assert_eq!(stage.world.calls.len(), calls, "{step}");
        match step {
            "waiting" => drop(open_mini_program(&mut stage, "xiaoming", &begun.ticket)),
            "scanned" => {
                let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
                decide(&mut stage, &scanned, "confirm");
            }
            _ => {}
        }
    }
    assert_eq!(state_of(&victim.fetch(&mut stage, &begun.poll)), "done");
}

/// QRL-10: a sibling domain's request carries our cookies, since it is of the same site.
#[test]
fn a_script_of_another_origin_collects_nothing() {
    let (mut stage, mut victim) = (Stage::new(), Browser::default());
    let begun = victim.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    decide(&mut stage, &scanned, "confirm");
    for site in ["cross-site", "same-site"] {
        for path in [&begun.poll, &begun.image] {
            let script = victim.with("sec-fetch-mode", "cors").with("sec-fetch-site", site);
            let refused = reply(script.absorbing(&mut victim, |browser| browser.send(&mut stage.world, "GET", SHOP, path)));
            assert_eq!(refused.status, 404, "{site} {path}");
        }
    }
    assert_eq!(stage.state(&begun.ticket), "confirmed");
    assert_eq!(state_of(&victim.fetch(&mut stage, &begun.poll)), "done");
}

#[test]
fn an_attempt_is_good_at_its_own_application_and_connector_alone() {
    let (mut stage, mut browser) =
        (Stage::with(|json| json["applications"][1]["connectors"] = json!(["admin-pc", "scan"])), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let other = begun.poll.replace("/scan/scan?", "/scan/follow?");
    assert_eq!(browser.fetch(&mut stage, &other).status, 404);
    let script = browser.with("accept", "application/json");
    let elsewhere = script.absorbing(&mut browser, |browser| browser.send(&mut stage.world, "GET", "admin.example.com", &begun.poll));
    assert_eq!(reply(elsewhere).status, 404);
    // And a login by another method has nothing to poll, nor a scan a callback.
    let callback = browser.start(&mut stage.world, "pc", "%2Fcart");
    let state = callback.split("state=").nth(1).unwrap();
    assert_eq!(browser.fetch(&mut stage, &format!("/wxgate/scan/scan?scan={state}")).status, 404);
    let state = begun.poll.split("scan=").nth(1).unwrap();
    let refused = reply(browser.open(&mut stage.world, &format!("/wxgate/callback/pc?code=CODE1&state={state}")));
    assert_eq!((refused.status, stage.count("sns.access_token")), (400, 0));
}

#[test]
fn without_a_script_the_same_address_is_a_page() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.submit(&mut stage, "/wxgate/scan/scan", "return_to=%2Fcart");
    let page = header(&begun, "location").unwrap().strip_prefix("https://shop.example.com").unwrap().to_owned();
    assert_eq!((begun.status, page.split('?').next()), (303, Some("/wxgate/scan/scan")));
    let ticket = "0".repeat(22);

    let waiting = reply(browser.open(&mut stage.world, &page));
    let html = String::from_utf8(waiting.body.clone()).unwrap();
    assert_eq!((waiting.status, header(&waiting, "x-frame-options")), (200, Some("DENY")));
    assert!(
        html.contains("/wxgate/scan/scan/image?scan=") && html.contains(stage.told("tickets.create")["number"].as_str().unwrap()),
        "{html}"
    );
    assert_eq!(stage.count("tickets.wait"), 0, "a page does not keep anybody waiting");
    let scanned = open_mini_program(&mut stage, "xiaoming", &ticket);
    assert!(String::from_utf8(reply(browser.open(&mut stage.world, &page)).body).unwrap().contains("小明"));
    decide(&mut stage, &scanned, "confirm");
    let done = reply(browser.open(&mut stage.world, &page));
    assert_eq!((done.status, header(&done, "location")), (303, Some("https://shop.example.com/cart")));
    assert_eq!(browser.count("__Host-wxgate_session"), 1);
    // The back button.
    let back = reply(browser.open(&mut stage.world, &page));
    assert_eq!((back.status, header(&back, "location")), (303, Some("https://shop.example.com/")));
}

#[test]
fn a_page_says_what_became_of_a_scan_that_is_over() {
    for (action, word) in [(Some("cancel"), "Cancelled on the phone"), (None, "This code has expired")] {
        let (mut stage, mut browser) = (Stage::new(), Browser::default());
        let begun = browser.ask_for_a_code(&mut stage, "scan");
        match action {
            Some(action) => {
                let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
                decide(&mut stage, &scanned, action);
            }
            None => stage.world.now += 200,
        }
        let over = reply(browser.open(&mut stage.world, &begun.poll));
        assert_eq!(over.status, 200);
        assert!(String::from_utf8(over.body).unwrap().contains(word));
        assert_eq!(browser.count("__Host-wxgate_attempt_"), 0);
    }
}

/// QRL-01. What stands in the address is looked for among the cookies that came with it, and nowhere else: no guess asks anybody, so a million are
/// answered like these.
#[test]
fn guesses_are_answered_alike_and_ask_nobody() {
    let (mut stage, mut victim, mut guesser) = (Stage::new(), Browser::default(), Browser::default());
    let begun = victim.ask_for_a_code(&mut stage, "scan");
    let own = guesser.ask_for_a_code(&mut stage, "scan");
    let name = own.poll.split("scan=").nth(1).unwrap().to_owned();
    let calls = stage.world.calls.len();
    let mut answers = std::collections::HashSet::new();
    for number in 0..2000 {
        let random = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{number}")));
        let (random, next) = (&random[..name.len()], format!("{}{number:04}", &name[..name.len() - 4]));
        for guess in [random, &next, &number.to_string(), &begun.ticket] {
            let told = guesser.fetch(&mut stage, &format!("/wxgate/scan/scan?scan={guess}&known=waiting"));
            let mut body = body(&told);
            body.as_object_mut().unwrap().remove("reference");
            answers.insert((told.status, body.to_string()));
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|(status, body)| *status == 404 && body.contains("attempt_missing")), "{answers:?}");
    assert_eq!(stage.world.calls.len(), calls);
    assert_eq!(state_of(&guesser.fetch(&mut stage, &own.poll)), "waiting");
}

/// D-06, RLX-09.
#[test]
fn whoever_cannot_wait_is_told_at_once_and_when_to_come_back() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let waiting = format!("{}&known=waiting", begun.poll);
    let retry_after = |reply: &Reply| body(reply).get("retry_after").cloned();

    let waited = browser.fetch(&mut stage, &waiting);
    assert_eq!((state_of(&waited).as_str(), retry_after(&waited)), ("waiting", None));
    let (label, cluster, timeout) = stage.outside.borrow().clusters.last().unwrap().clone();
    assert_eq!((label, cluster.as_str()), ("tickets.wait", "wxgate_waiting"));
    assert!((10_001..15_000).contains(&timeout), "a little longer than the hold");
    assert!(stage.world.calls.last().unwrap().1.ends_with("?wait_ms=10000&known=waiting&client_address=203.0.113.7"));

    // Those who log in have the other cluster to themselves.
    for refused in [Err(CallFailure::NotSent), unavailable(), Err(CallFailure::Reset), Ok(HttpReply { status: 504, body: vec![] })] {
        stage.mishap("tickets.wait", [refused.clone()]);
        let told = browser.fetch(&mut stage, &waiting);
        assert_eq!((state_of(&told).as_str(), retry_after(&told)), ("waiting", Some(json!(2))), "{refused:?}");
    }
    let mut full = stage.outside.borrow().tickets[&begun.ticket].shown();
    full["retry_after"] = json!(3);
    stage.mishap("tickets.wait", [ok(full)]);
    assert_eq!(retry_after(&browser.fetch(&mut stage, &waiting)), Some(json!(3)), "the resolver's own");

    // Whoever says nothing of what they know does not wait, and is not to ask again at once.
    assert_eq!(retry_after(&browser.fetch(&mut stage, &begun.poll)), Some(json!(2)));
    for odd in ["", "done", "waiting&known=waiting", "%zz"] {
        let calls = stage.count("tickets.wait");
        assert_eq!(state_of(&browser.fetch(&mut stage, &format!("{}&known={odd}", begun.poll))), "waiting");
        assert_eq!(stage.count("tickets.wait"), calls, "{odd}");
    }
    let asked = stage.outside.borrow().clusters.clone();
    let of_polls = asked.iter().filter(|(label, ..)| ["tickets.wait", "tickets.find"].contains(label));
    assert!(of_polls.clone().count() > 8 && of_polls.clone().all(|(_, cluster, _)| cluster == "wxgate_waiting"), "{asked:?}");
}

#[test]
fn a_scan_outlives_an_outage_of_the_resolver() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    for known in ["waiting", "scanned"] {
        stage.mishap("tickets.wait", [unavailable()]);
        let told = browser.fetch(&mut stage, &format!("{}&known={known}", begun.poll));
        assert_eq!((state_of(&told).as_str(), &body(&told)["retry_after"]), (known, &json!(2)));
        assert_eq!(browser.count("__Host-wxgate_attempt_"), 1);
    }
    stage.mishap("tickets.find", [unavailable(), unavailable()]);
    let page = reply(browser.open(&mut stage.world, &begun.poll));
    assert_eq!((page.status, code(&page).as_str(), browser.count("__Host-wxgate_attempt_")), (503, "accounts_unavailable", 1));
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    decide(&mut stage, &scanned, "confirm");
    // Neither of the two answers arrives, and nothing has been redeemed.
    stage.mishap("tickets.redeem", [unavailable(), Err(CallFailure::Reset)]);
    assert_eq!(state_of(&browser.fetch(&mut stage, &format!("{}&known=scanned", begun.poll))), "scanned");
    assert_eq!(state_of(&browser.fetch(&mut stage, &format!("{}&known=scanned", begun.poll))), "done");
}

/// QRL-04, as far as it can be told without two requests at once.
#[test]
fn fifty_collectors_get_one_session() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    decide(&mut stage, &scanned, "confirm");
    let mut sessions = 0;
    for number in 0..50 {
        let mut tab = browser.clone();
        let told = tab.fetch(&mut stage, &begun.poll);
        let state = state_of(&told);
        sessions += tab.count("__Host-wxgate_session");
        match number {
            0 => assert_eq!(state, "done"),
            _ => assert_eq!((state.as_str(), body(&told)["error"].as_str()), ("failed", Some("scan_used"))),
        }
    }
    assert_eq!((sessions, stage.count("logins.create")), (1, 1));
    let redemptions: std::collections::HashSet<_> =
        stage.world.calls.iter().filter(|(label, ..)| *label == "tickets.redeem").map(|(.., body)| body.clone()).collect();
    assert_eq!(redemptions.len(), 50, "each try has a name of its own");
    // Whoever is logged in by then is led on.
    browser.fetch(&mut stage, &begun.poll);
}

#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_name() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    decide(&mut stage, &scanned, "confirm");
    stage.mishap("tickets.redeem", [Err(CallFailure::Reset)]);
    stage.mishap("logins.create", [unavailable()]);
    assert_eq!(state_of(&browser.fetch(&mut stage, &begun.poll)), "done");
    let of =
        |label: &str| stage.world.calls.iter().filter(|(found, ..)| *found == label).map(|(.., body)| body.clone()).collect::<Vec<_>>();
    let (redeemed, logins) = (of("tickets.redeem"), of("logins.create"));
    assert_eq!((redeemed.len(), &redeemed[0]), (2, &redeemed[1]));
    assert_eq!((logins.len(), &logins[0]), (2, &logins[1]));
}

#[test]
fn a_question_about_the_account_comes_before_the_session() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    stage.world.login = vec![ok(json!({"outcome": "bind_account", "pending": "q2nqv0hYdVOkdlkY0m2m3g", "expires_at": 1_000_600}))];
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    decide(&mut stage, &scanned, "confirm");
    let done = browser.fetch(&mut stage, &begun.poll);
    assert_eq!(body(&done), json!({"state": "done", "location": "https://shop.example.com/wxgate/account"}));
    let counts = ["pending", "session", "attempt_"].map(|name| browser.count(&format!("__Host-wxgate_{name}")));
    assert_eq!(counts, [1, 0, 0]);
}

#[test]
fn a_login_that_is_refused_says_why_in_both_languages() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    stage.world.login = vec![ok(json!({"outcome": "refused", "reason": "user_disabled"}))];
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    decide(&mut stage, &scanned, "confirm");
    let failed = browser.fetch(&mut stage, &begun.poll);
    assert_eq!(state_of(&failed), "failed");
    let told = body(&failed);
    assert_eq!((&told["error"], &told["title"]), (&json!("user_disabled"), &json!({"zh": "账号已停用", "en": "This account is disabled"})));
    assert_eq!(browser.count("__Host-wxgate_"), 0);
    let Some(Event::Failed { connector, reference, .. }) = stage.world.events.last() else { panic!("a failure is told of") };
    assert_eq!((connector.as_deref(), told["reference"].as_str()), (Some("scan"), Some(reference.as_str())));
}

/// QRL-05.
#[test]
fn each_step_has_its_time() {
    let poll_at = |until: &str, at: u64| {
        let (mut stage, mut browser) = (Stage::new(), Browser::default());
        let begun = browser.ask_for_a_code(&mut stage, "scan");
        if until != "waiting" {
            let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
            if until != "scanned" {
                decide(&mut stage, &scanned, "confirm");
            }
        }
        stage.world.now += at;
        let calls = stage.world.calls.len();
        let state = state_of(&browser.fetch(&mut stage, &begun.poll));
        assert_eq!(state == "expired", browser.count("__Host-wxgate_attempt_") == 0 && state != "done", "{until} {at}");
        (state, stage.world.calls.len() - calls)
    };
    assert_eq!([poll_at("waiting", 179).0, poll_at("waiting", 180).0], ["waiting", "expired"]);
    assert_eq!([poll_at("scanned", 179).0, poll_at("scanned", 180).0], ["scanned", "expired"]);
    assert_eq!([poll_at("confirmed", 59).0, poll_at("confirmed", 60).0], ["done", "expired"]);
    assert_eq!(poll_at("waiting", 239).1, 1);
    assert_eq!(poll_at("waiting", 240), ("expired".into(), 0), "nobody needs to be asked");

    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    stage.world.now += 180;
    assert_eq!(code(&decide(&mut stage, &scanned, "confirm")), "scan_over", "and the phone is told");
    assert_eq!(code(&open_mini_program(&mut stage, "xiaohong", &begun.ticket)), "scan_over");
    assert_eq!(code(&browser.fetch(&mut stage, &begun.image)), "scan_over");
    assert_eq!(stage.count("wxa.getwxacodeunlimit"), 0);
}

/// QRL-09.
#[test]
fn too_many_codes_are_refused_with_a_time_to_come_back() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    stage.mishap(
        "tickets.create",
        [ok(json!({"answer": "too_many", "retry_at": 1_000_017})), ok(json!({"answer": "too_many", "retry_at": 0}))],
    );
    let refused = browser.script_posts(&mut stage, "/wxgate/scan/scan", &json!({}));
    assert_eq!((refused.status, code(&refused).as_str(), header(&refused, "retry-after")), (429, "too_many_scans", Some("17")));
    let refused = browser.submit(&mut stage, "/wxgate/scan/scan", "return_to=%2F");
    assert_eq!((refused.status, code(&refused).as_str(), header(&refused, "retry-after")), (429, "too_many_scans", Some("1")));
    assert_eq!((browser.cookies.len(), stage.world.labels().iter().any(|label| label.starts_with("cgi"))), (0, false));
}

#[test]
fn new_codes_are_not_taken_for_a_browser_that_keeps_no_cookies() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    for _ in 0..10 {
        browser.ask_for_a_code(&mut stage, "scan");
    }
    assert_eq!((browser.count("__Host-wxgate_starts"), browser.count("__Host-wxgate_attempt_")), (0, 5));
    let last = browser.ask_for_a_code(&mut stage, "scan");
    assert_eq!(state_of(&browser.fetch(&mut stage, &last.poll)), "waiting");
}

#[test]
fn a_picture_costs_wechat_one_call_however_often_it_is_loaded() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let first = browser.fetch(&mut stage, &begun.image);
    for _ in 0..20 {
        assert_eq!(browser.fetch(&mut stage, &begun.image), first);
    }
    assert_eq!((stage.count("wxa.getwxacodeunlimit"), stage.count("cgi.stable_token")), (1, 1));
    let headers = ["x-content-type-options", "cross-origin-resource-policy", "content-security-policy", "cache-control"]
        .map(|name| header(&first, name));
    assert_eq!(headers, [Some("nosniff"), Some("same-origin"), Some("default-src 'none'; sandbox"), Some("no-store")]);
}

#[test]
fn a_picture_that_wechat_refuses_leaves_the_scan_as_it_is() {
    let refusals = [
        (json!({"errcode": 41030, "errmsg": "invalid page"}), 500, "wechat_misconfigured", "`page`"),
        (json!({"errcode": 40169, "errmsg": "invalid length for scene"}), 500, "wechat_misconfigured", "`scene`"),
        (json!({"errcode": 45009, "errmsg": "reach max api daily quota limit"}), 503, "wechat_busy", "5000"),
    ];
    for (refusal, status, error, advice) in refusals {
        let (mut stage, mut browser) = (Stage::new(), Browser::default());
        let begun = browser.ask_for_a_code(&mut stage, "scan");
        stage.mishap("wxa.getwxacodeunlimit", [ok(refusal)]);
        let refused = browser.fetch(&mut stage, &begun.image);
        assert_eq!((refused.status, code(&refused).as_str()), (status, error));
        let Some(Event::Failed { failure, .. }) = stage.world.events.last() else { panic!("a failure is told of") };
        assert!(failure.detail.contains(advice), "{}", failure.detail);
        // A worker does not ask at once again, whoever reloads.
        assert_eq!(code(&browser.fetch(&mut stage, &begun.image)), "wechat_busy");
        assert_eq!(stage.count("wxa.getwxacodeunlimit"), 1);
        stage.world.now += 5;
        assert_eq!(browser.fetch(&mut stage, &begun.image).status, 200);
        assert_eq!(state_of(&browser.fetch(&mut stage, &begun.poll)), "waiting");
    }
}
