//! No spelling of a protected path passes as a public one: what the gate judges, what Envoy routes and what the
//! application reads is the same path, or the request is protected.
//!
//! Each attack runs on the configuration that we ship and on one without any protection of Envoy's own.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wxgate_tests::hostile::{Fate, Field, Setup, application_route, application_routes};
use wxgate_tests::{Stack, on_both};

on_both![
    no_spelling_of_a_protected_path_passes_as_a_public_one,
    what_only_some_servers_take_for_dots_or_for_the_same_page_is_protected_too,
    an_ordinary_path_arrives_as_it_was_sent,
    no_method_opens_a_path_that_is_protected,
    a_host_is_the_configured_one_or_nobody,
    targets_that_are_no_path_reach_nobody,
    long_paths_are_judged_like_short_ones,
    a_route_that_rewrites_is_judged_by_what_was_asked_for,
];

/// What is open in these tests, besides `/`.
const OPEN: [&str; 3] = ["/public", "/assets", "/feed"];

async fn start(setup: Setup) -> Stack {
    let rules = json!([
        {"path_prefix": "/public/members", "access": "protected"},
        {"path_prefix": "/public", "access": "public"},
        {"path_prefix": "/assets", "access": "public"},
        {"path_prefix": "/feed", "methods": ["GET"], "access": "public", "preflight": "allow"},
        {"path_exact": "/", "access": "optional"},
    ]);
    let stack = setup.builder().config(move |config| config["applications"][0]["rules"] = rules.clone());
    OPEN.iter().chain(&["/%70ublic"]).fold(stack, |stack, open| stack.open_path(open)).start().await
}

/// Ways to write `..` that some server understands, and some that none should.
const UPWARDS: [&[u8]; 28] = [
    b"..",
    b"%2e%2e",
    b"%2E%2E",
    b".%2e",
    b"%2e.",
    b"..;",
    b"..;x=1",
    b"..;/",
    b"..%3b",
    b"%2e%2e;a=b",
    b"..%00",
    b"..%0d",
    b"..%09",
    b"..\\",
    b"..%5c",
    b"%252e%252e",
    b"%c0%ae%c0%ae",
    b"%e0%80%ae%e0%80%ae",
    b"%u002e%u002e",
    b"%%32%65%%32%65",
    b"\xef\xbc\x8e\xef\xbc\x8e",
    b"%EF%BC%8E%EF%BC%8E",
    b"%E2%80%A5",
    b"\xc0\xae\xc0\xae",
    b"..\t",
    b"..#",
    b"..?",
    b"...",
];

/// The same for a slash.
const SLASHES: [&[u8]; 12] = [b"/", b"//", b"/./", b"/.;/", b"/;/", b"%2f", b"%2F", b"%5c", b"\\", b"%252f", b"%c0%af", b"\xef\xbc\x8f"];

