//! The configuration as its operator meets it: what is taken, what is refused, and what is then said.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{ES256KeyPair, Ed25519KeyPair};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;

/// The sample of the design.
const SAMPLE: &str = r#"{
  "path_prefix": "/wxgate",
  "wechat": {"cluster": "wechat_api", "api_authority": "api.weixin.qq.com", "open_origin": "https://open.weixin.qq.com", "timeout_ms": 5000},
  "resolver": {"cluster": "wxgate_resolver", "authority": "resolver.internal", "token": {"env": "WXGATE_RESOLVER_TOKEN"}, "timeout_ms": 3000},
  "session": {"keys": [{"env": "WXGATE_SESSION_KEY"}], "idle_seconds": 86400, "absolute_seconds": 2592000},
  "identity": {"issuer": "https://shop.example.com", "header": "x-wxgate-identity", "ttl_seconds": 120,
               "keys": [{"alg": "ES256", "private_key": {"env": "WXGATE_SIGNING_KEY"}}],
               "claim_headers": {"x-user-id": "sub"}},
  "connectors": [
    {"id": "pc", "type": "website_qr", "display_name": "WeChat", "app_id": "wx0000000000000001", "app_secret": {"env": "WX_PC_SECRET"}, "platform": "main"},
    {"id": "in-wechat", "type": "official_account_web", "display_name": "WeChat", "app_id": "wx0000000000000002", "app_secret": {"env": "WX_OA_SECRET"}, "platform": "main", "scope": "snsapi_userinfo"}
  ],
  "applications": [
    {"id": "shop", "pool": "default", "hosts": ["shop.example.com"], "origin": "https://shop.example.com", "connectors": ["pc", "in-wechat"],
     "rules": [{"path_prefix": "/assets", "access": "public"}, {"path_exact": "/", "access": "optional"}]}
  ]
}"#;

/// Stands in for the VM's environment. No key is written down anywhere, so none can be copied from here.
fn env(name: &str) -> Option<String> {
    static SIGNING_KEY: LazyLock<String> = LazyLock::new(|| ES256KeyPair::generate().to_pem().unwrap());
    static EDDSA_KEY: LazyLock<String> = LazyLock::new(|| Ed25519KeyPair::generate().to_pem());
    let random = Sha256::digest(name);
    match name {
        "WXGATE_SESSION_KEY" | "WXGATE_SESSION_KEY_OLD" => Some(URL_SAFE_NO_PAD.encode(random)),
        "WXGATE_SIGNING_KEY" => Some(SIGNING_KEY.clone()),
        "WXGATE_SIGNING_KEY_EDDSA" => Some(EDDSA_KEY.clone()),
        "WXGATE_RESOLVER_TOKEN" => Some(format!("{}\n", URL_SAFE_NO_PAD.encode(random))),
        "EMPTY" => Some("\n".into()),
        "SHORT" => Some("aF3_k9".into()),
        "WEAK_SESSION_KEY" => Some(URL_SAFE_NO_PAD.encode([7; 32])),
        "EXAMPLE_SESSION_KEY" => Some(URL_SAFE_NO_PAD.encode("wxgate-example-key-do-not-use!!!")),
        "JWT_IO_KEY" => Some(JWT_IO_KEY.into()),
        "RFC_8037_KEY" => Some(RFC_8037_KEY.into()),
        _ if name.ends_with("_SECRET") => Some(random.iter().take(16).map(|byte| format!("{byte:02x}")).collect()),
        _ => None,
    }
}

/// The best-known ES256 private key of the world.
const JWT_IO_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\nOF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n-----END PRIVATE KEY-----\n";
/// RFC 8037, A.1, as PKCS#8.
const RFC_8037_KEY: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

pub(crate) fn compiled(config: &Value) -> Config {
    compile(config.to_string().as_bytes(), &env).unwrap_or_else(|problems| panic!("{}", listed(&problems)))
}

fn problems(config: &Value) -> Vec<Problem> {
    compile(config.to_string().as_bytes(), &env).err().unwrap_or_default()
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

pub(crate) fn sample() -> Value {
    serde_json::from_str(SAMPLE).unwrap()
}

/// `config` with one value changed; `pointer` is RFC 6901, and its last part may be new.
fn with(mut config: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match config.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
    config
}

fn sample_with(pointer: &str, value: Value) -> Value {
    with(sample(), pointer, value)
}

fn sample_without(pointer: &str) -> Value {
    let mut config = sample();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    config.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    config
}

/// A second application beside the sample's, with a connector of its own.
fn two_applications() -> Value {
    let mut config = sample();
    config["connectors"].as_array_mut().unwrap().push(json!({
        "id": "docs-pc", "type": "website_qr", "app_id": "wx0000000000000003", "app_secret": {"env": "WX_DOCS_SECRET"}, "platform": "main"
    }));
    config["applications"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "docs", "origin": "https://docs.example.com", "connectors": ["docs-pc"]}));
    config
}

