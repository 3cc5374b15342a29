//! Scans: a code on a computer, a phone that scans it, and a browser that collects the login.

mod browser;
mod phone;

use std::cell::RefCell;
use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::login::confirmation::Confirmation;
use crate::step::ScanStep;
use resolver_api::tickets::TicketIdentity;

const SHOP: &str = "shop.example.com";
const MINI: &str = "wx0000000000000004";
const ACCOUNT: &str = "wx0000000000000002";

/// The resolver's tickets and WeChat's servers, as far as scans need them.
#[derive(Default)]
struct Outside {
    tickets: HashMap<String, Kept>,
    /// What comes of the next call of a label, instead of what would.
    mishaps: HashMap<&'static str, VecDeque<CallResult>>,
    /// Codes of `wx.login`, and whose they are.
    people: HashMap<String, &'static str>,
    /// Clusters that were asked, with the time that the call may take.
    clusters: Vec<(&'static str, String, u32)>,
}

struct Kept {
    made: Value,
    state: &'static str,
    scanner: Option<String>,
    identity: Value,
    redemption: Option<Value>,
    expires_at: u64,
}

fn gone() -> CallResult {
    Ok(HttpReply { status: 404, body: vec![] })
}

fn unavailable() -> CallResult {
    Ok(HttpReply { status: 503, body: b"no healthy upstream".to_vec() })
}

impl Outside {
    fn answer(&mut self, call: &HttpCall, now: u64) -> Option<CallResult> {
        self.clusters.push((call.label, call.cluster.clone(), call.timeout_ms));
        if let Some(mishap) = self.mishaps.get_mut(call.label).and_then(VecDeque::pop_front) {
            return Some(mishap);
        }
        let body = || serde_json::from_slice::<Value>(&call.body).unwrap();
        Some(match call.label {
            "cgi.stable_token" => ok(json!({"access_token": "token+1", "expires_in": 7200})),
            "wxa.getwxacodeunlimit" => Ok(HttpReply { status: 200, body: [&[0xff, 0xd8, 0xff, 0xe0][..], &call.body].concat() }),
            "cgi.qrcode_create" => ok(json!({"ticket": "gQ", "expire_seconds": 180, "url": "http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI"})),
            "wxa.phone_number" => {
                ok(json!({"errcode": 0, "phone_info": {"phoneNumber": "13800138000", "purePhoneNumber": "13800138000", "countryCode": "86",
                    "watermark": {"timestamp": now, "appid": MINI}}}))
            }
            "sns.jscode2session" => {
                let code = call.path.split("js_code=").nth(1).unwrap().split('&').next().unwrap();
                match self.people.remove(code) {
                    Some(person) => ok(
                        json!({"openid": format!("o-{person}"), "unionid": format!("u-{person}"), "session_key": "EYHiOw5v7tP4HSvxegKjmw=="}),
                    ),
                    None => ok(json!({"errcode": 40029, "errmsg": "invalid code"})),
                }
            }
            "tickets.create" => {
                let name = format!("{:022}", self.tickets.len());
                let made = body();
                let expires_at = now + made["lifetime_seconds"].as_u64().unwrap();
                let kept = Kept { made, state: "waiting", scanner: None, identity: Value::Null, redemption: None, expires_at };
                self.tickets.insert(name.clone(), kept);
                ok(json!({"answer": "created", "ticket": name, "expires_at": expires_at}))
            }
            label if label.starts_with("tickets.") => self.ticket(label, call, now),
            _ => return None,
        })
    }