fn spellings() -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    for up in UPWARDS {
        for slash in SLASHES {
            for open in ["/public", "/assets/img/.."] {
                all.insert([open.as_bytes(), slash, up, slash, b"account"].concat());
            }
            all.insert([b"/public".as_slice(), slash, b"x", slash, up, b"/", up, slash, b"account"].concat());
            all.insert([b"/public".as_slice(), slash, up, slash, b"public", slash, b"members"].concat());
        }
        all.insert([b"/public/".as_slice(), up].concat());
        all.insert([b"/".as_slice(), up, b"/public/", up, b"/account"].concat());
    }
    for slash in SLASHES {
        for path in [&b"account"[..], b"public/members", b"public/members/x", b"wxgate/callback/pc"] {
            all.insert([slash, path].concat());
            all.insert([b"/".as_slice(), slash, path].concat());
            all.insert([b"/.".as_slice(), slash, path].concat());
            all.insert([b"/public".as_slice(), slash, slash, path].concat());
        }
        all.insert([b"/public".as_slice(), slash, b"members", slash, b"x"].concat());
    }
    let odd: [&[u8]; 50] = [
        b"/account",
        b"/account/",
        b"/account?x=/public/",
        b"/account?/public/",
        b"/account?.css",
        b"/account?/../public",
        b"/account;/public",
        b"/account;.css",
        b"/account;/../public",
        b"/account/.css",
        b"/account%2f..%2fpublic",
        b"/account%3f/public/",
        b"/account%23/public/",
        b"/account#/public/",
        b"/account%00/public",
        b"/account\\..\\public",
        b"/%61ccount",
        b"/%2561ccount",
        b"/ACCOUNT",
        b"/Account",
        b"/Public/../account",
        b"/PUBLIC/x",
        b"/publicity",
        b"/public-x",
        b"/publi%63ity",
        b"/public%00",
        b"/public%0d%0aGET%20/account",
        b"/public%20",
        b"/public\t/../account",
        b"/public#/../account",
        b"/public%23/../account",
        b"/public?/../account",
        b"/public%3f/../account",
        b"/public;/../account",
        b"/public;x",
        b"/public/;x",
        b"/public/%",
        b"/public/%4",
        b"/public/%zz",
        b"/public/\xff",
        b"/public/%ff",
        b"/public/%c3%28",
        b"/public/%ed%a0%80",
        b"/public/x\x7f",
        b"/public/members%2f",
        b"/public/%6dembers",
        b"/public/member%73/x",
        b"/public/./members",
        b"/public//members",
        b"/public/x/../members",
    ];
    all.extend(odd.iter().map(|path| path.to_vec()));
    all
}

/// What the path could mean to the most obliging server: unescaped as often as it can be, backslashes for slashes,
/// parameters cut off, compatibility characters folded, dots followed. Letters keep their case.
fn read_obligingly(path: &[u8]) -> String {
    let mut bytes = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default().to_vec();
    for _ in 0..3 {
        bytes = unescape(&bytes);
    }
    let text = String::from_utf8_lossy(&bytes).replace(['\\', '\u{ff0f}', '\u{2215}', '\u{2044}'], "/");
    let text = text.replace(['\u{ff0e}', '\u{2024}'], ".").replace('\u{2025}', "..");
    let text: String = text.split(['?', '#', '\0', '\r', '\n']).next().unwrap_or_default().to_owned();
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        match segment.split(';').next().unwrap_or_default().trim() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((byte, tail)) = rest.split_first() {
        let escaped = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()).filter(|_| *byte == b'%');
        out.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    out
}

fn is_open(path: &str) -> bool {
    let is_below = |open: &str| path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == "/" || (OPEN.into_iter().any(is_below) && !is_below("/public/members"))
}

/// What of this anybody could take for a protected page that has been let through.
fn wrong(fate: &Fate, case: &[u8]) -> Vec<String> {
    let case = String::from_utf8_lossy(case);
    let mut wrong = Vec::new();
    for seen in &fate.seen {
        let read = read_obligingly(seen.path.as_bytes());
        if !is_open(&read) {
            wrong.push(format!("{case} reached the application as {}, which may mean {read}", seen.path));
        }
    }
    if fate.status() >= 500 {
        wrong.push(format!("{case}: {fate:?}"));
    }
    wrong
}

