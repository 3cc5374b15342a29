//! People at their own account.

use std::time::Duration;

use wxgate_tests::hostile::Setup;
use wxgate_tests::{Fault, eventually, on_both};

on_both![signing_out_everywhere_at_one_s_own_page_ends_every_session];

async fn signing_out_everywhere_at_one_s_own_page_ends_every_session(setup: Setup) {
    let stack = setup.builder().start().await;
    let (laptop, phone, somebody) = (stack.visitor(), stack.visitor(), stack.visitor());
    laptop.login("pc", "xiaoming").await.assert_status(200);
    phone.login("pc", "xiaoming").await.assert_status(200);
    somebody.login("pc", "xiaohong").await.assert_status(200);

    stack.resolver_wire.set_on("/v1/users", Fault::Reset).await;
    laptop.submit("/wxgate/account", "action=sign_out_everywhere").await.assert_failure(503, "accounts_unavailable");
    assert!(laptop.is_logged_in().await, "to be tried again");
    stack.resolver_wire.set(Fault::None).await;

    let elsewhere = [("origin", "https://evil.example"), ("content-type", "application/x-www-form-urlencoded")];
    let forged = laptop.send("POST", "/wxgate/account", &elsewhere, b"action=sign_out_everywhere").await;
    forged.assert_failure(403, "cross_site");
    assert!(laptop.is_logged_in().await);

    let out = laptop.submit("/wxgate/account", "action=sign_out_everywhere").await;
    out.assert_status(303);
    assert!(out.header("location").is_some_and(|location| location.ends_with("/wxgate/logout")), "{out}");
    assert!(laptop.cookie("__Host-wxgate_session").is_none());
    eventually(Duration::from_secs(10), "the phone is logged out too", async || (!phone.is_logged_in().await).then_some(())).await;
    assert!(somebody.is_logged_in().await, "nobody else is");
    assert_eq!(stack.count("wxgate_account_actions_total.*sign_out_everywhere.*result.done").await, 1);
    stack.finish().await;
}
