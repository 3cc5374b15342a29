//! Logging in on a PC by scanning an official account's code and following it: the page in WeChat that asks, and which push counts.
//! From the code to the session it is told in `scans/`, and what WeChat pushes in `message_push/`.

use serde_json::{Value, json};
use wxgate_tests::scan::ScanMethod::OfficialAccountQr;
use wxgate_tests::scan::{Code, PUSH_PATH, Refusal};
use wxgate_tests::visitor::{SESSION, WECHAT, split_url};
use wxgate_tests::wechat_sim::{App, Effect, Fault as WechatFault, Push};
use wxgate_tests::{Builder, Stack, Visitor, forms};

/// A shop whose visitors may follow its account; `follow` is what the connector has beyond the usual.
async fn shop(builder: Builder, follow: Value) -> Stack {
    let stack = builder.without_rate_limit().official_account_qr(follow).start().await;
    stack.configure_push().await;
    stack
}

async fn shown(visitor: &Visitor) -> (Code, String) {
    let code = visitor.show_code("follow", "/orders?page=2").await;
    let text = visitor.read(&code).await;
    (code, text)
}

#[tokio::test]
async fn the_page_in_wechat_says_whose_login_it_would_be_and_looking_confirms_nothing() {
    let stack = shop(Stack::builder(), json!({})).await;
    let visitor = stack.visitor();
    let (code, text) = shown(&visitor).await;
    let link = stack.phone(OfficialAccountQr, "xiaoming").chat(&text).await.unwrap();
    assert!(link.starts_with(&format!("{}/wxgate/scan/follow/confirm?confirm=wxg1.", stack.origin)), "{link}");
    let phone = stack.visitor().calling_itself(WECHAT);
    let page = phone.navigate(&link).await;
    for word in ["shop", &stack.origin, "Chrome, Linux", "127.0.0.1", &format!(">{}<", code.number)] {
        assert!(page.assert_status(200).text().contains(word), "{word} in {page}");
    }
    assert_eq!(visitor.look(&code).await["state"], "scanned");
    phone.answer(&page, "confirm", &[]).await.assert_status(200);
    visitor.collect(&code).await.assert_status(200);
    // The link has done what it does.
    let again = phone.navigate(&link).await;
    assert!(!forms::offers(again.assert_status(200), "confirm"), "{again}");
    stack.finish().await;
}

#[tokio::test]
async fn where_the_operator_asks_for_no_confirmation_the_scan_is_enough() {
    let stack = shop(Stack::builder().envoys(2).concurrency(4), json!({"confirm": false})).await;
    let visitor = stack.visitor();
    let elsewhere = visitor.via(stack.envoys[1].address);
    let (code, text) = shown(&elsewhere).await;
    let (seen, pushed) = tokio::join!(elsewhere.look_beyond(&code, "waiting"), stack.wechat.scan_account_code(&text, "xiaoming"));
    assert!(pushed.unwrap().unwrap().is_accepted);
    assert_eq!(seen["state"], "done", "{seen}");
    assert_eq!(visitor.whoami().await.text("connector"), "follow");
    for step in ["started", "scanned", "confirmed", "collected"] {
        assert_eq!(stack.count(&format!("wxgate_scans_total.*follow.*{step}")).await, u64::from(step != "scanned"), "{step}");
    }
    stack.finish().await;
}

#[tokio::test]
async fn only_the_first_scanner_s_link_leads_to_the_question_and_no_other_site_answers_it() {
    let stack = shop(Stack::builder(), json!({})).await;
    let (visitor, phone) = (stack.visitor(), stack.visitor().calling_itself(WECHAT));
    let (code, text) = shown(&visitor).await;
    let link = stack.phone(OfficialAccountQr, "xiaoming").chat(&text).await.unwrap();
    assert_eq!(stack.phone(OfficialAccountQr, "xiaohong").chat(&text).await, Err(Refusal::Taken));
    let page = phone.navigate(&link).await;
    let form = forms::form(&page, "confirm", &[]);
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form.hidden.iter()).finish();
    for origin in ["https://evil.example", "null"] {
        let headers = [("accept", "text/html"), ("content-type", "application/x-www-form-urlencoded"), ("origin", origin)];
        phone.send("POST", "/wxgate/scan/follow/confirm", &headers, body.as_bytes()).await.assert_failure(403, "cross_site");
    }
    for odd in ["", "?confirm=", "?confirm=wxg1.a.b", &format!("?{}x", split_url(&link).1.split('?').nth(1).unwrap())] {
        phone.navigate(&format!("/wxgate/scan/follow/confirm{odd}")).await.assert_status(410);
    }
    assert_eq!(visitor.look(&code).await["state"], "scanned");
    phone.submit(&form.action, &body).await.assert_status(200);
    visitor.collect(&code).await.assert_status(200);
    stack.finish().await;
}

