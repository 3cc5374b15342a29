//! Logging in on a PC by scanning WeChat's QR code.

use std::time::Duration;

use wxgate_tests::visitor::{PHONE, SESSION, split_url};
use wxgate_tests::wechat_sim::{Decision, Effect, Fault, Outcome, Quirks};
use wxgate_tests::{Stack, Visitor, Wire, eventually, now};

#[tokio::test]
async fn a_new_person_scans_and_lands_on_the_page_that_was_asked_for() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();

    let page = visitor.login_to("/orders?page=2&sort=a%20b&q=%E5%B0%8F", "pc", "xiaoming").await;

    page.assert_status(200);
    assert_eq!(page.json()["path"], "/orders?page=2&sort=a%20b&q=%E5%B0%8F");
    assert_eq!(visitor.whoami().await.text("connector"), "pc");
    assert_eq!(visitor.attempts(), [], "the attempt is over");
    assert_eq!((stack.accounts().await, stack.exchanges()), (1, 1));
    assert_eq!(stack.new_users().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn a_returning_person_is_the_same_account_in_every_browser_and_new_once() {
    let stack = Stack::start().await;
    let (desk, laptop, friend) = (stack.visitor(), stack.visitor(), stack.visitor());

    desk.login("pc", "xiaoming").await.assert_status(200);
    laptop.login("pc", "xiaoming").await.assert_status(200);
    friend.login("pc", "xiaohong").await.assert_status(200);

    let (desk, laptop, friend) = (desk.whoami().await, laptop.whoami().await, friend.whoami().await);
    assert_eq!(desk.sub(), laptop.sub());
    assert_ne!(desk.text("sid"), laptop.text("sid"), "each login is a session of its own");
    assert_ne!(desk.sub(), friend.sub());
    assert_eq!(stack.accounts().await, 2);
    stack.finish().await;
}

#[tokio::test]
async fn the_application_gets_the_claims_that_are_documented_and_no_others() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    let before = now();
    visitor.login("pc", "xiaoming").await;

    let identity = visitor.whoami().await;

    let mut names: Vec<_> = identity.claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut documented = vec!["iss", "sub", "aud", "iat", "exp", "sid", "auth_time", "connector", "name", "picture"];
    documented.sort_unstable();
    assert_eq!(names, documented);
    assert_eq!((identity.text("iss"), identity.text("aud")), (stack.origin.as_str(), "shop"));
    assert_eq!((identity.text("connector"), identity.text("name")), ("pc", "小明"));
    assert!(identity.text("picture").starts_with("https://"));
    assert_eq!(identity.number("exp") - identity.number("iat"), 120);
    assert!((before..=now()).contains(&identity.number("auth_time")));
    assert_eq!(identity.text("sid").len(), 22);
    let mut told = identity.claims.clone();
    // The simulator's pictures have an openid in their address; WeChat's do not.
    told.as_object_mut().unwrap().remove("picture");
    for wechats in [stack.wechat.openid("xiaoming", "wx0000000000000001"), stack.wechat.unionid("xiaoming", "main")] {
        assert!(!told.to_string().contains(&wechats), "WeChat's ids are off by default");
    }
    assert_eq!((identity.header["alg"].as_str(), identity.header["typ"].as_str()), (Some("ES256"), Some("JWT")));
    assert_eq!(stack.app.last().header("x-user-id").as_deref(), Some(identity.sub()));
    let keys = visitor.get("/wxgate/jwks.json").await.json();
    for key in keys["keys"].as_array().unwrap() {
        assert!(key.get("d").is_none(), "a private key is published: {key}");
    }
    stack.finish().await;
}

#[tokio::test]
async fn claims_that_the_operator_turns_on_are_there_and_those_turned_off_are_not() {
    let stack = Stack::builder()
        .config(|json| {
            json["applications"][0]["claims"] = serde_json::json!({"name": false, "picture": false, "wechat": true});
            json["identity"]["claim_headers"] = serde_json::json!({"x-user-id": "sub", "x-login": "connector", "x-user-name": "name"});
        })
        .start()
        .await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;

    let identity = visitor.whoami().await;

    let wechat = &identity.claims["wechat"];
    assert_eq!(wechat["app_id"], "wx0000000000000001");
    assert_eq!(wechat["openid"], stack.wechat.openid("xiaoming", "wx0000000000000001"));
    assert_eq!(wechat["unionid"], stack.wechat.unionid("xiaoming", "main"));
    assert!(identity.claims.get("name").is_none() && identity.claims.get("picture").is_none());
    let seen = stack.app.last();
    assert_eq!((seen.header("x-login").as_deref(), seen.header("x-user-name")), (Some("pc"), None));
    stack.finish().await;
}

