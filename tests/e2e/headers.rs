//! Nobody but the gate tells the application who somebody is: identity headers in every spelling and place, our own
//! tokens replayed, and what servers merge or split.
//!
//! Each attack runs on the configuration that we ship and on one without any protection of Envoy's own.

use base64::Engine;
use serde_json::{Value, json};
use wxgate_tests::hostile::{Field, Setup, application_route, application_routes};
use wxgate_tests::{Fault, Http2, Identity, Seen, Stack, Visitor, on_both};

on_both![
    identity_headers_of_a_client_never_arrive,
    identity_trailers_never_arrive,
    nothing_but_a_session_of_ours_is_a_way_in,
    a_session_token_reaches_no_application_however_it_is_sent,
    every_configured_claim_header_is_as_safe,
    every_copy_of_a_request_that_envoy_repeats_has_one_identity,
];

/// Access, as the shipped rules have it.
pub(crate) const PUBLIC: &str = "/assets/a.css";
pub(crate) const OPTIONAL: &str = "/";
pub(crate) const PROTECTED: &str = "/account";

/// The headers that only the gate may set, in the shipped configuration.
pub(crate) const OURS: [&str; 2] = ["x-wxgate-identity", "x-user-id"];

/// The attacker, logged in, and the victim's genuine identity, which the attacker has got hold of.
pub(crate) struct Cast {
    pub(crate) attacker: Visitor,
    pub(crate) attacker_sub: String,
    pub(crate) victim: Identity,
}

impl Cast {
    pub(crate) async fn of(stack: &Stack) -> Self {
        let (attacker, victim) = (stack.visitor(), stack.visitor());
        attacker.login("pc", "xiaoming").await.assert_status(200);
        victim.login("pc", "xiaohong").await.assert_status(200);
        Self { attacker_sub: attacker.whoami().await.sub().to_owned(), attacker, victim: victim.whoami().await }
    }

    /// What a client would put into this header to be the victim.
    pub(crate) fn lie(&self, header: &str) -> String {
        if header == OURS[0] { self.victim.token.clone() } else { self.victim.sub().to_owned() }
    }

    pub(crate) fn cookie_line(&self) -> String {
        format!("cookie: __Host-wxgate_session={}", self.attacker.session())
    }
}

/// Every way to write a header name that some server or framework reads as the same.
fn spellings(name: &str) -> Vec<String> {
    let title: Vec<_> = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let (head, tail) = name.split_once('-').expect("a dash");
    vec![
        name.to_owned(),
        title.join("-"),
        name.to_uppercase(),
        name.replace('-', "_"),
        name.to_uppercase().replace('-', "_"),
        format!("{head}_{tail}"),
        format!("{head}-{}", tail.replace('-', "_")),
    ]
}

/// Fails unless the application was told of this account and of no other, once and in one spelling, or of none.
#[track_caller]
pub(crate) fn assert_told_of(seen: &Seen, sub: Option<&str>, case: &str) {
    let folded = |name: &str| name.replace('_', "-");
    for own in OURS {
        let all: Vec<_> = seen.headers.iter().chain(&seen.trailers).filter(|(name, _)| folded(name) == own).collect();
        let told = match all[..] {
            [] => None,
            [(name, value)] if *name == own => Some(String::from_utf8_lossy(value).into_owned()),
            _ => panic!("{case}: {own} came as {all:?}"),
        };
        let told = told.map(|value| if own == OURS[0] { subject(&value) } else { value });
        assert_eq!(told.as_deref(), sub, "{case}: {own} at the application");
    }
}

/// `sub` of a token. That it is ours is for `Stack::finish` to check.
fn subject(token: &str) -> String {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok();
    let claims: Option<Value> = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    claims.and_then(|claims| Some(claims["sub"].as_str()?.to_owned())).unwrap_or_else(|| format!("no identity: {token}"))
}

/// HDR-01 to HDR-06, HDR-21.
async fn identity_headers_of_a_client_never_arrive(setup: Setup) {
    let stack = setup.builder().start().await;
    let cast = Cast::of(&stack).await;
    in_every_spelling(setup, &stack, &cast).await;
    over_http2(setup, &stack, &cast).await;
    in_odd_forms(&stack, &cast).await;
    stack.finish().await;
}

