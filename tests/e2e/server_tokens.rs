//! WeChat's server tokens: fetched once for all workers, replaced when WeChat refuses them, forced seldom, seen nowhere.

use std::time::Duration;

use serde_json::{Value, json};
use wxgate_tests::scan::{MINI_PROGRAM_APP, MINI_PROGRAM_SECRET};
use wxgate_tests::wechat_sim::{App, Effect, Fault, Simulator, TokenMishap};
use wxgate_tests::{Answer, Builder, Stack, Visitor, eventually};

/// A tick, a call, and a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// The shop with a mini program whose people give their phone numbers: that needs a server token.
fn with_mini_program(builder: Builder) -> Builder {
    builder.without_rate_limit().secret("WX_MINI_SECRET", MINI_PROGRAM_SECRET).config(|config| {
        config["connectors"].as_array_mut().unwrap().push(json!({
            "id": "mini", "type": "mini_program", "app_id": MINI_PROGRAM_APP, "app_secret": {"env": "WX_MINI_SECRET"}, "platform": "main"
        }));
        config["applications"][0]["connectors"].as_array_mut().unwrap().push("mini".into());
    })
}

async fn start(envoys: usize, workers: u32) -> Stack {
    with_mini_program(Stack::builder()).envoys(envoys).concurrency(workers).start().await
}

/// One click in the mini program, with the phone number, by way of one Envoy.
async fn log_in(stack: &Stack, envoy: usize, person: &str) -> Answer {
    let code = stack.wechat.wx_login(MINI_PROGRAM_APP, person).unwrap();
    let phone = stack.wechat.phone_number(MINI_PROGRAM_APP, person, true).unwrap();
    let phone_code = phone.code.expect("the person gives it");
    let app: Visitor = stack.visitor().without_cookies().via(stack.envoys[envoy].address);
    app.post_from_app("/wxgate/code/mini", &json!({"code": code, "phone_code": phone_code})).await
}

/// Questions for a token, as WeChat saw them: whether each was to force another.
fn asked(wechat: &Simulator) -> Vec<bool> {
    let questions = wechat.journal().into_iter().filter(|entry| entry.path == "/cgi-bin/stable_token");
    questions.map(|entry| serde_json::from_str::<Value>(&entry.body).unwrap()["force_refresh"] == true).collect()
}

fn forced(wechat: &Simulator) -> usize {
    asked(wechat).into_iter().filter(|is_forced| *is_forced).count()
}

/// Until each Envoy has a token.
async fn fetched(stack: &Stack) {
    for envoy in &stack.envoys {
        eventually(SOON, "a token for all workers", async || {
            let fetched = envoy.stats("wxgate_server_tokens_total.*result.fetched").await;
            fetched.values().any(|count| *count > 0).then_some(())
        })
        .await;
    }
}

