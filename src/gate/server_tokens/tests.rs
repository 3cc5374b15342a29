//! Workers of an Envoy and what they share, on virtual time, with WeChat's tokens played by the test.

mod forcing;

use serde_json::json;

use super::*;
use crate::config::tests::{compiled, sample};
use crate::coroutine;
use crate::http::{CallResult, Headers, Peer};
use crate::step::{Level, Outcome, Reply, Step, TokenNews, Verdict};

/// WeChat: one app's tokens, with what may befall them.
struct Wechat {
    now_ms: u64,
    /// The one that `stable_token` gives, with its end.
    current: (String, u64),
    /// Calls with these are refused.
    refused: Vec<String>,
    /// Whatever the token.
    refuses_all: bool,
    made: u32,
    /// Questions that force never arrive.
    loses_forced: bool,
    /// What it answers in place of a token.
    fault: Option<CallResult>,
    /// What came, as `(force, now_ms)`.
    asked: Vec<(bool, u64)>,
    seed: u8,
}

fn ok(body: serde_json::Value) -> CallResult {
    Ok(HttpReply { status: 200, body: body.to_string().into_bytes() })
}

impl Wechat {
    fn new() -> Self {
        Self {
            now_ms: 1_000_000_000,
            current: (String::new(), 0),
            refused: vec![],
            refuses_all: false,
            made: 0,
            loses_forced: false,
            fault: None,
            asked: vec![],
            seed: 0,
        }
    }

    fn answer(&mut self, call: &HttpCall) -> CallResult {
        if call.label != "cgi.stable_token" {
            let token = call.path.strip_prefix("/called?access_token=").unwrap();
            let is_refused = self.refuses_all || self.refused.iter().any(|refused| refused == token);
            return ok(if is_refused { json!({"errcode": 40001, "errmsg": "invalid credential"}) } else { json!({"called_with": token}) });
        }
        let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
        let is_forced = body["force_refresh"].as_bool().unwrap();
        self.asked.push((is_forced, self.now_ms));
        if let Some(fault) = &self.fault {
            return fault.clone();
        }
        if is_forced && self.loses_forced {
            return Err(CallFailure::Reset);
        }
        if is_forced || self.now_ms + OVERLAP >= self.current.1 {
            self.made += 1;
            self.current = (format!("98_token{}", self.made), self.now_ms + 7_200_000);
        }
        ok(json!({"access_token": self.current.0, "expires_in": (self.current.1 - self.now_ms) / 1000}))
    }

    fn moment(&mut self) -> Moment {
        self.seed = self.seed.wrapping_add(1);
        Moment { now_ms: self.now_ms, seed: [self.seed; 32] }
    }

    fn refuse(&mut self) {
        self.refused.push(self.current.0.clone());
    }

    fn forced(&self) -> usize {
        self.asked.iter().filter(|(is_forced, _)| *is_forced).count()
    }
}

const OVERLAP: u64 = 300_000;

/// What `src/host/tokens.rs` does with Envoy's shared data, for one app.
struct Envoy {
    shared: (Vec<u8>, u32),
    workers: Vec<Rc<Gate>>,
    events: Vec<Event>,
}

impl Envoy {
    fn new(workers: usize) -> Self {
        Self { shared: (Gate::no_server_token(), 1), workers: (0..workers).map(|_| gate()).collect(), events: vec![] }
    }

    fn tick(&mut self, wechat: &mut Wechat) {
        for gate in self.workers.clone() {
            gate.adopt_server_token(0, &self.shared.0);
            let Some((claimed, call)) = gate.claim_server_token(0, &self.shared.0, wechat.now_ms) else { continue };
            self.shared = (claimed, self.shared.1 + 1);
            self.ask(wechat, &gate, &call, false);
        }
    }

    fn ask(&mut self, wechat: &mut Wechat, gate: &Rc<Gate>, call: &HttpCall, is_forced: bool) {
        let report = TokenReport::of(wechat.answer(call), wechat.now_ms, is_forced);
        if let Some(call) = self.tell(wechat, gate, &report, true) {
            self.ask(wechat, gate, &call, true);
        }
        self.events.extend(gate.server_token_event(0, report));
    }

