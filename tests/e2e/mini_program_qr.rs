//! Logging in on a PC by scanning a mini program's code: what WeChat draws, and what the mini program sends and gets. From the code to
//! the session it is told in `scans/`.

use std::time::Duration;

use serde_json::{Value, json};
use wxgate_tests::scan::ScanMethod::MiniProgramQr;
use wxgate_tests::scan::{Code, MINI_PROGRAM_APP, Refusal};
use wxgate_tests::wechat_sim::{App, Effect, Fault as WechatFault};
use wxgate_tests::{Builder, Stack, Visitor, eventually};

/// The longest that a request waits for the next step, and what a busy machine adds.
const HOLD: Duration = Duration::from_secs(20);

fn shop() -> Builder {
    Stack::builder().without_rate_limit().mini_program_qr(json!({}))
}

async fn shown(visitor: &Visitor) -> (Code, String) {
    let code = visitor.show_code("scan", "/orders?page=2").await;
    let scene = visitor.read(&code).await;
    (code, scene)
}

#[tokio::test]
async fn the_mini_program_is_told_whose_login_it_would_be() {
    let stack = shop().start().await;
    let visitor = stack.visitor();
    let (code, scene) = shown(&visitor).await;
    let phone = stack.phone(MiniProgramQr, "xiaoming");
    let mut question = phone.scan(&scene).await.unwrap().json();
    let confirm = question["confirm"].take();
    assert!(confirm.as_str().is_some_and(|sealed| sealed.starts_with("wxg1.")), "{confirm}");
    let told = json!({
        "state": "scanned", "application": "shop", "origin": stack.origin, "number": code.number, "client": "Chrome, Linux",
        "client_address": "127.0.0.1", "phone_number": "off", "confirm": null, "expires_at": code.told["expires_at"],
    });
    assert_eq!(question, told);
    for (action, state) in [("confirm", "confirmed"), ("cancel", "cancelled")] {
        let (_, scene) = shown(&visitor).await;
        let scanned = phone.scan(&scene).await.unwrap();
        assert_eq!(phone.answer(&scanned, action).await.assert_status(200).json(), json!({"state": state}));
    }
    stack.finish().await;
}

#[tokio::test]
async fn a_code_of_wx_login_is_good_for_one_scan() {
    let stack = shop().start().await;
    let visitor = stack.visitor();
    let ((code, scene), (_, next)) = (shown(&visitor).await, shown(&visitor).await);
    let login = stack.wechat.wx_login(MINI_PROGRAM_APP, "xiaoming").unwrap();
    stack.add_secret(&login);
    let sent = json!({"ticket": scene, "code": login});
    let scanned = stack.mini_program(&sent).await;
    scanned.assert_status(200);
    for ticket in [&scene, &next] {
        stack.mini_program(&json!({"ticket": ticket, "code": login})).await.assert_failure(400, "code_rejected");
    }
    stack.phone(MiniProgramQr, "xiaoming").answer(&scanned, "confirm").await.assert_status(200);
    visitor.collect(&code).await.assert_status(200);
    stack.mini_program(&sent).await.assert_failure(410, "scan_over");
    assert_eq!((stack.accounts().await, stack.count("wxgate_logins_total.*signed_in").await), (1, 1));
    stack.finish().await;
}

#[tokio::test]
async fn a_code_of_another_mini_program_names_nobody_here() {
    const OTHER: &str = "wx00000000000000f6";
    let stack = shop().start().await;
    stack.wechat.put_app(OTHER, App::mini_program(&"f6".repeat(16)).on_platform("main")).unwrap();
    let visitor = stack.visitor();
    let (code, scene) = shown(&visitor).await;
    let foreign = stack.wechat.wx_login(OTHER, "xiaoming").unwrap();
    stack.mini_program(&json!({"ticket": scene, "code": foreign})).await.assert_failure(400, "code_rejected");
    // And a ticket of another app's is none of this connector's.
    let made = json!({"purpose": "scan", "pool": "default", "application": "shop", "connector": "scan", "app_id": OTHER,
        "challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "lifetime_seconds": 100});
    let ticket = stack.resolver.ask("POST", "/v1/tickets", Some(&made)).await.assert_status(200).json()["ticket"].clone();
    let (phone, spent) = (stack.phone(MiniProgramQr, "xiaoming"), stack.wechat.journal().len());
    for over in [ticket.as_str().unwrap(), "AAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(phone.scan(over).await.unwrap_err(), Refusal::Over);
    }
    assert_eq!(stack.wechat.journal().len(), spent, "no code was spent on them");
    assert_eq!(visitor.look(&code).await["state"], "waiting");
    stack.finish().await;
}

#[tokio::test]
async fn a_picture_is_drawn_once_by_each_worker_and_a_refusal_of_wechat_s_can_be_tried_again() {
    let stack = shop().start().await;
    let visitor = stack.visitor();
    let code = visitor.show_code("scan", "/orders").await;
    let drawn = || stack.wechat.journal().iter().filter(|entry| entry.path == "/wxa/getwxacodeunlimit").count();
    for _ in 0..20 {
        let picture = visitor.api(&code.image).await;
        assert!(picture.assert_status(200).body.starts_with(&[0xff, 0xd8, 0xff]), "a JPEG");
        assert_eq!(picture.header("cross-origin-resource-policy"), Some("same-origin"));
    }
    assert!((1..=2).contains(&drawn()), "{}", drawn());

    for (errcode, status, error) in [(41030, 500, "wechat_misconfigured"), (45009, 503, "wechat_busy")] {
        stack.wechat.set_faults(vec![WechatFault::on("/wxa/getwxacodeunlimit", Effect::errcode(errcode, "no"))]);
        let code = visitor.show_code("scan", "/orders").await;
        visitor.api(&code.image).await.assert_failure(status, error);
        stack.wechat.clear_faults();
        assert_eq!(visitor.look(&code).await["state"], "waiting", "the scan goes on");
        eventually(HOLD, "the picture comes", async || (visitor.api(&code.image).await.status == 200).then_some(())).await;
    }
    stack.finish().await;
}

#[tokio::test]
async fn a_phone_number_lands_in_the_account_as_verified() {
    let claims = |config: &mut Value| config["applications"][0]["claims"] = json!({"phone_number": true});
    let stack = Stack::builder().without_rate_limit().mini_program_qr(json!({"phone_number": "required"})).config(claims).start().await;
    let visitor = stack.visitor();
    let (code, scene) = shown(&visitor).await;
    let phone = stack.phone(MiniProgramQr, "xiaoming");
    let scanned = phone.scan(&scene).await.unwrap();
    assert_eq!(scanned.json()["phone_number"], "required");
    phone.answer(&scanned, "confirm").await.assert_failure(400, "phone_number_required");
    let of = |person: &str| stack.wechat.phone_number(MINI_PROGRAM_APP, person, true).unwrap().code.unwrap();
    let with = |phone_code: String| json!({"confirm": scanned.json()["confirm"], "action": "confirm", "phone_code": phone_code});
    stack.mini_program(&with(of("xiaohong"))).await.assert_failure(400, "phone_number_rejected");
    assert_eq!(visitor.look(&code).await["state"], "scanned");
    stack.mini_program(&with(of("xiaoming"))).await.assert_status(200);
    visitor.collect(&code).await.assert_status(200);
    let claims = visitor.whoami().await.claims;
    assert_eq!((&claims["phone_number"], &claims["phone_number_verified"]), (&json!("+8613800138000"), &json!(true)));
    stack.finish().await;
}
