//! Single values: which are taken, wherever they stand.

use super::*;

#[test]
fn values_of_a_wrong_kind_or_size_are_refused() {
    each_is_refused([
        (sample_with("/wechat", json!([])), "$.wechat", "expected an object, found a list"),
        (sample_with("/connectors", json!({})), "$.connectors", "expected a list, found an object"),
        (sample_with("/wechat/cluster", json!(null)), "$.wechat.cluster", "expected text, found null"),
        (sample_with("/wechat/cluster", json!("")), "$.wechat.cluster", "expected the name of an Envoy cluster"),
        (sample_with("/applications/0/experience", json!("yes")), "$.applications[0].experience", "expected true or false, found text"),
        (
            sample_with("/applications/0/claims", json!({"name": 1})),
            "$.applications[0].claims.name",
            "expected true or false, found a number",
        ),
        (sample_with("/wechat/timeout_ms", json!(49)), "$.wechat.timeout_ms", "expected a whole number from 50 to 60000, found 49"),
        (sample_with("/wechat/timeout_ms", json!(60_001)), "$.wechat.timeout_ms", "from 50 to 60000"),
        (sample_with("/wechat/timeout_ms", json!(-1)), "$.wechat.timeout_ms", "found -1"),
        (sample_with("/wechat/timeout_ms", json!(99.5)), "$.wechat.timeout_ms", "found 99.5"),
        (sample_with("/wechat/timeout_ms", json!(u64::MAX)), "$.wechat.timeout_ms", "from 50 to 60000"),
        (sample_with("/wechat/timeout_ms", json!("5000")), "$.wechat.timeout_ms", "from 50 to 60000, found text"),
        (sample_with("/resolver/timeout_ms", json!(0)), "$.resolver.timeout_ms", "from 50 to 60000, found 0"),
        (sample_with("/identity/ttl_seconds", json!(9)), "$.identity.ttl_seconds", "from 10 to 300"),
        (sample_with("/identity/ttl_seconds", json!(301)), "$.identity.ttl_seconds", "from 10 to 300"),
        (sample_with("/session/idle_seconds", json!(59)), "$.session.idle_seconds", "from 60 to 2592000"),
        (sample_with("/session/idle_seconds", json!(2_592_001)), "$.session.idle_seconds", "from 60 to 2592000"),
        (sample_with("/session/absolute_seconds", json!(31_536_001)), "$.session.absolute_seconds", "from 60 to 31536000"),
        (sample_with("/session/absolute_seconds", json!(3600)), "$.session.idle_seconds", "from 60 to 3600, found 86400"),
        (sample_with("/revocation", json!({"poll_seconds": 0})), "$.revocation.poll_seconds", "from 1 to 300"),
        (sample_with("/revocation", json!({"poll_seconds": 301})), "$.revocation.poll_seconds", "from 1 to 300"),
        (
            sample_with("/revocation", json!({"on_outage": "refus"})),
            "$.revocation.on_outage",
            "expected serve or refuse (did you mean `refuse`?)",
        ),
        (sample_with("/applications", json!([])), "$.applications", "the list is empty (expected a list of at least one application)"),
        (sample_with("/session/keys", json!([])), "$.session.keys", "the list is empty"),
        (sample_with("/identity/keys", json!([])), "$.identity.keys", "the list is empty"),
        (sample_with("/applications/0/connectors", json!([])), "$.applications[0].connectors", "the list is empty"),
    ]);
}

#[test]
fn what_is_required_is_missed() {
    each_is_refused([
        (sample_without("/resolver"), "$.resolver.token", "missing (expected the bearer token that the resolver asks for"),
        (sample_without("/session"), "$.session.keys", "missing (expected at least one session key"),
        (sample_without("/identity"), "$.identity.keys", "missing (expected at least one signing key"),
        (sample_without("/applications"), "$.applications", "missing (expected a list of at least one application)"),
        (sample_without("/connectors/0/type"), "$.connectors[0].type", "missing (expected website_qr, official_account_web, mobile_app,"),
        (sample_without("/connectors/0/app_id"), "$.connectors[0].app_id", "missing (expected the AppID from WeChat's console)"),
        (sample_without("/connectors/0/app_secret"), "$.connectors[0].app_secret", "missing (expected the AppSecret from WeChat's console"),
        (
            sample_without("/connectors/0/platform"),
            "$.connectors[0].platform",
            "missing (expected a name of yours for the WeChat Open Platform account",
        ),
        (sample_without("/applications/0/id"), "$.applications[0].id", "missing (expected a short name such as shop"),
        (sample_without("/applications/0/origin"), "$.applications[0].origin", "missing (expected where visitors find it"),
        (sample_without("/applications/0/connectors"), "$.applications[0].connectors", "missing (expected the ids of the connectors"),
        (
            sample_without("/applications/0/rules/0/access"),
            "$.applications[0].rules[0].access",
            "missing (expected public, optional or protected)",
        ),
        (
            with(two_applications(), "/identity", json!({"keys": [{"private_key": {"env": "WXGATE_SIGNING_KEY"}}]})),
            "$.identity.issuer",
            "missing (expected the address that signs",
        ),
    ]);
    // All of it: an empty object.
    let problems = problems(&json!({}));
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["$.resolver.token", "$.connectors", "$.applications", "$.identity.keys", "$.session.keys"]);
}

