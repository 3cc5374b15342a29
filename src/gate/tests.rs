//! Stories of visitors at the gate, on virtual time, with WeChat and the resolver played by the test.

mod account;
mod hand_over;
mod logins;
mod native;
mod push;
mod requests;
mod scans;
mod sessions;
mod ways;

use std::collections::HashMap;
use std::rc::Rc;

use jwt_simple::prelude::*;
use serde_json::{Value, json};

use super::Gate;
use crate::config;
use crate::http::{BodyResult, CallFailure, CallResult, Headers, HttpCall, HttpReply, Moment, Peer, Request};
use crate::session::test_key_text;
use crate::step::{CookieEdit, Event, Forward, Reply, Step, Verdict};

const PC: &str = "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0 Safari/537.36";
const WECHAT: &str = "Mozilla/5.0 (iPhone) Mobile/15E148 MicroMessenger/8.0.54(0x18003625) NetType/WIFI";
const HOUR: u64 = 3600;

/// A gate with WeChat and a resolver behind it, and a clock.
struct World {
    gate: Rc<Gate>,
    now: u64,
    seed: u32,
    key: ES256KeyPair,
    /// What WeChat's exchange of a code answers.
    exchange: CallResult,
    /// What WeChat's profile answers.
    profile: CallResult,
    /// What the resolver answers to a login, and how often it was asked.
    login: Vec<CallResult>,
    /// What the resolver answers to the question for an outcome.
    outcome: CallResult,
    /// What WeChat and the resolver answer to anything else, by the call's label.
    accounts: HashMap<&'static str, CallResult>,
    /// Whoever else answers calls, before all others.
    neighbour: Option<Neighbour>,
    /// What comes of the body of a request.
    body: BodyResult,
    /// All calls in order, as `label path`.
    calls: Vec<(&'static str, String, Vec<u8>)>,
    events: Vec<Event>,
    configuration: Vec<u8>,
    /// Whether each request comes to another Envoy, which has just started.
    is_roaming: bool,
}

/// Answers the calls that it knows, at that time.
type Neighbour = Box<dyn FnMut(&HttpCall, u64) -> Option<CallResult>>;

fn ok(body: Value) -> CallResult {
    Ok(HttpReply { status: 200, body: body.to_string().into_bytes() })
}

fn signed_in(openid: &str) -> CallResult {
    ok(json!({
        "outcome": "signed_in", "user": {"id": "01900000-0000-7000-8000-000000000001", "name": "小明"},
        "session_id": "AAAAAAAAAAAAAAAAAAAAAA", "auth_time": 1_000_000, "new_user": false,
        "identity": {"app_id": "wx0000000000000001", "openid": openid}
    }))
}

/// The claims beside the registered ones, as an application's library reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct IdentityClaims {
    sid: String,
    auth_time: u64,
    connector: String,
    name: Option<String>,
    picture: Option<String>,
    phone_number: Option<String>,
    phone_number_verified: Option<bool>,
    wechat: Option<WechatClaim>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WechatClaim {
    app_id: String,
    openid: String,
    unionid: Option<String>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Value)) -> Self {
        let key = ES256KeyPair::generate();
        let mut configuration = json!({
            "resolver": {"token": {"inline": test_key_text(9)}},
            "session": {"keys": [{"inline": test_key_text(1)}]},
            "identity": {"issuer": "https://shop.example.com", "claim_headers": {"x-user-id": "sub"},
                         "keys": [{"alg": "ES256", "private_key": {"inline": key.to_pem().unwrap()}}]},
            "connectors": [
                {"id": "pc", "type": "website_qr", "app_id": "wx0000000000000001", "app_secret": {"inline": "5f2b8c1e9a7d4036b1c2d3e4f5061728"}, "platform": "main"},
                {"id": "in-wechat", "type": "official_account_web", "app_id": "wx0000000000000002", "app_secret": {"inline": "8a1f6c3e0b9d4527c4d5e6f708192a3b"},
                 "platform": "main", "scope": "snsapi_base"},
                {"id": "admin-pc", "type": "website_qr", "app_id": "wx0000000000000003", "app_secret": {"inline": "c4d5e6f708192a3b8a1f6c3e0b9d4527"}, "platform": "main"}
            ],
            "applications": [
                {"id": "shop", "origin": "https://shop.example.com", "hosts": ["www.example.com"], "connectors": ["pc", "in-wechat"],
                 "rules": [{"path_prefix": "/assets", "access": "public"}, {"path_exact": "/", "access": "optional"},
                           {"path_prefix": "/api", "access": "protected", "preflight": "allow"}],
                 "verification_files": [{"path": "/MP_verify_abc.txt", "content": "abc"}]},
                {"id": "admin", "origin": "https://admin.example.com", "pool": "staff", "connectors": ["admin-pc"], "experience": true}
            ]
        });
        change(&mut configuration);
        let configuration = configuration.to_string().into_bytes();
        Self {
            gate: gate(&configuration),
            now: 1_000_000,
            seed: 0,
            key,
            exchange: ok(json!({"access_token": "at", "openid": "o1", "scope": "snsapi_login", "unionid": "u1"})),
            profile: ok(json!({"openid": "o1", "nickname": "小明", "headimgurl": ""})),
            login: vec![signed_in("o1")],
            outcome: Ok(HttpReply { status: 404, body: vec![] }),
            accounts: HashMap::new(),
            neighbour: None,
            body: Ok(vec![]),
            calls: vec![],
            events: vec![],
            configuration,
            is_roaming: false,
        }
    }

    fn moment(&mut self) -> Moment {
        self.seed += 1;
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&self.seed.to_be_bytes());
        Moment { now_ms: self.now * 1000, seed }
    }

    fn send(&mut self, request: &Request) -> Verdict {
        if self.is_roaming {
            self.gate = gate(&self.configuration);
        }
        let moment = self.moment();
        let mut step = self.gate.clone().begin(request, moment);
        loop {
            step = match step {
                Step::Done(outcome) => {
                    self.events.extend(outcome.events);
                    return outcome.verdict;
                }
                Step::Call(call, suspended) => {
                    let result = self.answer(&call);
                    let moment = self.moment();
                    suspended.resume(result, moment)
                }
                Step::ReadBody(suspended) => {
                    let moment = self.moment();
                    suspended.resume(self.body.clone(), moment)
                }
            }
        }
    }

    fn answer(&mut self, call: &HttpCall) -> CallResult {
        self.calls.push((call.label, call.path.clone(), call.body.clone()));
        if let Some(result) = self.neighbour.as_mut().and_then(|neighbour| neighbour(call, self.now)) {
            return result;
        }
        match (call.peer, call.label) {
            (Peer::Wechat, "sns.access_token") => self.exchange.clone(),
            (Peer::Wechat, "sns.userinfo") => self.profile.clone(),
            (Peer::Resolver, "logins.create") if self.login.len() > 1 => self.login.remove(0),
            (Peer::Resolver, "logins.create") => self.login[0].clone(),
            (Peer::Resolver, "logins.find") => self.outcome.clone(),
            (Peer::Resolver, "sessions.revoke") => Ok(HttpReply { status: 204, body: vec![] }),
            (_, label) if self.accounts.contains_key(label) => self.accounts[label].clone(),
            other => panic!("nobody answers {other:?}"),
        }
    }

    fn labels(&self) -> Vec<&'static str> {
        self.calls.iter().map(|(label, ..)| *label).collect()
    }

    /// The claims of an identity header, checked with the published key.
    fn verified(&self, forward: &Forward) -> JWTClaims<IdentityClaims> {
        let token = &forward.identity.as_ref().expect("an identity").headers[0].1;
        let options = VerificationOptions {
            artificial_time: Some(UnixTimeStamp::from_secs(self.now)),
            allowed_audiences: Some(["shop".to_owned()].into()),
            allowed_issuers: Some(["https://shop.example.com".to_owned()].into()),
            ..Default::default()
        };
        self.key.public_key().verify_token(token, Some(options)).unwrap()
    }
}

