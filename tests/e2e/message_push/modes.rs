//! How messages are signed and encrypted, and the keys.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use wxgate_tests::Stack;
use wxgate_tests::scan::{ACCOUNT, OLD_PUSH_KEY, PUSH_KEY, PUSH_PATH, PUSH_TOKEN};
use wxgate_tests::wechat_sim::{Push, Verdict};

use super::{scan, state, ticket};
use crate::other_languages::python_with;

/// One that the gate does not know.
const OTHER_KEY: &str = "e2eAAAABBBBCCCCDDDDEEEEFFFFGGGG0123456789AG";

#[tokio::test]
async fn a_scan_asks_its_person_to_confirm_in_every_mode() {
    let plain = json!({"token": {"env": "WX_PUSH_TOKEN"}, "mode": "plain", "accept_forgeable_messages": true});
    let compatible = json!({"token": {"env": "WX_PUSH_TOKEN"}, "encoding_aes_keys": [{"env": "WX_PUSH_KEY"}], "mode": "compatible"});
    let usual = json!({"welcome": "欢迎光临"});
    for (follow, verdict) in [
        (usual, Verdict::RepliedEncrypted),
        (json!({"welcome": "欢迎光临", "push": compatible}), Verdict::RepliedEncrypted),
        (json!({"welcome": "欢迎光临", "push": plain}), Verdict::Replied),
    ] {
        let mode = follow["push"]["mode"].as_str().unwrap_or("safe").to_owned();
        let stack = Stack::builder().official_account_qr(follow).start().await;
        let push = match mode.as_str() {
            "safe" => stack.console(),
            "compatible" => Push::compatible(&stack.console().url, PUSH_TOKEN, PUSH_KEY).through(stack.envoys[0].address),
            _ => Push::plain(&stack.console().url, PUSH_TOKEN).through(stack.envoys[0].address),
        };
        stack.wechat.configure_push(ACCOUNT, push).await.expect("the address is verified");
        // First as somebody new, then as a follower.
        for name in ["subscribe", "SCAN"] {
            let ticket = ticket(&stack).await;
            let delivery = scan(&stack, &ticket, "xiaoming").await;
            assert_eq!((delivery.name.as_str(), delivery.attempts.len()), (name, 1), "{mode}: {delivery:?}");
            assert_eq!(delivery.attempts[0].verdict, verdict, "{mode}: {delivery:?}");
            let text = delivery.reply_text().expect("a text");
            assert!(text.starts_with("欢迎光临\n\n您正在登录 shop（localhost:"), "{text}");
            let link = stack.link_in(&text);
            assert!(link.starts_with(&format!("{}/wxgate/scan/follow/confirm?confirm=wxg1.", stack.origin)), "{text}");
            assert_eq!(state(&stack, &ticket).await, "scanned", "{mode}");
        }
        assert_eq!(stack.count("wxgate_pushes_total.*result=scanned").await, 2);
        stack.finish().await;
    }
}

#[tokio::test]
async fn keys_change_without_a_lost_message() {
    let stack = Stack::builder().official_account_qr(json!({})).start().await;
    for (key, is_known) in [(OLD_PUSH_KEY, true), (PUSH_KEY, true), (OTHER_KEY, false)] {
        let push = Push { encoding_aes_key: key.into(), ..stack.console() };
        stack.wechat.configure_push(ACCOUNT, push).await.unwrap();
        let ticket = ticket(&stack).await;
        let delivery = scan(&stack, &ticket, "xiaoming").await;
        // The simulator decrypts the reply with the key that it has sent with.
        assert_eq!(delivery.attempts[0].verdict == Verdict::RepliedEncrypted, is_known, "{delivery:?}");
        assert_eq!(state(&stack, &ticket).await, if is_known { "scanned" } else { "waiting" });
    }
    assert!(stack.log().contains("error=push_unreadable"), "an operator is told of a key that fits nothing");
    stack.finish().await;
}

/// wechatpy, from PyPI, encrypts and signs a push, and decrypts our reply.
#[tokio::test]
async fn a_library_that_is_not_ours_is_understood_and_understands() {
    let stack = Stack::builder().official_account_qr(json!({"welcome": "欢迎 ]]> 光临"})).start().await;
    stack.wechat.follow(ACCOUNT, "xiaoming").await.unwrap();
    let ticket = ticket(&stack).await;
    let (openid, original_id) = (stack.wechat.openid("xiaoming", ACCOUNT), stack.wechat.original_id(ACCOUNT));
    let address = stack.envoys[0].address.to_string();
    let arguments =
        [&address, stack.authority(), PUSH_PATH, PUSH_TOKEN, PUSH_KEY, ACCOUNT, &openid, &original_id, &ticket].map(str::to_owned);
    let pushed = tokio::task::spawn_blocking(move || {
        let python = python_with("wechatpy", "../crates/wechat-sim/tests/wechatpy/requirements.txt");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/wechatpy/push.py");
        python_venv::output(Command::new(python).arg(script).args(arguments).env("NO_PROXY", "*")).stdout
    });
    let result: Value = serde_json::from_slice(&pushed.await.unwrap()).unwrap();
    assert_eq!((&result["echo"], &result["status"]), (&json!("4375120948345356249"), &json!(200)));
    assert_eq!(result["fields"], json!(["Encrypt", "MsgSignature", "Nonce", "TimeStamp"]));
    let said = ["type", "source", "target"].map(|name| result[name].as_str().unwrap());
    assert_eq!(said, ["text", &original_id, &openid]);
    let text = result["content"].as_str().unwrap();
    assert!(text.starts_with("欢迎 ]]> 光临\n\n您正在登录 shop"), "{text}");
    stack.link_in(text);
    assert_eq!(state(&stack, &ticket).await, "scanned");
    stack.finish().await;
}
