//! What somebody else sends, and what is sent again.

use std::time::Duration;

use serde_json::json;
use wxgate_tests::hostile::Setup;
use wxgate_tests::scan::{ACCOUNT, PUSH_KEY, PUSH_PATH, PUSH_TOKEN};
use wxgate_tests::wechat_sim::crypto::push as crypt;
use wxgate_tests::wechat_sim::{Push, PushRequest};
use wxgate_tests::{Stack, now, on_both};

use super::{VERIFIER, changed, collect, event, state, ticket, with_body, with_url};
use crate::native::asked;

on_both![what_wechat_did_not_sign_has_no_effect, what_attacks_a_reader_of_xml_reaches_nobody, a_recorded_push_has_no_second_effect,];

async fn what_wechat_did_not_sign_has_no_effect(setup: Setup) {
    let stack = setup.builder().official_account_qr(json!({"confirm": false})).start().await;
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    let ticket = ticket(&stack).await;
    stack.wechat.set_push(ACCOUNT, None).unwrap();
    stack.wechat.follow(ACCOUNT, "xiaoming").await.unwrap();
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    let scanned = event(&stack, "xiaoming", "SCAN", &ticket);
    let good = stack.wechat.seal_push(ACCOUNT, &scanned).unwrap();
    let other = stack.wechat.seal_push(ACCOUNT, &event(&stack, "xiaohong", "SCAN", &ticket)).unwrap();
    let seal = |push: &Push, at: u64| PushRequest::seal(push, ACCOUNT, &scanned, at).unwrap();
    let upper = {
        let (before, rest) = good.url.split_once("?signature=").unwrap();
        let (signature, after) = rest.split_once('&').unwrap();
        with_url(&good, format!("{before}?signature={}&{after}", signature.to_uppercase()))
    };
    let in_clear = with_body(&good, seal(&Push::plain(&good.url, PUSH_TOKEN), now()).body);
    for (what, request) in [
        ("another token", seal(&Push { token: "another".into(), ..stack.console() }, now())),
        ("no signature", changed(&good, "?signature=", "?x=")),
        ("no message signature", changed(&good, "&msg_signature=", "&x=")),
        ("upper case", upper),
        ("another time", changed(&good, "&timestamp=", "&timestamp=1")),
        ("a nonce twice", changed(&good, "&nonce=", "&nonce=1&nonce=")),
        ("somebody else's body", with_body(&good, other.body.clone())),
        ("a changed body", changed(&good, "<Encrypt><![CDATA[", "<Encrypt><![CDATA[AAAA")),
        ("a body in clear", in_clear),
        ("a plain push", seal(&Push::plain(good.url.split('?').next().unwrap(), PUSH_TOKEN), now())),
    ] {
        stack.send_push(0, &request).await.assert_failure(403, "push_refused");
        assert_eq!(state(&stack, &ticket).await, "waiting", "{what}");
    }
    for (method, more, status) in [
        ("PUT", &[][..], 405),
        ("DELETE", &[], 405),
        ("POST", &[("content-encoding", "gzip")], 415),
        ("POST", &[("content-encoding", "deflate, br")], 415),
    ] {
        stack.send_push_as(0, method, &good, more).await.assert_status(status);
    }
    for path in ["/wxgate/push/nobody", "/wxgate/push/pc"] {
        stack.send_push(0, &changed(&good, PUSH_PATH, path)).await.assert_failure(404, "unknown_connector");
    }
    let huge = with_body(&good, "x".repeat(1_000_000));
    stack.send_push(0, &huge).await.assert_status(413);
    let foreign_app = PushRequest::seal(&stack.console(), "wx0000000000000001", &scanned, now()).unwrap();
    stack.send_push(0, &foreign_app).await.assert_failure(400, "push_unreadable");
    let probe =
        stack.visitor().get(&format!("{PUSH_PATH}?echostr=%3Cscript%3Ealert(1)%3C/script%3E&signature=x&timestamp=1&nonce=1")).await;
    probe.assert_failure(403, "push_refused");
    assert!(!probe.text().contains("alert"));
    assert_eq!(asked(&stack, "/cgi-bin/user/info"), 0, "all of it costs WeChat nothing");
    assert_eq!(state(&stack, &ticket).await, "waiting");
    assert_eq!(stack.send_push(0, &good).await.assert_status(200).text(), "success");
    assert_eq!(state(&stack, &ticket).await, "confirmed", "the good one is good");
    stack.finish().await;
}