/// What an Envoy has that starts with this configuration.
fn gate(configuration: &[u8]) -> Rc<Gate> {
    let compiled = config::compile(configuration, &|_| None);
    let config = compiled.unwrap_or_else(|problems| panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    Rc::new(Gate::new(config))
}

/// A browser: keeps cookies, and follows redirects only where a story does.
#[derive(Default, Clone)]
struct Browser {
    cookies: HashMap<String, String>,
    extra: Vec<(String, Vec<u8>)>,
    user_agent: Option<&'static str>,
}

impl Browser {
    fn in_wechat() -> Self {
        Self { user_agent: Some(WECHAT), ..Self::default() }
    }

    fn request(&self, method: &str, host: &str, path: &str) -> Request {
        let cookie = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut pairs = vec![(":method", method.as_bytes()), (":path", path.as_bytes()), (":authority", host.as_bytes())];
        pairs.push(("user-agent", self.user_agent.unwrap_or(PC).as_bytes()));
        if !cookie.is_empty() {
            pairs.push(("cookie", cookie.as_bytes()));
        }
        pairs.extend(self.extra.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
        Request { headers: Headers::from_pairs(pairs), source: || Some(b"203.0.113.7:52011".to_vec()) }
    }

    fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.extra.push((name.into(), value.into()));
        other
    }

    fn send(&mut self, world: &mut World, method: &str, host: &str, path: &str) -> Verdict {
        let verdict = world.send(&self.request(method, host, path));
        if let Verdict::Reply(reply) = &verdict {
            for (_, cookie) in reply.headers.iter().filter(|(name, _)| *name == "set-cookie") {
                let (name, rest) = cookie.split_once('=').unwrap();
                let value = rest.split(';').next().unwrap();
                assert!(rest.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
                match rest.contains("Max-Age=0") {
                    true => self.cookies.remove(name),
                    false => self.cookies.insert(name.into(), value.into()),
                };
            }
        }
        verdict
    }

    /// Follows a link.
    fn open(&mut self, world: &mut World, path: &str) -> Verdict {
        self.with("accept", "text/html").absorbing(self, |browser| browser.send(world, "GET", "shop.example.com", path))
    }

    fn absorbing(mut self, keep: &mut Self, act: impl FnOnce(&mut Self) -> Verdict) -> Verdict {
        let verdict = act(&mut self);
        keep.cookies = self.cookies;
        verdict
    }

    /// Goes to WeChat and comes back with a code: the address of the callback.
    fn start(&mut self, world: &mut World, connector: &str, return_to: &str) -> String {
        let reply = reply(self.open(world, &format!("/wxgate/start/{connector}?return_to={return_to}")));
        callback_of(&reply)
    }

    fn log_in(&mut self, world: &mut World) -> Reply {
        let callback = self.start(world, "pc", "%2Fcart");
        reply(self.open(world, &callback))
    }

    fn count(&self, prefix: &str) -> usize {
        self.cookies.keys().filter(|name| name.starts_with(prefix)).count()
    }
}

fn callback_of(reply: &Reply) -> String {
    let location = header(reply, "location").expect("a redirect to WeChat");
    let url = url::Url::parse(location).unwrap();
    assert_eq!(url.host_str(), Some("open.weixin.qq.com"), "{location}");
    assert_eq!(url.fragment(), Some("wechat_redirect"));
    let query: HashMap<_, _> = url.query_pairs().collect();
    let redirect = url::Url::parse(&query["redirect_uri"]).unwrap();
    assert_eq!(redirect.host_str(), Some("shop.example.com"));
    format!("{}?code=CODE1&state={}", redirect.path(), query["state"])
}

fn reply(verdict: Verdict) -> Reply {
    match verdict {
        Verdict::Reply(reply) => reply,
        Verdict::Forward(_) => panic!("the request went through"),
    }
}

fn forwarded(verdict: Verdict) -> Forward {
    match verdict {
        Verdict::Forward(forward) => forward,
        Verdict::Reply(reply) => panic!("answered with {} {:?}", reply.status, String::from_utf8_lossy(&reply.body)),
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
}

fn body(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

/// The error code on a page or in a JSON answer.
fn code(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(&reply.body);
    if let Ok(json) = serde_json::from_str::<Value>(&text) {
        return json["error"].as_str().unwrap().into();
    }
    let codes = [
        "denied",
        "attempt_missing",
        "attempt_expired",
        "cookies_not_kept",
        "callback_malformed",
        "code_rejected",
        "snapshot_user",
        "wechat_unavailable",
        "wechat_busy",
        "wechat_misconfigured",
        "accounts_unavailable",
        "accounts_rejected",
        "user_disabled",
        "form_without_session",
        "pending_over",
        "malformed_body",
        "body_too_large",
        "body_missing",
        "unsupported_media_type",
        "cross_site",
        "no_match",
        "identity_taken",
        "link_interrupted",
        "registration_closed",
        "hand_over_over",
        "another_session",
        "too_many_scans",
        "scan_used",
        "method_not_allowed",
    ];
    codes.into_iter().find(|code| text.contains(&format!("<code>{code}</code>"))).unwrap_or_else(|| panic!("{text}")).into()
}