fn two_applications_with(pointer: &str, value: Value) -> Value {
    with(two_applications(), pointer, value)
}

/// Every row: this configuration has one problem, at this path, and its line says this.
fn each_is_refused(rows: impl IntoIterator<Item = (Value, &'static str, &'static str)>) {
    for (config, path, says) in rows {
        let problems = problems(&config);
        let [problem] = problems.as_slice() else { panic!("expected one problem at {path} ({says}), got:\n{}", listed(&problems)) };
        assert_eq!(problem.path, path, "{problem}");
        assert!(problem.to_string().contains(says), "expected {says:?} in: {problem}");
    }
}

#[test]
fn the_sample_of_the_design_compiles() {
    let config = compile(SAMPLE.as_bytes(), &env).unwrap_or_else(|problems| panic!("{}", listed(&problems)));
    assert_eq!(config.path_prefix, "/wxgate");
    assert_eq!((config.wechat.cluster.as_str(), config.wechat.timeout_ms), ("wechat_api", 5000));
    assert_eq!(config.resolver.token.expose(), env("WXGATE_RESOLVER_TOKEN").unwrap().trim_end());
    assert_eq!(config.identity.claim_headers, [("x-user-id".to_owned(), PlainClaim::Sub)]);
    assert_eq!((config.session.idle_seconds, config.session.absolute_seconds), (86_400, 2_592_000));
    let shop = &config.applications[0];
    assert_eq!(shop.display_name, "shop");
    assert_eq!(shop.connectors.iter().map(|connector| connector.id.as_str()).collect::<Vec<_>>(), ["pc", "in-wechat"]);
    assert_eq!(shop.connector(b"in-wechat").unwrap().method, Method::OfficialAccountWeb { scope: Scope::Userinfo });
    assert_eq!(shop.rules.decide(b"GET", b"/assets/a.css").access, crate::rules::Access::Public);
    assert_eq!(config.by_authority.get("shop.example.com").unwrap().id, "shop");
    assert_eq!(config.by_host.get("shop.example.com").unwrap().id, "shop");
}

#[test]
fn what_is_left_out_has_a_default() {
    let config = compiled(&json!({
        "resolver": {"token": {"env": "WXGATE_RESOLVER_TOKEN"}},
        "session": {"keys": [{"env": "WXGATE_SESSION_KEY"}]},
        "identity": {"keys": [{"private_key": {"env": "WXGATE_SIGNING_KEY"}}]},
        "connectors": [{"id": "pc", "type": "website_qr", "app_id": "wx0123456789abcdef", "app_secret": {"env": "WX_PC_SECRET"}, "platform": "main"}],
        "applications": [{"id": "shop", "origin": "https://shop.example.com", "connectors": ["pc"]}]
    }));
    assert_eq!(config.path_prefix, "/wxgate");
    assert_eq!(config.wechat.cluster, "wechat_api");
    assert_eq!(config.wechat.api_authority, "api.weixin.qq.com");
    assert_eq!(config.wechat.open_origin, "https://open.weixin.qq.com");
    assert_eq!(config.wechat.timeout_ms, 5000);
    assert_eq!(config.resolver.cluster, "wxgate_resolver");
    assert_eq!(config.resolver.authority, "resolver.internal");
    assert_eq!(config.resolver.timeout_ms, 3000);
    assert_eq!((config.session.idle_seconds, config.session.absolute_seconds), (86_400, 2_592_000));
    assert_eq!(config.identity.issuer, "https://shop.example.com");
    assert_eq!(config.identity.header, "x-wxgate-identity");
    assert_eq!(config.identity.ttl_seconds, 120);
    assert!(config.identity.claim_headers.is_empty());
    assert_eq!((config.revocation.poll_seconds, config.revocation.on_outage), (5, OnOutage::Serve));
    let shop = &config.applications[0];
    assert_eq!((shop.display_name.as_str(), shop.pool.as_str(), shop.experience), ("shop", "default", false));
    assert_eq!(shop.claims, Claims { name: true, picture: true, phone_number: false, wechat: false });
    assert!(shop.verification_files.is_empty());
    assert_eq!(shop.connectors[0].display_name, "WeChat");
    assert_eq!(shop.rules.decide(b"GET", b"/").rule, None);
}

