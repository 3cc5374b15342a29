//! Requests with bodies and trailers. While a request waits for WeChat or the resolver nothing of it reaches the
//! application, whatever still comes in; nothing hangs; and what is let through arrives whole.

use std::time::{Duration, Instant};

use serde_json::Value;
use wxgate_tests::hostile::Setup;
use wxgate_tests::render::plugin;
use wxgate_tests::{Answer, Fault, Http2, Stack, Visitor, on_both};

on_both![
    a_callback_with_a_body_logs_in_and_reaches_no_application,
    a_logout_with_any_body_logs_out_and_reaches_no_application,
    endpoints_and_protected_pages_take_no_body_from_strangers,
    what_is_let_through_arrives_whole,
    the_filter_reads_a_body_whole_however_it_comes,
];

/// How long WeChat and the resolver take in these tests: enough for a body to arrive meanwhile.
const SLOW: Duration = Duration::from_millis(400);

/// All answers come within this: the delay on each of at most three calls, or the filter's patience with a body that
/// does not come, and a busy machine.
const BOUND: Duration = Duration::from_secs(16);

/// How a request goes on after its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Length,
    LengthLater,
    /// Never all of what was announced.
    LengthShort,
    Chunked,
    ChunkedLater,
    /// Until after the answer.
    ChunkedOn,
    ChunkedEmpty,
    Trailers,
    TrailersLater,
    Http2,
    Http2Later,
    Http2EmptyLater,
    Http2Trailers,
    Http2TrailersLater,
}

const ALL: [Body; 14] = [
    Body::Length,
    Body::LengthLater,
    Body::LengthShort,
    Body::Chunked,
    Body::ChunkedLater,
    Body::ChunkedOn,
    Body::ChunkedEmpty,
    Body::Trailers,
    Body::TrailersLater,
    Body::Http2,
    Body::Http2Later,
    Body::Http2EmptyLater,
    Body::Http2Trailers,
    Body::Http2TrailersLater,
];

/// Sends a request with such a body: gives its status, and its cookies and location over HTTP/1.1.
async fn send(stack: &Stack, method: &str, path: &str, lines: &[(&str, String)], body: Body) -> Option<Answer> {
    let started = Instant::now();
    let answer = match body {
        Body::Http2 | Body::Http2Later | Body::Http2EmptyLater | Body::Http2Trailers | Body::Http2TrailersLater => {
            let more: Vec<_> = lines.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            let mut wire = Http2::connect(stack.envoys[0].address).await;
            let stream = wire.headers(&stack.fields(method, path.as_bytes(), &more), false).await;
            let is_later = !matches!(body, Body::Http2 | Body::Http2Trailers);
            if body != Body::Http2EmptyLater {
                wire.data(stream, b"field=value&", false).await;
            }
            if is_later {
                tokio::time::sleep(SLOW / 4).await;
            }
            match body {
                Body::Http2Trailers | Body::Http2TrailersLater => {
                    wire.trailers(stream, &[("x-trailer", "1"), ("x-user-id", "mallory")]).await
                }
                Body::Http2EmptyLater => wire.data(stream, b"", true).await,
                _ => wire.data(stream, b"more=1", true).await,
            }
            wire.answer(stream).await.status().map(|status| Answer { status, ..Answer::default() })
        }
        _ => {
            let framing = match body {
                Body::Length | Body::LengthLater => "content-length: 11",
                Body::LengthShort => "content-length: 12",
                _ => "transfer-encoding: chunked",
            };
            let lines: Vec<_> = lines.iter().map(|(name, value)| format!("{name}: {value}")).chain([framing.to_owned()]).collect();
            let mut wire = stack.wire_with(&stack.head(method, path, &lines)).await;
            let (now, later): (&[u8], &[&[u8]]) = match body {
                Body::Length | Body::LengthShort => (b"field=value", &[]),
                Body::LengthLater => (b"fie", &[b"ld=", b"value"]),
                Body::Chunked => (b"b\r\nfield=value\r\n0\r\n\r\n", &[]),
                Body::ChunkedLater => (b"3\r\nfie\r\n", &[b"3\r\nld=\r\n", b"5\r\nvalue\r\n", b"0\r\n\r\n"]),
                Body::ChunkedOn => (b"3\r\nfie\r\n", &[b"3\r\nld=\r\n"]),
                Body::ChunkedEmpty => (b"", &[b"0\r\n\r\n"]),
                Body::Trailers => (b"3\r\nfie\r\n0\r\nx-trailer: 1\r\nx-user-id: mallory\r\n\r\n", &[]),
                _ => (b"3\r\nfie\r\n", &[b"0\r\nx-trailer: 1\r\n", b"x-user-id: mallory\r\n\r\n"]),
            };
            wire.send(now).await;
            for piece in later {
                tokio::time::sleep(SLOW / 4).await;
                wire.send(piece).await;
            }
            wire.answer_to(method).await
        }
    };
    assert!(started.elapsed() < BOUND, "{method} {path} with {body:?} took {:?}", started.elapsed());
    answer
}

