//! The phone's side: who scans, sees which site asks, and confirms.

use super::*;

#[test]
fn the_first_scanner_is_the_only_one_and_may_scan_again() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    let taken = open_mini_program(&mut stage, "xiaohong", &begun.ticket);
    assert_eq!((taken.status, code(&taken).as_str()), (409, "scan_taken"));
    assert_eq!(open_mini_program(&mut stage, "xiaoming", &begun.ticket).status, 200);
    assert_eq!(state_of(&decide(&mut stage, &scanned, "confirm")), "confirmed");
    assert_eq!(state_of(&decide(&mut stage, &scanned, "confirm")), "confirmed", "a second tap");
    assert_eq!(state_of(&open_mini_program(&mut stage, "xiaoming", &begun.ticket)), "scanned");
    assert_eq!(state_of(&browser.fetch(&mut stage, &begun.poll)), "done");
    assert_eq!(code(&decide(&mut stage, &scanned, "confirm")), "scan_over");
    assert_eq!(code(&open_mini_program(&mut stage, "xiaoming", &begun.ticket)), "scan_over");
}

#[test]
fn a_person_who_cancels_logs_nobody_in() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    assert_eq!(state_of(&decide(&mut stage, &scanned, "cancel")), "cancelled");
    assert_eq!(code(&decide(&mut stage, &scanned, "confirm")), "scan_over");
    let told = browser.fetch(&mut stage, &begun.poll);
    assert_eq!(body(&told), json!({"state": "cancelled"}));
    assert_eq!((browser.cookies.len(), stage.count("logins.create")), (0, 0));
    assert_eq!(stage.steps(), [ScanStep::Started, ScanStep::Scanned, ScanStep::Cancelled]);
}

#[test]
fn a_made_up_ticket_spends_no_code_at_wechat() {
    let mut stage = Stage::new();
    let unknown = open_mini_program(&mut stage, "xiaoming", "q2nqv0hYdVOkdlkY0m2m3g");
    assert_eq!((unknown.status, code(&unknown).as_str()), (410, "scan_over"));
    assert_eq!(stage.world.labels(), ["tickets.find"]);
    for odd in [
        json!({}),
        json!({"ticket": "q2nqv0hYdVOkdlkY0m2m3g"}),
        json!({"ticket": "q2nqv0hYdVOkdlkY0m2m3g", "code": ""}),
        json!({"ticket": "q2nqv0hYdVOkdlkY0m2m3g", "code": "a".repeat(513)}),
        json!({"ticket": "q2nqv0hYdVOkdlkY0m2m3g", "code": "a b"}),
        json!({"ticket": "../logins/q2nqv0hYdVOk", "code": "c"}),
        json!({"ticket": "short", "code": "c"}),
        json!({"confirm": "wxg1.x.y"}),
        json!({"confirm": "wxg1.x.y", "action": "later"}),
    ] {
        assert_eq!(say(&mut stage, &odd).status, 400, "{odd}");
    }
    assert_eq!(stage.world.calls.len(), 1);
}

#[test]
fn a_scan_that_has_ended_spends_no_code_and_asks_nobody() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    for state in ["cancelled", "redeemed"] {
        stage.outside.borrow_mut().tickets.get_mut(&begun.ticket).unwrap().state = state;
        let refused = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
        assert_eq!((refused.status, code(&refused).as_str()), (410, "scan_over"), "{state}");
        assert_eq!(stage.count("sns.jscode2session"), 0, "{state}");
        // While WeChat is asked.
        let ended = stage.outside.borrow().tickets[&begun.ticket].shown();
        stage.outside.borrow_mut().tickets.get_mut(&begun.ticket).unwrap().state = "waiting";
        stage.mishap("tickets.scan", [ok(json!({"answer": "done", "ticket": ended}))]);
        assert_eq!(code(&open_mini_program(&mut stage, "xiaoming", &begun.ticket)), "scan_over", "{state}");
        stage.world.calls.clear();
    }
}

#[test]
fn a_code_is_confirmed_by_the_rules_of_its_own_connector() {
    let mut stage = Stage::with(|json| {
        let mut strict = json["connectors"][3].clone();
        (strict["id"], strict["phone_number"]) = (json!("strict"), json!("required"));
        json["connectors"].as_array_mut().unwrap().push(strict);
        json["applications"][0]["connectors"].as_array_mut().unwrap().push(json!("strict"));
    });
    let begun = Browser::default().ask_for_a_code(&mut stage, "strict");
    let refused = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    assert_eq!((refused.status, code(&refused).as_str()), (410, "scan_over"), "another of the same mini program asks for no number");
    assert_eq!(stage.state(&begun.ticket), "waiting");
}

