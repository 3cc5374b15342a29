//! What only one method of logging in has.

use super::*;

/// Connectors of the methods that end in no callback, beside the sample's two.
pub(super) fn other_methods() -> Value {
    let mut config = sample();
    let more = [
        json!({"id": "app", "type": "mobile_app", "app_id": "wx0000000000000003", "app_secret": {"env": "WX_APP_SECRET"}, "platform": "main"}),
        json!({"id": "mini", "type": "mini_program", "app_id": "wx0000000000000004", "app_secret": {"env": "WX_MINI_SECRET"}, "platform": "main"}),
        json!({"id": "scan", "type": "mini_program_qr", "app_id": "wx0000000000000004", "app_secret": {"env": "WX_MINI_SECRET"}, "platform": "main",
               "page": "pages/login/index"}),
        json!({"id": "launch", "type": "app_to_mini_program", "app_id": "wx0000000000000004", "app_secret": {"env": "WX_MINI_SECRET"},
               "platform": "main", "original_id": "gh_0123456789ab", "page": "pages/login/index"}),
        json!({"id": "follow", "type": "official_account_qr", "app_id": "wx0000000000000002", "app_secret": {"env": "WX_OA_SECRET"},
               "platform": "main", "push": {"token": {"env": "WX_PUSH_TOKEN"}, "encoding_aes_keys": [{"env": "WX_PUSH_KEY"}]}}),
    ];
    config["connectors"].as_array_mut().unwrap().extend(more);
    config["applications"][0]["connectors"] = json!(["pc", "in-wechat", "app", "mini", "scan", "launch", "follow"]);
    config
}

#[test]
fn every_method_has_its_keys_and_their_defaults() {
    let connector = |config: &Value, id: &str| Rc::clone(compiled(config).applications[0].connector(id.as_bytes()).unwrap());
    let method = |config: &Value, id: &str| connector(config, id).method.clone();
    let config = other_methods();
    assert!(matches!(method(&config, "pc"), Method::WebsiteQr { embed: true }));
    assert!(matches!(method(&config, "app"), Method::MobileApp));
    assert!(matches!(method(&config, "mini"), Method::MiniProgram { phone_number: PhoneNumber::Optional }));
    let page = MiniProgramPage { path: "pages/login/index".into(), version: MiniProgramVersion::Release };
    assert!(matches!(method(&config, "scan"), Method::MiniProgramQr { page: found, phone_number: PhoneNumber::Off } if found == page));
    let Method::AppToMiniProgram { original_id, page: found, phone_number } = method(&config, "launch") else { panic!("another method") };
    assert_eq!((original_id.as_str(), found, phone_number), ("gh_0123456789ab", page, PhoneNumber::Optional));
    assert!(matches!(method(&config, "follow"), Method::OfficialAccountQr { is_confirmed: true, welcome: None }));
    let push = |config: &Value, id: &str| connector(config, id).push.clone();
    let follow = push(&config, "follow").unwrap();
    assert_eq!((follow.mode, follow.keys.len(), follow.token.expose()), (PushMode::Safe, 1, "pushToken42"));
    assert!(!follow.has_message_server);
    for id in ["pc", "in-wechat", "app", "mini", "scan", "launch"] {
        assert!(push(&config, id).is_none(), "{id}");
    }

    let mut config = other_methods();
    config["connectors"][0]["embed"] = json!(false);
    config["connectors"][4]["version"] = json!("trial");
    config["connectors"][4]["phone_number"] = json!("required");
    config["connectors"][6]["message_server"] = json!(true);
    assert!(matches!(method(&config, "pc"), Method::WebsiteQr { embed: false }));
    let Method::MiniProgramQr { page, phone_number } = method(&config, "scan") else { panic!("another method") };
    assert_eq!((page.version.label(), phone_number), ("trial", PhoneNumber::Required));
    let Method::OfficialAccountQr { is_confirmed, .. } = method(&config, "follow") else { panic!("another method") };
    assert!(!is_confirmed, "beside a message server no link to confirm can be sent, so that is the default then");
    config["connectors"][6]["message_server"] = json!(false);
    config["connectors"][6]["confirm"] = json!(false);
    config["connectors"][6]["welcome"] = json!("欢迎\nWelcome");
    let Method::OfficialAccountQr { is_confirmed, welcome } = method(&config, "follow") else { panic!("another method") };
    assert_eq!((is_confirmed, welcome.as_deref()), (false, Some("欢迎\nWelcome")));
}

