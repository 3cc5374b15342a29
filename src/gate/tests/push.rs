//! WeChat's message push, on virtual time: what comes is WeChat's or is refused, and what is WeChat's has one effect.

mod message_server;
mod other_apps;
mod refusals;
mod scans;

use super::*;
use crate::http::{BodyFailure, push_escaped};
use crate::secret::Secret;
use crate::step::ScanStep;
use crate::wechat::message_push::tests::{deciphered, enciphered, signed};

const TOKEN: &str = "pushtoken0001";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const OLD_KEY: &str = "BCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr";
const APP: &str = "wx0000000000000002";
const TICKET: &str = "Zm9vYmFyYmF6cXV4MTIzNA";
const PATH: &str = "/wxgate/push/follow";

/// A gate whose shop has an official account to follow; `change` is a change to that connector.
fn world(change: impl Fn(&mut Value)) -> World {
    let mut world = World::with(|configuration| {
        let mut follow = json!({
            "id": "follow", "type": "official_account_qr", "app_id": APP, "app_secret": {"inline": "8a1f6c3e0b9d4527c4d5e6f708192a3b"},
            "platform": "main", "welcome": "欢迎",
            "push": {"token": {"inline": TOKEN}, "encoding_aes_keys": [{"inline": KEY}, {"inline": OLD_KEY}]}
        });
        change(&mut follow);
        configuration["connectors"].as_array_mut().unwrap().push(follow);
        for application in configuration["applications"].as_array_mut().unwrap() {
            application["connectors"].as_array_mut().unwrap().push("follow".into());
        }
    });
    let token = ok(json!({"access_token": "34_token", "expires_in": 7200}));
    let follower = ok(json!({"subscribe": 1, "openid": "o1", "unionid": "u1"}));
    let done = |state| ok(json!({"answer": "done", "ticket": ticket("shop", "follow", state)}));
    world.accounts = [
        ("cgi.stable_token", token),
        ("cgi.user_info", follower),
        ("tickets.scan", done("scanned")),
        ("tickets.confirm", done("confirmed")),
        ("authorizations.withdraw", Ok(HttpReply { status: 204, body: vec![] })),
    ]
    .into();
    world
}

fn confirming() -> World {
    world(|_| {})
}

fn unconfirmed() -> World {
    world(|follow| follow["confirm"] = false.into())
}

fn with_message_server() -> World {
    world(|follow| {
        follow["message_server"] = true.into();
        follow.as_object_mut().unwrap().remove("welcome");
    })
}

fn ticket(application: &str, connector: &str, state: &str) -> Value {
    json!({"purpose": "scan", "application": application, "connector": connector, "app_id": APP, "state": state, "created_at": 1, "expires_at": 1_000_300})
}

/// What WeChat would send.
#[derive(Clone)]
struct Post {
    path: String,
    body: Vec<u8>,
    method: &'static str,
}

impl Post {
    /// In safe mode, under this key, signed at this time.
    fn sealed(message: &str, key: &str, at: u64) -> Self {
        Self::about(APP, PATH, message, key, at)
    }

    /// The same about another app, to this address.
    fn about(app_id: &str, path: &str, message: &str, key: &str, at: u64) -> Self {
        let encrypted = enciphered(key, message, app_id);
        let at = at.to_string();
        let (address, message) = (signed(&[TOKEN, &at, "n1"]), signed(&[TOKEN, &at, "n1", &encrypted]));
        let path = format!("{path}?signature={address}&timestamp={at}&nonce=n1&openid=o1&encrypt_type=aes&msg_signature={message}");
        let body = format!("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>");
        Self { path, body: body.into_bytes(), method: "POST" }
    }

    fn plain(message: &str) -> Self {
        let path = format!("{PATH}?signature={}&timestamp=1000000&nonce=n1&openid=o1", signed(&[TOKEN, "1000000", "n1"]));
        Self { path, body: message.into(), method: "POST" }
    }

    fn verification(echo: &str) -> Self {
        let mut path = format!("{PATH}?signature={}&timestamp=1000000&nonce=n1&echostr=", signed(&[TOKEN, "1000000", "n1"]));
        push_escaped(&mut path, echo.as_bytes());
        Self { path, body: vec![], method: "GET" }
    }