/// MPD-04, QRL-14.
#[test]
fn who_scans_is_what_wechat_says_and_nothing_else() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    stage.outside.borrow_mut().people.insert("c1".into(), "xiaoming");
    let fields = json!({"ticket": begun.ticket, "code": "c1", "openid": "o-victim", "unionid": "u-victim", "session_key": "x", "phone_number": "+8613900000000"});
    let referer = ("referer", "https://servicewechat.com/wx0000000000000004/0/page-frame.html");
    let scanned = Browser::default().sends(
        &mut stage,
        &[("content-type", "application/json"), referer],
        "/wxgate/scan/scan/confirm",
        &fields.to_string(),
    );
    assert_eq!(stage.told("tickets.scan")["identity"], json!({"app_id": MINI, "openid": "o-xiaoming", "unionid": "u-xiaoming"}));
    let confirm =
        json!({"confirm": body(&scanned)["confirm"], "action": "confirm", "openid": "o-victim", "phone_number": "+8613900000000"});
    assert_eq!(state_of(&say(&mut stage, &confirm)), "confirmed");
    assert_eq!(stage.told("tickets.confirm")["identity"], json!({"app_id": MINI, "openid": "o-xiaoming", "unionid": "u-xiaoming"}));
    // A code that WeChat does not know is a reason to try again, and no scan.
    let refused = say(&mut stage, &json!({"ticket": begun.ticket, "code": "c1"}));
    assert_eq!((refused.status, code(&refused).as_str()), (400, "code_rejected"));
    assert_eq!(stage.count("tickets.scan"), 1);
}

#[test]
fn a_phone_may_be_at_another_application_than_the_computer() {
    let mut stage = Stage::with(|json| json["applications"][1]["connectors"] = json!(["admin-pc", "scan"]));
    let mut browser = Browser::default();
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    stage.outside.borrow_mut().people.insert("c1".into(), "xiaoming");
    stage.world.body = Ok(json!({"ticket": begun.ticket, "code": "c1"}).to_string().into_bytes());
    let phone = Browser::default().with("content-type", "application/json");
    let scanned = reply(phone.clone().send(&mut stage.world, "POST", "admin.example.com", "/wxgate/scan/scan/confirm"));
    assert_eq!((&body(&scanned)["application"], &body(&scanned)["origin"]), (&json!("Shop"), &json!("https://shop.example.com")));
    // At a host whose application does not enable it, there is no such thing.
    let mut stage = Stage::new();
    assert_eq!(reply(phone.clone().send(&mut stage.world, "POST", "admin.example.com", "/wxgate/scan/scan/confirm")).status, 404);
}

#[test]
fn a_ticket_of_another_app_connector_or_application_is_not_there() {
    for (member, value) in [
        ("app_id", json!(ACCOUNT)),
        ("connector", json!("other")),
        ("application", json!("admin")),
        ("application", json!("gone")),
        ("purpose", json!("launch")),
    ] {
        let (mut stage, mut browser) = (Stage::new(), Browser::default());
        let begun = browser.ask_for_a_code(&mut stage, "scan");
        stage.outside.borrow_mut().tickets.get_mut(&begun.ticket).unwrap().made[member] = value.clone();
        let refused = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
        assert_eq!((refused.status, code(&refused).as_str()), (410, "scan_over"), "{member} {value}");
        assert_eq!((stage.count("sns.jscode2session"), stage.count("tickets.scan")), (0, 0), "{member} {value}");
        if member != "app_id" {
            let told = browser.fetch(&mut stage, &begun.poll);
            assert_eq!(
                (state_of(&told).as_str(), body(&told)["error"].as_str()),
                ("failed", Some("accounts_rejected")),
                "{member} {value}"
            );
        }
    }
}

#[test]
fn a_person_of_another_app_is_nobody_here() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    decide(&mut stage, &scanned, "confirm");
    stage.outside.borrow_mut().tickets.get_mut(&begun.ticket).unwrap().identity["app_id"] = json!(ACCOUNT);
    let told = browser.fetch(&mut stage, &begun.poll);
    assert_eq!((state_of(&told).as_str(), body(&told)["error"].as_str()), ("failed", Some("accounts_rejected")));
    assert_eq!(stage.count("logins.create"), 0);
}

