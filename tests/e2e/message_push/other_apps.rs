//! A website and a mini program push to addresses of their own, each with a token and a key of its own.

use serde_json::json;
use wxgate_tests::hostile::application_routes;
use wxgate_tests::wechat_sim::{Message, Push, PushRequest};
use wxgate_tests::{Builder, Stack, now};

use super::message_server::arrived;
use super::{state, ticket};
use crate::native::{Client, MINI, builder};
use crate::sessions::all_workers_refuse;

/// The website application of WeChat's demo world.
const SITE: &str = "wx0000000000000001";

/// Connector, app, Token, EncodingAESKey.
const PUSHES: [(&str, &str, &str, &str); 2] = [
    ("pc", SITE, "e2eSiteToken0001", "e2esiteefghijklmnopqrstuvwxyz0123456789ABCG"),
    ("mini", MINI, "e2eMiniToken0001", "e2eminiefghijklmnopqrstuvwxyz0123456789ABCG"),
];

/// A shop that hears of both. What the mini program is told goes on to a message server, where there is one.
fn shop(has_message_server: bool) -> Builder {
    let names = |id: &str| (format!("WX_{}_PUSH_TOKEN", id.to_uppercase()), format!("WX_{}_PUSH_KEY", id.to_uppercase()));
    let with_secrets = PUSHES.into_iter().fold(builder(), |builder, (id, _, token, key)| {
        let (token_name, key_name) = names(id);
        builder.secret(&token_name, token).secret(&key_name, key)
    });
    with_secrets.config(move |config| {
        for connector in config["connectors"].as_array_mut().unwrap() {
            let id = connector["id"].as_str().unwrap().to_owned();
            if PUSHES.iter().any(|(known, ..)| *known == id) {
                let (token, key) = names(&id);
                connector["push"] = json!({"token": {"env": token}, "encoding_aes_keys": [{"env": key}]});
            }
            if id == "mini" {
                connector["message_server"] = json!(has_message_server);
            }
        }
    })
}

/// What WeChat's console of that app is told. A mini program's may send JSON.
fn console(stack: &Stack, connector: &str) -> Push {
    let (id, app, token, key) = PUSHES.into_iter().find(|(id, ..)| *id == connector).unwrap();
    let push = Push::safe(&format!("{}/wxgate/push/{id}", stack.origin), token, key).through(stack.envoys[0].address);
    if app == MINI { push.as_json() } else { push }
}

#[tokio::test]
async fn whoever_withdraws_their_consent_to_a_website_or_a_mini_program_is_logged_out_at_every_worker() {
    let stack = shop(false).envoys(2).start().await;
    for (id, app, ..) in PUSHES {
        stack.wechat.configure_push(app, console(&stack, id)).await.expect("the address is verified");
    }
    let desk = stack.visitor();
    desk.login("pc", "xiaoming").await.assert_status(200);
    let sub = desk.whoami().await.sub().to_owned();
    assert!(stack.resolver.user(&sub).await["name"].is_string());
    let app = Client::of(&stack);
    let phone = app.bearer(&app.mini_login("xiaohong").await);

    let delivery = stack.wechat.revoke_authorization(SITE, "xiaoming", "301").await.unwrap().unwrap();
    assert_eq!((delivery.attempts.len(), delivery.attempts[0].body.as_str()), (1, "success"), "{delivery:?}");
    all_workers_refuse(&stack, &desk).await;
    assert!(stack.resolver.user(&sub).await["name"].is_null(), "and the profile is cleared");
    assert!(phone.is_logged_in().await, "somebody else's consent goes on");

    let delivery = stack.wechat.cancel_authorization(MINI, "xiaohong").await.unwrap().unwrap();
    assert_eq!((delivery.attempts.len(), delivery.attempts[0].body.as_str()), (1, "success"), "{delivery:?}");
    assert!(delivery.attempts[0].request.body.starts_with('{'), "mini programs may have JSON");
    all_workers_refuse(&stack, &phone).await;
    assert_eq!(stack.count("wxgate_pushes_total.*connector=(pc|mini).*result=withdrawn").await, 2);
    stack.finish().await;
}