#[test]
fn all_problems_are_reported_together() {
    let config = r#"{
        "path_prefix": "wxgate",
        "path_prefix": "/",
        "wechat": {"timeout_ms": 0, "clutser": "wechat_api"},
        "sesion": {},
        "session": {"keys": ["plain text key"], "idle_seconds": "1 day"},
        "identity": {"keys": [{"alg": "RS256", "private_key": {"env": "WXGATE_SIGNING_KEY"}}], "header": "Cookie"},
        "connectors": [
            {"id": "pc", "type": "website_qr", "app_id": "wx1", "app_secret": {"env": "MISSING"}},
            {"id": "pc", "type": "mini_program", "app_id": "wx0000000000000002", "app_secret": {"env": "WX_OA_SECRET"}, "platform": "main"}
        ],
        "applications": [
            {"id": "Shop", "origin": "http://shop.example.com/", "connectors": ["pcc"],
             "rules": [{"path_prefix": "/", "access": "public"}, {"path_exact": "/a", "access": "protected"}, {"path_exact": "/../b", "acess": "public"}]}
        ]
    }"#;
    let problems = compile(config.as_bytes(), &env).err().unwrap();
    let mut paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "$.applications[0].connectors[0]",
            "$.applications[0].id",
            "$.applications[0].origin",
            "$.applications[0].rules[1]",
            "$.applications[0].rules[2].access",
            "$.applications[0].rules[2].acess",
            "$.applications[0].rules[2].path_exact",
            "$.connectors[0].app_id",
            "$.connectors[0].app_secret.env",
            "$.connectors[0].platform",
            "$.connectors[1].id",
            "$.connectors[1].type",
            "$.identity.header",
            "$.identity.keys[0].alg",
            "$.path_prefix",
            "$.path_prefix",
            "$.resolver.token",
            "$.sesion",
            "$.session.idle_seconds",
            "$.session.keys[0]",
            "$.wechat.clutser",
            "$.wechat.timeout_ms",
        ],
        "{}",
        listed(&problems)
    );
}

#[test]
fn what_is_not_json_is_refused_with_line_and_column() {
    let refusal = |text: &[u8]| listed(&compile(text, &env).err().unwrap());
    assert!(refusal(b"").contains("the configuration is empty"));
    assert!(refusal(b" \n").contains("the configuration is empty"));
    assert!(refusal(b"{\n  \"path_prefix\": \n}").starts_with("$: not JSON: expected value at line 3 column 1"));
    assert!(refusal(b"{} {}").contains("trailing characters at line 1 column 4"));
    assert!(refusal(b"\xff").contains("not JSON"));
    assert!(refusal(&[b'['; 1000]).contains("recursion limit"));
    assert!(refusal(&vec![b' '; 1 << 21]).contains("empty"));
    assert!(refusal(format!("[\"{}\"]", "a".repeat(1 << 20)).as_bytes()).contains("longer than 1048576 bytes"));
    assert_eq!(refusal(b"[]"), "$: expected an object, found a list\n");
    assert_eq!(refusal(b"null"), "$: expected an object, found null\n");
}