    fn send(&self, world: &mut World) -> Verdict {
        self.send_as(world, &Browser::default().with("content-type", "text/xml"))
    }

    fn send_as(&self, world: &mut World, client: &Browser) -> Verdict {
        world.body = Ok(self.body.clone());
        world.send(&client.request(self.method, "shop.example.com", &self.path))
    }
}

fn message(fields: &[(&str, &str)]) -> String {
    let common = [("ToUserName", "gh_1"), ("FromUserName", "o1"), ("CreateTime", "999999"), ("MsgType", "event")];
    let own = |name: &str| fields.iter().any(|(found, _)| *found == name);
    let fields = common.iter().filter(|(name, _)| !own(name)).chain(fields);
    let inner: String = fields.map(|(name, value)| format!("<{name}><![CDATA[{value}]]></{name}>")).collect();
    format!("<xml>{inner}</xml>")
}

fn scan() -> String {
    message(&[("Event", "SCAN"), ("EventKey", TICKET)])
}

fn follow() -> String {
    message(&[("Event", "subscribe"), ("EventKey", &format!("qrscene_{TICKET}"))])
}

fn now(message: &str) -> Post {
    Post::sealed(message, KEY, 1_000_000)
}

fn is_success(verdict: Verdict) -> bool {
    let reply = reply(verdict);
    (reply.status, reply.body.as_slice()) == (200, b"success") && header(&reply, "content-type") == Some("text/plain; charset=utf-8")
}

fn results(world: &World) -> Vec<(&'static str, &'static str)> {
    results_at(world, "follow")
}

fn results_at(world: &World, id: &str) -> Vec<(&'static str, &'static str)> {
    let pushed = |event: &Event| match event {
        Event::Pushed { connector, kind, result } if connector == id => Some((*kind, *result)),
        _ => None,
    };
    world.events.iter().filter_map(pushed).collect()
}

/// The steps of scans, and of which connector's.
fn steps(world: &World) -> Vec<(&str, ScanStep)> {
    let step = |event| match event {
        &Event::Scan { ref connector, step } => Some((connector.as_str(), step)),
        _ => None,
    };
    world.events.iter().filter_map(step).collect()
}

fn sent(world: &World, label: &str) -> Value {
    let (.., body) = world.calls.iter().find(|(found, ..)| *found == label).unwrap_or_else(|| panic!("no call {label}"));
    serde_json::from_slice(body).unwrap()
}

/// The text of an encrypted reply, and what opens it.
fn said(verdict: Verdict, key: &str) -> String {
    let reply = reply(verdict);
    assert_eq!((reply.status, header(&reply, "content-type")), (200, Some("text/xml; charset=utf-8")));
    assert_eq!((header(&reply, "cache-control"), header(&reply, "x-content-type-options")), (Some("no-store"), Some("nosniff")));
    let inner = deciphered(&Secret::new(TOKEN), key, &reply.body, APP);
    let text = inner.split("<Content><![CDATA[").nth(1).and_then(|rest| rest.split("]]></Content>").next()).unwrap();
    assert!(inner.contains("<ToUserName><![CDATA[o1]]>") && inner.contains("<FromUserName><![CDATA[gh_1]]>"), "{inner}");
    text.into()
}

#[test]
fn the_key_before_the_current_one_opens_a_message_and_encrypts_its_reply() {
    let mut world = confirming();
    let text = said(Post::sealed(&scan(), OLD_KEY, 1_000_000).send(&mut world), OLD_KEY);
    assert!(text.contains("/scan/follow/confirm?"), "{text}");
}

#[test]
fn an_old_push_is_answered_and_has_no_effect() {
    let revoked = message(&[("Event", "user_authorization_revoke"), ("OpenID", "o1"), ("AppID", APP)]);
    for (message, kind) in [(scan(), "scan"), (follow(), "follow"), (revoked, "withdrawal")] {
        for at in [999_399, 1_000_601, 1] {
            let mut world = confirming();
            assert!(is_success(Post::sealed(&message, KEY, at).send(&mut world)));
            assert!(world.calls.is_empty());
            assert_eq!(results(&world), [(kind, "stale")]);
        }
    }
}