/// Until logins work. Asked seldom: WeChat lets one person log in to an app a hundred times a minute.
async fn works(stack: &Stack, envoy: usize) {
    let mut every = tokio::time::interval(Duration::from_millis(500));
    eventually(SOON, "logins work again", async || {
        every.tick().await;
        (log_in(stack, envoy, "xiaoming").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn four_workers_ask_once_and_log_in_many() {
    let stack = start(1, 4).await;
    fetched(&stack).await;
    for person in ["xiaoming", "xiaohong"].into_iter().cycle().take(30) {
        log_in(&stack, 0, person).await.assert_status(200);
    }
    assert_eq!(asked(&stack.wechat), [false]);
    assert_eq!(stack.count("wxgate_server_tokens_total").await, 1);
    stack.finish().await;
}

#[tokio::test]
async fn a_token_that_is_over_or_replaced_is_found_again_at_once() {
    let stack = start(2, 2).await;
    fetched(&stack).await;
    for mishap in [TokenMishap::Replaced, TokenMishap::Expired] {
        stack.wechat.befall_server_tokens(MINI_PROGRAM_APP, mishap).unwrap();
        for envoy in [0, 1] {
            log_in(&stack, envoy, "xiaoming").await.assert_status(200);
        }
    }
    assert_eq!(forced(&stack.wechat), 0);
    assert!(!stack.log().contains("server token connector"), "nothing that an operator has to know");
    stack.finish().await;
}

#[tokio::test]
async fn one_envoy_forces_another_token_and_the_others_find_it() {
    let stack = start(3, 2).await;
    fetched(&stack).await;
    stack.wechat.befall_server_tokens(MINI_PROGRAM_APP, TokenMishap::Refused).unwrap();
    let refused = log_in(&stack, 0, "xiaoming").await;
    refused.assert_failure(503, "wechat_unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    assert_eq!(forced(&stack.wechat), 0, "no visitor forces");
    works(&stack, 0).await;
    for envoy in [1, 2] {
        log_in(&stack, envoy, "xiaohong").await.assert_status(200);
    }
    assert_eq!(forced(&stack.wechat), 1);
    assert_eq!(stack.count("wxgate_server_token_changes_total.*forced").await, 1);
    stack.finish().await;
}

/// All Envoys meet the refusal at once, under load. WeChat takes two forced refreshes within 30 s for one; without the random
/// while there would be one for each Envoy, without the claim one for each worker.
#[tokio::test]
async fn three_envoys_whose_visitors_all_meet_a_refused_token_do_not_force_each() {
    let stack = start(3, 2).await;
    fetched(&stack).await;
    stack.wechat.befall_server_tokens(MINI_PROGRAM_APP, TokenMishap::Refused).unwrap();
    for envoy in (0..3).cycle().take(9) {
        let answer = log_in(&stack, envoy, "xiaoming").await;
        assert!(matches!(answer.status, 200 | 503), "{answer}");
    }
    for envoy in 0..3 {
        works(&stack, envoy).await;
    }
    assert!((1..3).contains(&forced(&stack.wechat)), "{:?}", asked(&stack.wechat));
    let calls = stack.wechat.journal().into_iter().filter(|entry| entry.path == "/wxa/business/getuserphonenumber");
    let tokens: std::collections::BTreeSet<_> = calls.filter_map(|entry| entry.parameter("access_token").map(str::to_owned)).collect();
    assert_eq!(tokens.len(), 2, "the refused one, and one in its place");
    stack.finish().await;
}

#[tokio::test]
async fn an_address_that_wechat_does_not_list_is_told_to_the_operator_once_and_asked_seldom() {
    let mut stack = start(1, 2).await;
    fetched(&stack).await;
    let elsewhere = "203.0.113.9".parse().unwrap();
    stack.wechat.put_app(MINI_PROGRAM_APP, App::mini_program(MINI_PROGRAM_SECRET).on_platform("main").only_from(&[elsewhere])).unwrap();
    stack.restart_envoy(0).await;
    let line = eventually(SOON, "a line for the operator", async || {
        stack.log().lines().find(|line| line.contains("server token connector=mini")).map(str::to_owned)
    })
    .await;
    assert!(
        line.contains("[error]") && line.contains("errcode 40164") && line.contains("127.0.0.1") && line.contains("IP allow list"),
        "{line}"
    );
    // Whoever logs in meanwhile is told at once, and WeChat is not asked for each.
    let before = asked(&stack.wechat).len();
    for _ in 0..10 {
        log_in(&stack, 0, "xiaoming").await.assert_failure(500, "wechat_misconfigured");
    }
    let after = asked(&stack.wechat).len();
    assert!(after <= before + 4, "{before} questions, then {after}");
    assert_eq!(stack.log().lines().filter(|line| line.contains("server token connector=mini")).count(), 1);
    stack.finish().await;
}

#[tokio::test]
async fn a_quota_that_is_used_up_leaves_the_known_token_alone() {
    let stack = start(1, 2).await;
    fetched(&stack).await;
    stack.wechat.set_faults(vec![Fault::on("/cgi-bin/stable_token", Effect::errcode(45009, "reach max api daily quota limit"))]);
    log_in(&stack, 0, "xiaoming").await.assert_status(200);
    stack.wechat.befall_server_tokens(MINI_PROGRAM_APP, TokenMishap::Replaced).unwrap();
    log_in(&stack, 0, "xiaoming").await.assert_failure(503, "wechat_busy");
    assert_eq!(asked(&stack.wechat).len(), 2, "once at the start, once by the visitor");
    stack.finish().await;
}

#[tokio::test]
async fn wechat_being_away_at_the_start_costs_nothing_but_time() {
    let mut stack = start(1, 2).await;
    fetched(&stack).await;
    stack.wechat.set_faults(vec![Fault::on("/cgi-bin/stable_token", Effect::bad_gateway())]);
    stack.restart_envoy(0).await;
    log_in(&stack, 0, "xiaoming").await.assert_failure(503, "wechat_unavailable");
    stack.wechat.clear_faults();
    works(&stack, 0).await;
    stack.finish().await;
}
