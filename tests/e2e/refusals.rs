//! Requests without a session: what each kind of client hears, and what passes for everybody.

use wxgate_tests::{Answer, Stack};

#[tokio::test]
async fn a_navigation_is_sent_to_log_in_and_nothing_reaches_the_application() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();

    let page = visitor.navigate("/orders?page=2&q=a%26b").await;
    page.assert_goes_to("/wxgate/login?return_to=%2Forders%3Fpage%3D2%26q%3Da%2526b");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    visitor.send("HEAD", "/orders", &[("accept", "text/html")], b"").await.assert_status(303);
    // A browser from before Sec-Fetch.
    visitor.send("GET", "/orders", &[("accept", "text/html,*/*;q=0.8")], b"").await.assert_status(303);

    assert_eq!(visitor.cookies(), [], "only a start leaves cookies");
    assert_eq!(stack.app.count(), 0);
    stack.finish().await;
}

#[tokio::test]
async fn scripts_and_programs_get_json_that_says_where_to_log_in() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    let script = [("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
    let xhr = [("accept", "text/html, */*; q=0.01"), ("x-requested-with", "XMLHttpRequest")];
    let image = [("accept", "image/avif,image/webp,*/*"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
    let answers = [
        visitor.send("GET", "/orders", &script, b"").await,
        visitor.send("POST", "/orders", &script, b"{}").await,
        visitor.send("DELETE", "/orders/1", &script, b"").await,
        visitor.send("GET", "/orders", &xhr, b"").await,
        visitor.send("GET", "/orders", &image, b"").await,
        visitor.send("PROPFIND", "/orders", &[("accept", "text/html")], b"").await,
        visitor.get("/orders").await,
    ];
    for answer in answers {
        answer.assert_failure(401, "login_required");
        let login = answer.json()["login_url"].as_str().expect("a login_url").to_owned();
        assert!(login.starts_with(&format!("{}/wxgate/login", stack.origin)), "{login}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.all("set-cookie").count(), 0);
    }
    assert_eq!(stack.app.count(), 0);
    stack.finish().await;
}

#[tokio::test]
async fn a_form_is_not_lost_silently() {
    let stack = Stack::start().await;
    let answer = stack.visitor().submit("/orders", "item=1").await;
    answer.assert_failure(401, "form_without_session");
    assert_eq!(stack.app.count(), 0);
    stack.finish().await;
}

#[tokio::test]
async fn a_websocket_opens_with_a_session_and_not_without() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    let upgrade = |cookie: &str| {
        format!(
            "GET /live HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nx-wxgate-identity: forged\r\n{cookie}\r\n",
            stack.authority()
        )
    };
    for cookie in ["", "cookie: __Host-wxgate_session=wxg1.x.y\r\n"] {
        let mut wire = stack.wire().await;
        wire.send(upgrade(cookie).as_bytes()).await;
        wire.answer().await.expect("an answer").assert_failure(401, "login_required");
    }
    assert_eq!(stack.app.count(), 0);

    visitor.login("pc", "xiaoming").await;
    let mut wire = stack.wire().await;
    wire.send(upgrade(&format!("cookie: __Host-wxgate_session={}\r\n", visitor.session())).as_bytes()).await;
    wire.answer().await.expect("an answer").assert_status(101);
    wire.send(b"ping").await;
    assert_eq!(wire.bytes().await.as_deref(), Some(&b"ping"[..]));
    assert!(stack.app.last().header("x-wxgate-identity").is_some_and(|token| token != "forged"));
    stack.finish().await;
}

#[tokio::test]
async fn bytes_sent_ahead_of_a_refused_upgrade_go_nowhere() {
    let stack = Stack::start().await;
    let mut wire = stack.wire().await;
    let host = stack.authority();
    wire.send(
        format!(
            "GET /live HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nGET /admin HTTP/1.1\r\nhost: {host}\r\n\r\n"
        )
        .as_bytes(),
    )
    .await;
    let first = wire.answer().await;
    assert!(first.is_none_or(|answer| (400..500).contains(&answer.status)));
    assert_eq!(stack.app.count(), 0);
    stack.finish().await;
}

#[tokio::test]
async fn a_grpc_call_is_refused_as_unauthenticated() {
    let stack = Stack::start().await;
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let answer = stack.visitor().send("POST", "/shop.Orders/List", &headers, &[0; 5]).await;
    assert_eq!(answer.header("grpc-status"), Some("16"), "{answer}");
    assert_eq!(stack.app.count(), 0);
    stack.finish().await;
}

#[tokio::test]
async fn a_cors_preflight_passes_only_where_a_rule_says_so_and_then_without_identity() {
    let stack = Stack::builder()
        .config(|json| {
            json["applications"][0]["rules"] = serde_json::json!([
                {"path_prefix": "/api", "access": "protected", "preflight": "allow"},
                {"path_prefix": "/internal", "access": "protected"},
            ]);
        })
        .open_path("/api")
        .start()
        .await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let preflight = [("origin", "https://partner.example"), ("access-control-request-method", "POST"), ("sec-fetch-mode", "cors")];
    let seen_before = stack.app.count();
    let stranger = stack.visitor();

    stranger.send("OPTIONS", "/internal/a", &preflight, b"").await.assert_failure(401, "login_required");
    stranger.send("OPTIONS", "/api/a", &[("origin", "https://partner.example")], b"").await.assert_failure(401, "login_required");
    stranger.send("OPTIONS", "/api/a", &[("access-control-request-method", "POST")], b"").await.assert_failure(401, "login_required");
    assert_eq!(stack.app.count(), seen_before);
    for preflighting in [&stranger, &visitor] {
        preflighting.send("OPTIONS", "/api/a", &preflight, b"").await.assert_status(200);
        let seen = stack.app.last();
        assert_eq!((seen.method.as_str(), seen.header("x-wxgate-identity")), ("OPTIONS", None));
    }
    let post = [("origin", "https://partner.example"), ("access-control-request-method", "POST")];
    stranger.send("POST", "/api/a", &post, b"").await.assert_failure(401, "login_required");
    stack.finish().await;
}

#[tokio::test]
async fn a_host_that_no_application_names_gets_nothing() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let seen = stack.app.count();
    let port = stack.authority().rsplit(':').next().unwrap().to_owned();
    let hosts = ["elsewhere.example", "localhost.elsewhere.example", "127.0.0.1", "xn--localhost", "localhost%00"];
    for host in hosts {
        for path in ["/orders", "/", "/assets/a.css", "/wxgate/login", "/wxgate/start/pc"] {
            let answer = visitor.send("GET", path, &[("host", host), ("accept", "text/html")], b"").await;
            assert!(matches!(answer.status, 400 | 421), "{host}{path}: {answer}");
            assert_eq!(answer.all("set-cookie").count(), 0);
        }
    }
    visitor.send("GET", "/orders", &[("host", &format!("elsewhere.example:{port}"))], b"").await.assert_failure(421, "unknown_host");
    assert_eq!(stack.app.count(), seen);
    stack.finish().await;
}

#[tokio::test]
async fn the_same_host_in_another_spelling_is_the_same_application() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    let port = stack.authority().rsplit(':').next().unwrap().to_owned();
    for host in [format!("LOCALHOST:{port}"), format!("localhost.:{port}")] {
        let answer = visitor.send("GET", "/orders", &[("host", &host), ("accept", "text/html")], b"").await;
        answer.assert_status(303);
        assert!(answer.location().starts_with(&format!("{}/wxgate/login", stack.origin)), "{answer}");
    }
    stack.finish().await;
}

#[tokio::test]
async fn another_name_of_an_application_leads_to_its_origin_before_any_cookie() {
    let stack = Stack::builder().config(|json| json["applications"][0]["hosts"] = serde_json::json!(["www.localhost"])).start().await;
    let visitor = stack.visitor();
    let ask = async |method: &str, path: &str, host: &str| -> Answer {
        visitor.send(method, path, &[("host", host), ("accept", "text/html")], b"").await
    };
    for host in ["www.localhost", "www.localhost:1234", "localhost", "localhost:1"] {
        for method in ["GET", "HEAD"] {
            for path in ["/orders?page=2", "/", "/wxgate/start/pc?return_to=%2Fa", "/wxgate/callback/pc?code=c&state=s"] {
                let answer = ask(method, path, host).await;
                answer.assert_status(308);
                assert_eq!(answer.location(), format!("{}{path}", stack.origin));
                assert_eq!((answer.all("set-cookie").count(), answer.header("cache-control")), (0, Some("no-store")));
            }
        }
        ask("POST", "/orders", host).await.assert_status(421);
        ask("POST", "/wxgate/logout", host).await.assert_status(421);
    }
    // Public keys are for everybody, under any name.
    for host in ["www.localhost", "elsewhere.example", "10.0.0.1:8443"] {
        ask("GET", "/wxgate/jwks.json", host).await.assert_status(200);
    }
    assert_eq!(stack.app.count(), 0);
    stack.finish().await;
}

#[tokio::test]
async fn there_is_no_tunnel() {
    for builder in [Stack::builder(), Stack::builder().bare()] {
        let stack = builder.start().await;
        let visitor = stack.visitor();
        visitor.login("pc", "xiaoming").await;
        let seen = stack.app.count();
        for target in [stack.authority(), "elsewhere.example:80"] {
            for cookie in [String::new(), format!("cookie: __Host-wxgate_session={}\r\n", visitor.session())] {
                let mut wire = stack.wire().await;
                wire.send(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{cookie}\r\nGET /orders HTTP/1.1\r\n\r\n").as_bytes())
                    .await;
                let answer = wire.answer().await;
                assert!(answer.as_ref().is_none_or(|answer| (400..500).contains(&answer.status)), "{answer:?}");
            }
        }
        assert_eq!(stack.app.count(), seen);
        stack.finish().await;
    }
}

#[tokio::test]
async fn a_prefetch_starts_no_login() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    for header in ["sec-purpose", "purpose"] {
        let prefetch = visitor.with_header(header, "prefetch");
        prefetch.navigate("/orders").await.assert_failure(401, "login_required");
        prefetch.navigate("/wxgate/start/pc").await.assert_failure(401, "login_required");
        prefetch.navigate("/wxgate/login").await.assert_status(200);
    }
    let script = [("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image"), ("accept", "image/*")];
    visitor.send("GET", "/wxgate/start/pc", &script, b"").await.assert_failure(401, "login_required");
    assert_eq!(visitor.cookies(), []);
    stack.finish().await;
}

#[tokio::test]
async fn public_pages_are_for_everybody_and_optional_ones_know_who_comes() {
    let stack = Stack::start().await;
    let stranger = stack.visitor();
    for path in ["/", "/assets", "/assets/a/b.css?v=1"] {
        stranger.navigate(path).await.assert_status(200);
        assert_eq!(stack.app.last().header("x-wxgate-identity"), None, "{path}");
    }
    for path in ["/assetsx", "/assets/../orders", "//", "/index.html", "/%61ssets/%2e%2e/orders", "/ASSETS"] {
        let seen = stack.app.count();
        let answer = stranger.follow(path).await;
        assert_eq!(stack.app.count(), seen, "{path}: {answer}");
    }

    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    visitor.navigate("/").await.assert_status(200);
    assert!(stack.app.last().header("x-wxgate-identity").is_some());
    visitor.navigate("/assets/a.css").await.assert_status(200);
    assert_eq!(stack.app.last().header("x-wxgate-identity"), None);
    assert_eq!(stack.app.last().header("cookie"), None);
    stack.finish().await;
}

#[tokio::test]
async fn the_application_gets_everything_else_untouched() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    visitor.set_cookie("theme", "dark");
    visitor.set_cookie("cart", "\"1,2\"");
    let headers = [("authorization", "Basic YTpi"), ("x-user-id", "forged"), ("content-type", "text/plain"), ("x-own", "1")];

    let answer = visitor.send("PUT", "/orders/%E5%B0%8F?a=1&a=2", &headers, "小明".as_bytes()).await;

    answer.assert_status(200);
    let seen = stack.app.last();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("PUT", "/orders/%E5%B0%8F?a=1&a=2"));
    assert_eq!(seen.body, "小明".as_bytes());
    assert_eq!(seen.header("cookie").as_deref(), Some("theme=dark; cart=\"1,2\""));
    assert_eq!(seen.header("authorization").as_deref(), Some("Basic YTpi"));
    assert_eq!(seen.header("x-own").as_deref(), Some("1"));
    assert_eq!(seen.header("x-user-id").as_deref(), Some(visitor.whoami().await.sub()));
    stack.finish().await;
}