    fn tell(&mut self, wechat: &mut Wechat, gate: &Gate, report: &TokenReport, is_root: bool) -> Option<HttpCall> {
        let told = gate.tell_server_token(0, &self.shared.0, report, is_root, wechat.moment()).unwrap();
        self.shared = (told.shared, self.shared.1 + 1);
        gate.adopt_server_token(0, &self.shared.0);
        self.events.extend(told.event);
        told.call
    }

    /// A flow at a worker that makes one call: what it was called with, or the failure's code.
    fn call(&mut self, wechat: &mut Wechat, worker: usize) -> Result<String, LoginError> {
        let gate = self.workers[worker].clone();
        gate.adopt_server_token(0, &self.shared.0);
        let mut step = start(&gate, wechat.moment());
        loop {
            step = match step {
                Step::Call(call, suspended) => {
                    let result = wechat.answer(&call);
                    suspended.resume(result, wechat.moment())
                }
                Step::Done(outcome) => return self.end(wechat, &gate, outcome),
                Step::ReadBody(_) => panic!("no body is read"),
            };
        }
    }

    fn end(&mut self, wechat: &mut Wechat, gate: &Gate, outcome: Outcome) -> Result<String, LoginError> {
        for event in &outcome.events {
            if let Event::ServerToken { connector, report } = event {
                assert_eq!(gate.server_token_app(connector), Some(0));
                assert!(self.tell(wechat, gate, report, false).is_none(), "a flow is never told to force");
            }
        }
        self.events.extend(outcome.events);
        let Verdict::Reply(reply) = outcome.verdict else { panic!("flows of this test answer") };
        let text = String::from_utf8(reply.body).unwrap();
        match reply.status {
            200 => Ok(serde_json::from_str::<serde_json::Value>(&text).unwrap()["called_with"].as_str().unwrap().to_owned()),
            _ if text.contains("WechatBusy") => Err(LoginError::WechatBusy),
            _ if text.contains("WechatMisconfigured") => Err(LoginError::WechatMisconfigured),
            _ => Err(LoginError::WechatUnavailable),
        }
    }

    fn news(&mut self) -> Vec<TokenNews> {
        let news = |event: Event| if let Event::ServerTokenNews { news, .. } = event { Some(news) } else { None };
        std::mem::take(&mut self.events).into_iter().filter_map(news).collect()
    }

    /// Lets time go by, with its ticks.
    fn wait(&mut self, wechat: &mut Wechat, milliseconds: u64) {
        let until = wechat.now_ms + milliseconds;
        while wechat.now_ms < until {
            wechat.now_ms = (wechat.now_ms + 250).min(until);
            self.tick(wechat);
        }
    }
}

fn gate() -> Rc<Gate> {
    let mut config = sample();
    config["connectors"].as_array_mut().unwrap().extend([
        json!({"id": "mini", "type": "mini_program", "app_id": "wx0000000000000003", "app_secret": {"env": "WX_MINI_SECRET"}, "platform": "main"}),
        json!({"id": "scan", "type": "mini_program_qr", "app_id": "wx0000000000000003", "app_secret": {"env": "WX_MINI_SECRET"},
               "platform": "main", "page": "pages/login/index"}),
    ]);
    config["applications"][0]["connectors"] = json!(["pc", "mini", "scan"]);
    Rc::new(Gate::new(compiled(&config)))
}

fn start(gate: &Rc<Gate>, moment: Moment) -> Step {
    let gate = gate.clone();
    coroutine::start(moment, |calls| async move {
        let connector = gate.config().applications[0].connector(b"scan").unwrap().clone();
        let build = |token: &str| HttpCall {
            path: format!("/called?access_token={token}"),
            label: "called",
            peer: Peer::Wechat,
            ..server_token::stable_token(&gate.config().wechat, &connector, false)
        };
        let (status, body) = match send(&calls, &gate, &connector, build).await {
            Ok(reply) => (200, reply.body),
            Err(failure) => (503, format!("{failure:?}").into_bytes()),
        };
        Verdict::Reply(Reply { status, headers: vec![], body })
    })
}

#[test]
fn an_app_has_one_token_whatever_connectors_use_it_and_a_new_secret_begins_anew() {
    let names = gate().server_token_names();
    assert_eq!(names.len(), 1, "the website's app needs none, and two connectors have the mini program's");
    assert!(names[0].starts_with("api.weixin.qq.com.wx0000000000000003."), "{names:?}");
    let mut other = sample();
    other["connectors"][0] = json!({"id": "pc", "type": "mini_program", "app_id": "wx0000000000000003", "app_secret": {"env": "WX_OTHER_SECRET"},
                                    "platform": "main"});
    assert_ne!(Gate::new(compiled(&other)).server_token_names(), names);
    other["connectors"][0]["phone_number"] = json!("off");
    assert!(Gate::new(compiled(&other)).server_token_names().is_empty(), "nothing of it needs one");
}