#[track_caller]
fn assert_only_open(fate: &Fate, case: &[u8]) {
    let wrong = wrong(fate, case);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// PTH-01 to PTH-08.
async fn no_spelling_of_a_protected_path_passes_as_a_public_one(setup: Setup) {
    let stack = start(setup).await;
    let (mut passed, mut refused, mut all_wrong) = (0, 0, Vec::new());
    for (number, path) in spellings().into_iter().enumerate() {
        let mut fates = vec![stack.raw(&stack.head("GET", &path, &["accept: */*"])).await];
        // Another parser, the same filter: fewer will do.
        if number % 4 == 0 {
            fates.push(stack.raw2(&stack.fields("GET", &path, &[]), b"").await);
        }
        for fate in fates {
            all_wrong.extend(wrong(&fate, &path));
            passed += fate.seen.len();
            refused += usize::from(fate.seen.is_empty());
        }
    }
    assert!(all_wrong.is_empty(), "{}", all_wrong.join("\n"));
    // Else nothing has been shown.
    assert!(passed > 0 && refused > 500, "{passed} passed, {refused} were refused");

    // With a session the application gets what was asked for, or what Envoy has made of it, and always with an identity.
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let cookie = format!("cookie: __Host-wxgate_session={}", visitor.session());
    for path in spellings().into_iter().step_by(5) {
        let fate = stack.raw(&stack.head("GET", &path, &[&cookie])).await;
        for seen in &fate.seen {
            assert!(is_open(&read_obligingly(seen.path.as_bytes())) || seen.header("x-user-id").is_some(), "{seen:?}");
        }
    }
    stack.finish().await;
}

/// PTH-04, PTH-07: a dot escaped twice, in pieces; a name that ends in a blank, which Windows cuts off; a parameter that
/// servlet containers cut off, on a path that is protected although its parent is public.
async fn what_only_some_servers_take_for_dots_or_for_the_same_page_is_protected_too(setup: Setup) {
    let stack = start(setup).await;
    let paths: [&[u8]; 12] = [
        b"/public/%25%32%65%25%32%65/account",
        b"/public/%25%32e%25%32e/account",
        b"/public/x/%252%65./../account",
        b"/public/%25%32%66..%25%32%66account",
        b"/public/..%20/account",
        b"/public/x/%2e%2e%20/..%20/account",
        b"/public/members;x",
        b"/public/members;x=1/list",
        b"/public/members%3bx/list",
        b"/public/members%20",
        b"/public/members.",
        b"/public/..%20./account",
    ];
    let mut all_wrong = Vec::new();
    for path in paths {
        all_wrong.extend(wrong(&stack.raw(&stack.head("GET", path, &["accept: */*"])).await, path));
    }
    assert!(all_wrong.is_empty(), "{}", all_wrong.join("\n"));
    stack.finish().await;
}

/// PTH-01: the other side of it. What is plain passes, by the first rule that matches, and arrives byte for byte.
async fn an_ordinary_path_arrives_as_it_was_sent(setup: Setup) {
    let stack = start(setup).await;
    let open = [
        "/",
        "/?a=/../account&b=%2e%2e",
        "/public",
        "/public/",
        "/public/a.css?v=../..",
        "/public/%E5%9B%BE.png",
        "/public/a%20b",
        "/public/a%2Bb+c",
        "/public/.well-known",
        "/public/x..y",
        "/%70ublic/x",
        "/public/~a_b-c.d!$&'()*,=:@",
        "/public/membership",
        "/assets/app.js?",
        "/feed",
        "/feed/x?callback=http://x",
    ];
    for path in open {
        let fate = stack.raw(&stack.head("GET", path, &[""; 0])).await;
        // Envoy may write a path in its canonical form first.
        let [seen] = &fate.seen[..] else { panic!("{path}: {fate:?}") };
        let arrived = seen.path.replace("/public/", "/%70ublic/").replace("/%70ublic/", "/public/");
        assert_eq!(arrived, path.replace("/%70ublic/", "/public/"), "{fate:?}");
    }
    for path in ["/account", "/public/members", "/public/members/1", "/public/%6dembers", "/publicity", "/assetsx", "/x", "/feeds"] {
        let fate = stack.raw(&stack.head("GET", path, &[""; 0])).await;
        assert!(fate.is_refused() && fate.status() == 401, "{path}: {fate:?}");
    }
    stack.finish().await;
}

/// PTH-12.
async fn no_method_opens_a_path_that_is_protected(setup: Setup) {
    let stack = start(setup).await;
    let long = "M".repeat(1000);
    for method in
        ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "FOO", "get", "GETX", "PRI", "QUERY", &long]
    {
        for lines in [vec![], vec!["x-http-method-override: GET"], vec!["origin: https://elsewhere.example"]] {
            let mut lines = lines;
            lines.push("content-length: 0");
            let fate = stack.raw(&stack.head(method, "/account", &lines)).await;
            assert!(fate.is_refused(), "{method} {lines:?}: {fate:?}");
            // A rule for GET is for GET: HEAD gets headers that others must not have, either.
            let fate = stack.raw(&stack.head(method, "/feed/x", &lines)).await;
            assert!(method == "GET" || fate.is_refused(), "{method} /feed {lines:?}: {fate:?}");
        }
    }
    // A preflight passes for the method that it asks for, where the rule says so, and brings no identity.
    let preflight = |method: &str| vec!["origin: https://elsewhere.example".to_owned(), format!("access-control-request-method: {method}")];
    let fate = stack.raw(&stack.head("OPTIONS", "/feed/x", &preflight("GET"))).await;
    assert_eq!((fate.status(), fate.seen.len()), (200, 1), "{fate:?}");
    for (path, method) in
        [("/feed/x", "POST"), ("/feed/x", ""), ("/feed/../account", "GET"), ("/account", "GET"), ("/feed%2f..%2faccount", "GET")]
    {
        let fate = stack.raw(&stack.head("OPTIONS", path, &preflight(method))).await;
        assert!(fate.is_refused(), "{path} {method}: {fate:?}");
    }
    stack.finish().await;
}