async fn in_every_spelling(setup: Setup, stack: &Stack, cast: &Cast) {
    for own in OURS {
        let lie = cast.lie(own);
        for name in spellings(own) {
            let forms = [
                vec![format!("{name}: {lie}")],
                vec![format!("{name}: {lie}"), "x-between: 1".into(), format!("{name}: {lie}")],
                vec![format!("{name}:"), format!("{name}: {lie}, {lie}")],
                // Asks the next server to drop ours (RFC 9110, section 7.6.1).
                vec![format!("{name}: {lie}"), format!("connection: {own}")],
            ];
            for form in forms {
                for (path, with_session) in
                    [(PUBLIC, false), (PUBLIC, true), (OPTIONAL, false), (OPTIONAL, true), (PROTECTED, false), (PROTECTED, true)]
                {
                    let case = format!("{path}, session: {with_session}, {form:?}");
                    let mut lines = form.clone();
                    if with_session {
                        lines.insert(1, cast.cookie_line());
                    }
                    let fate = stack.raw(&stack.head("GET", path, &lines)).await;
                    // Envoy refuses underscores in the shipped configuration, before the filter sees them.
                    if setup == Setup::Shipped && name.contains('_') {
                        assert!(fate.is_refused() && fate.status() == 400, "{case}: {fate:?}");
                        continue;
                    }
                    if path == PROTECTED && !with_session {
                        assert!(fate.is_refused() && fate.status() == 401, "{case}: {fate:?}");
                        continue;
                    }
                    let [seen] = &fate.seen[..] else { panic!("{case}: {fate:?}") };
                    let sub = (with_session && path != PUBLIC).then_some(cast.attacker_sub.as_str());
                    assert_told_of(seen, sub, &case);
                }
            }
        }
    }
}

/// Over HTTP/2, where names in upper case are an error.
async fn over_http2(setup: Setup, stack: &Stack, cast: &Cast) {
    let cookie = format!("__Host-wxgate_session={}", cast.attacker.session());
    for own in OURS {
        let lie = cast.lie(own);
        for name in spellings(own) {
            for (path, with_session) in [(PUBLIC, false), (OPTIONAL, true), (PROTECTED, false), (PROTECTED, true)] {
                let case = format!("{path}, session: {with_session}, {name}");
                let mut more: Vec<Field<'_>> = vec![(name.as_bytes(), lie.as_bytes())];
                if with_session {
                    more.push((b"cookie", cookie.as_bytes()));
                }
                more.push((name.as_bytes(), lie.as_bytes()));
                let fate = stack.raw2(&stack.fields("GET", path.as_bytes(), &more), b"").await;
                let is_bad_name = name.chars().any(char::is_uppercase) || (setup == Setup::Shipped && name.contains('_'));
                if is_bad_name || (path == PROTECTED && !with_session) {
                    assert!(fate.is_refused(), "{case}: {fate:?}");
                    continue;
                }
                let [seen] = &fate.seen[..] else { panic!("{case}: {fate:?}") };
                assert_told_of(seen, with_session.then_some(&cast.attacker_sub), &case);
            }
        }
    }
}

async fn in_odd_forms(stack: &Stack, cast: &Cast) {
    for own in OURS {
        let lie = cast.lie(own);
        let forms = [
            format!("{own} : {lie}"),
            format!("{own}\t: {lie}"),
            format!(" {own}: {lie}"),
            format!("x-innocent: 1\r\n {own}: {lie}"),
            format!("x-innocent: 1\r\n\t{lie}\r\n{own}:\r\n {lie}"),
            format!("x-innocent: 1\n{own}: {lie}"),
            format!("x-innocent: 1\r{own}: {lie}"),
            format!("x-innocent: 1\0\r\n{own}: {lie}"),
            format!("{own}\0: {lie}"),
            format!("{own}\x0b: {lie}"),
            format!("\u{feff}{own}: {lie}"),
            format!("{own}: {lie}\0"),
            format!("{own}: \x0b{lie}"),
            own.to_owned(),
            format!("{own}:{lie}"),
            format!(":{own}: {lie}"),
            format!(":path: {PUBLIC}\r\n{own}: {lie}"),
        ];
        for form in forms {
            for (path, with_session) in [(PUBLIC, false), (PROTECTED, false), (PROTECTED, true)] {
                let case = format!("{path}, session: {with_session}, {form:?}");
                let mut lines = vec![form.clone()];
                if with_session {
                    lines.insert(0, cast.cookie_line());
                }
                let fate = stack.raw(&stack.head("GET", path, &lines)).await;
                assert!(fate.status() < 500, "{case}: {fate:?}");
                for seen in &fate.seen {
                    assert!(path == PUBLIC || with_session, "{case}: {fate:?}");
                    assert_told_of(seen, (path == PROTECTED).then_some(&cast.attacker_sub), &case);
                }
            }
        }
    }
}