/// BRW-08.
#[test]
fn no_page_of_another_site_confirms_for_a_phone() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    let confirm = body(&scanned)["confirm"].as_str().unwrap().to_owned();
    let json = json!({"confirm": confirm, "action": "confirm"}).to_string();
    for (content_type, body) in [
        ("text/plain", json.clone()),
        ("application/x-www-form-urlencoded", format!("confirm={confirm}&action=confirm")),
        ("multipart/form-data; boundary=x", json.clone()),
    ] {
        let refused = Browser::default().sends(&mut stage, &[("content-type", content_type)], "/wxgate/scan/scan/confirm", &body);
        assert_eq!(refused.status, 415, "{content_type}");
    }
    assert_eq!(reply(Browser::default().open(&mut stage.world, &format!("/wxgate/scan/scan/confirm?confirm={confirm}"))).status, 405);
    assert_eq!(stage.state(&begun.ticket), "scanned");
}

#[test]
fn what_a_phone_holds_is_good_for_one_scan_and_nothing_else() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    let confirm = body(&scanned)["confirm"].as_str().unwrap().to_owned();
    // As a session, as an attempt, as the other connector's.
    let mut thief = Browser::default();
    thief.cookies.insert("__Host-wxgate_session".into(), confirm.clone());
    assert_eq!(reply(thief.open(&mut stage.world, "/cart")).status, 303);
    let foreign = stage.world.gate.config().applications[0].connector(b"follow").unwrap().clone();
    let keys = &stage.world.gate.config().session.keys;
    assert!(Confirmation::open(keys, &confirm, &foreign, 1_000_000).is_none());
    for odd in
        [confirm[..confirm.len() - 1].to_owned(), format!("{confirm}A"), browser.cookies.values().next().unwrap().clone(), "x".repeat(4000)]
    {
        assert_eq!(code(&say(&mut stage, &json!({"confirm": odd, "action": "confirm"}))), "scan_over");
    }
    assert_eq!(stage.state(&begun.ticket), "scanned");
}

#[test]
fn a_phone_number_is_taken_as_the_operator_has_decided() {
    for (policy, given, ends) in [
        ("off", false, Ok(None)),
        ("off", true, Ok(None)),
        ("optional", false, Ok(None)),
        ("optional", true, Ok(Some("+8613800138000"))),
        ("required", false, Err("phone_number_required")),
        ("required", true, Ok(Some("+8613800138000"))),
    ] {
        let (mut stage, mut browser) = (Stage::with(|json| json["connectors"][3]["phone_number"] = json!(policy)), Browser::default());
        let begun = browser.ask_for_a_code(&mut stage, "scan");
        let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
        assert_eq!(body(&scanned)["phone_number"], policy);
        let mut fields = json!({"confirm": body(&scanned)["confirm"], "action": "confirm"});
        if given {
            fields["phone_code"] = json!("p1");
        }
        let told = say(&mut stage, &fields);
        match ends {
            Ok(number) => {
                assert_eq!(state_of(&told), "confirmed", "{policy} {given}");
                assert_eq!(
                    stage.told("tickets.confirm")["identity"].get("phone_number").and_then(Value::as_str),
                    number,
                    "{policy} {given}"
                );
                assert_eq!(state_of(&browser.fetch(&mut stage, &begun.poll)), "done");
                assert_eq!(stage.told("logins.create").get("phone_number").and_then(Value::as_str), number);
            }
            Err(error) => assert_eq!((code(&told).as_str(), stage.state(&begun.ticket)), (error, "scanned")),
        }
        assert_eq!(stage.count("wxa.phone_number"), usize::from(given && policy != "off"), "a number costs money");
    }
}

#[test]
fn a_phone_number_that_wechat_does_not_vouch_for_confirms_nothing() {
    let (mut stage, mut browser) = (Stage::with(|json| json["connectors"][3]["phone_number"] = json!("optional")), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "scan");
    let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
    stage.mishap("wxa.phone_number", [ok(json!({"errcode": 40029, "errmsg": "invalid code"}))]);
    let fields = json!({"confirm": body(&scanned)["confirm"], "action": "confirm", "phone_code": "p1"});
    assert_eq!(code(&say(&mut stage, &fields)), "phone_number_rejected");
    assert_eq!(stage.state(&begun.ticket), "scanned");
    assert_eq!(state_of(&decide(&mut stage, &scanned, "confirm")), "confirmed", "without it, once more");
    // Who cancels spends nothing.
    let calls = stage.count("wxa.phone_number");
    assert_eq!(
        state_of(&say(&mut stage, &json!({"confirm": body(&scanned)["confirm"], "action": "cancel", "phone_code": "p2"}))),
        "cancelled"
    );
    assert_eq!(stage.count("wxa.phone_number"), calls);
}

/// What the account's message push has learnt, as a link in WeChat.
pub(super) fn link(stage: &Stage, ticket: &str) -> String {
    let config = stage.world.gate.config();
    let connector = config.applications[0].connector(b"follow").unwrap();
    let identity = TicketIdentity { app_id: ACCOUNT.into(), openid: "o-xiaoming".into(), unionid: None, profile: None, phone_number: None };
    let confirmation = Confirmation::new(connector, ticket.into(), identity, stage.world.now + 180);
    confirmation.seal(&config.session.keys, &mut crate::http::Entropy::new([7; 32])).unwrap()
}