    /// As the agreement says, without limits.
    fn ticket(&mut self, label: &str, call: &HttpCall, now: u64) -> CallResult {
        let name = call.path.strip_prefix("/v1/tickets/").unwrap().split(['?', '/']).next().unwrap();
        let Some(kept) = self.tickets.get_mut(name).filter(|kept| now < kept.expires_at) else { return gone() };
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        match label {
            "tickets.find" | "tickets.wait" => return ok(kept.shown()),
            "tickets.redeem" => return kept.redeem(&body, now),
            _ => {}
        }
        let identity = body.get("identity").unwrap_or(&body).clone();
        let openid = identity["openid"].as_str().unwrap().to_owned();
        if identity["app_id"] != kept.made["app_id"] {
            return gone();
        }
        if kept.scanner.as_ref().is_some_and(|scanner| *scanner != openid) {
            return ok(json!({"answer": "taken"}));
        }
        let next = match (label, kept.state) {
            ("tickets.scan", "waiting") => "scanned",
            ("tickets.scan", "scanned") => "scanned",
            ("tickets.scan" | "tickets.confirm", "confirmed") => "confirmed",
            ("tickets.confirm", "waiting" | "scanned") => "confirmed",
            ("tickets.cancel", "waiting" | "scanned" | "confirmed" | "cancelled") => "cancelled",
            _ => return ok(json!({"answer": "settled"})),
        };
        if (next, kept.state) == ("confirmed", "scanned") {
            kept.identity = identity;
            kept.expires_at = now + 60;
        }
        (kept.state, kept.scanner) = (next, Some(openid));
        ok(json!({"answer": "done", "ticket": kept.shown()}))
    }
}

impl Kept {
    fn shown(&self) -> Value {
        let mut shown = json!({"state": self.state, "created_at": 1, "expires_at": self.expires_at});
        for member in ["purpose", "application", "connector", "app_id", "number", "client", "client_address"] {
            shown[member] = self.made[member].clone();
        }
        if self.scanner.is_some() {
            shown["profile"] = json!({"nickname": "小明", "picture": "https://wx.qlogo.cn/x/132"});
        }
        shown
    }

    fn redeem(&mut self, body: &Value, now: u64) -> CallResult {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(body["verifier"].as_str().unwrap()));
        if self.made["challenge"] != challenge || self.made["application"] != body["application"] {
            return gone();
        }
        match (self.state, &self.redemption) {
            ("confirmed", _) => {
                (self.state, self.redemption, self.expires_at) = ("redeemed", Some(body["redemption"].clone()), now + 60);
            }
            ("redeemed", Some(redemption)) if *redemption == body["redemption"] => {}
            ("redeemed", _) => return ok(json!({"answer": "used"})),
            (state, _) => return ok(json!({"answer": "not_confirmed", "state": state})),
        }
        ok(json!({"answer": "redeemed", "identity": self.identity}))
    }
}

/// A gate with both ways to scan, and all that is around it.
struct Stage {
    world: World,
    outside: Rc<RefCell<Outside>>,
}

impl Stage {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Value)) -> Self {
        let mut world = World::with(|json| {
            let connectors = json["connectors"].as_array_mut().unwrap();
            connectors.push(json!({"id": "scan", "type": "mini_program_qr", "app_id": MINI, "app_secret": {"inline": "1a1f6c3e0b9d4527c4d5e6f708192a3b"},
                "platform": "main", "page": "pages/login/index"}));
            connectors.push(json!({"id": "follow", "type": "official_account_qr", "app_id": ACCOUNT, "app_secret": {"inline": "8a1f6c3e0b9d4527c4d5e6f708192a3b"},
                "platform": "main", "push": {"token": {"inline": "pushtoken1"}, "encoding_aes_keys": [{"inline": "a".repeat(43)}]}}));
            json["applications"][0]["connectors"] = json!(["pc", "in-wechat", "scan", "follow"]);
            json["applications"][0]["display_name"] = json!("Shop");
            json["resolver"]["waiting_cluster"] = json!("wxgate_waiting");
            change(json);
        });
        let outside = Rc::<RefCell<Outside>>::default();
        let neighbour = outside.clone();
        world.neighbour = Some(Box::new(move |call, now| neighbour.borrow_mut().answer(call, now)));
        world.login = vec![signed_in_with("o-xiaoming", MINI)];
        Self { world, outside }
    }

    fn mishap(&self, label: &'static str, results: impl IntoIterator<Item = CallResult>) {
        self.outside.borrow_mut().mishaps.insert(label, results.into_iter().collect());
    }

    fn state(&self, ticket: &str) -> &'static str {
        self.outside.borrow().tickets[ticket].state
    }

    fn steps(&self) -> Vec<ScanStep> {
        let step = |event: &Event| match event {
            Event::Scan { step, .. } => Some(*step),
            _ => None,
        };
        self.world.events.iter().filter_map(step).collect()
    }

    fn count(&self, label: &str) -> usize {
        self.world.calls.iter().filter(|(found, ..)| *found == label).count()
    }

    /// What the resolver was told at the latest call of a label.
    fn told(&self, label: &str) -> Value {
        let (.., body) = self.world.calls.iter().rfind(|(found, ..)| *found == label).unwrap();
        serde_json::from_slice(body).unwrap()
    }
}

