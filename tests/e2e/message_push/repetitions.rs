//! WeChat repeats what was not accepted in time, and now and then what was: stored once, and nothing is lost.

use std::time::Duration;

use serde_json::{Value, json};
use wxgate_tests::scan::{ACCOUNT, ACCOUNT_SECRET};
use wxgate_tests::wechat_sim::{Effect, Fault as WechatFault, Push, Verdict};
use wxgate_tests::{Fault, Stack, eventually};

use super::{collect, scan, state, ticket};

#[tokio::test]
async fn repetitions_and_duplicates_have_one_effect_and_one_answer() {
    let stack = Stack::builder().envoys(2).official_account_qr(json!({"confirm": false, "welcome": "hi"})).start().await;
    for verbatim in [false, true] {
        let push = Push { repeats_verbatim: verbatim, ..stack.console().duplicating(3) };
        stack.wechat.set_push(ACCOUNT, Some(push)).unwrap();
        let ticket = ticket(&stack).await;
        let delivery = scan(&stack, &ticket, "xiaoming").await;
        let verdicts: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.verdict.clone()).collect();
        assert_eq!(verdicts, vec![Verdict::RepliedEncrypted; 4], "{delivery:?}");
        // The other Envoy gets one, too, and the account is logged in to once.
        let again = &delivery.attempts[0].request;
        stack.send_push(1, again).await.assert_status(200);
        assert_eq!(state(&stack, &ticket).await, "confirmed");
        assert_eq!(collect(&stack, &ticket).await["openid"], stack.wechat.openid("xiaoming", ACCOUNT));
        stack.send_push(1, again).await.assert_status(200);
        assert_eq!(state(&stack, &ticket).await, "redeemed", "and stays so");
    }
    stack.finish().await;
}

/// The answer to a scan takes longer than WeChat waits. It comes again, and is stored then.
#[tokio::test]
async fn what_could_not_be_stored_in_time_is_503_and_stored_by_the_repetition() {
    let slow = |config: &mut Value| {
        config["resolver"]["timeout_ms"] = 20_000.into();
        config["wechat"]["timeout_ms"] = 20_000.into();
    };
    let stack = Stack::builder().config(slow).official_account_qr(json!({})).start().await;
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    let ticket = ticket(&stack).await;
    let code = stack.account_code(ACCOUNT, ACCOUNT_SECRET, &ticket).await;
    stack.resolver_wire.set_on(&format!("/v1/tickets/{ticket}/scan"), Fault::Silence).await;
    let wechat = stack.wechat.clone();
    let scanning = tokio::spawn(async move { wechat.scan_account_code(&code, "xiaoming").await.unwrap().unwrap() });
    let not_stored = async || (stack.count("wxgate_pushes_total.*result=not_stored").await > 0).then_some(());
    eventually(Duration::from_secs(20), "the first attempt is given up", not_stored).await;
    stack.resolver_wire.set(Fault::None).await;
    let delivery = scanning.await.unwrap();
    assert_eq!(delivery.attempts[0].status, Some(503), "in time for WeChat to read it: {delivery:?}");
    let last = delivery.attempts.last().unwrap();
    assert_eq!((delivery.is_accepted, &last.verdict), (true, &Verdict::RepliedEncrypted), "{delivery:?}");
    assert_eq!(state(&stack, &ticket).await, "scanned");
    stack.finish().await;
}

#[tokio::test]
async fn an_outage_of_wechat_s_own_api_makes_no_account_without_its_unionid() {
    let stack = Stack::builder().official_account_qr(json!({"confirm": false})).start().await;
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    let ticket = ticket(&stack).await;
    stack.wechat.set_faults(vec![WechatFault::on("/cgi-bin/user/info", Effect::Errcode { errcode: -1, errmsg: "system error".into() })]);
    let delivery = scan(&stack, &ticket, "xiaoming").await;
    assert!(!delivery.is_accepted && delivery.attempts.iter().all(|attempt| attempt.status == Some(503)), "{delivery:?}");
    assert_eq!(state(&stack, &ticket).await, "waiting");
    stack.wechat.clear_faults();
    assert!(scan(&stack, &ticket, "xiaoming").await.is_accepted);
    assert_eq!(collect(&stack, &ticket).await["unionid"], stack.wechat.unionid("xiaoming", "main"));
    stack.finish().await;
}
