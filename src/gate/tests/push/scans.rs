//! Somebody scans the code of an official account: what is stored, and what the person reads.

use super::*;

#[test]
fn a_scan_is_stored_and_the_person_is_asked_to_confirm_what_they_would_log_in_to() {
    for (event, kind) in [(scan(), "scan"), (follow(), "follow")] {
        let mut world = confirming();
        let text = said(now(&event).send(&mut world), KEY);
        assert!(text.starts_with("欢迎\n\n您正在登录 shop（shop.example.com）。"), "{text}");
        let link = text.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let sealed = link.strip_prefix("https://shop.example.com/wxgate/scan/follow/confirm?confirm=").unwrap_or_else(|| panic!("{link}"));
        let connector = world.gate.config().applications[0].connector(b"follow").unwrap();
        let keys = &world.gate.config().session.keys;
        let confirmation = crate::login::confirmation::Confirmation::open(keys, sealed, connector, 1_000_299).unwrap();
        assert_eq!((confirmation.ticket.as_str(), confirmation.openid.as_str()), (TICKET, "o1"));
        assert_eq!(confirmation.unionid.as_deref(), Some("u1"));
        assert_eq!(confirmation.expires_at, 1_000_300);

        assert_eq!(world.labels(), ["cgi.stable_token", "cgi.user_info", "tickets.scan"]);
        assert_eq!(world.calls[2].1, format!("/v1/tickets/{TICKET}/scan"));
        assert_eq!(sent(&world, "tickets.scan"), json!({"platform": "main", "identity": {"app_id": APP, "openid": "o1", "unionid": "u1"}}));
        assert_eq!(results(&world), [(kind, "scanned")]);
        assert_eq!(steps(&world), [("follow", ScanStep::Scanned)]);
    }
}

#[test]
fn the_link_leads_to_the_site_that_began_whichever_host_is_told() {
    let mut world = confirming();
    world.accounts.insert("tickets.scan", ok(json!({"answer": "done", "ticket": ticket("admin", "follow", "scanned")})));
    let text = said(now(&scan()).send(&mut world), KEY);
    assert!(
        text.contains("您正在登录 admin（admin.example.com）") && text.contains("\"https://admin.example.com/wxgate/scan/follow/confirm?"),
        "{text}"
    );
    for (application, connector) in [("gone", "follow"), ("shop", "gone"), ("shop", "in-wechat")] {
        let mut world = confirming();
        world.accounts.insert("tickets.scan", ok(json!({"answer": "done", "ticket": ticket(application, connector, "scanned")})));
        assert_eq!(reply(now(&scan()).send(&mut world)).status, 503, "{application} {connector}");
    }
}

/// A gate whose shop has two accounts to follow, with a name that would be a link in the chat.
fn two_accounts() -> World {
    let mut world = World::with(|configuration| {
        let connector = |id: &str, app_id: &str| {
            json!({"id": id, "type": "official_account_qr", "app_id": app_id, "app_secret": {"inline": "8a1f6c3e0b9d4527c4d5e6f708192a3b"},
                   "platform": "main", "push": {"token": {"inline": TOKEN}, "encoding_aes_keys": [{"inline": KEY}]}})
        };
        let connectors = [connector("follow", APP), connector("follow-other", "wx00000000000000aa")];
        configuration["connectors"].as_array_mut().unwrap().extend(connectors);
        configuration["applications"][0]["connectors"].as_array_mut().unwrap().extend(["follow".into(), "follow-other".into()]);
        configuration["applications"][0]["display_name"] = "<a href=\"//evil.example\">Shop</a>".into();
    });
    world.accounts = confirming().accounts;
    world
}

#[test]
fn a_ticket_of_another_account_is_no_scan_of_this_one() {
    let mut world = two_accounts();
    world.accounts.insert("tickets.scan", ok(json!({"answer": "done", "ticket": ticket("shop", "follow-other", "scanned")})));
    assert_eq!(reply(now(&scan()).send(&mut world)).status, 503);
    assert_eq!(results(&world), [("scan", "not_stored")]);
}

#[test]
fn the_one_link_in_the_chat_is_ours() {
    let text = said(now(&scan()).send(&mut two_accounts()), KEY);
    assert!(text.contains("href=\"//evil.example\"Shop") && text.matches('<').count() == 2, "{text}");
}

#[test]
fn without_a_confirmation_the_scan_itself_confirms_and_the_welcome_is_sent() {
    let mut world = unconfirmed();
    assert_eq!(said(now(&scan()).send(&mut world), KEY), "欢迎");
    assert_eq!(world.labels(), ["cgi.stable_token", "cgi.user_info", "tickets.confirm"]);
    assert_eq!(results(&world), [("scan", "confirmed")]);
    assert_eq!(steps(&world), [("follow", ScanStep::Confirmed)]);
    world.accounts.insert("tickets.confirm", ok(json!({"answer": "done", "ticket": ticket("shop", "gone", "confirmed")})));
    now(&scan()).send(&mut world);
    assert_eq!(steps(&world).len(), 1, "a connector of nobody's is counted nowhere");
    let mut world = self::world(|follow| {
        follow["confirm"] = false.into();
        follow.as_object_mut().unwrap().remove("welcome");
    });
    assert!(is_success(now(&follow()).send(&mut world)));
}

#[test]
fn a_connector_that_asks_for_confirmation_is_not_got_round_by_another_of_the_same_account() {
    let mut world = World::with(|configuration| {
        let connector = |id: &str, confirm: bool| {
            json!({"id": id, "type": "official_account_qr", "app_id": APP, "app_secret": {"inline": "8a1f6c3e0b9d4527c4d5e6f708192a3b"}, "platform": "main",
                   "confirm": confirm, "push": {"token": {"inline": TOKEN}, "encoding_aes_keys": [{"inline": KEY}]}})
        };
        configuration["connectors"].as_array_mut().unwrap().extend([connector("follow", false), connector("follow-admin", true)]);
        configuration["applications"][0]["connectors"].as_array_mut().unwrap().push("follow".into());
        configuration["applications"][1]["connectors"].as_array_mut().unwrap().push("follow-admin".into());
    });
    world.accounts = confirming().accounts;
    world.accounts.insert("tickets.scan", ok(json!({"answer": "done", "ticket": ticket("admin", "follow-admin", "scanned")})));
    let text = said(now(&scan()).send(&mut world), KEY);
    assert!(text.contains("https://admin.example.com/wxgate/scan/follow-admin/confirm?confirm="), "{text}");
    assert!(!world.labels().contains(&"tickets.confirm"));
}

#[test]
fn who_scans_too_late_or_after_somebody_else_is_told_so() {
    for (answer, result, told) in [
        (Ok(HttpReply { status: 404, body: vec![] }), "over", "no longer valid"),
        (ok(json!({"answer": "taken"})), "taken", "Another WeChat"),
        (ok(json!({"answer": "settled"})), "settled", "欢迎"),
        (ok(json!({"answer": "done", "ticket": ticket("shop", "follow", "confirmed")})), "confirmed", "欢迎"),
    ] {
        let mut world = confirming();
        world.accounts.insert("tickets.scan", answer);
        let text = said(now(&scan()).send(&mut world), KEY);
        assert!(text.contains(told) && !text.contains("href"), "{text}");
        assert_eq!(results(&world), [("scan", result)]);
        assert_eq!(steps(&world), [], "nothing has come further");
    }
}