fn signed_in_with(openid: &str, app_id: &str) -> CallResult {
    ok(json!({
        "outcome": "signed_in", "user": {"id": "01900000-0000-7000-8000-000000000001", "name": "小明"},
        "session_id": "AAAAAAAAAAAAAAAAAAAAAA", "auth_time": 1_000_000, "new_user": false,
        "identity": {"app_id": app_id, "openid": openid}
    }))
}

/// What a script of our login page does.
impl Browser {
    fn fetch(&mut self, stage: &mut Stage, path: &str) -> Reply {
        let script = self.with("accept", "application/json").with("sec-fetch-mode", "cors").with("sec-fetch-site", "same-origin");
        reply(script.absorbing(self, |browser| browser.send(&mut stage.world, "GET", SHOP, path)))
    }

    fn sends(&mut self, stage: &mut Stage, headers: &[(&str, &str)], path: &str, body: &str) -> Reply {
        stage.world.body = Ok(body.as_bytes().to_vec());
        let sender = headers.iter().fold(self.clone(), |browser, (name, value)| browser.with(name, value));
        reply(sender.absorbing(self, |browser| {
            browser.extra.drain(..browser.extra.len() - headers.len());
            browser.send(&mut stage.world, "POST", SHOP, path)
        }))
    }

    fn script_posts(&mut self, stage: &mut Stage, path: &str, fields: &Value) -> Reply {
        let headers = [("origin", "https://shop.example.com"), ("content-type", "application/json"), ("sec-fetch-mode", "cors")];
        self.sends(stage, &headers, path, &fields.to_string())
    }

