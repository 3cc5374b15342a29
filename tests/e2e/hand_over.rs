//! A session goes over from a mini program to a web view, once, within a minute, and to nobody who did not ask for it.

use std::time::Duration;

use serde_json::{Value, json};
use wxgate_tests::scan::{MINI_PROGRAM_APP, MINI_PROGRAM_SECRET};
use wxgate_tests::visitor::{self, SESSION};
use wxgate_tests::{Answer, Builder, Fault, Stack, Visitor, eventually};

/// The shop and a second application of the same people, both with the mini program.
fn shop() -> Builder {
    Stack::builder().without_rate_limit().secret("WX_MINI_SECRET", MINI_PROGRAM_SECRET).config(|config| {
        config["connectors"].as_array_mut().unwrap().push(json!({
            "id": "mini", "type": "mini_program", "app_id": MINI_PROGRAM_APP, "app_secret": {"env": "WX_MINI_SECRET"}, "platform": "main",
            "phone_number": "off"
        }));
        let applications = config["applications"].as_array_mut().unwrap();
        applications[0]["connectors"].as_array_mut().unwrap().push("mini".into());
        let origin = applications[0]["origin"].as_str().unwrap().replace("localhost", "docs.localhost");
        applications.push(json!({"id": "docs", "origin": origin, "connectors": ["mini"]}));
    })
}

/// Somebody who has logged in to the mini program.
async fn mini_program(stack: &Stack, person: &str) -> Visitor {
    let code = stack.wechat.wx_login(MINI_PROGRAM_APP, person).unwrap();
    let session = stack.visitor().without_cookies().post_from_app("/wxgate/code/mini", &json!({"code": code})).await;
    let token = session.assert_status(200).json()["token"].as_str().unwrap().to_owned();
    stack.add_secret(&token);
    stack.visitor().bearer(&token)
}

async fn ask(app: &Visitor, target: &str) -> Answer {
    app.post_from_app("/wxgate/hand-over", &json!({"target": target})).await
}

/// The address for the web view.
async fn address(stack: &Stack, app: &Visitor) -> String {
    let answer = ask(app, "/orders?page=2").await;
    let url = answer.assert_status(200).json()["url"].as_str().unwrap().to_owned();
    stack.add_secret(url.split_once("ticket=").unwrap().1);
    url
}

fn web_view(stack: &Stack) -> Visitor {
    stack.visitor().calling_itself(visitor::MINI_PROGRAM)
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str) {
    answer.assert_failure(status, code);
    assert!(answer.all("set-cookie").all(|cookie| !cookie.starts_with(SESSION)), "{answer}");
}

#[tokio::test]
async fn a_web_view_goes_on_where_the_mini_program_is_logged_in_and_one_logout_ends_both() {
    let stack = shop().start().await;
    let (app, view) = (mini_program(&stack, "xiaoming").await, web_view(&stack));
    let opened = view.navigate(&address(&stack, &app).await).await;
    opened.assert_goes_to("/orders?page=2");
    assert_eq!(view.navigate(opened.location()).await.assert_status(200).json()["path"], "/orders?page=2");
    let (there, here) = (app.whoami().await, view.whoami().await);
    assert_eq!((there.sub(), there.text("sid")), (here.sub(), here.text("sid")));
    app.post_from_app("/wxgate/logout", &json!({})).await.assert_status(200);
    eventually(Duration::from_secs(20), "every worker hears of it", async || (!view.is_logged_in().await).then_some(())).await;
    eventually(Duration::from_secs(20), "every worker hears of it", async || (ask(&app, "/").await.status == 401).then_some(())).await;
    stack.finish().await;
}

#[tokio::test]
async fn an_address_works_once_and_again_only_for_the_browser_that_has_the_session() {
    let stack = shop().start().await;
    let (app, view) = (mini_program(&stack, "xiaoming").await, web_view(&stack));
    let url = address(&stack, &app).await;
    view.navigate(&url).await.assert_status(303);
    view.navigate(&url).await.assert_goes_to("/orders?page=2");
    let thief = web_view(&stack).navigate(&url).await;
    assert_refused(&thief, 410, "hand_over_over");
    assert!(thief.text().contains("/wxgate/login?return_to=%2Forders%3Fpage%3D2"), "a way on: {thief}");
    stack.finish().await;
}

