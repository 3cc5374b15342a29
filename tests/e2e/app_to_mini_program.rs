//! A native app opens a mini program, which hands the login back.

use serde_json::{Value, json};
use wxgate_tests::Fault;
use wxgate_tests::wechat_sim::ActError;

use crate::native::{APP, Client, MINI, asked, builder, kiosk, verifier};

const LAUNCH: &str = "/wxgate/code/launch";

#[tokio::test]
async fn an_app_opens_the_mini_program_and_collects_the_login_that_was_proved_there() {
    let stack = builder().start().await;
    let app = Client::of(&stack);
    let launch = app.launch().await;
    let visit = stack.wechat.launch_mini_program(APP, &launch.request(), "xiaoming").unwrap();
    assert_eq!((visit.target.appid.as_str(), visit.target.page.as_str()), (MINI, "pages/login/index"));
    let ticket = visit.target.query.strip_prefix("ticket=").unwrap();
    let number = stack.wechat.phone_number(MINI, "xiaoming", true).unwrap().code.unwrap();

    let confirmed = app.post(LAUNCH, &json!({"ticket": ticket, "code": app.wx_login("xiaoming"), "phone_code": number})).await;

    confirmed.assert_status(200);
    let told = confirmed.json();
    assert!(told.get("token").is_none() && !told.to_string().contains(ticket), "{told}");
    assert!(told["application"].as_str().is_some_and(|name| !name.is_empty()));
    let back = stack.wechat.launch_app(&visit.id, told["hand_back"].as_str().unwrap()).unwrap();
    let session = app.post(LAUNCH, &json!({"hand_back": back.handed_back.unwrap(), "verifier": launch.verifier})).await;
    let identity = app.who(&session).await;
    assert_eq!((identity.text("connector"), identity.text("phone_number")), ("launch", "+8613800138000"));
    assert_eq!(identity.claims["wechat"]["openid"], stack.wechat.openid("xiaoming", MINI));

    let again = app.launch_login("xiaoming").await;
    let one_click = app.mini_login("xiaoming").await;
    let friend = app.launch_login("xiaohong").await;
    assert_eq!(app.who(&again).await.sub(), identity.sub());
    assert_eq!(app.who(&one_click).await.sub(), identity.sub(), "one unionid, one account");
    assert_ne!(app.who(&friend).await.sub(), identity.sub());
    assert_eq!((stack.accounts().await, stack.new_users().await), (2, 2));
    stack.finish().await;
}

#[tokio::test]
async fn links_open_the_same_page_and_hand_nothing_back_to_whoever_sent_them() {
    let stack = builder().start().await;
    let app = Client::of(&stack);
    for (kind, start) in [("scheme", "weixin://"), ("url_link", "https://wxaurl.cn/")] {
        let (verifier, challenge) = verifier();
        let started = app.post("/wxgate/start/launch", &json!({"challenge": challenge, "link": kind})).await;
        started.assert_status(200);
        let link = started.json()[kind].as_str().unwrap().to_owned();
        assert!(link.starts_with(start), "{link}");

        // Somebody else is sent the link, and logs in.
        let visit = stack.wechat.open_mini_program(&link, "xiaohong").unwrap();
        assert_eq!(visit.target.page, "pages/login/index");
        let ticket = visit.target.query.strip_prefix("ticket=").unwrap();
        stack.add_secret(ticket);
        let confirmed = app.confirm(ticket, "xiaohong").await;
        confirmed.assert_status(200);
        let lost = stack.wechat.launch_app(&visit.id, confirmed.json()["hand_back"].as_str().unwrap());
        assert!(matches!(lost, Err(ActError::InvalidLaunchScene)), "WeChat leads back to the app that opened it by its SDK alone");
        // Whoever sent it knows the verifier and the ticket, and that is not enough.
        for hand_back in [ticket, "", &started.json()["launch"].to_string()] {
            let answer = app.post(LAUNCH, &json!({"hand_back": hand_back, "verifier": verifier})).await;
            assert!(matches!(answer.status, 400 | 410), "{answer}");
        }
        app.post(LAUNCH, &json!({"ticket": ticket, "verifier": verifier})).await.assert_failure(400, "malformed_body");
        app.confirm(ticket, "xiaoming").await.assert_failure(409, "launch_taken");
    }
    assert_eq!(stack.accounts().await, 0, "nobody is logged in");
    stack.finish().await;
}

