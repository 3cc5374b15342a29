//! The harness itself: that the variants of a stack work, so that other tests may believe it.

use std::time::Duration;

use wxgate_tests::{Fault, Stack, http, render};

#[tokio::test]
async fn the_bare_configuration_works_and_lets_hostile_spellings_through_to_the_filter() {
    let stack = Stack::builder().bare().start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let page = visitor.with_header("x_under_score", "1").get("//a/%2e%2e/b").await;
    assert_eq!(page.json()["path"], "//a/%2e%2e/b");
    assert_eq!(stack.app.last().header("x_under_score").as_deref(), Some("1"));
    stack.finish().await;
}

#[tokio::test]
async fn two_envoys_serve_one_origin_and_can_be_restarted() {
    let mut stack = Stack::builder().envoys(2).start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let sub = visitor.whoami().await.sub().to_owned();
    assert_eq!(visitor.via(stack.envoys[1].address).whoami().await.sub(), sub);
    stack.restart_envoy(1).await;
    assert_eq!(visitor.via(stack.envoys[1].address).whoami().await.sub(), sub);
    stack.finish().await;
}

#[tokio::test]
async fn wires_fail_as_they_are_told_and_recover() {
    let mut stack = Stack::start().await;
    let faults = [Fault::Refuse, Fault::Reset, Fault::Cut(20), Fault::Lie(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec())];
    for fault in faults {
        stack.resolver_wire.set(fault.clone()).await;
        let back = stack.visitor().log_in_until_callback("/orders", "pc", "xiaoming").await;
        assert!(back.status >= 500, "{fault:?}: {back}");
    }
    stack.resolver_wire.set_on("/v1/nothing", Fault::Silence).await;
    stack.visitor().login("pc", "xiaoming").await.assert_status(200);
    stack.resolver_wire.set(Fault::Delay(Duration::from_millis(300))).await;
    stack.visitor().login("pc", "xiaoming").await.assert_status(200);
    stack.resolver_wire.set(Fault::None).await;
    stack.resolver.stop().await;
    let back = stack.visitor().log_in_until_callback("/orders", "pc", "xiaoming").await;
    back.assert_failure(503, "accounts_unavailable");
    stack.resolver.start().await;
    stack.visitor().login("pc", "xiaoming").await.assert_status(200);
    stack.finish().await;
}

#[tokio::test]
async fn what_must_always_hold_is_noticed_when_it_does_not() {
    let with_queries = |json: &mut serde_json::Value| {
        let log = &mut render::connection_manager(json)["access_log"][0]["typed_config"]["log_format"]["json_format"];
        assert!(log["path"].is_string(), "{log}");
        log["path"] = "%REQ(:PATH)%".into();
    };
    let stack = Stack::builder().envoy(with_queries).start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    // As if the filter had let it all through.
    let around =
        |headers: &[(&str, String)]| headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
    let token = stack.app.last().header("x-wxgate-identity").unwrap();
    let (other, _) = token.rsplit_once('.').unwrap();
    let passed: [Vec<(String, Vec<u8>)>; 6] = [
        around(&[]),
        around(&[("x-wxgate-identity", format!("{other}.{}", "A".repeat(86)))]),
        around(&[("x-wxgate-identity", token.clone()), ("x_wxgate_identity", "evil".into())]),
        around(&[("x-wxgate-identity", token.clone()), ("x-user-id", "somebody".into())]),
        around(&[("x-wxgate-identity", token.clone()), ("cookie", format!("a=b; __Host-wxgate_session={}", visitor.session()))]),
        around(&[("x-wxgate-identity", token), ("authorization", format!("Bearer {}", visitor.session()))]),
    ];
    for headers in passed {
        http::exchange(stack.app.address, "GET", "/orders", &headers, b"").await.assert_status(200);
    }

    let broken = stack.finish_broken().await.join("\n");

    for what in [
        "a cookie, code, state or password stands in Envoy's log",
        "a protected page without an identity",
        "an identity that we did not sign",
        "several identities, or one in another spelling",
        "a header x-user-id that is not ours",
        "a cookie of ours",
        "a session token",
    ] {
        assert!(broken.contains(what), "{what}, in:\n{broken}");
    }
}