#[tokio::test]
async fn of_fifty_at_once_one_is_logged_in() {
    let stack = shop().envoys(2).concurrency(4).start().await;
    let app = mini_program(&stack, "xiaoming").await;
    let url = address(&stack, &app).await;
    let views: Vec<_> = (0..50).map(|number| web_view(&stack).via(stack.envoys[number % 2].address)).collect();
    let opening = views.into_iter().map(|view| {
        let url = url.clone();
        tokio::spawn(async move { view.navigate(&url).await.status })
    });
    let mut statuses = Vec::new();
    for opening in opening.collect::<Vec<_>>() {
        statuses.push(opening.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (303, &[410; 49][..]));
    stack.finish().await;
}

#[tokio::test]
async fn it_works_at_another_envoy_and_at_no_other_application() {
    let stack = shop().envoys(2).start().await;
    let (app, view) = (mini_program(&stack, "xiaoming").await, web_view(&stack));
    let url = address(&stack, &app).await;
    let path = url.strip_prefix(&stack.origin).unwrap();
    let docs = stack.origin.replace("localhost", "docs.localhost");
    assert_refused(&view.at(&docs).navigate(path).await, 410, "hand_over_over");
    view.via(stack.envoys[1].address).navigate(&url).await.assert_goes_to("/orders?page=2");
    assert!(view.is_logged_in().await);
    stack.finish().await;
}

#[tokio::test]
async fn nobody_is_led_into_a_session_by_another_site_nor_out_of_their_own() {
    let stack = shop().start().await;
    let app = mini_program(&stack, "xiaoming").await;
    let url = address(&stack, &app).await;
    let victim = stack.visitor();
    for site in ["cross-site", "same-site"] {
        let headers = [("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("sec-fetch-site", site)];
        assert_refused(&victim.send("GET", &url, &headers, b"").await, 403, "cross_site");
    }
    victim.login("pc", "xiaohong").await.assert_status(200);
    let own = victim.whoami().await;
    assert_refused(&victim.navigate(&url).await, 409, "another_session");
    assert_eq!(victim.whoami().await.sub(), own.sub());
    // None of it has spent the address.
    web_view(&stack).navigate(&url).await.assert_status(303);
    stack.finish().await;
}

#[tokio::test]
async fn what_takes_too_long_is_over_and_an_outage_spends_nothing() {
    let mut stack = shop().start().await;
    let (app, view) = (mini_program(&stack, "xiaoming").await, web_view(&stack));
    let url = address(&stack, &app).await;
    stack.resolver_wire.set(Fault::Refuse).await;
    let failed = ask(&app, "/orders").await;
    assert_eq!((failed.status, failed.json()["error"].as_str()), (503, Some("accounts_unavailable")));
    assert_refused(&view.navigate(&url).await, 503, "accounts_unavailable");
    stack.resolver_wire.set(Fault::None).await;
    stack.resolver.stop().await;
    stack.resolver.start().await;
    view.navigate(&url).await.assert_goes_to("/orders?page=2");

    let late = address(&stack, &app).await;
    stack.resolver.set_clock_ahead(61);
    assert_refused(&web_view(&stack).navigate(&late).await, 410, "hand_over_over");
    stack.finish().await;
}

#[tokio::test]
async fn a_session_that_has_ended_goes_over_to_nobody() {
    let stack = shop().concurrency(1).start().await;
    let app = mini_program(&stack, "xiaoming").await;
    let url = address(&stack, &app).await;
    let sub = app.whoami().await.sub().to_owned();
    stack.resolver.disable_user(&sub).await;
    eventually(Duration::from_secs(20), "Envoy hears of it", async || (ask(&app, "/").await.status == 401).then_some(())).await;
    assert_refused(&web_view(&stack).navigate(&url).await, 410, "hand_over_over");
    stack.finish().await;
}

#[tokio::test]
async fn only_a_session_of_an_app_s_goes_over_and_only_to_a_page_of_its_application() {
    let stack = shop().start().await;
    let (app, desk) = (mini_program(&stack, "xiaoming").await, stack.visitor());
    desk.login("pc", "xiaohong").await.assert_status(200);
    let with_cookie: Value = desk.post("/wxgate/hand-over", &json!({"target": "/"})).await.assert_status(401).json();
    assert_eq!(with_cookie["error"], "login_required");
    for target in ["//evil.example", "https://evil.example/", "/wxgate/logout", "orders"] {
        let refused = ask(&app, target).await;
        assert_eq!((refused.status, refused.json()["error"].as_str()), (400, Some("malformed_body")), "{target}");
    }
    let form = app.send("POST", "/wxgate/hand-over", &[("content-type", "text/plain")], b"{\"target\": \"/\"}").await;
    assert_eq!(form.status, 415);
    stack.finish().await;
}