#[tokio::test]
async fn an_application_can_neither_set_our_cookies_nor_speak_in_our_name() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let session = visitor.session();
    let own: Vec<String> = (0..10).map(|number| format!("own{number}=v; Path=/x")).collect();
    let mut headers =
        vec![("set-cookie", "__Host-wxgate_session=evil; Secure; Path=/; HttpOnly; SameSite=Lax"), ("x-wxgate-identity", "evil")];
    headers.extend(own.iter().map(|cookie| ("set-cookie", cookie.as_str())));
    headers.push(("set-cookie", " __Host-wxgate_attempt_abcdefgh=evil; Secure; Path=/; HttpOnly; SameSite=Lax"));
    stack.app.answer("/evil", 200, &headers, "");

    let answer = visitor.navigate("/evil").await;

    answer.assert_status(200);
    assert_eq!(answer.all("set-cookie").collect::<Vec<_>>(), own);
    assert_eq!(answer.header("x-wxgate-identity"), None);
    assert_eq!(visitor.session(), session);
    stack.finish().await;
}

#[tokio::test]
async fn what_is_below_our_prefix_never_reaches_the_application() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let seen = stack.app.count();
    for path in ["/wxgate", "/wxgate/", "/wxgate/nothing", "/wxgate/start", "/wxgate/start/", "/wxgate/callback/a/b", "/wxgate/experience"]
    {
        let answer = visitor.navigate(path).await;
        assert!(matches!(answer.status, 404 | 405), "{path}: {answer}");
    }
    visitor.navigate("/wxgate/start/nobody").await.assert_failure(404, "unknown_connector");
    visitor.navigate("/wxgate/callback/nobody?code=c&state=s").await.assert_failure(404, "unknown_connector");
    for (method, path) in
        [("POST", "/wxgate/login"), ("DELETE", "/wxgate/jwks.json"), ("PUT", "/wxgate/logout"), ("POST", "/wxgate/callback/pc")]
    {
        visitor.send(method, path, &[], b"").await.assert_failure(405, "method_not_allowed");
    }
    for path in ["/%77xgate/login", "/wxgate/%6cogin", "/x/../wxgate/login", "//wxgate/login"] {
        visitor.navigate(path).await;
    }
    assert_eq!(stack.app.count(), seen);
    stack.finish().await;
}

#[tokio::test]
async fn a_return_path_never_leads_elsewhere() {
    let stack = Stack::builder().without_rate_limit().start().await;
    for target in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\/evil.example",
        "/%09/evil.example",
        "/\t/evil.example",
        "///evil.example",
        "/..//evil.example",
        "javascript:alert(1)",
        "/orders\r\nset-cookie: a=b",
        "@evil.example",
        ".evil.example",
        "/wxgate/logout",
        "/wxgate/start/pc",
        "/%2f%2fevil.example",
    ] {
        let visitor = stack.visitor();
        let url = visitor.start("pc", target).await;
        let back = visitor.navigate(&visitor.allow(&url, "xiaoming")).await;
        back.assert_status(303);
        let rest = back.location().strip_prefix(&stack.origin).unwrap_or_else(|| panic!("{target:?} led to {}", back.location()));
        assert!(
            rest.starts_with('/') && !rest.starts_with("//") && !rest.starts_with("/\\") && !rest.starts_with("/wxgate"),
            "{target:?}: {rest}"
        );
    }
    stack.finish().await;
}