#[test]
fn an_app_of_every_kind_may_have_a_message_push() {
    for (index, id) in ["pc", "in-wechat", "app", "mini", "scan", "launch", "follow"].into_iter().enumerate() {
        let push = |push: Value, has_message_server: bool| {
            let config = with(other_methods(), &format!("/connectors/{index}/push"), push);
            let config = with(config, &format!("/connectors/{index}/message_server"), json!(has_message_server));
            compiled(&config).applications[0].connector(id.as_bytes()).unwrap().push.clone().unwrap()
        };
        let usual = push(json!({"token": {"env": "WX_PUSH_TOKEN"}, "encoding_aes_keys": [{"env": "WX_PUSH_KEY"}]}), false);
        assert_eq!((usual.mode, usual.keys.len(), usual.has_message_server), (PushMode::Safe, 1, false), "{id}");
        let keys = json!([{"env": "WX_PUSH_KEY"}, {"env": "WX_PUSH_KEY_OLD"}]);
        let other = push(json!({"token": {"env": "WX_PUSH_TOKEN"}, "encoding_aes_keys": keys, "mode": "compatible"}), true);
        assert_eq!((other.mode, other.keys.len(), other.has_message_server), (PushMode::Compatible, 2, true), "{id}");
        let plain = push(json!({"token": {"env": "WX_PUSH_TOKEN"}, "mode": "plain", "accept_forgeable_messages": true}), false);
        assert_eq!((plain.mode, plain.keys.len()), (PushMode::Plain, 0), "{id}");
    }
}

/// What anybody could do with a forged message depends on what the messages are for.
#[test]
fn a_push_of_every_kind_is_checked_where_it_stands() {
    let push = || json!({"token": {"env": "WX_PUSH_TOKEN"}, "encoding_aes_keys": [{"env": "WX_PUSH_KEY"}]});
    let pushed = |pointer: &str, value: Value| with(with(other_methods(), "/connectors/3/push", push()), pointer, value);
    let plain = json!({"token": {"env": "WX_PUSH_TOKEN"}, "mode": "plain"});
    let server = "without `push` there is no message that could go on to a message server (add `push`, or leave it out)";
    each_is_refused([
        (
            with(other_methods(), "/connectors/0/push", plain.clone()),
            "$.connectors[0].push.mode",
            "whoever sees one signed address can end anybody's sessions, and clear their profile (choose safe mode here",
        ),
        (
            with(other_methods(), "/connectors/6/push", plain),
            "$.connectors[6].push.mode",
            "whoever sees one signed address can log in as anybody, and end anybody's sessions (choose safe mode here",
        ),
        (with(other_methods(), "/connectors/2/message_server", json!(true)), "$.connectors[2].message_server", server),
        (with(other_methods(), "/connectors/2/message_server", json!(false)), "$.connectors[2].message_server", server),
        (with(other_methods(), "/connectors/2/push", json!("safe")), "$.connectors[2].push", "expected an object, found text"),
        (pushed("/connectors/3/push/token", json!({"inline": "a-b"})), "$.connectors[3].push.token", "3 to 32 letters and digits"),
        (pushed("/connectors/3/push/encoding_aes_keys", json!([])), "$.connectors[3].push.encoding_aes_keys", "the list is empty"),
        (pushed("/connectors/3/message_server", json!("yes")), "$.connectors[3].message_server", "expected true or false, found text"),
        (
            pushed("/connectors/3/confirm", json!(false)),
            "$.connectors[3].confirm",
            "mini_program has no `confirm` (only official_account_qr has it: leave it out)",
        ),
        (
            pushed("/connectors/3/welcome", json!("Hello")),
            "$.connectors[3].welcome",
            "mini_program has no `welcome` (only official_account_qr has it: leave it out)",
        ),
    ]);
    let both = with(pushed("/connectors/3/push/mode", json!("none")), "/connectors/3/app_id", json!("wx0000000000000003"));
    let told: Vec<_> = problems(&both).into_iter().map(|problem| problem.path).collect();
    assert_eq!(told, ["$.connectors[3].push.mode", "$.connectors[3].app_id"], "one hides no other");
}

