//! Apps of other kinds than official accounts: each has an address of its own, and nobody logs in by what comes there.

use super::*;

/// Connectors with a push, which app each is of, and where somebody may have logged in by it.
const OTHERS: [(&str, &str, &[&str]); 6] = [
    ("pc", "wx0000000000000001", &["default"]),
    ("in-wechat", APP, &["default"]),
    ("app", "wx0000000000000005", &["default", "staff"]),
    ("mini", "wx0000000000000004", &["default", "staff"]),
    ("scan", "wx0000000000000004", &["default", "staff"]),
    ("launch", "wx0000000000000004", &["default", "staff"]),
];

/// A gate where all of them have one; `change` is a change to each.
fn world_of_all(change: impl Fn(&mut Value)) -> World {
    let mut world = World::with(|configuration| {
        let connectors = configuration["connectors"].as_array_mut().unwrap();
        let usual = |id: &str, method: &str, app_id: &str| json!({"id": id, "type": method, "app_id": app_id, "app_secret": {"inline": "2b3c8a1f6c3e0b9d4527c4d5e6f70819"}, "platform": "main"});
        connectors.extend([
            usual("app", "mobile_app", "wx0000000000000005"),
            usual("mini", "mini_program", "wx0000000000000004"),
            usual("scan", "mini_program_qr", "wx0000000000000004"),
            usual("launch", "app_to_mini_program", "wx0000000000000004"),
        ]);
        for connector in connectors.iter_mut().filter(|connector| connector["id"] != "admin-pc") {
            if ["scan", "launch"].contains(&connector["id"].as_str().unwrap()) {
                connector["page"] = json!("pages/login/index");
            }
            if connector["id"] == "launch" {
                connector["original_id"] = json!("gh_0123456789ab");
            }
            connector["push"] = json!({"token": {"inline": TOKEN}, "encoding_aes_keys": [{"inline": KEY}]});
            change(connector);
        }
        for application in configuration["applications"].as_array_mut().unwrap() {
            application["connectors"].as_array_mut().unwrap().extend(["app", "mini", "scan", "launch"].map(Value::from));
        }
    });
    world.accounts = [("authorizations.withdraw", Ok(HttpReply { status: 204, body: vec![] }))].into();
    world
}

fn all() -> World {
    world_of_all(|_| {})
}

fn to(id: &str, app_id: &str, message: &str) -> Post {
    Post::about(app_id, &format!("/wxgate/push/{id}"), message, KEY, 1_000_000)
}

/// As consoles of mini programs offer it: JSON outside and inside.
fn as_json(id: &str, app_id: &str, message: &Value) -> Post {
    let post = to(id, app_id, &message.to_string());
    let body = String::from_utf8(post.body).unwrap();
    let encrypted = body.split("<Encrypt><![CDATA[").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    Post { body: json!({"ToUserName": "gh_1", "Encrypt": encrypted}).to_string().into_bytes(), ..post }
}

#[test]
fn whoever_withdraws_their_consent_to_an_app_of_any_kind_is_heard_at_its_own_address() {
    for (id, app_id, pools) in OTHERS {
        for (event, reason) in [("user_authorization_revoke", "revoked"), ("user_authorization_cancellation", "cancelled")] {
            let json = json!({
                "ToUserName": "gh_1", "FromUserName": "wechat", "CreateTime": 999_990, "MsgType": "event", "Event": event,
                "OpenID": "o7", "AppID": app_id, "UnionID": "u7", "RevokeInfo": "1",
            });
            for post in [to(id, app_id, &withdrawal(event, app_id, "999990")), as_json(id, app_id, &json)] {
                let mut world = all();
                assert!(is_success(post.send(&mut world)), "{id}");
                let stored = json!({"pools": pools, "platform": "main", "app_id": app_id, "openid": "o7", "unionid": "u7", "reason": reason, "at": 999_990});
                assert_eq!((world.labels(), sent(&world, "authorizations.withdraw")), (vec!["authorizations.withdraw"], stored), "{id}");
                assert_eq!(results_at(&world, id), [("withdrawal", "withdrawn")]);
            }
        }
        let mut world = all();
        world.accounts.insert("authorizations.withdraw", Ok(HttpReply { status: 500, body: vec![] }));
        assert_eq!(reply(to(id, app_id, &withdrawal("user_authorization_revoke", app_id, "999990")).send(&mut world)).status, 503);
        assert_eq!(results_at(&world, id), [("withdrawal", "not_stored")]);
    }
}

