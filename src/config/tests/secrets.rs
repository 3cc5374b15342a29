//! Secrets: how they come, which are none, and that no message repeats one.

use super::*;

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
    let files = with(two_applications(), "/applications/0/verification_files", json!([{"path": "/a.txt", "content": "a"}]));
    let mut all = vec![];
    for config in [files, methods::other_methods()] {
        let mut pointers = vec![];
        places(&config, String::new(), &mut pointers);
        assert!(pointers.len() > 40);
        all.extend(pointers.into_iter().map(|pointer| (config.clone(), pointer)));
    }
    for (config, pointer) in all {
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