#[tokio::test]
async fn envoys_own_jwt_authn_believes_the_identity_too() {
    let stack = Stack::builder().jwt_authn().start().await;
    let visitor = stack.visitor();

    visitor.login("pc", "xiaoming").await.assert_status(200);

    let seen = stack.app.last();
    let payload = seen.header("x-verified-payload").expect("what Envoy has verified");
    assert_eq!(seen.header("x-wxgate-identity").unwrap().split('.').nth(1), Some(payload.trim_end_matches('=')));
    stack.finish().await;
}

#[tokio::test]
async fn userinfo_tells_scripts_who_is_logged_in() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.api("/wxgate/userinfo").await.assert_failure(401, "login_required");
    visitor.login("pc", "xiaoming").await;

    let userinfo = visitor.api("/wxgate/userinfo").await;

    userinfo.assert_status(200);
    assert_eq!(userinfo.json()["sub"], visitor.whoami().await.sub());
    assert_eq!(userinfo.json()["name"], "小明");
    stack.finish().await;
}

#[tokio::test]
async fn wechat_is_asked_as_it_documents_and_learns_nothing_of_ours() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    let url = visitor.ask_to_log_in("/orders", "pc").await;
    let redirect_uri: String = url::form_urlencoded::byte_serialize(format!("{}/wxgate/callback/pc", stack.origin).as_bytes()).collect();
    let start = format!("{}/connect/qrconnect?appid=wx0000000000000001&redirect_uri=", stack.wechat_origin);
    assert!(url.starts_with(&start), "{url}");
    assert!(url.to_ascii_lowercase().contains(&redirect_uri.to_ascii_lowercase()), "{url}");
    assert!(url.ends_with("#wechat_redirect"), "{url}");

    visitor.navigate(&visitor.allow(&url, "xiaoming")).await.assert_goes_to("/orders");

    let journal = stack.wechat.journal();
    let paths: Vec<_> = journal.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["/sns/oauth2/access_token", "/sns/userinfo"]);
    assert_eq!(journal[0].parameter("grant_type"), Some("authorization_code"));
    assert_eq!(journal[0].header("host"), Some("api.weixin.qq.com"));
    assert!(!journal[1].has_secret, "the secret goes only where it has to");
    stack.finish().await;
}

#[tokio::test]
async fn a_person_who_refuses_is_told_so_and_can_start_again() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    let url = visitor.ask_to_log_in("/orders", "pc").await;
    // What WeChat does today: the page stays, and nobody hears of it.
    assert_eq!(visitor.at_wechat(&url, "xiaoming", Decision::Refuse), Outcome::Refused);

    // What older documents say: back with `state` alone.
    stack.wechat.set_quirks(Quirks { refusal_redirects: true, ..Quirks::default() });
    let url = visitor.ask_to_log_in("/orders", "pc").await;
    let Outcome::Redirect(callback) = visitor.at_wechat(&url, "xiaoming", Decision::Refuse) else { panic!("a redirect") };
    let refused = visitor.navigate(&callback).await;

    refused.assert_failure(403, "denied");
    assert_eq!(stack.exchanges(), 0);
    assert_eq!(visitor.attempts().len(), 1, "that attempt is over; the one before may still be answered");
    let again = wxgate_tests::visitor::links(&refused.text());
    assert!(again.iter().any(|link| link.contains("/wxgate/login?return_to=%2Forders")), "{again:?}");
    visitor.login("pc", "xiaoming").await.assert_status(200);
    stack.finish().await;
}

#[tokio::test]
async fn a_disabled_user_is_refused_until_enabled() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    let sub = visitor.whoami().await.sub().to_owned();
    stack.resolver.disable_user(&sub).await;

    let other = stack.visitor();
    other.log_in_until_callback("/orders", "pc", "xiaoming").await.assert_failure(403, "user_disabled");

    assert!(other.cookie(SESSION).is_none());
    eventually(Duration::from_secs(4), "the sessions of a disabled user end", async || (!visitor.is_logged_in().await).then_some(())).await;
    stack.resolver.enable_user(&sub).await;
    other.login("pc", "xiaoming").await.assert_status(200);
    assert_eq!(other.whoami().await.sub(), sub);
    stack.finish().await;
}

#[tokio::test]
async fn a_login_needs_no_profile() {
    let stack = Stack::start().await;
    let faults = [
        Effect::errcode(45011, "api minute-quota reach limit"),
        Effect::errcode(-1, "system error"),
        Effect::bad_gateway(),
        Effect::Reset,
        Effect::Truncate { keep_bytes: None, hang_up: false },
    ];
    for effect in faults {
        stack.wechat.set_faults(vec![Fault::on("/sns/userinfo", effect.clone())]);
        let visitor = stack.visitor();
        visitor.login("pc", "xiaoming").await.assert_status(200);
        assert_eq!(visitor.whoami().await.text("connector"), "pc", "{effect:?}");
    }
    assert_eq!(stack.accounts().await, 1);

    stack.wechat.clear_faults();
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await;
    assert_eq!(visitor.whoami().await.text("name"), "小明", "the next login brings the name");
    stack.finish().await;
}