/// PTH-13, HST-01, HST-05.
async fn a_host_is_the_configured_one_or_nobody(setup: Setup) {
    let stack = start(setup).await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let cookie = format!("cookie: __Host-wxgate_session={}", visitor.session());
    let (name, port) = stack.authority().split_once(':').expect("a port");

    // Other spellings of the same name are the same application.
    for host in [format!("LOCALHOST:{port}"), format!("{name}.:{port}"), format!("LocalHost.:{port}")] {
        let ask = |path: &str, line: &str| format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: */*\r\n{line}\r\n\r\n").into_bytes();
        let fate = stack.raw(&ask("/account", "x-nothing: 1")).await;
        assert!(fate.is_refused(), "{host}: {fate:?}");
        let fate = stack.raw(&ask("/account", &cookie)).await;
        assert!(fate.status() == 200 || fate.is_refused(), "{host}: {fate:?}");
    }
    // All others are nobody, whatever they ask for and whatever they bring.
    let strangers = [
        "evil.example",
        "evil.example:443",
        "127.0.0.1",
        "[::1]",
        "xn--lcalhost-nya",
        "localhost.evil.example",
        "evillocalhost",
        "localhost@evil.example",
        "evil.example@localhost",
        "localhost:99999",
        "localhost:0",
        "localhost:",
        "localhost:port",
        ":",
        "",
        "localhost/x",
        "localhost,evil.example",
        "localhost#",
        "local\thost",
        "*",
        "localhost%00",
        "shop.example.com",
        "\u{ff4c}ocalhost",
        "l\u{f6}calhost",
        "\u{80}",
        ".localhost",
        "localhost..",
    ];
    let mut strangers: Vec<_> = strangers.map(str::to_owned).to_vec();
    strangers.extend([
        format!("{name}:{port}:{port}"),
        format!("user@{name}:{port}"),
        format!("{name}:0{port}0"),
        format!("x.{name}:{port}"),
    ]);
    for host in strangers {
        for path in ["/account", "/assets/x", "/", "/wxgate/login", "/wxgate/userinfo", "/wxgate/callback/pc?code=x&state=x"] {
            let bytes = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: text/html\r\n{cookie}\r\n\r\n");
            let fate = stack.raw(bytes.as_bytes()).await;
            assert!(fate.is_refused(), "{host:?} {path}: {fate:?}");
            // Where it leads to the right name, nothing has been set for the wrong one.
            let answer = fate.answer.unwrap_or_default();
            assert_eq!(answer.all("set-cookie").count(), 0, "{host:?} {path}: {answer}");
            let location = answer.header("location").unwrap_or_default();
            assert!(location.is_empty() || location.starts_with(&stack.origin), "{host:?} {path}: {answer}");
        }
    }
    let authority = stack.authority();
    let odd = [
        format!("GET /account HTTP/1.1\r\nhost: {authority}\r\nhost: evil.example\r\n{cookie}\r\n\r\n"),
        format!("GET /assets/x HTTP/1.1\r\nhost: evil.example\r\nhost: {authority}\r\n\r\n"),
        "GET /account HTTP/1.1\r\n\r\n".to_owned(),
        "GET /assets/x HTTP/1.1\r\n\r\n".to_owned(),
        "GET /account HTTP/1.0\r\n\r\n".to_owned(),
        "GET /assets/x HTTP/1.0\r\n\r\n".to_owned(),
        "GET /account\r\n".to_owned(),
        format!("GET /account HTTP/0.9\r\nhost: {authority}\r\n\r\n"),
        format!("GET /account HTTP/2.0\r\nhost: {authority}\r\n\r\n"),
    ];
    for bytes in odd {
        let before = stack.app.count();
        let mut wire = stack.wire_with(bytes.as_bytes()).await;
        wire.finish_sending().await;
        wire.rest().await;
        assert_eq!(stack.app.count(), before, "{bytes:?}");
    }
    // Over HTTP/2 `:authority` and `host` may differ, or both be missing.
    let (method, scheme, path, host): (Field<'_>, Field<'_>, Field<'_>, Field<'_>) =
        ((b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/account"), (b":authority", authority.as_bytes()));
    let cases: [&[Field<'_>]; 9] = [
        &[method, scheme, path],
        &[method, scheme, path, (b"host", authority.as_bytes())],
        &[method, scheme, path, (b":authority", b"evil.example"), (b"host", authority.as_bytes())],
        &[method, scheme, path, host, (b"host", b"evil.example")],
        &[method, scheme, path, host, host],
        &[method, scheme, path, path, host],
        &[method, method, scheme, path, host],
        &[method, path, host],
        &[method, (b":scheme", b"gopher"), path, host],
    ];
    for fields in cases {
        let fate = stack.raw2(fields, b"").await;
        assert!(fate.is_refused(), "{fields:?}: {fate:?}");
    }
    stack.finish().await;
}

/// PTH-09, PTH-10.
async fn targets_that_are_no_path_reach_nobody(setup: Setup) {
    let stack = start(setup).await;
    let authority = stack.authority();
    let targets = [
        "*".to_owned(),
        "account".into(),
        "public/../account".into(),
        "?/public".into(),
        "http://evil.example/account".into(),
        "http://evil.example/public/x".into(),
        format!("http://user:secret@{authority}/public/../account"),
        "http:///account".into(),
        "https:///account".into(),
        format!("http://{authority}/account"),
        format!("HTTP://{authority}//account"),
        format!("http://{authority}?/public"),
        format!("http://{authority}#/public"),
        format!("ftp://{authority}/account"),
        format!("//{authority}/account"),
        format!("{authority}/account"),
        "javascript:/account".into(),
        "/account /public/x".into(),
        "/public/x\t/../account".into(),
        "\\account".into(),
        "%2faccount".into(),
        "".into(),
    ];
    for target in &targets {
        for method in ["GET", "OPTIONS", "POST"] {
            let bytes = format!("{method} {target} HTTP/1.1\r\nhost: {authority}\r\naccept: */*\r\ncontent-length: 0\r\n\r\n");
            let fate = stack.raw(bytes.as_bytes()).await;
            assert_only_open(&fate, bytes.as_bytes());
        }
    }
    // A proxy's form of a request for a public page is that request.
    let fate = stack.raw(format!("GET http://{authority}/public/x HTTP/1.1\r\nhost: {authority}\r\n\r\n").as_bytes()).await;
    assert_eq!(fate.seen.first().map(|seen| seen.path.as_str()), Some("/public/x"), "{fate:?}");

    for path in
        [&b"*"[..], b"", b"account", b"?x", b"http://evil.example/public/x", b"#", b"\\account", b"\xff", b"/account\0", b"/account x"]
    {
        for method in ["GET", "OPTIONS"] {
            let fate = stack.raw2(&stack.fields(method, path, &[]), b"").await;
            assert!(fate.is_refused(), "{method} {path:?}: {fate:?}");
        }
    }
    stack.finish().await;
}