#[test]
fn each_app_is_called_with_its_own_token() {
    let mut config = sample();
    config["connectors"].as_array_mut().unwrap().extend([
        json!({"id": "mini", "type": "mini_program", "app_id": "wx0000000000000003", "app_secret": {"env": "WX_MINI_SECRET"}, "platform": "main"}),
        json!({"id": "scan", "type": "mini_program_qr", "app_id": "wx0000000000000004", "app_secret": {"env": "WX_OTHER_SECRET"},
               "platform": "main", "page": "pages/login/index"}),
    ]);
    config["applications"][0]["connectors"] = json!(["pc", "mini", "scan"]);
    let (gate, moment) = (Rc::new(Gate::new(compiled(&config))), Wechat::new().moment());
    for (app, token) in ["98_of_mini", "98_of_scan"].into_iter().enumerate() {
        let report = TokenReport::of(ok(json!({"access_token": token, "expires_in": 7200})), moment.now_ms, false);
        let told = gate.tell_server_token(app, &Gate::no_server_token(), &report, false, moment).unwrap();
        gate.adopt_server_token(app, &told.shared);
    }
    let Step::Call(call, _) = start(&gate, moment) else { panic!("a token is known") };
    assert_eq!(call.path, "/called?access_token=98_of_scan");
}

#[test]
fn one_worker_fetches_for_all_and_again_before_the_end() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(4));
    envoy.tick(&mut wechat);
    for worker in (0..4).cycle().take(100) {
        assert_eq!(envoy.call(&mut wechat, worker).as_deref(), Ok("98_token1"));
    }
    assert_eq!(wechat.asked.len(), 1);
    envoy.wait(&mut wechat, 6_900_000);
    assert_eq!(wechat.asked.len(), 1, "no other is given before");
    envoy.wait(&mut wechat, 121_000);
    assert_eq!(wechat.asked.len(), 2, "while the old one is still good");
    let after_ms = wechat.asked[1].1 - wechat.asked[0].1;
    assert!((6_905_000..=7_020_250).contains(&after_ms), "{after_ms}");
    assert_eq!(envoy.call(&mut wechat, 3).as_deref(), Ok("98_token2"));
    assert_eq!(envoy.news(), []);
}

#[test]
fn several_envoys_ask_at_different_times() {
    let due: std::collections::HashSet<_> = (0..8)
        .map(|seed| {
            let (mut wechat, mut envoy) = (Wechat { seed: seed * 8, ..Wechat::new() }, Envoy::new(1));
            envoy.tick(&mut wechat);
            envoy.wait(&mut wechat, 7_100_000);
            assert_eq!(wechat.asked.len(), 2);
            wechat.asked[1].1
        })
        .collect();
    assert!(due.len() > 4, "{due:?}");
}

#[test]
fn a_flow_asks_only_where_nobody_has_and_tells_the_others() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(2));
    assert_eq!(envoy.call(&mut wechat, 0).as_deref(), Ok("98_token1"));
    assert_eq!(envoy.call(&mut wechat, 1).as_deref(), Ok("98_token1"));
    envoy.tick(&mut wechat);
    assert_eq!(wechat.asked.len(), 1);
    let ours = to("/wxgate/code/mini");
    assert!(!envoy.workers[1].lacks_server_tokens(&ours, wechat.now_ms));
    wechat.now_ms += 7_200_000;
    assert!(envoy.workers[1].lacks_server_tokens(&ours, wechat.now_ms), "it is over");
}

#[test]
fn a_request_to_an_application_never_looks_for_a_token() {
    let (wechat, envoy) = (Wechat::new(), Envoy::new(1));
    for (path, may_look) in
        [("/wxgate/scan/scan", true), ("/wxgate/code/mini?x", true), ("/", false), ("/orders", false), ("/wxgated", false)]
    {
        assert_eq!(envoy.workers[0].lacks_server_tokens(&to(path), wechat.now_ms), may_look, "{path}");
    }
}

fn to(path: &str) -> Request {
    Request { headers: Headers::from_pairs([(":path", path.as_bytes())]), source: || None }
}