#[test]
fn unknown_and_repeated_keys_are_refused_wherever_they_stand() {
    each_is_refused([
        (sample_with("/sessoin", json!({})), "$.sessoin", "unknown key (did you mean `session`?)"),
        (sample_with("/session/keyes", json!([])), "$.session.keyes", "did you mean `keys`?"),
        (sample_with("/session/cookie_name", json!("a")), "$.session.cookie_name", "known here: keys, idle_seconds, absolute_seconds"),
        (sample_with("/wechat/timeoutMs", json!(1)), "$.wechat.timeoutMs", "did you mean `timeout_ms`?"),
        (sample_with("/connectors/0/appid", json!("wx")), "$.connectors[0].appid", "did you mean `app_id`?"),
        (sample_with("/applications/0/claims", json!({"phone": true})), "$.applications[0].claims.phone", "unknown key"),
        (sample_with("/identity/keys/0/kid", json!("a")), "$.identity.keys[0].kid", "unknown key"),
        (sample_with("/applications/0/rules/0/a b", json!(1)), "$.applications[0].rules[0][\"a b\"]", "unknown key"),
    ]);
    let twice = SAMPLE.replace(r#""pool": "default","#, r#""pool": "default", "id": "shop","#);
    let problems = compile(twice.as_bytes(), &env).err().unwrap();
    assert!(listed(&problems).starts_with("$.applications[0].id: this key is written twice"), "{}", listed(&problems));
    assert_eq!(problems.len(), 1);
}

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
        (sample_without("/connectors/0/type"), "$.connectors[0].type", "missing (expected website_qr or official_account_web)"),
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

#[test]
fn origins_and_hosts_are_what_browsers_send() {
    let origin = |text: &str| sample_with("/applications/0/origin", json!(text));
    let at = "$.applications[0].origin";
    each_is_refused([
        (origin("shop.example.com"), at, "expected an origin such as https://shop.example.com"),
        (origin("ftp://shop.example.com"), at, "expected an origin such as https://shop.example.com"),
        (origin("HTTPS://shop.example.com"), at, "expected the scheme in lower case"),
        (origin("http://shop.example.com"), at, "`__Host-` cookies, which browsers keep only over https"),
        (origin("http://notlocalhost"), at, "expected https"),
        (origin("https://shop.example.com/"), at, "an origin has no slash at its end"),
        (origin("https://shop.example.com/shop"), at, "without path, query or fragment"),
        (origin("https://shop.example.com?a"), at, "without path, query or fragment"),
        (origin("https://shop.example.com#a"), at, "without path, query or fragment"),
        (origin("https://me@shop.example.com"), at, "an origin has no user name"),
        (origin("https://Shop.example.com"), at, "in lower case"),
        (origin("https://商店.example.com"), at, "in punycode: xn--"),
        (origin("https://*.example.com"), at, "there are no wildcards"),
        (origin("https://shop.example.com."), at, "single dots between them"),
        (origin("https://shop..example.com"), at, "single dots between them"),
        (origin("https://-shop.example.com"), at, "expected a host name"),
        (origin("https://"), at, "expected a host name"),
        (origin("https://shop.example.com:0"), at, "expected a port"),
        (origin("https://shop.example.com:99999"), at, "expected a port"),
        (origin("https://shop.example.com:08443"), at, "expected a port"),
        (origin("https://shop.example.com:"), at, "expected a port"),
        (origin("https://127.1"), at, "an IPv4 address of four numbers"),
        (origin("https://0x7f.1"), at, "an IPv4 address of four numbers"),
        (origin("https://[::0:1]"), at, "in its shortest spelling"),
        (sample_with("/applications/0/hosts", json!(["www.example.com:8443"])), "$.applications[0].hosts[0]", "without a port"),
        (sample_with("/applications/0/hosts", json!(["https://www.example.com"])), "$.applications[0].hosts[0]", "without a scheme"),
        (sample_with("/applications/0/hosts", json!(["*.example.com"])), "$.applications[0].hosts[0]", "there are no wildcards"),
        (sample_with("/applications/0/hosts", json!(["www.example.com", "www.example.com"])), "$.applications[0].hosts[1]", "listed twice"),
    ]);
    for (written, canonical, host) in [
        ("https://shop.example.com:443", "https://shop.example.com", "shop.example.com"),
        ("http://localhost:80", "http://localhost", "localhost"),
        ("http://shop.localhost:8080", "http://shop.localhost:8080", "shop.localhost"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1"),
        ("http://[::1]:8080", "http://[::1]:8080", "[::1]"),
        ("https://xn--fiq228c.example.com", "https://xn--fiq228c.example.com", "xn--fiq228c.example.com"),
    ] {
        let config = compiled(&with(origin(written), "/applications/0/hosts", json!([])));
        assert_eq!(config.applications[0].origin, canonical);
        let authority = canonical.split_once("://").unwrap().1;
        assert_eq!(
            (config.by_authority.get(authority).unwrap().id.as_str(), config.by_host.get(host).unwrap().id.as_str()),
            ("shop", "shop"),
            "{written}"
        );
    }
}

#[test]
fn a_host_leads_to_one_application() {
    each_is_refused([
        (two_applications_with("/applications/1/id", json!("shop")), "$.applications[1].id", "the id shop is taken"),
        (
            two_applications_with("/applications/1/hosts", json!(["shop.example.com"])),
            "$.applications[1].hosts[0]",
            "$.applications[0] has this host already",
        ),
        (
            two_applications_with("/applications/0/hosts", json!(["docs.example.com"])),
            "$.applications[0].hosts[0]",
            "$.applications[1] has this host already",
        ),
    ]);
    let listed = listed(&problems(&two_applications_with("/applications/1/origin", json!("https://shop.example.com:443"))));
    assert!(listed.contains("$.applications[1].origin: $.applications[0] has this origin already"), "{listed}");

    // Two origins on one host name differ by port: the name alone leads to neither.
    let mut config = two_applications_with("/applications/1/origin", json!("http://localhost:8081"));
    config["applications"][0]["origin"] = json!("http://localhost:8080");
    config["applications"][0]["hosts"] = json!(["www.localhost"]);
    let config = compiled(&config);
    assert!(!config.by_host.contains_key("localhost"));
    assert_eq!(config.by_host.get("www.localhost").unwrap().id, "shop");
    assert_eq!(config.by_authority.get("localhost:8081").unwrap().id, "docs");
}

#[test]
fn wechat_itself_takes_no_port_and_the_simulator_may() {
    let ported = with(serde_json::from_str(SAMPLE).unwrap(), "/applications/0/origin", json!("https://shop.example.com:8443"));
    each_is_refused([(ported.clone(), "$.applications[0].origin", "does not send visitors back to a port")]);
    let config = compiled(&with(ported, "/wechat/open_origin", json!("https://simulator.example.com")));
    assert_eq!(config.applications[0].origin, "https://shop.example.com:8443");
    assert!(config.by_authority.contains_key("shop.example.com:8443") && config.by_host.contains_key("shop.example.com"));
}

#[test]
fn one_web_connector_serves_one_origin() {
    let domain = "WeChat knows a single callback domain per app";
    let shared = two_applications_with("/applications/1/connectors", json!(["docs-pc", "pc"]));
    let same_app = two_applications_with("/connectors/2/app_id", json!("wx0000000000000001"));
    let same_app = with(same_app, "/connectors/2/app_secret", json!({"env": "WX_PC_SECRET"}));
    each_is_refused([(shared.clone(), "$.applications[1].connectors[1]", domain), (same_app, "$.applications[1].connectors[0]", domain)]);
    let line = listed(&problems(&shared));
    for part in ["wx0000000000000001", "https://docs.example.com", "https://shop.example.com", "$.applications[0].connectors[0]"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn connectors_of_one_app_agree_about_it() {
    let second = |changes: Value| {
        let mut connector = json!({"id": "pc2", "type": "website_qr", "app_id": "wx0000000000000001", "app_secret": {"env": "WX_PC_SECRET"}, "platform": "main"});
        connector.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut config = sample();
        config["connectors"].as_array_mut().unwrap().push(connector);
        config
    };
    compiled(&second(json!({})));
    each_is_refused([
        (second(json!({"id": "pc"})), "$.connectors[2].id", "the id pc is taken by an earlier one"),
        (second(json!({"platform": "other"})), "$.connectors[2].platform", "one app is bound to one Open Platform account"),
        (second(json!({"type": "official_account_web"})), "$.connectors[2].app_id", "expected the AppID of an official account"),
        (
            second(json!({"app_secret": {"env": "WX_OTHER_SECRET"}})),
            "$.connectors[2].app_secret",
            "$.connectors[0] has the same app_id and another secret",
        ),
        (sample_with("/connectors/0/scope", json!("snsapi_userinfo")), "$.connectors[0].scope", "only official_account_web has a scope"),
        (sample_with("/connectors/1/scope", json!("snsapi_login")), "$.connectors[1].scope", "expected snsapi_base or snsapi_userinfo"),
        (sample_with("/connectors/0/type", json!("websiteqr")), "$.connectors[0].type", "did you mean `website_qr`?"),
        (
            sample_with("/connectors/0/type", json!("mobile_app")),
            "$.connectors[0].type",
            "this version does not have mobile_app yet (it has website_qr and official_account_web)",
        ),
        (
            sample_with("/applications/0/connectors", json!(["pc", "in-wechatt"])),
            "$.applications[0].connectors[1]",
            "no connector of that id (did you mean `in-wechat`?)",
        ),
        (sample_with("/applications/0/connectors", json!(["pc", "x"])), "$.applications[0].connectors[1]", "there are: pc, in-wechat"),
        (sample_with("/applications/0/connectors", json!(["pc", "pc"])), "$.applications[0].connectors[1]", "listed twice"),
    ]);
}

#[test]
fn a_rule_that_no_request_meets_is_refused() {
    let rules = |rules: Value| sample_with("/applications/0/rules", rules);
    let exact = |path: &str| rules(json!([{"path_exact": path, "access": "public"}]));
    let prefix = |path: &str| rules(json!([{"path_prefix": path, "access": "public"}]));
    let after = |first: Value, second: Value| rules(json!([first, second]));
    let (at_exact, at_prefix) = ("$.applications[0].rules[0].path_exact", "$.applications[0].rules[0].path_prefix");
    each_is_refused([
        (exact("assets"), at_exact, "begins with a slash"),
        (exact("^/public"), at_exact, "begins with a slash"),
        (exact("/a?b=c"), at_exact, "the query takes no part"),
        (prefix("/assets/*"), at_prefix, "no wildcards"),
        (exact("/users/{id}"), at_exact, "no wildcards, patterns or regular expressions"),
        (exact("/图"), at_exact, "percent escapes"),
        (exact("/a/../b"), at_exact, "no request ever matches it"),
        (exact("/a/%2e%2e/b"), at_exact, "no request ever matches it"),
        (exact("/a%2fb"), at_exact, "no request ever matches it"),
        (exact("/a//b"), at_exact, "no request ever matches it"),
        (exact("/a#b"), at_exact, "no request ever matches it"),
        (exact("/%zz"), at_exact, "no request ever matches it"),
        (exact("/a;/../b"), at_exact, "no request ever matches it"),
        (prefix("/assets/"), at_prefix, "a prefix has no slash at its end"),
        (exact("/wxgate"), at_exact, "the filter itself answers /wxgate and everything below it"),
        (prefix("/wxgate/login"), at_prefix, "the filter itself answers /wxgate"),
        (exact("/%77xgate/login"), at_exact, "the filter itself answers /wxgate"),
        (rules(json!([{"access": "public"}])), "$.applications[0].rules[0]", "expected exactly one of `path_exact` and `path_prefix`"),
        (
            rules(json!([{"path_exact": "/a", "path_prefix": "/a", "access": "public"}])),
            "$.applications[0].rules[0]",
            "expected exactly one",
        ),
        (
            rules(json!([{"path_regex": "/a", "path_prefix": "/a", "access": "public"}])),
            "$.applications[0].rules[0].path_regex",
            "unknown key",
        ),
        (rules(json!([{"path_exact": "/a", "access": "publick"}])), "$.applications[0].rules[0].access", "did you mean `public`?"),
        (
            rules(json!([{"path_exact": "/a", "access": "public", "methods": []}])),
            "$.applications[0].rules[0].methods",
            "leave `methods` out for all",
        ),
        (
            rules(json!([{"path_exact": "/a", "access": "public", "methods": ["get"]}])),
            "$.applications[0].rules[0].methods[0]",
            "in upper case",
        ),
        (
            rules(json!([{"path_exact": "/a", "access": "public", "preflight": true}])),
            "$.applications[0].rules[0].preflight",
            "expected text",
        ),
        (
            after(json!({"path_prefix": "/", "access": "public"}), json!({"path_exact": "/a", "access": "protected"})),
            "$.applications[0].rules[1]",
            "rule 0 matches all of its requests first",
        ),
        (
            after(json!({"path_prefix": "/a", "access": "public"}), json!({"path_prefix": "/a/b", "access": "protected"})),
            "$.applications[0].rules[1]",
            "rule 0",
        ),
        (
            after(json!({"path_exact": "/a", "access": "public"}), json!({"path_exact": "/%61", "access": "protected"})),
            "$.applications[0].rules[1]",
            "rule 0",
        ),
        (
            after(
                json!({"path_prefix": "/a", "methods": ["GET", "HEAD"], "access": "public"}),
                json!({"path_exact": "/a", "methods": ["GET"], "access": "protected"}),
            ),
            "$.applications[0].rules[1]",
            "rule 0",
        ),
    ]);
    for taken in [
        after(json!({"path_prefix": "/a/b", "access": "protected"}), json!({"path_prefix": "/a", "access": "public"})),
        after(json!({"path_prefix": "/a", "access": "public"}), json!({"path_prefix": "/ab", "access": "protected"})),
        after(json!({"path_exact": "/a", "access": "public"}), json!({"path_prefix": "/a", "access": "protected"})),
        after(json!({"path_prefix": "/a", "methods": ["GET"], "access": "public"}), json!({"path_prefix": "/a", "access": "protected"})),
        rules(json!([{"path_prefix": "/wxgated", "access": "public", "methods": ["GET", "M-SEARCH"], "preflight": "allow"}])),
        exact("/%E5%9B%BE.png"),
        exact("/a/"),
    ] {
        compiled(&taken);
    }
    assert_eq!(compiled(&exact("/%E5%9B%BE.png")).applications[0].rules.decide(b"GET", "/%e5%9b%be.png".as_bytes()).rule, Some(0));
}

#[test]
fn verification_files_are_names_at_the_root() {
    let file = |path: &str, content: &str| sample_with("/applications/0/verification_files", json!([{"path": path, "content": content}]));
    let (path, content) = ("$.applications[0].verification_files[0].path", "$.applications[0].verification_files[0].content");
    each_is_refused([
        (file("MP_verify_a.txt", "a"), path, "after a slash"),
        (file("/a/b.txt", "a"), path, "after a slash"),
        (file("/index.html", "a"), path, "such as /MP_verify_abc.txt"),
        (file("/a.txt", ""), content, "1 to 1024"),
        (file("/a.txt", "<é>"), content, "visible ASCII"),
    ]);
    assert_eq!(compiled(&file("/MP_verify_abc.txt", "abc")).applications[0].verification_files[0].content, "abc");
}

#[test]
fn secrets_come_by_reference_and_are_not_examples() {
    let token = |value: Value| sample_with("/resolver/token", value);
    let session_key = |name: &str| sample_with("/session/keys/0", json!({"env": name}));
    let signing_key = |alg: &str, name: &str| sample_with("/identity/keys/0", json!({"alg": alg, "private_key": {"env": name}}));
    let app_secret = |value: &str| sample_with("/connectors/0/app_secret", json!({"inline": value}));
    let pem = "$.identity.keys[0].private_key";
    each_is_refused([
        (token(json!("abc")), "$.resolver.token", "found text (write {\"env\": \"NAME\"}"),
        (token(json!(7)), "$.resolver.token", "expected an object, found a number"),
        (token(json!({})), "$.resolver.token", "expected exactly one of `env` and `inline`"),
        (token(json!({"env": "A", "inline": "b"})), "$.resolver.token", "expected exactly one of `env` and `inline`"),
        (
            token(json!({"env": "MISSING"})),
            "$.resolver.token.env",
            "the environment variable MISSING is not set in the VM (set it for the Envoy process and list its name in `vm_config.environment_variables.host_env_keys`)",
        ),
        (token(json!({"env": "A B"})), "$.resolver.token.env", "expected the name of an environment variable"),
        (token(json!({"env": "missing_lower_case"})), "$.resolver.token.env", "the environment variable is not set"),
        (token(json!({"env": "EMPTY"})), "$.resolver.token", "the secret is empty"),
        (token(json!({"inline": ""})), "$.resolver.token", "the secret is empty"),
        (token(json!({"env": "SHORT"})), "$.resolver.token", "has 6 characters, expected at least 32"),
        (token(json!({"inline": "a b c d e f g h i j k l m n o p q r s t u v w x y z"})), "$.resolver.token", "not visible ASCII"),
        (token(json!({"inline": "change-me-change-me-change-me-change-me"})), "$.resolver.token", "an example or a placeholder"),
        (token(json!({"inline": "this-is-the-wxgate-resolver-secret-token"})), "$.resolver.token", "an example or a placeholder"),
        (token(json!({"inline": "x".repeat(40)})), "$.resolver.token", "an example or a placeholder"),
        (app_secret("short"), "$.connectors[0].app_secret", "expected at least 16"),
        (app_secret("YOUR_WECHAT_APP_SECRET"), "$.connectors[0].app_secret", "an example or a placeholder"),
        (app_secret("00000000000000000000000000000000"), "$.connectors[0].app_secret", "an example or a placeholder"),
        (session_key("SHORT"), "$.session.keys[0]", "expected 32 bytes in base64url (43 characters) (`wxgate keygen session` makes one)"),
        (session_key("WEAK_SESSION_KEY"), "$.session.keys[0]", "can be guessed"),
        (session_key("EXAMPLE_SESSION_KEY"), "$.session.keys[0]", "can be guessed"),
        (session_key("WXGATE_RESOLVER_TOKEN_2"), "$.session.keys[0].env", "not set"),
        (
            sample_with("/session/keys", json!([{"env": "WXGATE_SESSION_KEY"}, {"env": "WXGATE_SESSION_KEY"}])),
            "$.session.keys[1]",
            "the same key",
        ),
        (
            signing_key("RS256", "WXGATE_SIGNING_KEY"),
            "$.identity.keys[0].alg",
            "expected ES256 or EdDSA (one RSA signature blocks an Envoy worker for about 11 ms",
        ),
        (signing_key("HS256", "WXGATE_SIGNING_KEY"), "$.identity.keys[0].alg", "every application could sign"),
        (signing_key("none", "WXGATE_SIGNING_KEY"), "$.identity.keys[0].alg", "expected ES256 or EdDSA"),
        (
            signing_key("EdDSA", "WXGATE_SIGNING_KEY"),
            pem,
            "expected a PKCS#8 PEM private key for EdDSA (`wxgate keygen signing --alg EdDSA` makes one)",
        ),
        (signing_key("ES256", "WXGATE_SIGNING_KEY_EDDSA"), pem, "expected a PKCS#8 PEM private key for ES256"),
        (signing_key("ES256", "JWT_IO_KEY"), pem, "published as an example"),
        (signing_key("EdDSA", "RFC_8037_KEY"), pem, "published as an example"),
    ]);
    compiled(&signing_key("EdDSA", "WXGATE_SIGNING_KEY_EDDSA"));
    compiled(&sample_with("/session/keys", json!([{"env": "WXGATE_SESSION_KEY"}, {"env": "WXGATE_SESSION_KEY_OLD"}])));
    compiled(&app_secret("f3b1c09d5a7e48620d9c1e7a3b5f8642"));
    // The simulator's own: they open nothing at WeChat.
    compiled(&app_secret("0001demo0001demo0001demo0001demo"));
}

/// Whatever is wrong, no line repeats what stands in a variable, beside `inline`, or by mistake anywhere else.
#[test]
fn no_message_repeats_a_value() {
    const CANARY: &str = "Canary_5ecret+In=The!Wrong~Place";
    fn places(value: &Value, pointer: String, into: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| places(item, format!("{pointer}/{index}"), into)),
            Value::Object(members) => members.iter().for_each(|(key, item)| places(item, format!("{pointer}/{key}"), into)),
            _ => into.push(pointer),
        }
    }
    let config = with(two_applications(), "/applications/0/verification_files", json!([{"path": "/a.txt", "content": "a"}]));
    let mut pointers = vec![];
    places(&config, String::new(), &mut pointers);
    assert!(pointers.len() > 40);
    for pointer in pointers {
        for value in [
            json!(CANARY),
            json!({"inline": CANARY}),
            json!({"env": CANARY}),
            json!([CANARY]),
            json!({"env": CANARY.to_lowercase().replace(['+', '=', '!', '~'], "_")}),
        ] {
            let lines = listed(&problems(&with(config.clone(), &pointer, value))).to_lowercase();
            assert!(!lines.contains("canary") && !lines.contains("wrong"), "{pointer}: {lines}");
        }
    }
    // A secret that is right in itself, in a configuration that is wrong everywhere else.
    for name in ["WXGATE_SESSION_KEY", "WXGATE_RESOLVER_TOKEN", "WXGATE_SIGNING_KEY", "WX_PC_SECRET"] {
        let secret = env(name).unwrap();
        let everywhere = SAMPLE.replace("\"env\": \"WX", &format!("\"inline\": {}, \"x\": \"WX", json!(secret)));
        let lines = listed(&compile(everywhere.as_bytes(), &|_| None).err().unwrap());
        assert!(!lines.contains(secret.trim_end()) && !lines.contains(secret.get(40..60).unwrap_or(&secret)), "{lines}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!compile(&bytes, &env).err().unwrap().is_empty());
    }

    /// Bytes of the sample changed, removed or doubled: a configuration or a list of problems, never neither.
    #[test]
    fn no_slip_of_the_pen_makes_it_panic(edits in proptest::collection::vec((any::<usize>(), 0u8..3, any::<u8>()), 1..6)) {
        let mut text = SAMPLE.as_bytes().to_vec();
        for (at, what, byte) in edits {
            let at = at % text.len();
            match what {
                0 => text[at] = byte,
                1 => drop(text.remove(at)),
                _ => text.insert(at, text[at]),
            }
        }
        prop_assert!(compile(&text, &env).err().is_none_or(|problems| !problems.is_empty()));
    }

    /// Values of the sample replaced by others of any kind.
    #[test]
    fn no_value_makes_it_panic(path in proptest::collection::vec(any::<usize>(), 1..6), value in any_json()) {
        let mut config = sample();
        let mut pointer = String::new();
        for step in path {
            match config.pointer(&pointer).unwrap() {
                Value::Array(items) if !items.is_empty() => pointer += &format!("/{}", step % items.len()),
                Value::Object(members) if !members.is_empty() => pointer += &format!("/{}", members.keys().nth(step % members.len()).unwrap()),
                _ => {}
            }
        }
        *config.pointer_mut(&pointer).unwrap() = value;
        prop_assert!(compile(config.to_string().as_bytes(), &env).err().is_none_or(|problems| !problems.is_empty()));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "(https?://)?[a-z0-9.:\\[\\]/*@%;-]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![any::<String>(), "(id|env|inline|keys|path_exact|access|origin)"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A whole configuration stands for itself; a section stands in the place of the sample's.
#[test]
fn the_examples_of_the_documentation_compile() {
    let page = include_str!("../../docs/configuration.md");
    let examples = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let compiled = examples.map(|example| {
        let mut example: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error} in {example}"));
        if example.get("applications").is_none() {
            let mut config = sample();
            config.as_object_mut().unwrap().extend(example.as_object().unwrap().clone());
            example = config;
        }
        compiled(&example)
    });
    assert_eq!(compiled.count(), 4);
}

/// What the page says of the defaults is so.
#[test]
fn the_documented_defaults_are_the_defaults() {
    let page = include_str!("../../docs/configuration.md");
    for (key, default) in [
        ("path_prefix", "\"/wxgate\""),
        ("api_authority", "\"api.weixin.qq.com\""),
        ("open_origin", "\"https://open.weixin.qq.com\""),
        ("header", "\"x-wxgate-identity\""),
        ("ttl_seconds", "120"),
        ("absolute_seconds", "2592000"),
        ("poll_seconds", "5"),
        ("pool", "\"default\""),
    ] {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap_or_else(|| panic!("no row for {key}"));
        assert!(row.contains(&format!("| `{default}`")), "{row}");
    }
}