pub(super) fn scan_account_code(stage: &mut Stage, ticket: &str, openid: &str) {
    let mut outside = stage.outside.borrow_mut();
    let kept = outside.tickets.get_mut(ticket).unwrap();
    (kept.state, kept.scanner) = ("scanned", Some(openid.into()));
}

#[test]
fn an_official_account_s_code_is_drawn_here_and_confirmed_by_a_link_in_wechat() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    stage.world.login = vec![signed_in_with("o-xiaoming", ACCOUNT)];
    let begun = browser.ask_for_a_code(&mut stage, "follow");
    let asked = stage.told("cgi.qrcode_create");
    let scene = json!({"scene": {"scene_str": begun.ticket}});
    assert_eq!(asked, json!({"expire_seconds": 180, "action_name": "QR_STR_SCENE", "action_info": scene}));
    let calls = stage.world.calls.len();
    let picture = browser.fetch(&mut stage, &begun.image);
    assert_eq!((picture.status, header(&picture, "content-type"), stage.world.calls.len()), (200, Some("image/svg+xml"), calls));

    scan_account_code(&mut stage, &begun.ticket, "o-xiaoming");
    let (mut phone, confirm) = (Browser::in_wechat(), link(&stage, &begun.ticket));
    let question = reply(phone.open(&mut stage.world, &format!("/wxgate/scan/follow/confirm?confirm={confirm}")));
    let html = String::from_utf8(question.body.clone()).unwrap();
    assert_eq!((question.status, header(&question, "x-frame-options")), (200, Some("DENY")));
    for word in ["Shop", "https://shop.example.com", "Chrome, Linux", "203.0.113.7", &begun.number] {
        assert!(html.contains(word), "{word}: {html}");
    }
    assert_eq!(stage.state(&begun.ticket), "scanned", "looking changes nothing");

    let confirmed = phone.submit(&mut stage, "/wxgate/scan/follow/confirm", &format!("language=en&confirm={confirm}&action=confirm"));
    assert_eq!((confirmed.status, stage.state(&begun.ticket)), (200, "confirmed"));
    assert!(String::from_utf8(confirmed.body).unwrap().contains("You have confirmed"));
    let again = reply(phone.open(&mut stage.world, &format!("/wxgate/scan/follow/confirm?confirm={confirm}")));
    assert!(String::from_utf8(again.body).unwrap().contains("You have confirmed"));
    assert_eq!(state_of(&browser.fetch(&mut stage, &begun.poll)), "done");
    assert_eq!(stage.told("logins.create")["method"], "official_account_qr");
}

#[test]
fn the_link_in_wechat_confirms_nothing_for_another_site_or_another_person() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    let begun = browser.ask_for_a_code(&mut stage, "follow");
    scan_account_code(&mut stage, &begun.ticket, "o-xiaohong");
    let confirm = link(&stage, &begun.ticket);
    let form = format!("confirm={confirm}&action=confirm");
    for origin in ["https://evil.example", "null"] {
        let headers = [("origin", origin), ("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
        let refused = Browser::in_wechat().sends(&mut stage, &headers, "/wxgate/scan/follow/confirm", &form);
        assert_eq!((refused.status, code(&refused).as_str()), (403, "cross_site"));
    }
    let json = [("origin", "https://shop.example.com"), ("content-type", "application/json")];
    assert_eq!(Browser::in_wechat().sends(&mut stage, &json, "/wxgate/scan/follow/confirm", "{}").status, 415);
    let taken = Browser::in_wechat().submit(&mut stage, "/wxgate/scan/follow/confirm", &form);
    assert_eq!((taken.status, stage.state(&begun.ticket)), (409, "scanned"), "somebody else has scanned it");
    for link in ["", "?confirm=", "?confirm=wxg1.x.y", &format!("?confirm={confirm}&confirm={confirm}")] {
        let over = reply(Browser::in_wechat().open(&mut stage.world, &format!("/wxgate/scan/follow/confirm{link}")));
        assert_eq!(over.status, 410, "{link}");
    }
    let cancelled = {
        scan_account_code(&mut stage, &begun.ticket, "o-xiaoming");
        Browser::in_wechat().submit(&mut stage, "/wxgate/scan/follow/confirm", &form.replace("=confirm", "=cancel"))
    };
    assert_eq!((cancelled.status, stage.state(&begun.ticket)), (200, "cancelled"));
}