#[test]
fn what_is_nothing_to_us_is_answered_and_nobody_is_asked() {
    for fields in [
        &[("MsgType", "text"), ("Content", TICKET), ("MsgId", "1")][..],
        &[("Event", "unsubscribe"), ("EventKey", TICKET)],
        &[("Event", "LOCATION")],
        &[("Event", "subscribe"), ("EventKey", "")],
        &[("Event", "SCAN"), ("EventKey", "spring-sale")],
        &[("Event", "user_authorization_revoke"), ("AppID", APP)],
        &[("Event", "later_invention"), ("EventKey", TICKET)],
    ] {
        let mut world = confirming();
        assert!(is_success(now(&message(fields)).send(&mut world)), "{fields:?}");
        assert!(world.calls.is_empty());
        assert_eq!(results(&world), [("other", "ignored")]);
    }
}

#[test]
fn what_could_not_be_stored_is_503_so_that_wechat_brings_it_again() {
    let gone = |status| Ok(HttpReply { status, body: vec![] });
    for (label, answer) in [
        ("cgi.stable_token", gone(502)),
        ("cgi.user_info", ok(json!({"errcode": -1, "errmsg": "system error"}))),
        ("cgi.user_info", ok(json!({"errcode": 48001, "errmsg": "api unauthorized"}))),
        ("cgi.user_info", ok(json!({"subscribe": 0, "openid": "o1"}))),
        ("cgi.user_info", ok(json!({"subscribe": 1, "openid": "another", "unionid": "u1"}))),
        ("tickets.scan", gone(500)),
        ("tickets.scan", gone(401)),
        ("tickets.scan", Err(CallFailure::NotSent)),
        ("tickets.scan", ok(json!({"answer": "perhaps"}))),
    ] {
        for mut world in [confirming(), with_message_server()] {
            world.accounts.insert(label, answer.clone());
            // With a message server a scan confirms.
            world.accounts.insert("tickets.confirm", world.accounts["tickets.scan"].clone());
            let refused = reply(now(&scan()).send(&mut world));
            assert_eq!(refused.status, 503, "{label} {answer:?}");
            assert_eq!(results(&world), [("scan", "not_stored")]);
            let failed = |event: &Event| matches!(event, Event::Failed { connector: Some(id), .. } if id == "follow");
            assert!(world.events.iter().any(failed), "it is told as a login that failed");
        }
    }
    let mut world = confirming();
    world.accounts.insert("tickets.scan", gone(503));
    assert_eq!(reply(now(&scan()).send(&mut world)).status, 503);
    assert_eq!(world.labels(), ["cgi.stable_token", "cgi.user_info", "tickets.scan", "tickets.scan"], "once more where it got lost");
}

/// Each call takes 1.5 s: the third has one second left, and where it is lost nothing is tried again.
#[test]
fn all_of_it_takes_four_seconds_at_most() {
    let mut world = confirming();
    world.accounts.insert("tickets.scan", Err(CallFailure::Reset));
    world.body = Ok(now(&scan()).body);
    let request = Browser::default().request("POST", "shop.example.com", &now(&scan()).path);
    let mut at = Moment { now_ms: 1_000_000_000, seed: [1; 32] };
    let mut limits = vec![];
    let mut step = world.gate.clone().begin(&request, at);
    let answer = loop {
        step = match step {
            Step::ReadBody(suspended) => suspended.resume(world.body.clone(), at),
            Step::Call(call, suspended) => {
                limits.push((call.label, call.timeout_ms));
                at.now_ms += 1_500;
                suspended.resume(world.answer(&call), at)
            }
            Step::Done(outcome) => break reply(outcome.verdict),
        }
    };
    assert_eq!(answer.status, 503);
    assert_eq!(limits, [("cgi.stable_token", 4_000), ("cgi.user_info", 2_500), ("tickets.scan", 1_000)]);
}