/// PTH-16.
async fn long_paths_are_judged_like_short_ones(setup: Setup) {
    let stack = start(setup).await;
    let long = |piece: &str, times: usize| piece.repeat(times);
    let paths = [
        format!("/account/{}", long("a", 8 * 1024)),
        format!("/account?x={}", long("a", 25 * 1024)),
        format!("/account{}", long("/a", 10_000)),
        format!("/public{}/account", long("/..", 8_000)),
        format!("/public{}/../account", long("/a/..", 5_000)),
        format!("/public{}/account", long("%2e", 10_000)),
        format!("/public{}/account", long("/%2e%2e", 4_000)),
        format!("{}account", long("/", 20_000)),
        format!("/public{}/account", long("/;", 10_000)),
        format!("/public/{}/../../account", long("%25", 9_000)),
        format!("/account?{}", long("return_to=%2F%2F&", 1_500)),
        format!("/account/{}", long("a", 60 * 1024)),
        format!("/account/{}", long("a", 200 * 1024)),
    ];
    for path in &paths {
        let started = Instant::now();
        let fate = stack.raw(&stack.head("GET", path, &["accept: text/html"])).await;
        assert_only_open(&fate, &path.as_bytes()[..60]);
        assert!(fate.seen.is_empty(), "{}: {fate:?}", &path[..60]);
        assert!(started.elapsed() < Duration::from_secs(5), "{} took {:?}", &path[..60], started.elapsed());
        // Too long to come back to: the front page then, and never half of it. (Envoy may have made it short.)
        let answer = fate.answer.unwrap_or_default();
        let login = format!("{}/wxgate/login", stack.origin);
        let is_whole = |location: &str| location == login || location == format!("{login}?return_to=%2Faccount");
        assert!(answer.status != 303 || is_whole(answer.location()), "{}: {answer}", &path[..60]);
    }
    // Just short enough to be kept, escapes and all.
    let kept = format!("/account?x={}", "%E5%9B%BE".repeat(220));
    let fate = stack.raw(&stack.head("GET", &kept, &["accept: text/html"])).await;
    let expected: String = url::form_urlencoded::byte_serialize(kept.as_bytes()).collect();
    assert_eq!(fate.answer.expect("an answer").location(), format!("{}/wxgate/login?return_to={expected}", stack.origin));
    stack.finish().await;
}