/// Another account of the same operator's, which its connector is for, and which somebody has set up to push to ours.
#[tokio::test]
async fn a_code_or_a_push_of_another_account_moves_no_ticket_of_this_one() {
    const OTHER: &str = "wx00000000000000f7";
    const SECRET: &str = "5b0e94d1c7a2683f41d09be7a6c3582f";
    let with_another = |config: &mut Value| {
        let connectors = config["connectors"].as_array_mut().unwrap();
        let mut other = connectors.iter().find(|connector| connector["id"] == "follow").unwrap().clone();
        (other["id"], other["app_id"], other["app_secret"]) = ("other".into(), OTHER.into(), json!({"env": "WX_OTHER_SECRET"}));
        connectors.push(other);
        config["applications"][0]["connectors"].as_array_mut().unwrap().push("other".into());
    };
    let builder = Stack::builder().without_rate_limit().app(OTHER, App::official_account(SECRET).on_platform("main"));
    let builder = builder.secret("WX_OTHER_SECRET", SECRET).official_account_qr(json!({})).config(with_another);
    let stack = builder.start().await;
    stack.configure_push().await;
    let to_other = Push { url: stack.console().url.replace(PUSH_PATH, "/wxgate/push/other"), ..stack.console() };
    stack.wechat.set_push(OTHER, Some(to_other)).unwrap();
    let (visitor, phone) = (stack.visitor(), stack.phone(OfficialAccountQr, "xiaoming"));
    let code = visitor.show_code("follow", "/orders?page=2").await;
    let ticket = stack.scene();

    // A code of the other one's that names this one's ticket, as whoever has seen a ticket can have made.
    let foreign = stack.account_code(OTHER, SECRET, &ticket).await;
    assert_eq!(phone.chat(&foreign).await, Err(Refusal::Over));
    // The other one's push where this one's arrive: it says in its encrypted part whose it is.
    stack.wechat.set_push(OTHER, Some(stack.console())).unwrap();
    let misdirected = stack.wechat.scan_account_code(&foreign, "xiaohong").await.unwrap().unwrap();
    assert!(!misdirected.is_accepted && misdirected.attempts.iter().all(|attempt| attempt.status == Some(400)), "{misdirected:?}");
    assert_eq!(visitor.look(&code).await["state"], "waiting");

    // What one account's link confirms, the other's address does not.
    let text = visitor.read(&code).await;
    let link = phone.chat(&text).await.unwrap();
    phone.browser.navigate(&link.replace("/scan/follow/", "/scan/other/")).await.assert_status(410);
    phone.browser.navigate(&link).await.assert_status(200);
    phone.confirm(&text).await;
    visitor.collect(&code).await.assert_status(200);
    assert_eq!((visitor.whoami().await.text("connector"), stack.accounts().await), ("follow", 1));
    stack.finish().await;
}

/// Whoever has recorded a push sends it again, byte for byte, whatever has become of the scan, also by way of another Envoy.
#[tokio::test]
async fn a_push_that_is_sent_again_logs_nobody_in() {
    for (is_confirmed, action) in [(true, "confirm"), (true, "cancel"), (false, "confirm")] {
        let stack = shop(Stack::builder().envoys(2), json!({"confirm": is_confirmed})).await;
        let (visitor, phone) = (stack.visitor(), stack.phone(OfficialAccountQr, "xiaoming"));
        let (code, text) = shown(&visitor).await;
        let pushed = stack.wechat.scan_account_code(&text, "xiaoming").await.unwrap().unwrap();
        let recorded = &pushed.attempts[0].request;
        let replayed = async || {
            for envoy in [0, 1] {
                stack.send_push(envoy, recorded).await.assert_status(200);
            }
        };
        replayed().await;
        if is_confirmed {
            let page = phone.browser.navigate(&stack.link_in(&pushed.reply_text().unwrap())).await;
            assert_eq!(visitor.look(&code).await["state"], "scanned");
            phone.answer(&page, action).await.assert_status(200);
            replayed().await;
        }
        let thief = visitor.stolen();
        let (next, _) = shown(&visitor).await;
        if action == "confirm" {
            visitor.collect(&code).await.assert_status(200);
            replayed().await;
            assert_eq!(thief.look(&code).await["error"], "scan_used");
        } else {
            assert_eq!(visitor.look(&code).await["state"], "cancelled");
            replayed().await;
            assert_eq!(thief.look(&code).await["state"], "cancelled");
        }
        assert_eq!((thief.cookie(SESSION), visitor.look(&next).await["state"].as_str()), (None, Some("waiting")));
        let logins = u64::from(action == "confirm");
        assert_eq!((stack.accounts().await, stack.count("wxgate_logins_total.*signed_in").await), (logins, logins));
        stack.finish().await;
    }
}

#[tokio::test]
async fn a_code_that_wechat_does_not_make_is_a_failure_that_says_so() {
    let stack = shop(Stack::builder(), json!({})).await;
    let visitor = stack.visitor();
    for (errcode, status, error) in [(48001, 500, "wechat_misconfigured"), (45009, 503, "wechat_busy")] {
        stack.wechat.set_faults(vec![WechatFault::on("/cgi-bin/qrcode/create", Effect::errcode(errcode, "no"))]);
        let refused = visitor.post("/wxgate/scan/follow", &json!({})).await;
        refused.assert_failure(status, error);
        visitor.submit("/wxgate/scan/follow", "return_to=%2F").await.assert_failure(status, error);
        stack.wechat.clear_faults();
    }
    assert_eq!(visitor.cookies(), []);
    shown(&visitor).await;
    stack.finish().await;
}