/// A browser that is about to come back from WeChat: the callback's path, and its headers.
async fn about_to_log_in(visitor: &Visitor) -> (String, Vec<(&'static str, String)>) {
    let url = visitor.start("pc", "/orders").await;
    let (_, path) = wxgate_tests::visitor::split_url(&visitor.allow(&url, "xiaoming"));
    (path, vec![("accept", "text/html".into()), ("cookie", cookies(visitor))])
}

fn cookies(visitor: &Visitor) -> String {
    let pairs: Vec<_> = visitor.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ")
}

/// NUT-07, D-10, D-11.
async fn a_callback_with_a_body_logs_in_and_reaches_no_application(setup: Setup) {
    let stack = setup.builder().start().await;
    callbacks(&stack, true).await;
    stack.finish().await;
}

async fn callbacks(stack: &Stack, must_succeed: bool) {
    stack.wechat_wire.set(Fault::Delay(SLOW)).await;
    for body in ALL {
        let (path, lines) = about_to_log_in(&stack.visitor()).await;
        let before = stack.exchanges();
        let answer = send(stack, "GET", &path, &lines, body).await;
        assert_eq!(stack.app.count(), 0, "{body:?}");
        assert!(stack.exchanges() <= before + 1, "{body:?}: a code is exchanged once");
        if must_succeed {
            let answer = answer.unwrap_or_else(|| panic!("{body:?}: no answer"));
            answer.assert_status(303);
            assert_eq!(stack.exchanges(), before + 1, "{body:?}");
        }
    }
    // More than Envoy holds for the filter: refused by one or the other, and nothing hangs.
    for framing in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let (path, lines) = about_to_log_in(&stack.visitor()).await;
        let lines: Vec<_> = lines.iter().map(|(name, value)| format!("{name}: {value}")).chain([framing.to_owned()]).collect();
        let started = Instant::now();
        let mut wire = stack.wire_with(&stack.head("GET", &path, &lines)).await;
        let piece = if framing.starts_with('c') { "a".repeat(10_000) } else { format!("2710\r\n{}\r\n", "a".repeat(10_000)) };
        for _ in 0..100 {
            wire.send(piece.as_bytes()).await;
        }
        wire.answer().await;
        assert!(started.elapsed() < BOUND, "{framing}: {:?}", started.elapsed());
        assert_eq!(stack.app.count(), 0, "{framing}");
    }
    stack.wechat_wire.set(Fault::None).await;
    stack.visitor().login("pc", "xiaoming").await.assert_status(200);
}

async fn a_logout_with_any_body_logs_out_and_reaches_no_application(setup: Setup) {
    let stack = setup.builder().start().await;
    for body in ALL {
        let visitor = stack.visitor();
        visitor.login("pc", "xiaoming").await.assert_status(200);
        stack.resolver_wire.set_on("/v1/sessions", Fault::Delay(SLOW)).await;
        let lines = [("accept", "text/html".to_owned()), ("origin", stack.origin.clone()), ("cookie", cookies(&visitor))];
        let before = stack.app.count();
        let answer = send(&stack, "POST", "/wxgate/logout", &lines, body).await.unwrap_or_else(|| panic!("{body:?}: no answer"));
        answer.assert_status(303);
        assert_eq!(stack.app.count(), before, "{body:?}");
        stack.resolver_wire.set(Fault::None).await;
        // This very session is over, at every worker after a moment.
        wxgate_tests::eventually(Duration::from_secs(5), "the session is over", async || {
            (!visitor.is_logged_in().await && !visitor.is_logged_in().await && !visitor.is_logged_in().await).then_some(())
        })
        .await;
    }
    stack.finish().await;
}