#[test]
fn a_claim_that_is_never_answered_is_over_after_a_while() {
    let (mut wechat, envoy) = (Wechat::new(), Envoy::new(1));
    let (claimed, _) = envoy.workers[0].claim_server_token(0, &envoy.shared.0, wechat.now_ms).unwrap();
    wechat.now_ms += 9_999;
    assert!(envoy.workers[0].claim_server_token(0, &claimed, wechat.now_ms).is_none());
    wechat.now_ms += 1;
    assert!(envoy.workers[0].claim_server_token(0, &claimed, wechat.now_ms).is_some());
    assert!(envoy.workers[0].claim_server_token(0, &claimed, wechat.now_ms - 86_400_000).is_some(), "the clock was set back");
}

#[test]
fn what_wechat_cannot_give_is_asked_for_more_and_more_seldom_by_all_workers_together() {
    let hour = |fault: CallResult| {
        let (mut wechat, mut envoy) = (Wechat { fault: Some(fault), ..Wechat::new() }, Envoy::new(4));
        envoy.wait(&mut wechat, 3_600_000);
        let asked = wechat.asked.clone();
        let gaps: Vec<_> = asked.windows(2).map(|pair| (pair[1].1 - pair[0].1) / 1000).collect();
        let before = wechat.asked.len();
        let refused = envoy.call(&mut wechat, 2).unwrap_err();
        assert_eq!(wechat.asked.len(), before, "a visitor is told at once, and WeChat is left alone");
        wechat.fault = None;
        envoy.wait(&mut wechat, 760_000);
        assert_eq!(envoy.call(&mut wechat, 1).as_deref(), Ok("98_token1"), "all is well by itself");
        let news = envoy.news();
        assert_eq!(news.len(), 2, "told once, and once that it is over: {news:?}");
        assert!(matches!(news[..], [TokenNews::Missing { .. }, TokenNews::Available]));
        (gaps, refused)
    };
    let refusal = |errcode: i64| ok(json!({"errcode": errcode, "errmsg": "no"}));
    for (fault, error) in [
        (Err(CallFailure::Reset), LoginError::WechatUnavailable),
        (Ok(HttpReply { status: 502, body: b"<html>".to_vec() }), LoginError::WechatUnavailable),
        (refusal(-1), LoginError::WechatBusy),
        (refusal(40164), LoginError::WechatMisconfigured),
    ] {
        let (gaps, refused) = hour(fault);
        assert_eq!(refused, error);
        assert!(gaps[0] <= 2 && gaps[3] >= 6 && (60..100).contains(&gaps.len()), "{gaps:?}");
        assert!(gaps[7..].iter().all(|gap| (45..=76).contains(gap)), "{gaps:?}");
    }
    let (gaps, refused) = hour(refusal(45011));
    assert_eq!(refused, LoginError::WechatBusy);
    assert!(gaps.iter().all(|gap| (45..=76).contains(gap)), "the limit is one of a minute: {gaps:?}");
    let (gaps, refused) = hour(refusal(45009));
    assert_eq!(refused, LoginError::WechatBusy);
    assert!(gaps[0] >= 45 && gaps.len() < 12, "the limit is one of a day: {gaps:?}");
}

#[test]
fn a_token_is_used_to_its_end_while_wechat_gives_no_other() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(2));
    envoy.tick(&mut wechat);
    wechat.fault = Some(ok(json!({"errcode": 45009, "errmsg": "quota"})));
    envoy.wait(&mut wechat, 7_190_000);
    assert_eq!(envoy.call(&mut wechat, 1).as_deref(), Ok("98_token1"));
    envoy.wait(&mut wechat, 6_000);
    assert_eq!(envoy.call(&mut wechat, 1), Err(LoginError::WechatBusy));
}

#[test]
fn a_hundred_flows_that_fail_together_count_as_one_failure() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(1));
    let gate = envoy.workers[0].clone();
    let asked_ms = wechat.now_ms;
    wechat.now_ms += 500;
    for _ in 0..100 {
        let report = TokenReport::of(Err(CallFailure::Reset), asked_ms, false);
        envoy.tell(&mut wechat, &gate, &report, false);
    }
    envoy.wait(&mut wechat, 1_500);
    assert_eq!(wechat.asked.len(), 1, "after a second, not after a minute");
}

