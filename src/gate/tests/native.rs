//! Native apps and mini programs: JSON in, JSON out.

mod app_to_mini_program;
mod mini_program;
mod mobile_app;

use super::*;
use crate::http::BodyFailure;

const JSON: &str = "application/json";
const APP: &str = "wx0000000000000005";
const MINI: &str = "wx0000000000000006";
// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const TICKET: &str = "q2nqv0hYdVOkdlkY0m2m3g";
const SESSION_KEY: &str = "EYHiOw5v7tP4HSvxegKjmw==";
const NONCE: &str = "a-nonce-of-22-characters";

/// A gate where the three methods are enabled at the shop, and two of them at the admins' too.
fn world() -> World {
    world_with(|_| {})
}

fn world_with(change: impl FnOnce(&mut Value)) -> World {
    let mut world = World::with(|json| {
        let secret = |n: u64| json!({"inline": format!("{n:02}f2b8c1e9a7d4036b1c2d3e4f50617")});
        let connectors = json["connectors"].as_array_mut().unwrap();
        connectors.extend([
            json!({"id": "app", "type": "mobile_app", "app_id": APP, "app_secret": secret(11), "platform": "main"}),
            json!({"id": "mini", "type": "mini_program", "app_id": MINI, "app_secret": secret(22), "platform": "main"}),
            json!({"id": "launch", "type": "app_to_mini_program", "app_id": MINI, "app_secret": secret(22), "platform": "main",
                   "original_id": "gh_0123456789ab", "page": "pages/login/index", "version": "trial"}),
        ]);
        json["applications"][0]["connectors"] = json!(["pc", "app", "mini", "launch"]);
        json["applications"][1]["connectors"] = json!(["admin-pc", "app", "launch"]);
        change(json);
    });
    world.exchange = ok(json!({"access_token": "at", "openid": "o1", "scope": "snsapi_userinfo", "unionid": "u1"}));
    world.accounts = [
        ("sns.jscode2session", ok(json!({"openid": "o1", "unionid": "u1", "session_key": SESSION_KEY}))),
        ("cgi.stable_token", ok(json!({"access_token": "SERVER-TOKEN", "expires_in": 7200}))),
        ("wxa.phone_number", phone("13800138000", MINI)),
        ("wxa.generatescheme", ok(json!({"errcode": 0, "openlink": "weixin://dl/business/?t=8sg7zkhUnKg"}))),
        ("wxa.generate_urllink", ok(json!({"errcode": 0, "url_link": "https://wxaurl.cn/8sg7zkhUnKg"}))),
        ("tickets.create", ok(json!({"answer": "created", "ticket": TICKET, "expires_at": 1_000_600}))),
        ("tickets.find", ok(ticket(json!({})))),
        ("tickets.confirm", ok(json!({"answer": "done", "ticket": ticket(json!({"state": "confirmed", "expires_at": 1_000_060}))}))),
        (
            "tickets.redeem",
            ok(json!({"answer": "redeemed", "identity": {"app_id": MINI, "openid": "o1", "phone_number": "+8613800138000"}})),
        ),
    ]
    .into();
    world
}

fn phone(number: &str, app_id: &str) -> CallResult {
    ok(json!({"errcode": 0, "phone_info": {"phoneNumber": number, "purePhoneNumber": number, "countryCode": "86",
              "watermark": {"timestamp": 1, "appid": app_id}}}))
}

fn ticket(change: Value) -> Value {
    let mut ticket = json!({"purpose": "launch", "application": "shop", "connector": "launch", "app_id": MINI, "state": "waiting",
                            "created_at": 1_000_000, "expires_at": 1_000_600});
    change.as_object().unwrap().iter().for_each(|(name, value)| ticket[name] = value.clone());
    ticket
}

/// The resolver's answer to a login by this app.
fn known_to(app_id: &str) -> CallResult {
    let mut outcome: Value = serde_json::from_slice(&signed_in("o1").unwrap().body).unwrap();
    outcome["identity"]["app_id"] = app_id.into();
    ok(outcome)
}