#[test]
fn an_address_is_verified_for_whoever_signs_and_echoes_nothing_else() {
    let mut world = confirming();
    let answer = reply(Post::verification("4375120948345356249").send(&mut world));
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"4375120948345356249"[..]));
    let attack = reply(Post::verification("<script>alert(1)</script>").send(&mut world));
    assert_eq!(header(&attack, "content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(header(&attack, "x-content-type-options"), Some("nosniff"));
    assert_eq!(results(&world), [("verification", "answered"); 2]);
    for path in [PATH.to_owned(), format!("{PATH}?echostr=<script>alert(1)</script>"), Post::verification("1").path.replace("n1", "n2")] {
        let refused = reply(Post { path, ..Post::verification("1") }.send(&mut world));
        assert_eq!(refused.status, 403);
        assert!(!String::from_utf8_lossy(&refused.body).contains("alert"));
    }
    let refused = reply(Post::verification(&"1".repeat(300)).send(&mut world));
    assert_eq!(refused.status, 403);
}

#[test]
fn plain_messages_are_read_where_the_operator_accepts_that_anybody_may_have_written_them() {
    let plain = || world(|follow| follow["push"] = json!({"token": {"inline": TOKEN}, "mode": "plain", "accept_forgeable_messages": true}));
    let mut world = plain();
    let answer = reply(Post::plain(&scan()).send(&mut world));
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.starts_with("<xml><ToUserName><![CDATA[o1]]>") && text.contains("/wxgate/scan/follow/confirm?confirm="), "{text}");
    let mut world = plain();
    let mut forged = Post::plain(&scan());
    forged.path = forged.path.replace("n1", "n2");
    assert_eq!(reply(forged.send(&mut world)).status, 403);
    let mut world = plain();
    let mut old = Post::plain(&scan());
    old.path = format!("{PATH}?signature={}&timestamp=1&nonce=n1", signed(&[TOKEN, "1", "n1"]));
    assert!(is_success(old.send(&mut world)) && world.calls.is_empty());
}

fn withdrawal(event: &str, app_id: &str, time: &str) -> String {
    message(&[("FromUserName", "wechat"), ("Event", event), ("OpenID", "o7"), ("AppID", app_id), ("UnionID", "u7"), ("CreateTime", time)])
}

#[test]
fn a_withdrawn_consent_ends_in_every_pool_of_that_app_and_in_no_other() {
    for (event, reason) in [("user_authorization_revoke", "revoked"), ("user_authorization_cancellation", "cancelled")] {
        let mut world = confirming();
        assert!(is_success(now(&withdrawal(event, APP, "999990")).send(&mut world)));
        let stored = json!({"pools": ["default", "staff"], "platform": "main", "app_id": APP, "openid": "o7", "unionid": "u7", "reason": reason, "at": 999_990});
        assert_eq!((world.labels(), sent(&world, "authorizations.withdraw")), (vec!["authorizations.withdraw"], stored));
        assert_eq!(results(&world), [("withdrawal", "withdrawn")]);
    }
    let mut world = confirming();
    assert!(is_success(now(&withdrawal("user_authorization_revoke", APP, "2000000")).send(&mut world)));
    assert_eq!(sent(&world, "authorizations.withdraw")["at"], 1_000_000, "nothing of the future ends");
    let mut world = confirming();
    world.accounts.insert("authorizations.withdraw", Ok(HttpReply { status: 500, body: vec![] }));
    assert_eq!(reply(now(&withdrawal("user_authorization_revoke", APP, "999990")).send(&mut world)).status, 503);
}

#[test]
fn nothing_of_a_push_is_told_in_events() {
    let mut world = confirming();
    let revoked = message(&[("Event", "user_authorization_revoke"), ("OpenID", "o7"), ("AppID", APP)]);
    let mut posts =
        vec![now(&scan()), now(&revoked), now(&message(&[("MsgType", "text"), ("Content", "private words")])), Post::plain(&scan())];
    posts.push(now("<xml>private words"));
    for post in posts {
        let _ = post.send(&mut world);
    }
    world.accounts.insert("tickets.scan", Ok(HttpReply { status: 500, body: vec![] }));
    let _ = now(&scan()).send(&mut world);
    for event in &world.events {
        let told = format!("{} {:?} {event:?}", event.counter(), event.line());
        for secret in [TOKEN, KEY, TICKET, "34_token", "o7", "\"o1\"", "u1", "private"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}
