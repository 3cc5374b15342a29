//! What might carry a request past the gate: tunnels, upgrades, and requests within requests.
//!
//! Each attack runs on the configuration that we ship and on one without any protection of Envoy's own.

use wxgate_tests::hostile::{Field, Setup};
use wxgate_tests::{Http2, Stack, on_both};

use crate::headers::{Cast, PROTECTED, PUBLIC, assert_told_of};

on_both![no_tunnel_is_opened_and_a_websocket_needs_a_session, requests_within_requests_stay_within,];

/// HDR-09 to HDR-11.
async fn no_tunnel_is_opened_and_a_websocket_needs_a_session(setup: Setup) {
    let stack = setup.builder().start().await;
    let cast = Cast::of(&stack).await;
    tunnels(&stack, &cast).await;
    websockets(&stack, &cast).await;
    websockets_over_http2(setup, &stack, &cast).await;
    stack.finish().await;
}

async fn tunnels(stack: &Stack, cast: &Cast) {
    let authority = stack.authority();
    let cookie = format!("__Host-wxgate_session={}", cast.attacker.session());
    for target in [authority, "shop.internal:80", "127.0.0.1:22", "/account", "*"] {
        for lines in [
            format!("host: {authority}"),
            format!("host: {authority}\r\ncookie: {cookie}"),
            format!("host: {authority}\r\ncookie: {cookie}\r\nupgrade: websocket\r\nconnection: upgrade"),
        ] {
            let fate = stack.raw(format!("CONNECT {target} HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes()).await;
            assert!(fate.is_refused(), "CONNECT {target}, {lines}: {fate:?}");
        }
    }
    let connect: Field<'_> = (b":method", b"CONNECT");
    let (host, session): (Field<'_>, Field<'_>) = ((b":authority", authority.as_bytes()), (b"cookie", cookie.as_bytes()));
    let (scheme, path): (Field<'_>, Field<'_>) = ((b":scheme", b"http"), (b":path", b"/account"));
    let cases: [&[Field<'_>]; 8] = [
        &[connect, host],
        &[connect, host, session],
        &[connect],
        &[connect, path],
        &[connect, host, scheme, path, session],
        &[connect, host, scheme, path, (b":protocol", b"connect-udp"), session],
        &[connect, host, scheme, path, (b":protocol", b"\xff"), session],
        &[connect, host, (b":protocol", b"websocket"), session],
    ];
    for fields in cases {
        let fate = stack.raw2(fields, b"").await;
        assert!(fate.is_refused(), "{fields:?}: {fate:?}");
    }
}

async fn websockets(stack: &Stack, cast: &Cast) {
    let mut lines = vec!["upgrade: websocket".to_owned(), "connection: Upgrade".into(), "sec-websocket-version: 13".into()];
    lines.push("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==".into());
    lines.push(format!("x-wxgate-identity: {}", cast.victim.token));
    lines.push(format!("X-User-Id: {}", cast.victim.sub()));
    let anonymous = stack.head("GET", PROTECTED, &lines);
    let fate = stack.raw(&anonymous).await;
    assert!(fate.is_refused() && fate.status() == 401, "{fate:?}");

    // A second request right behind the first one, before anybody has agreed to switch protocols.
    let early = [anonymous, stack.head("GET", PROTECTED, &[""; 0])].concat();
    let fate = stack.raw(&early).await;
    assert!(fate.is_refused(), "{fate:?}");

    lines.push(cast.cookie_line());
    let before = stack.app.count();
    let mut wire = stack.wire_with(&stack.head("GET", PROTECTED, &lines)).await;
    assert_eq!(wire.answer().await.map(|answer| answer.status), Some(101));
    wire.send(b"hello").await;
    assert_eq!(wire.bytes().await.as_deref(), Some(&b"hello"[..]));
    let [seen] = &stack.app.seen()[before..] else { panic!("one request was expected") };
    assert_told_of(seen, Some(&cast.attacker_sub), "a WebSocket");

    // With a session the bytes behind may arrive as what they are then: no request.
    let before = stack.app.count();
    let early = [stack.head("GET", PROTECTED, &lines), stack.head("GET", "/admin", &[""; 0])].concat();
    stack.raw(&early).await;
    let paths: Vec<_> = stack.app.seen_after(before).into_iter().map(|seen| seen.path).collect();
    assert!(!paths.contains(&"/admin".to_owned()), "{paths:?}");

    // What says that it is one and is none gets no more than others.
    for odd in ["upgrade: websocket", "connection: upgrade\r\nupgrade: WebSocket, h2c", "connection: upgrade\r\nupgrade: unheard-of"] {
        let fate = stack.raw(&stack.head("GET", PROTECTED, &[odd])).await;
        assert!(fate.is_refused(), "{odd}: {fate:?}");
    }
}

/// Extended CONNECT (RFC 8441), which Envoy turns into an upgrade where it is told to.
async fn websockets_over_http2(setup: Setup, stack: &Stack, cast: &Cast) {
    let cookie = format!("__Host-wxgate_session={}", cast.attacker.session());
    let mut fields = stack.fields("CONNECT", PROTECTED.as_bytes(), &[(b":protocol", b"websocket")]);
    // Pseudo-headers come first.
    fields.push((b"x-wxgate-identity", cast.victim.token.as_bytes()));
    let mut wire = Http2::connect(stack.envoys[0].address).await;
    let before = stack.app.count();
    let stream = wire.headers(&fields, false).await;
    let refused = wire.status(stream).await;
    assert_eq!(refused, (setup == Setup::Bare).then_some(401));
    assert_eq!(stack.app.count(), before);

    fields.push((b"cookie", cookie.as_bytes()));
    let mut wire = Http2::connect(stack.envoys[0].address).await;
    let stream = wire.headers(&fields, false).await;
    let status = wire.status(stream).await;
    match setup {
        Setup::Shipped => assert_eq!((status, stack.app.count()), (None, before)),
        Setup::Bare => {
            assert_eq!(status, Some(200));
            assert_told_of(&stack.app.last(), Some(&cast.attacker_sub), "a WebSocket over HTTP/2");
        }
    }
}

/// HDR-12.
async fn requests_within_requests_stay_within(setup: Setup) {
    let stack = setup.builder().start().await;
    let inner = String::from_utf8(stack.head("GET", PROTECTED, &["x-inner: 1"])).expect("text");
    let length = inner.len();
    let framings = [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding : chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("x: 1\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("content-length: 0\r\ncontent-length: {length}\r\n\r\n{inner}"),
        format!("content-length: 0, {length}\r\n\r\n{inner}"),
        format!("content-length: +{length}\r\n\r\n{inner}"),
        format!("content-length: -1\r\n\r\n{inner}"),
        format!("content-length: 99999999999999999999\r\n\r\n{inner}"),
        format!("content-length: 0x{length:x}\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked\r\n\r\n10000000000000000\r\n{inner}"),
        format!("transfer-encoding: chunked\r\n\r\n-1\r\n{inner}"),
        format!("transfer-encoding: chunked\r\n\r\n0;\n\r\n\r\n{inner}"),
        format!("content-length: {length}\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked\r\n\r\n{length:x}\r\n{inner}\r\n0\r\n\r\n"),
    ];
    for path in [PUBLIC, PROTECTED, "/wxgate/logout", "/wxgate/login"] {
        for framing in &framings {
            let head = format!("POST {path} HTTP/1.1\r\nhost: {}\r\n{framing}", stack.authority());
            let mut wire = stack.wire_with(head.as_bytes()).await;
            // Half a body would be waited for.
            wire.finish_sending().await;
            wire.rest().await;
        }
    }
    let old = format!("POST {PUBLIC} HTTP/1.0\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}", stack.authority());
    stack.raw(old.as_bytes()).await;
    let seen = stack.app.seen();
    assert!(!seen.is_empty(), "whole bodies on a public path arrive");
    for seen in seen {
        let is_outer = seen.path == PUBLIC && seen.method == "POST" && seen.header("x-inner").is_none();
        assert!(is_outer, "a request came out of another one: {}", String::from_utf8_lossy(&seen.raw_head));
    }
    stack.finish().await;
}
