//! Nothing that a client can send stops the filter: bytes that are no text in every header that it reads, in paths and
//! hosts, headers that are huge or too many, queries that are odd. Afterwards every worker still answers.

use serde_json::{Value, json};
use wxgate_tests::hostile::{Field, Setup};
use wxgate_tests::render::connection_manager;
use wxgate_tests::{Stack, on_both};

on_both![
    bytes_that_are_no_text_stop_nothing_in_any_header,
    bytes_that_are_no_text_stop_nothing_in_paths_and_hosts,
    headers_beyond_all_limits_are_judged_like_few,
    odd_queries_are_one_thing_to_everybody,
    headers_that_are_large_or_empty_are_handled,
];

/// All that the filter reads or goes through, and one that it does not know.
const HEADERS: [&str; 24] = [
    "cookie",
    "authorization",
    "user-agent",
    "accept",
    "accept-language",
    "origin",
    "referer",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-dest",
    "sec-purpose",
    "purpose",
    "x-requested-with",
    "access-control-request-method",
    "upgrade",
    "content-type",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
    "x-wxgate-identity",
    "x-user-id",
    "cache-control",
    "te",
    "x-anything",
];

/// Not UTF-8 in every way there is, and UTF-8 that is no ASCII.
const VALUES: [&[u8]; 8] = [
    b"\x80",
    b"\xff",
    b"a\xc3\x28b",
    b"\xed\xa0\x80",
    b"\xf8\x88\x80\x80\x80",
    b"text/html;\xff",
    b"\xe5\x9b\xbe",
    b"=\xff;\xfe=\x80; \xc3",
];