#[tokio::test]
async fn the_same_callback_loaded_again_finds_the_person_logged_in() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    let callback = visitor.allow(&visitor.ask_to_log_in("/orders", "pc").await, "xiaoming");
    visitor.navigate(&callback).await.assert_goes_to("/orders");
    let session = visitor.session();

    for _ in 0..3 {
        visitor.navigate(&callback).await.assert_goes_to("/");
    }

    assert_eq!(visitor.session(), session, "nothing has changed");
    assert_eq!((stack.exchanges(), stack.accounts().await), (1, 1));
    stack.finish().await;
}

#[tokio::test]
async fn the_same_callback_loaded_twice_at_once_logs_in_both_times() {
    let stack = Stack::start().await;
    for round in 0..8 {
        let visitor = stack.visitor();
        let callback = visitor.allow(&visitor.ask_to_log_in("/orders", "pc").await, "xiaoming");
        let (one, other) = (visitor.stolen(), visitor.stolen());

        let (first, second) = tokio::join!(one.navigate(&callback), other.navigate(&callback));

        first.assert_goes_to("/orders");
        second.assert_goes_to("/orders");
        let (one, other) = (one.whoami().await, other.whoami().await);
        assert_eq!((one.sub(), one.text("sid")), (other.sub(), other.text("sid")), "round {round}: one login is one session");
    }
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn the_same_callback_finishes_at_another_envoy_when_the_first_answer_is_lost() {
    let stack = Stack::builder().envoys(2).start().await;
    let visitor = stack.visitor();
    let callback = visitor.allow(&visitor.ask_to_log_in("/orders", "pc").await, "xiaoming");
    // Answered, and the answer never arrived: its cookies go into another jar.
    visitor.stolen().navigate(&callback).await.assert_goes_to("/orders");

    visitor.via(stack.envoys[1].address).navigate(&callback).await.assert_goes_to("/orders");

    assert_eq!(visitor.whoami().await.text("connector"), "pc");
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn a_browser_that_hangs_up_during_the_exchange_gets_in_with_one_more_trip_to_wechat() {
    let stack = Stack::builder().envoys(2).start().await;
    let visitor = stack.visitor();
    let callback = visitor.allow(&visitor.ask_to_log_in("/orders", "pc").await, "xiaoming");
    // WeChat has taken the code, its answer is on the way, and the browser goes.
    stack.wechat_wire.set(wxgate_tests::Fault::Delay(Duration::from_millis(700))).await;
    hang_up_during(&stack, &visitor, &callback).await;
    stack.wechat_wire.set(wxgate_tests::Fault::None).await;

    let again = visitor.via(stack.envoys[1].address).navigate(&callback).await;

    again.assert_status(303);
    assert!(again.location().starts_with(&stack.wechat_origin), "{again}");
    visitor.navigate(&visitor.allow(again.location(), "xiaoming")).await.assert_goes_to("/orders");
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}

/// Sends a callback and closes the connection as soon as WeChat has been asked.
async fn hang_up_during(stack: &Stack, visitor: &Visitor, callback: &str) {
    let cookies: Vec<_> = visitor.cookies().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (host, path) = split_url(callback);
    let mut wire = Wire::connect(stack.envoys[0].address).await;
    wire.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: text/html\r\ncookie: {}\r\n\r\n", cookies.join("; ")).as_bytes())
        .await;
    eventually(Duration::from_secs(5), "WeChat is asked", async || (stack.exchanges() > 0).then_some(())).await;
}

#[tokio::test]
async fn a_code_that_is_too_old_costs_one_more_trip_to_wechat_and_never_a_loop() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    let callback = visitor.allow(&visitor.ask_to_log_in("/orders", "pc").await, "xiaoming");
    stack.wechat.advance(Duration::from_secs(3600));

    let again = visitor.navigate(&callback).await;
    again.assert_status(303);
    let callback = visitor.allow(again.location(), "xiaoming");
    stack.wechat.advance(Duration::from_secs(3600));
    let refused = visitor.navigate(&callback).await;

    refused.assert_failure(400, "code_rejected");
    assert_eq!(visitor.attempts(), []);
    visitor.login("pc", "xiaoming").await.assert_status(200);
    stack.finish().await;
}

#[tokio::test]
async fn an_attempt_lives_ten_minutes() {
    let stack = Stack::start().await;
    let start = stack.visitor().navigate("/wxgate/start/pc").await;
    let cookie = start.all("set-cookie").find(|cookie| cookie.starts_with("__Host-wxgate_attempt_")).expect("an attempt").to_owned();
    let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
    assert_eq!(attributes, ["Max-Age=600", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"]);
    stack.finish().await;
}

#[tokio::test]
async fn the_back_button_after_a_login_leads_to_the_site_and_not_to_an_error() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    let refused = visitor.navigate("/orders").await;
    let callback = visitor.allow(&visitor.ask_to_log_in("/orders", "pc").await, "xiaoming");
    visitor.navigate(&callback).await.assert_goes_to("/orders");

    visitor.navigate(refused.location()).await.assert_goes_to("/orders");
    visitor.navigate(&callback).await.assert_goes_to("/");

    stack.finish().await;
}

#[tokio::test]
async fn another_browser_cannot_finish_a_login_and_the_right_one_still_can() {
    let stack = Stack::start().await;
    let (victim, thief) = (stack.visitor(), stack.visitor());
    let callback = victim.allow(&victim.ask_to_log_in("/orders", "pc").await, "xiaoming");

    thief.navigate(&callback).await.assert_failure(400, "cookies_not_kept");
    thief.set_cookie("theme", "dark");
    thief.navigate(&callback).await.assert_failure(400, "attempt_missing");
    thief.ask_to_log_in("/orders", "pc").await;
    thief.navigate(&callback).await.assert_failure(400, "attempt_missing");

    assert!(thief.cookie(SESSION).is_none());
    assert_eq!(stack.exchanges(), 0, "no code is exchanged for a stranger");
    victim.navigate(&callback).await.assert_goes_to("/orders");
    stack.finish().await;
}

#[tokio::test]
async fn nobody_can_be_logged_in_as_somebody_else_by_a_link() {
    let stack = Stack::start().await;
    let (victim, attacker) = (stack.visitor(), stack.visitor());
    victim.login("pc", "xiaoming").await;
    let session = victim.session();
    let callback = attacker.allow(&attacker.ask_to_log_in("/orders", "pc").await, "xiaohong");

    victim.navigate(&callback).await.assert_goes_to("/");
    victim.api(&callback).await;

    assert_eq!(victim.session(), session);
    assert_eq!(stack.exchanges(), 1, "the victim's own");
    stack.finish().await;
}

#[tokio::test]
async fn a_session_that_was_planted_before_the_login_is_replaced_by_it() {
    let stack = Stack::start().await;
    let (victim, attacker) = (stack.visitor(), stack.visitor());
    attacker.login("pc", "xiaohong").await;
    let planted = attacker.session();
    victim.set_cookie(SESSION, &planted);

    let url = victim.start("pc", "/orders").await;
    victim.navigate(&victim.allow(&url, "xiaoming")).await.assert_goes_to("/orders");

    assert_ne!(victim.session(), planted);
    assert_ne!(victim.whoami().await.sub(), attacker.whoami().await.sub());
    stack.finish().await;
}

#[tokio::test]
async fn a_callback_that_is_not_wechats_is_refused_before_anybody_is_asked() {
    let stack = Stack::start().await;
    for (round, change) in CHANGES.into_iter().enumerate() {
        let visitor = stack.visitor();
        let callback = visitor.allow(&visitor.start("pc", "/orders").await, "xiaoming");
        let (_, query) = callback.split_once('?').unwrap();
        let value = |name| query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap().to_owned();
        let query = change.replace("CODE", &value("code=")).replace("STATE", &value("state="));
        let answer = visitor.navigate(&format!("/wxgate/callback/pc?{query}")).await;
        assert!((400..404).contains(&answer.status), "round {round}, {query}: {answer}");
        assert!(visitor.cookie(SESSION).is_none(), "{query}");
    }
    assert_eq!(stack.exchanges(), 0);
    stack.finish().await;
}

const CHANGES: [&str; 12] = [
    "",
    "code=CODE",
    "state=",
    "code=CODE&state=",
    "code=&state=STATE",
    "code=CODE&code=CODE&state=STATE",
    "code=CODE&state=STATE&state=STATE",
    "code[]=CODE&state=STATE",
    "code=CODE&state=STATEx",
    "code=CODE&STATE=state",
    "code=%00%ff&state=STATE",
    "code=CODE&state=%ff%00",
];

#[tokio::test]
async fn an_ordinary_phone_is_told_where_to_go_and_not_sent_to_a_code_that_it_cannot_scan() {
    let stack = Stack::start().await;
    let visitor = stack.visitor().calling_itself(PHONE);
    let login = visitor.follow("/orders").await;
    login.assert_status(200);
    assert!(login.text().contains("Open this page inside WeChat"), "{login}");
    assert!(!login.text().contains("/wxgate/start/"), "{login}");
    // A User-Agent proves nothing, so whoever insists may.
    visitor.navigate("/wxgate/start/pc").await.assert_status(303);
    stack.finish().await;
}