    fn submit(&mut self, stage: &mut Stage, path: &str, form: &str) -> Reply {
        let headers =
            [("origin", "https://shop.example.com"), ("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
        self.sends(stage, &headers, path, form)
    }

    fn ask_for_a_code(&mut self, stage: &mut Stage, connector: &str) -> Begun {
        let reply = self.script_posts(stage, &format!("/wxgate/scan/{connector}"), &json!({"return_to": "/cart?item=1"}));
        assert_eq!(reply.status, 200, "{:?}", body(&reply));
        let told = body(&reply);
        let text = |member: &str| told[member].as_str().unwrap().to_owned();
        let ticket = format!("{:022}", stage.outside.borrow().tickets.len() - 1);
        Begun { poll: text("poll"), image: text("image"), number: text("number"), told, ticket }
    }
}

/// A code on a screen.
struct Begun {
    poll: String,
    image: String,
    number: String,
    told: Value,
    ticket: String,
}

/// The mini program of somebody who has scanned.
fn open_mini_program(stage: &mut Stage, person: &'static str, ticket: &str) -> Reply {
    stage.outside.borrow_mut().people.insert(format!("code-of-{person}"), person);
    say(stage, &json!({"ticket": ticket, "code": format!("code-of-{person}")}))
}

fn say(stage: &mut Stage, fields: &Value) -> Reply {
    Browser::default().sends(stage, &[("content-type", "application/json")], "/wxgate/scan/scan/confirm", &fields.to_string())
}

fn decide(stage: &mut Stage, scanned: &Reply, action: &str) -> Reply {
    say(stage, &json!({"confirm": body(scanned)["confirm"], "action": action}))
}

fn state_of(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(header(reply, "cache-control"), Some("no-store"));
    body(reply)["state"].as_str().unwrap().into()
}

#[test]
fn a_code_that_wechat_does_not_make_begins_nothing() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    stage.mishap("cgi.qrcode_create", [ok(json!({"errcode": 48001, "errmsg": "api unauthorized"}))]);
    let refused = browser.script_posts(&mut stage, "/wxgate/scan/follow", &json!({}));
    assert_eq!((refused.status, code(&refused).as_str(), browser.cookies.len()), (500, "wechat_misconfigured", 0));
    stage.mishap("tickets.create", [ok(json!({"answer": "created", "ticket": "not what was agreed", "expires_at": 1_000_180}))]);
    assert_eq!(code(&browser.script_posts(&mut stage, "/wxgate/scan/scan", &json!({}))), "accounts_rejected");
}

/// What the Envoys of one gateway must know of each other's scans is in sealed cookies and at the resolver.
#[test]
fn each_step_of_a_scan_may_come_to_another_envoy() {
    for (connector, app_id) in [("scan", MINI), ("follow", ACCOUNT)] {
        let (mut stage, mut browser) = (Stage::new(), Browser::default());
        (stage.world.is_roaming, stage.world.login) = (true, vec![signed_in_with("o-xiaoming", app_id)]);
        let begun = browser.ask_for_a_code(&mut stage, connector);
        assert_eq!(browser.fetch(&mut stage, &begun.image).status, 200);
        if connector == "scan" {
            let scanned = open_mini_program(&mut stage, "xiaoming", &begun.ticket);
            assert_eq!(state_of(&browser.fetch(&mut stage, &format!("{}&known=waiting", begun.poll))), "scanned");
            assert_eq!(state_of(&decide(&mut stage, &scanned, "confirm")), "confirmed");
        } else {
            phone::scan_account_code(&mut stage, &begun.ticket, "o-xiaoming");
            let form = format!("confirm={}&action=confirm", phone::link(&stage, &begun.ticket));
            assert_eq!(Browser::in_wechat().submit(&mut stage, "/wxgate/scan/follow/confirm", &form).status, 200);
        }
        assert_eq!(state_of(&browser.fetch(&mut stage, &format!("{}&known=scanned", begun.poll))), "done");
        let forward = forwarded(browser.open(&mut stage.world, "/cart"));
        assert_eq!(stage.world.verified(&forward).custom.connector, connector);
    }
}

/// ACC-09.
#[test]
fn another_wechat_is_linked_in_the_session_that_asked_and_in_no_other() {
    let (mut stage, mut browser) = (Stage::new(), Browser::default());
    stage.world.login = vec![signed_in("o1")];
    browser.log_in(&mut stage.world);
    stage.world.login = vec![signed_in_with("o-xiaohong", MINI)];
    let begin = |stage: &mut Stage, browser: &mut Browser| {
        let begun = browser.submit(stage, "/wxgate/account", "action=link&connector=scan");
        assert_eq!(begun.status, 303, "{}", String::from_utf8_lossy(&begun.body));
        let ticket = format!("{:022}", stage.outside.borrow().tickets.len() - 1);
        let scanned = open_mini_program(stage, "xiaohong", &ticket);
        decide(stage, &scanned, "confirm");
        header(&begun, "location").unwrap().strip_prefix("https://shop.example.com").unwrap().to_owned()
    };
    let page = begin(&mut stage, &mut browser);
    let mut elsewhere = browser.clone();
    elsewhere.cookies.remove("__Host-wxgate_session");
    let refused = elsewhere.fetch(&mut stage, &page);
    assert_eq!((state_of(&refused).as_str(), body(&refused)["error"].as_str()), ("failed", Some("link_interrupted")));
    assert_eq!(stage.count("tickets.redeem"), 0);

    let linked = reply(browser.open(&mut stage.world, &page));
    assert_eq!((linked.status, header(&linked, "location")), (303, Some("https://shop.example.com/wxgate/account")));
    assert_eq!(stage.told("logins.create")["link_to"], "01900000-0000-7000-8000-000000000001");

    // As a script.
    let begun = browser.script_posts(&mut stage, "/wxgate/account", &json!({"action": "link", "connector": "scan"}));
    assert_eq!(state_of(&begun), "waiting");
}

proptest! {
    #[test]
    fn no_request_makes_it_panic(
        method in "GET|POST",
        path in "/wxgate/scan/(scan|follow|pc|)(/image|/confirm|/)?(\\?(scan|known|confirm)=[a-z%0-9&=.]{0,40})?",
        content_type in "application/json|application/x-www-form-urlencoded|",
        body in "(\\{(\"(ticket|code|confirm|action|phone_code|return_to)\":\"[ -~]{0,30}\",?){0,3}\\}|[ -~]{0,60})",
        cookie in "[ -~]{0,60}",
    ) {
        let mut stage = Stage::new();
        stage.world.body = Ok(body.into_bytes());
        let mut browser = Browser::default().with("content-type", &content_type).with("cookie", &cookie).with("origin", "https://shop.example.com");
        let reply = reply(browser.send(&mut stage.world, &method, SHOP, &path));
        prop_assert!(reply.status < 500 || reply.status == 503, "{}", reply.status);
    }
}
