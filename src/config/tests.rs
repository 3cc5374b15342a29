//! The configuration as its operator meets it: what is taken, what is refused, and what is then said.

mod applications;
mod arbitrary;
mod documents;
mod methods;
mod secrets;
mod values;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{ES256KeyPair, Ed25519KeyPair};
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
        "WX_PUSH_TOKEN" => Some("pushToken42".into()),
        "WX_PUSH_KEY" | "WX_PUSH_KEY_OLD" => Some(random.iter().chain(&random).take(43).map(|byte| char::from(b'a' + byte % 26)).collect()),
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
    assert!(matches!(shop.connector(b"in-wechat").unwrap().method, Method::OfficialAccountWeb { scope: Scope::Userinfo }));
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
            {"id": "pc", "type": "mini_programme", "app_id": "wx0000000000000002", "app_secret": {"env": "WX_OA_SECRET"}, "platform": "main"}
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