#[tokio::test]
async fn a_push_of_one_app_does_nothing_at_the_address_of_another() {
    let stack = shop(false).official_account_qr(json!({"confirm": false})).start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let revoked = |app: &str| {
        Message::event(&stack.wechat.original_id(app), "wechat", now(), "user_authorization_revoke")
            .with("OpenID", &stack.wechat.openid("xiaoming", app))
            .with("AppID", app)
            .with("UnionID", &stack.wechat.unionid("xiaoming", "main"))
    };
    let sealed =
        |connector: &str, about: &str, message: &Message| PushRequest::seal(&console(&stack, connector), about, message, now()).unwrap();
    for ((id, app, ..), (other_id, other, ..)) in [(PUSHES[0], PUSHES[1]), (PUSHES[1], PUSHES[0])] {
        // What the other app was sent; the same under this app's token and key; and this app's own, with the other's name in it.
        let mut elsewhere = sealed(other_id, other, &revoked(other));
        elsewhere.url = elsewhere.url.replace(&format!("/push/{other_id}?"), &format!("/push/{id}?"));
        stack.send_push(0, &elsewhere).await.assert_failure(403, "push_refused");
        stack.send_push(0, &sealed(id, other, &revoked(other))).await.assert_failure(400, "push_unreadable");
        assert_eq!(stack.send_push(0, &sealed(id, app, &revoked(other))).await.assert_status(200).text(), "success");

        // Codes are an official account's: a scan is nothing to these.
        let ticket = ticket(&stack).await;
        let (to, from) = (stack.wechat.original_id(app), stack.wechat.openid("xiaoming", app));
        let scanned = Message::event(&to, &from, now(), "SCAN").with("EventKey", &ticket);
        assert_eq!(stack.send_push(0, &sealed(id, app, &scanned)).await.assert_status(200).text(), "success");
        assert_eq!(state(&stack, &ticket).await, "waiting");
    }
    assert_eq!(stack.count("wxgate_pushes_total.*result=withdrawn").await, 0);
    assert!(visitor.is_logged_in().await);
    stack.send_push(0, &sealed("mini", MINI, &revoked(MINI))).await.assert_status(200);
    all_workers_refuse(&stack, &visitor).await;
    stack.finish().await;
}

#[tokio::test]
async fn what_a_customer_writes_to_a_mini_program_goes_on_to_the_message_server_as_it_was_sent() {
    let routed = |envoy: &mut serde_json::Value| {
        let route = json!({"match": {"path_separated_prefix": "/wxgate/push"}, "route": {"cluster": "shop", "timeout": "5s"}});
        application_routes(envoy).insert(0, route);
    };
    let stack = shop(true).open_path("/wxgate/push").envoy(routed).start().await;
    stack.wechat.set_push(MINI, Some(console(&stack, "mini"))).unwrap();
    stack.app.answer("/wxgate/push/mini", 200, &[("content-type", "text/plain")], "success");
    let (to, from) = (stack.wechat.original_id(MINI), stack.wechat.openid("xiaoming", MINI));

    let written = stack.wechat.push(MINI, &Message::text(&to, &from, now(), "你好 \"<b>")).await.unwrap().unwrap();
    assert_eq!((written.attempts.len(), written.is_accepted), (1, true), "{written:?}");
    assert_eq!(written.attempts[0].request.content_type, "application/json");
    arrived(&stack, &written);

    // A withdrawal is ours and theirs.
    let app = Client::of(&stack);
    let phone = app.bearer(&app.mini_login("xiaoming").await);
    let withdrawn = stack.wechat.revoke_authorization(MINI, "xiaoming", "1").await.unwrap().unwrap();
    arrived(&stack, &withdrawn);
    all_workers_refuse(&stack, &phone).await;
    stack.finish().await;
}