async fn what_attacks_a_reader_of_xml_reaches_nobody(setup: Setup) {
    let canary = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = canary.local_addr().unwrap();
    let stack = setup.builder().official_account_qr(json!({})).start().await;
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    let laughs: String = (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let many: String = (0..900).map(|n| format!("<a{n}/>")).collect();
    for attack in [
        format!("<!DOCTYPE x SYSTEM \"http://{at}/\"><xml><MsgType>event</MsgType></xml>"),
        format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"http://{at}/\">]><xml><MsgType>&e;</MsgType></xml>"),
        format!("<!DOCTYPE x [<!ENTITY % e SYSTEM \"http://{at}/\"> %e;]><xml></xml>"),
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><MsgType>&e;</MsgType></xml>".into(),
        format!("<!DOCTYPE x [<!ENTITY l0 \"ha\">{laughs}]><xml><MsgType>&l9;</MsgType></xml>"),
        format!("<?xml-stylesheet href=\"http://{at}/\"?><xml></xml>"),
        format!("<xml>{}{}</xml>", "<a>".repeat(1_500), "</a>".repeat(1_500)),
        format!("<xml>{many}</xml>"),
        format!("<xml><a {}/></xml>", "b=\"1\" ".repeat(1_500)),
        "<xml><MsgType>event</MsgType><MsgType>text</MsgType></xml>".into(),
        "<xml".into(),
        "\u{0}".repeat(100),
    ] {
        // As the envelope, and as what is inside of a good one.
        let outside = stack.wechat.seal_push(ACCOUNT, &event(&stack, "xiaoming", "SCAN", "x")).unwrap();
        stack.send_push(0, &with_body(&outside, attack.clone())).await.assert_failure(400, "malformed_body");
        let encrypted = crypt::encrypt(PUSH_KEY, "aaaabbbbccccdddd", &attack, ACCOUNT).unwrap();
        stack.send_push(0, &sealed_by_hand(&stack, &encrypted)).await.assert_failure(400, "push_unreadable");
    }
    assert!(tokio::time::timeout(Duration::ZERO, canary.accept()).await.is_err(), "somebody fetched what an attack named");
    stack.finish().await;
}

/// A push around this ciphertext, with good signatures.
fn sealed_by_hand(stack: &Stack, encrypted: &str) -> PushRequest {
    let (timestamp, nonce) = (now().to_string(), "1");
    let (address, message) =
        (crypt::signature(&[PUSH_TOKEN, &timestamp, nonce]), crypt::signature(&[PUSH_TOKEN, &timestamp, nonce, encrypted]));
    let template = stack.wechat.seal_push(ACCOUNT, &event(stack, "xiaoming", "SCAN", "x")).unwrap();
    let url = format!(
        "{}{PUSH_PATH}?signature={address}&timestamp={timestamp}&nonce={nonce}&encrypt_type=aes&msg_signature={message}",
        stack.origin
    );
    with_body(&with_url(&template, url), format!("<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"))
}

async fn a_recorded_push_has_no_second_effect(setup: Setup) {
    let stack = setup.builder().official_account_qr(json!({"confirm": false})).start().await;
    stack.wechat.set_push(ACCOUNT, None).unwrap();
    stack.wechat.follow(ACCOUNT, "xiaoming").await.unwrap();
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    let ticket = ticket(&stack).await;
    let scanned = event(&stack, "xiaoming", "SCAN", &ticket);
    for age in [601, 86_400] {
        let old = PushRequest::seal(&stack.console(), ACCOUNT, &scanned, now() - age - 1).unwrap();
        assert_eq!(stack.send_push(0, &old).await.assert_status(200).text(), "success");
        assert_eq!(state(&stack, &ticket).await, "waiting", "{age}");
    }
    let recorded = stack.wechat.seal_push(ACCOUNT, &scanned).unwrap();
    for _ in 0..3 {
        stack.send_push(0, &recorded).await.assert_status(200);
    }
    collect(&stack, &ticket).await;
    stack.send_push(0, &recorded).await.assert_status(200);
    assert_eq!(state(&stack, &ticket).await, "redeemed");
    let asked = json!({"verifier": VERIFIER, "application": "shop", "redemption": "BBBBBBBBBBBBBBBBBBBBBA"});
    let again = stack.resolver.ask("POST", &format!("/v1/tickets/{ticket}/redeem"), Some(&asked)).await;
    assert_eq!(again.json()["answer"], "used");
    stack.finish().await;
}
