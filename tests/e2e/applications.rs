//! What an application says of us to visitors, and what it is told of their cookies.
//!
//! Each story runs on the configuration that we ship and on one without any protection of Envoy's own.

use wxgate_tests::hostile::{Field, Setup};
use wxgate_tests::{Stack, Visitor, on_both};

use crate::headers::{OPTIONAL, PROTECTED, PUBLIC};

on_both![an_application_cannot_speak_for_the_gate_and_gets_its_own_cookies,];

/// HDR-19, HDR-20.
async fn an_application_cannot_speak_for_the_gate_and_gets_its_own_cookies(setup: Setup) {
    let stack = setup.builder().start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    cookies_of_requests(&stack, &visitor).await;
    headers_of_answers(&stack, &visitor).await;
    stack.finish().await;
}

async fn headers_of_answers(stack: &Stack, visitor: &Visitor) {
    let own: Vec<_> = (0..10).map(|number| format!("app{number}=v{number}; Path=/x; Max-Age={number}")).collect();
    let mut headers = vec![("x-wxgate-identity", "mallory"), ("X-User-Id", "mallory"), ("x-innocent", "1")];
    headers.push(("set-cookie", "__Host-wxgate_session=planted; Path=/; Secure"));
    headers.extend(own.iter().map(|cookie| ("set-cookie", cookie.as_str())));
    headers.push(("Set-Cookie", " __Host-wxgate_attempt_abcdefgh=planted; Path=/; Secure"));
    headers.push(("set-cookie", "__Host-wxgate_starts=; Max-Age=0; Path=/; Secure"));
    headers.push(("set-cookie", "last=\"__Host-wxgate_session=no\""));
    for path in [PUBLIC, OPTIONAL, PROTECTED] {
        for status in [200, 302, 404, 500] {
            stack.app.answer(path, status, &headers, "");
            let fate = stack.raw(&stack.head("GET", path, &[format!("cookie: __Host-wxgate_session={}", visitor.session())])).await;
            let answer = fate.answer.expect("an answer");
            answer.assert_status(status);
            let cookies: Vec<_> = answer.all("set-cookie").collect();
            let expected: Vec<_> = own.iter().map(String::as_str).chain(["last=\"__Host-wxgate_session=no\""]).collect();
            assert_eq!(cookies, expected, "{path}");
            assert_eq!((answer.header("x-wxgate-identity"), answer.header("x-user-id")), (None, None), "{answer}");
            assert_eq!(answer.header("x-innocent"), Some("1"));
        }
    }
}

/// Pieces of a header line, and what is left of it.
type CookieCase<'a> = (&'a [&'a [u8]], Option<&'a [u8]>);

async fn cookies_of_requests(stack: &Stack, visitor: &Visitor) {
    let session = format!("__Host-wxgate_session={}", visitor.session()).into_bytes();
    let cases: [CookieCase<'_>; 16] = [
        (&[b"a=1; b=2; ", &session], Some(b"a=1; b=2")),
        (&[b"a=1; ", &session, b"; b=\"x;y\"; c"], Some(b"a=1; b=\"x;y\"; c")),
        (&[&session], None),
        (&[&session, b";"], None),
        (&[b" ; ", &session, b" ; "], None),
        (&[&session, b"; a=1"], Some(b"a=1")),
        (&[b"a=1;", &session, b";b=2"], Some(b"a=1;b=2")),
        (&[b"a=1;;  b=2;", &session], Some(b"a=1;;  b=2")),
        (&[b"a=\xff\x80; ", &session, b"; \xc3=\xa9"], Some(b"a=\xff\x80; \xc3=\xa9")),
        (&[b"a=%20+=; ", &session, b"; b={\"x\":\"__Host-wxgate_session=1\"}"], Some(b"a=%20+=; b={\"x\":\"__Host-wxgate_session=1\"}")),
        (&[b"x__Host-wxgate_session=1; ", &session], Some(b"x__Host-wxgate_session=1")),
        (&[b"__host-wxgate_session=1; ", &session], Some(b"__host-wxgate_session=1")),
        (&[b"__Host-wxgate_attempt_aaaaaaaa=1; a=1; ", &session, b"; __Host-wxgate_starts=1"], Some(b"a=1")),
        // One header in several lines.
        (&[b"a=1\r\ncookie: ", &session, b"\r\ncookie: b=2"], Some(b"a=1; b=2")),
        (&[&session, b"\r\ncookie: b=2; c=3"], Some(b"b=2; c=3")),
        (&[b"a=1; b=2\r\nCookie: ", &session], Some(b"a=1; b=2")),
    ];
    for (parts, expected) in cases {
        let line = [b"cookie: ", parts.concat().as_slice()].concat();
        let case = String::from_utf8_lossy(&line).into_owned();
        for path in [PUBLIC, OPTIONAL, PROTECTED] {
            let fate = stack.raw(&stack.head("GET", path, &[&line])).await;
            let [seen] = &fate.seen[..] else { panic!("{case}: {fate:?}") };
            let cookies: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "cookie").map(|(_, value)| value.as_slice()).collect();
            assert_eq!(cookies, expected.into_iter().collect::<Vec<_>>(), "{case} on {path}");
        }
    }
    // Envoy leaves them in one line for HTTP/1.1, as they must be there (RFC 9113, section 8.2.3).
    let more: [Field<'_>; 4] = [(b"cookie", b"a=1"), (b"cookie", &session), (b"cookie", b"b=2"), (b"cookie", b"c=3")];
    let fate = stack.raw2(&stack.fields("GET", PROTECTED.as_bytes(), &more), b"").await;
    assert_eq!(fate.seen.first().and_then(|seen| seen.header("cookie")).as_deref(), Some("a=1; b=2; c=3"), "{fate:?}");

    // Without any of ours nothing changes, and a bearer token of ours is nobody else's business either.
    let bearer = format!("authorization: Bearer {}", visitor.session());
    let fate = stack.raw(&stack.head("GET", PROTECTED, &[&bearer, "cookie:  a=1;b ; c=\"\""])).await;
    let seen = &fate.seen[0];
    assert_eq!((seen.header("cookie").as_deref(), seen.header("authorization")), (Some("a=1;b ; c=\"\""), None), "{seen:?}");
    let fate = stack.raw(&stack.head("GET", PUBLIC, &["authorization: Basic YTpi"])).await;
    assert_eq!(fate.seen[0].header("authorization").as_deref(), Some("Basic YTpi"), "the application's own");
}