#[test]
fn the_address_of_one_app_is_none_of_another_s() {
    let revoked = |app_id: &str| withdrawal("user_authorization_revoke", app_id, "999990");
    for (id, app_id, _) in OTHERS {
        for (_, other, _) in OTHERS.into_iter().filter(|(_, other, _)| *other != app_id) {
            let mut world = all();
            let refused = reply(to(id, other, &revoked(other)).send(&mut world));
            assert_eq!((refused.status, code(&refused).as_str()), (400, "push_unreadable"), "{other} at {id}");
            assert_eq!((world.labels(), results_at(&world, id)), (vec![], vec![("unknown", "unreadable")]));

            // Who has the key of one app writes another's name into a message: sealed, or in clear where that is accepted.
            let mut world = all();
            assert!(is_success(to(id, app_id, &revoked(other)).send(&mut world)), "{other} at {id}");
            assert_eq!((world.labels(), results_at(&world, id)), (vec![], vec![("withdrawal", "ignored")]));
            let plain = |connector: &mut Value| {
                connector["push"] = json!({"token": {"inline": TOKEN}, "mode": "plain", "accept_forgeable_messages": true});
            };
            let mut world = world_of_all(plain);
            let in_clear = Post::plain(&revoked(other));
            let in_clear = Post { path: in_clear.path.replace(PATH, &format!("/wxgate/push/{id}")), ..in_clear };
            assert!(is_success(in_clear.send(&mut world)), "{other} at {id}");
            assert_eq!((world.labels(), results_at(&world, id)), (vec![], vec![("withdrawal", "ignored")]));
        }
    }
}

/// That of the same account, too: it is the connector whose code was scanned that has to have the console's address.
#[test]
fn nobody_logs_in_by_a_scan_that_comes_to_a_connector_without_codes() {
    for (id, app_id, _) in OTHERS {
        for event in [scan(), follow()] {
            let mut world = all();
            assert!(is_success(to(id, app_id, &event).send(&mut world)), "{id}");
            assert_eq!((world.labels(), results_at(&world, id)), (vec![], vec![("other", "ignored")]));
            assert!(steps(&world).is_empty());
        }
    }
}

#[test]
fn an_address_of_any_app_is_verified_and_its_messages_go_on_to_a_message_server() {
    let customer =
        json!({"ToUserName": "gh_1", "FromUserName": "o1", "CreateTime": 999_999, "MsgType": "text", "Content": "hi", "MsgId": 1});
    for (id, app_id, _) in OTHERS {
        let verification = Post::verification("4375120948345356249");
        let verification = Post { path: verification.path.replace(PATH, &format!("/wxgate/push/{id}")), ..verification };
        let mut world = all();
        assert_eq!(reply(verification.send(&mut world)).body, b"4375120948345356249");
        assert_eq!(results_at(&world, id), [("verification", "answered")]);

        let with_server = || world_of_all(|connector| connector["message_server"] = true.into());
        for (post, called, result) in [
            (verification, &[][..], ("verification", "forwarded")),
            (as_json(id, app_id, &customer), &[], ("other", "ignored")),
            (to(id, app_id, &scan()), &[], ("other", "ignored")),
            (
                to(id, app_id, &withdrawal("user_authorization_revoke", app_id, "999990")),
                &["authorizations.withdraw"],
                ("withdrawal", "withdrawn"),
            ),
        ] {
            let mut world = with_server();
            assert!(forwarded(post.send(&mut world)).identity.is_none(), "{id}");
            assert_eq!((world.labels(), results_at(&world, id)), (called.to_vec(), vec![result]), "{id}");
        }
    }
}