#[test]
fn every_key_of_a_method_is_checked_where_it_stands() {
    let changed = |pointer: &str, value: Value| with(other_methods(), pointer, value);
    let without = |connector: usize, key: &str| {
        let mut config = other_methods();
        config["connectors"][connector].as_object_mut().unwrap().remove(key).unwrap();
        config
    };
    let page = "no slash in front, no query";
    each_is_refused([
        (changed("/connectors/0/embed", json!("yes")), "$.connectors[0].embed", "expected true or false, found text"),
        (
            changed("/connectors/2/embed", json!(true)),
            "$.connectors[2].embed",
            "mobile_app has no `embed` (only website_qr has it: leave it out)",
        ),
        (changed("/connectors/2/phone_number", json!("off")), "$.connectors[2].phone_number", "mobile_app has no `phone_number`"),
        (changed("/connectors/3/page", json!("pages/a")), "$.connectors[3].page", "only mini_program_qr or app_to_mini_program has it"),
        (changed("/connectors/3/phone_number", json!("maybe")), "$.connectors[3].phone_number", "expected off, optional or required"),
        (changed("/connectors/3/phone_number", json!(true)), "$.connectors[3].phone_number", "expected text, found true or false"),
        (without(4, "page"), "$.connectors[4].page", "missing (expected the page of the mini program that logs in"),
        (changed("/connectors/4/page", json!("/pages/login")), "$.connectors[4].page", page),
        (changed("/connectors/4/page", json!("pages/login?a=1")), "$.connectors[4].page", page),
        (changed("/connectors/4/page", json!("")), "$.connectors[4].page", page),
        (changed("/connectors/4/version", json!("released")), "$.connectors[4].version", "did you mean `release`?"),
        (without(5, "original_id"), "$.connectors[5].original_id", "missing (expected the mini program's original id"),
        (changed("/connectors/5/original_id", json!("gh_0123456789AB")), "$.connectors[5].original_id", "gh_ and 12 lower-case hex digits"),
        (
            changed("/connectors/5/original_id", json!("wx0000000000000004")),
            "$.connectors[5].original_id",
            "gh_ and 12 lower-case hex digits",
        ),
        (without(6, "push"), "$.connectors[6].push", "missing (expected how WeChat's message push is secured"),
        (changed("/connectors/6/push/tokken", json!(1)), "$.connectors[6].push.tokken", "did you mean `token`?"),
        (changed("/connectors/6/push/token", json!("text")), "$.connectors[6].push.token", "expected a reference to a secret, found text"),
        (changed("/connectors/6/push/token", json!({"inline": "a-b"})), "$.connectors[6].push.token", "3 to 32 letters and digits"),
        (changed("/connectors/6/push/encoding_aes_keys", json!([])), "$.connectors[6].push.encoding_aes_keys", "the list is empty"),
        (
            changed("/connectors/6/push/encoding_aes_keys", json!([{"inline": "a".repeat(42)}])),
            "$.connectors[6].push.encoding_aes_keys[0]",
            "43 letters and digits",
        ),
        (changed("/connectors/6/push/mode", json!("encrypted")), "$.connectors[6].push.mode", "expected safe, compatible or plain"),
        (
            changed("/connectors/6/push/mode", json!("plain")),
            "$.connectors[6].push.mode",
            "whoever sees one signed address can log in as anybody",
        ),
        (
            changed("/connectors/6/push/accept_forgeable_messages", json!(true)),
            "$.connectors[6].push.accept_forgeable_messages",
            "only plain mode has forgeable messages (leave it out)",
        ),
        (changed("/connectors/6/welcome", json!("")), "$.connectors[6].welcome", "expected 1 to 1024 bytes of text"),
        (
            with(changed("/connectors/6/message_server", json!(true)), "/connectors/6/confirm", json!(true)),
            "$.connectors[6].confirm",
            "write \"confirm\": false",
        ),
        (
            with(changed("/connectors/6/message_server", json!(true)), "/connectors/6/welcome", json!("Hello")),
            "$.connectors[6].welcome",
            "its reply goes to WeChat and not ours (leave it out)",
        ),
        (
            with(changed("/connectors/5/app_id", json!("wx0000000000000003")), "/connectors/5/app_secret", json!({"env": "WX_APP_SECRET"})),
            "$.connectors[5].app_id",
            "expected the AppID of a mini program",
        ),
        (sample_with("/resolver/waiting_cluster", json!("")), "$.resolver.waiting_cluster", "expected the name of an Envoy cluster"),
        (sample_with("/resolver/waiting_clusters", json!("a")), "$.resolver.waiting_clusters", "did you mean `waiting_cluster`?"),
    ]);
}

#[test]
fn long_polls_go_where_everything_goes_unless_they_have_a_cluster_of_their_own() {
    assert_eq!(compiled(&sample()).resolver.waiting_cluster, "wxgate_resolver");
    assert_eq!(compiled(&sample_with("/resolver/cluster", json!("accounts"))).resolver.waiting_cluster, "accounts");
    assert_eq!(compiled(&sample_with("/resolver/waiting_cluster", json!("waiting"))).resolver.waiting_cluster, "waiting");
}

/// Where a scan or a mini program logs in is no question of domains.
#[test]
fn a_mini_program_serves_applications_of_many_origins() {
    let mut config = other_methods();
    config["identity"]["issuer"] = json!("https://login.example.com");
    config["applications"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "docs", "origin": "https://docs.example.com", "connectors": ["app", "mini", "scan", "launch", "follow"]}));
    assert_eq!(compiled(&config).applications[1].connectors.len(), 5);
}
