//! What WeChat tells of people: who has scanned, and who takes back what they agreed to.

use std::time::Duration;

use serde_json::json;
use wxgate_tests::scan::ACCOUNT;
use wxgate_tests::wechat_sim::Verdict;
use wxgate_tests::{Stack, eventually, now};

use super::{collect, scan, state, ticket};

#[tokio::test]
async fn without_confirmation_a_scan_is_a_login_of_the_person_whom_the_platform_knows() {
    let stack = Stack::builder().official_account_qr(json!({"confirm": false})).start().await;
    stack.wechat.configure_push(ACCOUNT, stack.console()).await.unwrap();
    let ticket = ticket(&stack).await;
    let delivery = scan(&stack, &ticket, "xiaoming").await;
    assert_eq!((&delivery.attempts[0].verdict, delivery.attempts[0].body.as_str()), (&Verdict::Accepted, "success"));
    let who = collect(&stack, &ticket).await;
    let expected =
        json!({"app_id": ACCOUNT, "openid": stack.wechat.openid("xiaoming", ACCOUNT), "unionid": stack.wechat.unionid("xiaoming", "main")});
    assert_eq!(who, expected, "the unionid is asked for, and is no openid");
    stack.finish().await;
}

#[tokio::test]
async fn the_first_who_scans_has_it_and_the_next_is_told() {
    let stack = Stack::builder().official_account_qr(json!({"confirm": false})).start().await;
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    let ticket = ticket(&stack).await;
    scan(&stack, &ticket, "xiaoming").await;
    let second = scan(&stack, &ticket, "xiaohong").await;
    assert!(second.reply_text().is_some_and(|text| text.contains("其他微信")), "{second:?}");
    assert_eq!(collect(&stack, &ticket).await["openid"], stack.wechat.openid("xiaoming", ACCOUNT));

    // One that is over, and a code of the operator's own campaign.
    let over = scan(&stack, "AAAAAAAAAAAAAAAAAAAAAA", "xiaohong").await;
    assert!(over.reply_text().is_some_and(|text| text.contains("已失效")), "{over:?}");
    let campaign = scan(&stack, "spring-sale", "xiaohong").await;
    assert_eq!(campaign.attempts[0].body, "success");
    stack.finish().await;
}

#[tokio::test]
async fn who_withdraws_their_consent_before_the_browser_collects_is_not_logged_in_there() {
    let stack = Stack::builder().official_account_qr(json!({"confirm": false})).start().await;
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    let (withdrawn, another) = (ticket(&stack).await, ticket(&stack).await);
    scan(&stack, &withdrawn, "xiaoming").await;
    scan(&stack, &another, "xiaohong").await;
    assert_eq!(state(&stack, &withdrawn).await, "confirmed");
    let delivery = stack.wechat.revoke_authorization(ACCOUNT, "xiaoming", "301").await.unwrap().unwrap();
    assert_eq!((delivery.attempts.len(), delivery.attempts[0].body.as_str()), (1, "success"));
    assert_eq!(state(&stack, &withdrawn).await, "cancelled");
    assert_eq!(collect(&stack, &another).await["openid"], stack.wechat.openid("xiaohong", ACCOUNT));
    stack.finish().await;
}

#[tokio::test]
async fn withdrawn_consent_ends_sessions_and_clears_the_profile() {
    let stack = Stack::builder().official_account_qr(json!({})).start().await;
    stack.wechat.set_push(ACCOUNT, Some(stack.console())).unwrap();
    for cancelled in [false, true] {
        let phone = stack.visitor();
        phone.login("pc", "xiaoming").await.assert_status(200);
        let sub = phone.whoami().await.sub().to_owned();
        assert!(stack.resolver.user(&sub).await["name"].is_string());
        let delivery = match cancelled {
            false => stack.wechat.revoke_authorization(ACCOUNT, "xiaoming", "301").await,
            true => stack.wechat.cancel_authorization(ACCOUNT, "xiaoming").await,
        };
        let ended_at = now();
        let delivery = delivery.unwrap().unwrap();
        assert_eq!((delivery.attempts.len(), delivery.attempts[0].body.as_str()), (1, "success"));
        let is_out = async || (!phone.is_logged_in().await).then_some(());
        eventually(Duration::from_secs(15), "the session ends", is_out).await;
        assert!(stack.resolver.user(&sub).await["name"].is_null(), "{}", stack.resolver.user(&sub).await);
        // A session of the same second would have ended, too.
        eventually(Duration::from_secs(5), "another second", async || (now() > ended_at).then_some(())).await;
    }
    stack.finish().await;
}