#[test]
fn a_refusal_counts_once_and_for_its_own_token() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(1));
    envoy.tick(&mut wechat);
    let gate = envoy.workers[0].clone();
    let refused = |token: &str| {
        let token = ServerToken { token: Secret::new(token), expires_in: 0 };
        TokenReport::Refused { token, errcode: 40001 }
    };
    let before = envoy.shared.0.clone();
    envoy.tell(&mut wechat, &gate, &refused("98_token0"), false);
    assert_eq!(envoy.shared.0, before, "the token before it");
    envoy.tell(&mut wechat, &gate, &refused("98_token1"), false);
    let noted = envoy.shared.0.clone();
    assert_ne!(noted, before);
    wechat.now_ms += 100;
    envoy.tell(&mut wechat, &gate, &refused("98_token1"), false);
    assert_eq!(envoy.shared.0, noted, "whoever comes later puts nothing off");
    assert_eq!(envoy.news(), [TokenNews::Refused { errcode: 40001 }]);
}

#[test]
fn a_late_answer_undoes_nothing() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(1));
    let gate = envoy.workers[0].clone();
    let given =
        |token: &str, asked_ms, is_forced| TokenReport::of(ok(json!({"access_token": token, "expires_in": 7200})), asked_ms, is_forced);
    let now = wechat.now_ms;
    envoy.tell(&mut wechat, &gate, &given("98_new", now, false), false);
    for late in [given("98_old", now - 10, false), TokenReport::of(Err(CallFailure::Reset), now - 10, false)] {
        envoy.tell(&mut wechat, &gate, &late, false);
        assert_eq!(gate.server_tokens.0[0].copy.borrow().token(now).unwrap().expose(), "98_new");
    }
    envoy.tell(&mut wechat, &gate, &given("98_forced", now - 10, true), true);
    assert_eq!(
        gate.server_tokens.0[0].copy.borrow().token(now).unwrap().expose(),
        "98_forced",
        "but what was forced is the one that lives"
    );
    assert_eq!(envoy.news(), []);
}

#[test]
fn news_are_for_operators_and_hold_no_token() {
    let (mut wechat, mut envoy) = (Wechat::new(), Envoy::new(1));
    wechat.fault =
        Some(ok(json!({"errcode": 40164, "errmsg": "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 6aac"})));
    envoy.tick(&mut wechat);
    let lines: Vec<_> = envoy.events.iter().filter_map(Event::line).collect();
    let [(Level::Error, line)] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with("server token connector=mini detail=\"no server token: errcode 40164: invalid ip 203.0.113.9"), "{line}");
    assert!(line.contains("IP allow list"), "{line}");
    let counters: Vec<_> = envoy.events.iter().map(Event::counter).collect();
    assert!(counters.contains(&"wxgate_server_tokens_total;connector=mini;result=wechat_misconfigured".to_owned()), "{counters:?}");
    wechat.fault = None;
    envoy.wait(&mut wechat, 2_000);
    wechat.refuse();
    let _ = envoy.call(&mut wechat, 0);
    envoy.wait(&mut wechat, 5_000);
    let told = format!("{:?} {:?}", envoy.events, envoy.events.iter().map(|event| (event.counter(), event.line())).collect::<Vec<_>>());
    assert!(told.contains("result=forced") && !told.contains("98_token") && !told.contains("_SECRET"), "{told}");
}

#[test]
fn whatever_stands_in_shared_data_is_read() {
    let gate = gate();
    let token = |bytes: &[u8]| {
        gate.adopt_server_token(0, bytes);
        gate.server_tokens.0[0].copy.borrow().token(5).map(|token| token.expose().to_owned())
    };
    let mut good = Shared::default();
    good.tell(
        &TokenReport::of(ok(json!({"access_token": "98_a", "expires_in": 7200})), 5, false),
        Moment { now_ms: 5, seed: [0; 32] },
        None,
    );
    let bytes = good.bytes();
    assert_eq!(token(&bytes).as_deref(), Some("98_a"));
    assert_eq!(Shared::parse(&bytes).bytes(), bytes);
    for length in 0..bytes.len() {
        let cut = token(&bytes[..length]);
        assert!(cut.is_none_or(|token| "98_a".starts_with(&token)), "{length}");
    }
    assert_eq!(token(&[0xff; 300]), None);
    assert_eq!(gate.claim_server_token(7, &bytes, 5).map(drop), None, "an app that there is not");
}