/// PTH-14, PTH-15.
async fn a_route_that_rewrites_is_judged_by_what_was_asked_for(setup: Setup) {
    let rewrites = |envoy: &mut Value| {
        let route = |from: &str, to: &str| json!({"match": {"prefix": from}, "route": {"cluster": "shop", "prefix_rewrite": to}});
        let keyed = json!({"match": {"prefix": "/", "headers": [{"name": "x-tier", "string_match": {"exact": "gold"}}]},
                           "route": {"cluster": "shop", "prefix_rewrite": "/gold/"}});
        application_routes(envoy).splice(0..0, [route("/old", "/public"), route("/public/inner", "/assets/inner"), keyed]);
        let _ = application_route(envoy);
    };
    let stack = setup.builder().envoy(rewrites).config(|config| {
        config["applications"][0]["rules"] = json!([{"path_prefix": "/public", "access": "public"}]);
    });
    let stack = stack.open_path("/assets").open_path("/gold/public").start().await;
    let ask = async |path: &str, line: &str| stack.raw(&stack.head("GET", path, &[line])).await;
    for line in
        ["x-nothing: 1", "x-tier: gold", "x-envoy-original-path: /public", "x-envoy-internal: true\r\nx-envoy-original-path: /public"]
    {
        for path in ["/old", "/old/x", "/account"] {
            let fate = ask(path, line).await;
            assert!(fate.is_refused() && fate.status() == 401, "{path}, {line}: {fate:?}");
        }
    }
    assert_eq!(ask("/public/inner", "x-nothing: 1").await.seen[0].path, "/assets/inner");
    assert_eq!(ask("/public/x", "x-tier: gold").await.seen[0].path, "/gold/public/x");
    stack.finish().await;
}