/// HDR-07.
async fn identity_trailers_never_arrive(setup: Setup) {
    let stack = setup.builder().start().await;
    let cast = Cast::of(&stack).await;
    let cookie = format!("__Host-wxgate_session={}", cast.attacker.session());
    for own in OURS {
        let lie = cast.lie(own);
        for name in spellings(own) {
            for (path, with_session) in [(PUBLIC, false), (OPTIONAL, true), (PROTECTED, false), (PROTECTED, true)] {
                let mut lines = vec!["transfer-encoding: chunked".to_owned(), format!("trailer: {name}")];
                if with_session {
                    lines.push(cast.cookie_line());
                }
                let mut bytes = stack.head("POST", path, &lines);
                bytes.extend(format!("5\r\nhello\r\n0\r\n{name}: {lie}\r\nx-innocent: 1\r\n{name}: {lie}\r\n\r\n").into_bytes());
                stack.raw(&bytes).await;

                let mut wire = Http2::connect(stack.envoys[0].address).await;
                let more: &[Field<'_>] = if with_session { &[(b"cookie", cookie.as_bytes())] } else { &[] };
                let stream = wire.headers(&stack.fields("POST", path.as_bytes(), more), false).await;
                wire.data(stream, b"hello", false).await;
                wire.trailers(stream, &[(name.as_str(), lie.as_str()), ("x-innocent", "1")]).await;
                wire.answer(stream).await;
            }
        }
    }
    let mut innocent = 0;
    for seen in stack.app.seen().iter().filter(|seen| seen.method == "POST") {
        assert_told_of(seen, (seen.path != PUBLIC).then_some(&cast.attacker_sub), &String::from_utf8_lossy(&seen.raw_head));
        innocent += seen.trailers.iter().filter(|(name, _)| name == "x-innocent").count();
    }
    // Else nothing has been shown.
    assert_eq!(innocent > 0, setup == Setup::Bare, "trailers reach the application exactly where Envoy is told to pass them");
    stack.finish().await;
}

/// HDR-01, HDR-13 to HDR-15, HST-01.
async fn nothing_but_a_session_of_ours_is_a_way_in(setup: Setup) {
    let stack = setup.builder().start().await;
    let cast = Cast::of(&stack).await;
    identities_in_wrong_places(&stack, &cast).await;
    hints_of_proxies_and_probes(&stack).await;
    stack.finish().await;
}

/// HDR-15, JWT-05, JWT-08: our own identity tokens and sessions, in places where they mean nothing.
async fn identities_in_wrong_places(stack: &Stack, cast: &Cast) {
    let (token, session, user) = (&cast.victim.token, cast.attacker.session(), cast.victim.sub());
    let attempts = [
        format!("authorization: Bearer {token}"),
        format!("authorization: bearer {token}"),
        format!("authorization: Basic {token}"),
        format!("authorization: {session}"),
        format!("authorization: Basic {session}"),
        format!("proxy-authorization: Bearer {session}"),
        format!("authorization: Bearer {session}\r\nauthorization: Bearer {session}"),
        format!("cookie: x-wxgate-identity={token}"),
        format!("cookie: __Host-wxgate_session={token}"),
        format!("cookie: __Host-wxgate_session=\"{session}\""),
        format!("cookie: wxgate_session={session}"),
        format!("cookie: __Host-wxgate_session={session}; __Host-wxgate_session={session}"),
        format!("cookie: __Host-wxgate_session={session}\r\ncookie: __Host-wxgate_session={session}"),
        format!("cookie: __host-wxgate_session={session}"),
        format!("cookie: x=__Host-wxgate_session={session}"),
        format!("cookie: __Host-wxgate_attempt_abcdefgh={session}"),
        format!("cookie2: __Host-wxgate_session={session}"),
        format!("x-wxgate-session: {session}"),
        format!("x-forwarded-user: {user}"),
        format!("x-remote-user: {user}\r\nremote-user: {user}\r\nx-auth-request-user: {user}"),
    ];
    for attempt in attempts {
        let fate = stack.raw(&stack.head("GET", PROTECTED, &[&attempt])).await;
        assert!(fate.is_refused() && fate.status() == 401, "{attempt}: {fate:?}");
    }
    for query in [format!("access_token={token}"), format!("token={session}"), format!("__Host-wxgate_session={session}")] {
        // The access log has no queries.
        let fate = stack.raw(&stack.head("GET", format!("{PROTECTED}?{query}"), &[""; 0])).await;
        assert!(fate.is_refused() && fate.status() == 401, "{query}: {fate:?}");
    }
}

async fn hints_of_proxies_and_probes(stack: &Stack) {
    let hints = [
        format!("x-forwarded-uri: {PUBLIC}"),
        format!("x-original-uri: {PUBLIC}"),
        format!("x-original-url: {PUBLIC}"),
        format!("x-rewrite-url: {PUBLIC}"),
        format!("x-envoy-original-path: {PUBLIC}"),
        "x-forwarded-prefix: /assets".to_owned(),
        "x-http-method-override: OPTIONS".to_owned(),
        "x-http-method: OPTIONS\r\nx-method-override: OPTIONS".to_owned(),
        "user-agent: kube-probe/1.30".to_owned(),
        "user-agent: GoogleHC/1.0".to_owned(),
        "user-agent: Envoy/HC".to_owned(),
        "user-agent: ELB-HealthChecker/2.0".to_owned(),
        "x-envoy-internal: true\r\nx-forwarded-for: 127.0.0.1".to_owned(),
        "x-real-ip: 127.0.0.1\r\nforwarded: for=127.0.0.1;host=elsewhere".to_owned(),
        "x-forwarded-host: elsewhere.example\r\nx-forwarded-proto: https".to_owned(),
        "x-envoy-decorator-operation: health\r\nx-envoy-external-address: 127.0.0.1".to_owned(),
        "origin: https://elsewhere.example\r\naccess-control-request-method: GET".to_owned(),
        "upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__".to_owned(),
        "expect: 100-continue".to_owned(),
        "te: trailers".to_owned(),
        "range: bytes=0-0".to_owned(),
        "if-none-match: *".to_owned(),
    ];
    for hint in &hints {
        let fate = stack.raw(&stack.head("GET", PROTECTED, &[hint])).await;
        assert!(fate.is_refused() && fate.status() >= 400, "{hint}: {fate:?}");
    }
    let fate =
        stack.raw(&stack.head("OPTIONS", PROTECTED, &["origin: https://elsewhere.example", "access-control-request-method: GET"])).await;
    assert!(fate.is_refused() && fate.status() == 401, "a preflight that no rule allows: {fate:?}");
    // No name but the configured one ever stands in an address of ours.
    let lines = [
        "accept: text/html",
        "x-forwarded-host: evil.example",
        "forwarded: host=evil.example;proto=https",
        "x-forwarded-proto: https",
        "x-forwarded-port: 1",
    ];
    for path in [PROTECTED, "/wxgate/login", "/wxgate/start/pc"] {
        let fate = stack.raw(&stack.head("GET", path, &lines)).await;
        let answer = fate.answer.expect("an answer");
        let (location, page) = (answer.header("location").unwrap_or_default(), answer.text());
        assert!(!location.contains("evil") && !page.contains("evil"), "{path}: {answer}");
        let is_ours = location.is_empty() || location.starts_with(&stack.origin) || location.starts_with(&stack.wechat_origin);
        assert!(is_ours, "{path}: {answer}");
    }
}

/// D-12: Envoy joins two `Authorization` headers with a comma, so a token of ours may stand behind another value.
async fn a_session_token_reaches_no_application_however_it_is_sent(setup: Setup) {
    let stack = setup.builder().start().await;
    let cast = Cast::of(&stack).await;
    let session = cast.attacker.session();
    for line in [
        format!("authorization: Bearer {session}"),
        format!("authorization: bearer  {session} "),
        format!("authorization: Basic YTpi\r\nauthorization: Bearer {session}"),
        format!("authorization: Bearer {session}\r\nauthorization: Basic YTpi"),
        format!("authorization: Bearer {session}\r\nauthorization: Bearer {session}"),
        format!("authorization: Basic YTpi, Bearer {session}"),
        format!("authorization: Bearer\t{session}"),
        format!("authorization:\r\nauthorization: Bearer {session}"),
    ] {
        for (path, with_cookie) in [(PUBLIC, false), (OPTIONAL, false), (PROTECTED, false), (PROTECTED, true)] {
            let lines = if with_cookie { vec![line.clone(), cast.cookie_line()] } else { vec![line.clone()] };
            let fate = stack.raw(&stack.head("GET", path, &lines)).await;
            for seen in &fate.seen {
                let head = String::from_utf8_lossy(&seen.raw_head);
                assert!(!head.contains(&session), "{line} on {path}, cookie: {with_cookie}:\n{head}");
            }
        }
    }
    stack.finish().await;
}

/// HDR-21: headers that an operator adds, and whose claims a session may not have.
async fn every_configured_claim_header_is_as_safe(setup: Setup) {
    let claims = json!({"x-user-id": "sub", "x-session": "sid", "x-way-in": "connector", "x-user-name": "name"});
    let header = "x-edge-identity";
    let change = move |config: &mut Value| {
        config["identity"]["claim_headers"] = claims.clone();
        config["identity"]["header"] = header.into();
        config["applications"][0]["claims"] = json!({"name": false});
    };
    let stack = setup.builder().config(change).start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    for name in [header, "x-user-id", "x-session", "x-way-in", "x-user-name"] {
        for spelt in spellings(name).into_iter().filter(|spelt| setup == Setup::Bare || !spelt.contains('_')) {
            for (visitor, path) in [(&visitor, PROTECTED), (&visitor, PUBLIC), (&visitor.without_cookies(), PUBLIC)] {
                visitor.with_header(&spelt, "somebody-else").get(path).await.assert_status(200);
                let seen = stack.app.last();
                let liars = seen.headers.iter().filter(|(_, value)| value == b"somebody-else").count();
                assert_eq!(liars, 0, "{spelt} on {path}: {seen:?}");
            }
        }
    }
    let seen = stack.app.seen().into_iter().rfind(|seen| seen.path == PROTECTED).expect("a protected page");
    for name in [header, "x-user-id", "x-session", "x-way-in"] {
        assert!(seen.header(name).is_some(), "{name} is missing in {seen:?}");
    }
    stack.finish().await;
}

/// HDR-18.
async fn every_copy_of_a_request_that_envoy_repeats_has_one_identity(setup: Setup) {
    let with_retries = |envoy: &mut Value| application_route(envoy)["route"]["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 2});
    let stack = setup.builder().envoy(with_retries).start().await;
    let cast = Cast::of(&stack).await;
    stack.app.answer(PROTECTED, 503, &[], "");
    let lines = [cast.cookie_line(), format!("x-wxgate-identity: {}", cast.victim.token)];
    let fate = stack.raw(&stack.head("GET", PROTECTED, &lines)).await;
    assert_eq!((fate.status(), fate.seen.len()), (503, 3), "{fate:?}");
    for seen in &fate.seen {
        assert_told_of(seen, Some(&cast.attacker_sub), "a repeated request");
    }
    stack.finish().await;
}

/// HDR-16, D-23: what the shipped configuration removes by itself, where the filter does not run at all.
#[tokio::test]
async fn the_shipped_configuration_removes_identities_where_the_filter_is_off() {
    let without_filter = |envoy: &mut Value| {
        let off = json!({"wxgate": {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true}});
        let route = json!({"match": {"prefix": "/raw"}, "route": {"cluster": "shop"}, "typed_per_filter_config": off});
        application_routes(envoy).insert(0, route);
    };
    let stack = Setup::Shipped.builder().envoy(without_filter).open_path("/raw").start().await;
    let cast = Cast::of(&stack).await;
    for own in OURS {
        for name in spellings(own) {
            let fate = stack.raw(&stack.head("GET", "/raw", &[format!("{name}: {}", cast.lie(own))])).await;
            if name.contains('_') {
                assert!(fate.is_refused(), "{name}: {fate:?}");
            } else {
                assert_told_of(&fate.seen[0], None, &name);
            }
        }
    }
    stack.finish().await;
}

/// O2 for the calls that the gate makes itself: nothing of a client's goes along.
#[tokio::test]
async fn calls_of_the_gate_carry_nothing_of_the_visitors() {
    let stack = Setup::Bare.builder().start().await;
    let visitor = stack.visitor().with_header("x-wxgate-identity", "mallory").with_header("x-secret-of-mine", "1");
    visitor.set_cookie("a", "1");
    stack.wechat_wire.set(Fault::None).await;
    visitor.login("pc", "xiaoming").await.assert_status(200);
    for entry in stack.wechat.journal() {
        for name in ["cookie", "x-wxgate-identity", "x-user-id", "x-secret-of-mine", "authorization", "referer"] {
            assert_eq!(entry.header(name), None, "{name} went to WeChat: {entry:?}");
        }
    }
    stack.finish().await;
}