fn refusal(errcode: i64) -> CallResult {
    ok(json!({"errcode": errcode, "errmsg": "x, rid: 6ab499e5-63eafdbb-7e7c6958"}))
}

fn post_to(world: &mut World, host: &str, path: &str, body: &Value) -> Reply {
    world.body = Ok(body.to_string().into());
    let reply = reply(world.send(&Browser::default().with("content-type", JSON).request("POST", host, path)));
    assert_eq!(header(&reply, "content-type"), Some(JSON));
    assert_eq!((header(&reply, "set-cookie"), header(&reply, "cache-control")), (None, Some("no-store")));
    reply
}

fn post(world: &mut World, path: &str, body: &Value) -> Reply {
    post_to(world, "shop.example.com", path, body)
}

/// What the app sends after WeChat's SDK has led back to it.
fn back_from_wechat(world: &mut World) -> Value {
    let started = body(&post(world, "/wxgate/start/app", &json!({"challenge": CHALLENGE})));
    json!({"code": "CODE1", "state": started["state"], "verifier": VERIFIER})
}

/// What a mini program has handed back to the app that opened it.
fn handed_back(world: &mut World) -> Value {
    let confirmed = post(world, "/wxgate/code/launch", &json!({"ticket": TICKET, "code": "CODE1"}));
    json!({"hand_back": body(&confirmed)["hand_back"], "verifier": VERIFIER})
}

fn sent(world: &World, label: &str) -> Value {
    let (.., body) = world.calls.iter().rfind(|(found, ..)| *found == label).unwrap_or_else(|| panic!("no {label}"));
    serde_json::from_slice(body).unwrap()
}

#[test]
fn wechat_s_refusals_are_json_that_says_what_to_do() {
    for (errcode, status, expected) in [
        (40029, 400, "code_rejected"),
        (40163, 400, "code_rejected"),
        (40226, 403, "wechat_user_blocked"),
        (45011, 503, "wechat_busy"),
        (-1, 503, "wechat_busy"),
        (40013, 500, "wechat_misconfigured"),
        (40125, 500, "wechat_misconfigured"),
        (99999, 500, "wechat_misconfigured"),
    ] {
        let mut world = world();
        world.exchange = refusal(errcode);
        world.accounts.insert("sns.jscode2session", refusal(errcode));
        let from_app = back_from_wechat(&mut world);
        for (path, sent) in [
            ("/wxgate/code/app", from_app),
            ("/wxgate/code/mini", json!({"code": "CODE1"})),
            ("/wxgate/code/launch", json!({"ticket": TICKET, "code": "CODE1"})),
        ] {
            let refused = post(&mut world, path, &sent);
            assert_eq!((refused.status, code(&refused).as_str()), (status, expected), "{path} {errcode}");
            assert_eq!(header(&refused, "retry-after").is_some(), status == 503);
            assert!(body(&refused)["message"].is_string() && body(&refused)["reference"].is_string());
        }
    }
}

#[test]
fn a_login_that_waits_for_its_person_is_told_as_json_and_answered_at_account() {
    for (connector, app_id) in [("app", APP), ("mini", MINI), ("launch", MINI)] {
        let mut world = world();
        world.login = vec![ok(json!({"outcome": "bind_account", "pending": TICKET, "expires_at": 1_000_600}))];
        let sent_body = match connector {
            "app" => back_from_wechat(&mut world),
            "mini" => json!({"code": "CODE1"}),
            _ => handed_back(&mut world),
        };
        let asked = post(&mut world, &format!("/wxgate/code/{connector}"), &sent_body);
        let told = body(&asked);
        assert_eq!((asked.status, told["error"].as_str(), told["expires_at"].as_u64()), (409, Some("bind_account"), Some(1_000_600)));
        assert_eq!(told["account_url"], "https://shop.example.com/wxgate/account");
        assert!(!told.to_string().contains(TICKET), "the resolver's name for it stays sealed");
        let outcome: Value = serde_json::from_slice(&known_to(app_id).unwrap().body).unwrap();
        world.accounts.insert("pending.finish", ok(json!({"answer": "finished", "outcome": outcome})));
        let session = post(&mut world, "/wxgate/account", &json!({"pending": told["pending"], "action": "create"}));
        assert_eq!(session.status, 200);
        assert!(body(&session)["token"].as_str().unwrap().starts_with("wxg1."), "{connector}");
    }
}