/// One of everything that the filter answers or lets pass.
fn requests(stack: &Stack, session: &str) -> Vec<(&'static str, String, String)> {
    let none = "x-nothing: 1".to_owned();
    let cookie = format!("cookie: __Host-wxgate_session={session}");
    let own = format!("{cookie}\r\norigin: {}\r\ncontent-length: 0", stack.origin);
    vec![
        ("GET", "/account".to_owned(), none.clone()),
        ("GET", "/account".to_owned(), cookie.clone()),
        ("GET", "/account".to_owned(), format!("authorization: Bearer {session}")),
        ("GET", "/assets/x".to_owned(), none.clone()),
        ("GET", "/".to_owned(), cookie),
        ("OPTIONS", "/account".to_owned(), none.clone()),
        ("GET", "/wxgate/login?return_to=/x".to_owned(), none.clone()),
        ("GET", "/wxgate/start/pc?return_to=/x".to_owned(), "sec-fetch-mode: navigate".to_owned()),
        ("GET", "/wxgate/callback/pc?code=x&state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(), none.clone()),
        ("GET", "/wxgate/userinfo".to_owned(), none.clone()),
        ("GET", "/wxgate/jwks.json".to_owned(), none),
        ("POST", "/wxgate/logout".to_owned(), own.replace(session, "garbage")),
    ]
}

/// NUT-01.
async fn bytes_that_are_no_text_stop_nothing_in_any_header(setup: Setup) {
    let stack = setup.builder().start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let session = visitor.session();
    let many = [0xff; 1000];
    let requests = requests(&stack, &session);
    for (number, header) in HEADERS.into_iter().enumerate() {
        for (index, value) in VALUES.into_iter().chain([&many[..]]).enumerate() {
            // Every header meets every value, and every header meets every request.
            for (method, path, line) in requests.iter().skip((number + index) % 3).step_by(3) {
                let odd = [header.as_bytes(), b": ", value].concat();
                let fate = stack.raw(&stack.head(method, path, &[line.as_bytes(), &odd])).await;
                let case = format!("{method} {path}, {line}, {header}: {value:02x?}: {fate:?}");
                assert!((200..500).contains(&fate.status()), "{case}");
                assert!(fate.seen.is_empty() || path == "/account" || path == "/" || path == "/assets/x", "{case}");
                if path == "/account" && line.starts_with("x-") {
                    assert!(fate.is_refused(), "{case}");
                }
            }
        }
    }
    // As before for everybody else.
    assert!(visitor.is_logged_in().await);
    assert_eq!(stack.exchanges(), 1);
    stack.finish().await;
}

/// NUT-02.
async fn bytes_that_are_no_text_stop_nothing_in_paths_and_hosts(setup: Setup) {
    let stack = setup.builder().start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let cookie = format!("cookie: __Host-wxgate_session={}", visitor.session());
    for value in VALUES {
        for before in [
            &b"/account"[..],
            b"/account?x=",
            b"/",
            b"/wxgate/",
            b"/wxgate/callback/",
            b"/wxgate/callback/pc?code=",
            b"/wxgate/login?return_to=/",
            b"\xff",
        ] {
            let path = [before, value].concat();
            let fate = stack.raw(&stack.head("GET", &path, &["accept: text/html"])).await;
            assert!(fate.is_refused() || fate.status() == 200, "{path:02x?}: {fate:?}");
            assert!(fate.seen.is_empty(), "{path:02x?}: {fate:?}");
            let fate = stack.raw(&stack.head("GET", &path, &["accept: */*", &cookie])).await;
            assert!(fate.status() < 500, "{path:02x?}: {fate:?}");
            let fate = stack.raw2(&stack.fields("GET", &path, &[]), b"").await;
            assert!(fate.seen.is_empty() && fate.status() < 500, "{path:02x?}: {fate:?}");
        }
        for host in [value.to_vec(), [stack.authority().as_bytes(), value].concat(), [value, b".localhost"].concat()] {
            let bytes = [b"GET /account HTTP/1.1\r\nhost: ", host.as_slice(), b"\r\n", cookie.as_bytes(), b"\r\n\r\n"].concat();
            let fate = stack.raw(&bytes).await;
            assert!(fate.is_refused(), "host {host:02x?}: {fate:?}");
            let fields: [Field<'_>; 4] = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", &host), (b":path", b"/account")];
            let fate = stack.raw2(&fields, b"").await;
            assert!(fate.is_refused(), "host {host:02x?}: {fate:?}");
        }
        let fate = stack.raw(&[value, b" /account HTTP/1.1\r\nhost: ", stack.authority().as_bytes(), b"\r\n\r\n"].concat()).await;
        assert!(fate.is_refused(), "method {value:02x?}: {fate:?}");
    }
    // An escaped byte stays that byte on its way through a login.
    let fate = stack.raw(&stack.head("GET", "/account?q=%80%FF", &["accept: text/html"])).await;
    let location = fate.answer.expect("an answer").location().to_owned();
    assert!(location.ends_with("?return_to=%2Faccount%3Fq%3D%2580%25FF"), "{location}");
    assert!(visitor.is_logged_in().await);
    stack.finish().await;
}

/// D-13, RLX-05: more than a host may hand over in one piece.
async fn headers_beyond_all_limits_are_judged_like_few(setup: Setup) {
    let without_limits = |envoy: &mut Value| {
        let manager = connection_manager(envoy);
        manager["max_request_headers_kb"] = 4096.into();
        manager["common_http_protocol_options"]["max_headers_count"] = 5000.into();
        let clusters = envoy["static_resources"]["clusters"].as_array_mut().expect("clusters");
        let shop = clusters.iter_mut().find(|cluster| cluster["name"] == "shop").expect("the application");
        let options = &mut shop["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
        options["@type"] = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions".into();
        options["common_http_protocol_options"] = json!({"max_headers_count": 5000});
        options["explicit_http_config"] = json!({"http_protocol_options": {"enable_trailers": true}});
    };
    let stack = setup.builder().envoy(without_limits).start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let cookie = format!("cookie: __Host-wxgate_session={}", visitor.session());
    let many: Vec<_> = (0..1100).map(|number| format!("x-{number}: 1")).collect();
    let large = vec![format!("x-large: {}", "a".repeat(1_200_000))];
    let forged = ["x-wxgate-identity: mallory".to_owned(), "x-user-id: mallory".to_owned()];
    for load in [many.clone(), large] {
        for path in ["/account", "/assets/x", "/", "/wxgate/userinfo", "/wxgate/login"] {
            for with_session in [false, true] {
                let mut lines = load.clone();
                lines.extend(forged.clone());
                if with_session {
                    lines.push(cookie.clone());
                }
                let fate = stack.raw(&stack.head("GET", path, &lines)).await;
                let case = format!("{path}, {} headers, session: {with_session}: {}", lines.len(), fate.status());
                assert!(fate.status() < 500, "{case}");
                for seen in &fate.seen {
                    assert!(with_session || path != "/account", "{case}");
                    assert!(seen.headers.iter().all(|(name, value)| value != b"mallory" && name != "cookie"), "{case}");
                }
            }
        }
    }
    stack.finish().await;
}

/// NUT-04: one decoder, one rule.
async fn odd_queries_are_one_thing_to_everybody(setup: Setup) {
    let stack = setup.builder().start().await;
    let visitor = stack.visitor();
    let url = visitor.start("pc", "/orders").await;
    let callback = visitor.allow(&url, "xiaoming");
    let (code, state) = (parameter(&callback, "code"), parameter(&callback, "state"));
    let cookies: Vec<_> = visitor.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookies = format!("cookie: {}", cookies.join("; "));
    let many = "a=1&".repeat(5_000);
    let queries = [
        String::new(),
        "?".into(),
        "?&&&".into(),
        "?=".into(),
        "?code".into(),
        "?state".into(),
        format!("?code={code}"),
        format!("?code={code}&state="),
        format!("?code={code}&state={state}&state={state}"),
        format!("?code={code}&state={state}&%73tate={state}"),
        format!("?code={code}&state={state}%"),
        format!("?code={code}&state={state}%zz"),
        format!("?code={code}&state={state}%00"),
        format!("?code={code}&state=%20{state}"),
        format!("?code={code}&state=+{state}"),
        format!("?code={code};state={state}"),
        format!("?code={code}&state[]={state}"),
        format!("?code={code}&STATE={state}"),
        format!("?code={code}&state={state}#x"),
        format!("#?code={code}&state={state}"),
        "%3fcode=x&state=y".into(),
        format!("?code={code}&state={}", state.to_lowercase()),
        format!("?code={code}&state={}", &state[..31]),
        format!("?code={code}&state={state}{state}"),
        format!("?code={code}&state=\u{ff}{state}"),
        format!("?{many}code={code}&code={code}"),
        "?code=%80%ff&state=%80%ff".into(),
        format!("?code={code}&state={}", "%".repeat(3000)),
    ];
    for query in &queries {
        let target = format!("/wxgate/callback/pc{query}");
        let fate = stack.raw(&stack.head("GET", &target, &["accept: */*", &cookies])).await;
        let shown = &query[..query.len().min(60)];
        assert!(fate.is_refused() && fate.status() != 303, "{shown}: {fate:?}");
        assert_eq!(
            fate.answer.map_or(0, |answer| answer.all("set-cookie").filter(|cookie| cookie.contains("session=w")).count()),
            0,
            "{shown}"
        );
    }
    assert_eq!(stack.exchanges(), 0, "none of these is an answer of WeChat's");
    visitor.navigate(&format!("/wxgate/callback/pc?code={code}&x=%&state={state}")).await.assert_goes_to("/orders");
    stack.finish().await;
}

/// NUT-06, RLX-04.
async fn headers_that_are_large_or_empty_are_handled(setup: Setup) {
    let stack = setup.builder().start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let session = format!("__Host-wxgate_session={}", visitor.session());
    let cases = [
        format!("x-large: {}", "a".repeat(28 * 1024)),
        format!("x-large: {}", "a".repeat(59 * 1024)),
        format!("x-large: {}", "a".repeat(200 * 1024)),
        format!("{}: 1", "x".repeat(8 * 1024)),
        (0..90).map(|number| format!("x-{number}:")).collect::<Vec<_>>().join("\r\n"),
        (0..400).map(|number| format!("x-{number}:")).collect::<Vec<_>>().join("\r\n"),
        format!("cookie: {}", ";".repeat(10_000)),
        format!("cookie: {}", "a=1; ".repeat(1_000)),
        format!("cookie: {}", "a=1; ".repeat(5_000)),
        format!("cookie: {}={}", "__Host-wxgate_session", "A".repeat(28 * 1024)),
        format!("cookie: {}", (0..500).map(|number| format!("__Host-wxgate_attempt_{number:08}=wxg1.x.y")).collect::<Vec<_>>().join("; ")),
        format!("cookie: __Host-wxgate_starts={}", "9.".repeat(5_000)),
        "cookie:".into(),
        "cookie: ;;;".into(),
        "cookie: =".into(),
        "cookie: __Host-wxgate_session".into(),
        "cookie: __Host-wxgate_session=".into(),
        "cookie: __Host-wxgate_session=wxg1..".into(),
        "authorization: Bearer".into(),
        "authorization: Bearer ".into(),
        "authorization: Bearer wxg1.".into(),
        format!("authorization: Bearer wxg1.{}", "A".repeat(20_000)),
        format!("accept-language: {}", "zh-CN;q=0.9,".repeat(2_000)),
        format!("accept: {}", "text/htm,".repeat(3_000)),
        format!("user-agent: {}", "MicroMessenge".repeat(2_000)),
    ];
    for case in &cases {
        for path in ["/account", "/wxgate/login", "/wxgate/start/pc", "/wxgate/callback/pc?code=x&state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let fate = stack.raw(&stack.head("GET", path, &[case])).await;
            assert!(fate.seen.is_empty() && fate.status() < 500, "{path}, {}: {fate:?}", &case[..case.len().min(60)]);
        }
        let fate = stack.raw(&stack.head("GET", "/account", &[case, &format!("cookie: {session}")])).await;
        assert!(fate.status() < 500, "{}: {fate:?}", &case[..case.len().min(60)]);
    }
    assert!(visitor.is_logged_in().await);
    stack.finish().await;
}

fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).expect("an address");
    let found = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    found.unwrap_or_else(|| panic!("no {name} in {url}"))
}

/// D-13 for trailers.
#[tokio::test]
async fn trailers_beyond_all_limits_carry_no_identity() {
    let without_limits = |envoy: &mut Value| {
        let manager = connection_manager(envoy);
        manager["max_request_headers_kb"] = 4096.into();
        manager["common_http_protocol_options"]["max_headers_count"] = 5000.into();
    };
    let stack = Setup::Bare.builder().envoy(without_limits).start().await;
    let trailers: String = (0..1100).map(|number| format!("x-{number}: 1\r\n")).collect();
    for name in ["x-wxgate-identity", "x-user-id", "x_wxgate_identity"] {
        let mut bytes = stack.head("POST", "/assets/x", &["transfer-encoding: chunked"]);
        bytes.extend(format!("5\r\nhello\r\n0\r\n{trailers}{name}: mallory\r\n\r\n").into_bytes());
        stack.raw(&bytes).await;
    }
    for seen in stack.app.seen() {
        let forged: Vec<_> = seen.trailers.iter().filter(|(_, value)| value == b"mallory").collect();
        assert!(forged.is_empty(), "{forged:?} among {} trailers", seen.trailers.len());
    }
    stack.finish().await;
}