async fn endpoints_and_protected_pages_take_no_body_from_strangers(setup: Setup) {
    let stack = setup.builder().start().await;
    let requests = [
        ("GET", "/wxgate/login", 303),
        ("GET", "/wxgate/logout", 200),
        ("POST", "/wxgate/login", 405),
        ("GET", "/wxgate/start/pc", 303),
        ("POST", "/wxgate/start/pc", 405),
        ("POST", "/wxgate/callback/pc?code=x&state=y", 405),
        ("GET", "/wxgate/callback/pc?code=x&state=y", 400),
        ("GET", "/wxgate/jwks.json", 200),
        ("POST", "/wxgate/nothing", 404),
        ("POST", "/wxgate/logout", 403),
        ("POST", "/account", 401),
        ("GET", "/account", 303),
    ];
    for (method, path, status) in requests {
        for body in ALL {
            let answer = send(&stack, method, path, &[("accept", "text/html".into())], body).await;
            let answer = answer.unwrap_or_else(|| panic!("{method} {path} with {body:?}: no answer"));
            assert_eq!(answer.status, status, "{method} {path} with {body:?}: {answer}");
        }
    }
    assert_eq!(stack.app.count(), 0);
    // One that asks first whether it may send its body.
    for path in ["/account", "/wxgate/logout", "/wxgate/callback/pc?code=x&state=y"] {
        let lines = ["expect: 100-continue", "content-length: 5"];
        let fate = stack.raw(&stack.head("POST", path, &lines)).await;
        assert!(fate.is_refused(), "{path}: {fate:?}");
    }
    stack.finish().await;
}

async fn what_is_let_through_arrives_whole(setup: Setup) {
    let stack = setup.builder().start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let session = format!("__Host-wxgate_session={}", visitor.session());
    for (path, lines) in [("/account", vec![("cookie", session.clone())]), ("/assets/x", vec![])] {
        for body in ALL.into_iter().filter(|body| !matches!(body, Body::LengthShort | Body::ChunkedOn)) {
            let before = stack.app.count();
            let answer = send(&stack, "POST", path, &lines, body).await.unwrap_or_else(|| panic!("{path} with {body:?}: no answer"));
            answer.assert_status(200);
            let [seen] = &stack.app.seen_after(before)[..] else { panic!("{path} with {body:?}: one request was expected") };
            let expected: &[u8] = match body {
                Body::Trailers | Body::TrailersLater => b"fie",
                Body::ChunkedEmpty | Body::Http2EmptyLater => b"",
                Body::Http2 | Body::Http2Later => b"field=value&more=1",
                Body::Http2Trailers | Body::Http2TrailersLater => b"field=value&",
                _ => b"field=value",
            };
            assert_eq!(seen.body, expected, "{path} with {body:?}");
            assert!(seen.trailers.iter().all(|(name, _)| name == "x-trailer"), "{path} with {body:?}: {:?}", seen.trailers);
        }
    }
    // Far more than any buffer, both ways.
    let large = vec![b'a'; 3_000_000];
    let head = stack.head("POST", "/account", &[format!("cookie: {session}"), format!("content-length: {}", large.len())]);
    let fate = stack.raw(&[head, large.clone()].concat()).await;
    assert_eq!(fate.status(), 200);
    assert_eq!(fate.seen[0].body.len(), large.len());
    stack.finish().await;
}

/// D-10, D-11. What is sent is no JSON: that is said only of a body that was read.
async fn the_filter_reads_a_body_whole_however_it_comes(setup: Setup) {
    let stack = setup.builder().start().await;
    let lines = [("content-type", "application/json".to_owned())];
    for body in ALL {
        let expected = if matches!(body, Body::LengthShort | Body::ChunkedOn) { 408 } else { 400 };
        let answer = send(&stack, "POST", "/wxgate/account", &lines, body).await;
        assert_eq!(answer.unwrap_or_else(|| panic!("{body:?}: no answer")).status, expected, "{body:?}");
    }
    // More than it takes, told and untold, and more than Envoy holds for it.
    for (framing, size) in [("content-length: 16385", 16_385), ("transfer-encoding: chunked", 20_000), ("content-length: 100000", 100_000)]
    {
        let lines = ["content-type: application/json".to_owned(), framing.to_owned()];
        let text = "a".repeat(size);
        let body = if framing.starts_with('c') { text } else { format!("{size:x}\r\n{text}\r\n0\r\n\r\n") };
        let fate = stack.raw(&[stack.head("POST", "/wxgate/account", &lines), body.into_bytes()].concat()).await;
        assert_eq!(fate.status(), 413, "{framing}");
    }
    assert_eq!(stack.app.count(), 0);
    stack.finish().await;
}

/// D-10: a configuration in which Envoy never shows the filter a body. It answers or refuses; it lets nothing through.
#[tokio::test]
async fn without_bodies_for_the_filter_nothing_hangs_and_nothing_passes() {
    for setup in [Setup::Shipped, Setup::Bare] {
        let without = |envoy: &mut Value| plugin(envoy)["allow_on_headers_stop_iteration"] = false.into();
        let stack = setup.builder().envoy(without).start().await;
        callbacks(&stack, true).await;
        let lines = [("content-type", "application/json".to_owned())];
        let answer = send(&stack, "POST", "/wxgate/account", &lines, Body::Length).await.unwrap_or_else(|| panic!("no answer"));
        answer.assert_status(408);
        stack.finish().await;
    }
}