#[test]
fn a_login_may_begin_at_one_envoy_and_end_at_another() {
    for (connector, app_id) in [("app", APP), ("mini", MINI), ("launch", MINI)] {
        let mut world = world();
        (world.is_roaming, world.login) = (true, vec![known_to(app_id)]);
        let sent_body = match connector {
            "app" => back_from_wechat(&mut world),
            "mini" => json!({"code": "CODE1", "phone_code": "PHONE1"}),
            _ => handed_back(&mut world),
        };
        let session = body(&post(&mut world, &format!("/wxgate/code/{connector}"), &sent_body));
        let mut app = Browser::default().with("authorization", &format!("Bearer {}", session["token"].as_str().unwrap()));
        forwarded(app.send(&mut world, "GET", "shop.example.com", "/cart"));
    }
}

#[test]
fn outages_of_the_resolver_are_said_and_a_lost_login_is_sent_once_more() {
    let mut world = world();
    world.login = vec![Err(CallFailure::Reset), known_to(MINI)];
    assert_eq!(post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1"})).status, 200);
    world.login = vec![Err(CallFailure::NotSent)];
    let failed = post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1"}));
    assert_eq!((failed.status, code(&failed).as_str()), (503, "accounts_unavailable"));
    world.login = vec![ok(json!({"outcome": "profile_required"}))];
    assert_eq!(code(&post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1"}))), "accounts_rejected");
    world.login = vec![ok(json!({"outcome": "refused", "reason": "registration_closed"}))];
    assert_eq!(code(&post(&mut world, "/wxgate/code/mini", &json!({"code": "CODE1"}))), "registration_closed");
}

#[test]
fn each_request_has_its_method_its_connector_and_its_kind_of_body() {
    let mut world = world();
    let mut ask = |method: &str, path: &str, content_type: &str, body: BodyResult| {
        world.body = body;
        let request = Browser::default().with("content-type", content_type).request(method, "shop.example.com", path);
        let reply = reply(world.send(&request));
        (reply.status, code(&reply))
    };
    let empty = || Ok(b"{}".to_vec());
    for (path, status, expected) in [
        ("/wxgate/start/none", 404, "unknown_connector"),
        ("/wxgate/code/none", 404, "unknown_connector"),
        ("/wxgate/code/", 404, "unknown_connector"),
        ("/wxgate/code/admin-pc", 404, "unknown_connector"),
        ("/wxgate/start/pc", 405, "method_not_allowed"),
        ("/wxgate/code/pc", 405, "method_not_allowed"),
        ("/wxgate/start/mini", 405, "method_not_allowed"),
    ] {
        assert_eq!(ask("POST", path, JSON, empty()), (status, expected.into()), "{path}");
    }
    assert_eq!(ask("GET", "/wxgate/code/mini", JSON, empty()).0, 405);
    for path in ["/wxgate/start/app", "/wxgate/code/app", "/wxgate/code/mini", "/wxgate/start/launch", "/wxgate/code/launch"] {
        for other in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            assert_eq!(ask("POST", path, other, empty()), (415, "unsupported_media_type".into()), "{path} {other}");
        }
        for bad in [&b""[..], b"{", b"[]", b"{\"code\":{}}", b"{\"code\":\"a\",\"code\":\"b\"}", b"\xff", b"{}"] {
            assert_eq!(ask("POST", path, JSON, Ok(bad.to_vec())), (400, "malformed_body".into()), "{path}");
        }
        assert_eq!(ask("POST", path, JSON, Err(BodyFailure::TooLarge)), (413, "body_too_large".into()));
        assert_eq!(ask("POST", path, JSON, Err(BodyFailure::TooSlow)), (408, "body_missing".into()));
    }
    assert!(world.calls.is_empty());
}

#[test]
fn no_answer_event_or_log_line_holds_what_only_wechat_and_we_may_know() {
    let mut world = world();
    world.login = vec![known_to(MINI)];
    let mut told = String::new();
    let mut said = |world: &mut World, path: &str, body: Value| told.push_str(&String::from_utf8_lossy(&post(world, path, &body).body));
    for phone in
        [json!({"phone_code": "PHONE-CODE-1"}), json!({"encrypted_data": "QUJDREVGR0hJSktMTU5PUA==", "iv": "QUJDREVGR0hJSktMTU5PUA=="})]
    {
        let mut sent = json!({"code": "LOGIN-CODE-1", "nonce": NONCE});
        phone.as_object().unwrap().iter().for_each(|(name, value)| sent[name] = value.clone());
        said(&mut world, "/wxgate/code/mini", sent.clone());
        sent["ticket"] = TICKET.into();
        said(&mut world, "/wxgate/code/launch", sent);
    }
    let back = handed_back(&mut world);
    said(&mut world, "/wxgate/code/launch", back);
    for answer in [refusal(40125), refusal(40029), ok(json!({"openid": 7, "session_key": SESSION_KEY}))] {
        world.accounts.insert("sns.jscode2session", answer);
        said(&mut world, "/wxgate/code/mini", json!({"code": "LOGIN-CODE-1"}));
    }
    let lines = world.events.iter().filter_map(Event::line).map(|(_, line)| line).chain(world.events.iter().map(Event::counter));
    told.extend(lines);
    let sent: String = world
        .calls
        .iter()
        .filter(|(label, ..)| !label.starts_with("sns"))
        .map(|(_, path, body)| format!("{path}{}", String::from_utf8_lossy(body)))
        .collect();
    let raw: Vec<u8> = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, SESSION_KEY).unwrap();
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    for secret in [SESSION_KEY, &SESSION_KEY[..20], &hex] {
        assert!(!told.contains(secret) && !sent.contains(secret), "the session key goes nowhere");
    }
    for secret in [
        "LOGIN-CODE-1",
        "PHONE-CODE-1",
        "SERVER-TOKEN",
        NONCE,
        VERIFIER,
        TICKET,
        "11f2b8c1e9a7d4036b1c2d3e4f50617",
        "22f2b8c1e9a7d4036b1c2d3e4f50617",
    ] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    assert!(told.contains("errcode 40125"), "the operator hears what WeChat said");
}

mod whatever_a_client_sends {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = String> {
        let tame = vec![TICKET, VERIFIER, CHALLENGE, "CODE1", "scheme", "url_link", "wxg1.a.b", "", "YWJj", "QUJDREVGR0hJSktMTU5PUA=="];
        prop_oneof![prop::sample::select(tame).prop_map(str::to_owned), ".{0,30}"]
    }

    fn fields() -> impl Strategy<Value = HashMap<String, String>> {
        let names =
            ["code", "state", "verifier", "challenge", "link", "phone_code", "encrypted_data", "iv", "nonce", "ticket", "hand_back"];
        prop::collection::hash_map(prop::sample::select(names.to_vec()).prop_map(str::to_owned), value(), 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_answered_as_json_and_never_with_a_failure_of_ours(fields in fields(), path in 0usize..5, answer in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
            let mut world = world();
            world.login = vec![known_to(MINI)];
            for label in ["sns.jscode2session", "wxa.phone_number", "tickets.find"] {
                if answer.len() % 3 == label.len() % 3 {
                    world.accounts.insert(label, Ok(HttpReply { status: 200, body: answer.clone().into_bytes() }));
                }
            }
            let path = ["/wxgate/start/app", "/wxgate/code/app", "/wxgate/code/mini", "/wxgate/start/launch", "/wxgate/code/launch"][path];
            let reply = post(&mut world, path, &json!(fields));
            prop_assert!(body(&reply).is_object() && (200..=503).contains(&reply.status));
            prop_assert!(body(&reply)["error"] != "internal");
        }
    }
}