#[tokio::test]
async fn only_the_app_that_began_collects_and_only_here_and_in_time() {
    let stack = builder().without_rate_limit().start().await;
    let app = Client::of(&stack);
    let launch = app.launch().await;
    let good = app.handed_back(&launch, "xiaoming").await;
    let other = app.launch().await;
    let changed = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };

    app.post(LAUNCH, &changed("verifier", json!(verifier().0))).await.assert_failure(410, "launch_over");
    app.post(LAUNCH, &changed("verifier", json!(other.verifier))).await.assert_failure(410, "launch_over");
    app.post(LAUNCH, &changed("verifier", json!("short"))).await.assert_failure(400, "malformed_body");
    app.at(&kiosk(&stack)).post(LAUNCH, &good).await.assert_failure(410, "launch_over");
    let truncated = good["hand_back"].as_str().unwrap();
    app.post(LAUNCH, &changed("hand_back", json!(truncated[..truncated.len() - 4]))).await.assert_failure(410, "launch_over");
    let state = app.agreed_at_wechat("xiaoming").await["state"].clone();
    app.post(LAUNCH, &changed("hand_back", state)).await.assert_failure(410, "launch_over");
    app.post(LAUNCH, &json!({"hand_back": good["hand_back"], "verifier": other.verifier, "ticket": other.ticket}))
        .await
        .assert_failure(410, "launch_over");
    assert_eq!(stack.accounts().await, 0);
    app.post(LAUNCH, &good).await.assert_status(200);

    // One that another WeChat person confirmed first, one that was collected, and one that took too long.
    app.confirm(&launch.ticket, "xiaoming").await.assert_failure(410, "launch_over");
    app.confirm(&other.ticket, "xiaohong").await.assert_status(200);
    app.confirm(&other.ticket, "xiaoming").await.assert_failure(409, "launch_taken");
    let late = app.launch().await;
    let nearly = app.launch().await;
    let nearly = app.handed_back(&nearly, "xiaoming").await;
    stack.resolver.set_clock_ahead(61);
    app.post(LAUNCH, &nearly).await.assert_failure(410, "launch_over");
    stack.resolver.set_clock_ahead(601);
    let spent = asked(&stack, "/sns/jscode2session");
    app.confirm(&late.ticket, "xiaoming").await.assert_failure(410, "launch_over");
    app.confirm("AAAAAAAAAAAAAAAAAAAAAA", "xiaoming").await.assert_failure(410, "launch_over");
    assert_eq!(asked(&stack, "/sns/jscode2session"), spent, "no code is spent on it");
    stack.finish().await;
}

#[tokio::test]
async fn a_code_that_a_browser_shows_is_never_confirmed_as_an_app_s() {
    let stack = builder().start().await;
    let app = Client::of(&stack);
    for (purpose, connector) in [("scan", "launch"), ("launch", "scan")] {
        let ticket = json!({"purpose": purpose, "pool": "default", "application": "shop", "connector": connector, "app_id": MINI,
                            "challenge": verifier().1, "lifetime_seconds": 600});
        let made = stack.resolver.ask("POST", "/v1/tickets", Some(&ticket)).await;
        made.assert_status(200);
        let ticket = made.json()["ticket"].as_str().unwrap().to_owned();
        app.confirm(&ticket, "xiaoming").await.assert_failure(410, "launch_over");
        let state = stack.resolver.ask("GET", &format!("/v1/tickets/{ticket}"), None).await.json()["state"].clone();
        assert_eq!(state, "waiting", "it was not even scanned");
    }
    stack.finish().await;
}

#[tokio::test]
async fn however_often_and_wherever_it_is_collected_it_is_one_session() {
    let stack = builder().envoys(2).start().await;
    let app = Client::of(&stack);
    let launch = app.launch().await;
    let good = app.via(1).handed_back(&launch, "xiaoming").await;
    let first = app.post(LAUNCH, &good).await;
    let again = app.via(1).post(LAUNCH, &good).await;
    assert_eq!(app.who(&again).await.text("sid"), app.who(&first).await.text("sid"), "an answer may get lost");

    // Answers get lost on their way to the mini program, too: it logs in once more, and what it hands back then is as good.
    let launch = app.launch().await;
    app.handed_back(&launch, "xiaoming").await;
    let good = app.via(1).handed_back(&launch, "xiaoming").await;
    app.post(LAUNCH, &good).await.assert_status(200);
    assert_eq!((stack.accounts().await, stack.new_users().await), (1, 1));
    stack.finish().await;
}

#[tokio::test]
async fn a_resolver_that_goes_away_in_the_middle_loses_no_login() {
    let mut stack = builder().start().await;
    let app = Client::of(&stack);
    stack.resolver_wire.set(Fault::Refuse).await;
    let challenge = json!({"challenge": verifier().1});
    app.post("/wxgate/start/launch", &challenge).await.assert_failure(503, "accounts_unavailable");
    stack.resolver_wire.set(Fault::None).await;
    let launch = app.launch().await;
    stack.resolver_wire.set_on(&format!("/v1/tickets/{}/confirm", launch.ticket), Fault::Cut(0)).await;
    app.confirm(&launch.ticket, "xiaoming").await.assert_failure(503, "accounts_unavailable");
    stack.resolver_wire.set(Fault::None).await;
    let good = app.handed_back(&launch, "xiaoming").await;

    // Redeemed, and then nobody could be logged in.
    stack.resolver_wire.set_on("/v1/logins", Fault::Reset).await;
    app.post(LAUNCH, &good).await.assert_failure(503, "accounts_unavailable");
    stack.resolver_wire.set(Fault::None).await;
    let (verifier, hand_back) = (launch.verifier, good["hand_back"].clone());
    stack.resolver.stop().await;
    stack.resolver.start().await;
    let app = Client::of(&stack);
    let session = app.post(LAUNCH, &json!({"hand_back": hand_back, "verifier": verifier})).await;
    assert_eq!(app.who(&session).await.text("connector"), "launch");
    assert_eq!(stack.accounts().await, 1);
    stack.finish().await;
}
