//! Where an application is found, who logs in there, and its rules.

use super::*;

fn two_applications_with(pointer: &str, value: Value) -> Value {
    with(two_applications(), pointer, value)
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
        (
            sample_with("/connectors/0/scope", json!("snsapi_userinfo")),
            "$.connectors[0].scope",
            "website_qr has no `scope` (only official_account_web has it: leave it out)",
        ),
        (sample_with("/connectors/1/scope", json!("snsapi_login")), "$.connectors[1].scope", "expected snsapi_base or snsapi_userinfo"),
        (sample_with("/connectors/0/type", json!("websiteqr")), "$.connectors[0].type", "did you mean `website_qr`?"),
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