#[test]
fn numbers_may_come_as_envoy_writes_them() {
    // Envoy turns a protobuf Struct into JSON by way of doubles.
    let config = compile(SAMPLE.replace("5000", "5000.0").replace("120", "1.2e2").as_bytes(), &env).ok().unwrap();
    assert_eq!((config.wechat.timeout_ms, config.identity.ttl_seconds), (5000, 120));
}

#[test]
fn names_addresses_and_paths_have_a_form() {
    each_is_refused([
        (sample_with("/path_prefix", json!("/")), "$.path_prefix", "expected a path such as /wxgate"),
        (sample_with("/path_prefix", json!("/wxgate/")), "$.path_prefix", "without a slash at its end"),
        (sample_with("/path_prefix", json!("/a/../b")), "$.path_prefix", "expected a path such as /wxgate"),
        (sample_with("/path_prefix", json!("/%77xgate")), "$.path_prefix", "expected a path such as /wxgate"),
        (sample_with("/wechat/api_authority", json!("https://api.weixin.qq.com")), "$.wechat.api_authority", "without a scheme"),
        (sample_with("/wechat/api_authority", json!("api.weixin.qq.com/")), "$.wechat.api_authority", "without a path"),
        (sample_with("/wechat/open_origin", json!("http://open.weixin.qq.com")), "$.wechat.open_origin", "expected https"),
        (sample_with("/resolver/authority", json!("resolver:0")), "$.resolver.authority", "expected a port from 1 to 65535"),
        (sample_with("/identity/issuer", json!("shop")), "$.identity.issuer", "expected an address such as https://shop.example.com"),
        (sample_with("/identity/issuer", json!("https://shop.example.com/?a")), "$.identity.issuer", "without query or fragment"),
        (sample_with("/identity/header", json!("X-Identity")), "$.identity.header", "in lower case"),
        (sample_with("/identity/header", json!("x_identity")), "$.identity.header", "without `_`"),
        (sample_with("/identity/header", json!("authorization")), "$.identity.header", "a meaning of its own"),
        (sample_with("/identity/header", json!("x-forwarded-user")), "$.identity.header", "a meaning of its own"),
        (sample_with("/identity/header", json!(":path")), "$.identity.header", "expected a header name"),
        (
            sample_with("/identity/claim_headers", json!({"x-wxgate-identity": "sub"})),
            "$.identity.claim_headers.x-wxgate-identity",
            "the identity header itself",
        ),
        (sample_with("/identity/claim_headers", json!({"host": "sub"})), "$.identity.claim_headers.host", "a meaning of its own"),
        (sample_with("/identity/claim_headers", json!({"x_user_id": "sub"})), "$.identity.claim_headers.x_user_id", "without `_`"),
        (
            sample_with("/identity/claim_headers", json!({"x-user": "user"})),
            "$.identity.claim_headers.x-user",
            "expected sub, sid, connector, name or phone_number",
        ),
        (
            with(sample_with("/connectors/1/id", json!("In_WeChat")), "/applications/0/connectors", json!(["In_WeChat"])),
            "$.connectors[1].id",
            "expected 1 to 32 of a-z, 0-9 and -",
        ),
        (sample_with("/connectors/0/app_id", json!("wx000000000000000A")), "$.connectors[0].app_id", "wx and 16 lower-case hex digits"),
        (sample_with("/connectors/0/app_id", json!("gh_0123456789ab")), "$.connectors[0].app_id", "this is the original id"),
        (sample_with("/connectors/0/platform", json!("")), "$.connectors[0].platform", "expected 1 to 64"),
        (sample_with("/connectors/0/display_name", json!("a\nb")), "$.connectors[0].display_name", "without control characters"),
        (sample_with("/applications/0/id", json!("-shop")), "$.applications[0].id", "expected 1 to 64 of a-z, 0-9 and -"),
        (sample_with("/applications/0/pool", json!("a b")), "$.applications[0].pool", "expected 1 to 64"),
    ]);
}
