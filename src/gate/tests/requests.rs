//! Requests: which may pass, what is taken off them, and how each kind is turned away.

use super::*;

#[test]
fn what_a_client_sends_in_our_name_is_removed_everywhere() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    for name in ["x-wxgate-identity", "x_wxgate_identity", "x-wxgate_identity", "X-WXGATE-Identity", "x-user-id", "x_user_id"] {
        let mut spoofing = browser.with(name, "forged");
        let public = forwarded(spoofing.open(&mut world, "/assets/a.css"));
        assert_eq!(public.remove, [name]);
        assert!(public.identity.is_none());
        assert_eq!(forwarded(spoofing.open(&mut world, "/")).remove, [name], "optional");
        assert_eq!(reply(spoofing.open(&mut world, "/cart")).status, 303);
    }
    browser.log_in(&mut world);
    let twice = forwarded(browser.with("x-wxgate-identity", "a").with("x-wxgate-identity", "b").open(&mut world, "/cart"));
    assert_eq!(twice.remove.len(), 2);
    assert!(twice.identity.is_some());
}

#[test]
fn each_kind_of_client_is_turned_away_in_its_own_way() {
    let mut world = World::new();
    let mut ask = |method: &str, headers: &[(&str, &str)]| {
        let browser = headers.iter().fold(Browser::default(), |browser, (name, value)| browser.with(name, value));
        let reply = reply(world.send(&browser.request(method, "shop.example.com", "/api/orders")));
        (reply.status, header(&reply, "content-type").map(|kind| kind.split(';').next().unwrap().to_owned()))
    };
    let json = Some("application/json".to_owned());
    assert_eq!(ask("GET", &[("sec-fetch-mode", "navigate")]).0, 303);
    assert_eq!(ask("GET", &[("accept", "text/html,*/*")]).0, 303);
    assert_eq!(ask("GET", &[("sec-fetch-mode", "cors"), ("accept", "text/html")]), (401, json.clone()));
    assert_eq!(ask("GET", &[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")]), (401, json.clone()));
    assert_eq!(ask("GET", &[("accept", "text/html"), ("x-requested-with", "com.tencent.mm")]).0, 303, "Android WeChat names itself there");
    assert_eq!(ask("GET", &[("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch;prerender")]), (401, json.clone()));
    assert_eq!(ask("GET", &[]), (401, json.clone()));
    assert_eq!(ask("POST", &[("accept", "text/html")]), (401, Some("text/html".into())));
    assert_eq!(ask("POST", &[("accept", "application/json")]), (401, json.clone()));
    assert_eq!(ask("GET", &[("upgrade", "websocket"), ("accept", "text/html")]), (401, json.clone()));
    assert_eq!(ask("CONNECT", &[]).0, 405);
}

#[test]
fn a_preflight_passes_only_where_its_rule_says_so_and_without_identity() {
    let (mut world, mut browser) = (World::new(), Browser::default());
    browser.log_in(&mut world);
    let mut preflight = browser.with("origin", "https://elsewhere.example").with("access-control-request-method", "POST");
    assert!(forwarded(preflight.send(&mut world, "OPTIONS", "shop.example.com", "/api/orders")).identity.is_none());
    let mut stranger = Browser::default().with("origin", "https://elsewhere.example").with("access-control-request-method", "POST");
    assert_eq!(reply(stranger.send(&mut world, "OPTIONS", "shop.example.com", "/cart")).status, 401);
}

#[test]
fn an_application_has_one_name_and_unknown_names_get_nothing() {
    let mut world = World::new();
    let mut ask = |method: &str, host: &str| {
        let reply = reply(world.send(&Browser::default().with("accept", "text/html").request(method, host, "/assets/a?b=1")));
        (reply.status, header(&reply, "location").map(str::to_owned))
    };
    let home = Some("https://shop.example.com/assets/a?b=1".to_owned());
    assert_eq!(ask("GET", "www.example.com"), (308, home.clone()));
    assert_eq!(ask("GET", "shop.example.com:8443"), (308, home.clone()));
    assert_eq!(ask("GET", "WWW.example.com."), (308, home));
    assert_eq!(ask("POST", "www.example.com").0, 421);
    for host in ["evil.example", "", "shop.example.com@evil", "shop.example.com:99999x", "example.com", "192.0.2.1"] {
        assert_eq!(ask("GET", host).0, 421, "{host}");
    }
    for host in ["SHOP.example.com", "shop.example.com:443", "shop.example.com."] {
        forwarded(world.send(&Browser::default().request("GET", host, "/assets/a")));
    }
}

#[test]
fn our_endpoints_take_their_methods_and_no_other() {
    let (mut world, browser) = (World::new(), Browser::default());
    let mut status = |method: &str, path: &str| reply(world.send(&browser.request(method, "shop.example.com", path))).status;
    for (method, path, expected) in [
        ("POST", "/wxgate/login", 405),
        ("POST", "/wxgate/start/pc", 405),
        ("HEAD", "/wxgate/callback/pc", 405),
        ("PUT", "/wxgate/logout", 405),
        ("DELETE", "/wxgate/jwks.json", 405),
        ("GET", "/wxgate/start/none", 404),
        ("GET", "/wxgate/start/admin-pc", 404),
        ("GET", "/wxgate/callback/none", 404),
        ("GET", "/wxgate", 404),
        ("GET", "/wxgate/", 404),
        ("GET", "/wxgate/nothing", 404),
        ("GET", "/%77xgate/login", 404),
        ("GET", "/wxgate/experience", 404),
        ("GET", "/wxgate/start/pc", 401),
        ("GET", "/wxgate/userinfo", 401),
        ("GET", "/MP_verify_abc.txt", 200),
        ("POST", "/MP_verify_abc.txt", 405),
    ] {
        assert_eq!(status(method, path), expected, "{method} {path}");
    }
}

#[test]
fn public_keys_are_published_to_everybody_and_nothing_private_is() {
    let mut world = World::new();
    let keys = reply(world.send(&Browser::default().request("GET", "a-cluster-of-jwt-authn", "/wxgate/jwks.json")));
    assert_eq!(header(&keys, "cache-control"), Some("public, max-age=300"));
    assert_eq!(header(&keys, "set-cookie"), None);
    let key = body(&keys)["keys"][0].clone();
    let mut members: Vec<_> = key.as_object().unwrap().keys().cloned().collect();
    members.sort();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(key["kid"].as_str().unwrap(), world.key.public_key().jwk_thumbprint());
}

#[test]
fn requests_without_path_or_host_get_an_answer_and_nothing_else() {
    let mut world = World::new();
    let mut status = |pairs: &[(&str, &[u8])]| {
        reply(world.send(&Request { headers: Headers::from_pairs(pairs.iter().copied()), source: || None })).status
    };
    assert_eq!(status(&[]), 400, "more headers than Envoy hands over look like none");
    assert_eq!(status(&[(":method", b"CONNECT"), (":authority", b"shop.example.com:443")]), 400);
    assert_eq!(status(&[(":method", b"OPTIONS"), (":path", b"*"), (":authority", b"shop.example.com")]), 400);
    assert_eq!(status(&[(":method", b"GET"), (":path", b"/")]), 400);
    assert_eq!(status(&[(":method", b"GET"), (":path", b"/cart"), (":authority", b"shop\xff")]), 421);
    assert_eq!(
        status(&[(":method", b"\xff"), (":path", b"/cart\xff?\x80"), (":authority", b"shop.example.com"), ("cookie", b"\xff=\x80; \xc3(")]),
        401
    );
}

mod whatever_a_client_sends {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::without_query;

    fn field() -> impl Strategy<Value = (String, Vec<u8>)> {
        let names = [
            ":method",
            ":path",
            ":authority",
            ":protocol",
            "cookie",
            "authorization",
            "origin",
            "accept",
            "accept-language",
            "user-agent",
            "upgrade",
            "sec-fetch-mode",
            "x-wxgate-identity",
            "x_user_id",
            "access-control-request-method",
            "x-a",
        ];
        let tame = prop::sample::select(vec![
            "GET",
            "OPTIONS",
            "CONNECT",
            "/",
            "/cart",
            "/assets/../cart",
            "/wxgate/callback/pc?code=a&state=b",
            "/wxgate/login?return_to=//evil",
            "/wxgate/logout",
            "shop.example.com",
            "admin.example.com",
            "www.example.com",
            "__Host-wxgate_session=wxg1.a.b",
            "a=1; __Host-wxgate_attempt_abcdefgh=x",
            "Bearer wxg1.x.y",
            "text/html",
            "navigate",
            "websocket",
            "en;q=0.5,zh",
            "MicroMessenger/8",
        ]);
        let value = prop_oneof![tame.prop_map(|text| text.as_bytes().to_vec()), prop::collection::vec(any::<u8>(), 0..40)];
        (prop::sample::select(names.to_vec()).prop_map(str::to_owned), value)
    }

    proptest! {
        #[test]
        fn it_never_panics_nor_passes_a_protected_path_without_a_session(headers in prop::collection::vec(field(), 0..12)) {
            let mut world = World::new();
            let request = Request { headers: Headers::from_pairs(headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))), source: || None };
            match world.send(&request) {
                Verdict::Forward(forward) => {
                    prop_assert!(forward.identity.is_none());
                    let path = without_query(request.path().unwrap());
                    let is_open = path == b"/" || path.starts_with(b"/assets") || request.method() == b"OPTIONS" && path.starts_with(b"/api");
                    prop_assert!(is_open, "{:?}", String::from_utf8_lossy(path));
                    prop_assert_eq!(forward.remove.len(), request.headers.iter().filter(|(name, _)| [&b"x-wxgate-identity"[..], b"x_user_id"].contains(name)).count());
                }
                Verdict::Reply(reply) => {
                    prop_assert!(reply.status >= 200);
                    for (name, value) in &reply.headers {
                        prop_assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{}: {}", name, value);
                    }
                    if let Some(location) = super::super::header(&reply, "location") {
                        let known = ["https://shop.example.com/", "https://admin.example.com/", "https://open.weixin.qq.com/"];
                        prop_assert!(known.iter().any(|origin| location.starts_with(origin)), "{}", location);
                    }
                }
            }
            prop_assert!(world.calls.is_empty(), "nothing costs a call");
        }
    }
}
